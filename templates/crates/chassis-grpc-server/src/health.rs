//! `grpc.health.v1`: what `/readyz` says, for the whole and for each service, to callers that speak gRPC only.

use std::time::Duration;

use axum::Router;
use chassis::BoxFuture;
use chassis::health::Health;
use chassis::serve::{Beside, Ports};
use chassis_inbound::request::RequestLayer;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tonic_health::ServingStatus;
use tonic_health::server::{HealthReporter, health_reporter};

use crate::methods;
use crate::protocol::Grpc;

/// How often readiness is looked at.
const LOOK: Duration = Duration::from_secs(1);

/// Tells of these services, and of the whole.
pub struct HealthService {
    routes: Router,
    reporter: HealthReporter,
    /// The whole has no name.
    names: Vec<String>,
    linger: Duration,
    telling: JoinSet<()>,
}

impl HealthService {
    pub fn new(mut names: Vec<String>, linger: Duration) -> Self {
        names.push(String::new());
        let (reporter, service) = health_reporter();
        // Outside the limits, as probes are: overload must not look like illness. It only looks up what is known.
        let routes = methods(&service, &["Check", "Watch"]);
        Self {
            routes: routes.layer(RequestLayer::<Grpc>::default()),
            reporter,
            names,
            linger,
            telling: JoinSet::new(),
        }
    }
}

impl Beside for HealthService {
    fn routes(&self) -> Option<Router> {
        Some(self.routes.clone())
    }

    fn begin(&mut self, _: &Ports, health: &Health) {
        let reporter = self.reporter.clone();
        let names = self.names.clone();
        self.telling
            .spawn(tell(health.clone(), reporter, names, self.linger));
    }

    /// It has heard of that by itself.
    fn end(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::ready(()))
    }
}

/// Keeps it up to date, and tells all who watch when the service stops: first that it does not serve, then that there is
/// no more to say.
async fn tell(health: Health, mut reporter: HealthReporter, names: Vec<String>, linger: Duration) {
    let mut said = ServingStatus::NotServing;
    set(&reporter, &names, said).await;
    let mut phase = health.phase();
    while !*phase.borrow_and_update() {
        let status = match health.readiness().await {
            Ok(()) => ServingStatus::Serving,
            Err(_) => ServingStatus::NotServing,
        };
        if std::mem::replace(&mut said, status) != status {
            set(&reporter, &names, status).await;
        }
        _ = timeout(LOOK, phase.changed()).await;
    }
    set(&reporter, &names, ServingStatus::NotServing).await;
    sleep(linger).await;
    for name in &names {
        reporter.clear_service_status(name).await;
    }
}

async fn set(reporter: &HealthReporter, names: &[String], status: ServingStatus) {
    for name in names {
        reporter.set_service_status(name, status).await;
    }
}
