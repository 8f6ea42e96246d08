use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("prune") => {
            tracing_subscriber::fmt().init();
            Ok(())
        }
        _ => web::serve(Router::new()).await,
    }
}
