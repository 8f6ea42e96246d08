//! The services that this one calls, in this process: they can be stopped, and know the traces that calls were part of.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use example_service::Config;
use example_service::clients::Clients;

/// Clones share it.
#[derive(Clone, Default)]
pub struct Callees(Arc<State>);

#[derive(Default)]
struct State {
    stopped: AtomicBool,
    traces: Mutex<Vec<String>>,
}

impl Callees {
    pub fn stop(&self) {
        self.0.stopped.store(true, Ordering::SeqCst);
    }

    pub fn start(&self) {
        self.0.stopped.store(false, Ordering::SeqCst);
    }

    /// `traceparent` of each call.
    pub fn traces(&self) -> Vec<String> {
        self.0.traces.lock().unwrap().clone()
    }

    pub fn clients(&self, config: &Config) -> Clients {
        Clients {
            //% for callee in calls
            example_callee: example_callee::client(self, config),
            //% endfor
        }
    }

    /// Whether a call is answered.
    fn answer(&self, traceparent: &str) -> bool {
        let mut traces = self.0.traces.lock().unwrap();
        traces.push(traceparent.to_owned());
        !self.0.stopped.load(Ordering::SeqCst)
    }
}
//% for callee in calls

mod example_callee {
    //% if callee.protocol == "grpc"
    use chassis_grpc_client::{Channel, in_process};
    use tonic::{Request, Response, Status};
    //% else
    use axum::BoxError;
    use axum::body::Bytes;
    use axum::http::{Request, Response};
    use chassis_outbound::Dependency;
    use tower::service_fn;
    //% endif

    use example_service::clients::example_callee::Client;
    //% if callee.protocol == "grpc"
    use example_service::proto::called::example_callee::v1 as theirs;
    //% endif

    use super::{Callees, Config};

    //% if callee.protocol == "grpc"
    pub fn client(callees: &Callees, config: &Config) -> Client {
        let limits = &config.calls.example_callee;
        let called = Called(callees.clone());
        //% if callee.api == "items"
        let called = theirs::items_service_server::ItemsServiceServer::new(called);
        //% else
        let called = theirs::echo_service_server::EchoServiceServer::new(called);
        //% endif
        Client::over(Channel::over("called", limits, in_process(called)), limits)
    }

    struct Called(Callees);

    impl Called {
        fn answer<T>(&self, request: &Request<T>) -> Result<(), Status> {
            let traceparent = request.metadata().get("traceparent").unwrap();
            match self.0.answer(traceparent.to_str().unwrap()) {
                true => Ok(()),
                false => Err(Status::unavailable("it is stopped")),
            }
        }
    }

    //% if callee.api == "items"
    #[tonic::async_trait]
    impl theirs::items_service_server::ItemsService for Called {
        async fn list_items(
            &self,
            request: Request<theirs::ListItemsRequest>,
        ) -> tonic::Result<Response<theirs::ListItemsResponse>> {
            self.answer(&request)?;
            Ok(Response::new(theirs::ListItemsResponse { items: vec![] }))
        }
    }
    //% else
    #[tonic::async_trait]
    impl theirs::echo_service_server::EchoService for Called {
        async fn echo(
            &self,
            request: Request<theirs::EchoRequest>,
        ) -> tonic::Result<Response<theirs::EchoResponse>> {
            self.answer(&request)?;
            let message = request.into_inner().message;
            Ok(Response::new(theirs::EchoResponse { message }))
        }
    }
    //% endif
    //% else
    pub fn client(callees: &Callees, config: &Config) -> Client {
        let limits = &config.calls.example_callee;
        let callees = callees.clone();
        let called = service_fn(move |request: Request<Bytes>| {
            let callees = callees.clone();
            async move {
                let traceparent = request.headers()["traceparent"].to_str()?;
                if !callees.answer(traceparent) {
                    return Ok::<_, BoxError>(Response::builder().status(503).body(Bytes::new())?);
                }
                //% if callee.api == "items"
                let body = Bytes::from_static(br#"{"items":[]}"#);
                //% else
                let body = request.into_body();
                //% endif
                Ok(Response::new(body))
            }
        });
        Client::over(Dependency::over("called", limits, called))
    }
    //% endif
}
//% endfor
