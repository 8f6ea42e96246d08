//! The service does what `openapi.json` says, and nothing that it does not say.

mod common;

use std::collections::BTreeSet;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use common::{app, assert_problem, config, request, send};
use serde_json::Value;

use example_service::{OPENAPI, build};

#[tokio::test]
async fn every_route_is_documented_and_every_documented_one_is_there() {
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut documented = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        let methods = operations.as_object().unwrap().keys();
        documented.extend(methods.map(|method| (method.to_uppercase(), path.clone())));
    }
    let (routes, ..) = build(&config()).await.unwrap();
    // The paths, as axum shows them to people. It has no other list.
    let shown = format!("{routes:?}");
    let (shown, _) = shown.split_once("fallback_router").unwrap();
    let paths = shown.split('"').filter(|text| text.starts_with('/'));
    let service = app(&config(), Router::new()).await;
    let mut answered = BTreeSet::new();
    for path in paths {
        // A method that nobody knows is told those that are.
        let unknown = request("UNKNOWN", path).body(Body::empty());
        let refused = send(&service, unknown.unwrap()).await;
        assert_problem(&refused, 405);
        let methods = refused.headers["allow"].to_str().unwrap().split(',');
        let methods = methods.filter(|method| *method != "HEAD");
        answered.extend(methods.map(|method| (method.to_owned(), path.to_owned())));
    }
    assert_eq!(
        answered, documented,
        "left the routes, right `openapi.json`: a new route belongs in its module's `operations`"
    );
}

#[tokio::test]
async fn everyone_may_read_the_document() {
    let service = app(&config(), Router::new()).await;
    let nobody = Request::builder().uri("/openapi.json");
    let answer = send(&service, nobody.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.headers["content-type"], "application/json");
    let document: Value = serde_json::from_str(OPENAPI).unwrap();
    assert_eq!(answer.body, document);
}
