//! What the statements of a connector mean together, and the compression's keys with them.

use std::collections::BTreeMap;

use landfall_lake::config::check_folder;
use landfall_lake::encode::keys::FormatKeys;
use landfall_lake::encode::{Compression, Format, avro, bytes, csv, json};
use landfall_lake::envelope::{Envelope, Part, Style};
use landfall_lake::partition::Template;
use landfall_lake::partition::template::{Padding, PartitionBy};
use landfall_lake::partition::zone::Zone;

use super::kcql::{Partitions, Statement};
use crate::endpoint::container_name;

/// A format, as `STOREAS` names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreAs {
    Json,
    Avro,
    Parquet,
    Text,
    Csv { names: bool },
    Bytes,
}

/// Where the records of all statements land, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) container: String,
    /// The folder in the container; empty for none.
    pub(super) prefix: String,
    /// The topics; None for all.
    pub(super) topics: Option<Vec<String>>,
    pub(super) partitions: Partitions,
    pub(super) store_as: StoreAs,
    pub(super) flush_count: i32,
    pub(super) flush_size: i64,
    /// In seconds.
    pub(super) flush_interval: i64,
    /// Whether folders are named `<field>=<value>`, if it is said.
    pub(super) include_keys: Option<bool>,
    /// The digits of an offset in a name, if KCQL says something of padding.
    pub(super) offset_width: Option<usize>,
    /// The digits of a partition in a name.
    pub(super) partition_width: usize,
    /// What names have before their extension.
    pub(super) suffix: String,
    pub(super) envelope: Option<Vec<Part>>,
}

/// The digits of offsets in names.
pub(super) const OFFSET_WIDTH: usize = 12;
/// 72 hours, the longest that a file stays open.
const LONGEST: i64 = 259_200;
const ENVELOPE: &[(&str, Part)] = &[
    ("store.envelope.fields.key", Part::Key),
    ("store.envelope.fields.value", Part::Value),
    ("store.envelope.fields.headers", Part::Headers),
    ("store.envelope.fields.metadata", Part::Metadata),
];

impl Target {
    /// What `statements` mean together.
    ///
    /// # Errors
    /// What is wrong with which of them.
    pub(super) fn of(statements: &[Statement]) -> Result<Self, Vec<String>> {
        let mut wrong = Vec::new();
        let mut found: Option<(Self, &Statement)> = None;
        for statement in statements {
            let mut properties = Entries { left: statement.properties.clone(), wrong: Vec::new() };
            let target = Self::read(statement, &mut properties);
            wrong.extend(properties.wrong.into_iter().map(|why| format!("{why} in: {}", statement.text)));
            match &mut found {
                None => found = Some((target, statement)),
                Some((first, of)) => {
                    if (Self { topics: None, ..first.clone() }) != (Self { topics: None, ..target.clone() }) {
                        wrong.push(format!(
                            "all statements must be the same but for their topics, as a connector has one layout: {}, and: {}",
                            of.text, statement.text
                        ));
                    }
                    first.topics = match (first.topics.take(), target.topics) {
                        (Some(some), Some(more)) => Some([some, more].concat()),
                        _ => None,
                    };
                }
            }
        }
        match found {
            Some((target, _)) if wrong.is_empty() => Ok(target),
            _ => Err(wrong),
        }
    }

    fn read(statement: &Statement, properties: &mut Entries) -> Self {
        let Statement { container, prefix, topic, partitions, .. } = statement;
        let prefix = prefix.clone().unwrap_or_default();
        properties.check(container_name(container).map_err(|why| format!("the container {container} cannot be: {why}")));
        properties.check(check_folder(&prefix).map_err(|why| format!("the folder {prefix} cannot be: {why}")));
        let store_as = properties.check(store_as(statement.store_as.as_deref())).unwrap_or(StoreAs::Json);
        let flush_count = properties.number("flush.count", 50_000, i64::from(i32::MAX));
        if store_as == StoreAs::Bytes && flush_count != 1 {
            let why = "flush.count > 1 is not allowed for BYTES. If you want to store N records as raw bytes use AVRO or PARQUET. If you are \
                       using BYTES but not specified a flush.count, then do so by adding flush.count = 1 to your KCQL PROPERTIES section.";
            properties.wrong.push(why.into());
        }
        let flush_size = properties.number("flush.size", 500_000_000, i64::MAX);
        let flush_interval = properties.number("flush.interval", 3600, LONGEST);
        let include_keys = properties.switch("partition.include.keys");
        let (offset_width, partition_width) = properties.padding();
        let suffix = properties.left.remove("key.suffix").unwrap_or_default();
        properties.check(match suffix.contains(['/', '\\']) || suffix.chars().any(char::is_control) {
            true => Err("key.suffix must not have a slash, a backslash or a control character".into()),
            false => Ok(()),
        });
        let envelope = properties.envelope(store_as);
        for name in ["store.file.namer", "store.file.namer.param"] {
            if properties.left.remove(name).is_some() {
                properties.wrong.push(format!("{name} is not supported: Java classes cannot be loaded"));
            }
        }
        let unknown: Vec<_> = std::mem::take(&mut properties.left).into_keys().collect();
        properties.wrong.extend(unknown.into_iter().map(|name| format!("there is no property {name}")));
        Self {
            container: container.clone(),
            prefix,
            topics: topic.clone().map(|topic| vec![topic]),
            partitions: partitions.clone(),
            store_as,
            flush_count: i32::try_from(flush_count).unwrap_or(i32::MAX),
            flush_size,
            flush_interval,
            include_keys,
            offset_width,
            partition_width,
            suffix,
            envelope,
        }
    }

    /// What a row is made of, if not of the value's own fields.
    pub(super) fn envelope(&self) -> Option<Envelope> {
        let parts = self.envelope.clone()?;
        Some(Envelope { style: Style::Lenses, parts, bare: false })
    }

    /// Whether records without a value are rows.
    pub(super) fn writes_nulls(&self) -> bool {
        self.envelope.is_some() || matches!(self.store_as, StoreAs::Json | StoreAs::Bytes)
    }

    /// How names end, by `connect.datalake.compression.codec`.
    pub(super) fn extension(&self, codec: &str) -> &'static str {
        match self.store_as {
            StoreAs::Json if codec.eq_ignore_ascii_case("GZIP") => "gz",
            StoreAs::Json => "json",
            StoreAs::Avro => "avro",
            StoreAs::Parquet => "parquet",
            StoreAs::Text => "text",
            StoreAs::Csv { .. } => "csv",
            StoreAs::Bytes => "bytes",
        }
    }

    /// What names folders and files; offsets have `offset_width` digits.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn template(&self, offset_width: usize) -> Result<Template, String> {
        let by = match &self.partitions {
            Partitions::Default => PartitionBy::Nothing,
            Partitions::None => PartitionBy::None,
            Partitions::By(fields) => PartitionBy::Fields(fields),
        };
        let padding = Padding { partition: self.partition_width, offset: offset_width };
        Template::lenses(by, self.include_keys, padding, &self.suffix, Zone::utc(), true)
    }

    /// The format, compressed by `codec` at `level`; -1 is none.
    ///
    /// # Errors
    /// The key that is wrong, and why.
    pub(super) fn format(&self, codec: &str, level: i32, keys: &FormatKeys) -> Result<Format, (&'static str, String)> {
        let codec = codec.to_ascii_uppercase();
        let wrong = |why: &str| Err((super::CODEC, format!("{}={codec} cannot be: {why}", super::CODEC)));
        let leveled = matches!((self.store_as, codec.as_str()), (StoreAs::Avro, "DEFLATE" | "ZSTD"));
        if level != -1 && !leveled {
            let key = super::LEVEL;
            let more = if self.store_as == StoreAs::Parquet { ": give landfall.parquet.compression.level" } else { "" };
            return Err((key, format!("{key} is of DEFLATE and ZSTD in Avro only{more}")));
        }
        let lines = |compression| Format::Json(json::Options { compression, framing: json::Framing::Lines, numeric: true });
        Ok(match (self.store_as, codec.as_str()) {
            (StoreAs::Json, "UNCOMPRESSED") => lines(Compression::None),
            (StoreAs::Json, "GZIP") => lines(Compression::Gzip),
            (StoreAs::Json, _) => return wrong("files of JSON are UNCOMPRESSED or GZIP"),
            (StoreAs::Avro, _) => {
                let known =
                    |codec| Format::Avro(avro::Options { codec, compression: Compression::None, ..avro::Options::default() });
                let positive = u32::try_from(level);
                match (codec.as_str(), positive) {
                    ("UNCOMPRESSED", _) => known(avro::Codec::Null),
                    ("SNAPPY", _) => known(avro::Codec::Snappy),
                    ("BZIP2", _) => known(avro::Codec::Bzip2),
                    ("DEFLATE", Ok(level @ 0..=9)) => known(avro::Codec::Deflate(level)),
                    ("ZSTD", Ok(1..=22)) => known(avro::Codec::Zstandard(level)),
                    ("DEFLATE", _) => return Err((super::LEVEL, format!("{} must be 0 to 9 for DEFLATE", super::LEVEL))),
                    ("ZSTD", _) => return Err((super::LEVEL, format!("{} must be 1 to 22 for ZSTD", super::LEVEL))),
                    _ => return wrong("files of Avro are UNCOMPRESSED, SNAPPY, BZIP2, DEFLATE or ZSTD"),
                }
            }
            (StoreAs::Parquet, _) => match keys.parquet() {
                Ok(format) => format,
                Err(why) => return wrong(&why),
            },
            (_, codec) if codec != "UNCOMPRESSED" => return wrong("only files of JSON, AVRO and PARQUET are compressed"),
            (StoreAs::Csv { names }, _) => {
                Format::Csv(csv::Options { lines: csv::Lines::Fields { names }, compression: Compression::None })
            }
            (StoreAs::Text, _) => {
                Format::Bytes(bytes::Options { extension: ".text".into(), text: true, ..bytes::Options::default() })
            }
            (StoreAs::Bytes, _) => {
                Format::Bytes(bytes::Options { extension: ".bytes".into(), separator: Vec::new(), ..bytes::Options::default() })
            }
        })
    }
}

fn store_as(name: Option<&str>) -> Result<StoreAs, String> {
    let names = match name.unwrap_or("JSON") {
        "JSON" => return Ok(StoreAs::Json),
        "AVRO" => return Ok(StoreAs::Avro),
        "PARQUET" => return Ok(StoreAs::Parquet),
        "TEXT" => return Ok(StoreAs::Text),
        "BYTES" => return Ok(StoreAs::Bytes),
        "CSV" => false,
        "CSV_WITHHEADERS" => true,
        bytes if bytes.starts_with("BYTES_") => {
            return Err(format!(
                "Unsupported format - {bytes}: the key, the value and their sizes are no longer written as bytes"
            ));
        }
        other => return Err(format!("Unsupported format - {other}")),
    };
    Ok(StoreAs::Csv { names })
}

/// The entries of `PROPERTIES` that nobody has taken yet, and what is wrong with a statement.
struct Entries {
    left: BTreeMap<String, String>,
    wrong: Vec<String>,
}

impl Entries {
    fn check<T>(&mut self, found: Result<T, String>) -> Option<T> {
        found.map_err(|why| self.wrong.push(why)).ok()
    }

    /// A number from 1 to `most`; Java takes the default for 0 and less, too.
    fn number(&mut self, name: &str, default: i64, most: i64) -> i64 {
        match self.left.remove(name).as_deref().map(str::parse::<i64>) {
            None => default,
            Some(Ok(n)) if n <= 0 => default,
            Some(Ok(n)) if n <= most => n,
            Some(_) => {
                self.wrong.push(format!("{name} must be a number of at most {most}"));
                default
            }
        }
    }

    fn switch(&mut self, name: &str) -> Option<bool> {
        match self.left.remove(name)?.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            _ => {
                self.wrong.push(format!("Invalid value for configuration [{name}]. The value must be one of: true, false."));
                None
            }
        }
    }

    /// The digits of offsets, if anything is said of padding, and of partitions.
    fn padding(&mut self) -> (Option<usize>, usize) {
        let given: Vec<_> = self.left.keys().filter(|name| name.starts_with("padding.")).cloned().collect();
        let character = self.left.remove("padding.char");
        if character.is_some_and(|character| character != "0") {
            self.wrong.push("padding.char can only be 0".into());
        }
        let off = match self.left.remove("padding.type").map(|name| name.to_ascii_lowercase()).as_deref() {
            None | Some("leftpad") => false,
            Some("noop") => true,
            Some("rightpad") => {
                self.wrong.push("padding.type=RightPad is not supported: two offsets may have one name".into());
                false
            }
            Some(_) => {
                self.wrong.push("padding.type must be LeftPad or NoOp".into());
                false
            }
        };
        let lengths = ["padding.length.offset", "padding.length.partition"];
        let any = lengths.iter().any(|name| self.left.contains_key(*name));
        let [offset, partition] = lengths.map(|name| {
            let digits = self.left.remove(name)?;
            let digits = digits.parse::<usize>().ok().filter(|digits| *digits <= 20);
            self.check(digits.ok_or_else(|| format!("{name} must be a number of at most 20")))
        });
        let width = |width: Option<usize>| if off { 0 } else { width.unwrap_or(0) };
        let usual = if any { None } else { Some(OFFSET_WIDTH) };
        ((!given.is_empty()).then(|| width(offset.or(usual))), width(partition))
    }

    fn envelope(&mut self, store_as: StoreAs) -> Option<Vec<Part>> {
        let on = self.switch("store.envelope").unwrap_or(false);
        let fields: Vec<_> = ENVELOPE.iter().filter_map(|(name, part)| Some((self.switch(name)?, *part))).collect();
        if !on {
            return None;
        }
        if !matches!(store_as, StoreAs::Json | StoreAs::Avro | StoreAs::Parquet) {
            let name = format!("{store_as:?}").to_ascii_uppercase();
            let name = name.split_whitespace().next().unwrap_or_default();
            self.wrong.push(format!("Envelope is not supported for format {name}."));
        }
        if !fields.is_empty() && fields.len() != ENVELOPE.len() {
            self.wrong.push(
                "If store.envelope is set to true, then setting selective fields is not allowed. Either set them all or leave them out, they default to true.".into(),
            );
        }
        let parts: Vec<_> = match fields[..] {
            [] => ENVELOPE.iter().map(|(_, part)| *part).collect(),
            _ => fields.into_iter().filter_map(|(on, part)| on.then_some(part)).collect(),
        };
        if parts.is_empty() {
            self.wrong.push("If store.envelope is set to true then at least one of its fields must be set to true.".into());
        }
        Some(parts)
    }
}
