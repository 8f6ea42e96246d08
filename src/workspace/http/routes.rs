//! Routes, by the way each framework writes them.

use std::collections::BTreeSet;

use super::routers::{Routers, depends_on, join};
use super::servers::Framework;
use super::{Place, Route, path};
use crate::workspace::Workspace;
use crate::workspace::names::{Definition, FunctionRef};
use crate::workspace::query::{Node, Step};
use crate::workspace::rust::{Attribute, ExprKind, FunctionId};
use rustc_hash::FxHashSet as HashSet;

/// Methods that take a path and a handler.
const ROUTE: &[&str] = &["route", "route_service", "api_route", "api_route_with", "at"];

/// Names in a row that a warp filter is followed through.
const MAX_BINDINGS: usize = 4;
/// A filter that is longer is read no further.
const MAX_PARTS: usize = 2000;

/// Attributes that put a path on a handler, in actix-web, rocket and their kin.
const VERBS: &[&str] = &["get", "post", "put", "patch", "delete", "head", "options", "trace", "connect", "route", "routes"];

/// Every route that ships, in path and source order.
pub(super) fn find(workspace: &Workspace) -> Vec<Route> {
    let routers = Routers::build(workspace);
    let mut finder =
        Finder { workspace, routers: &routers, routes: Vec::new(), calls: HashSet::default(), handlers: BTreeSet::new() };
    for id in 0..routers.all.len() {
        finder.router(id);
    }
    finder.unrouted();
    finder.attributes();
    finder.warp();
    let mut routes = finder.routes;
    routes.sort_by_key(|route| route.at);
    routes.dedup();
    routes
}

struct Finder<'w, 'r> {
    workspace: &'w Workspace,
    routers: &'r Routers,
    routes: Vec<Route>,
    /// Calls that are read already.
    calls: HashSet<Place>,
    /// Handlers whose attributes are read already.
    handlers: BTreeSet<FunctionRef>,
}

impl<'w> Finder<'w, '_> {
    fn router(&mut self, id: usize) {
        let router = &self.routers.all[id];
        let methods: BTreeSet<Place> = router.methods.iter().copied().collect();
        for place in methods {
            let method = self.workspace.node(place);
            self.calls.insert(place);
            let arguments: Vec<Node<'w>> = method.arguments().collect();
            match (method.method().unwrap_or_default(), &arguments[..]) {
                (name, [path, handler]) if ROUTE.contains(&name) => {
                    let is_router = router.framework == Framework::Poem && self.is_router(*handler);
                    if !is_router {
                        let (path, known) = path::text(*path);
                        self.add(id, &path, known, *handler, method);
                    }
                }
                // actix: `.service(handler)`; utoipa: `.routes(routes!(handler))`; several at once in a macro or a tuple.
                ("service" | "routes", [argument]) => self.attributed(id, *argument, method),
                ("register", [argument]) => self.attributed(id, *argument, method),
                // salvo and actix resources: `.get(handler)`, `.route(web::get().to(handler))`, `.to(handler)`.
                (name, [handler]) if self.takes_handlers(id) && (VERBS.contains(&name) || name == "to" || name == "goal") => {
                    self.add(id, "", true, *handler, method);
                }
                _ => {}
            }
        }
        match router.framework {
            Framework::Rocket => self.rocket_list(id),
            Framework::Poem => self.open_api(id),
            _ => {}
        }
    }

    /// actix's resources and salvo's routers carry their path themselves.
    fn takes_handlers(&self, id: usize) -> bool {
        self.routers.all[id].framework == Framework::Salvo || self.made_by(id, "resource") || self.made_by(id, "Resource")
    }

    fn made_by(&self, id: usize, maker: &str) -> bool {
        let start = self.routers.all[id].start.map(|place| self.workspace.node(place));
        start.and_then(Node::path).is_some_and(|path| path.iter().any(|part| &**part == maker))
    }

    fn is_router(&self, node: Node<'w>) -> bool {
        node.descendants().any(|inner| self.routers.all.iter().any(|router| router.start == Some((inner.file, inner.id))))
    }

    fn add(&mut self, router: usize, path: &str, known: bool, handler: Node<'w>, at: Node<'w>) {
        let (prefixes, all) = self.routers.prefixes(router);
        let paths = prefixes.iter().map(|prefix| join(prefix, path)).collect();
        let Handlers { functions: handlers, closures, name: handler_name } = handlers(handler);
        let framework = self.routers.all[router].framework;
        self.push(Route {
            framework,
            paths,
            known: known && all,
            handlers,
            closures,
            handler_name,
            at: at.name_at(),
            function: at.function(),
        });
    }

    fn push(&mut self, route: Route) {
        self.handlers.extend(&route.handlers);
        self.routes.push(route);
    }

    /// Handlers whose attributes say the path.
    fn attributed(&mut self, router: usize, argument: Node<'w>, at: Node<'w>) {
        let (prefixes, all) = self.routers.prefixes(router);
        for node in argument.descendants() {
            let (ExprKind::Path(_), Definition::Function(handler)) = (node.kind(), node.definition()) else { continue };
            for (path, known) in self.paths_of(handler) {
                let paths = prefixes.iter().map(|prefix| join(prefix, &path)).collect();
                let framework = self.routers.all[router].framework;
                let at = at.function();
                self.push(Route {
                    framework,
                    paths,
                    known: known && all,
                    handlers: vec![handler],
                    closures: Vec::new(),
                    handler_name: None,
                    at: self.workspace.function_location(handler),
                    function: at,
                });
            }
        }
    }

    fn rocket_list(&mut self, id: usize) {
        let Some(list) = self.routers.all[id].start.map(|place| self.workspace.node(place)) else { return };
        if matches!(list.kind(), ExprKind::Macro { .. }) {
            for item in list.arguments() {
                self.attributed(id, item, list);
            }
        }
    }

    /// poem-openapi: the methods of the values that `OpenApiService::new` takes.
    fn open_api(&mut self, id: usize) {
        let Some(service) = self.routers.all[id].start.map(|place| self.workspace.node(place)) else { return };
        if !self.made_by(id, "OpenApiService") {
            return;
        }
        let Some(value) = service.arguments().next() else { return };
        let (prefixes, all) = self.routers.prefixes(id);
        let types: BTreeSet<_> = value
            .descendants()
            .chain(value.peel().binding().into_iter().flat_map(Node::descendants))
            .filter_map(|node| match node.ty() {
                Definition::Type(ty) => Some(ty),
                _ => match node.definition() {
                    Definition::Type(ty) => Some(ty),
                    _ => None,
                },
            })
            .collect();
        for (function, item) in self.functions() {
            let Some(owner) = item.owner.as_ref() else { continue };
            let Some(path) = item
                .attributes
                .iter()
                .find(|attribute| is(attribute, "oai"))
                .and_then(|attribute| self.named_path(function, attribute))
            else {
                continue;
            };
            let module = self.workspace.names.modules_of(function.file(), item.module).first().copied();
            let owner = module.map(|module| self.workspace.names.resolve(&self.workspace.rust, module, owner, None));
            if matches!(owner, Some(Definition::Type(ty)) if types.contains(&ty)) {
                let paths = prefixes.iter().map(|prefix| join(prefix, &path)).collect();
                let at = self.workspace.function_location(function);
                self.push(Route {
                    framework: Framework::Poem,
                    paths,
                    known: all,
                    handlers: vec![function],
                    closures: Vec::new(),
                    handler_name: None,
                    at,
                    function: service.function(),
                });
            }
        }
    }

    /// Methods that take a path, on something that no known maker made.
    fn unrouted(&mut self) {
        for name in ROUTE {
            for method in self.workspace.methods(name) {
                let arguments: Vec<Node<'w>> = method.arguments().collect();
                let [first, handler] = arguments[..] else { continue };
                let (path, _) = path::text(first);
                if !path.starts_with('/') || !self.calls.insert((method.file, method.id)) {
                    continue;
                }
                let Some(framework) = framework_of(method) else { continue };
                let Handlers { functions: handlers, closures, name: handler_name } = handlers(handler);
                self.push(Route {
                    framework,
                    paths: vec![path],
                    known: false,
                    handlers,
                    closures,
                    handler_name,
                    at: method.name_at(),
                    function: method.function(),
                });
            }
        }
    }

    /// Handlers that carry a path, wherever they are registered; dropshot's endpoints.
    fn attributes(&mut self) {
        for (function, item) in self.functions() {
            if self.handlers.contains(&function) {
                continue;
            }
            let endpoint = item.attributes.iter().any(|attribute| is(attribute, "endpoint") || is(attribute, "channel"));
            for (path, known) in self.paths_of(function) {
                let framework = if endpoint { Framework::Dropshot } else { framework_of_function(self.workspace, function) };
                let at = self.workspace.function_location(function);
                self.routes.push(Route {
                    framework,
                    paths: vec![path],
                    known: known && endpoint,
                    handlers: vec![function],
                    closures: Vec::new(),
                    handler_name: None,
                    at,
                    function: Some(function),
                });
            }
        }
    }

    fn functions(&self) -> Vec<(FunctionRef, &'w crate::workspace::rust::Function)> {
        let workspace = self.workspace;
        let mut found = Vec::new();
        for (file, facts) in workspace.rust.iter().enumerate() {
            for (index, item) in facts.functions.iter().enumerate() {
                if !item.attributes.is_empty() && !item.test && !facts.generated {
                    found.push((FunctionRef::new(file, FunctionId::new(index)), item));
                }
            }
        }
        found
    }

    /// The paths that a handler's attributes give it.
    fn paths_of(&self, function: FunctionRef) -> Vec<(String, bool)> {
        let item = self.workspace.function(function);
        let mut found = Vec::new();
        for attribute in &item.attributes {
            let Some(name) = attribute.path.last() else { continue };
            if is(attribute, "endpoint") || is(attribute, "channel") || **name == *"path" && attribute.path.len() > 1 {
                found.extend(self.named_path(function, attribute).map(|path| (path, true)));
            } else if VERBS.contains(&&**name) {
                let first = attribute.arguments.iter().map(|&id| Node { workspace: self.workspace, file: function.file(), id });
                let text = first.clone().find_map(|node| match node.kind() {
                    ExprKind::Literal(_) => node.text().map(|text| (text.to_owned(), true)),
                    ExprKind::Macro { .. } => Some(path::text(node)),
                    _ => None,
                });
                // rocket's `?<query>` is no part of the path.
                let clean = |(text, known): (String, bool)| (text.split('?').next().unwrap_or_default().to_owned(), known);
                found.extend(
                    text.map(clean)
                        .or_else(|| self.named_path(function, attribute).map(|path| (path, true)))
                        .filter(|(path, _)| path.is_empty() || path.starts_with('/')),
                );
            }
        }
        found
    }

    /// `path = "/items"` or `uri = "/items"` in an attribute.
    fn named_path(&self, function: FunctionRef, attribute: &Attribute) -> Option<String> {
        attribute.arguments.iter().find_map(|&id| {
            let node = Node { workspace: self.workspace, file: function.file(), id };
            let ExprKind::Assign { left, right } = node.kind() else { return None };
            let is_path = matches!(node.with(*left).variable(), Some("path" | "uri"));
            is_path.then(|| node.with(*right).text().map(str::to_owned)).flatten()
        })
    }

    /// warp spells a path as filters: `warp::path!("v1" / "items" / u64)`, `warp::path("v1").and(warp::path("items"))`.
    fn warp(&mut self) {
        let (mut chains, mut seen) = (BTreeSet::new(), BTreeSet::new());
        for node in self.workspace.named("path") {
            if matches!(node.external(), Some("warp::path" | "warp::filters::path::path" | "warp::path::path")) {
                filters_with(node, &mut chains, &mut seen);
            }
        }
        for place in chains {
            let chain = self.workspace.node(place);
            let mut path = String::new();
            let mut spelled = Vec::new();
            parts(chain, MAX_BINDINGS, &mut spelled);
            for node in spelled {
                if node.path().and_then(<[_]>::last).is_some_and(|name| &**name == "path")
                    && node.external().is_some_and(|path| path.starts_with("warp::"))
                {
                    for part in node.arguments().flat_map(Node::descendants) {
                        match part.kind() {
                            ExprKind::Literal(_) => path.extend(["/", part.text().unwrap_or("{}")]),
                            ExprKind::Path(_) if matches!(node.kind(), ExprKind::Macro { .. }) => path.push_str("/{}"),
                            _ => {}
                        }
                    }
                }
            }
            let Handlers { functions: handlers, closures, name: handler_name } = handlers(chain);
            // A filter that others are put in front of may have a prefix.
            let known = chain
                .method()
                .is_some_and(|name| matches!(name, "and_then" | "map" | "then" | "boxed" | "recover" | "with" | "untuple_one"));
            self.push(Route {
                framework: Framework::Warp,
                paths: vec![path],
                known,
                handlers,
                closures,
                handler_name,
                at: chain.name_at(),
                function: chain.function(),
            });
        }
    }
}

/// The whole filters that a part of one is in: a part that has a name may be in several.
fn filters_with(part: Node<'_>, found: &mut BTreeSet<Place>, seen: &mut BTreeSet<Place>) {
    let goes_on = |call: &Node<'_>| matches!(call.method(), Some("and" | "and_then" | "map" | "then"));
    let mut open = vec![part];
    while let Some(part) = open.pop() {
        let chain = std::iter::successors(Some(part), |node| {
            node.parent().filter(|parent| matches!(parent.kind(), ExprKind::Method { .. }))
        });
        let top = chain.take_while(|node| node.method() != Some("or")).last().unwrap_or(part);
        if !seen.insert((top.file, top.id)) {
            continue;
        }
        let is_named = top.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Let { .. }));
        let steps = if is_named { top.flow_through(&|_| false) } else { Vec::new() };
        let uses = steps.into_iter().filter_map(|(step, _)| match step {
            Step::Method(call) | Step::Argument(call) => Some(call).filter(goes_on),
            _ => None,
        });
        let uses: Vec<Node<'_>> = uses.collect();
        if uses.is_empty() {
            found.insert((top.file, top.id));
        }
        open.extend(uses);
    }
}

/// All of a filter, in order, with what its names were bound to, save alternatives: what stands after these is no one path.
fn parts<'w>(filter: Node<'w>, depth: usize, found: &mut Vec<Node<'w>>) {
    let is_one = |value: &Node<'_>| !value.descendants().any(|node| node.method() == Some("or"));
    for node in filter.descendants() {
        match node.binding().filter(is_one).zip(depth.checked_sub(1)) {
            _ if found.len() >= MAX_PARTS => return,
            Some((value, depth)) => parts(value, depth, found),
            None => found.push(node),
        }
    }
}

fn is(attribute: &Attribute, name: &str) -> bool {
    attribute.path.last().is_some_and(|last| &**last == name)
}

/// What requests are handed to.
#[derive(Default)]
struct Handlers {
    functions: Vec<FunctionRef>,
    closures: Vec<Place>,
    /// Of the last that is neither.
    name: Option<String>,
}

/// What an expression such as `get(list).post(create)` hands requests to.
fn handlers(node: Node<'_>) -> Handlers {
    let mut found = Handlers::default();
    for inner in node.descendants() {
        if matches!(inner.kind(), ExprKind::Closure { .. }) {
            found.closures.push((inner.file, inner.id));
        }
        let is_callee =
            inner.parent().is_some_and(|parent| matches!(parent.kind(), ExprKind::Call { callee, .. } if *callee == inner.id));
        if let (ExprKind::Path(path), false) = (inner.kind(), is_callee) {
            match inner.definition() {
                Definition::Function(function) => found.functions.push(function),
                _ => found.name = path.last().map(ToString::to_string),
            }
        }
    }
    found
}

/// The framework whose routers a package can have, for a method called on something of unknown type.
fn framework_of(node: Node<'_>) -> Option<Framework> {
    [
        ("axum", Framework::Axum),
        ("actix-web", Framework::Actix),
        ("poem", Framework::Poem),
        ("salvo", Framework::Salvo),
        ("tide", Framework::Tide),
        ("ntex", Framework::Ntex),
    ]
    .into_iter()
    .find(|(package, _)| depends_on(node, package))
    .map(|(_, framework)| framework)
}

fn framework_of_function(workspace: &Workspace, function: FunctionRef) -> Framework {
    match workspace.body(function).filter(|body| depends_on(*body, "rocket")) {
        Some(_) => Framework::Rocket,
        None => Framework::Actix,
    }
}
