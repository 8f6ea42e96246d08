//! Just enough HTTP to call a service on this machine and show its answer.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::time::Duration;

const TIMEOUT: Duration = Duration::from_secs(10);

#[derive(Debug, PartialEq, Eq)]
pub struct Response {
    pub status: u16,
    /// "404 Not Found".
    pub status_line: String,
    pub body: String,
}

#[derive(Clone, Debug)]
pub struct Request<'r> {
    pub method: &'r str,
    pub path: &'r str,
    pub token: Option<&'r str>,
    /// JSON.
    pub body: Option<&'r str>,
}

/// Sends a request to a port of this machine. HTTP/1.0, so that the answer is neither chunked nor kept open.
///
/// # Errors
/// When nothing listens there, it is silent for ten seconds, or the answer is not HTTP.
pub fn send(port: u16, request: &Request) -> io::Result<Response> {
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(text(port, request).as_bytes())?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    parse(&String::from_utf8_lossy(&answer)).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the answer is not HTTP"))
}

fn text(port: u16, request: &Request) -> String {
    let mut text = format!("{} {} HTTP/1.0\r\nHost: localhost:{port}\r\n", request.method, request.path);
    if let Some(token) = request.token {
        text.push_str(&format!("Authorization: Bearer {token}\r\n"));
    }
    let body = request.body.unwrap_or_default();
    if request.body.is_some() {
        text.push_str(&format!("Content-Type: application/json\r\nContent-Length: {}\r\n", body.len()));
    }
    text + "\r\n" + body
}

fn parse(answer: &str) -> Option<Response> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let first = head.lines().next()?;
    let status_line = first.strip_prefix("HTTP/")?.split_once(' ')?.1.to_owned();
    let status = status_line.split(' ').next()?.parse().ok()?;
    Some(Response { status, status_line, body: body.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_as_they_are_sent() {
        let get = Request { method: "GET", path: "/a", token: None, body: None };
        assert_eq!(text(80, &get), "GET /a HTTP/1.0\r\nHost: localhost:80\r\n\r\n");
        let post = Request { method: "POST", path: "/a", token: Some("t"), body: Some("{}") };
        assert_eq!(
            text(80, &post),
            "POST /a HTTP/1.0\r\nHost: localhost:80\r\nAuthorization: Bearer t\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n{}"
        );
    }

    #[test]
    fn answers_as_they_are_read() {
        let response = parse("HTTP/1.1 404 Not Found\r\nA: b\r\n\r\n{\"x\":\r\n\r\n1}").unwrap();
        assert_eq!((response.status, response.status_line.as_str()), (404, "404 Not Found"));
        assert_eq!(response.body, "{\"x\":\r\n\r\n1}");
        for broken in ["", "hello\r\n\r\n", "HTTP/1.1 OK\r\n\r\n", "HTTP/1.1 200 OK\r\n"] {
            assert_eq!(parse(broken), None, "{broken}");
        }
    }
}
