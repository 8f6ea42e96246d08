//! What is done for each request, around everything else: it gets an id and a place in a trace, its answer gets the
//! security headers, its failure becomes a problem, a panic becomes a failure, and it is counted, logged and traced.
//!
//! One layer does it all, because each layer of its own costs more than its work.

use std::any::Any;
use std::convert::Infallible;
use std::marker::PhantomData;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use chassis::problem::Problem;
use chassis_telemetry::request::{RequestContext, answering};
use pin_project_lite::pin_project;
use tokio::task::futures::TaskLocalFuture;
use tower::{Layer, Service};

use crate::metrics;
use crate::protocol::Protocol;

/// For requests of one protocol.
#[derive(Clone, Copy, Default)]
pub struct RequestLayer<P>(PhantomData<P>);

impl<S, P> Layer<S> for RequestLayer<P> {
    type Service = Observed<S, P>;

    fn layer(&self, inner: S) -> Observed<S, P> {
        let protocol = PhantomData;
        Observed { inner, protocol }
    }
}

#[derive(Clone)]
pub struct Observed<S, P> {
    inner: S,
    protocol: PhantomData<P>,
}

impl<S, P: Protocol> Service<Request> for Observed<S, P>
where
    S: Service<Request, Response = Response, Error = Infallible>,
{
    type Response = Response;
    type Error = Infallible;
    type Future = Answering<S::Future, P>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, mut request: Request) -> Self::Future {
        let protocol = P::of(request.headers());
        let given = protocol.time_given(request.headers());
        let deadline = given.and_then(|time| Instant::now().checked_add(time));
        let context = Arc::new(RequestContext::of(&request, deadline));
        for name in [
            header::AUTHORIZATION,
            header::PROXY_AUTHORIZATION,
            header::COOKIE,
        ] {
            if let Some(value) = request.headers_mut().get_mut(name) {
                value.set_sensitive(true);
            }
        }
        metrics::HTTP.in_flight.inc();
        Answering {
            answer: answering(&context, self.inner.call(request)),
            protocol,
            context,
            began: Instant::now(),
            finished: false,
        }
    }
}

pin_project! {
    pub struct Answering<F, P: Protocol> {
        #[pin]
        answer: TaskLocalFuture<Arc<RequestContext>, F>,
        protocol: P,
        context: Arc<RequestContext>,
        began: Instant,
        finished: bool,
    }

    impl<F, P: Protocol> PinnedDrop for Answering<F, P> {
        fn drop(this: Pin<&mut Self>) {
            metrics::HTTP.in_flight.dec();
            if !this.finished {
                this.protocol.gone(&this.context, this.began);
            }
        }
    }
}

impl<F, P: Protocol> Future for Answering<F, P>
where
    F: Future<Output = Result<Response, Infallible>>,
{
    type Output = Result<Response, Infallible>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let polled = catch_unwind(AssertUnwindSafe(|| this.answer.poll(context)));
        let response = match polled {
            Ok(polled) => ready!(polled)?,
            Err(panic) => after_panic(&panic),
        };
        *this.finished = true;
        let answer = this.protocol.complete(response, this.context, *this.began);
        Poll::Ready(Ok(answer))
    }
}

/// The panic hook has logged it; the caller learns nothing of it.
fn after_panic(_: &(dyn Any + Send)) -> Response {
    Problem::new(StatusCode::INTERNAL_SERVER_ERROR).into_response()
}
