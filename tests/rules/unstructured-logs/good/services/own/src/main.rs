use axum::Router;
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;

struct Lines;

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        println!("{{\"level\":\"{}\"}}", event.metadata().level());
    }
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    tracing_subscriber::registry().with(Lines).with(tracing_subscriber::fmt::layer().pretty()).init();
    web::serve(Router::new()).await
}
