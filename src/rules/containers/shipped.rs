//! Images in which services ship: which Dockerfiles, which of their stages, and what those start from.

use cargo_metadata::camino::Utf8Path;

use crate::rules::paths;
use crate::workspace::dockerfile::{Base, Command, Dockerfile, Stage};
use crate::workspace::image::Image;
use crate::workspace::{Location, Service, Span, Workspace};

/// An image that runs a service of the workspace.
pub struct Shipped<'w> {
    pub dockerfile: &'w Dockerfile,
    /// The one that becomes the image.
    pub stage: &'w Stage,
    /// At least one.
    pub services: Vec<&'w Service>,
}

/// Images of services, in path order: not those for development, tests and examples.
pub fn images(workspace: &Workspace) -> Vec<Shipped<'_>> {
    let mut images = Vec::new();
    for (index, dockerfile) in workspace.dockerfiles.iter().enumerate() {
        let services: Vec<&Service> =
            workspace.services.iter().filter(|service| service.documents.dockerfiles.contains(&index)).collect();
        if services.is_empty() || is_elsewhere(workspace.sources.path(dockerfile.file)) {
            continue;
        }
        let stages = dockerfile.stages.iter().filter(|stage| is_final(dockerfile, stage));
        images.extend(stages.map(|stage| Shipped { dockerfile, stage, services: started(dockerfile, stage, &services) }));
    }
    images
}

/// Those of the services that the stage starts; all of them where it names none.
fn started<'w>(dockerfile: &Dockerfile, stage: &Stage, services: &[&'w Service]) -> Vec<&'w Service> {
    let named = |service: &&Service| {
        let mut words = commands(dockerfile, stage).flat_map(|command| &command.words);
        words.any(|word| word.rsplit('/').next() == Some(&service.binary))
    };
    let found: Vec<&Service> = services.iter().copied().filter(named).collect();
    if found.is_empty() { services.to_vec() } else { found }
}

/// The entrypoint and the command of a stage, its own or inherited.
fn commands<'w>(dockerfile: &'w Dockerfile, stage: &'w Stage) -> impl Iterator<Item = &'w Command> {
    let entrypoint = dockerfile.inherited(stage, |stage| stage.entrypoint.as_ref());
    let command = dockerfile.inherited(stage, |stage| stage.command.as_ref());
    entrypoint.into_iter().chain(command)
}

/// Whether a file shows or tests something, or is for one person's machine.
pub fn is_elsewhere(path: &Utf8Path) -> bool {
    paths::is_shown_only(path) || paths::is_local(path)
}

/// The last stage, and others that start something and that nothing is made from; none that is named for development or tests.
fn is_final(dockerfile: &Dockerfile, stage: &Stage) -> bool {
    let last = std::ptr::eq(stage, dockerfile.last_stage());
    let starts = stage.entrypoint.is_some() || stage.command.is_some();
    let needs =
        |other: &Stage| !std::ptr::eq(other, stage) && dockerfile.needed(other).iter().any(|needed| std::ptr::eq(*needed, stage));
    let name = Utf8Path::new(stage.name.as_deref().unwrap_or_default());
    (last || starts && !dockerfile.stages.iter().any(needs)) && !is_elsewhere(name)
}

impl<'w> Shipped<'w> {
    pub fn at(&self, span: Span) -> Location {
        Location::new(self.dockerfile.file, span)
    }

    /// The service, where it is one.
    pub fn commands(&self) -> impl Iterator<Item = &'w Command> + use<'w> {
        commands(self.dockerfile, self.stage)
    }

    pub fn service(&self) -> Option<String> {
        match self.services.as_slice() {
            [service] => Some(service.name.clone()),
            _ => None,
        }
    }

    /// The stage and those that it is built from, nearest first.
    pub fn lineage(&self) -> impl Iterator<Item = &'w Stage> + use<'w> {
        self.dockerfile.lineage(self.stage)
    }

    /// What the first of those stages starts from.
    pub fn base(&self) -> Option<&'w Base> {
        self.lineage().last().map(|stage| &stage.base)
    }

    /// That, when it is an image from a registry.
    pub fn base_image(&self) -> Option<&'w Image> {
        match self.base()? {
            Base::Image(image) if image.unknown.is_empty() => Some(image),
            _ => None,
        }
    }
}
