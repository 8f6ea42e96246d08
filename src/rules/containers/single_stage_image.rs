use super::shipped;
use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::images::TOOLCHAIN_IMAGES;
use crate::workspace::Workspace;
use crate::workspace::dockerfile::Stage;

declare_rule! {
    /// A service's image ships the compiler that built it.
    ///
    /// ## Why is this bad?
    /// The toolchain, its sources and its build output make an image of more than a gigabyte where fifty megabytes would do: slow
    /// to pull when a pod must start somewhere else, and full of programs that help an intruder and need patches of their own.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM rust:1.95
    /// COPY . .
    /// RUN cargo build --release
    /// CMD ["./target/release/orders"]
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM rust:1.95 AS build
    /// COPY . .
    /// RUN cargo build --locked --release
    ///
    /// FROM gcr.io/distroless/cc-debian13:nonroot
    /// COPY --from=build /target/release/orders /orders
    /// ENTRYPOINT ["/orders"]
    /// ```
    ///
    /// ## Not reported when
    /// - the last stage starts from another image and copies what an earlier one built;
    /// - the last stage starts nothing, and no compose file runs it: then it is an image to build in, or one to take files from;
    /// - the toolchain is not known as one: an image other than the common ones, in which nothing installs Rust;
    /// - a later step removes the toolchain that an earlier one installed (`rustup self uninstall`);
    /// - the Dockerfile builds no service of this workspace, or the file or stage is for development, tests or examples.
    ///
    /// ## Source
    /// Docker, "Building best practices: use multi-stage builds"; Rust image on Docker Hub, "Start a Rust instance running your app".
    "single-stage-image", "MSVC905", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for image in shipped::images(workspace) {
        let lineage: Vec<&Stage> = image.lineage().collect();
        let words = || lineage.iter().flat_map(|stage| &stage.runs).flat_map(|run| &run.words);
        let command = image.dockerfile.inherited(image.stage, |stage| stage.entrypoint.as_ref().or(stage.command.as_ref()));
        let is_cargo = |word: &String| word == "cargo" || word.ends_with("/cargo");
        // A binary that another stage built, put into the toolchain's image.
        let is_built = |source: &String| source.contains("/release/") || source.contains("/cargo/bin/");
        let copies = || lineage.iter().flat_map(|stage| &stage.copies).filter(|copy| copy.from.is_some());
        let takes = copies().flat_map(|copy| &copy.sources).any(is_built);
        let builds = takes || words().any(is_cargo) || command.is_some_and(|command| command.words.iter().any(is_cargo));
        let run_by_compose = image.services.iter().any(|service| !service.documents.compose.is_empty());
        if !builds || command.is_none() && !run_by_compose || words().any(|word| word == "uninstall") {
            continue;
        }
        let Some(first) = lineage.last() else { continue };
        let base = image.base_image().filter(|base| TOOLCHAIN_IMAGES.contains(&base.short_name()));
        let installs = lineage
            .iter()
            .flat_map(|stage| &stage.runs)
            .find(|run| run.words.iter().any(|word| word.contains("sh.rustup.rs") || word.contains("rustup-init")));
        let (at, note) = match (base, installs) {
            (Some(base), _) => (base.span, format!("`{}` holds the whole toolchain", base.text)),
            (None, Some(run)) => (run.span, "the toolchain is installed here".to_owned()),
            _ => continue,
        };
        let mut diagnostic = Diagnostic::new("the image ships the Rust toolchain with the service", image.at(at), note)
            .help("build in a stage of its own, and copy the binary into a small last stage: `COPY --from=build …`")
            .evidence("a later stage that starts from another image")
            .evidence("a step that removes the toolchain");
        if !std::ptr::eq(*first, image.stage) {
            diagnostic = diagnostic.related(image.at(image.stage.span), "the image that runs is built on it");
        }
        diagnostic.service = image.service();
        out.push(diagnostic);
    }
}
