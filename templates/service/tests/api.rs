//! What a caller of `/v1/items` sees.

mod common;
//% if database
mod database;
//% endif

use axum::Router;
use axum::body::Body;
use common::{Answer, app, assert_problem, config, request};
//% if database
use database::TestDatabase;
//% endif
use serde_json::{Value, json};

//% if database
async fn service() -> Router {
    let mut config = config();
    let database = TestDatabase::for_service(&mut config).await;
    let service = app(&config, Router::new()).await;
    // It goes with the service.
    service.layer(axum::Extension(database))
}
//% else
async fn service() -> Router {
    app(&config(), Router::new()).await
}
//% endif

async fn call(service: &Router, method: &str, path: &str, body: Value) -> Answer {
    let body = if body.is_null() {
        Body::empty()
    } else {
        Body::from(body.to_string())
    };
    common::send(service, request(method, path).body(body).unwrap()).await
}

#[tokio::test]
async fn an_item_lives_from_post_to_delete() {
    let service = service().await;
    let tea = json!({ "name": "tea", "quantity": 2 });
    let created = call(&service, "POST", "/v1/items", tea).await;
    assert_eq!(created.status, 201);
    let location = created.headers["location"].to_str().unwrap();
    assert_eq!(created.body["name"], "tea");

    let found = call(&service, "GET", location, Value::Null).await;
    assert_eq!((found.status.as_u16(), &found.body), (200, &created.body));

    // Some callers write all numbers so.
    let more = json!({ "name": "tea", "quantity": 3.0 });
    let replaced = call(&service, "PUT", location, more).await;
    assert_eq!(
        (replaced.status.as_u16(), &replaced.body["quantity"]),
        (200, &json!(3))
    );
    let found = call(&service, "GET", location, Value::Null).await;
    assert_eq!(found.body, replaced.body);

    assert_eq!(
        call(&service, "DELETE", location, Value::Null).await.status,
        204
    );
    assert_problem(&call(&service, "GET", location, Value::Null).await, 404);
    assert_problem(&call(&service, "DELETE", location, Value::Null).await, 404);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let service = service().await;
    for number in 0..5 {
        let item = json!({ "name": format!("item {number}"), "quantity": number });
        assert_eq!(call(&service, "POST", "/v1/items", item).await.status, 201);
    }
    let mut names = Vec::new();
    let mut path = "/v1/items?limit=2".to_owned();
    loop {
        let page = call(&service, "GET", &path, Value::Null).await;
        assert_eq!(page.status, 200);
        let items = page.body["items"].as_array().unwrap();
        assert!(items.len() <= 2);
        names.extend(
            items
                .iter()
                .map(|item| item["name"].as_str().unwrap().to_owned()),
        );
        match page.body.get("next") {
            Some(next) => path = format!("/v1/items?limit=2&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(names, ["item 0", "item 1", "item 2", "item 3", "item 4"]);
}

#[tokio::test]
async fn bad_input_is_a_problem_that_says_what_is_wrong() {
    let service = service().await;
    let tea = json!({ "name": "tea", "quantity": 2 });
    assert_eq!(
        call(&service, "POST", "/v1/items", tea.clone())
            .await
            .status,
        201
    );
    for (method, path, body, status, detail) in [
        (
            "POST",
            "/v1/items",
            tea.clone(),
            409,
            "another item has this name",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": " ", "quantity": 2 }),
            422,
            "`name` must not be empty",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x".repeat(101), "quantity": 2 }),
            422,
            "`name` must",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x", "quantity": 1_000_001 }),
            422,
            "`quantity` must",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x\u{7}", "quantity": 2 }),
            422,
            "control characters",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x", "quantity": -1 }),
            422,
            "quantity",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x", "quantity": 1.5 }),
            422,
            "quantity",
        ),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x", "quantity": 1e30 }),
            422,
            "quantity",
        ),
        ("POST", "/v1/items", json!({ "name": "x" }), 422, "quantity"),
        (
            "POST",
            "/v1/items",
            json!({ "name": "x", "quantity": 1, "id": 7 }),
            422,
            "id",
        ),
        ("PUT", "/v1/items/77", tea, 404, "no such item"),
        (
            "GET",
            "/v1/items?limit=0",
            Value::Null,
            400,
            "`limit` must be 1 to 100",
        ),
        ("GET", "/v1/items?limit=many", Value::Null, 400, "limit"),
        ("GET", "/v1/items/tea", Value::Null, 404, ""),
        ("PATCH", "/v1/items", Value::Null, 405, ""),
        ("GET", "/v2/items", Value::Null, 404, ""),
    ] {
        let answer = call(&service, method, path, body).await;
        assert_problem(&answer, status);
        let told = answer.body["detail"].as_str().unwrap_or_default();
        assert!(told.contains(detail), "{method} {path}: {told}");
    }
    let no_json = request("POST", "/v1/items").body(Body::from("{")).unwrap();
    assert_problem(&common::send(&service, no_json).await, 400);
}
