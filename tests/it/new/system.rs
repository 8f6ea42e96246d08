//! A whole system from one file.

use std::collections::BTreeMap;

use super::members;
use crate::sandbox::Sandbox;

/// The example of the documentation.
const SHOP: &str = include_str!("../../../docs/shop.toml");
const SERVICES: [&str; 7] = ["audit", "catalog", "gateway", "inventory", "mailer", "orders", "shipping"];

#[test]
fn all_services_of_a_file_are_made_and_later_only_those_that_were_added() {
    let sandbox = Sandbox::new(&[("shop.toml", SHOP)]);
    let looked = sandbox.run("", &["new", "--from", "shop.toml", "--dry-run"]).ok();
    assert!(looked.stdout.contains("create services/mailer/src/main.rs\n"), "{}", looked.stdout);
    assert_eq!(sandbox.files().len(), 1, "a dry run writes nothing");

    let made = sandbox.run("", &["new", "--from", "shop.toml"]).ok();
    for line in [
        "     Created workspace `shop` (",
        "     Created services/gateway, the service `gateway` on port 8080, admin port 9090 (",
        "     Created services/audit, the service `audit` on admin port 9095 (",
    ] {
        assert!(made.stderr.contains(line), "{line} in\n{}", made.stderr);
    }
    assert!(!made.stderr.contains("warning"), "{}", made.stderr);
    let all: Vec<_> = ["chassis"].into_iter().chain(SERVICES).collect();
    let sorted = |mut names: Vec<&str>| {
        names.sort_unstable();
        names.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(members(&sandbox, "shop", &["--locked"]), sorted(all.clone()));
    let client = sandbox.text("shop/services/orders/src/clients/inventory.rs");
    assert!(client.contains("Channel::new(NAME"), "it is called as it speaks: {client}");
    let compose = sandbox.text("shop/compose.yaml");
    for name in SERVICES {
        assert!(compose.contains(&format!("  - services/{name}/compose.yaml\n")), "{name} in {compose}");
    }
    for beside in ["  consul:\n", "  nats:\n", "  rabbitmq:\n"] {
        assert!(compose.contains(beside), "{beside} in {compose}");
    }
    let ci = sandbox.text("shop/.github/workflows/ci.yml");
    for database in ["Start the database of orders\n", "Start the database of inventory\n", "  INVENTORY__STORE__HOST: "] {
        assert!(ci.contains(database), "{database} in {ci}");
    }

    let services = |files: BTreeMap<String, String>| {
        files.into_iter().filter(|(path, _)| path.starts_with("shop/services/")).collect::<BTreeMap<_, _>>()
    };
    let before = services(sandbox.files());
    let more = format!("{SHOP}\n[services.returns]\ncalls = [\"orders\"]\nstore = \"none\"\n");
    sandbox.file("shop.toml", &more);
    let added = sandbox.run("", &["new", "--from", "shop.toml"]).ok();
    assert!(added.stderr.contains("Kept the service `audit`, which is there"), "{}", added.stderr);
    assert!(added.stderr.contains("Created services/returns, the service `returns` on port 8087"), "{}", added.stderr);
    assert_eq!(members(&sandbox, "shop", &["--locked"]), sorted([&all[..], &["returns"]].concat()));
    let after = services(sandbox.files());
    assert!(before.iter().all(|(path, text)| after.get(path) == Some(text)), "what is there is left alone");

    let again = sandbox.run("", &["new", "--from", "shop.toml"]).ok();
    assert!(again.stderr.contains("Nothing to do: every service of the file is there."), "{}", again.stderr);
    assert_eq!(services(sandbox.files()), after);
}

/// One by one they would be the same services.
#[test]
fn a_system_is_what_its_services_are_one_by_one() {
    let file = "workspace = 'at-once'\n[services.stock]\nauth = 'none'\nport = 9000\n[services.orders]\ncalls = ['stock']\n";
    let sandbox = Sandbox::new(&[("system.toml", file)]);
    sandbox.run("", &["new", "--from", "system.toml", "--quiet"]).ok();
    let stock = ["new", "stock", "--workspace", "by-turns", "--auth", "none", "--port", "9000", "--quiet"];
    sandbox.run("", &stock).ok();
    sandbox.run("by-turns", &["new", "orders", "--calls", "stock", "--quiet"]).ok();
    let below = |workspace: &str| {
        let files = sandbox.files().into_iter();
        let files = files.filter_map(|(path, text)| Some((path.strip_prefix(&format!("{workspace}/"))?.to_owned(), text)));
        files.map(|(path, text)| (path, text.replace(workspace, "shop"))).collect::<BTreeMap<_, _>>()
    };
    let (at_once, by_turns) = (below("at-once"), below("by-turns"));
    assert_eq!(at_once.keys().collect::<Vec<_>>(), by_turns.keys().collect::<Vec<_>>());
    for (path, text) in &at_once {
        assert_eq!(*text, by_turns[path], "{path}");
    }
}

/// Each case: a file, what the error points at, and what it says.
#[test]
fn mistakes_in_the_file_have_a_place_and_a_way_out() {
    let cases: &[(&str, &str, &[&str])] = &[
        ("[services.orders\n", "1:17", &["valid TOML"]),
        ("", "1:1", &["it names no service", "[services.orders]"]),
        ("[service.orders]\n", "1:2", &["`service` is no key", "did you mean `services`?"]),
        ("services = 1\n", "1:12", &["this is no value of `services`", "[services.orders]"]),
        ("[services.Orders]\n", "1:11", &["`Orders` cannot name a service", "try `orders`"]),
        ("[services]\norders = 1\n", "2:10", &["`services.orders` must be a table"]),
        ("[services.orders]\nstorage = 'none'\n", "2:1", &["`storage` is no option of a service", "did you mean `store`?"]),
        ("[services.orders]\nstore = 'sqlit'\n", "2:9", &["no value of `store`", "did you mean `sqlite`?", "\"postgres\""]),
        ("[services.orders]\nstore = 7\n", "2:9", &["no value of `store`", "it is one of \"sqlite\""]),
        ("[services.orders]\nport = 80\n", "2:8", &["no value of `port`", "1024 to 64525"]),
        ("[services.orders]\npath = '../x'\n", "2:8", &["no value of `path`", "relative to the workspace's root"]),
        ("[services.orders]\npublic = 'yes'\n", "2:10", &["no value of `public`", "true or false"]),
        ("[services.orders]\ncalls = 'stock'\n", "2:9", &["no value of `calls`", "a list of services"]),
        ("[services.orders]\ncalls = ['a', 'orders']\n", "2:9", &["`orders` cannot call itself"]),
        (
            "[services.stock]\n[services.orders]\ncalls = [\n  'stcok',\n]\n",
            "4:3",
            &["there is no service `stcok`, here or in the workspace", "did you mean `stock`?"],
        ),
        ("[services.a]\n[services.b]\npath = 'services/a'\n", "3:8", &["`b` would be in the same directory as `a`", "path"]),
        ("[services.a]\npath = 'services/b'\n[services.b]\n", "2:8", &["`b` would be in the same directory as `a`"]),
        ("[services.a]\npath = 'x'\n[services.b]\npath = 'x/y'\n", "4:8", &["`b` would be in the same directory as `a`"]),
        ("[services.orders]\nconsumes = 'stock'\n", "2:12", &["only `protocol = \"events\"` reads events"]),
        (
            "[services.orders]\nstore = 'none'\nbroker = 'nats'\n",
            "3:10",
            &["events are published from a store", "give it a store"],
        ),
        ("[services.audit]\nprotocol = 'events'\n", "2:12", &["reads events from a broker", "broker = \"nats\""]),
        (
            "[services.audit]\nprotocol = 'events'\nbroker = 'nats'\nconsumes = 'orders'\ntls = 'mtls'\n",
            "5:7",
            &["`tls` is for services that are called; nobody calls `audit`", "leave it away"],
        ),
        (
            "[services.audit]\nprotocol = 'events'\nbroker = 'nats'\nconsumes = 'orders'\n",
            "4:12",
            &["there is no service `orders` that publishes events", "[services.orders]"],
        ),
        (
            "[services.orders]\n[services.audit]\nprotocol = 'events'\nbroker = 'nats'\nconsumes = 'orders'\n",
            "5:12",
            &["`orders` publishes no events", "broker = \"nats\""],
        ),
        (
            "[services.orders]\nbroker = 'rabbitmq'\n[services.audit]\nprotocol = 'events'\nbroker = 'nats'\nconsumes = 'orders'\n",
            "6:12",
            &["`orders` publishes by rabbitmq, where `audit` does not look"],
        ),
        (
            "[services.orders]\nbroker = 'nats'\ncalls = ['audit']\n[services.audit]\nprotocol = 'events'\nbroker = 'nats'\n\
             consumes = 'orders'\n",
            "3:10",
            &["`audit` reads events, and answers nobody"],
        ),
    ];
    for (file, place, said) in cases {
        let sandbox = Sandbox::new(&[("system.toml", file)]);
        let place = format!("system.toml:{place}");
        sandbox.run("", &["new", "--from", "system.toml"]).refused(&[&[place.as_str()], *said].concat());
        assert_eq!(sandbox.files().len(), 1, "{file}");
    }
    let sandbox = Sandbox::new(&[("system.toml", "[services.a]\nport = 9000\n[services.b]\nport = 9000\n")]);
    sandbox.run("", &["new", "--from", "system.toml"]).refused(&["port 9000 is taken by `a`"]);
    sandbox.run("", &["new", "--from", "nowhere.toml"]).refused(&["cannot read `nowhere.toml`"]);
    sandbox.run("", &["new", "orders", "--from", "system.toml"]).refused(&["cannot be used with"]);
    sandbox.run("", &["new", "--from", "system.toml", "--store", "none"]).refused(&["cannot be used with"]);
    assert_eq!(sandbox.files().len(), 1);
}
