use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use opentelemetry_otlp::{WithExportConfig, WithTonicConfig};
    let tls = tonic::transport::ClientTlsConfig::new().with_enabled_roots();
    let exporter = opentelemetry_otlp::SpanExporter::builder()
        .with_tonic()
        .with_endpoint("https://collector.example.com:4317")
        .with_tls_config(tls)
        .build()
        .expect("a channel");
    let _provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    web::serve(Router::new()).await
}
