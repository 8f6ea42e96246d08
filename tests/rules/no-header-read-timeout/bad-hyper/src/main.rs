mod app;

use app::{routes, stopped};

#[tokio::main]
async fn main() -> hyper::Result<()> {
    let address = ([0, 0, 0, 0], 8080).into();
    axum::Server::bind(&address).serve(routes().into_make_service()).with_graceful_shutdown(stopped()).await
}
