mod serve;

use std::process::ExitCode;
use std::time::Duration;

use billing::billing_client::BillingClient;
use scylla::client::session_builder::SessionBuilder;
use tonic::transport::{Channel, Endpoint};

pub mod billing {
    tonic::include_proto!("billing.v1");
}

type Error = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    exit_code(run().await)
}

/// The last word.
fn exit_code(ended: Result<(), Error>) -> ExitCode {
    ended.map_or(ExitCode::FAILURE, |()| ExitCode::SUCCESS)
}

async fn run() -> Result<(), Error> {
    let (name, start) = ("orders", start());
    let server = serve_until(start, name);
    server.await
}

/// What is to be served is made while the probes are answered.
async fn serve_until(start: impl Future<Output = Result<App, Error>>, name: &str) -> Result<(), Error> {
    let app = tokio::select! {
        started = start => started?,
        _ = tokio::signal::ctrl_c() => return Ok(()),
    };
    drop((name, app.services));
    Ok(serve::serve().await?)
}

struct App {
    services: usize,
}

async fn start() -> Result<App, Error> {
    let broker = Broker { client: broker().await? };
    let stock = SessionBuilder::new().known_node(std::env::var("SCYLLA")?).use_keyspace("shop", false).build().await?;
    drop((broker, stock, Clients { billing: billing().await? }));
    Ok(App { services: 3 })
}

struct Broker {
    client: lapin::Connection,
}

struct Clients {
    billing: BillingClient<Channel>,
}

async fn broker() -> Result<lapin::Connection, Error> {
    Ok(lapin::Connection::connect(&std::env::var("AMQP_URL")?, lapin::ConnectionProperties::default()).await?)
}

async fn billing() -> Result<BillingClient<Channel>, Error> {
    let endpoint = Endpoint::from_shared(std::env::var("BILLING_URL")?)?.timeout(Duration::from_secs(1));
    Ok(BillingClient::connect(endpoint).await?)
}
