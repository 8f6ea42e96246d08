//! Axum's extractors, with their refusals as problems.

use std::fmt;
use std::iter::successors;
use std::marker::PhantomData;

use axum::extract::rejection::JsonRejection;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::StatusCode;
use axum::http::request::Parts;
use chassis::problem::Problem;
use serde::de::{DeserializeOwned, Deserializer, Error, Unexpected, Visitor};
use tower_http::timeout::TimeoutError;

/// A JSON body: 400 when it is no JSON, 408 when it does not come in time, 415 when it does not say that it is, 422 when it is not what was asked for.
#[derive(Debug)]
pub struct Json<T>(pub T);

/// The path's parameters. A path that does not fit names nothing: 404.
#[derive(Debug)]
pub struct Path<T>(pub T);

/// The query's parameters: 400 when they do not fit.
#[derive(Debug)]
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        match axum::Json::from_request(request, state).await {
            Ok(axum::Json(value)) => Ok(Self(value)),
            Err(refusal) if is_late(&refusal) => Err(Problem::new(StatusCode::REQUEST_TIMEOUT)),
            Err(refusal) => Err(Problem::new(refusal.status()).detail(refusal.body_text())),
        }
    }
}

/// The body's deadline has cut it off, not its caller.
fn is_late(refusal: &JsonRejection) -> bool {
    let mut causes = successors(Some(refusal as &dyn std::error::Error), |it| it.source());
    causes.any(|cause| cause.is::<TimeoutError>())
}

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(value)) => Ok(Self(value)),
            Err(_) => Err(Problem::new(StatusCode::NOT_FOUND)),
        }
    }
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        match axum::extract::Query::from_request_parts(parts, state).await {
            Ok(axum::extract::Query(value)) => Ok(Self(value)),
            Err(refusal) => Err(Problem::new(refusal.status()).detail(refusal.body_text())),
        }
    }
}

/// For `#[serde(deserialize_with = "…")]`: a whole number, also one that is written as `2.0`. To JSON Schema that is an
/// integer, and some callers write all their numbers so.
pub fn whole<'de, N: TryFrom<i128>, D: Deserializer<'de>>(from: D) -> Result<N, D::Error> {
    from.deserialize_any(Whole(PhantomData))
}

struct Whole<N>(PhantomData<N>);

impl<N: TryFrom<i128>> Visitor<'_> for Whole<N> {
    type Value = N;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "a whole number ({})", std::any::type_name::<N>())
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<N, E> {
        let refused = |_| E::invalid_value(Unexpected::Signed(number), &self);
        i128::from(number).try_into().map_err(refused)
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<N, E> {
        let refused = |_| E::invalid_value(Unexpected::Unsigned(number), &self);
        i128::from(number).try_into().map_err(refused)
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<N, E> {
        let refused = || E::invalid_value(Unexpected::Float(number), &self);
        if number.fract() != 0.0 {
            return Err(refused());
        }
        // Too large a number stays too large.
        (number as i128).try_into().map_err(|_| refused())
    }
}
