use super::shell::{self, Shell};
use super::shipped::{self, Shipped};
use crate::declare_rule;
use crate::lint::{Check, Diagnostic, Fix, Level, Practice, Tier};
use crate::workspace::Workspace;
use crate::workspace::dockerfile::{Command, Form};

declare_rule! {
    /// A shell stands between the container and its service, or in place of it.
    ///
    /// ## Why is this bad?
    /// `CMD orders` runs `/bin/sh -c "orders"`. Debian's shell stays the first process and does not pass signals on: the service
    /// never hears SIGTERM, drains nothing, and is killed when the grace period ends, in each rollout. An image without a shell
    /// does not start at all. And an `ENTRYPOINT` in exec form is handed `/bin/sh -c …` as arguments.
    ///
    /// ## Example
    /// ```dockerfile
    /// FROM debian:trixie-slim
    /// CMD orders --port 8080
    /// ```
    ///
    /// ## Use instead
    /// ```dockerfile
    /// FROM debian:trixie-slim
    /// CMD ["orders", "--port", "8080"]
    /// ```
    /// Where the line needs a shell, let its last command replace it: `CMD exec orders --port "$PORT"`.
    ///
    /// ## Not reported when
    /// - the line has `exec`, `trap` or `wait`;
    /// - the image's shell becomes the command: bash and BusyBox (Alpine, Fedora, `SHELL ["/bin/bash", …]`) do that for the last
    ///   command of a line, unless it stands in a pipe or beside another;
    /// - the image's shell is not known: a base image other than the common ones;
    /// - the ENTRYPOINT is an init or a script, and the line is its argument;
    /// - the Dockerfile builds no service of this workspace, or the file or stage is for development, tests or examples.
    ///
    /// ## Source
    /// Dockerfile reference, "Shell and exec form" and "ENTRYPOINT"; Docker build check JSONArgsRecommended and hadolint DL3025, which
    /// also report shells that are replaced. Shells tried: dash 0.5.12, bash 5.2, BusyBox 1.35.
    "shell-form-command", "MSVC906", Practice::Containers, Level::Deny, Tier::Default, Check::Workspace(check)
}

fn check(workspace: &Workspace, out: &mut Vec<Diagnostic>) {
    for image in shipped::images(workspace) {
        let entrypoint = image.dockerfile.inherited(image.stage, |stage| stage.entrypoint.as_ref());
        let command = image.dockerfile.inherited(image.stage, |stage| stage.command.as_ref());
        if let Some(entrypoint) = entrypoint {
            report(&image, "ENTRYPOINT", entrypoint, command.is_none(), out);
            if let Some(command) = command.filter(|_| entrypoint.form == Form::Exec) {
                report_arguments(&image, entrypoint, command, out);
            }
        } else if let Some(command) = command {
            report(&image, "CMD", command, true, out);
        }
    }
}

/// A line that is run as the container's process.
fn report(image: &Shipped<'_>, keyword: &str, command: &Command, alone: bool, out: &mut Vec<Diagnostic>) {
    let Some(line) = shell::line(command) else { return };
    let Some(shell) = shell::shell(image, command) else { return };
    let binaries: Vec<&str> = image.services.iter().map(|service| service.binary.as_str()).collect();
    let (message, note) = if shell == Shell::Missing {
        (format!("`{keyword}` needs a shell, and the image has none"), "the container does not start")
    } else if shell::stays(shell, &line, &binaries) {
        (format!("`{keyword}` runs the service below a shell, which keeps SIGTERM to itself"), "the shell gets the signals")
    } else {
        return;
    };
    let mut diagnostic = Diagnostic::new(message, image.at(command.span), note)
        .help(help(&line))
        .evidence("`exec`, `trap` or `wait` in the line")
        .evidence("a base image whose shell becomes its last command")
        .evidence("an init that hands signals to the process group");
    // With a CMD beside it, the exec form would take that as arguments, which the shell form does not.
    if let Some(array) = exec_form(&line).filter(|_| alone) {
        diagnostic = diagnostic.fix(Fix::safe("write it in exec form").replace(image.at(command.span), array));
    }
    diagnostic.service = image.service();
    out.push(diagnostic);
}

/// A CMD in shell form below an ENTRYPOINT in exec form.
fn report_arguments(image: &Shipped<'_>, entrypoint: &Command, command: &Command, out: &mut Vec<Diagnostic>) {
    let Some(program) = entrypoint.words.first().map(|word| word.rsplit('/').next().unwrap_or(word)) else { return };
    let is_service = image.services.iter().any(|service| service.binary == program);
    if command.form != Form::Shell || !is_service || entrypoint.words.len() != 1 {
        return;
    }
    let line: Vec<&str> = command.words.iter().map(String::as_str).collect();
    let mut diagnostic = Diagnostic::new(
        format!("`{program}` is started with the arguments `/bin/sh -c …`"),
        image.at(command.span),
        "in shell form, this is one argument after `/bin/sh` and `-c`",
    )
    .related(image.at(entrypoint.span), "the exec form takes CMD as its arguments")
    .help(help(&line))
    .evidence("an ENTRYPOINT that is a script or an init");
    if let Some(array) = exec_form(&line) {
        diagnostic = diagnostic.fix(Fix::unsafe_("write it in exec form").replace(image.at(command.span), array));
    }
    diagnostic.service = image.service();
    out.push(diagnostic);
}

fn help(line: &[&str]) -> String {
    match exec_form(line) {
        Some(array) => format!("use the exec form: `{array}`"),
        None => "use the exec form, or let the last command replace the shell: `exec …`".to_owned(),
    }
}

/// The line as an array, where a shell would change nothing in it.
fn exec_form(line: &[&str]) -> Option<String> {
    const BUILT_IN: &[&str] = &["cd", "exec", "source", "export", "set", "ulimit", "umask", "if", "while", "for"];
    let plain = |word: &&str| word.chars().all(|c| c.is_ascii_alphanumeric() || "_-./:=@%+,".contains(c)) && !word.is_empty();
    let first = line.first()?;
    let is_command = !first.contains('=') && !BUILT_IN.contains(first) && *first != ".";
    (is_command && line.iter().all(plain)).then(|| {
        let words: Vec<String> = line.iter().map(|word| format!("\"{word}\"")).collect();
        format!("[{}]", words.join(", "))
    })
}
