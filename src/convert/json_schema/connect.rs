//! JSON Schema as a Connect schema (`JsonSchemaData.toConnectSchema`, 8.5.0), in the JSON form of Connect schemas.

use landfall_api::RecordError;
use serde_json::{Map, Value, json};

use super::document::{Documents, Kind, Schema};

/// The parameter that marks an enumeration, and begins those that have its symbols.
const ENUM: &str = "io.confluent.connect.json.Enum";
/// The name of a union, and what the names of its fields begin with.
const ONE_OF: &str = "io.confluent.connect.json.OneOf";
/// The same with `generalized.sum.type.support`.
const GENERAL_ENUM: &str = "org.apache.kafka.connect.data.Enum";
const GENERAL_UNION: &str = "org.apache.kafka.connect.data.Union";

/// How many schemas one may consist of once its references are put in their places.
const LIMIT: usize = 100_000;
/// How deep they may nest.
const DEPTH: usize = 200;

/// What the converter's configuration says about schemas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// `use.optional.for.nonrequired`.
    pub(super) optional_if_not_required: bool,
    /// `generalized.sum.type.support`.
    pub(super) general_sums: bool,
    /// `flatten.singleton.unions`.
    pub(super) flatten_single: bool,
}

/// The Connect schema of the root of `documents`. Beside Connect's types there are `json`, a text with any JSON in it, and `symbol`,
/// a text with the JSON of what is no string.
/// `version` is the one that the registry counts.
pub(super) fn connect_schema(documents: &Documents, options: Options, version: Option<i32>) -> Result<Value, RecordError> {
    let root = documents.root().map_err(invalid)?;
    let mut translation = Translation { documents, options, open: Vec::new(), path: Vec::new(), unions: 0, count: 0 };
    translation.find(0, "#")?;
    let mut made = translation.schema(&root, false)?;
    if let (Some(version), None) = (version, made.get("version")) {
        made["version"] = version.into();
    }
    Ok(made)
}

/// The error of a text that is no JSON Schema.
pub(super) fn invalid(reason: impl std::fmt::Display) -> RecordError {
    illegal(format!("Invalid JSON: {reason}"))
}

fn illegal(message: String) -> RecordError {
    RecordError { class: "java.lang.IllegalArgumentException", message }
}

struct Translation<'a> {
    documents: &'a Documents,
    options: Options,
    /// The schemas that references led to and that are being translated.
    open: Vec<&'a Value>,
    /// The fields that lead to the place.
    path: Vec<String>,
    /// The unions so far.
    unions: usize,
    /// The schemas so far.
    count: usize,
}

/// A property of an object, and whether the object requires it.
type Property<'a> = (&'a str, Schema<'a>, bool);

impl<'a> Translation<'a> {
    fn schema(&mut self, schema: &Schema<'a>, optional: bool) -> Result<Value, RecordError> {
        self.count += 1;
        if self.count > LIMIT || self.open.len() + self.path.len() > DEPTH {
            return Err(self.unsupported("a schema that nests too deep or is too large"));
        }
        let keyword = |name: &str| schema.own.and_then(|own| own.get(name)).and_then(Value::as_str);
        let connect_type = keyword("connect.type");
        let mut made = Map::new();
        match &schema.kind {
            Kind::Boolean => set(&mut made, "boolean"),
            Kind::Number { integer } => set(
                &mut made,
                match connect_type {
                    None if *integer => "int64",
                    None | Some("float64") => "double",
                    Some("float32") => "float",
                    Some(of @ ("int8" | "int16" | "int32" | "int64" | "bytes")) => of,
                    Some(other) => return Err(illegal(format!("Unsupported type {other}"))),
                },
            ),
            Kind::String => set(&mut made, if connect_type == Some("bytes") { "bytes" } else { "string" }),
            Kind::Const(value) => self.symbols(std::slice::from_ref(*value), &mut made),
            Kind::Enum(values) => self.symbols(values, &mut made),
            Kind::Empty => {
                set(&mut made, "json");
                made.insert("optional".into(), true.into());
            }
            Kind::Any(schemas) | Kind::All(schemas) if schemas.len() == 1 && self.options.flatten_single => {
                return self.schema(&schemas[0], optional);
            }
            Kind::All(schemas) => return self.all_of(schemas, optional),
            Kind::Any(schemas) => {
                let number = self.unions;
                self.unions += 1;
                let null = |schema: &&Schema<'_>| matches!(schema.kind, Kind::Null);
                if let [a, b] = &schemas[..]
                    && (null(&a) || null(&b))
                {
                    return self.schema(if null(&a) { b } else { a }, true);
                }
                let branches: Vec<_> = schemas.iter().filter(|schema| !null(schema)).collect();
                if branches.len() < schemas.len() {
                    made.insert("optional".into(), true.into());
                }
                self.union(number, &branches, &mut made)?;
            }
            Kind::Array(items) => self.array(schema.document, *items, connect_type, &mut made)?,
            Kind::Object(object) if connect_type == Some("map") => {
                let values = object.get("additionalProperties").filter(|values| values.is_object());
                let values = values.ok_or_else(|| self.unsupported("a map without a schema of its values"))?;
                let values = self.child("value", schema.document, values, false)?;
                set(&mut made, "map");
                made.insert("keys".into(), json!({"type": "string", "optional": false}));
                made.insert("values".into(), values);
            }
            Kind::Object(object) => {
                let properties = self.properties(schema.document, object)?;
                self.fields(properties, &mut made)?;
            }
            Kind::Reference(reference) => {
                let (document, target) = self.find(schema.document, reference)?;
                let target = self.documents.schema(document, target).map_err(invalid)?;
                let made = self.schema(&target, optional);
                self.open.pop();
                return made;
            }
            Kind::Null => return Err(self.unsupported("a schema of nothing but null")),
            Kind::Other(keyword) => return Err(self.unsupported(&format!("the keyword {keyword}"))),
        }
        self.describe(schema.own, &mut made)?;
        if optional {
            made.insert("optional".into(), true.into());
        }
        Ok(Value::Object(made))
    }

    /// What a reference leads to, which is open until it is popped.
    fn find(&mut self, document: usize, reference: &str) -> Result<(usize, &'a Value), RecordError> {
        let (document, target) =
            self.documents.find(document, reference).ok_or_else(|| invalid(format!("could not resolve $ref {reference}")))?;
        if self.open.iter().any(|open| std::ptr::eq(*open, target)) {
            return Err(self.unsupported(&format!("recursion by $ref {reference}")));
        }
        self.open.push(target);
        Ok((document, target))
    }

    fn unsupported(&self, what: &str) -> RecordError {
        let path = if self.path.is_empty() { "the root".to_owned() } else { self.path.join(".") };
        RecordError::data(format!("unsupported JSON Schema at {path}: {what}"))
    }

    fn child(&mut self, name: &str, document: usize, json: &'a Value, optional: bool) -> Result<Value, RecordError> {
        let schema = self.documents.schema(document, json).map_err(invalid)?;
        self.named(name, &schema, optional)
    }

    fn named(&mut self, name: &str, schema: &Schema<'a>, optional: bool) -> Result<Value, RecordError> {
        self.path.push(name.to_owned());
        let made = self.schema(schema, optional);
        self.path.pop();
        made
    }

    /// What title, description, default and the `connect.` keywords add.
    fn describe(&self, own: Option<&Map<String, Value>>, made: &mut Map<String, Value>) -> Result<(), RecordError> {
        let Some(own) = own else { return Ok(()) };
        let mut copy = |from: &str, to: &str| own.get(from).map(|value| made.insert(to.into(), value.clone()));
        copy("connect.version", "version");
        copy("description", "doc");
        copy("default", "default");
        if let Some(title) = own.get("title") {
            made.entry("name").or_insert_with(|| title.clone());
        }
        match own.get("connect.parameters") {
            None | Some(Value::Null) => {}
            Some(Value::Object(given)) => {
                let parameters = made.entry("parameters").or_insert_with(|| json!({}));
                if let Value::Object(parameters) = parameters {
                    parameters.extend(given.clone());
                }
            }
            Some(other) => return Err(self.unsupported(&format!("connect.parameters that are no object: {other}"))),
        }
        Ok(())
    }

    /// An enumeration of `values`.
    fn symbols(&self, values: &[Value], made: &mut Map<String, Value>) {
        let name = if self.options.general_sums { GENERAL_ENUM } else { ENUM };
        let mut parameters = Map::from_iter([(name.to_owned(), "".into())]);
        for (at, value) in values.iter().enumerate() {
            let symbol = match value {
                Value::Null => "<NULL>".to_owned(),
                Value::String(symbol) => symbol.clone(),
                other => other.to_string(),
            };
            let of_symbol = if self.options.general_sums { at.to_string() } else { symbol.clone() };
            parameters.insert(format!("{name}.{symbol}"), of_symbol.into());
        }
        let text = values.iter().any(|value| value.is_string() || value.is_null());
        set(made, if text { "string" } else { "symbol" });
        made.insert("parameters".into(), parameters.into());
    }

    /// A struct with a field for each of `branches`, of which one has a value.
    fn union(&mut self, number: usize, branches: &[&Schema<'a>], made: &mut Map<String, Value>) -> Result<(), RecordError> {
        let general = format!("connect_union_{number}");
        let mut fields = Vec::new();
        for (at, branch) in branches.iter().enumerate() {
            let field =
                if self.options.general_sums { format!("connect_union_field_{at}") } else { format!("{ONE_OF}.field.{at}") };
            let mut schema = self.named(&field, branch, true)?;
            schema["field"] = field.into();
            fields.push(schema);
        }
        set(made, "struct");
        if self.options.general_sums {
            made.insert("parameters".into(), json!({ GENERAL_UNION: general }));
            made.insert("name".into(), general.into());
        } else {
            made.insert("name".into(), ONE_OF.into());
        }
        made.insert("fields".into(), fields.into());
        Ok(())
    }

    fn array(
        &mut self,
        document: usize,
        items: Option<&'a Value>,
        connect_type: Option<&str>,
        made: &mut Map<String, Value>,
    ) -> Result<(), RecordError> {
        let items = items.filter(|items| !items.is_array());
        let items = items.ok_or_else(|| RecordError::data("Array schema did not specify the items type"))?;
        let schema = self.documents.schema(document, items).map_err(invalid)?;
        if connect_type == Some("map")
            && let Kind::Object(entry) = schema.kind
        {
            let part = |name| entry.get("properties").and_then(|properties| properties.get(name));
            let parts = part("key").zip(part("value"));
            let (key, value) = parts.ok_or_else(|| self.unsupported("a map whose items have no key and value"))?;
            set(made, "map");
            made.insert("keys".into(), self.child("key", document, key, false)?);
            made.insert("values".into(), self.child("value", document, value, false)?);
            return Ok(());
        }
        set(made, "array");
        made.insert("items".into(), self.named("items", &schema, false)?);
        Ok(())
    }

    fn properties(&self, document: usize, object: &'a Map<String, Value>) -> Result<Vec<Property<'a>>, RecordError> {
        let required = object.get("required").and_then(Value::as_array);
        let is_required = |name: &str| required.is_some_and(|names| names.iter().any(|required| required == name));
        let property = |(name, json): (&'a String, &'a Value)| {
            let schema = self.documents.schema(document, json).map_err(invalid)?;
            Ok((&**name, schema, is_required(name)))
        };
        object.get("properties").and_then(Value::as_object).into_iter().flatten().map(property).collect()
    }

    /// A struct of `properties`: by their `connect.index`, or where they stand.
    fn fields(&mut self, mut properties: Vec<Property<'a>>, made: &mut Map<String, Value>) -> Result<(), RecordError> {
        let mut places: Vec<_> = properties.drain(..).enumerate().collect();
        places.sort_by_key(|(at, (_, schema, _))| {
            schema.own.and_then(|own| own.get("connect.index")).and_then(Value::as_i64).unwrap_or(*at as i64)
        });
        let mut fields = Vec::with_capacity(places.len());
        for (_, (name, schema, required)) in places {
            let mut field = self.named(name, &schema, self.options.optional_if_not_required && !required)?;
            field["field"] = name.into();
            fields.push(field);
        }
        set(made, "struct");
        made.insert("fields".into(), fields.into());
        Ok(())
    }

    /// What all of `schemas` together are: the struct of all their properties, or the one of them that says most.
    fn all_of(&mut self, schemas: &[Schema<'a>], optional: bool) -> Result<Value, RecordError> {
        let mut properties = Vec::new();
        for schema in schemas {
            self.collect(schema, &mut properties)?;
        }
        if !properties.is_empty() {
            let mut made = Map::new();
            self.fields(properties, &mut made)?;
            if optional {
                made.insert("optional".into(), true.into());
            }
            return Ok(Value::Object(made));
        }
        let last = |is: fn(&Kind<'a>) -> bool| schemas.iter().rev().find(|schema| is(&schema.kind));
        let combined = last(|kind| matches!(kind, Kind::Any(_) | Kind::All(_)));
        let constant = last(|kind| matches!(kind, Kind::Const(_)));
        let symbols = last(|kind| matches!(kind, Kind::Enum(_)));
        let number = last(|kind| matches!(kind, Kind::Number { .. }));
        let text = last(|kind| matches!(kind, Kind::String));
        let chosen = match (combined, constant, symbols, text) {
            (Some(combined), ..) => Some(combined),
            (_, Some(_), ..) => text.or(number),
            (_, _, Some(symbols), Some(_)) => Some(symbols),
            (_, _, Some(_), None) => number,
            (_, _, _, Some(text)) => number.or(Some(text)),
            _ => last(|kind| matches!(kind, Kind::Reference(_))),
        };
        match chosen {
            Some(chosen) => self.schema(chosen, optional),
            None => Err(illegal(self.unsupported("allOf of what has no type in common").message)),
        }
    }

    /// Adds the properties that `schema` gives an object. The last of two with one name counts, where the first stands.
    fn collect(&mut self, schema: &Schema<'a>, properties: &mut Vec<Property<'a>>) -> Result<(), RecordError> {
        match &schema.kind {
            Kind::All(schemas) => schemas.iter().try_for_each(|schema| self.collect(schema, properties)),
            Kind::Object(object) => {
                for property in self.properties(schema.document, object)? {
                    match properties.iter_mut().find(|(name, ..)| *name == property.0) {
                        Some(known) => *known = property,
                        None => properties.push(property),
                    }
                }
                Ok(())
            }
            Kind::Reference(reference) => {
                let (document, target) = self.find(schema.document, reference)?;
                let target = self.documents.schema(document, target).map_err(invalid)?;
                let collected = self.collect(&target, properties);
                self.open.pop();
                collected
            }
            _ => Ok(()),
        }
    }
}

fn set(made: &mut Map<String, Value>, of_type: &str) {
    made.insert("type".into(), of_type.into());
}
