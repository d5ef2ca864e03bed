//! `io.confluent.connect.storage.partitioner.{TimeBased,Daily,Hourly}Partitioner` (storage-common 12.0): a folder for each stretch of time.

use std::sync::Arc;

use landfall_api::{Batch, Faults};

use super::extract::Extractor;
use super::groups::Groups;
use super::joda::Pattern;
use super::zone::Zone;
use super::{Folders, Partitioner, PartitionerClass, PartitionerKeys, named};
use crate::columns::Refusals;
use crate::storage::checked_path;

const HOUR: i64 = 3_600_000;
const DURATION: &str = "partition.duration.ms";
const FORMAT: &str = "path.format";
/// The keys of all three.
const SHARED: [&str; 5] = ["locale", "timezone", "timestamp.extractor", "timestamp.field", "landfall.timestamp.unit"];

/// The class of any stretch of time.
pub(super) struct TimeBasedPartitioner;
/// The class of days.
pub(super) struct DailyPartitioner;
/// The class of hours.
pub(super) struct HourlyPartitioner;

impl PartitionerClass for TimeBasedPartitioner {
    fn class(&self) -> &'static str {
        "io.confluent.connect.storage.partitioner.TimeBasedPartitioner"
    }

    fn keys(&self) -> &'static [&'static str] {
        &[DURATION, FORMAT, SHARED[0], SHARED[1], SHARED[2], SHARED[3], SHARED[4]]
    }

    fn build(&self, keys: &PartitionerKeys, delim: &str, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        let (duration, format) = (keys.partition_duration_ms, keys.path_format.as_str());
        if duration <= 0 {
            invalid(DURATION, &duration.to_string(), "Partition duration needs to be a positive.", faults);
        }
        if format.is_empty() || format == delim {
            invalid(FORMAT, format, "Path format cannot be empty.", faults);
            return None;
        }
        build(keys, duration, format.strip_suffix(delim).unwrap_or(format), faults)
    }
}

impl PartitionerClass for DailyPartitioner {
    fn class(&self) -> &'static str {
        "io.confluent.connect.storage.partitioner.DailyPartitioner"
    }

    fn keys(&self) -> &'static [&'static str] {
        &SHARED
    }

    fn build(&self, keys: &PartitionerKeys, delim: &str, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        build(keys, 24 * HOUR, &format!("'year'=YYYY{delim}'month'=MM{delim}'day'=dd"), faults)
    }
}

impl PartitionerClass for HourlyPartitioner {
    fn class(&self) -> &'static str {
        "io.confluent.connect.storage.partitioner.HourlyPartitioner"
    }

    fn keys(&self) -> &'static [&'static str] {
        &SHARED
    }

    fn build(&self, keys: &PartitionerKeys, delim: &str, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        build(keys, HOUR, &format!("'year'=YYYY{delim}'month'=MM{delim}'day'=dd{delim}'hour'=HH"), faults)
    }
}

fn invalid(key: &str, value: &str, why: &str, faults: &mut Faults) {
    faults.push(key, format!("Invalid value {value} for configuration {key}: {why}"));
}

fn build(keys: &PartitionerKeys, duration_ms: i64, format: &str, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
    let before = faults.0.len();
    if keys.locale.is_empty() {
        invalid("locale", "", "Locale cannot be empty.", faults);
    }
    if keys.timezone.is_empty() {
        invalid("timezone", "", "Timezone cannot be empty.", faults);
    }
    let extractor = keys.extractor(faults)?;
    let zone = Zone::joda(&keys.timezone).ok()?;
    let time_based = ByTime::new(duration_ms, format, zone, &keys.locale, extractor);
    let time_based = time_based.map_err(|why| invalid(FORMAT, format, &why, faults)).ok()?;
    (faults.0.len() == before).then(|| Arc::new(time_based) as _)
}

/// The text of the beginning of each stretch of time.
#[derive(Debug)]
pub struct ByTime {
    duration_ms: i64,
    pattern: Pattern,
    zone: Zone,
    extractor: Extractor,
}

impl ByTime {
    /// Stretches of `duration_ms` of local time in `zone`, written by the Joda pattern `format` in the language `locale`.
    ///
    /// # Errors
    /// What is wrong with the pattern: it is none, or what it gives is no folder.
    pub fn new(duration_ms: i64, format: &str, zone: Zone, locale: &str, extractor: Extractor) -> Result<Self, String> {
        let pattern = Pattern::new(format, &zone, locale)?;
        let mut example = String::new();
        pattern.write(0, &zone, &mut example);
        checked_path(&example).map_err(|error| error.to_string())?;
        if example.split('/').any(|name| name.ends_with('.')) {
            return Err(format!("the path {example:?} cannot be used: a name in it ends with a point"));
        }
        Ok(Self { duration_ms: duration_ms.max(1), pattern, zone, extractor })
    }

    /// The beginnings of the stretches that times are in (`TimeBasedPartitioner.getPartition`), in local time.
    fn groups(&self, times: &[i64]) -> Groups {
        let mut offsets = self.zone.offsets();
        // towards zero, as Java divides
        Groups::of(times.iter().map(|time| time.saturating_add(offsets.at(*time)) / self.duration_ms))
    }
}

impl Partitioner for ByTime {
    fn folders(&self, batch: &Batch, now_ms: i64) -> Result<Folders, Refusals> {
        let times = self.extractor.times(batch, now_ms)?;
        let groups = if self.extractor.is_constant() { Groups::one(times.len()) } else { self.groups(times.values()) };
        named(groups, Some(times.clone()), |row, folder| {
            let time = times.value(row);
            let bucket = time.saturating_add(self.zone.offset(time)) / self.duration_ms * self.duration_ms;
            self.pattern.write(self.zone.to_utc(bucket), &self.zone, folder);
            Ok(())
        })
    }

    fn time_based(&self) -> bool {
        true
    }
}
