//! Takes the objects out of a column of values of several types, which is JSON text, so that transforms work on them as Java's do.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{BinaryArray, BooleanArray};
use arrow_schema::{DataType, FieldRef};
use landfall_api::schema::{JSON, SCHEMALESS};
use landfall_api::{Batch, Converter, Properties, Records, Role};

use super::Part;
use crate::convert::build;

/// The objects of one part of the records.
#[derive(Debug)]
pub(super) struct Objects {
    part: Part,
    /// It learns their columns, apart from the converter that came upon the other values.
    json: Box<dyn Converter>,
    /// The columns of each topic before there were other values.
    before: HashMap<Arc<str>, FieldRef>,
}

impl Objects {
    /// Those of `part`.
    pub(super) fn of(part: Part) -> Option<Self> {
        let properties = Properties::from([("schemas.enable".to_owned(), "false".to_owned())]);
        let role = if part == Part::Key { Role::Key } else { Role::Value };
        let json = build("org.apache.kafka.connect.json.JsonConverter", &properties, role).ok()?;
        Some(Self { part, json, before: HashMap::new() })
    }

    /// The rows of `batch`, the objects among them as structs, and nulls with them. The others stay as they are.
    pub(super) fn apart(&mut self, batch: Batch) -> Vec<Batch> {
        let column = self.part.of(&batch);
        let topic = &batch.origin.topic;
        match column.field.metadata().get(SCHEMALESS).map(|mark| (mark == JSON, column.field.data_type())) {
            Some((true, DataType::Utf8)) => {}
            Some((_, DataType::Struct(_))) => {
                if self.before.get(topic).is_none_or(|before| !Arc::ptr_eq(before, &column.field)) {
                    self.before.insert(topic.clone(), column.field.clone());
                }
                return vec![batch];
            }
            _ => return vec![batch],
        }
        let is_object = |text: Option<&str>| Some(text.is_none_or(|text| text.trim_start().starts_with('{')));
        let objects: BooleanArray = column.array.as_string::<i32>().iter().map(is_object).collect();
        if objects.true_count() == 0 {
            return vec![batch];
        }
        if let Some(before) = self.before.remove(topic) {
            self.json.recall(topic, &before);
        }
        let others = BooleanArray::new(!objects.values(), None);
        let (Ok(objects), Ok(others)) = (batch.filter(&objects), batch.filter(&others)) else { return vec![batch] };
        let bytes = BinaryArray::from(self.part.of(&objects).array.as_string::<i32>().clone());
        match self.json.convert(&Records { topic, bytes: &bytes, headers: None }).as_deref() {
            Ok([run]) if let Ok(column) = &run.column => {
                let objects = self.part.replaced(objects, column.clone());
                [objects, others].into_iter().filter(|batch| !batch.is_empty()).collect()
            }
            _ => vec![batch],
        }
    }
}
