#![feature(proc_macro_hygiene, decl_macro)]

#[macro_use]
extern crate rocket;

#[get("/v1/orders")]
fn list() -> String {
    String::new()
}

#[get("/healthz")]
fn health() -> &'static str {
    "ok"
}

fn main() {
    // msvc: allow(no-graceful-shutdown, server-without-timeout) because this version can do neither
    rocket::ignite().mount("/", routes![list, health]).launch();
}
