//! The service's own code, apart from `main` so that tests can call it:
//!
//! - [`config`]: its knobs.
//! - [`handler`]: what it does with each event of `«consumes»`.
//% if store != "none"
//! - [`store`]: its data, which nobody else touches.
//% endif

pub mod config;
pub mod handler;
//% if store != "none"
pub mod store;
//% endif

use std::sync::Arc;

use chassis::health::Checks;
use chassis::{Error, Identity};
use chassis_messaging::broker::Subscriber;
use chassis_messaging::consumer::Consumer;
use chassis_messaging::names::Reader;
use chassis_messaging::worker::Job;

pub use config::Config;
use handler::Events;
//% if store != "none"
use store::Store;
//% endif

pub const SERVICE: Identity = Identity {
    name: "example-service",
    version: env!("CARGO_PKG_VERSION"),
    env_prefix: "EXAMPLE_SERVICE",
};

/// Whose events it reads.
pub const SOURCE: &str = "«consumes»";

/// Opens what the service needs.
pub async fn start(config: &Config) -> Result<(Job, Checks), Error> {
    //% if database
    store::bring_up_to_date(&config.store).await?;
    //% endif
    let broker = config::connect(&config.broker, SERVICE.name).await?;
    //% if store == "none"
    let started = build(config, Arc::new(broker));
    //% else
    //% if database
    let store = Store::new(&config.store)?;
    //% else
    let store = Store::open(&config.store).await?;
    //% endif
    let started = build(config, Arc::new(broker), store);
    //% endif
    Ok(started)
}

/// What reads events and handles them, and what must be well for that.
//% if store == "none"
pub fn build(config: &Config, broker: Arc<dyn Subscriber>) -> (Job, Checks) {
    let reader = Reader::new(SERVICE.name, SOURCE);
    let consumer = Consumer::new(reader, &config.consumer, broker, Events);
    let checks = Checks::new(&config.admin).add("broker", consumer.check());
    let job: Job = Box::new(|stopping| Box::pin(consumer.run(stopping)));
    (job, checks)
}
//% else
pub fn build(config: &Config, broker: Arc<dyn Subscriber>, store: Store) -> (Job, Checks) {
    let checks = Checks::new(&config.admin).add("store", store.check());
    let (reader, inbox) = (Reader::new(SERVICE.name, SOURCE), config.inbox.clone());
    let events = Events::new(store.clone());
    let consumer = Consumer::new(reader, &config.consumer, broker, events);
    let checks = checks.add("broker", consumer.check());
    let job: Job = Box::new(|stopping| {
        Box::pin(async move {
            tokio::select! {
                () = consumer.run(stopping) => {}
                () = store::forget_old_messages(store, inbox) => {}
            }
        })
    });
    (job, checks)
}
//% endif
