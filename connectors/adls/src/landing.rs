//! What a class makes of its keys: where files land and how, and from that the engine's task.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::http::Url;
use landfall_api::config::Class;
use landfall_api::{AlteredOffsets, Batch, Faults, Key, NewOffsets, Properties, SinkTask, TaskContext, TaskError};
use landfall_lake::columns::Refusals;
use landfall_lake::commit::keys::CommitKeys;
use landfall_lake::commit::start::ExternalReset;
use landfall_lake::config::{LakeConfig, class_not_found, refuse, refuse_changed};
use landfall_lake::encode::Format;
use landfall_lake::encode::keys::{FormatKeys, check_columns};
use landfall_lake::envelope::Envelope;
use landfall_lake::name::{File, Names};
use landfall_lake::nulls::NullValues;
use landfall_lake::partition::{Folders, Partitioner};
use landfall_lake::storage::local::LocalStorage;
use landfall_lake::storage::{Storage, StorageError};
use landfall_lake::{LakeTask, Layout};

use crate::access::Access;
use crate::credential::Credential;
use crate::endpoint::{Account, StoreUrl, is_one_lake};

/// The container of the commit pointers, if it is another one than that of the files in `place`.
pub(crate) fn state(place: Option<&Place>, access: Option<&Access>, faults: &mut Faults) -> Option<Url> {
    let name = access?.state.as_ref()?;
    match place? {
        Place::Directory(_) => {
            let key = "landfall.state.container";
            faults.push(key, format!("{key} cannot be given: a directory keeps its commit pointers itself"));
            None
        }
        Place::Container(url, _) => {
            let mut url = url.clone();
            url.path_segments_mut().ok()?.pop().push(name);
            Some(url)
        }
    }
}

/// What the engine does about offsets that a user gives the connector's group.
pub(crate) fn alter_offsets(properties: &Properties, offsets: &NewOffsets) -> Result<AlteredOffsets, String> {
    let keys = CommitKeys::parse(properties, &mut Faults::default());
    let given = offsets.values().any(Option::is_some);
    match keys.and_then(|keys| keys.rules().ok()).unwrap_or_default().reset {
        ExternalReset::Obey if given && offsets.values().all(Option::is_some) => Ok(AlteredOffsets::Obeyed),
        ExternalReset::Obey => Ok(AlteredOffsets::OfGroup(
            "Partitions without an offset go on behind what has landed, as their commit pointers say. To land records again, alter the \
             offset of a partition to that of the first of them: they land in files of another incarnation.",
        )),
        ExternalReset::Ignore => Ok(AlteredOffsets::OfGroup(
            "With landfall.external.reset=ignore partitions go on behind what has landed, as their commit pointers say.",
        )),
        ExternalReset::Fail if given => {
            Err("landfall.external.reset=fail lets nobody set offsets, its tasks would fail; set it to obey before".to_owned())
        }
        ExternalReset::Fail => Ok(AlteredOffsets::OfGroup(
            "Partitions without an offset go on behind what has landed, as their commit pointers say.",
        )),
    }
}

/// Where files land.
#[derive(Debug)]
pub(crate) enum Place {
    Directory(PathBuf),
    Container(Url, Credential),
}

/// The stores of a connector.
#[derive(Debug)]
pub(crate) struct Stores {
    /// Where its files are.
    pub files: Arc<dyn Storage>,
    /// Where its pointers are.
    pub pointers: Arc<dyn Storage>,
    /// The folder of its pointers, to which topic and partition are added.
    pub folder: String,
}

/// Where files land and how.
#[derive(Debug)]
pub(crate) struct Landing {
    pub(crate) lake: LakeConfig,
    pub(crate) format: Format,
    pub(crate) place: Place,
    /// The folder of all topics below the place.
    pub(crate) prefix: String,
    /// The container of the commit pointers, if it is not that of the files (`landfall.state.container`). The credential is the same.
    pub(crate) state: Option<Url>,
    /// How the account is reached.
    pub(crate) access: Access,
    /// What the class says by itself of what others leave to the engine's keys.
    pub(crate) own: Option<Own>,
}

/// What a class whose keys are not Confluent's says by itself.
#[derive(Debug)]
pub(crate) struct Own {
    /// What a row is made of, if not of the value's own fields.
    pub(crate) envelope: Option<Envelope>,
    /// What names folders and files.
    pub(crate) partitioner: Arc<dyn Partitioner>,
    /// What all files are below, by which their commit pointers are found.
    pub(crate) pointers: String,
    /// What becomes of records without a value.
    pub(crate) nulls: NullValues,
}

/// Names files as another partitioner does, with an extension that the class says and not the format.
#[derive(Debug)]
pub(crate) struct Ending<P> {
    pub(crate) partitioner: P,
    pub(crate) extension: String,
}

impl<P: Partitioner> Partitioner for Ending<P> {
    fn folders(&self, batch: &Batch, now_ms: i64) -> Result<Folders, Refusals> {
        self.partitioner.folders(batch, now_ms)
    }

    fn time_based(&self) -> bool {
        self.partitioner.time_based()
    }

    fn path(&self, names: &Names, file: &File<'_>) -> String {
        self.partitioner.path(names, &File { extension: &self.extension, ..*file })
    }
}

impl Landing {
    /// How the engine lays out files.
    ///
    /// # Errors
    /// What reading the keys would have refused.
    pub(crate) fn layout(&self) -> Result<Layout, String> {
        let mut layout = self.lake.layout(self.format.clone(), self.prefix.clone())?;
        if let Some(own) = &self.own {
            layout.columns.envelope.clone_from(&own.envelope);
            (layout.partitioner, layout.nulls) = (own.partitioner.clone(), own.nulls);
        }
        Ok(layout)
    }

    /// The engine's task. Does no I/O.
    pub(crate) fn task(self, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
        let Stores { files, pointers, folder } = self.stores().map_err(|error| TaskError::Fatal(error.to_string()))?;
        let mut layout = self.layout().map_err(TaskError::Fatal)?;
        layout.pointers = folder;
        Ok(Box::new(LakeTask::new(layout, files, pointers, context)))
    }

    /// The folder of an item of OneLake that files land in, `<item>/Files`, where everything else has to be, too: a workspace itself takes
    /// no files.
    fn one_lake_item(&self) -> Option<String> {
        let Place::Container(url, _) = &self.place else { return None };
        let folder = self.own.as_ref().map_or(&self.prefix, |own| &own.pointers);
        is_one_lake(url).then(|| folder.split('/').take(2).collect::<Vec<_>>().join("/"))
    }

    /// Where its files and pointers are.
    pub(crate) fn stores(&self) -> Result<Stores, StorageError> {
        let root = self.one_lake_item();
        let azure = |url: &Url, credential: &Credential| {
            let storage = self.access.open(url, credential)?;
            Ok(Arc::new(match &root {
                Some(item) => storage.hiding_below(item),
                None => storage,
            }))
        };
        let folder = self.own.as_ref().map_or(&self.prefix, |own| &own.pointers).clone();
        Ok(match (&self.place, &self.state) {
            (Place::Directory(root), _) => {
                let files: Arc<dyn Storage> = Arc::new(LocalStorage::new(root.clone()));
                Stores { pointers: files.clone(), files, folder }
            }
            (Place::Container(url, credential), None) => {
                let files: Arc<dyn Storage> = azure(url, credential)?;
                Stores { pointers: files.clone(), files, folder }
            }
            (Place::Container(url, credential), Some(state)) => {
                // several containers may have their pointers in one
                let container = url.path().rsplit('/').next().unwrap_or_default();
                let folder = if folder.is_empty() { container.to_owned() } else { format!("{container}/{folder}") };
                Stores { files: azure(url, credential)?, pointers: azure(state, credential)?, folder }
            }
        })
    }
}

/// The task of what `read` makes of `properties`.
pub(crate) fn task(
    read: fn(&Properties, &mut Faults) -> Option<Landing>,
    properties: &Properties,
    context: TaskContext,
) -> Result<Box<dyn SinkTask>, TaskError> {
    let mut faults = Faults::default();
    let landing = read(properties, &mut faults);
    faults.or(landing).map_err(|faults| TaskError::Fatal(faults.to_string()))?.task(context)
}

/// Refuses `keys` that are given another value than their default, each for the reason that `why` gives.
pub(crate) fn refuse_given(keys: &[Key], why: fn(&str) -> &'static str, properties: &Properties, faults: &mut Faults) {
    let mut given = Faults::default();
    refuse_changed(keys, properties, &mut given);
    given.0.retain(|fault| !faults.0.iter().any(|other| other.key == fault.key));
    for fault in given.0 {
        let message = format!("{}: {}", fault.message.trim_end_matches(" yet"), why(&fault.key));
        faults.push(fault.key, message);
    }
}

/// Warnings about keys that are given and mean nothing beside others: each with whether that is so, and why.
pub(crate) fn idle<'a>(
    keys: impl IntoIterator<Item = (&'static str, bool, &'static str)> + 'a,
    properties: &'a Properties,
) -> impl Iterator<Item = String> + 'a {
    let given = |key: &str| properties.get(key).is_some_and(|value| !value.trim().is_empty());
    let idle = keys.into_iter().filter(move |(key, idle, _)| *idle && given(key));
    idle.map(|(key, _, why)| format!("{key} has no effect in Landfall: {why}"))
}

/// Adds a fault of `key`; `why` shows nothing of a secret.
pub(crate) fn invalid(key: &str, why: &str, faults: &mut Faults) {
    faults.push(key, format!("Invalid value for configuration {key}: {why}"));
}

/// What the user's `store.url` says; None after a fault.
pub(crate) fn store_url(url: Option<&String>, faults: &mut Faults) -> Option<Option<StoreUrl>> {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return Some(None) };
    StoreUrl::parse(url).map(Some).map_err(|why| invalid("store.url", &why, faults)).ok()
}

/// The directory that the `store.url` of a class names that lands in a container otherwise; None after a fault.
pub(crate) fn directory(properties: &Properties, faults: &mut Faults) -> Option<Option<PathBuf>> {
    match store_url(properties.get("store.url"), faults)? {
        Some(StoreUrl::Directory(root)) => Some(Some(root)),
        None => Some(None),
        Some(StoreUrl::Account(_)) => {
            invalid("store.url", "here it can only be a directory, file:///<absolute path>", faults);
            None
        }
    }
}

/// The keys of the engine that a class offers whose keys are not Confluent's: Landfall's own, and those of `more`.
pub(crate) fn engine_keys(more: &[&str]) -> impl Iterator<Item = Key> + use<> {
    let known = |key: &Key| key.dependents.iter().all(|name| is_offered(name, more));
    let offered = LakeConfig::keys().filter(|key| is_offered(key.name, more));
    let offered: Vec<_> = offered.map(|key| if known(&key) { key } else { Key { dependents: &[], ..key } }).collect();
    offered.into_iter()
}

/// What such a class's configuration says in the engine's keys: what is given of those that it offers, and its `own`.
pub(crate) fn engine_properties(
    properties: &Properties,
    more: &[&str],
    own: impl IntoIterator<Item = (&'static str, String)>,
) -> Properties {
    let given = properties.iter().filter(|(key, _)| is_offered(key, more) || key.starts_with("confluent."));
    given
        .map(|(key, value)| (key.clone(), value.clone()))
        .chain(own.into_iter().map(|(key, value)| (key.to_owned(), value)))
        .collect()
}

fn is_offered(key: &str, more: &[&str]) -> bool {
    // Names and folders are the class's own business.
    let own = ["landfall.path.template", "landfall.partition.schemaless", "landfall.timestamp.unit"].contains(&key);
    key.starts_with("landfall.") && !own || more.contains(&key)
}

/// The account that a Confluent class lands in: the one named, at `store.url` if that is given.
pub(crate) fn account(
    name_key: &'static str,
    name: Option<&String>,
    url: Option<Account>,
    access: &Access,
    faults: &mut Faults,
) -> Option<(Account, String)> {
    let Some(name) = name else {
        faults.push(name_key, missing(name_key));
        return None;
    };
    let account = match url {
        Some(account) => account,
        None => access.named(name).map_err(|why| invalid(name_key, &why, faults)).ok()?,
    };
    if !account.path.is_empty() {
        faults.push("store.url", format!("store.url must end with the account, not with {:?}", account.path.join("/")));
        return None;
    }
    if account.name.as_ref().is_some_and(|found| found != name) {
        faults.push("store.url", format!("store.url is of another account than {name_key}={name}"));
        return None;
    }
    Some((account, name.clone()))
}

/// Java's text for a key that must be given.
pub(crate) fn missing(key: &str) -> String {
    format!("Missing required configuration \"{key}\" which has no default value.")
}

/// The format that the class `class` means; `packages` are those that the sink may name it in. None after a fault.
pub(crate) fn format(
    class: &Class,
    packages: &[&str],
    keys: Option<&FormatKeys>,
    properties: &Properties,
    faults: &mut Faults,
) -> Option<Format> {
    let below = packages.iter().find_map(|package| class.0.strip_prefix(package)?.strip_prefix('.'));
    let format = match below {
        Some("parquet.ParquetFormat") => keys?.parquet(),
        Some("json.JsonFormat") => keys?.json(),
        Some("avro.AvroFormat") => keys?.avro(),
        Some("bytearray.ByteArrayFormat") => keys?.bytes(),
        _ => {
            let package = packages.first().copied().unwrap_or_default();
            let names = ["parquet.ParquetFormat", "json.JsonFormat", "avro.AvroFormat", "bytearray.ByteArrayFormat"];
            let known = names.map(|name| format!("{package}.{name}")).join(", ");
            faults.push("format.class", format!("{} There are {known}", class_not_found("format.class", &class.0)));
            return None;
        }
    };
    let format = format.ok()?;
    check_columns(&format, properties, faults);
    Some(format)
}

/// Refuses another storage class than the connector's own, whose simple name is `simple`.
pub(crate) fn check_storage_class(class: Option<&Class>, simple: &str, faults: &mut Faults) {
    if let Some(Class(class)) = class.filter(|class| class.0.rsplit('.').next() != Some(simple)) {
        refuse("storage.class", class, faults);
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use arrow_array::{ArrayRef, BinaryArray, Int64Array, RecordBatch, StringArray, StructArray, TimestampMillisecondArray};
    use arrow_schema::Field;
    use landfall_api::{Column, Kind, RawBatch, SinkConnector, TopicPartition};

    use super::*;

    /// `good` with `changes`; a value of `-` takes a key away.
    pub(crate) fn given(good: &[(&str, &str)], changes: &[(&str, &str)]) -> Properties {
        let mut properties: Properties = good.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        for (key, value) in changes {
            match *value {
                "-" => drop(properties.remove(*key)),
                value => drop(properties.insert((*key).into(), value.into())),
            }
        }
        properties
    }

    /// What is wrong with `good` after `changes`.
    pub(crate) fn faults(sink: &dyn SinkConnector, good: &[(&str, &str)], changes: &[(&str, &str)]) -> Vec<String> {
        sink.validate(&given(good, changes)).0.into_iter().map(|fault| fault.message).collect()
    }

    /// The path of the file that a record of partition 3 of `orders` would begin at offset 42: its key is `k/1`, its value
    /// `{id: 7, name: null}`, its time 2026-11-21T20:30:00Z.
    pub(crate) fn path(landing: &Landing, suffix: &str) -> String {
        let columns: Vec<(&str, ArrayRef)> =
            vec![("id", Arc::new(Int64Array::from(vec![7]))), ("name", Arc::new(StringArray::from(vec![None::<&str>])))];
        let value = StructArray::from(
            RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(n, a)| (n, a, true))).expect("a row"),
        );
        let column = |array: ArrayRef| Column { field: Arc::new(Field::new("", array.data_type().clone(), true)), array };
        let origin = TopicPartition::new("orders", 3);
        let bytes = BinaryArray::from_iter_values([b"x"]);
        let (offset, timestamp) = (Int64Array::from(vec![42]), TimestampMillisecondArray::from(vec![1_795_293_000_000]));
        let raw = RawBatch {
            origin: origin.clone(),
            key: bytes.clone(),
            value: bytes,
            offset: offset.clone(),
            timestamp: timestamp.clone(),
            headers: None,
        };
        let batch = Batch {
            origin: origin.clone(),
            topic: "orders".into(),
            key: column(Arc::new(StringArray::from(vec!["k/1"]))),
            value: column(Arc::new(value)),
            offset,
            timestamp,
            headers: None,
            raw: Arc::new(raw),
            covers: 42..43,
        };
        let layout = landing.layout().expect("a layout");
        let folder = layout.partitioner.folders(&batch, 0).expect("a folder").names[0].clone();
        let extension = layout.columns.format.extension();
        let file = File { topic: "orders", folder: &folder, origin: &origin, first: 42, suffix, extension: &extension };
        layout.partitioner.path(&layout.names, &file)
    }

    /// The keys of both Confluent classes.
    const COMMON: &str = "format.class flush.size rotate.interval.ms rotate.schedule.interval.ms schemas.cache.config \
        enhanced.avro.schema.support connect.meta.data allow.optional.map.keys retry.backoff.ms shutdown.timeout.ms \
        filename.offset.zero.pad.width avro.codec parquet.codec schema.compatibility format.bytearray.extension \
        format.bytearray.separator az.compression.type behavior.on.null.values partitioner.max.open.files max.files.scan.limit \
        rotate.file.on.partition.change partitioner.class partition.field.name partition.duration.ms path.format locale timezone \
        timestamp.extractor timestamp.field topics.dir directory.delim file.delim store.url storage.class \
        credentials.provider.class";

    /// The keys of both classes that are acted upon, in part by refusing values.
    const HONOURED: &str = "format.class az.compression.type avro.codec enhanced.avro.schema.support connect.meta.data \
        format.bytearray.extension format.bytearray.separator flush.size rotate.schedule.interval.ms partitioner.max.open.files \
        retry.backoff.ms filename.offset.zero.pad.width parquet.codec schema.compatibility behavior.on.null.values partitioner.class \
        partition.field.name partition.duration.ms path.format locale timezone timestamp.extractor timestamp.field topics.dir \
        directory.delim file.delim store.url storage.class";

    /// Checks that a class declares the keys of both Confluent classes, its own that it acts upon (`honoured`) and its `other`
    /// ones, each once; and that none of those it does not act upon takes another value in silence.
    pub(crate) fn assert_keys_known(sink: &dyn SinkConnector, good: &[(&str, &str)], honoured: &str, other: &str) {
        let honoured: Vec<_> = HONOURED.split_whitespace().chain(honoured.split_whitespace()).collect();
        let wanted = COMMON.split_whitespace().chain(other.split_whitespace()).filter(|key| !honoured.contains(key));
        let keys = sink.keys();
        for name in wanted.chain(honoured.iter().copied()) {
            let declared: Vec<_> = keys.iter().filter(|key| key.name == name).collect();
            assert_eq!(declared.len(), 1, "{name}");
            let value = match (declared[0].kind, declared[0].default) {
                (Kind::Boolean, Some("true")) => "false",
                (Kind::Boolean, _) => "true",
                (Kind::Short | Kind::Int | Kind::Long | Kind::Double, _) => "77",
                _ => "other",
            };
            let set = given(good, &[(name, value)]);
            let refused = sink.validate(&set).0.iter().any(|fault| fault.key == name);
            let warned = sink.warnings(&set).iter().any(|warning| warning.starts_with(&format!("{name} ")));
            assert!(honoured.contains(&name) || refused != warned, "{name}={value}: refused {refused}, warned about {warned}");
        }
    }
}
