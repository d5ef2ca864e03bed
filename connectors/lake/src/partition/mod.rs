//! Which folder a row goes to: a partitioner gives the folders of a batch as a dictionary, one name for each and a number a row.
//!
//! A row's [`column`] values are looked up once a batch, rows with equal ones are [`grouped`](groups), and a name is written for each
//! group, never for each row. Values are [`escape`]d so that none can leave its folder.

mod column;
mod default;
mod escape;
mod extract;
mod field;
mod groups;
mod iso;
mod joda;
mod keys;
pub mod template;
mod time_based;
pub mod zone;

use std::collections::HashMap;
use std::fmt::Debug;
use std::sync::Arc;

use arrow_array::Int64Array;
use landfall_api::{Batch, Faults, RecordError};

use crate::columns::Refusals;
use crate::name::{File, Names};
use groups::Groups;

pub use default::ByPartition;
pub use extract::{Extractor, Source, Unit};
pub use field::ByField;
pub use keys::{PartitionerKeys, several_topics};
pub use template::Template;
pub use time_based::ByTime;

/// The folders of the rows of a batch.
#[derive(Clone, Debug)]
pub struct Folders {
    /// The folders that there are; none for a batch without rows.
    pub names: Vec<Arc<str>>,
    /// The folder of each row, as its place in `names`; None if all rows go to the first one.
    pub rows: Option<Vec<u32>>,
    /// The time of each row in milliseconds since the epoch, where folders are made of times.
    pub times: Option<Int64Array>,
}

/// Chooses the folder of each row. A folder is what stands between the topic and the file's name (Java's "encoded partition"), or
/// what [`path`](Self::path) makes a path of in another way; two rows with the same folder may share a file.
pub trait Partitioner: Send + Sync + Debug {
    /// The folders of the rows of `batch`, which is put at `now_ms`, in milliseconds since the epoch.
    ///
    /// # Errors
    /// The rows that have no folder, each with its reason. The others have one.
    fn folders(&self, batch: &Batch, now_ms: i64) -> Result<Folders, Refusals>;

    /// Whether folders are made of times: then [`Folders::times`] has them, for `rotate.interval.ms` to count.
    fn time_based(&self) -> bool {
        false
    }

    /// The path of a file below the store's root. Files of other partitions, offsets or folders have other paths.
    fn path(&self, names: &Names, file: &File<'_>) -> String {
        names.path(file)
    }
}

/// A partitioner class, listed in [`PARTITIONERS`].
pub trait PartitionerClass: Sync {
    /// The Java class name.
    fn class(&self) -> &'static str;

    /// The keys that it reads.
    fn keys(&self) -> &'static [&'static str];

    /// A partitioner, by the keys; None after a fault.
    fn build(&self, keys: &PartitionerKeys, delim: &str, faults: &mut Faults) -> Option<Arc<dyn Partitioner>>;
}

/// All classes, in the order in which a form offers them.
pub const PARTITIONERS: &[&dyn PartitionerClass] = &[
    &default::DefaultPartitioner,
    &field::FieldPartitioner,
    &time_based::TimeBasedPartitioner,
    &time_based::DailyPartitioner,
    &time_based::HourlyPartitioner,
];

/// The longest name of a folder, in bytes: what file systems take.
const MOST_NAME: usize = 255;
/// The longest folder, in bytes: room is left for the topic and the file's name.
const MOST_FOLDER: usize = 640;

/// Connect's `PartitionException` of storage-common.
fn partition_error(message: impl Into<String>) -> RecordError {
    RecordError { class: "io.confluent.connect.storage.errors.PartitionException", message: message.into() }
}

/// Every row of `batch` refused for `error`.
fn all(batch: &Batch, error: &RecordError) -> Refusals {
    (0..batch.len()).map(|row| (row, error.clone())).collect()
}

/// The folders of groups of rows: `name` writes that of the group whose first row is given. Groups with the same name are one folder.
fn named(
    groups: Groups,
    times: Option<Int64Array>,
    mut name: impl FnMut(usize, &mut String) -> Result<(), RecordError>,
) -> Result<Folders, Refusals> {
    let mut names: Vec<Arc<str>> = Vec::with_capacity(groups.first.len());
    let mut known: HashMap<Arc<str>, u32> = HashMap::with_capacity(groups.first.len());
    let mut places = Vec::with_capacity(groups.first.len());
    let mut text = String::new();
    for row in &groups.first {
        text.clear();
        places.push(name(*row, &mut text).and_then(|()| short(&text)).map(|()| match known.get(text.as_str()) {
            Some(place) => *place,
            None => {
                let (name, place) = (Arc::<str>::from(text.as_str()), names.len() as u32);
                names.push(name.clone());
                known.insert(name, place);
                place
            }
        }));
    }
    if places.iter().any(Result::is_err) {
        let refused = |(row, group): (usize, usize)| Some((row, places[group].as_ref().err()?.clone()));
        return Err((0..groups.len).map(|row| (row, groups.of_row(row))).filter_map(refused).collect());
    }
    let rows = groups.rows.filter(|_| names.len() > 1);
    let place = |group: u32| places[group as usize].as_ref().map_or(0, |place| *place);
    let rows = rows.map(|rows| rows.into_iter().map(place).collect());
    Ok(Folders { names, rows, times })
}

/// Whether a folder can be the name of one.
fn short(folder: &str) -> Result<(), RecordError> {
    let too_long = folder.len() > MOST_FOLDER || folder.split('/').any(|name| name.len() > MOST_NAME);
    if !too_long {
        return Ok(());
    }
    let begin: String = folder.chars().take(64).collect();
    Err(RecordError::data(format!(
        "the folder {begin:?}… cannot be: it is longer than {MOST_FOLDER} bytes, or a name in it longer than {MOST_NAME}"
    )))
}

#[cfg(test)]
mod tests;
