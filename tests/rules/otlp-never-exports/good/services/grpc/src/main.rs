use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use opentelemetry_otlp::WithExportConfig;
    let builder = opentelemetry_otlp::SpanExporter::builder().with_tonic().with_endpoint("https://collector.example.com:4317");
    let exporter = builder.build().expect("a channel");
    let _provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    web::serve(Router::new()).await
}
