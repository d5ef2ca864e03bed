//! Single message transforms on columns: one file a class, one line in the table here.

mod cast;
mod chain;
mod default;
mod drop_headers;
mod flatten;
mod header_text;
mod insert_field;
mod mask_field;
mod order;
mod part;
pub mod predicate;
mod replace_field;
mod require;
mod timestamp_converter;

pub use chain::Chain;
pub(crate) use header_text::{header_values, with_values};
pub use part::{Members, Part};

use landfall_api::TransformClass;

/// Every transform class; adding one is one file and one line here.
pub const TRANSFORMS: &[&dyn TransformClass] = &[
    &cast::CastClass(Part::Key),
    &cast::CastClass(Part::Value),
    &drop_headers::DropHeadersClass,
    &flatten::FlattenClass(Part::Key),
    &flatten::FlattenClass(Part::Value),
    &insert_field::InsertFieldClass(Part::Key),
    &insert_field::InsertFieldClass(Part::Value),
    &mask_field::MaskFieldClass(Part::Key),
    &mask_field::MaskFieldClass(Part::Value),
    &replace_field::ReplaceFieldClass(Part::Key),
    &replace_field::ReplaceFieldClass(Part::Value),
    &timestamp_converter::TimestampConverterClass(Part::Key),
    &timestamp_converter::TimestampConverterClass(Part::Value),
];

#[cfg(test)]
pub(crate) mod fixtures;
#[cfg(test)]
mod golden;
