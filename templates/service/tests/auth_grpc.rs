//! Who may do what: each method demands a scope, and a token that lacks it is told so.

#[expect(dead_code, reason = "calls are made by hand")]
mod common;

use axum::Router;
use axum::body::Body;
use axum::http::Request;
use common::{app, config, request, send, token_for};
use prost::Message;
use prost_types::FileDescriptorSet;
use tonic::Code;

use example_service::SERVICE;
use example_service::proto::OWN;
use example_service::routes::SCOPES;

/// Paths of all methods that `proto/` declares.
fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(OWN).unwrap();
    let services = set.file.iter().flat_map(|file| {
        let package = file.package();
        let services = file.service.iter();
        services.map(move |service| (package, service))
    });
    let methods = services.flat_map(|(package, service)| {
        let service = (service.name(), &service.method);
        let (name, methods) = service;
        let path = move |method: &str| format!("/{package}.{name}/{method}");
        methods.iter().map(move |method| path(method.name()))
    });
    methods.collect()
}

#[tokio::test]
async fn each_method_demands_one_scope_and_no_more() {
    let service = app(&config(), Router::new()).await;
    assert!(!methods().is_empty());
    for path in methods() {
        let nobody = Request::post(&path).header("content-type", "application/grpc");
        let nobody = send(&service, nobody.body(Body::empty()).unwrap()).await;
        assert_eq!(nobody.code, Code::Unauthenticated, "{path}");
        assert_eq!(nobody.metadata["www-authenticate"], "Bearer");
        let mut enough = Vec::new();
        for scope in SCOPES {
            let answer = send(&service, allowed(scope, &path)).await;
            if answer.code == Code::PermissionDenied {
                assert!(answer.message.starts_with("the token does not allow"));
            } else {
                enough.push(scope);
            }
        }
        assert_eq!(enough.len(), 1, "{path}: {enough:?}");
        for lacking in ["", "something:else", &format!("{}:more", enough[0])] {
            let answer = send(&service, allowed(lacking, &path)).await;
            assert_eq!(answer.code, Code::PermissionDenied, "{path}: {lacking}");
        }
        let one = format!("openid {}", enough[0]);
        for call in [allowed(&one, &path), request(&path)] {
            let code = send(&service, call).await.code;
            assert!(![Code::PermissionDenied, Code::Unimplemented].contains(&code));
        }
    }
}

#[tokio::test]
async fn a_token_for_another_service_is_none() {
    let service = app(&config(), Router::new()).await;
    let other = format!("Bearer {}", common::token("another-service"));
    for authorization in ["Bearer nonsense", "Basic eDp5", &other] {
        let mut call = request(&methods()[0]);
        let value = authorization.parse().unwrap();
        call.headers_mut().insert("authorization", value);
        assert_eq!(send(&service, call).await.code, Code::Unauthenticated);
    }
}

fn allowed(scopes: &str, path: &str) -> Request<Body> {
    let mut request = request(path);
    let token = format!("Bearer {}", token_for(SERVICE.name, scopes));
    let value = token.parse().unwrap();
    request.headers_mut().insert("authorization", value);
    request
}
