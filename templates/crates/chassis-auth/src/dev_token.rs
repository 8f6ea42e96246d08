//! Tokens for local use, signed with a key that the service shares with nobody else.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use chassis::Error;
use chassis::config::secret;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use ring::rand::{SecureRandom, SystemRandom};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::json;

use super::{Auth, MIN_KEY_BYTES, crypto};

const LIFETIME: Duration = Duration::from_secs(3600);

/// Prints [`dev_token`].
pub fn print_dev_token(auth: &Auth, key_file: &Path, scopes: &str) -> Result<(), Error> {
    Ok(writeln!(
        std::io::stdout(),
        "{}",
        dev_token(auth, key_file, scopes)?
    )?)
}

/// A token for local use, valid for an hour, that allows these scopes, with spaces between. Makes the key file, readable
/// by its owner only, when it is missing.
pub fn dev_token(auth: &Auth, key_file: &Path, scopes: &str) -> Result<String, Error> {
    if !key_file.exists() {
        create_key(key_file)
            .map_err(|error| format!("cannot make {}: {error}", key_file.display()))?;
    }
    let key = secret("auth.key", None, Some(key_file))?.unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
    let claims = json!({
        "sub": "developer",
        "iss": auth.issuer,
        "aud": auth.audience,
        "exp": (now + LIFETIME).as_secs(),
        "nbf": now.as_secs(),
        "scope": scopes,
    });
    sign(&claims, &key)
}

/// Signs claims as the issuer would who shares the key.
pub fn sign(claims: &impl Serialize, key: &SecretString) -> Result<String, Error> {
    crypto::install();
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
