//! `/v1/echo`: says again what it is told. Put your own here.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use chassis::problem::Problem;
//% if auth == "jwt"
use chassis_auth::scope;
//% endif
#[cfg(test)]
use chassis_openapi::Operation;
use chassis_rest::extract::Json;
use serde::{Deserialize, Serialize};

const MAX_MESSAGE: usize = 1000;

//% if auth == "jwt"
const ECHO: &str = "echo";

/// Everything that a token can allow here.
//% if calls
pub const SCOPES: &[&str] = &[
    ECHO,
    // Of routes that live on other services.
    //% for callee in calls
    crate::clients::example_callee::SCOPE,
    //% endfor
];
//% else
pub const SCOPES: &[&str] = &[ECHO];
//% endif

//% endif
pub fn router() -> Router {
    let echo = post(echo);
    //% if auth == "jwt"
    let echo = echo.route_layer(scope(ECHO));
    //% endif
    Router::new().route("/v1/echo", echo)
}

/// The same for `openapi.json`: handlers say what they take and give, and words say the rest.
#[cfg(test)]
pub fn operations() -> Vec<Operation> {
    let echo = Operation::post("/v1/echo", echo).named("echo", "Says again what it is told");
    //% if auth == "jwt"
    let echo = echo.scope(ECHO);
    //% endif
    vec![echo]
}

#[derive(Deserialize, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Echo {
    #[cfg_attr(test, schemars(length(max = MAX_MESSAGE)))]
    message: String,
}

async fn echo(Json(echo): Json<Echo>) -> Result<axum::Json<Echo>, Problem> {
    if echo.message.chars().count() > MAX_MESSAGE {
        let detail = format!("`message` must have {MAX_MESSAGE} characters at most");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY).detail(detail));
    }
    Ok(axum::Json(echo))
}
