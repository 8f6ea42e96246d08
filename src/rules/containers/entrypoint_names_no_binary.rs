use cargo_metadata::camino::Utf8Path;

use super::shipped;
use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::dockerfile::{Base, Command, Copy, Dockerfile, Form, Stage};
use crate::workspace::manifest::{Target, TargetKind};
use crate::workspace::{Location, Span, Workspace};

declare_rule! {
    /// A Dockerfile builds, copies or starts a binary that does not exist.
    ///
    /// ## Why is this bad?
    /// A renamed package or binary leaves the Dockerfile behind: the image no longer builds, or builds and its container stops
    /// with "no such file or directory", which shows only in a rollout.
    ///
    /// ## Example
    /// ```dockerfile
    /// RUN cargo build --release --bin order
    /// COPY --from=build /target/release/order /usr/local/bin/order
    /// ENTRYPOINT ["/usr/local/bin/orders"]
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// RUN cargo build --release --bin orders
    /// COPY --from=build /target/release/orders /usr/local/bin/orders
    /// ENTRYPOINT ["/usr/local/bin/orders"]
    /// ```
    ///
    /// ## Not reported when
    /// - a package of this tree has a binary (or example) of that name;
    /// - a variable or a pattern is part of the name, or it has an extension (`libx.so`);
    /// - a `RUN` of the Dockerfile names the file in any other way (`mv`, `cp`, `ln`, `cargo install`), or it clones its source from
    ///   elsewhere;
    /// - for what is started: the image may hold it already (a base image that is neither empty nor a bare distribution, a program
    ///   of the system, a copied folder), or `PATH` would have to be known;
    /// - the file is a test, an example or documentation, or for local development.
    ///
    /// ## Source
    /// The Cargo Book, "Build cache" (`target/release/<binary>`) and "Cargo targets"; Dockerfile reference, "COPY" and "ENTRYPOINT".
    "entrypoint-names-no-binary", "MSVC907", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for dockerfile in &workspace.dockerfiles {
        let runs = || dockerfile.stages.iter().flat_map(|stage| &stage.runs);
        let words: Vec<&str> = runs().flat_map(|run| &run.words).map(String::as_str).collect();
        let builds =
            words.windows(2).any(|pair| pair[0].ends_with("cargo") && matches!(pair[1], "build" | "auditable" | "zigbuild"));
        let elsewhere = words.windows(2).any(|pair| pair == ["git", "clone"]);
        if !builds
            || elsewhere
            || !is_read(workspace, dockerfile)
            || shipped::is_elsewhere(workspace.sources.path(dockerfile.file))
        {
            continue;
        }
        let at = |span: Span| Location::new(dockerfile.file, span);
        for stage in &dockerfile.stages {
            for copy in &stage.copies {
                let missing =
                    copy.sources.iter().filter_map(|source| built(source)).find(|name| !is_made(workspace, &words, name));
                if let Some(name) = missing {
                    let message = format!("no package of this tree builds `{name}`");
                    out.push(finding(workspace, message, at(copy.span), "copied from here", name));
                }
            }
        }
        // `cargo new --bin` makes one.
        for run in runs().filter(|run| !run.words.iter().any(|word| matches!(word.as_str(), "new" | "init"))) {
            let names = run.words.windows(2).filter(|pair| pair[0] == "--bin").map(|pair| pair[1].as_str());
            let missing = names.filter(|name| is_name(name)).find(|name| !has_binary(workspace, name));
            if let Some(name) = missing {
                let message = format!("no package of this tree has a binary `{name}`");
                out.push(finding(workspace, message, at(run.span), "Cargo refuses this", name));
            }
        }
    }
    for image in shipped::images(workspace) {
        let entrypoint = image.dockerfile.inherited(image.stage, |stage| stage.entrypoint.as_ref());
        let command = image.dockerfile.inherited(image.stage, |stage| stage.command.as_ref());
        let Some(command) = entrypoint.or(command) else { continue };
        let Some(found) = started(workspace, image.dockerfile, image.stage, command) else { continue };
        let mut diagnostic = Diagnostic::new(
            format!("`{}` is started, and nothing puts it into the image", found.program),
            image.at(command.span),
            "there is no such file",
        )
        .help("start what is copied into the image, by the path that it is copied to")
        .evidence("a COPY or RUN that makes the file")
        .evidence("a base image that may hold it");
        if let Some((copy, path)) = found.instead {
            diagnostic = diagnostic.related(image.at(copy.span), format!("this one is, as `{path}`"));
            if command.form == Form::Exec {
                let words = std::iter::once(&path).chain(&command.words[1..]).map(|word| format!("{word:?}"));
                let array = format!("[{}]", words.collect::<Vec<_>>().join(", "));
                diagnostic = diagnostic.fix(Fix::unsafe_(format!("start `{path}`")).replace(image.at(command.span), array));
            }
        }
        diagnostic.service = image.service();
        out.push(diagnostic);
    }
}

fn finding(workspace: &Workspace, message: String, at: Location, note: &str, name: &str) -> Diagnostic {
    let near = workspace.packages.iter().flat_map(|package| package.binaries()).map(|binary| binary.name.as_str());
    let near = near.filter(|known| known.contains(name) || name.contains(known) || plain(known) == plain(name)).min();
    let help = match near {
        Some(near) => format!("name a binary that there is: `{near}`?"),
        None => "name a binary that there is: `cargo build --bin` lists them".to_owned(),
    };
    Diagnostic::new(message, at, note)
        .help(help)
        .evidence("a binary or example of that name in any package")
        .evidence("another step that makes a file of that name")
}

/// Whether the packages that the Dockerfile builds are in the tree: those below the nearest manifest above it.
fn is_read(workspace: &Workspace, dockerfile: &Dockerfile) -> bool {
    let path = workspace.sources.path(dockerfile.file);
    let mut above = path.ancestors().skip(1);
    let root = above.find(|folder| workspace.sources.find(&folder.join("Cargo.toml")).is_some()).unwrap_or("".into());
    let mut below = workspace.packages.iter().filter(|package| package.directory.starts_with(root));
    below.any(|package| package.binaries().next().is_some())
}

fn plain(name: &str) -> String {
    name.replace('_', "-")
}

/// The binary of `/app/target/release/orders`.
fn built(path: &str) -> Option<&str> {
    let (folder, name) = path.rsplit_once('/')?;
    let in_target = folder.split('/').any(|part| part == "target");
    (in_target && folder.ends_with("/release") && is_name(name)).then_some(name)
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && !name.starts_with('-') && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'))
}

fn has_binary(workspace: &Workspace, name: &str) -> bool {
    workspace.packages.iter().flat_map(|package| package.binaries()).any(|binary| binary.name == name)
}

/// Whether Cargo or a step of the Dockerfile makes a file of that name.
fn is_made(workspace: &Workspace, words: &[&str], name: &str) -> bool {
    let runs = |target: &&Target| matches!(target.kind, TargetKind::Bin | TargetKind::Example);
    let mut targets = workspace.packages.iter().flat_map(|package| &package.targets).filter(runs);
    let options = ["--bin", "-p", "--package", "--example"];
    let named = |at: usize| words[at].rsplit('/').next() == Some(name) && !(at > 0 && options.contains(&words[at - 1]));
    targets.any(|target| target.name == name) || (0..words.len()).any(named)
}

/// What is started without being there.
struct Started<'d> {
    program: &'d str,
    /// The one binary that is copied into the image, and to which path.
    instead: Option<(&'d Copy, String)>,
}

fn started<'d>(workspace: &Workspace, dockerfile: &'d Dockerfile, stage: &'d Stage, command: &'d Command) -> Option<Started<'d>> {
    let program = command.words.first()?.as_str();
    let lineage: Vec<&Stage> = dockerfile.lineage(stage).collect();
    let folder = program.rsplit_once('/')?.0;
    let name = program.rsplit('/').next().filter(|name| is_name(name))?;
    let bare = match &lineage.last()?.base {
        Base::Scratch => true,
        Base::Image(image) => {
            let own = !["/bin", "/sbin", "/usr/bin", "/usr/sbin"].contains(&folder);
            let distribution = matches!(image.short_name(), "debian" | "ubuntu" | "alpine");
            image.name.contains("distroless") && !image.name.contains("python") || distribution && own
        }
        Base::Stage(_) => false,
    };
    let is_end = |c: char| !c.is_ascii_alphanumeric() && !matches!(c, '_' | '-');
    let mentions = |text: &String| text.split(is_end).any(|word| word == name);
    // What is copied to another absolute path cannot give it.
    let may_hold = |copy: &&Copy| {
        let to = copy.destination.as_str();
        !to.starts_with('/') || !program.starts_with('/') || to.contains('$') || Utf8Path::new(program).starts_with(to)
    };
    let all: Vec<&Copy> = lineage.iter().flat_map(|stage| &stage.copies).collect();
    let copies: Vec<&Copy> = all.iter().copied().filter(may_hold).collect();
    let made_by_run = lineage.iter().flat_map(|stage| &stage.runs).flat_map(|run| &run.words).any(mentions);
    // Each copy must be of files whose names are known, and none of them this.
    let whole =
        |source: &String| source.ends_with('/') || source.rsplit('/').next().is_none_or(|last| last.contains(['*', '$', '?']));
    let is_file = |copy: &&Copy| {
        let from_target = copy.sources.iter().all(|source| built(source).is_some_and(|name| has_binary(workspace, name)));
        let with_extension = copy
            .sources
            .iter()
            .all(|source| source.rsplit('/').next().is_some_and(|last| last.trim_start_matches('.').contains('.')));
        from_target || with_extension
    };
    let gives = |copy: &&Copy| mentions(&copy.destination) || copy.sources.iter().any(|source| mentions(source) || whole(source));
    if !bare || made_by_run || all.is_empty() || copies.iter().any(gives) || !copies.iter().all(is_file) {
        return None;
    }
    let mut binaries = all.iter().filter(|copy| copy.sources.len() == 1 && built(&copy.sources[0]).is_some());
    let instead = binaries.next().filter(|_| binaries.next().is_none()).map(|copy| {
        let file = built(&copy.sources[0]).unwrap_or_default();
        let to = &copy.destination;
        // A path that is no folder for certain is the file.
        (*copy, if to.ends_with('/') { format!("{to}{file}") } else { to.clone() })
    });
    Some(Started { program, instead: instead.filter(|(_, path)| path.starts_with('/')) })
}
