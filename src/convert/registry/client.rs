//! The client of Confluent's schema registry REST API (`CachedSchemaRegistryClient` and `RestService`, 8.x). It blocks: a task waits
//! for the schema of its records anyway.

use std::collections::HashMap;
use std::fmt;
use std::thread::sleep;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::config::{Password, with_prefix};
use landfall_api::{Faults, Properties, RecordError, Unavailable};
use serde::Deserialize;
use ureq::Agent;
use ureq::http::Uri;

use super::config::namespaced;
use super::wire::SERIALIZATION;
use super::{NoSchema, RegisteredSchema, RegistryConfig, SchemaId, Schemas, tls};

/// How deep references may refer to others.
const DEPTH: usize = 100;
/// The bytes that an answer may have.
const ANSWER: u64 = 64 << 20;

/// A registry, asked over HTTP.
pub(in crate::convert) struct Registry {
    agent: Agent,
    bases: Vec<Base>,
    /// The base that answered last.
    current: usize,
    /// Headers of every request, secrets among them.
    headers: Vec<(String, String)>,
    retries: Retries,
    /// What is asked for, as Java's messages call it: `Avro value schema`.
    what: String,
    known: HashMap<SchemaId, RegisteredSchema>,
    missing: HashMap<SchemaId, (Instant, RecordError)>,
    missing_ttl: Duration,
}

impl fmt::Debug for Registry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").field("bases", &self.bases).finish_non_exhaustive()
    }
}

/// One of the URLs.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Base {
    /// Without credentials and without a slash at its end.
    url: String,
    /// `Basic …`.
    authorization: Option<Password>,
}

/// How often and how soon a request is sent again.
#[derive(Clone, Copy, Debug)]
struct Retries {
    most: u32,
    wait: Duration,
    longest: Duration,
}

/// Why there is no answer.
enum Failure {
    /// Trying again, here or elsewhere, may help.
    Away(String),
    /// The status, and the registry's message.
    Refused(u16, String),
}

/// A schema in an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    schema: String,
    schema_type: Option<String>,
    #[serde(default)]
    references: Option<Vec<Reference>>,
    version: Option<i32>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: i32,
}

#[derive(Deserialize)]
struct Refusal {
    error_code: i64,
    message: Option<String>,
}

impl Registry {
    /// A client by `config`, which `properties` say, and their `request.header.*`. `what` is how Java's messages call the schemas that are
    /// asked for: `Avro value schema`. All that is wrong is added to `faults`.
    pub(in crate::convert) fn new(
        config: &RegistryConfig,
        properties: &Properties,
        what: impl Into<String>,
        faults: &mut Faults,
    ) -> Option<Self> {
        let properties = namespaced(properties);
        let before = faults.0.len();
        let mut headers = vec![
            (
                "Accept".to_owned(),
                "application/vnd.schemaregistry.v1+json, application/vnd.schemaregistry+json; q=0.9, application/json; q=0.5"
                    .to_owned(),
            ),
            ("Confluent-Accept-Unknown-Properties".to_owned(), "true".to_owned()),
        ];
        let given = |key: &str| properties.get(key).is_some_and(|value| !value.trim().is_empty());
        let (basic, bearer) = ("basic.auth.credentials.source", "bearer.auth.credentials.source");
        if given(basic) && given(bearer) {
            faults.push(bearer, format!("Only one of '{basic}' and '{bearer}' may be specified"));
        }
        let filled = |secret: &Option<Password>| secret.clone().filter(|secret| !secret.reveal().is_empty());
        if given(bearer) {
            match filled(&config.bearer_token) {
                Some(token) => headers.push(("Authorization".into(), format!("Bearer {}", token.reveal().trim()))),
                None => faults.push("bearer.auth.token", format!("bearer.auth.token is missing, {bearer}=STATIC_TOKEN needs it")),
            }
            headers.extend(config.logical_cluster.clone().map(|cluster| ("target-sr-cluster".to_owned(), cluster)));
            headers.extend(config.identity_pool.clone().map(|pool| ("Confluent-Identity-Pool-Id".to_owned(), pool)));
        }
        if config.basic_source == "USER_INFO" {
            match filled(&config.old_user_info).or_else(|| filled(&config.user_info)) {
                Some(user) => headers.push(("Authorization".into(), basic_authorization(user.reveal()))),
                None => {
                    faults.push("basic.auth.user.info", format!("basic.auth.user.info is missing, {basic}=USER_INFO needs it"))
                }
            }
        }
        headers.extend(with_prefix(&properties, "request.header."));
        let proxied = !config.proxy_host.is_empty() && config.proxy_port > 0;
        let bases: Vec<_> = config.urls.iter().filter_map(|url| Base::parse(url, faults)).collect();
        if config.urls.is_empty() {
            faults.push("schema.registry.url", "schema.registry.url has no URL");
        }
        let proxy = proxied.then(|| {
            let (host, port) = (&*config.proxy_host, config.proxy_port as u16); // at most 65535
            ureq::Proxy::builder(ureq::ProxyProtocol::Http).host(host).port(port).build()
        });
        let proxy = proxy.transpose().unwrap_or_else(|error| {
            faults.push("proxy.host", format!("proxy.host: {} is no host: {error}", config.proxy_host));
            None
        });
        let wait = |ms: i32| (ms > 0).then(|| Duration::from_millis(u64::from(ms.unsigned_abs())));
        let tls = bases.iter().any(|base| base.url.starts_with("https:")).then(|| tls::config(config, faults));
        let mut agent = Agent::config_builder()
            .http_status_as_error(false)
            .proxy(proxy)
            .user_agent(concat!("landfall/", env!("CARGO_PKG_VERSION")))
            .timeout_resolve(wait(config.connect_timeout_ms))
            .timeout_connect(wait(config.connect_timeout_ms))
            .timeout_recv_response(wait(config.read_timeout_ms))
            .timeout_recv_body(wait(config.read_timeout_ms));
        if let Some(tls) = tls {
            agent = agent.tls_config(tls);
        }
        (faults.0.len() == before).then(|| Self {
            agent: agent.build().into(),
            current: if config.randomize { random(bases.len() as u64) as usize } else { 0 },
            bases,
            headers,
            retries: Retries {
                most: u32::try_from(config.max_retries).unwrap_or(0),
                wait: wait(config.retries_wait_ms).unwrap_or_default(),
                longest: wait(config.retries_max_wait_ms).unwrap_or_default(),
            },
            what: what.into(),
            known: HashMap::new(),
            missing: HashMap::new(),
            missing_ttl: Duration::from_secs(config.missing_id_ttl.unsigned_abs()),
        })
    }

    /// The schema that an answer holds, with those that it refers to.
    fn registered(&mut self, answer: Answer) -> Result<RegisteredSchema, Failure> {
        let mut references = Vec::new();
        let mut visited = Vec::new();
        self.resolve(answer.references.unwrap_or_default(), &mut visited, &mut references, DEPTH)?;
        let kind = answer.schema_type.filter(|kind| !kind.is_empty()).unwrap_or_else(|| "AVRO".to_owned());
        Ok(RegisteredSchema { kind, text: answer.schema, references, version: answer.version })
    }

    /// Appends the schemas of `references`, each once and after those that it refers to.
    fn resolve(
        &mut self,
        references: Vec<Reference>,
        visited: &mut Vec<String>,
        found: &mut Vec<(String, String)>,
        depth: usize,
    ) -> Result<(), Failure> {
        for Reference { name, subject, version } in references {
            if visited.contains(&name) {
                continue;
            }
            if depth == 0 {
                return Err(Failure::Refused(0, format!("references of schemas are more than {DEPTH} deep")));
            }
            visited.push(name.clone());
            let version = if version == -1 { "latest".to_owned() } else { version.to_string() };
            let answer = self.get(&format!("/subjects/{}/versions/{version}?deleted=true", encoded(&subject)))?;
            self.resolve(answer.references.unwrap_or_default(), visited, found, depth - 1)?;
            found.push((name, answer.schema));
        }
        Ok(())
    }

    /// Asks each base, beginning with that which answered last, until one answers.
    fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        let mut away = String::new();
        for _ in 0..self.bases.len() {
            match self.get_patiently(&self.bases[self.current], path) {
                Err(Failure::Away(why)) => {
                    tracing::warn!("the schema registry at {} does not answer: {why}", self.bases[self.current].url);
                    away = format!("the schema registry at {} does not answer: {why}", self.bases[self.current].url);
                    self.current = (self.current + 1) % self.bases.len();
                }
                answered => return answered,
            }
        }
        Err(Failure::Away(away))
    }

    /// Asks a base, again and again while it is away.
    fn get_patiently(&self, base: &Base, path: &str) -> Result<Answer, Failure> {
        let Retries { most, wait, longest } = self.retries;
        for sent in 0..most {
            match self.get_once(base, path) {
                Err(Failure::Away(_)) => {}
                answered => return answered,
            }
            let limit = wait.saturating_mul(1 << sent.min(20)).min(longest).as_millis() as u64;
            sleep(Duration::from_millis(if limit == 0 { 0 } else { 1 + random(limit) }));
        }
        self.get_once(base, path)
    }

    fn get_once(&self, base: &Base, path: &str) -> Result<Answer, Failure> {
        let mut request = self.agent.get(format!("{}{path}", base.url));
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        if let Some(authorization) = &base.authorization
            && !self.headers.iter().any(|(name, _)| name == "Authorization")
        {
            request = request.header("Authorization", authorization.reveal());
        }
        let away = |error: ureq::Error| Failure::Away(error.to_string());
        let mut answer = request.call().map_err(away)?;
        let status = answer.status().as_u16();
        let body = answer.body_mut().with_config().limit(ANSWER).read_to_vec().map_err(away)?;
        match status {
            200 => serde_json::from_slice(&body).map_err(|error| Failure::Away(format!("its answer is no schema: {error}"))),
            408 | 429 | 500 | 502..=504 => Err(Failure::Away(format!("{status}: {}", message(&body)))),
            _ => Err(Failure::Refused(status, message(&body))),
        }
    }

    fn refused(&self, id: SchemaId, status: u16, message: &str) -> RecordError {
        let class = match status {
            401 => "org.apache.kafka.common.errors.AuthenticationException",
            403 => "org.apache.kafka.common.errors.AuthorizationException",
            _ => SERIALIZATION,
        };
        RecordError { class, message: format!("Error retrieving {} for id {id}: {message}", self.what) }
    }
}

impl Schemas for Registry {
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
        if let Some(schema) = self.known.get(&id) {
            return Ok(schema.clone());
        }
        if let Some((since, error)) = self.missing.get(&id)
            && since.elapsed() < self.missing_ttl
        {
            return Err(NoSchema::Refused(error.clone()));
        }
        let path = match id {
            SchemaId::Number(_) => format!("/schemas/ids/{id}"),
            SchemaId::Guid(_) => format!("/schemas/guids/{id}"),
        };
        match self.get(&path).and_then(|answer| self.registered(answer)) {
            Ok(schema) => {
                self.known.insert(id, schema.clone());
                Ok(schema)
            }
            Err(Failure::Away(why)) => Err(NoSchema::Unavailable(Unavailable(why))),
            Err(Failure::Refused(status, message)) => {
                let error = self.refused(id, status, &message);
                if !self.missing_ttl.is_zero() {
                    self.missing.insert(id, (Instant::now(), error.clone()));
                }
                Err(NoSchema::Refused(error))
            }
        }
    }
}

impl Base {
    fn parse(url: &str, faults: &mut Faults) -> Option<Self> {
        let parts = url.split_once("://").map(|(scheme, rest)| {
            let authority = rest.find(['/', '?', '#']).unwrap_or(rest.len());
            let (user, host) =
                rest[..authority].rsplit_once('@').map_or((None, rest), |(user, _)| (Some(user), &rest[user.len() + 1..]));
            (user, format!("{scheme}://{}", host.trim_end_matches('/')))
        });
        let (user, url) = parts.unwrap_or_else(|| (None, url.rsplit('@').next().unwrap_or_default().to_owned()));
        let valid = matches!(url.parse::<Uri>(), Ok(uri) if matches!(uri.scheme_str(), Some("http" | "https")) && uri.host().is_some_and(|host| !host.is_empty()));
        if !valid {
            faults.push(
                "schema.registry.url",
                format!("Invalid value {url} for configuration schema.registry.url: it is no URL with http or https"),
            );
            return None;
        }
        let authorization = user.and_then(|user| landfall_api::Value::parse(&basic_authorization(user)).ok());
        Some(Self { url, authorization })
    }
}

fn basic_authorization(user: &str) -> String {
    format!("Basic {}", STANDARD.encode(user))
}

/// What a refusal says: the registry's message and code, or the begin of what it is instead.
fn message(body: &[u8]) -> String {
    match serde_json::from_slice::<Refusal>(body) {
        Ok(refusal) => format!("{}; error code: {}", refusal.message.unwrap_or_default(), refusal.error_code),
        Err(_) => format!(
            "Unable to parse error message from schema registry: '({})'",
            String::from_utf8_lossy(body).chars().take(200).collect::<String>()
        ),
    }
}

/// `subject` as a part of a path.
fn encoded(subject: &str) -> String {
    let mut path = String::with_capacity(subject.len());
    for byte in subject.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => path.push(char::from(byte)),
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

/// A number below `n`, by the clock: enough to keep tasks from asking all at once.
fn random(n: u64) -> u64 {
    let nanos = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::from(since.subsec_nanos()));
    nanos.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(32) % n.max(1)
}
