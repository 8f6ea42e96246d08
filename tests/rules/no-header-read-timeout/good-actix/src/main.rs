use std::time::Duration;

use actix_web::middleware::from_fn;
use actix_web::{App, Error, HttpServer, body, dev, error, middleware, web};

/// Has a limit of its own: 5 s.
#[actix_web::main]
async fn main() -> std::io::Result<()> {
    let app = || {
        App::new()
            .wrap(from_fn(limited))
            .route("/v1/orders", web::get().to(|| async { "none" }))
            .route("/healthz", web::get().to(|| async { "ok" }))
    };
    HttpServer::new(app).bind(("0.0.0.0", 8080))?.run().await
}

async fn limited(
    request: dev::ServiceRequest,
    next: middleware::Next<impl body::MessageBody>,
) -> Result<dev::ServiceResponse<impl body::MessageBody>, Error> {
    tokio::time::timeout(Duration::from_secs(5), next.call(request)).await.map_err(error::ErrorGatewayTimeout)?
}
