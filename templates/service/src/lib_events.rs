//! The service's own code, apart from `main` so that tests can call it:
//!
//! - [`config`]: its knobs.
//% if calls
//! - [`clients`]: the services that it calls.
//% endif
//! - [`handler`]: what it does with each event of `«consumes»`.
//% if store != "none"
//! - [`store`]: its data, which nobody else touches.
//% endif

//% if calls
pub mod clients;
//% endif
pub mod config;
pub mod handler;
//% if grpc_calls
pub mod proto;
//% endif
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

//% if calls
use clients::Clients;
//% endif
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
    let broker = Arc::new(config::connect(&config.broker, SERVICE.name).await?);
    //% if database
    let store = Store::new(&config.store)?;
    //% endif
    //% if store == "sqlite"
    let store = Store::open(&config.store).await?;
    //% endif
    //% if calls
    let clients = Clients::new(config)?;
    //% endif
    //% if calls and store != "none"
    let events = Events { clients, store };
    //% elif calls
    let events = Events { clients };
    //% elif store != "none"
    let events = Events { store };
    //% else
    let events = Events;
    //% endif
    Ok(build(config, broker, events))
}

/// What reads events and handles them, and what must be well for that.
pub fn build(config: &Config, broker: Arc<dyn Subscriber>, events: Events) -> (Job, Checks) {
    let reader = Reader::new(SERVICE.name, SOURCE);
    let checks = Checks::new(&config.admin);
    //% if store != "none"
    let (store, inbox) = (events.store.clone(), config.inbox.clone());
    let checks = checks.add("store", store.check());
    //% endif
    let consumer = Consumer::new(reader, &config.consumer, broker, events);
    let checks = checks.add("broker", consumer.check());
    //% if store != "none"
    let job: Job = Box::new(|stopping| {
        Box::pin(async move {
            tokio::select! {
                () = consumer.run(stopping) => {}
                () = store::forget_old_messages(store, inbox) => {}
            }
        })
    });
    //% else
    let job: Job = Box::new(|stopping| Box::pin(consumer.run(stopping)));
    //% endif
    (job, checks)
}
