//! The contract of transforms and predicates: a batch of columns in, batches of columns out.

use std::fmt;

use arrow_array::BooleanArray;

use crate::{Batch, Faults, Key, Properties, RecordError};

/// Changes records, as columns (`org.apache.kafka.connect.transforms.Transformation`). One instance serves one task.
pub trait Transform: Send + fmt::Debug {
    /// Transforms the rows of `batch`, which has at least one. Every row ends up in one batch that is emitted, is rejected, or is
    /// dropped, by being in none. A row keeps its offset.
    fn apply(&mut self, batch: Batch, out: &mut Output);
}

/// What transforms made of a batch.
#[derive(Debug, Default)]
pub struct Output {
    /// Batches with ascending offsets each. Those of two batches may be mixed: the chain puts them in order, and sees to
    /// [`Batch::covers`].
    pub batches: Vec<Batch>,
    /// Records that were rejected, by offset.
    pub rejected: Vec<(i64, RecordError)>,
}

impl Output {
    /// Lets rows go on. A batch without a row is as good as none.
    pub fn emit(&mut self, batch: Batch) {
        if !batch.is_empty() {
            self.batches.push(batch);
        }
    }

    /// Refuses the record at `offset`.
    pub fn reject(&mut self, offset: i64, error: RecordError) {
        self.rejected.push((offset, error));
    }

    /// Refuses every row of `batch` for the same reason.
    pub fn reject_all(&mut self, batch: &Batch, error: &RecordError) {
        self.rejected.extend(batch.offset.values().iter().map(|&offset| (offset, error.clone())));
    }

    /// Refuses the rows of `batch` that `errors` names, which are ascending; the others are given back.
    #[must_use]
    pub fn reject_rows(&mut self, batch: Batch, errors: Vec<(usize, RecordError)>) -> Batch {
        if errors.is_empty() {
            return batch;
        }
        let mut keep = vec![true; batch.len()];
        for (row, error) in errors {
            keep[row] = false;
            self.reject(batch.offset.value(row), error);
        }
        batch.filter(&BooleanArray::from(keep)).unwrap_or(batch)
    }
}

/// A transform class, listed in the table of `transform`.
pub trait TransformClass: Sync {
    /// The Java class name, with `$Key` or `$Value` where Java's has two.
    fn class(&self) -> &'static str;

    /// The configuration keys, without the `transforms.<alias>.` prefix; those that every transform has are the worker's.
    fn keys(&self) -> &'static [Key];

    /// The version, as `/connector-plugins` shows it.
    fn version(&self) -> &'static str {
        "4.3.1"
    }

    /// An instance, from the properties with the prefix taken off.
    ///
    /// # Errors
    /// All faults in the properties, by their keys without the prefix.
    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults>;
}

/// Says for which records a transform is meant (`org.apache.kafka.connect.transforms.predicates.Predicate`).
pub trait Predicate: Send + fmt::Debug {
    /// For each row of `batch` whether it is true; without nulls.
    fn mask(&self, batch: &Batch) -> BooleanArray;
}

/// A predicate class, listed in the table of `transform::predicate`.
pub trait PredicateClass: Sync {
    /// The Java class name.
    fn class(&self) -> &'static str;

    /// The configuration keys, without the `predicates.<alias>.` prefix.
    fn keys(&self) -> &'static [Key];

    /// The version, as `/connector-plugins` shows it.
    fn version(&self) -> &'static str {
        "4.3.1"
    }

    /// An instance, from the properties with the prefix taken off.
    ///
    /// # Errors
    /// All faults in the properties, by their keys without the prefix.
    fn build(&self, properties: &Properties) -> Result<Box<dyn Predicate>, Faults>;
}
