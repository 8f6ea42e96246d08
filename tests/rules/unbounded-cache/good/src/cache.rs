use std::time::Duration;

use cached::proc_macro::cached;
use lru::LruCache;
use moka::future::{Cache, CacheBuilder};

pub struct Caches {
    prices: Cache<String, u64>,
    rates: Cache<String, u64>,
    stock: moka::sync::Cache<String, u64>,
    seen: LruCache<String, u64>,
}

impl Default for Caches {
    fn default() -> Self {
        Self {
            prices: limited(Cache::builder()).build(),
            rates: Cache::new(1000),
            stock: moka::sync::Cache::builder().time_to_live(Duration::from_secs(60)).build(),
            seen: LruCache::unbounded(),
        }
    }
}

fn limited(builder: CacheBuilder<String, u64, Cache<String, u64>>) -> CacheBuilder<String, u64, Cache<String, u64>> {
    builder.max_capacity(1000)
}

impl Caches {
    pub async fn get(mut self, name: &str) -> Option<u64> {
        let first = self.prices.get(name).await.or(self.rates.get(name).await);
        first.or(self.stock.get(name)).or(self.seen.get(name).copied())
    }
}

#[cached(size = 100)]
pub fn price(name: String) -> usize {
    name.len()
}

/// One entry.
#[cached]
pub fn all() -> usize {
    0
}
