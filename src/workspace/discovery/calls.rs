//! Which services a service calls.

use std::collections::BTreeMap;

use crate::workspace::Workspace;
use crate::workspace::names::FunctionRef;
use crate::workspace::reach::Reach;
use crate::workspace::service::Found;
use crate::workspace::values::constant_text;

/// The chassis's stacks around one called service, which is named when it is made: their crates and types.
const STACKS: &[(&str, &str)] = &[("chassis-grpc-client", "Channel"), ("chassis-outbound", "Dependency")];
const MAKERS: &[&str] = &["new", "over_tls"];

/// Services whose stack of calls a binary makes, by name.
pub fn calls(workspace: &Workspace, reached: &Reach) -> Vec<Found<String>> {
    let mut found = BTreeMap::new();
    let makers = MAKERS.iter().flat_map(|name| workspace.graph.methods(&(*name).into())).copied();
    let makers = makers.filter(|method| is_stack(workspace, *method));
    for node in makers.flat_map(|maker| workspace.results_of(maker)).filter(|node| reached.runs(*node)) {
        if let Some(name) = node.arguments().next().and_then(constant_text) {
            found.entry(name).or_insert(node.at());
        }
    }
    found.into_iter().map(|(value, at)| Found { value, at }).collect()
}

fn is_stack(workspace: &Workspace, function: FunctionRef) -> bool {
    let owner = workspace.function(function).owner.as_ref();
    let package = |krate: usize| workspace.packages[workspace.names.crates[krate].package].name.as_str();
    let Some(owner) = owner.and_then(|owner| owner.last()) else { return false };
    workspace.crates_of(function).any(|krate| STACKS.contains(&(package(krate), &**owner)))
}
