use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use opentelemetry_sdk::trace::span_processor_with_async_runtime::BatchSpanProcessor;
    let exporter = opentelemetry_otlp::SpanExporter::builder().with_http().build().expect("a client");
    let processor = BatchSpanProcessor::builder(exporter, opentelemetry_sdk::runtime::Tokio).build();
    let _provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().with_span_processor(processor).build();
    web::serve(Router::new()).await
}
