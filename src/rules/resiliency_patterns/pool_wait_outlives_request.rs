use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::libraries::pools::{HALF_A_MINUTE, Pool};
use crate::rules::libraries::version;
use crate::rules::values::millis;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A request may wait for a database connection for longer than it may take.
    ///
    /// ## Why is this bad?
    /// When the database is slow and all connections are taken, requests queue for one. A wait of half a minute, which most
    /// pools have by default, outlives the callers' patience: the queue is full of requests that nobody waits for any more, and
    /// the service answers nobody although it could refuse at once.
    ///
    /// ## Example
    /// ```rust
    /// let pool = PgPoolOptions::new().max_connections(16).connect(&url).await?;
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let pool = PgPoolOptions::new().max_connections(16).acquire_timeout(Duration::from_secs(2)).connect(&url).await?;
    /// ```
    ///
    /// ## Not reported when
    /// - the wait is set, in any function that the options pass through, and it is shorter than the request's timeout, not written
    ///   down, or no longer than the 30 s that are the default, where no request timeout is written down;
    /// - the request's timeout is written down and longer than the default;
    /// - the service answers no requests: workers, consumers; or the pool is for migrations, by the name of its function or file;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// sqlx-core 0.8 and 0.9 `src/pool/options.rs`: `acquire_timeout: Duration::from_secs(30)`; sea-orm 1.1 leaves that default; r2d2 0.8
    /// `src/config.rs`: `connection_timeout: Duration::from_secs(30)`; bb8 0.9
    /// `src/api.rs`: `connection_timeout: Duration::from_secs(30)`; mobc 0.9 `src/config.rs`: `get_timeout: Some(Duration::from_secs(30))`.
    "pool-wait-outlives-request", "MSVC604", Practice::ResiliencyPatterns, Level::Warn, Tier::Pedantic, Check::Service(check)
}

/// The default of all pools in the table.
const DEFAULT_MILLIS: u64 = 30_000;

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let mut serves = None;
    for pool in HALF_A_MINUTE {
        for maker in pool.makers {
            for call in workspace.calls_to(maker).filter(|call| workspace.runs(service, *call)) {
                let traffic = || workspace.served(service).is_some_and(|served| !served.traffic().is_empty());
                // A file has no server that could be slow.
                let of_file = |text: &str| text.starts_with("sqlite:");
                let names_sqlite = |name: &str| name.to_ascii_lowercase().contains("sqlite");
                let connected = call.fate(&|_| true).methods.into_iter().chain([call]).flat_map(Node::arguments);
                let is_file = call.external().is_some_and(names_sqlite)
                    || connected.flat_map(|argument| argument.binding().unwrap_or(argument).descendants()).any(|part| {
                        let manager = part.path().is_some_and(|path| path.iter().any(|name| names_sqlite(name)));
                        manager || part.text().is_some_and(of_file)
                    });
                let right = match () {
                    () if is_file => Some("a file has no server that could be slow"),
                    () if takes_options(call) => Some("its options come from elsewhere, and are looked at there"),
                    () if is_for_migrations(call) => Some("it is for migrations"),
                    () if !*serves.get_or_insert_with(traffic) => Some("its service answers no requests"),
                    () => None,
                };
                match right {
                    Some(why) => workspace.spared(|| call.at(), why),
                    None => check_pool(workspace, service, pool, call, out),
                }
            }
        }
    }
}

fn check_pool(workspace: &Workspace, service: &Service, pool: &Pool, call: Node<'_>, out: &mut Vec<Diagnostic>) {
    let right = |why| workspace.spared(|| call.at(), why);
    let fate = call.fate(&|_| true);
    let limit = fate.methods.iter().find(|method| method.method().is_some_and(|name| pool.limits.contains(&name)));
    // Options that nobody connects with.
    let connects = |method: &Node<'_>| method.method().is_some_and(|name| name.starts_with("connect"));
    if pool_is_options(call) && fate.given.is_empty() && !fate.methods.iter().any(connects) {
        return right("nothing connects with these options");
    }
    let request = request_millis(workspace, service);
    let wait = match limit {
        Some(limit) => limit.arguments().next().and_then(millis),
        None => Some(DEFAULT_MILLIS),
    };
    let Some(wait) = wait else { return right("a wait is set that is no number in the code") };
    let (message, at, note) = match (limit, request) {
        (_, Some(request)) if wait < request => return right("a request may take longer than this wait"),
        (Some(limit), Some(request)) => (
            format!("a request waits {wait} ms for a connection, and may take {request} ms in all"),
            limit.name_at(),
            "longer than the request",
        ),
        // There is no request timeout that is written down to compare it with.
        (Some(_), None) if wait <= DEFAULT_MILLIS => return right("its wait is set"),
        (Some(limit), None) => (
            format!("a request may wait {} s for a connection", wait / 1000),
            limit.name_at(),
            "longer than anybody waits for an answer",
        ),
        (None, _) => {
            let library = pool.library;
            (format!("a request may wait 30 s for a connection, {library}'s default"), call.name_at(), "the wait is not set")
        }
    };
    let mut diagnostic = Diagnostic::new(message, at, note)
        .help("set it to a fraction of the time that a request may take, such as 2 s: what cannot be had by then is refused")
        .evidence("a wait set on the builder or its options, through helpers and fields of the workspace")
        .evidence("a request timeout that is longer")
        .confidence(if request.is_some() { Confidence::High } else { Confidence::Medium });
    if let (None, Some(edit)) = (limit, fix(pool, call)) {
        diagnostic = diagnostic.fix(edit);
    }
    out.push(diagnostic);
}

/// `Database::connect(options)`: options are looked at where they are made.
fn takes_options(call: Node<'_>) -> bool {
    let is_options = |value: Node<'_>| {
        let typed = matches!(value.ty(), Definition::External(path) if path.ends_with("ConnectOptions"));
        typed
            || value.descendants().any(|node| node.path().is_some_and(|path| path.iter().any(|name| &**name == "ConnectOptions")))
    };
    let first = call.arguments().next().filter(|_| call.external() == Some("sea_orm::Database::connect"));
    first.is_some_and(|first| is_options(first) || first.peel().binding().is_some_and(is_options))
}

/// `ConnectOptions::new(url)`: what a pool is made of, and not yet one.
fn pool_is_options(call: Node<'_>) -> bool {
    call.external().is_some_and(|path| path.ends_with("ConnectOptions::new"))
}

/// Migrations wait for their own connection, and no request waits for them.
fn is_for_migrations(call: Node<'_>) -> bool {
    let function = call.function().map(|function| call.workspace.function(function));
    function.is_some_and(|function| function.name.contains("migrat"))
        || call.workspace.sources.path(call.facts().file).as_str().contains("migrat")
}

fn fix(pool: &Pool, call: Node<'_>) -> Option<Fix> {
    let fix = Fix::unsafe_("give up waiting after 2 s");
    if pool.library == "sqlx" && version(call, "sqlx").is_none_or(|version| version.major == 0 && version.minor < 6) {
        return None;
    }
    if !pool.fix.is_empty() {
        return Some(fix.after(call.at(), pool.fix));
    }
    // `sqlx::PgPool::connect(url)`
    let path = call.external()?;
    let (ty, method) = path.strip_prefix("sqlx::")?.rsplit_once("::")?;
    let options = match ty.rsplit("::").next()? {
        "PgPool" => "postgres::PgPoolOptions",
        "MySqlPool" => "mysql::MySqlPoolOptions",
        "SqlitePool" => "sqlite::SqlitePoolOptions",
        _ => return None,
    };
    call.packages().next()?.dependency("sqlx").filter(|dependency| dependency.package == "sqlx")?;
    let text = format!("sqlx::{options}::new().acquire_timeout(std::time::Duration::from_secs(2)).{method}");
    Some(fix.replace(call.name_at(), text))
}

/// The longest request timeout that is written down, in milliseconds; `None` where none is, or one is not.
fn request_millis(workspace: &Workspace, service: &Service) -> Option<u64> {
    let layers = ["tower_http::timeout::TimeoutLayer::new", "tower_http::timeout::TimeoutLayer::with_status_code"];
    let calls = layers.iter().flat_map(|path| workspace.calls_to(path)).filter(|call| workspace.runs(service, *call));
    let mut longest = None;
    for call in calls {
        let limit = call.arguments().last().and_then(millis)?;
        longest = longest.max(Some(limit));
    }
    longest
}
