//! The client of Apicurio Registry's own REST API, versions 2 and 3; of what is compatible with Confluent's it asks as Confluent's does.

use std::collections::HashMap;
use std::time::Duration;

use landfall_api::config::Password;
use landfall_api::{Faults, RecordError, Unavailable};
use serde::Deserialize;

use super::client::Registry;
use super::http::{Failure, Http, Retries, Settings, basic, encoded};
use super::tls::{self, Stores};
use super::wire::serialization;
use super::{NoSchema, RegisteredSchema, SchemaId, Schemas};

/// How deep references may refer to others.
const DEPTH: usize = 100;

/// Milliseconds that connecting may take.
const CONNECT_TIMEOUT: i32 = 5_000;
/// Milliseconds that an answer may take.
const READ_TIMEOUT: i32 = 10_000;

/// What a client of it is made of.
#[derive(Debug)]
pub(in crate::convert) struct ApicurioSettings<'a> {
    /// `apicurio.registry.url`; its path tells the version of the API.
    pub(in crate::convert) urls: &'a [String],
    pub(in crate::convert) username: Option<&'a str>,
    pub(in crate::convert) password: Option<&'a Password>,
    pub(in crate::convert) retries: u32,
    pub(in crate::convert) backoff: Duration,
    pub(in crate::convert) stores: Stores<'a>,
}

/// A registry of Apicurio's.
#[derive(Debug)]
pub(in crate::convert) struct Apicurio {
    http: Http,
    /// Whether its API is version 2.
    second: bool,
    known: HashMap<SchemaId, RegisteredSchema>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Reference {
    group_id: Option<String>,
    artifact_id: String,
    version: Option<String>,
    name: String,
}

impl Apicurio {
    /// A client of the registry that `settings` say. All that is wrong is added to `faults`.
    pub(in crate::convert) fn schemas(settings: ApicurioSettings<'_>, faults: &mut Faults) -> Option<Box<dyn Schemas>> {
        const KEY: &str = "apicurio.registry.url";
        let ApicurioSettings { urls, username, password, retries, backoff, stores } = settings;
        let user = username.map(|name| basic(&format!("{name}:{}", password.map(Password::reveal).unwrap_or_default())));
        let http = Settings {
            headers: user.map(|user| ("Authorization".to_owned(), user)).into_iter().collect(),
            connect_timeout: CONNECT_TIMEOUT,
            read_timeout: READ_TIMEOUT,
            proxy: None,
            retries: Retries { most: retries, wait: backoff, longest: backoff },
            randomize: false,
        };
        let http = Http::new(KEY, urls, http, |faults| tls::config(&stores, faults), faults)?;
        if http.mentions("/apis/ccompat/") {
            return Some(Box::new(Registry::over(http, "Avro schema")));
        }
        let second = http.mentions("/apis/registry/v2");
        Some(Box::new(Self { http, second, known: HashMap::new() }))
    }

    /// The schema at `path`, with those that it refers to.
    fn registered(&mut self, path: &str) -> Result<RegisteredSchema, Failure> {
        let text = self.text(path)?;
        let mut references = Vec::new();
        self.resolve(&format!("{path}/references"), &mut Vec::new(), &mut references, DEPTH)?;
        Ok(RegisteredSchema { kind: "AVRO".into(), text, references, version: None })
    }

    fn text(&mut self, path: &str) -> Result<String, Failure> {
        let body = self.http.get(path)?;
        String::from_utf8(body).map_err(|_| Failure::Refused(200, "a schema that is not UTF-8".into()))
    }

    /// Appends the schemas that the list at `path` names, each once and after those that it refers to.
    fn resolve(
        &mut self,
        path: &str,
        visited: &mut Vec<String>,
        found: &mut Vec<(String, String)>,
        depth: usize,
    ) -> Result<(), Failure> {
        let list = match self.http.get(path) {
            Ok(list) => list,
            // There are no references, or a registry that knows of none.
            Err(Failure::Refused(404, _)) => return Ok(()),
            Err(failure) => return Err(failure),
        };
        let list: Vec<Reference> = serde_json::from_slice(&list)
            .map_err(|error| Failure::Away(format!("the schema registry answers with no references: {error}")))?;
        for Reference { group_id, artifact_id, version, name } in list {
            if visited.contains(&name) {
                continue;
            }
            if depth == 0 {
                return Err(Failure::Refused(0, format!("references of schemas are more than {DEPTH} deep")));
            }
            visited.push(name.clone());
            let [group, artifact, version] =
                [group_id.as_deref().unwrap_or("default"), &artifact_id, version.as_deref().unwrap_or("branch=latest")]
                    .map(encoded);
            let at = format!("/groups/{group}/artifacts/{artifact}/versions/{version}");
            self.resolve(&format!("{at}/references"), visited, found, depth - 1)?;
            let text = self.text(&if self.second { at } else { format!("{at}/content") })?;
            found.push((name, text));
        }
        Ok(())
    }
}

impl Schemas for Apicurio {
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
        if let Some(schema) = self.known.get(&id) {
            return Ok(schema.clone());
        }
        let path = match id {
            SchemaId::Number(id) => format!("/ids/globalIds/{id}"),
            SchemaId::Content(id) => format!("/ids/contentIds/{id}"),
            SchemaId::Guid(_) => return Err(NoSchema::Refused(RecordError::data("Apicurio Registry has no GUIDs"))),
        };
        match self.registered(&path) {
            Ok(schema) => {
                self.known.insert(id, schema.clone());
                Ok(schema)
            }
            Err(Failure::Away(why)) => Err(NoSchema::Unavailable(Unavailable(why))),
            Err(Failure::Refused(_, why)) => {
                Err(NoSchema::Refused(serialization(format!("Error retrieving Avro schema for id {id}: {why}"))))
            }
        }
    }
}
