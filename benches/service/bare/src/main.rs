//! Axum alone. Listens where `BARE_PORT` says.

use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};

#[derive(Deserialize, Serialize)]
struct Echo {
    message: String,
}

#[tokio::main]
async fn main() {
    let port = std::env::var("BARE_PORT").expect("BARE_PORT is set");
    let app = Router::new()
        .route("/v1/echo", post(async |Json(echo): Json<Echo>| Json(echo)))
        .route("/v1/fixed", get(async || Json(Echo { message: "hello".to_owned() })));
    let listener = tokio::net::TcpListener::bind(format!("127.0.0.1:{port}")).await.expect("the port is free");
    axum::serve(listener, app).await.expect("the server runs");
}
