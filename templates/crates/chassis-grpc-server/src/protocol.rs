//! What the layers of `chassis-inbound` do differently for calls by gRPC.

use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::http::HeaderMap;
use axum::response::Response;
use chassis_grpc::{deadline, is_grpc};
use chassis_inbound::protocol::{Protocol, Rest};
use chassis_telemetry::request::RequestContext;

use crate::answer;

/// A port that speaks gRPC is asked other things too, if only by mistake.
#[derive(Clone, Copy, Default)]
pub enum Grpc {
    #[default]
    Call,
    Other,
}

impl Protocol for Grpc {
    fn of(headers: &HeaderMap) -> Self {
        match is_grpc(headers) {
            true => Self::Call,
            false => Self::Other,
        }
    }

    fn time_given(self, headers: &HeaderMap) -> Option<Duration> {
        deadline::given(headers)
    }

    fn name_limits(self, body: Body) -> Body {
        match self {
            Self::Call => answer::name_limits(body),
            Self::Other => Rest.name_limits(body),
        }
    }

    fn complete(
        self,
        response: Response,
        request: &Arc<RequestContext>,
        began: Instant,
    ) -> Response {
        match self {
            Self::Call => answer::complete(response, request, began),
            Self::Other => Rest.complete(response, request, began),
        }
    }

    fn gone(self, request: &Arc<RequestContext>, began: Instant) {
        match self {
            Self::Call => answer::gone(request, began),
            Self::Other => Rest.gone(request, began),
        }
    }
}
