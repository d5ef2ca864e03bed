//! What columns are called (`landfall.names`).

use std::sync::Arc;

use arrow_schema::{DataType, Field, FieldRef, Fields};

/// The field metadata that keeps the name of a field whose column is called otherwise.
const ORIGINAL: &str = "landfall.field";

/// How the names of fields become those of columns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Naming {
    /// As they are: Parquet holds any text.
    #[default]
    Keep,
    /// Blanks, `,;{}()=.`, backquotes, tabs, line ends and other control characters become `_`, as does no name; two fields of a
    /// struct whose names then differ at most in case are refused. These are the names that Spark, Hive and Delta tables can hold and
    /// that need no quotes.
    Spark,
}

impl Naming {
    /// What `landfall.names=<name>` means.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name {
            "keep" => Ok(Self::Keep),
            "spark" => Ok(Self::Spark),
            _ => Err("String must be one of: keep, spark".into()),
        }
    }

    /// `field` under the name of its column.
    pub(super) fn rename(self, field: FieldRef) -> FieldRef {
        let clean = |c: char| !matches!(c, ' ' | ',' | ';' | '{' | '}' | '(' | ')' | '=' | '.' | '`') && !c.is_control();
        if self == Self::Keep || !field.name().is_empty() && field.name().chars().all(clean) {
            return field;
        }
        let name: String = field.name().chars().map(|c| if clean(c) { c } else { '_' }).collect();
        let name = if name.is_empty() { "_".to_owned() } else { name };
        let mut metadata = field.metadata().clone();
        metadata.insert(ORIGINAL.to_owned(), field.name().clone());
        Arc::new(field.as_ref().clone().with_name(name).with_metadata(metadata))
    }
}

/// A column's field under the name that it had, at every depth.
pub(crate) fn original(field: &FieldRef) -> FieldRef {
    let inner = match field.data_type() {
        DataType::Struct(fields) => DataType::Struct(originals(fields)),
        DataType::List(item) => DataType::List(original(item)),
        DataType::Map(entries, sorted) => DataType::Map(original(entries), *sorted),
        _ if !field.metadata().contains_key(ORIGINAL) => return field.clone(),
        other => other.clone(),
    };
    let mut metadata = field.metadata().clone();
    let name = metadata.remove(ORIGINAL).unwrap_or_else(|| field.name().clone());
    Arc::new(Field::new(name, inner, field.is_nullable()).with_metadata(metadata))
}

/// The same of several.
pub(crate) fn originals(fields: &Fields) -> Fields {
    fields.iter().map(original).collect()
}
