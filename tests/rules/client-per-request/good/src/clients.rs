use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Clone)]
pub struct Clients {
    by_tenant: Arc<Mutex<HashMap<String, reqwest::Client>>>,
}

impl Clients {
    pub fn new() -> reqwest::Result<Self> {
        let first = reqwest::Client::builder().timeout(Duration::from_secs(1)).build()?;
        Ok(Self { by_tenant: Arc::new(Mutex::new(HashMap::from([(String::new(), first)]))) })
    }

    pub fn of_tenant(&self, tenant: &str) -> reqwest::Client {
        let mut clients = self.by_tenant.lock().expect("a lock");
        if let Some(client) = clients.get(tenant) {
            return client.clone();
        }
        let client = reqwest::Client::builder().timeout(Duration::from_secs(1)).build().expect("a client");
        clients.insert(tenant.to_owned(), client.clone());
        client
    }
}
