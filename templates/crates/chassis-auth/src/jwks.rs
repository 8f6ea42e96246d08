//! The issuer's public keys, as it publishes them: a JSON Web Key Set. It is read at start, now and then, and when a
//! token names a key that is not known, because issuers change their keys. While the issuer does not answer, the last
//! known keys stay.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::http::{Request, StatusCode, Uri, header};
use chassis::Error;
use chassis::config::{ConfigError, invalid, millis};
use chassis_http_client::HttpClient;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, KeyOperations, PublicKeyUse};
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, Header};
use serde::Deserialize;
use serde::de::{Deserializer, Error as _};
use tokio::sync::{Notify, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};

use super::Refusal;

/// A set holds a few keys of a few kilobytes.
const LIMIT: usize = 256 * 1024;

/// How long to wait until the issuer is asked again that has not answered once.
const RETRY: Duration = Duration::from_secs(1);

/// Where the issuer's keys are.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jwks {
    /// It has no default.
    pub url: Option<String>,
    /// What tokens may be signed with, with commas between.
    #[serde(deserialize_with = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// How often the keys are read again.
    #[serde(rename = "refresh_ms", deserialize_with = "millis")]
    pub refresh: Duration,
    /// The least time between two reads: tokens with invented keys must not become a load for the issuer.
    #[serde(rename = "min_refresh_ms", deserialize_with = "millis")]
    pub min_refresh: Duration,
    #[serde(rename = "timeout_ms", deserialize_with = "millis")]
    pub timeout: Duration,
    /// Certificate authorities to trust instead of the system's.
    pub ca_file: Option<PathBuf>,
    /// Over plain HTTP whoever sits in between decides which keys are good.
    pub allow_http: bool,
}

/// The keys as they are known now.
pub(super) struct IssuerKeys {
    shared: Arc<Shared>,
    /// Reads the keys until this is dropped.
    _reader: JoinSet<()>,
}

struct Shared {
    url: Uri,
    client: HttpClient,
    config: Jwks,
    known: watch::Sender<Known>,
    /// A token names a key that is not known.
    wanted: Notify,
}

struct Known {
    /// `None` until the issuer has answered for the first time.
    keys: Option<Vec<PublicKey>>,
    /// Nobody waits for another read until then.
    rest_until: Instant,
}

struct PublicKey {
    id: Option<String>,
    /// What it can verify, of what is accepted.
    algorithms: Vec<Algorithm>,
    key: Arc<DecodingKey>,
}

impl Jwks {
    fn check(&self, url: &str) -> Result<Uri, ConfigError> {
        let uri = Uri::try_from(url).ok().filter(|uri| uri.host().is_some());
        let uri = uri.ok_or_else(|| invalid("auth.jwks.url", "is no URL"))?;
        let scheme = uri.scheme_str().unwrap_or_default();
        if scheme != "https" && !(scheme == "http" && (self.allow_http || is_local(&uri))) {
            let problem = "must begin with https://: whoever sits in between would decide which keys are good. \
                           `auth.jwks.allow_http` allows http://";
            return Err(invalid("auth.jwks.url", problem));
        }
        let problem = if self.algorithms.is_empty() {
            "lists none"
        } else if self
            .algorithms
            .iter()
            .any(|algorithm| algorithm.family() == AlgorithmFamily::Hmac)
        {
            "has one of HS256, HS384 and HS512: with these, who can verify can sign, so they never go with published keys"
        } else if self.min_refresh.is_zero() || self.refresh < self.min_refresh {
            return Err(invalid(
                "auth.jwks.min_refresh_ms",
                "must be more than 0 and at most `auth.jwks.refresh_ms`",
            ));
        } else {
            return Ok(uri);
        };
        Err(invalid("auth.jwks.algorithms", problem))
    }
}

impl IssuerKeys {
    /// Starts to read them. Needs a tokio runtime.
    pub(super) fn new(config: &Jwks, url: &str) -> Result<Self, ConfigError> {
        let url = config.check(url)?;
        let client = chassis_https::client(&url, config.ca_file.as_deref());
        let shared = Arc::new(Shared {
            url,
            client: client.map_err(|error| invalid("auth.jwks.ca_file", error.to_string()))?,
            config: config.clone(),
            known: watch::Sender::new(Known {
                keys: None,
                rest_until: Instant::now(),
            }),
            wanted: Notify::new(),
        });
        let mut reader = JoinSet::new();
        reader.spawn(keep_reading(shared.clone()));
        Ok(Self {
            shared,
            _reader: reader,
        })
    }

    /// The key that a token was signed with. One that is not known is asked for, and waited for, unless the issuer was
    /// asked a moment ago.
    pub(super) async fn find(&self, header: &Header) -> Result<Arc<DecodingKey>, Refusal> {
        let mut known = self.shared.known.subscribe();
        {
            let now = known.borrow_and_update();
            match now.find(header) {
                Err(_) if now.rest_until <= Instant::now() => {}
                found => return found,
            }
        }
        self.shared.wanted.notify_one();
        // Ends at the latest when the issuer does not answer in time.
        _ = known.changed().await;
        known.borrow().find(header)
    }

    pub(super) fn are_known(&self) -> bool {
        self.shared.known.borrow().keys.is_some()
    }
}

async fn keep_reading(shared: Arc<Shared>) {
    let Shared { config, url, .. } = &*shared;
    loop {
        let read = timeout(config.timeout, shared.read()).await;
        match read.unwrap_or_else(|_| Err("no answer in time".into())) {
            Ok(keys) => {
                tracing::debug!(%url, keys = keys.len(), "read the issuer's keys");
                shared.remember(config.min_refresh, Some(keys));
                // Who asked while it was read has the answer.
                _ = timeout(Duration::ZERO, shared.wanted.notified()).await;
                sleep(config.min_refresh).await;
                let rest = config.refresh - config.min_refresh;
                _ = timeout(rest, shared.wanted.notified()).await;
            }
            Err(error) => {
                let old = shared.known.borrow().keys.is_some();
                tracing::warn!(
                    %url,
                    old,
                    error = &*error as &(dyn std::error::Error + 'static),
                    "the issuer's keys cannot be read; those that are known stay"
                );
                let hurry = if old { Duration::MAX } else { RETRY };
                let pause = config.min_refresh.min(hurry);
                // Requests do not wait for the next read, which may end like this one.
                shared.remember(pause + config.timeout, None);
                sleep(pause).await;
            }
        }
    }
}

impl Shared {
    async fn read(&self) -> Result<Vec<PublicKey>, Error> {
        #[derive(Deserialize)]
        struct Set {
            keys: Vec<serde_json::Value>,
        }
        let request = Request::get(&self.url).header(header::ACCEPT, "application/json");
        let answer = self.client.send(request.body(Bytes::new())?, LIMIT).await?;
        if answer.status() != StatusCode::OK {
            return Err(format!("answered {}", answer.status()).into());
        }
        let set: Set = serde_json::from_slice(answer.body())?;
        let usable = |key| PublicKey::new(key, &self.config.algorithms);
        let keys: Vec<_> = set.keys.into_iter().filter_map(usable).collect();
        if keys.is_empty() {
            return Err("no key there goes with `auth.jwks.algorithms`".into());
        }
        Ok(keys)
    }

    fn remember(&self, rest: Duration, keys: Option<Vec<PublicKey>>) {
        self.known.send_modify(|known| {
            known.rest_until = Instant::now() + rest;
            if keys.is_some() {
                known.keys = keys;
            }
        });
    }
}

impl Known {
    /// By its name, or the only one that it can be.
    fn find(&self, header: &Header) -> Result<Arc<DecodingKey>, Refusal> {
        let keys = self.keys.as_ref().ok_or(Refusal::NoKeys)?;
        let mut fitting = keys.iter().filter(|key| {
            key.algorithms.contains(&header.alg) && (header.kid.is_none() || header.kid == key.id)
        });
        match (fitting.next(), fitting.next()) {
            (Some(only), None) => Ok(only.key.clone()),
            (Some(_), Some(_)) => Err(Refusal::Invalid(
                "the token does not say which key it is signed with",
            )),
            (None, _) => Err(Refusal::Invalid(
                "the token is signed with a key that is not known",
            )),
        }
    }
}

impl PublicKey {
    /// `None` when it is no key for what is accepted: issuers publish keys for other purposes too, and new kinds of keys.
    fn new(key: serde_json::Value, accepted: &[Algorithm]) -> Option<Self> {
        let jwk: Jwk = serde_json::from_value(key).ok()?;
        let common = &jwk.common;
        let is_for_signatures = common
            .public_key_use
            .as_ref()
            .is_none_or(|usage| *usage == PublicKeyUse::Signature)
            && common
                .key_operations
                .as_ref()
                .is_none_or(|operations| operations.contains(&KeyOperations::Verify));
        let named = common.key_algorithm.map(Algorithm::try_from);
        let algorithms: Vec<_> = accepted
            .iter()
            .copied()
            .filter(|algorithm| fits(&jwk.algorithm, *algorithm))
            .filter(|algorithm| {
                named
                    .as_ref()
                    .is_none_or(|named| named.as_ref().ok() == Some(algorithm))
            })
            .collect();
        if !is_for_signatures || algorithms.is_empty() {
            return None;
        }
        Some(Self {
            algorithms,
            key: Arc::new(DecodingKey::from_jwk(&jwk).ok()?),
            id: jwk.common.key_id,
        })
    }
}

/// Whether a key of this kind can verify it.
fn fits(key: &AlgorithmParameters, algorithm: Algorithm) -> bool {
    match key {
        AlgorithmParameters::RSA(_) => algorithm.family() == AlgorithmFamily::Rsa,
        AlgorithmParameters::EllipticCurve(key) => matches!(
            (&key.curve, algorithm),
            (EllipticCurve::P256, Algorithm::ES256) | (EllipticCurve::P384, Algorithm::ES384)
        ),
        AlgorithmParameters::OctetKeyPair(key) => {
            key.curve == EllipticCurve::Ed25519 && algorithm == Algorithm::EdDSA
        }
        _ => false,
    }
}

/// Whether it never leaves this machine.
fn is_local(uri: &Uri) -> bool {
    let host = uri.host().unwrap_or_default().trim_matches(['[', ']']);
    let address = host.parse::<std::net::IpAddr>();
    host == "localhost" || address.is_ok_and(|address| address.is_loopback())
}

fn algorithms<'de, D: Deserializer<'de>>(value: D) -> Result<Vec<Algorithm>, D::Error> {
    let names = String::deserialize(value)?;
    let parse = |name: &str| {
        name.trim()
            .parse()
            .map_err(|_| D::Error::custom(format!("`{name}` is no algorithm")))
    };
    names
        .split(',')
        .filter(|name| !name.trim().is_empty())
        .map(parse)
        .collect()
}
