//! What becomes of records whose value is null (`behavior.on.null.values`).

use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BooleanArray, StructArray, new_null_array};
use arrow_schema::{DataType, FieldRef, Fields};
use landfall_api::{Batch, Column, RecordError, TaskError, TopicPartition};

/// What becomes of records whose value is null.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum NullValues {
    /// They fail the task.
    #[default]
    Fail,
    /// They are left out.
    Ignore,
    /// They are refused, each for itself: `errors.tolerance` decides, and they go to the dead letter queue.
    Report,
    /// They become rows whose value columns are null.
    Write,
}

impl NullValues {
    /// What `behavior.on.null.values=<name>` means, in any case of letters.
    ///
    /// # Errors
    /// The names there are.
    pub fn named(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "fail" => Ok(Self::Fail),
            "ignore" => Ok(Self::Ignore),
            "report" => Ok(Self::Report),
            "write" => Ok(Self::Write),
            _ => Err("String must be one of (case insensitive): fail, ignore, report, write".into()),
        }
    }
}

/// Which of the values are there; None if all are. A column of nothing but nulls may have the type Null, and no buffer that says so.
fn present(value: &Column) -> Option<BooleanArray> {
    let nulls = value.array.logical_nulls().filter(|nulls| nulls.null_count() > 0)?;
    Some(BooleanArray::new(nulls.into_inner(), None))
}

/// The rows whose value is null.
pub(crate) fn rows(value: &Column) -> Vec<usize> {
    let present = present(value);
    let rows = present.iter().flat_map(|present| present.values().iter().enumerate());
    rows.filter_map(|(row, present)| (!present).then_some(row)).collect()
}

/// Why a record without a value fails the task, whatever `errors.tolerance` says: the words of Confluent's sinks (`S3SinkTask`,
/// kafka-connect-storage-cloud 12.1), which do the same.
pub(crate) fn not_writeable(origin: &TopicPartition, offset: i64) -> TaskError {
    let TopicPartition { topic, partition } = origin;
    TaskError::Fatal(format!(
        "Exiting WorkerSinkTask due to unrecoverable exception.\nCaused by: org.apache.kafka.connect.errors.ConnectException: \
         Null valued records are not writeable with current behavior.on.null.values 'settings. (ignore leaves them out, report \
         refuses them by errors.tolerance)\n\tat TASK_PUT of topic {topic}, partition {partition}, offset {offset}"
    ))
}

/// Why a record without a value is refused where it is reported: the words of `S3SinkTask` with `report.null.values.to.dlq`.
pub(crate) fn reported() -> RecordError {
    RecordError::data("Skipping null value record.")
}

/// `batch` without the rows whose value is null; None if there are none. It covers the same offsets.
pub(crate) fn left_out(batch: &Batch) -> Result<Option<Batch>, TaskError> {
    let Some(present) = present(&batch.value) else { return Ok(None) };
    tracing::debug!("{} records of {} have no value and are left out", batch.len() - present.true_count(), batch.origin);
    batch.filter(&present).map(Some).map_err(|e| TaskError::Fatal(e.to_string()))
}

/// `batch` with columns that may be null. Values of no known type, as those of tombstones are until another value comes, get the
/// type of `before`, the values before them, so that they go to one file with them.
pub(crate) fn written(batch: &Batch, before: Option<&FieldRef>) -> Batch {
    let Column { field, array } = &batch.value;
    let value = match (field.data_type(), before) {
        (DataType::Null, Some(before)) => {
            Column { field: before.clone(), array: new_null_array(before.data_type(), batch.len()) }
        }
        (DataType::Struct(fields), _) if fields.iter().any(|field| !field.is_nullable()) => {
            let nullable = |field: &FieldRef| field.as_ref().clone().with_nullable(true);
            let fields: Fields = fields.iter().map(nullable).collect();
            let (_, columns, nulls) = array.as_struct().clone().into_parts();
            let field = field.as_ref().clone().with_nullable(true).with_data_type(DataType::Struct(fields.clone()));
            Column { field: Arc::new(field), array: Arc::new(StructArray::new(fields, columns, nulls)) }
        }
        _ if field.is_nullable() => batch.value.clone(),
        _ => Column { field: Arc::new(field.as_ref().clone().with_nullable(true)), array: array.clone() },
    };
    Batch { value, ..batch.clone() }
}
