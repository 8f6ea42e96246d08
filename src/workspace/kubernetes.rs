//! Kubernetes objects: workloads with their pods, services, and everything else as a tree.

use super::image::Image;
use super::sources::{FileId, Span, Spanned};
use super::variables::{self, Variable};
use super::yaml::Node;

/// One object of any kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Object {
    pub file: FileId,
    pub api_version: Spanned<String>,
    pub kind: Spanned<String>,
    /// Empty where it has none (`generateName`, a kustomize patch).
    pub name: Spanned<String>,
    pub namespace: Option<Spanned<String>>,
    pub labels: Vec<Variable>,
    pub annotations: Vec<Variable>,
    /// Of a Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, CronJob or Pod.
    pub pod: Option<Pod>,
    /// Of a Service.
    pub ports: Vec<ServicePort>,
    /// `spec.selector` (of a Service) or `spec.selector.matchLabels`.
    pub selector: Vec<Variable>,
    /// The object itself, for what the fields above leave out.
    pub node: Node,
}

/// A pod or pod template.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pod {
    pub labels: Vec<Variable>,
    pub containers: Vec<Container>,
    pub init_containers: Vec<Container>,
    /// `spec` of the pod.
    pub node: Node,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Container {
    pub name: Spanned<String>,
    /// The whole entry.
    pub span: Span,
    /// Column of its keys, from 0; `None` where it is written in braces.
    pub indent: Option<u16>,
    pub image: Option<Image>,
    pub command: Vec<Spanned<String>>,
    pub arguments: Vec<Spanned<String>>,
    pub ports: Vec<ContainerPort>,
    /// `value` entries with their value, `valueFrom` entries without.
    pub environment: Vec<Variable>,
    /// Where `valueFrom` and `envFrom` entries read.
    pub references: Vec<Reference>,
    /// Names of the volumes that it mounts.
    pub mounts: Vec<String>,
    pub liveness: Option<Probe>,
    pub readiness: Option<Probe>,
    pub startup: Option<Probe>,
    pub resources: Option<Node>,
    pub security_context: Option<Node>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContainerPort {
    pub port: u16,
    pub name: Option<String>,
    pub span: Span,
}

/// A ConfigMap or Secret that gives a container environment variables.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reference {
    pub secret: bool,
    pub object: String,
    /// `None` where all keys become variables (`envFrom`).
    pub variable: Option<String>,
    pub key: Option<String>,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    pub action: ProbeAction,
    pub span: Span,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// Path, and a port's number or name.
    Http {
        path: String,
        port: String,
    },
    Tcp {
        port: String,
    },
    Grpc {
        port: String,
    },
    Exec(Vec<String>),
    /// Fields without an action: a kustomize patch.
    Unknown,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    pub name: Option<String>,
    pub port: u16,
    /// A number or a container port's name; `None` means the same as `port`.
    pub target: Option<String>,
    pub span: Span,
}

/// A `kustomization.yaml`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kustomization {
    pub file: FileId,
    /// `resources`, `bases` and `components`: paths as written.
    pub resources: Vec<Spanned<String>>,
    /// Paths of `patches`, `patchesStrategicMerge`.
    pub patches: Vec<Spanned<String>>,
    pub namespace: Option<Spanned<String>>,
    /// `images` entries: image name to new name, tag and digest.
    pub images: Vec<Image>,
    pub node: Node,
}

/// Whether a file of this name is a kustomization.
pub fn is_kustomization(name: &str) -> bool {
    matches!(name, "kustomization.yaml" | "kustomization.yml" | "Kustomization")
}

/// Whether a text may hold Kubernetes objects: worth parsing.
pub fn mentions_objects(text: &str) -> bool {
    text.contains("apiVersion") && text.contains("kind")
}

/// The objects of one file; items of a `List` count one by one.
pub fn read(file: FileId, text: &str, documents: Vec<Node>) -> Vec<Object> {
    let mut objects: Vec<Object> = Vec::new();
    for document in documents {
        let is_list = document.get("kind").and_then(Node::as_str).is_some_and(|kind| kind.ends_with("List"));
        match document.get("items") {
            Some(items) if is_list => objects.extend(items.items().iter().filter_map(|item| object(file, item.clone()))),
            _ => objects.extend(object(file, document)),
        }
    }
    for container in objects.iter_mut().filter_map(|object| object.pod.as_mut()).flat_map(|pod| &mut pod.containers) {
        container.indent = indent(text, container.span.start as usize);
    }
    objects
}

/// The column of a block mapping that starts there.
fn indent(text: &str, start: usize) -> Option<u16> {
    let before = text.get(..start).filter(|_| !text[start..].starts_with('{'))?;
    u16::try_from(before.len() - before.rfind('\n').map_or(0, |newline| newline + 1)).ok()
}

/// Facts of a kustomization, from its first document.
pub fn read_kustomization(file: FileId, documents: Vec<Node>) -> Option<Kustomization> {
    let node = documents.into_iter().next()?;
    let texts = |key: &str| node.get(key).map(Node::texts).unwrap_or_default();
    let patches = node.get("patches").map(Node::items).unwrap_or_default();
    Some(Kustomization {
        file,
        resources: ["resources", "bases", "components"].into_iter().flat_map(texts).collect(),
        patches: patches.iter().filter_map(|patch| patch.get("path")?.text()).chain(texts("patchesStrategicMerge")).collect(),
        namespace: node.get("namespace").and_then(Node::text),
        images: node.get("images").map(Node::items).unwrap_or_default().iter().filter_map(kustomize_image).collect(),
        node,
    })
}

fn kustomize_image(node: &Node) -> Option<Image> {
    let text = |key: &str| node.get(key).and_then(Node::as_str);
    let mut reference = text("newName").or_else(|| text("name"))?.to_owned();
    if let Some(tag) = text("newTag") {
        reference = format!("{reference}:{tag}");
    }
    if let Some(digest) = text("digest") {
        reference = format!("{reference}@{digest}");
    }
    Some(image(&reference, node.span))
}

fn object(file: FileId, node: Node) -> Option<Object> {
    let kind = node.get("kind")?.text()?;
    let spec = |path: &[&str]| node.get("spec").and_then(|spec| spec.at(path));
    let pod_template = match kind.value.as_str() {
        "Deployment" | "StatefulSet" | "DaemonSet" | "ReplicaSet" | "Job" | "ReplicationController" => spec(&["template"]),
        "CronJob" => spec(&["jobTemplate", "spec", "template"]),
        "Pod" => Some(&node),
        _ => None,
    };
    let metadata = |key: &str| node.at(&["metadata", key]);
    let selector = spec(&["selector"]);
    let ports = match kind.value.as_str() {
        "Service" => spec(&["ports"]).map(Node::items).unwrap_or_default(),
        _ => &[],
    };
    Some(Object {
        file,
        api_version: node.get("apiVersion")?.text()?,
        name: metadata("name").and_then(Node::text).unwrap_or_default(),
        namespace: metadata("namespace").and_then(Node::text),
        labels: metadata("labels").map(texts_of).unwrap_or_default(),
        annotations: metadata("annotations").map(texts_of).unwrap_or_default(),
        pod: pod_template.and_then(read_pod),
        ports: ports.iter().filter_map(service_port).collect(),
        selector: selector.map(|node| texts_of(node.get("matchLabels").unwrap_or(node))).unwrap_or_default(),
        kind,
        node,
    })
}

fn read_pod(template: &Node) -> Option<Pod> {
    let spec = template.get("spec")?;
    let containers = |key: &str| spec.get(key).map(Node::items).unwrap_or_default().iter().map(container).collect();
    Some(Pod {
        labels: template.at(&["metadata", "labels"]).map(texts_of).unwrap_or_default(),
        containers: containers("containers"),
        init_containers: containers("initContainers"),
        node: spec.clone(),
    })
}

fn container(node: &Node) -> Container {
    let items = |key: &str| node.get(key).map(Node::items).unwrap_or_default();
    let probe = |key: &str| node.get(key).map(probe);
    Container {
        name: node.get("name").and_then(Node::text).unwrap_or_default(),
        span: node.span,
        indent: None,
        image: node.get("image").and_then(|node| Some(image(node.as_str()?, node.span))),
        command: node.get("command").map(Node::texts).unwrap_or_default(),
        arguments: node.get("args").map(Node::texts).unwrap_or_default(),
        ports: items("ports")
            .iter()
            .filter_map(|port| {
                Some(ContainerPort {
                    port: port.get("containerPort")?.as_number()?,
                    name: port.get("name").and_then(Node::as_str).map(str::to_owned),
                    span: port.span,
                })
            })
            .collect(),
        environment: items("env")
            .iter()
            .filter_map(|entry| {
                let name = entry.get("name")?.as_str()?.to_owned();
                Some(Variable { name, value: entry.get("value").and_then(Node::as_str).map(str::to_owned), span: entry.span })
            })
            .collect(),
        mounts: items("volumeMounts").iter().filter_map(|mount| Some(mount.get("name")?.as_str()?.to_owned())).collect(),
        references: items("env").iter().chain(items("envFrom")).filter_map(reference).collect(),
        liveness: probe("livenessProbe"),
        readiness: probe("readinessProbe"),
        startup: probe("startupProbe"),
        resources: node.get("resources").cloned(),
        security_context: node.get("securityContext").cloned(),
    }
}

fn reference(entry: &Node) -> Option<Reference> {
    let holder = entry.get("valueFrom").unwrap_or(entry);
    let (secret, target) = [("secretKeyRef", true), ("secretRef", true), ("configMapKeyRef", false), ("configMapRef", false)]
        .into_iter()
        .find_map(|(key, secret)| Some((secret, holder.get(key)?)))?;
    Some(Reference {
        secret,
        object: target.get("name")?.as_str()?.to_owned(),
        variable: entry.get("name").and_then(Node::as_str).map(str::to_owned),
        key: target.get("key").and_then(Node::as_str).map(str::to_owned),
        span: entry.span,
    })
}

fn probe(node: &Node) -> Probe {
    let text = |path: &[&str]| node.at(path).and_then(Node::as_str).map(str::to_owned);
    let action = if node.get("httpGet").is_some() {
        ProbeAction::Http {
            path: text(&["httpGet", "path"]).unwrap_or_else(|| "/".to_owned()),
            port: text(&["httpGet", "port"]).unwrap_or_default(),
        }
    } else if node.get("tcpSocket").is_some() {
        ProbeAction::Tcp { port: text(&["tcpSocket", "port"]).unwrap_or_default() }
    } else if node.get("grpc").is_some() {
        ProbeAction::Grpc { port: text(&["grpc", "port"]).unwrap_or_default() }
    } else if let Some(command) = node.at(&["exec", "command"]) {
        ProbeAction::Exec(command.texts().into_iter().map(|word| word.value).collect())
    } else {
        ProbeAction::Unknown
    };
    Probe { action, span: node.span }
}

fn service_port(node: &Node) -> Option<ServicePort> {
    let text = |key: &str| node.get(key).and_then(Node::as_str).map(str::to_owned);
    Some(ServicePort { name: text("name"), port: node.get("port")?.as_number()?, target: text("targetPort"), span: node.span })
}

fn texts_of(mapping: &Node) -> Vec<Variable> {
    mapping
        .entries()
        .iter()
        .filter_map(|(name, value)| {
            let span = Span { start: name.span.start, end: value.span.end.max(name.span.end) };
            Some(Variable { name: name.as_str()?.to_owned(), value: value.as_str().map(str::to_owned), span })
        })
        .collect()
}

fn image(text: &str, span: Span) -> Image {
    Image::new(variables::expand(text, &|_| None), span)
}

impl Object {
    /// Whether it runs pods that stay up: not a Job or CronJob.
    pub fn is_long_running(&self) -> bool {
        self.pod.is_some() && !matches!(self.kind.value.as_str(), "Job" | "CronJob")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workspace::yaml;

    fn objects(text: &str) -> Vec<Object> {
        read(FileId(0), text, yaml::parse(text).unwrap())
    }

    #[test]
    fn pods_of_every_workload() {
        let pod = "spec: {containers: [{name: app, image: 'app:1'}]}";
        for (kind, spec) in [
            ("Pod", "spec: {containers: [{name: app, image: 'app:1'}]}".to_owned()),
            ("Deployment", format!("spec: {{template: {{{pod}}}}}")),
            ("StatefulSet", format!("spec: {{template: {{{pod}}}}}")),
            ("DaemonSet", format!("spec: {{template: {{{pod}}}}}")),
            ("Job", format!("spec: {{template: {{{pod}}}}}")),
            ("CronJob", format!("spec: {{jobTemplate: {{spec: {{template: {{{pod}}}}}}}}}")),
        ] {
            let found = objects(&format!("apiVersion: x\nkind: {kind}\nmetadata: {{name: a}}\n{spec}\n"));
            let pod = found[0].pod.as_ref().unwrap();
            assert_eq!(pod.containers[0].image.as_ref().unwrap().tag.as_deref(), Some("1"), "{kind}");
            assert_eq!(found[0].is_long_running(), !kind.ends_with("Job") && kind != "CronJob", "{kind}");
        }
    }

    #[test]
    fn what_a_container_says() {
        let text = "apiVersion: v1\nkind: Pod\nmetadata: {name: a, namespace: n, labels: {app: a}}\nspec:\n  containers:\n  - name: app\n    image: app\n    \
                    ports: [{containerPort: 8080, name: http}]\n    env:\n    - {name: A, value: '1'}\n    - {name: S, valueFrom: {secretKeyRef: {name: db, key: url}}}\n    \
                    envFrom: [{configMapRef: {name: cm}}]\n    livenessProbe: {httpGet: {path: /livez, port: http}}\n    readinessProbe: {grpc: {port: 50051}}\n    \
                    startupProbe: {exec: {command: [app, check]}}\n";
        let found = objects(text);
        let container = &found[0].pod.as_ref().unwrap().containers[0];
        assert_eq!(container.ports[0].port, 8080);
        assert_eq!(container.environment[0].value.as_deref(), Some("1"));
        assert_eq!(container.environment[1].value, None);
        let references: Vec<_> =
            container.references.iter().map(|r| (r.secret, r.object.as_str(), r.variable.as_deref())).collect();
        assert_eq!(references, [(true, "db", Some("S")), (false, "cm", None)]);
        let action = |probe: &Option<Probe>| probe.as_ref().unwrap().action.clone();
        assert_eq!(action(&container.liveness), ProbeAction::Http { path: "/livez".into(), port: "http".into() });
        assert_eq!(action(&container.readiness), ProbeAction::Grpc { port: "50051".into() });
        assert_eq!(action(&container.startup), ProbeAction::Exec(vec!["app".into(), "check".into()]));
        let span = found[0].name.span;
        assert_eq!(&text[span.start as usize..span.end as usize], "a");
    }

    #[test]
    fn services_lists_and_what_is_no_object() {
        let text = "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Service, metadata: {name: s}, spec: {selector: {app: a}, ports: [{port: 80, targetPort: http}]}}\n\
                    - {apiVersion: v1, kind: Namespace, metadata: {name: n}}\n---\nnot: an object\n---\n- 1\n";
        let found = objects(text);
        assert_eq!(found.iter().map(|object| object.name.value.as_str()).collect::<Vec<_>>(), ["s", "n"]);
        assert_eq!(found[0].ports[0].target.as_deref(), Some("http"));
        assert_eq!(found[0].selector[0].value.as_deref(), Some("a"));
    }

    #[test]
    fn kustomizations() {
        let text = "resources: [a.yaml, ../base]\npatches: [{path: p.yaml}, {patch: x}]\nimages: [{name: app, newName: reg/app, newTag: '2'}]\n";
        let found = read_kustomization(FileId(0), yaml::parse(text).unwrap()).unwrap();
        assert_eq!(found.resources.len(), 2);
        assert_eq!(found.patches[0].value, "p.yaml");
        assert_eq!((found.images[0].name.as_str(), found.images[0].tag.as_deref()), ("reg/app", Some("2")));
    }
}
