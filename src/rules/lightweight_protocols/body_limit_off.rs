use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::chosen::is_chosen;
use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Name};
use crate::workspace::{Service, Workspace};

crate::declare_rule! {
    /// A request's body is read into memory without a limit.
    ///
    /// ## Why is this bad?
    /// One caller that sends a large body, or never stops sending, takes the memory of the whole process: it is killed, and with it the
    /// requests of everybody else. Frameworks limit bodies for that reason, until someone switches the limit off.
    ///
    /// ## Example
    /// ```rust
    /// let app = Router::new().route("/v1/orders", post(create)).layer(DefaultBodyLimit::disable());
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let app = Router::new().route("/v1/orders", post(create)).layer(DefaultBodyLimit::max(16 * 1024 * 1024));
    /// ```
    /// warp: `warp::body::content_length_limit(limit)` before `warp::body::json()`. What is larger than memory allows is streamed.
    ///
    /// ## Not reported when
    /// - the service reaches another limit: tower-http's `RequestBodyLimitLayer`, `http_body_util::Limited`, `with_limited_body`;
    /// - the handlers behind it take the body as a stream (`Body`, `Request`, `Multipart`) and do not collect it;
    /// - what is collected is a response, or who knows what;
    /// - a setting decides it;
    /// - no service runs it.
    ///
    /// ## Source
    /// axum-core 0.5 `extract/default_body_limit.rs` (2 MB), axum 0.8 `body/mod.rs` (`to_bytes` takes the limit); hyper 0.14
    /// `body/to_bytes.rs` (its documentation: no length checks); tonic 0.14 `codec/decode.rs` (4 MB); actix-web 4
    /// `types/payload.rs` (256 kB); warp 0.3 `filters/body.rs` (none but `content_length_limit`).
    /// [CWE-770](https://cwe.mitre.org/data/definitions/770.html).
    "body-limit-off", "MSVC304", Practice::LightweightProtocols, Level::Deny, Tier::Default, Check::Service(check)
}

/// Calls that take the limit, which one argument, what they limit.
const LIMITS: &[&str] = &["axum::extract::DefaultBodyLimit::max", "actix_web::web::PayloadConfig::new", "axum::body::to_bytes"];
/// Methods that take the limit, on values of these types.
const METHODS: &[(&str, &[&str])] =
    &[("limit", &["actix_web::web::PayloadConfig", "actix_web::web::JsonConfig", "actix_web::web::FormConfig"])];
/// Other limits.
const RESCUES: &[&str] =
    &["RequestBodyLimitLayer", "RequestBodyLimit", "Limited", "with_limited_body", "into_limited_body", "content_length_limit"];
/// Words in settings by which people choose it.
const WORDS: &[&str] =
    &["limit", "size", "max", "unlimited", "body", "debug", "dev", "development", "env", "environment", "length"];
/// What the fix puts in, axum's own default.
const LIMIT: &str = "2 * 1024 * 1024";

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let mut found: Vec<(Node<'_>, &str, Option<Fix>)> = Vec::new();
    for call in workspace.calls_to("axum::extract::DefaultBodyLimit::disable").filter(|call| !streams(*call)) {
        let fix =
            Fix::unsafe_("limit bodies to 2 MB").replace(call.at(), format!("axum::extract::DefaultBodyLimit::max({LIMIT})"));
        found.push((call, "the limit is switched off", Some(fix)));
    }
    for path in LIMITS {
        for call in workspace.calls_to(path) {
            let body = call.arguments().next().filter(|_| *path == "axum::body::to_bytes");
            if body.is_none_or(is_request_body) && !(path.ends_with("max") && streams(call)) {
                found.extend(unlimited(call, usize::from(body.is_some())));
            }
        }
    }
    for (name, types) in METHODS {
        let on = |call: &Node<'_>| call.receiver().is_some_and(|receiver| types.iter().any(|ty| receiver.is_a(ty)));
        found.extend(workspace.methods(name).filter(on).filter_map(|call| unlimited(call, 0)));
    }
    let is_server = |call: &Node<'_>| {
        let made = call.receiver().into_iter().flat_map(Node::descendants).filter_map(Node::path);
        made.into_iter().flatten().any(|name| name.ends_with("Server"))
    };
    found.extend(workspace.methods("max_decoding_message_size").filter(is_server).filter_map(|call| unlimited(call, 0)));
    for call in workspace.calls_to("hyper::body::to_bytes") {
        if call.arguments().next().is_some_and(is_request_body) {
            found.push((call, "collects all that is sent", None));
        }
    }
    for call in workspace.named_if("collect", |_, outline| outline.names("into_body")) {
        if call.receiver().is_some_and(|body| body.peel().method() == Some("into_body") && is_request_body(body)) {
            found.push((call, "collects all that is sent", None));
        }
    }
    for path in ["warp::body::json", "warp::body::bytes", "warp::body::form", "warp::body::aggregate"] {
        found.extend(workspace.calls_to(path).map(|call| (call, "warp reads as much as is sent", None)));
    }
    found.retain(|(call, ..)| workspace.runs(service, *call) && !is_chosen(*call, WORDS));
    if found.is_empty() || workspace.served(service).is_none_or(|served| RESCUES.iter().any(|name| mentions(&served, name))) {
        return;
    }
    let ingress = workspace.kubernetes.iter().any(|object| object.kind.value == "Ingress");
    for (call, note, fix) in found {
        let mut diagnostic = Diagnostic::new("a request's body is read into memory without a limit", call.name_at(), note)
            .help("set the largest body that these routes need, and stream what is larger")
            .evidence("`RequestBodyLimitLayer`, `Limited` and `with_limited_body` in all that the service reaches")
            .evidence("handlers that take the body as a stream, a setting that decides it");
        diagnostic.fix = fix;
        if ingress {
            diagnostic = diagnostic.confidence(Confidence::Medium).evidence("an Ingress, which may limit what passes through it");
        }
        out.push(diagnostic);
    }
}

fn mentions(served: &crate::workspace::http::Served<'_>, name: &str) -> bool {
    // `Limited::new`, `RequestBodyLimitLayer::new` are known by their last but one name.
    let constructed = || served.names_path(|path| path.iter().any(|part| &**part == name));
    served.mentions(name) || constructed()
}

/// A limit that is the largest number there is.
fn unlimited(call: Node<'_>, argument: usize) -> Option<(Node<'_>, &'static str, Option<Fix>)> {
    let limit = call.arguments().nth(argument)?;
    let value = limit.binding().unwrap_or(limit);
    if matches!(value.kind(), ExprKind::Call { .. } | ExprKind::Method { .. } | ExprKind::Binary { .. }) {
        return None;
    }
    let is_largest = |path: &[Name]| matches!(path, [.., number, max] if &**max == "MAX" && is_number(number));
    value.descendants().filter_map(Node::path).any(is_largest).then(|| {
        let fix = Fix::unsafe_("limit bodies to 2 MB").replace(limit.at(), LIMIT);
        (call, "as much as fits into memory, and more", Some(fix))
    })
}

fn is_number(name: &str) -> bool {
    matches!(name, "usize" | "isize" | "u64" | "i64" | "u32" | "i32")
}

/// Whether this is the body of a request: `request.into_body()`, `body` of `request.into_parts()`, a parameter `body: Body`.
fn is_request_body(node: Node<'_>) -> bool {
    let node = node.peel();
    let is_request = |node: Node<'_>| matches!(node.ty(), Definition::External(path) if path.ends_with("::Request") && !path.starts_with("reqwest::"));
    match node.kind() {
        ExprKind::Method { receiver, name, .. } => {
            matches!(&**name, "into_body" | "body_mut") && is_request(node.with(*receiver))
        }
        ExprKind::Path(path) if path.len() == 1 => {
            if let Some(value) = node.binding() {
                return value.id != node.id && is_request_body(value);
            }
            let body = node.function().and_then(|function| node.workspace.body(function));
            let mut parts = body.into_iter().flat_map(Node::descendants).filter_map(|part| match part.kind() {
                ExprKind::Let { names, value: Some(value), .. } if names.len() == 2 && names[1] == path[0] => {
                    Some(part.with(*value))
                }
                _ => None,
            });
            match parts.next() {
                Some(value) => value.method() == Some("into_parts") && value.receiver().is_some_and(is_request),
                None => is_body_parameter(node, &path[0]),
            }
        }
        _ => false,
    }
}

fn is_body_parameter(node: Node<'_>, name: &str) -> bool {
    let Some(function) = node.function() else { return false };
    let item = node.workspace.function(function);
    // A helper takes bodies of responses, too: only what a handler takes is a request's.
    let is_handler = item.is_async && node.workspace.http.routes.iter().any(|route| route.handlers.contains(&function));
    is_handler
        && item.parameters.iter().any(|parameter| {
            parameter.name.as_deref() == Some(name)
                && matches!(node.meaning(&parameter.ty), Definition::External(path) if path.ends_with("body::Body"))
        })
}

/// Whether all handlers that a layer is put around take the body as a stream, and do not collect it.
fn streams(layer: Node<'_>) -> bool {
    let Some(applied) = layer.parent().filter(|parent| parent.method().is_some()) else { return false };
    let workspace = layer.workspace;
    let mut handlers = applied
        .receiver()
        .into_iter()
        .flat_map(Node::descendants)
        .filter_map(|node| match (node.kind(), node.definition()) {
            (ExprKind::Path(_), Definition::Function(function)) if workspace.function(function).is_async => Some(function),
            _ => None,
        })
        .peekable();
    handlers.peek().is_some()
        && handlers.all(|handler| {
            let item = workspace.function(handler);
            let buffers =
                |name: &str| matches!(name, "Json" | "Bytes" | "String" | "Form" | "RawForm" | "JsonBody" | "TypedMultipart");
            let collects = |node: Node<'_>| matches!(node.last_name(), Some("bytes" | "text" | "to_bytes" | "collect"));
            let types = item.parameters.iter().map(|parameter| &parameter.ty);
            let named = types.flat_map(|ty| std::iter::once(ty).chain(&ty.arguments)).filter_map(|ty| ty.name());
            !named.into_iter().any(buffers)
                && workspace.body(handler).is_some_and(|body| {
                    !body
                        .descendants()
                        .any(|node| matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. }) && collects(node))
                })
        })
}
