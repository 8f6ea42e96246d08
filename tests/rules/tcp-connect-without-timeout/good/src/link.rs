use std::time::Duration;

use tokio::net::TcpStream;

const LIMIT: Duration = Duration::from_secs(1);

pub async fn rounds() {
    let address = std::env::var("PRINTER").unwrap_or_default();
    let outside = tokio::time::timeout(LIMIT, by_the_caller(&address)).await;
    let _ = (by_name(&address).await, around(&address).await, raced(&address).await, named(&address).await, sidecar(9100).await, outside);
}

async fn around(address: &str) -> std::io::Result<TcpStream> {
    tokio::time::timeout(LIMIT, TcpStream::connect(address)).await?
}

async fn raced(address: &str) -> Option<TcpStream> {
    tokio::select! {
        stream = TcpStream::connect(address) => stream.ok(),
        () = tokio::time::sleep(LIMIT) => None,
    }
}

async fn named(address: &str) -> std::io::Result<TcpStream> {
    let connecting = TcpStream::connect(address);
    tokio::time::timeout(LIMIT, connecting).await?
}

async fn by_name(address: &str) -> std::io::Result<TcpStream> {
    connect_timeout(LIMIT, TcpStream::connect(address)).await
}

async fn connect_timeout<F: Future<Output = std::io::Result<TcpStream>>>(limit: Duration, connecting: F) -> F::Output {
    tokio::time::timeout(limit, connecting).await?
}

async fn by_the_caller(address: &str) -> std::io::Result<TcpStream> {
    TcpStream::connect(address).await
}

async fn sidecar(port: u16) -> std::io::Result<TcpStream> {
    TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)).await
}

#[cfg(test)]
mod tests {
    #[tokio::test]
    async fn connects() {
        let _ = tokio::net::TcpStream::connect("printer:9100").await;
    }
}
