//! Makes columns of Avro schemas, with the Connect schema that `io.confluent.connect.avro.AvroData` (8.x) gives them, and the plan that
//! reads into them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_buffer::{BooleanBufferBuilder, i256};
use arrow_schema::{DataType, Field, TimeUnit};
use landfall_api::RecordError;
use landfall_api::schema::{DATE, DECIMAL, DEFAULT, DOC, LOGICAL, NAME, PARAMETER, TIME, TIMESTAMP, VERSION};
use serde_json::Value;

use super::super::node::{Absent, ITEM, Member, Members, Node, Offsets, Precision, Text, Values, map_type};
use super::default;
use super::read::{Branch, Digits, Op, Plan, Reader, Tag, Unscaled};
use super::schema::{self, Kind, Schema, Types};

/// The namespace of what Confluent's class adds to a schema.
const OWN: &str = "io.confluent.connect.avro";
/// What the name of records without one begins with.
const NO_NAME: &str = "io.confluent.connect.avro.ConnectDefault";
/// The precision that Confluent's class writes for decimals of which it knows none.
const NO_PRECISION: i64 = 64;
/// The digits of a decimal column whose schema does not say how many: all that 128 bits have.
const MAX_PRECISION: u8 = 38;
/// The digits that 256 bits have.
const MAX_PRECISION_256: u8 = 76;
/// The columns that a schema may have: references to types could make any number of them.
const COLUMNS: usize = 50_000;
/// How deep columns may lie in each other.
const DEPTH: usize = 50;

/// What `AvroDataConfig` says of schemas.
#[derive(Clone, Copy, Debug)]
pub(super) struct Options {
    /// `connect.meta.data`.
    pub(super) meta_data: bool,
    /// `enhanced.avro.schema.support`.
    pub(super) enhanced: bool,
    /// `generalized.sum.type.support`.
    pub(super) generalized: bool,
    /// `flatten.singleton.unions`.
    pub(super) flatten: bool,
    /// `discard.type.doc.default`.
    pub(super) discard: bool,
    /// `scrub.invalid.names`.
    pub(super) scrub: bool,
    /// `ignore.default.for.nullables`.
    pub(super) ignore_default: bool,
}

/// A column and how it is read.
#[derive(Debug)]
pub(super) struct Made {
    pub(super) field: Field,
    pub(super) node: Node,
    pub(super) plan: Plan,
}

/// The column called `name` of records whose schema is `schema`, in this `version`. It is nullable whatever the schema says, for
/// tombstones.
///
/// # Errors
/// Why there is none: Java's `DataException`, or a schema that columns cannot have.
pub(super) fn root(
    schema: &Schema,
    types: &Types,
    options: Options,
    name: &str,
    version: Option<i32>,
) -> Result<Made, RecordError> {
    let mut making = Making { types, options, path: Vec::new(), open: Vec::new(), columns: 0, unions: 0 };
    let mut made = making.column(schema, name, Around { version, ..Around::default() })?;
    made.field = made.field.with_nullable(true);
    Ok(made)
}

/// What is around a schema.
#[derive(Clone, Copy, Default)]
struct Around<'a> {
    optional: bool,
    /// The default of the field, and its documentation.
    default: Option<&'a Value>,
    doc: Option<&'a str>,
    version: Option<i32>,
    /// Whether it is the type of a field: only there a default stands for a null.
    field: bool,
}

struct Making<'a> {
    types: &'a Types,
    options: Options,
    path: Vec<String>,
    /// The records around.
    open: Vec<&'a str>,
    columns: usize,
    unions: usize,
}

/// The Connect schema of a column while it is made (`SchemaBuilder`).
#[derive(Default)]
struct Builder {
    name: Option<String>,
    version: Option<i64>,
    metadata: HashMap<String, String>,
}

impl Builder {
    fn logical(name: &str) -> Self {
        Self { name: Some(name.to_owned()), version: Some(1), metadata: HashMap::new() }
    }

    fn parameter(&mut self, key: &str, value: impl Into<String>) {
        self.metadata.insert(format!("{PARAMETER}{key}"), value.into());
    }

    fn get(&self, key: &str) -> Option<&str> {
        self.metadata.get(&format!("{PARAMETER}{key}")).map(String::as_str)
    }
}

impl<'a> Making<'a> {
    fn column(&mut self, schema: &'a Schema, name: &str, around: Around<'_>) -> Result<Made, RecordError> {
        self.columns += 1;
        if self.columns > COLUMNS || self.path.len() > DEPTH {
            return Err(RecordError::data(format!("a schema of more than {COLUMNS} columns, or more than {DEPTH} deep")));
        }
        self.path.push(name.to_owned());
        let made = self.of_schema(schema, name, around);
        self.path.pop();
        made
    }

    /// `schema`, or the type that it names.
    fn resolved(&self, schema: &'a Schema) -> Result<&'a Schema, RecordError> {
        match &schema.kind {
            Kind::Named(name) => {
                let found = self.types.get(name).map(|schema| &**schema);
                found.ok_or_else(|| RecordError::data(format!("the type {name} is not defined")))
            }
            _ => Ok(schema),
        }
    }

    fn of_schema(&mut self, schema: &'a Schema, name: &str, around: Around<'_>) -> Result<Made, RecordError> {
        let schema = self.resolved(schema)?;
        if let Kind::Union(members) = &schema.kind {
            let null = |member: &Schema| member.kind == Kind::Null;
            // One schema that may be null has the place of the union.
            let only = match &members[..] {
                [only] if self.options.flatten => Some((only, Tag::Only, false)),
                [first, second] if null(first) && !null(second) => Some((second, Tag::Nullable(0), true)),
                [first, second] if !null(first) && null(second) => Some((first, Tag::Nullable(1), true)),
                _ => None,
            };
            if let Some((member, tag, optional)) = only {
                let around = Around { optional, default: None, version: None, ..around };
                let mut made = self.of_schema(member, name, around)?;
                made.plan.tag = tag;
                made.plan.least = 1;
                return Ok(made);
            }
        }
        let mut builder = Builder::default();
        let (data_type, values, op, least) = self.of_kind(schema, &mut builder)?;
        self.annotate(schema, around, &mut builder)?;
        let (data_type, values, op) = logical(data_type, values, op, &builder)?;

        let mut plan = Plan { tag: Tag::Absent, op, default: None, least };
        let own = schema.properties.get("connect.default");
        if let Some(default) = around.default.or(own).filter(|default| !default.is_null())
            && let Some(json) = default::connect(schema, default, self.types, &|member, at| self.member_name(member, at))
        {
            builder.metadata.insert(DEFAULT.into(), json.to_string());
            if around.optional && around.field && !self.options.ignore_default {
                let mut bytes = Vec::new();
                let encoded = default::encode(schema, default, self.types, &mut bytes);
                plan.default = encoded.map(|()| bytes.into());
            }
        }
        let nullable =
            around.optional || matches!(&schema.kind, Kind::Union(members) if members.iter().any(|m| m.kind == Kind::Null));
        let Builder { name: connect_name, version, mut metadata } = builder;
        metadata.extend(connect_name.map(|name| (NAME.to_owned(), name)));
        metadata.extend(version.map(|version| (VERSION.to_owned(), version.to_string())));
        let field = Field::new(name, data_type, nullable).with_metadata(metadata);
        let mut node = Node::new(values, Absent::Null, false);
        if let Some(default) = &plan.default {
            let read = plan.op.read(&mut node, &mut Reader::new(default));
            node.truncate(0);
            if read.is_err() {
                plan.default = None;
            }
        }
        Ok(Made { field, node, plan })
    }

    /// The type of a schema, and how it is read; with the bytes that a value has at least.
    fn of_kind(&mut self, schema: &'a Schema, builder: &mut Builder) -> Result<(DataType, Values, Op, usize), RecordError> {
        let logical = schema.properties.get("logicalType").and_then(Value::as_str).unwrap_or_default();
        let is = |name: &str| logical.eq_ignore_ascii_case(name);
        let connect_type = schema.properties.get("connect.type").and_then(Value::as_str);
        Ok(match &schema.kind {
            Kind::Boolean => (DataType::Boolean, Values::Boolean(BooleanBufferBuilder::new(0)), Op::Boolean, 1),
            Kind::Float => (DataType::Float32, Values::Float32(Vec::new()), Op::Float, 4),
            Kind::Double => (DataType::Float64, Values::Float64(Vec::new()), Op::Double, 8),
            Kind::Bytes | Kind::Fixed(_) => {
                if is("decimal") {
                    decimal(schema, builder)?;
                }
                let (op, least) = match schema.kind {
                    Kind::Fixed(size) => {
                        builder.parameter("connect.fixed.size", size.to_string());
                        (Op::Fixed(size), size)
                    }
                    _ => (Op::Bytes, 1),
                };
                (DataType::Binary, Values::Bytes(Text::new()), op, least)
            }
            Kind::Int => {
                match connect_type {
                    _ if is("date") => *builder = Builder::logical(DATE),
                    _ if is("time-millis") => *builder = Builder::logical(TIME),
                    Some("int8") if logical.is_empty() => return Ok((DataType::Int8, Values::Int8(Vec::new()), Op::Int8, 1)),
                    Some("int16") if logical.is_empty() => return Ok((DataType::Int16, Values::Int16(Vec::new()), Op::Int16, 1)),
                    Some(_) if logical.is_empty() => {
                        return Err(RecordError::data("Connect type annotation for Avro int field is null"));
                    }
                    _ => {}
                }
                (DataType::Int32, Values::Int32(Vec::new()), Op::Int32, 1)
            }
            Kind::Long => {
                if is("timestamp-millis") {
                    *builder = Builder::logical(TIMESTAMP);
                }
                (DataType::Int64, Values::Int64(Vec::new()), Op::Int64, 1)
            }
            Kind::String => (DataType::Utf8, Values::String(Text::new()), Op::String, 1),
            Kind::Enum { symbols, default } => {
                self.enumeration(schema, symbols, default.as_deref(), builder);
                let symbols = symbols.iter().map(|symbol| symbol.as_str().into()).collect();
                (DataType::Utf8, Values::String(Text::new()), Op::Enum(symbols), 1)
            }
            Kind::Array(items) => {
                if let Some(entry) = self.map_entry(items)? {
                    return self.entries(entry);
                }
                let Made { field, node, plan } = self.column(items, ITEM, Around::default())?;
                let data_type = DataType::List(Arc::new(field));
                (data_type, Values::List(Offsets::new(), Box::new(node)), Op::List(Box::new(plan)), 1)
            }
            Kind::Map(values) => {
                let Made { field, node, plan } = self.column(values, "value", Around::default())?;
                let data_type = map_type(Field::new("key", DataType::Utf8, false), field);
                let keys = Node::new(Values::String(Text::new()), Absent::Refused, false);
                (data_type, Values::Map(Offsets::new(), Box::new((keys, node))), Op::Map(Box::new(plan)), 1)
            }
            Kind::Record(fields) => self.record(schema, fields, builder)?,
            Kind::Union(members) => self.union(members, builder)?,
            Kind::Null => return Err(RecordError::data("Herder null schemas are not supported by this converter")),
            Kind::Named(name) => return Err(RecordError::data(format!("the type {name} is not defined"))),
        })
    }

    fn enumeration(&self, schema: &Schema, symbols: &[String], default: Option<&str>, builder: &mut Builder) {
        let Some(name) = &schema.name else { return };
        if self.options.meta_data {
            if let Some(doc) = &schema.doc {
                let key =
                    if self.options.discard { "connect.enum.doc".into() } else { format!("{OWN}.enum.doc.{}", name.simple) };
                builder.parameter(&key, doc);
            }
            if let Some(default) = default.filter(|_| !self.options.discard) {
                builder.parameter(&format!("{OWN}.enum.default.{}", name.simple), default);
            }
        }
        let generalized = self.options.generalized;
        let parameter = if generalized { "org.apache.kafka.connect.data.Enum" } else { "io.confluent.connect.avro.Enum" };
        builder.parameter(parameter, name.full());
        for (at, symbol) in symbols.iter().enumerate() {
            builder.parameter(&format!("{parameter}.{symbol}"), if generalized { at.to_string() } else { symbol.clone() });
        }
    }

    /// The record that the items of a list are if the list stands for a map.
    fn map_entry(&self, items: &'a Schema) -> Result<Option<&'a [schema::Field]>, RecordError> {
        let items = self.resolved(items)?;
        let Kind::Record(fields) = &items.kind else { return Ok(None) };
        let named = items.name.as_ref().is_some_and(|name| name.full() == format!("{OWN}.MapEntry"));
        let marked = items.properties.get("connect.internal.type").is_some_and(|kind| kind == "MapEntry");
        if !named && !marked {
            return Ok(None);
        }
        let has = |name: &str| fields.iter().any(|field| field.name == name);
        if fields.len() != 2 || !has("key") || !has("value") {
            let text = "Found map encoded as array of key-value pairs, but array elements do not match the expected format.";
            return Err(RecordError::data(text));
        }
        Ok(Some(fields))
    }

    /// A list of keys and values as a map.
    fn entries(&mut self, fields: &'a [schema::Field]) -> Result<(DataType, Values, Op, usize), RecordError> {
        let key_first = fields[0].name == "key";
        let (key, value) = if key_first { (&fields[0], &fields[1]) } else { (&fields[1], &fields[0]) };
        let mut key = self.column(&key.schema, "key", Around::default())?;
        let value = self.column(&value.schema, "value", Around::default())?;
        // Arrow has no null keys.
        if let Tag::Nullable(null) = key.plan.tag {
            key.plan.tag = Tag::NoNull(null);
        }
        let data_type = map_type(key.field.with_nullable(false), value.field);
        let values = Values::Map(Offsets::new(), Box::new((key.node, value.node)));
        let (key, value) = (Box::new(key.plan), Box::new(value.plan));
        Ok((data_type, values, Op::Entries { key_first, key, value }, 1))
    }

    fn record(
        &mut self,
        schema: &'a Schema,
        fields: &'a [schema::Field],
        builder: &mut Builder,
    ) -> Result<(DataType, Values, Op, usize), RecordError> {
        let full = schema.name.as_ref().map(schema::Name::full).unwrap_or_default();
        if self.open.iter().any(|open| *open == full) {
            let message =
                format!("the schema is recursive: {} is a {full} in itself, which no column can be", self.path.join("."));
            return Err(RecordError::data(message));
        }
        let documented = self.options.meta_data && !self.options.discard;
        if let Some(doc) = schema.doc.as_ref().filter(|_| documented) {
            builder.parameter(&format!("{OWN}.record.doc"), doc);
        }
        let key = self.types.key(&full).unwrap_or_default();
        self.open.push(key);
        let (mut columns, mut members, mut plans, mut names) = (Vec::new(), Members::default(), Vec::new(), HashSet::new());
        for field in fields {
            if !names.insert(&*field.name) {
                return Err(RecordError::data(format!("Duplicate field {} in record {full}", field.name)));
            }
            if let Some(doc) = field.doc.as_ref().filter(|_| documented) {
                builder.parameter(&format!("{OWN}.field.doc.{}", field.name), doc);
            }
            let around = Around { default: field.default.as_ref(), doc: field.doc.as_deref(), field: true, ..Around::default() };
            let mut made = self.column(&field.schema, &field.name, around)?;
            if let Some(Value::Object(parameters)) = field.properties.get("connect.parameters").filter(|_| self.options.meta_data)
            {
                let mut metadata = made.field.metadata().clone();
                metadata.extend(parameters.iter().map(|(key, value)| (format!("{PARAMETER}{key}"), plain(value))));
                made.field = made.field.with_metadata(metadata);
            }
            columns.push(made.field);
            members.list.push(Member::new(&field.name, made.node));
            plans.push(made.plan);
        }
        self.open.pop();
        members.arrange((0..members.list.len()).collect());
        let least = plans.iter().map(|plan| plan.least).sum();
        Ok((DataType::Struct(columns.into()), Values::Struct(members), Op::Struct(plans), least))
    }

    /// A struct with a field for each branch, of which one has a value.
    fn union(&mut self, branches: &'a [Schema], builder: &mut Builder) -> Result<(DataType, Values, Op, usize), RecordError> {
        if self.options.generalized {
            let name = format!("connect_union_{}", self.unions);
            self.unions += 1;
            builder.parameter("org.apache.kafka.connect.data.Union", name.clone());
            builder.name = Some(name);
        } else {
            builder.name = Some(format!("{OWN}.Union"));
        }
        let (mut columns, mut members, mut plans, mut names) = (Vec::new(), Members::default(), Vec::new(), HashSet::new());
        for (at, branch) in branches.iter().enumerate() {
            if branch.kind == Kind::Null {
                plans.push(Branch::Null);
                continue;
            }
            let name = self.member_name(self.resolved(branch)?, at);
            if !names.insert(name.clone()) {
                return Err(RecordError::data("Multiple union schemas map to the Connect union field name"));
            }
            let made = self.column(branch, &name, Around { optional: true, ..Around::default() })?;
            columns.push(made.field);
            plans.push(Branch::Field(members.list.len(), made.plan));
            members.list.push(Member::new(&name, made.node));
        }
        members.arrange((0..members.list.len()).collect());
        Ok((DataType::Struct(columns.into()), Values::Struct(members), Op::Union(plans), 1))
    }

    /// What the field of a union is called that has the values of this branch.
    fn member_name(&self, branch: &Schema, at: usize) -> String {
        match &branch.name {
            _ if self.options.generalized => format!("connect_union_field_{at}"),
            Some(name) if self.options.enhanced => name.full(),
            Some(name) if self.options.scrub => scrubbed(&name.simple),
            Some(name) => name.simple.clone(),
            None => match branch.kind {
                Kind::Null => "null",
                Kind::Boolean => "boolean",
                Kind::Int => "int",
                Kind::Long => "long",
                Kind::Float => "float",
                Kind::Double => "double",
                Kind::Bytes | Kind::Fixed(_) => "bytes",
                Kind::String | Kind::Enum { .. } => "string",
                Kind::Array(_) => "array",
                Kind::Map(_) => "map",
                Kind::Record(_) | Kind::Union(_) | Kind::Named(_) => "record",
            }
            .to_owned(),
        }
    }

    /// What the properties of a schema say of it.
    fn annotate(&self, schema: &Schema, around: Around<'_>, builder: &mut Builder) -> Result<(), RecordError> {
        let Options { meta_data, discard, .. } = self.options;
        let property = |key: &str| schema.properties.get(key);
        let own_doc = property("connect.doc").and_then(Value::as_str);
        let doc = if discard { around.doc.or(schema.doc.as_deref()).or(own_doc) } else { own_doc.filter(|_| meta_data) };
        builder.metadata.extend(doc.map(|doc| (DOC.to_owned(), doc.to_owned())));
        if let Some(doc) = schema.doc.as_ref().filter(|_| discard && meta_data) {
            builder.parameter("connect.record.doc", doc);
        }

        let version = match property("connect.version") {
            None => around.version.map(i64::from),
            Some(version) => {
                let number = version.as_f64().map(|version| version as i64);
                Some(number.ok_or_else(|| RecordError::data(format!("Invalid Connect version found: {}", plain(version))))?)
            }
        };
        match (version.filter(|version| *version >= 0), builder.version) {
            (Some(version), Some(already)) if version != already => {
                return Err(RecordError::data(format!(
                    "Mismatched versions: version already added to SchemaBuilder ({already}) differs from version in source schema ({version})"
                )));
            }
            (Some(version), _) => builder.version = Some(version),
            (None, _) => {}
        }

        if let Some(parameters) = property("connect.parameters").filter(|_| meta_data) {
            let no_object =
                || RecordError::data(format!("Expected JSON object for schema parameters but found: {}", plain(parameters)));
            for (key, value) in parameters.as_object().ok_or_else(no_object)? {
                let no_text = || format!("Expected schema parameter values to be strings but found: {}", plain(value));
                builder.parameter(key, value.as_str().ok_or_else(|| RecordError::data(no_text()))?);
            }
        }
        for (key, value) in schema.properties.iter().filter(|(key, _)| key.starts_with("avro")) {
            builder.parameter(key, plain(value));
        }
        if around.default.is_some() && property("connect.default").is_none() && meta_data && !discard {
            builder.parameter(&format!("{OWN}.field.default"), "true");
        }
        if let Some(logical) = property("logicalType").and_then(Value::as_str).filter(|logical| dropped(&schema.kind, logical)) {
            builder.metadata.insert(LOGICAL.to_owned(), logical.to_owned());
        }

        let name = match property("connect.name") {
            Some(Value::String(name)) => Some(name.clone()),
            Some(other) => return Err(RecordError::data(format!("Invalid schema name: {}", plain(other)))),
            None if matches!(schema.kind, Kind::Fixed(_)) && builder.name.as_deref() == Some(DECIMAL) => None,
            None => schema.name.as_ref().map(schema::Name::full),
        };
        match (name.filter(|name| !name.starts_with(NO_NAME)), &builder.name) {
            (Some(name), Some(already)) if name != *already => Err(RecordError::data(format!(
                "Mismatched names: name already added to SchemaBuilder ({already}) differs from name in source schema ({name})"
            ))),
            (Some(name), _) => {
                builder.name = Some(name);
                Ok(())
            }
            (None, _) => Ok(()),
        }
    }
}

/// A JSON value as Java prints it: texts without quotes.
fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// Whether Connect has no type for what Avro's specification calls `logical`.
fn dropped(kind: &Kind, logical: &str) -> bool {
    match kind {
        Kind::Long => matches!(
            logical,
            "time-micros"
                | "timestamp-micros"
                | "timestamp-nanos"
                | "local-timestamp-millis"
                | "local-timestamp-micros"
                | "local-timestamp-nanos"
        ),
        Kind::String => logical == "uuid",
        Kind::Fixed(size) => matches!((logical, size), ("uuid", 16) | ("duration", 12)),
        _ => false,
    }
}

/// Avro's decimal as Connect's.
fn decimal(schema: &Schema, builder: &mut Builder) -> Result<(), RecordError> {
    *builder = Builder::logical(DECIMAL);
    let number = |key: &str| schema.properties.get(key).and_then(Value::as_i64);
    builder.parameter("scale", number("scale").unwrap_or(0).to_string());
    if let Some(given) = schema.properties.get("precision").filter(|given| !given.is_null()) {
        let text = "precision property must be a JSON Integer. https://avro.apache.org/docs/1.9.1/spec.html#Decimal";
        let precision = given.as_i64().ok_or_else(|| RecordError::data(text))?;
        if precision != NO_PRECISION {
            builder.parameter("connect.decimal.precision", precision.to_string());
        }
    }
    Ok(())
}

/// The type that Connect's own name of a schema makes of it.
fn logical(data_type: DataType, values: Values, op: Op, builder: &Builder) -> Result<(DataType, Values, Op), RecordError> {
    let fixed = |op: &Op| if let Op::Fixed(size) = op { Unscaled::Fixed(*size) } else { Unscaled::Bytes };
    Ok(match (builder.name.as_deref(), &data_type) {
        (Some(DATE), DataType::Int32) => (DataType::Date32, Values::Date(Vec::new()), Op::Date),
        (Some(TIME), DataType::Int32) => (DataType::Time32(TimeUnit::Millisecond), Values::Time(Vec::new()), Op::Time),
        (Some(TIMESTAMP), DataType::Int64) => {
            let data_type = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
            (data_type, Values::Timestamp(Vec::new()), Op::Timestamp)
        }
        (Some(DECIMAL), DataType::Binary) => {
            let scale = builder.get("scale");
            let scale = scale.ok_or_else(|| RecordError::data("Invalid Decimal schema: scale parameter not found."))?;
            let limit = i32::from(MAX_PRECISION_256);
            let parsed = scale.parse().ok().filter(|scale: &i32| (-limit..=limit).contains(scale));
            let scale =
                parsed.ok_or_else(|| RecordError::data(format!("Invalid scale parameter found in Decimal schema: {scale}")))?;
            let most = if scale.unsigned_abs() > u32::from(MAX_PRECISION) { MAX_PRECISION_256 } else { MAX_PRECISION };
            let precision = builder.get("connect.decimal.precision").and_then(|precision| precision.parse::<i64>().ok());
            let precision =
                precision.filter(|precision| *precision > 0).map_or(most, |p| p.min(i64::from(MAX_PRECISION_256)) as u8);
            let precision = precision.max(scale.unsigned_abs() as u8);
            let (column_scale, times) = (scale.max(0) as i8, (-scale).max(0) as u32); // at most 76
            if precision <= MAX_PRECISION {
                let digits = Digits { limit: 10_i128.pow(precision.into()), times: 10_i128.pow(times) };
                let values = Values::Decimal(Vec::new(), Precision { precision, scale });
                (DataType::Decimal128(precision, column_scale), values, Op::Decimal(fixed(&op), digits))
            } else {
                let ten = i256::from_i128(10);
                let digits = Digits { limit: ten.wrapping_pow(precision.into()), times: ten.wrapping_pow(times) };
                (
                    DataType::Decimal256(precision, column_scale),
                    Values::Decimal256(Vec::new()),
                    Op::Decimal256(fixed(&op), digits),
                )
            }
        }
        _ => (data_type, values, op),
    })
}

/// `name` with only letters, digits and underscores (`AvroData.doScrubName`).
fn scrubbed(name: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    if name.bytes().all(plain) && !name.starts_with(|c: char| c.is_ascii_digit()) {
        return name.to_owned();
    }
    let mut scrubbed = String::new();
    for byte in name.bytes() {
        match byte {
            _ if plain(byte) => scrubbed.push(char::from(byte)),
            // Java's URL encoding leaves these as one character.
            b' ' | b'-' | b'.' | b'*' => scrubbed.push('_'),
            _ => scrubbed.push_str(&format!("_{byte:02X}")),
        }
    }
    if scrubbed.starts_with(|c: char| c.is_ascii_digit()) { format!("x{scrubbed}") } else { scrubbed }
}
