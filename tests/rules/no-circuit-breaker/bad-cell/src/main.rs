mod clients;

use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use clients::api::Query;
use clients::api::stock_client::StockClient;
use clients::stopped;
use tokio::sync::OnceCell;
use tokio::time::timeout;
use tonic::transport::{Channel, Endpoint, Error};
use tower_http::timeout::TimeoutLayer;

const PATIENCE: Duration = Duration::from_secs(1);

static STOCK: OnceCell<StockClient<Channel>> = OnceCell::const_new();

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let routes = Router::new()
        .route("/v1/stock", get(stock).put(count))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

async fn client() -> Result<StockClient<Channel>, Error> {
    let endpoint = Endpoint::from_shared(std::env::var("STOCK_URL").unwrap_or_default())?.timeout(PATIENCE);
    let connect = || StockClient::connect(endpoint);
    STOCK.get_or_try_init(connect).await.cloned()
}

async fn stock() -> Result<String, StatusCode> {
    let mut stock = client().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let answer = timeout(PATIENCE, stock.count(Query::default())).await.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
    Ok(answer.map_err(|_| StatusCode::BAD_GATEWAY)?.into_inner().count.to_string())
}

async fn count() -> Result<(), StatusCode> {
    let mut stock = client().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    let answer = timeout(PATIENCE, stock.recount(Query::default())).await.map_err(|_| StatusCode::GATEWAY_TIMEOUT)?;
    answer.map(drop).map_err(|_| StatusCode::BAD_GATEWAY)
}
