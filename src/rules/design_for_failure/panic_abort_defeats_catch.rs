use cargo_metadata::camino::Utf8Path;

use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::http::Served;
use crate::workspace::query::Node;
use crate::workspace::rust::Name;
use crate::workspace::variables::Variable;
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// A service relies on catching panics, and is built so that they cannot be caught.
    ///
    /// ## Why is this bad?
    /// With `panic = "abort"` a panic ends the process at once. What was written to turn it into one failed request or one failed task
    /// never runs: every request in flight is lost with it, and a request that panics takes the service down as often as it is sent.
    ///
    /// ## Example
    /// ```toml
    /// [profile.release]
    /// panic = "abort"
    /// ```
    /// beside `Router::new().layer(CatchPanicLayer::new())`.
    ///
    /// ## Use instead
    /// ```toml
    /// [profile.release]
    /// panic = "unwind"
    /// ```
    ///
    /// ## Not reported when
    /// - nothing that the service reaches catches panics (`CatchPanicLayer`, `CatchPanic`, `catch_unwind`); a task's
    ///   `JoinError::is_panic` alone does not count;
    /// - the profile is another workspace's, or not the release profile.
    ///
    /// ## Source
    /// [The Cargo Book: panic](https://doc.rust-lang.org/cargo/reference/profiles.html#panic), and
    /// [configuration](https://doc.rust-lang.org/cargo/reference/config.html#profile) ("can be used to globally change profile settings");
    /// std `panic::catch_unwind` ("this function
    /// only catches unwinding panics, not those that abort the process"); tower-http 0.7 `catch_panic.rs`.
    "panic-abort-defeats-catch", "MSVC111", Practice::DesignForFailure, Level::Deny, Tier::Default, Check::Service(check)
}

/// Calls and methods that are there to outlive a panic. Not `JoinError::is_panic` and `into_panic`, which most often only name
/// the error or hand the panic on.
const CATCHERS: &[&str] = &["catch_unwind"];
/// Types that do, by the name before `::new` or `::custom`.
const LAYERS: &[&str] = &["CatchPanicLayer", "CatchPanic"];

fn check(workspace: &Workspace, service: &Service, out: &mut Vec<Diagnostic>) {
    let stated = match by_cargo(workspace, service) {
        Some((aborts, at)) => aborts.then_some(at),
        None => workspace.packages[service.package].panic_abort,
    };
    let Some(abort) = stated.or_else(|| by_image(workspace, service)) else { return };
    let Some(catcher) = workspace.served(service).and_then(|served| catcher(&served)) else { return };
    let fix = Fix::safe("let panics unwind").replace(abort, "\"unwind\"");
    let diagnostic = Diagnostic::new(
        "panics abort the process, and are never caught",
        abort,
        "no panic unwinds in release builds",
    )
    .help("remove `panic = \"abort\"`, or what relies on catching panics")
    .related(catcher.name_at(), "this expects panics to unwind")
    .evidence(
        "`[profile.release]` of the workspace's manifest and of `.cargo/config.toml`, `CARGO_PROFILE_RELEASE_PANIC` of the image",
    );
    out.push(if stated.is_some() { diagnostic.fix(fix) } else { diagnostic });
}

/// Whether Cargo's own settings, the nearest that speak of it, abort: they count for more than the manifest.
fn by_cargo(workspace: &Workspace, service: &Service) -> Option<(bool, Location)> {
    let mut above = workspace.packages[service.package].directory.ancestors();
    above.find_map(|folder| {
        let of_folder = |path: &Utf8Path| path.parent().and_then(Utf8Path::parent) == Some(folder);
        let settings = workspace.cargo_settings.iter().find(|settings| of_folder(workspace.sources.path(settings.file)))?;
        let panic = settings.get("profile.release.panic")?;
        Some((panic.value == "abort", Location::new(settings.file, panic.span)))
    })
}

/// The Cargo Book, "Environment variables": what a profile says, a variable of the build may say in its place.
fn by_image(workspace: &Workspace, service: &Service) -> Option<Location> {
    let aborts =
        |variable: &&Variable| variable.name == "CARGO_PROFILE_RELEASE_PANIC" && variable.value.as_deref() == Some("abort");
    workspace.dockerfiles_of(service).find_map(|dockerfile| {
        let variable = dockerfile.stages.iter().flat_map(|stage| &stage.environment).find(aborts)?;
        Some(Location::new(dockerfile.file, variable.span))
    })
}

fn catcher<'w>(served: &Served<'w>) -> Option<Node<'w>> {
    let is_layer = |path: &[Name]| path.iter().any(|name| LAYERS.contains(&&**name));
    let makers = served.names_path(is_layer).then_some(["new", "custom"]).into_iter().flatten();
    let by_layer = makers.flat_map(|name| served.named(name)).find(|node| node.path().is_some_and(is_layer));
    by_layer.or_else(|| CATCHERS.iter().flat_map(|name| served.named(name)).find(|node| is_caught(*node)))
}

/// Of std, futures or tokio, not a namesake of the workspace.
fn is_caught(node: Node<'_>) -> bool {
    use crate::workspace::names::Definition;
    match node.method() {
        Some(name) => node.workspace.graph.methods(&name.into()).is_empty(),
        None => matches!(node.definition(), Definition::External(_)),
    }
}
