//! What stands between the network and a handler, outermost first. The order matters: refusals by an inner layer
//! still get a request id, a log line, a count and a problem body.
//!
//! 1. [`request`](crate::request): id, trace, security headers, problems, panics, metrics, access log;
//! 2. [`admission`](crate::admission): rate limit, bulkhead, limits on the body, deadline;
//! 3. `auth::require`, which the service puts around its own routes.

use axum::Router;
use tower::ServiceBuilder;

use crate::admission::AdmissionLayer;
use crate::config::Server;
use crate::request::RequestLayer;

/// Puts the layers around all routes of `app`, its 404 included. Routes added afterwards are not covered.
pub fn protect(app: Router, limits: &Server) -> Router {
    // The state before the layers: else axum makes the routes, and these layers with them, anew for each request.
    app.with_state(()).layer(
        ServiceBuilder::new()
            .layer(RequestLayer)
            .layer(AdmissionLayer::new(limits)),
    )
}
