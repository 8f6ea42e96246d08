//! What is made of files, and made anew when they change.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use chassis::config::{ConfigError, invalid};
use chassis::metrics::{Counter, Family, Labels, register};
use tokio::sync::watch;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::sleep;

static RELOADS: LazyLock<Family<Labels, Counter>> = LazyLock::new(|| {
    register(
        "tls_reloads",
        "Certificates that changed, by whether they could be used",
        Family::default(),
    )
});

/// Clones share everything; with the last one the files are left alone.
#[derive(Clone)]
pub struct Reloaded<T> {
    current: watch::Receiver<Arc<T>>,
    _reader: Arc<JoinSet<()>>,
}

impl<T: Send + Sync + 'static> Reloaded<T> {
    /// What `load` makes of the files now. They are looked at once in `interval`; what cannot be used then changes
    /// nothing. `section` of the configuration names the files. Needs a tokio runtime.
    pub fn new(
        section: &'static str,
        files: Vec<PathBuf>,
        interval: Duration,
        load: impl Fn() -> Result<T, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        if interval.is_zero() {
            return Err(invalid(
                format!("{section}.reload_ms"),
                "must be more than 0",
            ));
        }
        let loaded = fingerprint(&files);
        let (sender, current) = watch::channel(Arc::new(load()?));
        let mut reader = JoinSet::new();
        if !files.is_empty() {
            let follow = follow(section, files, interval, loaded, Arc::new(load), sender);
            reader.spawn(follow);
        }
        Ok(Self {
            current,
            _reader: Arc::new(reader),
        })
    }

    pub fn get(&self) -> Arc<T> {
        self.current.borrow().clone()
    }
}

async fn follow<T: Send + Sync + 'static>(
    section: &'static str,
    files: Vec<PathBuf>,
    interval: Duration,
    mut loaded: u64,
    load: Arc<impl Fn() -> Result<T, ConfigError> + Send + Sync + 'static>,
    current: watch::Sender<Arc<T>>,
) {
    let files: Arc<[PathBuf]> = files.into();
    let mut last = loaded;
    loop {
        sleep(interval).await;
        let look = files.clone();
        let Ok(now) = spawn_blocking(move || fingerprint(&look)).await else {
            return;
        };
        // A certificate and its key are seldom written at once: they are taken when they have stood still.
        let stands_still = std::mem::replace(&mut last, now) == now;
        if now == loaded || !stands_still {
            continue;
        }
        loaded = now;
        let load = load.clone();
        let result = match spawn_blocking(move || load()).await {
            Ok(Ok(new)) => {
                current.send_replace(Arc::new(new));
                tracing::info!(section, "the certificates changed and are in use");
                "ok"
            }
            Ok(Err(error)) => {
                let error = &error as &dyn std::error::Error;
                tracing::error!(
                    section,
                    error,
                    "the certificates changed and cannot be used; the old ones stay"
                );
                "failed"
            }
            Err(_) => return,
        };
        let labels = [("section", section), ("result", result)];
        let labels = labels.map(|(name, value)| (name, value.to_owned()));
        RELOADS.get_or_create(&labels.into()).inc();
    }
}

/// Tells contents apart, and keeps none of them. Names and times would not do: platforms swap links.
fn fingerprint(files: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in files {
        let contents = std::fs::read(file).map_err(|error| error.kind());
        contents.hash(&mut hasher);
    }
    hasher.finish()
}
