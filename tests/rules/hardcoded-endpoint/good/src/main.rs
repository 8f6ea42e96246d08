use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tower_http::timeout::TimeoutLayer;

/// See http://inventory:8080/docs.
const COLLECTOR: &str = "http://localhost:4317";
const PAYMENTS: &str = "https://api.payments.example.com/v1";

struct Config {
    inventory: String,
    prices: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { inventory: "http://localhost:8081".to_owned(), prices: variable("PRICES_URL", "http://prices:8082") }
    }
}

/// Sent to a store of settings.
struct Issuer {
    directory: String,
}

async fn register(client: &reqwest::Client) -> Result<(), reqwest::Error> {
    let issuer = Issuer {
        #[cfg(not(feature = "dev_mode"))]
        directory: std::env::var("DIRECTORY").unwrap_or_default(),
        #[cfg(feature = "dev_mode")]
        directory: "http://localhost:14000/dir".to_owned(),
    };
    client.get(&issuer.directory).send().await.map(drop)
}

fn variable(name: &str, default: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| default.to_owned())
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let origin = "http://localhost:3000".parse::<axum::http::HeaderValue>()?;
    let cors = tower_http::cors::CorsLayer::new().allow_origin(origin);
    tracing_to(COLLECTOR).await?;
    let _ = cors;
    tokio::spawn(async { fetch().await.is_ok() });
    let app = Router::new()
        .route("/v1/orders", get(list))
        .route("/healthz", get(|| async { "ok" }))
        .layer(TimeoutLayer::with_status_code(StatusCode::GATEWAY_TIMEOUT, Duration::from_secs(5)));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:8080").await?;
    axum::serve(listener, app).with_graceful_shutdown(stopped()).await?;
    Ok(())
}

async fn tracing_to(agent: &'static str) -> Result<(), Box<dyn std::error::Error>> {
    tonic::transport::Endpoint::from_static(agent).connect().await?;
    Ok(())
}

async fn list() -> String {
    "http://inventory:8080 knows more".to_owned()
}

async fn fetch() -> Result<String, Box<dyn std::error::Error>> {
    let config = Config::default();
    let stock = std::env::var("STOCK_URL").unwrap_or("http://stock:8080".to_owned());
    let rates = match std::env::var("RATES_URL") {
        Ok(url) => url,
        Err(_) => "http://rates:8080".to_owned(),
    };
    let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build()?;
    for url in [&config.inventory, &config.prices, &stock, &rates, PAYMENTS, "http://169.254.169.254/latest"] {
        client.get(url).send().await?;
    }
    client.get(stock).send().await?;
    register(&client).await?;
    client.get(config.inventory).send().await?;
    Ok(client.post(PAYMENTS).send().await?.text().await?)
}

async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn asks() {
        let _ = reqwest::get("http://inventory:8080").await;
    }
}
