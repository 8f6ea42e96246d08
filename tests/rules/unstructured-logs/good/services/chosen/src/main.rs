use axum::Router;

#[tokio::main]
async fn main() -> std::io::Result<()> {
    match std::env::var("LOG_FORMAT").as_deref() {
        Ok("text") => tracing_subscriber::fmt().init(),
        _ => tracing_subscriber::fmt().json().init(),
    }
    web::serve(Router::new()).await
}
