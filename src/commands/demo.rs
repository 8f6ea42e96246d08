//! `cargo msvc demo`: the whole loop on a fresh workspace, shown as a person would type it.

mod http;
mod process;

use std::fs;
use std::io::{self, BufReader};
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cargo_metadata::Message;
use clap::Parser as _;
use colored::Colorize as _;
use miette::miette;

use self::http::{Request, Response, send};
use self::process::{Guarded, Interrupt, Log};
use super::{Outcome, Terminal, deploy_manifests, lint, new};
use crate::cli::{self, Cli, Demo};

const SERVICE: &str = "orders";
const PREFIX: &str = "ORDERS";
const PORT: u16 = 8080;
const ADMIN_PORT: u16 = 9090;
/// A cold build of everything, on a slow machine.
const BUILD_PATIENCE: Duration = Duration::from_secs(3600);
const START_PATIENCE: Duration = Duration::from_secs(30);
/// Longer than the service's own drain.
const STOP_PATIENCE: Duration = Duration::from_secs(40);
const LOG_LINES: usize = 15;

pub fn run(args: &Demo, terminal: Terminal) -> miette::Result<Outcome> {
    let interrupt = Interrupt::listen().map_err(|error| miette!("cannot listen for Ctrl-C: {error}"))?;
    let story = Story { terminal, interrupt };
    story.tell(&args.directory).map_err(|error| match story.interrupt.is_set() {
        true => miette!(help = format!("what was made so far is in `{}`", args.directory.display()), "interrupted"),
        false => error,
    })?;
    Ok(Outcome::Clean)
}

struct Ports {
    traffic: u16,
    admin: u16,
}

struct Story {
    terminal: Terminal,
    interrupt: Interrupt,
}

impl Story {
    fn tell(&self, directory: &Path) -> miette::Result<()> {
        self.generate(directory)?;
        let binary = self.build(directory)?;
        let token = self.token(directory, &binary)?;
        let (mut service, log, ports) = self.start(directory, &binary)?;
        self.call(&ports, &token).and_then(|()| self.stop(&mut service, &log)).map_err(|error| with_log(error, &log))?;
        self.audit(directory)?;
        self.deploy(directory)?;
        self.end(directory, &log);
        Ok(())
    }

    /// The command that a person would type for the next step.
    fn command(&self, line: &str) {
        let prompt = self.terminal.paint_stderr("$".dimmed());
        self.terminal.say(format!("\n{prompt} {}", self.terminal.paint_stderr(line.bold())));
    }

    fn generate(&self, directory: &Path) -> miette::Result<()> {
        let arguments = ["new", SERVICE, "--workspace"].map(Into::into).into_iter().chain([directory.into()]);
        self.command(&format!("cargo msvc new {SERVICE} --workspace {}", directory.display()));
        if directory.join("Cargo.toml").exists() {
            return Err(miette!(
                help = "delete it, or name a directory that does not exist yet: `cargo msvc demo DIR`",
                "`{}` is there already",
                directory.display()
            ));
        }
        match parse(arguments)? {
            cli::Command::New(args) => new::create(&args, self.terminal).map(drop),
            _ => Err(miette!("`new` is no command")),
        }
    }

    /// Returns the service's binary.
    fn build(&self, directory: &Path) -> miette::Result<PathBuf> {
        self.command(&format!("cargo build -p {SERVICE}"));
        let start = Instant::now();
        let mut command = Command::new("cargo");
        command.args(["build", "--locked", "-p", SERVICE, "--message-format=json-render-diagnostics"]);
        if self.terminal.quiet {
            command.arg("--quiet");
        }
        command.current_dir(directory).stdout(Stdio::piped());
        let failed = |error: io::Error| {
            miette!(help = format!("run `cargo build` in `{}` to see more", directory.display()), "the build failed: {error}")
        };
        let mut cargo = Guarded::spawn(&mut command, &self.interrupt).map_err(failed)?;
        let stdout = cargo.stdout();
        // Read beside the wait, so that a full pipe does not stop Cargo.
        let reader = std::thread::spawn(move || {
            let messages = stdout.map(|stdout| Message::parse_stream(BufReader::new(stdout)));
            messages.into_iter().flatten().filter_map(Result::ok).filter_map(executable).last()
        });
        let status = cargo.wait(BUILD_PATIENCE).map_err(failed)?;
        if !status.success() {
            return Err(failed(io::Error::other(format!("cargo ended with {status}"))));
        }
        let binary = reader.join().ok().flatten();
        let binary = binary.ok_or_else(|| failed(io::Error::other("cargo named no binary")))?;
        self.terminal.status("Built", format!("{} in {:.1} s", binary.display(), start.elapsed().as_secs_f64()));
        Ok(binary)
    }

    fn token(&self, directory: &Path, binary: &Path) -> miette::Result<String> {
        self.command(&format!("TOKEN=$(cargo run -q -p {SERVICE} -- dev-token --key-file dev.key)"));
        let mut command = Command::new(binary);
        command.args(["dev-token", "--key-file", "dev.key"]).current_dir(directory);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = command.stdin(Stdio::null()).output().map_err(|error| miette!("cannot run the service: {error}"))?;
        let token = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if !output.status.success() || token.is_empty() {
            return Err(miette!("the service made no token: {}", String::from_utf8_lossy(&output.stderr).trim()));
        }
        let shown: String = token.chars().take(24).collect();
        self.terminal.say(format!("{shown}…"));
        Ok(token)
    }

    fn start(&self, directory: &Path, binary: &Path) -> miette::Result<(Guarded, Log, Ports)> {
        let failed = |error: io::Error| miette!("the service did not start: {error}");
        let ports = free_ports().map_err(failed)?;
        let mut variables = vec![
            (format!("{PREFIX}__AUTH__KEY_FILE"), "dev.key".to_owned()),
            // A demonstration is nobody else's business.
            (format!("{PREFIX}__SERVER__HOST"), Ipv4Addr::LOCALHOST.to_string()),
            (format!("{PREFIX}__ADMIN__HOST"), Ipv4Addr::LOCALHOST.to_string()),
        ];
        if ports.traffic != PORT {
            variables.push((format!("{PREFIX}__SERVER__PORT"), ports.traffic.to_string()));
            variables.push((format!("{PREFIX}__ADMIN__PORT"), ports.admin.to_string()));
        }
        let assignments: Vec<_> = variables.iter().map(|(name, value)| format!("{name}={value}")).collect();
        self.command(&format!("{} cargo run -p {SERVICE}", assignments.join(" ")));
        if ports.traffic != PORT {
            self.terminal.say(format!("(ports {PORT} and {ADMIN_PORT} are not both free here)"));
        }

        let mut command = Command::new(binary);
        command.current_dir(directory).envs(variables);
        let log_path = directory.join("target").join("demo.log");
        let log = fs::create_dir_all(directory.join("target"))
            .and_then(|()| Log::capture(&log_path, &mut command))
            .map_err(|error| miette!("cannot write `{}`: {error}", log_path.display()))?;
        let start = Instant::now();
        let mut service = Guarded::spawn(&mut command, &self.interrupt).map_err(failed)?;
        let ready = Request { method: "GET", path: "/readyz", token: None, body: None };
        service
            .wait_until(START_PATIENCE, || send(ports.admin, &ready).is_ok_and(|response| response.status == 200))
            .map_err(|error| with_log(failed(error), &log))?;
        let elapsed = start.elapsed().as_millis();
        self.terminal.status(
            "Running",
            format!(
                "ready after {elapsed} ms; process {}, traffic port {}, admin port {}",
                service.id(),
                ports.traffic,
                ports.admin
            ),
        );
        Ok((service, log, ports))
    }

    /// The endpoints, each with what it must answer.
    fn call(&self, ports: &Ports, token: &str) -> miette::Result<()> {
        let draft = r#"{"name":"Pencil","quantity":3}"#;
        let traffic = |method, path, token, body, expected| (ports.traffic, Request { method, path, token, body }, expected);
        let admin = |path| (ports.admin, Request { method: "GET", path, token: None, body: None }, 200);
        let calls = [
            traffic("POST", "/v1/items", Some(token), Some(draft), 201),
            traffic("GET", "/v1/items", Some(token), None, 200),
            traffic("GET", "/v1/items/999", Some(token), None, 404),
            traffic("GET", "/v1/items", None, None, 401),
            admin("/livez"),
            admin("/readyz"),
            admin("/metrics"),
        ];
        for (port, request, expected) in calls {
            self.interrupt.check().map_err(|error| miette!("{error}"))?;
            let Request { method, path, .. } = request;
            self.command(&curl(port, &request));
            let response =
                send(port, &request).map_err(|error| miette!("the service did not answer {method} {path}: {error}"))?;
            self.terminal.say(shown(path, &response));
            if response.status != expected {
                return Err(miette!("the service answered {method} {path} with {}, not {expected}", response.status_line));
            }
        }
        Ok(())
    }

    fn stop(&self, service: &mut Guarded, log: &Log) -> miette::Result<()> {
        self.command(&format!("kill -TERM {}", service.id()));
        let start = Instant::now();
        service.terminate().map_err(|error| miette!("cannot signal the service: {error}"))?;
        let status = service.wait(STOP_PATIENCE).map_err(|error| miette!("the service did not stop: {error}"))?;
        if !status.success() {
            return Err(miette!("the service did not stop cleanly: {status}"));
        }
        for line in log.last(3) {
            self.terminal.say(line);
        }
        self.terminal.status("Stopped", format!("drained and ended by itself in {} ms", start.elapsed().as_millis()));
        Ok(())
    }

    fn audit(&self, directory: &Path) -> miette::Result<()> {
        self.command(&format!("cargo msvc lint {}", directory.display()));
        match parse(["lint".into(), directory.into()])? {
            cli::Command::Lint(args) => expect_clean(lint::run(&args, self.terminal)?, "the audit has findings"),
            _ => Err(miette!("`lint` is no command")),
        }
    }

    fn deploy(&self, directory: &Path) -> miette::Result<()> {
        self.command(&format!("cargo msvc deploy-manifests {}", directory.display()));
        match parse(["deploy-manifests".into(), directory.into()])? {
            cli::Command::DeployManifests(args) => {
                expect_clean(deploy_manifests::run(&args, self.terminal)?, "the manifests could not be written")
            }
            _ => Err(miette!("`deploy-manifests` is no command")),
        }
    }

    fn end(&self, directory: &Path, log: &Log) {
        let shop = directory.display();
        self.terminal.say(format!(
            "\nThat was the whole loop. It is all in `{shop}`:\n  \
             {shop}/services/{SERVICE}   the service, yours to change: start with src/routes.rs\n  \
             {shop}/crates            what services share\n  \
             {shop}/deploy            the Kubernetes manifests\n  \
             {}    what the service logged\n\n\
             Next:\n  cd {shop}\n  cargo test -p {SERVICE}\n  cargo msvc new inventory\n  cargo msvc lint",
            log.0.display()
        ));
    }
}

/// The demo runs other commands as the command line would, defaults and all.
fn parse(arguments: impl IntoIterator<Item = std::ffi::OsString>) -> miette::Result<cli::Command> {
    let arguments = ["cargo-msvc".into()].into_iter().chain(arguments);
    Cli::try_parse_from(arguments).map(|cli| cli.command).map_err(|error| miette!("{error}"))
}

fn expect_clean(outcome: Outcome, complaint: &str) -> miette::Result<()> {
    match outcome {
        Outcome::Clean => Ok(()),
        Outcome::Found => Err(miette!("{complaint}")),
    }
}

/// The service's binary, when a message of Cargo is about it.
fn executable(message: Message) -> Option<PathBuf> {
    match message {
        Message::CompilerArtifact(artifact) if artifact.target.name == SERVICE => Some(artifact.executable?.into()),
        _ => None,
    }
}

/// The service's own ports when both are free, else two that are.
fn free_ports() -> io::Result<Ports> {
    let bind = |port: u16| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    if let (Ok(_traffic), Ok(_admin)) = (bind(PORT), bind(ADMIN_PORT)) {
        return Ok(Ports { traffic: PORT, admin: ADMIN_PORT });
    }
    let (traffic, admin) = (bind(0)?, bind(0)?);
    Ok(Ports { traffic: traffic.local_addr()?.port(), admin: admin.local_addr()?.port() })
}

/// The same call by curl.
fn curl(port: u16, request: &Request) -> String {
    let mut line = String::from("curl");
    if request.method != "GET" {
        line.push_str(&format!(" -X {}", request.method));
    }
    if request.token.is_some() {
        line.push_str(" -H \"Authorization: Bearer $TOKEN\"");
    }
    if let Some(body) = request.body {
        line.push_str(&format!(" -H 'Content-Type: application/json' -d '{body}'"));
    }
    format!("{line} http://127.0.0.1:{port}{}", request.path)
}

/// An answer on one line; of metrics only how many there are.
fn shown(path: &str, response: &Response) -> String {
    if path == "/metrics" {
        let samples: Vec<_> = response.body.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        let first = samples.first().copied().unwrap_or_default();
        return format!("{}  {} samples, the first: {first}", response.status_line, samples.len());
    }
    format!("{}  {}", response.status_line, response.body.trim())
}

/// The error with what the service logged last.
fn with_log(error: miette::Report, log: &Log) -> miette::Report {
    let lines = log.last(LOG_LINES);
    if lines.is_empty() {
        return miette!("{error}; it logged nothing");
    }
    miette!(help = format!("its last log lines, all of them in {}:\n{}", log.0.display(), lines.join("\n")), "{error}")
}
