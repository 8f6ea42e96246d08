use tokio::sync::mpsc;

#[derive(Clone)]
pub struct Queues {
    pub orders: mpsc::UnboundedSender<String>,
    prices: flume::Sender<u64>,
    audit: mpsc::UnboundedSender<u64>,
}

impl Queues {
    pub fn start() -> Self {
        let (orders, mut received) = mpsc::unbounded_channel::<String>();
        tokio::spawn(async move { while received.recv().await.is_some() {} });
        let (prices, taken) = flume::unbounded();
        tokio::spawn(async move { while taken.recv_async().await.is_ok() {} });
        let (audit, mut noted) = mpsc::unbounded_channel();
        tokio::spawn(async move { while noted.recv().await.is_some() {} });
        Self { orders, prices, audit }
    }

    pub fn price(&self, price: u64) -> bool {
        self.note(price) && self.prices.send(price).is_ok()
    }

    fn note(&self, price: u64) -> bool {
        self.audit.send(price).is_ok()
    }
}
