//! Prints orders until it is interrupted.

#[tokio::main]
async fn main() {
    tokio::signal::ctrl_c().await.expect("a signal handler");
}
