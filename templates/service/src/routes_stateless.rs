//! `/v1/echo`: says again what it is told. Put your own here.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::post;
use chassis::extract::Json;
use chassis::problem::Problem;
use serde::{Deserialize, Serialize};

const MAX_MESSAGE: usize = 1000;

pub fn router() -> Router {
    Router::new().route("/v1/echo", post(echo))
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Echo {
    message: String,
}

async fn echo(Json(echo): Json<Echo>) -> Result<axum::Json<Echo>, Problem> {
    if echo.message.chars().count() > MAX_MESSAGE {
        let detail = format!("`message` must have {MAX_MESSAGE} characters at most");
        return Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY).detail(detail));
    }
    Ok(axum::Json(echo))
}
