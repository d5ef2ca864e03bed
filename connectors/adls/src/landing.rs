//! What a class makes of its keys: where files land and how, and from that the engine's task.

use std::path::PathBuf;
use std::sync::Arc;

use azure_core::http::Url;
use landfall_api::config::Class;
use landfall_api::{Faults, Properties, SinkTask, TaskContext, TaskError};
use landfall_lake::LakeTask;
use landfall_lake::config::{LakeConfig, class_not_found, refuse};
use landfall_lake::encode::Format;
use landfall_lake::encode::keys::{FormatKeys, check_columns};
use landfall_lake::storage::Storage;
use landfall_lake::storage::local::LocalStorage;

use crate::credential::Credential;
use crate::endpoint::{Account, StoreUrl};
use crate::storage::AzureStorage;

/// Where files land.
#[derive(Debug)]
pub(crate) enum Place {
    Directory(PathBuf),
    Container(Url, Credential),
}

/// Where files land and how.
#[derive(Debug)]
pub(crate) struct Landing {
    pub(crate) lake: LakeConfig,
    pub(crate) format: Format,
    pub(crate) place: Place,
    /// The folder of all topics below the place.
    pub(crate) prefix: String,
}

impl Landing {
    /// The engine's task. Does no I/O.
    pub(crate) fn task(self, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
        let storage: Arc<dyn Storage> = match self.place {
            Place::Directory(root) if self.format.has_footer() => Arc::new(LocalStorage::new(root)),
            Place::Directory(root) => Arc::new(LocalStorage::new(root).needing_metadata()),
            Place::Container(url, credential) => {
                Arc::new(AzureStorage::new(url, credential).map_err(|e| TaskError::Fatal(e.to_string()))?)
            }
        };
        let layout = self.lake.layout(self.format, self.prefix).map_err(TaskError::Fatal)?;
        Ok(Box::new(LakeTask::new(layout, storage, context)))
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

/// Adds a fault of `key`; `why` shows nothing of a secret.
pub(crate) fn invalid(key: &str, why: &str, faults: &mut Faults) {
    faults.push(key, format!("Invalid value for configuration {key}: {why}"));
}

/// What the user's `store.url` says; None after a fault.
pub(crate) fn store_url(url: Option<&String>, faults: &mut Faults) -> Option<Option<StoreUrl>> {
    let Some(url) = url.filter(|url| !url.is_empty()) else { return Some(None) };
    StoreUrl::parse(url).map(Some).map_err(|why| invalid("store.url", &why, faults)).ok()
}

/// The account that a Confluent class lands in: the one named, at `store.url` if that is given.
pub(crate) fn account(
    name_key: &'static str,
    name: Option<&String>,
    url: Option<Account>,
    faults: &mut Faults,
) -> Option<(Account, String)> {
    let Some(name) = name else {
        faults.push(name_key, missing(name_key));
        return None;
    };
    let account = match url {
        Some(account) => account,
        None => Account::named(name).map_err(|why| invalid(name_key, &why, faults)).ok()?,
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

/// Refuses the key set of Confluent's cloud service, whose classes have the same short names.
pub(crate) fn check_not_cloud(properties: &Properties, faults: &mut Faults) {
    if let Some(format) = properties.get("output.data.format") {
        let why = "it is of the key set of Confluent's cloud service, give format.class instead";
        faults.push("output.data.format", format!("output.data.format={format} is not supported yet: {why}"));
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use landfall_api::{Kind, SinkConnector};

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
        format.bytearray.extension format.bytearray.separator flush.size retry.backoff.ms filename.offset.zero.pad.width parquet.codec \
        schema.compatibility behavior.on.null.values partitioner.class topics.dir directory.delim file.delim store.url storage.class";

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
