use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use tracing_subscriber::fmt::writer::MakeWriterExt;
    let file = tracing_appender::rolling::hourly("logs", "orders.log");
    tracing_subscriber::fmt().with_writer(std::io::stdout.and(file)).init();
    web::serve(Router::new()).await
}
