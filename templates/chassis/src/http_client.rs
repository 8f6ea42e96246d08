//! A GET now and then, over HTTP or HTTPS: each has a connection of its own. Calls to other services are made by
//! `outbound`, which keeps connections.

use std::path::Path;
use std::sync::Arc;

use axum::http::uri::Scheme;
use axum::http::{Request, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;

use crate::{Error, tls};

pub struct HttpClient {
    tls: TlsConnector,
}

impl HttpClient {
    /// Trusts the certificate authorities of a PEM file, or those of the system.
    pub fn new(ca_file: Option<&Path>) -> Result<Self, Error> {
        let roots = match ca_file {
            Some(file) => {
                let unreadable = |error| format!("{}: {error}", file.display());
                tls::authorities(file).map_err(unreadable)?
            }
            None => tls::system_authorities(),
        };
        let config = ClientConfig::builder_with_provider(tls::provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            tls: Arc::new(config).into(),
        })
    }

    /// The body of a 200. Redirects are not followed.
    pub async fn get(&self, url: &Uri, limit: usize) -> Result<Bytes, Error> {
        let host = url.host().ok_or("the URL has no host")?;
        let host = host.trim_matches(['[', ']']);
        let secure = url.scheme() == Some(&Scheme::HTTPS);
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host, port)).await?;
        if !secure {
            return exchange(stream, url, limit).await;
        }
        let name = ServerName::try_from(host.to_owned())?;
        exchange(self.tls.connect(name, stream).await?, url, limit).await
    }
}

async fn exchange<S>(stream: S, url: &Uri, limit: usize) -> Result<Bytes, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this call.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let authority = url.authority().ok_or("the URL has no host")?.as_str();
    let path = url.path_and_query().map_or("/", |path| path.as_str());
    let request = Request::get(path)
        .header(header::HOST, authority)
        .header(header::ACCEPT, "application/json")
        .body(Empty::<Bytes>::new())?;
    let response = sender.send_request(request).await?;
    if response.status() != 200 {
        return Err(format!("answered {}", response.status()).into());
    }
    let body = Limited::new(response.into_body(), limit).collect().await?;
    Ok(body.to_bytes())
}
