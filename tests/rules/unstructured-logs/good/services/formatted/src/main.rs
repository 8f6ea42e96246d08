use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    use std::io::Write;
    env_logger::builder().format(|out, record| writeln!(out, "{{\"level\":\"{}\"}}", record.level())).init();
    web::serve(Router::new()).await
}
