//! Values whose schema is in a schema registry: the registry, and what the formats have in common.

mod framed;

pub(super) use framed::{Decode, Format, Framed};

use landfall_api::{RecordError, Unavailable};

/// A schema as a registry keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct RegisteredSchema {
    /// `AVRO`, `PROTOBUF` or `JSON`.
    pub(super) kind: String,
    /// The schema's text.
    pub(super) text: String,
    /// The schemas that it refers to, with the names by which it does; what those refer to stands before them.
    pub(super) references: Vec<(String, String)>,
}

/// How a record names its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SchemaId {
    /// A registry's number of it.
    Number(i64),
    /// Its GUID (Confluent, from 8.0 on).
    Guid(u128),
}

/// Why there is no schema.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NoSchema {
    /// The registry does not answer now.
    Unavailable(Unavailable),
    /// It has none of that id, or not one that can be used.
    Refused(RecordError),
}

/// Where schemas come from. The registry's client is one; tests have others.
pub(super) trait Schemas: Send + std::fmt::Debug {
    /// The schema with this id.
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema>;
}
