//! What stands between the network and a handler, outermost first. The order matters: refusals by an inner layer
//! still get a request id, a log line, a count and a problem body.
//!
//! 1. [`request`]: id, trace, [`security_headers`], problems, panics, [`metrics`], access log;
//! 2. [`admission`]: [`rate_limit`] by [`client_address`], bulkhead, limits on the body, deadline;
//! 3. `chassis_auth::require`, which the service puts around its own routes.
//!
//! [`protocol`] is what another protocol than REST does differently.

pub mod admission;
pub mod client_address;
pub mod metrics;
pub mod protocol;
pub mod rate_limit;
pub mod request;
pub mod security_headers;

use std::sync::LazyLock;

use axum::Router;
use chassis::config::Server;
use tower::ServiceBuilder;

use admission::AdmissionLayer;
use protocol::{Protocol, Rest};
use request::RequestLayer;

/// Puts the layers around all routes of `app`, its 404 included. Routes added afterwards are not covered.
pub fn protect(app: Router, limits: &Server) -> Router {
    protect_as::<Rest>(app, limits)
}

/// Likewise, for another protocol.
pub fn protect_as<P: Protocol + Default>(app: Router, limits: &Server) -> Router {
    // They are there before the first request.
    LazyLock::force(&metrics::HTTP);
    // The state before the layers: else axum makes the routes, and these layers with them, anew for each request.
    app.with_state(()).layer(
        ServiceBuilder::new()
            .layer(RequestLayer::<P>::default())
            .layer(AdmissionLayer::<P>::new(limits)),
    )
}
