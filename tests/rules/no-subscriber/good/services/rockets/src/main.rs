use rocket::{get, launch, routes};

#[get("/healthz")]
fn health() -> &'static str {
    log::info!("asked");
    "ok"
}

#[launch]
fn rocket() -> _ {
    rocket::build().mount("/", routes![health])
}
