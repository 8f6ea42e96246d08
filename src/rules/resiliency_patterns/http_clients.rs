//! HTTP clients: where they are made, and the requests that are made with them.

use crate::lint::Confidence;
use crate::rules::libraries::REQUEST_METHODS;
use crate::workspace::follow::Fate;
use crate::workspace::names::{Definition, FunctionRef, TypeRef};
use crate::workspace::query::Node;
use crate::workspace::rust::{ExprKind, Field, Outline, TypeKind};
use crate::workspace::{Location, Service, Workspace};

/// What makes a client, or the builder of one.
pub const MAKERS: &[&str] = &[
    "reqwest::Client::new",
    "reqwest::Client::default",
    "reqwest::Client::builder",
    "reqwest::ClientBuilder::new",
    "reqwest::ClientBuilder::default",
];
/// The same, of other libraries whose clients have no limit of their own.
pub const OTHER_MAKERS: &[&str] = &[
    "hyper_util::client::legacy::Client::builder",
    "hyper::Client::new",
    "hyper::Client::builder",
    "hyper::client::Client::new",
    "hyper::client::Client::builder",
    "ureq::Agent::new",
    "ureq::Agent::new_with_defaults",
    "ureq::AgentBuilder::new",
    "ureq::agent",
    "isahc::HttpClient::new",
    "isahc::HttpClient::builder",
];
/// Requests without a client in hand.
pub const AT_ONCE: &[&str] = &[
    "reqwest::get",
    "ureq::get",
    "ureq::post",
    "ureq::put",
    "ureq::patch",
    "ureq::delete",
    "ureq::head",
    "isahc::get",
    "isahc::get_async",
    "isahc::post",
    "isahc::post_async",
    "isahc::put",
    "isahc::put_async",
    "isahc::delete",
    "isahc::delete_async",
];
/// Where a framework keeps values for handlers, who get them by type.
const STATE: &[&str] = &["app_data", "data", "manage", "with_state", "Extension", "AddExtensionLayer", "inject", "insert"];

/// What becomes of a client, up to its requests.
pub fn fate(made: Node<'_>) -> Fate<'_> {
    made.fate(&|name| !REQUEST_METHODS.contains(&name))
}

/// A client that a derived `Default` makes.
pub struct Derived<'w> {
    /// The call of `default`.
    pub made: Node<'w>,
    /// The field that holds it.
    pub field: Location,
    pub fate: Fate<'w>,
}

/// Clients of reqwest in structs that derive `Default` and are made by it.
pub fn derived(workspace: &Workspace) -> Vec<Derived<'_>> {
    let mut found = Vec::new();
    for (file, facts) in workspace.rust.iter().enumerate().filter(|(_, facts)| !facts.generated) {
        for (index, item) in facts.types.iter().enumerate().filter(|(_, item)| !item.test) {
            let (TypeKind::Struct(fields), true) = (&item.kind, facts.derives(&item.attributes, "Default")) else { continue };
            let Some(&module) = workspace.names.modules_of(file, item.module).first() else { continue };
            let is_client = |field: &&Field| {
                let meaning = workspace.type_meaning(module, &field.ty, None);
                matches!(meaning, Definition::External("reqwest::Client"))
                    && matches!(field.ty.name(), Some("Client" | "Arc" | "Box"))
            };
            let Some(field) = fields.iter().find(is_client) else { continue };
            let ty = TypeRef::new(file, index);
            let Some(made) = workspace.named("default").find(|call| makes(*call, ty, &field.name)) else { continue };
            let mut fate = Fate::default();
            for used in workspace.field_uses(ty, &field.name) {
                let of_use = self::fate(used);
                fate.methods.extend(of_use.methods);
                fate.given.extend(of_use.given);
            }
            found.push(Derived { made, field: facts.location(field.span), fate });
        }
    }
    found
}

/// `Stock::default()`, `Stock { base, ..Default::default() }`, where the field is left to it.
fn makes(call: Node<'_>, ty: TypeRef, field: &str) -> bool {
    let is_it = |definition| definition == Definition::Type(ty);
    let base = call.path().and_then(<[_]>::split_last).map(|(_, base)| base);
    let literal = call.parent().and_then(|parent| match parent.kind() {
        ExprKind::Struct { fields, rest: Some(rest), .. } if *rest == call.id => Some((parent, fields)),
        _ => None,
    });
    let set_here = literal.is_some_and(|(_, fields)| fields.iter().any(|(name, _)| &**name == field));
    let by_literal = literal.is_some_and(|(literal, _)| is_it(literal.definition()));
    matches!(call.kind(), ExprKind::Call { .. })
        && !set_here
        && (by_literal || base.is_some_and(|base| is_it(call.resolve(base))))
}

/// The requests made with a client, and how sure that is: those that it is followed to, or, where a framework keeps it for handlers,
/// all requests of the service with clients that are known by their type alone. `None` where it is handed to someone else.
pub fn requests<'w>(
    service: &Service,
    fate: Fate<'w>,
    by_type: &dyn Fn() -> Vec<Node<'w>>,
) -> Option<(Vec<Node<'w>>, Confidence)> {
    let seen = fate.methods.into_iter().filter(|method| is_request(*method)).collect::<Vec<_>>();
    let shared = fate.given.iter().any(|taker| taker.last_name().is_some_and(|name| STATE.contains(&name)));
    match (seen.is_empty(), shared) {
        (false, _) => Some((seen, Confidence::High)),
        (true, true) => {
            let own = by_type().into_iter().filter(|request| request.workspace.runs(service, *request));
            Some((own.collect(), Confidence::Medium))
        }
        (true, false) => None,
    }
}

fn is_request(method: Node<'_>) -> bool {
    method.method().is_some_and(|name| REQUEST_METHODS.contains(&name)) && method.arguments().next().is_some()
}

/// Requests of clients that are known by their type alone: a handler's parameter.
pub fn requests_by_type(workspace: &Workspace) -> Vec<Node<'_>> {
    // `get` stands everywhere: only where something is sent, or a request is handed back, may it be one.
    let hands_back = |function: FunctionRef| {
        let returned = workspace.function(function).returns.iter();
        returned.flat_map(|ty| std::iter::once(ty).chain(&ty.arguments)).any(|ty| ty.name() == Some("RequestBuilder"))
    };
    let may = |function, outline: &Outline| outline.names("send") || outline.names("execute") || hands_back(function);
    let methods = REQUEST_METHODS.iter().flat_map(|name| workspace.named_if(name, may));
    methods.filter(|method| is_request(*method) && method.receiver().is_some_and(|on| on.is_a("reqwest::Client"))).collect()
}
