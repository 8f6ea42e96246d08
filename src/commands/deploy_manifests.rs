//! `cargo msvc deploy-manifests`: load, plan, compare with what is there, write.

use std::collections::BTreeSet;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use colored::Colorize as _;
use miette::{Result, miette};

use super::{Outcome, Terminal, finish_interrupted_write, print, refuse};
use crate::cli::DeployManifests;
use crate::deploy::image::{self, ImageSetting};
use crate::deploy::note::Note;
use crate::deploy::overlay::{Env, image_variable};
use crate::deploy::render::HEADER;
use crate::deploy::{self, Manifests, Target, compare};
use crate::file_tree::FileTree;
use crate::lint::own;
use crate::lint::settings::nearest;
use crate::workspace::{self, Service, Workspace};
use crate::{config, rules};

/// Directories that belong wholly to the tool, relative to the output.
const MANAGED: [&str; 4] = ["base", "components", "overlays/dev/generated", "overlays/prod/generated"];

pub fn run(args: &DeployManifests, terminal: Terminal) -> Result<Outcome> {
    let root = args.path.canonicalize().map_err(|error| miette!("cannot read {}: {error}", args.path.display()))?;
    let known: Vec<_> = own::ALL.iter().chain(rules::ALL).copied().collect();
    let config = config::load(&root, &known).map_err(refuse)?;
    let settings = deploy::config::read(&config).map_err(|error| refuse(config::LoadError::Invalid(error)))?;
    let mut workspace = workspace::load(&root);
    deploy::name_for_cluster(&mut workspace.services);
    if workspace.services.is_empty() {
        return Err(miette!(
            help = "`cargo msvc lint --show-services` says what is taken for a service, and why",
            "no service was found in {}",
            args.path.display()
        ));
    }
    let beside = if args.path == Path::new(".") { PathBuf::new() } else { args.path.clone() };
    let out = args.out.clone().unwrap_or_else(|| beside.join("deploy"));
    finish_interrupted_write(&out, args.check || args.plan.only_looks(), terminal)?;
    let target = target(args, &root, &out, &workspace)?;
    let manifests = deploy::plan(&workspace, &settings, &deploy::edges(&workspace), &target);
    if manifests.managed.is_empty() {
        let notes: String = manifests.notes.iter().map(|note| format!("\n  {note}: {}", note.help)).collect();
        return Err(miette!("no manifest can be written:{notes}"));
    }
    let comparison = Comparison::new(&manifests, &out, target.only.is_empty())?;
    let outcome = act(args, terminal, &out, &manifests, &comparison)?;
    if !args.check {
        show_notes(&manifests.notes, terminal);
        terminal.say(format!("\nLook at what a cluster would get:\n  kubectl kustomize {}/overlays/dev", out.display()));
    }
    Ok(outcome)
}

fn act(
    args: &DeployManifests,
    terminal: Terminal,
    out: &Path,
    manifests: &Manifests,
    comparison: &Comparison,
) -> Result<Outcome> {
    let place = out.display();
    let total = manifests.managed.len() + manifests.yours.len();
    if args.check {
        print(comparison.lines.iter().map(|line| format!("{line}\n")).collect::<String>())?;
        return Ok(match comparison.lines.is_empty() {
            true => {
                terminal.status("Checked", format!("{total} manifests in {place}: they say what the code says"));
                Outcome::Clean
            }
            false => Outcome::Found,
        });
    }
    if args.plan.diff {
        print(comparison.tree.diff())?;
    } else if args.plan.dry_run {
        print(comparison.tree.iter().map(|(path, _)| format!("{}\n", out.join(path).display())).collect::<String>())?;
    } else if comparison.tree.is_empty() {
        terminal.status("Unchanged", format!("{total} manifests in {place}: they say what the code says"));
    } else {
        let written = comparison.tree.write(out)?;
        terminal.status("Wrote", format!("{} of {total} manifests in {place}", written.len()));
        let listed = if terminal.verbose > 0 { written.as_slice() } else { &[] };
        listed.iter().for_each(|path| terminal.status("", path));
    }
    for path in &comparison.stale {
        terminal.warn(format!("{} is no longer written: delete it", out.join(path).display()));
    }
    Ok(Outcome::Clean)
}

fn show_notes(notes: &[Note], terminal: Terminal) {
    for note in notes {
        terminal.warn(note);
        terminal.say(format!("   {} {}", terminal.paint_stderr("help:".cyan().bold()), note.help));
    }
}

/// What the command line, the environment and the files on disk add to the code.
fn target(args: &DeployManifests, root: &Path, out: &Path, workspace: &Workspace) -> Result<Target> {
    let mut target =
        Target { directory: root.file_name().unwrap_or_default().to_string_lossy().into_owned(), ..Target::default() };
    for service in &workspace.services {
        let variable = image_variable(&service.name);
        if let Some(image) = std::env::var(&variable).ok().filter(|image| !image.is_empty()) {
            let image = ImageSetting::try_from(image).map_err(|error| miette!("{variable}: {error}"))?;
            target.images.insert(service.name.clone(), image);
        }
        if out.join("base").join(&service.name).join("kustomization.yaml").is_file() {
            target.deployed.insert(service.name.clone());
        }
    }
    for given in &args.images {
        let (name, image) = given.split_once('=').ok_or_else(|| miette!("--image {given}: write SERVICE=IMAGE"))?;
        let image = ImageSetting::try_from(image.to_owned()).map_err(|error| miette!("--image {given}: {error}"))?;
        target.images.insert(known_service(name, "--image", &workspace.services)?, image);
    }
    let only: Result<BTreeSet<_>> = args.services.iter().map(|name| known_service(name, "-p", &workspace.services)).collect();
    target.only = only?;
    for env in Env::ALL {
        let path = out.join(format!("overlays/{env}/generated/kustomization.yaml"));
        if let Some(text) = read(&path)? {
            target.pinned.insert(env, image::pinned(&text));
        }
    }
    Ok(target)
}

fn known_service(name: &str, flag: &str, services: &[Service]) -> Result<String> {
    if services.iter().any(|service| service.name == name) {
        return Ok(name.to_owned());
    }
    let names: Vec<_> = services.iter().map(|service| service.name.as_str()).collect();
    let list = format!("the services are: {}", names.join(", "));
    let help = nearest(name, names.iter().copied()).map_or(list.clone(), |nearest| format!("did you mean `{nearest}`? {list}"));
    Err(miette!(help = help, "{flag}: there is no service `{name}`"))
}

/// Text of a file; `None` when there is none.
fn read(path: &Path) -> Result<Option<String>> {
    match fs::read_to_string(path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(miette!("cannot read {}: {error}", path.display())),
    }
}

/// The plan against the disk.
struct Comparison {
    /// What to write: files that are not there, and the tool's own files that say something else.
    tree: FileTree,
    /// The differences, a line each.
    lines: Vec<String>,
    /// The tool's own files that nothing plans any more.
    stale: Vec<PathBuf>,
}

impl Comparison {
    /// `whole` is false when only some services are planned: then nothing is stale.
    fn new(manifests: &Manifests, out: &Path, whole: bool) -> Result<Self> {
        let mut comparison = Self { tree: FileTree::default(), lines: Vec::new(), stale: Vec::new() };
        let mut foreign = Vec::new();
        for (path, file) in manifests.managed.iter() {
            let planned = String::from_utf8_lossy(&file.contents);
            match read(&out.join(path))? {
                None => {
                    comparison.lines.push(format!("{path}: missing"));
                    comparison.tree.create(path, file.contents.clone());
                }
                Some(now) if !now.starts_with(HEADER) => foreign.push(path.to_string()),
                Some(now) => {
                    let changes = compare::changes(path.as_str(), &now, &planned);
                    if !changes.is_empty() {
                        comparison.lines.extend(changes);
                        comparison.tree.replace(path, now, file.contents.clone());
                    }
                }
            }
        }
        if !foreign.is_empty() {
            return Err(miette!(
                help = "files that cargo msvc writes start with a comment that says so: move these away, or choose another directory with --out",
                "these files in {} were not written by cargo msvc, and are not overwritten:\n  {}",
                out.display(),
                foreign.join("\n  ")
            ));
        }
        for (path, file) in manifests.yours.iter() {
            if !out.join(path).exists() {
                comparison.lines.push(format!("{path}: missing"));
                comparison.tree.create(path, file.contents.clone());
            }
        }
        if whole {
            comparison.find_stale(manifests, out)?;
        }
        Ok(comparison)
    }

    fn find_stale(&mut self, manifests: &Manifests, out: &Path) -> Result<()> {
        let managed: Vec<_> = MANAGED.iter().map(Into::into).collect();
        let differences = manifests.managed.compare(out, &managed).map_err(|error| miette!("{}: {error}", out.display()))?;
        for path in differences.extra {
            if read(&out.join(&path))?.is_some_and(|text| text.starts_with(HEADER)) {
                self.lines.push(format!("{path}: no longer written, delete it"));
                self.stale.push(path.into());
            }
        }
        Ok(())
    }
}
