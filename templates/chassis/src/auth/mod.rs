//! Who is calling: a JSON Web Token in `Authorization: Bearer …`, signed with a key that this service and the issuer
//! share (HS256). The algorithm is pinned: what a token says about itself is not believed.
//!
//! - [`require`] lets a caller with a valid token in;
//! - [`scope`] lets a caller through whose token allows it;
//! - `dev_token` makes tokens for local use.

mod crypto;
mod dev_token;
mod scope;

use std::path::PathBuf;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

use crate::Identity;
use crate::config::{ConfigError, invalid, secret};
use crate::problem::Problem;

pub use dev_token::{dev_token, print_dev_token, sign};
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
    /// The shared key, 32 bytes or more. It has no default.
    pub key: Option<SecretString>,
    /// A file that holds the key.
    pub key_file: Option<PathBuf>,
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
pub struct Verifier(Arc<(DecodingKey, Validation)>);

impl Verifier {
    /// Reads the key. Without one the service does not start.
    pub fn new(service: &Identity, auth: &Auth) -> Result<Self, ConfigError> {
        let Some(key) = secret("auth.key", auth.key.as_ref(), auth.key_file.as_deref())? else {
            let help = format!(
                "is not set. Name a file that holds it in {}__AUTH__KEY_FILE; for local use \
                 `cargo run -p {} -- dev-token --key-file dev.key` makes one and prints a token",
                service.env_prefix, service.name
            );
            return Err(invalid("auth.key", help));
        };
        let key = key.expose_secret().as_bytes();
        if key.len() < MIN_KEY_BYTES {
            let problem = format!("has {} bytes; {MIN_KEY_BYTES} are the least", key.len());
            return Err(invalid("auth.key", problem));
        }
        crypto::install();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&auth.issuer]);
        validation.set_audience(&[&auth.audience]);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = auth.leeway_s;
        Ok(Self(Arc::new((DecodingKey::from_secret(key), validation))))
    }

    fn verify(&self, authorization: Option<&HeaderValue>) -> Result<Claims, Refusal> {
        let authorization = authorization.ok_or(Refusal::NoToken)?;
        let token = authorization
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or(Refusal::NoToken)?;
        let (key, validation) = &*self.0;
        match jsonwebtoken::decode(token, key, validation) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(Refusal::Invalid(match error.kind() {
                ErrorKind::ExpiredSignature => "the token has expired",
                ErrorKind::ImmatureSignature => "the token is not valid yet",
                ErrorKind::InvalidAudience => "the token is for another audience",
                ErrorKind::InvalidIssuer => "the token is from another issuer",
                _ => "the token is not valid",
            })),
        }
    }
}

/// Why a caller does not get in.
#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    NoToken,
    Invalid(&'static str),
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let (challenge, detail) = match self {
            Self::NoToken => ("Bearer", "a bearer token is required"),
            Self::Invalid(reason) => ("Bearer error=\"invalid_token\"", reason),
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
    match verifier.verify(request.headers().get(header::AUTHORIZATION)) {
        Ok(claims) => {
            request.extensions_mut().insert(claims);
            next.run(request).await
        }
        Err(refusal) => refusal.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const KEY: &str = "0123456789abcdef0123456789abcdef";
    const SERVICE: Identity = Identity {
        name: "probe",
        version: "0.0.0",
        env_prefix: "PROBE",
    };

    fn auth() -> Auth {
        let (issuer, audience) = ("issuer".to_owned(), "probe".to_owned());
        Auth {
            issuer,
            audience,
            leeway_s: 0,
            key: Some(KEY.into()),
            key_file: None,
        }
    }

    /// Claims that are right, but for one; `null` takes it away.
    fn claims(but: (&str, Value)) -> Value {
        let mut claims = json!({
            "sub": "someone", "iss": "issuer", "aud": "probe", "exp": u32::MAX, "nbf": 0,
        });
        claims[but.0] = but.1;
        let kept = claims.as_object().unwrap().clone().into_iter();
        kept.filter(|(_, value)| !value.is_null()).collect()
    }

    fn verified(token: &str) -> Result<Claims, Refusal> {
        let header = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        Verifier::new(&SERVICE, &auth())
            .unwrap()
            .verify(Some(&header))
    }

    #[test]
    fn only_a_token_that_is_right_in_every_claim_is_accepted() {
        let never = json!(u32::MAX);
        for (but, refused) in [
            (("sub", json!("someone")), None),
            (("aud", json!(["another", "probe"])), None),
            (("nbf", Value::Null), None),
            (("exp", json!(1)), Some("the token has expired")),
            (("nbf", never), Some("the token is not valid yet")),
            (
                ("aud", json!("x")),
                Some("the token is for another audience"),
            ),
            (
                ("iss", json!("x")),
                Some("the token is from another issuer"),
            ),
            (("sub", Value::Null), Some("the token is not valid")),
            (("aud", Value::Null), Some("the token is not valid")),
            (("iss", Value::Null), Some("the token is not valid")),
            (("exp", Value::Null), Some("the token is not valid")),
            (("exp", json!("later")), Some("the token is not valid")),
        ] {
            let claims = claims(but);
            let token = sign(&claims, &KEY.into()).unwrap();
            let sub = verified(&token).map(|claims| claims.sub);
            let expected = match refused {
                None => Ok("someone".to_owned()),
                Some(reason) => Err(Refusal::Invalid(reason)),
            };
            assert_eq!(sub, expected, "{claims}");
        }
        let right = claims(("nbf", json!(0)));
        let forged = sign(&right, &"another key of enough bytes, 32+".into()).unwrap();
        let refused = Err(Refusal::Invalid("the token is not valid"));
        assert_eq!(verified(&forged), refused);
    }

    #[test]
    fn a_token_does_not_choose_its_algorithm() {
        let token = sign(&claims(("nbf", json!(0))), &KEY.into()).unwrap();
        let (_, rest) = token.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        // {"alg":"none"} and {"alg":"HS512"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9"] {
            for token in [format!("{header}.{payload}."), format!("{header}.{rest}")] {
                let refused = Err(Refusal::Invalid("the token is not valid"));
                assert_eq!(verified(&token), refused);
            }
        }
    }

    #[test]
    fn scopes_come_in_each_form_that_issuers_write() {
        for (claim, allowed) in [
            (("scope", json!("items:read items:write")), true),
            (("scp", json!(["items:read", "items:write"])), true),
            (("permissions", json!(["items:write"])), true),
            (("scope", json!("items:write:all items")), false),
            (("scp", json!({ "items:write": true })), false),
            (("scope", Value::Null), false),
        ] {
            let claims = claims(claim);
            let token = sign(&claims, &KEY.into()).unwrap();
            let found = verified(&token).unwrap();
            assert_eq!(found.allows("items:write"), allowed, "{claims}");
        }
    }

    #[test]
    fn without_a_good_key_nothing_starts() {
        for (key, expected) in [
            (None, "dev-token"),
            (Some("short"), "has 5 bytes; 32 are the least"),
        ] {
            let auth = Auth {
                key: key.map(Into::into),
                ..auth()
            };
            let error = Verifier::new(&SERVICE, &auth)
                .err()
                .map(|error| error.to_string());
            assert!(
                error.as_ref().is_some_and(|error| error.contains(expected)),
                "{error:?}"
            );
        }
    }

    #[test]
    fn a_development_token_is_accepted_with_the_key_it_made() {
        let file = std::env::temp_dir().join(format!("chassis-dev-key-{}", std::process::id()));
        let token = dev_token(&auth(), &file, "items:read").unwrap();
        let again = dev_token(&auth(), &file, "items:read");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&file).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let auth = Auth {
            key: None,
            key_file: Some(file.clone()),
            ..auth()
        };
        let verifier = Verifier::new(&SERVICE, &auth).unwrap();
        std::fs::remove_file(&file).unwrap();
        for token in [token, again.unwrap()] {
            let header = HeaderValue::from_str(&format!("bearer {token}")).unwrap();
            let claims = verifier.verify(Some(&header)).unwrap();
            assert_eq!(claims.sub, "developer");
            assert!(claims.allows("items:read") && !claims.allows("items:write"));
        }
    }
}
