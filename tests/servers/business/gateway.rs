//! What a customer wants: it must be in the catalog, and is ordered.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use chassis::config::ConfigError;
use chassis::problem::Problem;
use chassis_rest::extract::Json;

use crate::Config;
use crate::clients::{catalog, orders};

#[derive(Clone)]
pub struct Shop {
    catalog: catalog::Client,
    orders: orders::Client,
}

impl Shop {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            catalog: catalog::Client::new(config)?,
            orders: orders::Client::new(config)?,
        })
    }
}

pub fn router(shop: Shop) -> Router {
    Router::new().route("/v1/orders", post(place)).with_state(shop)
}

async fn place(
    State(shop): State<Shop>,
    Json(wanted): Json<orders::Item>,
) -> Result<(StatusCode, axum::Json<orders::Item>), Problem> {
    shop.catalog.items().await?;
    let placed = shop.orders.send(&wanted).await?;
    Ok((StatusCode::CREATED, axum::Json(placed)))
}
