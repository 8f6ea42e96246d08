//! The services that this one calls, each with what it needs of it, through timeouts, retries, a circuit breaker, a
//! bulkhead and a fallback of its own: see `chassis_outbound`.

//% for callee in calls
pub mod example_callee;
//% endfor
//% if protocol == "events"

use chassis::config::ConfigError;

use crate::Config;

/// All of them.
#[derive(Clone)]
pub struct Clients {
    //% for callee in calls
    pub example_callee: example_callee::Client,
    //% endfor
}

impl Clients {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            //% for callee in calls
            example_callee: example_callee::Client::new(config)?,
            //% endfor
        })
    }
}
//% endif
