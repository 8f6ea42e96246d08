use futures::future::join_all;

pub async fn of(item: &str) -> Result<usize, std::io::Error> {
    tokio::fs::read(item).await.map(|text| text.len())
}

pub async fn at(place: &str, item: &str) -> Result<usize, std::io::Error> {
    of(&format!("{place}/{item}")).await
}

/// No caller chooses how many.
pub async fn rounds(items: Vec<String>) -> usize {
    join_all(items.iter().map(|item| of(item))).await.len()
}
