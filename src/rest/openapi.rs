//! `openapi/connect.yaml`: the REST API described for programs, and whether that is true.
//!
//! What a request brings and what is answered stands here in Rust, beside the routes: helpers say once what many operations share, and
//! what code knows is asked of code, as the role that a request needs. The test compares paths and methods with the routes, and the file
//! with what this module makes of it; schemathesis (tests/openapi.rs) compares answers of a worker with the file.
//!
//! A new route: one [`Operation`] for each of its methods in `operations`, then `make openapi`. It is in no program, only in tests.

#![expect(clippy::needless_pass_by_value, reason = "examples stand where they are given")]

mod operations;
mod schemas;
mod yaml;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use axum::body::Body;
use axum::http::{Method, Request, header};
use serde_json::{Map, Value, json};
use tower::ServiceExt as _;

use super::guard::{Needed, needed};
use super::{Access, KAFKA_VERSION, admin_resources, resources, router};
use crate::herder::fake::herder;

/// What the document is for: paths below these are pages for people.
const NOT_OF_THE_API: [&str; 1] = ["/ui"];

/// A method of a path.
struct Operation {
    method: &'static str,
    path: &'static str,
    id: &'static str,
    tag: &'static str,
    summary: &'static str,
    description: String,
    query: Vec<Value>,
    body: Option<Value>,
    answers: BTreeMap<u16, Value>,
}

/// An operation of the part of the API that is named `tag`.
fn operation(method: &'static str, path: &'static str, tag: &'static str, id: &'static str, summary: &'static str) -> Operation {
    let (query, answers) = (Vec::new(), BTreeMap::new());
    let operation = Operation { method, path, id, tag, summary, description: String::new(), query, body: None, answers };
    operation.shared()
}

impl Operation {
    /// What every operation of its kind answers.
    fn shared(mut self) -> Self {
        let Self { method, path, .. } = self;
        let mut answer = |status: u16, name: &str| {
            self.answers.insert(status, json!({"$ref": format!("#/components/responses/{name}")}));
        };
        answer(401, "Unauthorized");
        answer(403, "Forbidden");
        if path != "/metrics" {
            answer(406, "NotAcceptable");
            answer(415, "UnsupportedMediaType");
        }
        if path.contains('{') {
            answer(400, "BadPath");
        }
        if path.starts_with("/connectors") {
            answer(503, "NotReady");
        }
        if path.starts_with("/connectors") && method != "GET" {
            answer(409, "Rebalance");
            self.query.push(json!({
                "name": "forward", "in": "query", "required": false, "schema": {"type": "boolean"}, "example": false,
                "description": "How a worker says that it has passed the request on. Users leave it out.",
            }));
        }
        self
    }

    fn says(mut self, description: &str) -> Self {
        self.description = description.to_owned();
        self
    }

    fn query(mut self, name: &str, schema: Value, example: Value, description: &str) -> Self {
        self.query.push(json!({
            "name": name, "in": "query", "required": false, "schema": schema, "example": example, "description": description,
        }));
        self
    }

    /// A body of the schema `schema`, with named examples. As Java's, workers answer 500 to one that is something else.
    fn body(mut self, schema: &str, examples: Value) -> Self {
        let content = json!({"schema": reference(schema), "examples": named(&examples)});
        self.body = Some(json!({"required": true, "content": {"application/json": content}}));
        let malformed = |name: &str| json!({"$ref": format!("#/components/responses/{name}")});
        for (status, name) in [(408, "Timeout"), (413, "TooLarge"), (500, "Malformed")] {
            self.answers.insert(status, malformed(name));
        }
        self
    }

    /// An answer of the schema `schema`.
    fn answers(mut self, status: u16, schema: &Value, description: &str, example: Value) -> Self {
        let content = json!({"schema": schema, "example": example});
        self.answers.insert(status, json!({"description": description, "content": {"application/json": content}}));
        self
    }

    /// An answer without a body.
    fn empty(mut self, status: u16, description: &str) -> Self {
        self.answers.insert(status, json!({"description": description}));
        self
    }

    fn error(self, status: u16, description: &str, message: &str) -> Self {
        let example = json!({"error_code": status, "message": message});
        self.answers(status, &reference("ErrorMessage"), description, example)
    }

    fn no_such_connector(self) -> Self {
        self.error(404, "There is no such connector.", "Connector orders not found")
    }

    fn json(self) -> Value {
        let method = Method::from_bytes(self.method.as_bytes()).expect("a method");
        let role = match needed(&method, &concrete(self.path)) {
            Needed::Role(role) => role.name(),
            Needed::Signature => "signature",
        };
        let mut parameters: Vec<Value> = placeholders(self.path).map(parameter).collect();
        parameters.extend(self.query);
        let answers = self.answers.into_iter().map(|(status, answer)| (status.to_string(), answer));
        let mut operation = json!({"tags": [self.tag], "operationId": self.id, "summary": self.summary});
        let needs = match role {
            "signature" => "Where users are asked who they are, workers sign this request.".to_owned(),
            role => format!("Where users have roles, it needs `{role}`."),
        };
        operation["description"] = format!("{} {needs}", self.description).trim_start().into();
        operation["x-landfall-role"] = role.into();
        if !parameters.is_empty() {
            operation["parameters"] = parameters.into();
        }
        if let Some(body) = self.body {
            operation["requestBody"] = body;
        }
        operation["responses"] = answers.collect::<Map<_, _>>().into();
        operation
    }
}

fn reference(schema: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{schema}")})
}

fn array(items: &Value) -> Value {
    json!({"type": "array", "items": items})
}

/// Examples by their names, as OpenAPI has them.
fn named(examples: &Value) -> Value {
    let example = |(name, value): (&String, &Value)| (name.clone(), json!({"value": value}));
    examples.as_object().into_iter().flatten().map(example).collect::<Map<_, _>>().into()
}

/// What stands in braces in a path.
fn placeholders(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'))
}

fn parameter(name: &str) -> Value {
    let text = json!({"type": "string", "minLength": 1});
    let (schema, example, description) = match name {
        "task" => (json!({"type": "integer", "format": "int32", "minimum": 0}), json!(0), "The number of a task, from 0."),
        "class" => {
            (text, json!("FileStreamSink"), "A class by its Java name, or without its package, with or without `Connector`.")
        }
        "logger" => (text, json!("root"), "A logger: a target of the log with points for `::`, a Java class, or `root`."),
        _ => (text, json!("orders"), "The name of a connector. What else it may hold, such as `/` or `%`, has to be encoded."),
    };
    json!({"name": name, "in": "path", "required": true, "schema": schema, "example": example, "description": description})
}

/// A path with something in the place of its parameters.
fn concrete(path: &str) -> String {
    let part = |part: &str| match part {
        "{task}" => "0".to_owned(),
        part => part.trim_matches(['{', '}']).to_owned(),
    };
    path.split('/').map(part).collect::<Vec<_>>().join("/")
}

fn document() -> Value {
    let mut paths = Map::new();
    for operation in operations::all() {
        let (path, method) = (operation.path.to_owned(), operation.method.to_lowercase());
        let methods = paths.entry(path).or_insert_with(|| json!({}));
        assert!(methods.get(&method).is_none(), "{method} {} is there twice", operation.path);
        methods[&method] = operation.json();
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Kafka Connect REST API of Landfall",
            "version": KAFKA_VERSION,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
            "description": operations::ABOUT,
        },
        "servers": [{"url": "http://localhost:8083", "description": "A worker: any of a cluster does."}],
        "security": [{}, {"basic": []}, {"bearer": []}],
        "tags": operations::TAGS.map(|(name, description)| json!({"name": name, "description": description})),
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic", "description": "`landfall.rest.auth=basic`, or Java's extension for it."},
                "bearer": {
                    "type": "http", "scheme": "bearer", "bearerFormat": "JWT",
                    "description": "`landfall.rest.auth=bearer`: a token of an OpenID provider, as Entra.",
                },
            },
            "responses": operations::responses(),
            "schemas": schemas::all(),
        },
    })
}

/// Paths that are in no table.
fn other_paths() -> impl Iterator<Item = String> {
    let literals = include_str!("mod.rs").split(".route(\"").skip(1);
    literals.filter_map(|rest| rest.split('"').next()).map(str::to_owned)
}

/// The methods that the worker says a path has, but for those that each one has.
async fn methods(path: &str) -> BTreeSet<String> {
    let request = Request::builder().method("OPTIONS").uri(concrete(path)).body(Body::empty()).expect("a request");
    let response = router(&herder(&[]), &Access::open()).oneshot(request).await.expect("infallible");
    let allowed = response.headers().get(header::ALLOW).unwrap_or_else(|| panic!("{path} is no resource"));
    let allowed = allowed.to_str().expect("text").split(',').map(str::to_owned);
    allowed.filter(|method| !["OPTIONS", "HEAD"].contains(&method.as_str())).collect()
}

#[tokio::test]
async fn every_route_is_described_and_nothing_else() {
    let document = document();
    let described = |path: &str| -> BTreeSet<String> {
        document["paths"][path].as_object().into_iter().flatten().map(|(method, _)| method.to_uppercase()).collect()
    };
    let tables = resources().into_iter().chain(admin_resources()).map(|(path, _)| path);
    let paths: BTreeSet<String> = tables.chain(other_paths()).collect();
    for path in paths.iter().filter(|path| !NOT_OF_THE_API.iter().any(|not| path.starts_with(not))) {
        assert_eq!(described(path), methods(path).await, "{path}: describe its methods in src/rest/openapi/operations.rs");
    }
    for path in document["paths"].as_object().expect("paths").keys() {
        assert!(paths.contains(path), "{path} is described and is no route");
    }
}

#[test]
fn the_file_is_what_the_code_says() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("openapi/connect.yaml");
    let text = format!("# Generated: make openapi\n\n{}", yaml::text(&document()));
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(file.parent().expect("a folder")).expect("the folder");
        std::fs::write(&file, &text).expect("the file");
    }
    let there = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(there == text, "openapi/connect.yaml is not what src/rest/openapi says: make openapi");
}

#[test]
fn what_is_referred_to_is_there() {
    fn references(value: &Value, found: &mut BTreeSet<String>) {
        match value {
            Value::Object(fields) => {
                found.extend(fields.get("$ref").and_then(Value::as_str).map(str::to_owned));
                fields.values().for_each(|value| references(value, found));
            }
            Value::Array(items) => items.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let (document, mut found) = (document(), BTreeSet::new());
    references(&document, &mut found);
    for reference in &found {
        let pointer = reference.trim_start_matches('#');
        assert!(document.pointer(pointer).is_some(), "{reference} is nowhere");
    }
    for kind in ["schemas", "responses"] {
        for name in document["components"][kind].as_object().expect("components").keys() {
            assert!(found.contains(&format!("#/components/{kind}/{name}")), "nothing refers to {name}");
        }
    }
}
