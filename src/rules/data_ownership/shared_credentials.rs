use std::collections::BTreeMap;

use super::database::databases;
use super::stores::is_job;
use crate::lint::{Check, Diagnostic, Level, Practice, Tier};
use crate::rules::given::{Scope, given};
use crate::rules::paths;
use crate::workspace::{Location, Service, Workspace};

crate::declare_rule! {
    /// Several services log in to a database server as the same user.
    ///
    /// ## Why is this bad?
    /// The server cannot keep one service from another's tables, a leak from one opens them all, nobody can tell from the server's
    /// log who ran a query, and the password cannot be changed without stopping every service at once.
    ///
    /// ## Example
    /// ```yaml
    /// services:
    ///   orders:
    ///     environment: {DATABASE_URL: "postgres://app:${PASSWORD}@db/orders"}
    ///   billing:
    ///     environment: {DATABASE_URL: "postgres://app:${PASSWORD}@db/billing"}
    /// ```
    ///
    /// ## Use instead
    /// ```yaml
    /// services:
    ///   orders:
    ///     environment: {DATABASE_URL: "postgres://orders:${ORDERS_PASSWORD}@db/orders"}
    ///   billing:
    ///     environment: {DATABASE_URL: "postgres://billing:${BILLING_PASSWORD}@db/billing"}
    /// ```
    /// Each user owns its database and may connect to no other.
    ///
    /// ## Not reported when
    /// - both are binaries of one package;
    /// - one of them migrates, seeds or backs up;
    /// - user or server come from outside, or the server is `localhost` in a settings file;
    /// - the file is an example, a test's, or for development (`docker-compose.dev.yml`, `config/local.toml`).
    ///
    /// ## Source
    /// [OWASP Developer Guide: Secure Database
    /// Access](https://owasp.org/www-project-developer-guide/draft/design/web_app_checklist/secure_database_access/): the lowest
    /// possible level of privilege, and different credentials for every trust distinction.
    "shared-credentials", "MSVC508", Practice::DataOwnership, Level::Warn, Tier::Default, Check::Workspace(check)
}

/// Who logs in where: as a file states it, or by the key of a Kubernetes Secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Account {
    User { scope: Scope, engine: &'static str, host: String, port: u16, user: String },
    Secret { namespace: Option<String>, secret: String, key: String },
}

fn check<'w>(workspace: &'w Workspace, out: &mut Vec<Diagnostic>) {
    let mut accounts: BTreeMap<Account, BTreeMap<usize, (&Service, Location)>> = BTreeMap::new();
    let mut add = |account: Account, service: &'w Service, at| {
        let by_package = accounts.entry(account).or_default();
        by_package.entry(service.package).or_insert((service, at));
    };
    for service in workspace.services.iter().filter(|service| !is_job(service)) {
        for (scope, mut given) in given(workspace, service) {
            given.retain(|given| !paths::is_local(workspace.sources.path(given.at.file)));
            for (database, at) in databases(&given) {
                let Some(user) = database.user.filter(|user| is_stated(user, scope)) else { continue };
                let host = database.host;
                let elsewhere = host.is_empty() || scope == Scope::Settings && (host == "localhost" || host.contains('$'));
                if !elsewhere {
                    let scope = if host.contains('.') { Scope::Settings } else { scope };
                    let account = Account::User { scope, engine: database.engine, host, port: database.port, user };
                    add(account, service, at);
                }
            }
        }
        for (object, container) in workspace.containers_of(service) {
            let path = workspace.sources.path(object.file);
            if paths::is_local(path) || paths::is_shown_only(path) {
                continue;
            }
            for reference in container.references.iter().filter(|reference| reference.secret) {
                let (Some(variable), Some(key)) = (&reference.variable, &reference.key) else { continue };
                if is_login(variable) {
                    let namespace = object.namespace.as_ref().map(|namespace| namespace.value.clone());
                    let account = Account::Secret { namespace, secret: reference.object.clone(), key: key.clone() };
                    add(account, service, Location::new(object.file, reference.span));
                }
            }
        }
    }
    // The same services with the same account, said in several places, is one fault.
    let mut reported: Vec<Vec<usize>> = Vec::new();
    for (account, users) in &accounts {
        let packages: Vec<usize> = users.keys().copied().collect();
        if users.len() > 1 && !reported.contains(&packages) {
            reported.push(packages);
            out.extend(finding(account, users));
        }
    }
}

fn finding(account: &Account, users: &BTreeMap<usize, (&Service, Location)>) -> Option<Diagnostic> {
    let mut users: Vec<(&Service, Location)> = users.values().copied().collect();
    users.sort_by(|(one, _), (other, _)| one.name.cmp(&other.name));
    let names: Vec<&str> = users.iter().map(|(service, _)| service.name.as_str()).collect();
    let who = super::ownership::list(&names);
    let message = match account {
        Account::User { host, user, .. } => format!("{who} log in to the database server `{host}` as the same user `{user}`"),
        Account::Secret { secret, key, .. } => {
            format!("{who} log in to the database by the same key `{key}` of the Secret `{secret}`")
        }
    };
    let ((first, at), others) = users.split_first()?;
    let mut diagnostic = Diagnostic::new(message, *at, format!("`{}` logs in", first.name))
        .help("give each service a user of its own, that owns its database and may connect to no other")
        .evidence("a job that migrates, seeds or backs up, a file for development, binaries of one package")
        .service(&first.name);
    for (service, at) in others {
        diagnostic = diagnostic.related(*at, format!("`{}` logs in", service.name));
    }
    Some(diagnostic)
}

/// In one compose file a variable means one value; elsewhere nobody knows.
fn is_stated(user: &str, scope: Scope) -> bool {
    let unknown = user.contains(['<', '%']) || user.contains("{{") || user.contains("$(");
    !unknown && (matches!(scope, Scope::Compose(_)) || !user.contains('$'))
}

/// `DATABASE_URL`, `DB_PASSWORD`, `PGPASSWORD`, `ORDERS__DATABASE__PASSWORD`.
fn is_login(variable: &str) -> bool {
    const DATABASES: &[&str] = &["database", "db", "postgres", "postgresql", "pg", "mysql", "mariadb", "mongo", "mongodb"];
    const LOGINS: &[&str] = &["url", "uri", "dsn", "password", "pass"];
    let lower = variable.to_ascii_lowercase();
    let words: Vec<&str> = lower.split(['_', '-', '.']).filter(|word| !word.is_empty()).collect();
    let last = words.last().is_some_and(|word| LOGINS.contains(word));
    lower == "pgpassword" || last && words.iter().any(|word| DATABASES.contains(word))
}
