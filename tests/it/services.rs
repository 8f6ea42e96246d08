//! `cargo msvc lint --show-services`: what is known of each service, and where it says so.

use serde_json::Value;

use crate::sandbox::Sandbox;

fn shop() -> Sandbox {
    let sandbox = Sandbox::new(&[]);
    sandbox.run("", &["new", "orders", "--workspace", "shop", "--quiet"]).ok();
    sandbox
}

#[test]
fn people_see_each_fact_with_its_place() {
    let sandbox = shop();
    let shown = sandbox.run("shop", &["lint", "--show-services"]).ok().stdout;
    let words: Vec<Vec<&str>> = shown.lines().map(|line| line.split_whitespace().collect()).collect();
    for expected in [
        "orders services/orders",
        "because declared services/orders/Cargo.toml:9",
        "port 8080 services/orders/config.toml:6",
        "store sqlite services/orders/Cargo.toml:11",
        "drain 20s services/orders/config.toml:27",
        "1 service",
    ] {
        let expected: Vec<_> = expected.split(' ').collect();
        assert!(words.contains(&expected), "{expected:?} in\n{shown}");
    }
    for fact in ["liveness /livez", "readiness /readyz", "startup /startupz", "metrics /metrics"] {
        let expected: Vec<_> = fact.split(' ').collect();
        assert!(words.iter().any(|line| line.starts_with(&expected)), "{fact} in\n{shown}");
    }
    assert!(!shown.contains("ORDERS__"), "{shown}");
    let more = sandbox.run("shop", &["lint", "--show-services", "-v"]).ok().stdout;
    assert!(more.contains("ORDERS__SERVER__PORT=8080 ") && more.contains("ORDERS__AUTH__KEY (secret) "), "{more}");
}

#[test]
fn programs_get_the_same_as_json() {
    let sandbox = shop();
    let shown = sandbox.run("shop", &["lint", "--show-services", "--format", "json"]).ok().stdout;
    let document: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(document["schema"], "cargo-msvc/services/1");
    let service = &document["services"][0];
    assert_eq!((&service["name"], &service["directory"]), (&"orders".into(), &"services/orders".into()));
    assert_eq!(service["missing"], serde_json::json!([]));
    let port = &service["facts"]["port"];
    assert_eq!(
        (&port["value"], &port["file"], &port["line"]),
        (&"8080".into(), &"services/orders/config.toml".into(), &6.into())
    );
    let variables = service["environment"].as_array().unwrap();
    let named = |name: &str| variables.iter().find(|variable| variable["name"] == name).unwrap();
    assert_eq!(
        (&named("ORDERS__LOG__LEVEL")["default"], &named("ORDERS__LOG__LEVEL")["secret"]),
        (&"info".into(), &false.into())
    );
    assert_eq!((&named("ORDERS__AUTH__KEY")["default"], &named("ORDERS__AUTH__KEY")["secret"]), (&Value::Null, &true.into()));
}
