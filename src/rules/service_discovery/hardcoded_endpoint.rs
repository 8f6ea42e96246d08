use std::collections::HashSet;

use super::address::{Address, address};
use super::defaults::names_default;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::paths;
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, TypeKind};

crate::declare_rule! {
    /// The address of another system is written into the code.
    ///
    /// ## Why is this bad?
    /// The system behind it cannot move, be scaled, replaced or tested against without a new build of this service; and every
    /// environment calls the same one, or none.
    ///
    /// ## Example
    /// ```rust
    /// let stock = client.get("http://10.0.3.7:8080/v1/stock").send().await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let stock = client.get(format!("{}/v1/stock", config.inventory_url)).send().await?;
    /// ```
    /// with the address in the environment or in a file of settings, where each deployment sets its own; in Kubernetes it is the name of
    /// a Service.
    ///
    /// ## Not reported when
    /// - it does not end up in a call that connects or sends: what a server binds, CORS origins, texts, documentation;
    /// - it is only the default of a setting: `unwrap_or(…)`, `Default`, a `match` on a variable;
    /// - its function or file is named for defaults, examples, tests or commands;
    /// - its host is a public name, such as another company's API, or is declared under `externals` in `msvc.toml`;
    /// - it is an agent on the same host by design (OpenTelemetry, Envoy, Dapr, Consul, Vault, StatsD) or a cloud's metadata service;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// "Hardcoded endpoints", MARS (Tighilt et al., 2023); [The Twelve-Factor App: Config](https://12factor.net/config).
    "hardcoded-endpoint", "MSVC401", Practice::ServiceDiscovery, Level::Warn, Tier::Default, Check::Workspace(check)
}

/// What connects to an address or sends to it, by the last segment of its name.
const SINKS: &[&str] = &[
    "get",
    "post",
    "put",
    "patch",
    "delete",
    "head",
    "request",
    "connect",
    "connect_lazy",
    "connect_timeout",
    "connect_async",
    "open",
    "establish",
    "with_uri_str",
    "set",
];
/// Constructors of clients of databases and brokers take the address as it is; those of other things take anything.
const CONSTRUCTORS: &[&str] = &["new", "from_str", "parse_url", "create_pool", "build_client"];
/// How many uses of a text are looked at.
const MAX_STEPS: usize = 64;

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let moves = |text: &str| address(text).filter(|address| address.moves() && !workspace.externals.hold(&address.host));
    for literal in workspace.texts(|text| moves(text).is_some()) {
        out.extend(literal.text().and_then(moves).and_then(|address| finding(literal, &address)));
    }
}

fn finding(literal: Node<'_>, address: &Address) -> Option<Diagnostic> {
    let path = literal.workspace.sources.path(literal.facts().file);
    let is_of_defaults = path.file_stem().is_some_and(|name| paths::has_word(name.into(), &["default", "defaults"]));
    let workspace = literal.workspace;
    let spared = if is_default(literal) || is_of_defaults {
        Some("it is the default of a setting")
    } else if paths::is_shown_only(path) || paths::is_command(literal) {
        Some("its file is for examples, tests or commands")
    } else {
        None
    };
    if let Some(why) = spared {
        workspace.spared(|| literal.at(), why);
        return None;
    }
    let mut sinks = sinks(literal, address).peekable();
    if sinks.peek().is_none() {
        workspace.spared(|| literal.at(), "no call that connects or sends takes it");
    }
    let (sink, service) = sinks.find_map(|sink| Some((sink, workspace.run_by(sink)?)))?;
    let message = format!("the address `{}` is written into the code", address.authority);
    let mut diagnostic = Diagnostic::new(message, literal.at(), "cannot differ between environments")
        .help("read it from the environment or from settings, where each deployment sets its own")
        .evidence("a fallback of a setting, a `Default`, a `match` on a variable around it")
        .confidence(if address.is_this_machine() { Confidence::Medium } else { Confidence::High })
        .service(&service.name);
    if !sink.descendants().any(|node| node.file == literal.file && node.id == literal.id) {
        diagnostic = diagnostic.related(sink.name_at(), "used here");
    }
    Some(match &address.password {
        Some(password) => diagnostic.hide(password),
        None => diagnostic,
    })
}

/// Calls that the text ends up in, and that connect or send.
fn sinks<'w>(literal: Node<'w>, address: &Address) -> impl Iterator<Item = Node<'w>> {
    let mut found = Vec::new();
    let mut seen = HashSet::new();
    let mut open = vec![literal];
    while let Some(node) = open.pop() {
        if seen.len() > MAX_STEPS || !seen.insert((node.file, node.id)) {
            continue;
        }
        open.extend(named_in_formats(node));
        for taker in node.fate(&|_| true).given {
            match taker.kind() {
                // `format!("{BASE}/items")` holds the address, too.
                ExprKind::Macro { path, .. } if path.last().is_some_and(|name| matches!(&**name, "format" | "concat")) => {
                    open.push(taker);
                }
                ExprKind::Call { .. } | ExprKind::Method { .. } if is_sink(taker, address) => found.push(taker),
                _ => {}
            }
        }
    }
    found.into_iter()
}

/// `format!("{BASE}/items")`, where this is what the constant, static or local name holds.
fn named_in_formats(value: Node<'_>) -> Vec<Node<'_>> {
    let top = value.ancestors().take_while(|node| !matches!(node.kind(), ExprKind::Let { .. } | ExprKind::Block(_))).last();
    let top = top.unwrap_or(value);
    let name = match top.parent().map(|parent| (parent, parent.kind())) {
        Some((_, ExprKind::Let { names, value: Some(bound), .. })) if *bound == top.id && top.peel().id == value.id => {
            names.first().filter(|_| names.len() == 1).cloned()
        }
        None if value.function().is_none() => {
            value.facts().constants.iter().find(|constant| constant.value == Some(value.id)).map(|constant| constant.name)
        }
        _ => None,
    };
    let Some(name) = name else { return Vec::new() };
    let holds = |node: &Node<'_>| {
        let text = node.arguments().next().and_then(Node::text);
        text.is_some_and(|text| text.contains(&format!("{{{name}}}")) || text.contains(&format!("{{{name}:")))
    };
    let sees = |node: &Node<'_>| match value.function() {
        Some(function) => node.function() == Some(function) && node.id > value.id,
        None => node.file == value.file,
    };
    value.workspace.macros("format").filter(|node| sees(node) && holds(node)).collect()
}

fn is_sink(taker: Node<'_>, address: &Address) -> bool {
    let name = taker.last_name().unwrap_or_default();
    match name {
        // `config.set("bootstrap.servers", "broker:9092")`
        "set" => {
            taker.arguments().next().and_then(Node::text).is_some_and(|key| key.ends_with(".servers") || key.contains("broker"))
        }
        "connect" | "connect_timeout" | "connect_async" => true,
        // tonic's, not `Uri::from_static`, which may be a stand-in that nobody resolves.
        "from_static" | "from_shared" | "from_str" | "try_from" | "new" if is_of_endpoint(taker) => {
            // `http://127.0.0.1` alone stands for a socket that has no address.
            !address.is_this_machine() || address.authority != address.host
        }
        name if SINKS.contains(&name) => !address.scheme.is_empty(),
        name => CONSTRUCTORS.contains(&name) && !address.scheme.is_empty() && !address.scheme.starts_with("http"),
    }
}

/// tonic's endpoint, save one that a connector of its own goes past.
fn is_of_endpoint(taker: Node<'_>) -> bool {
    let of_endpoint = taker.path().is_some_and(|path| path.iter().any(|part| matches!(&**part, "Endpoint" | "Channel")));
    let by_connector = |method: &Node<'_>| method.method().is_some_and(|name| name.starts_with("connect_with_connector"));
    of_endpoint && !taker.fate(&|_| true).methods.iter().any(by_connector)
}

/// `#[serde(default = "url")]` on a field beside the function.
fn is_named_default(literal: Node<'_>, function: &str) -> bool {
    let fields = literal.facts().types.iter().flat_map(|item| match &item.kind {
        TypeKind::Struct(fields) => &fields[..],
        _ => &[],
    });
    fields.into_iter().any(|field| names_default(literal, field, function))
}

/// Chosen by what is configured, or what stands for it when nothing is.
fn is_default(literal: Node<'_>) -> bool {
    let asks = |node: Node<'_>| {
        let name = node.last_name().unwrap_or_default();
        let asks = |word: &str| matches!(word, "var" | "env" | "config" | "cfg" | "args" | "setting" | "default" | "fallback");
        name.split('_').any(asks)
    };
    let chosen = |node: Node<'_>| match node.kind() {
        ExprKind::If { condition: on, .. } | ExprKind::Match { on, .. } => node.with(*on).descendants().any(asks),
        ExprKind::Method { name, .. } => name.contains("unwrap_or") || name.contains("default") || name.contains("map_or"),
        _ => false,
    };
    // `get_env_var("INVENTORY_URL", "http://localhost:8080")`
    let taker = literal.ancestors().find(|node| matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. }));
    let function = literal.function().map(|function| literal.workspace.function(function));
    let in_default = function.is_some_and(|function| {
        let is_named =
            paths::has_word((*function.name).into(), &["default", "defaults", "example", "sample", "dummy", "mock", "fake"]);
        is_named
            || is_named_default(literal, &function.name)
            || function.of_trait.as_ref().and_then(|path| path.last()).is_some_and(|name| &**name == "Default")
    });
    in_default || taker.is_some_and(asks) || literal.ancestors().any(chosen)
}
