//! `ItemsService`: create, list, get, update, delete.

use axum::Router;
use chassis::config::Server;
//% if auth == "jwt"
use chassis_auth::scope;
//% endif
use chassis_grpc_server::{methods, status};
use tonic::{Request, Response, Status};

use crate::proto::v1::items_service_server::{ItemsService, ItemsServiceServer};
use crate::proto::v1::{
    CreateItemRequest, CreateItemResponse, DeleteItemRequest, DeleteItemResponse, GetItemRequest,
    GetItemResponse, Item, ListItemsRequest, ListItemsResponse, UpdateItemRequest,
    UpdateItemResponse,
};
use crate::store::{self, Draft, MAX_NAME, MAX_QUANTITY, Store};

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
    // Of methods that live on other services.
    //% for callee in calls
    crate::clients::example_callee::SCOPE,
    //% endfor
];
//% else
pub const SCOPES: &[&str] = &[READ, WRITE];
//% endif

//% endif
pub fn router(store: Store, limits: &Server) -> Router {
    let items = ItemsServiceServer::new(Items(store));
    let items = items.max_decoding_message_size(limits.body_limit_bytes);
    let reads = methods(&items, &["ListItems", "GetItem"]);
    let writes = methods(&items, &["CreateItem", "UpdateItem", "DeleteItem"]);
    //% if auth == "jwt"
    let reads = reads.route_layer(scope(READ));
    let writes = writes.route_layer(scope(WRITE));
    //% endif
    reads.merge(writes)
}

struct Items(Store);

type Answer<T> = Result<Response<T>, Status>;

#[tonic::async_trait]
impl ItemsService for Items {
    async fn create_item(&self, request: Request<CreateItemRequest>) -> Answer<CreateItemResponse> {
        let CreateItemRequest { name, quantity } = request.into_inner();
        let draft = checked(name, quantity)?;
        let item = self.0.create(&draft).await.map_err(status)?;
        let item = Some(item.into());
        Ok(Response::new(CreateItemResponse { item }))
    }

    async fn list_items(&self, request: Request<ListItemsRequest>) -> Answer<ListItemsResponse> {
        let ListItemsRequest {
            page_size,
            page_token,
        } = request.into_inner();
        let size = match page_size {
            0 => DEFAULT_PAGE,
            1..=MAX_PAGE => page_size,
            _ => {
                let refused = format!("`page_size` must be {MAX_PAGE} at most");
                return Err(Status::invalid_argument(refused));
            }
        };
        let after = match &*page_token {
            "" => 0,
            token => token
                .parse()
                .map_err(|_| Status::invalid_argument("`page_token` is none of a page"))?,
        };
        // One more than asked for tells whether there is a next page.
        let items = self.0.list(after, size + 1).await.map_err(status)?;
        let more = items.len() > size as usize;
        let items: Vec<Item> = items
            .into_iter()
            .take(size as usize)
            .map(Item::from)
            .collect();
        let last = items.last().filter(|_| more);
        let next = last.map(|item| item.id.to_string());
        Ok(Response::new(ListItemsResponse {
            items,
            next_page_token: next.unwrap_or_default(),
        }))
    }

    async fn get_item(&self, request: Request<GetItemRequest>) -> Answer<GetItemResponse> {
        let id = request.into_inner().id;
        let item = self.0.read(id).await.map_err(status)?;
        let item = Some(item.into());
        Ok(Response::new(GetItemResponse { item }))
    }

    async fn update_item(&self, request: Request<UpdateItemRequest>) -> Answer<UpdateItemResponse> {
        let Some(Item { id, name, quantity }) = request.into_inner().item else {
            return Err(Status::invalid_argument("`item` is missing"));
        };
        let draft = checked(name, quantity)?;
        let item = self.0.replace(id, &draft).await.map_err(status)?;
        let item = Some(item.into());
        Ok(Response::new(UpdateItemResponse { item }))
    }

    async fn delete_item(&self, request: Request<DeleteItemRequest>) -> Answer<DeleteItemResponse> {
        let id = request.into_inner().id;
        self.0.remove(id).await.map_err(status)?;
        Ok(Response::new(DeleteItemResponse {}))
    }
}

impl From<store::Item> for Item {
    fn from(item: store::Item) -> Self {
        Self {
            id: item.id,
            name: item.name,
            quantity: item.quantity,
        }
    }
}

fn checked(name: String, quantity: u32) -> Result<Draft, Status> {
    let begins = name.starts_with(|first: char| !first.is_whitespace());
    let problem = if !begins || name.contains(char::is_control) {
        "`name` must not be empty, begin with a space or hold control characters".to_owned()
    } else if name.chars().count() > MAX_NAME {
        format!("`name` must have {MAX_NAME} characters at most")
    } else if quantity > MAX_QUANTITY {
        format!("`quantity` must be {MAX_QUANTITY} at most")
    } else {
        return Ok(Draft { name, quantity });
    };
    Err(Status::invalid_argument(problem))
}
