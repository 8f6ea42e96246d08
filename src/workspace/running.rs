//! What of the code services run, as against subcommands, tools and start-up errors that stand beside them.

use std::ops::Range;

use rayon::prelude::*;
use rustc_hash::FxHashSet as HashSet;

use super::graph::Target;
use super::names::{Definition, FunctionRef, TypeRef};
use super::query::Node;
use super::reach::Reach;
use super::rust::{Attribute, ExprId, ExprKind, FunctionId, RustFile, TypeItem};
use super::service::Found;
use super::{Location, Service, Workspace};

/// What each service runs.
#[derive(Debug, Default)]
pub struct Running {
    services: Vec<Reach>,
}

impl Running {
    fn of(workspace: &Workspace) -> Self {
        // One after the other: they lead through the same functions, and each is worked out side by side.
        let modes: Vec<Mode> = workspace.services.iter().map(|service| Mode::of(workspace, service)).collect();
        let reach = |(service, mode): (&Service, &Mode)| {
            let left_out = |function| mode.left_out(workspace, function);
            workspace.binary(service).map(|binary| Reach::of(workspace, binary, &left_out)).unwrap_or_default()
        };
        Self { services: workspace.services.par_iter().with_max_len(1).zip(&modes).map(reach).collect() }
    }

    /// The first service that runs this expression, as an index into [`Workspace::services`].
    pub fn by(&self, node: Node<'_>) -> Option<usize> {
        self.services.iter().position(|reach| reach.runs(node))
    }
}

impl Workspace {
    /// The first service that runs this expression.
    pub fn run_by(&self, node: Node<'_>) -> Option<&Service> {
        let service = self.running().by(node);
        if service.is_none() {
            self.spared(|| node.name_at(), "no service runs it");
        }
        service.map(|service| &self.services[service])
    }

    /// Whether this service runs this expression.
    pub fn runs(&self, service: &Service, node: Node<'_>) -> bool {
        let index = self.services.iter().position(|other| std::ptr::eq(other, service));
        let runs = index.is_some_and(|index| self.running().services[index].runs(node));
        if !runs && self.trace.is_some() && self.running().by(node).is_none() {
            self.spared(|| node.name_at(), "no service runs it");
        }
        runs
    }

    /// What the services run; worked out when first asked for.
    pub fn running(&self) -> &Running {
        self.running.get_or_init(|| Running::of(self))
    }
}

/// The way through a binary that ends in serving.
pub struct Mode {
    /// Functions that lead to where the service serves.
    leading: HashSet<FunctionRef>,
    /// Where it serves.
    serving: Vec<Location>,
    /// The package of the binary.
    package: usize,
    /// Enums of subcommands, as clap derives them.
    subcommands: HashSet<Target>,
}

/// Words in the names of subcommands that start a service.
const SERVING: &[&str] =
    &["run", "serve", "server", "start", "api", "web", "http", "grpc", "worker", "consumer", "daemon", "listen", "up"];

impl Mode {
    fn of(workspace: &Workspace, service: &Service) -> Self {
        // What listens says more than what consumes: a tool beside the server may consume, too.
        let serves = |found: &&Found<String>| found.value.starts_with("serves");
        let listens = service.evidence.iter().any(|found| serves(&found));
        let serving: Vec<Location> =
            service.evidence.iter().filter(|found| !listens || serves(found)).map(|found| found.at).collect();
        let functions = serving.iter().filter_map(|at| function_at(workspace, *at));
        let leading = workspace.graph.leading_to_by_all(workspace, functions);
        Self { leading, serving, package: service.package, subcommands: subcommands(workspace).map(Target::Type).collect() }
    }

    /// Parts of a function that this process does not run: the other arms of a `match` on the subcommand, and branches of
    /// `main` that end the process. `None` for a function that is not on the way, and chooses nothing.
    pub fn left_out(&self, workspace: &Workspace, function: FunctionRef) -> Option<Vec<Range<ExprId>>> {
        let leading = self.leading.contains(&function);
        let own = || workspace.crates_of(function).any(|krate| workspace.names.crates[krate].package == self.package);
        // Elsewhere it is only by its name that an arm of a subcommand's `match` is told from the others.
        let on_subcommand = |_: &_| workspace.graph.named(function).iter().any(|named| self.subcommands.contains(named));
        let body = workspace.body_if(function, |outline| leading || on_subcommand(outline)).filter(|_| leading || own())?;
        let mut parts = Vec::new();
        let mut open = vec![body];
        while let Some(node) = open.pop() {
            let branches: Vec<Node<'_>> = match node.kind() {
                ExprKind::Match { arms, .. } => arms.iter().map(|arm| node.with(*arm)).collect(),
                ExprKind::If { then, otherwise, .. } => [*then].into_iter().chain(*otherwise).map(|id| node.with(id)).collect(),
                // What a closure or a task does is not the way, but what is found there.
                ExprKind::Closure { .. } | ExprKind::Async(_) => continue,
                _ => Vec::new(),
            };
            open.extend(node.children());
            if branches.is_empty() {
                continue;
            }
            let on_subcommand = is_on_subcommand(node);
            let leads: Vec<bool> = branches
                .iter()
                .map(|branch| leading && self.leads(*branch) || on_subcommand && is_named_for_serving(*branch))
                .collect();
            let chooses = leads.contains(&true) && (on_subcommand || leading && chooses_mode(node));
            let other = branches.iter().zip(leads).filter(|(branch, leads)| !leads && (chooses || leading && ends(**branch)));
            parts.extend(other.map(|(branch, _)| range(*branch)));
        }
        (leading || !parts.is_empty()).then_some(parts)
    }

    fn leads(&self, node: Node<'_>) -> bool {
        let range = range(node);
        let here = node.at();
        let serves = self
            .serving
            .iter()
            .any(|at| at.file == here.file && here.span.start <= at.span.start && at.span.end <= here.span.end);
        let leads = |function| {
            node.workspace.graph.of(node.workspace, function).iter().any(|mention| {
                range.contains(&mention.at)
                    && matches!(&mention.of, Target::Function(called) if *called != function && self.leading.contains(called))
            })
        };
        serves || node.function().is_some_and(leads)
    }
}

/// A `match` on an enum of subcommands, as clap derives them.
fn is_on_subcommand(node: Node<'_>) -> bool {
    let ExprKind::Match { on, .. } = node.kind() else { return false };
    let Definition::Type(ty) = node.with(*on).ty() else { return false };
    is_subcommand(&node.workspace.rust[ty.file()], ty.get(&node.workspace.rust))
}

fn is_subcommand(facts: &RustFile, item: &TypeItem) -> bool {
    let derives = |attribute: &Attribute| {
        let mut paths = attribute.arguments.iter().filter_map(|id| match &facts.expr(*id).kind {
            ExprKind::Path(path) => path.last(),
            _ => None,
        });
        paths.any(|name| matches!(&**name, "Subcommand" | "Parser" | "StructOpt"))
    };
    item.attributes.iter().any(derives)
}

fn subcommands(workspace: &Workspace) -> impl Iterator<Item = TypeRef> {
    workspace.rust.iter().enumerate().flat_map(|(file, facts)| {
        let types = facts.types.iter().enumerate().filter(|(_, item)| is_subcommand(facts, item));
        types.map(move |(index, _)| TypeRef::new(file, index))
    })
}

fn is_named_for_serving(arm: Node<'_>) -> bool {
    let ExprKind::Arm { variant, .. } = arm.kind() else { return false };
    variant.last().is_some_and(|name| words(name).any(|word| SERVING.contains(&word.as_str())))
}

/// Words of a name in lower case: `api`, `server` of `ApiServer`.
fn words(name: &str) -> impl Iterator<Item = String> {
    let mut words: Vec<String> = Vec::new();
    for c in name.chars() {
        match words.last_mut() {
            Some(word) if !c.is_uppercase() => word.push(c),
            _ => words.push(c.to_lowercase().collect()),
        }
    }
    words.into_iter()
}

/// A `match` or `if` on what was asked for, not on what came back from doing it.
fn chooses_mode(node: Node<'_>) -> bool {
    let on = match node.kind() {
        ExprKind::Match { on, .. } => *on,
        ExprKind::If { condition, .. } => *condition,
        _ => return false,
    };
    !node.with(on).descendants().any(|part| matches!(part.kind(), ExprKind::Await(_)))
}

/// Whether a branch ends the function or the process.
fn ends(branch: Node<'_>) -> bool {
    let last = match branch.kind() {
        ExprKind::Arm { body, .. } => return ends(branch.with(*body)),
        ExprKind::Block(statements) => match statements.last() {
            Some(last) => branch.with(*last),
            None => return false,
        },
        _ => branch,
    };
    match last.kind() {
        ExprKind::Return(_) => true,
        ExprKind::Call { .. } | ExprKind::Macro { .. } => {
            last.path().and_then(<[_]>::last).is_some_and(|name| matches!(&**name, "exit" | "abort" | "bail"))
        }
        ExprKind::Block(_) => ends(last),
        ExprKind::If { then, otherwise: Some(otherwise), .. } => ends(last.with(*then)) && ends(last.with(*otherwise)),
        ExprKind::Match { arms, .. } => !arms.is_empty() && arms.iter().all(|arm| ends(last.with(*arm))),
        _ => false,
    }
}

/// The expressions from this one to its last part: they stand in a row.
pub fn range(node: Node<'_>) -> Range<ExprId> {
    let last = node.descendants().map(|part| part.id).max().unwrap_or(node.id);
    node.id..ExprId::new(last.index() + 1)
}

/// The innermost function around a place.
pub fn function_at(workspace: &Workspace, at: Location) -> Option<FunctionRef> {
    let file = super::names::index_of(&workspace.rust, at.file)?;
    let facts = &workspace.rust[file];
    let around = facts.functions.iter().enumerate().filter(|(_, function)| {
        function.span.start <= at.span.start && at.span.end <= function.span.end && function.body.is_some()
    });
    let (index, _) = around.min_by_key(|(_, function)| function.span.end - function.span.start)?;
    Some(FunctionRef::new(file, FunctionId::new(index)))
}
