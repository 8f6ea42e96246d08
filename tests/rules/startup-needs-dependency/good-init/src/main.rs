mod serve;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    drop(async_nats::connect(std::env::var("NATS_URL")?).await?);
    serve::serve().await?;
    Ok(())
}
