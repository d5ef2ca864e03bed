//! Values whose schema is in a schema registry: the registry, and what the formats have in common.
//!
//! A converter is a [`Framed`] over its [`Format`], which asks [`Schemas`] for each id it meets: the client is [`Registry`].

mod apicurio;
mod azure;
mod client;
mod config;
mod framed;
mod http;
mod tls;
mod wire;

pub(super) use crate::config::joined;
pub(super) use apicurio::{Apicurio, ApicurioSettings};
pub(super) use azure::{EVENT_HUBS_KEYS, EventHubsConfig, content_type, id_of, illegal, named_id, preamble};
pub(super) use client::Registry;
pub(super) use config::RegistryConfig;
pub(super) use framed::{Decode, Format, Framed};
pub(super) use http::percent_decoded;
pub(super) use tls::Stores;
pub(super) use wire::{serialization, split_id};

use std::fmt;

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
    /// The schema's version in the subject that the registry names with it, if it does.
    pub(super) version: Option<i32>,
}

/// How a record names its schema.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum SchemaId {
    /// A registry's number of it; Apicurio's global id.
    Number(i64),
    /// Apicurio's number of its text.
    Content(i64),
    /// Its GUID (Confluent, from 8.0 on, and Event Hubs).
    Guid(u128),
}

impl fmt::Display for SchemaId {
    /// The number, or the GUID as five groups of hexadecimal digits.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(id) | Self::Content(id) => write!(f, "{id}"),
            Self::Guid(bits) => {
                let hex = format!("{bits:032x}");
                write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
            }
        }
    }
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
pub(super) trait Schemas: Send + fmt::Debug {
    /// The schema with this id.
    fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema>;
}
