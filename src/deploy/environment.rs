//! Which environment variables a service gets: those that the code reads, and no others.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::config::Text;
use super::note::Note;
use super::workload::System;
use crate::workspace::Service;
use crate::workspace::service::EnvVar;

/// Where the volume of an embedded store is mounted: where the generated image keeps it too.
pub fn data_directory(service: &str) -> String {
    format!("/var/lib/{service}")
}

/// Where secrets are mounted.
const SECRETS: &str = "/etc/secrets";

const TELEMETRY: &str = "OTEL_";

/// Where the Secret with the service's certificate is mounted: where the generated image looks for it too.
const CERTIFICATES: &str = "/etc/tls";

/// A line of the ConfigMap's source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Variable {
    pub name: String,
    pub value: String,
    pub comment: Option<String>,
}

/// A key of the service's Secret, mounted as a file of that name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretFile {
    pub key: String,
}

/// A key of the service's Secret that the code can only read from the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct SecretVariable {
    pub name: String,
    pub key: String,
    /// The file that reads it.
    pub place: String,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    pub variables: Vec<Variable>,
    /// There is a ConfigMap: the base has variables, or an environment adds some.
    pub configured: bool,
    pub secret_files: Vec<SecretFile>,
    pub secret_variables: Vec<SecretVariable>,
    /// Keys of the Secret with its certificate, as cert-manager names them.
    pub certificate_files: BTreeSet<&'static str>,
}

/// Sorts out what `service` reads. What has no default and no value becomes a note.
pub fn resolve(service: &Service, system: &System, stateful: bool, notes: &mut Vec<Note>) -> Environment {
    let mut environment = Environment::default();
    let settings = system.settings(&service.name);
    let reads = |name: &str| service.environment.iter().find(|variable| variable.name == name);
    let place = |variable: &EnvVar| system.workspace.sources.path(variable.at.file).to_string();
    let elsewhere = [&system.config.env.dev, &system.config.env.prod]
        .map(|env| env.services.get(&service.name).map(|here| here.env.clone()).unwrap_or_default());
    let data = data_directory(&service.name);
    let mut has_data_path = false;
    let has_issuer = issuer(service, system, notes).is_some();

    for variable in &service.environment {
        let name = variable.name.as_str();
        if has_issuer && matches!(own_key(name, service), Some("AUTH__KEY" | "AUTH__KEY_FILE")) {
            continue;
        }
        if let Some(value) = settings.env.get(name) {
            if variable.secret {
                notes.push(misplaced_secret(name, service));
            } else {
                environment.add(name, &value.0, Some("From msvc.toml."));
                has_data_path |= value.0.contains(&data);
                continue;
            }
        }
        if let Some(key) = certificate_file(variable, service) {
            environment.add(name, &format!("{CERTIFICATES}/{key}"), Some("A file of the Secret with its certificate."));
            environment.certificate_files.insert(key);
            continue;
        }
        let holds_secret_file = |base: &str| variable.secret || reads(base).is_some_and(|base| base.secret);
        if name.strip_suffix("_FILE").is_some_and(holds_secret_file) {
            let key = secret_key(name, &service.name);
            environment.add(name, &format!("{SECRETS}/{key}"), Some("A file of the Secret."));
            environment.secret_files.push(SecretFile { key });
        } else if variable.secret {
            // Its twin names a file, or the service does without it.
            if reads(&format!("{name}_FILE")).is_none() && variable.default.is_none() {
                let key = secret_key(name, &service.name);
                environment.secret_variables.push(SecretVariable { name: name.to_owned(), key, place: place(variable) });
            }
        } else if let Some((value, comment)) = pinned(variable, service, stateful) {
            environment.add(name, &value, Some(comment));
            has_data_path |= value.starts_with(&data);
        } else if variable.default.is_none() && !elsewhere.iter().all(|env| env.contains_key(name)) {
            notes.push(Note::about(
                &service.name,
                format!("needs {name} ({}), which has no default", place(variable)),
                format!("set {name} in [deploy.services.{}.env] of msvc.toml", service.name),
            ));
        }
    }
    for (name, value) in settings.env.iter().filter(|(name, _)| reads(name).is_none()) {
        if is_of_telemetry(name) {
            environment.add(name, &value.0, Some("From msvc.toml."));
        } else if name.starts_with(TELEMETRY) {
            notes.push(misplaced_secret(name, service));
        } else {
            notes.push(Note::about(
                &service.name,
                format!("never reads {name}: it was left out"),
                format!("remove it from [deploy.services.{}.env] of msvc.toml", service.name),
            ));
        }
    }
    let collector = elsewhere.iter().chain([&settings.env]).find_map(|env| env.get("OTEL_EXPORTER_OTLP_ENDPOINT"));
    if let Some(collector) = collector {
        notes.push(Note::about(
            &service.name,
            format!("sends its traces and logs to {}, and no network policy lets it out", collector.0),
            "allow egress to the collector with a NetworkPolicy in an overlay",
        ));
    }
    if stateful && !has_data_path {
        notes.push(Note::about(
            &service.name,
            format!("how its database file is moved to the volume at {data} is not known"),
            format!("set the variable that names it in [deploy.services.{}.env] of msvc.toml", service.name),
        ));
    }
    environment.configured = !environment.variables.is_empty() || elsewhere.iter().any(|env| !env.is_empty());
    environment.share_comments();
    notes.extend(environment.secret_note(service, system));
    notes.extend(environment.certificate_note(service, system));
    notes.extend(registry_note(service, system));
    environment
}

/// Whether it is a variable of OpenTelemetry, which programs read without naming it. Headers hold credentials.
pub fn is_of_telemetry(name: &str) -> bool {
    name.starts_with(TELEMETRY) && !name.ends_with("_HEADERS")
}

fn misplaced_secret(name: &str, service: &Service) -> Note {
    Note::about(
        &service.name,
        format!("{name} is a secret, and msvc.toml is no place for one: it was left out"),
        format!("remove it from [deploy.services.{}.env]", service.name),
    )
}

/// `AUTH__KEY` of `ORDERS__AUTH__KEY`.
fn own_key<'a>(variable: &'a str, service: &Service) -> Option<&'a str> {
    let prefix = service.name.replace('-', "_").to_uppercase();
    variable.strip_prefix(&prefix)?.strip_prefix("__")
}

/// Where the issuer of tokens publishes its keys, if the service is told: then the issuer shares no key with it. The base
/// has the Secret or not, so all environments must be of one kind.
fn issuer(service: &Service, system: &System, notes: &mut Vec<Note>) -> Option<String> {
    let variable = service.environment.iter().find(|variable| own_key(&variable.name, service) == Some("AUTH__JWKS__URL"))?;
    let name = &variable.name;
    let given = |env: &BTreeMap<String, Text>| env.get(name).map(|url| url.0.clone());
    let common = given(&system.settings(&service.name).env).or_else(|| variable.default.clone()).filter(|url| !url.is_empty());
    let [dev, prod] = [&system.config.env.dev, &system.config.env.prod]
        .map(|env| env.services.get(&service.name).and_then(|here| given(&here.env)));
    let url = match (common, dev, prod) {
        (None, None, None) => return None,
        (None, Some(_), None) | (None, None, Some(_)) => {
            notes.push(Note::about(
                &service.name,
                format!("has {name} in one environment only, and cannot start with both an issuer's keys and a key of its own"),
                format!("set {name} in [deploy.services.{}.env] of msvc.toml, or in neither environment", service.name),
            ));
            return None;
        }
        (common, _, prod) => prod.or(common)?,
    };
    notes.push(Note::about(
        &service.name,
        format!("reads the keys of its token issuer from {url}, and no network policy lets it out"),
        "allow egress to the issuer with a NetworkPolicy in an overlay",
    ));
    Some(url)
}

/// The registry that the service lists itself at, or looks others up in: where it is for pods, nobody has said, unless msvc.toml does.
fn registry_note(service: &Service, system: &System) -> Option<Note> {
    let told = service.environment.iter().find_map(|variable| match own_key(&variable.name, service)? {
        "CONSUL__AGENT" => Some((&variable.name, "Consul agent")),
        "EUREKA__SERVERS" => Some((&variable.name, "Eureka server")),
        _ => None,
    });
    let (name, registry) = told?;
    let allow = "allow egress to it with a NetworkPolicy in an overlay";
    let help = match system.settings(&service.name).env.contains_key(name) {
        true => allow.to_owned(),
        false => format!("set {name} in [deploy.services.{}.env] of msvc.toml to one that pods reach, and {allow}", service.name),
    };
    Some(Note::about(&service.name, format!("uses a {registry}, and no network policy lets it out"), help))
}

/// What the manifests fix because they depend on it: a new default in the image must not move a port away from its
/// probe, and the store's file must be on the volume.
fn pinned(variable: &EnvVar, service: &Service, stateful: bool) -> Option<(String, &'static str)> {
    let key = own_key(&variable.name, service)?;
    let port = |found: &Option<crate::workspace::service::Found<u16>>| found.as_ref().map(|found| found.value.to_string());
    match key {
        "SERVER__PORT" => Some((port(&service.port)?, "What the Service and the probes rely on.")),
        "ADMIN__PORT" => Some((port(&service.admin_port)?, "What the Service and the probes rely on.")),
        "SERVER__HOST" | "ADMIN__HOST" if !matches!(variable.default.as_deref(), Some("0.0.0.0" | "::")) => {
            Some(("0.0.0.0".into(), "Reachable from outside the pod."))
        }
        "STORE__PATH" if stateful => Some((format!("{}/{}.db", data_directory(&service.name), service.name), "On the volume.")),
        _ => None,
    }
}

/// The key of the Secret with the service's certificate that a variable names, when the service has such a file at all.
fn certificate_file(variable: &EnvVar, service: &Service) -> Option<&'static str> {
    variable.default.as_ref().filter(|file| !file.is_empty())?;
    match own_key(&variable.name, service)? {
        "SERVER_TLS__CERTIFICATE_FILE" | "CLIENT_TLS__CERTIFICATE_FILE" => Some("tls.crt"),
        "SERVER_TLS__KEY_FILE" | "CLIENT_TLS__KEY_FILE" => Some("tls.key"),
        "SERVER_TLS__CLIENT_CA_FILE" | "CLIENT_TLS__CA_FILE" => Some("ca.crt"),
        _ => None,
    }
}

/// `ORDERS__AUTH__KEY_FILE` of the service `orders` is the key `auth-key` of its Secret.
fn secret_key(variable: &str, service: &str) -> String {
    let prefix = format!("{}_", service.replace('-', "_").to_uppercase());
    let rest = variable.strip_prefix(&prefix).unwrap_or(variable);
    let rest = rest.strip_suffix("_FILE").unwrap_or(rest);
    rest.split('_').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-").to_lowercase()
}

impl Environment {
    fn add(&mut self, name: &str, value: &str, comment: Option<&str>) {
        let (name, value, comment) = (name.to_owned(), value.to_owned(), comment.map(str::to_owned));
        self.variables.push(Variable { name, value, comment });
    }

    /// How a person makes the Secret.
    fn secret_note(&self, service: &Service, system: &System) -> Option<Note> {
        let keys = self.secret_files.iter().map(|secret| &secret.key);
        let keys = keys.chain(self.secret_variables.iter().map(|secret| &secret.key));
        let arguments: Vec<_> = keys.map(|key| format!("--from-file={key}=FILE")).collect();
        let command = format!("kubectl -n {} create secret generic {}", system.namespace, service.name);
        (!arguments.is_empty()).then(|| {
            let what = "reads secrets, which no manifest holds".into();
            Note::about(&service.name, what, format!("create them in each namespace: {command} {}", arguments.join(" ")))
        })
    }

    /// Where a certificate comes from.
    fn certificate_note(&self, service: &Service, system: &System) -> Option<Note> {
        let (name, namespace) = (&service.name, system.namespace);
        let arguments: Vec<_> = self.certificate_files.iter().map(|key| format!("--from-file={key}=FILE")).collect();
        let what = match self.certificate_files.contains("tls.crt") {
            true => format!("has a certificate, for the DNS name {name}, which no manifest holds"),
            false => "trusts an authority whose certificate no manifest holds".to_owned(),
        };
        let command = format!("kubectl -n {namespace} create secret generic {name}-tls {}", arguments.join(" "));
        let help = format!("have cert-manager write the Secret {name}-tls in each namespace, or create it: {command}");
        (!arguments.is_empty()).then(|| Note::about(name, what, help))
    }

    /// Neighbours that say the same share the comment.
    fn share_comments(&mut self) {
        let mut previous = None;
        for variable in &mut self.variables {
            let comment = variable.comment.clone();
            if comment == previous {
                variable.comment = None;
            }
            previous = comment;
        }
    }
}
