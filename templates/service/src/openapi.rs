//! `openapi.json` is written here, from the code: a build pays nothing for it.

use chassis_openapi::Document;

//% if calls
use crate::clients;
//% endif
use crate::{OPENAPI, SERVICE, routes};

fn document() -> String {
    let document = Document::new(&SERVICE);
    //% if auth == "jwt"
    let document = document.with_tokens();
    //% endif
    let document = document.with(routes::operations());
    //% for callee in calls
    let calls = clients::example_callee::operations();
    let document = document.with(calls);
    //% endfor
    document.to_json()
}

#[test]
fn the_document_says_what_the_code_does() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/openapi.json");
    let written = document();
    if std::env::var_os("BLESS").is_some() {
        std::fs::write(path, written).unwrap();
        return;
    }
    let lines = OPENAPI.lines().zip(written.lines()).zip(1..);
    let differing = lines.into_iter().find(|((is, should), _)| is != should);
    assert!(
        OPENAPI == written,
        "{path} is not what the code says, from here on: {differing:?}\n\
         `BLESS=1 cargo test -p example-service openapi` writes it; read the difference: callers rely on it"
    );
}
