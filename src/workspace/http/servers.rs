//! Servers: which calls start one, and how each framework lets it end.

use super::{Place, Server};
use crate::workspace::Workspace;
use crate::workspace::names::FunctionRef;
use crate::workspace::query::{Node, Step};
use crate::workspace::rust::ExprKind;
use rustc_hash::FxHashSet as HashSet;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Framework {
    Actix,
    Axum,
    AxumServer,
    Dropshot,
    Hyper,
    /// hyper's own connections, accepted by hand.
    HyperConnection,
    Ntex,
    Poem,
    Rocket,
    Salvo,
    Tide,
    Tonic,
    Warp,
}

/// How a server ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shutdown {
    /// The framework drains on SIGTERM by itself.
    BuiltIn,
    /// The code asks for it.
    Graceful,
    /// It runs until it is killed.
    Abrupt,
    /// Where the server runs could not be followed.
    Unknown,
}

/// How a server of one framework is made, run and drained.
struct Kind {
    framework: Framework,
    /// Calls that make it.
    makers: &'static [&'static str],
    /// Methods that run it; empty where the maker is the server.
    runs: &'static [&'static str],
    /// Methods that run it, or have it run, with an end.
    graceful: &'static [&'static str],
}

/// As the crates document them: axum 0.6-0.8, hyper 0.14 and 1, axum-server 0.3-0.8, tonic 0.8-0.14, warp 0.3 and 0.4, poem 1-3,
/// salvo 0.20-0.80, dropshot 0.8-0.16, tide 0.16.
const KINDS: &[Kind] = &[
    Kind {
        framework: Framework::Axum,
        makers: &["axum::serve", "axum::serve::serve"],
        runs: &[],
        graceful: &["with_graceful_shutdown"],
    },
    Kind {
        framework: Framework::Hyper,
        makers: &[
            "axum::Server::bind",
            "axum::Server::try_bind",
            "axum::Server::builder",
            "axum::Server::from_tcp",
            "hyper::Server::bind",
            "hyper::Server::try_bind",
            "hyper::Server::builder",
            "hyper::Server::from_tcp",
            "hyper::server::Server::bind",
            "hyper::server::Server::try_bind",
            "hyper::server::Server::builder",
            "hyper::server::Server::from_tcp",
        ],
        runs: &["serve"],
        graceful: &["with_graceful_shutdown"],
    },
    Kind {
        framework: Framework::AxumServer,
        makers: &[
            "axum_server::bind",
            "axum_server::bind_rustls",
            "axum_server::bind_openssl",
            "axum_server::from_tcp",
            "axum_server::from_tcp_rustls",
            "axum_server::from_tcp_openssl",
            "axum_server::Server::bind",
            "axum_server::Server::from_tcp",
            "axum_server::server::Server::bind",
            "axum_server::server::Server::from_tcp",
            "axum_server::tls_rustls::bind_rustls",
            "axum_server::tls_rustls::from_tcp_rustls",
            "axum_server::tls_openssl::bind_openssl",
        ],
        runs: &["serve"],
        graceful: &["handle"],
    },
    Kind {
        framework: Framework::HyperConnection,
        makers: &[
            "hyper::server::conn::Http::new",
            "hyper::server::conn::http1::Builder::new",
            "hyper::server::conn::http2::Builder::new",
            "hyper_util::server::conn::auto::Builder::new",
        ],
        runs: &["serve_connection", "serve_connection_with_upgrades"],
        graceful: &["graceful_shutdown"],
    },
    Kind {
        framework: Framework::Tonic,
        makers: &["tonic::transport::Server::builder", "tonic::transport::server::Server::builder"],
        runs: &["serve", "serve_with_incoming"],
        graceful: &["serve_with_shutdown", "serve_with_incoming_shutdown"],
    },
    Kind {
        framework: Framework::Warp,
        makers: &["warp::serve"],
        runs: &[
            "run",
            "bind",
            "try_bind",
            "bind_ephemeral",
            "try_bind_ephemeral",
            "incoming",
            "run_incoming",
            "serve_incoming",
            "try_serve_incoming",
        ],
        graceful: &[
            "graceful",
            "bind_with_graceful_shutdown",
            "try_bind_with_graceful_shutdown",
            "serve_incoming_with_graceful_shutdown",
        ],
    },
    Kind {
        framework: Framework::Poem,
        makers: &[
            "poem::Server::new",
            "poem::Server::new_with_acceptor",
            "poem::server::Server::new",
            "poem::server::Server::new_with_acceptor",
        ],
        runs: &["run"],
        graceful: &["run_with_graceful_shutdown"],
    },
    Kind {
        framework: Framework::Salvo,
        makers: &[
            "salvo::Server::new",
            "salvo::server::Server::new",
            "salvo::prelude::Server::new",
            "salvo_core::Server::new",
            "salvo_core::server::Server::new",
        ],
        runs: &["serve", "try_serve"],
        graceful: &["handle", "serve_with_graceful_shutdown", "try_serve_with_graceful_shutdown"],
    },
    Kind {
        framework: Framework::Dropshot,
        makers: &[
            "dropshot::HttpServerStarter::new",
            "dropshot::HttpServerStarter::new_with_tls",
            "dropshot::HttpServerStarter::new_with_versioning",
            "dropshot::ServerBuilder::new",
        ],
        runs: &["start"],
        graceful: &["close"],
    },
    Kind { framework: Framework::Tide, makers: &["tide::new", "tide::with_state"], runs: &["listen", "bind"], graceful: &[] },
    // These drain on SIGTERM by themselves.
    Kind { framework: Framework::Actix, makers: &["actix_web::HttpServer::new"], runs: &["run"], graceful: &[] },
    Kind {
        framework: Framework::Ntex,
        makers: &["ntex::web::HttpServer::new", "ntex::web::server"],
        runs: &["run"],
        graceful: &[],
    },
    Kind {
        framework: Framework::Rocket,
        makers: &[
            "rocket::build",
            "rocket::custom",
            "rocket::ignite",
            "rocket::Rocket::build",
            "rocket::Rocket::custom",
            "rocket::Rocket::ignite",
        ],
        runs: &["launch"],
        graceful: &[],
    },
];

impl Framework {
    /// As its users call it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Actix => "actix-web",
            Self::Axum => "axum",
            Self::AxumServer => "axum-server",
            Self::Dropshot => "dropshot",
            Self::Hyper | Self::HyperConnection => "hyper",
            Self::Ntex => "ntex",
            Self::Poem => "poem",
            Self::Rocket => "rocket",
            Self::Salvo => "salvo",
            Self::Tide => "tide",
            Self::Tonic => "tonic",
            Self::Warp => "warp",
        }
    }
}

/// Every server that ships, in path and source order.
pub(super) fn find(workspace: &Workspace) -> Vec<Server> {
    let mut found = Vec::new();
    for kind in KINDS {
        for maker in kind.makers {
            found.extend(workspace.calls_to(maker).filter_map(|node| server(kind, node)));
        }
    }
    found.sort_by_key(|server| server.place);
    found.dedup_by_key(|server| server.place);
    found
}

fn server(kind: &Kind, maker: Node<'_>) -> Option<Server> {
    let steps = flow(maker);
    let methods: Vec<Node<'_>> = steps
        .iter()
        .filter_map(|step| match step {
            Step::Method(node) => Some(*node),
            _ => None,
        })
        .collect();
    let called = |names: &[&str]| methods.iter().any(|node| node.method().is_some_and(|name| names.contains(&name)));
    let escapes = steps.iter().any(|step| matches!(step, Step::Field(..)));
    let runs = kind.runs.is_empty() || called(kind.runs);
    // A builder that never runs is configuration, or another crate's business; one that is kept in a field runs beside it.
    let runs_beside = || {
        let mut served = kind.runs.iter().flat_map(|name| maker.workspace.methods(name));
        escapes && served.any(|call| call.file == maker.file)
    };
    if kind.framework == Framework::HyperConnection && !runs && !called(kind.graceful) && !runs_beside() {
        return None;
    }
    let shutdown = match kind.framework {
        Framework::Actix if called(&["disable_signals"]) && !called(&["handle", "stop"]) => Shutdown::Abrupt,
        Framework::Actix | Framework::Ntex => Shutdown::BuiltIn,
        Framework::Rocket if is_old_rocket(maker) => Shutdown::Abrupt,
        Framework::Rocket => Shutdown::BuiltIn,
        _ if called(kind.graceful) => Shutdown::Graceful,
        _ if runs && !escapes => Shutdown::Abrupt,
        _ => Shutdown::Unknown,
    };
    Some(Server {
        framework: kind.framework,
        place: (maker.file, maker.id),
        at: maker.name_at(),
        shutdown,
        methods: methods.iter().map(|node| (node.file, node.id)).collect(),
        function: maker.function(),
    })
}

/// rocket before 0.5 ends at once.
fn is_old_rocket(maker: Node<'_>) -> bool {
    maker.version_of("rocket").is_some_and(|version| version.starts_with("0.4.") || version.starts_with("0.3."))
}

/// All that happens to a value, into the functions it is handed to and out of those that return it.
fn flow(from: Node<'_>) -> Vec<Step<'_>> {
    let workspace = from.workspace;
    let mut steps = Vec::new();
    let mut seen: HashSet<Place> = HashSet::default();
    let mut open = vec![from];
    while let Some(node) = open.pop() {
        if !seen.insert((node.file, node.id)) {
            continue;
        }
        for step in node.flow() {
            match step {
                Step::Returned(function) => {
                    open.extend(workspace.graph.callers(workspace, function).filter(|caller| is_call(*caller)));
                }
                Step::Argument(call) => open.extend(parameter_uses(workspace, call, node)),
                _ => {}
            }
            steps.push(step);
        }
    }
    steps
}

fn is_call(node: Node<'_>) -> bool {
    matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. })
}

/// Where a function of the workspace reads the parameter that `value` is handed over as.
fn parameter_uses<'w>(workspace: &'w Workspace, call: Node<'w>, value: Node<'w>) -> Vec<Node<'w>> {
    let Some((function, index)) = parameter(workspace, call, value) else { return Vec::new() };
    uses_of_parameter(workspace, function, index)
}

/// The function of the workspace that `call` calls, and which of its parameters holds `value`.
pub(super) fn parameter<'w>(workspace: &'w Workspace, call: Node<'w>, value: Node<'w>) -> Option<(FunctionRef, usize)> {
    use crate::workspace::names::Definition;
    let holds = |argument: Node<'_>| argument.descendants().any(|node| node.id == value.id);
    let position = call.arguments().position(holds)?;
    match call.kind() {
        ExprKind::Call { .. } => match call.definition() {
            Definition::Function(function) => Some((function, position)),
            _ => None,
        },
        ExprKind::Method { receiver, name, .. } => match call.with(*receiver).ty() {
            Definition::Type(ty) => Some((workspace.names.method(ty, *name)?, position + 1)),
            _ => None,
        },
        _ => None,
    }
}

/// Every place where a function reads its parameter.
pub(super) fn uses_of_parameter(workspace: &Workspace, function: FunctionRef, index: usize) -> Vec<Node<'_>> {
    let parameter = workspace.function(function).parameters.get(index);
    let (Some(name), Some(body)) = (parameter.and_then(|parameter| parameter.name.as_deref()), workspace.body(function)) else {
        return Vec::new();
    };
    body.descendants().filter(|node| node.variable() == Some(name)).collect()
}
