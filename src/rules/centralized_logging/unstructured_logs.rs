use super::setup::{is_not_plain, may_set_up, reach, set_ups};
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::{FMT_MAKERS, LOG_CRATES, WORDY};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A service logs words for people, and cannot be told to log structured lines.
    ///
    /// ## Why is this bad?
    /// A log store takes lines of text apart by guesswork: a field with a blank in it, an error of two lines or a colour code ends up as
    /// something else. Nobody can ask it for all lines of one request, in all services, when each writes in its own way.
    ///
    /// ## Example
    /// ```rust
    /// tracing_subscriber::fmt().init();
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// tracing_subscriber::fmt().json().init();
    /// ```
    /// with `tracing-subscriber`'s feature `json`. Where people read the lines of their own machine, let the configuration choose.
    ///
    /// ## Not reported when
    /// - anything that the binary reaches makes structured lines: `.json()`, a formatter, layer or logger of your own, a crate of logs that
    ///   is not known to write words (bunyan, logfmt, Stackdriver, OpenTelemetry, Loki, journald);
    /// - a layer of a crate that is not known stands beside it;
    /// - no service runs it: tools, other subcommands, tests.
    ///
    /// ## Source
    /// [OpenTelemetry: structured logs](https://opentelemetry.io/docs/concepts/signals/logs/); Richardson, "Log aggregation", microservices.io;
    /// tracing-subscriber 0.3 `src/fmt/mod.rs` (the default format is `Full`), env_logger 0.11 `src/fmt/mod.rs`.
    "unstructured-logs", "MSVC804", Practice::CentralizedLogging, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let makers = FMT_MAKERS.iter().chain(WORDY).flat_map(|path| workspace.calls_to(path));
    // `format` is env_logger's.
    let makers: Vec<Node<'_>> = makers.filter(|maker| !calls(*maker, &["with_test_writer", "is_test", "format"])).collect();
    for service in &workspace.services {
        let Some(maker) = makers.iter().find(|maker| workspace.runs(service, **maker)) else { continue };
        let known = out.iter().any(|known| known.primary.at == maker.name_at());
        if known || is_structured(workspace, service) || !is_plain_around(*maker) {
            continue;
        }
        let mut diagnostic = Diagnostic::new("this log is made of words, never of fields", maker.name_at(), "text for people")
            .help("write one JSON object a line: `tracing_subscriber::fmt().json()`; let the configuration choose where people read it")
            .evidence("`.json()`, formatters, layers and loggers of the workspace, other crates of logs, in all that this binary reaches")
            .service(&service.name);
        diagnostic.fix = fix(*maker);
        out.push(diagnostic);
    }
}

fn calls(maker: Node<'_>, names: &[&str]) -> bool {
    maker.fate(&|_| true).methods.iter().any(|method| method.method().is_some_and(|name| names.contains(&name)))
}

/// Whether the binary may write something else than words.
fn is_structured(workspace: &Workspace, service: &Service) -> bool {
    let Some(reach) = reach(workspace, service) else { return true };
    let makes_lines = |name: &str| matches!(name, "on_event" | "format_event" | "log" | "make_writer");
    let own = reach.functions().iter().map(|function| workspace.function(*function));
    own.into_iter().any(|function| function.of_trait.is_some() && makes_lines(&function.name))
        || reach
            .expressions_where(workspace, structures, |path| {
                path.starts_with("opentelemetry") || path.starts_with("tracing_subscriber::fmt")
            })
            .any(makes_structure)
        || set_ups(workspace, reach).any(makes_structure)
}

/// Methods that say what lines look like.
fn structures(name: &str) -> bool {
    matches!(name, "json" | "event_format" | "map_event_format" | "flatten_event")
}

fn makes_structure(node: Node<'_>) -> bool {
    match node.kind() {
        ExprKind::Method { name, arguments, turbofish, .. } => match &**name {
            // reqwest's takes a body, or is awaited.
            "json" => {
                let is_awaited = node.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Await(_)));
                arguments.is_empty() && turbofish.is_none() && !is_awaited
            }
            "event_format" | "map_event_format" | "flatten_event" => true,
            _ => false,
        },
        ExprKind::Path(_) => match node.external() {
            Some(path) if path.starts_with("opentelemetry") => true,
            Some(path) if path.starts_with("tracing_subscriber::fmt") => path.to_ascii_lowercase().contains("json"),
            Some(path) => may_set_up(node) && !is_wordy(path),
            None => may_set_up(node),
        },
        _ => false,
    }
}

/// Whether it belongs to a crate of logs that writes words, or to one that writes no lines.
fn is_wordy(path: &str) -> bool {
    let owner = path.split("::").next().unwrap_or_default();
    LOG_CRATES.contains(&owner)
}

/// Nothing is put beside it, in the same function, that could be something else.
fn is_plain_around(maker: Node<'_>) -> bool {
    let Some(body) = maker.function().and_then(|function| maker.workspace.body(function)) else { return false };
    let stacked = body.descendants().filter(|node| matches!(node.method(), Some("with" | "and_then"))).flat_map(Node::arguments);
    let mut parts = stacked.flat_map(|part| std::iter::once(part).chain(part.binding()));
    parts.all(|part| !part.descendants().any(is_not_plain))
}

/// Has tracing-subscriber write JSON, where it is built for it.
fn fix(maker: Node<'_>) -> Option<Fix> {
    let is_builder = maker.external().is_some_and(|path| FMT_MAKERS.contains(&path) && !path.ends_with("init"));
    let has_json = |package: &crate::workspace::manifest::Package| {
        package
            .dependencies
            .iter()
            .any(|known| known.package == "tracing-subscriber" && known.features.iter().any(|name| name == "json"))
    };
    let decided = calls(maker, &["pretty", "compact", "with_formatter", "fmt_fields"]);
    (is_builder && !decided && maker.packages().all(has_json)).then(|| Fix::unsafe_("write JSON").after(maker.at(), ".json()"))
}
