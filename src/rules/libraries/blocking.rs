//! What holds its thread.

/// Calls that hold their thread, and what to write instead.
pub const BLOCKING_CALLS: &[(&str, &str)] = &[
    // std: documented to block.
    ("std::thread::sleep", "write `tokio::time::sleep(duration).await`"),
    ("std::thread::sleep_ms", "write `tokio::time::sleep(duration).await`"),
    ("std::net::TcpStream::connect", "write `tokio::net::TcpStream::connect(address).await`"),
    (
        "std::net::TcpStream::connect_timeout",
        "write `tokio::time::timeout(limit, tokio::net::TcpStream::connect(address)).await`",
    ),
    // reqwest 0.11-0.13 `src/blocking/`: starts a runtime of its own and waits for it; panics inside another.
    ("reqwest::blocking::get", "write `reqwest::get(url).await`, or better a request of a shared `reqwest::Client`"),
    ("reqwest::blocking::Client::new", "use a shared `reqwest::Client`, and `.await` its requests"),
    ("reqwest::blocking::Client::builder", "use a shared `reqwest::Client`, and `.await` its requests"),
    ("reqwest::blocking::ClientBuilder::new", "use a shared `reqwest::Client`, and `.await` its requests"),
    // ureq 2 and 3: "blocking I/O" is its design.
    ("ureq::get", "use an async client, or `tokio::task::spawn_blocking`"),
    ("ureq::post", "use an async client, or `tokio::task::spawn_blocking`"),
    ("ureq::put", "use an async client, or `tokio::task::spawn_blocking`"),
    ("ureq::delete", "use an async client, or `tokio::task::spawn_blocking`"),
    // bcrypt 0.17 `src/lib.rs`: 2^cost rounds, a quarter of a second at its default of 12.
    ("bcrypt::hash", "move it to `tokio::task::spawn_blocking`"),
    ("bcrypt::hash_with_result", "move it to `tokio::task::spawn_blocking`"),
    ("bcrypt::hash_with_salt", "move it to `tokio::task::spawn_blocking`"),
    ("bcrypt::verify", "move it to `tokio::task::spawn_blocking`"),
    // postgres 0.19 `src/client.rs`: starts a runtime of its own and waits for it; panics inside another.
    ("postgres::Client::connect", "use `tokio_postgres`, of which it is a wrapper"),
    // diesel 2 `src/{pg,mysql}/connection`: waits for the server.
    ("diesel::PgConnection::establish", "use `diesel_async`, or `tokio::task::spawn_blocking`"),
    ("diesel::pg::PgConnection::establish", "use `diesel_async`, or `tokio::task::spawn_blocking`"),
    ("diesel::prelude::PgConnection::establish", "use `diesel_async`, or `tokio::task::spawn_blocking`"),
    ("diesel::MysqlConnection::establish", "use `diesel_async`, or `tokio::task::spawn_blocking`"),
    ("diesel::mysql::MysqlConnection::establish", "use `diesel_async`, or `tokio::task::spawn_blocking`"),
    ("diesel::prelude::MysqlConnection::establish", "use `diesel_async`, or `tokio::task::spawn_blocking`"),
    // git2 0.20 `src/repo.rs`: libgit2 talks to the other side until it has everything.
    ("git2::Repository::clone", "move it to `tokio::task::spawn_blocking`"),
    // Each parks the thread until the future is done.
    ("futures::executor::block_on", "write `.await` instead"),
    ("futures_executor::block_on", "write `.await` instead"),
    ("futures_lite::future::block_on", "write `.await` instead"),
    ("async_std::task::block_on", "write `.await` instead"),
    ("smol::block_on", "write `.await` instead"),
    ("async_io::block_on", "write `.await` instead"),
    ("pollster::block_on", "write `.await` instead"),
    ("tauri::async_runtime::block_on", "write `.await` instead"),
];

/// Clients whose requests hold their thread: type, methods, what to write instead.
pub const BLOCKING_CLIENTS: &[(&str, &[&str], &str)] = &[
    (
        "reqwest::blocking::Client",
        &["get", "post", "put", "patch", "delete", "head", "request", "execute"],
        "use a shared `reqwest::Client`, and `.await` its requests",
    ),
    (
        "ureq::Agent",
        &["get", "post", "put", "patch", "delete", "head", "run"],
        "use an async client, or `tokio::task::spawn_blocking`",
    ),
    // argon2 0.5 `src/params.rs`: 19 MiB are filled twice over, by default.
    (
        "argon2::Argon2",
        &["hash_password", "hash_password_into", "hash_password_customized", "verify_password"],
        "move it to `tokio::task::spawn_blocking`",
    ),
    // r2d2 0.8 `src/lib.rs`: parks the thread until a connection is free, 30 s by default.
    ("r2d2::Pool", &["get", "get_timeout"], "use a pool such as `bb8` or `deadpool`, or `tokio::task::spawn_blocking`"),
    ("diesel::r2d2::Pool", &["get", "get_timeout"], "use `diesel_async` and its pools, or `tokio::task::spawn_blocking`"),
    // redis 0.27 `src/client.rs`: each has an async kin.
    (
        "redis::Client",
        &["get_connection", "get_connection_with_timeout"],
        "use `get_multiplexed_async_connection` or a `ConnectionManager`, and `.await` its commands",
    ),
    ("mysql::Pool", &["get_conn", "try_get_conn"], "use `mysql_async`, or `tokio::task::spawn_blocking`"),
    // lettre 0.11 `src/transport/smtp/transport.rs`: a whole conversation with the server of mails.
    ("lettre::SmtpTransport", &["send", "send_raw"], "use `AsyncSmtpTransport`, and `.await` what it sends"),
    ("lettre::transport::smtp::SmtpTransport", &["send", "send_raw"], "use `AsyncSmtpTransport`, and `.await` what it sends"),
    // rdkafka 0.36 `src/consumer/base_consumer.rs`: waits for a message as long as it is told to.
    ("rdkafka::consumer::BaseConsumer", &["poll"], "use `StreamConsumer`, and `.await` its messages"),
    // rdkafka 0.36 `src/producer/mod.rs`: each waits for the broker.
    (
        "rdkafka::producer::FutureProducer",
        &["flush", "commit_transaction", "abort_transaction", "send_offsets_to_transaction"],
        "move it to `tokio::task::spawn_blocking`",
    ),
    // std `src/sync/mpsc.rs`, crossbeam-channel 0.5 and flume 0.11 `src/{channel,lib}.rs`: each waits until there is a message.
    ("std::sync::mpsc::Receiver", &["recv", "recv_timeout"], "use `tokio::sync::mpsc`, and `.await` its messages"),
    ("crossbeam_channel::Receiver", &["recv", "recv_timeout"], "use `tokio::sync::mpsc`, and `.await` its messages"),
    ("flume::Receiver", &["recv", "recv_timeout"], "write `recv_async().await`"),
];

/// Types whose `block_on` parks the thread: tokio 1 `src/runtime/{runtime,handle}.rs` (and panics inside a runtime).
pub const RUNTIMES: &[&str] =
    &["tokio::runtime::Runtime", "tokio::runtime::Handle", "actix_rt::Runtime", "actix_web::rt::Runtime"];

/// What runs its closure on a thread that may block.
pub const OWN_THREAD: &[&str] = &[
    "spawn_blocking",
    "block_in_place",
    "spawn_blocking_on",
    "asyncify",
    "unblock",
    "spawn_fifo",
    "install",
    "par_iter",
    "into_par_iter",
    "interact",
];
