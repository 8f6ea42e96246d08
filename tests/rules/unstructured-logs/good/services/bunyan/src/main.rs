use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use tracing_subscriber::prelude::*;
    let lines = tracing_bunyan_formatter::BunyanFormattingLayer::new("bunyan".to_owned(), std::io::stdout);
    tracing_subscriber::registry().with(tracing_subscriber::fmt::layer()).with(lines).init();
    web::serve(Router::new()).await
}
