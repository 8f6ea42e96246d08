//! Configuration, telemetry, the service, work.

use std::process::ExitCode;

use chassis::health;
//% if not https
use chassis_http_client::HttpClient;
//% endif
use chassis_messaging::worker;

use example_service::{Config, SERVICE, start};

#[tokio::main]
async fn main() -> ExitCode {
    chassis_telemetry::exit_code(run().await)
}

async fn run() -> Result<(), chassis::Error> {
    let config = Config::load()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["healthcheck"] => return health::probe(&config.admin).await,
        _ => return Err("usage: [healthcheck]".into()),
    }
    chassis_telemetry::init(&SERVICE, &config.log)?;
    //% if https
    chassis_otlp::start(&SERVICE, chassis_https::client)?;
    //% else
    chassis_otlp::start(&SERVICE, HttpClient::plain)?;
    //% endif
    worker::work(&config.admin, start(&config)).await
}
