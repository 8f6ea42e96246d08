//! `cargo msvc new`: plan a service and its surroundings, write them, say what to do next.

mod ask;
mod git;
mod place;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};
use colored::Colorize as _;
use miette::{IntoDiagnostic as _, Report, miette};

use self::git::Repository;
use self::place::Place;
use super::{Outcome, Terminal, finish_interrupted_write, print};
use crate::cli::{New, NewBroker, NewDiscovery, NewProtocol, NewStore, NewTls};
use crate::file_tree::FileTree;
use crate::scaffold::add::{self, AddError};
use crate::scaffold::{Callee, LONGEST_CALLEE, crates, standard_directory, store_port};
use crate::service::{Auth, Broker, Protocol, ServiceName, ServiceSpec, Store, Tls};

/// The admin port is this far above the traffic port.
const ADMIN_PORT_OFFSET: u16 = 1010;
const FIRST_PORT: u16 = 8080;
/// The highest traffic port whose admin port is a port.
const LAST_PORT: u16 = u16::MAX - ADMIN_PORT_OFFSET;

/// A service about to be written.
struct Planned {
    root: PathBuf,
    is_new_workspace: bool,
    spec: ServiceSpec,
    directory: Utf8PathBuf,
    callees: Callees,
    files: FileTree,
    /// Those that are made with it.
    crates: Vec<Utf8PathBuf>,
    notes: Vec<String>,
}

pub fn run(args: &New, terminal: Terminal) -> miette::Result<Outcome> {
    let answered;
    let args = if args.name.is_none() && ask::can_ask() {
        let Some(answers) = ask::ask(args, &callable(args), terminal)? else {
            terminal.say("Nothing was written.");
            return Ok(Outcome::Clean);
        };
        answered = answers;
        &answered
    } else {
        args
    };
    if let Some(next) = create(args, terminal)? {
        terminal.say(next);
    }
    Ok(Outcome::Clean)
}

/// The services that a new one could call, as far as they can be found: what is wrong shows when it is made.
fn callable(args: &New) -> Vec<Callee> {
    let Ok(here) = std::env::current_dir() else { return Vec::new() };
    let Ok(Place::Existing(root)) = place::find(&here, args.workspace.as_deref(), "service") else { return Vec::new() };
    place::read_existing(&root).map(|existing| place::callees(&root, &existing.members)).unwrap_or_default()
}

/// Does what `new` does and returns the text that says what to do next; `None` when nothing was to be written.
///
/// # Errors
/// When the service cannot be made; nothing is written then.
pub fn create(args: &New, terminal: Terminal) -> miette::Result<Option<String>> {
    let here = std::env::current_dir().map_err(|error| miette!("cannot tell the current directory: {error}"))?;
    let Some(name) = &args.name else {
        return Err(miette!(
            help = "name it: `cargo msvc new orders`; on a terminal it asks for what it needs",
            "the service has no name"
        ));
    };
    let name = parse_name(name)?;
    let place = place::find(&here, args.workspace.as_deref(), name.as_str())?;
    let (Place::Existing(root) | Place::New(root)) = &place;
    finish_interrupted_write(root, args.plan.only_looks(), terminal)?;
    let planned = plan(args, name, place)?;
    if args.plan.dry_run {
        print(listing(&planned.files))?;
    } else if args.plan.diff {
        print(planned.files.diff())?;
    } else {
        planned.files.write(&planned.root)?;
        report(&planned, &here, terminal);
    }
    for note in &planned.notes {
        terminal.warn(note);
    }
    for callee in planned.callees.all.iter().filter(|callee| callee.name.as_str().len() > LONGEST_CALLEE) {
        terminal.warn(format!("lines that name `{}` may be longer than rustfmt has them: run `cargo fmt`", callee.name));
    }
    Ok((!args.plan.only_looks()).then(|| next_commands(&planned, &here, terminal)))
}

fn parse_name(text: &str) -> miette::Result<ServiceName> {
    text.parse().map_err(|error: crate::service::InvalidName| match &error.suggestion {
        Some(suggestion) => miette!(help = format!("try `{suggestion}`"), "{error}"),
        None => miette!(help = "a name is made of lowercase letters, digits and `-`, for example `order-items`", "{error}"),
    })
}

fn plan(args: &New, name: ServiceName, place: Place) -> miette::Result<Planned> {
    let directory = match &args.path {
        Some(path) => place::service_directory(path)?,
        None => standard_directory(&name),
    };
    let calls = called_names(&name, &args.calls)?;
    let consumes = consumed(&name, args)?;
    let reads_events = args.protocol == Some(NewProtocol::Events);
    let spec = |port: u16| ServiceSpec {
        name: name.clone(),
        protocol: args.protocol.unwrap_or_default().into(),
        port: if reads_events { port + ADMIN_PORT_OFFSET } else { port },
        admin_port: port + ADMIN_PORT_OFFSET,
        store: args.store.unwrap_or_default().into(),
        discovery: args.discovery.unwrap_or_default().into(),
        // Nobody calls one that reads events.
        auth: if reads_events { Auth::None } else { args.auth.unwrap_or_default().into() },
        tls: args.tls.unwrap_or_default().into(),
        public: args.public,
        calls: calls.clone(),
        broker: args.broker.unwrap_or_default().into(),
        consumes: consumes.clone(),
    };
    match place {
        Place::New(root) => {
            let spec = spec(args.port.unwrap_or(FIRST_PORT));
            let workspace_name = root.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
            let callees = Callees::of(&spec, &[], &BTreeMap::new());
            let files = add::new_workspace(&workspace_name, &spec, &callees.all, &directory)
                .map_err(|error| explain(error, &root, ""))?;
            let crates = crates::all().into_iter().map(|name| Utf8Path::new(crates::DIRECTORY).join(name));
            let crates = crates.filter(|place| files.get(place.join("Cargo.toml")).is_some()).collect();
            Ok(Planned { root, is_new_workspace: true, spec, directory, callees, files, crates, notes: Vec::new() })
        }
        Place::Existing(root) => {
            let existing = place::read_existing(&root)?;
            let used = place::used_ports(&root, &existing.members);
            let spec = spec(free_port(args.port, &used)?);
            let callees = Callees::of(&spec, &place::callees(&root, &existing.members), &used);
            let addition = add::add_service(&existing, &spec, &callees.all, &directory)
                .map_err(|error| explain(error, &root, &existing.manifest))?;
            refuse_filled(&root, &directory)?;
            let add::Addition { files, crates, notes } = addition;
            Ok(Planned { root, is_new_workspace: false, spec, directory, callees, files, crates, notes })
        }
    }
}

/// `--calls`, each once, in name order.
fn called_names(name: &ServiceName, given: &[String]) -> miette::Result<Vec<ServiceName>> {
    let mut names = given.iter().map(|text| parse_name(text)).collect::<miette::Result<Vec<_>>>()?;
    names.sort();
    names.dedup();
    match names.contains(name) {
        true => Err(miette!(help = "name the services that it calls over the network", "`{name}` cannot call itself")),
        false => Ok(names),
    }
}

/// `--consumes`, and whether `--broker` and the others go with it.
fn consumed(name: &ServiceName, args: &New) -> miette::Result<Option<ServiceName>> {
    let refuse = |help: &str, what: &str| Err(miette!(help = help.to_owned(), "{what}"));
    let source = args.consumes.as_deref().map(parse_name).transpose()?;
    let broker = args.broker.unwrap_or_default();
    if args.protocol != Some(NewProtocol::Events) {
        return match (source, broker, args.store.unwrap_or_default()) {
            (Some(_), ..) => {
                refuse("make a service of its own that reads them: --protocol events", "only `--protocol events` reads events")
            }
            (None, NewBroker::None, _) | (None, _, NewStore::Sqlite | NewStore::Postgres | NewStore::Mysql) => Ok(None),
            (None, _, NewStore::None) => {
                refuse("give it a --store", "events are published from a store, so that a crash loses none of them")
            }
        };
    }
    if broker == NewBroker::None {
        return refuse("add --broker nats or --broker rabbitmq", "`--protocol events` reads events from a broker");
    }
    let Some(source) = source else {
        return refuse(
            "add --consumes NAME, the service whose events it reads",
            "`--protocol events` reads events of another service",
        );
    };
    if source == *name {
        return refuse("name the service whose events it reads", &format!("`{name}` cannot read its own events"));
    }
    let called = [
        ("--calls", !args.calls.is_empty()),
        ("--public", args.public),
        ("--tls", args.tls.unwrap_or_default() != NewTls::Mesh),
        (
            "--discovery",
            args.discovery.is_some_and(|discovery| !matches!(discovery, NewDiscovery::Kubernetes | NewDiscovery::Static)),
        ),
    ];
    match called.into_iter().find_map(|(option, is_given)| is_given.then_some(option)) {
        Some(option) => {
            refuse("leave it away", &format!("`{option}` is for services that call or are called; `{name}` only reads events"))
        }
        None => Ok(Some(source)),
    }
}

/// The services that a new one calls.
struct Callees {
    all: Vec<Callee>,
    /// Those that are not there yet.
    missing: Vec<ServiceName>,
}

impl Callees {
    /// A service that is not there yet is taken to get the next free port, as it does when it is made next.
    fn of(spec: &ServiceSpec, known: &[Callee], used: &BTreeMap<u16, String>) -> Self {
        let mut used = used.clone();
        let mut take = |port: u16, name: &ServiceName| {
            used.insert(port, name.to_string());
            used.insert(port + ADMIN_PORT_OFFSET, name.to_string());
            free_port(None, &used).unwrap_or(FIRST_PORT)
        };
        let mut next = take(spec.port, &spec.name);
        let mut missing = Vec::new();
        let callee = |name: &ServiceName| {
            known.iter().find(|callee| callee.name == *name).cloned().unwrap_or_else(|| {
                missing.push(name.clone());
                let port = next;
                next = take(port, name);
                Callee { port, ..Callee::assumed(name) }
            })
        };
        Self { all: spec.calls.iter().map(callee).collect(), missing }
    }
}

fn explain(error: AddError, root: &Path, manifest: &str) -> Report {
    match error {
        AddError::Manifest(error) => place::in_manifest(error, &root.join("Cargo.toml"), manifest),
        error @ AddError::NameTaken { .. } => miette!(help = "choose another name", "{error}"),
        AddError::CrateOfThatName(ref name) => miette!(help = format!("try `{name}-service`"), "{error}"),
        error @ AddError::OtherCrate { .. } => {
            miette!(help = "services need a package of that name for themselves: rename yours", "{error}")
        }
        error @ AddError::OldChassis(_) => miette!(
            help = "make the service in a workspace of its own with --workspace, and move the others there one by one: each \
                    is generated anew, and its routes, store and migrations are put in place of the example's",
            "{error}"
        ),
    }
}

/// The directory of a new service must not hold anything yet.
fn refuse_filled(root: &Path, directory: &Utf8Path) -> miette::Result<()> {
    let path = root.join(directory);
    let is_real_directory = fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_dir());
    if !is_real_directory {
        // Absent is fine; anything else is refused, with its reason, by the writer.
        return Ok(());
    }
    let entries = fs::read_dir(&path).into_diagnostic()?;
    let mut names: Vec<_> = entries.filter_map(Result::ok).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    place::refuse_names(&path, &names, "--path")
}

/// The wished port if nobody has it, else the first from [`FIRST_PORT`] that is free with its admin port.
fn free_port(wished: Option<u16>, used: &BTreeMap<u16, String>) -> miette::Result<u16> {
    let owner = |port: u16| [port, port + ADMIN_PORT_OFFSET].into_iter().find_map(|port| used.get_key_value(&port));
    let free = (FIRST_PORT..=LAST_PORT).find(|port| owner(*port).is_none());
    match (wished, free) {
        (Some(wished), free) => match owner(wished) {
            None => Ok(wished),
            Some((port, service)) => Err(miette!(
                help = free.map_or_else(String::new, |free| format!("`--port {free}` is free")),
                "port {port} is taken by `{service}`"
            )),
        },
        (None, Some(free)) => Ok(free),
        (None, None) => Err(miette!("no port from {FIRST_PORT} on is free in this workspace")),
    }
}

/// What `--dry-run` prints: a line a file, and what would happen to it.
fn listing(files: &FileTree) -> String {
    files
        .changes()
        .map(|(path, file)| format!("{} {path}\n", if file.replaces.is_some() { "change" } else { "create" }))
        .collect()
}

/// One line a side effect.
fn report(planned: &Planned, here: &Path, terminal: Terminal) {
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
    let ServiceSpec { name, port, admin_port, .. } = &planned.spec;
    let ports = match port == admin_port {
        true => format!("admin port {admin_port}"),
        false => format!("port {port}, admin port {admin_port}"),
    };
    let directory = &planned.directory;
    terminal.status("Created", format!("{directory}, the service `{name}` on {ports} ({} files)", below(directory)));
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

/// What remains to be done, each line ready to paste into a shell.
fn next_commands(planned: &Planned, here: &Path, terminal: Terminal) -> String {
    let ServiceSpec { name, auth, tls, store, broker, protocol, .. } = &planned.spec;
    let root = relative(&planned.root, here);
    let token = format!("cargo run -q -p {name} -- dev-token --key-file dev.key");
    let mut lines = Vec::new();
    if root != Path::new(".") {
        lines.push((format!("cd {}", quoted(&root)), ""));
    }
    for missing in &planned.callees.missing {
        lines.push((format!("cargo msvc new {missing}"), "add a service that it calls"));
    }
    if *tls != Tls::Mesh || planned.callees.all.iter().any(|callee| callee.tls != Tls::Mesh) {
        let make = format!("sh {}/chassis-tls/dev-certificates.sh {name}", crates::DIRECTORY);
        lines.push((make, "make its certificate for local use"));
    }
    let variable = |key: &str| format!("{}__{key}", name.env_prefix());
    let mut settings = String::new();
    if store.is_on_a_server() {
        let password = format!("{name}-store.password");
        lines.push((format!("openssl rand -hex 24 > {password}"), "make a password for its database on this machine"));
        lines.push((format!("docker compose up --detach --wait {name}-store"), "start its database"));
        let port = store_port(&planned.spec).to_string();
        for (key, value) in [("HOST", "localhost"), ("PORT", &port), ("SSL_MODE", "disable"), ("PASSWORD_FILE", &password)] {
            settings += &format!("{}={value} ", variable(&format!("STORE__{key}")));
        }
    }
    for callee in &planned.callees.all {
        let (key, origin) = (callee.name.env_prefix(), local_origin(callee.tls, callee.port));
        settings += &format!("{}={origin} ", variable(&format!("DISCOVERY__ADDRESSES__{key}")));
        if callee.protected {
            let (callee, file) = (&callee.name, format!("{}.token", callee.name));
            let make = format!("cargo run -q -p {callee} -- dev-token --key-file dev.key > {file}");
            lines.push((make, "make a token for the calls to it"));
            settings += &format!("{}={file} ", variable(&format!("TOKEN__{key}_FILE")));
        }
    }
    if *broker != Broker::None {
        lines.push((format!("docker compose up --detach --wait {broker}"), "start the broker"));
        let url = match broker {
            Broker::Nats => "nats://127.0.0.1:4222",
            _ => "amqp://127.0.0.1:5672",
        };
        settings += &format!("{}={url} ", variable("BROKER__URL"));
    }
    match auth {
        Auth::None if *protocol == Protocol::Events => {
            lines.push((format!("{settings}cargo run -p {name}"), "run it; Ctrl-C drains and stops"));
            let admin = planned.spec.admin_port;
            lines.push((format!("curl http://127.0.0.1:{admin}/readyz"), "ask whether it reads, from another terminal"));
        }
        Auth::Jwt => {
            lines.push((token.clone(), "make a key and a token for local use"));
            lines.push((
                format!("{settings}{}=dev.key cargo run -p {name}", variable("AUTH__KEY_FILE")),
                "run it; Ctrl-C drains and stops",
            ));
            lines.push((example_call(&planned.spec, Some(&token)), "call it, from another terminal"));
        }
        Auth::None => {
            lines.push((format!("{settings}cargo run -p {name}"), "run it; Ctrl-C drains and stops"));
            lines.push((example_call(&planned.spec, None), "call it, from another terminal"));
        }
    }
    if planned.is_new_workspace && planned.callees.missing.is_empty() {
        lines.push(("cargo msvc new inventory".into(), "add a second service"));
    }
    lines.push(("cargo msvc lint".into(), "audit the workspace"));
    lines.push(("cargo msvc deploy-manifests".into(), "write its Kubernetes manifests"));
    let mut text = String::from("\nNext:");
    for (command, purpose) in lines {
        if !purpose.is_empty() {
            text.push_str(&format!("\n  {}", terminal.paint_stderr(format!("# {purpose}").dimmed())));
        }
        text.push_str(&format!("\n  {command}"));
    }
    text
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

/// `path` from `here`, when it is below; `.` for `here` itself.
fn relative(path: &Path, here: &Path) -> PathBuf {
    match path.strip_prefix(here) {
        Ok(rest) if rest.as_os_str().is_empty() => PathBuf::from("."),
        Ok(rest) => rest.to_owned(),
        Err(_) => path.to_owned(),
    }
}

/// As a POSIX shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = text.chars().all(|c| c.is_alphanumeric() || "/._-+,:@%".contains(c));
    if plain { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        let used: BTreeMap<_, _> = [(8080, "a"), (9090, "a"), (9092, "b")].map(|(port, name)| (port, name.to_owned())).into();
        assert_eq!(free_port(None, &BTreeMap::new()).unwrap(), 8080);
        // 8082 is free, its admin port 9092 is not.
        assert_eq!(free_port(None, &used).unwrap(), 8081);
        assert_eq!(free_port(Some(7000), &used).unwrap(), 7000);
        assert_eq!(free_port(Some(8080), &used).unwrap_err().to_string(), "port 8080 is taken by `a`");
        assert_eq!(free_port(Some(8082), &used).unwrap_err().to_string(), "port 9092 is taken by `b`");
    }

    #[test]
    fn paths_are_pasted_safely() {
        for (path, pasted) in [("shop", "shop"), ("my shop", "'my shop'"), ("it's", r"'it'\''s'"), ("$(x)", "'$(x)'")] {
            assert_eq!(quoted(Path::new(path)), pasted);
        }
    }
}
