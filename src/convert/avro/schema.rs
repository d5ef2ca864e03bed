//! Avro schemas as they are written: all properties are kept, and names that Avro's specification does not allow are taken.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use serde_json::{Map, Value};

/// A schema.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Schema {
    pub(super) kind: Kind,
    /// Records, enums and fixed have one.
    pub(super) name: Option<Name>,
    pub(super) doc: Option<String>,
    /// All attributes, those of the specification among them.
    pub(super) properties: Map<String, Value>,
}

/// What a schema is of.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Kind {
    Null,
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum {
        symbols: Vec<String>,
        default: Option<String>,
    },
    Array(Box<Schema>),
    Map(Box<Schema>),
    Record(Vec<Field>),
    Union(Vec<Schema>),
    /// The type of this full name, which is in the [`Types`].
    Named(String),
}

/// A field of a record.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Field {
    pub(super) name: String,
    pub(super) schema: Schema,
    pub(super) doc: Option<String>,
    pub(super) default: Option<Value>,
    pub(super) properties: Map<String, Value>,
}

/// The name of a type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    pub(super) space: Option<String>,
    pub(super) simple: String,
}

impl Name {
    /// `name` with its own namespace if it has dots, else with `space`.
    fn new(name: &str, space: Option<&str>) -> Self {
        let (space, simple) = name.rsplit_once('.').map_or((space, name), |(space, simple)| (Some(space), simple));
        Self { space: space.filter(|space| !space.is_empty()).map(str::to_owned), simple: simple.to_owned() }
    }

    /// The name with its namespace.
    pub(super) fn full(&self) -> String {
        match &self.space {
            Some(space) => format!("{space}.{}", self.simple),
            None => self.simple.clone(),
        }
    }
}

/// The types that have names, by their full names.
#[derive(Debug, Default)]
pub(super) struct Types {
    defined: HashMap<String, Arc<Schema>>,
    /// Those whose definition has begun: a reference may be to one that it is a part of.
    begun: HashSet<String>,
}

impl Types {
    /// Reads a schema; the types that it defines are kept.
    ///
    /// # Errors
    /// Why the text is no schema.
    pub(super) fn parse(&mut self, text: &str) -> Result<Schema, String> {
        let json: Value = match serde_json::from_str(text) {
            Ok(json) => json,
            // A primitive type may stand there without quotes.
            Err(_) if text.trim().bytes().all(|b| b.is_ascii_alphabetic()) => Value::from(text.trim()),
            Err(error) => return Err(error.to_string()),
        };
        self.schema(&json, None)
    }

    /// The type called `name`.
    pub(super) fn get(&self, name: &str) -> Option<&Arc<Schema>> {
        self.defined.get(name)
    }

    /// `name` as these types hold it.
    pub(super) fn key(&self, name: &str) -> Option<&str> {
        self.defined.get_key_value(name).map(|(key, _)| key.as_str())
    }

    fn schema(&mut self, json: &Value, space: Option<&str>) -> Result<Schema, String> {
        match json {
            Value::String(name) => self.called(name, space, Map::new()),
            Value::Array(members) => {
                let members = members.iter().map(|member| self.schema(member, space)).collect::<Result<Vec<_>, _>>()?;
                if members.iter().any(|member| matches!(member.kind, Kind::Union(_))) {
                    return Err("a union in a union".into());
                }
                Ok(Schema { kind: Kind::Union(members), name: None, doc: None, properties: Map::new() })
            }
            Value::Object(properties) => self.object(properties, space),
            other => Err(format!("{other} is no schema")),
        }
    }

    /// A schema that is only named: of a primitive type, or one that was defined.
    fn called(&self, name: &str, space: Option<&str>, properties: Map<String, Value>) -> Result<Schema, String> {
        let kind = match name {
            "null" => Kind::Null,
            "boolean" => Kind::Boolean,
            "int" => Kind::Int,
            "long" => Kind::Long,
            "float" => Kind::Float,
            "double" => Kind::Double,
            "bytes" => Kind::Bytes,
            "string" => Kind::String,
            _ => {
                let known = [Name::new(name, space), Name::new(name, None)].into_iter().map(|name| name.full());
                let found = known.into_iter().find(|full| self.begun.contains(full));
                Kind::Named(found.ok_or_else(|| format!("the type {name} is not defined"))?)
            }
        };
        let doc = text(&properties, "doc");
        Ok(Schema { kind, name: None, doc, properties })
    }

    fn object(&mut self, json: &Map<String, Value>, space: Option<&str>) -> Result<Schema, String> {
        let kind = match json.get("type") {
            Some(Value::String(kind)) => kind.as_str(),
            Some(inner @ (Value::Object(_) | Value::Array(_))) => return self.schema(inner, space),
            _ => return Err("a schema without a type".into()),
        };
        let child = |key: &str| json.get(key).ok_or_else(|| format!("{kind} without {key}"));
        let plain = |kind| Schema { kind, name: None, doc: text(json, "doc"), properties: json.clone() };
        match kind {
            "array" => Ok(plain(Kind::Array(Box::new(self.schema(child("items")?, space)?)))),
            "map" => Ok(plain(Kind::Map(Box::new(self.schema(child("values")?, space)?)))),
            "record" | "error" | "enum" | "fixed" => {
                let name = text(json, "name").ok_or_else(|| format!("{kind} without a name"))?;
                let own = json.get("namespace").and_then(Value::as_str);
                let name = Name::new(&name, own.or(space));
                let full = name.full();
                if !self.begun.insert(full.clone()) && self.defined.get(&full).is_none_or(|same| same.properties != *json) {
                    return Err(format!("the type {full} is defined twice"));
                }
                let kind = match kind {
                    "enum" => enumeration(json)?,
                    "fixed" => {
                        let size = child("size")?.as_u64().and_then(|size| usize::try_from(size).ok());
                        Kind::Fixed(size.filter(|size| *size <= i32::MAX as usize).ok_or("fixed without a valid size")?)
                    }
                    _ => {
                        let fields = child("fields")?.as_array().ok_or("fields that are no list")?;
                        let space = name.space.as_deref();
                        Kind::Record(fields.iter().map(|field| self.field(field, space)).collect::<Result<_, _>>()?)
                    }
                };
                let schema = Schema { kind, name: Some(name), doc: text(json, "doc"), properties: json.clone() };
                self.defined.insert(full.clone(), Arc::new(schema));
                Ok(Schema { kind: Kind::Named(full), name: None, doc: None, properties: Map::new() })
            }
            name => self.called(name, space, json.clone()),
        }
    }

    fn field(&mut self, json: &Value, space: Option<&str>) -> Result<Field, String> {
        let json = json.as_object().ok_or("a field that is no object")?;
        let name = text(json, "name").filter(|name| !name.is_empty()).ok_or("a field without a name")?;
        let schema = json.get("type").ok_or_else(|| format!("the field {name} has no type"))?;
        let schema = self.schema(schema, space).map_err(|why| format!("the field {name}: {why}"))?;
        Ok(Field { schema, doc: text(json, "doc"), default: json.get("default").cloned(), properties: json.clone(), name })
    }
}

fn enumeration(json: &Map<String, Value>) -> Result<Kind, String> {
    let symbols = json.get("symbols").and_then(Value::as_array).ok_or("enum without symbols")?;
    let symbols = symbols.iter().map(|symbol| symbol.as_str().map(str::to_owned)).collect::<Option<_>>();
    Ok(Kind::Enum { symbols: symbols.ok_or("a symbol that is no text")?, default: text(json, "default") })
}

fn text(json: &Map<String, Value>, key: &str) -> Option<String> {
    json.get(key).and_then(Value::as_str).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_belong_to_the_namespace_around_them() {
        let mut types = Types::default();
        let text = r#"{"type":"record","name":"R","namespace":"com.a-b","fields":[
            {"name":"e","type":{"type":"enum","name":"other.E","symbols":["A"]}},
            {"name":"x","type":["null","other.E","R"]},
            {"name":"f","type":{"type":"fixed","name":"F","size":3,"x":1}},
            {"name":"g","type":{"type":"F"}}]}"#;
        let schema = types.parse(text).expect("a schema");
        assert_eq!(schema.kind, Kind::Named("com.a-b.R".into()));
        assert!(types.get("other.E").is_some());
        assert_eq!(types.get("com.a-b.F").expect("a type").properties["x"], 1);
        let Kind::Record(fields) = &types.get("com.a-b.R").expect("a type").kind else { panic!() };
        assert_eq!(fields[3].schema.kind, Kind::Named("com.a-b.F".into()));
    }

    #[test]
    fn what_is_no_schema_is_refused() {
        for (text, why) in [
            ("{", "EOF"),
            ("7", "7 is no schema"),
            ("\"x.Y\"", "the type x.Y is not defined"),
            (r#"{"type":"array"}"#, "array without items"),
            (r#"{"type":"record","name":"R","fields":[{"name":"a"}]}"#, "the field a has no type"),
            (r#"["null",["int"]]"#, "a union in a union"),
            (r#"{"type":"fixed","name":"F","size":-1}"#, "fixed without a valid size"),
        ] {
            let error = Types::default().parse(text).expect_err(text);
            assert!(error.contains(why), "{text}: {error}");
        }
        assert_eq!(Types::default().parse("string").map(|schema| schema.kind), Ok(Kind::String));
    }
}
