//! Requests as they are written, also those that no client would make.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::super::secs;

/// A connection for one request.
#[derive(Debug)]
pub(crate) struct Connection {
    host: String,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
    }

    /// The body, byte for character if it is no UTF-8.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap_or_else(|_| self.body.iter().map(|b| char::from(*b)).collect())
    }
}

impl Connection {
    /// To the worker at `base`, `http://host:port`.
    pub(crate) fn to(base: &str) -> Self {
        Self { host: base.trim_start_matches("http://").to_owned() }
    }

    /// Sends `method path` with just these headers and those that HTTP itself needs. A connection that is cut is an empty reply.
    pub(crate) fn send(&self, method: &str, path: &str, headers: &[(String, String)], body: Option<&[u8]>) -> Reply {
        let mut socket = TcpStream::connect(&self.host).expect("a worker that listens");
        socket.set_read_timeout(Some(secs(100))).expect("a timeout");
        let mut head = format!("{method} {path} HTTP/1.1\r\nConnection: close\r\n");
        if headers.iter().all(|(name, _)| name != "Host") {
            head += &format!("Host: {}\r\n", self.host);
        }
        for (name, value) in headers {
            head += &format!("{name}: {value}\r\n");
        }
        if body.is_some() || ["POST", "PUT", "PATCH"].contains(&method) {
            head += &format!("Content-Length: {}\r\n", body.map_or(0, <[u8]>::len));
        }
        head += "\r\n";
        let mut all = Vec::new();
        let sent = socket.write_all(&[head.as_bytes(), body.unwrap_or_default()].concat());
        // What came before a reset counts.
        let _ = sent.and_then(|()| socket.read_to_end(&mut all));
        parse(&all, method == "HEAD").unwrap_or_default()
    }
}

fn parse(all: &[u8], head: bool) -> Option<Reply> {
    let end = all.windows(4).position(|four| four == b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&all[..end]).into_owned();
    let mut lines = text.split("\r\n");
    let status = lines.next()?.split(' ').nth(1)?.parse().ok()?;
    let headers = lines.filter_map(|line| line.split_once(':')).map(|(k, v)| (k.to_ascii_lowercase(), v.trim().to_owned()));
    let mut reply = Reply { status, headers: headers.collect(), body: all[end + 4..].to_vec() };
    if reply.header("transfer-encoding").is_some_and(|coding| coding.eq_ignore_ascii_case("chunked")) {
        reply.body = unchunked(&reply.body)?;
    }
    if head {
        reply.body.clear();
    }
    Some(reply)
}

fn unchunked(mut rest: &[u8]) -> Option<Vec<u8>> {
    let mut body = Vec::new();
    loop {
        let end = rest.windows(2).position(|two| two == b"\r\n")?;
        let size = usize::from_str_radix(std::str::from_utf8(&rest[..end]).ok()?.split(';').next()?.trim(), 16).ok()?;
        if size == 0 {
            return Some(body);
        }
        body.extend_from_slice(rest.get(end + 2..end + 2 + size)?);
        rest = rest.get(end + 4 + size..)?;
    }
}
