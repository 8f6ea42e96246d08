mod clients;

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::get;
use clients::api::stock_client::StockClient;
use clients::stopped;
use tonic::transport::Channel;
use tower_http::timeout::TimeoutLayer;

#[derive(Clone)]
struct App {
    client: reqwest::Client,
    billing: String,
    stock: StockClient<Channel>,
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let billing = std::env::var("BILLING_URL").expect("BILLING_URL");
    let app = App { client: clients::http(), billing, stock: clients::stock() };
    let routes = Router::new()
        .route("/v1/bills", get(bills))
        .route("/v1/debts", get(debts))
        .route("/v1/stock", get(stock).put(count))
        .route("/v1/rates", get(rates).put(fix_rates))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)))
        .with_state(app);
    let listener = tokio::net::TcpListener::bind("0.0.0.0:8080").await?;
    axum::serve(listener, routes).with_graceful_shutdown(stopped()).await
}

async fn bills(State(app): State<App>) -> Result<String, StatusCode> {
    ask(&app, "bills").await.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn debts(State(app): State<App>) -> Result<String, StatusCode> {
    ask(&app, "debts").await.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn ask(app: &App, what: &str) -> reqwest::Result<String> {
    app.client.get(format!("{}/v1/{what}", app.billing)).send().await?.text().await
}

async fn stock(State(mut app): State<App>) -> Result<String, StatusCode> {
    let answer = app.stock.count(clients::api::Query::default()).await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    Ok(answer.into_inner().count.to_string())
}

async fn count(State(mut app): State<App>) -> Result<(), StatusCode> {
    app.stock.recount(clients::api::Query::default()).await.map(drop).map_err(|_| StatusCode::BAD_GATEWAY)
}

static RATES: std::sync::LazyLock<reqwest::Client> = std::sync::LazyLock::new(|| {
    reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("an HTTP client")
});

async fn rates() -> Result<String, StatusCode> {
    let url = std::env::var("RATES_URL").map_err(|_| StatusCode::NOT_FOUND)?;
    let answer = RATES.get(url).send().await.map_err(|_| StatusCode::BAD_GATEWAY)?;
    answer.text().await.map_err(|_| StatusCode::BAD_GATEWAY)
}

async fn fix_rates() -> Result<(), StatusCode> {
    let url = std::env::var("RATES_URL").map_err(|_| StatusCode::NOT_FOUND)?;
    RATES.put(url).send().await.map(drop).map_err(|_| StatusCode::BAD_GATEWAY)
}
