use super::address::{Address, address};
use super::defaults::defaults;
use crate::lint::{Check, Confidence, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::chosen::is_chosen;
use crate::rules::paths;
use crate::rules::words::has_word;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;
use crate::workspace::service::EnvVar;
use crate::workspace::settings::Format;
use crate::workspace::variables::Variable;
use crate::workspace::{Service, Workspace, yaml};

crate::declare_rule! {
    /// The address of another system falls back to localhost.
    ///
    /// ## Why is this bad?
    /// Where the variable is forgotten, the service starts, passes its probes, and fails at the first call: in a container, localhost is
    /// the container itself. Without the fallback it would say at start-up which variable is missing.
    ///
    /// ## Example
    /// ```rust
    /// let inventory = std::env::var("INVENTORY_URL").unwrap_or_else(|_| "http://localhost:8081".to_owned());
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let inventory = std::env::var("INVENTORY_URL").expect("INVENTORY_URL must be set");
    /// ```
    /// with `INVENTORY_URL=http://localhost:8081` in the `.env` file that developers use.
    ///
    /// ## Not reported when
    /// - a manifest, a compose file, a Dockerfile or a ConfigMap of the workspace sets the variable: then nobody falls back;
    /// - its name says that it is where this service itself is, or who may call it (`BIND`, `LISTEN`, `PUBLIC`, `BASE_URL`, `ORIGIN`, …);
    /// - it is an agent on the same host by design (OpenTelemetry, Envoy, Dapr, Consul, Vault, StatsD);
    /// - the value is no URL: `0.0.0.0`, `localhost` and a port alone may be what is bound;
    /// - it is the default of a setting (by `serde`, `Default` or a library's `set_default`) and no library fills settings from the environment,
    ///   or a file of settings sets it;
    /// - it falls back in debug builds only (`cfg!(debug_assertions)`);
    /// - no service reads it: tools, tests, examples.
    ///
    /// ## Source
    /// [The Twelve-Factor App: Config](https://12factor.net/config); "Hardcoded endpoints", MARS (Tighilt et al., 2023).
    "localhost-default", "MSVC402", Practice::ServiceDiscovery, Level::Warn, Tier::Default, Check::Service(check)
}

/// Words in names of addresses that are this service's own, of its users, or of agents beside it.
const OWN: &[&str] = &[
    "bind",
    "listen",
    "listener",
    "public",
    "frontend",
    "ui",
    "web",
    "site",
    "origin",
    "origins",
    "cors",
    "base",
    "app",
    "external",
    "self",
    "redirect",
    "callback",
    "issuer",
    "host",
    "server",
    "domain",
    "otel",
    "otlp",
    "jaeger",
    "zipkin",
    "statsd",
    "telemetry",
    "tracing",
    "metrics",
    "sentry",
    "test",
    "proxy",
    "admin",
    "client",
    "advertise",
    "advertised",
    "vault",
    "consul",
    "dapr",
    "pyroscope",
    "loki",
    "audience",
    "link",
    "webhook",
    "website",
    "rp",
];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    for variable in &service.environment {
        let Some(found) = variable.default.as_deref().and_then(endpoint) else { continue };
        if has_word(&variable.name, OWN) || is_set(workspace, &|name| name == variable.name) {
            continue;
        }
        let read = node_at(workspace, variable);
        if read.is_some_and(|read| !workspace.runs(service, read) || is_chosen(read, &["debug", "dev", "development", "local"])) {
            continue;
        }
        let mut diagnostic = Diagnostic::new(
            format!("`{}` falls back to `{}`", variable.name, found.authority),
            variable.at,
            "in a container, localhost is the container itself",
        )
        .help("let the service refuse to start without it, and set it for development in an `.env` file")
        .evidence("manifests, compose files, Dockerfiles, ConfigMaps and settings that set the variable")
        .evidence("a name of this service's own address, an agent on the same host, a debug build")
        .confidence(if service.documents.is_run() { Confidence::High } else { Confidence::Medium });
        if let Some(password) = &found.password {
            diagnostic = diagnostic.hide(password);
        }
        diagnostic.fix = read.and_then(|read| fix(read, &variable.name));
        out.push(diagnostic);
    }
    for default in defaults(workspace, service, |text| endpoint(text).is_some()) {
        let Some(found) = default.value.text().and_then(endpoint) else { continue };
        if has_word(default.key, OWN) || is_setting_set(workspace, service, default.key) || paths::is_command(default.value) {
            continue;
        }
        let message = format!("the setting `{}` falls back to `{}`", default.key, found.authority);
        let mut diagnostic = Diagnostic::new(message, default.value.at(), "in a container, localhost is the container itself")
            .help("let the service refuse to start without it, and set it for development in an `.env` file")
            .evidence("manifests, compose files, Dockerfiles, ConfigMaps and settings that set it")
            .evidence("a name of this service's own address, an agent on the same host")
            .confidence(Confidence::Medium);
        if let Some(password) = &found.password {
            diagnostic = diagnostic.hide(password);
        }
        out.push(diagnostic);
    }
}

/// Whether a variable whose name ends in the key, or a file of the service's own settings, sets it.
fn is_setting_set(workspace: &Workspace, service: &Service, key: &str) -> bool {
    let wanted = key.to_ascii_uppercase().replace(['.', '-'], "_");
    let names = |variable: &str| {
        let variable = variable.to_ascii_uppercase().replace("__", "_");
        variable == wanted || variable.strip_suffix(&wanted).is_some_and(|prefix| prefix.ends_with('_'))
    };
    let mut files = workspace.settings_of(service).filter(|settings| settings.format != Format::Env);
    is_set(workspace, &names)
        || files.any(|settings| settings.entries.iter().any(|entry| entry.key == key || entry.key.ends_with(&format!(".{key}"))))
}

/// The address of another process on this machine.
fn endpoint(text: &str) -> Option<Address> {
    address(text).filter(|address| !address.scheme.is_empty() && address.is_this_machine() && address.moves())
}

/// Whether anything that runs services sets a variable that `is_it` says yes to.
fn is_set(workspace: &Workspace, is_it: &dyn Fn(&str) -> bool) -> bool {
    let among = |variables: &[Variable]| variables.iter().any(|variable| is_it(&variable.name));
    let stages = workspace.dockerfiles.iter().flat_map(|file| &file.stages);
    let runs = workspace.compose.iter().flat_map(|file| &file.services);
    let pods = workspace.kubernetes.iter().filter_map(|object| object.pod.as_ref());
    let maps = workspace.kubernetes.iter().filter(|object| matches!(object.kind.value.as_str(), "ConfigMap" | "Secret"));
    // What developers use, and an example shows, is no deployment: `.env`, `.env.example`.
    let deployed = workspace.settings.iter().filter(|settings| {
        let path = workspace.sources.path(settings.file);
        settings.format == Format::Env && !paths::is_local(path) && path.file_name().is_some_and(|name| name.contains("prod"))
    });
    stages.map(|stage| &stage.environment[..]).any(among)
        || runs.map(|run| &run.environment[..]).any(among)
        || pods.flat_map(|pod| &pod.containers).any(|container| {
            among(&container.environment)
                || container.references.iter().any(|reference| reference.variable.as_deref().is_some_and(is_it))
        })
        || maps.into_iter().any(|object| keys(&object.node).any(is_it))
        || deployed.into_iter().any(|settings| settings.entries.iter().any(|entry| is_it(&entry.key)))
}

/// Keys of a ConfigMap or a Secret.
fn keys(object: &yaml::Node) -> impl Iterator<Item = &str> {
    let data = ["data", "stringData"].into_iter().filter_map(|key| object.get(key));
    data.flat_map(yaml::Node::entries).filter_map(|(key, _)| key.as_str())
}

/// The call that reads a variable; `None` for clap's attributes.
fn node_at<'w>(workspace: &'w Workspace, variable: &EnvVar) -> Option<Node<'w>> {
    workspace.node_at(variable.at, |node| matches!(node.kind(), ExprKind::Call { .. }))
}

/// `env::var(NAME).unwrap_or…(…)` becomes `env::var(NAME).expect(…)`.
fn fix(read: Node<'_>, name: &str) -> Option<Fix> {
    let fallback = read.parent().filter(|parent| matches!(parent.method(), Some("unwrap_or" | "unwrap_or_else")))?;
    if fallback.receiver()?.id != read.id || !read.external()?.starts_with("std::env::var") {
        return None;
    }
    let mut at = fallback.name_at();
    at.span.end = fallback.at().span.end;
    Some(Fix::unsafe_(format!("require `{name}`")).replace(at, format!("expect(\"{name} must be set\")")))
}
