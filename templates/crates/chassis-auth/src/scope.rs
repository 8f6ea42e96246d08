//! What a caller may do. A token lists scopes; a route demands one of them.

use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::problem::Problem;
use serde::Deserialize;
use serde::de::IgnoredAny;
use tower_http::validate_request::{ValidateRequest, ValidateRequestHeaderLayer};

use super::{Claims, Refusal};

/// A layer for `route_layer`: only a caller whose token allows `scope` gets through. The token is read by
/// [`require`](super::require), which stands outside it.
pub fn scope(scope: &'static str) -> ValidateRequestHeaderLayer<Scope> {
    ValidateRequestHeaderLayer::custom(Scope(scope))
}

/// What a route demands.
#[derive(Clone, Copy, Debug)]
pub struct Scope(&'static str);

impl ValidateRequest<Body> for Scope {
    type ResponseBody = Body;

    fn validate(&mut self, request: &mut Request<Body>) -> Result<(), Response> {
        let Self(scope) = *self;
        // No claims: `require` is missing, and then nobody gets in.
        let claims = request.extensions().get::<Claims>();
        let claims = claims.ok_or_else(|| Refusal::NoToken.into_response())?;
        if claims.allows(scope) {
            return Ok(());
        }
        let challenge = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
        let detail = format!("the token does not allow `{scope}`");
        let problem = Problem::new(StatusCode::FORBIDDEN).detail(detail);
        Err(([(header::WWW_AUTHENTICATE, challenge)], problem).into_response())
    }
}

/// Scopes as issuers write them: in one text with spaces between, or in a list.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum Scopes {
    Text(String),
    List(Vec<String>),
    /// Some issuers mean something else by the same name. It allows nothing.
    Other(IgnoredAny),
}

impl Default for Scopes {
    fn default() -> Self {
        Self::List(Vec::new())
    }
}

impl Scopes {
    pub(super) fn contain(&self, wanted: &str) -> bool {
        match self {
            Self::Text(text) => text.split(' ').any(|scope| scope == wanted),
            Self::List(list) => list.iter().any(|scope| scope == wanted),
            Self::Other(_) => false,
        }
    }
}
