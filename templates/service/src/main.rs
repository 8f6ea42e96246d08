//! Configuration, telemetry, the service, serve.

use std::process::ExitCode;

//% if auth == "jwt"
use chassis::auth::print_dev_token;
//% endif
//% if protocol == "grpc"
use chassis::{grpc, health, telemetry};
//% elif registry
use chassis::{health, serve, shutdown, telemetry};
//% else
use chassis::{health, serve, telemetry};
//% endif
//% if broker != "none"
use chassis_messaging::outbox::Relay;
//% endif

//% if protocol == "grpc"
use example_service::proto::OWN;
//% endif
//% if auth == "jwt"
use example_service::routes::SCOPES;
//% endif
use example_service::{Config, SERVICE, start};

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
        //% if auth == "jwt"
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
        //% else
        _ => return Err("usage: [healthcheck]".into()),
        //% endif
    }
    telemetry::init(&SERVICE, &config.log)?;
    //% if discovery == "consul"
    let registration = config.consul.registration()?;
    //% endif
    //% if discovery == "eureka"
    let registration = config.eureka.registration()?;
    //% endif
    //% if broker != "none"
    let relay = Relay::new(&config.outbox);
    let start = start(&config, &relay);
    //% else
    let start = start(&config);
    //% endif
    //% if protocol == "grpc"
    let Config { server, http2, .. } = &config;
    let server = grpc::server::listen(server, http2, &config.admin, OWN)?;
    //% if tls != "mesh"
    let server = server.with_tls(&config.server_tls)?;
    //% endif
    //% if registry
    let server = server.listed_in(registration, &SERVICE);
    //% endif
    let server = server.serve(start);
    //% elif registry
    let server = serve::listen(&config.server, &config.admin)?;
    //% if tls != "mesh"
    let server = server.with_tls(&config.server_tls)?;
    //% endif
    let server = server.listed_in(registration, &SERVICE);
    let server = server.serve_until(start, shutdown::signal());
    //% elif tls == "mesh"
    let server = serve::serve(&config.server, &config.admin, start);
    //% else
    let tls = &config.server_tls;
    let server = serve::serve_tls(&config.server, tls, &config.admin, start);
    //% endif
    //% if broker != "none"
    let server = async {
        let served = server.await;
        // After the last request, which may have written an event.
        relay.finish().await;
        served
    };
    //% endif
    server.await
}
