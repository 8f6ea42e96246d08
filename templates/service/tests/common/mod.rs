//% if database
//! The service as `main` assembles it, in this process: no port, and nobody where its database should be.
//% else
//! The service as `main` assembles it, in this process: no port, a database in memory.
//% endif

use std::time::Duration;

use axum::Router;
use axum::body::Body;
//% if protocol == "grpc"
use axum::http::{HeaderMap, HeaderValue, Request};
//% if database
use chassis_database::server::SslMode;
//% endif
use chassis_grpc_server::protect;
use http_body_util::BodyExt;
use prost::Message;
use tokio::time::timeout;
//% if auth == "jwt"
use tonic::service::interceptor::InterceptedService;
//% endif
use tonic::{Code, Status};
use tower::ServiceExt;
//% else
use axum::http::{HeaderMap, Request, StatusCode};
use axum::response::Response;
//% if database
use chassis_database::server::SslMode;
//% endif
use chassis_inbound::protect;
use serde_json::Value;
use tokio::time::timeout;
use tower::ServiceExt;
//% endif

//% if auth == "jwt"
use example_service::routes::SCOPES;
use example_service::{Config, SERVICE, build};

pub const KEY: &str = "a key of 32 bytes, for tests only";
//% else
use example_service::{Config, build};
//% endif

/// More than any limit of the service: what takes longer hangs.
const PATIENCE: Duration = Duration::from_secs(90);

/// The defaults, with no port, file or key of the machine.
pub fn config() -> Config {
    let mut config = Config::load().expect("the defaults are valid");
    config.server.host = [127, 0, 0, 1].into();
    config.server.port = 0;
    config.admin.host = config.server.host;
    config.admin.port = 0;
    //% for callee in calls
    let nowhere = "http://127.0.0.1:1".to_owned();
    let addresses = &mut config.discovery.addresses;
    addresses.insert("example_callee".to_owned(), nowhere);
    //% endfor
    //% if client_tls
    config.client_tls.ca_file = None;
    //% endif
    //% if client_certificate
    config.client_tls.certificate_file = None;
    config.client_tls.key_file = None;
    //% endif
    //% if database
    config.store.host = config.server.host.to_string();
    config.store.port = 1;
    config.store.acquire_timeout = Duration::from_millis(10);
    config.store.ssl_mode = SslMode::Disable;
    //% endif
    //% if store == "sqlite"
    config.store.path = ":memory:".to_owned();
    //% endif
    //% if auth == "jwt"
    config.auth.key = Some(KEY.into());
    config.auth.key_file = None;
    //% endif
    config
}

/// The service's routes and those of a test, behind the chassis's layers.
pub async fn app(config: &Config, extra: Router) -> Router {
    let (routes, ..) = build(config).await.expect("the service can start");
    protect(routes.merge(extra), &config.server)
}

//% if protocol == "grpc"
//% if auth == "jwt"
/// Where clients that tonic makes send their calls, as an accepted caller does.
pub type Caller = InterceptedService<Router, Accepted>;
type Accepted = fn(tonic::Request<()>) -> tonic::Result<tonic::Request<()>>;

/// The whole service, for clients that tonic makes.
pub fn caller(app: Router) -> Caller {
    Caller::new(app, accepted)
}

fn accepted(mut request: tonic::Request<()>) -> tonic::Result<tonic::Request<()>> {
    let token = format!("Bearer {}", token(SERVICE.name)).parse().unwrap();
    request.metadata_mut().insert("authorization", token);
    Ok(request)
}
//% else
/// Where clients that tonic makes send their calls.
pub type Caller = Router;

/// The whole service, for clients that tonic makes.
pub fn caller(app: Router) -> Caller {
    app
}
//% endif

/// A call with an empty message, as an accepted caller makes it.
pub fn request(path: &str) -> Request<Body> {
    call_with(path, &())
}

/// A call with a message, as an accepted caller makes it.
pub fn call_with(path: &str, message: &impl Message) -> Request<Body> {
    let request = Request::post(path).header("content-type", "application/grpc");
    //% if auth == "jwt"
    let request = request.header("authorization", format!("Bearer {}", token(SERVICE.name)));
    //% endif
    // Not compressed, so many bytes, the bytes.
    let length = u32::try_from(message.encoded_len()).unwrap();
    let mut body = vec![0];
    body.extend(length.to_be_bytes());
    body.extend(message.encode_to_vec());
    request.body(Body::from(body)).unwrap()
}
//% else
/// A request as an accepted caller makes it.
pub fn request(method: &str, path: &str) -> axum::http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    //% if auth == "jwt"
    let request = request.header("authorization", format!("Bearer {}", token(SERVICE.name)));
    //% endif
    request.header("content-type", "application/json")
}
//% endif
//% if auth == "jwt"

/// A valid token for a service, which allows everything.
pub fn token(audience: &str) -> String {
    token_for(audience, &SCOPES.join(" "))
}

/// A valid token for a service and some scopes, with spaces between.
pub fn token_for(audience: &str, scopes: &str) -> String {
    let claims = serde_json::json!({
        "sub": "tester",
        "iss": config().auth.issuer,
        "aud": audience,
        "exp": u32::MAX,
        "scope": scopes,
    });
    chassis_auth::sign(&claims, &KEY.into()).expect("claims can be signed")
}
//% endif

//% if protocol == "grpc"
/// What a caller sees of the end of a call.
#[derive(Debug)]
pub struct Answer {
    pub code: Code,
    pub message: String,
    /// Of the beginning and of the end.
    pub metadata: HeaderMap<HeaderValue>,
}

pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let answer = async {
        let (parts, body) = app.clone().oneshot(request).await.unwrap().into_parts();
        assert_eq!(parts.status, 200, "gRPC has its own statuses");
        let mut metadata = parts.headers;
        let body = body.collect().await.expect("the body can be read");
        metadata.extend(body.trailers().cloned().unwrap_or_default());
        metadata
    };
    let metadata = timeout(PATIENCE, answer).await;
    let metadata = metadata.expect("an answer comes in time");
    let status = Status::from_header_map(&metadata).expect("an answer says how it ended");
    Answer {
        code: status.code(),
        message: status.message().to_owned(),
        metadata,
    }
}
//% else
/// What a caller sees of an answer.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Value,
}

pub async fn send(app: &Router, request: Request<Body>) -> Answer {
    let response = timeout(PATIENCE, app.clone().oneshot(request)).await;
    let response = response.expect("an answer comes in time");
    answer(response.expect("the router always answers")).await
}

async fn answer(response: Response) -> Answer {
    let (parts, body) = response.into_parts();
    let bytes = axum::body::to_bytes(body, 1 << 20)
        .await
        .expect("the body can be read");
    let body = serde_json::from_slice(&bytes).unwrap_or(Value::Null);
    Answer {
        status: parts.status,
        headers: parts.headers,
        body,
    }
}

/// The answer is an error that says so in the one form that all errors have.
pub fn assert_problem(answer: &Answer, status: u16) {
    assert_eq!(answer.status.as_u16(), status, "{}", answer.body);
    assert_eq!(answer.headers["content-type"], "application/problem+json");
    assert_eq!(answer.body["status"], status);
    assert_eq!(
        answer.body["request_id"],
        answer.headers["x-request-id"].to_str().unwrap()
    );
}
//% endif
