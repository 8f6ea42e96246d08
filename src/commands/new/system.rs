//! A whole system in one file: `--from shop.toml`.
//!
//! ```toml
//! workspace = "shop"          # the directory where a new one is made; without it, the file's name
//!
//! [services.orders]           # the options of `cargo msvc new orders`, by their names
//! broker = "nats"
//! calls = ["inventory"]
//!
//! [services.inventory]
//! protocol = "grpc"
//! ```

use std::fs;
use std::ops::Range;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use miette::{Report, miette};
use toml_edit::{Document, Item, TableLike};

use super::place::{self, Place};
use super::wish::{Refusal, Wish, Words, name_help};
use crate::config::{Error, Source, suggest};
use crate::scaffold::standard_directory;
use crate::service::{Broker, InvalidName, Protocol, ServiceName};

const TABLES: [&str; 2] = ["workspace", "services"];
/// Of one service.
const KEYS: [&str; 11] =
    ["auth", "broker", "calls", "consumes", "discovery", "path", "port", "protocol", "public", "store", "tls"];

/// The file, read.
pub struct System {
    source: Source,
    name: String,
    services: Vec<Stated>,
}

/// A service as the file has it.
struct Stated {
    wish: Wish,
    /// Of its name, and of each of its values by their keys.
    name_span: Option<Range<usize>>,
    spans: Vec<(&'static str, Option<Range<usize>>)>,
    /// Of the services that it calls, in the order of `wish.calls`.
    call_spans: Vec<Option<Range<usize>>>,
}

/// Reads the file.
///
/// # Errors
/// When it cannot be read, or something in it is not what it should be.
pub fn read(path: &Path) -> miette::Result<System> {
    let text = fs::read_to_string(path).map_err(|error| {
        let help = "name a file that lists services: `cargo msvc new --help` shows one";
        miette!(help = help, "cannot read `{}`: {error}", path.display())
    })?;
    let shown = path.display().to_string();
    let source = Source { path: path.to_owned(), shown, text };
    let document = Document::parse(source.text.clone()).map_err(|error| {
        let help = Some("the file must be valid TOML".to_owned());
        Report::from(*source.error(error.span(), error.message().to_owned(), "here", help))
    })?;
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let mut system = System { name: stem, services: Vec::new(), source };
    system.read(document.as_table()).and_then(|()| system.check()).map_err(|error| Report::from(*error))?;
    Ok(system)
}

impl System {
    /// Of a workspace that is made for it.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The services that are not in the workspace yet, and the names of those that are.
    ///
    /// # Errors
    /// When one calls or reads a service that is in neither, or cannot.
    pub fn wishes(&self, place: &Place) -> miette::Result<(Vec<Wish>, Vec<ServiceName>)> {
        let (mut there, mut publishing, mut members) = (Vec::new(), Vec::new(), Vec::new());
        if let Place::Existing(root) = place {
            let existing = place::read_existing(root)?;
            there = place::callees(root, &existing.members).into_iter().map(|callee| callee.name).collect();
            publishing = place::publishers(root, &existing.members);
            members = existing.members.into_iter().map(|member| member.name).collect();
        }
        let is_there = |name: &ServiceName| members.iter().any(|member| member == name.as_str());
        let (old, new): (Vec<_>, Vec<_>) = self.services.iter().partition(|stated| is_there(&stated.wish.name));
        there.extend(new.iter().filter(|it| it.is_called()).map(|it| it.wish.name.clone()));
        publishing.extend(new.iter().filter(|it| it.is_called()).map(|it| (it.wish.name.clone(), it.wish.broker.into())));
        for stated in &new {
            let checked = self.check_calls(stated, &there).and_then(|()| self.check_events(stated, &publishing));
            checked.map_err(|error| Report::from(*error))?;
        }
        let names = old.iter().map(|stated| stated.wish.name.clone()).collect();
        Ok((new.into_iter().map(|stated| stated.wish.clone()).collect(), names))
    }

    fn read(&mut self, table: &dyn TableLike) -> Result<(), Error> {
        for (key, item) in table.iter() {
            match key {
                "workspace" => {
                    let name = item.as_str().filter(|name| !name.is_empty());
                    let help = "it is the directory of the workspace, such as \"shop\"";
                    name.ok_or_else(|| self.source.wrong(item, key, help))?.clone_into(&mut self.name);
                }
                "services" => {
                    let help = "write a table for each service: `[services.orders]`";
                    let services = item.as_table_like().ok_or_else(|| self.source.wrong(item, key, help))?;
                    for (name, item) in services.iter() {
                        let span = services.key(name).and_then(toml_edit::Key::span);
                        let stated = self.service(name, span, item)?;
                        self.services.push(stated);
                    }
                }
                _ => {
                    let help = suggest(key, TABLES, "a file for `--from` has `workspace` and a table `[services.NAME]` for each");
                    let span = table.key(key).and_then(toml_edit::Key::span);
                    return Err(self.source.error(span, format!("`{key}` is no key of this file"), "not known", Some(help)));
                }
            }
        }
        if self.services.is_empty() {
            let help = Some("add a table for each: `[services.orders]`".to_owned());
            return Err(self.source.error(None, "it names no service".to_owned(), "here", help));
        }
        Ok(())
    }

    fn service(&self, name: &str, name_span: Option<Range<usize>>, item: &Item) -> Result<Stated, Error> {
        let source = &self.source;
        let table = item.as_table_like().ok_or_else(|| {
            let help = Some(format!("write `[services.{name}]`, and its options below"));
            source.error(item.span(), format!("`services.{name}` must be a table"), "not a table", help)
        })?;
        let mut stated = Stated {
            wish: Wish {
                name: self.name_of(name, name_span.clone())?,
                path: None,
                port: None,
                protocol: Default::default(),
                store: Default::default(),
                discovery: Default::default(),
                auth: Default::default(),
                tls: Default::default(),
                broker: Default::default(),
                consumes: None,
                calls: Vec::new(),
                public: false,
            },
            name_span,
            spans: Vec::new(),
            call_spans: Vec::new(),
        };
        let wish = &mut stated.wish;
        for (key, value) in table.iter() {
            let Some(known) = KEYS.iter().find(|known| **known == key) else {
                let list = format!("the keys are {}", KEYS.join(", "));
                let span = table.key(key).and_then(toml_edit::Key::span);
                let message = format!("`{key}` is no option of a service");
                return Err(source.error(span, message, "not known", Some(suggest(key, KEYS, &list))));
            };
            stated.spans.push((known, value.span()));
            match *known {
                "auth" => wish.auth = self.choice(value, key)?,
                "broker" => wish.broker = self.choice(value, key)?,
                "discovery" => wish.discovery = self.choice(value, key)?,
                "protocol" => wish.protocol = self.choice(value, key)?,
                "store" => wish.store = self.choice(value, key)?,
                "tls" => wish.tls = self.choice(value, key)?,
                "public" => wish.public = value.as_bool().ok_or_else(|| source.wrong(value, key, "it is true or false"))?,
                "path" => {
                    let help = "it is a directory relative to the workspace's root, such as \"services/orders\"";
                    let path = value.as_str().ok_or_else(|| source.wrong(value, key, help))?;
                    let directory = place::service_directory(Path::new(path)).map_err(|_| source.wrong(value, key, help))?;
                    wish.path = Some(PathBuf::from(directory));
                }
                "port" => {
                    let port = value.as_integer().and_then(|port| u16::try_from(port).ok());
                    let port = port.filter(|port| (1024..=64525).contains(port));
                    wish.port = Some(port.ok_or_else(|| source.wrong(value, key, "it is a number from 1024 to 64525"))?);
                }
                "consumes" => {
                    let name = value.as_str().ok_or_else(|| source.wrong(value, key, "it is the name of one service"))?;
                    wish.consumes = Some(self.name_of(name, value.span())?);
                }
                // `calls`, the last of them.
                _ => {
                    let help = "it is a list of services, such as [\"inventory\"]";
                    let names = value.as_array().ok_or_else(|| source.wrong(value, key, help))?;
                    let mut calls = Vec::new();
                    for name in names {
                        let text = name.as_str().ok_or_else(|| source.wrong(value, key, help))?;
                        calls.push((self.name_of(text, name.span())?, name.span()));
                    }
                    calls.sort_by(|a, b| a.0.cmp(&b.0));
                    calls.dedup_by(|a, b| a.0 == b.0);
                    (wish.calls, stated.call_spans) = calls.into_iter().unzip();
                }
            }
        }
        Ok(stated)
    }

    fn name_of(&self, text: &str, span: Option<Range<usize>>) -> Result<ServiceName, Error> {
        text.parse().map_err(|error: InvalidName| self.source.error(span, error.to_string(), "no name", Some(name_help(&error))))
    }

    /// The value of an option that has a few.
    fn choice<T: ValueEnum>(&self, value: &Item, key: &str) -> Result<T, Error> {
        let offered: Vec<(String, T)> = T::value_variants()
            .iter()
            .filter_map(|variant| Some((variant.to_possible_value()?.get_name().to_owned(), variant.clone())))
            .collect();
        let found = value.as_str().and_then(|text| offered.iter().find(|(name, _)| name == text));
        found.map(|(_, variant)| variant.clone()).ok_or_else(|| {
            let names: Vec<_> = offered.iter().map(|(name, _)| name.as_str()).collect();
            let list = format!("it is one of \"{}\"", names.join("\", \""));
            let help = value.as_str().map(|text| suggest(text, names.iter().copied(), &list));
            self.source.wrong(value, key, &help.unwrap_or(list))
        })
    }

    /// What goes together in each service, and that no two are in one place.
    fn check(&self) -> Result<(), Error> {
        for (number, stated) in self.services.iter().enumerate() {
            let directory = stated.directory();
            let beside = |other: &&Stated| directory.starts_with(other.directory()) || other.directory().starts_with(&directory);
            if let Some(other) = self.services[..number].iter().find(beside) {
                let message = format!("`{}` would be in the same directory as `{}`", stated.wish.name, other.wish.name);
                let help = Some("give each service a `path` of its own".to_owned());
                // The one to blame is whichever states where it is.
                let span = [stated, other].into_iter().find(|stated| stated.wish.path.is_some()).and_then(|it| it.span("path"));
                return Err(self.source.error(span, message, "here", help));
            }
            stated.wish.check(Words::File).map_err(|Refusal { option, message, help }| {
                self.source.error(stated.span(option), message, "here", Some(help))
            })?;
        }
        Ok(())
    }

    fn check_calls(&self, stated: &Stated, there: &[ServiceName]) -> Result<(), Error> {
        for (callee, span) in stated.wish.calls.iter().zip(&stated.call_spans) {
            if there.contains(callee) {
                continue;
            }
            let reads_events = self.services.iter().any(|other| other.wish.name == *callee && !other.is_called());
            let (message, help) = if reads_events {
                (format!("`{callee}` reads events, and answers nobody"), "leave it away".to_owned())
            } else {
                let otherwise = format!("add `[services.{callee}]`, or make it before");
                let help = suggest(callee.as_str(), there.iter().map(ServiceName::as_str), &otherwise);
                (format!("there is no service `{callee}`, here or in the workspace"), help)
            };
            return Err(self.source.error(span.clone(), message, "called here", Some(help)));
        }
        Ok(())
    }

    /// Whose events are read must publish some, by the same broker.
    fn check_events(&self, stated: &Stated, publishing: &[(ServiceName, Broker)]) -> Result<(), Error> {
        let Some(read) = &stated.wish.consumes else { return Ok(()) };
        let broker = Broker::from(stated.wish.broker);
        let (message, help) = match publishing.iter().find(|(name, _)| name == read) {
            Some((_, published)) if *published == broker => return Ok(()),
            Some((_, Broker::None)) => {
                (format!("`{read}` publishes no events"), format!("give it `broker = \"{broker}\"`, and a store"))
            }
            Some((_, other)) => (
                format!("`{read}` publishes by {other}, where `{}` does not look", stated.wish.name),
                format!("read by {other} too"),
            ),
            None => {
                let otherwise = format!("add `[services.{read}]` with `broker = \"{broker}\"`, or make it before");
                let names = publishing.iter().map(|(name, _)| name.as_str());
                (format!("there is no service `{read}` that publishes events"), suggest(read.as_str(), names, &otherwise))
            }
        };
        Err(self.source.error(stated.span("consumes"), message, "read here", Some(help)))
    }
}

impl Stated {
    /// From the workspace's root.
    fn directory(&self) -> PathBuf {
        self.wish.path.clone().unwrap_or_else(|| standard_directory(&self.wish.name).into())
    }

    /// Others can ask it something.
    fn is_called(&self) -> bool {
        Protocol::from(self.wish.protocol) != Protocol::Events
    }

    /// Of an option's value, else of the service's name.
    fn span(&self, option: &str) -> Option<Range<usize>> {
        let given = self.spans.iter().find(|(key, _)| *key == option);
        given.map_or_else(|| self.name_span.clone(), |(_, span)| span.clone())
    }
}
