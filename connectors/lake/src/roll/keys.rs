//! The keys that say when files end. Names, types and defaults are those of `StorageSinkConnectorConfig` and `S3SinkConnectorConfig`
//! (12.1), which the Azure sinks share.

use std::time::Duration;

use jiff::tz::TimeZone;
use landfall_api::{Faults, Key, Properties, Width, config};

use super::{LONGEST_OPEN, Rotation, Schedule};

const INTERVAL: &str = "rotate.interval.ms";
const SCHEDULE: &str = "rotate.schedule.interval.ms";
const FOLDER_CHANGE: &str = "rotate.file.on.partition.change";
const TIMEZONE: &str = "timezone";

config! {
    /// When files end.
    pub struct RotationKeys {
        /// The number of records after which files are published: of a partition, in all its folders, when all its files end together; of
        /// a file where landfall.rotate.apart is true.
        flush_size: Option<i32> = "flush.size" { required: true, importance: High, group: "Connector", width: Width::Long, display: "Flush Size", valid: AtLeast(1) };
        /// Milliseconds of record time, as the extractor of a time-based partitioner tells it, after which files end: before the first
        /// record that is so much later than the first one of all open files (of its own file where landfall.rotate.apart is true). A
        /// record has to come for it. 0 or less for never; no effect with another partitioner.
        rotate_interval_ms: i64 = "rotate.interval.ms" { default: Some("-1"), importance: High, group: "Connector", width: Width::Long, display: "Rotate Interval (ms)" };
        /// Milliseconds of the clock after which all open files end, counted from midnight in `timezone`, which must be given; they end at
        /// midnight too, and also when no record comes. 0 or less for never.
        rotate_schedule_interval_ms: i64 = "rotate.schedule.interval.ms" { default: Some("-1"), group: "Connector", width: Width::Medium, display: "Rotate Schedule Interval (ms)" };
        /// Whether, with rotate.interval.ms and a time-based partitioner, a record that goes to another folder than the one before it
        /// ends all open files of its partition: each late record then makes two small files. No effect where landfall.rotate.apart is
        /// true.
        rotate_file_on_partition_change: bool = "rotate.file.on.partition.change" { default: Some("true"), importance: Low, group: "Partitioner", width: Width::Short, display: "Rotate File on Partition Change" };
        /// The number of files that a partition may have open; -1 for any. Before a record would open another one, all of them end; where
        /// landfall.rotate.apart is true, the one that has had no record for longest.
        partitioner_max_open_files: i32 = "partitioner.max.open.files" { default: Some("-1"), group: "Partitioner", width: Width::Long, display: "Maximum Open Files", valid: By(off_or_positive) };
        /// Whether each folder's file ends by itself (true; the default of io.landfall.azure.AzureDataLakeSink), or all open files of a
        /// partition end when one does, as Confluent's sinks do it (false; the default of the other classes). By themselves, late records
        /// never end the file that records go to now.
        rotate_apart: bool = "landfall.rotate.apart" { default: Some("false"), group: "Connector", width: Width::Short, display: "Rotate files apart" };
        /// A file ends when its encoded bytes reach this; -1 for no such limit. It is about so many: what the encoder still fills counts
        /// before compression (up to 1 MiB a column), so that a small limit gives files that are smaller yet; and rows that wait for
        /// the encoder when the limit is reached (at most 16 MiB a task, and one fetch) come on top.
        rotate_size_bytes: i64 = "landfall.rotate.size.bytes" { default: Some("-1"), importance: High, group: "Connector", width: Width::Long, display: "Rotate at size (bytes)", valid: By(off_or_positive) };
        /// A file ends this many milliseconds after its first record was put into it, by the clock, also when no new record comes. At most
        /// 259200000, which are 72 hours, and -1 means so many.
        rotate_open_ms: i64 = "landfall.rotate.open.ms" { default: Some("-1"), importance: High, group: "Connector", width: Width::Long, display: "Rotate at age (ms)", valid: By(open) };
        /// A file ends when no record was put into it for this many milliseconds, by the clock; -1 for no such limit.
        rotate_idle_ms: i64 = "landfall.rotate.idle.ms" { default: Some("-1"), group: "Connector", width: Width::Long, display: "Rotate when idle (ms)", valid: By(off_or_positive) };
    }
}

impl RotationKeys {
    /// Reads the keys as `declared` changes them, and refuses what would leave files open for long.
    pub fn read(declared: fn(Key) -> Key, properties: &Properties, faults: &mut Faults) -> Option<Self> {
        let keys = Self::parse_as(declared, properties, faults)?;
        if (keys.flush_size, keys.rotate_size_bytes, keys.rotate_open_ms) == (None, -1, -1)
            && keys.rotate_schedule_interval_ms <= 0
        {
            faults.push(
                "flush.size",
                format!("files would stay open for 72 hours: give flush.size, landfall.rotate.size.bytes, landfall.rotate.open.ms or {SCHEDULE}"),
            );
        }
        let zone = properties.get(TIMEZONE).map(String::as_str).or(declared(Key { name: TIMEZONE, ..Key::EMPTY }).default);
        if keys.rotate_schedule_interval_ms > 0 && zone.is_none_or(|zone| zone.trim().is_empty()) {
            // Java's text, of `S3SinkConnectorConfig.validateTimezone`.
            faults.push(SCHEDULE, format!("{TIMEZONE} configuration must be set when using {SCHEDULE}"));
        }
        Some(keys)
    }

    /// What ends files; `zone` is that of `timezone`.
    #[must_use]
    pub fn rotation(&self, zone: Option<TimeZone>) -> Rotation {
        let limit = |n: i64| u64::try_from(n).ok();
        let open = limit(self.rotate_open_ms).map_or(LONGEST_OPEN, Duration::from_millis);
        Rotation {
            apart: self.rotate_apart,
            flush_size: self.flush_size.and_then(|n| limit(n.into())),
            size: limit(self.rotate_size_bytes),
            open: Some(open.min(LONGEST_OPEN)),
            idle: limit(self.rotate_idle_ms).map(Duration::from_millis),
            interval: Some(self.rotate_interval_ms).filter(|interval| *interval > 0),
            folder_change: self.rotate_file_on_partition_change,
            schedule: Some(self.rotate_schedule_interval_ms).filter(|n| *n > 0).zip(zone).map(|(n, zone)| Schedule::new(n, zone)),
            max_open_files: usize::try_from(self.partitioner_max_open_files).ok(),
        }
    }

    /// Warnings about keys that are set and have no effect; `time_based` says whether the partitioner gives times.
    #[must_use]
    pub fn warnings(&self, time_based: bool) -> Vec<String> {
        let interval = self.rotate_interval_ms > 0;
        let ignored =
            (interval && !time_based).then(|| format!("{INTERVAL} has no effect in Landfall: the partitioner is not time-based"));
        let why = match (self.rotate_file_on_partition_change, self.rotate_apart) {
            (false, true) => Some("files end apart"),
            (false, false) if !interval => Some("rotate.interval.ms is not set"),
            (false, false) if !time_based => Some("the partitioner is not time-based"),
            _ => None,
        };
        ignored.into_iter().chain(why.map(|why| format!("{FOLDER_CHANGE} has no effect in Landfall: {why}"))).collect()
    }
}

fn off_or_positive(number: &str) -> Result<(), String> {
    match number.trim().parse::<i64>() {
        Ok(n) if n == -1 || n > 0 => Ok(()),
        _ => Err("Value must be at least 1, or -1 for none".into()),
    }
}

fn open(number: &str) -> Result<(), String> {
    let longest = LONGEST_OPEN.as_millis();
    match number.trim().parse::<i64>() {
        Ok(n) if u128::try_from(n).is_ok_and(|n| n > longest) => {
            Err(format!("Value must be no more than {longest}, which are 72 hours"))
        }
        _ => off_or_positive(number),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> (Option<RotationKeys>, Vec<String>) {
        let optional = |key: Key| if key.name == "flush.size" { Key { required: false, ..key } } else { key };
        let given = pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        let mut faults = Faults::default();
        let keys = RotationKeys::read(optional, &given, &mut faults);
        (keys, faults.0.into_iter().map(|fault| fault.message).collect())
    }

    fn rotation(pairs: &[(&str, &str)]) -> Rotation {
        let (keys, faults) = read(pairs);
        assert!(faults.is_empty(), "{faults:?}");
        keys.expect("good").rotation(Some(TimeZone::UTC))
    }

    #[test]
    fn what_is_given_is_in_the_rotation() {
        let open = Some(LONGEST_OPEN);
        let default = Rotation { open, folder_change: true, ..Rotation::default() };
        assert_eq!(rotation(&[("flush.size", "1")]), Rotation { flush_size: Some(1), ..default });
        let set = [
            ("flush.size", "7"),
            ("landfall.rotate.size.bytes", "8"),
            ("landfall.rotate.open.ms", "9"),
            ("landfall.rotate.idle.ms", "10"),
            ("landfall.rotate.apart", "true"),
            ("rotate.interval.ms", "11"),
            ("rotate.schedule.interval.ms", "12"),
            ("timezone", "UTC"),
            ("rotate.file.on.partition.change", "false"),
            ("partitioner.max.open.files", "13"),
        ];
        let ms = |n| Some(Duration::from_millis(n));
        let all = Rotation {
            apart: true,
            flush_size: Some(7),
            size: Some(8),
            open: ms(9),
            idle: ms(10),
            interval: Some(11),
            folder_change: false,
            schedule: Some(Schedule::new(12, TimeZone::UTC)),
            max_open_files: Some(13),
        };
        assert_eq!(rotation(&set), all);
        let off = [("flush.size", "1"), ("rotate.interval.ms", "0"), ("rotate.schedule.interval.ms", "-5")];
        assert_eq!((rotation(&off).interval, rotation(&off).schedule), (None, None));
    }

    #[test]
    fn files_have_to_end_and_schedules_need_a_time_zone() {
        let never = "files would stay open for 72 hours: give flush.size, landfall.rotate.size.bytes, landfall.rotate.open.ms or \
                     rotate.schedule.interval.ms";
        let zone = "timezone configuration must be set when using rotate.schedule.interval.ms";
        for (given, faults) in [
            (&[][..], &[never][..]),
            (&[("landfall.rotate.idle.ms", "1000"), ("rotate.interval.ms", "1000")], &[never]),
            (&[("landfall.rotate.size.bytes", "7")], &[]),
            (&[("landfall.rotate.open.ms", "1")], &[]),
            (&[("rotate.schedule.interval.ms", "1"), ("timezone", " ")], &[zone]),
            (&[("rotate.schedule.interval.ms", "1"), ("timezone", "UTC")], &[]),
        ] {
            assert_eq!(read(given).1, faults, "{given:?}");
        }
    }

    #[test]
    fn bad_values_are_explained() {
        for (key, value, why) in [
            ("flush.size", "0", "Value must be at least 1"),
            ("rotate.interval.ms", "soon", "Not a number of type LONG"),
            ("rotate.file.on.partition.change", "yes", "Expected value to be either true or false"),
            ("partitioner.max.open.files", "0", "Value must be at least 1, or -1 for none"),
            ("landfall.rotate.size.bytes", "0", "Value must be at least 1, or -1 for none"),
            ("landfall.rotate.open.ms", "-2", "Value must be at least 1, or -1 for none"),
            ("landfall.rotate.open.ms", "259200001", "Value must be no more than 259200000, which are 72 hours"),
            ("landfall.rotate.idle.ms", "soon", "Not a number of type LONG"),
        ] {
            assert_eq!(
                read(&[("flush.size", "1"), (key, value)][usize::from(key == "flush.size")..]).1.len(),
                1,
                "{key}={value}"
            );
            let (_, faults) = read(&[(key, value)]);
            assert!(faults.contains(&format!("Invalid value {value} for configuration {key}: {why}")), "{faults:?}");
        }
    }

    #[test]
    fn what_has_no_effect_is_warned_about() {
        let warned = |pairs: &[(&str, &str)], time_based| {
            read(&[&[("flush.size", "1")], pairs].concat()).0.expect("good").warnings(time_based)
        };
        let (interval, change) = (("rotate.interval.ms", "60000"), ("rotate.file.on.partition.change", "false"));
        assert_eq!(warned(&[interval, change], true), [""; 0]);
        assert_eq!(
            warned(&[interval, change], false),
            [
                "rotate.interval.ms has no effect in Landfall: the partitioner is not time-based",
                "rotate.file.on.partition.change has no effect in Landfall: the partitioner is not time-based"
            ]
        );
        let unset = "rotate.file.on.partition.change has no effect in Landfall: rotate.interval.ms is not set";
        assert_eq!(warned(&[change], true), [unset]);
        let apart = "rotate.file.on.partition.change has no effect in Landfall: files end apart";
        assert_eq!(warned(&[interval, change, ("landfall.rotate.apart", "true")], true), [apart]);
    }
}
