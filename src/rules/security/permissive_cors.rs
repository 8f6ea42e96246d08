use super::origin::matched;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::chosen::is_chosen;
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal, Outline, Segments};

crate::declare_rule! {
    /// Any website may send requests with its visitors' credentials and read the answers.
    ///
    /// ## Why is this bad?
    /// Browsers keep one site from reading another's data. A server that answers every `Origin` with itself and allows credentials
    /// switches that off: a page that a signed-in user opens elsewhere can call this API with the user's cookies or client certificate,
    /// and read what comes back.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", get(list)).layer(CorsLayer::very_permissive());
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let cors = CorsLayer::new().allow_origin(config.allowed_origins).allow_credentials(true);
    /// ```
    /// with the list of origins in the configuration; or no credentials at all: `CorsLayer::permissive()`.
    ///
    /// ## Not reported when
    /// - credentials are not allowed: browsers then send none, and a public API may answer any site (`CorsLayer::permissive()`,
    ///   `allow_origin(Any)`, `allow_any_origin()`);
    /// - origins come from a list, a setting or a function that looks at them, also where the headers are set by hand;
    /// - a setting decides whether it is applied, or `cfg!(debug_assertions)`;
    /// - no service runs it.
    ///
    /// tower-http's `allow_origin(Any)` with credentials is not this fault: it panics when the service starts.
    ///
    /// ## Source
    /// tower-http 0.7 `cors/mod.rs` (`very_permissive`, and `ensure_usable_cors_rules`, which refuses wildcards with credentials);
    /// actix-cors 0.7 `builder.rs` (`permissive`: any origin, with credentials); warp 0.3
    /// `filters/cors.rs` (answers with the request's origin);
    /// [poem `Cors`](https://docs.rs/poem/latest/poem/middleware/struct.Cors.html): "Default is allow any origin"; [Fetch standard: CORS protocol and
    /// credentials](https://fetch.spec.whatwg.org/#cors-protocol-and-credentials); [CWE-942](https://cwe.mitre.org/data/definitions/942.html).
    "permissive-cors", "MSVC702", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Calls that allow every origin, with credentials.
const PERMISSIVE: &[&str] = &[
    "tower_http::cors::CorsLayer::very_permissive",
    "tower_http::cors::Cors::very_permissive",
    "actix_cors::Cors::permissive",
    "salvo::cors::Cors::very_permissive",
    "salvo_cors::Cors::very_permissive",
];
/// Calls that make a policy which methods then widen.
const MAKERS: &[&str] = &[
    "tower_http::cors::CorsLayer::new",
    "tower_http::cors::CorsLayer::permissive",
    "tower_http::cors::CorsLayer::default",
    "actix_cors::Cors::default",
    "warp::cors",
    "warp::filters::cors::cors",
    "poem::middleware::Cors::new",
];
/// Methods that put a header into an answer.
const SETTERS: &[&str] = &["insert", "append", "insert_header", "append_header", "header", "set_header"];
/// Words in settings by which people choose it.
const WORDS: &[&str] = &[
    "cors",
    "permissive",
    "origin",
    "origins",
    "allow",
    "debug",
    "dev",
    "development",
    "local",
    "insecure",
    "test",
    "environment",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for path in PERMISSIVE {
        for call in workspace.calls_to(path) {
            report(call, "every origin, with credentials", None, WORDS, out);
        }
    }
    for call in MAKERS.iter().flat_map(|path| workspace.calls_to(path)) {
        let methods = call.fate(&|_| true).methods;
        let credentials = methods.iter().find(|method| match method.method() {
            Some("allow_credentials") => method.arguments().next().is_some_and(is_true),
            Some("supports_credentials") => true,
            _ => false,
        });
        let origins = methods.iter().copied().find(|method| allows_all(*method)).or_else(|| {
            // poem's policy answers every origin as long as it is told none.
            let is_told = methods.iter().any(|method| method.method().is_some_and(|name| name.starts_with("allow_origin")));
            Some(call).filter(|call| !is_told && call.external().is_some_and(|path| path.starts_with("poem::")))
        });
        let (Some(credentials), Some(origins)) = (credentials, origins) else { continue };
        report(origins, "every origin", Some(*credentials), WORDS, out);
    }
    by_hand(workspace, out);
}

/// `headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin)` with the origin that asked, where the same function allows credentials.
fn by_hand(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let named = |node: Node<'_>, header: &str| {
        let name = node.text().or_else(|| Some(&**node.path()?.last()?));
        name.is_some_and(|name| name.to_ascii_lowercase().replace('_', "-") == header)
    };
    let sets = |call: Node<'_>, header: &str| {
        let is_setter = call.method().is_some_and(|name| SETTERS.contains(&name)) && call.arguments().count() == 2;
        let key = call.arguments().next().filter(|_| is_setter);
        key.is_some_and(|key| named(key, header))
    };
    // `insert` stands everywhere: only where the header is named may it set one.
    let names_it = |path: &Segments| path.last().is_some_and(|name| &**name == "ACCESS_CONTROL_ALLOW_ORIGIN");
    let may = |_, outline: &Outline| outline.paths.iter().any(names_it);
    let by_constant = SETTERS.iter().flat_map(|name| workspace.named_if(name, may));
    let by_text = workspace.texts(|text| text.eq_ignore_ascii_case("access-control-allow-origin")).filter_map(Node::parent);
    for call in by_constant.chain(by_text).filter(|call| sets(*call, "access-control-allow-origin")) {
        let value = call.arguments().nth(1).map(Node::peel);
        let Some(asked) = value
            .and_then(|value| taken_from(value, 4))
            .filter(|asked| asked.method() == Some("get") && asked.arguments().next().is_some_and(|key| named(key, "origin")))
        else {
            continue;
        };
        let body = call.function().and_then(|function| workspace.body(function));
        let Some(body) = body.filter(|body| !is_looked_at(*body, asked, call)) else { continue };
        let credentials = body.descendants().find(|node| sets(*node, "access-control-allow-credentials"));
        if let Some(credentials) = credentials {
            report(call, "the origin that asked", Some(credentials), &WORDS[3..], out);
        }
    }
}

/// What a name stands for, also one that `if let Some(name) = value` binds.
fn taken_from(value: Node<'_>, depth: usize) -> Option<Node<'_>> {
    let Some(name) = value.variable() else { return Some(value) };
    let bound = value.binding().or_else(|| matched(value, name))?;
    taken_from(bound.peel(), depth.checked_sub(1)?)
}

/// Whether anything but the answer takes the origin: a list that is asked, a comparison, a filter.
fn is_looked_at(body: Node<'_>, asked: Node<'_>, answer: Node<'_>) -> bool {
    let chain = asked.ancestors().take_while(|node| !matches!(node.kind(), ExprKind::Let { .. } | ExprKind::Block(_)));
    let mut names = Vec::new();
    for node in body.descendants() {
        if let ExprKind::Let { names: bound, value: Some(value), .. } = node.kind() {
            let value = node.with(*value);
            if value.descendants().any(|part| part.id == asked.id || part.variable().is_some_and(|name| names.contains(&name))) {
                names.extend(bound.iter().map(|name| &**name));
            }
        }
    }
    let takes = |node: Node<'_>| {
        let own = node.id == answer.id;
        let is_taker = matches!(
            node.kind(),
            ExprKind::Call { .. } | ExprKind::Method { .. } | ExprKind::Binary { .. } | ExprKind::Macro { .. }
        );
        let parts: Vec<Node<'_>> = match node.kind() {
            ExprKind::Binary { .. } => node.children().collect(),
            _ => node.arguments().collect(),
        };
        !own && is_taker && parts.iter().any(|part| part.peel().variable().is_some_and(|name| names.contains(&name)))
    };
    chain.into_iter().any(|node| matches!(node.method(), Some("filter" | "is_some_and" | "and_then")))
        || body.descendants().any(takes)
}

fn report(call: Node<'_>, note: &str, credentials: Option<Node<'_>>, words: &[&str], out: &mut Vec<Diagnostic>) {
    let Some(service) = call.workspace.run_by(call) else { return };
    if is_chosen(call, words) || credentials.is_some_and(|credentials| is_chosen(credentials, words)) {
        return;
    }
    let mut diagnostic = Diagnostic::new("any website may use its visitors' credentials here", call.name_at(), note)
        .help("allow the origins that need it, from the configuration; or allow every origin without credentials")
        .evidence("a list of origins, a function that looks at them, a setting that decides it")
        .service(&service.name);
    if let Some(credentials) = credentials {
        diagnostic = diagnostic.related(credentials.name_at(), "credentials are allowed here");
    }
    out.push(diagnostic);
}

/// Whether a method of a policy lets every origin in, by answering with what the request says.
fn allows_all(method: Node<'_>) -> bool {
    let argument = method.arguments().next().map(|argument| argument.binding().unwrap_or(argument));
    match method.method() {
        Some("allow_any_origin") => true,
        Some("allow_origin") => argument.is_some_and(|argument| match argument.external() {
            Some("tower_http::cors::AllowOrigin::mirror_request") => true,
            Some("tower_http::cors::AllowOrigin::predicate") => argument.arguments().next().is_some_and(says_yes),
            _ => false,
        }),
        Some("allow_origin_regex") => argument.and_then(Node::text).is_some_and(|regex| matches!(regex, ".*" | "*" | "^.*$")),
        Some("allowed_origin_fn" | "allow_origins_fn") => argument.is_some_and(says_yes),
        _ => false,
    }
}

/// `|_, _| true`
fn says_yes(closure: Node<'_>) -> bool {
    match closure.kind() {
        ExprKind::Closure { body, .. } => match closure.with(*body).kind() {
            ExprKind::Block(statements) => matches!(&statements[..], [only] if is_true(closure.with(*only))),
            _ => is_true(closure.with(*body)),
        },
        _ => false,
    }
}

fn is_true(node: Node<'_>) -> bool {
    matches!(node.kind(), ExprKind::Literal(Literal::Bool(true)))
}
