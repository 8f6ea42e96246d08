use cached::proc_macro::cached;
use moka::future::Cache;

pub struct Caches {
    prices: Cache<String, u64>,
    stock: moka::sync::Cache<String, u64>,
}

impl Default for Caches {
    fn default() -> Self {
        let stock = moka::sync::Cache::builder().initial_capacity(100).name("stock");
        Self { prices: Cache::builder().build(), stock: stock.build() }
    }
}

impl Caches {
    pub async fn get(self, name: &str) -> Option<u64> {
        self.prices.get(name).await.or(self.stock.get(name))
    }
}

#[cached(name = "PRICES")]
pub fn price(name: String) -> usize {
    name.len()
}
