//! `io.lenses.streamreactor.connect.datalake.sink.DatalakeSinkConnector` (stream-reactor 11.x).
//!
//! What lands where is said in [`kcql`]; [`target`] is what its statements mean together. All statements of a connector have one
//! container, folder, format and way of naming, and each has its topic: a connector has one layout.

pub mod kcql;
mod target;

use std::borrow::Cow;
use std::sync::Arc;

use landfall_api::{
    AlteredOffsets, Faults, Key, NewOffsets, Password, Properties, Reaches, SinkConnector, SinkTask, TaskContext, TaskError,
    Width, config,
};
use landfall_lake::config::{LakeConfig, no_effect, refused};
use landfall_lake::encode::keys::{FormatKeys, check_columns};
use landfall_lake::nulls::NullValues;

use crate::access::{self, Access};
use crate::connection_string;
use crate::credential::Credential;
use crate::endpoint::{Account, StoreUrl, account_reached};
use crate::entra::keys::CREDENTIAL;
use crate::landing::{self, Ending, Landing, Own, Place, directory, invalid, missing, refuse_given};
use target::{OFFSET_WIDTH, StoreAs, Target};

const KCQL: &str = "connect.datalake.kcql";
const MODE: &str = "connect.datalake.azure.auth.mode";
const ACCOUNT: &str = "connect.datalake.azure.account.name";
const KEY: &str = "connect.datalake.azure.account.key";
const CONNECTION_STRING: &str = "connect.datalake.azure.connection.string";
const ENDPOINT: &str = "connect.datalake.endpoint";
const CODEC: &str = "connect.datalake.compression.codec";
const LEVEL: &str = "connect.datalake.compression.level";
const POLICY: &str = "connect.datalake.error.policy";
const RETRY: &str = "connect.datalake.retry.interval";
const LENGTH: &str = "connect.datalake.padding.length";
const PADDING: &str = "connect.datalake.padding.strategy";

/// The class.
#[derive(Debug)]
pub struct LensesDatalakeSink;

config! {
    struct DatalakeConfig {
        /// What lands where, in KCQL: ``INSERT INTO container[:folder] SELECT * FROM topic [PARTITIONBY … | NOPARTITION] [STOREAS format]
        /// [PROPERTIES('name'=value, …)]``, with a semicolon between statements. The topic may be `` `*` ``, for all.
        ///
        /// Several statements may name several topics; all else in them must be the same. Every topic of `topics` must be in one.
        ///
        /// PARTITIONBY takes `_key`, `_key.field`, `_value.field` or `field`, `_header.name`, `_topic`, `_partition` and `` _date.`pattern` ``
        /// (the record's time in UTC; the pattern's letters are y, M, d, H, m, s and S).
        ///
        /// STOREAS takes JSON (the default), AVRO, PARQUET, TEXT, CSV, CSV_WITHHEADERS and BYTES.
        ///
        /// PROPERTIES are flush.size (bytes, 500000000), flush.count (50000), flush.interval (seconds, 3600), partition.include.keys,
        /// padding.type, padding.length.offset, padding.length.partition, padding.char, key.suffix, store.envelope and
        /// store.envelope.fields.key, .value, .headers and .metadata.
        ///
        /// A file is `<folder>/<topic>/<partition>/<offset>.<extension>`, or with PARTITIONBY or NOPARTITION
        /// `<topic>(<partition>_<offset>).<extension>` below its folders. The offset is that of its first record, and the times of
        /// its records are not in its name: Lenses names a file after its last record, when it has ended.
        kcql: String = "connect.datalake.kcql" { required: true, importance: High, group: "Mapping", width: Width::Long, display: "KCQL" };
        /// How to be let in: credentials (account name and key), connectionstring, or default: what `landfall.azure.credential` says, or the
        /// first of Azure's default credentials that there is (environment, workload identity, managed identity, Azure CLI).
        auth_mode: String = "connect.datalake.azure.auth.mode" { default: Some("Default"), importance: High, group: "Azure", width: Width::Medium, display: "Auth mode", valid: OneOfIgnoreCase(&["credentials", "connectionstring", "default"]), dependents: &[ACCOUNT, KEY, CONNECTION_STRING] };
        /// The storage account, 3 to 24 characters, for credentials.
        account_name: String = "connect.datalake.azure.account.name" { default: Some(""), importance: High, group: "Azure", width: Width::Medium, display: "Account name", reaches: Reaches::By(account_reached) };
        /// The key of the account, in base64, for credentials.
        account_key: Option<Password> = "connect.datalake.azure.account.key" { importance: High, group: "Azure", width: Width::Long, display: "Account key" };
        /// The connection string that Azure shows for the account, for connectionstring; `UseDevelopmentStorage=true` for an emulator.
        connection_string: Option<Password> = "connect.datalake.azure.connection.string" { importance: High, group: "Azure", width: Width::Long, display: "Connection string", reaches: Reaches::By(connection_string::reached) };
        /// Where the account is, if not at `https://<account name>.dfs.core.windows.net`: the URL of its Blob or Data Lake endpoint.
        endpoint: String = "connect.datalake.endpoint" { default: Some(""), importance: Low, group: "Azure", width: Width::Long, display: "Endpoint", reaches: Store };
        /// A directory to land in instead of the container, `file:///<absolute path>`. It is of Landfall, not of Lenses.
        store_url: Option<String> = "store.url" { importance: Low, group: "Azure", width: Width::Long, display: "Store URL", reaches: Store };
        /// What happens when files cannot be written. THROW and RETRY: what fails for a time is tried again until it works or the task
        /// stops, and what fails for good fails the task. NOOP, by which records would be lost, is refused.
        error_policy: String = "connect.datalake.error.policy" { default: Some("THROW"), importance: High, group: "Error", width: Width::Long, display: "Error policy", valid: OneOfIgnoreCase(&["NOOP", "THROW", "RETRY"]) };
        /// Milliseconds after which a storage call that failed is tried again, if the error policy is RETRY; else 5000.
        retry_interval: i64 = "connect.datalake.retry.interval" { default: Some("60000"), group: "Error", width: Width::Long, display: "Retry interval (ms)", valid: AtLeast(0) };
        /// The compression: for JSON UNCOMPRESSED or GZIP; for Avro UNCOMPRESSED, SNAPPY, BZIP2, DEFLATE or ZSTD; for Parquet
        /// UNCOMPRESSED, SNAPPY, GZIP, BROTLI, LZ4 or ZSTD. Other formats are not compressed.
        codec: String = "connect.datalake.compression.codec" { default: Some("UNCOMPRESSED"), importance: Low, group: "Format", width: Width::Medium, display: "Compression codec", valid: OneOfIgnoreCase(&["UNCOMPRESSED", "SNAPPY", "GZIP", "LZO", "BROTLI", "LZ4", "BZIP2", "ZSTD", "DEFLATE", "XZ"]) };
        /// The level of DEFLATE and ZSTD in Avro, which must be given there; -1 for none.
        level: i32 = "connect.datalake.compression.level" { default: Some("-1"), importance: Low, group: "Format", width: Width::Short, display: "Compression level" };
        /// Whether offsets in names are filled up with zeros: LeftPad, or NoOp for not; if it is not given, as the padding properties in KCQL
        /// say. RightPad, by which two offsets may have one name, is refused.
        padding: String = "connect.datalake.padding.strategy" { default: Some(""), importance: Low, group: "Format", width: Width::Medium, display: "Padding strategy", valid: OneOfIgnoreCase(&["", "LeftPad", "RightPad", "NoOp"]) };
        /// The digits that offsets are filled up to if a strategy is given; -1 for 12.
        padding_length: i32 = "connect.datalake.padding.length" { default: Some("-1"), importance: Low, group: "Format", width: Width::Short, display: "Padding length" };
        /// Whether flush.count in KCQL and its default of 50000 do not count.
        disable_flush_count: bool = "connect.datalake.disable.flush.count" { default: Some("false"), importance: Low, group: "Format", width: Width::Short, display: "Disable flush count" };
        /// Whether records whose value is null are left out. If not, they are in files of JSON, bytes and envelopes, and fail the task in
        /// others, as in Java.
        skip_nulls: bool = "connect.datalake.skip.null.values" { default: Some("false"), importance: Low, group: "Value handling", width: Width::Short, display: "Skip null values" };
    }
}

config! {
    /// Keys that would change what lands, and are refused when they ask for it.
    struct NotHere {
        /// When a schema counts as another one, for which a file ends.
        schema_change_detector: String = "connect.datalake.schema.change.detector" { default: Some("default"), importance: Low, group: "Schema Change", width: Width::Medium, display: "Schema change detector", valid: OneOfIgnoreCase(&["default", "version", "compatibility"]) };
        /// Whether records are written with the latest schema that is known.
        latest_schema: bool = "connect.datalake.latest.schema.optimization.enabled" { default: Some("false"), importance: Low, group: "Data Flush Optimization", width: Width::Medium, display: "Latest schema optimization" };
    }
}

config! {
    /// Keys that change nothing that lands here.
    struct NoEffect {
        /// How often Java tries again.
        max_retries: i32 = "connect.datalake.max.retries" { default: Some("20"), group: "Error", width: Width::Long, display: "Max retries", effect: Nothing("what fails is tried again until the task stops") };
        /// How often Java sends a request again.
        http_max_retries: i32 = "connect.datalake.http.max.retries" { default: Some("5"), group: "Error", width: Width::Long, display: "HTTP max retries", effect: Nothing("what fails is tried again until the task stops") };
        /// Milliseconds before Java sends a request again.
        http_retry_interval: i64 = "connect.datalake.http.retry.interval" { default: Some("50"), group: "Error", width: Width::Long, display: "HTTP retry interval (ms)", effect: Nothing("what fails is tried again until the task stops") };
        /// Milliseconds that Java waits for the answer to a request.
        http_socket_timeout: i64 = "connect.datalake.http.socket.timeout" { default: Some("60000"), importance: Low, group: "Azure", width: Width::Long, display: "HTTP socket timeout (ms)", effect: Nothing("time limits are the client's own") };
        /// Milliseconds that Java waits for a connection.
        http_connection_timeout: i64 = "connect.datalake.http.connection.timeout" { default: Some("60000"), importance: Low, group: "Azure", width: Width::Long, display: "HTTP connection timeout (ms)", effect: Nothing("time limits are the client's own") };
        /// The connections that Java keeps.
        pool_max_connections: i32 = "connect.datalake.pool.max.connections" { default: Some("-1"), importance: Low, group: "Azure", width: Width::Long, display: "Max connections", effect: Nothing("the client keeps as many as it needs") };
        /// Where Java stages files.
        local_tmp_directory: String = "connect.datalake.local.tmp.directory" { default: Some(""), importance: Low, group: "Azure", width: Width::Long, display: "Local tmp directory", effect: Nothing("files are staged in the store, unseen until they are whole") };
        /// Whether Java keeps offsets beside its files.
        exactly_once: bool = "connect.datalake.exactly.once.enable" { default: Some("true"), importance: Low, group: "Sink Seek", width: Width::Short, display: "Exactly once", effect: Nothing("records land exactly once in any case") };
        /// The files of offsets that Java keeps for a partition.
        seek_max_files: i32 = "connect.datalake.seek.max.files" { default: Some("5"), importance: Low, group: "Sink Seek", width: Width::Long, display: "Max index files", effect: Nothing("a partition has one commit pointer") };
        /// The folder of Java's files of offsets.
        indexes_name: String = "connect.datalake.indexes.name" { default: Some(".indexes"), importance: Low, group: "Sink Seek", width: Width::Long, display: "Index folder", effect: Nothing("commit pointers are below _landfall") };
        /// Seconds after which Java removes what it no longer needs.
        gc_interval: i32 = "connect.datalake.indexes.gc.interval.seconds" { default: Some("300"), importance: Low, group: "Sink Seek", width: Width::Long, display: "GC interval (s)", valid: AtLeast(1), effect: Nothing("commit pointers leave nothing to remove") };
        /// How many files Java removes at once.
        gc_batch_size: i32 = "connect.datalake.indexes.gc.batch.size" { default: Some("1000"), importance: Low, group: "Sink Seek", width: Width::Long, display: "GC batch size", valid: AtLeast(1), effect: Nothing("commit pointers leave nothing to remove") };
        /// Whether Java looks for what earlier tasks have left.
        gc_sweep: bool = "connect.datalake.indexes.gc.sweep.enabled" { default: Some("true"), importance: Low, group: "Sink Seek", width: Width::Short, display: "GC sweep", effect: Nothing("commit pointers leave nothing to remove") };
        /// Seconds after which Java looks for it again.
        gc_sweep_interval: i32 = "connect.datalake.indexes.gc.sweep.interval.seconds" { default: Some("86400"), importance: Low, group: "Sink Seek", width: Width::Long, display: "GC sweep interval (s)", valid: AtLeast(1), effect: Nothing("commit pointers leave nothing to remove") };
        /// The age in seconds of what Java then removes.
        gc_sweep_min_age: i32 = "connect.datalake.indexes.gc.sweep.min.age.seconds" { default: Some("86400"), importance: Low, group: "Sink Seek", width: Width::Long, display: "GC sweep minimum age (s)", valid: AtLeast(1), effect: Nothing("commit pointers leave nothing to remove") };
        /// How much Java then reads.
        gc_sweep_max_reads: i32 = "connect.datalake.indexes.gc.sweep.max.reads" { default: Some("1000"), importance: Low, group: "Sink Seek", width: Width::Long, display: "GC sweep maximum reads", valid: AtLeast(1), effect: Nothing("commit pointers leave nothing to remove") };
        /// Whether Java logs its metrics.
        log_metrics: bool = "connect.datalake.log.metrics" { default: Some("false"), importance: Low, group: "Log Metrics", width: Width::Short, display: "Log metrics", effect: Nothing("metrics are the worker's, at /metrics") };
    }
}

impl SinkConnector for LensesDatalakeSink {
    fn class(&self) -> &'static str {
        "io.lenses.streamreactor.connect.datalake.sink.DatalakeSinkConnector"
    }

    fn keys(&self) -> Vec<Key> {
        let own = DatalakeConfig::KEYS.iter().chain(NoEffect::KEYS).copied();
        own.chain(access::keys())
            .chain(refused(NotHere::KEYS))
            .chain(landing::engine_keys(&[]).filter(|key| !OWN.contains(&key.name)).map(declared))
            .collect()
    }

    fn validate(&self, properties: &Properties) -> Faults {
        let mut faults = Faults::default();
        read(properties, &mut faults);
        faults
    }

    fn warnings(&self, properties: &Properties) -> Vec<String> {
        let class = match target(properties, &mut Faults::default()).map(|target| target.store_as) {
            Some(StoreAs::Parquet) => "ParquetFormat",
            Some(StoreAs::Avro) => "AvroFormat",
            Some(StoreAs::Csv { .. }) => "CsvFormat",
            Some(StoreAs::Text | StoreAs::Bytes) => "ByteArrayFormat",
            _ => "JsonFormat",
        };
        let engine = landing::engine_properties(properties, &[], [("format.class", format!(".{class}"))]);
        let is = |key: &str, value: &str| properties.get(key).is_some_and(|given| given.trim().eq_ignore_ascii_case(value));
        let (by_string, by_key) = (is(MODE, "connectionstring"), is(MODE, "credentials"));
        let idle = [
            (ENDPOINT, by_string, "the connection string has the endpoint"),
            (ACCOUNT, by_string, "the connection string has the account"),
            (KEY, by_string, "the connection string has the key"),
            (CONNECTION_STRING, by_key, "the account's name and key are given"),
            (RETRY, !is(POLICY, "RETRY"), "the error policy is not RETRY"),
            (LENGTH, !properties.contains_key(PADDING), "there is no padding strategy"),
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

/// What to do instead of giving a key of [`NotHere`].
const WIDEN: &str = "give landfall.schema=widen for files whose schema grows, instead of ending for each change";

/// The engine's keys of Landfall that KCQL has properties for.
const OWN: &[&str] = &["landfall.rotate.size.bytes", "landfall.rotate.open.ms"];

/// The class's own defaults: each folder's file ends by itself.
fn declared(key: Key) -> Key {
    let default = match key.name {
        "flush.size" => return Key { required: false, ..key },
        "landfall.rotate.apart" => "true",
        _ => return key,
    };
    Key { default: Some(default), ..key }
}

pub(crate) fn read(properties: &Properties, faults: &mut Faults) -> Option<Landing> {
    for key in OWN.iter().filter(|key| properties.contains_key(**key)) {
        faults.push(*key, format!("{key} cannot be given: PROPERTIES in {KCQL} say it, as flush.size and flush.interval"));
    }
    NoEffect::parse(properties, faults);
    NotHere::parse(properties, faults);
    refuse_given(NotHere::KEYS, |_| WIDEN, properties, faults);
    let keys = DatalakeConfig::parse(properties, faults);
    if keys.as_ref().is_some_and(|keys| keys.error_policy.eq_ignore_ascii_case("NOOP")) {
        faults.push(POLICY, format!("{POLICY}=NOOP is not supported: records would be lost"));
    }
    let target = target(properties, faults);
    let own = keys.as_ref().zip(target.as_ref()).map(|(keys, target)| keys.engine_properties(target));
    let engine = own.map(|own| landing::engine_properties(properties, &[], own));
    let lake = engine.as_ref().and_then(|engine| LakeConfig::read(declared, engine, faults));
    let formats = engine.as_ref().and_then(|engine| FormatKeys::read(declared, engine, faults));
    let access = Access::read(&with_default(keys.as_ref(), properties), faults);
    let keys = keys?;
    let place = match directory(properties, faults)? {
        Some(root) => Some(Place::Directory(root)),
        None => keys.container(target.as_ref().map(|target| target.container.as_str()), access.as_ref(), faults),
    };
    let state = landing::state(place.as_ref(), access.as_ref(), faults);
    let (target, formats) = (target?, formats?);
    check_topics(&target, properties, faults);
    let format = target.format(&keys.codec, keys.level, &formats).map_err(|(key, why)| faults.push(key, why)).ok()?;
    check_columns(&format, properties, faults);
    let template =
        target.template(keys.offset_width(&target, faults)).map_err(|why| faults.push(KCQL, format!("{why} in: {}", keys.kcql)));
    let nulls = match (keys.skip_nulls, target.writes_nulls()) {
        (true, _) => NullValues::Ignore,
        (false, true) => NullValues::Write,
        (false, false) => NullValues::Fail,
    };
    let extension = format!(".{}", target.extension(&keys.codec));
    let partitioner = Arc::new(Ending { partitioner: template.ok()?, extension });
    let own = Some(Own { envelope: target.envelope(), partitioner, pointers: target.prefix.clone(), nulls });
    Some(Landing { lake: lake?, format, place: place?, prefix: target.prefix, state, access: access?, own })
}

/// What is given, with Azure's default credentials if the mode asks for them and nothing says another one.
fn with_default<'a>(keys: Option<&DatalakeConfig>, properties: &'a Properties) -> Cow<'a, Properties> {
    let is_default = keys.is_some_and(|keys| keys.auth_mode.eq_ignore_ascii_case("default"));
    if !is_default || properties.contains_key(CREDENTIAL) || properties.contains_key("store.url") {
        return Cow::Borrowed(properties);
    }
    let mut given = properties.clone();
    given.insert(CREDENTIAL.to_owned(), "default".to_owned());
    Cow::Owned(given)
}

/// What the statements say; None after a fault.
fn target(properties: &Properties, faults: &mut Faults) -> Option<Target> {
    let statements = kcql::parse(properties.get(KCQL).filter(|text| !text.trim().is_empty())?);
    let statements = statements.map_err(|refused| refused.iter().map(ToString::to_string).collect());
    let target = statements.and_then(|statements| Target::of(&statements));
    target.map_err(|wrong: Vec<String>| wrong.into_iter().for_each(|why| faults.push(KCQL, why))).ok()
}

/// Refuses topics that no statement names: Java's task fails with their first record.
fn check_topics(target: &Target, properties: &Properties, faults: &mut Faults) {
    let Some(named) = &target.topics else { return };
    if properties.get("topics.regex").is_some_and(|regex| !regex.trim().is_empty()) {
        faults.push(KCQL, "topics.regex needs a statement FROM `*`: which topics it means is not known");
    }
    let topics = properties.get("topics").map_or("", String::as_str).split(',').map(str::trim);
    for topic in topics.filter(|topic| !topic.is_empty() && !named.iter().any(|name| name == topic)) {
        faults.push(KCQL, format!("no statement is FROM {topic}, which is one of topics"));
    }
}

impl DatalakeConfig {
    /// What the keys and the statements say in the engine's keys.
    fn engine_properties(&self, target: &Target) -> Vec<(&'static str, String)> {
        let mut engine = vec![
            ("topics.dir", target.prefix.clone()),
            ("landfall.rotate.size.bytes", target.flush_size.to_string()),
            ("landfall.rotate.open.ms", (target.flush_interval * 1000).to_string()),
        ];
        engine.extend((!self.disable_flush_count).then(|| ("flush.size", target.flush_count.to_string())));
        engine.extend(self.is_retry().then(|| ("retry.backoff.ms", self.retry_interval.to_string())));
        if target.store_as == StoreAs::Parquet {
            engine.push(("parquet.codec", self.codec.to_ascii_lowercase()));
        }
        engine
    }

    fn is_retry(&self) -> bool {
        self.error_policy.eq_ignore_ascii_case("RETRY")
    }

    /// The digits of offsets in names, by the keys or by KCQL.
    fn offset_width(&self, target: &Target, faults: &mut Faults) -> usize {
        let by_key = match self.padding.to_ascii_lowercase().as_str() {
            "" => None,
            "noop" => Some(0),
            "rightpad" => {
                faults.push(PADDING, format!("{PADDING}=RightPad is not supported: two offsets may have one name"));
                None
            }
            _ => Some(usize::try_from(self.padding_length).unwrap_or(OFFSET_WIDTH)),
        };
        if by_key.is_some() && target.offset_width.is_some() {
            faults.push(PADDING, format!("{PADDING} and padding properties in {KCQL} cannot be given both"));
        }
        by_key.or(target.offset_width).unwrap_or(OFFSET_WIDTH)
    }

    /// The container, by what the mode says lets one in.
    fn container(&self, container: Option<&str>, access: Option<&Access>, faults: &mut Faults) -> Option<Place> {
        let access = access?;
        let endpoint = match StoreUrl::parse(&self.endpoint) {
            _ if self.endpoint.is_empty() => None,
            Ok(StoreUrl::Account(account)) if account.path.is_empty() => Some(account),
            Ok(_) => {
                invalid(ENDPOINT, "it must be the URL of an account", faults);
                return None;
            }
            Err(why) => {
                invalid(ENDPOINT, &why, faults);
                return None;
            }
        };
        let (account, credential) = match self.auth_mode.to_ascii_lowercase().as_str() {
            "connectionstring" => {
                let Some(text) = &self.connection_string else {
                    faults.push(CONNECTION_STRING, missing(CONNECTION_STRING));
                    return None;
                };
                // Java's client takes the endpoint of the connection string, too.
                let read = access.connection_string(text.reveal());
                read.map_err(|why| invalid(CONNECTION_STRING, &why, faults)).ok()?
            }
            "credentials" => self.account(endpoint, access, faults)?,
            _ => {
                let account = self.named(endpoint, access, faults);
                let others = [(KEY, self.account_key.is_some()), (CONNECTION_STRING, self.connection_string.is_some())];
                account.zip(access.credential(&others, faults))?
            }
        };
        let container = container?;
        account.check_container(container).map_err(|why| faults.push(KCQL, why)).ok()?;
        let url = account.container(container).map_err(|why| faults.push(ENDPOINT, why)).ok()?;
        access::check(&url, &credential, access, faults);
        Some(Place::Container(url, credential))
    }

    fn account(&self, endpoint: Option<Account>, access: &Access, faults: &mut Faults) -> Option<(Account, Credential)> {
        let account = self.named(endpoint, access, faults);
        access.credential(&[(MODE, true)], faults);
        let Some(key) = &self.account_key else {
            faults.push(KEY, missing(KEY));
            return None;
        };
        let credential = Credential::key(&self.account_name, key.reveal()).map_err(|why| invalid(KEY, &why, faults)).ok();
        account.zip(credential)
    }

    /// The account at the endpoint, or where its name says.
    fn named(&self, endpoint: Option<Account>, access: &Access, faults: &mut Faults) -> Option<Account> {
        let name = &self.account_name;
        if name.is_empty() {
            faults.push(ACCOUNT, missing(ACCOUNT));
            return None;
        }
        endpoint.map_or_else(|| access.named(name), Ok).map_err(|why| invalid(ACCOUNT, &why, faults)).ok()
    }
}

#[cfg(test)]
mod tests;
