//! Who is calling: a JSON Web Token in `Authorization: Bearer …`. It is signed with one of the keys that the issuer
//! publishes (`jwks`), or with a key that this service and the issuer share (HS256). The algorithms are pinned: what a
//! token says about itself is not believed.
//!
//! - [`require`] lets a caller with a valid token in;
//! - [`scope`] lets a caller through whose token allows it;
//! - `dev_token` makes tokens for local use.

mod crypto;
mod dev_token;
mod jwks;
mod scope;
#[cfg(test)]
mod tests;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use chassis::Identity;
use chassis::config::{ConfigError, invalid, secret};
use chassis::health::Outcome;
use chassis::problem::Problem;
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use jwks::IssuerKeys;

pub use dev_token::{dev_token, print_dev_token, sign};
pub use jwks::Jwks;
pub use scope::{Scope, scope};

/// HMAC-SHA256 is as strong as its key, up to this many bytes.
const MIN_KEY_BYTES: usize = 32;

/// Whose tokens are accepted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Auth {
    /// The `iss` claim.
    pub issuer: String,
    /// The `aud` claim: a token for another service is none for this one.
    pub audience: String,
    /// How far clocks may differ.
    pub leeway_s: u64,
    /// The key that the issuer shares with this service, 32 bytes or more. It has no default.
    pub key: Option<SecretString>,
    /// A file that holds the key.
    pub key_file: Option<PathBuf>,
    /// The keys that the issuer publishes, instead.
    pub jwks: Jwks,
}

/// What a valid token says. A handler finds it in the request's extensions.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Claims {
    /// Who is calling.
    pub sub: String,
    // Issuers have three names for what a token allows.
    #[serde(default)]
    scope: scope::Scopes,
    #[serde(default)]
    scp: scope::Scopes,
    #[serde(default)]
    permissions: scope::Scopes,
}

impl Claims {
    /// Whether the token allows this.
    pub fn allows(&self, scope: &str) -> bool {
        [&self.scope, &self.scp, &self.permissions]
            .iter()
            .any(|scopes| scopes.contain(scope))
    }
}

/// Checks tokens. Clones share it.
#[derive(Clone)]
pub struct Verifier(Arc<(Keys, Vec<Validation>)>);

enum Keys {
    Shared(DecodingKey),
    Issuer(IssuerKeys),
}

impl Verifier {
    /// Reads the shared key, or starts to read the issuer's keys, which needs a tokio runtime. With neither or both the
    /// service does not start.
    pub fn new(service: &Identity, auth: &Auth) -> Result<Self, ConfigError> {
        crypto::install();
        let key = secret("auth.key", auth.key.as_ref(), auth.key_file.as_deref())?;
        let (keys, algorithms) = match (key, &auth.jwks.url) {
            (Some(key), None) => (Keys::Shared(shared(&key)?), &[Algorithm::HS256][..]),
            (None, Some(url)) => {
                let keys = IssuerKeys::new(&auth.jwks, url)?;
                (Keys::Issuer(keys), &auth.jwks.algorithms[..])
            }
            (Some(_), Some(_)) => {
                let problem = "and `auth.jwks.url` are both set: keep one";
                return Err(invalid("auth.key", problem));
            }
            (None, None) => {
                let help = format!(
                    "is not set, and neither is `auth.jwks.url`. Name a file that holds the key in \
                     {prefix}__AUTH__KEY_FILE, or say where the issuer's keys are in {prefix}__AUTH__JWKS__URL; for \
                     local use `cargo run -p {} -- dev-token --key-file dev.key` makes a key and prints a token",
                    service.name,
                    prefix = service.env_prefix,
                );
                return Err(invalid("auth.key", help));
            }
        };
        let validations = algorithms
            .iter()
            .map(|algorithm| validation(*algorithm, auth))
            .collect();
        Ok(Self(Arc::new((keys, validations))))
    }

    /// A readiness check: without the issuer's keys nobody can be let in. Old ones are enough.
    pub fn check(&self) -> impl Fn() -> Outcome + Send + Sync + 'static {
        let verifier = self.clone();
        move || {
            let known = match &verifier.0.0 {
                Keys::Shared(_) => true,
                Keys::Issuer(keys) => keys.are_known(),
            };
            let outcome = if known {
                Ok(())
            } else {
                Err("no keys yet".into())
            };
            Box::pin(std::future::ready(outcome))
        }
    }

    async fn verify(&self, authorization: Option<&HeaderValue>) -> Result<Claims, Refusal> {
        let token = authorization
            .and_then(|value| value.to_str().ok()?.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Refusal::NoToken)?;
        let (keys, validations) = &*self.0;
        let header = jsonwebtoken::decode_header(token).map_err(|_| INVALID)?;
        let validation = validations
            .iter()
            .find(|validation| validation.algorithms.contains(&header.alg))
            .ok_or(Refusal::Invalid("the token's algorithm is not accepted"))?;
        // It says that who does not understand a part of it must refuse it; nothing of the kind is understood here.
        if header.crit.is_some() {
            return Err(INVALID);
        }
        let decoded = match keys {
            Keys::Shared(key) => jsonwebtoken::decode(token, key, validation),
            Keys::Issuer(keys) => {
                let key = keys.find(&header).await?;
                jsonwebtoken::decode(token, &key, validation)
            }
        };
        match decoded {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => Refusal::Invalid("the token has expired"),
                ErrorKind::ImmatureSignature => Refusal::Invalid("the token is not valid yet"),
                ErrorKind::InvalidAudience => Refusal::Invalid("the token is for another audience"),
                ErrorKind::InvalidIssuer => Refusal::Invalid("the token is from another issuer"),
                _ => INVALID,
            }),
        }
    }
}

fn shared(key: &SecretString) -> Result<DecodingKey, ConfigError> {
    let key = key.expose_secret().as_bytes();
    if key.len() < MIN_KEY_BYTES {
        let problem = format!("has {} bytes; {MIN_KEY_BYTES} are the least", key.len());
        return Err(invalid("auth.key", problem));
    }
    Ok(DecodingKey::from_secret(key))
}

fn validation(algorithm: Algorithm, auth: &Auth) -> Validation {
    let mut validation = Validation::new(algorithm);
    validation.set_issuer(&[&auth.issuer]);
    validation.set_audience(&[&auth.audience]);
    validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
    validation.validate_nbf = true;
    validation.leeway = auth.leeway_s;
    validation
}

/// Why a caller does not get in.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NoToken,
    Invalid(&'static str),
    /// The issuer has not answered yet, so no token can be checked.
    NoKeys,
}

const INVALID: Refusal = Refusal::Invalid("the token is not valid");

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (challenge, detail) = match self {
            Self::NoToken => ("Bearer", "a bearer token is required"),
            Self::Invalid(reason) => ("Bearer error=\"invalid_token\"", reason),
            Self::NoKeys => {
                let problem = Problem::new(StatusCode::SERVICE_UNAVAILABLE).retry_after(1);
                return problem
                    .detail("tokens cannot be checked yet")
                    .into_response();
            }
        };
        let problem = Problem::new(StatusCode::UNAUTHORIZED).detail(detail);
        ([(header::WWW_AUTHENTICATE, challenge)], problem).into_response()
    }
}

/// Middleware for `route_layer`: only a caller with a valid token gets through.
pub async fn require(
    State(verifier): State<Verifier>,
    mut request: Request,
    next: Next,
) -> Response {
    let authorization = request.headers().get(header::AUTHORIZATION);
    match verifier.verify(authorization).await {
        Ok(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}
