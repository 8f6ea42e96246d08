//! Errors as RFC 9457 problem details (`application/problem+json`), with the request id to ask about.

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

/// What a caller learns about a failure.
// Never put internals into `detail`: log them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Problem {
    #[serde(serialize_with = "as_number")]
    status: StatusCode,
    title: &'static str,
    /// What is wrong with this very request.
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<String>,
    /// To ask about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<String>,
    /// Seconds until a retry makes sense.
    #[serde(skip)]
    retry_after: Option<u32>,
}

impl Problem {
    pub fn new(status: StatusCode) -> Self {
        let title = status.canonical_reason().unwrap_or("Error");
        Self {
            status,
            title,
            detail: None,
            request_id: None,
            retry_after: None,
        }
    }

    /// What is wrong with this very request.
    pub fn detail(mut self, detail: impl Into<String>) -> Self {
        self.detail = Some(detail.into());
        self
    }

    pub fn retry_after(mut self, seconds: u32) -> Self {
        self.retry_after = Some(seconds);
        self
    }

    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// What is wrong, in words.
    pub fn message(&self) -> &str {
        self.detail.as_deref().unwrap_or(self.title)
    }

    /// After how many seconds a retry makes sense.
    pub fn retry_in(&self) -> Option<u32> {
        self.retry_after
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let body = serde_json::to_vec(&self).unwrap_or_default();
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        let mut response = (self.status, content_type, body).into_response();
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// Every error leaves as a problem with its request id, also those that the router or a layer made.
pub fn complete(mut response: Response, request_id: &HeaderValue) -> Response {
    let made_here = response.extensions_mut().remove::<Problem>();
    let mut problem = made_here.unwrap_or_else(|| Problem::new(response.status()));
    problem.request_id = request_id.to_str().ok().map(str::to_owned);
    let mut complete = problem.into_response();
    let ours = std::mem::take(complete.headers_mut());
    // Headers such as `Allow` and `WWW-Authenticate` stay; those of the replaced body go.
    let mut headers = std::mem::take(response.headers_mut());
    headers.remove(header::CONTENT_LENGTH);
    headers.extend(ours);
    *complete.headers_mut() = headers;
    complete
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde's signature")]
fn as_number<S: serde::Serializer>(status: &StatusCode, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u16(status.as_u16())
}
