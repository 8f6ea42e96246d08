use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use http::{Client, ClientBuilder};
use openssl::ssl::{SslAcceptor, SslMethod, SslVerifyMode};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use tower_http::timeout::TimeoutLayer;

const LIMIT: Duration = Duration::from_secs(5);

pub struct Options {
    pub insecure: bool,
    pub mode: Mode,
}

pub enum Mode {
    Verified,
    Insecure,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, LIMIT));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn list() -> String {
    let options = Options { insecure: std::env::args().count() > 1, mode: Mode::Verified };
    let plain = Client::builder().timeout(LIMIT).danger_accept_invalid_certs(false).build().unwrap();
    let chosen = Client::builder().timeout(LIMIT).danger_accept_invalid_certs(options.insecure).build().unwrap();
    let mut conditional = builder();
    if options.insecure {
        conditional = conditional.danger_accept_invalid_certs(true);
    }
    let by_mode = match options.mode {
        Mode::Verified => builder(),
        Mode::Insecure => builder().danger_accept_invalid_hostnames(true),
    };
    let helped = if options.insecure { trusting() } else { builder() };
    let debug = if cfg!(debug_assertions) { builder().danger_accept_invalid_certs(true) } else { builder() };
    let insecure = builder().danger_accept_invalid_certs(true).build();
    let named = if std::env::args().count() > 2 { insecure.unwrap() } else { plain };
    // A server that asks for no client certificate.
    let mut acceptor = SslAcceptor::mozilla_modern(SslMethod::tls()).unwrap();
    acceptor.set_verify(SslVerifyMode::NONE);
    format!("{chosen:?} {conditional:?} {by_mode:?} {helped:?} {debug:?} {named:?} {:?} {:?}", early(&options), pinned())
}

fn builder() -> ClientBuilder {
    Client::builder().timeout(LIMIT)
}

fn trusting() -> ClientBuilder {
    builder().danger_accept_invalid_certs(true)
}

fn early(options: &Options) -> ClientBuilder {
    if !options.insecure {
        return builder();
    }
    builder().danger_accept_invalid_certs(true)
}

/// Knows its server's certificate.
#[derive(Debug)]
struct Pinned(Vec<u8>);

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(&self, end_entity: &[u8], _: &[u8]) -> Result<ServerCertVerified, rustls::Error> {
        if end_entity == self.0 {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("another certificate".to_owned()))
    }
}

fn pinned() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Pinned(vec![1])))
        .with_no_client_auth()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}
