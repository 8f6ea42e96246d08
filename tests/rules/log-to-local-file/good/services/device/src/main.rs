use std::fs::OpenOptions;
use std::sync::Mutex;

use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let console = OpenOptions::new().write(true).open("/dev/stdout")?;
    tracing_subscriber::fmt().with_writer(Mutex::new(console)).init();
    web::serve(Router::new()).await
}
