use super::setup::LEVELS;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::paths;
use crate::rules::words::has_word;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Outline};
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A service prints where it should log.
    ///
    /// ## Why is this bad?
    /// What is printed has no level, no time, no request and no trace: it cannot be filtered, counted or found again when all
    /// services log to one place, and it breaks the lines of those that log JSON. Printing also holds a lock that all threads share.
    ///
    /// ## Example
    /// ```rust
    /// async fn create(Json(order): Json<Order>) -> StatusCode {
    ///     println!("new order {}", order.id);
    ///     StatusCode::CREATED
    /// }
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// async fn create(Json(order): Json<Order>) -> StatusCode {
    ///     tracing::info!(order.id, "new order");
    ///     StatusCode::CREATED
    /// }
    /// ```
    ///
    /// ## Not reported when
    /// - no service runs it: tools, other subcommands of the same binary, tests, build scripts;
    /// - it says why the process ends: the block ends in `exit`, `panic!` or `bail!`, in `main` also in a `return`, or it is how `main` ends;
    /// - it is for whoever typed a command: its function also prints empty lines or rules of dashes, or its file is named for commands;
    /// - its file is named for configuration or its validation, which come before the log;
    /// - it stands in a panic hook, in the code of a logger, before the same function sets up the log, or where the log is gone;
    /// - its function is called from such places alone;
    /// - a flag decides, and the other branch logs; or the code is compiled on request (`cfg!(…)`);
    /// - the service has no log at all, and says that it starts.
    ///
    /// ## Source
    /// "Local logging", MARS (Tighilt et al., 2023); [The Twelve-Factor App: Logs](https://12factor.net/logs).
    "print-instead-of-log", "MSVC801", Practice::CentralizedLogging, Level::Warn, Tier::Default, Check::Workspace(check)
}

/// Macros that print, and the level that says the same.
const PRINTS: &[(&str, &str)] =
    &[("println", "info"), ("print", "info"), ("eprintln", "error"), ("eprint", "error"), ("dbg", "debug")];
/// Words in the names of functions, types, traits and modules that set up the log.
const LOGGERS: &[&str] = &["log", "logger", "logging", "tracing", "telemetry", "observability", "subscriber", "otel", "tracer"];
/// Likewise of those that make log lines; common names elsewhere.
const LINE_MAKERS: &[&str] = &["layer", "appender", "drain", "emitter"];
/// Words in the paths of code that talks to people, or runs before the log is there.
const FOR_PEOPLE: &[&str] = &[
    "console",
    "migration",
    "migrations",
    "bench",
    "args",
    "config",
    "configs",
    "configuration",
    "settings",
    "validator",
    "validators",
    "validation",
    "diagnostics",
];
/// Words in the names of functions that run when a service starts.
const STARTS: &[&str] = &["main", "start", "init", "initialize", "connect", "setup"];
/// Callers of callers of … are looked at this far.
const MAX_CALLS: usize = 3;
/// Macros and functions that end the process.
const EXITS: &[&str] = &["exit", "abort", "panic", "unreachable", "bail", "todo", "unimplemented"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let by_hand = ["write", "writeln"].map(|name| (name, "info"));
    let may = |_, outline: &Outline| outline.names("stdout") || outline.names("stderr");
    for &(name, level) in PRINTS.iter().chain(&by_hand) {
        let prints: Vec<Node<'_>> = match name.starts_with("write") {
            true => workspace.named_if(name, may).filter(|write| is_to_terminal(*write)).collect(),
            false => workspace.macros(name).collect(),
        };
        for print in prints {
            let Some(service) = workspace.run_by(print) else { continue };
            let used = framework(workspace, service, print);
            if is_for_people(print)
                || in_panic_hook(print)
                || in_logger(print)
                || is_excused(print, MAX_CALLS)
                || used.is_none() && is_of_start(print)
            {
                continue;
            }
            let framework = used.unwrap_or("tracing");
            let message = match used {
                Some(_) => format!("`{name}!` in the code of a service, past its log"),
                None => format!("`{name}!` in the code of a service, which has no log"),
            };
            let mut diagnostic = Diagnostic::new(message, print.at(), "printed")
                .help(format!("write `{framework}::{level}!(…)`"))
                .evidence("a branch that ends the process, a panic hook, a logger's own code, another subcommand; likewise of all callers")
                .evidence("a function that writes a page for a terminal, code of commands or configuration by its path")
                .service(&service.name);
            diagnostic.fix = fix(print, framework, level);
            out.push(diagnostic);
        }
    }
}

/// `writeln!(std::io::stdout(), …)`, also by a name and behind its lock.
fn is_to_terminal(write: Node<'_>) -> bool {
    let to = write.arguments().next().map(Node::peel);
    let to = to.map(|to| to.binding().map_or(to, Node::peel));
    let first = to.and_then(|to| to.receivers().last());
    let is_macro = matches!(write.kind(), ExprKind::Macro { .. });
    is_macro && first.and_then(Node::external).is_some_and(|path| matches!(path, "std::io::stdout" | "std::io::stderr"))
}

/// Whether nobody would look for this place's words in a log: for what stands around it, or around each call of its function.
fn is_excused(place: Node<'_>, calls: usize) -> bool {
    if is_farewell(place) || is_without_logger(place) || is_on_choice(place) {
        return true;
    }
    let (Some(function), Some(calls)) = (place.function(), calls.checked_sub(1)) else { return false };
    // What a task does goes on after its caller.
    if place.ancestors().any(|node| matches!(node.kind(), ExprKind::Closure { .. } | ExprKind::Async(_))) {
        return false;
    }
    let callers = place.workspace.results_of(function).into_iter();
    let mut callers = callers.filter(|call| call.ships() && place.workspace.run_by(*call).is_some()).peekable();
    callers.peek().is_some() && callers.all(|call| call.function() != Some(function) && is_excused(call, calls))
}

/// Under a flag whose other branch logs the same, or in code that is compiled on request.
fn is_on_choice(place: Node<'_>) -> bool {
    let mut inner = place;
    for node in place.ancestors() {
        if let ExprKind::If { condition, then, otherwise } = node.kind() {
            let other = if *then == inner.id { *otherwise } else { Some(*then) };
            let is_log = |part: Node<'_>| {
                matches!(part.kind(), ExprKind::Macro { .. }) && part.last_name().is_some_and(|name| LEVELS.contains(&name))
            };
            let is_cfg = |part: Node<'_>| matches!(part.kind(), ExprKind::Macro { .. }) && part.last_name() == Some("cfg");
            if node.with(*condition).descendants().any(is_cfg)
                || other.is_some_and(|other| other != inner.id && node.with(other).descendants().any(is_log))
            {
                return true;
            }
        }
        inner = node;
    }
    false
}

/// Whether it says that a service starts: in `main` or in a function named so, but not in what runs later.
fn is_of_start(print: Node<'_>) -> bool {
    let later = |node: Node<'_>| {
        matches!(
            node.kind(),
            ExprKind::Closure { .. } | ExprKind::Async(_) | ExprKind::Loop(_) | ExprKind::While { .. } | ExprKind::For { .. }
        )
    };
    let function = print.function().map(|function| &print.workspace.function(function).name);
    function.is_some_and(|name| has_word(name, STARTS)) && !print.ancestors().any(later)
}

fn is_for_people(print: Node<'_>) -> bool {
    let function = print.function().map(|function| &print.workspace.function(function).name);
    in_command(print)
        || writes_page(print)
        || function.is_some_and(|name| has_word(name, &["stdout", "stderr", "print", "banner"]))
}

/// In code whose names say that it talks to whoever typed a command, or that it runs before there is a log.
fn in_command(print: Node<'_>) -> bool {
    let mut packages = print.packages();
    // `syncserver-settings`; a service may be called a validator, or a command server.
    let of_package =
        packages.any(|package| package.binaries().next().is_none() && paths::has_word(package.name.as_str().into(), FOR_PEOPLE));
    of_package || paths::is_command(print) || paths::has_word(paths::within_package(print), FOR_PEOPLE)
}

/// Whether the function writes a page for a terminal: it prints an empty line, or a rule of dashes.
fn writes_page(print: Node<'_>) -> bool {
    let body = print.function().and_then(|function| print.workspace.body(function));
    let is_layout = |node: Node<'_>| {
        let is_print = node.path().and_then(<[_]>::last).is_some_and(|name| PRINTS.iter().any(|(print, _)| **name == **print));
        let is_sign = |c: char| c.is_whitespace() || !c.is_alphanumeric() && !matches!(c, '{' | '}');
        let mut arguments = node.arguments();
        is_print
            && matches!(node.kind(), ExprKind::Macro { .. })
            && arguments.next().is_none_or(|first| first.text().is_some_and(|text| text.chars().all(is_sign)))
            && arguments.next().is_none()
    };
    body.into_iter().flat_map(Node::descendants).any(is_layout)
}

/// The same text as a log line, where the package of the code has the macro for it.
fn fix(print: Node<'_>, framework: &str, level: &str) -> Option<Fix> {
    let [name] = print.path()? else { return None };
    let has_text = print.arguments().next().is_some_and(|first| first.text().is_some());
    let is_line = matches!(&**name, "println" | "eprintln") && has_text && matches!(framework, "tracing" | "log");
    if !is_line || !print.packages().all(|package| package.depends_on(framework)) {
        return None;
    }
    let mut at = print.at();
    at.span.end = at.span.start + u32::try_from(name.len()).ok()?;
    Some(Fix::unsafe_(format!("log it with `{framework}::{level}!`")).replace(at, format!("{framework}::{level}")))
}

/// The last words of a process: a branch around it ends in an exit, or is how `main` ends.
fn is_farewell(print: Node<'_>) -> bool {
    let Some(function) = print.function() else { return false };
    let body = print.workspace.body(function).map(|body| body.id);
    let in_main = &*print.workspace.function(function).name == "main";
    let mut inner = print;
    for node in print.ancestors().take_while(|node| !matches!(node.kind(), ExprKind::Closure { .. })) {
        if let ExprKind::Block(statements) = node.kind() {
            let last = statements.last().map(|id| node.with(*id));
            let is_exit = last.is_some_and(|last| exits(last) || in_main && matches!(last.kind(), ExprKind::Return(_)));
            let is_end_of_main =
                in_main && Some(node.id) == body && last.is_some_and(|last| last.id == inner.id) && inner.id != print.id;
            if is_exit || is_end_of_main {
                return true;
            }
        }
        inner = node;
    }
    false
}

fn exits(statement: Node<'_>) -> bool {
    statement.path().and_then(<[_]>::last).is_some_and(|name| EXITS.contains(&&**name))
}

fn in_panic_hook(print: Node<'_>) -> bool {
    let names_hook = |node: Node<'_>| node.path().and_then(<[_]>::last).is_some_and(|name| &**name == "set_hook");
    let function = print.function().map(|function| &print.workspace.function(function).name);
    print.ancestors().any(names_hook)
        || function.is_some_and(|name| name.contains("panic_hook") || name.contains("panic_handler"))
}

/// Before the function sets up the log, or where it learns that the log is gone, or that there will be none.
fn is_without_logger(print: Node<'_>) -> bool {
    let names_logger = |node: Node<'_>| {
        // actix's middleware for the log of accesses sets up none.
        if node.external().is_some_and(|path| path.starts_with("actix_web::middleware::")) {
            return false;
        }
        let mut names = node.path().unwrap_or_default().iter().map(|name| &**name).chain(node.method());
        match node.kind() {
            ExprKind::Call { .. } | ExprKind::Method { .. } => names.any(|name| has_word(name, LOGGERS)),
            ExprKind::Field { name, .. } => has_word(name, LOGGERS),
            _ => false,
        }
    };
    let body = print.function().and_then(|function| print.workspace.body(function));
    let mut later = body.into_iter().flat_map(Node::descendants).filter(|node| node.id > print.id);
    let on_logger = |node: Node<'_>| match node.kind() {
        ExprKind::If { condition: on, .. } | ExprKind::Match { on, .. } => node.with(*on).descendants().any(names_logger),
        _ => false,
    };
    // `agent_main().await`, which sets it up.
    let sets_up = |node: Node<'_>| match (node.kind(), node.definition()) {
        (ExprKind::Call { .. }, Definition::Function(called)) => {
            let body = print.workspace.body_if(called, |outline| outline.all_names().any(|name| has_word(name, LOGGERS)));
            body.is_some_and(|body| body.descendants().any(names_logger))
        }
        _ => false,
    };
    // `subscriber.try_init().inspect_err(|error| eprintln!("{error}"))`
    let of_set_up =
        |node: Node<'_>| node.receivers().skip(1).any(|on| matches!(on.method(), Some("try_init" | "set_global_default")));
    later.any(|node| names_logger(node) || sets_up(node)) || print.ancestors().any(|node| on_logger(node) || of_set_up(node))
}

fn in_logger(print: Node<'_>) -> bool {
    let Some(function) = print.function() else { return false };
    let workspace = print.workspace;
    let item = workspace.function(function);
    let owners = item.owner.iter().chain(&item.of_trait).filter_map(|path| path.last());
    let module = workspace.names.modules_of(function.file(), item.module).first();
    let modules = std::iter::successors(module.copied(), |&module| workspace.names.modules[module].parent);
    let modules = modules.map(|module| &workspace.names.modules[module].name);
    std::iter::once(&item.name).chain(owners).chain(modules).any(|name| has_word(name, LOGGERS) || has_word(name, LINE_MAKERS))
}

/// What the package of this code logs with, else the service's, if anything.
fn framework<'w>(workspace: &'w Workspace, service: &Service, print: Node<'w>) -> Option<&'static str> {
    let of_code = print.crates().map(|krate| workspace.names.crates[krate].package);
    let mut packages = of_code.chain([service.package]).map(|package| &workspace.packages[package]);
    packages.find_map(|package| {
        let uses = |name: &&&str| package.dependencies.iter().any(|dependency| dependency.alias == ***name);
        ["tracing", "log", "slog"].iter().find(uses).copied()
    })
}
