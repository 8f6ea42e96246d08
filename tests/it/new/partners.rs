//! Services beside others: those that they call, and the databases, registries and brokers that they need.

use super::members;
use crate::sandbox::Sandbox;

/// A service that is there is called as it is, one that is not is taken to be made next.
#[test]
fn a_service_calls_those_that_are_there_and_those_that_come_next() {
    let sandbox = Sandbox::new(&[]);
    sandbox.run("", &["new", "stock", "--workspace", "shop", "--store", "none", "--auth", "none"]).ok();
    let run = sandbox.run("shop", &["new", "orders", "--calls", "stock,price-lists,stock"]).ok();
    let shown = [
        "cargo msvc new price-lists",
        "cargo run -q -p price-lists -- dev-token --key-file dev.key > price-lists.token",
        "ORDERS__DISCOVERY__ADDRESSES__PRICE_LISTS=http://127.0.0.1:8082 ORDERS__TOKEN__PRICE_LISTS_FILE=price-lists.token \
         ORDERS__DISCOVERY__ADDRESSES__STOCK=http://127.0.0.1:8080 ORDERS__AUTH__KEY_FILE=dev.key cargo run -p orders",
    ];
    for line in shown {
        assert!(run.stderr.contains(line), "{}", run.stderr);
    }
    let client = |name: &str| sandbox.text(&format!("shop/services/orders/src/clients/{name}.rs"));
    assert!(
        client("stock").contains("/v1/echo") && !client("stock").contains("with_token_file"),
        "it keeps no data and asks for no token"
    );
    assert!(client("price_lists").contains("/v1/items"));
    let run = sandbox.run("shop", &["new", "price-lists"]).ok();
    assert!(run.stderr.contains("port 8082"), "the port that orders knows: {}", run.stderr);
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["chassis", "orders", "price-lists", "stock"]);
}

#[test]
fn a_service_with_a_certificate_is_called_as_one() {
    let sandbox = Sandbox::new(&[]);
    sandbox.run("", &["new", "stock", "--workspace", "shop", "--tls", "mtls", "--auth", "none", "--quiet"]).ok();
    let made = sandbox.run("shop", &["new", "orders", "--tls", "rustls", "--auth", "none", "--calls", "stock"]).ok();
    for line in [
        "sh crates/chassis-tls/dev-certificates.sh orders",
        "ORDERS__DISCOVERY__ADDRESSES__STOCK=https://localhost:8080 cargo run -p orders",
        "curl --cacert certificates/ca.crt https://localhost:8081/v1/items",
    ] {
        assert!(made.stderr.lines().any(|printed| printed.trim() == line), "{line} in\n{}", made.stderr);
    }
    let config = sandbox.text("shop/services/orders/config.toml");
    assert!(config.contains("\nstock = \"https://stock:8080\"\n"), "{config}");
    let [server, client] = ["[server_tls]", "[client_tls]"].map(|section| config.split(section).nth(1).unwrap());
    assert!(!server.split("\n[").next().unwrap().contains("client_ca_file"), "anybody may call");
    assert!(client.split("\n[").next().unwrap().contains("key_file"), "stock asks for a certificate");
    let compose = sandbox.text("shop/services/orders/compose.yaml");
    assert!(compose.contains("- ../../certificates/orders:/etc/tls:ro\n"), "{compose}");

    let plain = sandbox.run("shop", &["new", "edge", "--auth", "none", "--calls", "orders"]).ok();
    assert!(plain.stderr.contains("curl http://127.0.0.1:8082/v1/items"), "{}", plain.stderr);
    let config = sandbox.text("shop/services/edge/config.toml");
    let client = config.split("[client_tls]").nth(1).unwrap().split("\n[").next().unwrap();
    assert!(client.contains("ca_file") && !client.contains("key_file") && !config.contains("server_tls"), "{client}");
}

/// Its database comes with its compose file; a workspace that is there learns what its own files lack.
#[test]
fn a_service_with_a_database_or_a_registry_says_what_to_start() {
    let sandbox = Sandbox::new(&[]);
    let made = sandbox.run("", &["new", "orders", "--workspace", "shop", "--auth", "none", "--store", "postgres"]).ok();
    for line in [
        "openssl rand -hex 24 > orders-store.password",
        "docker compose up --detach --wait orders-store",
        "ORDERS__STORE__HOST=localhost ORDERS__STORE__PORT=10100 ORDERS__STORE__SSL_MODE=disable \
         ORDERS__STORE__PASSWORD_FILE=orders-store.password cargo run -p orders",
    ] {
        assert!(made.stderr.lines().any(|printed| printed.trim() == line), "{line} in\n{}", made.stderr);
    }
    let compose = sandbox.text("shop/services/orders/compose.yaml");
    assert!(compose.contains("- 127.0.0.1:10100:5432\n") && !compose.contains("3306"), "{compose}");
    assert!(sandbox.text("shop/.gitignore").lines().any(|line| line == "*.password"));
    let workflow = sandbox.text("shop/.github/workflows/ci.yml");
    assert!(workflow.contains("docker compose up --detach --wait orders-store"), "{workflow}");

    let added = sandbox.run("shop", &["new", "stock", "--store", "mysql", "--discovery", "consul"]).ok();
    for note in ["some of its tests need its database, in CI too: services/stock/README.md", "compose.yaml has no `consul`"] {
        assert!(added.stderr.contains(note), "{}", added.stderr);
    }
    let compose = sandbox.text("shop/services/stock/compose.yaml");
    assert!(compose.contains("- 127.0.0.1:10101:3306\n") && compose.contains("__CONSUL__AGENT: http://consul:8500"), "{compose}");
    assert_eq!(members(&sandbox, "shop", &["--locked"]), ["chassis", "orders", "stock"]);
    let consul = sandbox.run("", &["new", "prices", "--workspace", "other", "--discovery", "consul"]).ok();
    assert!(!consul.stderr.contains("compose.yaml has no"), "{}", consul.stderr);
    assert!(sandbox.text("other/compose.yaml").contains("image: hashicorp/consul:"));
}

/// A broker comes with the workspace's compose file; a workspace that is there learns that its own lacks one.
#[test]
fn services_with_events_say_what_to_start_and_what_makes_no_sense() {
    let sandbox = Sandbox::new(&[]);
    let made = sandbox.run("", &["new", "orders", "--workspace", "shop", "--auth", "none", "--broker", "nats"]).ok();
    for line in ["docker compose up --detach --wait nats", "ORDERS__BROKER__URL=nats://127.0.0.1:4222 cargo run -p orders"] {
        assert!(made.stderr.lines().any(|printed| printed.trim() == line), "{line} in\n{}", made.stderr);
    }
    assert!(sandbox.text("shop/compose.yaml").contains("image: nats:"));
    let made = sandbox.run("", &["new", "orders", "--workspace", "other", "--auth", "none", "--broker", "kafka"]).ok();
    for line in
        ["apt-get install g++ libssl-dev make pkg-config", "ORDERS__BROKER__URL=kafka://127.0.0.1:9094 cargo run -p orders"]
    {
        assert!(made.stderr.contains(line), "{line}: {}", made.stderr);
    }
    assert!(sandbox.text("other/compose.yaml").contains("image: apache/kafka:"));
    let reader = ["new", "stock", "--protocol", "events", "--consumes", "shipping", "--broker", "rabbitmq"];
    let added = sandbox.run("shop", &reader).ok();
    assert!(added.stderr.contains("compose.yaml has no `rabbitmq`"), "{}", added.stderr);
    assert!(added.stderr.contains("the service `stock` on admin port "), "{}", added.stderr);
    let manifest = sandbox.text("shop/services/stock/Cargo.toml");
    assert!(manifest.contains("consumes = [\"shipping\"]") && !manifest.contains("axum"), "{manifest}");

    for (arguments, help) in [
        (&["--protocol", "events", "--consumes", "orders"][..], "add --broker nats"),
        (&["--protocol", "events", "--broker", "nats"], "add --consumes NAME"),
        (&["--protocol", "events", "--broker", "nats", "--consumes", "audit"], "name the service whose events it reads"),
        (&["--protocol", "events", "--broker", "nats", "--consumes", "orders", "--public"], "leave it away"),
        (&["--protocol", "events", "--broker", "nats", "--consumes", "orders", "--discovery", "consul"], "leave it away"),
        (&["--protocol", "events", "--broker", "rabbitmq", "--consumes", "orders"], "read by it too: `--broker nats`"),
        (&["--protocol", "events", "--broker", "nats", "--consumes", "stock"], "services that are made with `--broker nats`"),
        (&["--calls", "stock"], "answers nobody"),
        (&["--broker", "nats", "--store", "none"], "give it a --store"),
        (&["--consumes", "orders"], "--protocol events"),
    ] {
        let refused = sandbox.run("shop", &[&["new", "audit"], arguments].concat());
        assert_eq!(refused.code, Some(2), "{arguments:?}");
        assert!(refused.stderr.contains(help), "{help} in\n{}", refused.stderr);
        assert!(!sandbox.path("shop/services/audit").exists());
    }
}
