mod json_log;
mod settings;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

use clap::{Parser, Subcommand};

#[derive(Parser)]
struct Options {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve,
    Report(Report),
    Prune { prune: Prune },
}

#[derive(clap::Args)]
struct Report {}

impl Report {
    fn execute(self) {
        println!("1 order");
    }
}

#[derive(clap::Args)]
struct Prune {}

impl Prune {
    fn execute(self) {
        println!("nothing to prune");
    }
}

#[tokio::main]
async fn main() {
    let (options, level) = arguments();
    println!("log level {level}");
    json_log::init_logging(&level);
    std::panic::set_hook(Box::new(|panic| eprintln!("{panic}")));
    let Ok(port) = std::env::var("PORT") else {
        explain("PORT");
        std::process::exit(2);
    };
    let done = match options.command {
        Command::Serve => serve(&port).await,
        Command::Report(report) => Ok(report.execute()),
        Command::Prune { prune } => Ok(prune.execute()),
    };
    if let Err(error) = done {
        eprintln!("{error}");
    }
}

fn arguments() -> (Options, String) {
    (Options::parse(), std::env::var("LEVEL").unwrap_or_default())
}

async fn serve(port: &str) -> std::io::Result<()> {
    banner(port);
    settings::check(port);
    prepare();
    #[cfg(feature = "debug-inventory")]
    {
        println!("serving at {port}");
    }
    if std::env::var_os("SHOW").is_some() {
        println!("starting at {port}");
    } else {
        tracing::info!(port, "starting");
    }
    if cfg!(debug_assertions) {
        println!("built for development");
    }
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

fn prepare() {
    let _ = tracing_subscriber::fmt().try_init().inspect_err(|error| eprintln!("{error}"));
}

/// Before the process ends, and only then.
fn explain(name: &str) {
    eprintln!("{name} is not set");
}

/// For whoever started it in a terminal.
fn banner(port: &str) {
    println!("orders");
    println!("------");
    println!("listens at {port}");
}

async fn list() -> String {
    String::new()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

#[cfg(test)]
mod tests {
    #[test]
    fn prints() {
        println!("in a test");
    }
}
