use std::sync::OnceLock;

use axum::Router;

static LOGGER: OnceLock<()> = OnceLock::new();

#[tokio::main]
async fn main() -> std::io::Result<()> {
    LOGGER.get_or_init(env_logger::init);
    log::info!("starting");
    web::serve(Router::new()).await
}
