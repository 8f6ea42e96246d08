use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::containers::shipped::is_elsewhere;
use crate::rules::containers::workloads::selects;
use crate::rules::given::{Given, mounted_maps, variables};
use crate::rules::marks::{MESHES, are_in_manifests};
use crate::rules::paths::same_name;
use crate::rules::service_discovery::address::{Address, address};
use crate::workspace::yaml::Node;
use crate::workspace::{FileId, Location, Service, Span, Workspace};

crate::declare_rule! {
    /// One service calls another over a connection that anybody on the network can read and change.
    ///
    /// ## Why is this bad?
    /// Whoever gets into one pod, or onto the network between the nodes, reads every token and every customer's data that passes, and can
    /// answer in another service's name. Being inside the cluster is no proof of who one is.
    ///
    /// ## Example
    /// ```yaml
    /// env:
    ///   - name: BILLING_URL
    ///     value: http://billing:8080
    /// ```
    ///
    /// ## Use instead
    /// A mesh that encrypts between its proxies, or TLS in the services themselves:
    /// ```yaml
    /// env:
    ///   - name: BILLING_URL
    ///     value: https://billing:8443
    /// ```
    ///
    /// ## Not reported when
    /// - anything in the manifests bears the mark of a mesh or of encryption below it: Istio, Linkerd, Consul, Kuma, Cilium, App Mesh, Dapr,
    ///   SPIFFE; or `[package.metadata.msvc]` of one of the two states `tls = "mesh"`;
    /// - the host is not another service of this workspace: it may be a proxy, or run on the same machine;
    /// - the manifest is for development, a test or an example. Compose files are not looked at: they run on one machine.
    ///
    /// ## Source
    /// OWASP Application Security Verification Standard 5.0, 12.3.3 (an encrypted transport between internal services) and 12.3.5 (in microservices,
    /// a mesh); NIST SP 800-207, "Zero Trust Architecture", 2.1.
    "plaintext-between-services", "MSVC706", Practice::Security, Level::Warn, Tier::Pedantic, Check::Service(check)
}

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let is_sealed = |service: &Service| service.tls.is_some();
    if is_sealed(service) || are_in_manifests(workspace, MESHES) {
        return;
    }
    for (at, address) in given(workspace, service) {
        if is_elsewhere(workspace.sources.path(at.file)) || !matches!(address.scheme.as_str(), "http" | "ws") {
            continue;
        }
        let name = address.host.split('.').next().unwrap_or_default();
        let Some(called) = called(workspace, name).filter(|called| called.package != service.package && !is_sealed(called))
        else {
            continue;
        };
        let diagnostic =
            Diagnostic::new(format!("`{}` is called without TLS", called.name), at, "anybody on the way can read and change it")
                .help("put both into a mesh that encrypts between its proxies, or serve TLS and call `https://`")
                .evidence("marks of a mesh, or of encryption below it, on any object or kustomization")
                .evidence("`tls` in `[package.metadata.msvc]`")
                .confidence(Confidence::Medium);
        out.push(diagnostic);
    }
}

/// Addresses that Kubernetes gives to a service: in variables, on the command line, in files.
fn given(workspace: &Workspace, service: &Service) -> Vec<(Location, Address)> {
    let named = variables(workspace, service);
    let mut found: Vec<_> = named.iter().filter_map(|given| Some((given.at, address(given.value)?))).collect();
    found.extend(named.iter().filter_map(|scheme| Some((scheme.at, in_parts(scheme, &named)?))));
    for (object, container) in workspace.containers_of(service) {
        for word in container.command.iter().chain(&container.arguments) {
            found.extend(urls(&word.value).map(|address| (Location::new(object.file, word.span), address)));
        }
        for map in mounted_maps(workspace, object, container) {
            for (_, value) in map.node.get("data").map(Node::entries).unwrap_or_default() {
                let written = value.as_str().into_iter().flat_map(urls);
                found.extend(written.map(|address| (line_of(workspace, map.file, value.span, &address), address)));
            }
        }
    }
    found
}

/// `BILLING_SCHEME=http` with `BILLING_HOST`, this being the scheme.
fn in_parts(scheme: &Given<'_>, all: &[Given<'_>]) -> Option<Address> {
    let key = scheme.key.to_ascii_uppercase();
    let prefix = ["SCHEME", "PROTOCOL"].iter().find_map(|end| key.strip_suffix(end))?;
    let is_host = |other: &&Given<'_>| other.key.to_ascii_uppercase().strip_prefix(prefix) == Some("HOST");
    let host = all.iter().find(is_host).filter(|_| !prefix.is_empty())?;
    address(&format!("{}://{}", scheme.value, host.value))
}

/// Where in a value of many lines an address stands.
fn line_of(workspace: &Workspace, file: FileId, value: Span, address: &Address) -> Location {
    let url = format!("{}://{}", address.scheme, address.authority);
    let text = workspace.sources.text(file).unwrap_or_default();
    let offset = text.get(value.range()).and_then(|text| text.find(&url));
    Location::new(file, offset.map_or(value, |at| Span::new(value.start as usize + at, value.start as usize + at + url.len())))
}

/// URLs anywhere in a text: `--billing-url=http://billing:8080`, a whole file of settings.
fn urls(text: &str) -> impl Iterator<Item = Address> {
    let is_outside = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | '=' | ',' | '(' | ')' | '[' | ']' | '<' | '>');
    text.split(is_outside).filter(|part| part.contains("://")).filter_map(address)
}

/// The service of this workspace that a host name leads to: through the Kubernetes Service of that name.
fn called<'w>(workspace: &'w Workspace, name: &str) -> Option<&'w Service> {
    let fronts = workspace.kubernetes.iter().filter(|object| object.kind.value == "Service" && object.name.value == name);
    let mut selected = fronts.flat_map(|front| {
        let runs = move |service: &&Service| {
            let mut pods = workspace.containers_of(service).map(|(object, _)| object);
            pods.any(|object| object.pod.as_ref().is_some_and(|pod| selects(front, object, pod)))
        };
        workspace.services.iter().filter(runs)
    });
    selected.next().or_else(|| workspace.services.iter().find(|service| same_name(&service.name, name)))
}
