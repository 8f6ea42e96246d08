use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().json().init();
    acme::prepare();
    web::serve(Router::new()).await
}
