//! `[deploy]` of msvc.toml, and the images it names.

use std::collections::BTreeMap;

use cargo_msvc::config::Source;
use cargo_msvc::deploy::config::read;
use cargo_msvc::deploy::image::{Image, ImageSetting, Pin};
use cargo_msvc::deploy::overlay::Env;
use cargo_msvc::deploy::{Manifests, Target};

use super::facts::{found, service, workspace};
use super::{notes, plan_with, texts};

const OLD: &str = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
const NEW: &str = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

fn plan(config: &str, flag: Option<&str>, pinned: Option<&str>) -> Manifests {
    let mut workspace = workspace();
    workspace.services = vec![service("orders")];
    let pinned = pinned.map(|digest| {
        let image = Image { name: "ghcr.io/acme/orders".into(), pin: Pin::Digest(digest.into()) };
        (Env::Prod, BTreeMap::from([("orders".to_owned(), image)]))
    });
    let target = Target {
        directory: "shop".into(),
        images: flag.map(|image| ("orders".to_owned(), ImageSetting::try_from(image.to_owned()).unwrap())).into_iter().collect(),
        pinned: pinned.into_iter().collect(),
        ..Target::default()
    };
    plan_with(&workspace, config, &[], &target)
}

#[test]
fn the_last_stated_image_wins_and_a_pin_stays() {
    let config = "registry = 'ghcr.io/acme'";
    let stated = format!("{config}\nservices.orders.image = '{NEW}'");
    for (config, flag, pinned, image) in [
        (config, None, None, "newTag: no-digest-yet"),
        (config, None, Some(OLD), OLD),
        (config, Some(NEW), Some(OLD), NEW),
        (&stated, None, Some(OLD), NEW),
        (&stated, Some(OLD), None, OLD),
    ] {
        let manifests = plan(config, flag, pinned);
        let prod = &texts(&manifests)["overlays/prod/generated/kustomization.yaml"];
        assert!(prod.contains(image) && prod.contains("newName: ghcr.io/acme/orders\n"), "{prod}");
        let unpinned = notes(&manifests).iter().any(|note| note.contains("MSVC_IMAGE_ORDERS"));
        assert_eq!(unpinned, image.starts_with("newTag"), "{:?}", notes(&manifests));
        let dev = &texts(&manifests)["overlays/dev/generated/kustomization.yaml"];
        assert!(dev.contains("newTag: dev\n") && !dev.contains("sha256"), "{dev}");
    }
}

#[test]
fn overlays_change_what_the_config_says() {
    let config = "services.orders = { replicas = 4 }\nenv.dev.services.orders = { replicas = 2, env = { ORDERS__LOG__LEVEL = 'debug', NOPE = 'x' } }";
    let manifests = plan(config, None, None);
    let texts = texts(&manifests);
    assert!(texts["base/orders/horizontal-pod-autoscaler.yaml"].contains("minReplicas: 4\n"));
    let dev = &texts["overlays/dev/generated/kustomization.yaml"];
    assert!(dev.contains("path: /spec/minReplicas\n        value: 2\n"), "{dev}");
    assert!(
        dev.contains("namespace: shop-dev\n") && dev.contains("- \"ORDERS__LOG__LEVEL=debug\"\n") && !dev.contains("NOPE"),
        "{dev}"
    );
    assert!(notes(&manifests).iter().any(|note| note.contains("NOPE is no variable that it reads")));
    assert!(!texts["overlays/prod/generated/kustomization.yaml"].contains("patches:"));
}

#[test]
fn a_public_service_says_what_its_route_lacks() {
    let mut workspace = workspace();
    let mut orders = service("orders");
    orders.public = found(true);
    workspace.services = vec![orders];
    for (config, expected) in
        [("", "gateway = \"NAMESPACE/NAME\""), ("gateway = 'infra/edge'", "set `host` under [deploy.services.orders]")]
    {
        let target = Target { directory: "shop".into(), ..Target::default() };
        let manifests = plan_with(&workspace, config, &[], &target);
        assert!(notes(&manifests).iter().any(|note| note.contains(expected)), "{:?}", notes(&manifests));
        assert!(texts(&manifests).keys().all(|path| !path.contains("http-route")));
    }
}

#[test]
fn settings_about_nothing_are_said() {
    let notes = notes(&plan("services.order = {}\nenv.prod.services.other = {}", None, None));
    for expected in ["[deploy.services.order] is about no service", "[deploy.env.prod.services.other] is about no service"] {
        assert!(notes.iter().any(|note| note.starts_with(expected)), "{notes:?}");
    }
}

/// Each case: a line of `[deploy]`, the part that the error points at, and words of its message and help.
#[test]
fn mistakes_have_a_place_and_a_way_out() {
    for (line, at, message, help) in [
        ("registy = 'x'", "registy", "unknown field `registy`", "did you mean `registry`?"),
        ("env.staging = {}", "staging", "unknown field `staging`", "dev, prod"),
        ("services.orders.replica = 3", "replica", "unknown field `replica`", "did you mean `replicas`?"),
        ("namespace = 'Shop'", "'Shop'", "is no DNS label", ""),
        ("gateway = 'edge'", "'edge'", "write \"NAMESPACE/NAME\"", ""),
        ("platform = 'opensift'", "'opensift'", "unknown value `opensift`", "did you mean `openshift`?"),
        ("services.orders.cpu = '50x'", "'50x'", "is no amount of CPU", ""),
        ("services.orders.memory = '64'", "'64'", "is no amount of memory", ""),
        ("services.orders.image = 'orders'", "'orders'", "has neither a digest nor a tag", ""),
        ("services.orders.host = 'a b'", "'a b'", "is no host name", ""),
        ("services.orders.env.A = \"x\\ny\"", "\"x\\ny\"", "is no single line of text", ""),
        ("services.orders.replicas = -1", "-1", "invalid value", ""),
        ("services = 3", "3", "invalid type", ""),
    ] {
        let text = format!("[deploy]\n{line}\n");
        let config =
            cargo_msvc::config::parse(Source { path: "msvc.toml".into(), shown: "msvc.toml".into(), text: text.clone() }, &[])
                .unwrap();
        let error = read(&config).expect_err(line);
        let pointed = &text[error.span.offset()..error.span.offset() + error.span.len()];
        assert_eq!(pointed, at, "{line}: {error}");
        assert!(error.message.contains(message), "{line}: {error}");
        assert!(error.help.as_deref().unwrap_or_default().contains(help), "{line}: {:?}", error.help);
    }
}
