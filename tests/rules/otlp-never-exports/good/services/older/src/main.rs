use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build().expect("a client");
    let _provider = opentelemetry_sdk::trace::TracerProvider::builder()
        .with_batch_exporter(exporter, opentelemetry_sdk::runtime::Tokio)
        .build();
    web::serve(Router::new()).await
}
