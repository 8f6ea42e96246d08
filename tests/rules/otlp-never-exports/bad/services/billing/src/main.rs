use axum::Router;
use opentelemetry_otlp::{LogExporter, WithExportConfig};
use opentelemetry_sdk::logs::{BatchLogProcessor, SdkLoggerProvider};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let processor = BatchLogProcessor::builder(exporter()).build();
    let _provider = SdkLoggerProvider::builder().with_log_processor(processor).build();
    web::serve(Router::new()).await
}

fn exporter() -> LogExporter {
    LogExporter::builder().with_http().with_endpoint("http://collector:4318/v1/logs").build().expect("a client")
}
