//! The keys of partitioners (`io.confluent.connect.storage.partitioner.PartitionerConfig`, storage-common 12.0), and our own.

use std::sync::Arc;

use landfall_api::config::Class;
use landfall_api::{Faults, Key, Properties, Width, config};

use super::extract::{Extractor, Source, Unit};
use super::zone::Zone;
use super::{PARTITIONERS, Partitioner, PartitionerClass, Template};
use crate::config::class_not_found;

const CLASS: &str = "partitioner.class";
const DEFAULT: &str = "io.confluent.connect.storage.partitioner.DefaultPartitioner";
/// What a form offers: the classes of [`PARTITIONERS`].
const CLASSES: &[&str] = &[
    DEFAULT,
    "io.confluent.connect.storage.partitioner.FieldPartitioner",
    "io.confluent.connect.storage.partitioner.TimeBasedPartitioner",
    "io.confluent.connect.storage.partitioner.DailyPartitioner",
    "io.confluent.connect.storage.partitioner.HourlyPartitioner",
];
const DEPENDENTS: &[&str] = &["partition.field.name", "partition.duration.ms", "path.format", "locale", "timezone"];

config! {
    /// What partitioners are told.
    pub struct PartitionerKeys {
        /// The class that chooses a record's folder below its topic. DefaultPartitioner: `partition=<n>`, a folder for each Kafka
        /// partition. FieldPartitioner: `<field>=<value>` for each of the fields in `partition.field.name`. TimeBasedPartitioner: a
        /// folder for each `partition.duration.ms` of the record's time, written by `path.format`. DailyPartitioner and
        /// HourlyPartitioner: the same for days and hours, as `year=2026/month=11/day=21/hour=20`.
        partitioner_class: Class = "partitioner.class" { default: Some(DEFAULT), importance: High, group: "Partitioner", width: Width::Long, display: "Partitioner Class", recommended: CLASSES, dependents: DEPENDENTS };
        /// The fields of the value that FieldPartitioner makes folders of, in this order, with points between the names of a field within
        /// fields. They are integers, text or booleans; null is `null`. In text, slashes, backslashes, control characters, a point at the end
        /// and a percent sign before two hexadecimal digits are percent-encoded.
        partition_field_name: Vec<String> = "partition.field.name" { default: Some(""), group: "Partitioner", width: Width::None, display: "Partition Field Name", valid: By(field_names), visible: |given| partitioned_by(given, &["Field"]) };
        /// The milliseconds of local time that one folder of TimeBasedPartitioner holds.
        partition_duration_ms: i64 = "partition.duration.ms" { default: Some("-1"), group: "Partitioner", width: Width::Long, display: "Partition Duration (ms)", visible: |given| partitioned_by(given, &["TimeBased"]) };
        /// The pattern of the folders of TimeBasedPartitioner, in Joda-Time's syntax: `'year'=YYYY/'month'=MM/'day'=dd/'hour'=HH`. Names of
        /// time zones (z) are there for UTC and offsets only.
        path_format: String = "path.format" { default: Some(""), group: "Partitioner", width: Width::Long, display: "Path Format", visible: |given| partitioned_by(given, &["TimeBased"]) };
        /// The language of months, days and eras in the folders of time-based partitioners, which need it: `en`. Others only do where the
        /// pattern has no such text. As in Java a country does not belong here: with `en-US`, long texts become short ones.
        locale: String = "locale" { default: Some(""), group: "Partitioner", width: Width::Long, display: "Locale", visible: |given| partitioned_by(given, TIME_BASED) };
        /// The time zone of time-based partitioners, which need it, as Joda-Time knows it: `UTC`, `Europe/Berlin`, `+02:00`.
        timezone: String = "timezone" { default: Some(""), group: "Partitioner", width: Width::Long, display: "Timezone", valid: By(zone), visible: |given| partitioned_by(given, TIME_BASED) };
        /// Where time-based partitioners take a record's time from: Wallclock, the time when it is put into a file; Record, its timestamp in
        /// Kafka; RecordField, the field that `timestamp.field` names. A record without a time is refused.
        timestamp_extractor: String = "timestamp.extractor" { default: Some("Wallclock"), group: "Partitioner", width: Width::Long, display: "Timestamp Extractor" };
        /// The field of the value that RecordField takes the time from, with points between the names of a field within fields: a timestamp, a
        /// number, or text that is a number or a date and time in ISO 8601 (in UTC if it says nothing else).
        timestamp_field: String = "timestamp.field" { default: Some("timestamp"), group: "Partitioner", width: Width::Long, display: "Record Field for Timestamp Extractor" };
        /// What numbers that RecordField finds count since 1970: ms, us, ns or s; Java's sinks take all for ms. auto: what the name of the
        /// field's schema says, as Debezium's and Avro's do, else ms; dates are taken too.
        timestamp_unit: String = "landfall.timestamp.unit" { default: Some("ms"), importance: Low, group: "Partitioner", width: Width::Short, display: "Unit of timestamps", valid: OneOf(&["auto", "ms", "us", "ns", "s"]) };
        /// Whether FieldPartitioner takes values without a schema, which Java's refuses; fields that they lack are null.
        partition_schemaless: bool = "landfall.partition.schemaless" { default: Some("false"), importance: Low, group: "Partitioner", width: Width::Short, display: "Partition values without a schema" };
        /// The path of files below `topics.dir`, instead of a partitioner's: a text with, in braces, `{topic}` (where the record goes),
        /// `{source.topic}` (where it comes from), `{partition}`, `{offset}` (of the file's first record), `{value.a.b}`, `{key}`, `{key.a}`,
        /// `{header.x}` and `{timestamp:%Y-%m-%d}` (the time by `timestamp.extractor` in `timezone`, UTC if that is blank). `{offset:020}` and
        /// `{partition:03}` fill up with zeros. What ends with `/` gets the usual file name, else the extension is added. The file's name must
        /// differ for each partition and offset. A null is `__HIVE_DEFAULT_PARTITION__`.
        ///
        /// The letters of times are those of strftime, of which there are YmdHMSLyjFBbAaIpGVuz%. Values are percent-encoded where they could
        /// leave their folder or be taken for another value.
        path_template: Option<String> = "landfall.path.template" { group: "Partitioner", width: Width::Long, display: "Path template" };
        /// The Java class that makes schemas of partition fields.
        schema_generator_class: Option<String> = "schema.generator.class" { importance: Low, group: "Partitioner", width: Width::Long, display: "Schema Generator Class", effect: Nothing("no tables are made") };
    }
}

const TEMPLATE: &str = "landfall.path.template";
/// The keys that a template reads.
const BY_TEMPLATE: &[&str] = &[TEMPLATE, "timezone", "timestamp.extractor", "timestamp.field", "landfall.timestamp.unit"];
const TIME_BASED: &[&str] = &["TimeBased", "Daily", "Hourly"];

impl PartitionerKeys {
    /// Reads the keys as `declared` changes them; None after a fault.
    pub fn read(declared: fn(Key) -> Key, properties: &Properties, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        let keys = Self::parse_as(declared, properties, faults)?;
        if let Some(template) = &keys.path_template {
            return keys.template(template, properties, faults);
        }
        let delim = properties.get("directory.delim").map_or("/", |delim| delim.trim());
        let name = &keys.partitioner_class.0;
        match class(name) {
            Some(class) => class.build(&keys, delim, faults),
            None => {
                faults.push(CLASS, class_not_found(CLASS, name));
                None
            }
        }
    }

    fn template(&self, text: &str, properties: &Properties, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        let before = faults.0.len();
        if properties.contains_key(CLASS) {
            faults.push(CLASS, format!("{TEMPLATE} says what paths are: leave {CLASS} out"));
        }
        let zone = if self.timezone.is_empty() { Zone::utc() } else { Zone::joda(&self.timezone).ok()? };
        let template = Template::ours(text, zone, self.extractor(faults)?, several_topics(properties));
        let invalid = |why| faults.push(TEMPLATE, format!("Invalid value {text} for configuration {TEMPLATE}: {why}"));
        let template = template.map_err(invalid).ok()?;
        (faults.0.len() == before).then(|| Arc::new(template) as _)
    }

    /// Warnings about keys that are set and that the partitioner does not read.
    #[must_use]
    pub fn warnings(properties: &Properties) -> Vec<String> {
        let name = properties.get(CLASS).map_or(DEFAULT, |name| name.trim());
        let (read, by) = match class(name) {
            _ if properties.contains_key(TEMPLATE) => (BY_TEMPLATE, format!("{TEMPLATE} is given")),
            Some(class) => (class.keys(), format!("the partitioner is {}", name.rsplit('.').next().unwrap_or_default())),
            None => return Vec::new(),
        };
        // the schedule of files has a time zone too
        let scheduled = |key: &str| key == "timezone" && properties.contains_key("rotate.schedule.interval.ms");
        let unread = |key: &&Key| key.name != CLASS && !read.contains(&key.name) && !scheduled(key.name);
        let set = |key: &Key| properties.get(key.name).is_some_and(|value| value.trim() != key.default.unwrap_or_default());
        let unread = Self::KEYS.iter().filter(unread).filter(|key| set(key));
        unread.map(|key| format!("{} has no effect in Landfall: {by}", key.name)).collect()
    }

    /// Where times come from; None after a fault.
    pub(super) fn extractor(&self, faults: &mut Faults) -> Option<Extractor> {
        let source = Source::named(&self.timestamp_extractor, &self.timestamp_field);
        let source = source.map_err(|why| faults.push("timestamp.extractor", why)).ok()?;
        if source == Source::Field(String::new()) {
            faults.push("timestamp.field", "The field to extract cannot be null or empty.");
            return None;
        }
        Some(Extractor::new(source, Unit::named(&self.timestamp_unit).ok()?))
    }
}

/// The class of this name.
fn class(name: &str) -> Option<&'static dyn PartitionerClass> {
    PARTITIONERS.iter().copied().find(|class| class.class() == name)
}

/// Whether a connector with these properties may have more than one topic.
#[must_use]
pub fn several_topics(properties: &Properties) -> bool {
    properties.contains_key("topics.regex") || properties.get("topics").is_some_and(|topics| topics.contains(','))
}

/// Whether the partitioner is one of those whose names begin with one of `names`.
fn partitioned_by(given: &Properties, names: &[&str]) -> bool {
    let simple = given.get(CLASS).and_then(|class| class.trim().rsplit('.').next()?.strip_suffix("Partitioner"));
    simple.is_some_and(|name| names.contains(&name))
}

fn field_names(names: &str) -> Result<(), String> {
    if names.trim().is_empty() {
        return Ok(());
    }
    for name in names.split(',').map(str::trim) {
        if name.is_empty() {
            return Err("Field name cannot be null or empty".into());
        }
        if super::column::path(name).iter().any(|part| part.trim().is_empty()) {
            return Err("Field name cannot contain an empty or whitespace-only path segment".into());
        }
    }
    Ok(())
}

fn zone(id: &str) -> Result<(), String> {
    if id.trim().is_empty() { Ok(()) } else { Zone::joda(id.trim()).map(drop) }
}
