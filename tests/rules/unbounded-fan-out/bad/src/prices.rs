use futures::future::try_join_all;

pub struct Order {
    items: Vec<String>,
}

pub async fn of(item: &str) -> Result<usize, std::io::Error> {
    tokio::fs::read(item).await.map(|text| text.len())
}

pub async fn all(order: Order) -> usize {
    try_join_all(order.items.iter().map(|item| of(item))).await.map_or(0, |found| found.len())
}
