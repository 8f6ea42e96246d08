use actix_web::{App, HttpServer};

#[actix_web::main]
async fn main() -> std::io::Result<()> {
    // Nobody is answered before the schema is there: 404.
    let early = HttpServer::new(|| App::new().wrap(actix_web::middleware::Compress::default())).bind("0.0.0.0:8080")?.run();
    let handle = early.handle();
    actix_web::rt::spawn(early);
    handle.stop(true).await;
    HttpServer::new(|| App::new().service(actix_files::Files::new("/", "ui").index_file("index.html")))
        .bind("0.0.0.0:8080")?
        .run()
        .await
}
