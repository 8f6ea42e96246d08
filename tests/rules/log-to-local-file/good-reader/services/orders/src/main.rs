use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::fmt().with_writer(tracing_appender::rolling::daily("/var/log/orders", "orders.log")).init();
    web::serve(Router::new()).await
}
