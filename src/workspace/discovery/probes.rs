//! Routes that answer "are you well?", and metrics.

use crate::workspace::query::Node;
use crate::workspace::reach::Reach;
use crate::workspace::rust::{ExprKind, Literal};
use crate::workspace::service::Found;
use crate::workspace::{Location, Workspace};

/// Methods whose first argument is a path that they route.
const ROUTERS: &[&str] = &["route", "at", "path", "push", "get", "nest", "scope"];

/// Functions and macros likewise.
const ROUTES: &[&str] = &["resource", "path", "with_path", "get", "scope"];

/// Last segments of paths, best first.
const LIVENESS: &[&str] =
    &["livez", "live", "liveness", "alive", "healthz", "health", "healthcheck", "ping", "status", "heartbeat"];
const READINESS: &[&str] = &["readyz", "ready", "readiness", "healthz", "health", "healthcheck", "ping", "status", "heartbeat"];
const STARTUP: &[&str] = &["startupz", "startup", "started"];
const METRICS: &[&str] = &["metrics", "prometheus"];

const LISTS: [&[&str]; 4] = [LIVENESS, READINESS, STARTUP, METRICS];

/// Paths of a binary's probes.
#[derive(Debug, Default)]
pub struct Probes {
    pub liveness: Option<Found<String>>,
    pub readiness: Option<Found<String>>,
    pub startup: Option<Found<String>>,
    pub metrics: Option<Found<String>>,
}

pub fn probes(workspace: &Workspace, reached: &Reach) -> Probes {
    let mut paths: Vec<Found<String>> = Vec::new();
    for &function in reached.functions() {
        let may_be = |path: &str| LISTS.iter().any(|names| names.contains(&&*last_segment(path)));
        if let Some(body) = workspace.body_saying(function, may_be) {
            paths.extend(body.descendants().filter_map(routed));
        }
        // `#[get("/health")]`: actix and rocket route by attribute, and hand the function on by its name.
        let facts = &workspace.rust[function.file()];
        for attribute in &workspace.function(function).attributes {
            let first = attribute.arguments.first().map(|id| &facts.expr(*id).kind);
            let method = attribute.path.last().is_some_and(|name| matches!(&**name, "get" | "head" | "route" | "handler"));
            if let (true, Some(ExprKind::Literal(Literal::Str(path)))) = (method, first) {
                paths.push(Found { value: path.to_string(), at: facts.location(attribute.span) });
            }
        }
    }
    // A path with a parameter asks about something else.
    paths.retain(|path| !path.value.contains([':', '{', '<', '*']));
    let pick = |names: &[&str]| {
        names
            .iter()
            .find_map(|name| paths.iter().find(|path| last_segment(&path.value) == *name))
            .map(|found| Found { value: format!("/{}", found.value.trim_start_matches('/')), at: found.at })
    };
    Probes { liveness: pick(LIVENESS), readiness: pick(READINESS), startup: pick(STARTUP), metrics: pick(METRICS) }
}

/// The path that a call, method or macro routes.
fn routed(node: Node<'_>) -> Option<Found<String>> {
    let name = match node.kind() {
        ExprKind::Method { name, .. } if ROUTERS.contains(&&**name) => name,
        ExprKind::Call { .. } | ExprKind::Macro { .. } => {
            let name = node.path()?.last()?;
            ROUTES.contains(&&**name).then_some(name)?
        }
        _ => return None,
    };
    let argument = node.arguments().next()?;
    let path = argument.text()?;
    // `client.get("https://…/health")` and `map.get("status")` route nothing.
    let routes = match &**name {
        "get" | "nest" | "scope" => path.starts_with('/'),
        _ => !path.contains("://"),
    };
    let at: Location = argument.at();
    routes.then(|| Found { value: path.to_owned(), at })
}

/// `health` of `/api/_health-check/`: without the signs around and inside it.
fn last_segment(path: &str) -> String {
    let last = path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    last.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use super::last_segment;

    #[test]
    fn segments() {
        for (path, last) in
            [("/livez", "livez"), ("/api/health_check", "healthcheck"), ("/_health/", "health"), ("ping", "ping"), ("/", "")]
        {
            assert_eq!(last_segment(path), last, "{path}");
        }
    }
}
