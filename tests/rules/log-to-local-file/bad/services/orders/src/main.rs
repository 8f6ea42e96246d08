use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let (file, _guard) = tracing_appender::non_blocking(tracing_appender::rolling::daily("logs", "orders.log"));
    tracing_subscriber::fmt().with_writer(file).init();
    web::serve(Router::new()).await
}
