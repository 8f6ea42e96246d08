use std::collections::BTreeSet;

use super::address::{Address, address};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::rules::words::words;
use crate::workspace::Workspace;
use crate::workspace::query::Node;
use crate::workspace::rust::ExprKind;

declare_rule! {
    /// The code knows the addresses of each environment.
    ///
    /// ## Why is this bad?
    /// A new environment, or a system that moves in one of them, needs a change of the code, a build and a deployment of every service that
    /// has such a list; what runs in production is decided by whoever edited it last, and a wrong name of an environment talks to the wrong one.
    ///
    /// ## Example
    /// ```rust
    /// let inventory = match environment.as_str() {
    ///     "production" => "http://inventory.prod.svc:8080",
    ///     "staging" => "http://inventory.staging.svc:8080",
    ///     _ => "http://localhost:8081",
    /// };
    /// ```
    ///
    /// ## Use instead
    /// ```rust
    /// let inventory = std::env::var("INVENTORY_URL")?;
    /// ```
    /// with the value in each environment's own manifest or file of settings (`config`, `figment`: defaults, then a file, then variables).
    ///
    /// ## Not reported when
    /// - the decision, or the table, does not ask for an environment by name (`production`, `staging`, `dev`, …, as a text or a variant, or
    ///   `is_production`);
    /// - fewer than two of its branches name different addresses with a scheme, or all that they name are public hosts (sandbox and production of
    ///   another company's API) or declared under `externals` in `msvc.toml`;
    /// - it is only the default of a setting: inside `unwrap_or(…)`, `unwrap_or_else(…)`, `or_else(…)`, `map_or(…)`;
    /// - no service runs it: tools, subcommands, tests, examples.
    ///
    /// ## Source
    /// "Manual configuration", MARS (Tighilt et al., Journal of Systems and Software 2023); [The Twelve-Factor App: Config](https://12factor.net/config)
    /// ("apps sometimes batch config into named groups […] this method does not scale cleanly").
    "manual-configuration", "MSVC408", Practice::ServiceDiscovery, Level::Warn, Tier::Pedantic, Check::Workspace(check)
}

/// Names of environments.
const ENVIRONMENTS: &[&str] = &[
    "production",
    "prod",
    "staging",
    "stage",
    "stg",
    "development",
    "dev",
    "local",
    "test",
    "testing",
    "qa",
    "uat",
    "preprod",
    "preproduction",
    "integration",
    "sandbox",
];
/// What a value is the default of.
const DEFAULTS: &[&str] =
    &["unwrap_or", "unwrap_or_else", "or_else", "or", "map_or", "map_or_else", "get_or_insert_with", "set_default"];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let has_scheme = |text: &str| address(text).is_some_and(|address| !address.scheme.is_empty());
    let moves = |address: &Address| address.moves() && !workspace.externals.hold(&address.host);
    let mut seen = BTreeSet::new();
    let written = workspace.texts(has_scheme).flat_map(|text| std::iter::once(text).chain(text.constant_uses()));
    for decision in written.flat_map(Node::ancestors) {
        if !seen.insert((decision.file, decision.id)) {
            continue;
        }
        let branches = branches(decision);
        if branches.is_empty() {
            continue;
        }
        let named: Vec<(Node<'_>, Address)> = branches.into_iter().filter_map(|branch| named(branch)).collect();
        let different: BTreeSet<&str> = named.iter().map(|(_, address)| address.authority.as_str()).collect();
        if different.len() < 2 || !named.iter().any(|(_, address)| moves(address)) {
            continue;
        }
        let Some(service) = workspace.run_by(decision) else { continue };
        let (first, address) = &named[0];
        let mut diagnostic = Diagnostic::new(
            "the addresses of each environment are written into the code",
            first.at(),
            format!("`{}` in one environment", address.authority),
        )
        .help("read the address from a variable or a file of settings, which each environment sets for itself")
        .evidence("a setting that wins over it: `unwrap_or_else(…)` and its kin around the decision")
        .evidence("hosts that are public in all branches")
        .confidence(Confidence::Medium)
        .service(&service.name);
        for (node, address) in &named[1..] {
            diagnostic = diagnostic.related(node.at(), format!("`{}` in another", address.authority));
        }
        out.push(diagnostic);
    }
}

/// The branches of a decision that asks for an environment by its name.
fn branches(decision: Node<'_>) -> Vec<Node<'_>> {
    match decision.kind() {
        ExprKind::Match { arms, .. } => {
            let arms: Vec<Node<'_>> = arms.iter().map(|arm| decision.with(*arm)).collect();
            let asks = |arm: &&Node<'_>| match arm.kind() {
                ExprKind::Arm { variant, guard, .. } => {
                    variant.last().is_some_and(|name| is_environment(name))
                        || guard.is_some_and(|guard| arm.with(guard).text().is_some_and(is_environment))
                }
                _ => false,
            };
            if !arms.iter().any(|arm| asks(&arm)) {
                return Vec::new();
            }
            let bodies = arms.into_iter().filter_map(|arm| match arm.kind() {
                ExprKind::Arm { body, .. } => Some(arm.with(*body)),
                _ => None,
            });
            bodies.collect()
        }
        ExprKind::If { condition, then, otherwise: Some(otherwise) } => {
            let asked = decision.with(*condition).descendants().any(asks_for_one);
            if asked { vec![decision.with(*then), decision.with(*otherwise)] } else { Vec::new() }
        }
        // `[("staging", "http://…"), ("production", "http://…")]`
        ExprKind::Other(rows) => {
            let named = rows.iter().filter_map(|row| match decision.with(*row).kind() {
                ExprKind::Other(parts) => match &parts[..] {
                    [key, value] if decision.with(*key).text().is_some_and(is_environment) => Some(decision.with(*value)),
                    _ => None,
                },
                _ => None,
            });
            named.collect()
        }
        _ => Vec::new(),
    }
}

/// `"production"`, `Environment::Production`, `is_production()`, `settings.is_production`.
fn asks_for_one(node: Node<'_>) -> bool {
    let name = match node.kind() {
        ExprKind::Field { name, .. } => Some(&**name),
        _ => node.last_name(),
    };
    let is_variant =
        matches!(node.kind(), ExprKind::Path(path) if path.len() > 1 && path.last().is_some_and(|name| is_environment(name)));
    let asked = name.and_then(|name| name.strip_prefix("is_")).is_some_and(is_environment);
    asked || is_variant || node.text().is_some_and(is_environment)
}

/// `production`, `Environment::Prod`, `PROD_EU`.
fn is_environment(name: &str) -> bool {
    words(name).first().is_some_and(|word| ENVIRONMENTS.contains(&word.as_str()))
}

/// The first address with a scheme in a branch, written out or as a constant, that is no default.
fn named(branch: Node<'_>) -> Option<(Node<'_>, Address)> {
    let found = |node: Node<'_>| {
        let text = node.text().or_else(|| node.constant()?.text())?;
        address(text).filter(|address| !address.scheme.is_empty())
    };
    branch.descendants().find_map(|node| Some((node, found(node).filter(|_| !is_default(node))?)))
}

/// Whether a setting wins over it.
fn is_default(address: Node<'_>) -> bool {
    address.ancestors().any(|node| {
        let name = node.last_name();
        matches!(node.kind(), ExprKind::Call { .. } | ExprKind::Method { .. })
            && name.is_some_and(|name| DEFAULTS.contains(&name))
    })
}
