//! What a caller of `EchoService` sees.

#[expect(dead_code, reason = "calls are made by a client that tonic makes")]
mod common;

use axum::Router;
use common::{app, caller, config};
use tonic::Code;

use example_service::proto::v1::EchoRequest;
use example_service::proto::v1::echo_service_client::EchoServiceClient;

async fn echo(message: String) -> tonic::Result<String> {
    let mut service = EchoServiceClient::new(caller(app(&config(), Router::new()).await));
    let answer = service.echo(EchoRequest { message }).await?;
    Ok(answer.into_inner().message)
}

#[tokio::test]
async fn a_message_comes_back() {
    let answer = echo("hello".to_owned()).await;
    assert_eq!(answer.unwrap(), "hello");
}

#[tokio::test]
async fn bad_input_is_refused_with_what_is_wrong() {
    assert!(echo("x".repeat(1000)).await.is_ok());
    let refused = echo("x".repeat(1001)).await.unwrap_err();
    assert_eq!(refused.code(), Code::InvalidArgument);
    assert_eq!(
        refused.message(),
        "`message` must have 1000 characters at most"
    );
}
