//! What this service needs of `example-callee`, by an excerpt of its contract: what it does not use may come and go.

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
use chassis_grpc_client::{Channel, answer, read_only};
//% if protocol == "grpc"
use chassis_grpc_server::{methods, status};
//% endif
//% if protocol == "rest"
#[cfg(test)]
use chassis_openapi::Operation;
//% endif
use chassis_outbound::{Answer, CallError, Outbound};
//% if callee.tls != "mesh"
use chassis_tls::client::Connector;
//% endif
//% if protocol == "rest"
use serde::Serialize;
//% elif protocol == "grpc"
use tonic::{Request, Response, Status};
//% endif

use crate::Config;
use crate::proto::called::example_callee::v1 as theirs;
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
pub struct Client(theirs::items_service_client::ItemsServiceClient<Channel>);

//% if protocol == "rest"
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[cfg_attr(test, schemars(rename = "example-callee.Item"))]
//% else
#[derive(Clone, Debug, PartialEq, Eq)]
//% endif
pub struct Item {
    pub name: String,
    pub quantity: u32,
}

impl Client {
    pub fn new(config: &Config) -> Result<Self, ConfigError> {
        let limits = &config.calls.example_callee;
        //% if callee.tls == "mesh"
        let channel = Channel::new(NAME, limits, &config.discovery)?;
        //% else
        let tls = Connector::for_grpc(&config.client_tls)?;
        let channel = Channel::over_tls(NAME, limits, &config.discovery, tls)?;
        //% endif
        //% if callee.auth == "jwt"
        let token = config.token.example_callee_file.as_deref();
        let channel = channel.with_token_file(token);
        //% endif
        Ok(Self::over(channel, limits))
    }

    /// Through a stack that speaks gRPC.
    pub fn over(channel: Channel, limits: &Outbound) -> Self {
        let client = theirs::items_service_client::ItemsServiceClient::new(channel);
        Self(client.max_decoding_message_size(limits.response_limit_bytes))
    }

    /// The first items. A copy when there is no answer.
    pub async fn items(&self) -> Result<Answer<Vec<Item>>, CallError> {
        let all = read_only(theirs::ListItemsRequest {});
        let page = answer(self.0.clone().list_items(all).await)?;
        Ok(page.map(|page| page.items.into_iter().map(Item::from).collect()))
    }
}

impl From<theirs::Item> for Item {
    fn from(item: theirs::Item) -> Self {
        Self {
            name: item.name,
            quantity: item.quantity,
        }
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
    use chassis_grpc_client::in_process;
    //% if protocol != "grpc"
    use tonic::{Request, Response};
    //% endif

    use super::*;

    struct Called;

    #[tonic::async_trait]
    impl theirs::items_service_server::ItemsService for Called {
        async fn list_items(
            &self,
            _: Request<theirs::ListItemsRequest>,
        ) -> tonic::Result<Response<theirs::ListItemsResponse>> {
            let name = "tea".to_owned();
            let items = vec![theirs::Item { name, quantity: 2 }];
            Ok(Response::new(theirs::ListItemsResponse { items }))
        }
    }

    #[tokio::test]
    async fn it_reads_what_the_called_service_writes() {
        let called = theirs::items_service_server::ItemsServiceServer::new(Called);
        let limits = Config::load().unwrap().calls.example_callee;
        let channel = Channel::over(NAME, &limits, in_process(called));
        let client = Client::over(channel, &limits);
        let tea = Item {
            name: "tea".to_owned(),
            quantity: 2,
        };
        assert_eq!(client.items().await.unwrap().value, [tea]);
    }
}
