use argon2::password_hash::{PasswordHash, PasswordVerifier};
use argon2::Argon2;
use axum::extract::State;
use r2d2_postgres::PostgresConnectionManager;
use r2d2_postgres::postgres::NoTls;
use tokio::task::spawn_blocking;

#[derive(Clone)]
pub struct Users {
    pool: r2d2::Pool<PostgresConnectionManager<NoTls>>,
}

impl Users {
    pub async fn connect(address: &str) -> Self {
        let manager = PostgresConnectionManager::new(address.parse().expect("an address"), NoTls);
        let pool = r2d2::Pool::builder().build(manager).expect("a pool");
        // Nobody waits yet.
        pool.get().expect("a connection");
        Self { pool }
    }
}

pub async fn sign_up(State(users): State<Users>, password: String) -> String {
    let stored = spawn_blocking(move || {
        let hash = bcrypt::hash(password, bcrypt::DEFAULT_COST).expect("a hash");
        users.pool.get().expect("a connection").execute("INSERT INTO users VALUES ($1)", &[&hash]).expect("inserted");
        hash
    });
    stored.await.expect("no panic")
}

pub async fn sign_in(password: String) -> String {
    spawn_blocking(move || matches(&password, "$argon2id$")).await.expect("no panic").to_string()
}

pub async fn check(password: Option<String>) -> String {
    let right = spawn_blocking(|| password.and_then(|password| bcrypt::verify(password, "$2b$").ok()).unwrap_or_default());
    right.await.expect("no panic").to_string()
}

pub async fn list(State(users): State<Users>) -> String {
    format!("{:?}", users.pool.state())
}

fn matches(password: &str, hash: &str) -> bool {
    let hash = PasswordHash::new(hash).expect("a hash");
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}
