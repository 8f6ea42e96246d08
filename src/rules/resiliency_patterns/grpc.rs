//! gRPC clients of tonic: where they are made, and the calls that are made with them.

use crate::rules::time_limit::{is_bounded, names_limit};
use crate::rules::values::{names_this_machine, unwrapped};
use crate::workspace::Workspace;
use crate::workspace::names::Definition;
use crate::workspace::query::{Node, hands_on};
use crate::workspace::rust::ExprKind;

/// What makes an endpoint (tonic 0.5 to 0.14 `transport/channel/{mod,endpoint}.rs`), and whether it may fail.
const MAKERS: &[(&str, bool)] = &[
    ("tonic::transport::Endpoint::new", true),
    ("tonic::transport::Endpoint::from_static", false),
    ("tonic::transport::Endpoint::from_shared", true),
    ("tonic::transport::Endpoint::from_str", true),
    ("tonic::transport::Endpoint::try_from", true),
    ("tonic::transport::Endpoint::from", false),
    ("tonic::transport::Channel::builder", false),
    ("tonic::transport::Channel::from_static", false),
    ("tonic::transport::Channel::from_shared", true),
    ("tonic::transport::channel::Endpoint::new", true),
    ("tonic::transport::channel::Endpoint::from_static", false),
    ("tonic::transport::channel::Endpoint::from_shared", true),
    ("tonic::transport::channel::Channel::builder", false),
    ("tonic::transport::channel::Channel::from_static", false),
    ("tonic::transport::channel::Channel::from_shared", true),
];

/// Methods of an endpoint or a client that give it back changed, and those that connect it.
pub const SETUP: &[&str] = &[
    "connect",
    "connect_lazy",
    "user_agent",
    "origin",
    "timeout",
    "connect_timeout",
    "tcp_keepalive",
    "tcp_nodelay",
    "concurrency_limit",
    "rate_limit",
    "initial_stream_window_size",
    "initial_connection_window_size",
    "buffer_size",
    "tls_config",
    "http2_keep_alive_interval",
    "keep_alive_timeout",
    "keep_alive_while_idle",
    "http2_adaptive_window",
    "http2_max_header_list_size",
    "executor",
    "send_compressed",
    "accept_compressed",
    "max_decoding_message_size",
    "max_encoding_message_size",
    "unwrap_or_else",
    "ok_or_else",
    "lock",
    "get_mut",
    "collect",
    "into_iter",
];

/// What waits for the futures that it is given.
const AWAITS: &[&str] = &["timeout", "timeout_at", "join", "try_join", "select"];

/// A client, as far as it could be followed.
pub struct Client<'w> {
    /// The call that makes it, or its endpoint.
    pub made: Node<'w>,
    /// What an endpoint's own methods may be called on, where there is an endpoint to speak of.
    pub endpoint: Option<Node<'w>>,
    /// Methods called on the endpoint, the channel and the client.
    pub methods: Vec<Node<'w>>,
    /// What the endpoint, the channel or the client is handed to.
    pub given: Vec<Node<'w>>,
}

/// Clients of all services, in the order of what makes them.
pub fn clients(workspace: &Workspace) -> Vec<Client<'_>> {
    let mut found = Vec::new();
    for &(maker, fails) in MAKERS {
        for call in workspace.calls_to(maker) {
            let endpoint = if fails { unwrapped(call) } else { Some(call) };
            found.push(follow(call, endpoint));
        }
    }
    let connects = workspace.named("connect").filter(|call| is_generated_connect(*call));
    found.extend(connects.map(|call| follow(call, None)));
    found
}

fn follow<'w>(made: Node<'w>, endpoint: Option<Node<'w>>) -> Client<'w> {
    let fate = made.fate(&|name| SETUP.contains(&name));
    Client { made, endpoint, methods: fate.methods, given: fate.given }
}

/// `OrdersClient::connect(address)` of code that tonic-build made, whose endpoint nobody else sees.
fn is_generated_connect(call: Node<'_>) -> bool {
    let ExprKind::Call { .. } = call.kind() else { return false };
    let Some([.., base, _]) = call.path() else { return false };
    let Some(argument) = call.arguments().next() else { return false };
    if !base.ends_with("Client") || call.arguments().count() != 1 || is_endpoint(argument) {
        return false;
    }
    match call.definition() {
        Definition::Unknown => uses_tonic(call),
        Definition::Function(function) => call.workspace.rust[function.file()].generated && uses_tonic(call),
        _ => false,
    }
}

/// An endpoint is followed from where it is made.
fn is_endpoint(argument: Node<'_>) -> bool {
    let is_made = |node: Node<'_>| node.external().is_some_and(|path| MAKERS.iter().any(|(maker, _)| *maker == path));
    let value = argument.peel();
    let value = value.binding().unwrap_or(value);
    let typed = matches!(value.ty(), Definition::External(path) if path.ends_with("::Endpoint"));
    let is_parsed = value.descendants().any(|node| node.method() == Some("parse"));
    value.descendants().any(is_made) || (typed && !is_parsed)
}

fn uses_tonic(node: Node<'_>) -> bool {
    let names = &node.workspace.names;
    node.crates().any(|krate| {
        let reached = names.reach(krate);
        reached.into_iter().any(|krate| node.workspace.packages[names.crates[krate].package].depends_on("tonic"))
    })
}

impl<'w> Client<'w> {
    /// Whether the endpoint, or something around the channel, limits every call.
    pub fn has_timeout(&self) -> bool {
        let wraps = |taker: &Node<'w>| {
            let named = |node: Node<'_>| {
                node.last_name().is_some_and(names_limit)
                    || node.path().is_some_and(|path| path.iter().any(|name| names_limit(name)))
            };
            named(*taker)
                || taker.receiver().is_some_and(|stack| {
                    stack
                        .descendants()
                        .any(|node| named(node) || node.binding().is_some_and(|value| value.descendants().any(named)))
                })
                || taker.arguments().any(sets_deadline)
        };
        // `Endpoint::new(address).map(|endpoint| endpoint.timeout(limit))`
        let chain = self.made.ancestors().take_while(|node| matches!(node.kind(), ExprKind::Method { .. } | ExprKind::Try(_)));
        let mapped = chain.filter(|node| matches!(node.method(), Some("map" | "and_then" | "map_ok"))).flat_map(Node::arguments);
        let mut inside = mapped.flat_map(Node::descendants);
        self.methods.iter().any(|method| method.method().is_some_and(names_limit))
            || self.given.iter().any(wraps)
            || inside.any(|node| node.method().is_some_and(names_limit))
    }

    /// Whether its address is this machine: a side process, or one that the program itself started.
    pub fn is_local(&self) -> bool {
        let given = self.made.arguments();
        let values = given.flat_map(|argument| [Some(argument), argument.peel().binding()]).flatten();
        values.flat_map(Node::descendants).any(|node| node.text().is_some_and(names_this_machine))
    }

    /// A connector of one's own may do what the endpoint does not.
    pub fn has_own_connector(&self) -> bool {
        self.methods.iter().any(|method| method.method().is_some_and(|name| name.starts_with("connect_with_connector")))
    }

    /// Calls made with the client: methods of it that are awaited, also in a timeout or beside others.
    pub fn calls(&self) -> impl Iterator<Item = Node<'w>> {
        let awaited = |call: &Node<'w>| {
            let parent = call.parent();
            let is_setup = call.method().is_none_or(|name| SETUP.contains(&name) || hands_on(name) || name == "ready");
            let awaited = parent.is_some_and(|parent| match parent.kind() {
                ExprKind::Await(_) | ExprKind::Method { .. } => true,
                ExprKind::Call { .. } | ExprKind::Macro { .. } => parent.last_name().is_some_and(|name| AWAITS.contains(&name)),
                _ => false,
            });
            !is_setup && awaited && call.arguments().count() == 1
        };
        self.methods.iter().copied().filter(awaited)
    }
}

/// Whether this call has a deadline of its own, or one around it.
pub fn call_is_bounded(call: Node<'_>) -> bool {
    let body = call.function().and_then(|function| call.workspace.body(function));
    is_bounded(call) || body.is_some_and(sets_deadline)
}

/// `request.set_timeout(limit)`, or the metadata that it sets; in the function named here, too.
fn sets_deadline(node: Node<'_>) -> bool {
    let sets = |node: Node<'_>| node.method() == Some("set_timeout") || node.text() == Some("grpc-timeout");
    let called = match node.definition() {
        Definition::Function(function) => node.workspace.body(function),
        _ => None,
    };
    std::iter::once(node).chain(called).any(|node| node.descendants().any(sets))
}
