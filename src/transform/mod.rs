//! Single message transforms on columns: one file a class, one line in the table here.

mod chain;
mod drop_headers;
mod order;
mod part;
pub mod predicate;

pub use chain::{Chain, TransformKeys, aliases};
pub use part::{Members, Part};

use landfall_api::TransformClass;

/// Every transform class; adding one is one file and one line here.
pub const TRANSFORMS: &[&dyn TransformClass] = &[&drop_headers::DropHeadersClass];

#[cfg(test)]
pub(crate) mod fixtures;
