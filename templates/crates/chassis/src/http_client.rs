//! A request now and then, over HTTP or HTTPS: each has a connection of its own. Calls to other services are made by
//! `outbound`, which keeps connections.

use std::path::Path;
#[cfg(feature = "https")]
use std::sync::Arc;

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Request, Response, Uri, header};
use bytes::Bytes;
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
#[cfg(feature = "https")]
use rustls::ClientConfig;
#[cfg(feature = "https")]
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
#[cfg(feature = "https")]
use tokio_rustls::TlsConnector;

use crate::Error;
#[cfg(feature = "https")]
use crate::tls;

/// Without more it speaks HTTP only.
#[derive(Default)]
pub struct HttpClient {
    #[cfg(feature = "https")]
    tls: Option<TlsConnector>,
}

impl HttpClient {
    /// Speaks what a URL asks for; HTTPS only with the feature `https`.
    pub fn for_url(url: &Uri, ca_file: Option<&Path>) -> Result<Self, Error> {
        match (url.scheme_str(), ca_file) {
            #[cfg(feature = "https")]
            (Some("https"), ca_file) => Self::with_tls(ca_file),
            _ => Ok(Self::default()),
        }
    }

    /// Speaks HTTPS too. Trusts the certificate authorities of a PEM file, or those of the system.
    #[cfg(feature = "https")]
    pub fn with_tls(ca_file: Option<&Path>) -> Result<Self, Error> {
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
            tls: Some(Arc::new(config).into()),
        })
    }

    /// The body of a 200.
    pub async fn get(&self, url: &Uri, limit: usize) -> Result<Bytes, Error> {
        let request = Request::get(url).header(header::ACCEPT, "application/json");
        let answer = self.send(request.body(Bytes::new())?, limit).await?;
        if answer.status() != 200 {
            return Err(format!("answered {}", answer.status()).into());
        }
        Ok(answer.into_body())
    }

    /// The answer to a request for a whole URL, with a body of so many bytes at most. Redirects are not followed.
    pub async fn send(
        &self,
        request: Request<Bytes>,
        limit: usize,
    ) -> Result<Response<Bytes>, Error> {
        let url = request.uri();
        let host = url.host().ok_or("the URL has no host")?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let secure = url.scheme() == Some(&Scheme::HTTPS);
        let port = url.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        if !secure {
            return exchange(stream, request, limit).await;
        }
        #[cfg(feature = "https")]
        if let Some(tls) = &self.tls {
            let stream = tls.connect(ServerName::try_from(host)?, stream).await?;
            return exchange(stream, request, limit).await;
        }
        Err("HTTPS is not set up".into())
    }
}

async fn exchange<S>(
    stream: S,
    mut request: Request<Bytes>,
    limit: usize,
) -> Result<Response<Bytes>, Error>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    // Ends with this call.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let url = std::mem::take(request.uri_mut());
    let authority = url.authority().ok_or("the URL has no host")?.as_str();
    let host = HeaderValue::from_str(authority)?;
    request.headers_mut().insert(header::HOST, host);
    if let Some(path) = url.path_and_query() {
        *request.uri_mut() = path.clone().into();
    }
    let (parts, body) = sender
        .send_request(request.map(Full::new))
        .await?
        .into_parts();
    let body = Limited::new(body, limit).collect().await?;
    Ok(Response::from_parts(parts, body.to_bytes()))
}
