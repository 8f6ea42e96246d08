use std::time::Duration;

use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::containers::shipped::is_elsewhere;
use crate::rules::containers::workloads;
use crate::workspace::kubernetes::{Container, Object};
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// A service drains for longer than Kubernetes lets it live.
    ///
    /// ## Why is this bad?
    /// When a pod is deleted, Kubernetes runs its `preStop` hook, sends SIGTERM, and kills the process when
    /// `terminationGracePeriodSeconds` (30 unless stated) are over, counted from the start of the hook. A drain that needs longer is
    /// cut off: its last requests fail, what it has buffered is lost, and each rollout shows it.
    ///
    /// ## Example
    /// ```yaml
    /// # the service's configuration: [server] drain_ms = 45000
    /// spec:
    ///   terminationGracePeriodSeconds: 30
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// spec:
    ///   terminationGracePeriodSeconds: 60
    /// ```
    ///
    /// ## Not reported when
    /// - how long the service drains is not stated: `server.drain_ms` in its configuration, or `drain-ms` in
    ///   `[package.metadata.msvc]`;
    /// - the sleep of the `preStop` hook and the drain fit into the grace period; a hook that runs something else counts as nothing;
    /// - a variable of the pod that ends in `DRAIN_MS` takes its value from elsewhere; one with a value counts as stated;
    /// - a kustomization patches `terminationGracePeriodSeconds`;
    /// - the file is a test, an example, documentation, or for local development (an overlay `dev`).
    ///
    /// ## Source
    /// Kubernetes documentation, "Pod Lifecycle: Termination of Pods" and "Container Lifecycle Hooks".
    "drain-outlives-grace", "MSVC621", Practice::ResiliencyPatterns, Level::Deny, Tier::Default, Check::Service(check)
}

/// What Kubernetes takes where nothing is stated.
const DEFAULT_GRACE: Duration = Duration::from_secs(30);

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let Some(drain) = &service.drain else { return };
    for (object, container) in workspace.containers_of(service) {
        let Some(pod) = &object.pod else { continue };
        if !object.is_long_running() || is_elsewhere(workspace.sources.path(object.file)) || is_patch(object) {
            continue;
        }
        let stated = pod.node.get("terminationGracePeriodSeconds");
        let grace = match stated {
            Some(node) => match node.as_number() {
                Some(seconds) => Duration::from_secs(seconds),
                None => continue,
            },
            None => DEFAULT_GRACE,
        };
        let Some(drain_for) = drain_of(container, drain.value) else { continue };
        let hook = pre_stop(&pod.node, container);
        let needed = hook + drain_for;
        if needed <= grace
            || workloads::is_patched(workspace, object, "terminationGracePeriodSeconds", &|pod| {
                pod.node.get("terminationGracePeriodSeconds").is_some()
            })
        {
            continue;
        }
        // Time to close connections after the last request.
        let enough = needed.as_secs() + u64::from(needed.subsec_nanos() > 0) + 5;
        let sum = if hook.is_zero() { seconds(drain_for) } else { format!("{} + {}", seconds(hook), seconds(drain_for)) };
        let at = stated.map_or(object.name.span, |node| node.span);
        let note = if stated.is_some() { "killed after this time" } else { "killed after 30 s, as nothing else is stated" };
        let mut diagnostic = Diagnostic::new(
            format!("`{}` drains for {sum}, and is killed after {}", service.name, seconds(grace)),
            Location::new(object.file, at),
            note,
        )
        .related(drain.at, "how long it drains")
        .help(format!("set `terminationGracePeriodSeconds: {enough}` in the pod's spec, or let it drain for less"))
        .evidence("a grace period in the pod or in a patch");
        if let Some(stated) = stated {
            let fix = Fix::unsafe_(format!("let it live for {enough} s"));
            diagnostic = diagnostic.fix(fix.replace(Location::new(object.file, stated.span), enough.to_string()));
        }
        out.push(diagnostic);
    }
}

/// Whether the object leaves out what its base states.
fn is_patch(object: &Object) -> bool {
    let containers = object.pod.iter().flat_map(|pod| &pod.containers);
    object.name.value.is_empty() || containers.into_iter().any(|container| container.image.is_none())
}

/// How long it drains there, where the environment may say otherwise; `None` where it does and nobody knows what.
fn drain_of(container: &Container, stated: Duration) -> Option<Duration> {
    let mut variables = container.environment.iter();
    match variables.find(|variable| variable.name.to_ascii_uppercase().ends_with("DRAIN_MS")) {
        Some(variable) => variable.value.as_deref()?.parse().ok().map(Duration::from_millis),
        None => Some(stated),
    }
}

/// How long the container's `preStop` hook sleeps for certain.
fn pre_stop(pod: &Node, container: &Container) -> Duration {
    let containers = pod.get("containers").map(Node::items).unwrap_or_default();
    let entry = containers.iter().find(|entry| entry.get("name").and_then(Node::as_str) == Some(&container.name.value));
    let Some(hook) = entry.and_then(|entry| entry.at(&["lifecycle", "preStop"])) else { return Duration::ZERO };
    if let Some(seconds) = hook.at(&["sleep", "seconds"]).and_then(Node::as_number) {
        return Duration::from_secs(seconds);
    }
    let words = hook.at(&["exec", "command"]).map(Node::texts).unwrap_or_default();
    let words: Vec<&str> = words.iter().flat_map(|word| word.value.split_whitespace()).collect();
    let slept = words.windows(2).find(|pair| pair[0].ends_with("sleep")).and_then(|pair| pair[1].parse().ok());
    slept.map_or(Duration::ZERO, Duration::from_secs)
}

fn seconds(duration: Duration) -> String {
    format!("{} s", duration.as_secs_f64())
}
