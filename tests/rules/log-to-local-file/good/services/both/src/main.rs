use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use tracing_subscriber::prelude::*;
    let (file, _guard) = tracing_appender::non_blocking(tracing_appender::rolling::daily("logs", "orders.log"));
    let to_file = tracing_subscriber::fmt::layer().with_writer(file);
    tracing_subscriber::registry().with(to_file).with(tracing_subscriber::fmt::layer().json()).init();
    web::serve(Router::new()).await
}
