//! `io.confluent.connect.transforms.TombstoneHandler` (1.6, by its documentation): what becomes of records without a value.

use arrow_array::{Array as _, BooleanArray};
use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, config};

config! {
    /// What the documentation lists.
    struct TombstoneHandlerConfig {
        /// `drop_silent` and `drop_warn` drop tombstones, without and with a warning in the log; `fail` refuses them; `ignore` lets them
        /// pass.
        behavior: String = "behavior" { default: Some("drop_warn"), valid: OneOfIgnoreCase(&["drop_silent", "drop_warn", "fail", "ignore"]) };
    }
}

/// The class.
#[derive(Debug)]
pub(in crate::transform) struct TombstoneHandlerClass;

impl TransformClass for TombstoneHandlerClass {
    fn class(&self) -> &'static str {
        "io.confluent.connect.transforms.TombstoneHandler"
    }

    fn keys(&self) -> &'static [Key] {
        TombstoneHandlerConfig::KEYS
    }

    fn version(&self) -> &'static str {
        super::VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = TombstoneHandlerConfig::parse(properties, &mut faults);
        let behavior = match faults.or(config)?.behavior.to_ascii_lowercase().as_str() {
            "drop_silent" => Behavior::Drop { warn: false },
            "fail" => Behavior::Fail,
            "ignore" => Behavior::Ignore,
            _ => Behavior::Drop { warn: true },
        };
        Ok(Box::new(TombstoneHandler { behavior }))
    }
}

#[derive(Clone, Copy, Debug)]
enum Behavior {
    Drop { warn: bool },
    Fail,
    Ignore,
}

/// An instance of the class.
#[derive(Debug)]
struct TombstoneHandler {
    behavior: Behavior,
}

impl Transform for TombstoneHandler {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let Some(nulls) = batch.value.array.logical_nulls().filter(|nulls| nulls.null_count() > 0) else {
            return out.emit(batch);
        };
        match self.behavior {
            Behavior::Ignore => out.emit(batch),
            Behavior::Drop { warn } => {
                if warn {
                    let (first, rows) = (nulls.iter().position(|valid| !valid), nulls.null_count());
                    let offset = first.map(|row| batch.offset.value(row));
                    tracing::warn!(origin = %batch.origin, offset, rows, "tombstones dropped by TombstoneHandler");
                }
                match batch.filter(&BooleanArray::new(nulls.into_inner(), None)) {
                    Ok(others) => out.emit(others),
                    Err(error) => out.reject_all(&batch, &RecordError::data(error.to_string())),
                }
            }
            Behavior::Fail => {
                let error = |row| {
                    let message =
                        format!("a tombstone at {}, offset {}, and behavior is fail", batch.origin, batch.offset.value(row));
                    (row, RecordError::data(message))
                };
                let errors = (0..batch.len()).filter(|&row| nulls.is_null(row)).map(error).collect();
                let others = out.reject_rows(batch, errors);
                out.emit(others);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    // Expected values are the documentation's.
    #[test]
    fn tombstones_go_fail_or_pass() {
        for (behavior, passed, refused) in
            [("drop_silent", 2, 0), ("drop_warn", 2, 0), ("fail", 2, 1), ("Ignore", 3, 0), ("", 2, 0)]
        {
            let mut properties = Properties::from([("behavior".to_owned(), behavior.to_owned())]);
            properties.retain(|_, behavior| !behavior.is_empty());
            let mut out = Output::default();
            let batch = schemaless(&[Some("{}"), None, Some("{}")]);
            TombstoneHandlerClass.build(&properties).expect("valid").apply(batch, &mut out);
            assert_eq!((out.batches[0].len(), out.rejected.len()), (passed, refused), "{behavior}");
        }
    }
}
