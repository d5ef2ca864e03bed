//! A schema registry that knows the schemas of the rows.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

/// A schema: its type as the registry calls it, and its text.
pub(crate) type Schema = (&'static str, String);

/// Starts it; its URL. A schema's id is its place, counted from 1.
pub(crate) fn start(schemas: Vec<Schema>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let schemas = Arc::new(schemas);
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let schemas = schemas.clone();
            thread::spawn(move || serve(stream, &schemas));
        }
    });
    url
}

fn serve(mut stream: TcpStream, schemas: &[Schema]) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let path = request.split([' ', '?']).nth(1).unwrap_or_default();
        let id: usize = path.rsplit('/').next().and_then(|id| id.parse().ok()).expect("the path of a schema");
        let (kind, text) = &schemas[id - 1];
        let text = text.replace('"', "\\\"");
        let body = format!(r#"{{"schemaType":"{kind}","schema":"{text}"}}"#);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n";
        if write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).is_err() {
            return;
        }
    }
}
