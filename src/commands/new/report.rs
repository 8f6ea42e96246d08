//! What is said when services were made: what was done, and what remains to be done.

use std::path::Path;

use cargo_metadata::camino::Utf8Path;
use colored::Colorize as _;
use serde_json::json;

use super::git::{self, Repository};
use super::plan::{Planned, PlannedService};
use super::{quoted, relative};
use crate::commands::Terminal;
use crate::file_tree::PlannedFile;
use crate::scaffold::{crates, store_port};
use crate::service::{Auth, Broker, Protocol, ServiceSpec, Store, Tls};

/// One line a side effect.
pub fn report(planned: &Planned, here: &Path, terminal: Terminal) {
    let below = |directory: &Utf8Path| planned.files.iter().filter(|(path, _)| path.starts_with(directory)).count();
    let root = relative(&planned.root, here);
    if planned.is_new_workspace {
        terminal.status("Created", format!("workspace `{}` ({} files)", root.display(), planned.files.len()));
    }
    if let Some((first, others)) = planned.crates.split_first() {
        let all: String = others.iter().map(|place| format!(", {}", place.file_name().unwrap_or_default())).collect();
        let files: usize = planned.crates.iter().map(|place| below(place)).sum();
        terminal.status("Created", format!("{first}{all}, which services share ({files} files)"));
    }
    for PlannedService { spec: ServiceSpec { name, port, admin_port, .. }, directory, .. } in &planned.services {
        let ports = match port == admin_port {
            true => format!("admin port {admin_port}"),
            false => format!("port {port}, admin port {admin_port}"),
        };
        terminal.status("Created", format!("{directory}, the service `{name}` on {ports} ({} files)", below(directory)));
    }
    for (path, file) in planned.files.changes() {
        if file.replaces.is_some() {
            terminal.status("Changed", path);
        } else if terminal.verbose > 0 {
            terminal.status("Wrote", path);
        }
    }
    if planned.is_new_workspace {
        match git::init(&planned.root) {
            Repository::Created => terminal.status("Initialized", "git repository, nothing committed"),
            Repository::Surrounding => {}
            Repository::Failed(reason) => terminal.warn(format!("{reason}, so the workspace is in no repository")),
        }
    }
}

/// What was planned, and whether it was written, as one JSON object.
pub fn json(planned: &Planned, written: bool, notes: &[String], here: &Path) -> String {
    let services = planned.services.iter().map(|PlannedService { spec, directory, missing, .. }| {
        let mut service = json!(spec);
        service["admin_port"] = service["admin-port"].take();
        service.as_object_mut().expect("a struct is an object").remove("admin-port");
        service["directory"] = json!(directory);
        service["missing_callees"] = json!(missing);
        service
    });
    let files = planned.files.changes().map(|(path, file)| json!({ "path": path, "action": action(file) }));
    let next = next_commands(planned, here).into_iter();
    let next = next.map(|(command, purpose)| json!({ "command": command, "purpose": purpose }));
    let report = json!({
        "schema": "cargo-msvc/new/1",
        "workspace": planned.root.display().to_string(),
        "new_workspace": planned.is_new_workspace,
        "written": written,
        "services": services.collect::<Vec<_>>(),
        "files": files.collect::<Vec<_>>(),
        "notes": notes,
        "next": next.collect::<Vec<_>>(),
    });
    format!("{report:#}\n")
}

/// What becomes of a file.
pub fn action(file: &PlannedFile) -> &'static str {
    if file.replaces.is_some() { "change" } else { "create" }
}

/// What remains to be done, for a person.
pub fn next_steps(planned: &Planned, here: &Path, terminal: Terminal) -> String {
    let mut text = String::from("\nNext:");
    for (command, purpose) in next_commands(planned, here) {
        if !purpose.is_empty() {
            text.push_str(&format!("\n  {}", terminal.paint_stderr(format!("# {purpose}").dimmed())));
        }
        text.push_str(&format!("\n  {command}"));
    }
    text
}

/// What remains to be done, each command ready to paste into a shell.
fn next_commands(planned: &Planned, here: &Path) -> Vec<Line> {
    let root = relative(&planned.root, here);
    let mut lines = Vec::new();
    if root != Path::new(".") {
        lines.push((format!("cd {}", quoted(&root)), ""));
    }
    match &planned.services[..] {
        [service] => lines.extend(of_one(planned, service)),
        services => lines.extend(of_many(services)),
    }
    lines.push(("cargo msvc lint".into(), "audit the workspace"));
    lines.push(("cargo msvc deploy-manifests".into(), "write its Kubernetes manifests"));
    lines
}

/// A command, and what it is for.
type Line = (String, &'static str);

fn of_many(services: &[PlannedService]) -> Vec<Line> {
    let with_certificates: Vec<_> =
        services.iter().filter(|service| needs_certificate(service)).map(|service| service.spec.name.as_str()).collect();
    let mut lines = Vec::new();
    if !with_certificates.is_empty() {
        let make = format!("sh {}/chassis-tls/dev-certificates.sh {}", crates::DIRECTORY, with_certificates.join(" "));
        lines.push((make, "make certificates for local use"));
    }
    lines.push(("cargo build".into(), "build them; how each is run, called and broken stands in its own README"));
    lines
}

fn needs_certificate(service: &PlannedService) -> bool {
    service.spec.tls != Tls::Mesh || service.callees.iter().any(|callee| callee.tls != Tls::Mesh)
}

fn of_one(planned: &Planned, service: &PlannedService) -> Vec<Line> {
    let PlannedService { spec, callees, missing, .. } = service;
    let ServiceSpec { name, auth, store, broker, protocol, .. } = spec;
    let token = format!("cargo run -q -p {name} -- dev-token --key-file dev.key");
    let mut lines = Vec::new();
    for missing in missing {
        lines.push((format!("cargo msvc new {missing}"), "add a service that it calls"));
    }
    if needs_certificate(service) {
        let make = format!("sh {}/chassis-tls/dev-certificates.sh {name}", crates::DIRECTORY);
        lines.push((make, "make its certificate for local use"));
    }
    let variable = |key: &str| format!("{}__{key}", name.env_prefix());
    let mut settings = String::new();
    if store.is_on_a_server() {
        let password = format!("{name}-store.password");
        lines.push((format!("openssl rand -hex 24 > {password}"), "make a password for its database on this machine"));
        lines.push((format!("docker compose up --detach --wait {name}-store"), "start its database"));
        let port = store_port(spec).to_string();
        for (key, value) in [("HOST", "localhost"), ("PORT", &port), ("SSL_MODE", "disable"), ("PASSWORD_FILE", &password)] {
            settings += &format!("{}={value} ", variable(&format!("STORE__{key}")));
        }
    }
    for callee in callees {
        let (key, origin) = (callee.name.env_prefix(), local_origin(callee.tls, callee.port));
        settings += &format!("{}={origin} ", variable(&format!("DISCOVERY__ADDRESSES__{key}")));
        if callee.protected {
            let (callee, file) = (&callee.name, format!("{}.token", callee.name));
            let make = format!("cargo run -q -p {callee} -- dev-token --key-file dev.key > {file}");
            lines.push((make, "make a token for the calls to it"));
            settings += &format!("{}={file} ", variable(&format!("TOKEN__{key}_FILE")));
        }
    }
    if *broker == Broker::Kafka {
        let packages = "sudo apt-get install g++ libssl-dev make pkg-config";
        lines.push((packages.into(), "have what Kafka's client is built with, on Debian or Ubuntu"));
    }
    if *broker != Broker::None {
        lines.push((format!("docker compose up --detach --wait {broker}"), "start the broker"));
        let url = match broker {
            Broker::Nats => "nats://127.0.0.1:4222",
            Broker::Kafka => "kafka://127.0.0.1:9094",
            _ => "amqp://127.0.0.1:5672",
        };
        settings += &format!("{}={url} ", variable("BROKER__URL"));
    }
    match auth {
        Auth::None if *protocol == Protocol::Events => {
            lines.push((format!("{settings}cargo run -p {name}"), "run it; Ctrl-C drains and stops"));
            let admin = spec.admin_port;
            lines.push((format!("curl http://127.0.0.1:{admin}/readyz"), "ask whether it reads, from another terminal"));
        }
        Auth::Jwt => {
            lines.push((token.clone(), "make a key and a token for local use"));
            lines.push((
                format!("{settings}{}=dev.key cargo run -p {name}", variable("AUTH__KEY_FILE")),
                "run it; Ctrl-C drains and stops",
            ));
            lines.push((example_call(spec, Some(&token)), "call it, from another terminal"));
        }
        Auth::None => {
            lines.push((format!("{settings}cargo run -p {name}"), "run it; Ctrl-C drains and stops"));
            lines.push((example_call(spec, None), "call it, from another terminal"));
        }
    }
    if planned.is_new_workspace && missing.is_empty() {
        let another = if name.as_str() == "inventory" { "orders" } else { "inventory" };
        lines.push((format!("cargo msvc new {another}"), "add a second service"));
    }
    lines
}

/// A first call, by curl or grpcurl, with the token that a command prints.
fn example_call(spec: &ServiceSpec, token: Option<&str>) -> String {
    let ServiceSpec { name, protocol, port, store, tls, .. } = spec;
    let is_grpc = *protocol == Protocol::Grpc;
    // grpcurl's options have one dash.
    let dash = if is_grpc { "-" } else { "--" };
    let shown = format!("{dash}cert certificates/{name}/tls.crt {dash}key certificates/{name}/tls.key ");
    let certificates = match tls {
        Tls::Mesh if is_grpc => "-plaintext ".to_owned(),
        Tls::Mesh => String::new(),
        Tls::Rustls => format!("{dash}cacert certificates/ca.crt "),
        Tls::Mtls => format!("{dash}cacert certificates/ca.crt {shown}"),
    };
    let token = token.map(|token| format!("-H \"Authorization: Bearer $({token})\" ")).unwrap_or_default();
    let origin = local_origin(*tls, *port);
    let (message, package) = ("'{\"message\": \"hello\"}'", name.crate_name());
    let (_, authority) = origin.split_once("://").unwrap_or_default();
    match (is_grpc, store) {
        (false, Store::None) => format!("curl {token}{certificates}{origin}/v1/echo --json {message}"),
        (false, _) => format!("curl {token}{certificates}{origin}/v1/items"),
        (true, Store::None) => format!("grpcurl {token}{certificates}-d {message} {authority} {package}.v1.EchoService/Echo"),
        (true, _) => format!("grpcurl {token}{certificates}{authority} {package}.v1.ItemsService/ListItems"),
    }
}

/// A service on this machine. Its certificate is for a name.
fn local_origin(tls: Tls, port: u16) -> String {
    match tls {
        Tls::Mesh => format!("http://127.0.0.1:{port}"),
        Tls::Rustls | Tls::Mtls => format!("https://localhost:{port}"),
    }
}
