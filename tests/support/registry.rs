//! A schema registry over recorded answers, with the faults that real ones have: it answers what Confluent's answers, on a port of its
//! own, until it is dropped.

use std::collections::HashMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// The registry.
#[derive(Debug)]
pub(crate) struct Registry {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Debug, Default)]
struct State {
    /// By path, without the query.
    answers: HashMap<String, Value>,
    /// The lines of all requests.
    requests: Vec<String>,
    /// What each request needs as `Authorization`.
    authorization: Option<String>,
    /// The status of so many requests to come.
    failing: (usize, u16),
    slow: Duration,
    /// Whether connections are closed without an answer.
    down: bool,
    ended: bool,
}

impl Registry {
    /// An empty registry.
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let (address, state) = (listener.local_addr().expect("an address"), Arc::<Mutex<State>>::default());
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let shared = shared.clone();
                if shared.lock().expect("no panic").ended {
                    break;
                }
                if let Ok(stream) = stream {
                    thread::spawn(move || serve(&stream, &shared));
                }
            }
        });
        Self { address, state }
    }

    /// Its URL.
    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no panic")
    }

    /// Gives `path` an answer.
    pub(crate) fn answer(&self, path: &str, answer: Value) {
        self.state().answers.insert(path.to_owned(), answer);
    }

    /// Registers an Avro schema.
    pub(crate) fn avro(&self, id: i32, schema: &str) {
        self.answer(&format!("/schemas/ids/{id}"), json!({"schema": schema}));
    }

    /// Has no schema of this id any more.
    pub(crate) fn forget(&self, id: i32) {
        self.state().answers.remove(&format!("/schemas/ids/{id}"));
    }

    /// Answers the next `requests` with `status`.
    pub(crate) fn fail(&self, requests: usize, status: u16) {
        self.state().failing = (requests, status);
    }

    /// Takes `time` for each answer.
    pub(crate) fn slow(&self, time: Duration) {
        self.state().slow = time;
    }

    /// Answers nothing as long as it is `down`.
    pub(crate) fn down(&self, down: bool) {
        self.state().down = down;
    }

    /// Answers only requests with this `Authorization`.
    pub(crate) fn require(&self, authorization: &str) {
        self.state().authorization = Some(authorization.to_owned());
    }

    /// The first lines of all requests, without `HTTP/1.1`.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.state().requests.clone()
    }
}

impl Drop for Registry {
    fn drop(&mut self) {
        self.state().ended = true;
        drop(TcpStream::connect(self.address));
    }
}

/// Answers the requests of a connection.
fn serve(stream: &TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        loop {
            let mut line = String::new();
            match reader.read_line(&mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) if line.trim().is_empty() => break,
                Ok(_) => head.push(line.trim().to_owned()),
            }
        }
        let Some((status, body, slow)) = respond(&head, &mut state.lock().expect("no panic")) else { return };
        thread::sleep(slow);
        let body = body.to_string();
        // At once: what comes in parts waits for the other side to confirm the first.
        let answer = format!(
            "HTTP/1.1 {status} X\r\ncontent-type: application/vnd.schemaregistry.v1+json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = stream;
        if stream.write_all(answer.as_bytes()).is_err() {
            return;
        }
    }
}

/// Status, body and how long they take; None to close the connection.
fn respond(head: &[String], state: &mut State) -> Option<(u16, Value, Duration)> {
    let line = head.first()?.trim_end_matches(" HTTP/1.1").to_owned();
    let path = line.trim_start_matches("GET ").split('?').next().unwrap_or_default().to_owned();
    state.requests.push(line);
    if state.down || state.ended {
        return None;
    }
    let refusal = |code: u32, message: &str| json!({"error_code": code, "message": message});
    let (status, body) = if state.failing.0 > 0 {
        state.failing.0 -= 1;
        (state.failing.1, refusal(50001, "Error in the backend data store"))
    } else if let Some(needed) = &state.authorization
        && !head.iter().any(|line| {
            line.split_once(": ").is_some_and(|(key, value)| key.eq_ignore_ascii_case("authorization") && value == needed)
        })
    {
        (401, refusal(401, "Unauthorized"))
    } else if let Some(answer) = state.answers.get(&path) {
        (200, answer.clone())
    } else {
        (404, refusal(40403, "Schema not found"))
    };
    Some((status, body, state.slow))
}
