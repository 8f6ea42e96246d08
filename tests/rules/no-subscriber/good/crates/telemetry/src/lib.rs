pub fn start() {
    use tracing_subscriber::prelude::*;
    tracing_subscriber::registry().with(tracing_subscriber::fmt::layer().json()).init();
}
