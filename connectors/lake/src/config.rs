//! The keys that all lake sinks share: those of Confluent's object store sinks, and what of them is not done yet or has no effect.
//!
//! Names, types and defaults are those of `io.confluent.connect.storage.StorageSinkConnectorConfig` and of the Azure sinks that
//! build on it.

use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use landfall_api::{Effect, Faults, Key, Kind, Properties, Value as _, Width, config};

use crate::Layout;
use crate::columns::Columns;
use crate::commit::keys::CommitKeys;
use crate::encode::Format;
use crate::encode::keys::FormatKeys;
use crate::evolve::SchemaKeys;
use crate::name::Names;
use crate::nulls::NullValues;
use crate::partition::zone::Zone;
use crate::partition::{Partitioner, PartitionerKeys};
use crate::roll::RotationKeys;
use crate::storage::checked_path;
use crate::system::SystemColumn;
use crate::types::names::Naming;
use crate::types::{Iso, Mode, Types, Variable, Wide};

/// The keys that say how types become those of columns.
const TYPES: &[&str] =
    &["landfall.types", "landfall.types.iso", "landfall.types.variable.decimal", "landfall.types.wide.decimal", "landfall.names"];

/// What every lake sink is told.
#[derive(Clone, Debug)]
pub struct LakeConfig {
    keys: LakeKeys,
    /// When files end.
    pub rotation: RotationKeys,
    /// What a changed schema does.
    pub schema: SchemaKeys,
    /// What counts where a partition is not as it was left.
    pub commit: CommitKeys,
    /// Which folder rows go to.
    pub partitioner: Arc<dyn Partitioner>,
    /// The zone that files end by (`timezone`).
    zone: Option<TimeZone>,
}

impl Deref for LakeConfig {
    type Target = LakeKeys;

    fn deref(&self) -> &LakeKeys {
        &self.keys
    }
}

config! {
    /// The keys that no other module has.
    pub struct LakeKeys {
        /// The folder that all topics land in, below the container or the directory. Names in it are parted by `/`; blank for none.
        topics_dir: String = "topics.dir" { default: Some("topics"), importance: High, group: "Storage", width: Width::Short, display: "Topics directory", valid: By(check_folder) };
        /// What is between the names of folders in a path: `/`, or another text without a slash, a backslash and control characters; then
        /// each topic has one flat folder.
        directory_delim: String = "directory.delim" { default: Some("/"), group: "Storage", width: Width::Long, display: "Directory Delimiter", valid: By(directory_delimiter) };
        /// What is between the topic, the partition and the offset in a file name: a text without a slash, a backslash and control
        /// characters.
        file_delim: String = "file.delim" { default: Some("+"), group: "Storage", width: Width::Long, display: "File Delimiter", valid: By(file_delimiter) };
        /// The number of digits that offsets in file names are filled up to with zeros, so that names sort by offset. 0 for none.
        filename_offset_zero_pad_width: i32 = "filename.offset.zero.pad.width" { default: Some("10"), importance: Low, group: "Connector", width: Width::Long, display: "Filename Offset Zero Pad Width", valid: AtLeast(0) };
        /// Columns that are added to those of the value, in the order given: `__topic` and `__partition` (where the record was read
        /// from, also if a transform sends it elsewhere), `__offset`, `__timestamp`, `__key` (as the key converter made it) and
        /// `__headers` (a list of keys and values as bytes). A record whose value has a field of the same name is refused.
        columns: Vec<String> = "landfall.columns" { default: Some(""), group: "Connector", width: Width::Long, display: "Added columns", valid: By(system_columns) };
        /// Whose types the columns of Parquet files have. confluent: what a reader of the Java sinks' files sees, where only Connect's
        /// Decimal, Date, Time and Timestamp are annotated, and int8 and int16 are INT32. native: the types that the values are of; also
        /// Debezium's and Avro's own dates, times and timestamps, JSON, and small integers. docs/types.md lists them all. Another value
        /// gives the same data another schema: readers of one table want the same in all of its files.
        types: String = "landfall.types" { default: Some("confluent"), group: "Schema", width: Width::Short, display: "Types", valid: OneOf(&["confluent", "native"]), dependents: &["landfall.types.iso", "landfall.types.variable.decimal"] };
        /// What becomes of Debezium's dates and times that are text in ISO 8601 (`io.debezium.time.ZonedTimestamp`, `IsoDate`, `IsoTime`,
        /// `IsoTimestamp`) if landfall.types=native: dates, times and timestamps in micros or in nanos, or text. A value that is none, or
        /// is finer than that, is refused. Timestamps with an offset land as the same instant in UTC; nanoseconds end in the year 2262.
        types_iso: String = "landfall.types.iso" { default: Some("micros"), importance: Low, group: "Schema", width: Width::Short, display: "Types of ISO text", valid: OneOf(&["micros", "nanos", "text"]) };
        /// What becomes of numbers with a scale each (`io.debezium.data.VariableScaleDecimal`) if landfall.types=native: their exact text, or
        /// decimals of the digits that are given with how many of them are fractional, as `38,9`; a number that does not fit is refused.
        types_variable_decimal: String = "landfall.types.variable.decimal" { default: Some("text"), importance: Low, group: "Schema", width: Width::Short, display: "Type of variable decimals", valid: By(|text| Variable::named(text).map(drop)) };
        /// What becomes of decimals whose schema has more than 38 digits, which few readers take: refuse makes them decimals of 38 digits
        /// and refuses values that have more, text makes them their exact text.
        types_wide_decimal: String = "landfall.types.wide.decimal" { default: Some("refuse"), importance: Low, group: "Schema", width: Width::Short, display: "Type of wide decimals", valid: OneOf(&["refuse", "text"]) };
        /// What the columns of Parquet files are called. keep: as the fields are. spark: blanks, commas, semicolons, braces,
        /// parentheses, equals signs, points, backquotes and control characters become `_` at every depth, and records with two fields
        /// whose names are then the same but for case are refused.
        names: String = "landfall.names" { default: Some("keep"), group: "Schema", width: Width::Short, display: "Names of columns", valid: OneOf(&["keep", "spark"]) };
        /// What happens to a record whose value is null: fail fails the task, also if `errors.tolerance` is all; ignore leaves it out;
        /// report refuses it, so that `errors.tolerance` decides and it goes to the dead letter queue; write makes it a row whose value
        /// columns are null (every column may then be null in a file's schema), which needs `__key` in `landfall.columns`.
        behavior_on_null_values: String = "behavior.on.null.values" { default: Some("fail"), importance: Low, group: "Connector", width: Width::Short, display: "Behavior for null-valued records", valid: OneOfIgnoreCase(&["fail", "ignore", "report", "write"]) };
        /// Milliseconds after which a storage call that failed is tried again.
        retry_backoff_ms: i64 = "retry.backoff.ms" { default: Some("5000"), importance: Low, group: "Connector", width: Width::Long, display: "Retry Backoff (ms)", valid: AtLeast(0) };
        /// Whether the files that are open when a task stops are published. Those that are not are written again from the same records.
        flush_on_stop: bool = "landfall.flush.on.stop" { default: Some("false"), importance: Low, group: "Connector", width: Width::Short, display: "Flush on stop" };
    }
}

config! {
    /// Keys that change nothing that lands here.
    struct NoEffect {
        /// Milliseconds that Java waits for a task to stop.
        shutdown_timeout_ms: i64 = "shutdown.timeout.ms" { default: Some("3000"), group: "Connector", width: Width::Medium, display: "Shutdown Timeout (ms)", effect: Nothing("task.shutdown.graceful.timeout.ms of the worker counts") };
        /// The number of names that Java tries when one is taken.
        max_files_scan_limit: i32 = "max.files.scan.limit" { default: Some("100"), importance: Low, group: "Connector", width: Width::Long, display: "Maximum Files Scan Limit", effect: Nothing("the file that has the name is read") };

        /// Whether tables are made in Hive.
        hive_integration: bool = "hive.integration" { default: Some("false"), importance: Low, group: "Hive", width: Width::Short, display: "Hive Integration", effect: Nothing("no tables are made") };
    }
}

impl LakeConfig {
    /// Reads the keys as `declared` changes them, and refuses what would leave the store or never end a file.
    pub fn read(declared: fn(Key) -> Key, properties: &Properties, faults: &mut Faults) -> Option<Self> {
        let keys = LakeKeys::parse_as(declared, properties, faults);
        let rotation = RotationKeys::read(declared, properties, faults);
        let schema = SchemaKeys::read(declared, properties, faults);
        NoEffect::parse(properties, faults);
        let commit = CommitKeys::parse_as(declared, properties, faults);
        let partitioner = PartitionerKeys::read(declared, properties, faults);
        let zone = declared(Key { name: "timezone", ..Key::EMPTY }).default.map(str::to_owned);
        let zone = properties.get("timezone").cloned().or(zone).filter(|zone| !zone.trim().is_empty());
        let zone = zone.and_then(|zone| Zone::joda(zone.trim()).ok()).map(|zone| zone.time_zone());
        let lake = Self { zone, keys: keys?, rotation: rotation?, schema: schema?, commit: commit?, partitioner: partitioner? };
        let key = SystemColumn::Key.name();
        if lake.behavior_on_null_values.eq_ignore_ascii_case("write") && !lake.columns.iter().any(|column| column == key) {
            faults.push(
                "behavior.on.null.values",
                format!("behavior.on.null.values=write needs {key} in landfall.columns: a row without a value says nothing but its key"),
            );
        }
        Some(lake)
    }

    /// How the engine lays out files of `format` below `prefix`, the folder of all topics.
    ///
    /// # Errors
    /// A column or a behaviour is not known; reading the keys would have refused it.
    pub fn layout(&self, format: Format, prefix: String) -> Result<Layout, String> {
        let names = Names {
            prefix,
            directory_delim: self.directory_delim.clone(),
            file_delim: self.file_delim.clone(),
            offset_width: self.filename_offset_zero_pad_width as usize,
        };
        Ok(Layout {
            pointers: names.prefix.clone(),
            names,
            columns: Columns {
                format,
                envelope: None,
                system: SystemColumn::list(self.columns.iter().map(String::as_str))?,
                types: Types {
                    mode: Mode::named(&self.types)?,
                    iso: Iso::named(&self.types_iso)?,
                    variable: Variable::named(&self.types_variable_decimal)?,
                    wide: Wide::named(&self.types_wide_decimal)?,
                    names: Naming::named(&self.names)?,
                },
            },
            partitioner: self.partitioner.clone(),
            rotation: self.rotation.rotation(self.zone.clone()),
            rule: self.schema.rule(),
            rules: self.commit.rules()?,
            commit_log: self.commit.logs(),
            nulls: NullValues::named(&self.behavior_on_null_values)?,
            retry_backoff: Duration::from_millis(self.retry_backoff_ms as u64),
            flush_on_stop: self.flush_on_stop,
        })
    }

    /// All keys that lake sinks share, also those that are refused or have no effect.
    pub fn keys() -> impl Iterator<Item = Key> {
        let own =
            [RotationKeys::KEYS, LakeKeys::KEYS, PartitionerKeys::KEYS, FormatKeys::KEYS, SchemaKeys::KEYS, CommitKeys::KEYS];
        let own = own.into_iter().flatten().copied();
        own.chain(NoEffect::KEYS.iter().copied())
    }

    /// Warnings about shared keys that are set, as `declared` changes them, and have no effect.
    #[must_use]
    pub fn warnings(declared: fn(Key) -> Key, properties: &Properties) -> Vec<String> {
        let rotation = RotationKeys::parse_as(declared, properties, &mut Faults::default());
        let schema = SchemaKeys::parse_as(declared, properties, &mut Faults::default());
        let partitioner = PartitionerKeys::read(declared, properties, &mut Faults::default());
        let time_based = partitioner.is_some_and(|partitioner| partitioner.time_based());
        let rotation = rotation.map_or_else(Vec::new, |keys| keys.warnings(time_based));
        let schema = schema.map_or_else(Vec::new, |keys| keys.warnings());
        let licence = properties.keys().filter(|key| key.starts_with("confluent."));
        let parquet = properties.get("format.class").is_none_or(|class| class.trim().ends_with(".ParquetFormat"));
        let types: Vec<Key> = LakeKeys::KEYS.iter().filter(|key| !parquet && TYPES.contains(&key.name)).copied().collect();
        no_effect(NoEffect::KEYS, properties)
            .chain(no_effect(&types, properties))
            .chain(FormatKeys::warnings(properties))
            .chain(rotation)
            .chain(schema)
            .chain(PartitionerKeys::warnings(properties))
            .chain(licence.map(|key| format!("{key} has no effect in Landfall")))
            .collect()
    }
}

/// Adds a fault for each of `keys` that has another value than its default.
pub fn refuse_changed(keys: &[Key], properties: &Properties, faults: &mut Faults) {
    for (key, value) in changed(keys, properties) {
        if !faults.0.iter().any(|fault| fault.key == key.name) {
            refuse(key.name, if key.kind == Kind::Password { "[hidden]" } else { value }, faults);
        }
    }
}

/// `keys`, each said to be refused when it has another value than its default.
pub fn refused(keys: &[Key]) -> impl Iterator<Item = Key> {
    keys.iter().map(|key| Key { effect: Effect::Refused, ..*key })
}

/// A warning for each of `keys` that has another value than its default.
pub fn no_effect<'a>(keys: &'a [Key], properties: &'a Properties) -> impl Iterator<Item = String> + 'a {
    changed(keys, properties).map(|(key, _)| match key.effect {
        Effect::Nothing(why) => format!("{} has no effect in Landfall: {why}", key.name),
        _ => format!("{} has no effect in Landfall", key.name),
    })
}

/// Adds the fault of a value that Java takes and this does not.
pub fn refuse(key: &str, value: &str, faults: &mut Faults) {
    faults.push(key, format!("{key}={value} is not supported yet"));
}

/// Java's text for a class that is not there.
#[must_use]
pub fn class_not_found(key: &str, class: &str) -> String {
    format!("Invalid value {class} for configuration {key}: Class {class} could not be found.")
}

fn changed<'a>(keys: &'a [Key], properties: &'a Properties) -> impl Iterator<Item = (&'a Key, &'a str)> {
    keys.iter().filter_map(|key| {
        let value = properties.get(key.name)?.trim();
        (!value.eq_ignore_ascii_case(key.default.unwrap_or(""))).then_some((key, value))
    })
}

/// Checks a folder below a store's root; blank is the root itself.
///
/// # Errors
/// It would leave the store, or be where unfinished files are.
pub fn check_folder(path: &str) -> Result<(), String> {
    let path = path.trim();
    if path.is_empty() {
        return Ok(());
    }
    if path.split('/').next() == Some("_landfall") {
        return Err("_landfall is where unfinished files are".into());
    }
    checked_path(path).map(drop).map_err(|e| e.to_string())
}

fn directory_delimiter(delimiter: &str) -> Result<(), String> {
    if delimiter.trim() == "/" { Ok(()) } else { file_delimiter(delimiter) }
}

fn file_delimiter(delimiter: &str) -> Result<(), String> {
    match delimiter.trim() {
        "" => Err("it must not be blank".into()),
        text if text.contains(|c: char| c.is_control() || c == '/' || c == '\\') => {
            Err("it must not have a slash, a backslash or a control character".into())
        }
        _ => Ok(()),
    }
}

fn system_columns(names: &str) -> Result<(), String> {
    let names = Vec::<String>::parse(names)?;
    SystemColumn::list(names.iter().map(String::as_str)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encode::json;
    use crate::evolve::Rule;

    fn read(pairs: &[(&str, &str)]) -> (Option<LakeConfig>, Vec<String>) {
        let mut faults = Faults::default();
        let lake = LakeConfig::read(std::convert::identity, &given(pairs), &mut faults);
        (lake, faults.0.into_iter().map(|fault| fault.message).collect())
    }

    fn given(pairs: &[(&str, &str)]) -> Properties {
        pairs.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect()
    }

    #[test]
    fn defaults_are_confluents() {
        let (lake, faults) = read(&[("flush.size", "1000")]);
        let lake = lake.expect("good");
        assert_eq!((&*lake.topics_dir, &*lake.directory_delim, &*lake.file_delim), ("topics", "/", "+"));
        assert_eq!(lake.filename_offset_zero_pad_width, 10);
        assert_eq!((lake.rotation.flush_size, lake.schema.rule()), (Some(1000), Rule::None));
        assert_eq!((lake.flush_on_stop, faults), (false, vec![]));
        assert_eq!(read(&[]).1, ["Missing required configuration \"flush.size\" which has no default value."]);
    }

    #[test]
    fn a_default_may_be_given_in_other_letters() {
        let defaults = [("flush.size", "1"), ("rotate.interval.ms", " -1"), ("behavior.on.null.values", "FAIL")];
        assert_eq!(read(&defaults).1, [""; 0]);
    }

    #[test]
    fn null_values_are_written_beside_their_keys() {
        let write = [("flush.size", "1"), ("behavior.on.null.values", "Write")];
        let (_, faults) = read(&write);
        let why = "behavior.on.null.values=write needs __key in landfall.columns: a row without a value says nothing but its key";
        assert_eq!(faults, [why]);
        let (lake, faults) = read(&[&write[..], &[("landfall.columns", "__offset, __key")]].concat());
        assert!(lake.is_some() && faults.is_empty(), "{faults:?}");
    }

    #[test]
    fn bad_values_are_explained() {
        for (key, value, why) in [
            ("flush.size", "0", "Value must be at least 1"),
            ("topics.dir", "../up", "the path \"../up\" cannot be used: it leaves its folder"),
            ("topics.dir", "/abs", "the path \"/abs\" cannot be used: a name in it is empty"),
            ("topics.dir", "_landfall/x", "_landfall is where unfinished files are"),
            ("directory.delim", "/../", "it must not have a slash, a backslash or a control character"),
            ("file.delim", "/", "it must not have a slash, a backslash or a control character"),
            ("file.delim", " ", "it must not be blank"),
            (
                "landfall.columns",
                "__offset,offset",
                "\"offset\" is none of __topic, __partition, __offset, __timestamp, __key, __headers",
            ),
            ("landfall.columns", "__key, __key", "__key is there twice"),
            ("landfall.types", "spark", "String must be one of: confluent, native"),
            ("landfall.types.iso", "millis", "String must be one of: micros, nanos, text"),
            ("landfall.types.wide.decimal", "TEXT", "String must be one of: refuse, text"),
            ("landfall.names", "none", "String must be one of: keep, spark"),
            (
                "landfall.types.variable.decimal",
                "39,2",
                "it must be text, or the digits of a decimal (1 to 38) and how many of them are fractional: 38,9",
            ),
            ("behavior.on.null.values", "skip", "String must be one of (case insensitive): fail, ignore, report, write"),
        ] {
            let (_, faults) = read(&[("flush.size", "1"), (key, value)]);
            assert_eq!(faults, [format!("Invalid value {} for configuration {key}: {why}", value.trim())]);
        }
    }

    #[test]
    fn what_is_given_is_in_the_layout() {
        let set = [
            ("flush.size", "7"),
            ("landfall.rotate.size.bytes", "8"),
            ("topics.dir", "a/b"),
            ("directory.delim", "_"),
            ("file.delim", "-"),
            ("filename.offset.zero.pad.width", "3"),
            ("landfall.columns", "__key"),
            ("landfall.types", "native"),
            ("landfall.types.iso", "nanos"),
            ("landfall.types.variable.decimal", "30, 10"),
            ("landfall.types.wide.decimal", "text"),
            ("landfall.names", "spark"),
            ("behavior.on.null.values", "WRITE"),
            ("retry.backoff.ms", "11"),
            ("landfall.flush.on.stop", "true"),
        ];
        let lake = read(&set).0.expect("good");
        let format = Format::Json(json::Options::default());
        let Layout { names, columns, rotation, nulls, retry_backoff, flush_on_stop, .. } =
            lake.layout(format.clone(), lake.topics_dir.clone()).expect("good");
        let (directory_delim, file_delim) = ("_".to_owned(), "-".to_owned());
        assert_eq!(names, Names { prefix: "a/b".into(), directory_delim, file_delim, offset_width: 3 });
        let (iso, variable) = (Iso::Nanos, Variable::Decimal(30, 10));
        let types = Types { mode: Mode::Native, iso, variable, wide: Wide::Text, names: Naming::Spark };
        assert_eq!((columns.format, &columns.system[..], columns.types), (format, &[SystemColumn::Key][..], types));
        assert_eq!((rotation.flush_size, rotation.size), (Some(7), Some(8)));
        assert_eq!((nulls, retry_backoff, flush_on_stop), (NullValues::Write, Duration::from_millis(11), true));
    }

    #[test]
    fn what_has_no_effect_is_warned_about_by_name() {
        let set = given(&[("confluent.license", "x"), ("shutdown.timeout.ms", "1")]);
        let warned = [
            "shutdown.timeout.ms has no effect in Landfall: task.shutdown.graceful.timeout.ms of the worker counts",
            "confluent.license has no effect in Landfall",
        ];
        assert_eq!(LakeConfig::warnings(std::convert::identity, &set), warned);
    }
}
