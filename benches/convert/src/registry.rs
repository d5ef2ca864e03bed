//! A schema registry that knows the schemas of the rows.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::thread;

use crate::rows::{avro_schema, json_schema, protobuf_schema};

/// Starts it; its URL. Avro is schema 1, Protobuf 2, JSON Schema 3.
pub(crate) fn start() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    thread::spawn(move || listener.incoming().flatten().for_each(|stream| { thread::spawn(move || serve(stream)); }));
    url
}

fn serve(mut stream: TcpStream) {
    let mut lines = BufReader::new(stream.try_clone().expect("a stream")).lines().map_while(Result::ok);
    while let Some(request) = lines.next() {
        lines.by_ref().take_while(|line| !line.is_empty()).for_each(drop);
        let path = request.split([' ', '?']).nth(1).unwrap_or_default();
        let (kind, text) = match path {
            "/schemas/ids/1" => ("AVRO", avro_schema()),
            "/schemas/ids/2" => ("PROTOBUF", protobuf_schema()),
            _ => ("JSON", json_schema()),
        };
        let text = text.replace('"', "\\\"");
        let body = format!(r#"{{"schemaType":"{kind}","schema":"{text}"}}"#);
        let head = "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.schemaregistry.v1+json\r\n";
        if write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).is_err() {
            return;
        }
    }
}
