use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let builder = opentelemetry_otlp::SpanExporter::builder().with_http().with_http_client(acme_http::client());
    let exporter = builder.build().expect("an exporter");
    let _provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_batch_exporter(exporter).build();
    web::serve(Router::new()).await
}
