use super::setup::{is_set_up_unseen, lines, main, reach, set_ups};
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A service writes log lines that nothing takes.
    ///
    /// ## Why is this bad?
    /// `tracing` and `log` only hand lines on. Until the process sets a subscriber or a logger, every line is thrown away: errors
    /// leave no trace, and it shows on the day that somebody needs them.
    ///
    /// ## Example
    /// ```rust
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     tracing::info!("starting");
    ///     axum::serve(listener, app).await
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// #[tokio::main]
    /// async fn main() -> std::io::Result<()> {
    ///     tracing_subscriber::fmt().json().init();
    ///     tracing::info!("starting");
    ///     axum::serve(listener, app).await
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - anything that the binary reaches is named for a log and stands outside the workspace: `tracing_subscriber`, `env_logger`,
    ///   `log::set_boxed_logger`, a crate or a method called `init_telemetry`;
    /// - something that cannot be looked into runs on the way to the server: a framework that sets up a log by itself (rocket, loco), a crate from
    ///   a repository or a registry of your own, a macro on `main` that is not a runtime's;
    /// - no service writes the lines: tools, other subcommands, tests.
    ///
    /// ## Source
    /// tracing-core 0.1 `src/dispatcher.rs` (`NONE` until `set_global_default`); log 0.4 `src/lib.rs` (`NopLogger` until `set_logger`);
    /// rocket 0.5 `src/log.rs` (sets its own).
    "no-subscriber", "MSVC803", Practice::CentralizedLogging, Level::Deny, Tier::Default, Check::Service(check)
}

/// What takes lines, and the call that starts it.
const SETUPS: &[(&str, &str)] =
    &[("tracing_subscriber", "tracing_subscriber::fmt::init();"), ("env_logger", "env_logger::init();")];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let (Some(reach), Some(main)) = (reach(workspace, service), main(workspace, service)) else { return };
    let lines = lines(workspace, service);
    let Some(first) = lines.first() else { return };
    if set_ups(workspace, reach).next().is_some() || is_set_up_unseen(workspace, service, reach) {
        return;
    }
    let mut diagnostic = Diagnostic::new(
        "this service never says where its log goes",
        workspace.function_location(main),
        "sets up no subscriber and no logger",
    )
    .related(first.at(), format!("this line is thrown away{}", others(lines.len() - 1)))
    .help("call `tracing_subscriber::fmt().json().init()` first in `main`, or what your workspace has for it")
    .evidence("calls outside the workspace that are named for a log, in all that this binary reaches")
    .evidence("frameworks, unpublished crates and macros that could do it unseen");
    diagnostic.fix = workspace.body(main).and_then(|body| fix(workspace, service, body));
    out.push(diagnostic);
}

fn others(count: usize) -> String {
    match count {
        0 => String::new(),
        1 => ", and another one".to_owned(),
        count => format!(", and {count} others"),
    }
}

/// The first statement of `main`, where the package has a crate for it.
fn fix(workspace: &Workspace, service: &Service, body: Node<'_>) -> Option<Fix> {
    let package = &workspace.packages[service.package];
    let (_, call) = SETUPS.iter().find(|(alias, _)| package.dependency(alias).is_some_and(|known| !known.optional))?;
    let ExprKind::Block(statements) = body.kind() else { return None };
    let first = body.with(*statements.first()?);
    Some(Fix::unsafe_("set up the log first").before(first.at(), format!("{call}\n    ")))
}
