use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use http::Client;
use openssl::ssl::{SslConnector, SslMethod, SslVerifyMode};
use rustls::client::danger::{ServerCertVerified, ServerCertVerifier};
use tower_http::timeout::TimeoutLayer;

const LIMIT: Duration = Duration::from_secs(5);

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
    let client = Client::builder().timeout(LIMIT).danger_accept_invalid_certs(true).build().unwrap();
    let any = true;
    let other = Client::builder().timeout(LIMIT).danger_accept_invalid_hostnames(any).build().unwrap();
    let tls = mongodb::options::TlsOptions::builder().allow_invalid_certificates(Some(true)).build();
    let mut connector = SslConnector::builder(SslMethod::tls()).unwrap();
    connector.set_verify(SslVerifyMode::NONE);
    let config = trusting();
    format!("{client:?} {other:?} {tls:?} {config:?}")
}

/// A verifier that verifies nothing, whatever it is called.
#[derive(Debug)]
struct Verifier;

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(&self, _: &[u8], _: &[u8]) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }
}

fn trusting() -> rustls::ClientConfig {
    rustls::ClientConfig::builder()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Verifier))
        .with_no_client_auth()
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}
