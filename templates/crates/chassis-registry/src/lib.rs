//! Registries: where this instance is listed for others to find, and where it finds them. What is particular to a kind of
//! registry is in a module of its own.
//!
//! An instance is listed once it has started, with whether it is ready; it says so again and again, registers again where
//! it is not known any more, and leaves the list before it drains. Of others the last known instances stay while the
//! registry cannot be asked, and while it knows none: more often it has forgotten them than they are all gone.

use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use axum::http::Uri;
use axum::http::uri::{Authority, Scheme};
use chassis::health::Health;
use chassis::serve::{Beside, Ports};
use chassis::{BoxFuture, Error, Identity};
use chassis_discovery::{Origin, Origins};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

/// How long the registry may take to be told something.
pub const PATIENCE: Duration = Duration::from_secs(2);
/// The largest answer that is taken.
pub const ANSWER_LIMIT: usize = 4 << 20;
/// The longest pause before a registry that failed is asked again.
const PAUSE_MAX: Duration = Duration::from_secs(10);

/// What a registry returns.
pub type Told<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T, Error>> + Send + 'a>>;

/// This instance's entry.
pub trait Registration: Send {
    /// Says that the instance lives, and whether it is ready. Makes the entry where there is none.
    fn renew<'a>(&'a mut self, instance: &'a Instance, ready: &'a Result<(), String>) -> Told<'a>;
    /// Removes the entry.
    fn remove<'a>(&'a mut self, instance: &'a Instance) -> Told<'a>;
    /// How often to say that it lives.
    fn every(&self) -> Duration;
}

/// Instances of another service.
pub trait Lookup: Send + 'static {
    /// Waits for news where the registry tells them, or for the time to ask again. Returns all that are well.
    fn instances(&mut self) -> Told<'_, Vec<Found>>;
}

/// What others learn of this instance.
#[derive(Clone, Debug)]
pub struct Instance {
    pub service: &'static str,
    pub version: &'static str,
    /// Of its traffic port, and of its admin port.
    pub port: u16,
    pub admin_port: u16,
    /// Its traffic port speaks TLS.
    pub secure: bool,
}

/// Where an instance of another service is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Found {
    pub host: String,
    pub port: u16,
}

/// An entry that is kept up to date while the service serves.
pub struct Listing {
    service: Identity,
    registration: Option<Box<dyn Registration>>,
    leave: watch::Sender<bool>,
    left: Option<JoinHandle<()>>,
}

impl Listing {
    pub fn new(service: &Identity, registration: Box<dyn Registration>) -> Self {
        Self {
            service: *service,
            registration: Some(registration),
            leave: watch::Sender::new(false),
            left: None,
        }
    }
}

impl Beside for Listing {
    fn begin(&mut self, ports: &Ports, health: &Health) {
        let instance = Instance {
            service: self.service.name,
            version: self.service.version,
            port: ports.traffic.port(),
            admin_port: ports.admin.port(),
            secure: ports.secure,
        };
        self.left = self.registration.take().map(|registration| {
            let told = self.leave.subscribe();
            tokio::spawn(keep(registration, instance, health.clone(), told))
        });
    }

    /// Removes the entry, or gives that up after a while.
    fn end(&mut self) -> BoxFuture<'_, ()> {
        self.leave.send_replace(true);
        Box::pin(async {
            if let Some(left) = self.left.take() {
                _ = left.await;
            }
        })
    }
}

async fn keep(
    mut registration: Box<dyn Registration>,
    instance: Instance,
    health: Health,
    mut stopped: watch::Receiver<bool>,
) {
    let every = registration.every();
    let (mut listed, mut failing) = (false, false);
    let renewing = async {
        loop {
            let ready = health.ready().await;
            let told = timeout(PATIENCE, registration.renew(&instance, &ready)).await;
            match told.unwrap_or_else(|late| Err(late.into())) {
                Ok(()) => {
                    if !listed || failing {
                        tracing::info!(ready = ready.is_ok(), "listed in the registry");
                    }
                    (listed, failing) = (true, false);
                }
                // Said when it begins, not each time.
                Err(error) if !failing => {
                    failing = true;
                    tracing::warn!(%error, "the registry cannot be told that this instance lives");
                }
                Err(_) => {}
            }
            // By chance a little sooner, so that replicas which started together do not speak together.
            sleep(every.mul_f64(0.8 + fastrand::f64() / 5.0)).await;
        }
    };
    tokio::select! {
        () = renewing => {}
        _ = stopped.wait_for(|stopped| *stopped) => {}
    }
    let removed = timeout(PATIENCE, registration.remove(&instance)).await;
    match removed.unwrap_or_else(|late| Err(late.into())) {
        Ok(()) => tracing::info!("left the registry"),
        Err(error) => tracing::warn!(%error, "cannot leave the registry"),
    }
}

/// Follows the instances of a service, for as long as somebody wants to know them. Needs a tokio runtime.
pub fn follow(service: &str, scheme: &Scheme, mut lookup: impl Lookup) -> Origins {
    let (told, origins) = watch::channel(None);
    let (service, scheme) = (service.to_owned(), scheme.clone());
    tokio::spawn(async move {
        let following = async {
            let mut pause = Duration::from_millis(100);
            let mut failing = false;
            loop {
                match lookup.instances().await {
                    Ok(found) => {
                        (pause, failing) = (Duration::from_millis(100), false);
                        publish(&told, &service, &scheme, found);
                    }
                    Err(error) => {
                        if !std::mem::replace(&mut failing, true) {
                            tracing::warn!(
                                dependency = service,
                                error = %error,
                                "the registry cannot be asked; the known instances stay"
                            );
                        }
                        // Callers need not wait for what is not coming.
                        told.send_if_modified(|known| {
                            known.is_none() && {
                                *known = Some(Vec::new());
                                true
                            }
                        });
                        sleep(pause.mul_f64(0.5 + fastrand::f64() / 2.0)).await;
                        pause = (pause * 2).min(PAUSE_MAX);
                    }
                }
            }
        };
        tokio::select! {
            () = following => {}
            () = told.closed() => {}
        }
    });
    Origins::changing(origins)
}

fn publish(
    told: &watch::Sender<Option<Vec<Origin>>>,
    service: &str,
    scheme: &Scheme,
    mut found: Vec<Found>,
) {
    found.sort();
    found.dedup();
    // The name stays the host: certificates and logs are about the service, not about an address.
    let origin = |found: Found| {
        let authority: Authority = format!("{service}:{}", found.port).parse().ok()?;
        Some(Origin {
            scheme: scheme.clone(),
            authority,
            path: String::new(),
            at: Some((found.host, found.port)),
        })
    };
    let origins: Vec<Origin> = found.into_iter().filter_map(origin).collect();
    told.send_if_modified(|known| {
        let had_some = known.as_ref().is_some_and(|known| !known.is_empty());
        if origins.is_empty() && had_some {
            tracing::warn!(
                dependency = service,
                "the registry knows no instance; the known ones stay"
            );
            return false;
        }
        let changes = known.as_ref() != Some(&origins);
        *known = Some(origins);
        changes
    });
}

/// This machine's address as the registry sees it.
pub async fn own_address(registry: &Uri) -> Result<SocketAddr, Error> {
    let host = registry.host().ok_or("the URL has no host")?;
    let port = registry.port_u16().unwrap_or(80);
    let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
    Ok(stream.local_addr()?)
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;

    /// A registry that says what a test says.
    struct Saying(mpsc::Receiver<Result<Vec<Found>, Error>>);

    impl Lookup for Saying {
        fn instances(&mut self) -> Told<'_, Vec<Found>> {
            Box::pin(async move {
                match self.0.recv().await {
                    Some(said) => said,
                    None => std::future::pending().await,
                }
            })
        }
    }

    fn at(port: u16) -> Found {
        let host = "10.0.0.1".to_owned();
        Found { host, port }
    }

    fn ports(origins: &[Origin]) -> Vec<u16> {
        let port = |origin: &Origin| origin.at.as_ref().map_or(0, |(_, port)| *port);
        origins.iter().map(port).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_known_stays_while_the_registry_says_nothing_or_nobody() {
        let (say, said) = mpsc::channel(1);
        let mut origins = follow("stock", &Scheme::HTTP, Saying(said));
        say.send(Ok(vec![at(2), at(1), at(2)])).await.unwrap();
        assert_eq!(ports(&origins.told().await), [1, 2]);
        let url = origins.known()[0].url("/v1/echo").unwrap();
        assert_eq!(url, "http://stock:1/v1/echo", "the name stays the host");
        for nothing in [Err("gone".into()), Ok(Vec::new())] {
            say.send(nothing).await.unwrap();
            sleep(Duration::from_secs(60)).await;
            assert_eq!(ports(&origins.known()), [1, 2]);
        }
        say.send(Ok(vec![at(3)])).await.unwrap();
        origins.changed().await;
        assert_eq!(ports(&origins.known()), [3]);
    }

    #[tokio::test(start_paused = true)]
    async fn callers_do_not_wait_for_a_registry_that_is_not_there() {
        let (say, said) = mpsc::channel(1);
        let mut origins = follow("stock", &Scheme::HTTP, Saying(said));
        say.send(Err("gone".into())).await.unwrap();
        assert_eq!(ports(&origins.told().await), [0; 0]);
        say.send(Ok(vec![at(1)])).await.unwrap();
        origins.changed().await;
        assert_eq!(ports(&origins.known()), [1]);
    }

    /// A registry that passes on what it is told.
    struct Heard(mpsc::UnboundedSender<String>);

    impl Registration for Heard {
        fn renew<'a>(&'a mut self, _: &'a Instance, ready: &'a Result<(), String>) -> Told<'a> {
            Box::pin(async move {
                self.0.send(format!("{ready:?}"))?;
                Ok(())
            })
        }

        fn remove<'a>(&'a mut self, instance: &'a Instance) -> Told<'a> {
            Box::pin(async move {
                self.0.send(format!("{} leaves", instance.service))?;
                Ok(())
            })
        }

        fn every(&self) -> Duration {
            Duration::from_secs(5)
        }
    }

    #[tokio::test(start_paused = true)]
    async fn an_instance_says_that_it_lives_until_it_leaves() {
        let (told, mut heard) = mpsc::unbounded_channel();
        let stock = Identity {
            name: "stock",
            version: "1.0.0",
            env_prefix: "STOCK",
        };
        let ports = Ports {
            traffic: SocketAddr::from(([127, 0, 0, 1], 8080)),
            admin: SocketAddr::from(([127, 0, 0, 1], 9090)),
            secure: false,
        };
        let mut listing = Listing::new(&stock, Box::new(Heard(told)));
        listing.begin(&ports, &Health::default());
        sleep(Duration::from_secs(60)).await;
        listing.end().await;
        let mut all = Vec::new();
        while let Ok(one) = heard.try_recv() {
            all.push(one);
        }
        assert_eq!(all.pop().unwrap(), "stock leaves");
        assert!((12..=16).contains(&all.len()), "{all:?}");
        assert!(
            all.iter().all(|said| said == "Err(\"starting\")"),
            "{all:?}"
        );
    }
}
