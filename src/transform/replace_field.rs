//! `org.apache.kafka.connect.transforms.ReplaceField` (4.3.1): leaves fields out and gives fields other names.

use std::collections::{HashMap, HashSet};

use arrow_array::{Array as _, ArrayRef, BooleanArray};
use arrow_buffer::BooleanBuffer;
use arrow_schema::FieldRef;
use arrow_select::zip::zip;
use landfall_api::schema::{NAME, is_schemaless};
use landfall_api::{Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use super::cast::connect_type;
use super::part::basics;
use super::require::{java_class, structs};
use super::{Members, Part};

config! {
    /// What `ReplaceField.CONFIG_DEF` declares.
    struct ReplaceFieldConfig {
        /// Fields to exclude. This takes precedence over the fields to include.
        exclude: Vec<String> = "exclude" { default: Some(""), width: Width::None, display: "exclude" };
        /// Fields to include. If specified, only these fields will be used.
        include: Vec<String> = "include" { default: Some(""), width: Width::None, display: "include" };
        /// Field rename mappings, a list of colon-delimited pairs, e.g. `foo:bar,abc:xyz`.
        renames: Vec<String> = "renames" { default: Some(""), width: Width::None, display: "renames" };
        /// Whether to replace fields that have a default value and that are null to the default value. When set to true, the default value
        /// is used, otherwise null is used.
        replace_null_with_default: bool = "replace.null.with.default" { default: Some("true"), width: Width::None, display: "replace.null.with.default" };
    }
}

fn parse_renames(mappings: &[String]) -> Result<Vec<(String, String)>, String> {
    let parse = |mapping: &String| {
        // As Java's split: empty parts at the end do not count.
        let parts: Vec<_> = mapping.trim_end_matches(':').split(':').collect();
        match parts[..] {
            [from, to] => Ok((from.to_owned(), to.to_owned())),
            _ => Err(format!(
                "Invalid value [{}] for configuration renames: Invalid rename mapping: {mapping}",
                mappings.join(", ")
            )),
        }
    };
    mappings.iter().map(parse).collect()
}

/// The fault of a list with an empty item (`ConfigDef.ValidList`).
pub(super) fn check_items(key: &str, items: &[String], faults: &mut Faults) {
    if items.iter().any(String::is_empty) {
        faults.push(key, format!("Configuration '{key}' values must not be empty."));
    }
}

/// The class, for keys or for values.
#[derive(Debug)]
pub(super) struct ReplaceFieldClass(pub(super) Part);

impl TransformClass for ReplaceFieldClass {
    fn class(&self) -> &'static str {
        match self.0 {
            Part::Key => "org.apache.kafka.connect.transforms.ReplaceField$Key",
            Part::Value => "org.apache.kafka.connect.transforms.ReplaceField$Value",
        }
    }

    fn keys(&self) -> &'static [Key] {
        ReplaceFieldConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = ReplaceFieldConfig::parse(properties, &mut faults);
        if let Some(config) = &config {
            check_items("exclude", &config.exclude, &mut faults);
            check_items("include", &config.include, &mut faults);
        }
        let renames = config.as_ref().map_or(Ok(Vec::new()), |config| parse_renames(&config.renames));
        let renames = renames.map_err(|message| faults.push("renames", message)).unwrap_or_default();
        let config = faults.or(config)?;
        Ok(Box::new(ReplaceField {
            part: self.0,
            exclude: config.exclude.into_iter().collect(),
            include: config.include.into_iter().collect(),
            sources: renames.iter().map(|(from, to)| (to.clone(), from.clone())).collect(),
            renames: renames.into_iter().collect(),
            with_defaults: config.replace_null_with_default,
        }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct ReplaceField {
    part: Part,
    exclude: HashSet<String>,
    include: HashSet<String>,
    renames: HashMap<String, String>,
    /// The renames the other way round.
    sources: HashMap<String, String>,
    with_defaults: bool,
}

const PURPOSE: &str = "field replacement";

impl Transform for ReplaceField {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let batch = structs(batch, self.part, PURPOSE, true, out);
        let column = self.part.of(&batch).clone();
        let Some(members) = Members::of(&column) else { return out.emit(batch) };
        let mut errors = Vec::new();
        let replaced = if is_schemaless(&column.field) {
            Ok(self.of_map(&members, &mut errors))
        } else {
            self.of_struct(if self.with_defaults { members.with_defaults() } else { members })
        };
        match replaced {
            Ok(members) => {
                let Column { field, .. } = column;
                let batch = self.part.replaced(batch, members.into_column(&basics(&field)));
                let batch = out.reject_rows(batch, errors);
                out.emit(batch);
            }
            Err(error) => self.part.reject_values(batch, &error, out),
        }
    }
}

impl ReplaceField {
    fn keeps(&self, name: &str) -> bool {
        !self.exclude.contains(name) && (self.include.is_empty() || self.include.contains(name))
    }

    /// The field under its new name.
    fn renamed(&self, field: &FieldRef) -> FieldRef {
        match self.renames.get(field.name()) {
            Some(name) => FieldRef::new(field.as_ref().clone().with_name(name)),
            None => field.clone(),
        }
    }

    /// Java builds the new schema first, and then looks for the value of each of its fields by the rename that ends there.
    fn of_struct(&self, members: Members) -> Result<Members, RecordError> {
        let mut replaced = members.none();
        for field in members.fields.iter().filter(|field| self.keeps(field.name())) {
            let field = self.renamed(field);
            let source = self.sources.get(field.name()).unwrap_or(field.name());
            let at = members.position(source);
            let at = at.ok_or_else(|| RecordError::data(format!("{source} is not a valid field name")))?;
            let (from, array) = (&members.fields[at], &members.arrays[at]);
            replaced.add(field.clone(), array.clone())?;
            if from.data_type() != field.data_type() || from.is_nullable() && !field.is_nullable() && array.null_count() > 0 {
                return Err(not_for(&field, java_class(from, array, 0)));
            }
        }
        Ok(replaced)
    }

    /// Of two fields that get one name, the renamed one counts where it is not null.
    fn of_map(&self, members: &Members, errors: &mut Vec<(usize, RecordError)>) -> Members {
        let mut replaced = members.none();
        for (field, array) in members.fields.iter().zip(&members.arrays).filter(|(field, _)| self.keeps(field.name())) {
            let is_renamed = self.renames.contains_key(field.name());
            let field = self.renamed(field);
            match replaced.position(field.name()) {
                None => replaced.push(field, array.clone()),
                Some(at) => {
                    let there = (replaced.fields[at].clone(), replaced.arrays[at].clone());
                    let here = (field, array.clone());
                    let (over, under) = if is_renamed { (here, there) } else { (there, here) };
                    (replaced.fields[at], replaced.arrays[at]) = overlaid(over, &under, errors);
                }
            }
        }
        errors.sort_by_key(|(row, _)| *row);
        errors.dedup_by_key(|(row, _)| *row);
        replaced
    }
}

/// A schemaless field in whose null rows another of the same name counts. Rows where it would need another type are refused.
pub(super) fn overlaid(
    over: (FieldRef, ArrayRef),
    under: &(FieldRef, ArrayRef),
    errors: &mut Vec<(usize, RecordError)>,
) -> (FieldRef, ArrayRef) {
    let rows = over.1.len();
    let there = over.1.logical_nulls().map_or_else(|| BooleanBuffer::new_set(rows), |nulls| nulls.inner().clone());
    if over.0 == under.0
        && let Ok(array) = zip(&BooleanArray::new(there.clone(), None), &over.1, &under.1)
    {
        return (over.0, array);
    }
    let nulls = under.1.logical_nulls();
    let lost = (0..rows).filter(|&row| !there.value(row) && nulls.as_ref().is_none_or(|nulls| nulls.is_valid(row)));
    errors.extend(lost.map(|row| (row, RecordError::data(format!("two fields of different types called {}", over.0.name())))));
    over
}

/// Java's error for a value of `class` that is put into `field`, whose schema it does not have.
fn not_for(field: &FieldRef, class: &str) -> RecordError {
    let name = field.metadata().get(NAME).map(|name| format!(" \"{name}\"")).unwrap_or_default();
    let kind = connect_type(field.data_type());
    if class == "null" {
        let message = format!("Invalid value: null used for required field: \"{}\", schema type: {kind}", field.name());
        return RecordError::data(message);
    }
    RecordError::data(format!(
        "Invalid Java object for schema{name} with type {kind}: class {class} for field: \"{}\"",
        field.name()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rename_has_two_names() {
        let split = |text: &str| parse_renames(&[text.to_owned()]);
        assert_eq!(split("a:b"), Ok(vec![("a".to_owned(), "b".to_owned())]));
        assert_eq!(split(":b"), Ok(vec![(String::new(), "b".to_owned())]));
        for bad in ["a", "a:", "a:b:c", ""] {
            let message = format!("Invalid value [{bad}] for configuration renames: Invalid rename mapping: {bad}");
            assert_eq!(split(bad), Err(message));
        }
    }
}
