use tokio::net::TcpStream;

pub async fn rounds() {
    let address = std::env::var("PRINTER").unwrap_or_default();
    let _ = (plain(&address).await, matched(&address).await, unwrapped(&address).await);
}

async fn plain(address: &str) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

async fn matched(address: &str) -> Option<TcpStream> {
    match TcpStream::connect(address).await {
        Ok(stream) => Some(stream),
        Err(_) => None,
    }
}

async fn unwrapped(address: &str) -> Result<TcpStream, Box<dyn std::error::Error>> {
    Ok(tokio::net::TcpStream::connect((address, 9100)).await?)
}
