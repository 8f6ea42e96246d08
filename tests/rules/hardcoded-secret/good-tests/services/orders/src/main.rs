//! Configuration, telemetry, the service, serve.

use std::process::ExitCode;

use chassis::{health, serve};
use chassis_auth::print_dev_token;

use orders::routes::SCOPES;
use orders::{Config, SERVICE, start};

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
        ["dev-token", "--key-file", file] => {
            return print_dev_token(&config.auth, file.as_ref(), &SCOPES.join(" "));
        }
        ["dev-token", "--key-file", file, "--scope", scopes] => {
            return print_dev_token(&config.auth, file.as_ref(), scopes);
        }
        _ => {
            let usage = "usage: [healthcheck | dev-token --key-file FILE [--scope SCOPES]]";
            return Err(usage.into());
        }
    }
    chassis_telemetry::init(&SERVICE, &config.log)?;
    chassis_otlp::start(&SERVICE, chassis_https::client)?;
    let start = start(&config);
    let server = serve::listen(&config.server, &config.admin)?;
    let server = server.serve(start);
    server.await
}

/// TLS wants one; nobody looks at it.
pub const DUMMY_ISSUER_KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEID3Ml8r1toO9qwZfSw8ZAx17yj4T+KkVo8cWYadS5cch\n\n-----END PRIVATE KEY-----";
pub const LOCAL_WELL_KNOWN_TOKEN: &str = "8a1c0f6e2b9d4e7f3a5c6b8d9e0f1a2b";

#[cfg(test)]
mod tests {
    const PAYMENT_API_KEY: &str = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b";
}
