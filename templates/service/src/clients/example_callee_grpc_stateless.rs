//! What this service needs of `example-callee`, by an excerpt of its contract: what it does not use may come and go.

//% if protocol != "events"
use axum::Router;
//% endif
//% if protocol == "rest"
use axum::extract::State;
use axum::routing::post;
//% endif
use chassis::config::ConfigError;
//% if protocol == "rest"
use chassis::problem::Problem;
//% endif
//% if auth == "jwt"
use chassis_auth::scope;
//% endif
use chassis_grpc_client::{Channel, answer};
//% if protocol == "grpc"
use chassis_grpc_server::{methods, status};
//% endif
//% if protocol == "rest"
#[cfg(test)]
use chassis_openapi::Operation;
//% endif
use chassis_outbound::{CallError, Outbound};
//% if protocol == "rest"
use chassis_rest::extract::Json;
//% endif
//% if callee.tls != "mesh"
use chassis_tls::client::Connector;
//% endif
//% if protocol == "rest"
use serde::{Deserialize, Serialize};
//% elif protocol == "grpc"
use tonic::{Request, Response, Status};
//% endif

use crate::Config;
use crate::proto::called::example_callee::v1 as theirs;
//% if protocol == "grpc"
use crate::proto::passed_on::example_callee::v1 as own;
//% endif

const NAME: &str = "example-callee";
//% if protocol == "rest"
const PATH: &str = "/v1/example-callee/echo";
//% endif
//% if auth == "jwt"
/// What a token must allow whoever asks through this service.
pub const SCOPE: &str = "example-callee:call";
//% endif

#[derive(Clone)]
pub struct Client(theirs::echo_service_client::EchoServiceClient<Channel>);

//% if protocol == "rest"
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "example-callee.Echo"))]
//% else
#[derive(Clone, Debug, PartialEq, Eq)]
//% endif
pub struct Echo {
    pub message: String,
}

impl Client {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let limits = &config.calls.example_callee;
        //% if callee.tls == "mesh"
        let channel = Channel::new(NAME, limits, &config.discovery)?;
        //% else
        let tls = Connector::for_grpc(&config.client_tls)?;
        let channel = Channel::over_tls(NAME, limits, &config.discovery, tls)?;
        //% endif
        //% if callee.auth == "jwt"
        let token = config.token.example_callee_file.as_deref();
        let channel = channel.with_token_file(token);
        //% endif
        Ok(Self::over(channel, limits))
    }

    /// Through a stack that speaks gRPC.
    pub fn over(channel: Channel, limits: &Outbound) -> Self {
        let client = theirs::echo_service_client::EchoServiceClient::new(channel);
        Self(client.max_decoding_message_size(limits.response_limit_bytes))
    }

    /// Says something and hears it again. One attempt: nothing says that a second one does no harm.
    pub async fn echo(&self, said: &Echo) -> Result<Echo, CallError> {
        let message = said.message.clone();
        let said = theirs::EchoRequest { message };
        let heard = answer(self.0.clone().echo(said).await)?;
        let message = heard.value.message;
        Ok(Echo { message })
    }
}
//% if protocol == "rest"

/// An example of a route that lives on another service.
pub fn router(client: Client) -> Router {
    let echo = post(echo);
    //% if auth == "jwt"
    let echo = echo.route_layer(scope(SCOPE));
    //% endif
    Router::new().route(PATH, echo).with_state(client)
}

/// The same for `openapi.json`.
#[cfg(test)]
pub fn operations() -> [Operation; 1] {
    let echo = Operation::post(PATH, echo)
        .named("example-callee.echo", "Has it say it again")
        .refuses(502, "It gives no answer that can be used.");
    //% if auth == "jwt"
    let echo = echo.scope(SCOPE);
    //% endif
    [echo]
}

async fn echo(
    State(client): State<Client>,
    Json(said): Json<Echo>,
) -> Result<axum::Json<Echo>, Problem> {
    Ok(axum::Json(client.echo(&said).await?))
}
//% elif protocol == "grpc"

/// An example of a method that lives on another service.
pub fn router(client: Client) -> Router {
    let service = own::echo_service_server::EchoServiceServer::new(PassedOn(client));
    let echo = methods(&service, &["Echo"]);
    //% if auth == "jwt"
    let echo = echo.route_layer(scope(SCOPE));
    //% endif
    Router::new().merge(echo)
}

struct PassedOn(Client);

#[tonic::async_trait]
impl own::echo_service_server::EchoService for PassedOn {
    async fn echo(
        &self,
        request: Request<own::EchoRequest>,
    ) -> Result<Response<own::EchoResponse>, Status> {
        let message = request.into_inner().message;
        let Echo { message } = self.0.echo(&Echo { message }).await.map_err(status)?;
        Ok(Response::new(own::EchoResponse { message }))
    }
}
//% endif

#[cfg(test)]
mod tests {
    use chassis_grpc_client::in_process;
    //% if protocol != "grpc"
    use tonic::{Request, Response};
    //% endif

    use super::*;

    struct Called;

    #[tonic::async_trait]
    impl theirs::echo_service_server::EchoService for Called {
        async fn echo(
            &self,
            request: Request<theirs::EchoRequest>,
        ) -> tonic::Result<Response<theirs::EchoResponse>> {
            let message = request.into_inner().message;
            Ok(Response::new(theirs::EchoResponse { message }))
        }
    }

    #[tokio::test]
    async fn it_says_and_hears_what_the_called_service_does() {
        let called = theirs::echo_service_server::EchoServiceServer::new(Called);
        let limits = Config::load().unwrap().calls.example_callee;
        let channel = Channel::over(NAME, &limits, in_process(called));
        let client = Client::over(channel, &limits);
        let message = "tea".to_owned();
        let heard = client.echo(&Echo { message }).await.unwrap();
        assert_eq!(heard.message, "tea");
    }
}
