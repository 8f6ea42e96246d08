//! `cargo msvc deploy-manifests`, in workspaces as people have them.

use std::process::Stdio;
use std::time::{Duration, Instant};

use cargo_msvc::file_tree::{STAGING, interrupted};

use crate::sandbox::Sandbox;

const DIGEST: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";

/// A generated workspace `shop` with the service `orders`.
fn shop() -> Sandbox {
    let sandbox = Sandbox::new(&[]);
    sandbox.run("", &["new", "orders", "--workspace", "shop"]).ok();
    sandbox
}

fn deployed() -> Sandbox {
    let sandbox = shop();
    sandbox.run("shop", &["deploy-manifests"]).ok();
    sandbox
}

#[test]
fn a_generated_workspace_gets_manifests_once() {
    let sandbox = shop();
    let run = sandbox.run("shop", &["deploy-manifests"]).ok();
    assert!(run.stderr.contains("manifests in deploy\n"), "{}", run.stderr);
    assert!(run.stderr.contains("kubectl -n shop create secret generic orders --from-file=auth-key=FILE"), "{}", run.stderr);
    assert!(!run.stderr.contains("could not be found out"), "{}", run.stderr);
    let first = sandbox.files();
    let config = &first["shop/deploy/base/orders/config.env"];
    for line in [
        "ORDERS__SERVER__PORT=8080",
        "ORDERS__AUTH__KEY_FILE=/etc/secrets/auth-key",
        "ORDERS__STORE__PATH=/var/lib/orders/orders.db",
    ] {
        assert!(config.lines().any(|given| given == line), "{config}");
    }
    let again = sandbox.run("shop", &["deploy-manifests"]).ok();
    assert!(again.stderr.contains("Unchanged"), "{}", again.stderr);
    assert_eq!(sandbox.files(), first);
    let check = sandbox.run("shop", &["deploy-manifests", "--check"]).ok();
    assert_eq!(check.stdout, "");
    let lint = sandbox.run("shop", &["lint"]).ok();
    assert!(lint.stdout.contains("no findings"), "{}", lint.stdout);
}

#[test]
fn drift_is_told_in_words_and_layout_is_no_drift() {
    let sandbox = deployed();
    let path = "shop/deploy/base/orders/statefulset.yaml";
    let text = sandbox.text(path);
    sandbox.file(path, &format!("{}# mine\n", text.replace("name: orders\n", "name: \"orders\"\n")));
    sandbox.run("shop", &["deploy-manifests", "--check"]).ok();

    sandbox.file(path, &text.replace("/readyz", "/ready").replace("GracePeriodSeconds: 35", "GracePeriodSeconds: 30"));
    std::fs::remove_file(sandbox.path("shop/deploy/base/namespace.yaml")).unwrap();
    sandbox.file("shop/deploy/base/old/deployment.yaml", &text);
    let run = sandbox.run("shop", &["deploy-manifests", "--check"]);
    assert_eq!(run.code, Some(1), "{}", run.stderr);
    let lines: Vec<_> = run.stdout.lines().collect();
    assert_eq!(
        lines,
        [
            "base/namespace.yaml: missing",
            "orders StatefulSet: terminationGracePeriodSeconds 30 -> 35",
            "orders StatefulSet: readiness path /ready -> /readyz",
            "base/old/deployment.yaml: no longer written, delete it",
        ]
    );
    let run = sandbox.run("shop", &["deploy-manifests"]).ok();
    assert!(run.stderr.contains("Wrote 2 of "), "{}", run.stderr);
    assert_eq!(sandbox.text(path), text);
}

#[test]
fn the_code_moves_the_manifests() {
    let sandbox = deployed();
    let config = sandbox.text("shop/services/orders/config.toml");
    sandbox.file(
        "shop/services/orders/config.toml",
        &config.replace("port = 9090", "port = 9191").replace("drain_ms = 20000", "drain_ms = 25000"),
    );
    let run = sandbox.run("shop", &["deploy-manifests", "--check"]);
    assert_eq!(run.code, Some(1));
    for line in [
        "orders ConfigMap: ORDERS__ADMIN__PORT 9090 -> 9191",
        "orders StatefulSet: terminationGracePeriodSeconds 35 -> 40",
        "orders StatefulSet: ports.admin.containerPort 9090 -> 9191",
    ] {
        assert!(run.stdout.lines().any(|said| said == line), "{}", run.stdout);
    }
}

#[test]
fn a_kill_at_any_moment_leaves_the_old_manifests_or_the_next_run_completes_the_new_ones() {
    let changed = || {
        let sandbox = deployed();
        let config = sandbox.text("shop/services/orders/config.toml");
        sandbox.file("shop/services/orders/config.toml", &config.replace("= 9090", "= 9191").replace("= 8080", "= 8181"));
        sandbox
    };
    let kill_after = |delay: Duration| {
        let sandbox = changed();
        let start = Instant::now();
        let mut child = sandbox.command("shop", &["deploy-manifests", "--quiet"]).stderr(Stdio::null()).spawn().unwrap();
        while start.elapsed() < delay && child.try_wait().unwrap().is_none() {
            std::thread::sleep(Duration::from_micros(50));
        }
        child.kill().unwrap();
        child.wait().unwrap();
        (sandbox, start.elapsed())
    };
    let old = changed().files();
    let (finished, whole) = kill_after(Duration::from_secs(60));
    let new = finished.files();
    assert_ne!(old, new);

    const KILLS: u32 = 20;
    let mut kept = 0;
    for kill in 0..KILLS {
        // Most of the time goes into reading the code: the writing is at the end.
        let (sandbox, _) = kill_after(whole * (KILLS + kill) / (2 * KILLS));
        if interrupted(&sandbox.path("shop/deploy")) {
            sandbox.run("shop", &["deploy-manifests", "--check"]).refused(&["an earlier run was killed"]);
        } else {
            // What was staged before the decision is removed by the next run.
            let mut now = sandbox.files();
            now.retain(|path, _| !path.contains(STAGING));
            assert!(now == old || now == new, "kill {kill}: {:?}", now.keys());
            kept += u32::from(now == old);
        }
        sandbox.run("shop", &["deploy-manifests"]).ok();
        assert_eq!(sandbox.files(), new, "kill {kill}");
    }
    assert!(kept > 0, "no kill came early enough to test anything");
}

#[test]
fn overlays_belong_to_people_and_images_stay_pinned() {
    let sandbox = deployed();
    let mine = "# mine\nkind: Kustomization\nresources: [../../base]\ncomponents: [generated]\nnamespace: elsewhere\n";
    sandbox.file("shop/deploy/overlays/prod/kustomization.yaml", mine);
    sandbox.run("shop", &["deploy-manifests", "--image", &format!("orders=ghcr.io/acme/orders@{DIGEST}")]).ok();
    let run = sandbox.run("shop", &["deploy-manifests"]).ok();
    assert!(!run.stderr.contains("no digest pins"), "{}", run.stderr);
    assert_eq!(sandbox.text("shop/deploy/overlays/prod/kustomization.yaml"), mine);
    let generated = sandbox.text("shop/deploy/overlays/prod/generated/kustomization.yaml");
    assert!(generated.contains(&format!("newName: ghcr.io/acme/orders\n    digest: {DIGEST}\n")), "{generated}");
    sandbox.run("shop", &["deploy-manifests", "--check"]).ok();
}

#[test]
fn files_of_others_are_not_overwritten() {
    let sandbox = shop();
    sandbox.file("shop/deploy/base/kustomization.yaml", "kind: Kustomization\n");
    let before = sandbox.files();
    sandbox.run("shop", &["deploy-manifests"]).refused(&["not written by cargo msvc", "base/kustomization.yaml", "--out"]);
    assert_eq!(sandbox.files(), before);
    sandbox.run("shop", &["deploy-manifests", "--out", "k8s"]).ok();
    assert!(sandbox.text("shop/k8s/base/kustomization.yaml").contains("- orders"));
}

#[test]
fn names_that_cargo_likes_are_made_names_that_a_cluster_takes() {
    let sandbox = shop();
    let manifest = sandbox.text("shop/services/orders/Cargo.toml");
    sandbox.file("shop/services/orders/Cargo.toml", &manifest.replace("name = \"orders\"", "name = \"order_items\""));
    sandbox.run("shop", &["deploy-manifests"]).ok();
    assert!(sandbox.text("shop/deploy/base/order-items/service.yaml").contains("name: order-items\n"));
    sandbox.run("shop", &["deploy-manifests", "-p", "order_items"]).refused(&["did you mean `order-items`?"]);
}

#[test]
fn looking_writes_nothing() {
    let sandbox = shop();
    let before = sandbox.files();
    let list = sandbox.run("shop", &["deploy-manifests", "--dry-run"]).ok().stdout;
    assert!(list.lines().any(|line| line == "deploy/base/orders/statefulset.yaml"), "{list}");
    let diff = sandbox.run("shop", &["deploy-manifests", "--diff"]).ok().stdout;
    assert!(diff.contains("+++ b/base/orders/statefulset.yaml\n"), "{diff}");
    assert_eq!(sandbox.files(), before);
}

#[test]
fn mistakes_are_refused_before_anything_is_written() {
    let sandbox = shop();
    let before = sandbox.files();
    for (arguments, said) in [
        (&["-p", "order"][..], &["there is no service `order`", "did you mean `orders`?"][..]),
        (&["--image", "orders"], &["write SERVICE=IMAGE"]),
        (&["--image", "orders=x@sha256:1"], &["64 hexadecimal digits"]),
        (&["--image", "billing=x:1"], &["there is no service `billing`"]),
        (&["nowhere"], &["cannot read nowhere"]),
    ] {
        sandbox.run("shop", &[&["deploy-manifests"], arguments].concat()).refused(said);
    }
    assert_eq!(sandbox.files(), before);
    sandbox.file("shop/msvc.toml", "[deploy]\nregistri = 'x'\n");
    sandbox.run("shop", &["deploy-manifests"]).refused(&[
        "unknown field `registri`",
        "did you mean `registry`?",
        "msvc.toml:2:1",
    ]);
    let empty = Sandbox::new(&[("Cargo.toml", "[package]\nname = \"lib\"\nversion = \"0.1.0\"\n"), ("src/lib.rs", "")]);
    empty.run("", &["deploy-manifests"]).refused(&["no service was found", "--show-services"]);
}

#[test]
fn a_workspace_of_others_gets_what_its_code_says() {
    let main = "use axum::{Router, routing::get};\n\
        #[tokio::main]\nasync fn main() {\n    \
        let url = std::env::var(\"DATABASE_URL\").expect(\"DATABASE_URL\");\n    \
        let greeting = std::env::var(\"GREETING\").unwrap();\n    \
        let app = Router::new().route(\"/health\", get(|| async { \"ok\" })).route(\"/v1/hello\", get(move || async move { format!(\"{greeting}{url}\") }));\n    \
        let listener = tokio::net::TcpListener::bind(\"0.0.0.0:3000\").await.unwrap();\n    \
        axum::serve(listener, app).await.unwrap();\n}\n";
    let manifest = "[package]\nname = \"hello\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\naxum = \"0.8\"\ntokio = { version = \"1\", features = [\"full\"] }\n";
    let sandbox = Sandbox::new(&[("Cargo.toml", manifest), ("src/main.rs", main)]);
    let run = sandbox.run("", &["deploy-manifests"]).ok();
    for said in [
        "hello: how long it drains (20 s are assumed) could not be found out",
        "state `drain-ms` under [package.metadata.msvc] in Cargo.toml",
        "hello: needs GREETING (src/main.rs), which has no default",
        "set GREETING in [deploy.services.hello.env] of msvc.toml",
        "--from-file=database-url=FILE",
    ] {
        assert!(run.stderr.contains(said), "{said}\n{}", run.stderr);
    }
    let deployment = sandbox.text("deploy/base/hello/deployment.yaml");
    assert!(deployment.contains("containerPort: 3000\n") && deployment.contains("key: database-url\n"), "{deployment}");

    let stated =
        format!("{manifest}\n[package.metadata.msvc]\nliveness = \"/health\"\nreadiness = \"/health\"\ndrain-ms = 10000\n");
    sandbox.file("Cargo.toml", &stated);
    sandbox.file("msvc.toml", "[deploy]\nnamespace = \"hello\"\nservices.hello.env.GREETING = \"hi\"\n");
    let run = sandbox.run("", &["deploy-manifests"]).ok();
    assert!(!run.stderr.contains("could not be found out") && !run.stderr.contains("GREETING"), "{}", run.stderr);
    let deployment = sandbox.text("deploy/base/hello/deployment.yaml");
    assert!(deployment.contains("path: /health\n") && deployment.contains("terminationGracePeriodSeconds: 25\n"), "{deployment}");
    assert!(sandbox.text("deploy/base/hello/config.env").contains("\nGREETING=hi\n"));
}
