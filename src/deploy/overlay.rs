//! What differs between environments: images, replicas, hosts, values.

use std::collections::BTreeMap;
use std::fmt;

use serde::Serialize;

use super::Target;
use super::config::{EnvConfig, ServiceInEnv};
use super::environment::is_of_telemetry;
use super::image::{self, Image, Pin};
use super::note::Note;
use super::render::scalar;
use super::workload::{Port, System, Workload};
use crate::service::Tls;

/// Where manifests are applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Env {
    /// A developer's cluster: local images, one replica.
    Dev,
    Prod,
}

impl Env {
    pub const ALL: [Self; 2] = [Self::Dev, Self::Prod];

    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Prod => "prod",
        }
    }
}

impl fmt::Display for Env {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The values of `overlay/generated/kustomization.yaml`.
#[derive(Clone, Debug, Serialize)]
pub struct Overlay {
    /// Of everything in it, when it is not the base's.
    pub moved_to: Option<String>,
    pub images: Vec<ImageEntry>,
    pub patches: Vec<Patch>,
    /// Public services, by name, with what their route shows.
    #[serde(skip)]
    pub routes: Vec<Route>,
    pub config: Vec<ConfigEntry>,
    /// Names of the files of `routes`.
    pub resources: Vec<String>,
}

#[derive(Clone, Debug, Serialize)]
pub struct ImageEntry {
    pub service: String,
    pub image: Image,
}

/// JSON patch operations on one object.
#[derive(Clone, Debug, Serialize)]
pub struct Patch {
    pub kind: &'static str,
    pub service: String,
    pub operations: Vec<Operation>,
}

#[derive(Clone, Debug, Serialize)]
pub struct Operation {
    pub op: &'static str,
    pub path: &'static str,
    /// A YAML value.
    pub value: String,
}

/// Values that replace some of the base's ConfigMap.
#[derive(Clone, Debug, Serialize)]
pub struct ConfigEntry {
    pub service: String,
    pub namespace: String,
    /// `NAME=value`, as YAML scalars.
    pub literals: Vec<String>,
}

/// An HTTPRoute, or a GRPCRoute.
#[derive(Clone, Debug, Serialize)]
pub struct Route {
    pub name: String,
    pub system: String,
    pub namespace: String,
    pub gateway: Gateway,
    pub host: String,
    pub traffic: Port,
    /// The gateway speaks TLS with the service.
    pub secure: bool,
}

#[derive(Clone, Debug, Serialize)]
pub struct Gateway {
    pub namespace: String,
    pub name: String,
}

impl Overlay {
    /// Resolves what `env` changes of the base.
    pub fn resolve(env: Env, system: &System, workloads: &[Workload], target: &Target, notes: &mut Vec<Note>) -> Self {
        let config = match env {
            Env::Dev => &system.config.env.dev,
            Env::Prod => &system.config.env.prod,
        };
        let moved_to = match (&config.namespace, env) {
            (Some(namespace), _) => Some(namespace.0.clone()),
            (None, Env::Dev) => Some(dev_namespace(system.namespace)),
            (None, Env::Prod) => None,
        };
        let mut overlay = Self { moved_to, images: vec![], patches: vec![], routes: vec![], config: vec![], resources: vec![] };
        let none = ServiceInEnv::default();
        for workload in workloads {
            let here = config.services.get(&workload.name).unwrap_or(&none);
            overlay
                .images
                .push(ImageEntry { service: workload.name.clone(), image: choose_image(env, workload, here, system, target) });
            overlay.patches.extend(patches(env, workload, here));
            overlay.config.extend(values(env, workload, here, system, notes));
            overlay.routes.extend(route(env, workload, here, system, notes));
        }
        overlay.resources = overlay.routes.iter().map(|route| route_file(&route.name)).collect();
        overlay.unknown_services(env, config, workloads, notes);
        notes.extend(overlay.unpinned(env));
        overlay
    }

    /// Who still runs in prod what a tag names, which may be another image tomorrow.
    fn unpinned(&self, env: Env) -> Option<Note> {
        let unpinned = self.images.iter().filter(|entry| env == Env::Prod && !entry.image.is_pinned());
        let names: Vec<_> = unpinned.map(|entry| entry.service.as_str()).collect();
        let first = names.first()?;
        Some(Note::general(
            format!("no digest pins the image that prod runs of: {}", names.join(", ")),
            format!(
                "give --image {first}=REPOSITORY@sha256:…, set {}, or set `image` under [deploy.services.{first}] in msvc.toml",
                image_variable(first)
            ),
        ))
    }

    fn unknown_services(&self, env: Env, config: &EnvConfig, workloads: &[Workload], notes: &mut Vec<Note>) {
        for name in config.services.keys().filter(|name| !workloads.iter().any(|workload| workload.name == **name)) {
            notes.push(Note::general(
                format!("[deploy.env.{env}.services.{name}] is about no service that gets manifests"),
                "correct the name or remove it",
            ));
        }
    }
}

pub fn route_file(service: &str) -> String {
    format!("http-route-{service}.yaml")
}

/// A label has 63 characters at most.
fn dev_namespace(namespace: &str) -> String {
    format!("{}-dev", namespace[..namespace.len().min(59)].trim_end_matches('-'))
}

/// What was stated last wins: flag or environment variable, `msvc.toml`, what the overlay already pins.
fn choose_image(env: Env, workload: &Workload, here: &ServiceInEnv, system: &System, target: &Target) -> Image {
    let name = &workload.name;
    let default_name = workload.default_image(system.config);
    let settings = system.settings(name);
    let nowhere = BTreeMap::new();
    let (stated, everywhere) = match env {
        Env::Prod => (&target.images, settings.image.as_ref()),
        Env::Dev => (&nowhere, None),
    };
    let stated = stated.get(name).or(here.image.as_ref()).or(everywhere).map(|image| image.resolve(&default_name));
    let pinned = target.pinned.get(&env).and_then(|pinned| pinned.get(name)).cloned();
    stated.or(pinned.filter(|image| !is_placeholder(image))).unwrap_or_else(|| Image {
        name: default_name,
        pin: Pin::Tag(if env == Env::Dev { image::DEV } else { image::NO_DIGEST }.to_owned()),
    })
}

/// Whether this tool put it there because it knew nothing better.
fn is_placeholder(image: &Image) -> bool {
    matches!(&image.pin, Pin::Tag(tag) if tag == image::NO_DIGEST || tag == image::DEV)
}

/// The environment variable that states the image of a service: `MSVC_IMAGE_ORDER_ITEMS`.
pub fn image_variable(service: &str) -> String {
    format!("MSVC_IMAGE_{}", service.replace('-', "_").to_uppercase())
}

fn patches(env: Env, workload: &Workload, here: &ServiceInEnv) -> Vec<Patch> {
    let patch = |kind, operations| Patch { kind, service: workload.name.clone(), operations };
    let replace = |path, value: String| Operation { op: "replace", path, value };
    let mut patches = Vec::new();
    if env == Env::Dev {
        patches.push(patch(
            if workload.stateful { "StatefulSet" } else { "Deployment" },
            vec![
                replace("/spec/template/spec/containers/0/imagePullPolicy", "IfNotPresent".into()),
                Operation {
                    op: "add",
                    path: "/metadata/annotations/checkov.io~1skip0",
                    value: "CKV_K8S_15=an image built here cannot be pulled".into(),
                },
            ],
        ));
    }
    if !workload.stateful {
        let (fewest, most) = match env {
            Env::Dev => (1, 2),
            Env::Prod => (workload.replicas, workload.max_replicas),
        };
        let fewest = here.replicas.unwrap_or(fewest);
        let most = here.max_replicas.unwrap_or(most).max(fewest);
        let mut operations = Vec::new();
        if fewest != workload.replicas {
            operations.push(replace("/spec/minReplicas", fewest.to_string()));
        }
        if most != workload.max_replicas {
            operations.push(replace("/spec/maxReplicas", most.to_string()));
        }
        if !operations.is_empty() {
            patches.push(patch("HorizontalPodAutoscaler", operations));
        }
    }
    patches
}

/// Values of this environment for variables that the code reads; a secret is none of them.
fn values(env: Env, workload: &Workload, here: &ServiceInEnv, system: &System, notes: &mut Vec<Note>) -> Option<ConfigEntry> {
    let mut literals = Vec::new();
    for (name, value) in &here.env {
        if workload.plain_variables.contains(name) || is_of_telemetry(name) {
            literals.push(scalar(&format!("{name}={}", value.0)));
        } else {
            notes.push(Note::about(
                &workload.name,
                format!("{name} is no variable that it reads, or a secret: it was left out"),
                format!("remove it from [deploy.env.{env}.services.{}.env] of msvc.toml", workload.name),
            ));
        }
    }
    let (service, namespace) = (workload.name.clone(), system.namespace.to_owned());
    (!literals.is_empty()).then_some(ConfigEntry { service, namespace, literals })
}

fn route(env: Env, workload: &Workload, here: &ServiceInEnv, system: &System, notes: &mut Vec<Note>) -> Option<Route> {
    let traffic = workload.traffic.clone().filter(|_| workload.public)?;
    let settings = system.settings(&workload.name);
    let host = here.host.clone().or(settings.host.filter(|_| env == Env::Prod));
    let Some(gateway) = &system.config.gateway else {
        if env == Env::Prod {
            notes.push(Note::about(
                &workload.name,
                "is public, and no gateway is known, so nothing leads to it".into(),
                "set `gateway = \"NAMESPACE/NAME\"` under [deploy] in msvc.toml",
            ));
        }
        return None;
    };
    let Some(host) = host else {
        if env == Env::Prod {
            notes.push(Note::about(
                &workload.name,
                "is public, and its host name is not known, so it has no route".into(),
                format!("set `host` under [deploy.services.{}] in msvc.toml", workload.name),
            ));
        }
        return None;
    };
    let secure = workload.tls != Tls::Mesh;
    if secure && env == Env::Prod {
        let shown = if workload.tls == Tls::Mtls { ", and the gateway must show a certificate of its own" } else { "" };
        notes.push(Note::about(
            &workload.name,
            format!("is reached by the gateway over TLS{shown}"),
            format!("create the ConfigMap {0}-ca, whose key ca.crt holds the authority of {0}'s certificate", workload.name),
        ));
    }
    Some(Route {
        name: workload.name.clone(),
        system: system.name.to_owned(),
        namespace: system.namespace.to_owned(),
        gateway: Gateway { namespace: gateway.namespace.clone(), name: gateway.name.clone() },
        host: scalar(&host.0),
        traffic,
        secure,
    })
}
