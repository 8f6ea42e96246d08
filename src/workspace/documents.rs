//! Which Dockerfile, compose service, workload or configuration file belongs to which service.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use cargo_metadata::camino::{Utf8Path, Utf8PathBuf};

use super::compose::{Compose, ComposeService};
use super::dockerfile::{Dockerfile, Stage};
use super::kubernetes::{Container, Object};
use super::manifest::join;
use super::settings::Settings;
use super::variables::{self, Variable};
use super::{Service, Workspace};

/// Documents of one service, as indexes into the workspace's lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Documents {
    /// Into [`Workspace::dockerfiles`].
    pub dockerfiles: Vec<usize>,
    /// Into [`Workspace::compose`], and the services of that file.
    pub compose: Vec<(usize, usize)>,
    /// Into [`Workspace::kubernetes`], and the containers of that object's pod.
    pub containers: Vec<(usize, usize)>,
    /// Into [`Workspace::settings`].
    pub settings: Vec<usize>,
}

impl Documents {
    /// Whether a container runs the service.
    pub fn is_run(&self) -> bool {
        !(self.dockerfiles.is_empty() && self.compose.is_empty() && self.containers.is_empty())
    }
}

impl Workspace {
    /// Dockerfiles that build the service's image.
    pub fn dockerfiles_of<'w>(&'w self, service: &'w Service) -> impl Iterator<Item = &'w Dockerfile> {
        service.documents.dockerfiles.iter().map(|index| &self.dockerfiles[*index])
    }

    /// Compose services that run it.
    pub fn compose_of<'w>(&'w self, service: &'w Service) -> impl Iterator<Item = (&'w Compose, &'w ComposeService)> {
        service.documents.compose.iter().map(|(file, index)| (&self.compose[*file], &self.compose[*file].services[*index]))
    }

    /// Containers that run it, with the objects they are part of.
    pub fn containers_of<'w>(&'w self, service: &'w Service) -> impl Iterator<Item = (&'w Object, &'w Container)> {
        let containers = service.documents.containers.iter();
        containers.filter_map(|(object, index)| {
            let object = &self.kubernetes[*object];
            Some((object, object.pod.as_ref()?.containers.get(*index)?))
        })
    }

    /// Its configuration files and `.env` files.
    pub fn settings_of<'w>(&'w self, service: &'w Service) -> impl Iterator<Item = &'w Settings> {
        service.documents.settings.iter().map(|index| &self.settings[*index])
    }
}

/// Index of a service among those given to [`Linker::new`].
type Index = usize;

/// Links documents and services, all at once.
pub struct Linker {
    links: HashMap<(usize, String), Documents>,
}

struct Services<'w> {
    all: Vec<&'w Service>,
    /// By the names that documents use: its own, its binary's, its package's; with `-` for `_`, in lower case.
    by_name: HashMap<String, BTreeSet<Index>>,
    by_directory: BTreeMap<&'w Utf8Path, Vec<Index>>,
}

impl Linker {
    pub fn new<'w>(workspace: &'w Workspace, services: impl Iterator<Item = &'w Service>) -> Self {
        let services = Services::new(workspace, services.collect());
        let mut documents = vec![Documents::default(); services.all.len()];
        let builds: Vec<Builds> = workspace.dockerfiles.iter().map(|file| services.built_by(workspace, file)).collect();
        for (index, built) in builds.iter().enumerate() {
            built.services().for_each(|service| documents[service].dockerfiles.push(index));
        }
        for (file, compose) in workspace.compose.iter().enumerate() {
            for (index, service) in compose.services.iter().enumerate() {
                for (found, dockerfile) in services.run_by(workspace, compose, service, &builds) {
                    documents[found].compose.push((file, index));
                    let dockerfiles = &mut documents[found].dockerfiles;
                    dockerfiles.extend(dockerfile.filter(|dockerfile| !dockerfiles.contains(dockerfile)));
                }
            }
        }
        for (index, object) in workspace.kubernetes.iter().enumerate() {
            for (at, container) in object.pod.iter().flat_map(|pod| pod.containers.iter().enumerate()) {
                let by_name = services.of_container(object, container);
                let by_port = || services.by_port(workspace, object, container, &builds);
                let found = if by_name.is_empty() { by_port().into_iter().collect() } else { by_name };
                found.into_iter().for_each(|found| documents[found].containers.push((index, at)));
            }
        }
        for (index, settings) in workspace.settings.iter().enumerate() {
            let path = workspace.sources.path(settings.file);
            let owners = services.nearest(path.parent().unwrap_or(Utf8Path::new("")));
            owners.iter().for_each(|service| documents[*service].settings.push(index));
        }
        for links in &mut documents {
            links.dockerfiles.sort_unstable();
        }
        let keys = services.all.iter().map(|service| (service.package, service.binary.clone()));
        Self { links: keys.zip(documents).collect() }
    }

    pub fn documents(&self, service: &Service) -> Documents {
        self.links.get(&(service.package, service.binary.clone())).cloned().unwrap_or_default()
    }
}

/// What a Dockerfile builds.
struct Builds {
    path: Utf8PathBuf,
    /// Services that it names: `--bin`, `-p`, a copied binary, the program it runs.
    named: BTreeSet<Index>,
    /// Services that it must be for, as it names none: by its place.
    placed: BTreeSet<Index>,
    /// An argument without a default chooses the binary: it builds whatever it is told to.
    parametric: bool,
}

impl Builds {
    fn services(&self) -> impl Iterator<Item = Index> {
        let by_name = self.named.iter();
        let by_place = self.placed.iter().filter(|_| self.named.is_empty());
        by_name.chain(by_place).copied().collect::<BTreeSet<_>>().into_iter()
    }
}

impl<'w> Services<'w> {
    fn new(workspace: &'w Workspace, all: Vec<&'w Service>) -> Self {
        let mut by_name: HashMap<String, BTreeSet<Index>> = HashMap::new();
        let mut by_directory: BTreeMap<&Utf8Path, Vec<Index>> = BTreeMap::new();
        let mut count: HashMap<usize, usize> = HashMap::new();
        all.iter().for_each(|service| *count.entry(service.package).or_default() += 1);
        for (index, service) in all.iter().enumerate() {
            // A package's name is shared by its binaries: it names one only where there is one.
            let package = &workspace.packages[service.package].name;
            let alone = count[&service.package] == 1;
            for name in [Some(&service.name), Some(&service.binary), Some(package).filter(|_| alone)].into_iter().flatten() {
                by_name.entry(plain(name)).or_default().insert(index);
            }
            by_directory.entry(&service.directory).or_default().push(index);
        }
        Self { all, by_name, by_directory }
    }

    fn named(&self, name: &str) -> BTreeSet<Index> {
        self.by_name.get(&plain(name)).cloned().unwrap_or_default()
    }

    /// By a name that people shorten: `orders` for `orders-service`.
    fn loosely_named(&self, name: &str) -> BTreeSet<Index> {
        let exact = self.named(name);
        if !exact.is_empty() {
            return exact;
        }
        let name = plain(name);
        let longer = ["service", "svc", "server", "api"].iter().map(|end| format!("{name}-{end}"));
        let shorter = ["-service", "-svc", "-server", "-api"].iter().filter_map(|end| name.strip_suffix(end).map(str::to_owned));
        longer.chain(shorter).find_map(|name| self.by_name.get(&name).cloned()).unwrap_or_default()
    }

    /// Services of the package that a path is in; with none above it, the only one below it.
    fn nearest(&self, directory: &Utf8Path) -> Vec<Index> {
        for above in directory.ancestors().filter(|above| !above.as_str().is_empty()) {
            if let Some(found) = self.by_directory.get(above) {
                return found.clone();
            }
        }
        let below = self.below(directory);
        if below.len() == 1 { below } else { self.by_directory.get(directory).cloned().unwrap_or_default() }
    }

    /// Services whose packages are in a directory.
    fn below(&self, directory: &Utf8Path) -> Vec<Index> {
        let inside = self.by_directory.range(directory..).take_while(|(path, _)| path.starts_with(directory));
        inside.flat_map(|(_, services)| services).copied().collect()
    }

    fn built_by(&self, workspace: &Workspace, file: &Dockerfile) -> Builds {
        let path = workspace.sources.path(file.file).to_owned();
        let mut parametric = false;
        let mut named = BTreeSet::new();
        for name in mentioned(file, file.last_stage(), &[]) {
            match name {
                Ok(name) => named.extend(self.named(&name)),
                Err(Unknown) => parametric = true,
            }
        }
        let directory = path.parent().unwrap_or(Utf8Path::new(""));
        let mut placed: BTreeSet<Index> = by_file_name(&path).map(|name| self.loosely_named(name)).unwrap_or_default();
        if placed.is_empty() {
            placed.extend(self.nearest(directory));
        }
        if placed.is_empty() {
            // `docker/orders/Dockerfile`
            placed.extend(directory.file_name().map(|name| self.loosely_named(name)).unwrap_or_default());
        }
        if parametric && named.is_empty() {
            placed.extend(self.below(directory));
        }
        Builds { path, named, placed, parametric }
    }

    /// The services that a compose service runs, and the Dockerfile that builds them for it.
    fn run_by(
        &self,
        workspace: &Workspace,
        compose: &Compose,
        service: &ComposeService,
        builds: &[Builds],
    ) -> Vec<(Index, Option<usize>)> {
        let mut dockerfile = None;
        let mut found = BTreeSet::new();
        let commands = [&service.entrypoint, &service.command].into_iter().flatten();
        let program: BTreeSet<Index> =
            commands.filter_map(|command| command.program()).flat_map(|program| self.named(program)).collect();
        if let Some(build) = &service.build {
            let folder = workspace.sources.path(compose.file).parent().unwrap_or(Utf8Path::new(""));
            let context = join(folder, &build.context);
            let path = context.as_ref().and_then(|context| join(context, build.dockerfile.as_deref().unwrap_or("Dockerfile")));
            dockerfile = path.and_then(|path| builds.iter().position(|built| built.path == path));
            if let Some(index) = dockerfile {
                let file = &workspace.dockerfiles[index];
                let target = build.target.as_deref().and_then(|target| file.stage(target));
                let stage = target.unwrap_or(file.last_stage());
                // `target: migrations` beside the stages of services.
                if target.is_some() && !builds_rust(file.needed(stage)) && builds_rust(file.stages.iter()) {
                    return Vec::new();
                }
                let mentioned = mentioned(file, stage, &build.arguments);
                found.extend(mentioned.into_iter().flatten().flat_map(|name| self.named(&name)));
                if found.is_empty() && !builds[index].parametric {
                    found.extend(builds[index].services());
                }
            }
            if found.is_empty() {
                found.extend(context.iter().flat_map(|context| self.by_directory.get(context.as_path())).flatten());
            }
            if found.is_empty() {
                let values = build.arguments.iter().filter_map(|argument| argument.value.as_deref());
                found.extend(values.flat_map(|value| self.named(value.rsplit('/').next().unwrap_or(value))));
            }
        }
        // Several services in one image: the command says which of them runs.
        if !program.is_empty() && (found.is_empty() || !found.is_disjoint(&program)) {
            found = program;
        }
        if found.len() != 1 {
            let by_name = self.loosely_named(&service.name.value);
            if !by_name.is_empty() && (found.is_empty() && service.build.is_some() || !found.is_disjoint(&by_name)) {
                found = by_name;
            }
        }
        if found.is_empty() && service.build.is_none() {
            let image = service.image.as_ref().map(|image| image.short_name()).unwrap_or_default();
            found = self.loosely_named(image);
        }
        found.into_iter().map(|index| (index, dockerfile)).collect()
    }

    /// The service that a container runs: by its program, its image, its own name or its workload's.
    fn of_container(&self, object: &Object, container: &Container) -> BTreeSet<Index> {
        let program = container.command.first().map(|word| word.value.rsplit('/').next().unwrap_or_default());
        let image = container.image.as_ref().map(|image| image.short_name());
        let label = |name: &str| object.labels.iter().find(|label| label.name == name).and_then(|label| label.value.as_deref());
        let sole = object.pod.as_ref().is_some_and(|pod| pod.containers.len() == 1);
        let workload = [Some(object.name.value.as_str()), label("app.kubernetes.io/name"), label("app")];
        let names =
            [program, image, Some(container.name.value.as_str())].into_iter().chain(workload.into_iter().filter(move |_| sole));
        let found = names.flatten().map(|name| self.loosely_named(name)).find(|found| !found.is_empty());
        found.unwrap_or_default()
    }

    /// The only service of the tree, whatever its image is called: the only container of a pod, with a port that the only image
    /// which is built here exposes.
    fn by_port(&self, workspace: &Workspace, object: &Object, container: &Container, builds: &[Builds]) -> Option<Index> {
        let ([_], [built], [image]) = (&self.all[..], builds, &workspace.dockerfiles[..]) else { return None };
        let exposed = || image.lineage(image.last_stage()).flat_map(|stage| &stage.exposed);
        let is_exposed = container.ports.iter().any(|port| exposed().any(|exposed| exposed.port == port.port));
        let is_only = object.pod.as_ref().is_some_and(|pod| pod.containers.len() == 1);
        built.services().next().filter(|_| is_exposed && is_only)
    }
}

fn builds_rust<'a>(stages: impl IntoIterator<Item = &'a Stage>) -> bool {
    let is_cargo = |word: &String| word == "cargo" || word.ends_with("/cargo");
    stages.into_iter().flat_map(|stage| &stage.runs).any(|run| run.words.iter().any(is_cargo))
}

/// A name that an argument gives, which has no value here.
struct Unknown;

/// Names of binaries and packages that a stage's build mentions.
fn mentioned(file: &Dockerfile, stage: &Stage, arguments: &[Variable]) -> Vec<Result<String, Unknown>> {
    let lookup = |name: &str| {
        let given = arguments.iter().find(|argument| argument.name == name).and_then(|argument| argument.value.clone());
        let declared =
            file.stages.iter().flat_map(|stage| stage.arguments.iter().chain(&stage.environment)).chain(&file.arguments);
        given.or_else(|| declared.filter(|argument| argument.name == name).find_map(|argument| argument.value.clone()))
    };
    let mut found = Vec::new();
    let mut add = |text: &str| {
        let expanded = variables::expand(text, &lookup);
        let name = expanded.text.rsplit('/').next().unwrap_or_default().to_owned();
        found.push(if name.contains('$') { Err(Unknown) } else { Ok(name) });
    };
    let own: Vec<&Stage> = file.lineage(stage).collect();
    // What runs says most: one image may build several binaries.
    let entrypoint = file.inherited(stage, |stage| stage.entrypoint.as_ref());
    let command = file.inherited(stage, |stage| stage.command.as_ref());
    let program = entrypoint.or(command).and_then(|command| command.program());
    program.into_iter().for_each(&mut add);
    for copy in own.iter().flat_map(|stage| &stage.copies) {
        let built = |path: &&String| path.contains("/release/") || path.contains("/debug/") || path.contains("/bin/");
        copy.sources.iter().filter(built).for_each(|path| add(path));
    }
    let runs = file.needed(stage).into_iter().flat_map(|stage| &stage.runs);
    for run in runs.filter(|run| run.words.iter().any(|word| word.ends_with("cargo"))) {
        let mut words = run.words.iter();
        while let Some(word) = words.next() {
            match word.as_str() {
                "--bin" | "-p" | "--package" | "--path" => words.next().into_iter().for_each(|name| add(name)),
                word => {
                    let given = ["--bin=", "--package=", "-p=", "--path="].iter().find_map(|option| word.strip_prefix(option));
                    given.into_iter().for_each(&mut add);
                }
            }
        }
    }
    found
}

/// `orders` of `Dockerfile.orders` and `orders.Dockerfile`.
fn by_file_name(path: &Utf8Path) -> Option<&str> {
    let name = path.file_name()?;
    let (stem, extension) = name.split_once('.')?;
    let is_keyword = |text: &str| matches!(text.to_ascii_lowercase().as_str(), "dockerfile" | "containerfile");
    if is_keyword(stem) { Some(extension) } else { is_keyword(extension.rsplit('.').next()?).then_some(stem) }
}

fn plain(name: &str) -> String {
    name.replace('_', "-").to_ascii_lowercase()
}
