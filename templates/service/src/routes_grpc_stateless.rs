//! `EchoService`: says again what it is told. Put your own here.

use axum::Router;
use chassis::config::Server;
//% if auth == "jwt"
use chassis_auth::scope;
//% endif
use chassis_grpc_server::methods;
use tonic::{Request, Response, Status};

use crate::proto::v1::echo_service_server::{EchoService, EchoServiceServer};
use crate::proto::v1::{EchoRequest, EchoResponse};

const MAX_MESSAGE: usize = 1000;

//% if auth == "jwt"
const ECHO: &str = "echo";

/// Everything that a token can allow here.
//% if calls
pub const SCOPES: &[&str] = &[
    ECHO,
    // Of methods that live on other services.
    //% for callee in calls
    crate::clients::example_callee::SCOPE,
    //% endfor
];
//% else
pub const SCOPES: &[&str] = &[ECHO];
//% endif

//% endif
pub fn router(limits: &Server) -> Router {
    let echo = EchoServiceServer::new(Echo);
    let echo = echo.max_decoding_message_size(limits.body_limit_bytes);
    let echo = methods(&echo, &["Echo"]);
    //% if auth == "jwt"
    let echo = echo.route_layer(scope(ECHO));
    //% endif
    Router::new().merge(echo)
}

struct Echo;

#[tonic::async_trait]
impl EchoService for Echo {
    async fn echo(&self, request: Request<EchoRequest>) -> Result<Response<EchoResponse>, Status> {
        let message = request.into_inner().message;
        if message.chars().count() > MAX_MESSAGE {
            let refused = format!("`message` must have {MAX_MESSAGE} characters at most");
            return Err(Status::invalid_argument(refused));
        }
        Ok(Response::new(EchoResponse { message }))
    }
}
