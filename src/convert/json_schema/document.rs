//! JSON Schema documents (drafts 4, 6, 7, 2019-09, 2020-12): which kind of schema each object in them is, and what a `$ref` means.
//!
//! The kinds are those that Confluent's class sees through its parsers (everit-json-schema 1.14.6 and json-sKema 0.30.0): an object with
//! keywords of several kinds is all of them at once.

use std::collections::HashMap;

use serde_json::{Map, Value};

use super::super::registry::percent_decoded;

/// A schema with all that it refers to.
#[derive(Debug)]
pub(super) struct Documents {
    /// The schema itself, then its references.
    list: Vec<Document>,
    dialect: Dialect,
    /// Where what has a name, an `$id` or an anchor is: document and JSON pointer.
    places: HashMap<String, (usize, String)>,
}

#[derive(Debug)]
struct Document {
    /// The URI that the references in it are relative to; may be empty.
    base: String,
    json: Value,
}

/// The drafts, as far as they differ here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Dialect {
    Draft4,
    Draft6,
    Draft7,
    /// 2019-09 and 2020-12: what stands beside a `$ref` counts.
    Modern,
}

/// One schema of a document.
#[derive(Clone, Debug)]
pub(super) struct Schema<'a> {
    /// The document that it is in.
    pub(super) document: usize,
    /// The object whose title, default and the like are the schema's. None of one of several in one object.
    pub(super) own: Option<&'a Map<String, Value>>,
    pub(super) kind: Kind<'a>,
}

/// What a schema is of.
#[derive(Clone, Debug)]
pub(super) enum Kind<'a> {
    Boolean,
    Null,
    Number {
        integer: bool,
    },
    String,
    Const(&'a Value),
    Enum(&'a [Value]),
    /// `oneOf`, `anyOf` and a list of types.
    Any(Vec<Schema<'a>>),
    All(Vec<Schema<'a>>),
    /// With the schema of the items.
    Array(Option<&'a Value>),
    /// Everything is valid.
    Empty,
    Object(&'a Map<String, Value>),
    Reference(&'a str),
    /// What Connect has no type for.
    Other(&'static str),
}

const ARRAY: &[&str] =
    &["items", "additionalItems", "minItems", "maxItems", "uniqueItems", "contains", "prefixItems", "unevaluatedItems"];
const OBJECT: &[&str] = &[
    "properties",
    "required",
    "minProperties",
    "maxProperties",
    "dependencies",
    "patternProperties",
    "additionalProperties",
    "propertyNames",
    "dependentRequired",
    "dependentSchemas",
    "unevaluatedProperties",
];
const NUMBER: &[&str] = &["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"];
const STRING: &[&str] = &["minLength", "maxLength", "pattern", "format"];
const CONDITION: &[&str] = &["if", "then", "else"];

/// The kind that an object is by one of its keywords.
type OfObject<'a> = fn(&'a Map<String, Value>) -> Kind<'a>;

impl Documents {
    /// Reads the text of a schema and of its `references`, by the names that it calls them. Drafts after 7 are read as draft 7 if
    /// they are to be ignored.
    pub(super) fn parse(text: &str, references: &[(String, String)], ignore_modern: bool) -> Result<Self, String> {
        let parse = |text: &str| serde_json::from_str::<Value>(text).map_err(|e| e.to_string());
        let root = parse(text)?;
        let dialect = match root.get("$schema").and_then(Value::as_str) {
            Some(uri) if uri.contains("/draft/") && !ignore_modern => Dialect::Modern,
            Some(uri) if uri.contains("draft-04") => Dialect::Draft4,
            Some(uri) if uri.contains("draft-06") => Dialect::Draft6,
            _ => Dialect::Draft7,
        };
        let id = if dialect == Dialect::Draft4 { "id" } else { "$id" };
        let base = |json: &Value, name: &str| resolve(name, json.get(id).and_then(Value::as_str).unwrap_or(name));
        let mut list = vec![Document { base: base(&root, ""), json: root }];
        for (name, text) in references {
            let json = parse(text)?;
            list.push(Document { base: base(&json, name), json });
        }
        let mut places = HashMap::new();
        for (at, document) in list.iter().enumerate() {
            register(&document.json, &document.base, id, at, &mut String::new(), &mut places);
        }
        // A name given by the registry counts before one that a document gives itself.
        for (at, (name, _)) in references.iter().enumerate() {
            for name in [resolve(&list[0].base, name), name.trim_start_matches("./").to_owned()] {
                places.insert(name, (at + 1, String::new()));
            }
        }
        Ok(Self { list, dialect, places })
    }

    /// The schema that the text is.
    pub(super) fn root(&self) -> Result<Schema<'_>, String> {
        self.schema(0, &self.list[0].json)
    }

    /// The schema that `json`, a part of the document `document`, is.
    pub(super) fn schema<'a>(&self, document: usize, json: &'a Value) -> Result<Schema<'a>, String> {
        let schema = |own, kind| Schema { document, own, kind };
        let object = match json {
            Value::Bool(true) => return Ok(schema(None, Kind::Empty)),
            Value::Bool(false) => return Ok(schema(None, Kind::Other("false"))),
            Value::Object(object) => object,
            other => return Err(format!("expected an object or boolean as a schema, found {other}")),
        };
        let mut kinds = self.kinds(document, object)?;
        let kind = match kinds.len() {
            0 => Kind::Empty,
            1 => kinds.remove(0),
            _ => Kind::All(kinds.into_iter().map(|kind| schema(None, kind)).collect()),
        };
        Ok(schema(Some(object), kind))
    }

    fn kinds<'a>(&self, document: usize, object: &'a Map<String, Value>) -> Result<Vec<Kind<'a>>, String> {
        let mut kinds = Vec::new();
        if let Some(reference) = object.get("$ref").or_else(|| object.get("$dynamicRef")).or_else(|| object.get("$recursiveRef"))
        {
            kinds.push(Kind::Reference(reference.as_str().ok_or_else(|| format!("$ref is no string: {reference}"))?));
            if self.dialect != Dialect::Modern {
                return Ok(kinds);
            }
        }
        if let Some(values) = object.get("enum") {
            kinds.push(Kind::Enum(array("enum", values)?));
        }
        for (keyword, combined) in [("allOf", Kind::All as fn(_) -> _), ("anyOf", Kind::Any), ("oneOf", Kind::Any)] {
            let Some(schemas) = object.get(keyword) else { continue };
            let schemas = array(keyword, schemas)?.iter().map(|schema| self.schema(document, schema));
            kinds.push(combined(schemas.collect::<Result<_, _>>()?));
        }
        if object.contains_key("not") {
            kinds.push(Kind::Other("not"));
        }
        if let Some(value) = object.get("const").filter(|_| self.dialect != Dialect::Draft4) {
            kinds.push(Kind::Const(value));
        }
        let types: Vec<&str> = match object.get("type") {
            None => Vec::new(),
            Some(Value::String(name)) => vec![name],
            Some(names) => {
                let names =
                    array("type", names)?.iter().map(|name| name.as_str().ok_or_else(|| format!("unknown type: [{name}]")));
                names.collect::<Result<_, _>>()?
            }
        };
        let of_types = types.iter().map(|name| of_type(name, object)).collect::<Result<Vec<_>, _>>()?;
        match object.get("type") {
            Some(Value::Array(_)) => {
                kinds.push(Kind::Any(of_types.into_iter().map(|kind| Schema { document, own: None, kind }).collect()));
            }
            _ => kinds.extend(of_types),
        }
        // What a keyword is for is a kind too, where no type takes it.
        let of_keywords: [(&[&str], &[&str], OfObject<'a>); 5] = [
            (ARRAY, &["array"], |object| Kind::Array(object.get("items"))),
            (OBJECT, &["object"], Kind::Object),
            (NUMBER, &["number", "integer"], |_| Kind::Number { integer: false }),
            (STRING, &["string"], |_| Kind::String),
            (CONDITION, &[], |_| Kind::Other("if")),
        ];
        for (keywords, names, kind) in of_keywords {
            let mut present = keywords.iter().filter(|keyword| object.contains_key(**keyword));
            // The modern parser has nothing for a format alone.
            let counts = present.any(|keyword| self.dialect != Dialect::Modern || *keyword != "format");
            if counts && !names.iter().any(|name| types.contains(name)) {
                kinds.push(kind(object));
            }
        }
        Ok(kinds)
    }

    /// The schema that `reference` in the document `document` means: its document and JSON.
    pub(super) fn find(&self, document: usize, reference: &str) -> Option<(usize, &Value)> {
        let (path, fragment) = reference.split_once('#').unwrap_or((reference, ""));
        let base = &self.list[document].base;
        let (at, begin) = if path.is_empty() {
            (document, String::new())
        } else {
            let names = [path.trim_start_matches("./").to_owned(), resolve(base, path)];
            self.places.get(&names[1]).or_else(|| self.places.get(&names[0]))?.clone()
        };
        let find = |pointer: &str| self.list[at].json.pointer(&format!("{begin}{pointer}"));
        let found = match fragment {
            "" => find(""),
            pointer if pointer.starts_with('/') => {
                let pointer = percent_decoded(pointer);
                let other = match pointer.strip_prefix("/$defs/") {
                    Some(name) => format!("/definitions/{name}"),
                    None => pointer.replacen("/definitions/", "/$defs/", 1),
                };
                find(&pointer).or_else(|| find(&other))
            }
            anchor => {
                let base = if path.is_empty() { base.clone() } else { resolve(base, path) };
                let (at, pointer) = self.places.get(&format!("{base}#{anchor}"))?;
                return Some((*at, self.list[*at].json.pointer(pointer)?));
            }
        };
        found.map(|json| (at, json))
    }
}

fn array<'a>(keyword: &str, json: &'a Value) -> Result<&'a [Value], String> {
    json.as_array().map(Vec::as_slice).ok_or_else(|| format!("{keyword} is no array: {json}"))
}

fn of_type<'a>(name: &str, object: &'a Map<String, Value>) -> Result<Kind<'a>, String> {
    Ok(match name {
        "string" => Kind::String,
        "integer" => Kind::Number { integer: true },
        "number" => Kind::Number { integer: false },
        "boolean" => Kind::Boolean,
        "null" => Kind::Null,
        "array" => Kind::Array(object.get("items")),
        "object" => Kind::Object(object),
        other => return Err(format!("unknown type: [{other}]")),
    })
}

/// Notes where the schemas in `json` are that have an id or an anchor.
fn register(
    json: &Value,
    base: &str,
    id: &str,
    document: usize,
    pointer: &mut String,
    places: &mut HashMap<String, (usize, String)>,
) {
    let mut inside = |part: &str, child: &Value, base: &str, pointer: &mut String| {
        let len = pointer.len();
        pointer.push('/');
        pointer.push_str(&part.replace('~', "~0").replace('/', "~1"));
        register(child, base, id, document, pointer, places);
        pointer.truncate(len);
    };
    match json {
        Value::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Value::as_str);
            let own = text(id).map(|id| resolve(base, id));
            let base = own.as_deref().filter(|own| !own.contains('#')).unwrap_or(base);
            for (key, child) in object {
                inside(key, child, base, pointer);
            }
            let anchor = text("$anchor").map(|anchor| format!("{base}#{anchor}"));
            for name in own.iter().chain(&anchor) {
                places.entry(name.clone()).or_insert_with(|| (document, pointer.clone()));
            }
        }
        Value::Array(items) => {
            for (at, child) in items.iter().enumerate() {
                inside(&at.to_string(), child, base, pointer);
            }
        }
        _ => {}
    }
}

/// `reference` as a URI, seen from `base` (RFC 3986, 5.2, without queries). An empty fragment is dropped.
fn resolve(base: &str, reference: &str) -> String {
    let reference = reference.strip_suffix('#').unwrap_or(reference);
    let base = base.split('#').next().unwrap_or_default();
    if reference.is_empty() || reference.starts_with('#') {
        return format!("{base}{reference}");
    }
    let Some((scheme, rest)) = base.split_once("://").filter(|_| !reference.contains(':')) else {
        return reference.trim_start_matches("./").to_owned();
    };
    let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
    let mut segments: Vec<&str> = path.split('/').collect();
    segments.pop();
    if reference.starts_with('/') {
        segments.clear();
    }
    for segment in reference.trim_start_matches('/').split('/') {
        match segment {
            "." => {}
            ".." => drop(segments.pop()),
            segment => segments.push(segment),
        }
    }
    format!("{scheme}://{host}/{}", segments.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn references_are_found_where_they_point() {
        let root = r##"{"$id":"http://example.com/s/root.json","definitions":{"a/b":{"title":"ab"},
            "n":{"$id":"nested.json","title":"nested","definitions":{"x":{"title":"x"}}},"anchored":{"$id":"#here","title":"anchored"}}}"##;
        let other = r##"{"title":"other","$defs":{"y":{"title":"y"}}}"##;
        let documents = Documents::parse(root, &[("other.json".into(), other.into())], false).expect("JSON");
        let title = |document, reference| documents.find(document, reference).and_then(|(_, json)| json["title"].as_str());
        for (reference, expected) in [
            ("#/definitions/a~1b", Some("ab")),
            ("#/definitions/a%7E1b", Some("ab")),
            ("#/$defs/n", Some("nested")),
            ("nested.json", Some("nested")),
            ("http://example.com/s/nested.json#/definitions/x", Some("x")),
            ("#here", Some("anchored")),
            ("other.json", Some("other")),
            ("./other.json#", Some("other")),
            ("http://example.com/s/other.json#/definitions/y", Some("y")),
            ("#/definitions/none", None),
            ("none.json", None),
        ] {
            assert_eq!(title(0, reference), expected, "{reference}");
        }
        assert_eq!(title(1, "#/$defs/y"), Some("y"));
        assert_eq!(title(1, "#/definitions/n"), None);
    }

    #[test]
    fn uris_are_resolved() {
        for (base, reference, expected) in [
            ("http://h/a/b.json", "c.json", "http://h/a/c.json"),
            ("http://h/a/b.json", "../c.json#", "http://h/c.json"),
            ("http://h/a/b.json", "/c.json", "http://h/c.json"),
            ("http://h/a/b.json", "urn:x", "urn:x"),
            ("http://h", "c", "http://h/c"),
            ("", "./c.json", "c.json"),
            ("b.json", "#x", "b.json#x"),
        ] {
            assert_eq!(resolve(base, reference), expected, "{base} {reference}");
        }
    }
}
