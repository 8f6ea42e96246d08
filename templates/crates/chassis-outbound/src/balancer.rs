//! Client-side balancing: each call goes to the less busy of two addresses picked at random. Names are looked up again
//! and again, so new replicas are found; while the lookup fails, the last known addresses stay. An address that cannot
//! be reached is passed over for a while.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{HeaderMap, Request, Response};
use bytes::Bytes;
use chassis::config::{ConfigError, invalid};
use chassis::stream::Connect;
use chassis_discovery::{Discovery, Origin, Origins};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper_util::client::legacy::{Builder, Client};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, timeout};
use tower::{BoxError, Service};

use crate::{CallError, CallFuture, Outbound};
use connector::Connector;

mod connector;

/// Connections that nobody used for this long are closed: before most servers do so.
const IDLE: Duration = Duration::from_secs(30);

/// How calls travel.
#[derive(Clone, Debug)]
pub struct Transport {
    pub connect_timeout: Duration,
    /// The largest answer that is taken.
    pub response_limit: usize,
    pub refresh: Duration,
    pub avoid: Duration,
    /// Makes the client of each address.
    pub client: Builder,
}

impl Transport {
    /// Over HTTP/1.1, as long as [`client`](Self::client) is left alone.
    pub fn new(limits: &Outbound, discovery: &Discovery) -> Self {
        let mut client = Client::builder(TokioExecutor::new());
        client.pool_timer(TokioTimer::new()).pool_idle_timeout(IDLE);
        Self {
            connect_timeout: limits.connect_timeout,
            response_limit: limits.response_limit_bytes,
            refresh: discovery.refresh,
            avoid: discovery.avoid,
            client,
        }
    }

    /// Calls a service without TLS. Needs a tokio runtime.
    pub fn balance(
        self,
        service: &'static str,
        discovery: &Discovery,
    ) -> Result<Balancer, ConfigError> {
        let origins = discovery.origins(service, &Scheme::HTTP)?;
        if origins.known().iter().any(Origin::is_secure) {
            let problem = format!(
                "has an https:// URL for `{service}`, which is called over plain HTTP: `over_tls` speaks TLS"
            );
            return Err(invalid("discovery.addresses", problem));
        }
        Ok(Balancer::new(service, origins, self))
    }

    /// Calls a service over TLS, unless its URL says otherwise. Whoever answers must be the host of that URL.
    pub fn balance_over_tls(
        self,
        service: &'static str,
        discovery: &Discovery,
        tls: impl Connect + 'static,
    ) -> Result<Balancer, ConfigError> {
        let origins = discovery.origins(service, &Scheme::HTTPS)?;
        Ok(Balancer::over_tls(service, origins, self, tls))
    }
}

/// Trailers of an answer, in its extensions.
#[derive(Clone, Debug)]
pub struct Trailers(pub HeaderMap);

/// Sends a request to one of the addresses of a service. The request's URI is its path there.
#[derive(Clone)]
pub struct Balancer(Arc<Shared>);

struct Shared {
    service: &'static str,
    transport: Transport,
    /// `None` until the first lookup has ended.
    endpoints: watch::Sender<Option<Vec<Arc<Endpoint>>>>,
    /// The addresses may be out of date.
    look_up: Notify,
    /// The last lookup did not find all.
    missing: AtomicBool,
    tls: Option<Arc<dyn Connect>>,
}

/// One address, with its own connections.
struct Endpoint {
    origin: Origin,
    address: SocketAddr,
    client: Client<Connector, Full<Bytes>>,
    in_flight: AtomicUsize,
    avoided_until: Mutex<Option<Instant>>,
}

impl Balancer {
    /// Starts to look the addresses up. Needs a tokio runtime.
    pub fn new(service: &'static str, origins: impl Into<Origins>, transport: Transport) -> Self {
        Self::start(Shared::new(service, transport), origins.into())
    }

    /// Likewise; URLs may be `https://`, and then whoever answers shows a certificate for their host.
    pub fn over_tls(
        service: &'static str,
        origins: impl Into<Origins>,
        transport: Transport,
        tls: impl Connect + 'static,
    ) -> Self {
        let tls: Option<Arc<dyn Connect>> = Some(Arc::new(tls));
        let shared = Shared {
            tls,
            ..Shared::new(service, transport)
        };
        Self::start(shared, origins.into())
    }

    fn start(shared: Shared, origins: Origins) -> Self {
        let refresh = shared.transport.refresh;
        let shared = Arc::new(shared);
        tokio::spawn(keep_looking_up(Arc::downgrade(&shared), origins, refresh));
        Self(shared)
    }
}

/// Ends with the balancer.
async fn keep_looking_up(shared: Weak<Shared>, mut origins: Origins, refresh: Duration) {
    while let Some(balancer) = shared.upgrade() {
        balancer.refresh(origins.told().await).await;
        let asked = async move { balancer.look_up.notified().await };
        let next = async {
            // Not more often than ten times in the usual time, however often a call fails.
            tokio::time::sleep(refresh / 10).await;
            _ = timeout(refresh, asked).await;
        };
        tokio::select! {
            () = next => {}
            () = origins.changed() => {}
        }
    }
}

impl Shared {
    fn new(service: &'static str, transport: Transport) -> Self {
        Self {
            service,
            transport,
            endpoints: watch::Sender::default(),
            look_up: Notify::new(),
            missing: AtomicBool::new(false),
            tls: None,
        }
    }

    async fn refresh(&self, origins: Vec<Origin>) {
        let known = self.endpoints.borrow().clone().unwrap_or_default();
        let mut found: Vec<Arc<Endpoint>> = Vec::new();
        let mut missing = None;
        for origin in &origins {
            let same = |endpoint: &&Arc<Endpoint>| endpoint.origin == *origin;
            match origin.addresses().await {
                Ok(addresses) if !addresses.is_empty() => {
                    found.extend(addresses.into_iter().map(|address| {
                        let mut same = known.iter().filter(same);
                        match same.find(|endpoint| endpoint.address == address) {
                            Some(endpoint) => endpoint.clone(),
                            None => Arc::new(self.endpoint(origin.clone(), address)),
                        }
                    }));
                }
                outcome => {
                    missing = Some((origin.host(), outcome.err().map(|error| error.to_string())));
                    found.extend(known.iter().filter(same).cloned());
                }
            }
        }
        // Said when it begins, not at each lookup.
        let was_missing = self.missing.swap(missing.is_some(), Relaxed);
        if let Some((host, error)) = missing.filter(|_| !was_missing) {
            let dependency = self.service;
            tracing::warn!(
                dependency,
                host,
                error,
                "no addresses found; the known ones stay"
            );
        }
        self.endpoints.send_replace(Some(found));
    }

    fn endpoint(&self, origin: Origin, address: SocketAddr) -> Endpoint {
        let connector = Connector {
            address,
            timeout: self.transport.connect_timeout,
            tls: self
                .tls
                .clone()
                .filter(|_| origin.is_secure())
                .map(|tls| (tls, origin.host().into())),
        };
        let client = self.transport.client.build(connector);
        Endpoint {
            origin,
            address,
            client,
            in_flight: AtomicUsize::new(0),
            avoided_until: Mutex::default(),
        }
    }

    /// The less busy of two.
    async fn pick(&self) -> Result<Arc<Endpoint>, CallError> {
        let mut known = self.endpoints.subscribe();
        let unknown =
            || CallError::Unreachable(format!("`{}` has no address", self.service).into());
        let all = known
            .wait_for(Option::is_some)
            .await
            .map_err(|_| unknown())?;
        let all = all.as_deref().unwrap_or_default();
        let now = Instant::now();
        let reachable: Vec<_> = all
            .iter()
            .filter(|endpoint| !endpoint.is_avoided(now))
            .collect();
        let candidates = if reachable.is_empty() {
            all.iter().collect()
        } else {
            reachable
        };
        let picked = match candidates.len() {
            0 => return Err(unknown()),
            1 => candidates[0],
            count => {
                let first = fastrand::usize(..count);
                let second = (first + fastrand::usize(1..count)) % count;
                let busy = |index: &usize| candidates[*index].in_flight.load(Relaxed);
                candidates[[first, second]
                    .into_iter()
                    .min_by_key(busy)
                    .unwrap_or(first)]
            }
        };
        Ok(picked.clone())
    }

    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, CallError> {
        let endpoint = self.pick().await?;
        let _busy = Busy::enter(&endpoint);
        let (mut parts, body) = request.into_parts();
        parts.uri = endpoint
            .origin
            .url(parts.uri.path_and_query().map_or("/", |path| path.as_str()))
            .map_err(|error| CallError::Broken(error.into()))?;
        let request = Request::from_parts(parts, Full::new(body));
        let response = match endpoint.client.request(request).await {
            Ok(response) => response,
            Err(error) if error.is_connect() => {
                endpoint.avoid_for(self.transport.avoid);
                self.look_up.notify_one();
                return Err(CallError::Unreachable(error.into()));
            }
            Err(error) => return Err(CallError::Broken(error.into())),
        };
        let (mut parts, body) = response.into_parts();
        match Limited::new(body, self.transport.response_limit)
            .collect()
            .await
        {
            Ok(body) => {
                if let Some(trailers) = body.trailers() {
                    parts.extensions.insert(Trailers(trailers.clone()));
                }
                Ok(Response::from_parts(parts, body.to_bytes()))
            }
            Err(error) if error.is::<LengthLimitError>() => Err(CallError::TooLarge),
            Err(error) => Err(CallError::Broken(error)),
        }
    }
}

impl Endpoint {
    fn is_avoided(&self, now: Instant) -> bool {
        let until = *self
            .avoided_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        until.is_some_and(|until| now < until)
    }

    fn avoid_for(&self, time: Duration) {
        let mut until = self
            .avoided_until
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *until = Some(Instant::now() + time);
    }
}

/// Counts a call for as long as it lasts, a cancelled one too.
struct Busy<'a>(&'a Endpoint);

impl<'a> Busy<'a> {
    fn enter(endpoint: &'a Endpoint) -> Self {
        endpoint.in_flight.fetch_add(1, Relaxed);
        Self(endpoint)
    }
}

impl Drop for Busy<'_> {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Relaxed);
    }
}

impl Service<Request<Bytes>> for Balancer {
    type Response = Response<Bytes>;
    type Error = BoxError;
    type Future = CallFuture<Response<Bytes>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let shared = self.0.clone();
        Box::pin(async move { Ok(shared.send(request).await?) })
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use chassis::stream;
    use std::io;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::task::JoinHandle;
    use tower::ServiceExt;

    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// A server that says its own address.
    async fn replica() -> (SocketAddr, JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let app = Router::new().route("/who", get(async move || address.to_string()));
        let server = async move { axum::serve(listener, app).await.unwrap() };
        (address, tokio::spawn(server))
    }

    fn origin(authority: &str) -> Origin {
        Origin {
            scheme: Scheme::HTTP,
            authority: authority.parse().unwrap(),
            path: String::new(),
            at: None,
        }
    }

    fn transport() -> Transport {
        Transport {
            connect_timeout: 500 * MS,
            response_limit: 1024,
            refresh: 100 * MS,
            avoid: 60_000 * MS,
            client: Client::builder(TokioExecutor::new()),
        }
    }

    fn balancer(origins: Vec<Origin>) -> Balancer {
        Balancer::new("replicas", origins, transport())
    }

    async fn ask(balancer: &Balancer) -> Result<String, String> {
        let request = Request::get("/who").body(Bytes::new()).unwrap();
        let answer = balancer.clone().oneshot(request).await;
        let answer = answer.map_err(|error| error.to_string())?;
        Ok(String::from_utf8_lossy(answer.body()).into_owned())
    }

    #[tokio::test]
    async fn every_replica_gets_calls_and_one_that_is_gone_is_passed_over() {
        let ((one, _server), (two, gone)) = (replica().await, replica().await);
        let balancer = balancer([one, two].map(|a| origin(&a.to_string())).into());
        let mut seen = std::collections::BTreeMap::new();
        for _ in 0..100 {
            *seen.entry(ask(&balancer).await.unwrap()).or_insert(0) += 1;
        }
        assert!(seen.values().all(|calls| *calls > 10), "{seen:?}");
        assert_eq!(seen.len(), 2, "{seen:?}");

        gone.abort();
        _ = gone.await;
        let failed = failures(100, &balancer).await;
        assert!(
            failed <= 2,
            "{failed} calls went to the replica that is gone"
        );
    }

    async fn failures(calls: usize, balancer: &Balancer) -> usize {
        let mut failed = 0;
        for _ in 0..calls {
            failed += usize::from(ask(balancer).await.is_err());
        }
        failed
    }

    #[tokio::test]
    async fn the_less_busy_of_two_is_asked() {
        let ((one, _first), (two, _second)) = (replica().await, replica().await);
        let balancer = balancer([one, two].map(|a| origin(&a.to_string())).into());
        ask(&balancer).await.unwrap();
        let all = balancer.0.endpoints.borrow().clone().unwrap();
        all[0].in_flight.store(1, Relaxed);
        for _ in 0..20 {
            assert_eq!(ask(&balancer).await.unwrap(), all[1].address.to_string());
        }
    }

    #[tokio::test]
    async fn while_the_lookup_fails_the_last_known_addresses_stay() {
        let (address, _server) = replica().await;
        // No name has a part that long, so no lookup ever succeeds.
        let nowhere = origin(&"n".repeat(64));
        let balancer = balancer(vec![nowhere.clone()]);
        let refused = ask(&balancer).await.unwrap_err();
        assert!(refused.contains("cannot be reached"), "{refused}");
        let known = Arc::new(balancer.0.endpoint(nowhere, address));
        balancer.0.endpoints.send_replace(Some(vec![known]));
        tokio::time::sleep(300 * MS).await;
        assert_eq!(ask(&balancer).await.unwrap(), address.to_string());
    }

    /// Whoever answers is this host, and no other.
    struct Only(&'static str);

    impl Connect for Only {
        fn connect<'a>(
            &'a self,
            host: &'a str,
            stream: TcpStream,
        ) -> chassis::BoxFuture<'a, io::Result<Box<dyn stream::Stream>>> {
            Box::pin(async move {
                match host == self.0 {
                    true => Ok(Box::new(stream) as Box<dyn stream::Stream>),
                    false => Err(io::Error::other("another host")),
                }
            })
        }
    }

    #[tokio::test]
    async fn over_tls_whoever_answers_must_be_the_host_of_the_url() {
        let (address, _server) = replica().await;
        for (host, is_believed) in [("127.0.0.1", true), ("stock", false)] {
            let secure = Origin {
                scheme: Scheme::HTTPS,
                ..origin(&address.to_string())
            };
            let balancer = Balancer::over_tls("replicas", vec![secure], transport(), Only(host));
            assert_eq!(ask(&balancer).await.is_ok(), is_believed, "{host}");
        }
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_not_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let app = Router::new().route("/who", get(async || "x".repeat(1025)));
        tokio::spawn(async move { axum::serve(listener, app).await });
        let refused = ask(&balancer(vec![origin(&address)])).await.unwrap_err();
        assert!(refused.contains("response_limit_bytes"), "{refused}");
    }
}
