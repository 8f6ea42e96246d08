use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::ci;
use crate::workspace::{Location, Workspace};

declare_rule! {
    /// No pipeline builds and tests the services of this repository.
    ///
    /// ## Why is this bad?
    /// What is built by hand is built from whatever stands on somebody's disk, with tests run when somebody remembers. Services that
    /// are deployed on their own need it more than one program does: nothing else notices that they no longer fit together.
    ///
    /// ## Example
    /// ```text
    /// services/orders/Cargo.toml
    /// services/billing/Cargo.toml
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// # .github/workflows/ci.yml
    /// on: {push: {branches: [main]}, pull_request: {}}
    /// jobs:
    ///   test:
    ///     runs-on: ubuntu-latest
    ///     steps:
    ///       - uses: actions/checkout@v6
    ///       - run: cargo test --workspace --locked
    ///       - run: docker build --file services/orders/Dockerfile .
    /// ```
    /// `cargo msvc new` writes one with a new workspace.
    ///
    /// ## Not reported when
    /// - the tree has a pipeline of GitHub, GitLab, Forgejo, Gitea, CircleCI, Travis, Drone, Woodpecker, Buildkite, Azure, Bitbucket,
    ///   Jenkins, AppVeyor, Cirrus, Semaphore, SourceHut, TeamCity, Cloud Build or CodeBuild, or Tekton or Argo objects: what it
    ///   runs is not looked at;
    /// - a platform builds from what is pushed (`Procfile`, `fly.toml`, `render.yaml`, …);
    /// - the audited root is no repository's root (it has no `.git`): pipelines stand at the root;
    /// - there is no service.
    ///
    /// Issue templates and `dependabot.yml` below `.github` are no pipelines.
    ///
    /// ## Source
    /// "No CI/CD", MARS (Tighilt et al., Journal of Systems and Software 2023); DORA, "Continuous integration".
    "no-ci", "MSVC912", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let runs = |file: &&crate::workspace::FileId| ci::runs_something(workspace.sources.path(**file));
    let in_cluster = |group: &str| group.starts_with("tekton.dev/") || group.starts_with("argoproj.io/");
    if !workspace.is_repository
        || workspace.ci.iter().any(|file| runs(&file))
        || !workspace.packaging.is_empty()
        || workspace.kubernetes.iter().any(|object| in_cluster(&object.api_version.value))
    {
        return;
    }
    let Some(service) = workspace.services.first() else { return };
    let package = &workspace.packages[service.package];
    let root = workspace.sources.find(&package.workspace.join("Cargo.toml"));
    let at = root.map_or(Location::new(package.manifest, package.name_span), Location::file);
    let services = match workspace.services.len() {
        1 => format!("`{}`", service.name),
        count => format!("{count} services"),
    };
    out.push(
        Diagnostic::new(format!("no pipeline builds {services}"), at, "nothing runs its tests when it changes")
            .help("add a pipeline that tests the workspace with `--locked` and builds each service's image")
            .evidence("a pipeline of any common forge or CI service")
            .evidence("a platform that builds what is pushed")
            .confidence(Confidence::Medium),
    );
}
