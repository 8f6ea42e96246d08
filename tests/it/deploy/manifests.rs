//! What no linter checks: that the manifests agree with the code and with each other.

use std::collections::{BTreeMap, BTreeSet};

use cargo_msvc::deploy::Target;
use cargo_msvc::service::{Store, Tls};
use serde_json::Value;

use super::facts::{cases, found, service, variable, with_certificate, with_store, workspace};
use super::{Case, documents, notes, objects, plan_with, texts};

/// Deployment or StatefulSet of each service.
fn workloads(documents: &[(String, Value)]) -> BTreeMap<String, &Value> {
    let all = objects(documents, "Deployment").into_iter().chain(objects(documents, "StatefulSet"));
    all.map(|workload| (workload["metadata"]["name"].as_str().unwrap().to_owned(), workload)).collect()
}

fn container(workload: &Value) -> &Value {
    &workload["spec"]["template"]["spec"]["containers"][0]
}

fn items(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}"))
}

/// Whether `labels` has all of `selector`.
fn selects(selector: &Value, labels: &Value) -> bool {
    let selector = selector.as_object().expect("a selector");
    !selector.is_empty() && selector.iter().all(|(key, value)| labels[key] == *value)
}

#[test]
fn selectors_match_exactly_the_pods_of_their_service() {
    for case in cases() {
        let documents = documents(&case.plan());
        let workloads = workloads(&documents);
        for (_, object) in &documents {
            let spec = &object["spec"];
            let selector = match text(&object["kind"]) {
                "Service" => &spec["selector"],
                "Deployment" | "StatefulSet" | "PodDisruptionBudget" | "PodMonitor" => &spec["selector"]["matchLabels"],
                "NetworkPolicy" if spec["podSelector"] != serde_json::json!({}) => &spec["podSelector"]["matchLabels"],
                _ => continue,
            };
            let name = text(&object["metadata"]["name"]);
            let matched: Vec<_> = workloads
                .iter()
                .filter(|(_, workload)| selects(selector, &workload["spec"]["template"]["metadata"]["labels"]))
                .map(|(name, _)| name.as_str())
                .collect();
            assert_eq!(matched, [name], "{}: {} {name}", case.name, object["kind"]);
            assert!(selector.get("app.kubernetes.io/version").is_none());
        }
    }
}

#[test]
fn every_reference_leads_somewhere() {
    for case in cases() {
        let manifests = case.plan();
        let texts = texts(&manifests);
        let documents = documents(&manifests);
        let mut listed = BTreeSet::new();
        for (path, value) in documents.iter().filter(|(path, _)| path.ends_with("kustomization.yaml")) {
            let directory = path.trim_end_matches("kustomization.yaml");
            let resources = items(&value["resources"]).chain(items(&value["components"])).map(text);
            let envs = items(&value["configMapGenerator"]).flat_map(|generator| items(&generator["envs"])).map(text);
            for target in resources.chain(envs) {
                let target = match target {
                    "../../base" => "base".to_owned(),
                    below => format!("{directory}{below}"),
                };
                let target = if texts.contains_key(&target) { target } else { format!("{target}/kustomization.yaml") };
                assert!(texts.contains_key(&target), "{}: {path} lists {target}", case.name);
                listed.insert(target);
            }
        }
        let entries =
            ["overlays/dev/kustomization.yaml", "overlays/prod/kustomization.yaml", "components/monitoring/kustomization.yaml"];
        let unlisted: Vec<_> = texts.keys().filter(|path| !listed.contains(*path) && !entries.contains(&path.as_str())).collect();
        assert_eq!(unlisted, [""; 0], "{}: files that nothing applies", case.name);

        for (name, workload) in workloads(&documents) {
            let container = container(workload);
            let ports: BTreeSet<_> = items(&container["ports"]).map(|port| text(&port["name"])).collect();
            let named = |kind| objects(&documents, kind).into_iter().filter(|object| object["metadata"]["name"] == name.as_str());
            for service in named("Service") {
                assert!(items(&service["spec"]["ports"]).all(|port| ports.contains(text(&port["targetPort"]))));
                let same = items(&service["spec"]["ports"])
                    .all(|port| items(&container["ports"]).any(|own| own["containerPort"] == port["port"]));
                assert!(same, "{}: a headless Service translates no port", case.name);
            }
            for policy in named("NetworkPolicy") {
                for rule in items(&policy["spec"]["ingress"]) {
                    assert!(items(&rule["ports"]).all(|port| ports.contains(text(&port["port"]))), "{}", case.name);
                }
            }
            for monitor in named("PodMonitor") {
                assert!(items(&monitor["spec"]["podMetricsEndpoints"]).all(|end| ports.contains(text(&end["port"]))));
            }
            for scaler in named("HorizontalPodAutoscaler") {
                assert_eq!(scaler["spec"]["scaleTargetRef"]["kind"], workload["kind"]);
                assert_eq!(scaler["spec"]["scaleTargetRef"]["name"], workload["metadata"]["name"]);
            }
            let pod = &workload["spec"]["template"]["spec"];
            assert_eq!(named("ServiceAccount").count(), 1);
            assert_eq!(pod["serviceAccountName"], name.as_str());
            let volumes =
                items(&pod["volumes"]).chain(items(&workload["spec"]["volumeClaimTemplates"]).map(|claim| &claim["metadata"]));
            let volumes: BTreeSet<_> = volumes.map(|volume| text(&volume["name"])).collect();
            let mounts: BTreeSet<_> = items(&container["volumeMounts"]).map(|mount| text(&mount["name"])).collect();
            assert_eq!(volumes, mounts, "{}", case.name);
            let has_config = texts.contains_key(&format!("base/{name}/config.env"));
            assert_eq!(container["envFrom"][0]["configMapRef"]["name"].is_string(), has_config, "{}", case.name);
        }
    }
}

#[test]
fn replicas_belong_to_one_owner_and_disruptions_leave_some() {
    for case in cases() {
        let documents = documents(&case.plan());
        for (name, workload) in workloads(&documents) {
            let of = |kind| objects(&documents, kind).into_iter().find(|object| object["metadata"]["name"] == name.as_str());
            let scaler = of("HorizontalPodAutoscaler");
            assert_eq!(scaler.is_some(), workload["spec"]["replicas"].is_null(), "{}", case.name);
            let budget = &of("PodDisruptionBudget").expect("a budget")["spec"];
            assert_eq!(budget["unhealthyPodEvictionPolicy"], "AlwaysAllow");
            let unavailable = budget["maxUnavailable"].as_u64().unwrap();
            match scaler {
                Some(scaler) => {
                    let fewest = scaler["spec"]["minReplicas"].as_u64().unwrap();
                    assert!(fewest >= 3 && unavailable < fewest && fewest <= scaler["spec"]["maxReplicas"].as_u64().unwrap());
                }
                None => assert_eq!(workload["spec"]["replicas"], 1, "an embedded store has one replica"),
            }
        }
    }
}

#[test]
fn the_grace_period_outlives_the_drain() {
    for (drain_ms, grace) in [(20_000, 35), (0, 15), (1, 16), (90_500, 106)] {
        let mut orders = service("orders");
        orders.drain = found(std::time::Duration::from_millis(drain_ms));
        let case = Case { name: String::new(), services: vec![orders], edges: vec![], config: "" };
        let documents = documents(&case.plan());
        let pod = &workloads(&documents)["orders"]["spec"]["template"]["spec"];
        assert_eq!(pod["terminationGracePeriodSeconds"], grace);
        assert_eq!(pod["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"], 5);
    }
}

#[test]
fn probes_ask_what_the_code_routes() {
    let probes = |orders| {
        let case = Case { name: String::new(), services: vec![orders], edges: vec![], config: "" };
        let documents = documents(&case.plan());
        let container = container(workloads(&documents)["orders"]).clone();
        ["startupProbe", "readinessProbe", "livenessProbe"].map(|probe| match &container[probe] {
            Value::Null => "none".to_owned(),
            probe if probe["grpc"].is_object() => format!("grpc {}", probe["grpc"]["port"]),
            probe => format!("{} {}", text(&probe["httpGet"]["port"]), text(&probe["httpGet"]["path"])),
        })
    };
    let mut orders = service("orders");
    assert_eq!(probes(orders.clone()), ["admin /startupz", "admin /readyz", "admin /livez"]);
    orders.startup = None;
    assert_eq!(probes(orders.clone()), ["admin /livez", "admin /readyz", "admin /livez"]);
    (orders.admin_port, orders.readiness) = (None, found("/health check: #1".into()));
    assert_eq!(probes(orders.clone()), ["http /livez", "http /health check: #1", "http /livez"]);
    orders.protocol = found(cargo_msvc::service::Protocol::Grpc);
    assert_eq!(probes(orders.clone()), ["grpc 8080", "grpc 8080", "grpc 8080"], "it depends on tonic-health");
    orders.package = 1;
    (orders.liveness, orders.readiness) = (None, None);
    assert_eq!(probes(orders), ["none", "none", "none"], "nothing says that it serves the health service");
}

#[test]
fn the_environment_is_what_the_code_reads() {
    for case in cases() {
        let manifests = case.plan();
        let texts = texts(&manifests);
        let documents = documents(&manifests);
        let workloads = workloads(&documents);
        for service in &case.services {
            let config = texts.get(&format!("base/{}/config.env", service.name)).map_or("", String::as_str);
            let container = container(workloads[&service.name]);
            let given: BTreeSet<_> = config
                .lines()
                .filter(|line| !line.starts_with('#'))
                .map(|line| line.split_once('=').expect("NAME=value").0)
                .chain(items(&container["env"]).map(|variable| text(&variable["name"])))
                .filter(|name| *name != "TOKIO_WORKER_THREADS")
                .collect();
            let read: BTreeSet<_> = service.environment.iter().map(|variable| variable.name.as_str()).collect();
            assert!(given.is_subset(&read), "{}: {given:?} against {read:?}", case.name);
            for needed in service.environment.iter().filter(|variable| variable.default.is_none()) {
                let by_file = format!("{}_FILE", needed.name);
                assert!(given.contains(needed.name.as_str()) || given.contains(by_file.as_str()), "{}: {needed:?}", case.name);
            }
        }
    }
}

/// The service starts with one of the two ways to check tokens, never with both.
#[test]
fn a_service_that_reads_its_issuers_keys_shares_none() {
    let url = "ORDERS__AUTH__JWKS__URL";
    let plan = |default: &str, config: &'static str| {
        let mut orders = service("orders");
        orders.environment.push(variable("ORDERS__AUTH__KEY", None, true));
        orders.environment.push(variable("ORDERS__AUTH__KEY_FILE", None, true));
        orders.environment.push(variable(url, Some(default), false));
        let manifests = Case { name: String::new(), services: vec![orders], edges: vec![], config }.plan();
        (texts(&manifests)["base/orders/config.env"].clone(), notes(&manifests).join("\n"))
    };
    let (config, notes) = plan("", "");
    assert!(config.contains("ORDERS__AUTH__KEY_FILE=") && !config.contains(url), "{config}");
    assert!(!notes.contains("issuer"), "{notes}");

    for (default, settings) in [
        ("", "services.orders.env.ORDERS__AUTH__JWKS__URL = 'https://id.example/keys'"),
        ("https://id.example/keys", ""),
        (
            "",
            "env.dev.services.orders.env.ORDERS__AUTH__JWKS__URL = 'https://id.test/keys'\n\
             env.prod.services.orders.env.ORDERS__AUTH__JWKS__URL = 'https://id.example/keys'",
        ),
    ] {
        let (config, notes) = plan(default, settings);
        assert!(!config.contains("ORDERS__AUTH__KEY"), "{settings}: {config}");
        assert!(notes.contains("from https://id.example/keys, and no network policy lets it out"), "{notes}");
        assert!(!notes.contains("create secret"), "{notes}");
    }

    let (_, notes) = plan("", "env.prod.services.orders.env.ORDERS__AUTH__JWKS__URL = 'https://id.example/keys'");
    assert!(notes.contains("in one environment only"), "{notes}");
}

/// No code names the variables that every OpenTelemetry program knows.
#[test]
fn a_service_is_told_where_its_telemetry_goes() {
    let plan = |config: &'static str| {
        let manifests = Case { name: String::new(), services: vec![service("orders")], edges: vec![], config }.plan();
        (texts(&manifests).values().cloned().collect::<String>(), notes(&manifests).join("\n"))
    };
    let collector = "OTEL_EXPORTER_OTLP_ENDPOINT=http://collector.observability:4318";
    for config in [
        "services.orders.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector.observability:4318'",
        "env.prod.services.orders.env.OTEL_EXPORTER_OTLP_ENDPOINT = 'http://collector.observability:4318'",
    ] {
        let (manifests, notes) = plan(config);
        assert!(manifests.contains(collector), "{manifests}");
        assert!(notes.contains("sends its traces and logs to http://collector.observability:4318, and no network"), "{notes}");
        assert!(!notes.contains("left out"), "{notes}");
    }
    let (manifests, notes) = plan("services.orders.env.OTEL_EXPORTER_OTLP_HEADERS = 'key=open'");
    assert!(!manifests.contains("key=open") && notes.contains("OTEL_EXPORTER_OTLP_HEADERS is a secret"), "{notes}");
    let (_, notes) = plan("");
    assert!(!notes.contains("traces"), "{notes}");
}

#[test]
fn where_a_registry_is_for_pods_is_asked_for() {
    for (name, registry, config) in [
        ("ORDERS__CONSUL__AGENT", "a Consul agent", ""),
        ("ORDERS__EUREKA__SERVERS", "a Eureka server", ""),
        ("ORDERS__CONSUL__AGENT", "a Consul agent", "services.orders.env.ORDERS__CONSUL__AGENT = 'http://consul.shared:8500'"),
    ] {
        let mut orders = with_store(Store::None);
        orders.environment.push(variable(name, Some("http://127.0.0.1:1"), false));
        let notes = notes(&Case { name: String::new(), services: vec![orders], edges: vec![], config }.plan()).join("\n");
        assert!(notes.contains(&format!("uses {registry}, and no network policy lets it out")), "{notes}");
        let asked = format!("set {name} in [deploy.services.orders.env] of msvc.toml");
        assert_eq!(notes.contains(&asked), config.is_empty(), "{notes}");
    }
}

#[test]
fn secrets_are_files_where_the_code_can_read_files() {
    let mut orders = with_store(Store::Postgres);
    orders.environment.push(variable("ORDERS__AUTH__KEY", None, true));
    orders.environment.push(variable("ORDERS__AUTH__KEY_FILE", None, true));
    let case = Case {
        name: String::new(),
        services: vec![orders],
        edges: vec![],
        config: "services.orders.env.DATABASE_URL = 'postgres://u:p@h/d'",
    };
    let manifests = case.plan();
    assert!(texts(&manifests).values().all(|text| !text.contains("u:p")), "a secret in msvc.toml is never copied");
    let config = &texts(&manifests)["base/orders/config.env"];
    assert!(
        config.contains("ORDERS__AUTH__KEY_FILE=/etc/secrets/auth-key\n") && !config.contains("ORDERS__AUTH__KEY="),
        "{config}"
    );
    let documents = documents(&manifests);
    let orders = workloads(&documents)["orders"];
    let by_reference: Vec<_> =
        items(&container(orders)["env"]).filter(|variable| variable["valueFrom"]["secretKeyRef"].is_object()).collect();
    assert_eq!(by_reference.len(), 1);
    assert_eq!(
        (text(&by_reference[0]["name"]), text(&by_reference[0]["valueFrom"]["secretKeyRef"]["key"])),
        ("DATABASE_URL", "database-url")
    );
    let notes = notes(&manifests).join("\n");
    assert!(
        notes.contains("kubectl -n shop create secret generic orders --from-file=auth-key=FILE --from-file=database-url=FILE"),
        "{notes}"
    );
    assert!(notes.contains("DATABASE_URL is a secret, and msvc.toml is no place for one"), "{notes}");
}

#[test]
fn a_certificate_is_mounted_where_the_code_looks_for_it() {
    for (tls, keys) in
        [(Tls::Mesh, &[][..]), (Tls::Rustls, &["tls.crt", "tls.key"]), (Tls::Mtls, &["ca.crt", "tls.crt", "tls.key"])]
    {
        let orders = if tls == Tls::Mesh { service("orders") } else { with_certificate(tls) };
        let config = "gateway = 'infra/edge'\nservices.orders.host = 'orders.example.com'";
        let manifests = Case { name: String::new(), services: vec![orders], edges: vec![], config }.plan();
        let (documents, texts, notes) = (documents(&manifests), texts(&manifests), notes(&manifests).join("\n"));
        let orders = workloads(&documents)["orders"];
        let volume = items(&orders["spec"]["template"]["spec"]["volumes"]).find(|volume| volume["name"] == "certificates");
        assert_eq!(volume.is_some(), !keys.is_empty(), "{tls}");
        let port = &objects(&documents, "Service")[0]["spec"]["ports"][0];
        assert_eq!(text(&port["appProtocol"]), if tls == Tls::Mesh { "http" } else { "https" });
        let policies = objects(&documents, "BackendTLSPolicy");
        assert_eq!(policies.len(), usize::from(tls != Tls::Mesh));
        // The probes' port has no certificate.
        assert_eq!(container(orders)["readinessProbe"]["httpGet"]["scheme"], Value::Null);
        assert_eq!(notes.contains("create secret generic orders-tls --from-file="), tls != Tls::Mesh, "{notes}");
        assert_eq!(notes.contains("the gateway must show a certificate"), tls == Tls::Mtls, "{notes}");
        let Some(volume) = volume else { continue };
        assert_eq!(text(&volume["secret"]["secretName"]), "orders-tls");
        let mounted: Vec<_> = items(&volume["secret"]["items"]).map(|item| text(&item["path"])).collect();
        assert_eq!(mounted, keys);
        let named: BTreeSet<_> =
            texts["base/orders/config.env"].lines().filter_map(|line| line.split_once("=/etc/tls/")).collect();
        assert_eq!(named.iter().map(|(_, file)| *file).collect::<BTreeSet<_>>(), keys.iter().copied().collect(), "{named:?}");
        assert_eq!(policies[0]["spec"]["targetRefs"][0]["name"], "orders");
        assert_eq!(policies[0]["spec"]["validation"]["hostname"], "orders");
    }
}

#[test]
fn pods_meet_the_restricted_standard() {
    for case in cases() {
        let documents = documents(&case.plan());
        for workload in workloads(&documents).values() {
            let pod = &workload["spec"]["template"]["spec"];
            for context in [&pod["securityContext"], &pod["containers"][0]["securityContext"]] {
                assert_eq!(context["runAsNonRoot"], true);
                assert_eq!(context["seccompProfile"]["type"], "RuntimeDefault");
                let user = if case.name.ends_with("openshift") { Value::Null } else { 65532.into() };
                assert_eq!(context["runAsUser"], user, "{}", case.name);
            }
            let context = &pod["containers"][0]["securityContext"];
            assert_eq!(context["allowPrivilegeEscalation"], false);
            assert_eq!(context["readOnlyRootFilesystem"], true);
            assert_eq!(context["capabilities"]["drop"], serde_json::json!(["ALL"]));
            assert_eq!((&pod["automountServiceAccountToken"], &pod["enableServiceLinks"]), (&false.into(), &false.into()));
            let resources = &pod["containers"][0]["resources"];
            assert_eq!(resources["requests"]["memory"], resources["limits"]["memory"]);
            assert_eq!(
                resources["limits"]["cpu"].is_string(),
                case.name.ends_with("openshift") && workload["metadata"]["name"] == "orders"
            );
        }
    }
}

#[test]
fn the_network_is_closed_but_for_the_edges() {
    let case = cases().into_iter().find(|case| case.name == "rest none edge").unwrap();
    let documents = documents(&case.plan());
    let policy = |name: &str| {
        let found = objects(&documents, "NetworkPolicy").into_iter().find(|policy| policy["metadata"]["name"] == name);
        found.unwrap_or_else(|| panic!("no policy {name}"))["spec"].clone()
    };
    assert_eq!(policy("default-deny"), serde_json::json!({"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}));
    let dns: Vec<_> = items(&policy("allow-dns")["egress"][0]["ports"])
        .map(|port| format!("{} {}", text(&port["protocol"]), port["port"]))
        .collect();
    assert_eq!(dns, ["UDP 53", "TCP 53"]);
    let ends = |rules: &Value, key: &str| -> Vec<String> {
        let rules = items(rules).map(|rule| {
            let peer = &rule[key][0];
            let namespace = &peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"];
            let service = &peer["podSelector"]["matchLabels"]["app.kubernetes.io/name"];
            format!("{}:{}", namespace.as_str().or(service.as_str()).unwrap(), text(&rule["ports"][0]["port"]))
        });
        rules.collect()
    };
    assert_eq!(ends(&policy("orders")["ingress"], "from"), ["infra:http", "inventory:http", "monitoring:admin"]);
    assert_eq!(ends(&policy("orders")["egress"], "to"), ["inventory:http"]);
    assert_eq!(ends(&policy("inventory")["ingress"], "from"), ["orders:http", "monitoring:admin"]);
}

#[test]
fn a_worker_has_no_service() {
    let case = cases().into_iter().find(|case| case.name == "events none plain").unwrap();
    let documents = documents(&case.plan());
    let services: Vec<_> = objects(&documents, "Service").into_iter().map(|service| text(&service["metadata"]["name"])).collect();
    assert_eq!(services, ["inventory"]);
    let ports: Vec<_> = items(&container(workloads(&documents)["orders"])["ports"]).map(|port| text(&port["name"])).collect();
    assert_eq!(ports, ["admin"]);
}

#[test]
fn what_is_not_known_is_said_and_left_out() {
    let case = cases().into_iter().find(|case| case.name == "nothing known").unwrap();
    let manifests = case.plan();
    let documents = documents(&manifests);
    assert!(container(workloads(&documents)["legacy"])["ports"].is_null());
    assert!(objects(&documents, "Service").is_empty());
    let notes = notes(&manifests);
    for key in ["protocol", "port", "drain-ms"] {
        let expected = format!("state `{key}` under [package.metadata.msvc] in services/orders/Cargo.toml");
        assert!(notes.iter().any(|note| note.starts_with("legacy: ") && note.ends_with(&expected)), "{key}: {notes:#?}");
    }
}

#[test]
fn names_that_kubernetes_refuses_are_refused_here() {
    let long = "a".repeat(53);
    for (name, store, written) in [
        ("Orders", Store::None, false),
        ("1st", Store::None, false),
        ("a.b", Store::None, false),
        (&long, Store::Sqlite, false),
        (&long, Store::None, true),
    ] {
        let mut service = service(name);
        service.store = found(store);
        let case = Case { name: String::new(), services: vec![service], edges: vec![], config: "" };
        let manifests = case.plan();
        assert_eq!(!manifests.managed.is_empty(), written, "{name}");
        assert_eq!(notes(&manifests).iter().any(|note| note.contains("state `name`")), !written, "{name}");
    }
}

#[test]
fn planning_one_service_keeps_the_deployed_ones_listed() {
    let mut workspace = workspace();
    workspace.services = ["a", "b", "c"].map(service).to_vec();
    let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let target = Target { directory: "shop".into(), only: set(&["a"]), deployed: set(&["b"]), ..Target::default() };
    let manifests = plan_with(&workspace, "", &[], &target);
    let texts = texts(&manifests);
    assert!(texts["base/kustomization.yaml"].contains("  - a\n  - b\n") && !texts["base/kustomization.yaml"].contains("  - c\n"));
    assert!(texts.contains_key("base/a/deployment.yaml") && !texts.contains_key("base/b/deployment.yaml"));
}

#[test]
fn the_same_input_gives_the_same_bytes_in_clean_lines() {
    for case in cases() {
        let first = texts(&case.plan());
        assert_eq!(first, texts(&case.plan()), "{}", case.name);
        for (path, text) in first {
            assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{}: {path}", case.name);
            let odd = text.lines().find(|line| {
                line.ends_with(' ') || line.contains("«") || line.contains("#%") || line.contains("example-service")
            });
            assert_eq!(odd, None, "{}: {path}", case.name);
        }
    }
}
