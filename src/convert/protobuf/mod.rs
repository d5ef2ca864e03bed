//! `io.confluent.connect.protobuf.ProtobufConverter` (8.3.1): Protocol Buffers whose schemas are in a schema registry.
//!
//! It takes what Confluent's class takes and gives the Connect schema that this gives, except that
//! - a recursive message is refused with the path to itself, because no column can hold it, and so are `edition` files;
//! - the fields of a oneof are optional whatever the configuration, as they are from 8.4 on: before, Java fails on each record;
//! - a `google.type.Date` before 1582-10-15 is in the Gregorian calendar, as its definition says, and not in Java's Julian one;
//! - a decimal is scaled to its column, and refused only if it does not fit; Java refuses it where it is written;
//! - bytes after a message that ends a group it never began are refused; Java drops them;
//! - of several required fields that are not there, the first is named.
//!
//! The text of a schema is [compiled](descriptor), turned into an Arrow field with a [plan](plan), and by that records are
//! [decoded](decode), each field into the [`Node`](super::node::Node) of its column.

mod connect;
mod decode;
mod descriptor;
mod indexes;
mod known;
mod logical;
mod plan;
mod scalar;
#[cfg(test)]
mod tests;
mod wire;

use std::borrow::Cow;

use landfall_api::{Converter, ConverterClass, Faults, Key, Properties, RecordError, Role, Width, config};

use super::registry::{
    Decode, Format, Framed, RegisteredSchema, Registry, RegistryConfig, SchemaId, joined, serialization, split_id,
};
use indexes::Messages;

/// Java's class of what is wrong with the fields of a struct.
const SCHEMA_BUILDER: &str = "org.apache.kafka.connect.errors.SchemaBuilderException";
/// Why a key of what writes messages does nothing.
const WRITING: &str = "only writing a message has use for it, and a sink writes none";

config! {
    /// What `ProtobufDataConfig` and `KafkaProtobufDeserializerConfig` declare.
    pub struct Options {
        /// Whether enums and oneofs have the names and parameters that they have with Confluent's other formats.
        generalized_sum_type_support: bool = "generalized.sum.type.support" { default: Some("false"), width: Width::None };
        /// Whether a null in a field with a default stays null when a message is written.
        ignore_default_for_nullables: bool = "ignore.default.for.nullables" { default: Some("false"), width: Width::None, effect: Nothing(WRITING) };
        /// The number of converted schemas that Java's converter keeps.
        schemas_cache_size: i32 = "schemas.cache.config" { default: Some("1000"), width: Width::None, importance: Low, effect: Nothing("schemas are kept by id, for as long as the task runs") };
        /// Whether the names of schemas begin with the package.
        enhanced_protobuf_schema_support: bool = "enhanced.protobuf.schema.support" { default: Some("false"), width: Width::None };
        /// Whether names that a message cannot have are changed when it is written.
        scrub_invalid_names: bool = "scrub.invalid.names" { default: Some("false"), width: Width::None, effect: Nothing(WRITING) };
        /// Whether enums are integers and not strings.
        int_for_enums: bool = "int.for.enums" { default: Some("false"), width: Width::None };
        /// Whether only fields that are written `optional` are optional.
        optional_for_nullables: bool = "optional.for.nullables" { default: Some("false"), width: Width::None };
        /// Whether an `optional` field of proto2 that is not there is null and not its default.
        optional_for_proto2: bool = "optional.for.proto2" { default: Some("true"), width: Width::None };
        /// Whether wrappers like `google.protobuf.StringValue` are scalars, and scalars that are not wrapped are required.
        wrapper_for_nullables: bool = "wrapper.for.nullables" { default: Some("false"), width: Width::None };
        /// Whether wrappers like `google.protobuf.StringValue` are scalars.
        wrapper_for_raw_primitives: bool = "wrapper.for.raw.primitives" { default: Some("true"), width: Width::None };
        /// Whether a message that is not there is one without any field and not null.
        generate_struct_for_nulls: bool = "generate.struct.for.nulls" { default: Some("false"), width: Width::None };
        /// Whether the field of a oneof is called after it with an underscore and its index.
        generate_index_for_unions: bool = "generate.index.for.unions" { default: Some("true"), width: Width::None, importance: Low };
        /// Whether the fields of a oneof are fields of the message.
        flatten_unions: bool = "flatten.unions" { default: Some("false"), width: Width::None, importance: Low };
        /// Whether Java's class of a message is derived from its schema. Only false.
        derive_type: bool = "derive.type" { default: Some("false"), width: Width::None, valid: By(|value| {
            if value.eq_ignore_ascii_case("false") { Ok(()) } else { Err("only false is supported".into()) }
        }) };
    }
}

/// The keys of the class.
static KEYS: [Key; RegistryConfig::KEYS.len() + Options::KEYS.len()] = joined(RegistryConfig::KEYS, Options::KEYS);

/// The class.
#[derive(Debug)]
pub(super) struct ProtobufConverterClass;

impl ConverterClass for ProtobufConverterClass {
    fn class(&self) -> &'static str {
        "io.confluent.connect.protobuf.ProtobufConverter"
    }

    fn roles(&self) -> &'static [Role] {
        &[Role::Key, Role::Value]
    }

    fn keys(&self) -> &'static [Key] {
        &KEYS
    }

    fn build(&self, properties: &Properties, role: Role) -> Result<Box<dyn Converter>, Faults> {
        let mut faults = Faults::default();
        let options = Options::parse(properties, &mut faults);
        let registry = RegistryConfig::of(properties, &mut faults).and_then(|config| {
            let registry = Registry::new(&config, properties, "Protobuf schema", &mut faults)?;
            Some((config.id_header(role), registry))
        });
        let converter = options.zip(registry).map(|(options, (header, registry))| {
            let name = super::column_name(role);
            Framed::new(name, Protobuf { name, header, options }, Box::new(registry))
        });
        faults.or(converter).map(|converter| Box::new(converter) as Box<dyn Converter>)
    }
}

/// The format.
#[derive(Debug)]
pub(super) struct Protobuf {
    name: &'static str,
    header: Option<&'static str>,
    options: Options,
}

impl Format for Protobuf {
    fn failed(&self, topic: &str) -> String {
        format!("Failed to deserialize data for topic {topic} to Protobuf:")
    }

    fn undecodable(&self, id: SchemaId) -> String {
        format!("Error deserializing Protobuf message for id {id}: ")
    }

    fn header(&self) -> Option<&str> {
        self.header
    }

    /// The payload begins with which of the schema's messages it is, wherever that stands.
    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
        let Some(header) = header else {
            return split_id(value).map(|(id, payload)| (id, payload.into()));
        };
        let (id, path) = split_id(header)?;
        Ok((id, [path, value].concat().into()))
    }

    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
        if schema.kind != "PROTOBUF" {
            return Err(unreadable(format!("the schema is of the type {}", schema.kind)));
        }
        let file = descriptor::compile(schema).map_err(|why| unreadable(format!("Invalid schema: {why}")))?;
        Ok(Box::new(Messages::new(self.name, file, self.options.clone(), schema.version)))
    }
}

/// Java's error for what is no message of its schema.
fn unreadable(why: impl std::fmt::Display) -> RecordError {
    serialization(why.to_string())
}

/// The format with the options that `properties` say, for a decoder without a registry; none if one of them is wrong.
pub(super) fn format(name: &'static str, header: Option<&'static str>, properties: &Properties) -> Option<Protobuf> {
    Some(Protobuf { name, header, options: Options::parse(properties, &mut Faults::default())? })
}
