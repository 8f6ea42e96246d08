use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::{images, paths};
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// No Dockerfile builds this service.
    ///
    /// ## Why is this bad?
    /// A service that is not packaged on its own is installed by hand, beside others, on a machine whose libraries and limits it
    /// shares: it cannot be moved, scaled or rolled back alone, and nobody knows exactly what runs.
    ///
    /// ## Example
    /// ```text
    /// services/orders/Cargo.toml
    /// services/orders/src/main.rs
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// # services/orders/Dockerfile
    /// FROM rust:1.95 AS build
    /// COPY . .
    /// RUN cargo build --release --locked -p orders
    ///
    /// FROM gcr.io/distroless/cc-debian13:nonroot
    /// COPY --from=build /target/release/orders /orders
    /// ENTRYPOINT ["/orders"]
    /// ```
    /// `cargo msvc new` writes one with each service.
    ///
    /// ## Not reported when
    /// - a Dockerfile or Containerfile stands in the service's folder, is named after it, or mentions its package or binary;
    /// - a Dockerfile above it builds with Cargo and names no service, or takes the service as an argument;
    /// - a Kubernetes manifest or a compose file runs it: then its image is built in a way that is not seen here (Nix, Bazel,
    ///   buildpacks, a pipeline);
    /// - it is made for a platform that packages it itself (AWS Lambda, Shuttle, Cloudflare Workers, Spin, Fastly);
    /// - a `Procfile`, `Shuttle.toml`, `fly.toml`, `railway.toml`, `render.yaml`, `app.yaml`, `project.toml`, `package-manifest.toml` or a systemd unit
    ///   beside it or above it says that it is packaged in another way.
    ///
    /// ## Source
    /// "Multiple services per host", MARS (Tighilt et al., Journal of Systems and Software 2023); the Twelve-Factor App, II and V.
    "no-container-image", "MSVC901", Practice::Containers, Level::Deny, Tier::Default, Check::Service(check)
}

/// Dependencies of services that a platform packages.
const PACKAGED_BY_PLATFORM: &[&str] =
    &["lambda_runtime", "lambda_http", "shuttle-runtime", "shuttle-service", "worker", "spin-sdk", "fastly"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let package = &workspace.packages[service.package];
    if PACKAGED_BY_PLATFORM.iter().any(|platform| package.depends_on(platform))
        || paths::is_shown_only(&service.directory.join("x"))
    {
        return;
    }
    if is_packaged(workspace, service) || service.documents.is_run() || has_image(workspace, service) {
        return;
    }
    if workspace.dockerfiles.iter().any(|dockerfile| images::may_build(workspace, dockerfile, service)) {
        return;
    }
    let dockerfiles = match workspace.dockerfiles.len() {
        0 => "there is no Dockerfile in the tree".to_owned(),
        1 => "the one Dockerfile of the tree names another service".to_owned(),
        count => format!("none of the {count} Dockerfiles stands in its folder or names it"),
    };
    out.push(
        Diagnostic::new(
            format!("no Dockerfile builds `{}`", service.name),
            Location::new(package.manifest, package.name_span),
            "this package has no container image",
        )
        .help(format!("add {}: `cargo msvc new` shows what a good one looks like", service.directory.join("Dockerfile")))
        .evidence(dockerfiles)
        .evidence("no manifest or compose file runs an image of its name")
        .confidence(Confidence::Medium),
    );
}

/// Whether a file beside the service, above it or in a folder of one of those says that it is packaged in another way.
fn is_packaged(workspace: &Workspace, service: &Service) -> bool {
    let folders = workspace.packaging.iter().filter_map(|file| workspace.sources.path(*file).parent());
    folders.into_iter().any(|folder| {
        let above = folder.parent().unwrap_or(folder);
        service.directory.starts_with(folder) || service.directory == above
    })
}

/// Whether something runs an image of the service's name, under whatever name of its own.
fn has_image(workspace: &Workspace, service: &Service) -> bool {
    let pods = workspace.kubernetes.iter().filter_map(|object| object.pod.as_ref());
    let in_pods = pods.flat_map(|pod| &pod.containers).filter_map(|container| container.image.as_ref());
    let in_compose = workspace.compose.iter().flat_map(|compose| &compose.services).filter_map(|entry| entry.image.as_ref());
    in_pods.chain(in_compose).any(|image| images::names_service(workspace, service, image.short_name()))
}
