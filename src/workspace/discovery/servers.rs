//! What makes a binary a service: it serves, or it consumes a broker.

use std::collections::HashSet;
use std::sync::LazyLock;

use crate::service::Protocol;
use crate::workspace::manifest::Package;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Name, Outline, Segments, Type};
use crate::workspace::service::Found;
use crate::workspace::{Location, Workspace};

/// A sign that a function serves or consumes.
#[derive(Clone, Debug)]
pub struct Sign {
    pub what: What,
    /// As a person reads it: "serves with `axum::serve`".
    pub text: String,
    pub at: Location,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum What {
    Http,
    Grpc,
    /// Consumes a broker or a queue.
    Events,
    /// Accepts connections of some protocol of its own.
    Tcp,
}

/// Calls that start a server. Paths as their crates document them; re-exports that people use are listed too.
const SERVERS: &[(&str, What)] = &[
    ("actix_http::HttpService::build", What::Http),
    ("actix_web::HttpServer::new", What::Http),
    ("actix_web::server::new", What::Http),
    ("axum::Server::bind", What::Http),
    ("axum::Server::from_tcp", What::Http),
    ("axum::serve", What::Http),
    ("axum::serve::serve", What::Http),
    ("axum_server::Server::bind", What::Http),
    ("axum_server::bind", What::Http),
    ("axum_server::bind_openssl", What::Http),
    ("axum_server::bind_rustls", What::Http),
    ("axum_server::from_tcp", What::Http),
    ("axum_server::from_tcp_openssl", What::Http),
    ("axum_server::from_tcp_rustls", What::Http),
    ("dropshot::HttpServerStarter::new", What::Http),
    ("dropshot::HttpServerStarter::new_with_tls", What::Http),
    ("dropshot::ServerBuilder::new", What::Http),
    ("gotham::init_server", What::Http),
    ("gotham::start", What::Http),
    ("hyper::Server::bind", What::Http),
    ("hyper::Server::builder", What::Http),
    ("hyper::Server::from_tcp", What::Http),
    ("hyper::server::Http::new", What::Http),
    ("hyper::server::Server::bind", What::Http),
    ("hyper::server::conn::Http::new", What::Http),
    ("hyper::server::conn::http1::Builder::new", What::Http),
    ("hyper::server::conn::http2::Builder::new", What::Http),
    ("hyper_util::server::conn::auto::Builder::new", What::Http),
    ("jsonrpsee::server::Server::builder", What::Http),
    ("jsonrpsee::server::ServerBuilder::default", What::Http),
    ("jsonrpsee::server::ServerBuilder::new", What::Http),
    ("loco_rs::cli::main", What::Http),
    ("ntex::web::HttpServer::new", What::Http),
    ("ntex::web::server", What::Http),
    ("pingora::server::Server::new", What::Http),
    ("pingora_core::server::Server::new", What::Http),
    ("poem::Server::new", What::Http),
    ("poem::server::Server::new", What::Http),
    ("rocket::build", What::Http),
    ("rocket::custom", What::Http),
    ("rocket::ignite", What::Http),
    ("rouille::start_server", What::Http),
    ("salvo::Server::new", What::Http),
    ("salvo::prelude::Server::new", What::Http),
    ("salvo::server::Server::new", What::Http),
    ("salvo_core::Server::new", What::Http),
    ("tide::new", What::Http),
    ("tide::with_state", What::Http),
    ("tiny_http::Server::http", What::Http),
    ("tiny_http::Server::new", What::Http),
    ("tonic::service::Routes::builder", What::Grpc),
    ("tonic::service::Routes::new", What::Grpc),
    ("tonic::transport::Server::builder", What::Grpc),
    ("tonic::transport::server::Server::builder", What::Grpc),
    // Beside a server of gRPC only, whatever it is served with.
    ("tonic_health::server::health_reporter", What::Grpc),
    ("trillium_smol::run", What::Http),
    ("trillium_tokio::run", What::Http),
    ("viz::serve", What::Http),
    ("volo_grpc::server::Server::new", What::Grpc),
    ("volo_http::server::Server::new", What::Http),
    ("warp::serve", What::Http),
    ("apalis::prelude::WorkerBuilder::new", What::Events),
    ("faktory::Worker::builder", What::Events),
    ("faktory::WorkerBuilder::default", What::Events),
    ("kafka::consumer::Consumer::from_client", What::Events),
    ("kafka::consumer::Consumer::from_hosts", What::Events),
    ("rskafka::client::consumer::StreamConsumerBuilder::new", What::Events),
    ("sidekiq::Processor::new", What::Events),
];

/// Methods that serve or consume, and the packages whose methods they are. The receiver's type is rarely written down.
const METHODS: &[(&str, &[&str], What)] = &[
    ("basic_consume", &["lapin", "amqprs"], What::Events),
    ("create_consumer", &["async-nats"], What::Events),
    ("get_or_create_consumer", &["async-nats"], What::Events),
    ("queue_subscribe", &["async-nats", "nats"], What::Events),
    ("receive_message", &["aws-sdk-sqs", "rusoto_sqs"], What::Events),
    ("serve_connection", &["hyper", "hyper-util"], What::Http),
    ("serve_connection_with_upgrades", &["hyper", "hyper-util"], What::Http),
    ("xread_group", &["redis"], What::Events),
    ("xreadgroup", &["fred"], What::Events),
];

/// `subscribe` says little by itself: it counts on a receiver of one of these types, or where the file names one.
const SUBSCRIBERS: &[(&str, &[&str])] = &[
    ("rdkafka", &["StreamConsumer", "BaseConsumer", "LoggingConsumer"]),
    ("async_nats", &["Client"]),
    ("google_cloud_pubsub", &["Subscription", "Client"]),
    ("rumqttc", &["AsyncClient", "Client"]),
    ("paho_mqtt", &["AsyncClient"]),
];

/// Attributes of an entry point that start a server.
const ATTRIBUTES: &[&[&str]] = &[&["launch"], &["rocket", "launch"], &["rocket", "main"], &["shuttle_runtime", "main"]];

/// The last two names of those calls.
static ENDS: LazyLock<HashSet<(&str, &str)>> = LazyLock::new(|| {
    let ends = SERVERS.iter().filter_map(|(path, _)| {
        let (rest, name) = path.rsplit_once("::")?;
        Some((rest.rsplit("::").next()?, name))
    });
    ends.collect()
});

/// Functions with such a call, whatever the code imports it as.
pub fn starts(workspace: &Workspace) -> HashSet<FunctionRef> {
    SERVERS.iter().flat_map(|(path, _)| workspace.graph.naming(path)).copied().collect()
}

/// Signs in one function; `starts` are those of [`starts`].
pub fn signs(workspace: &Workspace, function: FunctionRef, starts: &HashSet<FunctionRef>) -> Vec<Sign> {
    let item = workspace.function(function);
    let mut found = Vec::new();
    for attribute in &item.attributes {
        let path: Vec<&str> = attribute.path.iter().map(|part| &**part).collect();
        if ATTRIBUTES.contains(&path.as_slice()) {
            let text = format!("serves with `#[{}]`", path.join("::"));
            found.push(Sign { what: What::Http, text, at: workspace.rust[function.file()].location(attribute.span) });
        }
    }
    let is_start = |path: &Segments| match &**path {
        [.., base, name] => ENDS.contains(&(&**base, &**name)),
        _ => false,
    };
    let is_method =
        |name: &Name| METHODS.iter().any(|(method, ..)| *method == &**name) || matches!(&**name, "subscribe" | "accept");
    let may_serve = |outline: &Outline| {
        outline.methods.iter().any(is_method) || outline.paths.iter().any(is_start) || starts.contains(&function)
    };
    let Some(body) = workspace.body_if(function, may_serve) else { return found };
    found.extend(body.descendants().filter_map(sign));
    // A listener on loopback, on a port that the system picks, waits for one answer: a login callback, a test.
    let is_callback = body.descendants().any(|node| matches!(node.text(), Some("127.0.0.1:0" | "localhost:0" | "[::1]:0")));
    if is_callback {
        found.clear();
    }
    found
}

fn sign(node: Node<'_>) -> Option<Sign> {
    let sign = |what: What, name: &str| {
        let verb = match what {
            What::Http | What::Grpc => "serves",
            What::Events => "consumes",
            What::Tcp => "accepts connections",
        };
        Some(Sign { what, text: format!("{verb} with `{name}`"), at: node.name_at() })
    };
    match node.kind() {
        ExprKind::Call { .. } => match node.definition() {
            Definition::External(path) => {
                let (path, what) = SERVERS.iter().find(|(known, _)| *known == path)?;
                sign(*what, path)
            }
            Definition::Unknown => {
                // Several preludes in scope: the last two segments, and a dependency that owns them.
                let path = node.path()?;
                let (base, name) = (path.get(path.len().checked_sub(2)?)?, path.last()?);
                let suffix = format!("::{base}::{name}");
                let (path, what) = SERVERS.iter().find(|(known, _)| {
                    known.ends_with(&suffix) && known.split("::").next().is_some_and(|owner| depends_on(node, &[owner]))
                })?;
                sign(*what, path)
            }
            _ => None,
        },
        ExprKind::Method { name, .. } if &**name == "subscribe" => {
            let (owner, _) = SUBSCRIBERS.iter().find(|(owner, types)| {
                depends_on(node, &[owner])
                    && match node.receiver().map(Node::ty) {
                        Some(Definition::External(path)) => path.starts_with(owner),
                        Some(Definition::Type(_)) | None => false,
                        Some(_) => node.facts().uses.iter().any(|import| {
                            import.path.first().is_some_and(|first| &**first == *owner) && types.contains(&&*import.name)
                        }),
                    }
            })?;
            sign(What::Events, &format!("{owner}::…::subscribe"))
        }
        ExprKind::Method { name, .. } if &**name == "accept" => {
            let listener = node.receiver()?.ty();
            let is_listener = matches!(&listener, Definition::External(path) if path.ends_with("net::TcpListener"));
            is_listener.then(|| sign(What::Tcp, "TcpListener::accept")).flatten()
        }
        ExprKind::Method { name, .. } => {
            let (method, owners, what) = METHODS.iter().find(|(method, _, _)| *method == &**name)?;
            depends_on(node, owners).then(|| sign(*what, method)).flatten()
        }
        _ => None,
    }
}

/// Whether a package that compiles this node depends on one of `owners` (`_` and `-` are one).
fn depends_on(node: Node<'_>, owners: &[&str]) -> bool {
    let dash = |name: &str| name.replace('_', "-");
    node.crates().any(|krate| {
        let package = &node.workspace.packages[node.workspace.names.crates[krate].package];
        package.dependencies.iter().any(|known| owners.iter().any(|owner| dash(owner) == dash(&known.package)))
    })
}

/// What callers speak, from all signs of a binary.
pub fn protocol(signs: &[Sign]) -> Option<Found<Protocol>> {
    let first = |what: What| signs.iter().find(|sign| sign.what == what);
    // A gRPC server often has HTTP beside it for health and metrics, a consumer too; the other way round is rare.
    let (sign, value) = match (first(What::Grpc), first(What::Events), first(What::Http)) {
        (Some(grpc), _, _) => (grpc, Protocol::Grpc),
        (None, _, Some(http)) => (http, Protocol::Rest),
        (None, Some(events), None) => (events, Protocol::Events),
        (None, None, None) => return None,
    };
    Some(Found { value, at: sign.at })
}

/// Names of binaries, packages and folders that serve people at work, and nobody in production.
const TOOLS: &[&str] = &[
    "bench",
    "benches",
    "benchmark",
    "benchmarks",
    "codegen",
    "e2e",
    "fake",
    "fixture",
    "fixtures",
    "fuzz",
    "loadgen",
    "loadtest",
    "migrate",
    "migration",
    "migrations",
    "migrator",
    "mock",
    "mocks",
    "playground",
    "script",
    "scripts",
    "seed",
    "seeder",
    "sim",
    "simulation",
    "simulator",
    "stress",
    "stub",
    "test",
    "testdata",
    "tester",
    "testing",
    "tests",
    "utils",
    "xtask",
];

/// Folders of such, that are ordinary words in a package's name.
const TOOL_FOLDERS: &[&str] =
    &["demo", "demos", "dev", "dev-tools", "devtools", "example", "examples", "sample", "samples", "tools"];

/// Names that say "not a server", unless a container runs it.
const CLIENTS: &[&str] = &["cargo", "cli", "client", "command", "ctl", "tui"];

/// How a name or place speaks against a binary that serves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Doubt {
    None,
    /// It is a command for people, unless a container runs it.
    Client,
    /// It is a tool, a mock, an example.
    Tool,
}

pub fn doubt(package: &Package, binary: &str) -> Doubt {
    let words = |name: &str| name.split(['-', '_', '.']).map(str::to_ascii_lowercase).collect::<Vec<_>>();
    let folders: Vec<String> = package.directory.iter().flat_map(words).collect();
    let names: Vec<String> = words(&package.name).into_iter().chain(words(binary)).collect();
    let any = |words: &[String], list: &[&str]| words.iter().any(|word| list.contains(&word.as_str()));
    let whole_folders: Vec<String> = package.directory.iter().map(str::to_ascii_lowercase).collect();
    if any(&names, TOOLS) || any(&folders, TOOLS) || any(&whole_folders, TOOL_FOLDERS) {
        Doubt::Tool
    } else if any(&names, CLIENTS) || any(&folders, &["cli"]) || names.iter().any(|name| name.ends_with("cli")) {
        Doubt::Client
    } else {
        Doubt::None
    }
}

/// Innermost named type: `Config` of `Result<Option<Config>>`.
pub fn innermost(ty: &Type) -> &Type {
    match ty.arguments.first() {
        Some(inner) if matches!(ty.name(), Some("Option" | "Result" | "Arc" | "Box" | "Vec")) => innermost(inner),
        _ => ty,
    }
}
