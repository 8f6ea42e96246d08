use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let client = reqwest::Client::new();
    let exporter = opentelemetry_otlp::MetricExporter::builder().with_http().with_http_client(client).build().expect("an exporter");
    let _provider = opentelemetry_sdk::metrics::SdkMeterProvider::builder().with_periodic_exporter(exporter).build();
    web::serve(Router::new()).await
}
