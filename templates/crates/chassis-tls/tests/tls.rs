//! TLS on the traffic port and on calls to other services: who is let in, who is believed, and what happens when
//! certificates change. Every certificate is made here.

#[path = "../../chassis/tests/common/mod.rs"]
mod common;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::http::Request;
use axum::routing::get;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use chassis::config::{Admin, Server};
use chassis::health::Checks;
use chassis::serve::{self, Listening};
use chassis::stream::Connect;
use chassis_tls::client::{ClientTls, Connector};
use chassis_tls::server::{Acceptor, ServerTls};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::HandshakeKind;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};

use common::{limits, reach};

const MS: Duration = Duration::from_millis(1);
const RELOAD: Duration = Duration::from_millis(10);

/// Signs certificates. All have one name: only the signature tells them apart.
struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    fn pem(&self) -> String {
        pem("CERTIFICATE", self.0.der())
    }

    /// A certificate for a name, and its key.
    fn sign(&self, name: &str) -> (String, String) {
        self.signed(CertificateParams::new([name.to_owned()]).unwrap())
    }

    fn signed(&self, params: CertificateParams) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        (
            pem("CERTIFICATE", certificate.der()),
            pem("PRIVATE KEY", key.serialized_der()),
        )
    }
}

fn pem(what: &str, der: &[u8]) -> String {
    let text = BASE64_STANDARD.encode(der);
    format!("-----BEGIN {what}-----\n{text}\n-----END {what}-----\n")
}

/// A directory as a platform mounts it; gone afterwards.
struct Certificates(PathBuf);

impl Certificates {
    fn new(authority: &Authority, (certificate, key): (String, String)) -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("tls-{}-{}", std::process::id(), COUNT.fetch_add(1, SeqCst));
        let directory = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&directory).unwrap();
        let files = Self(directory);
        files.write("ca.crt", &authority.pem());
        files.write("tls.crt", &certificate);
        files.write("tls.key", &key);
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn server(&self) -> ServerTls {
        ServerTls {
            certificate_file: self.path("tls.crt"),
            key_file: self.path("tls.key"),
            client_ca_file: None,
            reload: RELOAD,
        }
    }

    fn mutual(&self) -> ServerTls {
        ServerTls {
            client_ca_file: Some(self.path("ca.crt")),
            ..self.server()
        }
    }

    fn client(&self) -> ClientTls {
        ClientTls {
            ca_file: Some(self.path("ca.crt")),
            certificate_file: None,
            key_file: None,
            reload: RELOAD,
        }
    }

    fn identified(&self) -> ClientTls {
        ClientTls {
            certificate_file: Some(self.path("tls.crt")),
            key_file: Some(self.path("tls.key")),
            ..self.client()
        }
    }
}

impl Drop for Certificates {
    fn drop(&mut self) {
        _ = std::fs::remove_dir_all(&self.0);
    }
}

const ADMIN: Admin = Admin {
    host: IpAddr::V4(Ipv4Addr::LOCALHOST),
    port: 0,
    check_timeout: Duration::from_secs(1),
};

/// Serves until the test ends.
fn start(limits: &Server, tls: &ServerTls) -> Result<SocketAddr, String> {
    let listening = listen(limits, tls)?;
    let address = listening.traffic_address().unwrap();
    let start = async { Ok((fine(), Checks::new(&ADMIN))) };
    tokio::spawn(listening.serve_until(start, std::future::pending()));
    Ok(address)
}

fn fine() -> Router {
    Router::new().route("/", get(async || "fine"))
}

fn listen(limits: &Server, tls: &ServerTls) -> Result<Listening, String> {
    let tls = Acceptor::new(tls).map_err(|error| error.to_string())?;
    Ok(serve::listen(limits, &ADMIN).unwrap().with_tls(tls))
}

/// What a caller gets, on a connection of its own.
async fn ask(address: SocketAddr, tls: &ClientTls, host: &str) -> Result<String, String> {
    let mut stream = connect(address, tls, host).await?;
    request(&mut stream).await
}

async fn connect(
    address: SocketAddr,
    tls: &ClientTls,
    host: &str,
) -> Result<impl AsyncRead + AsyncWrite + Unpin + use<>, String> {
    let connector = Connector::new(tls).map_err(|error| error.to_string())?;
    let stream = reach(address).await;
    let stream = connector.connect(host, stream).await;
    stream.map_err(|error| error.to_string())
}

async fn request(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Result<String, String> {
    let head = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    let mut answer = [0; 4096];
    let exchange = async {
        stream.write_all(head).await?;
        stream.read(&mut answer).await
    };
    let read = timeout(Duration::from_secs(5), exchange).await;
    let read = read.expect("the server does something");
    let read = read.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer[..read]).into_owned())
}

fn is_fine(answer: &Result<String, String>) -> bool {
    matches!(answer, Ok(text) if text.ends_with("fine"))
}

/// The text that says why.
fn refusal(answer: Result<String, String>) -> String {
    answer.expect_err("it is refused")
}

async fn until(what: &str, mut holds: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !holds().await {
            sleep(MS).await;
        }
    };
    let waited = timeout(Duration::from_secs(10), waiting).await;
    waited.unwrap_or_else(|_| panic!("never {what}"));
}

#[tokio::test]
async fn callers_see_a_certificate_for_the_name_they_call() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("orders"));
    let server = start(&limits(), &files.server()).unwrap();
    let answer = ask(server, &files.client(), "orders").await;
    assert!(is_fine(&answer), "{answer:?}");
    let other = refusal(ask(server, &files.client(), "stock").await);
    assert!(other.contains("not valid for name"), "{other}");
    let stranger = Authority::new();
    let strange = Certificates::new(&stranger, stranger.sign("orders"));
    let unknown = refusal(ask(server, &strange.client(), "orders").await);
    assert!(unknown.contains("invalid peer certificate"), "{unknown}");
}

#[tokio::test]
async fn a_certificate_that_has_run_out_is_not_believed() {
    let authority = Authority::new();
    let mut old = CertificateParams::new(["orders".to_owned()]).unwrap();
    old.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let old = Certificates::new(&authority, authority.signed(old));
    let server = start(&limits(), &old.server()).unwrap();
    let expired = refusal(ask(server, &old.client(), "orders").await);
    assert!(expired.contains("expired"), "{expired}");
    // A caller's neither.
    let files = Certificates::new(&authority, authority.sign("orders"));
    let server = start(&limits(), &files.mutual()).unwrap();
    let expired = refusal(ask(server, &old.identified(), "orders").await);
    assert!(expired.contains("CertificateExpired"), "{expired}");
}

#[tokio::test]
async fn who_shows_no_certificate_of_the_authority_is_refused() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("orders"));
    let server = start(&limits(), &files.mutual()).unwrap();
    let answer = ask(server, &files.identified(), "orders").await;
    assert!(is_fine(&answer), "{answer:?}");
    let nobody = refusal(ask(server, &files.client(), "orders").await);
    assert!(nobody.contains("CertificateRequired"), "{nobody}");
    let stranger = Authority::new();
    let strange = Certificates::new(&stranger, stranger.sign("stranger"));
    let strange = ClientTls {
        ca_file: files.client().ca_file,
        ..strange.identified()
    };
    let unknown = refusal(ask(server, &strange, "orders").await);
    assert!(unknown.contains("DecryptError"), "{unknown}");
    // Who came before is not disturbed by any of this.
    assert!(is_fine(&ask(server, &files.identified(), "orders").await));
}

/// In plain HTTP, in bytes that mean nothing, or not at all.
#[tokio::test]
async fn who_speaks_no_tls_is_cut_off() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("orders"));
    let limits = Server {
        header_read_timeout: 100 * MS,
        max_connections: 4,
        ..limits()
    };
    let server = start(&limits, &files.server()).unwrap();
    let begun = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
    let plain = b"GET / HTTP/1.1\r\nhost: test\r\n\r\n";
    for said in [plain.as_slice(), &[7; 64], begun, &[]] {
        let began = Instant::now();
        let mut stream = reach(server).await;
        stream.write_all(said).await.unwrap();
        let mut rest = Vec::new();
        let ended = timeout(Duration::from_secs(5), stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "after {:?}: {said:?}", began.elapsed());
        // An alert at most.
        assert!(!rest.starts_with(b"HTTP"), "{rest:?}");
    }
    // One that takes its time counts as a silent connection: the next caller gets its place.
    let mut slow = Vec::new();
    for _ in 0..4 {
        slow.push(reach(server).await);
    }
    let answer = ask(server, &files.client(), "orders").await;
    assert!(is_fine(&answer), "{answer:?}");
}

#[tokio::test]
async fn a_handshake_that_does_not_end_does_not_hold_up_the_drain() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("orders"));
    let listening = listen(&limits(), &files.server()).unwrap();
    let address = listening.traffic_address().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let served = tokio::spawn(async move {
        let stopped = async { _ = stopped.await };
        let start = async { Ok((fine(), Checks::new(&ADMIN))) };
        let served = listening.serve_until(start, stopped).await;
        served.map_err(|error| error.to_string())
    });
    let mut silent = reach(address).await;
    silent.write_all(b"\x16\x03\x01").await.unwrap();
    assert!(is_fine(&ask(address, &files.client(), "orders").await));
    stop.send(()).unwrap();
    let served = timeout(Duration::from_secs(5), served).await;
    served.expect("it drains").unwrap().unwrap();
}

/// A session that is resumed would show none, though it may have run out by then.
#[tokio::test]
async fn who_must_show_a_certificate_shows_it_each_time() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("orders"));
    for (tls, expected) in [
        (files.server(), HandshakeKind::Resumed),
        (files.mutual(), HandshakeKind::Full),
    ] {
        let server = start(&limits(), &tls).unwrap();
        let caller = Connector::new(&files.identified()).unwrap();
        let mut last = None;
        for _ in 0..2 {
            let stream = reach(server).await;
            let mut stream = caller.handshake("orders", stream).await.unwrap();
            assert!(is_fine(&request(&mut stream).await));
            last = stream.get_ref().1.handshake_kind();
        }
        assert_eq!(last, Some(expected));
    }
}

#[tokio::test]
async fn a_new_certificate_is_taken_and_connections_that_stand_go_on() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("before"));
    let server = start(&limits(), &files.server()).unwrap();
    let mut standing = connect(server, &files.client(), "before").await.unwrap();
    assert!(is_fine(&request(&mut standing).await));
    let (certificate, key) = authority.sign("after");
    files.write("tls.crt", &certificate);
    files.write("tls.key", &key);
    until("renewed", async || {
        is_fine(&ask(server, &files.client(), "after").await)
    })
    .await;
    refusal(ask(server, &files.client(), "before").await);
    assert!(is_fine(&request(&mut standing).await));
}

#[tokio::test]
async fn another_authority_is_taken_at_both_ends() {
    let (old, new) = (Authority::new(), Authority::new());
    let (server_files, client_files) = (
        Certificates::new(&old, old.sign("orders")),
        Certificates::new(&old, old.sign("gateway")),
    );
    let server = start(&limits(), &server_files.mutual()).unwrap();
    let caller = Connector::new(&client_files.identified()).unwrap();
    let ask = async || -> Result<String, String> {
        let stream = reach(server).await;
        let stream = caller.connect("orders", stream).await;
        request(&mut stream.map_err(|error| error.to_string())?).await
    };
    assert!(is_fine(&ask().await));
    let renew = |files: &Certificates, (certificate, key): (String, String)| {
        files.write("ca.crt", &new.pem());
        files.write("tls.crt", &certificate);
        files.write("tls.key", &key);
    };
    renew(&server_files, new.sign("orders"));
    until("refused", async || ask().await.is_err()).await;
    renew(&client_files, new.sign("gateway"));
    until("believed again", async || is_fine(&ask().await)).await;
}

#[tokio::test]
async fn files_that_cannot_be_used_change_nothing() {
    let authority = Authority::new();
    let (certificate, key) = authority.sign("orders");
    let files = Certificates::new(&authority, (certificate.clone(), key.clone()));
    let server = start(&limits(), &files.server()).unwrap();
    let (_, other) = authority.sign("orders");
    for (broken_certificate, broken_key) in [
        (certificate.as_str(), other.as_str()),
        (&certificate[..certificate.len() / 2], &key),
        ("", ""),
    ] {
        files.write("tls.crt", broken_certificate);
        files.write("tls.key", broken_key);
        sleep(10 * RELOAD).await;
        assert!(is_fine(&ask(server, &files.client(), "orders").await));
    }
    std::fs::remove_file(files.path("tls.key")).unwrap();
    sleep(10 * RELOAD).await;
    assert!(is_fine(&ask(server, &files.client(), "orders").await));
    // And it is not tired of looking.
    let (certificate, key) = authority.sign("renewed");
    files.write("tls.crt", &certificate);
    files.write("tls.key", &key);
    until("renewed", async || {
        is_fine(&ask(server, &files.client(), "renewed").await)
    })
    .await;
}

#[tokio::test]
async fn what_is_wrong_at_the_start_is_said_with_its_key_and_file() {
    let authority = Authority::new();
    let files = Certificates::new(&authority, authority.sign("orders"));
    let (_, other) = authority.sign("orders");
    files.write("other.key", &other);
    files.write("empty", "");
    let (missing, empty) = (files.path("missing"), files.path("empty"));
    let server = || files.mutual();
    let cases = [
        (
            ServerTls {
                certificate_file: missing.clone(),
                ..server()
            },
            "certificate_file",
            "missing",
            "No such file",
        ),
        (
            ServerTls {
                certificate_file: empty.clone(),
                ..server()
            },
            "certificate_file",
            "empty",
            "no certificate",
        ),
        (
            ServerTls {
                key_file: missing.clone(),
                ..server()
            },
            "key_file",
            "missing",
            "No such file",
        ),
        (
            ServerTls {
                key_file: files.path("tls.crt"),
                ..server()
            },
            "key_file",
            "tls.crt",
            "no private key",
        ),
        (
            ServerTls {
                key_file: files.path("other.key"),
                ..server()
            },
            "key_file",
            "other.key",
            "not the key of the certificate in `server_tls.certificate_file`",
        ),
        (
            ServerTls {
                client_ca_file: Some(missing),
                ..server()
            },
            "client_ca_file",
            "missing",
            "No such file",
        ),
        (
            ServerTls {
                client_ca_file: Some(empty),
                ..server()
            },
            "client_ca_file",
            "empty",
            "no certificate",
        ),
    ];
    for (tls, key, file, why) in cases {
        let error = start(&limits(), &tls).unwrap_err();
        for expected in [&format!("`server_tls.{key}` names"), file, why] {
            assert!(error.contains(expected), "{expected} in {error}");
        }
    }
    let alone = ClientTls {
        key_file: None,
        ..files.identified()
    };
    let error = Connector::new(&alone).err().unwrap().to_string();
    assert!(
        error.contains("`client_tls.certificate_file` and `client_tls.key_file`"),
        "{error}"
    );
}

/// As the issuer's keys are read.
#[tokio::test]
async fn a_request_now_and_then_goes_to_whom_its_authority_knows() {
    let (authority, another) = (Authority::new(), Authority::new());
    let files = Certificates::new(&authority, authority.sign("localhost"));
    let strange = Certificates::new(&another, another.sign("localhost"));
    let server = start(&limits(), &files.server()).unwrap();
    drop(reach(server).await);
    for (host, trusted, is_answered) in [
        ("localhost", &files, true),
        ("localhost", &strange, false),
        ("127.0.0.1", &files, false),
    ] {
        let url = format!("https://{host}:{}/", server.port());
        let request = Request::get(&url).body(Bytes::new()).unwrap();
        let ca_file = trusted.path("ca.crt");
        let client = chassis_https::client(request.uri(), Some(&ca_file)).unwrap();
        let answer = client.send(request, 100).await;
        assert_eq!(
            answer.is_ok_and(|answer| answer.body() == "fine"),
            is_answered,
            "{url}"
        );
    }
}
