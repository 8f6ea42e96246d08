use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    let logger = flexi_logger::Logger::try_with_str("info").unwrap().log_to_file(flexi_logger::FileSpec::default());
    logger.duplicate_to_stdout(flexi_logger::Duplicate::All).start().unwrap();
    web::serve(Router::new()).await
}
