use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use tracing_subscriber::prelude::*;
    let provider = opentelemetry_sdk::trace::SdkTracerProvider::builder().build();
    tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).init();
    drop(provider);
    web::serve(Router::new()).await
}
