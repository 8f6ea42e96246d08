use super::shipped;
use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::dockerfile::{Command, Form};
use crate::workspace::{Location, Service, Span, Workspace};

declare_rule! {
    /// An image is built without the versions that Cargo.lock states.
    ///
    /// ## Why is this bad?
    /// Without `--locked`, Cargo changes a lock file that does not fit, or makes one where none was copied: the image is then built
    /// from other dependencies than everything that was tested. `cargo install` ignores lock files altogether unless it is told.
    ///
    /// ## Example
    /// ```dockerfile
    /// RUN cargo install cargo-chef
    /// RUN cargo build --release
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// RUN cargo install --locked cargo-chef@0.1.78
    /// RUN cargo build --release --locked
    /// ```
    ///
    /// ## Not reported when
    /// - `--locked` or `--frozen` stands in the command, or a variable that may hold it;
    /// - the command builds what `cargo chef` or `cargo new` made of it, before the source is there: `cargo chef cook` takes `--locked` too,
    ///   but only the last build makes what ships;
    /// - there is no `Cargo.lock` beside the workspace: then there is nothing to hold on to;
    /// - the Dockerfile builds no service of this workspace, or the file is for development, tests or examples.
    ///
    /// ## Source
    /// The Cargo Book, "cargo build" (`--locked`: "should be used in environments where deterministic builds are desired, such as in CI
    /// pipelines") and "cargo install" ("By default, the Cargo.lock file that is included with the package will be ignored").
    "unlocked-build", "MSVC909", Practice::Containers, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut seen = std::collections::BTreeSet::new();
    for image in shipped::images(workspace) {
        let lock = |service: &&Service| workspace.packages[service.package].workspace.join("Cargo.lock");
        if !image.services.iter().any(|service| workspace.sources.find(&lock(service)).is_some()) {
            continue;
        }
        let needed = image.dockerfile.needed(image.stage);
        // A build of an empty project, to have its dependencies cached.
        let makes_up = needed
            .iter()
            .flat_map(|stage| &stage.runs)
            .find(|run| run.words.iter().any(|word| word == "new" || word == "init" || word.ends_with("main.rs")));
        let builds = |run: &&Command| !builds(run).is_empty();
        let last = needed.iter().flat_map(|stage| &stage.runs).filter(builds).map(|run| run.span.start).max();
        for run in needed.iter().flat_map(|stage| &stage.runs) {
            if makes_up.is_some() && Some(run.span.start) != last {
                continue;
            }
            for (subcommand, at) in unlocked(run) {
                if !seen.insert((image.dockerfile.file, at)) {
                    continue;
                }
                let at = Location::new(image.dockerfile.file, at);
                let mut diagnostic = Diagnostic::new(
                    format!("`cargo {subcommand}` may take other versions than Cargo.lock states"),
                    at,
                    "without `--locked`",
                )
                .help(format!("write `cargo {subcommand} --locked`"))
                .evidence("`--locked` or `--frozen` in the command");
                if run.form == Form::Shell {
                    diagnostic = diagnostic.fix(Fix::safe("add `--locked`").after(at, " --locked"));
                }
                diagnostic.service = image.service();
                out.push(diagnostic);
            }
        }
    }
}

/// Subcommands of a line that resolve dependencies unlocked, and where each stands.
fn unlocked(run: &Command) -> Vec<(&str, Span)> {
    builds(run).into_iter().filter(|(.., held)| !held).map(|(word, at, _)| (word, at)).collect()
}

/// Cargo's builds in a line, where each stands, and whether it keeps to the lock file or may be told to.
fn builds(run: &Command) -> Vec<(&str, Span, bool)> {
    let mut found = Vec::new();
    let starts = |at: usize| run.words[at] == "cargo" || run.words[at].ends_with("/cargo");
    for at in (0..run.words.len()).filter(|at| starts(*at)) {
        // The items of an array have no place of their own.
        let spans: &[Span] = if run.form == Form::Exec { &[] } else { run.word_spans.get(at + 1..).unwrap_or_default() };
        let whole = std::iter::repeat_n(&run.span, if run.form == Form::Exec { run.words.len() } else { 0 });
        let mut words = run.words[at + 1..].iter().zip(spans.iter().chain(whole));
        let command: Vec<_> =
            words.by_ref().take_while(|(word, _)| !matches!(word.as_str(), "&&" | "||" | ";" | "|" | "&")).collect();
        // `$FLAGS` may hold it; the value of an option, as in `--features "$FEATURES"`, does not.
        let is_value = |at: usize| at > 0 && command[at - 1].0.starts_with("--") && !command[at - 1].0.contains('=');
        let is_flag = |(at, (word, _)): (usize, &(&String, &Span))| {
            matches!(word.as_str(), "--locked" | "--frozen") || word.starts_with('$') && !is_value(at)
        };
        let held = command.iter().enumerate().any(is_flag);
        let subcommand = command.iter().position(|(word, _)| matches!(word.as_str(), "build" | "install" | "zigbuild"));
        let Some((word, span)) = subcommand.and_then(|at| command.get(at)) else { continue };
        // `cargo binstall`, `cargo auditable build`, `cargo +nightly build`: what stands between must be one of those.
        let between = command.iter().take_while(|(other, _)| other != word);
        if between.into_iter().all(|(word, _)| word.starts_with('+') || *word == "auditable") && !word.ends_with(';') {
            found.push((word.as_str(), **span, held));
        }
    }
    found
}
