//! What is known of each service, and which text says so.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::io::{self, Write};

use colored::Colorize;
use serde::Serialize;

use super::Texts;
use super::human::plural;
use super::terminal::printable_line;
use crate::workspace::service::{EnvVar, Found};
use crate::workspace::{Location, Service, Workspace};

/// One fact, as a person reads it.
struct Fact {
    name: &'static str,
    value: String,
    at: Location,
}

#[derive(Serialize)]
struct Document<'a> {
    schema: &'static str,
    services: Vec<JsonService<'a>>,
}

#[derive(Serialize)]
struct JsonService<'a> {
    name: &'a str,
    package: &'a str,
    binary: &'a str,
    directory: &'a str,
    evidence: Vec<JsonFact<'a>>,
    facts: BTreeMap<&'static str, JsonFact<'a>>,
    environment: Vec<JsonVariable<'a>>,
    /// Keys of `[package.metadata.msvc]` that would state what could not be found out.
    missing: Vec<&'static str>,
}

#[derive(Serialize)]
struct JsonFact<'a> {
    value: String,
    file: &'a str,
    line: u32,
    column: u32,
}

#[derive(Serialize)]
struct JsonVariable<'a> {
    name: &'a str,
    /// `null` where the service does not start without it.
    default: Option<&'a str>,
    secret: bool,
    file: &'a str,
    line: u32,
    column: u32,
}

/// For people; `verbose` adds the environment variables that each service reads.
pub fn write_text(out: &mut dyn Write, workspace: &Workspace, verbose: bool) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    for service in &workspace.services {
        let directory = if service.directory.as_str().is_empty() { "." } else { service.directory.as_str() };
        writeln!(out, "{} {}", printable_line(&service.name, 64).bold().green(), printable_line(directory, 200).dimmed())?;
        for evidence in &service.evidence {
            writeln!(
                out,
                "  {:10} {:40} {}",
                "because".dimmed(),
                printable_line(&evidence.value, 60),
                place(&texts, evidence.at)
            )?;
        }
        for fact in facts(service) {
            writeln!(out, "  {:10} {:40} {}", fact.name.dimmed(), printable_line(&fact.value, 60), place(&texts, fact.at))?;
        }
        for variable in service.environment.iter().filter(|_| verbose) {
            let value = match &variable.default {
                _ if variable.secret => format!("{} (secret)", variable.name),
                Some(default) => format!("{}={default}", variable.name),
                None => format!("{} (required)", variable.name),
            };
            writeln!(out, "  {:10} {:40} {}", "reads".dimmed(), printable_line(&value, 60), place(&texts, variable.at))?;
        }
        for missing in service.spec().err().unwrap_or_default() {
            let key = format!("state `{}` in [package.metadata.msvc]", missing.key);
            writeln!(out, "  {:10} {:40} {}", "unknown".yellow(), missing.what, key.dimmed())?;
        }
        writeln!(out)?;
    }
    writeln!(out, "{}", plural(workspace.services.len(), "service", "services").bold())
}

/// One document, schema `cargo-msvc/services/1`.
pub fn write_json(out: &mut dyn Write, workspace: &Workspace) -> io::Result<()> {
    let texts = Texts::new(&workspace.sources);
    let fact = |value: &str, at: Location| {
        let start = texts.place(at).start;
        JsonFact { value: value.to_owned(), file: texts.path(at), line: start.line, column: start.column }
    };
    let variable = |variable| json_variable(&texts, variable);
    let services = workspace.services.iter().map(|service| JsonService {
        name: &service.name,
        package: &workspace.packages[service.package].name,
        binary: &service.binary,
        directory: service.directory.as_str(),
        evidence: service.evidence.iter().map(|evidence| fact(&evidence.value, evidence.at)).collect(),
        facts: facts(service).iter().map(|known| (known.name, fact(&known.value, known.at))).collect(),
        environment: service.environment.iter().map(variable).collect(),
        missing: service.spec().err().unwrap_or_default().iter().map(|missing| missing.key).collect(),
    });
    let document = Document { schema: "cargo-msvc/services/1", services: services.collect() };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    writeln!(out)
}

fn json_variable<'a>(texts: &'a Texts, variable: &'a EnvVar) -> JsonVariable<'a> {
    let EnvVar { name, default, secret, at } = variable;
    let start = texts.place(*at).start;
    // A secret's default is one too.
    let default = default.as_deref().filter(|_| !secret);
    JsonVariable { name, default, secret: *secret, file: texts.path(*at), line: start.line, column: start.column }
}

fn place(texts: &Texts, at: Location) -> colored::ColoredString {
    let start = texts.place(at).start;
    format!("{}:{}", printable_line(texts.path(at), 200), start.line).cyan()
}

fn facts(service: &Service) -> Vec<Fact> {
    fn fact<T: Display>(name: &'static str, found: &Option<Found<T>>) -> Option<Fact> {
        found.as_ref().map(|found| Fact { name, value: found.value.to_string(), at: found.at })
    }
    let drain = service.drain.as_ref().map(|drain| Fact { name: "drain", value: format!("{:?}", drain.value), at: drain.at });
    [
        fact("protocol", &service.protocol),
        fact("port", &service.port),
        fact("admin port", &service.admin_port),
        fact("store", &service.store),
        fact("discovery", &service.discovery),
        fact("auth", &service.auth),
        fact("tls", &service.tls),
        fact("public", &service.public),
        fact("liveness", &service.liveness),
        fact("readiness", &service.readiness),
        fact("startup", &service.startup),
        fact("metrics", &service.metrics),
        drain,
    ]
    .into_iter()
    .flatten()
    .collect()
}
