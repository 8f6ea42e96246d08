use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use tracing_subscriber::prelude::*;
    let provider = opentelemetry_sdk::logs::SdkLoggerProvider::builder().build();
    let sent = opentelemetry_appender_tracing::layer::OpenTelemetryTracingBridge::new(&provider);
    let file = tracing_subscriber::fmt::layer().with_writer(tracing_appender::rolling::never("logs", "audit.log"));
    tracing_subscriber::registry().with(file).with(sent).init();
    web::serve(Router::new()).await
}
