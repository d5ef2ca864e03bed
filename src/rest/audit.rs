//! `landfall.audit.log`: who changed what by REST, and who was refused, a line of JSON each: an addition to Java's.
//!
//! It is written where the user asked, before the answer is sent. A worker that a request is passed on to knows by a signature that it is
//! written already; a request that a Java worker passes on has none, and is written here. Secrets are hidden as everywhere in the API.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime as _, SystemTime};

use super::body::Collected;
use super::guard::{Asker, Role, is_internal};
use super::listen::Connection;
use super::{RestError, paths};
use crate::config::{AccessKeys, Network};
use crate::herder::Herder;
use crate::herder::connector_config::HIDDEN;

/// The name of a request, of which the lines of all workers that have to do with it have the same.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The signature of a request that another worker passes on and has written down, and the algorithm of it.
pub(super) const WRITTEN: HeaderName = HeaderName::from_static("landfall-audited");
pub(super) const WRITTEN_BY: HeaderName = HeaderName::from_static("landfall-audited-algorithm");
/// The longest value of a key that a line has, in characters.
const LONGEST: usize = 2000;

/// Writes the audit log.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "nothing in it says anything")]
pub struct Audit(Option<Arc<Inner>>);

struct Inner {
    target: Mutex<Target>,
    proxies: Vec<Network>,
}

enum Target {
    Stdout,
    File { path: PathBuf, open: Option<File> },
}

impl Audit {
    /// What the worker's properties ask for.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn of(keys: &AccessKeys) -> Result<Self, String> {
        let mut target = match keys.audit_log.as_str() {
            "off" => return Ok(Self(None)),
            "stdout" => Target::Stdout,
            path => Target::File { path: path.into(), open: None },
        };
        target.open().map_err(|e| format!("landfall.audit.log: {} cannot be written: {e}", keys.audit_log))?;
        let proxies = keys.trusted_proxies.iter().filter_map(|network| Network::parse(network).ok()).collect();
        Ok(Self(Some(Arc::new(Inner { target: Mutex::new(target), proxies }))))
    }

    /// One that writes nothing.
    #[must_use]
    pub const fn off() -> Self {
        Self(None)
    }

    /// Whether it is a file, which may be moved away.
    #[must_use]
    pub fn is_file(&self) -> bool {
        let is_file =
            |inner: &Arc<Inner>| matches!(*inner.target.lock().unwrap_or_else(PoisonError::into_inner), Target::File { .. });
        self.0.as_ref().is_some_and(is_file)
    }

    /// Opens the file again with the next line, as whoever sends SIGHUP has moved it.
    pub fn reopen(&self) {
        if let Some(inner) = &self.0
            && let Target::File { open, .. } = &mut *inner.target.lock().unwrap_or_else(PoisonError::into_inner)
        {
            *open = None;
        }
    }
}

impl Target {
    /// Sees to it that the file is open and is the one that its path names: another one when it was moved away.
    fn open(&mut self) -> io::Result<()> {
        let Self::File { path, open } = self else { return Ok(()) };
        let named = std::fs::metadata(&*path).ok().map(|meta| (meta.dev(), meta.ino()));
        let is = open.as_ref().and_then(|file| file.metadata().ok()).map(|meta| (meta.dev(), meta.ino()));
        if is.is_none() || is != named {
            *open = None;
            *open = Some(OpenOptions::new().create(true).append(true).mode(0o640).open(&*path)?);
        }
        Ok(())
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        self.open()?;
        match self {
            Self::Stdout => {
                let mut stdout = io::stdout().lock();
                stdout.write_all(line.as_bytes())?;
                stdout.flush()
            }
            Self::File { open: Some(file), .. } => file.write_all(line.as_bytes()),
            Self::File { open: None, .. } => Err(io::ErrorKind::NotFound.into()),
        }
    }
}

/// What a request is about.
#[derive(Debug, PartialEq, Eq)]
struct Action {
    name: &'static str,
    connector: Option<String>,
    /// Whether it changes something; what does not is written down only if it is refused.
    changes: bool,
}

impl Action {
    fn of(method: &Method, path: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        let connector = match parts.as_slice() {
            ["connectors", name, ..] => Some(paths::text(name)),
            _ => None,
        };
        let (name, changes) = match (method.as_str(), parts.as_slice()) {
            ("GET" | "HEAD" | "OPTIONS", _) => ("read", false),
            _ if is_internal(method, path) => ("internal", false),
            ("POST", ["connectors"]) => ("create", true),
            ("DELETE", ["connectors", _]) => ("delete", true),
            ("PUT", ["connectors", _, "config"]) => ("config", true),
            ("PATCH", ["connectors", _, "config"]) => ("patch", true),
            ("PUT", ["connectors", _, "pause"]) => ("pause", true),
            ("PUT", ["connectors", _, "resume"]) => ("resume", true),
            ("PUT", ["connectors", _, "stop"]) => ("stop", true),
            ("POST", ["connectors", _, "restart"]) => ("restart", true),
            ("POST", ["connectors", _, "tasks", _, "restart"]) => ("restart-task", true),
            ("PATCH", ["connectors", _, "offsets"]) => ("alter-offsets", true),
            ("DELETE", ["connectors", _, "offsets"]) => ("reset-offsets", true),
            ("PUT", ["connectors", _, "topics", "reset"]) => ("reset-topics", true),
            ("PUT", ["admin", "loggers", _]) => ("log-level", true),
            ("PUT", ["connector-plugins", _, "config", "validate"]) => ("validate", false),
            _ => ("other", false),
        };
        Self { name, connector, changes }
    }
}

/// Writes down a request that changes something, or is refused.
pub(super) async fn record(State((audit, herder)): State<(Audit, Herder)>, request: Request, next: Next) -> Response {
    let Some(inner) = audit.0 else { return next.run(request).await };
    let action = Action::of(request.method(), request.uri().path());
    let body = request.extensions().get::<Collected>().map(|body| body.0.clone()).unwrap_or_default();
    if is_written(&herder, &request, &body) {
        return next.run(request).await;
    }
    if !action.changes {
        return recorded(inner, herder, action, body, request, next).await;
    }
    if let Err(error) = inner.target.lock().unwrap_or_else(PoisonError::into_inner).open() {
        tracing::error!("the audit log cannot be written, and changes are refused: {error}");
        let message = "the audit log cannot be written, so that nothing may be changed (landfall.audit.log)";
        return RestError::new(StatusCode::INTERNAL_SERVER_ERROR, message).into_response();
    }
    // A client may go away before there is an answer. What it has begun is done and written down all the same.
    let recorded = tokio::spawn(recorded(inner, herder, action, body, request, next));
    recorded.await.unwrap_or_else(|_| RestError::plain(StatusCode::INTERNAL_SERVER_ERROR).into_response())
}

async fn recorded(inner: Arc<Inner>, herder: Herder, mut action: Action, body: Bytes, request: Request, next: Next) -> Response {
    let asked: Value = if action.changes { serde_json::from_slice(&body).unwrap_or_default() } else { Value::Null };
    if action.name == "create" {
        action.connector = asked.get("name").and_then(Value::as_str).map(|name| name.trim().to_owned());
    }
    let before = action.connector.as_deref().filter(|_| action.changes).and_then(|name| herder.info(name).ok());
    let mut line = Map::new();
    line.insert("time".into(), now().into());
    let (head, path) = (Head::of(&request, &inner.proxies), request.uri().path().to_owned());
    let response = next.run(request).await;
    let status = response.status();
    let is_refused = [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status);
    if !action.changes && !is_refused {
        return response;
    }
    let asker = response.extensions().get::<Asker>().cloned();
    let (parts, answer) = response.into_parts();
    // What the worker makes itself is in memory already.
    let answer = to_bytes(answer, usize::MAX).await.unwrap_or_default();
    line.insert("worker".into(), herder.worker_id().into());
    line.insert("request".into(), head.id.into());
    line.insert("principal".into(), asker.as_ref().map(|asker| asker.name.clone()).into());
    line.insert("role".into(), asker.and_then(|asker| asker.role).map(Role::name).into());
    line.insert("remote".into(), head.remote.into());
    if let Some(forwarded) = head.forwarded_for {
        line.insert("forwarded_for".into(), forwarded.into());
    }
    line.insert("method".into(), head.method.into());
    line.insert("path".into(), path.into());
    line.insert("action".into(), action.name.into());
    line.insert("connector".into(), action.connector.clone().into());
    if status.is_success() {
        let old = before.map(|info| info.config.into_iter().map(|(key, value)| (key, Value::String(value))).collect());
        let changes = changes(action.name, old.unwrap_or_default(), &asked, &answer);
        if !changes.is_empty() {
            line.insert("changes".into(), changes.into());
        }
    }
    line.insert("status".into(), status.as_u16().into());
    let line = format!("{}\n", Value::Object(line));
    if let Err(error) = inner.target.lock().unwrap_or_else(PoisonError::into_inner).write(&line) {
        tracing::error!("the audit log cannot be written: {error}; it lacks: {}", line.trim_end());
    }
    Response::from_parts(parts, Body::from(answer))
}

/// Who asks, and how.
struct Head {
    id: String,
    remote: Option<String>,
    forwarded_for: Option<String>,
    method: String,
}

impl Head {
    fn of(request: &Request, proxies: &[Network]) -> Self {
        let remote = request.extensions().get::<Connection>().map(|connection| connection.remote);
        let is_proxy = remote.is_some_and(|remote| proxies.iter().any(|network| network.has(remote.ip())));
        let lines = request.headers().get_all("x-forwarded-for").iter().filter_map(|line| line.to_str().ok());
        let forwarded_for = lines.collect::<Vec<_>>().join(", ");
        Self {
            id: request_id(request.headers()),
            remote: remote.map(|remote| remote.to_string()),
            forwarded_for: (is_proxy && !forwarded_for.is_empty()).then(|| shortened(&forwarded_for)),
            method: request.method().to_string(),
        }
    }
}

/// The name that a request has, if it has a sound one.
fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).and_then(|id| id.to_str().ok()).unwrap_or_default();
    let is_sound = given.len() <= 128 && given.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.".contains(&b));
    if is_sound { given.to_owned() } else { String::new() }
}

/// Gives a request without a name one.
pub(super) fn name(headers: &mut HeaderMap) {
    if request_id(headers).is_empty() {
        // Without randomness it has none.
        if let Some(id) = getrandom::u64().ok().and_then(|id| format!("{id:016x}").parse().ok()) {
            headers.insert(REQUEST_ID, id);
        }
    }
}

/// What a worker signs of a request that it passes on.
pub(super) fn signed(headers: &HeaderMap, method: &Method, path: &str, body: &[u8]) -> Vec<u8> {
    let mut signed = format!("{}\n{method}\n{path}\n", request_id(headers)).into_bytes();
    signed.extend_from_slice(body);
    signed
}

/// Whether this worker has an audit log.
pub(super) fn is_on(herder: &Herder) -> bool {
    herder.config().access.audit_log != "off"
}

/// Whether another worker of the cluster passes a request on, and has written it down.
fn is_written(herder: &Herder, request: &Request, body: &[u8]) -> bool {
    let text = |name: &HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    let (Some(signature), Some(algorithm)) = (text(&WRITTEN), text(&WRITTEN_BY)) else { return false };
    let signed = signed(request.headers(), request.method(), request.uri().path(), body);
    herder.signs() && herder.verify(Some(signature), Some(algorithm), &signed).is_ok()
}

/// The keys that a request changed, with their values before and after, as the API shows them.
fn changes(action: &str, old: Map<String, Value>, asked: &Value, answer: &Bytes) -> Map<String, Value> {
    let change = |old: Option<Value>, new: Option<Value>| {
        let mut change = Map::new();
        change.extend(old.map(|old| ("old".to_owned(), cut(old))));
        change.extend(new.map(|new| ("new".to_owned(), cut(new))));
        Value::Object(change)
    };
    match action {
        "create" | "config" | "patch" => {
            let answer: Value = serde_json::from_slice(answer).unwrap_or_default();
            let Some(new) = answer.get("config").and_then(Value::as_object) else { return Map::new() };
            let given = if action == "create" { asked.get("config").unwrap_or(&Value::Null) } else { asked };
            // A secret looks the same before and after; it is told that one was sent.
            let sent =
                |key: &str| new.get(key).is_some_and(|new| new == HIDDEN) && given.get(key).is_some_and(|given| given != HIDDEN);
            let gone =
                old.keys().filter(|key| !new.contains_key(*key)).map(|key| (key.clone(), change(old.get(key).cloned(), None)));
            let others = new.iter().filter(|(key, value)| old.get(*key) != Some(value) || sent(key));
            let others = others.map(|(key, value)| (key.clone(), change(old.get(key).cloned(), Some(value.clone()))));
            gone.chain(others).collect()
        }
        "delete" => old.into_iter().map(|(key, value)| (key, change(Some(value), None))).collect(),
        "alter-offsets" => Map::from_iter([("offsets".to_owned(), change(None, asked.get("offsets").cloned()))]),
        "log-level" => Map::from_iter([("level".to_owned(), change(None, asked.get("level").cloned()))]),
        _ => Map::new(),
    }
}

/// A value that is not longer than a line can bear.
fn cut(value: Value) -> Value {
    match value {
        Value::String(text) => shortened(&text).into(),
        other => {
            let text = other.to_string();
            if text.len() <= LONGEST { other } else { shortened(&text).into() }
        }
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

/// The time by RFC 3339, with milliseconds.
fn now() -> String {
    let mut time = String::new();
    let _ = SystemTime.format_time(&mut Writer::new(&mut time));
    // It has microseconds.
    if time.len() > 24 {
        time.truncate(23);
        time.push('Z');
    }
    time
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn object(value: Value) -> Map<String, Value> {
        serde_json::from_value(value).expect("an object")
    }

    #[test]
    fn requests_are_named_by_what_they_do() {
        for (method, path, name, connector, changes) in [
            (Method::POST, "/connectors", "create", None, true),
            (Method::PUT, "/connectors/a%20b/config", "config", Some("a b"), true),
            (Method::DELETE, "/connectors/c/offsets", "reset-offsets", Some("c"), true),
            (Method::POST, "/connectors/c/tasks/0/restart", "restart-task", Some("c"), true),
            (Method::POST, "/connectors/c/tasks", "internal", Some("c"), false),
            (Method::GET, "/connectors/c", "read", Some("c"), false),
            (Method::PUT, "/admin/loggers/root", "log-level", None, true),
            (Method::PUT, "/connector-plugins/C/config/validate", "validate", None, false),
        ] {
            assert_eq!(
                Action::of(&method, path),
                Action { name, connector: connector.map(str::to_owned), changes },
                "{method} {path}"
            );
        }
    }

    #[test]
    fn changes_have_values_before_and_after_and_no_secret() {
        let old = object(json!({"a": "1", "b": "2", "c": "3", "secret": HIDDEN, "kept": HIDDEN}));
        let asked = json!({"a": "1", "b": "9", "secret": "pssst", "kept": HIDDEN, "d": "4"});
        let answer = json!({"name": "n", "config": {"a": "1", "b": "9", "secret": HIDDEN, "kept": HIDDEN, "d": "4"}}).to_string();
        let changes = changes("config", old, &asked, &answer.into());
        let expected = json!({
            "b": {"old": "2", "new": "9"}, "c": {"old": "3"}, "d": {"new": "4"}, "secret": {"old": HIDDEN, "new": HIDDEN}
        });
        assert_eq!(Value::Object(changes), expected);
    }

    #[test]
    fn lines_say_the_time_and_stay_short() {
        let time = now();
        assert!(time.len() == 24 && time.ends_with('Z') && time.as_bytes()[10] == b'T' && time.as_bytes()[19] == b'.', "{time}");
        assert_eq!(cut("ä".repeat(LONGEST + 1).into()), Value::String("ä".repeat(LONGEST) + "…"));
    }

    #[test]
    fn a_file_that_is_moved_away_is_made_again() {
        let folder = tempfile::tempdir().expect("a folder");
        let (path, moved) = (folder.path().join("audit"), folder.path().join("audit.1"));
        let mut target = Target::File { path: path.clone(), open: None };
        target.write("1\n").expect("written");
        std::fs::rename(&path, &moved).expect("moved");
        target.write("2\n").expect("written");
        let read = |path: &PathBuf| std::fs::read_to_string(path).expect("a file");
        assert_eq!((read(&moved).as_str(), read(&path).as_str()), ("1\n", "2\n"));
        std::fs::remove_dir_all(folder.path()).expect("removed");
        assert!(target.open().is_err(), "a folder that is gone");
    }
}
