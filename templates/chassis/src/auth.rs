//! Who is calling: a JSON Web Token in `Authorization: Bearer …`, signed with a key that this service and the issuer
//! share (HS256). The algorithm is pinned: what a token says about itself is not believed.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use jsonwebtoken::crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils};
use jsonwebtoken::errors::ErrorKind;
use jsonwebtoken::signature::{Error as SignatureError, Signer, Verifier as VerifySignature};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use ring::hmac;
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};

use crate::config::{ConfigError, invalid, secret};
use crate::problem::Problem;
use crate::{Error, Identity};

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
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Claims {
    /// Who is calling.
    pub sub: String,
    pub iss: String,
    pub aud: String,
    /// Seconds since 1970.
    pub exp: u64,
    /// Seconds since 1970.
    pub nbf: u64,
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
        // Fails when it is installed already, which is as good.
        _ = PROVIDER.install_default();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_issuer(&[&auth.issuer]);
        validation.set_audience(&[&auth.audience]);
        validation.set_required_spec_claims(&["exp", "nbf", "iss", "aud", "sub"]);
        validation.validate_nbf = true;
        validation.leeway = auth.leeway_s;
        Ok(Self(Arc::new((DecodingKey::from_secret(key), validation))))
    }

    fn verify(&self, authorization: Option<&HeaderValue>) -> Result<Claims, &'static str> {
        let authorization = authorization.ok_or("a bearer token is required")?;
        let token = authorization
            .to_str()
            .ok()
            .and_then(|value| value.split_once(' '))
            .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
            .map(|(_, token)| token.trim())
            .ok_or("the Authorization header holds no bearer token")?;
        let (key, validation) = &*self.0;
        match jsonwebtoken::decode(token, key, validation) {
            Ok(token) => Ok(token.claims),
            Err(error) => Err(match error.kind() {
                ErrorKind::ExpiredSignature => "the token has expired",
                ErrorKind::ImmatureSignature => "the token is not valid yet",
                ErrorKind::InvalidAudience => "the token is for another audience",
                ErrorKind::InvalidIssuer => "the token is from another issuer",
                _ => "the token is not valid",
            }),
        }
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
        Err(reason) => {
            let challenge = [(header::WWW_AUTHENTICATE, "Bearer error=\"invalid_token\"")];
            (
                challenge,
                Problem::new(StatusCode::UNAUTHORIZED).detail(reason),
            )
                .into_response()
        }
    }
}

/// Prints [`dev_token`].
pub fn print_dev_token(auth: &Auth, key_file: &Path) -> Result<(), Error> {
    Ok(writeln!(
        std::io::stdout(),
        "{}",
        dev_token(auth, key_file)?
    )?)
}

/// A token for local use, valid for an hour. Makes the key file, readable by its owner only, when it is missing.
pub fn dev_token(auth: &Auth, key_file: &Path) -> Result<String, Error> {
    if !key_file.exists() {
        create_key(key_file)
            .map_err(|error| format!("cannot make {}: {error}", key_file.display()))?;
    }
    let key = secret("auth.key", None, Some(key_file))?.unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let claims = Claims {
        sub: "developer".to_owned(),
        iss: auth.issuer.clone(),
        aud: auth.audience.clone(),
        exp: (now + Duration::from_secs(3600)).as_secs(),
        nbf: now.as_secs(),
    };
    sign(&claims, &key)
}

/// Signs claims as the issuer would.
pub fn sign(claims: &Claims, key: &SecretString) -> Result<String, Error> {
    _ = PROVIDER.install_default();
    let key = EncodingKey::from_secret(key.expose_secret().as_bytes());
    Ok(jsonwebtoken::encode(
        &Header::new(Algorithm::HS256),
        claims,
        &key,
    )?)
}

fn create_key(file: &Path) -> Result<(), Error> {
    let mut random = [0; MIN_KEY_BYTES];
    SystemRandom::new()
        .fill(&mut random)
        .map_err(|_| "the system has no randomness")?;
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(file)?;
    let text: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(writeln!(file, "{text}")?)
}

/// HS256 by ring: the crypto backends that `jsonwebtoken` offers cost far more to build than this service needs.
static PROVIDER: CryptoProvider = CryptoProvider {
    signer_factory: |algorithm, key| Ok(Box::new(Hs256::new(*algorithm, key.as_bytes())?)),
    verifier_factory: |algorithm, key| {
        Ok(Box::new(Hs256::new(*algorithm, key.try_get_as_bytes()?)?))
    },
    key_utils: KeyUtils::new_unimplemented(),
};

struct Hs256(hmac::Key);

impl Hs256 {
    fn new(algorithm: Algorithm, key: &[u8]) -> jsonwebtoken::errors::Result<Self> {
        match algorithm {
            Algorithm::HS256 => Ok(Self(hmac::Key::new(hmac::HMAC_SHA256, key))),
            _ => Err(ErrorKind::InvalidAlgorithm.into()),
        }
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> Result<Vec<u8>, SignatureError> {
        Ok(hmac::sign(&self.0, message).as_ref().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl VerifySignature<Vec<u8>> for Hs256 {
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> Result<(), SignatureError> {
        hmac::verify(&self.0, message, signature).map_err(|_| SignatureError::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
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

    fn claims() -> Claims {
        let (sub, iss, aud) = (
            "someone".to_owned(),
            "issuer".to_owned(),
            "probe".to_owned(),
        );
        Claims {
            sub,
            iss,
            aud,
            exp: u64::from(u32::MAX),
            nbf: 0,
        }
    }

    fn outcome(token: &str) -> Result<String, &'static str> {
        let header = HeaderValue::from_str(&format!("Bearer {token}")).unwrap();
        Verifier::new(&SERVICE, &auth())
            .unwrap()
            .verify(Some(&header))
            .map(|claims| claims.sub)
    }

    #[test]
    fn only_a_token_that_is_right_in_every_claim_is_accepted() {
        let elsewhere = "elsewhere".to_owned();
        let cases = [
            (claims(), Ok("someone".to_owned())),
            (Claims { exp: 1, ..claims() }, Err("the token has expired")),
            (
                Claims {
                    nbf: u64::from(u32::MAX),
                    ..claims()
                },
                Err("the token is not valid yet"),
            ),
            (
                Claims {
                    aud: elsewhere.clone(),
                    ..claims()
                },
                Err("the token is for another audience"),
            ),
            (
                Claims {
                    iss: elsewhere,
                    ..claims()
                },
                Err("the token is from another issuer"),
            ),
        ];
        for (claims, expected) in cases {
            assert_eq!(
                outcome(&sign(&claims, &KEY.into()).unwrap()),
                expected,
                "{claims:?}"
            );
        }
        let forged = sign(&claims(), &"another key of enough bytes, 32+".into()).unwrap();
        assert_eq!(outcome(&forged), Err("the token is not valid"));
    }

    #[test]
    fn a_token_does_not_choose_its_algorithm() {
        let token = sign(&claims(), &KEY.into()).unwrap();
        let (_, rest) = token.split_once('.').unwrap();
        let (payload, _) = rest.split_once('.').unwrap();
        // {"alg":"none"} and {"alg":"HS512"}
        for header in ["eyJhbGciOiJub25lIn0", "eyJhbGciOiJIUzUxMiJ9"] {
            assert_eq!(
                outcome(&format!("{header}.{payload}.")),
                Err("the token is not valid")
            );
            assert_eq!(
                outcome(&format!("{header}.{rest}")),
                Err("the token is not valid")
            );
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
        let token = dev_token(&auth(), &file).unwrap();
        let again = dev_token(&auth(), &file);
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(
                std::fs::metadata(&file).unwrap().permissions().mode() & 0o777,
                0o600
            );
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
            assert_eq!(verifier.verify(Some(&header)).unwrap().sub, "developer");
        }
    }
}
