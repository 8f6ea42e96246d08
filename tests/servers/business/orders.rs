//! What a customer wants: it must be in stock, it is sent, and then it is an order.

use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::routing::post;
use chassis::config::ConfigError;
use chassis::problem::Problem;
use chassis_rest::extract::Json;

use crate::Config;
use crate::clients::{inventory, shipping};
use crate::store::{Draft, Item, Store};

#[derive(Clone)]
pub struct Shop {
    inventory: inventory::Client,
    shipping: shipping::Client,
    store: Store,
}

impl Shop {
    pub fn new(config: &Config, store: Store) -> Result<Self, ConfigError> {
        Ok(Self {
            inventory: inventory::Client::new(config)?,
            shipping: shipping::Client::new(config)?,
            store,
        })
    }
}

pub fn router(shop: Shop) -> Router {
    Router::new().route("/v1/orders", post(place)).with_state(shop)
}

async fn place(
    State(shop): State<Shop>,
    Json(draft): Json<Draft>,
) -> Result<(StatusCode, axum::Json<Item>), Problem> {
    shop.inventory.items().await?;
    let parcel = shipping::Item {
        name: draft.name.clone(),
        quantity: draft.quantity,
    };
    shop.shipping.send(&parcel).await?;
    Ok((StatusCode::CREATED, axum::Json(shop.store.create(&draft).await?)))
}
