//! Database addresses in any form: URLs, keyword strings, and keys that name host and database apart.

use cargo_metadata::camino::Utf8Path;

use crate::rules::given::Given;
use crate::workspace::Location;

/// Which database something connects to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Database {
    /// `postgres`, `mysql`, `mongodb`, `sqlserver`; `sqlite` with the file as its name and no host.
    pub engine: &'static str,
    pub host: String,
    /// The engine's own where none is stated.
    pub port: u16,
    pub name: String,
    /// The schema inside the database, where one is stated.
    pub schema: Option<String>,
    /// Who connects, where that is stated.
    pub user: Option<String>,
}

/// Every database that a set of entries names, and where.
pub fn databases(entries: &[Given<'_>]) -> Vec<(Database, Location)> {
    let mut found: Vec<_> = entries.iter().filter_map(|entry| Some((from_text(entry.value)?, entry.at))).collect();
    for (database, _) in &mut found {
        database.schema = database.schema.take().or_else(|| stated_schema(entries));
    }
    found.extend(from_parts(entries));
    found
}

/// Reads one value: a URL, or `host=… dbname=…`.
fn from_text(text: &str) -> Option<Database> {
    from_url(text).or_else(|| from_keywords(text))
}

fn engine(scheme: &str) -> Option<(&'static str, u16)> {
    Some(match scheme.split('+').next()? {
        "postgres" | "postgresql" | "pgsql" => ("postgres", 5432),
        "mysql" | "mariadb" => ("mysql", 3306),
        "mongodb" => ("mongodb", 27017),
        "mssql" | "sqlserver" => ("sqlserver", 1433),
        _ => return None,
    })
}

/// `postgres://user:password@host:5432/name?schema=own`, also after `jdbc:`.
fn from_url(text: &str) -> Option<Database> {
    let text = text.trim();
    let text = text.strip_prefix("jdbc:").unwrap_or(text);
    if let Some(file) = text.strip_prefix("sqlite:").or_else(|| text.strip_prefix("file:").filter(|file| is_database_file(file)))
    {
        return sqlite(file);
    }
    let (scheme, rest) = text.split_once("://")?;
    let (engine, default_port) = engine(&scheme.to_ascii_lowercase())?;
    let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (authority, path) = rest.split_once('/')?;
    let (account, authority) = authority.rsplit_once('@').unwrap_or(("", authority));
    let user = account.split(':').next().filter(|user| !user.is_empty()).map(str::to_owned);
    // A replica set is named by all its members; the first stands for it.
    let address = authority.split(',').next()?;
    let (host, port) = match address.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok().unwrap_or(default_port)),
        _ => (address, default_port),
    };
    let name = path.split('/').next()?;
    let schema = query.split('&').find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        match key {
            "schema" | "currentSchema" | "search_path" => Some(value.to_owned()),
            "options" => Some(value.replace("%3D", "=").replace("%20", " ").split_once("search_path=")?.1.to_owned()),
            _ => None,
        }
    });
    known(Database { engine, host: canonical_host(host), port, name: name.to_owned(), schema, user })
}

/// A file that two services can only mean both if the path leads out of their own folders.
fn sqlite(file: &str) -> Option<Database> {
    let file = file.trim_start_matches("//").split('?').next()?;
    let shared = file.starts_with("../") && is_database_file(file);
    shared.then(|| Database { engine: "sqlite", host: String::new(), port: 0, name: file.to_owned(), schema: None, user: None })
}

/// The path of a SQLite file that a value names: `/data/shop.db`, `sqlite:///data/shop.db?mode=rwc`.
pub fn database_file(text: &str) -> Option<&Utf8Path> {
    let file = ["sqlite:", "file:"].iter().find_map(|scheme| text.strip_prefix(scheme)).unwrap_or(text);
    let file = file.strip_prefix("//").unwrap_or(file).split('?').next()?;
    is_database_file(file).then(|| file.into())
}

fn is_database_file(file: &str) -> bool {
    let file = file.split('?').next().unwrap_or(file);
    [".db", ".sqlite", ".sqlite3", ".db3"].iter().any(|end| file.ends_with(end))
}

/// libpq's and ADO's own forms: `host=db port=5432 dbname=shop`, `Server=db;Database=shop`.
fn from_keywords(text: &str) -> Option<Database> {
    let separators: &[char] = if text.contains(';') { &[';'] } else { &[' '] };
    let pairs: Vec<(String, &str)> = text
        .split(separators)
        .filter_map(|pair| pair.split_once('='))
        .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
        .collect();
    let get = |keys: &[&str]| pairs.iter().find(|(key, _)| keys.contains(&key.as_str())).map(|(_, value)| *value);
    let host = get(&["host", "hostaddr", "server", "data source"])?;
    let name = get(&["dbname", "database", "initial catalog"])?;
    let engine = if get(&["dbname"]).is_some() { "postgres" } else { "sqlserver" };
    let port = get(&["port"]).and_then(|port| port.parse().ok()).unwrap_or(if engine == "postgres" { 5432 } else { 1433 });
    let user = get(&["user", "user id", "uid", "username"]).map(str::to_owned);
    known(Database { engine, host: canonical_host(host), port, name: name.to_owned(), schema: None, user })
}

const HOSTS: &[&str] = &["host", "hostname", "server"];
const NAMES: &[&str] = &["name", "database", "db", "dbname", "database_name", "db_name"];
const ENGINES: &[(&str, &str, u16)] = &[
    ("postgres", "postgres", 5432),
    ("postgresql", "postgres", 5432),
    ("pg", "postgres", 5432),
    ("mysql", "mysql", 3306),
    ("mariadb", "mysql", 3306),
    ("mongo", "mongodb", 27017),
    ("mongodb", "mongodb", 27017),
    // The engine is not said: nearly always PostgreSQL, and the same for every service of a tree.
    ("database", "postgres", 5432),
    ("db", "postgres", 5432),
];

/// `database.host` with `database.name`, `DB_HOST` with `DB_NAME`, `PGHOST` with `PGDATABASE`.
fn from_parts(entries: &[Given<'_>]) -> Vec<(Database, Location)> {
    let mut found = Vec::new();
    for host in entries {
        let key = normal_key(host.key);
        let Some(prefix) = HOSTS.iter().find_map(|word| key.strip_suffix(word)) else { continue };
        let words: Vec<&str> = prefix.split('_').filter(|word| !word.is_empty()).collect();
        let Some((_, engine, default_port)) = ENGINES.iter().find(|(word, ..)| words.last() == Some(word)) else { continue };
        let get = |suffixes: &[&str]| {
            let named =
                |entry: &&Given<'_>| normal_key(entry.key).strip_prefix(prefix).is_some_and(|suffix| suffixes.contains(&suffix));
            entries.iter().find(named)
        };
        let Some(name) = get(NAMES) else { continue };
        let port = get(&["port"]).and_then(|port| port.value.parse().ok()).unwrap_or(*default_port);
        let schema = get(&["schema"]).map(|schema| schema.value.to_owned());
        let user = get(&["user", "username", "user_name"]).map(|user| user.value.to_owned());
        let database = Database { engine, host: canonical_host(host.value), port, name: name.value.to_owned(), schema, user };
        found.extend(known(database).map(|database| (database, name.at)));
    }
    found
}

/// A key in lower case, its parts joined by `_`.
fn normal_key(key: &str) -> String {
    key.to_ascii_lowercase().replace(['.', '-'], "_").replace("__", "_")
}

/// A key of its own that states the schema: `DB_SCHEMA`, `database.schema`.
fn stated_schema(entries: &[Given<'_>]) -> Option<String> {
    let is_schema = |entry: &&Given<'_>| {
        let key = normal_key(entry.key);
        key.strip_suffix("_schema").is_some_and(|prefix| ENGINES.iter().any(|(word, ..)| prefix.ends_with(word)))
    };
    entries.iter().find(is_schema).map(|entry| entry.value.to_owned())
}

/// The same machine by one name: all loopback names are `localhost`, a cluster's full names keep service and namespace.
fn canonical_host(host: &str) -> String {
    let host = host.to_ascii_lowercase();
    let host = host.trim_end_matches('.');
    match host {
        "127.0.0.1" | "[::1]" | "::1" | "0.0.0.0" => "localhost".to_owned(),
        _ => host.strip_suffix(".svc.cluster.local").or_else(|| host.strip_suffix(".svc")).unwrap_or(host).to_owned(),
    }
}

/// Only what is stated: no template, no `<placeholder>`. Variables stay: in one compose file they mean one value.
fn known(database: Database) -> Option<Database> {
    let stated = |text: &str| !text.is_empty() && !text.contains(['<', '%']) && !text.contains("{{") && !text.contains("$(");
    (stated(&database.host) && stated(&database.name)).then_some(database)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(entries: &[(&str, &str)]) -> Vec<String> {
        let entries: Vec<_> = entries.iter().map(|(key, value)| Given { key, value, at: Location::default() }).collect();
        let shown = databases(&entries).into_iter().map(|(found, _)| {
            let schema = found.schema.map(|schema| format!("#{schema}")).unwrap_or_default();
            format!("{} {}:{}/{}{schema}", found.engine, found.host, found.port, found.name)
        });
        shown.collect()
    }

    #[test]
    fn forms() {
        for (entries, expected) in [
            (&[("URL", "postgres://u:p@db/shop")][..], &["postgres db:5432/shop"][..]),
            (&[("URL", "postgresql://127.0.0.1:6000/shop?sslmode=disable")], &["postgres localhost:6000/shop"]),
            (&[("URL", "jdbc:mysql://DB.internal:3306/shop")], &["mysql db.internal:3306/shop"]),
            (&[("URL", "mongodb+srv://u:p@a.example.net,b.example.net/shop?w=1")], &["mongodb a.example.net:27017/shop"]),
            (&[("URL", "postgres://db.data.svc.cluster.local/shop")], &["postgres db.data:5432/shop"]),
            (&[("URL", "postgres://db/shop?options=-c%20search_path%3Dorders")], &["postgres db:5432/shop#orders"]),
            (&[("URL", "postgres://db/shop"), ("DB_SCHEMA", "orders")], &["postgres db:5432/shop#orders"]),
            (&[("DSN", "host=db port=6000 dbname=shop user=u")], &["postgres db:6000/shop"]),
            (&[("C", "Server=db;Database=shop;User Id=u")], &["sqlserver db:1433/shop"]),
            (&[("database.host", "db"), ("database.name", "shop")], &["postgres db:5432/shop"]),
            (&[("ORDERS__DB__HOST", "db"), ("ORDERS__DB__NAME", "shop")], &["postgres db:5432/shop"]),
            (&[("MYSQL_HOST", "db"), ("MYSQL_DATABASE", "shop"), ("MYSQL_PORT", "1")], &["mysql db:1/shop"]),
            (&[("PGHOST", "db"), ("PGDATABASE", "shop")], &["postgres db:5432/shop"]),
            (&[("URL", "sqlite://../shared/shop.db?mode=rwc")], &["sqlite :0/../shared/shop.db"]),
            // Not known, or not shared.
            (&[("URL", "sqlite:data/shop.db"), ("P", "sqlite::memory:"), ("A", "/data/shop.db")], &[]),
            (&[("URL", "postgres://<host>/shop"), ("V", "postgres://$(HOST)/shop"), ("W", "postgres://db/")], &[]),
            (&[("URL", "redis://cache/0"), ("HTTP", "http://db/shop"), ("X", "host=db")], &[]),
            (&[("server.host", "0.0.0.0"), ("server.name", "orders")], &[]),
        ] {
            assert_eq!(read(entries), expected, "{entries:?}");
        }
    }
}
