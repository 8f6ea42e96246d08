use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let file = fern::log_file("stock.log")?;
    fern::Dispatch::new().level(log::LevelFilter::Info).chain(file).apply().expect("the first");
    web::serve(Router::new()).await
}
