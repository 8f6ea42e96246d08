//! What libraries do by default, by version: facts checked in each crate's own source, which every row names.

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

/// Images that hold a Rust toolchain, by the last part of their names: Docker Hub's `rust` and `rustlang/rust`,
/// `lukemathwalker/cargo-chef` (built from `rust`), `clux/muslrust`, `ekidd/rust-musl-builder`, `messense/rust-musl-cross`.
pub const TOOLCHAIN_IMAGES: &[&str] = &["rust", "cargo-chef", "muslrust", "rust-musl-builder", "rust-musl-cross"];
