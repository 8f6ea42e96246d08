//! What a workspace serves: servers and how they end, routes and what stands in front of their paths.
//!
//! Built once after load, by location and function; [`Http::of`] narrows it to what one binary can reach.

mod path;
mod routers;
mod routes;
mod servers;
mod side;

use super::names::{FunctionRef, RustIndex};
use super::query::Node;
use super::reach::Reach;
use super::rust::{ExprId, Name, Type};
use super::{Location, Service, Workspace};

pub use path::{Purpose, is_version, purpose};
pub use servers::{Framework, Shutdown};

/// An expression, without the workspace it belongs to.
pub type Place = (RustIndex, ExprId);

/// Servers and routes of every crate that ships.
#[derive(Debug, Default)]
pub struct Http {
    /// In path and source order.
    pub servers: Vec<Server>,
    /// In path and source order.
    pub routes: Vec<Route>,
}

/// A place where a server is started.
#[derive(Clone, Debug)]
pub struct Server {
    pub framework: Framework,
    /// The call that makes it: `axum::serve`, `HttpServer::new`.
    pub place: Place,
    /// The name to point at.
    pub at: Location,
    pub shutdown: Shutdown,
    /// Methods called on it, in the order found.
    pub methods: Vec<Place>,
    /// The function that starts it.
    pub function: Option<FunctionRef>,
}

/// A path that a router answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Route {
    pub framework: Framework,
    /// From the root of the server, one for each place it is nested at; parameters as written.
    pub paths: Vec<String>,
    /// Whether `paths` is all of it: no part is computed, and every router it passes through was followed.
    pub known: bool,
    pub handlers: Vec<FunctionRef>,
    /// Closures among the handlers.
    pub closures: Vec<Place>,
    /// The handler's name, where it is no function of the workspace.
    pub handler_name: Option<String>,
    pub at: Location,
    pub function: Option<FunctionRef>,
}

/// What one binary serves.
pub struct Served<'w> {
    pub workspace: &'w Workspace,
    pub reach: &'w Reach,
    pub servers: Vec<&'w Server>,
    pub routes: Vec<&'w Route>,
}

impl Http {
    /// Needs everything else of the workspace to be there.
    pub fn build(workspace: &Workspace) -> Self {
        let servers = servers::find(workspace);
        let routes = if servers.is_empty() { Vec::new() } else { routes::find(workspace) };
        Self { servers, routes }
    }
}

impl Workspace {
    /// What a service serves; `None` for a binary that is not there.
    pub fn served(&self, service: &Service) -> Option<Served<'_>> {
        let reach = self.reach.get(&self.binary(service)?)?;
        let within = |function: Option<FunctionRef>| function.is_some_and(|function| reach.contains(function));
        let servers = self.http.servers.iter().filter(|server| within(server.function)).collect();
        let routes = self.http.routes.iter().filter(|route| within(route.function)).collect();
        Some(Served { workspace: self, reach, servers, routes })
    }

    pub fn node(&self, (file, id): Place) -> Node<'_> {
        Node { workspace: self, file, id }
    }
}

impl<'w> Served<'w> {
    /// The servers that callers come for: not those beside them for metrics, health and administration.
    pub fn traffic(&self) -> Vec<&'w Server> {
        let answering = self.servers.iter().filter(|server| !side::is_for_nobody(self.workspace, server));
        let (mut main, side): (Vec<&'w Server>, Vec<_>) = answering.partition(|server| !side::is_side(self.workspace, server));
        // A worker with nothing but probes and metrics serves no callers, whatever its functions are called.
        let operational =
            |route: &&Route| route.paths.iter().all(|path| !matches!(purpose(path), Purpose::Business | Purpose::GraphQl));
        let all_operational = self.routes.iter().all(operational);
        if !main.is_empty() {
            let is_probe = |path: &String| matches!(purpose(path), Purpose::Health | Purpose::Metrics | Purpose::Debug);
            let only_probes =
                !self.routes.is_empty() && self.routes.iter().all(|route| route.known && route.paths.iter().all(is_probe));
            main.retain(|server| server.framework == Framework::Tonic || !only_probes);
            return main;
        }
        if all_operational { Vec::new() } else { side }
    }

    /// Whether all handlers of a route open a stream that stays open on purpose: a WebSocket, server-sent events.
    pub fn opens_streams(&self, route: &Route) -> bool {
        let is_stream = |ty: &Type| {
            ty.name().is_some_and(|name| name.starts_with("WebSocket") || name.contains("Sse") || name.contains("EventStream"))
        };
        let opens = |handler: &FunctionRef| {
            let item = self.workspace.function(*handler);
            let returned = item.returns.iter().flat_map(|ty| std::iter::once(ty).chain(&ty.arguments));
            item.parameters.iter().map(|parameter| &parameter.ty).chain(returned).any(is_stream)
        };
        !route.handlers.is_empty() && route.handlers.iter().all(opens)
    }

    /// Whether something that the binary reaches is called `name`, or is a path that ends so.
    pub fn mentions(&self, name: &str) -> bool {
        let says = |&function: &FunctionRef| self.workspace.outline(function).is_some_and(|outline| outline.names(name));
        self.reach.functions().iter().any(says) || self.named(name).next().is_some()
    }

    /// String literals in the functions that the binary reaches, those that `worth` says yes to.
    pub fn texts<'a>(&'a self, worth: impl Fn(&str) -> bool + 'a) -> impl Iterator<Item = Node<'w>> + 'a {
        self.reach.functions().iter().flat_map(move |&function| {
            let body = self.workspace.body_saying(function, &worth);
            let found = body.into_iter().flat_map(Node::descendants).filter(|node| node.text().is_some_and(&worth));
            found.collect::<Vec<_>>()
        })
    }

    /// Whether a path in the functions that the binary reaches is one that `is_it` says yes to, as written.
    pub fn names_path(&self, is_it: impl Fn(&[Name]) -> bool) -> bool {
        self.reach.functions().iter().any(|&function| match self.workspace.outline(function) {
            Some(outline) => outline.paths.iter().any(|path| is_it(path)),
            None => {
                let body = self.workspace.body(function);
                body.into_iter().flat_map(Node::descendants).any(|node| node.path().is_some_and(&is_it))
            }
        })
    }

    /// Reached calls of what stands outside the workspace at `path`.
    pub fn calls_to(&self, path: &'static str) -> impl Iterator<Item = Node<'w>> {
        let reach = self.reach;
        self.workspace.calls_to(path).filter(move |node| node.function().is_some_and(|function| reach.contains(function)))
    }

    /// Reached calls, macros, methods and struct literals by the last segment of their name.
    pub fn named(&self, name: &str) -> impl Iterator<Item = Node<'w>> {
        let reach = self.reach;
        let found = self.workspace.named_if(name, |function, _| reach.contains(function));
        found.filter(move |node| node.function().is_some_and(|function| reach.contains(function)))
    }
}
