use axum::Router;
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::prelude::*;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    start_log();
    web::serve(Router::new()).await
}

fn start_log() {
    let file = RollingFileAppender::builder().rotation(Rotation::HOURLY).build("logs").expect("a folder");
    let lines = tracing_subscriber::fmt::layer().json().with_writer(file);
    tracing_subscriber::registry().with(lines).init();
}
