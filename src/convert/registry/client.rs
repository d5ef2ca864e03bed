//! The client of Confluent's schema registry REST API (`CachedSchemaRegistryClient` and `RestService`, 8.x).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use landfall_api::config::{Password, with_prefix};
use landfall_api::{Faults, Properties, RecordError, Unavailable};
use serde::Deserialize;

use super::config::namespaced;
use super::http::{Failure, Http, Retries, Settings, basic, encoded};
use super::wire::SERIALIZATION;
use super::{NoSchema, RegisteredSchema, RegistryConfig, SchemaId, Schemas, tls};

/// How deep references may refer to others.
const DEPTH: usize = 100;

/// A registry, asked over HTTP.
#[derive(Debug)]
pub(in crate::convert) struct Registry {
    http: Http,
    /// What is asked for, as Java's messages call it: `Avro value schema`.
    what: String,
    known: HashMap<SchemaId, RegisteredSchema>,
    missing: HashMap<SchemaId, (Instant, RecordError)>,
    missing_ttl: Duration,
}

/// A schema in an answer.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    schema: String,
    schema_type: Option<String>,
    references: Option<Vec<Reference>>,
    version: Option<i32>,
    rule_set: Option<RuleSet>,
}

#[derive(Deserialize)]
struct Reference {
    name: String,
    subject: String,
    version: i32,
}

/// What is to be done with values when they are written and read.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct RuleSet {
    domain_rules: Option<Vec<Rule>>,
    encoding_rules: Option<Vec<Rule>>,
}

#[derive(Deserialize)]
struct Rule {
    name: Option<String>,
    mode: Option<String>,
    r#type: Option<String>,
    #[serde(default)]
    disabled: bool,
}

impl RuleSet {
    /// A rule that is to be executed when a value is read.
    fn reading(&self) -> Option<&Rule> {
        let all = [&self.domain_rules, &self.encoding_rules].into_iter().flatten().flatten();
        all.into_iter().find(|rule| !rule.disabled && matches!(rule.mode.as_deref(), None | Some("READ" | "WRITEREAD")))
    }
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
        let (basic_source, bearer_source) = ("basic.auth.credentials.source", "bearer.auth.credentials.source");
        if given(basic_source) && given(bearer_source) {
            faults.push(bearer_source, format!("Only one of '{basic_source}' and '{bearer_source}' may be specified"));
        }
        let filled = |secret: &Option<Password>| secret.clone().filter(|secret| !secret.reveal().is_empty());
        if given(bearer_source) {
            match filled(&config.bearer_token) {
                Some(token) => headers.push(("Authorization".into(), format!("Bearer {}", token.reveal().trim()))),
                None => faults
                    .push("bearer.auth.token", format!("bearer.auth.token is missing, {bearer_source}=STATIC_TOKEN needs it")),
            }
            headers.extend(config.logical_cluster.clone().map(|cluster| ("target-sr-cluster".to_owned(), cluster)));
            headers.extend(config.identity_pool.clone().map(|pool| ("Confluent-Identity-Pool-Id".to_owned(), pool)));
        }
        if config.basic_source == "USER_INFO" {
            match filled(&config.old_user_info).or_else(|| filled(&config.user_info)) {
                Some(user) => headers.push(("Authorization".into(), basic(user.reveal()))),
                None => faults
                    .push("basic.auth.user.info", format!("basic.auth.user.info is missing, {basic_source}=USER_INFO needs it")),
            }
        }
        headers.extend(with_prefix(&properties, "request.header."));
        let milliseconds = |ms: i32| Duration::from_millis(u64::from(ms.unsigned_abs()));
        let proxied = !config.proxy_host.is_empty() && config.proxy_port > 0;
        let settings = Settings {
            headers,
            connect_timeout: config.connect_timeout_ms,
            read_timeout: config.read_timeout_ms,
            proxy: proxied.then(|| (config.proxy_host.clone(), config.proxy_port as u16)), // at most 65535
            retries: Retries {
                most: u32::try_from(config.max_retries).unwrap_or(0),
                wait: milliseconds(config.retries_wait_ms),
                longest: milliseconds(config.retries_max_wait_ms),
            },
            randomize: config.randomize,
        };
        let http =
            Http::new("schema.registry.url", &config.urls, settings, |faults| tls::config(&config.stores(), faults), faults)?;
        let missing_ttl = Duration::from_secs(config.missing_id_ttl.unsigned_abs());
        (faults.0.len() == before).then(|| Self { missing_ttl, ..Self::over(http, what) })
    }

    /// A client that asks over `http`.
    pub(super) fn over(http: Http, what: impl Into<String>) -> Self {
        Self { http, what: what.into(), known: HashMap::new(), missing: HashMap::new(), missing_ttl: Duration::ZERO }
    }

    fn get(&mut self, path: &str) -> Result<Answer, Failure> {
        let body = self.http.get(path)?;
        serde_json::from_slice(&body)
            .map_err(|error| Failure::Away(format!("the schema registry answers with no schema: {error}")))
    }

    /// The schema that an answer holds, with those that it refers to.
    fn registered(&mut self, answer: Answer) -> Result<RegisteredSchema, Failure> {
        if let Some(rule) = answer.rule_set.as_ref().and_then(RuleSet::reading) {
            let [name, kind] = [&rule.name, &rule.r#type].map(|text| text.as_deref().unwrap_or_default());
            return Err(Failure::Refused(0, format!("its rule {name} of type {kind} is not supported")));
        }
        let mut references = Vec::new();
        self.resolve(answer.references.unwrap_or_default(), &mut Vec::new(), &mut references, DEPTH)?;
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

    fn refused(&self, id: SchemaId, message: &str) -> RecordError {
        RecordError { class: SERIALIZATION, message: format!("Error retrieving {} for id {id}: {message}", self.what) }
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
            SchemaId::Number(_) | SchemaId::Content(_) => format!("/schemas/ids/{id}"),
            SchemaId::Guid(_) => format!("/schemas/guids/{id}"),
        };
        match self.get(&path).and_then(|answer| self.registered(answer)) {
            Ok(schema) => {
                self.known.insert(id, schema.clone());
                Ok(schema)
            }
            Err(Failure::Away(why)) => Err(NoSchema::Unavailable(Unavailable(why))),
            Err(Failure::Refused(_, message)) => {
                let error = self.refused(id, &message);
                if !self.missing_ttl.is_zero() {
                    self.missing.insert(id, (Instant::now(), error.clone()));
                }
                Err(NoSchema::Refused(error))
            }
        }
    }
}
