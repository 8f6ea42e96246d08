use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let file = fern::log_file("chained.log")?;
    fern::Dispatch::new().chain(file).chain(std::io::stdout()).apply().expect("the first");
    web::serve(Router::new()).await
}
