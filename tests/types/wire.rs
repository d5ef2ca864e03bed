//! The random schemas and rows in the wire formats whose schemas are in a registry: from a Connect schema in `JsonConverter`'s form the
//! schema of the format, and from a payload under it the bytes that the format's own library writes.
//!
//! Where a format has several ways to say the same, the text of the schema decides.

use std::fmt::Write as _;

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::schema::{DATE, DECIMAL, TIME, TIMESTAMP};
use protox::Compiler;
use protox::file::{ChainFileResolver, File, FileResolver, GoogleFileResolver};
use protox::prost_reflect::prost::Message as _;
use protox::prost_reflect::{DynamicMessage, FieldDescriptor, Kind, MessageDescriptor, Value as Proto};
use serde_json::{Value, json};

use super::random::{PROTOBUFS, Range, SCALARS, SYMBOLS, Scalar, Spec, number_of, plain};

/// Debezium's names of what formats have types for.
const ENUM: &str = "io.debezium.data.Enum";
const VARIABLE: &str = "io.debezium.data.VariableScaleDecimal";

/// A wire format.
#[derive(Clone, Copy, Debug)]
pub(super) enum Format {
    Avro,
    Protobuf,
    /// With wrappers around scalars that may be null, not the keyword `optional`.
    ProtobufWrapped,
    JsonSchema,
}

impl Format {
    pub(super) const ALL: [Self; 4] = [Self::Avro, Self::Protobuf, Self::ProtobufWrapped, Self::JsonSchema];

    /// How a registry calls it, its converter, and what that is told.
    pub(super) fn converter(self) -> (&'static str, &'static str, &'static [(&'static str, &'static str)]) {
        match self {
            Self::Avro => ("AVRO", "AvroConverter", &[]),
            Self::Protobuf => ("PROTOBUF", "ProtobufConverter", &[("optional.for.nullables", "true")]),
            Self::ProtobufWrapped => ("PROTOBUF", "ProtobufConverter", &[("wrapper.for.nullables", "true")]),
            Self::JsonSchema => ("JSON", "JsonSchemaConverter", &[("use.optional.for.nonrequired", "true")]),
        }
    }

    /// The types that it can say.
    pub(super) fn scalars(self) -> &'static [Scalar] {
        match self {
            Self::Avro | Self::JsonSchema => &SCALARS,
            Self::Protobuf | Self::ProtobufWrapped => &PROTOBUFS,
        }
    }

    /// What of `spec` it can say.
    pub(super) fn fitted(self, spec: Spec) -> Spec {
        match self {
            Self::Avro => spec.with_words_as_names(),
            Self::Protobuf | Self::ProtobufWrapped => spec.with_words_as_names().without_nulls_in_lists(),
            Self::JsonSchema => spec,
        }
    }

    /// What of `range` it can say: a `google.protobuf.Timestamp` ends with the year 9999.
    pub(super) fn range(self, range: Range) -> Range {
        if matches!(self, Self::Protobuf | Self::ProtobufWrapped) { Range::Usual } else { range }
    }

    /// The text of a Connect schema, and the payloads of records in it, without the number of the schema.
    pub(super) fn written(self, schema: &Value, payloads: &[&Value]) -> (String, Vec<Vec<u8>>) {
        match self {
            Self::Avro => {
                let of = |maps| AvroText { maps, records: 0, variable: false }.of(schema);
                let by = Schema::parse(&of(false)).unwrap_or_else(|error| panic!("{schema}: {error}"));
                let writer = GenericDatumWriter::builder(&by).build().expect("a writer");
                let record = |json: &&Value| writer.write_value_to_vec(avro(&by, json)).unwrap_or_else(|e| panic!("{by:?}: {e}"));
                (of(true).to_string(), payloads.iter().map(record).collect())
            }
            Self::Protobuf | Self::ProtobufWrapped => {
                let of = |registered| ProtobufText { wrapped: matches!(self, Self::ProtobufWrapped), registered }.file(schema);
                let by = compiled(&of(false));
                let record = |json: &&Value| [vec![0], message(&by, schema, json).encode_to_vec()].concat();
                (of(true), payloads.iter().map(record).collect())
            }
            Self::JsonSchema => {
                let record = |json: &&Value| json_text(schema, json).into_bytes();
                (json_schema(schema).to_string(), payloads.iter().map(record).collect())
            }
        }
    }
}

/// A choice among `ways` that is the same for a schema and for its values.
fn choice(schema: &Value, ways: usize) -> usize {
    schema.to_string().len() % ways
}

fn text<'a>(schema: &'a Value, key: &str) -> &'a str {
    schema[key].as_str().unwrap_or_default()
}

fn optional(schema: &Value) -> bool {
    schema["optional"] == true
}

fn fields(schema: &Value) -> &[Value] {
    schema["fields"].as_array().map_or(&[], Vec::as_slice)
}

fn parameter(schema: &Value, key: &str) -> i32 {
    text(&schema["parameters"], key).parse().expect("a number")
}

fn scale(schema: &Value) -> i32 {
    parameter(schema, "scale")
}

fn integer(json: &Value) -> i64 {
    json.as_i64().unwrap_or_else(|| panic!("{json}"))
}

fn float(json: &Value) -> f64 {
    json.as_f64().unwrap_or_else(|| json.as_str().expect("a name").parse().expect("a float"))
}

fn string(json: &Value) -> String {
    json.as_str().unwrap_or_else(|| panic!("{json}")).to_owned()
}

fn bytes(json: &Value) -> Vec<u8> {
    STANDARD.decode(string(json)).expect("base64")
}

/// The entries of a map, whose keys may be text.
fn entries(json: &Value) -> Vec<(Value, &Value)> {
    match json {
        Value::Object(entries) => entries.iter().map(|(key, value)| (key.as_str().into(), value)).collect(),
        pairs => pairs.as_array().into_iter().flatten().map(|pair| (pair[0].clone(), &pair[1])).collect(),
    }
}

/// Writes Avro schemas.
struct AvroText {
    /// Whether maps are such: if not they are lists of records, which have the same bytes and an order.
    maps: bool,
    /// The types so far.
    records: usize,
    /// Whether there was a decimal of variable scale: a type is defined once.
    variable: bool,
}

impl AvroText {
    fn of(&mut self, schema: &Value) -> Value {
        let (name, way) = (text(schema, "name"), choice(schema, 2));
        let logical = |base: &str, name: &str| json!({"type": base, "logicalType": name});
        let mut named = !name.is_empty();
        let mut unnamed = |made: Value| {
            named = false;
            made
        };
        let mut made = match (text(schema, "type"), name) {
            (_, DECIMAL) => {
                let (precision, scale) = (parameter(schema, "connect.decimal.precision"), scale(schema));
                let decimal = json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale});
                let mut decimal = unnamed(decimal);
                if way == 1 && scale >= 0 {
                    decimal["type"] = "fixed".into();
                    decimal["size"] = 16.into();
                    decimal["name"] = self.name().into();
                }
                decimal
            }
            (_, DATE) => unnamed(logical("int", "date")),
            (_, TIME) => unnamed(logical("int", "time-millis")),
            (_, TIMESTAMP) => unnamed(logical("long", "timestamp-millis")),
            (_, "io.debezium.time.Timestamp") if way == 1 => unnamed(logical("long", "local-timestamp-millis")),
            (_, "io.debezium.time.MicroTimestamp") if way == 1 => unnamed(logical("long", "local-timestamp-micros")),
            (_, "io.debezium.time.NanoTimestamp") if way == 1 => unnamed(logical("long", "local-timestamp-nanos")),
            (_, "io.debezium.time.MicroTime") if way == 1 => unnamed(logical("long", "time-micros")),
            (_, ENUM) if way == 1 => unnamed(json!({"type": "enum", "name": self.name(), "symbols": SYMBOLS})),
            (kind @ ("int8" | "int16"), _) => json!({"type": "int", "connect.type": kind}),
            ("int32", _) => json!({"type": "int"}),
            ("int64", _) => json!({"type": "long"}),
            ("array", _) => json!({"type": "array", "items": self.of(&schema["items"])}),
            ("map", _) if self.maps && schema["keys"]["type"] == "string" => {
                json!({"type": "map", "values": self.of(&schema["values"])})
            }
            ("map", _) => {
                let (key, value) = (self.of(&schema["keys"]), self.of(&schema["values"]));
                let entry = json!({"type": "record", "name": self.name(), "connect.internal.type": "MapEntry", "fields": [
                    {"name": "key", "type": key}, {"name": "value", "type": value},
                ]});
                json!({"type": "array", "items": entry})
            }
            ("struct", VARIABLE) if self.variable => unnamed(VARIABLE.into()),
            ("struct", _) => {
                self.variable |= name == VARIABLE;
                let own = if named { name.to_owned() } else { self.name() };
                let field = |field: &Value| json!({"name": field["field"], "type": self.of(field)});
                let fields: Vec<_> = fields(schema).iter().map(field).collect();
                json!({"type": "record", "name": own, "fields": fields})
            }
            (kind, _) => json!({"type": kind}),
        };
        if named {
            made["connect.name"] = name.into();
            made["connect.version"] = 1.into();
        }
        match (optional(schema), way) {
            (true, 0) => json!(["null", made]),
            (true, _) => json!([made, "null"]),
            (false, _) => made,
        }
    }

    fn name(&mut self) -> String {
        self.records += 1;
        format!("land.fall.R{}", self.records)
    }
}

/// A payload as a value of an Avro schema.
fn avro(schema: &Schema, json: &Value) -> Avro {
    let narrow = |json| i32::try_from(integer(json)).expect("32 bits");
    match schema {
        Schema::Union(of) => {
            let at = of.variants().iter().position(|member| (*member == Schema::Null) == json.is_null()).expect("a branch");
            Avro::Union(at as u32, avro(&of.variants()[at], json).into())
        }
        Schema::Null => Avro::Null,
        Schema::Boolean => Avro::Boolean(json.as_bool().expect("a boolean")),
        Schema::Int => Avro::Int(narrow(json)),
        Schema::Long => Avro::Long(integer(json)),
        Schema::Float => Avro::Float(float(json) as f32),
        Schema::Double => Avro::Double(float(json)),
        Schema::Bytes => Avro::Bytes(bytes(json)),
        Schema::String => Avro::String(string(json)),
        Schema::Decimal(_) => Avro::Decimal(bytes(json).into()),
        Schema::Date => Avro::Date(narrow(json)),
        Schema::TimeMillis => Avro::TimeMillis(narrow(json)),
        Schema::TimeMicros => Avro::TimeMicros(integer(json)),
        Schema::TimestampMillis => Avro::TimestampMillis(integer(json)),
        Schema::LocalTimestampMillis => Avro::LocalTimestampMillis(integer(json)),
        Schema::LocalTimestampMicros => Avro::LocalTimestampMicros(integer(json)),
        Schema::LocalTimestampNanos => Avro::LocalTimestampNanos(integer(json)),
        Schema::Enum(of) => {
            let at = of.symbols.iter().position(|symbol| json == symbol).expect("a symbol");
            Avro::Enum(at as u32, string(json))
        }
        Schema::Array(of) => match (&*of.items, json) {
            (Schema::Record(entry), json) if entry.attributes.contains_key("connect.internal.type") => {
                let [key, value] = &entry.fields[..] else { panic!("{entry:?}") };
                let pair = |(k, v): (Value, &Value)| {
                    Avro::Record(vec![("key".into(), avro(&key.schema, &k)), ("value".into(), avro(&value.schema, v))])
                };
                Avro::Array(entries(json).into_iter().map(pair).collect())
            }
            (item, json) => Avro::Array(json.as_array().expect("a list").iter().map(|json| avro(item, json)).collect()),
        },
        Schema::Record(of) => {
            Avro::Record(of.fields.iter().map(|field| (field.name.clone(), avro(&field.schema, &json[&field.name]))).collect())
        }
        Schema::Ref { .. } => Avro::Record(vec![
            ("scale".into(), Avro::Int(narrow(&json["scale"]))),
            ("value".into(), Avro::Bytes(bytes(&json["value"]))),
        ]),
        other => panic!("{other:?}"),
    }
}

/// Writes Protobuf schemas.
#[derive(Clone, Copy)]
struct ProtobufText {
    wrapped: bool,
    /// Whether it is the one for the registry. The other has messages in place of maps, which have the same bytes and an order, and
    /// messages of its own for Confluent's and Google's.
    registered: bool,
}

impl ProtobufText {
    fn file(self, schema: &Value) -> String {
        let (imports, own): (&[&str], &str) = if self.registered {
            (&["google/type/date", "google/type/timeofday", "confluent/type/decimal", "confluent/meta"], "")
        } else {
            let own = "message Date { int32 year = 1; int32 month = 2; int32 day = 3; }
                message TimeOfDay { int32 hours = 1; int32 minutes = 2; int32 seconds = 3; int32 nanos = 4; }
                message Decimal { bytes value = 1; uint32 precision = 2; int32 scale = 3; }
                message FloatValue { optional float value = 1; }
                message DoubleValue { optional double value = 1; }";
            (&[], own)
        };
        let imports = imports.iter().chain(&["google/protobuf/timestamp", "google/protobuf/wrappers"]);
        let imports: String = imports.map(|import| format!("import \"{import}.proto\"; ")).collect();
        let symbols: String = SYMBOLS.iter().enumerate().map(|(at, symbol)| format!("{symbol} = {at}; ")).collect();
        // The first message is that of the records.
        format!("syntax = \"proto3\"; {imports} {} enum Symbol {{ {symbols} }} {own}", self.message("Root", schema))
    }

    fn message(self, name: &str, schema: &Value) -> String {
        let mut body = String::new();
        for (at, field) in fields(schema).iter().enumerate() {
            let (name, number) = (text(field, "field"), 1 + 9 * at);
            let (part, label) = match text(field, "type") {
                "array" => (&field["items"], "repeated"),
                "map" => (&field["values"], "repeated"),
                _ => (field, ""),
            };
            let (mut kind, own) = self.kind(part);
            if text(part, "type") == "struct" {
                kind = format!("M{at}");
                body += &self.message(&kind, part);
            }
            let label = if !label.is_empty() || !optional(field) || own || kind.starts_with('M') {
                label
            } else if self.wrapped && kind != "Symbol" {
                kind = self.wrapper(text(field, "type"));
                ""
            } else {
                "optional"
            };
            // Readers take lists of numbers in either form, whatever the schema says.
            let number_like = !own && !kind.starts_with('M') && !matches!(&*kind, "string" | "bytes");
            let apart = !self.registered && text(field, "type") == "array" && number_like && choice(field, 2) == 0;
            // prost leaves out -0.0 too where it leaves out nought; Google's libraries do not.
            let explicit = if !self.registered && matches!(&*kind, "float" | "double") { "optional" } else { "" };
            let label = if label.is_empty() { explicit } else { label };
            let key = if field["keys"]["type"] == "string" { "string" } else { "sint32" };
            let _ = match (text(field, "type"), self.registered) {
                ("map", true) => write!(body, "map<{key}, {kind}> {name} = {number}; "),
                ("map", false) => {
                    write!(
                        body,
                        "message E{at} {{ {key} key = 1; {explicit} {kind} value = 2; }} repeated E{at} {name} = {number}; "
                    )
                }
                _ => write!(
                    body,
                    "{label} {kind} {name} = {number}{}; ",
                    if apart { " [packed = false]".to_owned() } else { self.options(part) }
                ),
            };
        }
        format!("message {name} {{ {body} }} ")
    }

    /// The type of what is not nested, and whether it is a message.
    fn kind(self, schema: &Value) -> (String, bool) {
        let of = |kinds: &[&'static str]| kinds[choice(schema, kinds.len())];
        let message = |package: &str, name: &str| if self.registered { format!("{package}.{name}") } else { name.to_owned() };
        let own = match text(schema, "name") {
            DECIMAL => message("confluent.type", "Decimal"),
            DATE => message("google.type", "Date"),
            TIME => message("google.type", "TimeOfDay"),
            TIMESTAMP => "google.protobuf.Timestamp".to_owned(),
            ENUM => return ("Symbol".to_owned(), false),
            _ => String::new(),
        };
        if !own.is_empty() {
            return (own, true);
        }
        let kind = match text(schema, "type") {
            "int8" | "int16" | "int32" => of(&["int32", "sint32", "sfixed32"]),
            "int64" => of(&["int64", "sint64", "sfixed64", "uint64", "fixed64"]),
            "boolean" => "bool",
            kind => kind,
        };
        (kind.to_owned(), false)
    }

    /// What the registered schema says besides.
    fn options(self, schema: &Value) -> String {
        let parameters = match text(schema, "type") {
            _ if !self.registered => return String::new(),
            "int8" | "int16" => vec![("connect.type", text(schema, "type").to_owned())],
            "bytes" if text(schema, "name") == DECIMAL => vec![
                ("precision", parameter(schema, "connect.decimal.precision").to_string()),
                ("scale", scale(schema).to_string()),
            ],
            _ => return String::new(),
        };
        let parameters: Vec<_> = parameters.iter().map(|(k, v)| format!("{{key: \"{k}\", value: \"{v}\"}}")).collect();
        format!(" [(confluent.field_meta) = {{ params: [{}] }}]", parameters.join(", "))
    }

    /// The message around a scalar of this Connect type.
    fn wrapper(self, kind: &str) -> String {
        let name = match kind {
            "int8" | "int16" | "int32" => "Int32",
            "int64" => "Int64",
            "float" => "Float",
            "double" => "Double",
            "boolean" => "Bool",
            "string" => "String",
            "bytes" => "Bytes",
            other => panic!("{other}"),
        };
        let package = if !self.registered && matches!(name, "Float" | "Double") { "" } else { "google.protobuf." };
        format!("{package}{name}Value")
    }
}

/// The first message of a file.
fn compiled(text: &str) -> MessageDescriptor {
    struct Given(String);
    impl FileResolver for Given {
        fn open_file(&self, name: &str) -> Result<File, protox::Error> {
            File::from_source(name, &self.0)
        }
    }
    let mut resolver = ChainFileResolver::new();
    resolver.add(GoogleFileResolver::new());
    resolver.add(Given(text.to_owned()));
    let mut compiler = Compiler::with_file_resolver(resolver);
    compiler.open_file("schema.proto").unwrap_or_else(|error| panic!("{text}: {error}"));
    compiler.descriptor_pool().get_message_by_name("Root").expect("a message")
}

/// A payload as a message.
fn message(of: &MessageDescriptor, schema: &Value, json: &Value) -> DynamicMessage {
    const DAY: i64 = 86_400_000;
    let mut made = DynamicMessage::new(of.clone());
    let mut integers = |parts: &[(&str, i64)]| {
        for (name, value) in parts {
            let wide = of.get_field_by_name(name).expect("a field").kind() == Kind::Int64;
            made.set_field_by_name(name, if wide { Proto::I64(*value) } else { Proto::I32(*value as i32) });
        }
    };
    match of.full_name() {
        "google.protobuf.Timestamp" => {
            let millis = integer(json);
            integers(&[("seconds", millis.div_euclid(1000)), ("nanos", millis.rem_euclid(1000) * 1_000_000)]);
        }
        "Date" => {
            let (year, month, day) = civil(integer(json));
            integers(&[("year", year), ("month", month), ("day", day)]);
        }
        "TimeOfDay" => {
            let millis = integer(json) % DAY;
            let (seconds, nanos) = (millis / 1000, millis % 1000 * 1_000_000);
            let (hours, minutes) = (seconds / 3600, seconds / 60 % 60);
            integers(&[("hours", hours), ("minutes", minutes), ("seconds", seconds % 60), ("nanos", nanos)]);
        }
        "Decimal" => {
            integers(&[("scale", scale(schema).into())]);
            made.set_field_by_name("precision", Proto::U32(parameter(schema, "connect.decimal.precision") as u32));
            made.set_field_by_name("value", Proto::Bytes(bytes(json).into()));
        }
        name if name.ends_with("Value") => {
            let value = of.get_field_by_name("value").expect("a wrapper");
            made.set_field(&value, proto(&value, schema, json));
        }
        _ => {
            for part in fields(schema) {
                let field = of.get_field_by_name(text(part, "field")).expect("a field");
                let json = &json[text(part, "field")];
                match text(part, "type") {
                    _ if json.is_null() => {}
                    "array" => {
                        let items = json.as_array().expect("a list").iter();
                        made.set_field(&field, Proto::List(items.map(|json| proto(&field, &part["items"], json)).collect()));
                    }
                    "map" => {
                        let Kind::Message(entry) = field.kind() else { panic!("{field:?}") };
                        let (key, value) = (entry.get_field(1).expect("a key"), entry.get_field(2).expect("a value"));
                        let pair = |(k, v): (Value, &Value)| {
                            let mut pair = DynamicMessage::new(entry.clone());
                            pair.set_field(&key, proto(&key, &part["keys"], &k));
                            pair.set_field(&value, proto(&value, &part["values"], v));
                            Proto::Message(pair)
                        };
                        made.set_field(&field, Proto::List(entries(json).into_iter().map(pair).collect()));
                    }
                    _ => made.set_field(&field, proto(&field, part, json)),
                }
            }
        }
    }
    made
}

/// A payload as a value of a field, or one of its values.
fn proto(field: &FieldDescriptor, schema: &Value, json: &Value) -> Proto {
    match field.kind() {
        Kind::Message(of) => Proto::Message(message(&of, schema, json)),
        Kind::Enum(of) => Proto::EnumNumber(of.get_value_by_name(&string(json)).expect("a symbol").number()),
        Kind::Bool => Proto::Bool(json == true),
        Kind::Float => Proto::F32(float(json) as f32),
        Kind::Double => Proto::F64(float(json)),
        Kind::String => Proto::String(string(json)),
        Kind::Bytes => Proto::Bytes(bytes(json).into()),
        Kind::Uint64 | Kind::Fixed64 => Proto::U64(integer(json) as u64),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Proto::I64(integer(json)),
        _ => Proto::I32(integer(json) as i32),
    }
}

/// Year, month and day of a day since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let leap = |year: i64| year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let (mut year, mut rest) = (1970 + days.div_euclid(146_097) * 400, days.rem_euclid(146_097));
    while rest >= 365 + i64::from(leap(year)) {
        rest -= 365 + i64::from(leap(year));
        year += 1;
    }
    let lengths = [31, 28 + i64::from(leap(year)), 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
    let mut month = 0;
    while rest >= lengths[month] {
        rest -= lengths[month];
        month += 1;
    }
    (year, month as i64 + 1, rest + 1)
}

/// A JSON Schema: what is optional is either not required, or required and one of null and its type.
fn json_schema(schema: &Value) -> Value {
    let (kind, name) = (text(schema, "type"), text(schema, "name"));
    let mut made = match kind {
        _ if name == DECIMAL => json!({"type": if numeric(schema) { "number" } else { "string" }, "connect.type": "bytes"}),
        "boolean" => json!({"type": "boolean"}),
        "float" => json!({"type": "number", "connect.type": "float32"}),
        "double" => json!({"type": "number"}),
        "string" if name == ENUM => json!({"type": "string", "enum": SYMBOLS}),
        "string" => json!({"type": "string"}),
        "bytes" => json!({"type": "string", "connect.type": "bytes"}),
        "array" => json!({"type": "array", "items": json_schema(&schema["items"])}),
        "map" if schema["keys"]["type"] == "string" => {
            json!({"type": "object", "connect.type": "map", "additionalProperties": json_schema(&schema["values"])})
        }
        "map" => {
            let parts = json!({"key": json_schema(&schema["keys"]), "value": json_schema(&schema["values"])});
            json!({"type": "array", "connect.type": "map", "items": {"type": "object", "properties": parts}})
        }
        "struct" => {
            let property = |field: &Value| (string(&field["field"]), json_schema(field));
            let required: Vec<_> =
                fields(schema).iter().filter(|field| !missing(field)).map(|field| field["field"].clone()).collect();
            let properties: serde_json::Map<_, _> = fields(schema).iter().map(property).collect();
            json!({"type": "object", "properties": properties, "required": required})
        }
        integer => json!({"type": "integer", "connect.type": integer}),
    };
    if !name.is_empty() {
        made["title"] = name.into();
        made["connect.version"] = 1.into();
    }
    if let Some(parameters) = schema.get("parameters") {
        made["connect.parameters"] = parameters.clone();
    }
    if optional(schema) && !missing(schema) { json!({"oneOf": [{"type": "null"}, made]}) } else { made }
}

/// Whether a field is missing where it is null.
fn missing(schema: &Value) -> bool {
    optional(schema) && schema.get("field").is_some() && choice(schema, 2) == 0
}

/// Whether a decimal is a JSON number, and not the bytes of one.
fn numeric(schema: &Value) -> bool {
    choice(schema, 2) == 0
}

fn json_text(schema: &Value, json: &Value) -> String {
    let list = |items: Vec<String>, around: [char; 2]| format!("{}{}{}", around[0], items.join(","), around[1]);
    match text(schema, "type") {
        _ if json.is_null() => "null".into(),
        _ if text(schema, "name") == DECIMAL && numeric(schema) => plain(number_of(&bytes(json)), scale(schema)),
        "struct" => {
            let there = fields(schema).iter().filter(|field| !missing(field) || !json[text(field, "field")].is_null());
            let property = |field: &Value| format!("{}:{}", field["field"], json_text(field, &json[text(field, "field")]));
            list(there.map(property).collect(), ['{', '}'])
        }
        "array" => {
            list(json.as_array().expect("a list").iter().map(|item| json_text(&schema["items"], item)).collect(), ['[', ']'])
        }
        "map" => {
            let value = |value| json_text(&schema["values"], value);
            let pairs = entries(json);
            if schema["keys"]["type"] == "string" {
                list(pairs.iter().map(|(k, v)| format!("{k}:{}", value(v))).collect(), ['{', '}'])
            } else {
                list(pairs.iter().map(|(k, v)| format!("{{\"key\":{k},\"value\":{}}}", value(v))).collect(), ['[', ']'])
            }
        }
        _ => json.to_string(),
    }
}
