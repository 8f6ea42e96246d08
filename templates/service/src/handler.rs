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
//% if items_calls
use chassis_outbound::{Answer, CallError};
//% elif calls
use chassis_outbound::CallError;
//% endif
use serde::Deserialize;

//% if calls
use crate::clients::Clients;
//% for callee in calls
//% if callee.api == "echo"
use crate::clients::example_callee;
//% endif
//% endfor
//% endif
//% if store != "none"
use crate::store::Store;
//% endif
//% if calls or store != "none"

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
//% if calls
pub struct Events {
    pub clients: Clients,
}
//% else
pub struct Events;
//% endif

impl Handler for Events {
    async fn handle(&self, message: &Message) -> Result<Handled, HandlerError> {
        let item = item(message)?;
        tracing::info!(item = item.id, quantity = item.quantity, "heard of an item");
        //% if calls
        // Whatever is wrong with who is called, the next attempt may find it well.
        let asked = ask(&self.clients, &item).await;
        asked.map_err(|error| HandlerError::NotNow(error.into()))?;
        //% endif
        Ok(Handled::Now)
    }
}
//% else
/// Counts them in the store.
pub struct Events {
    //% if calls
    pub clients: Clients,
    //% endif
    pub store: Store,
}

impl Handler for Events {
    async fn handle(&self, message: &Message) -> Result<Handled, HandlerError> {
        let item = item(message)?;
        //% if calls
        // Before the transaction, which would hold a connection meanwhile. Whatever is wrong with who is called or with the
        // store, the next attempt may find it well.
        let asked = ask(&self.clients, &item).await;
        asked.map_err(|error| HandlerError::NotNow(error.into()))?;
        //% endif
        let stored = self
            .store
            .count(&message.id, &message.kind, item.quantity)
            .await;
        //% if not calls
        // Whatever is wrong with the store, the next attempt may find it well.
        //% endif
        stored.map_err(|error| HandlerError::NotNow(error.into()))
    }
}
//% endif

//% if calls
/// An example of what other services are asked when an item has changed.
async fn ask(clients: &Clients, item: &Item) -> Result<(), CallError> {
    //% for callee in calls
    let callee = "example-callee";
    let client = &clients.example_callee;
    //% if callee.api == "items"
    let Answer { value, stale } = client.items().await?;
    let (items, stale) = (value.len(), stale.is_some());
    tracing::info!(callee, item = item.id, items, stale, "asked");
    //% else
    let message = format!("item {}", item.id);
    let said = example_callee::Echo { message };
    let heard = client.echo(&said).await?.message;
    tracing::info!(callee, item = item.id, heard, "asked");
    //% endif
    //% endfor
    Ok(())
}

//% endif
/// One that cannot be read now cannot be read later.
fn item(message: &Message) -> Result<Item, HandlerError> {
    message
        .json()
        .map_err(|error| HandlerError::Never(error.into()))
}
