//! Configuration, telemetry, the service, serve.

use std::process::ExitCode;

use chassis::{health, inbound, serve, telemetry};

use orders::Config;
use orders::SERVICE;

#[tokio::main]
async fn main() -> ExitCode {
    chassis::exit_code(run().await)
}

async fn run() -> Result<(), chassis::Error> {
    let config = Config::load()?;
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] => {}
        ["healthcheck"] => return health::probe(&config.admin).await,
        ["dev-token", "--key-file", file] => {
            return chassis::auth::print_dev_token(&config.auth, file.as_ref());
        }
        _ => return Err("usage: [healthcheck | dev-token --key-file FILE]".into()),
    }
    telemetry::init(&SERVICE, &config.log)?;
    let (routes, health) = orders::build(&config).await?;
    let app = inbound::protect(routes, &config.server);
    serve::serve(&config.server, &config.admin, health, app).await
}

const PAYMENT_API_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
