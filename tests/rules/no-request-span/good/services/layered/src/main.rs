use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().init();
    web::serve(Router::new().layer(tower_http::trace::TraceLayer::new_for_http())).await
}
