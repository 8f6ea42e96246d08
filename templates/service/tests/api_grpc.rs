//! What a caller of `ItemsService` sees.

#[expect(dead_code, reason = "calls are made by a client that tonic makes")]
mod common;
//% if database
mod database;
//% endif

use axum::Router;
use common::{Caller, app, caller, config};
//% if database
use database::TestDatabase;
//% endif
use tonic::Code;

use example_service::proto::v1::items_service_client::ItemsServiceClient;
use example_service::proto::v1::{
    CreateItemRequest, DeleteItemRequest, GetItemRequest, Item, ListItemsRequest, UpdateItemRequest,
};

//% if database
async fn service() -> ItemsServiceClient<Caller> {
    let mut config = config();
    let database = TestDatabase::for_service(&mut config).await;
    let service = app(&config, Router::new()).await;
    // It goes with the service.
    ItemsServiceClient::new(caller(service.layer(axum::Extension(database))))
}
//% else
async fn service() -> ItemsServiceClient<Caller> {
    ItemsServiceClient::new(caller(app(&config(), Router::new()).await))
}
//% endif

fn draft(name: &str, quantity: u32) -> CreateItemRequest {
    let name = name.to_owned();
    CreateItemRequest { name, quantity }
}

fn item(id: i64, name: &str, quantity: u32) -> Item {
    let name = name.to_owned();
    Item { id, name, quantity }
}

#[tokio::test]
async fn an_item_lives_from_its_creation_to_its_deletion() {
    let mut service = service().await;
    let created = service.create_item(draft("tea", 2)).await.unwrap();
    let created = created.into_inner().item.unwrap();
    let id = created.id;
    assert_eq!(created, item(id, "tea", 2));

    let found = service.get_item(GetItemRequest { id }).await.unwrap();
    assert_eq!(found.into_inner().item, Some(created));

    let more = Some(item(id, "tea", 3));
    let request = UpdateItemRequest { item: more.clone() };
    let updated = service.update_item(request).await.unwrap();
    assert_eq!(updated.into_inner().item, more);
    let found = service.get_item(GetItemRequest { id }).await.unwrap();
    assert_eq!(found.into_inner().item, more);

    service.delete_item(DeleteItemRequest { id }).await.unwrap();
    let gone = service.get_item(GetItemRequest { id }).await.unwrap_err();
    assert_eq!(gone.code(), Code::NotFound);
    let gone = service.delete_item(DeleteItemRequest { id }).await;
    assert_eq!(gone.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_list_comes_in_pages() {
    let mut service = service().await;
    for number in 0..5 {
        let draft = draft(&format!("item {number}"), number);
        service.create_item(draft).await.unwrap();
    }
    let mut names = Vec::new();
    let mut request = ListItemsRequest {
        page_size: 2,
        ..ListItemsRequest::default()
    };
    loop {
        let page = service.list_items(request.clone()).await.unwrap();
        let page = page.into_inner();
        assert!(page.items.len() <= 2);
        names.extend(page.items.into_iter().map(|item| item.name));
        request.page_token = page.next_page_token;
        if request.page_token.is_empty() {
            break;
        }
    }
    assert_eq!(names, ["item 0", "item 1", "item 2", "item 3", "item 4"]);
}

#[tokio::test]
async fn bad_input_is_refused_with_what_is_wrong() {
    let mut service = service().await;
    service.create_item(draft("tea", 2)).await.unwrap();
    for (bad, code, message) in [
        (draft("tea", 2), Code::AlreadyExists, "another item has"),
        (draft(" ", 2), Code::InvalidArgument, "must not be empty"),
        (draft("", 2), Code::InvalidArgument, "must not be empty"),
        (draft(&"x".repeat(101), 2), Code::InvalidArgument, "`name`"),
        (draft("x\u{7}", 2), Code::InvalidArgument, "control"),
        (draft("x", 1_000_001), Code::InvalidArgument, "`quantity`"),
    ] {
        let refused = service.create_item(bad).await.unwrap_err();
        assert_eq!(refused.code(), code, "{refused}");
        assert!(refused.message().contains(message), "{refused}");
    }
    for (item, code) in [
        (None, Code::InvalidArgument),
        (Some(item(77, "x", 1)), Code::NotFound),
    ] {
        let refused = service.update_item(UpdateItemRequest { item }).await;
        assert_eq!(refused.unwrap_err().code(), code);
    }
    for (page_size, page_token) in [(101, ""), (0, "many")] {
        let page_token = page_token.to_owned();
        let request = ListItemsRequest {
            page_size,
            page_token,
        };
        let refused = service.list_items(request).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{refused}");
    }
}
