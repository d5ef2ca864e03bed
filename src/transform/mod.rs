//! Single message transforms on columns: one file a class, one line in the table here.

mod chain;
mod debezium;
mod default;
mod drop_headers;
mod envelope;
mod header_text;
mod order;
mod part;
pub mod predicate;

pub use chain::{Chain, TransformKeys, aliases};
pub(crate) use header_text::{header_values, with_values};
pub use part::{Members, Part};

use landfall_api::TransformClass;

/// Every transform class; adding one is one file and one line here.
pub const TRANSFORMS: &[&dyn TransformClass] = &[&drop_headers::DropHeadersClass, &debezium::ExtractNewRecordStateClass];

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod golden;
