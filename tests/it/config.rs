//! `msvc.toml` as `lint` obeys it and shows it, and the schema by which editors complete it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

use cargo_msvc::config::{self, Source};
use cargo_msvc::lint::{Level, Practice, Rule, Tier, own};
use cargo_msvc::{deploy, rules};
use serde_json::{Value, json};

use crate::output::validate;
use crate::sandbox::{Run, Sandbox};

const MANIFEST: &str = "[package]\nname = \"orders\"\nversion = \"0.1.0\"\nedition = \"2024\"\n[dependencies]\naxum = \"0.8\"\ntokio = \"1\"\nreqwest = \"0.13\"\n";
const SOURCE: &str = "\
#[tokio::main]
async fn main() {
    std::thread::sleep(one());
    reqwest::Client::new().get(\"http://erp.corp:8080/v1\").send().await.unwrap();
    axum::serve(listener(), router()).await.unwrap();
}
";

fn sandbox(config: &str) -> Sandbox {
    Sandbox::new(&[
        ("msvc.toml", config),
        ("Cargo.toml", "[workspace]\nmembers = [\"services/*\"]\nresolver = \"3\"\n"),
        ("services/orders/Cargo.toml", MANIFEST),
        ("services/orders/src/main.rs", SOURCE),
    ])
}

/// `level[rule]` of each finding that the cases here are about.
fn levels(run: &Run) -> Vec<&str> {
    let about = ["blocking-in-async", "hardcoded-endpoint", "http-client-without-timeout"];
    let found = run.stdout.lines().filter_map(|line| line.split(' ').nth(1));
    let mut found: Vec<_> = found.filter(|found| about.iter().any(|rule| found.contains(rule))).collect();
    found.sort_unstable();
    found
}

#[test]
fn levels_come_from_the_nearest_statement_and_the_command_line() {
    const BLOCKING: &str = "error[blocking-in-async]";
    const ENDPOINT: &str = "warning[hardcoded-endpoint]";
    const CLIENT: &str = "error[http-client-without-timeout]";
    for (text, flags, expected) in [
        ("", &[][..], &[BLOCKING, CLIENT, ENDPOINT][..]),
        ("", &["--warn", "all"], &["warning[blocking-in-async]", ENDPOINT, "warning[http-client-without-timeout]"]),
        ("", &["--deny", "all"], &[BLOCKING, "error[hardcoded-endpoint]", CLIENT]),
        ("", &["--allow", "all", "--deny", "service-discovery"], &["error[hardcoded-endpoint]"]),
        ("", &["--allow", "MSVC401,blocking-in-async"], &[CLIENT]),
        ("[lint]\nexternals = [\"*.corp\"]", &[], &[BLOCKING, CLIENT]),
        ("[lint.paths.\"services/*\"]\nall = \"allow\"", &[], &[]),
        ("[lint.paths.\"services/*\"]\nall = \"allow\"", &["--deny", "hardcoded-endpoint"], &["error[hardcoded-endpoint]"]),
        ("[lint.paths.\"services/billing\"]\nall = \"allow\"", &[], &[BLOCKING, CLIENT, ENDPOINT]),
        ("[lint.services.orders]\nresiliency-patterns = \"allow\"", &[], &[ENDPOINT]),
        (
            "[lint]\nall = \"warn\"\nblocking-in-async = \"deny\"",
            &["--ignore", "MSVC401"],
            &[BLOCKING, "warning[http-client-without-timeout]"],
        ),
    ] {
        let sandbox = sandbox(text);
        let run = sandbox.run("", &[&["lint", "--format", "concise"], flags].concat());
        assert!(run.code == Some(0) || run.code == Some(1), "{text} {flags:?}: {}", run.stderr);
        assert_eq!(levels(&run), expected, "{text} {flags:?}");
    }
    // Patterns count from the file, whatever part is audited.
    let sandbox = sandbox("[lint.paths.\"services/orders\"]\nall = \"allow\"\n[lint.services.billing]\nall = \"warn\"\n");
    let run = sandbox.run("services/orders", &["lint", "--format", "concise"]);
    assert_eq!((levels(&run), run.stderr.as_str()), (vec![], ""));
}

#[test]
fn exit_codes() {
    let sandbox = sandbox("");
    for (flags, code) in [
        (&["--select", "blocking-in-async"][..], 1),
        (&["--select", "blocking-in-async", "--warn", "all"], 0),
        (&["--select", "blocking-in-async", "--exit-zero"], 0),
        (&["--select", "hardcoded-endpoint"], 0),
        (&["--select", "hardcoded-endpoint", "--deny", "all"], 1),
        (&["--select", "nothing-like-that", "--exit-zero"], 2),
        (&["--deny", "blocking-in-asinc"], 2),
        (&["--tier", "all"], 2),
        (&["--since", "nowhere", "--exit-zero"], 2),
    ] {
        let run = sandbox.run("", &[&["lint"], flags].concat());
        assert_eq!(run.code, Some(code), "{flags:?}: {}{}", run.stdout, run.stderr);
    }
    sandbox.run("", &["lint", "--deny", "blocking-in-asinc"]).refused(&["--deny:", "did you mean `blocking-in-async`?"]);
}

#[test]
fn a_tier_can_be_asked_for_once() {
    let pedantic = rules::ALL.iter().find(|rule| rule.tier == Tier::Pedantic).expect("a pedantic rule").id;
    let shown = |text: &str, flags: &[&str]| {
        let run = sandbox(text).run("", &[&["lint", "--show-config", "--format", "json"], flags].concat()).ok();
        let document: Value = serde_json::from_str(&run.stdout).unwrap();
        let rules = document["rules"].as_array().unwrap().clone();
        let rule = rules.into_iter().find(|rule| rule["name"] == pedantic).unwrap();
        (document["tier_origin"].clone(), rule["level"] != "allow", rule["origin"].clone())
    };
    let asked = "asked for by tier pedantic";
    assert_eq!(shown("", &[]), ("default".into(), false, asked.into()));
    assert_eq!(shown("", &["--tier", "pedantic"]), ("--tier".into(), true, "default".into()));
    assert_eq!(shown("", &["--persona", "pedantic"]), ("--tier".into(), true, "default".into()));
    assert_eq!(shown("[lint]\ntier = 'auditor'\n", &[]), ("msvc.toml:2".into(), true, "default".into()));
    assert_eq!(shown("[lint]\ntier = 'auditor'\n", &["--tier", "default"]), ("--tier".into(), false, asked.into()));
    assert_eq!(shown(&format!("[lint]\n{pedantic} = 'warn'\n"), &[]), ("default".into(), true, "msvc.toml:2".into()));
}

#[test]
fn settings_are_shown_with_where_they_come_from() {
    let config = "\
[lint]
tier = \"pedantic\"
baseline = \"lint-baseline.json\"
externals = [\"erp.corp\"]
security = \"warn\"
shared-database = \"allow\"
[lint.paths.\"services/legacy\"]
all = \"warn\"
[lint.services.orders]
no-metrics = \"allow\"
";
    let sandbox = sandbox(config);
    sandbox.file("services/orders/Cargo.toml", &format!("{MANIFEST}[package.metadata.msvc.lint]\ncontainers = \"warn\"\n"));
    let text = sandbox.run("", &["lint", "--show-config", "--deny", "blocking-in-async"]).ok().stdout;
    let head = "file       msvc.toml\ntier       pedantic  msvc.toml:2\nbaseline   lint-baseline.json\nexternals  erp.corp\n\neverywhere\n";
    assert!(text.starts_with(head), "{text}");
    let words: Vec<String> = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    for line in ["allow shared-database msvc.toml:6", "warn hardcoded-secret msvc.toml:5", "deny blocking-in-async --deny"] {
        assert!(words.iter().any(|known| known == line), "{line}: {text}");
    }
    let parts = "\npackage orders\n  warn   containers  services/orders/Cargo.toml:10\n\nservice orders\n  allow  no-metrics  msvc.toml:10\n\n\
                 paths services/legacy\n  warn   all  msvc.toml:8\n";
    assert!(text.ends_with(parts), "{text}");
}

#[test]
fn the_baseline_of_the_configuration_is_used() {
    let sandbox = sandbox("[lint]\nbaseline = \"ci/lint-baseline.json\"\n");
    let lint = |directory: &str, flags: &[&str]| {
        sandbox.run(directory, &[&["lint", "--format", "concise", "--select", "blocking-in-async"], flags].concat())
    };
    lint("", &[]).refused(&["there is no baseline ci/lint-baseline.json"]);
    lint("services/orders", &["--update-baseline"]).ok();
    assert!(sandbox.path("ci/lint-baseline.json").exists());
    lint("services/orders", &[]).ok();
    assert_eq!(lint("", &["--no-baseline"]).code, Some(1));
    let bare = Sandbox::new(&[("Cargo.toml", MANIFEST)]);
    bare.run("", &["lint", "--update-baseline"]).refused(&["which file?", "`baseline` under [lint]"]);
}

#[test]
fn mistakes_are_shown_where_they_stand() {
    for (text, said) in [
        (
            "[lint.services.ordres]\nall = 'warn'\n",
            &["there is no service `ordres`", "did you mean `orders`?", "msvc.toml:1:16"][..],
        ),
        ("[lint]\nshared-databse = 'warn'\n", &["did you mean `shared-database`?", "msvc.toml:2:1"]),
        ("[lint]\nteir = 'pedantic'\n", &["did you mean `tier`?", "msvc.toml:2:1"]),
    ] {
        sandbox(text).run("", &["lint"]).refused(said);
    }
    let sandbox = sandbox("");
    sandbox.file("services/orders/Cargo.toml", &format!("{MANIFEST}[package.metadata.msvc]\nlivness = \"/x\"\n"));
    let run = sandbox.run("", &["lint", "--select", "unreadable-file"]);
    assert!(run.stdout.contains("did you mean `liveness`?") && run.stdout.contains("Cargo.toml:10:1"), "{}", run.stdout);
    sandbox.file("services/orders/Cargo.toml", &format!("{MANIFEST}[package.metadata.msvc.lint]\ntier = \"pedantic\"\n"));
    sandbox.run("", &["lint"]).refused(&["`tier` cannot be set for one package", "Cargo.toml:10:1"]);
}

/// Its text is part of the audited tree.
#[test]
fn a_hostile_configuration_controls_no_terminal() {
    let name = "\u{202e}\u{9b}31m";
    let quoted = "\"a\\u001b\\u009b\"";
    for (text, code) in [
        (format!("[lint]\n\"{name}\" = 'warn'\n"), 2),
        (format!("[lint]\n{quoted} = 'warn'\n"), 2),
        (format!("[lint.services]\n{quoted} = {{}}\n"), 2),
        (format!("[lint]\nbaseline = {quoted}\n"), 2),
        (format!("[lint.paths]\n{quoted} = {{ all = 'warn' }}\n"), 0),
    ] {
        let sandbox = sandbox(&text);
        for flags in [&["lint"][..], &["lint", "--show-config"], &["lint", "--show-config", "--format", "json"]] {
            let run = sandbox.run("", flags);
            assert!(run.code == Some(code) || code == 0 || flags.len() > 1, "{text} {flags:?}: {}", run.stderr);
            let said = run.stdout + &run.stderr;
            let hostile = said.chars().find(|c| c.is_control() && *c != '\n' || *c == '\u{202e}');
            assert_eq!(hostile, None, "{flags:?}: {said:?}");
        }
    }
}

// --- the schema ---

fn known() -> Vec<&'static Rule> {
    own::ALL.iter().chain(rules::ALL).copied().collect()
}

fn schema_path() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/schema/msvc-toml-1.json")
}

/// The schema of `msvc.toml`, from the rules and keys that the code knows.
fn schema() -> Value {
    let level = json!({ "enum": Level::ALL.map(Level::id) });
    let mut levels = serde_json::Map::new();
    levels.insert(
        "all".into(),
        json!({ "description": "Whatever is reported without this; wakes no rule.", "$ref": "#/$defs/level" }),
    );
    for practice in Practice::ALL {
        let description = format!("All rules of the practice \"{}\".", practice.title());
        levels.insert(practice.id().into(), json!({ "description": description, "$ref": "#/$defs/level" }));
    }
    for rule in known() {
        let description = format!("{} ({}; {} unless set).", rule.summary(), rule.code, rule.level.id());
        levels.insert(rule.id.into(), json!({ "description": description, "$ref": "#/$defs/level" }));
    }
    let by_code = json!({ "^[Mm][Ss][Vv][Cc][0-9]{3}$": { "$ref": "#/$defs/level" } });
    let mut lint = levels.clone();
    let text = json!({ "type": "string", "minLength": 1 });
    for (key, schema) in [
        ("tier", json!({ "description": "Who is asking.", "enum": Tier::ALL.map(Tier::id), "default": "default" })),
        (
            "baseline",
            json!({ "description": "File of findings that are lived with for now, from the directory of this one.", "type": "string", "minLength": 1 }),
        ),
        (
            "externals",
            json!({ "description": "Hosts of systems outside, the same in every environment; `*.example.com` for all below.", "type": "array", "items": text }),
        ),
        (
            "paths",
            json!({ "description": "Levels for files that a pattern names, or that stand below a directory it names.", "type": "object", "additionalProperties": { "$ref": "#/$defs/levels" } }),
        ),
        (
            "services",
            json!({ "description": "Levels for findings about a service.", "type": "object", "additionalProperties": { "$ref": "#/$defs/levels" } }),
        ),
    ] {
        lint.insert(key.into(), schema);
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "msvc.toml",
        "description": "Configuration of cargo-msvc.",
        "type": "object",
        "additionalProperties": false,
        "properties": {
            "lint": { "type": "object", "additionalProperties": false, "properties": lint, "patternProperties": by_code },
            "deploy": deploy_schema(),
        },
        "$defs": {
            "level": level,
            "levels": { "type": "object", "additionalProperties": false, "properties": levels, "patternProperties": by_code },
        },
    })
}

fn deploy_schema() -> Value {
    let table = |keys: &[(&str, &str, &str)]| {
        let of = |kind: &str, description: &str| match kind {
            "variables" => json!({ "description": description, "type": "object", "additionalProperties": { "type": "string" } }),
            kind => json!({ "description": description, "type": kind }),
        };
        let keys: BTreeMap<_, _> = keys.iter().map(|(key, kind, description)| (*key, of(kind, description))).collect();
        json!({ "type": "object", "additionalProperties": false, "properties": keys })
    };
    let in_env = [
        ("replicas", "integer", "Fewest replicas."),
        ("max-replicas", "integer", "Most replicas."),
        ("image", "string", "Image in prod: `REPOSITORY@sha256:…`."),
        ("host", "string", "Host name in prod, of a public service."),
        ("env", "variables", "Values of variables that the code reads."),
    ];
    let everywhere = [
        ("cpu", "string", "CPU request."),
        ("cpu-limit", "string", "CPU limit; none unless set."),
        ("memory", "string", "Memory request and limit."),
        ("storage", "string", "Volume of an embedded store."),
    ];
    let services = |keys: &[(&str, &str, &str)]| json!({ "type": "object", "additionalProperties": table(keys) });
    let mut env = table(&[("namespace", "string", "Namespace of this overlay.")]);
    env["properties"]["services"] = services(&in_env);
    let mut deploy = table(&[
        ("namespace", "string", "Namespace of the base; the workspace's directory unless set."),
        ("registry", "string", "Where images are pushed."),
        ("gateway", "string", "NAMESPACE/NAME of the Gateway that leads to public services."),
        ("monitoring-namespace", "string", "Who may scrape metrics; `monitoring` unless set."),
    ]);
    deploy["properties"]["platform"] = json!({ "description": "Whose security rules the pods meet.", "enum": ["kubernetes", "openshift"], "default": "kubernetes" });
    deploy["properties"]["services"] = services(&[&in_env[..], &everywhere].concat());
    deploy["properties"]["env"] =
        json!({ "type": "object", "additionalProperties": false, "properties": { "dev": env, "prod": env } });
    deploy
}

#[test]
fn the_schema_is_what_the_code_takes() {
    let schema = schema();
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    if std::env::var_os("BLESS").is_some() {
        fs::write(schema_path(), &text).unwrap();
    }
    let written = fs::read_to_string(schema_path()).unwrap_or_default();
    assert!(written == text, "docs/schema/msvc-toml-1.json is not what the code takes: BLESS=1 cargo test --test it config");

    // Every key of the schema is taken, and the code's list of keys is the schema's: serde names them when one is wrong.
    let read = |text: &str| {
        let source = Source { path: "msvc.toml".into(), shown: "msvc.toml".into(), text: text.to_owned() };
        config::parse(source, &known()).and_then(|config| deploy::config::read(&config).map(drop))
    };
    let keys = |table: &Value| table["properties"].as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    for key in keys(&schema["properties"]["lint"]) {
        let error = read(&format!("[lint]\n{key} = 3\n")).expect_err("no key takes a number");
        assert!(!error.message.contains("nor another key"), "{key}: {error}");
    }
    let own: BTreeSet<_> = config::KEYS.iter().map(ToString::to_string).collect();
    assert!(own.is_subset(&keys(&schema["properties"]["lint"])));
    let deploy = &schema["properties"]["deploy"];
    for (header, table) in [
        ("deploy", deploy),
        ("deploy.services.a", &deploy["properties"]["services"]["additionalProperties"]),
        ("deploy.env", &deploy["properties"]["env"]),
        ("deploy.env.dev", &deploy["properties"]["env"]["properties"]["dev"]),
        (
            "deploy.env.dev.services.a",
            &deploy["properties"]["env"]["properties"]["dev"]["properties"]["services"]["additionalProperties"],
        ),
    ] {
        let error = read(&format!("[{header}]\nnone-of-these = 1\n")).expect_err("an unknown key");
        let help = error.help.unwrap_or_default();
        let named: BTreeSet<_> = help.rsplit("known here: ").next().unwrap().split(", ").map(str::to_owned).collect();
        assert_eq!(keys(table), named, "{header}");
    }
}

#[test]
fn the_schema_takes_what_the_documentation_shows() {
    let page = fs::read_to_string(PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md")).unwrap();
    let example = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let document = |text: &str| -> Value {
        let document: toml_edit::DocumentMut = text.parse().unwrap();
        toml_edit::de::from_document(document).unwrap()
    };
    let schema = schema_path();
    let schema = schema.to_str().unwrap();
    validate(schema, &document(example));
    for wrong in [
        "[lnt]\n",
        "[lint]\nshared-databse = 'warn'\n",
        "[lint]\ntier = 'all'\n",
        "[lint.paths.a]\nbaseline = 'x'\n",
        "[deploy]\nregistry = 3\n",
    ] {
        let document = document(wrong);
        let refused = std::panic::catch_unwind(|| validate(schema, &document));
        assert!(refused.is_err(), "{wrong}");
    }
}
