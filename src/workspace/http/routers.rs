//! Routers and how they stand in each other: nested, merged, handed to helpers and returned from them.

use super::servers::{Framework, parameter, uses_of_parameter};
use super::{Place, path};
use crate::workspace::Workspace;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::{Node, Step};
use crate::workspace::rust::{ExprKind, FunctionId};
use rustc_hash::{FxHashMap as HashMap, FxHashSet as HashSet};

/// A router that is nested in more places is cut off here.
const MAX_PATHS: usize = 16;

/// Calls that make a router, and whether their first argument is its own prefix.
const MAKERS: &[(&str, Framework, bool)] = &[
    ("axum::Router::new", Framework::Axum, false),
    ("axum::Router::default", Framework::Axum, false),
    ("axum::routing::Router::new", Framework::Axum, false),
    ("axum::routing::Router::default", Framework::Axum, false),
    ("utoipa_axum::router::OpenApiRouter::new", Framework::Axum, false),
    ("utoipa_axum::router::OpenApiRouter::default", Framework::Axum, false),
    ("utoipa_axum::router::OpenApiRouter::with_openapi", Framework::Axum, false),
    ("aide::axum::ApiRouter::new", Framework::Axum, false),
    ("aide::axum::ApiRouter::default", Framework::Axum, false),
    ("aide::axum::routing::ApiRouter::new", Framework::Axum, false),
    ("poem::Route::new", Framework::Poem, false),
    ("poem::route::Route::new", Framework::Poem, false),
    ("poem_openapi::OpenApiService::new", Framework::Poem, false),
    ("actix_web::App::new", Framework::Actix, false),
    ("actix_web::web::scope", Framework::Actix, true),
    ("actix_web::web::resource", Framework::Actix, true),
    ("actix_web::Scope::new", Framework::Actix, true),
    ("actix_web::Resource::new", Framework::Actix, true),
    ("actix_web::web::Scope::new", Framework::Actix, true),
    ("actix_web::web::Resource::new", Framework::Actix, true),
    ("salvo::Router::new", Framework::Salvo, false),
    ("salvo::Router::with_path", Framework::Salvo, true),
    ("salvo::prelude::Router::new", Framework::Salvo, false),
    ("salvo::prelude::Router::with_path", Framework::Salvo, true),
    ("salvo::routing::Router::new", Framework::Salvo, false),
    ("salvo::routing::Router::with_path", Framework::Salvo, true),
];

/// Types of parameters that are routers under construction.
const TYPES: &[(&str, Framework)] = &[
    ("axum::Router", Framework::Axum),
    ("axum::routing::Router", Framework::Axum),
    ("utoipa_axum::router::OpenApiRouter", Framework::Axum),
    ("aide::axum::ApiRouter", Framework::Axum),
    ("poem::Route", Framework::Poem),
    ("actix_web::web::ServiceConfig", Framework::Actix),
    ("actix_web::App", Framework::Actix),
    ("actix_web::Scope", Framework::Actix),
    ("actix_web::web::Scope", Framework::Actix),
    ("salvo::Router", Framework::Salvo),
    ("salvo::prelude::Router", Framework::Salvo),
];

/// Methods that take a prefix and a router.
const NEST: &[&str] = &["nest", "nest_service", "nest_api_service", "nest_no_strip", "mount", "at"];
/// Methods that take a router as it is.
const MERGE: &[&str] = &["merge", "push", "service", "fallback_service", "append", "nest_router"];

/// A router under construction.
#[derive(Debug)]
pub(super) struct Router {
    pub framework: Framework,
    /// Where it is made; `None` for a parameter.
    pub start: Option<Place>,
    /// Methods called on it.
    pub methods: Vec<Place>,
    own: (String, bool),
    parents: Vec<(Parent, String, bool)>,
    /// It goes somewhere that cannot be followed.
    escapes: bool,
}

#[derive(Clone, Copy, Debug)]
enum Parent {
    Router(usize),
    /// The router that this method is called on.
    ReceiverOf(Place),
}

#[derive(Debug, Default)]
pub(super) struct Routers {
    pub all: Vec<Router>,
    /// By where they start.
    starts: HashMap<Place, usize>,
    parameters: HashMap<(FunctionRef, usize), usize>,
    /// The router that a method is called on.
    of_method: HashMap<Place, usize>,
}

impl Routers {
    pub fn build(workspace: &Workspace) -> Self {
        let mut routers = Self::default();
        let mut open: Vec<(usize, Node<'_>)> = Vec::new();
        for (maker, framework, prefixed) in MAKERS {
            for node in workspace.calls_to(maker) {
                let own = prefixed.then(|| node.arguments().next().map(path::text)).flatten();
                let id = routers.start((node.file, node.id), *framework, own.unwrap_or((String::new(), true)));
                open.push((id, node));
            }
        }
        // Rocket's lists of routes are its routers.
        let is_list = |node: &Node<'_>| matches!(node.kind(), ExprKind::Macro { .. }) && depends_on(*node, "rocket");
        for node in workspace.named("routes").chain(workspace.named("openapi_get_routes")).filter(is_list) {
            let id = routers.start((node.file, node.id), Framework::Rocket, (String::new(), true));
            open.push((id, node));
        }
        for (file, facts) in workspace.rust.iter().enumerate() {
            for (index, function) in facts.functions.iter().enumerate() {
                let function_ref = FunctionRef::new(file, FunctionId::new(index));
                let Some(body) = workspace.body(function_ref).filter(|body| body.ships()) else { continue };
                for (position, parameter) in function.parameters.iter().enumerate() {
                    let Definition::External(ty) = body.meaning(&parameter.ty) else { continue };
                    let Some((_, framework)) = TYPES.iter().find(|(known, _)| *known == ty) else { continue };
                    let id = routers.parameter(function_ref, position, *framework);
                    open.extend(uses_of_parameter(workspace, function_ref, position).into_iter().map(|node| (id, node)));
                }
            }
        }
        let mut done: HashSet<(usize, Place)> = HashSet::default();
        while let Some((id, node)) = open.pop() {
            if done.insert((id, (node.file, node.id))) {
                routers.follow(workspace, id, node, &mut open);
            }
        }
        routers
    }

    fn start(&mut self, start: Place, framework: Framework, own: (String, bool)) -> usize {
        if let Some(&known) = self.starts.get(&start) {
            return known;
        }
        let id = self.all.len();
        self.all.push(Router { framework, start: Some(start), methods: Vec::new(), own, parents: Vec::new(), escapes: false });
        self.starts.insert(start, id);
        id
    }

    fn parameter(&mut self, function: FunctionRef, position: usize, framework: Framework) -> usize {
        if let Some(&known) = self.parameters.get(&(function, position)) {
            return known;
        }
        let id = self.all.len();
        let own = (String::new(), true);
        self.all.push(Router { framework, start: None, methods: Vec::new(), own, parents: Vec::new(), escapes: false });
        self.parameters.insert((function, position), id);
        id
    }

    fn follow<'w>(&mut self, workspace: &'w Workspace, id: usize, node: Node<'w>, open: &mut Vec<(usize, Node<'w>)>) {
        for step in node.flow() {
            match step {
                Step::Method(method) => {
                    let place = (method.file, method.id);
                    self.all[id].methods.push(place);
                    self.of_method.entry(place).or_insert(id);
                    self.configured(workspace, id, method, open);
                }
                Step::Argument(call) => self.handed_to(workspace, id, node, call, open),
                Step::Returned(function) => {
                    let callers: Vec<Node<'w>> = workspace.graph.callers(workspace, function).collect();
                    self.all[id].escapes |= callers.is_empty();
                    for caller in callers {
                        // A path that names the function: `.configure(routes)`, `.map(routes)`.
                        if !matches!(caller.kind(), ExprKind::Call { .. } | ExprKind::Method { .. }) {
                            continue;
                        }
                        let framework = self.all[id].framework;
                        let next = self.start((caller.file, caller.id), framework, (String::new(), true));
                        self.link(id, Parent::Router(next), String::new(), true);
                        open.push((next, caller));
                    }
                }
                Step::Field(..) => self.all[id].escapes = true,
            }
        }
    }

    /// actix's `.configure(routes)` hands the router on to a function or a closure.
    fn configured<'w>(&mut self, workspace: &'w Workspace, id: usize, method: Node<'w>, open: &mut Vec<(usize, Node<'w>)>) {
        if method.method() != Some("configure") {
            return;
        }
        let Some(argument) = method.arguments().next().map(Node::peel) else { return };
        match argument.kind() {
            ExprKind::Closure { parameters, body, .. } => {
                let Some(name) = parameters.first().and_then(|parameter| parameter.name.as_deref()) else { return };
                let body = argument.with(*body);
                open.extend(body.descendants().filter(|node| node.variable() == Some(name)).map(|node| (id, node)));
            }
            // `routes`, and `routes(state)` that returns such a closure.
            _ => match argument.definition() {
                Definition::Function(function) if matches!(argument.kind(), ExprKind::Path(_)) => {
                    let next = self.parameter(function, 0, self.all[id].framework);
                    self.link(next, Parent::Router(id), String::new(), true);
                    open.extend(uses_of_parameter(workspace, function, 0).into_iter().map(|node| (next, node)));
                }
                Definition::Function(function) => {
                    let Some(body) = workspace.body(function) else { return };
                    for closure in body.descendants() {
                        let ExprKind::Closure { parameters, .. } = closure.kind() else { continue };
                        let Some(name) = parameters.first().and_then(|parameter| parameter.name.as_deref()) else { continue };
                        open.extend(closure.descendants().filter(|node| node.variable() == Some(name)).map(|node| (id, node)));
                    }
                }
                _ => {}
            },
        }
    }

    fn handed_to<'w>(
        &mut self,
        workspace: &'w Workspace,
        id: usize,
        node: Node<'w>,
        call: Node<'w>,
        open: &mut Vec<(usize, Node<'w>)>,
    ) {
        let method = call.method().unwrap_or_default();
        let place = (call.file, call.id);
        let first = call.arguments().next();
        let is_first = first.is_some_and(|first| first.descendants().any(|inner| inner.id == node.id));
        if NEST.contains(&method) && !is_first {
            let (prefix, known) = first.map_or((String::new(), true), path::text);
            return self.link(id, Parent::ReceiverOf(place), prefix, known);
        }
        if MERGE.contains(&method) {
            return self.link(id, Parent::ReceiverOf(place), String::new(), true);
        }
        if let Some((function, position)) = parameter(workspace, call, node) {
            let next = self.parameter(function, position, self.all[id].framework);
            self.link(next, Parent::Router(id), String::new(), true);
            // What the helper returns goes on as the call itself.
            open.extend(uses_of_parameter(workspace, function, position).into_iter().map(|node| (next, node)));
            return;
        }
        // Everything else outside is a server or a wrapper: `axum::serve(listener, app)`, `run(app)`.
        self.all[id].escapes |= match call.kind() {
            ExprKind::Method { .. } => !is_server_method(method),
            ExprKind::Call { .. } => matches!(call.definition(), Definition::Other | Definition::Unknown),
            _ => false,
        };
    }

    fn link(&mut self, child: usize, parent: Parent, prefix: String, known: bool) {
        self.all[child].parents.push((parent, prefix, known));
    }

    /// What stands in front of a router's own paths, one for each place it is used at, and whether all of it is known.
    pub fn prefixes(&self, id: usize) -> (Vec<String>, bool) {
        let mut known = true;
        let mut found = Vec::new();
        self.collect(id, String::new(), &mut Vec::new(), &mut found, &mut known);
        found.sort();
        found.dedup();
        (found, known)
    }

    fn collect(&self, id: usize, below: String, seen: &mut Vec<usize>, found: &mut Vec<String>, known: &mut bool) {
        if seen.contains(&id) || found.len() >= MAX_PATHS {
            return;
        }
        seen.push(id);
        let router = &self.all[id];
        *known &= router.own.1 && !router.escapes;
        let path = join(&router.own.0, &below);
        if router.parents.is_empty() {
            found.push(path.clone());
        }
        for (parent, prefix, all) in &router.parents {
            *known &= all;
            let path = join(prefix, &path);
            match parent {
                Parent::Router(parent) => self.collect(*parent, path, seen, found, known),
                Parent::ReceiverOf(method) => match self.of_method.get(method) {
                    Some(&parent) => self.collect(parent, path, seen, found, known),
                    None => {
                        // `rocket::build().mount("/", routes![…])`: nothing stands around rocket itself.
                        *known &= router.framework == Framework::Rocket;
                        found.push(path);
                    }
                },
            }
        }
        seen.pop();
    }
}

/// Puts two parts of a path together with one `/` between them.
pub(super) fn join(prefix: &str, path: &str) -> String {
    match (prefix.trim_end_matches('/'), path.trim_start_matches('/')) {
        ("", "") => path.to_owned(),
        ("", rest) => format!("/{rest}").replace("//", "/"),
        (prefix, "") => prefix.to_owned(),
        (prefix, rest) => format!("{prefix}/{rest}"),
    }
}

fn is_server_method(name: &str) -> bool {
    name.starts_with("serve")
        || name.starts_with("run")
        || matches!(name, "layer" | "service_fn" | "add_routes" | "oneshot" | "call" | "start" | "spawn")
}

/// Whether a package that compiles this code depends on `package`.
pub(super) fn depends_on(node: Node<'_>, package: &str) -> bool {
    node.crates().any(|krate| node.workspace.packages[node.workspace.names.crates[krate].package].depends_on(package))
}
