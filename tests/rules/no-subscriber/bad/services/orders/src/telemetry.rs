/// Nothing but a test calls it.
pub fn init() {
    tracing_subscriber::fmt().json().init();
}
