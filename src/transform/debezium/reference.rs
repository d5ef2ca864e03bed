//! The members of an event that `add.fields` and `add.headers` name.

use arrow_array::{Array as _, ArrayRef};
use arrow_schema::{DataType, FieldRef};
use landfall_api::{Column, RecordError, schema};

use crate::transform::envelope::{masked, member};

/// A member of an event, and what it is called where it is added.
#[derive(Debug)]
pub(super) struct Reference {
    /// The struct that has it; none for the event itself.
    parent: Option<String>,
    member: String,
    /// With the prefix.
    pub(super) name: String,
}

impl Reference {
    /// Those that `list` names.
    ///
    /// # Errors
    /// The entry that is none.
    pub(super) fn all(prefix: &str, list: &[String]) -> Result<Vec<Self>, String> {
        list.iter().filter(|entry| !entry.is_empty()).map(|entry| Self::parse(prefix, entry)).collect()
    }

    /// `member`, `struct.member`, with `:name` after it for another name.
    fn parse(prefix: &str, entry: &str) -> Result<Self, String> {
        let mut parts = entry.trim_end_matches(':').split(':');
        let (path, renamed) = (parts.next().unwrap_or_default(), parts.next());
        if parts.next().is_some() {
            return Err(format!("Unexpected field name: {entry}"));
        }
        let mut path = path.trim_end_matches('.').split('.');
        let (first, second) = (path.next().unwrap_or_default(), path.next());
        let (parent, member, name) = match second {
            Some(member) => (Some(first), member, format!("{first}_{member}")),
            None => (usual_parent(first), first, first.to_owned()),
        };
        let name = format!("{prefix}{}", renamed.unwrap_or(&name));
        Ok(Self { parent: parent.map(str::to_owned), member: member.to_owned(), name })
    }

    /// Whether it is the kind of the change.
    pub(super) fn is_operation(&self) -> bool {
        self.member == "op"
    }

    /// Its values in `events`, as an optional field with its new name; None if they have no such member.
    ///
    /// # Errors
    /// Java's, for events that cannot be looked into.
    pub(super) fn of(&self, events: &Column) -> Result<Option<(FieldRef, ArrayRef)>, RecordError> {
        let owner = match &self.parent {
            None => events.clone(),
            Some(parent) => member(events, parent).ok_or_else(|| RecordError {
                class: "java.lang.NullPointerException",
                message: "Cannot invoke \"org.apache.kafka.connect.data.Field.schema()\" because the return value of \
                          \"org.apache.kafka.connect.data.Schema.field(String)\" is null"
                    .into(),
            })?,
        };
        if !matches!(owner.field.data_type(), DataType::Struct(_)) {
            return Err(RecordError::data("Cannot look up fields on non-struct type"));
        }
        // What another transform has added to the event is found there.
        let Some(found) = member(&owner, &self.member).or_else(|| member(events, &self.member)) else { return Ok(None) };
        let array = masked(&found.array, owner.array.nulls());
        if matches!(found.field.data_type(), DataType::Struct(_)) && array.null_count() < array.len() {
            // Java copies the schema without its fields.
            return Err(RecordError::data("Struct schemas do not match."));
        }
        let mut metadata = found.field.metadata().clone();
        metadata.remove(schema::DEFAULT);
        let field = found.field.as_ref().clone().with_name(&self.name).with_nullable(true).with_metadata(metadata);
        Ok(Some((field.into(), array)))
    }
}

/// Where a member is that is named alone.
fn usual_parent(member: &str) -> Option<&'static str> {
    match member {
        "id" | "data_collection_order" | "total_order" => Some("transaction"),
        "op" | "ts_ms" | "ts_us" | "ts_ns" => None,
        "updateDescription" => Some("updateDescription"),
        _ => Some("source"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_read_as_java_reads_them() {
        let parse = |entry: &str| {
            let reference = Reference::parse("__", entry).expect("valid");
            (reference.parent.unwrap_or_default(), reference.member, reference.name)
        };
        let of = |parent: &str, member: &str, name: &str| (parent.to_owned(), member.to_owned(), name.to_owned());
        assert_eq!(parse("op"), of("", "op", "__op"));
        assert_eq!(parse("lsn"), of("source", "lsn", "__lsn"));
        assert_eq!(parse("source.ts_ms"), of("source", "ts_ms", "__source_ts_ms"));
        assert_eq!(parse("total_order"), of("transaction", "total_order", "__total_order"));
        assert_eq!(parse("source.ts_ms:AT"), of("source", "ts_ms", "__AT"));
        assert_eq!(Reference::parse("", "a:b:c").expect_err("refused"), "Unexpected field name: a:b:c");
    }
}
