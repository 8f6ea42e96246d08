//! Who may do what: each route demands a scope, and a token that lacks it is told so.

mod common;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use common::{app, assert_problem, config, request, send, token_for};

use example_service::SERVICE;

//% if store == "sqlite"
const ROUTES: &[(&str, &str, &str, &str)] = &[
    ("GET", "/v1/items", "", "items:read"),
    ("GET", "/v1/items/1", "", "items:read"),
    (
        "POST",
        "/v1/items",
        r#"{"name": "tea", "quantity": 2}"#,
        "items:write",
    ),
    (
        "PUT",
        "/v1/items/1",
        r#"{"name": "tea", "quantity": 3}"#,
        "items:write",
    ),
    ("DELETE", "/v1/items/1", "", "items:write"),
];
//% else
const ROUTES: &[(&str, &str, &str, &str)] =
    &[("POST", "/v1/echo", r#"{"message": "hello"}"#, "echo")];
//% endif

#[tokio::test]
async fn each_route_demands_its_scope() {
    let service = app(&config(), Router::new()).await;
    for (method, path, body, scope) in ROUTES {
        for lacking in ["", "something:else", &format!("{scope}:more")] {
            let answer = send(&service, allowed(lacking, method, path, body)).await;
            assert_problem(&answer, 403);
            let detail = answer.body["detail"].as_str().unwrap();
            assert_eq!(detail, format!("the token does not allow `{scope}`"));
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            let expected = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(challenge, expected);
        }
        let one = allowed(&format!("openid {scope}"), method, path, body);
        let all = request(method, path).body(Body::from(*body)).unwrap();
        for enough in [one, all] {
            let status = send(&service, enough).await.status;
            assert!(![401, 403].contains(&status.as_u16()), "{method} {path}");
        }
    }
}

fn allowed(scopes: &str, method: &str, path: &str, body: &'static str) -> Request<Body> {
    let token = token_for(SERVICE.name, scopes);
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::from(body))
        .unwrap()
}
