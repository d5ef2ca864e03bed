//! `io.aiven.kafka.connect.azure.sink.AzureBlobSinkConnector` (3.4.x).
//!
//! Keys, defaults and what files hold are Aiven's. Files are written once each and never overwritten, so the templates by which Java
//! keeps the newest record of a key are refused; and a file ends by its age, where Java ends all at each flush of offsets.

use std::sync::Arc;

use landfall_api::{
    AlteredOffsets, Faults, Key, NewOffsets, Password, Properties, Reaches, SinkConnector, SinkTask, TaskContext, TaskError,
    Width, config,
};
use landfall_lake::config::{LakeConfig, no_effect};
use landfall_lake::encode::keys::{FormatKeys, check_columns};
use landfall_lake::encode::{Compression, Format, avro, csv, json};
use landfall_lake::envelope::{Envelope, Part, Style};
use landfall_lake::nulls::NullValues;
use landfall_lake::partition::zone::Zone;
use landfall_lake::partition::{Extractor, Partitioner, Source, Template, Unit};

use crate::access::{self, Access};
use crate::connection_string;
use crate::endpoint::container_name;
use crate::landing::{self, Ending, Landing, Own, Place, directory, invalid};

const CONNECTION_STRING: &str = "azure.storage.connection.string";
const TEMPLATE: &str = "file.name.template";
const TYPE: &str = "format.output.type";

/// The class.
#[derive(Debug)]
pub struct AivenAzureBlobSink;

config! {
    struct AivenConfig {
        /// The connection string that Azure shows for the account; `UseDevelopmentStorage=true` for an emulator. It must be given unless
        /// `store.url` names a directory. Beside `landfall.azure.credential` it only says where the account is:
        /// `BlobEndpoint=https://<account>.blob.core.windows.net`.
        connection_string: Option<Password> = "azure.storage.connection.string" { importance: High, group: "Azure", width: Width::None, display: "azure.storage.connection.string", reaches: Reaches::By(connection_string::reached) };
        /// The container that files land in: 3 to 63 lower-case letters, digits and single hyphens.
        container: String = "azure.storage.container.name" { required: true, importance: High, group: "Azure", width: Width::None, display: "azure.storage.container.name", valid: By(container) };
        /// A directory to land in instead of the container, `file:///<absolute path>`. It is of Landfall, not of Aiven.
        store_url: Option<String> = "store.url" { importance: Low, group: "Azure", width: Width::Long, display: "store.url", reaches: Store };
        /// What stands before the name of each file, with slashes for folders: at most 1024 characters.
        prefix: String = "file.name.prefix" { default: Some(""), group: "File", width: Width::None, display: "file.name.prefix", valid: By(prefix) };
        /// The name of a file behind its prefix, whole, with slashes for folders: `{{topic}}`, `{{partition}}` and `{{start_offset}}` (the
        /// offset of its first record) must be in it, `{{key}}` and `{{timestamp:unit=yyyy}}` (MM, dd, HH) may; `:padding=true` fills
        /// numbers up with zeros to 10 digits for a partition and 20 for an offset. If it is not given:
        /// `{{topic}}-{{partition}}-{{start_offset}}`, with `.avro` for Avro, and what the compression adds. Templates by a key alone are
        /// refused: Java overwrites a key's file with each newer record.
        template: Option<String> = "file.name.template" { group: "File", width: Width::Long, display: "file.name.template" };
        /// The compression of files: none, gzip, snappy or zstd. In Parquet it is that of pages.
        compression: String = "file.compression.type" { default: Some("none"), group: "File", width: Width::None, display: "file.compression.type", valid: By(compression), recommended: &["none", "gzip", "snappy", "zstd"] };
        /// The number of records after which a file ends; 0 for any.
        max_records: i32 = "file.max.records" { default: Some("0"), group: "File", width: Width::Short, display: "file.max.records", valid: By(not_negative) };
        /// The time zone of `{{timestamp}}`: `Z`, `UTC`, `Europe/Berlin`, `+02:00`.
        timezone: String = "file.name.timestamp.timezone" { default: Some("Z"), importance: Low, group: "File", width: Width::Short, display: "file.name.timestamp.timezone", valid: By(|id| Zone::joda(id.trim()).map(drop)) };
        /// What `{{timestamp}}` is: wallclock, the time when a record is put into a file, or event, the record's own.
        source: String = "file.name.timestamp.source" { default: Some("WALLCLOCK"), importance: Low, group: "File", width: Width::Short, display: "file.name.timestamp.source", valid: By(source) };
        /// The format of files: csv, json (an array), jsonl (a JSON text a line), avro or parquet.
        format: String = "format.output.type" { default: Some("csv"), group: "Format", width: Width::None, display: "format.output.type", valid: By(output_type), recommended: &["avro", "csv", "json", "jsonl", "parquet"] };
        /// The parts of a record that files hold, in this order: key, value, offset, timestamp, headers.
        fields: Vec<String> = "format.output.fields" { default: Some("value"), group: "Format", width: Width::None, display: "format.output.fields", valid: By(|names| parts(names).map(drop)), recommended: &["key", "value", "offset", "timestamp", "headers"] };
        /// How csv holds values: base64, or none for text as it is, whatever is in it.
        encoding: String = "format.output.fields.value.encoding" { default: Some("base64"), group: "Format", width: Width::None, display: "format.output.fields.value.encoding", valid: By(encoding), recommended: &["none", "base64"] };
        /// Whether a single part is a field of a record in json, jsonl, avro and parquet; if not, it stands alone.
        envelope: bool = "format.output.envelope" { default: Some("true"), group: "Format", width: Width::Short, display: "format.output.envelope" };
        /// Milliseconds after which a storage call that failed is tried again, at most 24 hours; 5000 if it is not given.
        retry_backoff_ms: Option<i64> = "kafka.retry.backoff.ms" { group: "Retry backoff policy", width: Width::None, display: "kafka.retry.backoff.ms", valid: By(backoff) };
    }
}

config! {
    /// Keys that change nothing that lands here.
    struct NoEffect {
        /// Milliseconds of Java's first wait between tries.
        initial_delay_ms: i64 = "azure.retry.backoff.initial.delay.ms" { default: Some("1000"), group: "Azure retry backoff policy", width: Width::None, display: "azure.retry.backoff.initial.delay.ms", valid: AtLeast(0), effect: Nothing("what fails is tried again after kafka.retry.backoff.ms, until the task stops") };
        /// Milliseconds of Java's longest wait between tries.
        max_delay_ms: i64 = "azure.retry.backoff.max.delay.ms" { default: Some("32000"), group: "Azure retry backoff policy", width: Width::None, display: "azure.retry.backoff.max.delay.ms", valid: AtLeast(0), effect: Nothing("what fails is tried again after kafka.retry.backoff.ms, until the task stops") };
        /// How often Java tries a request again.
        max_attempts: i32 = "azure.retry.backoff.max.attempts" { default: Some("6"), group: "Azure retry backoff policy", width: Width::None, display: "azure.retry.backoff.max.attempts", valid: AtLeast(0), effect: Nothing("what fails is tried again after kafka.retry.backoff.ms, until the task stops") };
        /// What Java's requests call themselves.
        user_agent: Option<String> = "azure.user.agent" { importance: Low, group: "Azure", width: Width::None, display: "azure.user.agent", effect: Nothing("requests call themselves as Azure's client does") };
    }
}

/// The keys of the engine that this class has besides those that are Landfall's own: of Java's `AvroConfig` and `AvroDataConfig`.
const AVRO: &[&str] = &["avro.codec", "enhanced.avro.schema.support", "connect.meta.data"];

/// The class's own defaults: files end by themselves, after the minute that Java's worker flushes offsets at, and when a task stops.
fn declared(key: Key) -> Key {
    let default = match key.name {
        "flush.size" => return Key { required: false, ..key },
        "landfall.rotate.open.ms" => "60000",
        "landfall.rotate.apart" | "landfall.flush.on.stop" => "true",
        "enhanced.avro.schema.support" => "false",
        _ => return key,
    };
    Key { default: Some(default), ..key }
}

impl SinkConnector for AivenAzureBlobSink {
    fn class(&self) -> &'static str {
        "io.aiven.kafka.connect.azure.sink.AzureBlobSinkConnector"
    }

    fn keys(&self) -> Vec<Key> {
        let own = AivenConfig::KEYS.iter().chain(NoEffect::KEYS).copied();
        own.chain(access::keys()).chain(landing::engine_keys(AVRO).map(declared)).collect()
    }

    fn validate(&self, properties: &Properties) -> Faults {
        let mut faults = Faults::default();
        read(properties, &mut faults);
        faults
    }

    fn warnings(&self, properties: &Properties) -> Vec<String> {
        let format = properties.get(TYPE).map_or_else(|| "csv".to_owned(), |format| format.trim().to_ascii_lowercase());
        let engine = landing::engine_properties(properties, AVRO, [("format.class", format!(".{}", class_of(&format)))]);
        let timeless = !properties.get(TEMPLATE).is_some_and(|template| template.contains("timestamp"));
        let idle = [
            ("format.output.fields.value.encoding", format != "csv", "files are not csv"),
            ("format.output.envelope", format == "csv", "csv has no envelope"),
            ("file.name.timestamp.timezone", timeless, "names have no timestamp"),
            ("file.name.timestamp.source", timeless, "names have no timestamp"),
            (CONNECTION_STRING, properties.contains_key("store.url"), "store.url names a directory"),
        ];
        let shared = LakeConfig::warnings(declared, &engine).into_iter();
        shared.chain(no_effect(NoEffect::KEYS, properties)).chain(landing::idle(idle, properties)).collect()
    }

    fn alter_offsets(&self, properties: &Properties, offsets: &NewOffsets) -> Result<AlteredOffsets, String> {
        landing::alter_offsets(properties, offsets)
    }

    fn task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
        landing::task(read, properties, context)
    }
}

/// What the engine's keys call a format.
fn class_of(format: &str) -> &'static str {
    match format {
        "parquet" => "ParquetFormat",
        "avro" => "AvroFormat",
        "csv" => "CsvFormat",
        _ => "JsonFormat",
    }
}

pub(crate) fn read(properties: &Properties, faults: &mut Faults) -> Option<Landing> {
    for key in properties.keys().filter(|key| key.starts_with("connect.parquet.")) {
        faults.push(key, format!("{key} is not supported: Hadoop's keys of Parquet are landfall.parquet.… here"));
    }
    NoEffect::parse(properties, faults);
    let aiven = AivenConfig::parse(properties, faults);
    let own = aiven.as_ref().map(AivenConfig::engine_properties).unwrap_or_default();
    let engine = landing::engine_properties(properties, AVRO, own);
    let lake = LakeConfig::read(declared, &engine, faults);
    let formats = FormatKeys::read(declared, &engine, faults);
    let access = Access::read(properties, faults);
    let place = place(aiven.as_ref(), access.as_ref(), properties, faults);
    let state = landing::state(place.as_ref(), access.as_ref(), faults);
    let aiven = aiven?;
    let envelope = aiven.envelope(faults);
    let partitioner = aiven.partitioner(faults);
    let format = aiven.file_format(&formats?)?;
    check_columns(&format, properties, faults);
    // Java writes null values as text, and fails for those whose schema it has to know.
    let nulls = if format.has_schema() { NullValues::Fail } else { NullValues::Write };
    let pointers = aiven.root();
    let own = Some(Own { envelope: Some(envelope?), partitioner: partitioner?, pointers, nulls });
    Some(Landing { lake: lake?, format, place: place?, prefix: String::new(), state, access: access?, own })
}

/// The container that the connection string and the container's name say, or the directory of `store.url`.
fn place(aiven: Option<&AivenConfig>, access: Option<&Access>, properties: &Properties, faults: &mut Faults) -> Option<Place> {
    let directory = directory(properties, faults)?;
    if let Some(root) = directory {
        return Some(Place::Directory(root));
    }
    let (aiven, access) = (aiven?, access?);
    let Some(text) = &aiven.connection_string else {
        faults.push(CONNECTION_STRING, format!("The configuration {CONNECTION_STRING} cannot be null."));
        return None;
    };
    let read = access.connection_string(text.reveal()).and_then(|(account, credential)| {
        account.check_container(aiven.container.trim())?;
        Ok((account.container(aiven.container.trim())?, credential))
    });
    let (url, credential) = read.map_err(|why| invalid(CONNECTION_STRING, &why, faults)).ok()?;
    access::check(&url, &credential, access, faults);
    Some(Place::Container(url, credential))
}

impl AivenConfig {
    /// What the keys say in the engine's.
    fn engine_properties(&self) -> Vec<(&'static str, String)> {
        let mut engine = vec![("topics.dir", String::new())];
        engine.extend((self.max_records > 0).then(|| ("flush.size", self.max_records.to_string())));
        engine.extend(self.retry_backoff_ms.map(|ms| ("retry.backoff.ms", ms.to_string())));
        engine.push(("parquet.codec", self.compression.trim().to_owned()));
        engine
    }

    /// The name of the format, as the keys of the engine and Java's enum have it.
    fn format(&self) -> String {
        self.format.to_ascii_lowercase()
    }

    fn file_format(&self, keys: &FormatKeys) -> Option<Format> {
        let compression = Compression::aiven(&self.compression).ok()?;
        let numeric = false;
        Some(match self.format().as_str() {
            "parquet" => keys.parquet().ok()?,
            "avro" => match keys.avro().ok()? {
                Format::Avro(options) => Format::Avro(avro::Options { compression, ..options }),
                other => other,
            },
            "json" => Format::Json(json::Options { compression, framing: json::Framing::Array, numeric }),
            "jsonl" => Format::Json(json::Options { compression, framing: json::Framing::Between, numeric }),
            _ => Format::Csv(csv::Options { lines: csv::Lines::Parts { base64: self.encoding == "base64" }, compression }),
        })
    }

    fn envelope(&self, faults: &mut Faults) -> Option<Envelope> {
        let parts = Part::aiven(self.fields.iter().map(String::as_str)).ok()?;
        // Java's text, of `OutputFormatFragment.validate`.
        if !self.envelope && parts.len() != 1 {
            let why = "When format.output.envelope is false, format.output.fields must contain only one field";
            faults.push("format.output.envelope", why);
        }
        Some(Envelope { style: Style::Aiven, parts, bare: !self.envelope })
    }

    /// What the paths of all files begin with.
    fn root(&self) -> String {
        let begin = self.template.as_deref().and_then(|template| template.split("{{").next()).unwrap_or_default();
        format!("{}{begin}", self.prefix).trim_end_matches('/').to_owned()
    }

    /// What names files. What stands behind the last variable from its first point on is how names end: what tells two files with
    /// the same name from each other comes before it.
    fn partitioner(&self, faults: &mut Faults) -> Option<Arc<dyn Partitioner>> {
        let compression = Compression::aiven(&self.compression).ok()?;
        let avro = if self.format() == "avro" { ".avro" } else { "" };
        let usual = || format!("{{{{topic}}}}-{{{{partition}}}}-{{{{start_offset}}}}{avro}{}", compression.extension());
        let template = self.template.clone().unwrap_or_else(usual);
        let behind = template.rfind("}}").map_or(0, |at| at + 2);
        let end = template[behind..].find('.').map_or(template.len(), |at| behind + at);
        let end = if template[end..].contains('/') { template.len() } else { end };
        let zone = Zone::joda(self.timezone.trim()).ok()?;
        let source = if self.source.eq_ignore_ascii_case("event") { Source::Record } else { Source::Wallclock };
        let extractor = Extractor::new(source, Unit::Millis);
        let found = Template::aiven(&self.prefix, &template[..end], zone, extractor, true);
        let invalid = |why| faults.push(TEMPLATE, format!("Invalid value {template} for configuration {TEMPLATE}: {why}"));
        let extension = template[end..].to_owned();
        found.map_err(invalid).ok().map(|partitioner| Arc::new(Ending { partitioner, extension }) as _)
    }
}

fn container(name: &str) -> Result<(), String> {
    if name.is_empty() { Err("String must be non-empty".into()) } else { container_name(name) }
}

fn prefix(text: &str) -> Result<(), String> {
    if text.chars().count() > 1024 {
        return Err("cannot be longer than 1024 characters".into());
    }
    if text.contains("{{") { Err("it cannot have {{: only the template has variables".into()) } else { Ok(()) }
}

fn compression(name: &str) -> Result<(), String> {
    let known = ["none", "gzip", "snappy", "zstd"].contains(&name);
    if known { Ok(()) } else { Err("supported values are: 'none', 'gzip', 'snappy', 'zstd'".into()) }
}

fn not_negative(number: &str) -> Result<(), String> {
    if number.trim().starts_with('-') { Err("must be a non-negative integer number".into()) } else { Ok(()) }
}

fn source(name: &str) -> Result<(), String> {
    let known = ["wallclock", "event"].iter().any(|known| known.eq_ignore_ascii_case(name));
    if known { Ok(()) } else { Err(format!("Unknown timestamp source: {name}")) }
}

fn output_type(name: &str) -> Result<(), String> {
    let known = ["avro", "csv", "json", "jsonl", "parquet"].iter().any(|known| known.eq_ignore_ascii_case(name));
    if known { Ok(()) } else { Err("Supported values are: 'avro', 'csv', 'json', 'jsonl', 'parquet'".into()) }
}

fn parts(names: &str) -> Result<Vec<Part>, String> {
    Part::aiven(names.split(',').map(str::trim).filter(|name| !name.is_empty()))
}

fn encoding(name: &str) -> Result<(), String> {
    if ["none", "base64"].contains(&name) { Ok(()) } else { Err("supported values are: 'none', 'base64'".into()) }
}

fn backoff(ms: &str) -> Result<(), String> {
    match ms.trim().parse::<i64>() {
        Ok(ms) if ms < 0 => Err("Value must be at least 0".into()),
        Ok(ms) if ms > 86_400_000 => Err("Value must be no more than 86400000 (24 hours)".into()),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests;
