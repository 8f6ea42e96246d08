//! What a receiver gets of a request that goes through two services.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Request, Response, StatusCode, Uri};
use axum::response::IntoResponse;
use axum::routing::get;
use chassis::Identity;
use chassis::config::Server;
use chassis::problem::Problem;
use chassis_http_client::HttpClient;
use chassis_inbound::protect;
use chassis_outbound::{Dependency, Outbound};
use chassis_telemetry::export;
use chassis_telemetry::json_lines::JsonLines;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tower::{BoxError, ServiceExt, service_fn};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

const SERVICE: Identity = Identity {
    name: "probe",
    version: "1.2.3",
    env_prefix: "PROBE",
};
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

/// What came in, by path.
type Received = Arc<Mutex<Vec<(String, HeaderMap, Value)>>>;

/// The exporter is the process's own, so this is one test.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_through_two_services_is_one_trace_and_its_log_lines_name_it() {
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    let receiver = Router::new().fallback(receive);
    let receiver = receiver.with_state(received.clone());
    tokio::spawn(async move { axum::serve(listener, receiver).await });
    let variable = |name: &str| match name {
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(endpoint.clone()),
        "OTEL_EXPORTER_OTLP_HEADERS" => Some("x-key=open".to_owned()),
        _ => None,
    };
    chassis_otlp::start_as(&SERVICE, HttpClient::plain, variable).unwrap();
    let lines = JsonLines::new(&SERVICE, export::logged).with_filter(LevelFilter::INFO);
    tracing_subscriber::registry().with(lines).init();

    let app = two_services();
    let quiet = format!("00-{TRACE}-{CALLER}-00");
    let loud = format!("00-{TRACE}-{CALLER}-01");
    for (path, parent, status) in [
        ("/v1/orders/0", &quiet, 200),
        ("/v1/orders/7?card=secret", &loud, 200),
        ("/v1/orders/500", &loud, 502),
    ] {
        let request = Request::get(path).header("traceparent", parent);
        let request = request.header("x-request-id", path.split('?').next().unwrap());
        let request = request.body(Body::empty()).unwrap();
        assert_eq!(app.clone().oneshot(request).await.unwrap().status(), status);
    }
    tokio::task::spawn_blocking(export::flush).await.unwrap();

    let spans = records(
        &received,
        "/v1/traces",
        "resourceSpans",
        "scopeSpans",
        "spans",
    );
    let shown: Vec<String> = spans.iter().map(show).collect();
    // Of the first request none, because its caller keeps none.
    assert_eq!(
        shown,
        [
            "GET /v1/items/{id} 2 200 -",
            "GET inventory 3 200 -",
            "GET /v1/orders/{id} 2 200 -",
            "GET /v1/items/{id} 2 500 500",
            "GET inventory 3 500 500",
            "GET /v1/orders/{id} 2 502 502",
        ]
    );
    for request in spans.chunks(3) {
        let [callee, call, caller] = request else {
            panic!("{request:?}")
        };
        assert_eq!(callee["parentSpanId"], call["spanId"]);
        assert_eq!(call["parentSpanId"], caller["spanId"]);
        assert_eq!(caller["parentSpanId"], CALLER);
        assert!(request.iter().all(|span| span["traceId"] == TRACE));
        assert_eq!(attribute(call, "peer.service"), "inventory");
    }
    assert_eq!(attribute(&spans[2], "url.path"), "/v1/orders/7");
    assert_eq!(attribute(&spans[2], "request_id"), "/v1/orders/7");
    assert_eq!(attribute(&spans[2], "http.route"), "/v1/orders/{id}");

    let lines = records(
        &received,
        "/v1/logs",
        "resourceLogs",
        "scopeLogs",
        "logRecords",
    );
    let answers: Vec<&Value> = lines
        .iter()
        .filter(|line| line["body"]["stringValue"] == "request finished")
        .collect();
    assert_eq!(answers.len(), 6, "also of the request that is not traced");
    assert!(answers.iter().all(|line| line["traceId"] == TRACE));
    // Each stands in the span of the request that it is about.
    let of_lines: Vec<_> = answers[2..].iter().map(|line| &line["spanId"]).collect();
    let of_spans: Vec<_> = [0, 2, 3, 5]
        .iter()
        .map(|at| &spans[*at]["spanId"])
        .collect();
    assert_eq!(of_lines, of_spans);
    let last = answers[5];
    assert_eq!(
        (&last["severityNumber"], &last["severityText"]),
        (&json!(9), &json!("INFO"))
    );
    assert_eq!(attribute(last, "status"), "502");
    assert_eq!(attribute(last, "path"), "/v1/orders/500");
    let warned = |line: &&Value| line["severityText"] == "WARN";
    assert!(
        lines
            .iter()
            .any(|line| warned(&line) && attribute(line, "dependency") == "inventory")
    );

    for (_, headers, body) in &*received.lock().unwrap() {
        assert_eq!(headers["content-type"], "application/json");
        assert_eq!(headers["x-key"], "open");
        let text = body.to_string();
        assert!(!text.contains("secret"), "no query: {text}");
        let resource = json!({"attributes": [
            {"key": "service.name", "value": {"stringValue": "probe"}},
            {"key": "service.version", "value": {"stringValue": "1.2.3"}},
        ]});
        assert!(text.contains(&format!("\"resource\":{resource}")), "{text}");
    }
}

async fn receive(
    State(received): State<Received>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> StatusCode {
    let body = serde_json::from_slice(&body).unwrap();
    let mut received = received.lock().unwrap();
    received.push((uri.to_string(), headers, body));
    StatusCode::OK
}

/// One asks the other for an item. An item's number is how it is answered.
fn two_services() -> Router {
    let limits: Server = read(json!({
        "host": "127.0.0.1", "port": 0, "max_connections": 9,
        "header_read_timeout_ms": 10000, "header_limit_bytes": 8192,
        "request_timeout_ms": 5000, "body_timeout_ms": 30000, "body_limit_bytes": 1024,
        "max_in_flight": 9, "trusted_proxies": "",
        "rate_limit": {"enabled": false, "requests_per_second": 1, "burst": 1},
        "linger_ms": 1, "drain_ms": 20000, "grace_ms": 35000,
    }));
    let item = get(async |Path(id): Path<u16>| match id {
        500 => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        _ => axum::Json(id).into_response(),
    });
    let items = protect(Router::new().route("/v1/items/{id}", item), &limits);
    let inventory = service_fn(move |request: Request<Bytes>| {
        let items = items.clone();
        async move {
            let answer = items.oneshot(request.map(Body::from)).await?;
            let (parts, body) = answer.into_parts();
            let body = to_bytes(body, 1024).await?;
            Ok::<_, BoxError>(Response::from_parts(parts, body))
        }
    });
    let calls: Outbound = read(json!({
        "connect_timeout_ms": 500, "attempt_timeout_ms": 1000, "total_timeout_ms": 4000,
        "max_in_flight": 9, "response_limit_bytes": 1024, "retries": 0,
        "backoff_ms": 50, "backoff_max_ms": 500, "retry_budget_percent": 20,
        "retry_budget_per_second": 1, "retry_budget_window_ms": 10000,
        "breaker_failure_percent": 50, "breaker_min_calls": 20, "breaker_window_ms": 10000,
        "breaker_open_ms": 5000, "breaker_open_max_ms": 60000, "breaker_probes": 3,
        "stale_ms": 1000, "stale_entries": 9,
    }));
    let dependency = Dependency::over("inventory", &calls, inventory);
    let order = get(async move |Path(id): Path<u16>| {
        let item = dependency.get::<u16>(&format!("/v1/items/{id}")).await?;
        Ok::<_, Problem>(axum::Json(item.value))
    });
    protect(Router::new().route("/v1/orders/{id}", order), &limits)
}

fn read<T: DeserializeOwned>(settings: Value) -> T {
    serde_json::from_value(settings).unwrap()
}

/// All records that were sent to a path, in their order.
fn records(received: &Received, path: &str, outer: &str, middle: &str, inner: &str) -> Vec<Value> {
    let received = received.lock().unwrap();
    let bodies = received.iter().filter(|(to, ..)| to == path);
    let lists = bodies.map(|(_, _, body)| body[outer][0][middle][0][inner].as_array().unwrap());
    lists.flatten().cloned().collect()
}

/// Name, kind, status code, and what went wrong: in the attribute and the status alike.
fn show(span: &Value) -> String {
    let code = attribute(span, "http.response.status_code");
    let error = attribute(span, "error.type");
    assert_eq!(span["status"]["code"] == 2, error != "-", "{span}");
    format!(
        "{} {} {code} {error}",
        span["name"].as_str().unwrap(),
        span["kind"]
    )
}

fn attribute(record: &Value, key: &str) -> String {
    let attributes = record["attributes"].as_array().unwrap();
    let found = attributes.iter().find(|attribute| attribute["key"] == key);
    let value = found.and_then(|found| found["value"].as_object()?.values().next());
    value.map_or("-".to_owned(), |value| value.as_str().unwrap().to_owned())
}
