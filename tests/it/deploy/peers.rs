//! Writes the manifests of every case for the external checkers that `tests/peers/run` calls.

use std::fs;
use std::path::Path;

use cargo_msvc::deploy::Target;
use cargo_msvc::deploy::image::ImageSetting;

use super::{facts, plan_with, texts};

#[test]
fn every_case_is_laid_out_for_the_peers() {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join("peers");
    if root.exists() {
        fs::remove_dir_all(&root).unwrap();
    }
    // A service of which nothing is known has no probes, and the peers say so, rightly.
    let cases = || facts::cases().into_iter().filter(|case| case.name != "nothing known");
    for case in cases() {
        let mut workspace = facts::workspace();
        workspace.services = case.services;
        // Stands for an image that was pushed: no cluster ever sees these manifests.
        let digest = format!("sha256:{}", "0".repeat(64));
        let image = |service: &String| (service.clone(), ImageSetting::try_from(digest.clone()).unwrap());
        let names: Vec<_> = workspace.services.iter().map(|service| service.name.clone()).collect();
        let target = Target { directory: "shop".into(), images: names.iter().map(image).collect(), ..Target::default() };
        let directory = root.join(case.name.replace(' ', "-"));
        for (path, text) in texts(&plan_with(&workspace, case.config, &case.edges, &target)) {
            let path = directory.join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
    }
    assert_eq!(fs::read_dir(&root).unwrap().count(), cases().count());
}
