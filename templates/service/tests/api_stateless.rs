//! What a caller of `/v1/echo` sees.

mod common;

use axum::Router;
use axum::body::Body;
use common::{Answer, app, assert_problem, config, request};
use serde_json::json;

async fn echo(body: String) -> Answer {
    let service = app(&config(), Router::new()).await;
    common::send(
        &service,
        request("POST", "/v1/echo").body(Body::from(body)).unwrap(),
    )
    .await
}

#[tokio::test]
async fn a_message_comes_back() {
    let answer = echo(json!({ "message": "hello" }).to_string()).await;
    assert_eq!(
        (answer.status.as_u16(), answer.body),
        (200, json!({ "message": "hello" }))
    );
}

#[tokio::test]
async fn bad_input_is_a_problem_that_says_what_is_wrong() {
    for (body, status, detail) in [
        (
            json!({ "message": "x".repeat(1001) }).to_string(),
            422,
            "`message` must have 1000",
        ),
        (json!({ "message": 7 }).to_string(), 422, "message"),
        (json!({}).to_string(), 422, "message"),
        ("{".to_owned(), 400, "JSON"),
    ] {
        let answer = echo(body).await;
        assert_problem(&answer, status);
        let told = answer.body["detail"].as_str().unwrap_or_default();
        assert!(told.contains(detail), "{told}");
    }
}
