//! Single message transforms on columns: one file a class, one line in the table here.

mod chain;
mod debezium;
mod default;
mod drop_headers;
mod envelope;
mod extract_field;
mod field_path;
mod filter;
mod header_from;
mod header_literal;
mod header_text;
mod hoist_field;
mod insert_header;
mod order;
mod part;
pub mod predicate;
mod regex_router;
mod require;
mod route;
mod set_schema_metadata;
mod simple_date_format;
mod timestamp_router;
mod value_to_key;

pub use chain::{Chain, TransformKeys, aliases};
pub(crate) use header_text::{header_values, with_values};
pub use part::{Members, Part};

use landfall_api::TransformClass;

/// Every transform class; adding one is one file and one line here.
pub const TRANSFORMS: &[&dyn TransformClass] = &[
    &drop_headers::DropHeadersClass,
    &extract_field::ExtractFieldClass(Part::Key),
    &extract_field::ExtractFieldClass(Part::Value),
    &filter::FilterClass,
    &header_from::HeaderFromClass(Part::Key),
    &header_from::HeaderFromClass(Part::Value),
    &hoist_field::HoistFieldClass(Part::Key),
    &hoist_field::HoistFieldClass(Part::Value),
    &insert_header::InsertHeaderClass,
    &regex_router::RegexRouterClass,
    &set_schema_metadata::SetSchemaMetadataClass(Part::Key),
    &set_schema_metadata::SetSchemaMetadataClass(Part::Value),
    &timestamp_router::TimestampRouterClass,
    &value_to_key::ValueToKeyClass,
    &debezium::ExtractNewRecordStateClass,
];

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod golden;
