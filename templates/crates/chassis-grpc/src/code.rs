//! What HTTP and gRPC call the same thing, by `google.rpc.Code`.

use axum::http::StatusCode;
use chassis::problem::Problem;
use tonic::metadata::MetadataValue;
use tonic::{Code, Status};

/// After how many milliseconds a retry makes sense.
pub const RETRY_PUSHBACK: &str = "grpc-retry-pushback-ms";

/// As the standard writes it: in metrics and logs.
pub fn name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}

/// What a REST service would have answered.
pub fn http_status(code: Code) -> StatusCode {
    match code {
        Code::Ok => StatusCode::OK,
        // 499, as nginx has it.
        Code::Cancelled => StatusCode::from_u16(499).unwrap_or_default(),
        Code::InvalidArgument | Code::FailedPrecondition | Code::OutOfRange => {
            StatusCode::BAD_REQUEST
        }
        Code::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
        // There is no such method: whoever says so is well.
        Code::NotFound | Code::Unimplemented => StatusCode::NOT_FOUND,
        Code::AlreadyExists | Code::Aborted => StatusCode::CONFLICT,
        Code::PermissionDenied => StatusCode::FORBIDDEN,
        Code::Unauthenticated => StatusCode::UNAUTHORIZED,
        Code::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
        Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::Unknown | Code::Internal | Code::DataLoss => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

fn of(status: StatusCode) -> Code {
    match status.as_u16() {
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::NotFound,
        405 | 501 => Code::Unimplemented,
        408 | 504 => Code::DeadlineExceeded,
        409 => Code::AlreadyExists,
        413 | 429 => Code::ResourceExhausted,
        502 | 503 => Code::Unavailable,
        400..=499 => Code::InvalidArgument,
        _ => Code::Internal,
    }
}

/// A refusal in gRPC's words.
pub fn status(refusal: impl Into<Problem>) -> Status {
    let problem = refusal.into();
    let mut status = Status::new(of(problem.status()), problem.message());
    if let Some(seconds) = problem.retry_in() {
        let pause = MetadataValue::from(u64::from(seconds) * 1000);
        status.metadata_mut().insert(RETRY_PUSHBACK, pause);
    }
    status
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_means_the_same_in_both_protocols() {
        for (http, code) in [
            (400, Code::InvalidArgument),
            (401, Code::Unauthenticated),
            (403, Code::PermissionDenied),
            (404, Code::NotFound),
            (409, Code::AlreadyExists),
            (413, Code::ResourceExhausted),
            (422, Code::InvalidArgument),
            (429, Code::ResourceExhausted),
            (500, Code::Internal),
            (502, Code::Unavailable),
            (503, Code::Unavailable),
            (504, Code::DeadlineExceeded),
        ] {
            let problem = Problem::new(StatusCode::from_u16(http).unwrap());
            let said = status(problem.detail("why").retry_after(2));
            assert_eq!((said.code(), said.message()), (code, "why"), "{http}");
            assert_eq!(said.metadata().get(RETRY_PUSHBACK).unwrap(), "2000");
            // What is to be tried again, and what counts against a service, stays so.
            let back = http_status(code);
            assert_eq!(back.is_server_error(), http >= 500, "{http}");
        }
    }
}
