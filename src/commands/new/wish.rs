//! What is asked for of a service, on the command line or in a file, and what of that goes together.

use std::path::PathBuf;

use miette::{Report, miette};

use crate::cli::{New, NewAuth, NewBroker, NewDiscovery, NewProtocol, NewStore, NewTls};
use crate::service::{Auth, InvalidName, ServiceName, ServiceSpec};

/// The admin port is this far above the traffic port.
pub const ADMIN_PORT_OFFSET: u16 = 1010;

/// A service as somebody wants it.
#[derive(Clone, Debug)]
pub struct Wish {
    pub name: ServiceName,
    /// From the workspace's root.
    pub path: Option<PathBuf>,
    pub port: Option<u16>,
    pub protocol: NewProtocol,
    pub store: NewStore,
    pub discovery: NewDiscovery,
    pub auth: NewAuth,
    pub tls: NewTls,
    pub broker: NewBroker,
    pub consumes: Option<ServiceName>,
    /// Each once, in name order.
    pub calls: Vec<ServiceName>,
    pub public: bool,
}

/// Where options stand, which decides how they are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Words {
    CommandLine,
    File,
}

/// Options that do not go together.
#[derive(Debug)]
pub struct Refusal {
    /// The one to blame.
    pub option: &'static str,
    pub message: String,
    pub help: String,
}

impl Words {
    fn option(self, name: &str) -> String {
        match self {
            Self::CommandLine => format!("--{name}"),
            Self::File => name.to_owned(),
        }
    }

    fn given(self, name: &str, value: &str) -> String {
        match self {
            Self::CommandLine => format!("--{name} {value}"),
            Self::File => format!("{name} = \"{value}\""),
        }
    }
}

impl From<Refusal> for Report {
    fn from(Refusal { message, help, .. }: Refusal) -> Self {
        miette!(help = help, "{message}")
    }
}

impl Wish {
    /// What the command line asks for.
    ///
    /// # Errors
    /// When a name is none.
    pub fn of(name: ServiceName, args: &New) -> miette::Result<Self> {
        let mut calls = args.calls.iter().map(|text| parse_name(text)).collect::<miette::Result<Vec<_>>>()?;
        calls.sort();
        calls.dedup();
        Ok(Self {
            path: args.path.clone(),
            port: args.port,
            protocol: args.protocol.unwrap_or_default(),
            store: args.store.unwrap_or_default(),
            discovery: args.discovery.unwrap_or_default(),
            auth: args.auth.unwrap_or_default(),
            tls: args.tls.unwrap_or_default(),
            broker: args.broker.unwrap_or_default(),
            consumes: args.consumes.as_deref().map(parse_name).transpose()?,
            calls,
            public: args.public,
            name,
        })
    }

    /// Refuses what does not go together.
    ///
    /// # Errors
    /// With the option to blame.
    pub fn check(&self, words: Words) -> Result<(), Refusal> {
        let Self { name, .. } = self;
        let refuse = |option, help: &str, message: String| Err(Refusal { option, message, help: help.to_owned() });
        if self.calls.contains(name) {
            let help = "name the services that it calls over the network";
            return refuse("calls", help, format!("`{name}` cannot call itself"));
        }
        let events = words.given("protocol", "events");
        if self.protocol != NewProtocol::Events {
            if self.consumes.is_some() {
                let help = format!("make a service of its own that reads them: {events}");
                return refuse("consumes", &help, format!("only `{events}` reads events"));
            }
            if self.broker != NewBroker::None && self.store == NewStore::None {
                let help = format!("give it a {}", words.option("store"));
                return refuse("broker", &help, "events are published from a store, so that a crash loses none of them".into());
            }
            return Ok(());
        }
        if self.broker == NewBroker::None {
            let [nats, rabbitmq, kafka] = ["nats", "rabbitmq", "kafka"].map(|broker| words.given("broker", broker));
            let help = format!("add {nats}, {rabbitmq} or {kafka}");
            return refuse("protocol", &help, format!("`{events}` reads events from a broker"));
        }
        let Some(source) = &self.consumes else {
            let help = format!("add {}, the service whose events it reads", words.given("consumes", "NAME"));
            return refuse("protocol", &help, format!("`{events}` reads events of another service"));
        };
        if source == name {
            let help = "name the service whose events it reads";
            return refuse("consumes", help, format!("`{name}` cannot read its own events"));
        }
        let looks_up = !matches!(self.discovery, NewDiscovery::Kubernetes | NewDiscovery::Static);
        let unused = [
            ("public", self.public, "are called"),
            ("tls", self.tls != NewTls::Mesh, "are called"),
            ("discovery", looks_up && self.calls.is_empty(), "call others or are called"),
        ];
        match unused.into_iter().find(|(_, is_given, _)| *is_given) {
            Some((option, _, kind)) => {
                let given = words.option(option);
                let message = format!("`{given}` is for services that {kind}; nobody calls `{name}`");
                refuse(option, "leave it away", message)
            }
            None => Ok(()),
        }
    }

    /// The service on a traffic port, which one that nobody calls has not got.
    pub fn on(&self, port: u16) -> ServiceSpec {
        let reads_events = self.protocol == NewProtocol::Events;
        ServiceSpec {
            name: self.name.clone(),
            protocol: self.protocol.into(),
            port: if reads_events { port + ADMIN_PORT_OFFSET } else { port },
            admin_port: port + ADMIN_PORT_OFFSET,
            store: self.store.into(),
            discovery: self.discovery.into(),
            auth: if reads_events { Auth::None } else { self.auth.into() },
            tls: self.tls.into(),
            public: self.public,
            calls: self.calls.clone(),
            broker: self.broker.into(),
            consumes: self.consumes.clone(),
        }
    }
}

/// # Errors
/// When it is no name, with the nearest one that is.
pub fn parse_name(text: &str) -> miette::Result<ServiceName> {
    text.parse().map_err(|error: InvalidName| {
        let help = name_help(&error);
        miette!(help = help, "{error}")
    })
}

/// What to do about it.
pub fn name_help(error: &InvalidName) -> String {
    match &error.suggestion {
        Some(suggestion) => format!("try `{suggestion}`"),
        None => "a name is made of lowercase letters, digits and `-`, for example `order-items`".to_owned(),
    }
}
