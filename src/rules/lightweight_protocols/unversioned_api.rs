use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::http::{Purpose, Route, Served, is_version, purpose};
use crate::workspace::query::Node;
use crate::workspace::rust::Type;
use crate::workspace::{Service, Workspace};

declare_rule! {
    /// The routes of a service carry no version.
    ///
    /// ## Why is this bad?
    /// The first change that breaks a caller has nowhere to go: old and new callers cannot be served side by side, so services that
    /// should be released apart must be released together.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/orders", get(list).post(create));
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let v1 = Router::new().route("/orders", get(list).post(create));
    /// let app = Router::new().nest("/v1", v1);
    /// ```
    /// actix-web: `web::scope("/v1")`; rocket: `.mount("/v1", routes![…])`; warp: `warp::path("v1").and(…)`; poem: `.nest("/v1", …)`.
    ///
    /// ## Not reported when
    /// - a route of the service has a version in its path (nesting is followed, across functions and crates): it knows how;
    /// - the version travels in a header or media type (`Accept-Version`, `application/vnd.orders.v1+json`);
    /// - all it serves is health, metrics, API descriptions, static files, HTML pages, log-in, webhooks, GraphQL, profiling, WebSockets or
    ///   server-sent events;
    /// - a prefix is computed, or the router goes where it cannot be followed.
    ///
    /// ## Source
    /// "No API versioning", MARS (Tighilt et al., Journal of Systems and Software 2023); Taibi and Lenarduzzi, "API versioning" (IEEE
    /// Software 2018).
    "unversioned-api", "MSVC301", Practice::LightweightProtocols, Level::Warn, Tier::Default, Check::Service(check)
}

/// How many routes a finding names.
const EXAMPLES: usize = 3;

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(served) = workspace.served(service) else { return };
    if served.traffic().is_empty() || served.routes.iter().any(|route| is_versioned(route)) || is_versioned_otherwise(&served) {
        return;
    }
    let business: Vec<(&Route, &str)> = served
        .routes
        .iter()
        .filter(|route| !served.opens_streams(route))
        .filter_map(|route| Some((*route, business_path(workspace, route)?)))
        .collect();
    let known: Vec<&(&Route, &str)> = business.iter().filter(|(route, _)| route.known).collect();
    let Some(&&(first, _)) = known.first() else { return };
    let mut paths: Vec<&str> = known.iter().map(|(_, path)| *path).collect();
    paths.dedup();
    let shown: Vec<String> = paths.iter().take(EXAMPLES).map(|path| format!("`{path}`")).collect();
    let more = paths.len().saturating_sub(EXAMPLES);
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    let mut diagnostic = Diagnostic::new(
        format!("the routes of `{}` carry no version: {}{more}", service.name, shown.join(", ")),
        first.at,
        "the first of them",
    )
    .help(help(first))
    .evidence("a version in the paths of routes and in what they are nested under (`/v1`, `{version}`)")
    .evidence("a header or media type that carries a version");
    for (route, path) in known.iter().skip(1).take(EXAMPLES - 1) {
        diagnostic = diagnostic.related(route.at, format!("`{path}`"));
    }
    let all_known = known.len() == business.len();
    out.push(diagnostic.confidence(if all_known { Confidence::High } else { Confidence::Medium }));
}

fn help(route: &Route) -> &'static str {
    use crate::workspace::http::Framework;
    match route.framework {
        Framework::Axum => "put the API under a version: `Router::new().nest(\"/v1\", api)`",
        Framework::Actix => "put the API under a version: `App::new().service(web::scope(\"/v1\").configure(api))`",
        Framework::Rocket => "put the API under a version: `.mount(\"/v1\", routes![…])`",
        Framework::Warp => "put the API under a version: `warp::path(\"v1\").and(api)`",
        Framework::Poem => "put the API under a version: `Route::new().nest(\"/v1\", api)`",
        Framework::Salvo => "put the API under a version: `Router::with_path(\"v1\").push(api)`",
        _ => "put the API under a version: `/v1/…`",
    }
}

fn is_versioned(route: &Route) -> bool {
    // `{version}` stands before what it is the version of; in `/configs/{version}` it is a resource's.
    let leads = |before: &str| before.is_empty() || before.eq_ignore_ascii_case("api") || before.starts_with(['{', ':', '<']);
    let is_versioned = |path: &String| {
        let parts: Vec<&str> = path.split('/').collect();
        let counts = |at: usize| !parts[at].starts_with(['{', ':', '<']) || parts[..at].iter().all(|before| leads(before));
        (0..parts.len()).any(|at| is_version(parts[at]) && counts(at))
    };
    route.paths.iter().any(is_versioned)
}

/// The path of a route that callers program against.
fn business_path<'r>(workspace: &Workspace, route: &'r Route) -> Option<&'r str> {
    let path = route.paths.iter().find(|path| purpose(path) == Purpose::Business)?;
    let page = !route.handlers.is_empty()
        && route.handlers.iter().all(|&handler| {
            workspace.function(handler).returns.as_ref().is_some_and(is_page) || workspace.body(handler).is_some_and(writes_page)
        });
    (!page).then_some(path)
}

/// `Html<String>`, a template, a redirect, a file.
fn is_page(ty: &Type) -> bool {
    let named = ty.name().is_some_and(|name| {
        ["Html", "RawHtml", "Template", "Redirect", "NamedFile", "Markup", "RenderHtml"].contains(&name)
            || name.ends_with("Template")
            || name.ends_with("Page")
    });
    named || ty.arguments.iter().any(is_page)
}

fn writes_page(body: Node<'_>) -> bool {
    body.descendants().any(|node| {
        node.text().is_some_and(|text| text.contains("text/html"))
            || node.path().is_some_and(|path| path.last().is_some_and(|name| matches!(&**name, "Html" | "NamedFile")))
            || matches!(node.method(), Some("render" | "see_other"))
    })
}

/// A version that does not stand in the path.
fn is_versioned_otherwise(served: &Served<'_>) -> bool {
    let in_text = |text: &str| {
        let text = text.to_ascii_lowercase();
        matches!(text.as_str(), "api-version" | "x-api-version" | "accept-version" | "x-version")
            || text.starts_with("application/vnd.") && text.split(['.', '+', ';', '-']).any(is_version)
            // A prefix that is put in front elsewhere.
            || text.len() < 40 && (text.starts_with("/v") || text.starts_with("/api/v")) && text.split('/').any(is_version)
    };
    served.texts(in_text).next().is_some()
}
