//! The Azure sinks of Landfall: block blobs as a store, and the connector classes that land files in them.
//!
//! A class ([`gen2`], [`blob`], [`aiven`], [`datalake`], [`lake_sink`]) reads its keys, finds the place ([`endpoint`]) and the
//! [`credential`] ([`entra`] has those with tokens), and gives the engine of `landfall-lake` a [`storage`] to land files in.

mod access;
pub mod aiven;
pub mod blob;
pub mod cloud;
mod confluent;
pub mod connection_string;
pub mod credential;
pub mod datalake;
pub mod endpoint;
pub mod entra;
pub mod gen2;
pub mod http;
pub mod lake_sink;
mod landing;
pub mod open;
pub mod rest;
pub mod shared_key;
pub mod storage;

pub use aiven::AivenAzureBlobSink;
pub use blob::AzureBlobStorageSink;
pub use datalake::LensesDatalakeSink;
pub use gen2::AzureDataLakeGen2Sink;
pub use lake_sink::AzureDataLakeSink;
