//! Configuration, telemetry, the service, serve.

use std::process::ExitCode;

//% if protocol == "grpc"
use chassis::health;
//% else
use chassis::{health, serve};
//% endif
//% if auth == "jwt"
use chassis_auth::print_dev_token;
//% endif
//% if protocol == "grpc"
use chassis_grpc_server as grpc;
//% endif
//% if not https
use chassis_http_client::HttpClient;
//% endif
//% if broker != "none"
use chassis_messaging::outbox::Relay;
//% endif
//% if registry
use chassis_registry::Listing;
//% endif
//% if tls != "mesh"
use chassis_tls::server::Acceptor;
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
    chassis_telemetry::exit_code(run().await)
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
        //% endif
        _ => {
            //% if auth == "jwt"
            let usage = "usage: [healthcheck | dev-token --key-file FILE [--scope SCOPES]]";
            //% else
            let usage = "usage: [healthcheck]";
            //% endif
            return Err(usage.into());
        }
    }
    chassis_telemetry::init(&SERVICE, &config.log)?;
    //% if https
    chassis_otlp::start(&SERVICE, chassis_https::client)?;
    //% else
    chassis_otlp::start(&SERVICE, HttpClient::plain)?;
    //% endif
    //% if protocol == "grpc"
    let Config { server, http2, .. } = &config;
    let server = grpc::listen(server, http2, &config.admin, OWN)?;
    //% if tls != "mesh"
    let server = server.with_tls(Acceptor::for_grpc(&config.server_tls)?);
    //% endif
    //% else
    let server = serve::listen(&config.server, &config.admin)?;
    //% if tls != "mesh"
    let server = server.with_tls(Acceptor::new(&config.server_tls)?);
    //% endif
    //% endif
    //% if discovery == "consul"
    let registration = config.consul.registration(&config.advertised)?;
    let server = server.beside(Listing::new(&SERVICE, registration));
    //% endif
    //% if discovery == "eureka"
    let registration = config.eureka.registration(&config.advertised)?;
    let server = server.beside(Listing::new(&SERVICE, registration));
    //% endif
    //% if broker != "none"
    let relay = Relay::new(&config.outbox);
    let served = server.serve(start(&config, &relay)).await;
    // After the last request, which may have written an event.
    relay.finish().await;
    served?;
    //% else
    server.serve(start(&config)).await?;
    //% endif
    Ok(())
}
