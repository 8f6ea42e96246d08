//! What this service needs of `example-callee`, in types of its own: fields that it does not use may come and go.

//% if protocol != "events"
use axum::Router;
//% endif
//% if protocol == "rest"
use axum::extract::State;
use axum::routing::get;
//% endif
use chassis::config::ConfigError;
//% if protocol == "rest"
use chassis::problem::Problem;
//% endif
//% if auth == "jwt"
use chassis_auth::scope;
//% endif
//% if protocol == "grpc"
use chassis_grpc_server::{methods, status};
//% endif
//% if protocol == "rest"
#[cfg(test)]
use chassis_openapi::Operation;
//% endif
use chassis_outbound::{Answer, CallError, Dependency};
//% if callee.tls != "mesh"
use chassis_tls::client::Connector;
//% endif
//% if protocol == "rest"
use serde::{Deserialize, Serialize};
//% else
use serde::Deserialize;
//% endif
//% if protocol == "grpc"
use tonic::{Request, Response, Status};
//% endif

use crate::Config;
//% if protocol == "grpc"
use crate::proto::passed_on::example_callee::v1 as own;
//% endif

const NAME: &str = "example-callee";
//% if protocol == "rest"
const PATH: &str = "/v1/example-callee/items";
//% endif
//% if auth == "jwt"
/// What a token must allow whoever asks through this service.
pub const SCOPE: &str = "example-callee:read";
//% endif

#[derive(Clone)]
pub struct Client(Dependency);

//% if protocol == "rest"
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "example-callee.Item"))]
//% else
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
//% endif
pub struct Item {
    pub name: String,
    pub quantity: u32,
}

#[derive(Deserialize)]
struct Page {
    items: Vec<Item>,
}

impl Client {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let limits = &config.calls.example_callee;
        //% if callee.tls == "mesh"
        let dependency = Dependency::new(NAME, limits, &config.discovery)?;
        //% else
        let tls = Connector::new(&config.client_tls)?;
        let dependency = Dependency::over_tls(NAME, limits, &config.discovery, tls)?;
        //% endif
        //% if callee.auth == "jwt"
        let token = config.token.example_callee_file.as_deref();
        let dependency = dependency.with_token_file(token);
        //% endif
        Ok(Self::over(dependency))
    }

    /// Through a stack that is there.
    pub fn over(dependency: Dependency) -> Self {
        Self(dependency)
    }

    /// The first items. A copy when there is no answer.
    pub async fn items(&self) -> Result<Answer<Vec<Item>>, CallError> {
        let page: Answer<Page> = self.0.get("/v1/items").await?;
        Ok(page.map(|page| page.items))
    }
}
//% if protocol == "rest"

/// An example of a route that lives on another service: it degrades with it and does not fail with it.
pub fn router(client: Client) -> Router {
    let list = get(list);
    //% if auth == "jwt"
    let list = list.route_layer(scope(SCOPE));
    //% endif
    Router::new().route(PATH, list).with_state(client)
}

/// The same for `openapi.json`.
#[cfg(test)]
pub fn operations() -> [Operation; 1] {
    let list = Operation::get(PATH, list)
        .named("example-callee.list", "Passes on its items")
        .refuses(502, "It gives no answer that can be used.");
    //% if auth == "jwt"
    let list = list.scope(SCOPE);
    //% endif
    [list]
}

/// What callers get.
#[derive(Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "example-callee.Items"))]
struct Items {
    items: Vec<Item>,
    /// Set when this is a copy: how old it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(test, schemars(with = "u64"))]
    stale_seconds: Option<u64>,
}

async fn list(State(client): State<Client>) -> Result<axum::Json<Items>, Problem> {
    let Answer { value, stale } = client.items().await?;
    Ok(axum::Json(Items {
        items: value,
        stale_seconds: stale.map(|age| age.as_secs()),
    }))
}
//% elif protocol == "grpc"

/// An example of a method that lives on another service: it degrades with it and does not fail with it.
pub fn router(client: Client) -> Router {
    let service = own::items_service_server::ItemsServiceServer::new(PassedOn(client));
    let list = methods(&service, &["ListItems"]);
    //% if auth == "jwt"
    let list = list.route_layer(scope(SCOPE));
    //% endif
    Router::new().merge(list)
}

struct PassedOn(Client);

#[tonic::async_trait]
impl own::items_service_server::ItemsService for PassedOn {
    async fn list_items(
        &self,
        _: Request<own::ListItemsRequest>,
    ) -> Result<Response<own::ListItemsResponse>, Status> {
        let Answer { value, stale } = self.0.items().await.map_err(status)?;
        let own = |item: Item| own::Item {
            name: item.name,
            quantity: item.quantity,
        };
        Ok(Response::new(own::ListItemsResponse {
            items: value.into_iter().map(own).collect(),
            stale_seconds: stale.map(|age| age.as_secs()),
        }))
    }
}
//% endif

#[cfg(test)]
mod tests {
    use axum::body::Bytes;
    use axum::http::{Request, Response};
    use tower::service_fn;

    use super::*;

    #[tokio::test]
    async fn it_reads_what_the_called_service_writes() {
        let written = r#"{"items":[{"id":1,"name":"tea","quantity":2}],"next":1}"#;
        let called = service_fn(async move |request: Request<Bytes>| {
            assert_eq!(request.uri(), "/v1/items");
            Ok(Response::new(Bytes::from_static(written.as_bytes())))
        });
        let limits = Config::load().unwrap().calls.example_callee;
        let client = Client::over(Dependency::over(NAME, &limits, called));
        let tea = Item {
            name: "tea".to_owned(),
            quantity: 2,
        };
        assert_eq!(client.items().await.unwrap().value, [tea]);
    }
}
