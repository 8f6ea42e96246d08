//! A workspace of any size that looks like backend code, the same bytes for the same knobs.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::Path;

/// What to generate.
#[derive(Clone, Copy, Debug)]
pub struct Knobs {
    pub services: usize,
    /// Lines of Rust in each, about.
    pub lines: usize,
    pub seed: u64,
}

/// Writes the workspace below `root`, which must be empty.
pub fn write(root: &Path, knobs: Knobs) -> io::Result<()> {
    let mut random = Random(knobs.seed | 1);
    put(root, "Cargo.toml", "[workspace]\nresolver = \"3\"\nmembers = [\"services/*\", \"crates/*\"]\n")?;
    put(root, "crates/shared/Cargo.toml", &manifest("shared", ""))?;
    put(root, "crates/shared/src/lib.rs", SHARED)?;
    let mut lock = String::from("version = 4\n");
    for (name, version) in
        [("axum", "0.8.9"), ("reqwest", "0.13.1"), ("sqlx", "0.9.0"), ("tokio", "1.48.0"), ("tracing", "0.1.41")]
    {
        writeln!(lock, "\n[[package]]\nname = \"{name}\"\nversion = \"{version}\"").expect("strings take text");
    }
    put(root, "Cargo.lock", &lock)?;
    for index in 0..knobs.services {
        service(root, index, knobs.lines, &mut random)?;
    }
    Ok(())
}

fn service(root: &Path, index: usize, lines: usize, random: &mut Random) -> io::Result<()> {
    let name = format!("service-{index}");
    let at = |file: &str| format!("services/{name}/{file}");
    put(root, &at("Cargo.toml"), &manifest(&name, DEPENDENCIES))?;
    put(root, &at("Dockerfile"), &DOCKERFILE.replace("NAME", &name))?;
    put(root, &at("deploy.yaml"), &DEPLOYMENT.replace("NAME", &name))?;
    put(root, &at(".env"), &format!("DATABASE_URL=postgres://{name}@db-{index}/{name}\nRUST_LOG=info\n"))?;

    let per_module = 400;
    let modules = (lines / per_module).max(1);
    let mut main = String::new();
    for module in 0..modules {
        writeln!(main, "mod part_{module};").expect("strings take text");
    }
    main.push_str(MAIN);
    put(root, &at("src/main.rs"), &main)?;
    for module in 0..modules {
        put(root, &at(&format!("src/part_{module}.rs")), &part(per_module, random))?;
    }
    Ok(())
}

/// About `lines` lines of handlers, clients, matches and plain code, in changing order.
fn part(lines: usize, random: &mut Random) -> String {
    let mut text = String::from(IMPORTS);
    let mut number = 0;
    while text.lines().count() < lines {
        let template = SHAPES[random.below(SHAPES.len())];
        text.push_str(&template.replace("NUMBER", &number.to_string()).replace("VALUE", &random.below(1_000_000).to_string()));
        number += 1;
    }
    text
}

fn manifest(name: &str, dependencies: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[dependencies]\n{dependencies}")
}

fn put(root: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = root.join(path);
    fs::create_dir_all(path.parent().expect("files stand in directories"))?;
    fs::write(path, text)
}

/// xorshift64: the figures must not hang on a crate's generator changing.
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % bound as u64).expect("a bound fits")
    }
}

const DEPENDENCIES: &str = "axum = \"0.8\"\nreqwest = \"0.13\"\nshared = { path = \"../../crates/shared\" }\nsqlx = { version = \"0.9\", features = [\"postgres\"] }\ntokio = \"1\"\ntracing = \"0.1\"\n";

const SHARED: &str = r#"
pub fn client() -> reqwest::Client {
    reqwest::Client::builder().timeout(std::time::Duration::from_secs(2)).build().expect("a client")
}
"#;

const MAIN: &str = r#"
use axum::{Router, routing::get};

#[tokio::main]
async fn main() {
    tracing_subscriber::fmt().json().init();
    let router = Router::new().route("/v1/items", get(part_0::handler_0)).route("/healthz", get(|| async { "ok" }));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await.expect("a free port");
    axum::serve(listener, router).with_graceful_shutdown(async { tokio::signal::ctrl_c().await.ok(); }).await.expect("a server");
}
"#;

const IMPORTS: &str = r#"use std::collections::HashMap;
use std::time::Duration;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::Json;
use shared::client;

pub async fn handler_0() -> &'static str { "ok" }
"#;

const SHAPES: &[&str] = &[
    r#"
/// Looks an item up.
pub async fn find_NUMBER(State(pool): State<sqlx::PgPool>, Path(id): Path<i64>) -> Result<Json<HashMap<String, i64>>, StatusCode> {
    let row: Option<(i64,)> = sqlx::query_as("SELECT id FROM items WHERE id = $1 AND kind = VALUE")
        .bind(id)
        .fetch_optional(&pool)
        .await
        .map_err(|error| {
            tracing::error!(%error, "query failed");
            StatusCode::INTERNAL_SERVER_ERROR
        })?;
    match row {
        Some((id,)) => Ok(Json(HashMap::from([("id".to_owned(), id)]))),
        None => Err(StatusCode::NOT_FOUND),
    }
}
"#,
    r#"
pub async fn call_NUMBER(name: &str) -> Result<String, reqwest::Error> {
    let client = client();
    let mut attempt = 0;
    loop {
        let answer = client.get(format!("http://inventory/v1/items/{name}")).header("x-request-id", "VALUE").send().await;
        match answer {
            Ok(answer) => return answer.error_for_status()?.text().await,
            Err(error) if attempt < 3 && error.is_timeout() => attempt += 1,
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(50 << attempt)).await;
    }
}
"#,
    r#"
#[derive(Clone, Debug, PartialEq)]
pub struct Order_NUMBER {
    pub id: u64,
    pub lines: Vec<(String, u32)>,
    pub note: Option<String>,
}

impl Order_NUMBER {
    pub fn total(&self, prices: &HashMap<String, u64>) -> u64 {
        self.lines.iter().map(|(name, count)| prices.get(name).copied().unwrap_or(VALUE) * u64::from(*count)).sum()
    }

    pub fn describe(&self) -> String {
        let note = self.note.as_deref().unwrap_or("no note");
        if self.lines.is_empty() { format!("order {} is empty: {note}", self.id) } else { format!("order {}: {note}", self.id) }
    }
}
"#,
    r#"
#[cfg(test)]
mod tests_NUMBER {
    #[test]
    fn adds_up() {
        let values: Vec<u64> = (0..VALUE % 100).collect();
        assert_eq!(values.iter().sum::<u64>(), values.iter().rev().sum());
    }
}
"#,
];

const DOCKERFILE: &str = r#"FROM rust:1.95.0-slim-trixie AS build
WORKDIR /src
COPY . .
RUN cargo build --release --locked -p NAME
FROM gcr.io/distroless/cc-debian13:nonroot
COPY --from=build /src/target/release/NAME /usr/local/bin/NAME
USER 65532
ENTRYPOINT ["/usr/local/bin/NAME"]
"#;

const DEPLOYMENT: &str = r#"apiVersion: apps/v1
kind: Deployment
metadata:
  name: NAME
spec:
  selector:
    matchLabels: { app: NAME }
  template:
    metadata:
      labels: { app: NAME }
    spec:
      containers:
        - name: NAME
          image: registry.example/NAME:1.0.0
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /healthz, port: http } }
          livenessProbe: { httpGet: { path: /healthz, port: http } }
          env:
            - { name: DATABASE_URL, valueFrom: { secretKeyRef: { name: NAME, key: url } } }
"#;
