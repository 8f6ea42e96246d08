//! A request now and then: each has a connection of its own. Calls to other services are made by `chassis-outbound`, which
//! keeps connections. HTTPS is spoken with what `chassis-https` makes.

use std::path::Path;
use std::sync::Arc;

use axum::http::uri::Scheme;
use axum::http::{HeaderValue, Request, Response, Uri, header};
use bytes::Bytes;
use chassis::Error;
use chassis::stream::{Connect, Stream};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::task::JoinSet;

/// Makes the client for a URL, given the file of the certificate authorities to trust instead of the system's.
pub type Maker = fn(&Uri, Option<&Path>) -> Result<HttpClient, Error>;

/// Without more it speaks HTTP only.
#[derive(Clone, Default)]
pub struct HttpClient {
    tls: Option<Arc<dyn Connect>>,
}

impl HttpClient {
    /// Speaks HTTPS too.
    pub fn over(tls: impl Connect + 'static) -> Self {
        let tls: Option<Arc<dyn Connect>> = Some(Arc::new(tls));
        Self { tls }
    }

    /// A [`Maker`] of those that speak HTTP only. An `https://` URL is refused.
    pub fn plain(url: &Uri, _: Option<&Path>) -> Result<Self, Error> {
        match url.scheme() == Some(&Scheme::HTTPS) {
            true => {
                Err("this service speaks HTTP only; `chassis_https::client` speaks HTTPS".into())
            }
            false => Ok(Self::default()),
        }
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
        if let Some(tls) = &self.tls {
            let stream = tls.connect(&host, stream).await?;
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
    S: Stream + 'static,
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
