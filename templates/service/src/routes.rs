//! `/v1/items`: create, list, read, replace, delete.

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderName, StatusCode, header};
use axum::routing::{get, post, put};
use chassis::problem::Problem;
//% if auth == "jwt"
use chassis_auth::scope;
//% endif
#[cfg(test)]
use chassis_openapi::Operation;
use chassis_rest::extract::{Json, Path, Query};
use serde::{Deserialize, Serialize};

use crate::store::{Draft, Item, MAX_NAME, MAX_QUANTITY, Store};

const DEFAULT_PAGE: u32 = 50;
const MAX_PAGE: u32 = 100;

//% if auth == "jwt"
const READ: &str = "items:read";
const WRITE: &str = "items:write";

/// Everything that a token can allow here.
//% if calls
pub const SCOPES: &[&str] = &[
    READ,
    WRITE,
    // Of routes that live on other services.
    //% for callee in calls
    crate::clients::example_callee::SCOPE,
    //% endfor
];
//% else
pub const SCOPES: &[&str] = &[READ, WRITE];
//% endif

//% endif
pub fn router(store: Store) -> Router {
    let reads = Router::new()
        .route("/v1/items", get(list))
        .route("/v1/items/{id}", get(read));
    let writes = Router::new()
        .route("/v1/items", post(create))
        .route("/v1/items/{id}", put(replace).delete(remove));
    //% if auth == "jwt"
    let reads = reads.route_layer(scope(READ));
    let writes = writes.route_layer(scope(WRITE));
    //% endif
    reads.merge(writes).with_state(store)
}

/// The same for `openapi.json`: handlers say what they take and give, and words say the rest.
#[cfg(test)]
pub fn operations() -> Vec<Operation> {
    let reads = [
        Operation::get("/v1/items", list).named("listItems", "Lists items, page by page"),
        Operation::get("/v1/items/{id}", read).named("readItem", "Reads an item"),
    ];
    let writes = [
        Operation::post("/v1/items", create)
            .named("createItem", "Makes an item")
            .creates()
            .refuses(409, "Another item has this name."),
        Operation::put("/v1/items/{id}", replace)
            .named("replaceItem", "Replaces an item")
            .refuses(409, "Another item has this name."),
        Operation::delete("/v1/items/{id}", remove).named("deleteItem", "Deletes an item"),
    ];
    //% if auth == "jwt"
    let reads = reads.map(|read| read.scope(READ));
    let writes = writes.map(|write| write.scope(WRITE));
    //% endif
    reads.into_iter().chain(writes).collect()
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Page {
    #[cfg_attr(test, schemars(range(min = 1, max = MAX_PAGE)))]
    #[cfg_attr(test, schemars(extend("default" = DEFAULT_PAGE)))]
    limit: Option<u32>,
    /// `next` of the page before.
    cursor: Option<i64>,
}

#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
struct Items {
    items: Vec<Item>,
    /// Ask for the next page with `?cursor=`; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "i64"))]
    next: Option<i64>,
}

type Created = (StatusCode, [(HeaderName, String); 1], axum::Json<Item>);

async fn create(State(store): State<Store>, Json(draft): Json<Draft>) -> Result<Created, Problem> {
    let item = store.create(&checked(draft)?).await?;
    let location = format!("/v1/items/{}", item.id);
    Ok((
        StatusCode::CREATED,
        [(header::LOCATION, location)],
        axum::Json(item),
    ))
}

async fn list(
    State(store): State<Store>,
    Query(page): Query<Page>,
) -> Result<axum::Json<Items>, Problem> {
    let limit = page.limit.unwrap_or(DEFAULT_PAGE);
    if !(1..=MAX_PAGE).contains(&limit) {
        let detail = format!("`limit` must be 1 to {MAX_PAGE}");
        return Err(Problem::new(StatusCode::BAD_REQUEST).detail(detail));
    }
    // One more than asked for tells whether there is a next page.
    let mut items = store.list(page.cursor.unwrap_or(0), limit + 1).await?;
    let more = items.len() > limit as usize;
    items.truncate(limit as usize);
    let next = items.last().filter(|_| more).map(|item| item.id);
    Ok(axum::Json(Items { items, next }))
}

async fn read(
    State(store): State<Store>,
    Path(id): Path<i64>,
) -> Result<axum::Json<Item>, Problem> {
    Ok(axum::Json(store.read(id).await?))
}

async fn replace(
    State(store): State<Store>,
    Path(id): Path<i64>,
    Json(draft): Json<Draft>,
) -> Result<axum::Json<Item>, Problem> {
    Ok(axum::Json(store.replace(id, &checked(draft)?).await?))
}

async fn remove(State(store): State<Store>, Path(id): Path<i64>) -> Result<StatusCode, Problem> {
    store.remove(id).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn checked(draft: Draft) -> Result<Draft, Problem> {
    let name = &draft.name;
    let begins = name.starts_with(|first: char| !first.is_whitespace());
    let problem = if !begins || name.contains(char::is_control) {
        "`name` must not be empty, begin with a space or hold control characters".to_owned()
    } else if name.chars().count() > MAX_NAME {
        format!("`name` must have {MAX_NAME} characters at most")
    } else if draft.quantity > MAX_QUANTITY {
        format!("`quantity` must be {MAX_QUANTITY} at most")
    } else {
        return Ok(draft);
    };
    Err(Problem::new(StatusCode::UNPROCESSABLE_ENTITY).detail(problem))
}
