//! Single message transforms on columns: one file a class, one line in the table here.

mod cast;
mod chain;
mod change;
mod confluent;
mod debezium;
mod default;
mod drop_headers;
mod envelope;
mod extract_field;
mod field_path;
mod filter;
mod flatten;
mod golden_gate;
mod header_from;
mod header_literal;
mod header_text;
mod hoist_field;
mod ibm_iidr;
mod insert_field;
mod insert_header;
mod mask_field;
mod objects;
mod order;
mod part;
pub mod predicate;
mod qlik_replicate;
mod regex_router;
mod replace_field;
mod require;
mod route;
mod set_schema_metadata;
mod simple_date_format;
mod timestamp_converter;
mod timestamp_router;
mod value_to_key;

pub use chain::{Chain, TransformKeys, aliases};
pub(crate) use header_text::{header_values, with_values};
pub use part::{Members, Part};

use landfall_api::TransformClass;

use confluent::extract_topic::Source;

/// Every transform class; adding one is one file and one line here.
pub const TRANSFORMS: &[&dyn TransformClass] = &[
    &cast::CastClass(Part::Key),
    &cast::CastClass(Part::Value),
    &drop_headers::DropHeadersClass,
    &extract_field::ExtractFieldClass(Part::Key),
    &extract_field::ExtractFieldClass(Part::Value),
    &filter::FilterClass,
    &flatten::FlattenClass(Part::Key),
    &flatten::FlattenClass(Part::Value),
    &header_from::HeaderFromClass(Part::Key),
    &header_from::HeaderFromClass(Part::Value),
    &hoist_field::HoistFieldClass(Part::Key),
    &hoist_field::HoistFieldClass(Part::Value),
    &insert_field::InsertFieldClass(Part::Key),
    &insert_field::InsertFieldClass(Part::Value),
    &insert_header::InsertHeaderClass,
    &mask_field::MaskFieldClass(Part::Key),
    &mask_field::MaskFieldClass(Part::Value),
    &regex_router::RegexRouterClass,
    &replace_field::ReplaceFieldClass(Part::Key),
    &replace_field::ReplaceFieldClass(Part::Value),
    &set_schema_metadata::SetSchemaMetadataClass(Part::Key),
    &set_schema_metadata::SetSchemaMetadataClass(Part::Value),
    &timestamp_converter::TimestampConverterClass(Part::Key),
    &timestamp_converter::TimestampConverterClass(Part::Value),
    &timestamp_router::TimestampRouterClass,
    &value_to_key::ValueToKeyClass,
    &confluent::drop::DropClass(Part::Key),
    &confluent::drop::DropClass(Part::Value),
    &confluent::extract_topic::ExtractTopicClass(Source::Header),
    &confluent::extract_topic::ExtractTopicClass(Source::Part(Part::Key)),
    &confluent::extract_topic::ExtractTopicClass(Source::Part(Part::Value)),
    &confluent::filter::FilterClass(Part::Key),
    &confluent::filter::FilterClass(Part::Value),
    &confluent::message_timestamp_router::MessageTimestampRouterClass,
    &confluent::tombstone_handler::TombstoneHandlerClass,
    &debezium::BY_LOGICAL_TABLE_ROUTER,
    &debezium::ExtractNewRecordStateClass,
    &debezium::TO_LOGICAL_TOPIC_ROUTER,
    &qlik_replicate::QlikReplicateClass,
    &golden_gate::GoldenGateClass,
    &ibm_iidr::IbmIidrClass,
];

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod golden;
