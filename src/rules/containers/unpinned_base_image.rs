use std::collections::BTreeSet;

use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::{images, paths};
use crate::workspace::compose::ComposeService;
use crate::workspace::image::Image;
use crate::workspace::variables::Expanded;
use crate::workspace::yaml::Node;
use crate::workspace::{FileId, Location, Workspace};

declare_rule! {
    /// An image is named without a version, or as `latest`.
    ///
    /// ## Why is this bad?
    /// The same source gives another image tomorrow: a build breaks, or a running service changes, without a commit that says so,
    /// and a rollback does not bring the old one back.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM rust AS build
    /// FROM debian:latest
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM rust:1.95.0-bookworm AS build
    /// FROM gcr.io/distroless/cc-debian13:nonroot@sha256:<digest>
    /// ```
    /// Let Renovate or Dependabot bump it.
    ///
    /// ## Not reported when
    /// - it has a digest, or any tag but `latest`;
    /// - it is `scratch` or an earlier stage, or a variable or template gives part of it;
    /// - it is built in this tree: a service of the workspace, or an image that a compose file builds;
    /// - a kustomization sets its tag or digest;
    /// - the file is a test, an example or documentation, or a compose file or manifest for local development.
    ///
    /// An image that a file names several times is reported once.
    ///
    /// ## Source
    /// hadolint DL3006 and DL3007; Docker, "Building best practices: pin base image versions".
    "unpinned-base-image", "MSVC904", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut seen = BTreeSet::new();
    let mut report = |file: FileId, image: &Image, is_base: bool| {
        // Code that ships is built from Dockerfiles wherever they stand; the rest may be one person's own set-up.
        let is_elsewhere = !is_base && paths::is_local(workspace.sources.path(file));
        if !is_elsewhere && seen.insert((file, image.text.clone())) {
            out.extend(finding(workspace, file, image, is_base));
        }
    };
    for dockerfile in &workspace.dockerfiles {
        for image in dockerfile.stages.iter().filter_map(|stage| stage.image()) {
            report(dockerfile.file, image, true);
        }
    }
    for dockerfile in &workspace.dockerfiles {
        let stages: Vec<&str> = dockerfile.stages.iter().filter_map(|stage| stage.name.as_deref()).collect();
        // What only gives files: `COPY --from=registry/tool /tool /usr/bin/`, `RUN --mount=from=…` left aside.
        for copy in dockerfile.stages.iter().flat_map(|stage| &stage.copies) {
            let Some(from) = copy.from.as_deref() else { continue };
            let is_stage = from.parse::<usize>().is_ok() || stages.iter().any(|stage| stage.eq_ignore_ascii_case(from));
            // `COPY --from=proto`: a bare word may be a context that the build is given by name.
            let is_image = from.contains(['/', ':', '@']);
            if is_image && !is_stage && !from.contains('$') {
                let text = Expanded { text: from.to_owned(), unknown: Vec::new(), variable: false };
                report(dockerfile.file, &Image::new(text, copy.span), false);
            }
        }
    }
    for compose in &workspace.compose {
        for image in compose.services.iter().filter(|entry| entry.build.is_none()).filter_map(|entry| entry.image.as_ref()) {
            report(compose.file, image, false);
        }
    }
    for object in &workspace.kubernetes {
        let containers = object.pod.iter().flat_map(|pod| pod.init_containers.iter().chain(&pod.containers));
        for image in containers.filter_map(|container| container.image.as_ref()) {
            report(object.file, image, false);
        }
    }
}

fn finding(workspace: &Workspace, file: FileId, image: &Image, is_base: bool) -> Option<Diagnostic> {
    let what = if is_base { "base image" } else { "image" };
    let fault = match image.tag.as_deref() {
        _ if image.digest.is_some() || image.variable || !image.unknown.is_empty() || image.name.is_empty() => return None,
        None => "has no version",
        Some("latest") => "is pinned to `latest`, which is no version",
        Some(_) => return None,
    };
    if is_built_here(workspace, image)
        || is_set_by_kustomize(workspace, image)
        || paths::is_shown_only(workspace.sources.path(file))
    {
        return None;
    }
    Some(
        Diagnostic::new(
            format!("{what} `{}` {fault}", image.text),
            Location::new(file, image.span),
            "whatever is newest on that day",
        )
        .help(format!("name the version: `{}:<version>`, best with its digest `@sha256:…`", image.name))
        .evidence("a digest")
        .evidence("a tag other than `latest`")
        .evidence("a kustomization that sets it"),
    )
}

/// A service's own image, or one that a compose file builds.
fn is_built_here(workspace: &Workspace, image: &Image) -> bool {
    let of_service = workspace.services.iter().any(|service| images::names_service(workspace, service, image.short_name()));
    let built = workspace.compose.iter().flat_map(|compose| &compose.services).filter(|entry| entry.build.is_some());
    let names = |entry: &ComposeService| {
        let own = entry.image.as_ref().is_some_and(|own| own.name == image.name);
        own || paths::same_name(&entry.name.value, image.short_name())
    };
    let of_package = workspace.packages.iter().any(|package| paths::same_name(&package.name, image.short_name()));
    of_service || of_package || built.into_iter().any(names)
}

fn is_set_by_kustomize(workspace: &Workspace, image: &Image) -> bool {
    let entries =
        workspace.kustomizations.iter().filter_map(|kustomization| kustomization.node.get("images")).flat_map(Node::items);
    entries.into_iter().any(|entry| {
        let pinned = entry.get("newTag").or_else(|| entry.get("digest")).is_some();
        pinned && entry.get("name").and_then(Node::as_str) == Some(image.name.as_str())
    })
}
