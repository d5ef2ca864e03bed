//! Turns a message type into the Arrow field that Connect's schema of it is (`io.confluent.connect.protobuf.ProtobufData`, 8.3.1), with
//! the node and the plan that read its values.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{DataType, Field, TimeUnit};
use landfall_api::RecordError;
use landfall_api::schema::{DATE, DECIMAL, NAME, PARAMETER, TIME, TIMESTAMP, VERSION};
use protox::prost_reflect::prost_types::field_descriptor_proto::Label;
use protox::prost_reflect::{
    Cardinality, EnumDescriptor, FieldDescriptor, Kind as Type, MessageDescriptor, OneofDescriptor, Syntax, Value,
};

use super::super::node::{ITEM, Member, Members, Node, Offsets, Precision, Text, Values, map_type};
use super::logical::{Logical, Which};
use super::plan::{Absent, Coding, Default, Field as Planned, Kind, Map, Message, Nested, Slot, Symbols, Wrapped};
use super::wire::DEPTH;
use super::{Options, SCHEMA_BUILDER};

/// The digits of a decimal column whose schema does not say how many: all that 128 bits have.
const MAX_PRECISION: u8 = 38;
/// How many columns a message may have, those in messages and lists in it included.
const MAX_FIELDS: usize = 10_000;

const TAG: &str = "io.confluent.connect.protobuf.Tag";
const TYPE: &str = "io.confluent.connect.protobuf.Type";
const ENUM: &str = "io.confluent.connect.protobuf.Enum";
const UNION: &str = "io.confluent.connect.protobuf.Union";
const GENERALIZED_ENUM: &str = "org.apache.kafka.connect.data.Enum";
const GENERALIZED_UNION: &str = "org.apache.kafka.connect.data.Union";
const VARIANT: &str = "org.apache.kafka.connect.data.Variant";

/// The column called `name` of records that are `message`s, with what reads them. It is nullable, for tombstones.
pub(super) fn column(
    options: &Options,
    name: &str,
    message: &MessageDescriptor,
    version: Option<i32>,
) -> Result<(Field, Node, Kind), RecordError> {
    let mut reading = Reading { options, open: Vec::new(), fields: 0 };
    let mut typed = match options.wrapper_for_raw_primitives.then(|| wrapped(message)).flatten() {
        Some(value) => reading.wrapper(&value),
        None => reading.message(message)?,
    };
    typed.metadata.extend(version.map(|version| (VERSION.to_owned(), version.to_string())));
    let field = Field::new(name, typed.data_type, true).with_metadata(typed.metadata);
    Ok((field, Node::new(typed.values, super::super::node::Absent::Null, false), typed.kind))
}

/// A message type, and how far its reading has come.
struct Reading<'a> {
    options: &'a Options,
    /// The messages that are being read, with the names of the fields in which the next is.
    open: Vec<(MessageDescriptor, String)>,
    fields: usize,
}

/// What a field or a message is.
struct Typed {
    data_type: DataType,
    values: Values,
    kind: Kind,
    metadata: HashMap<String, String>,
}

impl Typed {
    fn new(data_type: DataType, values: Values, kind: Kind) -> Self {
        Self { data_type, values, kind, metadata: HashMap::new() }
    }

    fn named(mut self, name: impl Into<String>) -> Self {
        self.metadata.insert(NAME.to_owned(), name.into());
        self
    }

    fn parameter(&mut self, key: impl AsRef<str>, value: impl ToString) {
        self.metadata.insert(format!("{PARAMETER}{}", key.as_ref()), value.to_string());
    }

    fn field(self, name: &str, optional: bool) -> (Field, Node, Kind) {
        let field = Field::new(name, self.data_type, optional).with_metadata(self.metadata);
        (field, Node::new(self.values, super::super::node::Absent::Null, false), self.kind)
    }
}

impl Reading<'_> {
    /// A message that is a struct.
    fn message(&mut self, message: &MessageDescriptor) -> Result<Typed, RecordError> {
        if self.open.iter().any(|(open, _)| open == message) {
            let path: Vec<_> = self.open.iter().map(|(_, field)| field.as_str()).collect();
            return Err(RecordError::data(format!(
                "{} is recursive at {}: no column can hold it",
                message.full_name(),
                path.join(".")
            )));
        }
        if self.open.len() >= DEPTH as usize {
            return Err(RecordError::data(format!("{} is nested deeper than {DEPTH} messages", message.full_name())));
        }
        self.open.push((message.clone(), String::new()));
        let mut of = Struct::default();
        let oneofs: Vec<_> = message.oneofs().filter(|oneof| !oneof.is_synthetic()).collect();
        of.plan.oneofs = vec![None; oneofs.len()];
        for (at, oneof) in oneofs.iter().enumerate() {
            if self.options.flatten_unions {
                for field in oneof.fields() {
                    self.of_field(&mut of, &field, Some(at))?;
                }
            } else {
                self.of_union(&mut of, oneof, at)?;
            }
        }
        for field in declared(message).filter(|field| real_oneof(field).is_none()) {
            self.of_field(&mut of, &field, None)?;
        }
        self.open.pop();
        let name = self.name(message.full_name(), message.name());
        Ok(of.typed().named(name))
    }

    /// Adds a field to a struct.
    fn of_field(&mut self, of: &mut Struct, field: &FieldDescriptor, oneof: Option<usize>) -> Result<(), RecordError> {
        let (arrow, node, kind) = self.field(field, oneof.is_some())?;
        let absent = if oneof.is_some() { Absent::Null } else { self.absent(field, &arrow) };
        let at = of.plan.fields.len();
        let place = (of.members.list.len(), None);
        of.plan.fields.push(Planned { name: field.name().into(), number: field.number(), kind, place, oneof, absent });
        of.add(arrow, node, Slot::Field(at))
    }

    /// Adds a oneof to a struct, as a struct of its fields.
    fn of_union(&mut self, of: &mut Struct, oneof: &OneofDescriptor, at: usize) -> Result<(), RecordError> {
        let (mut union, mut fields) = (Struct::default(), Vec::new());
        for field in oneof.fields() {
            let (arrow, node, kind) = self.field(&field, true)?;
            let place = (of.members.list.len(), Some(union.members.list.len()));
            fields.push(of.plan.fields.len());
            let (name, number) = (field.name().into(), field.number());
            of.plan.fields.push(Planned { name, number, kind, place, oneof: Some(at), absent: Absent::Null });
            union.add(arrow, node, Slot::Field(0))?;
        }
        let mut typed = if self.options.generalized_sum_type_support {
            let mut typed = union.typed().named(oneof.name());
            typed.parameter(GENERALIZED_UNION, oneof.name());
            typed
        } else {
            union.typed().named(format!("{UNION}.{}", self.name(oneof.full_name(), oneof.name())))
        };
        typed.kind = Kind::Message(Nested::new(Message::default()));
        let index = oneof.path().last().copied().unwrap_or_default();
        let name =
            if self.options.generate_index_for_unions { format!("{}_{index}", oneof.name()) } else { oneof.name().to_owned() };
        let (arrow, node, _) = typed.field(&name, true);
        of.add(arrow, node, Slot::Union { oneof: at, fields })
    }

    /// The Arrow field of a field, with its node and plan.
    fn field(&mut self, field: &FieldDescriptor, in_oneof: bool) -> Result<(Field, Node, Kind), RecordError> {
        self.fields += 1;
        if self.fields > MAX_FIELDS {
            return Err(RecordError::data(format!("a message of more than {MAX_FIELDS} fields, those of its messages included")));
        }
        if let Some((open, at)) = self.open.last_mut()
            && open == field.parent_message()
        {
            field.name().clone_into(at);
        }
        let repeated = field.cardinality() == Cardinality::Repeated;
        let (mut typed, mut optional) = match field.kind() {
            Type::Message(_) if field.is_group() => return Err(RecordError::data("Unknown Connect schema type: GROUP")),
            Type::Message(message) if repeated && is_map(&message) => (self.map(&message)?, true),
            Type::Message(message) => (self.of_message(field, &message)?, true),
            Type::Enum(of) => (self.symbols(field, &of), true),
            _ => (scalar(field), false),
        };
        if repeated && !matches!(typed.kind, Kind::Map(_)) {
            let (item, node, kind) = typed.field(ITEM, true);
            let values = Values::List(Offsets::new(), Box::new(node));
            typed = Typed::new(DataType::List(Arc::new(item)), values, Kind::List(Box::new(kind)));
            optional = true;
        }
        optional |= in_oneof
            || if self.options.optional_for_nullables { has_keyword(field) } else { !self.options.wrapper_for_nullables };
        typed.parameter(TAG, field.number());
        Ok(typed.field(field.name(), optional))
    }

    /// What a field is that is not there.
    fn absent(&self, field: &FieldDescriptor, arrow: &Field) -> Absent {
        if field.cardinality() == Cardinality::Repeated {
            return Absent::Null; // never asked
        }
        let message = matches!(field.kind(), Type::Message(_));
        let otherwise = if message {
            if self.options.generate_struct_for_nulls { Absent::Empty } else { Absent::Null }
        } else if !self.tells_absence(field) || self.options.generate_struct_for_nulls {
            Absent::Default(self.default(field))
        } else if arrow.is_nullable() {
            Absent::Null
        } else {
            let message = format!(
                "Invalid value: null used for required field: \"{}\", schema type: {}",
                field.name(),
                connect_type(arrow.data_type())
            );
            Absent::Refused(message.into())
        };
        if field.cardinality() == Cardinality::Required { Absent::Required(Box::new(otherwise)) } else { otherwise }
    }

    /// Whether a scalar that is not there is null and not its default.
    fn tells_absence(&self, field: &FieldDescriptor) -> bool {
        field.field_descriptor_proto().proto3_optional() || self.options.optional_for_proto2 && has_keyword(field)
    }

    fn default(&self, field: &FieldDescriptor) -> Default {
        match field.default_value() {
            Value::Bool(x) => Default::Bool(x),
            Value::I32(x) => Default::Integer(x.into()),
            Value::I64(x) => Default::Integer(x),
            Value::U32(x) => Default::Integer(x.into()),
            Value::U64(x) => Default::Integer(x as i64),
            Value::F32(x) => Default::Float(x),
            Value::F64(x) => Default::Double(x),
            Value::String(text) => Default::Bytes(text.into_bytes().into()),
            Value::Bytes(bytes) => Default::Bytes(bytes.to_vec().into()),
            Value::EnumNumber(number) if self.options.int_for_enums => Default::Integer(number.into()),
            Value::EnumNumber(number) => {
                let symbol = match field.kind() {
                    Type::Enum(of) => of.values().find(|value| value.number() == number).map(|value| value.name().to_owned()),
                    _ => None,
                };
                Default::Bytes(symbol.unwrap_or_default().into_bytes().into())
            }
            Value::Message(_) | Value::List(_) | Value::Map(_) => Default::Integer(0),
        }
    }

    /// A field that is a message, or the item of a list of them.
    fn of_message(&mut self, field: &FieldDescriptor, message: &MessageDescriptor) -> Result<Typed, RecordError> {
        if let Some(which) = Which::named(message.full_name()) {
            return logical(which, field, message);
        }
        if message.full_name() == "confluent.type.Variant" {
            return self.variant(message);
        }
        let unwrapped = self.options.wrapper_for_nullables || self.options.wrapper_for_raw_primitives;
        match unwrapped.then(|| wrapped(message)).flatten() {
            Some(value) => Ok(self.wrapper(&value)),
            None => self.message(message),
        }
    }

    /// `confluent.type.Variant`, whose fields are required and have no parameters.
    fn variant(&mut self, message: &MessageDescriptor) -> Result<Typed, RecordError> {
        let mut typed = self.message(message)?;
        if let DataType::Struct(fields) = &typed.data_type {
            let bare = fields.iter().map(|field| Field::new(field.name(), field.data_type().clone(), false));
            typed.data_type = DataType::Struct(bare.collect());
        }
        Ok(Typed { metadata: HashMap::new(), ..typed }.named(VARIANT))
    }

    /// A message around `value`, as that scalar.
    fn wrapper(&mut self, value: &FieldDescriptor) -> Typed {
        let typed = scalar(value);
        let Kind::Scalar(coding) = typed.kind else { return typed };
        let wrapped = Wrapped { number: value.number(), coding, missing: self.default(value), taken: false };
        Typed::new(typed.data_type, typed.values, Kind::Wrapper(Nested::new(wrapped)))
    }

    fn symbols(&self, field: &FieldDescriptor, of: &EnumDescriptor) -> Typed {
        let proto2 = |syntax| matches!(syntax, Syntax::Proto2);
        let closed = proto2(field.parent_file().syntax()) || proto2(of.parent_file().syntax());
        let symbols = of.values().map(|value| (value.number(), value.name().to_owned()));
        let kind = Kind::Scalar(Coding::Enum(Symbols::new(of.name(), symbols, closed)));
        let typed = if self.options.int_for_enums {
            Typed::new(DataType::Int32, Values::Int32(Vec::new()), kind)
        } else {
            Typed::new(DataType::Utf8, Values::String(Text::new()), kind)
        };
        let mut typed = typed.named(self.name(of.full_name(), of.name()));
        let parameter = if self.options.generalized_sum_type_support { GENERALIZED_ENUM } else { ENUM };
        typed.parameter(parameter, of.name());
        for value in of.values() {
            typed.parameter(format!("{parameter}.{}", value.name()), value.number());
        }
        typed
    }

    /// Repeated entries of a key and a value.
    fn map(&mut self, entry: &MessageDescriptor) -> Result<Typed, RecordError> {
        let (Some(key), Some(value)) = (entry.get_field(1), entry.get_field(2)) else {
            return Err(RecordError::data(format!("{} is no entry of a map", entry.full_name())));
        };
        let (key_field, keys, key_kind) = self.field(&key, false)?;
        let (value_field, values, value_kind) = self.field(&value, false)?;
        let Kind::Scalar(coding) = key_kind else {
            return Err(RecordError::data(format!("the keys of {} are no scalars", entry.full_name())));
        };
        let missing_value = match value.kind() {
            Type::Message(_) => Absent::Empty,
            _ => Absent::Default(self.default(&value)),
        };
        let map = Map {
            key: coding,
            value: value_kind,
            missing_key: self.default(&key),
            missing_value,
            entries: Vec::new(),
            order: Vec::new(),
        };
        // Arrow has no null keys.
        let data_type = map_type(key_field.with_name("key").with_nullable(false), value_field.with_name("value"));
        let values = Values::Map(Offsets::new(), Box::new((keys, values)));
        let name = map_name(self.name(entry.full_name(), entry.name()));
        Ok(Typed::new(data_type, values, Kind::Map(Box::new(map))).named(name))
    }

    /// The name of a schema: with its package only if that is wanted.
    fn name<'n>(&self, full: &'n str, short: &'n str) -> &'n str {
        if self.options.enhanced_protobuf_schema_support { full } else { short }
    }
}

/// The fields of a struct.
#[derive(std::default::Default)]
struct Struct {
    fields: Vec<Field>,
    names: HashSet<String>,
    members: Members,
    plan: Message,
}

impl Struct {
    fn add(&mut self, field: Field, node: Node, slot: Slot) -> Result<(), RecordError> {
        if !self.names.insert(field.name().clone()) {
            let message = format!("Cannot create field because of field name duplication {}", field.name());
            return Err(RecordError { class: SCHEMA_BUILDER, message });
        }
        self.members.list.push(Member::new(field.name(), node));
        self.fields.push(field);
        self.plan.members.push(slot);
        Ok(())
    }

    fn typed(mut self) -> Typed {
        self.members.arrange((0..self.members.list.len()).collect());
        self.plan.arrange();
        let kind = Kind::Message(Nested::new(self.plan));
        Typed::new(DataType::Struct(self.fields.into()), Values::Struct(self.members), kind)
    }
}

/// The fields of a message in the order of declaration.
fn declared(message: &MessageDescriptor) -> impl Iterator<Item = FieldDescriptor> {
    let numbers: Vec<_> = message.descriptor_proto().field.iter().map(|field| field.number() as u32).collect();
    numbers.into_iter().filter_map(|number| message.get_field(number))
}

/// The oneof of a field that was written as one.
fn real_oneof(field: &FieldDescriptor) -> Option<OneofDescriptor> {
    field.containing_oneof().filter(|oneof| !oneof.is_synthetic())
}

/// Whether the field is written `optional`.
fn has_keyword(field: &FieldDescriptor) -> bool {
    let proto = field.field_descriptor_proto();
    proto.proto3_optional()
        || matches!(field.parent_file().syntax(), Syntax::Proto2)
            && proto.label() == Label::Optional
            && field.containing_oneof().is_none()
}

/// Whether a repeated message is the entry of a map: Java goes by its name and fields.
fn is_map(message: &MessageDescriptor) -> bool {
    let fields: Vec<_> = declared(message).collect();
    let single = |field: &FieldDescriptor| field.cardinality() != Cardinality::Repeated;
    message.is_map_entry()
        || message.name().ends_with("Entry")
            && matches!(&fields[..], [key, value] if key.name() == "key" && value.name() == "value"
                && (key.number(), value.number()) == (1, 2) && single(key) && single(value)
                && !matches!(key.kind(), Type::Message(_) | Type::Enum(_) | Type::Float | Type::Double | Type::Bytes))
}

/// The scalar that a message is a wrapper of (`google/protobuf/wrappers.proto`).
fn wrapped(message: &MessageDescriptor) -> Option<FieldDescriptor> {
    let name = message.full_name().strip_prefix("google.protobuf.")?.strip_suffix("Value")?;
    let value = message.get_field_by_name("value")?;
    let kind = match name {
        "Double" => Type::Double,
        "Float" => Type::Float,
        "Int64" => Type::Int64,
        "UInt64" => Type::Uint64,
        "Int32" => Type::Int32,
        "UInt32" => Type::Uint32,
        "Bool" => Type::Bool,
        "String" => Type::String,
        "Bytes" => Type::Bytes,
        _ => return None,
    };
    (value.kind() == kind && value.cardinality() != Cardinality::Repeated).then_some(value)
}

/// A field of a scalar type; its own parameters are those of a wrapper's too, except for the type's.
fn scalar(field: &FieldDescriptor) -> Typed {
    let strict = {
        let file = field.parent_file();
        let checked = || {
            let options = file.file_descriptor_proto().options.as_ref();
            options.is_some_and(protox::prost_reflect::prost_types::FileOptions::java_string_check_utf8)
        };
        !matches!(file.syntax(), Syntax::Proto2) || field.parent_message().is_map_entry() || checked()
    };
    let coding = match field.kind() {
        Type::Int32 => Coding::Int32,
        Type::Int64 | Type::Uint64 => Coding::Int64,
        Type::Uint32 => Coding::Uint32,
        Type::Sint32 => Coding::Sint32,
        Type::Sint64 => Coding::Sint64,
        Type::Fixed32 => Coding::Fixed32,
        Type::Sfixed32 => Coding::Sfixed32,
        Type::Fixed64 | Type::Sfixed64 => Coding::Fixed64,
        Type::Float => Coding::Float,
        Type::Double => Coding::Double,
        Type::Bool => Coding::Bool,
        Type::String => Coding::String { strict },
        Type::Bytes | Type::Message(_) | Type::Enum(_) => Coding::Bytes,
    };
    let narrow = || meta(field).and_then(|params| params.get("connect.type").cloned());
    let (data_type, values) = match coding {
        Coding::Int32 | Coding::Sint32 | Coding::Sfixed32 => match narrow().as_deref() {
            Some("int8") => (DataType::Int8, Values::Int8(Vec::new())),
            Some("int16") => (DataType::Int16, Values::Int16(Vec::new())),
            _ => (DataType::Int32, Values::Int32(Vec::new())),
        },
        Coding::Float => (DataType::Float32, Values::Float32(Vec::new())),
        Coding::Double => (DataType::Float64, Values::Float64(Vec::new())),
        Coding::Bool => (DataType::Boolean, Values::Boolean(BooleanBufferBuilder::new(0))),
        Coding::String { .. } => (DataType::Utf8, Values::String(Text::new())),
        Coding::Bytes | Coding::Enum(_) => (DataType::Binary, Values::Bytes(Text::new())),
        Coding::Int64 | Coding::Uint32 | Coding::Sint64 | Coding::Fixed32 | Coding::Fixed64 => {
            (DataType::Int64, Values::Int64(Vec::new()))
        }
    };
    let kind = match field.kind() {
        Type::Uint32 => Some("uint32"),
        Type::Uint64 => Some("uint64"),
        Type::Sint32 => Some("sint32"),
        Type::Sint64 => Some("sint64"),
        Type::Fixed32 => Some("fixed32"),
        Type::Fixed64 => Some("fixed64"),
        Type::Sfixed32 => Some("sfixed32"),
        Type::Sfixed64 => Some("sfixed64"),
        _ => None,
    };
    let mut typed = Typed::new(data_type, values, Kind::Scalar(coding));
    if let Some(kind) = kind
        && !matches!(typed.data_type, DataType::Int8 | DataType::Int16)
    {
        typed.parameter(TYPE, kind);
    }
    typed
}

/// A field that is one of Connect's logical types.
fn logical(which: Which, field: &FieldDescriptor, message: &MessageDescriptor) -> Result<Typed, RecordError> {
    let expected = which.fields().iter().zip(1..).all(|((name, kind), number)| {
        let field = message.get_field(number);
        field.is_some_and(|field| field.name() == *name && format!("{:?}", field.kind()).eq_ignore_ascii_case(kind))
    });
    if !expected {
        return Err(RecordError::data(format!("{} does not have the fields that it is known for", message.full_name())));
    }
    let kind = Kind::Logical(Nested::new(Logical::new(which)));
    Ok(match which {
        Which::Timestamp => {
            let data_type = DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
            Typed::new(data_type, Values::Timestamp(Vec::new()), kind).named(TIMESTAMP)
        }
        Which::Date => Typed::new(DataType::Date32, Values::Date(Vec::new()), kind).named(DATE),
        Which::Time => Typed::new(DataType::Time32(TimeUnit::Millisecond), Values::Time(Vec::new()), kind).named(TIME),
        Which::Decimal => {
            let params = meta(field).unwrap_or_default();
            let number = |key: &str| params.get(key).and_then(|text| text.parse::<i32>().ok());
            let (digits, scale) = (number("precision"), number("scale").unwrap_or(0));
            if scale.unsigned_abs() > u32::from(MAX_PRECISION) {
                return Err(RecordError::data(format!("a decimal with scale {scale}: 38 digits are supported")));
            }
            let precision = digits.and_then(|digits| u8::try_from(digits).ok()).filter(|p| (1..=MAX_PRECISION).contains(p));
            let precision = precision.unwrap_or(MAX_PRECISION).max(scale.unsigned_abs() as u8);
            let precision = Precision { precision, scale };
            let data_type = DataType::Decimal128(precision.precision, precision.column_scale() as i8); // at most 38
            let mut typed = Typed::new(data_type, Values::Decimal(Vec::new(), precision), kind).named(DECIMAL);
            typed.parameter("scale", scale);
            if let Some(digits) = digits {
                typed.parameter("connect.decimal.precision", digits);
            }
            typed
        }
    })
}

/// The parameters that `confluent.field_meta` gives a field.
fn meta(field: &FieldDescriptor) -> Option<HashMap<String, String>> {
    let extension = field.parent_file().parent_pool().get_extension_by_name("confluent.field_meta")?;
    let options = field.options();
    if !options.has_extension(&extension) {
        return None;
    }
    let meta = options.get_extension(&extension);
    let params = meta.as_message()?.get_field_by_name("params")?;
    let text = |value: &Value| value.as_str().map(str::to_owned);
    let params = params.as_map()?.iter().filter_map(|(key, value)| Some((key.as_str()?.to_owned(), text(value)?)));
    Some(params.collect())
}

/// The name of a map's schema: that of its field, which its entry is called after.
fn map_name(entry: &str) -> String {
    let (package, name) = entry.rsplit_once('.').map_or(("", entry), |(package, name)| (package, name));
    let Some(name) = name.strip_suffix("Entry") else { return entry.to_owned() };
    let mut field = String::with_capacity(entry.len());
    if !package.is_empty() {
        field.push_str(package);
        field.push('.');
    }
    for (at, c) in name.char_indices() {
        if c.is_ascii_uppercase() && at > 0 {
            field.push('_');
        }
        field.push(c.to_ascii_lowercase());
    }
    field
}

/// How Connect calls the type of a scalar (`Schema.Type`).
fn connect_type(data_type: &DataType) -> &'static str {
    match data_type {
        DataType::Int8 => "INT8",
        DataType::Int16 => "INT16",
        DataType::Int32 => "INT32",
        DataType::Int64 => "INT64",
        DataType::Float32 => "FLOAT32",
        DataType::Float64 => "FLOAT64",
        DataType::Boolean => "BOOLEAN",
        DataType::Binary => "BYTES",
        _ => "STRING",
    }
}
