use std::time::Duration;

#[derive(Clone)]
pub struct App {
    pub pool: sqlx::PgPool,
    pub nats: async_nats::Client,
    pub kafka: rdkafka::producer::FutureProducer,
    pub broker: lapin::Channel,
}

pub type Failure = Box<dyn std::error::Error + Send + Sync>;

impl App {
    pub async fn new() -> Result<Self, Failure> {
        let options = sqlx::postgres::PgPoolOptions::new().acquire_timeout(Duration::from_secs(2));
        let pool = options.connect(&std::env::var("DATABASE_URL")?).await?;
        let nats = async_nats::ConnectOptions::new().retry_on_initial_connect().connect(std::env::var("NATS_URL")?).await?;
        let kafka = rdkafka::ClientConfig::new().set("bootstrap.servers", std::env::var("KAFKA")?).create()?;
        let url = std::env::var("AMQP_URL")?;
        let properties = lapin::ConnectionProperties::default().enable_auto_recover();
        let connecting = lapin::Connection::connect(&url, properties);
        let broker = tokio::time::timeout(Duration::from_secs(5), connecting).await??.create_channel().await?;
        Ok(Self { pool, nats, kafka, broker })
    }
}

pub async fn stopped() {
    let mut terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate()).expect("a signal handler");
    terminate.recv().await;
}
