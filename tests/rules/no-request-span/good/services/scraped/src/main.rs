use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().init();
    web::serve(Router::new().route("/metrics", get(metrics))).await
}

async fn metrics() -> String {
    tracing::error!("no metrics yet");
    String::new()
}
