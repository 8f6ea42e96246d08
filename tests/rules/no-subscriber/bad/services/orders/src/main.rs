mod telemetry;

use axum::Router;
use axum::routing::get;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing::info!("starting");
    web::serve(Router::new().route("/v1/orders", get(list))).await
}

async fn list() -> String {
    tracing::debug!("listed");
    String::new()
}

#[cfg(test)]
mod tests {
    #[test]
    fn logs() {
        tracing_subscriber::fmt().init();
        super::telemetry::init();
    }
}
