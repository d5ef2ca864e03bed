//! `io.confluent.connect.storage.partitioner.FieldPartitioner` (storage-common 12.0): a folder for each value of some fields.
//!
//! Differs from Java where Java's path would not be one: values are [`escape`]d. A value without a schema has no
//! folder in Java; `landfall.partition.schemaless` gives it one. A record without a value, which Java's sinks do not partition, has
//! null in every field.

use std::sync::Arc;

use arrow_schema::DataType;
use landfall_api::{Batch, Faults, RecordError};

use super::column::{self, Kind, Leaf};
use super::groups::Groups;
use super::{Folders, Partitioner, PartitionerClass, PartitionerKeys, all, escape, named, partition_error};
use crate::columns::Refusals;

/// The class.
pub(super) struct FieldPartitioner;

const NAMES: &str = "partition.field.name";

impl PartitionerClass for FieldPartitioner {
    fn class(&self) -> &'static str {
        "io.confluent.connect.storage.partitioner.FieldPartitioner"
    }

    fn keys(&self) -> &'static [&'static str] {
        &[NAMES, "landfall.partition.schemaless"]
    }

    fn build(&self, keys: &PartitionerKeys, delim: &str, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        if keys.partition_field_name.is_empty() {
            faults.push(NAMES, "Partition field name cannot be null or empty when using FieldPartitioner.");
            return None;
        }
        Some(Arc::new(ByField::new(&keys.partition_field_name, delim, keys.partition_schemaless)))
    }
}

/// `<field>=<value>` for each field.
#[derive(Debug)]
pub struct ByField {
    fields: Vec<Name>,
    delim: String,
    schemaless: bool,
}

#[derive(Debug)]
struct Name {
    /// As it was given.
    name: String,
    path: Vec<String>,
    /// `<name>=`, as a folder has it.
    label: String,
}

impl ByField {
    /// The folders of `fields`, with `delim` between them; of values without a schema too if `schemaless`.
    #[must_use]
    pub fn new(fields: &[String], delim: &str, schemaless: bool) -> Self {
        let name = |name: &String| {
            let mut label = String::new();
            escape::value(name, |_| false, &mut label);
            label.push('=');
            Name { name: name.clone(), path: column::path(name), label }
        };
        Self { fields: fields.iter().map(name).collect(), delim: delim.to_owned(), schemaless }
    }

    /// The values of a field.
    fn leaf(&self, batch: &Batch, field: &Name) -> Result<Option<Leaf>, RecordError> {
        let schemaless = column::is_map(&batch.value);
        let Some(leaf) = Leaf::find(&batch.value, &field.path) else {
            // what is absent in a value without a schema is null
            return if schemaless {
                Ok(None)
            } else {
                Err(RecordError::data(format!("Field '{}' is not present in the schema.", field.name)))
            };
        };
        Ok(Some(leaf))
    }
}

/// Whether values of a field make folders in Java.
fn is_name(leaf: &Leaf) -> bool {
    matches!(leaf.kind(), Some(Kind::Boolean | Kind::Integer | Kind::Text)) && !column::is_logical(&leaf.field)
}

impl Partitioner for ByField {
    fn folders(&self, batch: &Batch, _now_ms: i64) -> Result<Folders, Refusals> {
        let value = &batch.value;
        let nothing = *value.field.data_type() == DataType::Null;
        if !(nothing || column::is_struct(value) || self.schemaless && column::is_map(value)) {
            return Err(all(batch, &partition_error("Error encoding partition.")));
        }
        let leaves: Result<Vec<_>, _> =
            self.fields.iter().map(|field| if nothing { Ok(None) } else { self.leaf(batch, field) }).collect();
        let leaves = leaves.map_err(|error| all(batch, &error))?;
        let groups = leaves.iter().flatten().map(Leaf::groups).fold(Groups::one(batch.len()), Groups::and);
        named(groups, None, |row, folder| {
            for (field, leaf) in self.fields.iter().zip(&leaves) {
                if !folder.is_empty() {
                    folder.push_str(&self.delim);
                }
                folder.push_str(&field.label);
                let leaf = leaf.as_ref().filter(|leaf| !leaf.is_null(row));
                if leaf.is_some_and(|leaf| !is_name(leaf)) {
                    return Err(partition_error("Error encoding partition."));
                }
                let text = leaf.map_or(Ok(None), |leaf| leaf.text(row))?;
                escape::value(text.as_deref().unwrap_or("null"), |_| false, folder);
                escape::end(folder);
            }
            Ok(())
        })
    }
}
