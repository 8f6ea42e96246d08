use super::setup::{may_set_up, reach, set_ups};
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::libraries::{FMT_MAKERS, LOG_CRATES, LOG_FILES};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::settings::Settings;
use crate::workspace::values::constant_text;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A service writes its log to a file of its own, and nowhere else.
    ///
    /// ## Why is this bad?
    /// The file is in the container: it goes when the container does, which is when somebody wants to read it, and until then it
    /// fills the disk. The platform collects what services write to standard output, so this one's lines are missing where all
    /// others are.
    ///
    /// ## Example
    /// ```rust
    /// let (file, _guard) = tracing_appender::non_blocking(tracing_appender::rolling::daily("logs", "orders.log"));
    /// tracing_subscriber::fmt().with_writer(file).init();
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// tracing_subscriber::fmt().json().init();
    /// ```
    ///
    /// ## Not reported when
    /// - lines go elsewhere too: to standard output or standard error, to OpenTelemetry, syslog, journald, or to a layer or logger that is
    ///   not known;
    /// - the file is written on request only: under an `if`, a `match`, or in a closure;
    /// - something in the manifests reads files of logs: Fluent Bit, Fluentd, Filebeat, Promtail, Alloy, Vector, Logstash;
    /// - no service runs it: tools, other subcommands, tests.
    ///
    /// ## Source
    /// "Local logging", MARS (Tighilt et al., 2023); [The Twelve-Factor App: Logs](https://12factor.net/logs); tracing-appender 0.2
    /// `src/rolling.rs`, flexi_logger 0.31 `src/logger.rs` (`log_to_file` alone writes no other copy).
    "log-to-local-file", "MSVC802", Practice::CentralizedLogging, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// What takes lines somewhere else, by the last segment of its name.
const ELSEWHERE: &[&str] = &[
    "stdout",
    "stderr",
    "Stdout",
    "Stderr",
    "duplicate_to_stdout",
    "duplicate_to_stderr",
    "log_to_stdout",
    "log_to_stderr",
    "log_to_writer",
    "log_to_file_and_writer",
    "ConsoleAppender",
    "TermLogger",
    "SimpleLogger",
    "on_event",
    "init_raw_config",
];
/// A writer is followed through that many names and wrappers.
const MAX_STEPS: usize = 8;
/// Images of what reads files of logs.
const READERS: &[&str] =
    &["fluent", "filebeat", "promtail", "grafana/alloy", "grafana/agent", "timberio/vector", "logstash", "datadog"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut files: Vec<Node<'_>> = LOG_FILES.iter().flat_map(|path| workspace.calls_to(path)).collect();
    let of_flexi = |node: &Node<'_>| node.packages().any(|package| package.depends_on("flexi_logger"));
    files.extend(workspace.methods("log_to_file").filter(of_flexi));
    files.extend(workspace.methods("with_writer").filter_map(|call| opened(call.arguments().next()?)));
    let written =
        ["simplelog::WriteLogger::init", "simplelog::WriteLogger::new"].iter().flat_map(|path| workspace.calls_to(path));
    files.extend(written.filter_map(|call| opened(call.arguments().last()?)));
    files.extend(workspace.calls_to("log4rs::init_file").filter(|call| asks_for_files(*call)));
    files.retain(|file| !is_on_request(*file));
    if files.is_empty() || has_reader(workspace) {
        return;
    }
    for service in &workspace.services {
        let Some(file) = files.iter().find(|file| workspace.runs(service, **file)) else { continue };
        if out.iter().any(|known| known.primary.at == file.name_at()) || goes_elsewhere(workspace, service) {
            continue;
        }
        let diagnostic = Diagnostic::new(
            "the log goes to a file of this process, and nowhere else",
            file.name_at(),
            "is gone with the container",
        )
        .help("write lines to standard output, and let the platform collect them")
        .evidence("standard output and error, OpenTelemetry, other layers and loggers, in all that this binary reaches")
        .evidence("a log reader among the images of the manifests")
        .service(&service.name);
        out.push(diagnostic);
    }
}

/// Whether the settings that log4rs is given have appenders for files, and no other. What is not there to read may have any.
fn asks_for_files(init: Node<'_>) -> bool {
    appenders(init).is_some_and(|kinds| !kinds.is_empty() && kinds.iter().all(|kind| matches!(*kind, "file" | "rolling_file")))
}

/// Kinds of the appenders in the file of settings that this call names.
fn appenders(init: Node<'_>) -> Option<Vec<&str>> {
    let workspace = init.workspace;
    let path = constant_text(init.arguments().next()?)?;
    let is_it = |settings: &&Settings| workspace.sources.path(settings.file).ends_with(path.trim_start_matches("./"));
    let settings = workspace.settings.iter().find(is_it)?;
    let kinds =
        settings.entries.iter().filter(|entry| matches!(entry.key.split('.').collect::<Vec<_>>()[..], ["appenders", _, "kind"]));
    Some(kinds.map(|entry| entry.value.as_str()).collect())
}

/// The call that opens the file which a writer is, if it is one of the standard library's.
fn opened(writer: Node<'_>) -> Option<Node<'_>> {
    const KEEPERS: &[&str] = &["Mutex::new", "Arc::new", "BufWriter::new", "LineWriter::new", "non_blocking::NonBlocking::new"];
    let mut value = writer.peel();
    for _ in 0..MAX_STEPS {
        let first = value.receivers().last()?;
        value = match first.external() {
            Some(path) if path.split("::").take(2).eq(["std", "fs"]) => {
                let mut arguments = value.receivers().flat_map(Node::arguments);
                let is_device = arguments.any(|argument| argument.text().is_some_and(|path| path.starts_with("/dev/")));
                return Some(first).filter(|_| !is_device);
            }
            Some(path) if KEEPERS.iter().any(|keeper| path.ends_with(keeper)) => first.arguments().next()?.peel(),
            _ => first.binding()?.peel(),
        };
    }
    None
}

/// Under a condition, or in a closure that somebody calls when asked to.
fn is_on_request(file: Node<'_>) -> bool {
    let chooses = |node: Node<'_>| matches!(node.kind(), ExprKind::If { .. } | ExprKind::Match { .. } | ExprKind::Closure { .. });
    file.ancestors().any(chooses)
}

fn goes_elsewhere(workspace: &Workspace, service: &Service) -> bool {
    let Some(reach) = reach(workspace, service) else { return true };
    let leaves = |node: Node<'_>| {
        let named = node.last_name().is_some_and(|name| ELSEWHERE.contains(&name))
            || node.path().is_some_and(|path| path.iter().any(|name| ELSEWHERE.contains(&&**name)));
        named || is_stdout(node) || is_another(node) || is_log4rs(node) && !asks_for_files(node)
    };
    let takes_lines = |name: &str| matches!(name, "on_event" | "log");
    let own = reach.functions().iter().map(|function| workspace.function(*function));
    own.into_iter().any(|function| function.of_trait.is_some() && takes_lines(&function.name))
        || reach
            .expressions_where(
                workspace,
                |name| ELSEWHERE.contains(&name),
                |path| {
                    path.starts_with("opentelemetry")
                        || FMT_MAKERS.contains(&path)
                        || path == "log4rs::init_file"
                        || path.split("::").any(|name| ELSEWHERE.contains(&name))
                },
            )
            .chain(set_ups(workspace, reach))
            .any(leaves)
}

fn is_log4rs(node: Node<'_>) -> bool {
    matches!(node.kind(), ExprKind::Call { .. }) && node.external() == Some("log4rs::init_file")
}

/// `tracing_subscriber::fmt()` that no writer is given to.
fn is_stdout(node: Node<'_>) -> bool {
    let is_call = matches!(node.kind(), ExprKind::Call { .. });
    is_call
        && node.external().is_some_and(|path| FMT_MAKERS.contains(&path))
        && !node.fate(&|_| true).methods.iter().any(|method| matches!(method.method(), Some("with_writer" | "map_writer")))
}

/// A crate of logs that is not known to leave the choice to its caller.
fn is_another(node: Node<'_>) -> bool {
    const WRITERS: &[&str] = &["fern", "flexi_logger", "log4rs", "simple_logging"];
    let is_known = |path: &str| {
        let owner = path.split("::").next().unwrap_or_default();
        LOG_CRATES.contains(&owner) || WRITERS.contains(&owner)
    };
    let path = node.external();
    let is_telemetry = path.as_ref().is_some_and(|path| path.starts_with("opentelemetry"));
    is_telemetry || matches!(node.kind(), ExprKind::Path(_)) && may_set_up(node) && !path.is_some_and(is_known)
}

fn has_reader(workspace: &Workspace) -> bool {
    let composed = workspace.compose.iter().flat_map(|file| &file.services).filter_map(|service| service.image.as_ref());
    let pods = workspace.kubernetes.iter().filter_map(|object| object.pod.as_ref());
    let contained = pods.flat_map(|pod| &pod.containers).filter_map(|container| container.image.as_ref());
    composed.chain(contained).any(|image| READERS.iter().any(|reader| image.name.contains(reader)))
}
