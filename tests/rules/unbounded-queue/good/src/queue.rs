use std::time::Duration;

use tokio::sync::mpsc;

#[derive(Clone)]
pub struct Queues {
    pub orders: mpsc::Sender<String>,
}

impl Queues {
    pub fn start() -> Self {
        let (orders, mut received) = mpsc::channel::<String>(1024);
        tokio::spawn(async move { while received.recv().await.is_some() {} });
        // One a minute, by the clock and not by callers.
        let (ticks, mut ticked) = mpsc::unbounded_channel();
        tokio::spawn(async move { while ticked.recv().await.is_some() {} });
        tokio::spawn(async move {
            loop {
                tokio::time::sleep(Duration::from_secs(60)).await;
                let _ = ticks.send(());
            }
        });
        Self { orders }
    }
}
