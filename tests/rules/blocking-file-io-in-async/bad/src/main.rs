use std::fs;
use std::io::Write;
use std::time::Duration;

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let app = Router::new()
        .route("/v1/invoices/{id}", get(invoice).put(keep))
        .route("/v1/reports/{id}", get(report))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await
}

async fn invoice(Path(id): Path<u64>) -> Result<Vec<u8>, StatusCode> {
    std::fs::read(format!("/data/invoices/{id}.pdf")).map_err(|_| StatusCode::NOT_FOUND)
}

async fn keep(Path(id): Path<u64>, body: String) -> Result<(), StatusCode> {
    write(id, &body).map_err(|_| StatusCode::INSUFFICIENT_STORAGE)
}

fn write(id: u64, body: &str) -> std::io::Result<()> {
    fs::create_dir_all("/data/invoices")?;
    let mut file = fs::File::create(format!("/data/invoices/{id}.pdf"))?;
    file.write_all(body.as_bytes())
}

async fn report(Path(id): Path<u64>) -> Result<String, StatusCode> {
    let reports = Reports { folder: "/data/reports".to_owned() };
    reports.find(id).await
}

struct Reports {
    folder: String,
}

impl Reports {
    async fn find(&self, id: u64) -> Result<String, StatusCode> {
        fs::read_to_string(format!("{}/{id}.csv", self.folder)).map_err(|_| StatusCode::NOT_FOUND)
    }
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}
