use std::collections::BTreeMap;

use super::{shell, shipped};
use crate::declare_rule;
use crate::lint::{Check, Confidence, Diagnostic, Level, Practice, Tier};
use crate::workspace::dockerfile::{Command, Form};
use crate::workspace::{Location, Service, Workspace};

declare_rule! {
    /// One container starts several services.
    ///
    /// ## Why is this bad?
    /// They are deployed, scaled, limited and restarted together. When one of them dies, its container lives on, so nothing
    /// restarts it; when one takes all the memory, both are killed; and signals reach the shell or supervisor above them.
    ///
    /// ## Example
    /// ```dockerfile
    /// CMD orders & billing
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// ENTRYPOINT ["orders"]
    /// ```
    /// And an image, or at least a container, of its own for `billing`: `ENTRYPOINT ["billing"]`.
    ///
    /// ## Not reported when
    /// - the image holds several services and each container's command picks one;
    /// - the others on the line are no services of this workspace: migrations, a proxy, an agent;
    /// - a script starts them: scripts are not read;
    /// - the file is a test, an example or documentation, or for local development.
    ///
    /// ## Source
    /// "Multiple services per host", MARS (Tighilt et al., Journal of Systems and Software 2023); Docker, "Run multiple processes in a
    /// container".
    "several-services-in-one-container", "MSVC902", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

/// Programs that start what their configuration lists.
const SUPERVISORS: &[&str] = &[
    "supervisord",
    "s6-svscan",
    "runsvdir",
    "multirun",
    "overmind",
    "hivemind",
    "forego",
    "foreman",
    "honcho",
    "goreman",
    "circusd",
    "monit",
    "pm2-runtime",
];

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    let mut report = |command: &Command, at: Location| {
        let started = shell::line(command).map(|line| started(workspace, &line)).unwrap_or_default();
        if started.len() > 1 {
            out.push(finding(&started, at));
        }
    };
    for image in shipped::images(workspace) {
        image.commands().for_each(|command| report(command, image.at(command.span)));
    }
    for compose in workspace.compose.iter().filter(|compose| !shipped::is_elsewhere(workspace.sources.path(compose.file))) {
        for entry in &compose.services {
            // `entrypoint: [sh, -c]` takes what `command` says as its line.
            let joined = entry.entrypoint.iter().zip(&entry.command).map(|(entrypoint, command)| Command {
                words: entrypoint.words.iter().chain(&command.words).cloned().collect(),
                ..command.clone()
            });
            let commands = entry.entrypoint.iter().chain(&entry.command).cloned().chain(joined);
            let started: Vec<Command> = commands.collect();
            started.iter().for_each(|command| report(command, Location::new(compose.file, command.span)));
        }
    }
    for object in workspace.kubernetes.iter().filter(|object| !shipped::is_elsewhere(workspace.sources.path(object.file))) {
        for container in object.pod.iter().flat_map(|pod| &pod.containers) {
            let words: Vec<_> = container.command.iter().chain(&container.arguments).collect();
            let Some(last) = words.last() else { continue };
            let words = words.iter().map(|word| word.value.clone()).collect();
            let command = Command { form: Form::Exec, words, word_spans: Vec::new(), span: last.span };
            report(&command, Location::new(object.file, last.span));
        }
    }
    supervised(workspace, out);
}

/// Services that a shell line starts, by name.
fn started<'w>(workspace: &'w Workspace, line: &[&str]) -> Vec<&'w Service> {
    let mut found: BTreeMap<&str, &Service> = BTreeMap::new();
    let mut is_command = true;
    for word in line {
        let bare = word.trim_matches([';', '&', '(', ')', '{', '}']);
        if is_command && let Some(service) = service_named(workspace, bare) {
            found.insert(&service.name, service);
        }
        let introduces = matches!(*word, "&" | "&&" | ";" | "|" | "||" | "(" | "{" | "exec" | "nohup" | "env" | "then" | "do");
        is_command = introduces || word.ends_with([';', '&']) || is_command && bare.contains('=');
    }
    found.into_values().collect()
}

fn service_named<'w>(workspace: &'w Workspace, word: &str) -> Option<&'w Service> {
    let program = word.rsplit('/').next().unwrap_or(word);
    workspace.services.iter().find(|service| service.binary == program)
}

fn supervised(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for image in shipped::images(workspace) {
        let Some(supervisor) = image.commands().find(|command| command.program().is_some_and(|name| SUPERVISORS.contains(&name)))
        else {
            continue;
        };
        let copies = image.lineage().flat_map(|stage| &stage.copies).filter(|copy| copy.from.is_some());
        let copied: BTreeMap<&str, &Service> = copies
            .flat_map(|copy| &copy.sources)
            .filter_map(|source| service_named(workspace, source))
            .map(|service| (service.name.as_str(), service))
            .collect();
        if copied.len() > 1 {
            let services: Vec<&Service> = copied.into_values().collect();
            out.push(finding(&services, image.at(supervisor.span)).confidence(Confidence::Medium));
        }
    }
}

fn finding(services: &[&Service], at: Location) -> Diagnostic {
    let names: Vec<String> = services.iter().map(|service| format!("`{}`", service.name)).collect();
    let names = names.join(" and ");
    Diagnostic::new(format!("one container starts {names}"), at, "all of them live and die together")
        .help("give each service an image, or at least a container, whose command starts it alone")
        .evidence("a command that picks one of them")
}
