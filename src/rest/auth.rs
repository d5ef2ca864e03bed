//! `org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension` (Kafka 4.3.1): users with passwords.
//!
//! Who may ask is in a file of lines `name=password`, Java's `PropertyFileLoginModule`. Requests of workers to each other are signed
//! instead, and let through. As in Java, what is no resource is said to be none to anybody.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use super::RestError;
use crate::config::{PropertiesFile, WorkerKeys, java_property};

/// The class.
pub const BASIC_AUTH: &str = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
/// The one login module that there is.
const MODULE: &str = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
/// The entry of a JAAS configuration that is for the REST API.
const ENTRY: &str = "KafkaConnect";
/// The system property that names a JAAS configuration.
const JAAS: &str = "java.security.auth.login.config";
/// The key that names the users' file.
const FILE: &str = "landfall.basic.auth.file";

/// Lets users in.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "it holds passwords")]
pub struct Guard(Arc<BTreeMap<String, String>>);

impl Guard {
    /// The guard that the worker's properties ask for, with the users of now; none if they ask for none.
    ///
    /// # Errors
    /// Nothing says who the users are, or a file with it cannot be read.
    pub fn of(keys: &WorkerKeys) -> Result<Option<Self>, String> {
        if keys.rest_extension_classes.iter().all(String::is_empty) {
            return Ok(None);
        }
        let file = match (&keys.basic_auth_file, java_property(JAAS)) {
            (Some(file), _) => PathBuf::from(file),
            (None, Some(jaas)) => users_file(Path::new(&jaas))?,
            (None, None) => return Err(format!("{BASIC_AUTH} needs {FILE}, or -D{JAAS}=… in KAFKA_OPTS")),
        };
        Self::read(&file).map(Some)
    }

    fn read(file: &Path) -> Result<Self, String> {
        let users = PropertiesFile::read(file).map_err(|e| format!("{FILE}: {e}"))?.properties;
        if users.is_empty() {
            tracing::warn!("the file of users {} is empty; all requests will be permitted", file.display());
        }
        Ok(Self(Arc::new(users.into_iter().collect())))
    }

    /// Refuses a request whose `Authorization` is not that of a user.
    ///
    /// # Errors
    /// The answer to give instead.
    #[expect(clippy::result_large_err, reason = "the error is the answer")]
    pub fn admit(&self, headers: &HeaderMap) -> Result<(), Response> {
        let given = headers.get(header::AUTHORIZATION).and_then(|value| value.to_str().ok()).and_then(credentials);
        let known = given.and_then(|(name, password)| Some(same(self.0.get(&name)?.as_bytes(), password.as_bytes())));
        if self.0.is_empty() || known == Some(true) {
            return Ok(());
        }
        let mut refused = RestError::new(StatusCode::UNAUTHORIZED, "User cannot access the resource.").into_response();
        let challenge = HeaderValue::from_static("Basic realm=\"Kafka Connect\", charset=\"UTF-8\"");
        refused.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        Err(refused)
    }
}

/// Lets a request through that a user makes, or another worker.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    if is_internal(request.method(), request.uri().path()) {
        return next.run(request).await;
    }
    match guard.admit(request.headers()) {
        Ok(()) => next.run(request).await,
        Err(refused) => refused,
    }
}

/// Whether a request is one that workers make of each other and sign.
fn is_internal(method: &Method, path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        ["connectors", _, "tasks"] => method == Method::POST,
        ["connectors", _, "fence"] => method == Method::PUT,
        _ => false,
    }
}

/// Name and password in a value of `Authorization`.
fn credentials(value: &str) -> Option<(String, String)> {
    let (scheme, encoded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(BASE64_STANDARD.decode(encoded).ok()?).ok()?;
    let (name, password) = text.split_once(':')?;
    (!name.is_empty()).then(|| (name.to_owned(), password.to_owned()))
}

/// Compares secrets in a time that says nothing of where they differ.
fn same(one: &[u8], other: &[u8]) -> bool {
    one.len() == other.len() && one.iter().zip(other).fold(0, |differs, (a, b)| differs | (a ^ b)) == 0
}

/// The file of users that a JAAS configuration names.
fn users_file(jaas: &Path) -> Result<PathBuf, String> {
    let at = |why: &str| format!("{JAAS}: {}: {why}", jaas.display());
    let text = std::fs::read_to_string(jaas).map_err(|e| at(&format!("cannot be read: {e}")))?;
    users_in(&text).map(PathBuf::from).map_err(|why| at(&why))
}

/// What the one login module of the entry says: `KafkaConnect { <class> required file="…"; };`.
fn users_in(jaas: &str) -> Result<String, String> {
    let tokens = tokens(jaas);
    let mut tokens = tokens.iter().map(String::as_str);
    let expected = || format!("expected {ENTRY} {{ {MODULE} required file=\"…\"; }};");
    loop {
        let name = tokens.next().ok_or_else(|| format!("no entry {ENTRY}: {}", expected()))?;
        if tokens.next() != Some("{") {
            return Err(expected());
        }
        let body: Vec<&str> = tokens.by_ref().take_while(|token| *token != "}").collect();
        tokens.next().filter(|token| *token == ";").ok_or_else(expected)?;
        if name != ENTRY {
            continue;
        }
        let modules = body.iter().filter(|token| **token == ";").count();
        return match body.as_slice() {
            [class, ..] if *class != MODULE => Err(format!("{class} cannot be loaded here: {}", expected())),
            [_, _, options @ .., ";"] if modules == 1 => {
                let file = options.windows(3).find(|option| option[0] == "file" && option[1] == "=").map(|option| option[2]);
                file.map(|file| file.trim_matches('"').to_owned()).filter(|file| !file.is_empty()).ok_or_else(expected)
            }
            _ => Err(expected()),
        };
    }
}

/// Words, quoted texts with their quotes, and signs of a JAAS configuration, without its comments.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after).trim_start();
            continue;
        } else if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after).trim_start();
            continue;
        } else if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if "{};=".contains(first) {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || "{};=\"".contains(c)).unwrap_or(rest.len())
        };
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_let_in_by_name_and_password() {
        let users = [("user", "pass:word"), ("other", "")].map(|(name, password)| (name.to_owned(), password.to_owned()));
        let guard = Guard(Arc::new(users.into()));
        let admits = |value: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::AUTHORIZATION, value.parse().expect("a header"));
            guard.admit(&headers).is_ok()
        };
        let of = |text: &str| format!("basic {}", BASE64_STANDARD.encode(text));
        assert!(admits(&of("user:pass:word")) && admits(&of("other:")));
        for bad in [
            of("user:pass"),
            of("user"),
            of(":pass:word"),
            of("nobody:pass:word"),
            of(""),
            "Basic !!!".into(),
            "Bearer x".into(),
            "x".into(),
        ] {
            assert!(!admits(&bad), "{bad}");
        }
        let refused = guard.admit(&HeaderMap::new()).expect_err("nobody");
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
        assert!(refused.headers().contains_key(header::WWW_AUTHENTICATE));
        assert!(Guard(Arc::default()).admit(&HeaderMap::new()).is_ok(), "an empty file lets everybody in");
    }

    #[test]
    fn requests_of_workers_are_let_through() {
        for (method, path, internal) in [
            (Method::POST, "/connectors/c/tasks", true),
            (Method::POST, "/connectors/c/tasks/", true),
            (Method::GET, "/connectors/c/tasks", false),
            (Method::PUT, "/connectors/c/fence", true),
            (Method::POST, "/connectors/c/tasks/0/restart", false),
            (Method::PUT, "/connectors/c/config", false),
        ] {
            assert_eq!(is_internal(&method, path), internal, "{method} {path}");
        }
    }

    #[test]
    fn a_jaas_configuration_names_the_file() {
        let module = format!("{MODULE} required\n  file=\"/mnt/users\"");
        for good in [
            format!("KafkaConnect {{ {module}; }};"),
            format!("// the API\nOther {{ a.B optional x=y; }};\nKafkaConnect{{/* {{ */{module} debug=true;}};"),
            format!("KafkaConnect {{ {MODULE} required file = /mnt/users ; }};"),
        ] {
            assert_eq!(users_in(&good), Ok("/mnt/users".to_owned()), "{good}");
        }
        for (bad, expected) in [
            ("".to_owned(), "no entry KafkaConnect"),
            ("Other { a.B required; };".to_owned(), "no entry KafkaConnect"),
            ("KafkaConnect { com.example.Ldap required; };".to_owned(), "com.example.Ldap cannot be loaded here"),
            (format!("KafkaConnect {{ {MODULE} required; }};"), "expected KafkaConnect {"),
            (format!("KafkaConnect {{ {module}; {module}; }};"), "expected KafkaConnect {"),
            (format!("KafkaConnect {{ {module}; }}"), "expected KafkaConnect {"),
        ] {
            let why = users_in(&bad).expect_err(&bad);
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_without_its_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("users");
        assert!(Guard::read(&file).is_err_and(|why| why.contains("users")));
        std::fs::write(&file, "user: secret\\u00zz\n").expect("written");
        assert!(Guard::read(&file).is_err_and(|why| !why.contains("secret")));
        std::fs::write(&file, "# who\nuser: password\nadmin=x\n").expect("written");
        assert_eq!(Guard::read(&file).map(|guard| guard.0.len()), Ok(2));
    }
}
