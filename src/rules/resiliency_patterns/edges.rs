//! Outbound edges: clients whose answers requests wait for.

use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

use super::client_per_request::is_kept;
use super::grpc;
use super::http_clients;
use super::requests::{handlers, is_probe, reached_from};
use crate::lint::Confidence;
use crate::workspace::names::FunctionRef;
use crate::workspace::query::Node;
use crate::workspace::{Service, Workspace};

/// A client, and the calls that handlers wait for.
pub struct Edge<'w> {
    /// "HTTP client", "gRPC channel".
    pub what: &'static str,
    /// What makes it.
    pub made: Node<'w>,
    /// The first of its calls that a handler comes to.
    pub call: Node<'w>,
    /// Handlers that come to one of them.
    pub handlers: usize,
}

/// The clients of a service that several of its handlers come to: not those for health and metrics, and not those that are made
/// for each request, which keep nothing from one to the next.
pub fn edges<'w>(workspace: &'w Workspace, service: &Service) -> Vec<Edge<'w>> {
    let waiting = OnceCell::new();
    let waiting = || waiting.get_or_init(|| waiting_for(workspace, service));
    let by_type = OnceCell::new();
    let by_type = || by_type.get_or_init(|| http_clients::requests_by_type(workspace)).clone();
    let mut found = Vec::new();
    // What is known by its type alone is of one client, whichever.
    let mut shared = false;
    for made in
        http_clients::MAKERS.iter().flat_map(|maker| workspace.calls_to(maker)).filter(|made| workspace.runs(service, *made))
    {
        let fate = http_clients::fate(made);
        // Middleware of its own stands around it.
        let wrapped = |taker: &Node<'_>| taker.external().is_some_and(|path| path.starts_with("reqwest_middleware"));
        if fate.given.iter().any(wrapped) {
            continue;
        }
        let Some((requests, confidence)) = http_clients::requests(service, fate, &by_type) else { continue };
        if confidence == Confidence::High || !std::mem::replace(&mut shared, true) {
            found.extend(edge("HTTP client", made, requests, waiting()));
        }
    }
    for client in grpc::clients(workspace).into_iter().filter(|client| workspace.runs(service, client.made)) {
        if !client.is_local() && !client.has_own_connector() {
            found.extend(edge("gRPC channel", client.made, client.calls().collect(), waiting()));
        }
    }
    found
}

fn edge<'w>(
    what: &'static str,
    made: Node<'w>,
    calls: Vec<Node<'w>>,
    waiting: &BTreeMap<FunctionRef, BTreeSet<FunctionRef>>,
) -> Option<Edge<'w>> {
    let of = |call: &Node<'w>| waiting.get(&call.function()?);
    let call = calls.iter().copied().find(|call| of(call).is_some())?;
    let handlers: BTreeSet<_> = calls.iter().filter_map(of).flatten().collect();
    let per_request = made.function().is_some_and(|function| waiting.contains_key(&function)) && !is_kept(made);
    if per_request || handlers.len() < 2 {
        return None;
    }
    Some(Edge { what, made, call, handlers: handlers.len() })
}

/// Functions that handlers certainly come to, and which handlers.
fn waiting_for(workspace: &Workspace, service: &Service) -> BTreeMap<FunctionRef, BTreeSet<FunctionRef>> {
    let mut found: BTreeMap<FunctionRef, BTreeSet<FunctionRef>> = BTreeMap::new();
    let Some(served) = workspace.served(service) else { return found };
    for handler in handlers(workspace, &served).filter(|handler| !is_probe(&served, *handler)) {
        for function in reached_from(workspace, service, handler) {
            found.entry(function).or_default().insert(handler);
        }
    }
    found
}
