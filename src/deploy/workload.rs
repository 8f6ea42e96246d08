//! One service's facts and settings, resolved to the values that its manifests show.

use std::collections::BTreeSet;

use cargo_metadata::camino::Utf8PathBuf;
use serde::Serialize;

use super::Edge;
use super::config::{DeployConfig, Platform, ServiceConfig};
use super::environment::{self, SecretFile, SecretVariable, Variable};
use super::note::Note;
use super::quantity::{Bytes, Cpu, MEBIBYTE};
use super::render::scalar;
use crate::service::{Broker, Protocol, Store, Tls};
use crate::workspace::service::Found;
use crate::workspace::{Service, Workspace};

/// How long a pod still gets traffic after it was told to go.
const PRE_STOP_SECONDS: u64 = 5;
/// How long telemetry may take to leave the process after the last request.
const FLUSH_SECONDS: u64 = 5;
const MARGIN_SECONDS: u64 = 5;
/// What services drain by default.
const ASSUMED_DRAIN_SECONDS: u64 = 20;

/// The kubelet keeps five log files of 10 MiB, and `/tmp` is 16 MiB.
const EPHEMERAL_STORAGE: Bytes = Bytes(128 * MEBIBYTE);

/// Kubernetes appends `-` and a hash of 10 to a StatefulSet's name, and the result is a label.
const MAX_STATEFUL_NAME: usize = 52;

/// What the templates of one service show. Texts that come from the code are YAML scalars already.
#[derive(Clone, Debug, Serialize)]
pub struct Workload {
    pub name: String,
    pub system: String,
    pub namespace: String,
    /// Keeps its data in its own process: one replica with a volume.
    pub stateful: bool,
    /// The UID is ours to choose.
    pub fixed_user: bool,
    /// Traffic port, if it serves any.
    pub traffic: Option<Port>,
    /// All ports, traffic first.
    pub ports: Vec<Port>,
    pub headless: bool,
    pub app_protocol: Option<&'static str>,
    pub startup: Option<Probe>,
    pub readiness: Option<Probe>,
    pub liveness: Option<Probe>,
    pub metrics: Option<Probe>,
    pub pre_stop_seconds: u64,
    pub grace_seconds: u64,
    /// How `grace_seconds` comes about.
    pub grace_sum: String,
    pub cpu: Cpu,
    pub cpu_limit: Option<Cpu>,
    pub memory: Bytes,
    pub ephemeral_storage: Bytes,
    pub storage: Bytes,
    pub replicas: u32,
    pub max_replicas: u32,
    pub public: bool,
    /// It has a ConfigMap.
    pub configured: bool,
    /// Of the ConfigMap, in name order.
    pub environment: Vec<Variable>,
    /// Names of the variables that the code reads and that are no secrets.
    #[serde(skip)]
    pub plain_variables: BTreeSet<String>,
    pub secret_files: Vec<SecretFile>,
    pub secret_variables: Vec<SecretVariable>,
    /// Keys of the Secret with its certificate.
    pub certificate_files: BTreeSet<&'static str>,
    pub tls: Tls,
    pub ingress: Vec<Rule>,
    pub egress: Vec<Rule>,
    /// Checks of checkov that do not hold here.
    pub checkov: Vec<Suppression>,
    /// Checks of kube-score that do not hold here, with commas.
    pub kube_score: String,
    /// Files of its directory that its kustomization lists.
    pub resources: Vec<&'static str>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Port {
    pub name: &'static str,
    pub number: u16,
}

/// Something asked of a port: an HTTP path, or the gRPC health service when there is none.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Probe {
    pub path: Option<String>,
    pub port_name: &'static str,
    pub port: u16,
}

/// Who may come in, or where to go: a whole namespace, or the pods of one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Rule {
    pub comment: String,
    /// `file:line` that makes the call.
    pub place: Option<String>,
    pub namespace: Option<String>,
    pub service: Option<String>,
    /// Name or number.
    pub port: String,
}

/// A check that does not hold here, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Suppression {
    pub check: &'static str,
    pub reason: &'static str,
}

/// What all workloads share.
pub struct System<'a> {
    pub workspace: &'a Workspace,
    pub config: &'a DeployConfig,
    pub name: &'a str,
    pub namespace: &'a str,
}

impl System<'_> {
    /// Settings of a service; the defaults when `msvc.toml` does not name it.
    pub fn settings(&self, service: &str) -> ServiceConfig {
        self.config.services.get(service).cloned().unwrap_or_default()
    }

    /// The file where a person states facts about a service.
    pub fn manifest(&self, service: &Service) -> Utf8PathBuf {
        match self.workspace.packages.get(service.package) {
            Some(package) => self.workspace.sources.path(package.manifest).to_owned(),
            None => service.directory.join("Cargo.toml"),
        }
    }
}

fn value<T: Clone>(found: &Option<Found<T>>) -> Option<T> {
    found.as_ref().map(|found| found.value.clone())
}

/// The ports of a service: for traffic, and for probes and metrics (the same when there is only one).
fn ports(service: &Service) -> (Option<Port>, Option<Port>) {
    let protocol = value(&service.protocol);
    let number = value(&service.port);
    let admin = value(&service.admin_port).filter(|admin| Some(*admin) != number);
    let traffic = match protocol {
        // Its only traffic is what it fetches itself.
        Some(Protocol::Events) => None,
        Some(Protocol::Grpc) => number.map(|number| Port { name: "grpc", number }),
        Some(Protocol::Rest) | None => number.map(|number| Port { name: "http", number }),
    };
    let admin = admin.or(number.filter(|_| traffic.is_none())).map(|number| Port { name: "admin", number });
    (traffic.clone(), admin.or(traffic))
}

impl Workload {
    /// Resolves a service. What nothing states becomes a note, and is left out rather than guessed.
    ///
    /// `None` when not even a name can be given to its objects.
    pub fn resolve(service: &Service, system: &System, edges: &[Edge], notes: &mut Vec<Note>) -> Option<Self> {
        let settings = system.settings(&service.name);
        let manifest = system.manifest(service);
        let mut unknown = |what: &str, key: &str| notes.push(Note::unknown(&service.name, what, key, &manifest));
        let stateful = value(&service.store) == Some(Store::Sqlite);
        if !super::config::is_label(&service.name) || service.name.as_bytes()[0].is_ascii_digit() {
            unknown("a name that is a DNS label", "name");
            return None;
        }
        if stateful && service.name.len() > MAX_STATEFUL_NAME {
            unknown("a name of 52 characters at most, which a StatefulSet needs", "name");
            return None;
        }

        let (traffic, probed) = ports(service);
        if service.protocol.is_none() {
            unknown("its protocol", "protocol");
        }
        if probed.is_none() {
            unknown("its port", "port");
        }
        let ports = match (&traffic, &probed) {
            (Some(traffic), Some(admin)) if traffic != admin => vec![traffic.clone(), admin.clone()],
            (_, Some(only)) => vec![only.clone()],
            _ => Vec::new(),
        };

        let http = |path: &Option<Found<String>>| {
            let (path, port) = (path.as_ref()?, probed.as_ref()?);
            Some(Probe { path: Some(scalar(&path.value)), port_name: port.name, port: port.number })
        };
        let grpc_health = value(&service.protocol) == Some(Protocol::Grpc)
            && system.workspace.packages.get(service.package).is_some_and(|package| package.depends_on("tonic-health"));
        let (startup, readiness, liveness) = match (&traffic, grpc_health) {
            (Some(port), true) => {
                let probe = Some(Probe { path: None, port_name: port.name, port: port.number });
                (probe.clone(), probe.clone(), probe)
            }
            _ => {
                let (readiness, liveness) = (http(&service.readiness), http(&service.liveness));
                let startup = http(&service.startup).or_else(|| liveness.clone()).or_else(|| readiness.clone());
                (startup, readiness, liveness)
            }
        };
        if !grpc_health && probed.is_some() {
            for (probe, what, key) in
                [(&liveness, "its liveness path", "liveness"), (&readiness, "its readiness path", "readiness")]
            {
                if probe.is_none() {
                    unknown(what, key);
                }
            }
        }

        let drain = service.drain.as_ref().map(|drain| drain.value.as_millis().div_ceil(1000) as u64);
        if drain.is_none() {
            unknown("how long it drains (20 s are assumed)", "drain-ms");
        }
        let drain = drain.unwrap_or(ASSUMED_DRAIN_SECONDS);

        let environment = environment::resolve(service, system, stateful, notes);
        if let Some(store @ (Store::Postgres | Store::Mysql | Store::Mongodb | Store::Redis)) = value(&service.store) {
            notes.push(Note::about(
                &service.name,
                format!("where its {store} runs is not known, so nothing lets it through"),
                "add a NetworkPolicy for it to the overlays",
            ));
        }

        if let Some(broker @ (Broker::Nats | Broker::Rabbitmq | Broker::Kafka)) = value(&service.broker) {
            notes.push(Note::about(
                &service.name,
                format!("where {broker} runs is not known, so nothing lets it through"),
                "add a NetworkPolicy for it to the overlays",
            ));
        }

        let tls = value(&service.tls).unwrap_or(Tls::Mesh);
        let replicas = if stateful { 1 } else { settings.replicas.unwrap_or(3) };
        if stateful && settings.replicas.is_some_and(|wanted| wanted != 1) {
            notes.push(Note::about(
                &service.name,
                "has one replica: its store is embedded".into(),
                "more replicas need `store = \"postgres\"` or `\"mysql\"`",
            ));
        }
        let mut workload = Self {
            name: service.name.clone(),
            system: system.name.to_owned(),
            namespace: system.namespace.to_owned(),
            stateful,
            fixed_user: system.config.platform == Platform::Kubernetes,
            headless: value(&service.protocol) == Some(Protocol::Grpc) && !stateful,
            app_protocol: match value(&service.protocol) {
                Some(Protocol::Rest | Protocol::Grpc) if tls != Tls::Mesh => Some("https"),
                Some(Protocol::Rest) => Some("http"),
                Some(Protocol::Grpc) => Some("kubernetes.io/h2c"),
                _ => None,
            },
            startup,
            readiness,
            liveness,
            metrics: http(&service.metrics),
            traffic,
            ports,
            pre_stop_seconds: PRE_STOP_SECONDS,
            grace_seconds: PRE_STOP_SECONDS + drain + FLUSH_SECONDS + MARGIN_SECONDS,
            grace_sum: format!(
                "preStop {PRE_STOP_SECONDS} s, drain {drain} s, telemetry {FLUSH_SECONDS} s, margin {MARGIN_SECONDS} s."
            ),
            cpu: settings.cpu.unwrap_or(Cpu(50)),
            cpu_limit: settings.cpu_limit,
            memory: settings.memory.unwrap_or(Bytes(64 * MEBIBYTE)),
            ephemeral_storage: EPHEMERAL_STORAGE,
            storage: settings.storage.unwrap_or(Bytes(1024 * MEBIBYTE)),
            replicas,
            max_replicas: if stateful { 1 } else { settings.max_replicas.unwrap_or(10).max(replicas) },
            public: value(&service.public) == Some(true),
            configured: environment.configured,
            environment: environment.variables,
            plain_variables: service.environment.iter().filter(|v| !v.secret).map(|v| v.name.clone()).collect(),
            secret_files: environment.secret_files,
            secret_variables: environment.secret_variables,
            certificate_files: environment.certificate_files,
            tls,
            ingress: Vec::new(),
            egress: Vec::new(),
            checkov: Vec::new(),
            kube_score: String::new(),
            resources: Vec::new(),
        };
        workload.ingress = ingress(&workload, system, edges);
        workload.suppress();
        workload.resources = workload.files().into_iter().map(|(file, _)| file).collect();
        Some(workload)
    }

    /// Answers contested checks on purpose.
    fn suppress(&mut self) {
        let mut kube_score = Vec::new();
        if self.cpu_limit.is_none() {
            let reason = "a CPU limit costs latency by throttling; requests share CPU";
            self.checkov.push(Suppression { check: "CKV_K8S_11", reason });
            kube_score.push("container-resources");
        }
        let reason = "an overlay says which image; prod pins its digest";
        self.checkov.push(Suppression { check: "CKV_K8S_43", reason });
        if !self.secret_variables.is_empty() {
            let reason = "the code reads the secret from the environment only";
            self.checkov.push(Suppression { check: "CKV_K8S_35", reason });
        }
        if !self.fixed_user {
            let reason = "OpenShift chooses a UID of the namespace's own range";
            self.checkov.push(Suppression { check: "CKV_K8S_40", reason });
            kube_score.push("container-security-context-user-group-id");
        }
        if self.stateful {
            kube_score.push("statefulset-has-servicename");
        }
        self.kube_score = kube_score.join(",");
    }

    /// The files of its directory, apart from the kustomization, and their templates.
    pub fn files(&self) -> Vec<(&'static str, &'static str)> {
        let mut files = vec![("service-account.yaml", "service/service-account.yaml")];
        files.push(match self.stateful {
            true => ("statefulset.yaml", "service/statefulset.yaml"),
            false => ("deployment.yaml", "service/deployment.yaml"),
        });
        if self.traffic.is_some() {
            files.push(("service.yaml", "service/service.yaml"));
        }
        if !self.stateful {
            files.push(("horizontal-pod-autoscaler.yaml", "service/horizontal-pod-autoscaler.yaml"));
        }
        files.push(("pod-disruption-budget.yaml", "service/pod-disruption-budget.yaml"));
        files.push(("network-policy.yaml", "service/network-policy.yaml"));
        files
    }

    /// What its image is called before an overlay says more.
    pub fn default_image(&self, config: &DeployConfig) -> String {
        match &config.registry {
            Some(registry) => format!("{}/{}", registry.0.trim_end_matches('/'), self.name),
            None => self.name.clone(),
        }
    }
}

/// Who may talk to a workload: the gateway if it is public, the services that call it, and the scraper.
fn ingress(workload: &Workload, system: &System, edges: &[Edge]) -> Vec<Rule> {
    let mut rules = Vec::new();
    if let Some(traffic) = &workload.traffic {
        let port = traffic.name.to_owned();
        if let Some(gateway) = system.config.gateway.as_ref().filter(|_| workload.public) {
            rules.push(Rule {
                comment: "Public: from the gateway.".into(),
                place: None,
                namespace: Some(gateway.namespace.clone()),
                service: None,
                port: port.clone(),
            });
        }
        rules.extend(edges.iter().filter(|edge| edge.to == workload.name).map(|edge| Rule {
            comment: format!("Called by {}:", edge.from),
            place: Some(edge.at.clone()),
            namespace: None,
            service: Some(edge.from.clone()),
            port: port.clone(),
        }));
    }
    if let Some(metrics) = &workload.metrics {
        let namespace = system.config.monitoring_namespace.as_ref().map_or("monitoring", |namespace| &namespace.0);
        rules.push(Rule {
            comment: "Metrics.".into(),
            place: None,
            namespace: Some(namespace.to_owned()),
            service: None,
            port: metrics.port_name.to_owned(),
        });
    }
    rules
}

/// Where the edges lead from `workload`. Needs all workloads, since the port is the called one's.
pub fn egress(workload: &Workload, all: &[Workload], edges: &[Edge]) -> Vec<Rule> {
    edges
        .iter()
        .filter(|edge| edge.from == workload.name)
        .filter_map(|edge| {
            let port = all.iter().find(|other| other.name == edge.to)?.traffic.as_ref()?;
            Some(Rule {
                comment: format!("Calls {}:", edge.to),
                place: Some(edge.at.clone()),
                namespace: None,
                service: Some(edge.to.clone()),
                port: port.name.to_owned(),
            })
        })
        .collect()
}
