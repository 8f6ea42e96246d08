use std::collections::{BTreeMap, BTreeSet};

use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Edit, Fix, Level, Practice, Tier};
use crate::rules::containers::shipped::{self, Shipped};
use crate::rules::containers::workloads;
use crate::workspace::dockerfile::Base;
use crate::workspace::kubernetes::{Container, Pod};
use crate::workspace::yaml::Node;
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// A service runs as root, or with the powers of its host.
    ///
    /// ## Why is this bad?
    /// Root in a container is root to the kernel: one hole in the service, a library or the runtime reaches the node and everything
    /// else on it. A service needs no such power: it opens a port above 1024 and reads its configuration.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:trixie-slim
    /// COPY --from=build /target/release/orders /usr/local/bin/orders
    /// ENTRYPOINT ["orders"]
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM debian:trixie-slim
    /// COPY --from=build /target/release/orders /usr/local/bin/orders
    /// USER 65532:65532
    /// ENTRYPOINT ["orders"]
    /// ```
    /// A number and not a name, so that Kubernetes' `runAsNonRoot` can tell.
    ///
    /// ## Not reported when
    /// - the last `USER` is not root, or is a variable;
    /// - the base image is not known to run as root: another than the common ones, or distroless' `nonroot`;
    /// - the command drops root itself: `gosu`, `su-exec`, `setpriv`, `setuidgid`;
    /// - a pod of the service sets `runAsNonRoot` or `runAsUser`, or a kustomization patches one of them in; a compose file sets `user`;
    /// - in pods and compose files: only `privileged`, `runAsUser: 0`, `user: root` and the capabilities `ALL` and `SYS_ADMIN` are
    ///   reported, and only for services of this workspace;
    /// - the Dockerfile builds no service of this workspace, or the file or stage is for development, tests or examples.
    ///
    /// ## Source
    /// Kubernetes, "Pod Security Standards" (restricted); hadolint DL3002, which reports an explicit `USER root` alone; trivy DS002;
    /// kube-linter `run-as-non-root` and `privileged-container`; Docker, "Building best practices: USER".
    "container-as-root", "MSVC708", Practice::Security, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Images that run as root unless told otherwise, by the last part of their names: their Dockerfiles set no `USER`.
const ROOT_IMAGES: &[&str] = &[
    "debian",
    "debian-slim",
    "ubuntu",
    "alpine",
    "busybox",
    "buildpack-deps",
    "rust",
    "cargo-chef",
    "fedora",
    "rockylinux",
    "almalinux",
    "amazonlinux",
    "archlinux",
];
/// Official images of languages, that add to one of these; others of those names, such as Bitnami's, have users of their own.
const LANGUAGES: &[&str] = &["node", "python", "golang", "openjdk", "eclipse-temurin", "ruby", "php", "perl"];

/// Programs that become somebody else.
const DROPS_ROOT: &[&str] = &["gosu", "su-exec", "setpriv", "setuidgid", "s6-setuidgid", "chpst", "runuser", "sudo", "su"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let images = shipped::images(workspace);
    let mut seen = BTreeSet::new();
    for image in &images {
        // Images that are made from one stage have their user from there: one fault.
        let from = |image: &Shipped<'_>| (image.dockerfile.file, image.lineage().last().map(|stage| stage.span));
        if in_image(workspace, image).is_some() && seen.insert(from(image)) {
            let alike: Vec<&Shipped<'_>> =
                images.iter().filter(|other| from(other) == from(image) && in_image(workspace, other).is_some()).collect();
            out.push(of_images(workspace, &alike));
        }
    }
    for service in &workspace.services {
        for (object, container) in workspace.containers_of(service) {
            let at = |node: &Node| Location::new(object.file, node.span);
            if shipped::is_elsewhere(workspace.sources.path(object.file)) {
                continue;
            }
            if let Some((node, what)) = powers(container, object.pod.as_ref()) {
                out.push(finding(service, format!("container `{}` {what}", container.name.value), at(node), "set here"));
            }
        }
        for (compose, entry) in workspace.compose_of(service) {
            if shipped::is_elsewhere(workspace.sources.path(compose.file)) {
                continue;
            }
            let privileged = entry.privileged.as_ref().filter(|flag| flag.value).map(|flag| (flag.span, "is privileged"));
            let root = entry.user.as_ref().filter(|user| is_root(&user.value)).map(|user| (user.span, "runs as root"));
            if let Some((span, what)) = privileged.or(root) {
                let at = Location::new(compose.file, span);
                out.push(finding(service, format!("compose service `{}` {what}", entry.name.value), at, "set here"));
            }
        }
    }
}

fn finding(service: &Service, message: String, at: Location, note: &str) -> Diagnostic {
    Diagnostic::new(message, at, note).help("take it out: a service needs no power over its host").service(&service.name)
}

/// Where it shows that an image runs as root, and why.
fn in_image(workspace: &Workspace, image: &Shipped<'_>) -> Option<(Location, String)> {
    let user = image.dockerfile.inherited(image.stage, |stage| stage.user.as_ref());
    let found = match user {
        Some(user) if is_root(&user.value) => (image.at(user.span), "root".to_owned()),
        Some(_) => return None,
        None => match image.base()? {
            Base::Scratch => (image.at(image.stage.span), "an empty image has no user but root".to_owned()),
            _ => {
                let base = image.base_image()?;
                let distroless = base.name.contains("distroless") && !base.tag.as_deref().unwrap_or_default().contains("nonroot");
                let known = distroless
                    || ROOT_IMAGES.contains(&base.short_name())
                    || LANGUAGES.contains(&base.name.trim_start_matches("docker.io/").trim_start_matches("library/"));
                known.then(|| (image.at(image.stage.span), format!("`{}` runs as root, and no USER follows", base.text)))?
            }
        },
    };
    let commands = image.lineage().flat_map(|stage| stage.runs.iter().chain(&stage.entrypoint).chain(&stage.command));
    let drops = |word: &String| word.split(|c: char| !(c.is_alphanumeric() || c == '-')).any(|word| DROPS_ROOT.contains(&word));
    let dropped = commands.flat_map(|command| &command.words).any(drops)
        || image.services.iter().any(|service| runs_as_another(workspace, service));
    (!dropped).then_some(found)
}

/// One finding for images of one Dockerfile that have their user from the same stage.
fn of_images(workspace: &Workspace, images: &[&Shipped<'_>]) -> Diagnostic {
    let services: BTreeMap<&str, &Service> =
        images.iter().flat_map(|image| &image.services).map(|service| (service.name.as_str(), *service)).collect();
    let names: Vec<String> = services.keys().map(|name| format!("`{name}`")).collect();
    let (at, note) = images.iter().find_map(|image| in_image(workspace, image)).unwrap_or_default();
    let mut diagnostic = Diagnostic::new(format!("the image runs {} as root", names.join(", ")), at, note)
        .help("end the stage with `USER 65532:65532`, and give that user the files it writes: `COPY --chown=65532:65532`")
        .evidence("a USER that is not root")
        .evidence("a pod or compose service that sets another user")
        .evidence("a command that drops root");
    if services.values().any(|service| service.documents.containers.is_empty() && service.documents.compose.is_empty()) {
        // Whatever runs it stands elsewhere, and may set a user.
        diagnostic = diagnostic.confidence(Confidence::Medium);
    }
    let edits: Option<Vec<_>> = images.iter().map(|image| edit(image)).collect();
    if let Some(edits) = edits {
        diagnostic = diagnostic.fix(Fix { edits, ..Fix::unsafe_("run as another user") });
    }
    diagnostic.service = services.into_values().next().filter(|_| names.len() == 1).map(|service| service.name.clone());
    diagnostic
}

/// What makes one stage run as another user.
fn edit(image: &Shipped<'_>) -> Option<Edit> {
    if let Some(user) = &image.stage.user {
        return Some(Edit { at: image.at(user.span), text: "65532:65532".to_owned() });
    }
    let last = image.stage.entrypoint.iter().chain(&image.stage.command).max_by_key(|command| command.span.end)?;
    let mut at = image.at(last.span);
    at.span.start = at.span.end;
    Some(Edit { at, text: "\nUSER 65532:65532".to_owned() })
}

fn is_root(user: &str) -> bool {
    matches!(user.split(':').next(), Some("root" | "0"))
}

/// Whether what runs the service says as whom.
fn runs_as_another(workspace: &Workspace, service: &Service) -> bool {
    let sets = |context: Option<&Node>| {
        let number = context.and_then(|context| context.get("runAsUser")).and_then(Node::as_str);
        let flag = context.and_then(|context| context.get("runAsNonRoot")).and_then(Node::as_bool);
        number.is_some_and(|number| number != "0") || flag == Some(true)
    };
    let of_pod = |pod: &Pod| {
        sets(pod.node.get("securityContext")) || pod.containers.iter().any(|container| sets(container.security_context.as_ref()))
    };
    let in_pods = workspace
        .containers_of(service)
        .any(|(object, _)| object.pod.as_ref().is_some_and(of_pod) || workloads::is_patched(workspace, object, "runAs", &of_pod));
    in_pods || workspace.compose_of(service).any(|(_, entry)| entry.user.as_ref().is_some_and(|user| !is_root(&user.value)))
}

/// A container's setting that gives it more than it needs.
fn powers<'n>(container: &'n Container, pod: Option<&'n Pod>) -> Option<(&'n Node, &'static str)> {
    let own = container.security_context.as_ref();
    let get = |key: &str| own.and_then(|context| context.get(key));
    let whole = pod.and_then(|pod| pod.node.get("securityContext"));
    let privileged = get("privileged").filter(|flag| flag.as_bool() == Some(true));
    let user = get("runAsUser").or_else(|| whole.and_then(|context| context.get("runAsUser")));
    let root = user.filter(|user| user.as_str() == Some("0"));
    let added = own.and_then(|context| context.at(&["capabilities", "add"])).map(Node::items).unwrap_or_default();
    let capability = added.iter().find(|name| matches!(name.as_str(), Some("ALL" | "SYS_ADMIN" | "CAP_SYS_ADMIN")));
    privileged
        .map(|node| (node, "is privileged"))
        .or_else(|| root.map(|node| (node, "runs as root")))
        .or_else(|| capability.map(|node| (node, "may administer its host")))
}
