//! An issuer on this machine, which changes its keys and fails when it is told to.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::routing::get;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair};
use serde_json::{Value, json};
use tokio::net::TcpListener;

/// In place of a status: it takes the request and never answers.
pub const HANGS: u16 = 0;

/// What it answers: a status and a text.
type Answer = (u16, String);

pub struct Issuer {
    address: SocketAddr,
    answer: Arc<Mutex<Answer>>,
    reads: Arc<AtomicUsize>,
}

impl Issuer {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let answer = Arc::new(Mutex::new((503, String::new())));
        let reads = Arc::new(AtomicUsize::new(0));
        let (said, count) = (answer.clone(), reads.clone());
        let keys = get(async move || {
            count.fetch_add(1, SeqCst);
            let (status, text) = said.lock().unwrap().clone();
            if status == HANGS {
                std::future::pending::<()>().await;
            }
            (axum::http::StatusCode::from_u16(status).unwrap(), text)
        });
        let app = Router::new().route("/keys", keys);
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self {
            address,
            answer,
            reads,
        }
    }

    pub fn url(&self) -> String {
        format!("http://{}/keys", self.address)
    }

    pub fn answers(&self, status: u16, text: &str) {
        *self.answer.lock().unwrap() = (status, text.to_owned());
    }

    pub fn publishes(&self, keys: &[Value]) {
        self.answers(200, &json!({ "keys": keys }).to_string());
    }

    /// How often it was asked.
    pub fn reads(&self) -> usize {
        self.reads.load(SeqCst)
    }
}

/// A key pair of the issuer.
pub enum SigningKey {
    P256(EcdsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SigningKey {
    pub fn p256() -> Self {
        let random = SystemRandom::new();
        let kind = &ECDSA_P256_SHA256_FIXED_SIGNING;
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(kind, &random).unwrap();
        Self::P256(EcdsaKeyPair::from_pkcs8(kind, pkcs8.as_ref(), &random).unwrap())
    }

    pub fn ed25519() -> Self {
        let pkcs8 = Ed25519KeyPair::generate_pkcs8(&SystemRandom::new()).unwrap();
        Self::Ed25519(Ed25519KeyPair::from_pkcs8(pkcs8.as_ref()).unwrap())
    }

    /// What the issuer publishes of it.
    pub fn jwk(&self, kid: &str) -> Value {
        match self {
            Self::P256(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
                let (x, y) = (text(x), text(y));
                json!({ "kty": "EC", "crv": "P-256", "x": x, "y": y, "kid": kid, "use": "sig" })
            }
            Self::Ed25519(pair) => {
                let x = text(pair.public_key().as_ref());
                json!({ "kty": "OKP", "crv": "Ed25519", "x": x, "kid": kid })
            }
        }
    }

    pub fn token(&self, kid: Option<&str>, claims: &Value) -> String {
        let alg = match self {
            Self::P256(_) => "ES256",
            Self::Ed25519(_) => "EdDSA",
        };
        let mut header = json!({ "alg": alg, "typ": "at+jwt" });
        if let Some(kid) = kid {
            header["kid"] = kid.into();
        }
        let signed = format!("{}.{}", encoded(&header), encoded(claims));
        let signature = match self {
            Self::P256(pair) => {
                let random = SystemRandom::new();
                text(pair.sign(&random, signed.as_bytes()).unwrap().as_ref())
            }
            Self::Ed25519(pair) => text(pair.sign(signed.as_bytes()).as_ref()),
        };
        format!("{signed}.{signature}")
    }
}

pub fn encoded(part: &Value) -> String {
    text(part.to_string().as_bytes())
}

pub fn text(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
