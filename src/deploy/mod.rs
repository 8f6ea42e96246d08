//! Discovered services x target -> planned manifests. Pure: what is on disk comes in as [`Target`].
//!
//! - [`config`]: `[deploy]` of `msvc.toml`.
//! - [`workload`], [`environment`]: one service's facts and settings, resolved to what its manifests show.
//! - [`overlay`]: what differs between dev and prod.
//! - [`render`]: values x `templates/deploy/` to text.
//! - [`note`]: what could not be found out.
//! - [`compare`]: how a manifest on disk differs from the planned one in meaning.

pub mod compare;
pub mod config;
pub mod environment;
pub mod image;
pub mod note;
pub mod overlay;
pub mod quantity;
pub mod render;
pub mod workload;

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use self::config::{DeployConfig, Platform};
use self::image::{Image, ImageSetting};
use self::note::Note;
use self::overlay::{Env, Overlay};
use self::quantity::{Bytes, Cpu};
use self::render::{render, render_managed};
use self::workload::{System, Workload};
use crate::file_tree::FileTree;
use crate::service::dns_label;
use crate::workspace::{Service, Workspace};

/// A call from one service to another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Edge {
    pub from: String,
    pub to: String,
    /// The file that calls, without a line, which every edit would move: `services/orders/src/clients/inventory.rs`.
    pub at: String,
}

/// What is planned for, beyond the code.
#[derive(Clone, Debug, Default)]
pub struct Target {
    /// Name of the workspace's directory: names the system when `msvc.toml` does not.
    pub directory: String,
    /// Images for prod, stated for this run.
    pub images: BTreeMap<String, ImageSetting>,
    /// Images that the overlays on disk pin.
    pub pinned: BTreeMap<Env, BTreeMap<String, Image>>,
    /// Plan these services only; all when empty.
    pub only: BTreeSet<String>,
    /// Services that already have manifests on disk: they stay listed when others are planned alone.
    pub deployed: BTreeSet<String>,
}

/// Planned manifests; paths relative to the output directory.
#[derive(Clone, Debug, Default)]
pub struct Manifests {
    /// Files that belong to the tool.
    pub managed: FileTree,
    /// Files that belong to people as soon as they exist.
    pub yours: FileTree,
    pub notes: Vec<Note>,
}

/// Calls services whose names no cluster takes by the nearest that one does: `order_items` becomes `order-items`, unless another
/// service has that name.
pub fn name_for_cluster(services: &mut [Service]) {
    for index in 0..services.len() {
        let name = services[index].name.replace('_', "-").to_ascii_lowercase();
        let taken = services.iter().any(|service| service.name == name);
        if !taken && config::is_label(&name) {
            services[index].name = name;
        }
    }
}

/// Who calls whom, as the code says it.
pub fn edges(workspace: &Workspace) -> Vec<Edge> {
    let edges = workspace.services.iter().flat_map(|service| {
        service.calls.iter().map(|call| Edge {
            from: service.name.clone(),
            to: call.value.clone(),
            at: workspace.sources.path(call.at.file).to_string(),
        })
    });
    edges.collect()
}

/// Plans manifests for every service of `workspace`, or for those that `target` names.
pub fn plan(workspace: &Workspace, config: &DeployConfig, edges: &[Edge], target: &Target) -> Manifests {
    let mut manifests = Manifests::default();
    let notes = &mut manifests.notes;
    let namespace = namespace(config, target, notes);
    let system = System { workspace, config, name: &namespace, namespace: &namespace };
    let workloads = workloads(&system, edges, target, notes);
    if workloads.is_empty() {
        return manifests;
    }

    let shared = Shared::new(&system, &workloads);
    let managed = &mut manifests.managed;
    let mut write = |path: String, template: &str, values: &dyn Values| {
        managed.create(path, values.render(template));
    };
    for file in ["kustomization", "namespace", "resource-quota", "limit-range", "network-policies"] {
        write(format!("base/{file}.yaml"), &format!("base/{file}.yaml"), &shared);
    }
    if !shared.scraped.is_empty() {
        write("components/monitoring/kustomization.yaml".into(), "components/monitoring/kustomization.yaml", &shared);
    }
    for workload in workloads.iter().filter(|workload| target.wants(&workload.name)) {
        let directory = format!("base/{}", workload.name);
        write(format!("{directory}/kustomization.yaml"), "service/kustomization.yaml", workload);
        if workload.configured {
            write(format!("{directory}/config.env"), "service/config.env", workload);
        }
        for (file, template) in workload.files() {
            write(format!("{directory}/{file}"), template, workload);
        }
        if workload.metrics.is_some() {
            let file = format!("components/monitoring/{}.yaml", workload.name);
            write(file, "components/monitoring/service.yaml", workload);
        }
    }
    for env in Env::ALL {
        let overlay = Overlay::resolve(env, &system, &workloads, target, notes);
        let directory = format!("overlays/{env}");
        write(format!("{directory}/generated/kustomization.yaml"), "overlay/generated/kustomization.yaml", &overlay);
        for route in &overlay.routes {
            let file = format!("{directory}/generated/{}", overlay::route_file(&route.name));
            write(file, "overlay/generated/http-route.yaml", route);
        }
        manifests.yours.create(format!("{directory}/kustomization.yaml"), render("overlay/kustomization.yaml", &shared));
    }
    manifests
}

/// Serialisable values, behind a pointer.
trait Values {
    fn render(&self, template: &str) -> String;
}

impl<T: Serialize> Values for T {
    fn render(&self, template: &str) -> String {
        render_managed(template, self)
    }
}

impl Target {
    fn wants(&self, service: &str) -> bool {
        self.only.is_empty() || self.only.contains(service)
    }
}

fn namespace(config: &DeployConfig, target: &Target, notes: &mut Vec<Note>) -> String {
    if let Some(namespace) = &config.namespace {
        return namespace.0.clone();
    }
    let name = dns_label(&target.directory).unwrap_or_else(|| "services".to_owned());
    notes.push(Note::general(
        format!("the namespace is called `{name}` after the directory, whose name may differ elsewhere"),
        format!("set `namespace = \"{name}\"` under [deploy] in msvc.toml"),
    ));
    name
}

/// The services that get manifests, in name order, each name once.
fn workloads(system: &System, edges: &[Edge], target: &Target, notes: &mut Vec<Note>) -> Vec<Workload> {
    let mut workloads: BTreeMap<String, Workload> = BTreeMap::new();
    for service in &system.workspace.services {
        let listed = target.wants(&service.name) || target.deployed.contains(&service.name);
        if !listed {
            continue;
        }
        // Only who is planned now is reported on.
        let mut own_notes = Vec::new();
        if let Some(workload) = Workload::resolve(service, system, edges, &mut own_notes) {
            if workloads.contains_key(&workload.name) {
                notes.push(Note::unknown(
                    &workload.name,
                    "which of several services of this name is meant",
                    "name",
                    &system.manifest(service),
                ));
                continue;
            }
            workloads.insert(workload.name.clone(), workload);
        }
        if target.wants(&service.name) {
            notes.extend(own_notes);
        }
    }
    for name in system.config.services.keys().filter(|name| !system.workspace.services.iter().any(|s| s.name == **name)) {
        notes.push(Note::general(format!("[deploy.services.{name}] is about no service"), "correct the name or remove it"));
    }
    let mut workloads: Vec<_> = workloads.into_values().collect();
    for index in 0..workloads.len() {
        workloads[index].egress = workload::egress(&workloads[index], &workloads, edges);
    }
    workloads
}

/// Values of the templates that are about the whole system.
#[derive(Serialize)]
struct Shared<'a> {
    system: &'a str,
    namespace: &'a str,
    services: Vec<&'a str>,
    /// Services with metrics.
    scraped: Vec<&'a str>,
    dns: Dns,
    quota: Quota,
}

/// Where the cluster's DNS server is.
#[derive(Serialize)]
struct Dns {
    namespace: &'static str,
    port: u16,
    /// Answers on the node-local address of NodeLocal DNSCache.
    node_local: bool,
}

#[derive(Serialize)]
struct Quota {
    pods: u64,
    cpu: Cpu,
    memory: Bytes,
    storage: Option<Bytes>,
}

impl<'a> Shared<'a> {
    fn new(system: &System<'a>, workloads: &'a [Workload]) -> Self {
        // A rollout adds one pod.
        let pods = |workload: &Workload| u64::from(workload.max_replicas) + u64::from(!workload.stateful);
        let twice = |amount: &dyn Fn(&Workload) -> u64| 2 * workloads.iter().map(amount).sum::<u64>();
        let storage = twice(&|workload| if workload.stateful { workload.storage.0 } else { 0 });
        Self {
            system: system.name,
            namespace: system.namespace,
            services: workloads.iter().map(|workload| workload.name.as_str()).collect(),
            scraped: workloads.iter().filter(|w| w.metrics.is_some()).map(|w| w.name.as_str()).collect(),
            // OpenShift's DNS pods listen on another port than their Service.
            dns: match system.config.platform {
                Platform::Kubernetes => Dns { namespace: "kube-system", port: 53, node_local: true },
                Platform::Openshift => Dns { namespace: "openshift-dns", port: 5353, node_local: false },
            },
            quota: Quota {
                pods: twice(&pods),
                cpu: Cpu(twice(&|workload| pods(workload) * workload.cpu.0)),
                memory: Bytes(twice(&|workload| pods(workload) * workload.memory.0)),
                storage: (storage > 0).then_some(Bytes(storage)),
            },
        }
    }
}
