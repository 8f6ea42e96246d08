use axum::Router;
use opentelemetry_otlp::{SpanExporter, WithExportConfig};

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let exporter = SpanExporter::builder().with_tonic().with_endpoint("https://collector.example.com:4317").build().expect("a channel");
    let _provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    web::serve(Router::new()).await
}
