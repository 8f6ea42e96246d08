//! Eureka: this instance is a lease that it must renew; instances of others are fetched again and again. News travel slowly:
//! the server and each caller keep what they know for half a minute by default.

use std::sync::Arc;
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{Method, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use chassis::Error;
use chassis::config::{ConfigError, invalid, millis};
use chassis_discovery::{Kind, Origins, Registry};
use chassis_http_client::HttpClient;
use chassis_registry::{
    ANSWER_LIMIT, Found, Instance, Lookup, PATIENCE, Registration, Told, follow, own_address,
};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout};

/// How many leases in a row may be missed before the server takes an instance for dead.
const MISSED: u32 = 3;
/// Readiness is looked at so many times as often as the lease is renewed: when it changes, the server is told at once.
const LOOKS: u32 = 6;

/// The servers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Eureka {
    /// Base URLs of its servers, with commas between: the first that answers is taken.
    pub servers: String,
    /// How often instances of others are fetched, by a service that calls any.
    #[serde(
        rename = "fetch_ms",
        deserialize_with = "millis",
        default = "as_often_as_the_server"
    )]
    pub fetch: Duration,
}

/// Of itself it has news so often.
fn as_often_as_the_server() -> Duration {
    Duration::from_secs(30)
}

/// What the servers are told of this instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advertised {
    /// Host or address at which others reach this instance; the one that the server sees where it is missing.
    pub host: Option<String>,
    /// How often the lease is renewed. The server takes an instance for dead when three in a row are missing.
    #[serde(rename = "renew_ms", deserialize_with = "millis")]
    pub renew: Duration,
}

/// Servers that can be asked.
#[derive(Clone)]
struct Servers(Arc<Vec<(String, Uri, HttpClient)>>);

impl Eureka {
    /// This instance's lease, to be kept while it runs.
    pub fn registration(
        &self,
        advertised: &Advertised,
    ) -> Result<Box<dyn Registration>, ConfigError> {
        if advertised.renew < Duration::from_secs(1) {
            return Err(invalid(
                "advertised.renew_ms",
                "must be 1000 or more: the server counts in seconds",
            ));
        }
        Ok(Box::new(Lease {
            servers: self.servers()?,
            advertised: advertised.clone(),
            made: None,
        }))
    }

    /// The instances of a service that are up.
    fn lookup(&self, service: &str) -> Result<impl Lookup + use<>, ConfigError> {
        Ok(Up {
            servers: self.servers()?,
            path: format!("/apps/{}", app(service)),
            fetch: self.fetch,
            asked: false,
        })
    }

    fn servers(&self) -> Result<Servers, ConfigError> {
        let key = "eureka.servers";
        let server = |base: &str| {
            let base = base.trim().trim_end_matches('/').to_owned();
            let url: Option<Uri> = base.parse().ok().filter(|url: &Uri| {
                url.host().is_some() && matches!(url.scheme_str(), Some("http" | "https"))
            });
            let problem = "must be base URLs such as http://eureka:8761/eureka";
            let url = url.ok_or_else(|| invalid(key, problem))?;
            let client = chassis_https::client(&url, None);
            let client = client.map_err(|error| invalid(key, error.to_string()))?;
            Ok::<_, ConfigError>((base, url, client))
        };
        let servers: Result<Vec<_>, _> = self.servers.split(',').map(server).collect();
        Ok(Servers(Arc::new(servers?)))
    }
}

impl Registry for Eureka {
    fn kind(&self) -> Kind {
        Kind::Eureka
    }

    fn follow(&self, service: &str, scheme: &Scheme) -> Result<Origins, ConfigError> {
        Ok(follow(service, scheme, self.lookup(service)?))
    }
}

impl Servers {
    /// The first answer that is none of a broken server.
    async fn send(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Response<Bytes>, Error> {
        let mut failed: Error = "no Eureka server is named".into();
        for (base, _, client) in self.0.iter() {
            let request = Request::builder()
                .method(method)
                .uri(format!("{base}{path}"))
                .header(header::ACCEPT, "application/json")
                .header(header::CONTENT_TYPE, "application/json");
            let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
            let asked = timeout(PATIENCE, client.send(request.body(body)?, ANSWER_LIMIT)).await;
            match asked.unwrap_or_else(|late| Err(late.into())) {
                Ok(answer) if !answer.status().is_server_error() => return Ok(answer),
                Ok(answer) => failed = refused(answer.status()),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }

    /// This machine's address as the first server that can be reached sees it.
    async fn own_address(&self) -> Result<String, Error> {
        let mut failed: Error = "no Eureka server is named".into();
        for (_, url, _) in self.0.iter() {
            match own_address(url).await {
                Ok(address) => return Ok(address.ip().to_string()),
                Err(error) => failed = error,
            }
        }
        Err(failed)
    }
}

fn refused(status: StatusCode) -> Error {
    format!("the Eureka server answered {status}").into()
}

/// Applications have names in capitals.
fn app(service: &str) -> String {
    service.to_uppercase()
}

struct Lease {
    servers: Servers,
    advertised: Advertised,
    /// Its path, once it is made, with what was said last and when.
    made: Option<(String, bool, Instant)>,
}

impl Lease {
    async fn make(&mut self, instance: &Instance, ready: bool) -> Result<(), Error> {
        let host = match &self.advertised.host {
            Some(host) => host.clone(),
            None => self.servers.own_address().await?,
        };
        let Instance {
            service,
            version,
            port,
            admin_port,
            secure,
        } = *instance;
        let app = app(service);
        // The same after a restart at the same place, so that no lease is left behind.
        let id = format!("{host}:{service}:{port}");
        let seconds = |time: Duration| time.as_secs();
        let lease = json!({ "instance": {
            "instanceId": id,
            "app": app,
            "hostName": host,
            "ipAddr": host,
            "vipAddress": service,
            "secureVipAddress": service,
            "status": if ready { "UP" } else { "DOWN" },
            "port": { "$": port, "@enabled": (!secure).to_string() },
            "securePort": { "$": port, "@enabled": secure.to_string() },
            "healthCheckUrl": format!("http://{host}:{admin_port}/readyz"),
            "dataCenterInfo": {
                "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo",
                "name": "MyOwn",
            },
            "leaseInfo": {
                "renewalIntervalInSecs": seconds(self.advertised.renew),
                "durationInSecs": seconds(self.advertised.renew * MISSED),
            },
            "metadata": { "version": version },
        }});
        let path = format!("/apps/{app}");
        let answer = self
            .servers
            .send(&Method::POST, &path, Some(&lease))
            .await?;
        if !answer.status().is_success() {
            return Err(refused(answer.status()));
        }
        self.made = Some((format!("{path}/{id}"), ready, Instant::now()));
        Ok(())
    }
}

impl Registration for Lease {
    fn renew<'a>(&'a mut self, instance: &'a Instance, ready: &'a Result<(), String>) -> Told<'a> {
        Box::pin(async move {
            let (is_ready, every) = (ready.is_ok(), self.every());
            match &mut self.made {
                Some((path, said, at)) if *said == is_ready => {
                    // Not each time that readiness is looked at.
                    if at.elapsed() + every < self.advertised.renew {
                        return Ok(());
                    }
                    let answer = self.servers.send(&Method::PUT, path, None).await?;
                    match answer.status() {
                        StatusCode::NOT_FOUND => {
                            tracing::warn!("the registry has forgotten this instance");
                        }
                        status if status.is_success() => {
                            *at = Instant::now();
                            return Ok(());
                        }
                        status => return Err(refused(status)),
                    }
                }
                _ => {}
            }
            self.make(instance, is_ready).await
        })
    }

    fn remove<'a>(&'a mut self, _: &'a Instance) -> Told<'a> {
        Box::pin(async move {
            let Some((path, ..)) = &self.made else {
                return Ok(());
            };
            let answer = self.servers.send(&Method::DELETE, path, None).await?;
            match answer.status() {
                status if status.is_success() || status == StatusCode::NOT_FOUND => Ok(()),
                status => Err(refused(status)),
            }
        })
    }

    fn every(&self) -> Duration {
        self.advertised.renew / LOOKS
    }
}

struct Up {
    servers: Servers,
    path: String,
    fetch: Duration,
    /// The last answer was one: the next question can wait.
    asked: bool,
}

#[derive(Deserialize)]
struct Fetched {
    application: Application,
}

#[derive(Deserialize)]
struct Application {
    instance: Vec<Listed>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Listed {
    host_name: String,
    status: String,
    port: Port,
    secure_port: Port,
}

#[derive(Deserialize)]
struct Port {
    #[serde(rename = "$")]
    number: u16,
    #[serde(rename = "@enabled")]
    enabled: String,
}

impl Up {
    async fn ask(&mut self) -> Result<Vec<Found>, Error> {
        if std::mem::take(&mut self.asked) {
            sleep(self.fetch.mul_f64(0.9 + fastrand::f64() / 5.0)).await;
        }
        let answer = self.servers.send(&Method::GET, &self.path, None).await?;
        let instances = match answer.status() {
            // It has no instance.
            StatusCode::NOT_FOUND => Vec::new(),
            status if status.is_success() => {
                let fetched: Fetched = serde_json::from_slice(answer.body())?;
                fetched.application.instance
            }
            status => return Err(refused(status)),
        };
        self.asked = true;
        let up = instances
            .into_iter()
            .filter(|instance| instance.status == "UP");
        let found = up.map(|instance| Found {
            port: match instance.secure_port.enabled == "true" {
                true => instance.secure_port.number,
                false => instance.port.number,
            },
            host: instance.host_name,
        });
        Ok(found.collect())
    }
}

impl Lookup for Up {
    fn instances(&mut self) -> Told<'_, Vec<Found>> {
        Box::pin(self.ask())
    }
}
