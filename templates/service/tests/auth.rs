//! Who may do what: each route demands the scope that `openapi.json` names, and a token that lacks it is told so.

mod common;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use common::{app, assert_problem, config, request, send, token_for};
use serde_json::{Value, json};

use example_service::{OPENAPI, SERVICE};

/// A route, as `openapi.json` has it.
struct Route {
    method: String,
    path: String,
    asks_for_token: bool,
    scope: Option<String>,
}

fn routes() -> Vec<Route> {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut routes = Vec::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let security = &operation["security"];
            routes.push(Route {
                method: method.to_uppercase(),
                path: path.replace("{id}", "1"),
                asks_for_token: *security != json!([]),
                scope: security[0]["token"][0].as_str().map(str::to_owned),
            });
        }
    }
    routes
}

#[tokio::test]
async fn each_route_demands_what_the_document_says() {
    let service = app(&config(), Router::new()).await;
    for route in routes() {
        let (method, path) = (&*route.method, &*route.path);
        let nobody = Request::builder().method(method).uri(path);
        let nobody = send(&service, nobody.body(Body::empty()).unwrap()).await;
        assert_eq!(nobody.status == 401, route.asks_for_token, "{path}");
        let Some(scope) = &route.scope else {
            let nothing = send(&service, allowed("", method, path)).await;
            assert_ne!(nothing.status, 403, "{method} {path}");
            continue;
        };
        for lacking in ["", "something:else", &format!("{scope}:more")] {
            let answer = send(&service, allowed(lacking, method, path)).await;
            assert_problem(&answer, 403);
            let detail = answer.body["detail"].as_str().unwrap();
            assert_eq!(detail, format!("the token does not allow `{scope}`"));
            let challenge = answer.headers["www-authenticate"].to_str().unwrap();
            let expected = format!("Bearer error=\"insufficient_scope\", scope=\"{scope}\"");
            assert_eq!(challenge, expected);
        }
        let one = allowed(&format!("openid {scope}"), method, path);
        let all = request(method, path).body(Body::empty()).unwrap();
        for enough in [one, all] {
            let status = send(&service, enough).await.status;
            assert!(![401, 403].contains(&status.as_u16()), "{method} {path}");
        }
    }
}

fn allowed(scopes: &str, method: &str, path: &str) -> Request<Body> {
    let token = token_for(SERVICE.name, scopes);
    Request::builder()
        .method(method)
        .uri(path)
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/json")
        .body(Body::empty())
        .unwrap()
}
