//! Paths of routes: their text as far as the code spells it out, what they are for, and whether they carry a version.

use crate::workspace::names::Definition;
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Literal};

/// Constants are followed through at most this many others.
const MAX_DEPTH: usize = 8;

/// What a route is for, by its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Purpose {
    /// What callers come for.
    Business,
    Health,
    Metrics,
    /// API descriptions and their viewers.
    Docs,
    /// Files, favicons, robots.txt, a landing page.
    Static,
    /// Log-in pages, OAuth callbacks, discovery documents: others dictate their paths.
    Auth,
    /// Called by others, who were told this path.
    Webhook,
    /// Profiles, dumps, log levels.
    Debug,
    /// Evolves by its schema.
    GraphQl,
}

const HEALTH: &[&str] = &[
    "health",
    "healthz",
    "healthcheck",
    "health-check",
    "health_check",
    "healthcheckz",
    "live",
    "livez",
    "liveness",
    "alive",
    "ready",
    "readyz",
    "readiness",
    "startup",
    "startupz",
    "ping",
    "status",
    "heartbeat",
    "_health",
    "_status",
    "up",
    "__heartbeat__",
    "__lbheartbeat__",
    "__healthz",
    "actuator",
    "is_alive",
    "isalive",
    "lbheartbeat",
    "server-status",
    "health-status",
    "heart",
];
const METRICS: &[&str] = &["metrics", "metricz", "prometheus", "stats", "telemetry"];
const DOCS: &[&str] = &[
    "docs",
    "doc",
    "api-docs",
    "api-doc",
    "swagger",
    "swagger-ui",
    "swagger_ui",
    "openapi",
    "redoc",
    "rapidoc",
    "scalar",
    "spec",
    "explorer",
];
const STATIC: &[&str] =
    &["static", "assets", "public", "favicon.ico", "robots.txt", "dist", "images", "img", "css", "js", "fonts", "media", "pkg"];
const AUTH: &[&str] =
    &["oauth", "oauth2", "oidc", "saml", ".well-known", "login", "logout", "signin", "signout", "sso", "authorize"];
const DEBUG: &[&str] = &[
    "debug",
    "pprof",
    "profiler",
    "profiling",
    "profile-cpu",
    "loglevel",
    "log-level",
    "log_level",
    "log-filter",
    "log_filter",
    "version",
    "info",
    "build-info",
    "buildinfo",
];

/// What a route of this path is for.
pub fn purpose(path: &str) -> Purpose {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    let segments: Vec<String> = path.split('/').filter(|segment| !segment.is_empty()).map(str::to_ascii_lowercase).collect();
    let Some((last, first)) = segments.last().zip(segments.first()) else { return Purpose::Static };
    let has = |words: &[&str]| segments.iter().any(|segment| words.contains(&segment.as_str()));
    let ends = |words: &[&str]| words.contains(&last.as_str());
    let stem = last.rsplit_once('.').map_or(last.as_str(), |(stem, _)| stem);
    if ends(HEALTH)
        || first == "actuator"
        || last.contains("health")
        || segments.iter().any(|segment| matches!(segment.as_str(), "health" | "healthz" | "healthcheck" | "_health"))
    {
        // `/orders/{id}/status` is the order's.
        let is_of_an_item = segments.len() > 2 && segments[..segments.len() - 1].iter().any(|segment| is_parameter(segment));
        if !is_of_an_item || last.contains("health") {
            return Purpose::Health;
        }
    }
    if ends(METRICS) || first == "metrics" || last.ends_with("_metrics") || last.ends_with("-metrics") {
        Purpose::Metrics
    } else if has(DOCS) || matches!(stem, "openapi" | "swagger") || last.contains("openapi") || last.contains("swagger") {
        Purpose::Docs
    } else if STATIC.contains(&first.as_str())
        || segments.len() == 1 && (is_wildcard(last) || last.contains('.') && !is_parameter(last))
    {
        Purpose::Static
    } else if has(AUTH) || last.contains("callback") {
        Purpose::Auth
    } else if segments.iter().any(|segment| segment.contains("webhook") || segment == "hook" || segment == "hooks") {
        Purpose::Webhook
    } else if DEBUG.contains(&first.as_str())
        && (segments.len() == 1 || matches!(first.as_str(), "debug" | "profiler" | "profiling"))
    {
        Purpose::Debug
    } else if has(&["graphql", "graphiql", "playground"]) {
        Purpose::GraphQl
    } else {
        Purpose::Business
    }
}

/// Whether a path segment is a version: `v1`, `v2beta1`, `v1.2`, `2024-01-01`, `{version}`.
pub fn is_version(segment: &str) -> bool {
    let segment = segment.trim().to_ascii_lowercase();
    if is_parameter(&segment) {
        return segment.contains("version");
    }
    let number = segment.strip_prefix("api-").or(segment.strip_prefix("api_")).unwrap_or(&segment);
    let number = number.strip_prefix("api").unwrap_or(number);
    if let Some(rest) = number.strip_prefix('v').or_else(|| number.strip_prefix("version")) {
        return rest.starts_with(|first: char| first.is_ascii_digit()) && rest.len() <= 10;
    }
    let is_date = |text: &str| {
        text.len() == 10
            && text.bytes().enumerate().all(|(at, byte)| if at == 4 || at == 7 { byte == b'-' } else { byte.is_ascii_digit() })
    };
    is_date(&segment)
}

fn is_parameter(segment: &str) -> bool {
    segment.starts_with(['{', ':', '<'])
}

fn is_wildcard(segment: &str) -> bool {
    segment.starts_with('*')
        || segment.starts_with("{*")
        || segment.contains("..>")
        || segment.contains(":.*")
        || segment.ends_with("*}")
}

/// Text of a path expression, and whether that is all of it: what is computed reads `{}`.
pub fn text(node: Node<'_>) -> (String, bool) {
    text_within(node, MAX_DEPTH).unwrap_or_else(|| ("{}".to_owned(), false))
}

fn text_within(node: Node<'_>, depth: usize) -> Option<(String, bool)> {
    let depth = depth.checked_sub(1)?;
    let node = node.peel();
    match node.kind() {
        ExprKind::Literal(Literal::Str(text)) => Some((text.to_string(), true)),
        ExprKind::Macro { path, .. } => {
            let mut parts: Vec<_> = node
                .arguments()
                .map(|argument| text_within(argument, depth).unwrap_or_else(|| ("{}".to_owned(), false)))
                .collect();
            match path.last().map(|name| &**name) {
                Some("concat" | "concatcp" | "const_concat" | "formatcp")
                    if path.last().is_some_and(|name| &**name != "formatcp") =>
                {
                    let known = parts.iter().all(|(_, known)| *known);
                    Some((parts.into_iter().map(|(text, _)| text).collect(), known))
                }
                Some("format" | "formatcp") if !parts.is_empty() => {
                    let template = parts.remove(0).0;
                    Some(fill(node, &template, &parts, depth))
                }
                _ => None,
            }
        }
        ExprKind::Binary { left, right } => {
            let (left, left_known) = text_within(node.with(*left), depth)?;
            let (right, right_known) = text_within(node.with(*right), depth)?;
            Some((left + &right, left_known && right_known))
        }
        ExprKind::Path(path) => match node.binding() {
            Some(value) => text_within(value, depth),
            None => constant(node, path.last()?, depth),
        },
        ExprKind::Call { .. } => match node.definition() {
            // `String::from("…")`, `Cow::Borrowed("…")`.
            Definition::External(path) if path.ends_with("::from") || path.ends_with("::Borrowed") => {
                text_within(node.arguments().next()?, depth)
            }
            _ => None,
        },
        _ => None,
    }
}

/// Puts the arguments of a `format!` into its template.
fn fill(at: Node<'_>, template: &str, arguments: &[(String, bool)], depth: usize) -> (String, bool) {
    let (mut out, mut known, mut next) = (String::new(), true, arguments.iter());
    let mut rest = template;
    while let Some(open) = rest.find('{') {
        out.push_str(&rest[..open]);
        rest = &rest[open + 1..];
        if let Some(after) = rest.strip_prefix('{') {
            // `{{id}}` is the text `{id}`.
            out.push('{');
            rest = after;
            continue;
        }
        let Some(close) = rest.find('}') else { break };
        let name = rest[..close].split(':').next().unwrap_or_default();
        let value = if name.is_empty() { next.next().cloned() } else { constant(at, name, depth) };
        match value {
            Some((text, all)) => {
                out.push_str(&text);
                known &= all;
            }
            None => {
                out.push_str(&format!("{{{name}}}"));
                known = false;
            }
        }
        rest = &rest[close + 1..];
    }
    out.push_str(rest);
    (out.replace("}}", "}"), known)
}

/// The value of a constant of that name: this file's, else the only one of the workspace.
fn constant(at: Node<'_>, name: &str, depth: usize) -> Option<(String, bool)> {
    let workspace = at.workspace;
    let value = |file: usize| {
        let constant = workspace.rust[file].constants.iter().find(|constant| &*constant.name == name && !constant.test)?;
        Some(Node { workspace, file, id: constant.value? })
    };
    let found = value(at.file).or_else(|| {
        if !name.starts_with(char::is_uppercase) {
            return None;
        }
        let mut all = (0..workspace.rust.len()).filter_map(value);
        let first = all.next()?;
        all.next().is_none().then_some(first)
    })?;
    text_within(found, depth)
}

#[cfg(test)]
mod tests {
    use super::{Purpose, is_version, purpose};

    #[test]
    fn versions_in_segments() {
        for (segment, expected) in [
            ("v1", true),
            ("V2", true),
            ("v1beta1", true),
            ("v1.2", true),
            ("api-v3", true),
            ("2024-01-01", true),
            ("{version}", true),
            (":api_version", true),
            ("verify", false),
            ("vehicles", false),
            ("v", false),
            ("{id}", false),
            ("20240101", false),
        ] {
            assert_eq!(is_version(segment), expected, "{segment}");
        }
    }

    #[test]
    fn purposes_of_paths() {
        for (path, expected) in [
            ("/orders/{id}", Purpose::Business),
            ("/orders/{id}/status", Purpose::Business),
            ("/health", Purpose::Health),
            ("/api/health_check", Purpose::Health),
            ("/livez", Purpose::Health),
            ("/metrics", Purpose::Metrics),
            ("/autoscaling_metrics", Purpose::Metrics),
            ("/api-docs/openapi.json", Purpose::Docs),
            ("/swagger-ui/{_:.*}", Purpose::Docs),
            ("/", Purpose::Static),
            ("", Purpose::Static),
            ("/static/{*path}", Purpose::Static),
            ("/favicon.ico", Purpose::Static),
            ("/{*path}", Purpose::Static),
            ("/auth/google/callback", Purpose::Auth),
            ("/.well-known/jwks.json", Purpose::Auth),
            ("/webhooks/stripe", Purpose::Webhook),
            ("/debug/pprof/heap", Purpose::Debug),
            ("/graphql", Purpose::GraphQl),
        ] {
            assert_eq!(purpose(path), expected, "{path}");
        }
    }
}
