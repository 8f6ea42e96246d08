//! Fallback: when a dependency gives no answer, its last good one is better than none, for a while and marked as old.

use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::{Method, Request, Response, StatusCode};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache;
use tokio::time::Instant;
use tower::{BoxError, Layer, Service};

use crate::retry::ReadOnly;

/// A larger answer takes the place of several.
const BYTES_PER_ENTRY: usize = 4096;

/// In an answer's extensions: it is a copy, this old.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale(pub Duration);

/// Keeps good answers to GET requests, and gives them out when there is no better one.
#[derive(Clone)]
pub struct FallbackLayer {
    copies: Arc<Cache<String, Copy, Weight>>,
    keep: Duration,
}

#[derive(Clone)]
struct Copy {
    answer: Response<Bytes>,
    taken: Instant,
}

#[derive(Clone)]
struct Weight;

impl Weighter<String, Copy> for Weight {
    fn weight(&self, path: &String, copy: &Copy) -> u64 {
        (1 + (path.len() + copy.answer.body().len()) / BYTES_PER_ENTRY) as u64
    }
}

impl FallbackLayer {
    pub fn new(keep: Duration, entries: usize) -> Self {
        Self {
            copies: Arc::new(Cache::with_weighter(entries, entries as u64, Weight)),
            keep,
        }
    }

    fn copy(&self, path: &str) -> Option<Response<Bytes>> {
        let Copy { mut answer, taken } = self.copies.get(path)?;
        let age = taken.elapsed();
        if age > self.keep {
            self.copies.remove(path);
            return None;
        }
        answer.extensions_mut().insert(Stale(age));
        Some(answer)
    }
}

/// What was asked, where asking changes nothing.
fn question(request: &Request<Bytes>) -> Option<String> {
    if request.extensions().get::<ReadOnly>().is_some() {
        return Some(format!("{} {:?}", request.uri(), request.body()));
    }
    (request.method() == Method::GET).then(|| request.uri().to_string())
}

fn has_no_answer(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

impl<S> Layer<S> for FallbackLayer {
    type Service = Fallback<S>;

    fn layer(&self, inner: S) -> Fallback<S> {
        Fallback {
            inner,
            layer: self.clone(),
        }
    }
}

#[derive(Clone)]
pub struct Fallback<S> {
    inner: S,
    layer: FallbackLayer,
}

impl<S> Service<Request<Bytes>> for Fallback<S>
where
    S: Service<Request<Bytes>, Response = Response<Bytes>, Error = BoxError>,
    S::Future: Send + 'static,
{
    type Response = Response<Bytes>;
    type Error = BoxError;
    type Future = crate::CallFuture<Response<Bytes>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let path = question(&request);
        let answer = self.inner.call(request);
        let layer = self.layer.clone();
        Box::pin(async move {
            let result = answer.await;
            let Some(path) = path else { return result };
            match &result {
                Ok(answer) if answer.status().is_success() => {
                    let copy = Copy {
                        answer: answer.clone(),
                        taken: Instant::now(),
                    };
                    layer.copies.insert(path, copy);
                    result
                }
                // The callee knows best: what it denies is not given out any more.
                Ok(answer) if !has_no_answer(answer.status()) => {
                    layer.copies.remove(&path);
                    result
                }
                _ => layer.copy(&path).map_or(result, Ok),
            }
        })
    }
}
