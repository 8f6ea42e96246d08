//! Consul: this instance is an entry of an agent, with a check that it must renew itself; the healthy instances of others
//! are followed by blocking queries.

use std::path::PathBuf;
use std::time::Duration;

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use bytes::Bytes;
use chassis::Error;
use chassis::config::{ConfigError, invalid, millis, secret};
use chassis_discovery::{Kind, Origins, Registry};
use chassis_http_client::HttpClient;
use chassis_registry::{
    ANSWER_LIMIT, Found, Instance, Lookup, PATIENCE, Registration, Told, follow, own_address,
};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde_json::json;
use tokio::time::timeout;

/// How long the agent holds a query back when there is no news.
const WAIT: Duration = Duration::from_secs(30);

/// The agent.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Consul {
    /// Its base URL.
    pub agent: String,
    /// A token of its access control.
    pub token: Option<SecretString>,
    /// A file that holds the token.
    pub token_file: Option<PathBuf>,
}

/// What the agent is told of this instance.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Advertised {
    /// Host or address at which others reach this instance; the agent's own where it is missing and both are on one
    /// machine, else the one that the agent sees.
    pub host: Option<String>,
    /// An instance that does not renew its entry for so long is not well.
    #[serde(rename = "ttl_ms", deserialize_with = "millis")]
    pub ttl: Duration,
    /// And after so long it is removed.
    #[serde(rename = "forget_ms", deserialize_with = "millis")]
    pub forget: Duration,
}

/// An agent that can be asked.
#[derive(Clone)]
struct Agent {
    url: Uri,
    token: Option<HeaderValue>,
}

impl Consul {
    /// This instance's entry, to be kept while it runs.
    pub fn registration(
        &self,
        advertised: &Advertised,
    ) -> Result<Box<dyn Registration>, ConfigError> {
        if advertised.ttl < Duration::from_secs(1) {
            return Err(invalid("advertised.ttl_ms", "must be 1000 or more"));
        }
        Ok(Box::new(Entry {
            agent: self.agent()?,
            advertised: advertised.clone(),
            id: None,
        }))
    }

    /// The instances of a service that pass their checks.
    fn lookup(&self, service: &str) -> Result<impl Lookup + use<>, ConfigError> {
        Ok(Healthy {
            agent: self.agent()?,
            service: service.to_owned(),
            index: 0,
        })
    }

    fn agent(&self) -> Result<Agent, ConfigError> {
        let key = "consul.agent";
        let base = self.agent.trim_end_matches('/');
        let url: Uri = base.parse().map_err(|_| invalid(key, "is no URL"))?;
        if url.scheme_str() != Some("http") || url.host().is_none() {
            let problem = "must be http://HOST:PORT of an agent on this host";
            return Err(invalid(key, problem));
        }
        let file = self.token_file.as_deref();
        let token = secret("consul.token", self.token.as_ref(), file)?;
        let header = |token: &SecretString| {
            let mut value = HeaderValue::try_from(token.expose_secret()).ok()?;
            value.set_sensitive(true);
            Some(value)
        };
        let unfit = || invalid("consul.token", "cannot stand in a header");
        let token = token.map(|token| header(&token).ok_or_else(unfit));
        Ok(Agent {
            url,
            token: token.transpose()?,
        })
    }
}

impl Registry for Consul {
    fn kind(&self) -> Kind {
        Kind::Consul
    }

    fn follow(&self, service: &str, scheme: &Scheme) -> Result<Origins, ConfigError> {
        Ok(follow(service, scheme, self.lookup(service)?))
    }
}

impl Agent {
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<serde_json::Value>,
        patience: Duration,
    ) -> Result<Response<Bytes>, Error> {
        let url = format!(
            "http://{}{path}",
            self.url.authority().map_or("", |a| a.as_str())
        );
        let mut request = Request::builder()
            .method(method)
            .uri(url)
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(token) = &self.token {
            request = request.header("x-consul-token", token);
        }
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let client = HttpClient::default();
        timeout(patience, client.send(request.body(body)?, ANSWER_LIMIT)).await?
    }

    async fn put(&self, path: &str, body: serde_json::Value) -> Result<StatusCode, Error> {
        let answer = self.send(Method::PUT, path, Some(body), PATIENCE).await?;
        Ok(answer.status())
    }
}

/// A 2xx, or what the agent answered instead.
fn accepted(status: StatusCode) -> Result<(), Error> {
    match status.is_success() {
        true => Ok(()),
        false => Err(format!("the Consul agent answered {status}").into()),
    }
}

struct Entry {
    agent: Agent,
    advertised: Advertised,
    /// Once it is made.
    id: Option<String>,
}

impl Entry {
    async fn make(&mut self, instance: &Instance) -> Result<(), Error> {
        let own = own_address(&self.agent.url).await?.ip();
        let Advertised { host, ttl, forget } = &self.advertised;
        let own_host = || (!own.is_loopback()).then(|| own.to_string());
        let advertised = host.clone().or_else(own_host);
        let host = advertised.clone().unwrap_or_else(|| own.to_string());
        // The same after a restart at the same place, so that no entry is left behind.
        let id = format!("{}-{host}-{}", instance.service, instance.port);
        let mut entry = json!({
            "ID": id,
            "Name": instance.service,
            "Port": instance.port,
            "Meta": { "version": instance.version, "admin_port": instance.admin_port.to_string() },
            "Check": {
                "CheckID": check(&id),
                "Name": "readiness",
                "TTL": format!("{}ms", ttl.as_millis()),
                "DeregisterCriticalServiceAfter": format!("{}ms", forget.as_millis()),
            },
        });
        if let Some(host) = advertised {
            entry["Address"] = host.into();
        }
        let path = "/v1/agent/service/register";
        accepted(self.agent.put(path, entry).await?)?;
        self.id = Some(id);
        Ok(())
    }
}

impl Entry {
    async fn update(&self, state: &serde_json::Value) -> Result<StatusCode, Error> {
        let id = self.id.as_deref().unwrap_or_default();
        let path = format!("/v1/agent/check/update/{}", check(id));
        self.agent.put(&path, state.clone()).await
    }
}

impl Registration for Entry {
    fn renew<'a>(&'a mut self, instance: &'a Instance, ready: &'a Result<(), String>) -> Told<'a> {
        Box::pin(async move {
            let status = if ready.is_ok() { "passing" } else { "critical" };
            let output = ready.as_ref().err().map_or("ready", String::as_str);
            let state = json!({ "Status": status, "Output": output });
            if self.id.is_some() {
                let status = self.update(&state).await?;
                if status.is_success() {
                    return Ok(());
                }
                // An agent that has forgotten the check says 404, an older one 500.
                tracing::warn!(
                    status = status.as_u16(),
                    "the registry has forgotten this instance"
                );
            }
            self.make(instance).await?;
            accepted(self.update(&state).await?)
        })
    }

    fn remove<'a>(&'a mut self, _: &'a Instance) -> Told<'a> {
        Box::pin(async move {
            let Some(id) = &self.id else { return Ok(()) };
            let path = format!("/v1/agent/service/deregister/{id}");
            let answer = self.agent.send(Method::PUT, &path, None, PATIENCE).await?;
            accepted(answer.status())
        })
    }

    fn every(&self) -> Duration {
        self.advertised.ttl / 3
    }
}

fn check(id: &str) -> String {
    format!("service:{id}")
}

struct Healthy {
    agent: Agent,
    service: String,
    /// Of the last answer: the next one comes when there is a later one.
    index: u64,
}

#[derive(Deserialize)]
struct Passing {
    #[serde(rename = "Node")]
    node: Node,
    #[serde(rename = "Service")]
    service: Service,
}

#[derive(Deserialize)]
struct Node {
    #[serde(rename = "Address")]
    address: String,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "Address")]
    address: String,
    #[serde(rename = "Port")]
    port: u16,
}

impl Healthy {
    async fn ask(&mut self) -> Result<Vec<Found>, Error> {
        let (service, index, wait) = (&self.service, self.index, WAIT.as_secs());
        let path = format!("/v1/health/service/{service}?passing=1&index={index}&wait={wait}s");
        // The agent adds up to a sixteenth, so that not all answers come at once.
        let patience = WAIT + WAIT / 16 + PATIENCE;
        let answer = self.agent.send(Method::GET, &path, None, patience).await?;
        accepted(answer.status())?;
        let index = answer.headers().get("x-consul-index");
        let index = index.and_then(|index| index.to_str().ok()?.parse().ok());
        // One that goes back is of an agent that has begun anew.
        self.index = index.filter(|index| *index >= self.index).unwrap_or(0);
        let passing: Vec<Passing> = serde_json::from_slice(answer.body())?;
        let found = passing.into_iter().map(|Passing { node, service }| Found {
            host: if service.address.is_empty() {
                node.address
            } else {
                service.address
            },
            port: service.port,
        });
        Ok(found.collect())
    }
}

impl Lookup for Healthy {
    fn instances(&mut self) -> Told<'_, Vec<Found>> {
        Box::pin(async move {
            let asked = self.ask().await;
            if asked.is_err() {
                // Whatever comes next is news.
                self.index = 0;
            }
            asked
        })
    }
}
