use cargo_metadata::camino::Utf8Path;

use super::shipped::{self, Shipped};
use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::rules::images::TOOLCHAIN_IMAGES;
use crate::workspace::dockerfile::{Dockerfile, Stage};
use crate::workspace::image::Image;
use crate::workspace::manifest::{DependencyKind, Package};
use crate::workspace::toolchain::Toolchain;
use crate::workspace::{Location, Workspace};

declare_rule! {
    /// The image builds with another Rust version than the code asks for.
    ///
    /// ## Why is this bad?
    /// An image that is older than the `rust-version` or the edition of what it builds cannot build it. And where
    /// `rust-toolchain.toml` pins another version than the image holds, either rustup downloads the pinned one in each build and
    /// the image's own is dead weight, or the image is built by another compiler than everything that was tested.
    ///
    /// ## Example
    /// ```dockerfile
    /// # Cargo.toml says rust-version = "1.95"
    /// FROM rust:1.82-slim AS build
    /// RUN cargo build --release
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM rust:1.95-slim AS build
    /// RUN cargo build --release
    /// ```
    ///
    /// ## Not reported when
    /// - the tag states no version (`rust:1`, `rust:slim`, `nightly`), or a variable without a default does;
    /// - the image is newer than `rust-version`, and no file pins a toolchain;
    /// - the pinned toolchain is `stable`, `beta` or `nightly`: then rustup decides, whatever the image holds;
    /// - the Dockerfile chooses a toolchain itself: `RUSTUP_TOOLCHAIN`, `rustup`, `cargo +version`;
    /// - `--ignore-rust-version` stands in the build;
    /// - the Dockerfile builds no service of this workspace, or the file is for development, tests or examples.
    ///
    /// ## Source
    /// The Cargo Book, "The `rust-version` field"; the Rust Edition Guide (2021: Rust 1.56, 2024: Rust 1.85); the rustup book,
    /// "Overrides"; cargo-chef's README, "the same Rust version in all stages".
    "toolchain-drift", "MSVC908", Practice::Containers, Level::Warn, Tier::Default, Check::Workspace(check)
}

/// The first version that knows an edition, by the Rust Edition Guide.
const EDITIONS: &[(&str, &str)] = &[("2018", "1.31"), ("2021", "1.56"), ("2024", "1.85")];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut seen = std::collections::BTreeSet::new();
    for image in shipped::images(workspace) {
        let needed = image.dockerfile.needed(image.stage);
        if chooses_itself(image.dockerfile, &needed) {
            continue;
        }
        for stage in needed {
            let Some(base) = stage.image().filter(|base| TOOLCHAIN_IMAGES.contains(&base.short_name())) else { continue };
            let Some((text, version)) = version_of(base) else { continue };
            let finding =
                older(workspace, &image, base, (text, &version)).or_else(|| pinned(workspace, &image, base, (text, &version)));
            if let Some(finding) = finding.filter(|_| seen.insert((image.dockerfile.file, base.text.clone()))) {
                out.push(finding);
            }
        }
    }
}

/// Whether something in the Dockerfile decides which toolchain builds.
fn chooses_itself(dockerfile: &Dockerfile, stages: &[&Stage]) -> bool {
    let words = stages.iter().flat_map(|stage| &stage.runs).flat_map(|run| &run.words);
    let mut variables =
        stages.iter().flat_map(|stage| stage.environment.iter().chain(&stage.arguments)).chain(&dockerfile.arguments);
    variables.any(|variable| variable.name == "RUSTUP_TOOLCHAIN")
        || words.into_iter().any(|word| {
            word.contains("rustup") || word.contains("RUSTUP_TOOLCHAIN") || word == "--ignore-rust-version" || is_plus(word)
        })
}

/// `cargo +1.80 build`
fn is_plus(word: &str) -> bool {
    word.strip_prefix('+').is_some_and(|name| name.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '$'))
}

/// The image's toolchain is older than what it builds asks for, and nothing replaces it.
fn older(workspace: &Workspace, image: &Shipped<'_>, base: &Image, (text, version): (&str, &[u32])) -> Option<Diagnostic> {
    let service = image.services.first()?;
    let package = &workspace.packages[service.package];
    if toolchain_of(workspace, package).is_some() {
        return None;
    }
    let (needs, why, by) = built_with(workspace, service.package)
        .into_iter()
        // Of several that ask for the same, the last is taken: the service itself.
        .rev()
        .flat_map(|index| required(&workspace.packages[index]).into_iter().map(move |(needs, why)| (needs, why, index)))
        .max_by_key(|(needs, ..)| numbers(needs))?;
    if !is_older(version, &numbers(needs)) {
        return None;
    }
    let by = &workspace.packages[by];
    let mut diagnostic = Diagnostic::new(
        format!("`{}` cannot build `{}`, which needs Rust {needs}", base.text, by.name),
        image.at(base.span),
        format!("holds Rust {text}"),
    )
    .related(Location::new(by.manifest, by.name_span), why)
    .help(format!("build with Rust {needs} or newer: `{}`", base.text.replacen(text, needs, 1)))
    .evidence("a toolchain file that rustup would follow")
    .evidence("another toolchain that the Dockerfile chooses");
    diagnostic.fix = fix(image, base, text, needs);
    diagnostic.service = image.service();
    Some(diagnostic)
}

/// A toolchain file pins another version.
fn pinned(workspace: &Workspace, image: &Shipped<'_>, base: &Image, (text, version): (&str, &[u32])) -> Option<Diagnostic> {
    let service = image.services.first()?;
    let toolchain = toolchain_of(workspace, &workspace.packages[service.package])?;
    let pinned = &toolchain.channel.value;
    let wanted = numbers(pinned);
    // `1.95` of one and `1.95.0` of the other agree.
    if wanted.len() < 2 || wanted.iter().zip(version).all(|(one, other)| one == other) {
        return None;
    }
    let file = workspace.sources.path(toolchain.file);
    let mut diagnostic = Diagnostic::new(
        format!("`{}` is not the toolchain that {file} pins", base.text),
        image.at(base.span),
        format!("holds Rust {text}"),
    )
    .related(Location::new(toolchain.file, toolchain.channel.span), "what everything else is built and tested with")
    .help(format!("start from the pinned version: `{}`", base.text.replacen(text, pinned, 1)))
    .evidence("another toolchain that the Dockerfile chooses");
    diagnostic.fix = fix(image, base, text, pinned);
    diagnostic.service = image.service();
    Some(diagnostic)
}

fn fix(image: &Shipped<'_>, base: &Image, from: &str, to: &str) -> Option<Fix> {
    // A digest names one image for good, and a variable's value stands elsewhere.
    let plain = !base.variable && base.digest.is_none();
    plain.then(|| Fix::unsafe_(format!("build with Rust {to}")).replace(image.at(base.span), base.text.replacen(from, to, 1)))
}

/// The nearest toolchain file above a package.
fn toolchain_of<'w>(workspace: &'w Workspace, package: &Package) -> Option<&'w Toolchain> {
    let folder = |toolchain: &&Toolchain| workspace.sources.path(toolchain.file).parent().unwrap_or(Utf8Path::new("")).to_owned();
    let above = workspace.toolchains.iter().filter(|toolchain| package.directory.starts_with(folder(toolchain)));
    above.max_by_key(|toolchain| folder(toolchain).as_str().len())
}

/// A package and those of the tree that it is built with, itself first.
fn built_with(workspace: &Workspace, package: usize) -> Vec<usize> {
    let mut found = vec![package];
    let mut next = 0;
    while let Some(&index) = found.get(next) {
        let dependencies = workspace.packages[index].dependencies.iter();
        let ships = dependencies.filter(|dependency| dependency.kind != DependencyKind::Dev && !dependency.optional);
        let local: Vec<usize> = ships.filter_map(|dependency| dependency.local).filter(|local| !found.contains(local)).collect();
        found.extend(local);
        next += 1;
    }
    found
}

/// Versions that a package asks for, and where it does.
fn required(package: &Package) -> Vec<(&str, &'static str)> {
    let edition = EDITIONS.iter().find(|(edition, _)| *edition == package.edition);
    let stated = package.rust_version.as_deref().map(|version| (version, "its `rust-version` says so"));
    stated.into_iter().chain(edition.map(|(_, version)| (*version, "its edition does"))).collect()
}

/// The version in a tag, as text and numbers: `1.95.0` of `rust:1.95.0-slim` and of `cargo-chef:latest-rust-1.95.0`.
fn version_of(image: &Image) -> Option<(&str, Vec<u32>)> {
    let tag = image.tag.as_deref().filter(|_| image.unknown.is_empty())?;
    let tag = match tag.find("rust-") {
        Some(at) => &tag[at + 5..],
        // cargo-chef's own version stands first.
        None if image.short_name() != "cargo-chef" => tag,
        None => return None,
    };
    let end = tag.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(tag.len());
    let numbers = numbers(&tag[..end]);
    (numbers.len() >= 2).then_some((&tag[..end], numbers))
}

/// `1.95.0`; empty where it is no version.
fn numbers(text: &str) -> Vec<u32> {
    text.split('.').map(str::parse).collect::<Result<_, _>>().unwrap_or_default()
}

/// A version without its last part is the newest of that line.
fn is_older(version: &[u32], needed: &[u32]) -> bool {
    version.iter().zip(needed).find(|(one, other)| one != other).is_some_and(|(one, other)| one < other)
}
