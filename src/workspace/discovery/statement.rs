//! `[package.metadata.msvc]`: what people state, which wins over what is found.

use std::str::FromStr;
use std::time::Duration;

use toml_edit::Item;

use crate::service::nearest;
use crate::workspace::manifest::Package;
use crate::workspace::service::{Found, Service};
use crate::workspace::{Location, Problem, Span};

/// Keys that other parts of the tool read.
const ELSEWHERE: &[&str] = &["lint", "deploy"];
/// All keys.
const KEYS: &[&str] = &[
    "service",
    "name",
    "protocol",
    "port",
    "admin-port",
    "store",
    "discovery",
    "auth",
    "tls",
    "public",
    "calls",
    "broker",
    "consumes",
    "liveness",
    "readiness",
    "startup",
    "metrics",
    "drain-ms",
    "lint",
    "deploy",
];

/// What a package states about its services.
pub struct Statement<'a> {
    package: &'a Package,
    table: Option<&'a Item>,
}

/// `service = true` or `false`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Declared {
    Service,
    NoService,
    Nothing,
}

impl<'a> Statement<'a> {
    pub fn of(package: &'a Package) -> Self {
        Self { package, table: package.metadata.as_ref() }
    }

    pub fn at(&self, item: &Item) -> Location {
        let span = item.span().map_or(self.package.name_span, |span| Span::new(span.start, span.end));
        Location::new(self.package.manifest, span)
    }

    /// Any statement about a service declares one.
    pub fn declared(&self) -> Declared {
        let Some(table) = self.table.and_then(Item::as_table_like) else { return Declared::Nothing };
        match table.get("service").and_then(Item::as_bool) {
            Some(true) => Declared::Service,
            Some(false) => Declared::NoService,
            None if table.iter().any(|(key, _)| !ELSEWHERE.contains(&key)) => Declared::Service,
            None => Declared::Nothing,
        }
    }

    /// Where the table stands.
    pub fn location(&self) -> Location {
        self.table.map_or(Location::file(self.package.manifest), |table| self.at(table))
    }

    /// Overwrites what is found by what is stated. Returns what is wrong with the statement.
    pub fn apply(&self, service: &mut Service) -> Vec<Problem> {
        let mut problems = Vec::new();
        let Some(table) = self.table.and_then(Item::as_table_like) else { return problems };
        for (key, item) in table.iter() {
            let text = || item.as_str().ok_or_else(|| "a string".to_owned());
            let result = match key {
                "name" => text().map(|text| service.name = text.to_owned()),
                "protocol" => self.parsed(item, &mut service.protocol),
                "store" => self.parsed(item, &mut service.store),
                "discovery" => self.parsed(item, &mut service.discovery),
                "auth" => self.parsed(item, &mut service.auth),
                "tls" => self.parsed(item, &mut service.tls),
                "port" => self.number(item, &mut service.port),
                "admin-port" => self.number(item, &mut service.admin_port),
                "drain-ms" => {
                    let mut drain: Option<Found<u32>> = None;
                    let result = self.number(item, &mut drain);
                    let stated = drain.map(|found| Found { value: Duration::from_millis(found.value.into()), at: found.at });
                    service.drain = stated.or(service.drain.take());
                    result
                }
                "calls" => self.names(item, &mut service.calls),
                "broker" => self.parsed(item, &mut service.broker),
                "consumes" => self.names(item, &mut service.consumes),
                "public" => item
                    .as_bool()
                    .map(|value| service.public = Some(Found { value, at: self.at(item) }))
                    .ok_or("true or false".into()),
                "liveness" => self.path(item, &mut service.liveness),
                "readiness" => self.path(item, &mut service.readiness),
                "startup" => self.path(item, &mut service.startup),
                "metrics" => self.path(item, &mut service.metrics),
                "service" => item.as_bool().map(drop).ok_or("true or false".into()),
                key if ELSEWHERE.contains(&key) => Ok(()),
                _ => {
                    let message = format!("`{key}` is no key of `[package.metadata.msvc]`");
                    let known = format!("known keys: {}", KEYS.join(", "));
                    let near = nearest(key, KEYS.iter().copied());
                    let help = near.map_or(known.clone(), |near| format!("did you mean `{near}`? {known}"));
                    let span = table.key(key).and_then(toml_edit::Key::span);
                    let location = span.map_or_else(
                        || self.at(item),
                        |span| Location::new(self.package.manifest, Span::new(span.start, span.end)),
                    );
                    problems.push(Problem { location, message, help: Some(help) });
                    Ok(())
                }
            };
            if let Err(expected) = result {
                let message = format!("`{key}` in `[package.metadata.msvc]` must be {expected}");
                problems.push(Problem { location: self.at(item), message, help: None });
            }
        }
        problems
    }

    fn parsed<T: FromStr<Err = String>>(&self, item: &Item, fact: &mut Option<Found<T>>) -> Result<(), String> {
        let text = item.as_str().ok_or_else(|| "a string".to_owned())?;
        let value = text.parse().map_err(|error: String| error.replacen(&format!("`{text}` is none of: "), "one of: ", 1))?;
        *fact = Some(Found { value, at: self.at(item) });
        Ok(())
    }

    fn number<T: TryFrom<i64>>(&self, item: &Item, fact: &mut Option<Found<T>>) -> Result<(), String> {
        let value = item.as_integer().and_then(|number| T::try_from(number).ok());
        let value = value.ok_or_else(|| "a number in range".to_owned())?;
        *fact = Some(Found { value, at: self.at(item) });
        Ok(())
    }

    fn names(&self, item: &Item, fact: &mut Vec<Found<String>>) -> Result<(), String> {
        let array = item.as_array().ok_or_else(|| "a list of service names".to_owned())?;
        let names: Option<Vec<&str>> = array.iter().map(toml_edit::Value::as_str).collect();
        let mut names = names.ok_or_else(|| "a list of service names".to_owned())?;
        names.sort_unstable();
        names.dedup();
        *fact = names.into_iter().map(|name| Found { value: name.to_owned(), at: self.at(item) }).collect();
        Ok(())
    }

    fn path(&self, item: &Item, fact: &mut Option<Found<String>>) -> Result<(), String> {
        let value = item.as_str().filter(|path| path.starts_with('/')).ok_or_else(|| "a path that starts with `/`".to_owned())?;
        *fact = Some(Found { value: value.to_owned(), at: self.at(item) });
        Ok(())
    }
}
