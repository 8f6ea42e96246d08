use axum::Router;

struct Lines;

impl log::Log for Lines {
    fn enabled(&self, _: &log::Metadata) -> bool {
        true
    }
    fn log(&self, record: &log::Record) {
        eprintln!("{}", record.args());
    }
    fn flush(&self) {}
}

#[tokio::main]
async fn main() -> std::io::Result<()> {
    log::set_boxed_logger(Box::new(Lines)).expect("the first");
    log::info!("starting");
    web::serve(Router::new()).await
}
