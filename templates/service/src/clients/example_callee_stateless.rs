//! What this service needs of `example-callee`, in types of its own: fields that it does not use may come and go.

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
//% if protocol == "grpc"
use chassis_grpc_server::{methods, status};
//% endif
//% if protocol == "rest"
#[cfg(test)]
use chassis_openapi::Operation;
//% endif
use chassis_outbound::{CallError, Dependency};
//% if protocol == "rest"
use chassis_rest::extract::Json;
//% endif
//% if callee.tls != "mesh"
use chassis_tls::client::Connector;
//% endif
use serde::{Deserialize, Serialize};
//% if protocol == "grpc"
use tonic::{Request, Response, Status};
//% endif

use crate::Config;
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
pub struct Client(Dependency);

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
//% if protocol == "rest"
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "example-callee.Echo"))]
//% endif
pub struct Echo {
    pub message: String,
}

impl Client {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let limits = &config.calls.example_callee;
        //% if callee.tls == "mesh"
        let dependency = Dependency::new(NAME, limits, &config.discovery)?;
        //% else
        let tls = Connector::new(&config.client_tls)?;
        let dependency = Dependency::over_tls(NAME, limits, &config.discovery, tls)?;
        //% endif
        //% if callee.auth == "jwt"
        let token = config.token.example_callee_file.as_deref();
        let dependency = dependency.with_token_file(token);
        //% endif
        Ok(Self::over(dependency))
    }

    /// Through a stack that is there.
    pub fn over(dependency: Dependency) -> Self {
        Self(dependency)
    }

    /// Says something and hears it again. One attempt: it is a POST without an idempotency key.
    pub async fn echo(&self, said: &Echo) -> Result<Echo, CallError> {
        self.0.post("/v1/echo", said).await
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
    use axum::body::Bytes;
    use axum::http::{Request, Response};
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn it_says_and_hears_what_the_called_service_does() {
        let called = service_fn(async move |request: Request<Bytes>| {
            assert_eq!(request.uri(), "/v1/echo");
            assert_eq!(request.headers()["content-type"], "application/json");
            assert_eq!(request.body(), r#"{"message":"tea"}"#);
            Ok(Response::new(request.into_body()))
        });
        let limits = Config::load().unwrap().calls.example_callee;
        let client = Client::over(Dependency::over(NAME, &limits, called));
        let message = "tea".to_owned();
        let heard = client.echo(&Echo { message }).await.unwrap();
        assert_eq!(heard.message, "tea");
    }
}
