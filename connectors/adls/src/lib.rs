//! The Azure sinks of Landfall: block blobs as a store, and the connector classes that land files in them.
//!
//! A class ([`gen2`], [`blob`], [`lake_sink`]) reads its keys, finds the place ([`endpoint`]) and the [`credential`], and gives the
//! engine of `landfall-lake` a [`storage`] to land files in.

pub mod connection_string;
pub mod credential;
pub mod shared_key;
pub mod storage;
