use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    if let Ok(folder) = std::env::var("LOG_DIR") {
        tracing_subscriber::fmt().with_writer(tracing_appender::rolling::daily(folder, "asked.log")).init();
    }
    web::serve(Router::new()).await
}
