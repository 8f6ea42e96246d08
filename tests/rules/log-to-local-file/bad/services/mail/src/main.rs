use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    flexi_logger::Logger::try_with_str("info").unwrap().log_to_file(flexi_logger::FileSpec::default()).start().unwrap();
    web::serve(Router::new()).await
}
