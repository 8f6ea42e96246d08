//! What the service does with each event of `«consumes»`. Put your own here.
//!
//% if store == "none"
//! An event may come more than once: whatever is done here must be right when it is done again. To read a log line twice
//! is. What is not, such as to charge a card, needs a store whose inbox knows what was handled.
//% else
//! An event may come more than once. What it changes is stored with its id in one transaction, so it changes that once.
//% endif

use chassis_messaging::consumer::{Handled, Handler, HandlerError};
use chassis_messaging::message::Message;
use serde::Deserialize;

//% if store != "none"
use crate::store::Store;

//% endif
/// What an event says of an item, as far as it matters here. It may say more.
#[derive(Debug, Deserialize)]
pub struct Item {
    pub id: i64,
    /// Of an item that is there no more nothing is said.
    #[serde(default)]
    pub quantity: u32,
}

//% if store == "none"
/// Tells the log.
pub struct Events;

impl Handler for Events {
    async fn handle(&self, message: &Message) -> Result<Handled, HandlerError> {
        let item = item(message)?;
        tracing::info!(item = item.id, quantity = item.quantity, "heard of an item");
        Ok(Handled::Now)
    }
}
//% else
/// Counts them in the store.
pub struct Events {
    store: Store,
}

impl Events {
    pub fn new(store: Store) -> Self {
        Self { store }
    }
}

impl Handler for Events {
    async fn handle(&self, message: &Message) -> Result<Handled, HandlerError> {
        let item = item(message)?;
        let stored = self
            .store
            .count(&message.id, &message.kind, item.quantity)
            .await;
        // Whatever is wrong with the store, the next attempt may find it well.
        stored.map_err(|error| HandlerError::NotNow(error.into()))
    }
}
//% endif

/// One that cannot be read now cannot be read later.
fn item(message: &Message) -> Result<Item, HandlerError> {
    message
        .json()
        .map_err(|error| HandlerError::Never(error.into()))
}
