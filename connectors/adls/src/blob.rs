//! `io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector` (1.6.x), self-managed.

use std::borrow::Cow;
use std::convert::identity;

use landfall_api::config::Class;
use landfall_api::{
    AlteredOffsets, Faults, Key, NewOffsets, Password, Properties, Reaches, SinkConnector, SinkTask, TaskContext, TaskError,
    Width, config,
};
use landfall_lake::config::{LakeConfig, no_effect};
use landfall_lake::encode::keys::FormatKeys;

use crate::access::{self, Access};
use crate::cloud;
use crate::confluent;
use crate::credential::Credential;
use crate::endpoint::{Account, StoreUrl, account_reached};
use crate::entra::keys::proxy;
use crate::landing::{self, Landing, Place, account, check_storage_class, format, invalid, missing, store_url};

const ACCOUNT: &str = "azblob.account.name";
const KEY: &str = "azblob.account.key";
const CONTAINER: &str = "azblob.container.name";
const PROXY: &str = "azblob.proxy.url";

/// The class.
#[derive(Debug)]
pub struct AzureBlobStorageSink;

config! {
    struct BlobConfig {
        /// The format of the files, by its Java class in `io.confluent.connect.azure.blob.format`: `parquet.ParquetFormat`,
        /// `json.JsonFormat` for a JSON text a line, `avro.AvroFormat`, or `bytearray.ByteArrayFormat` for values of bytes as they are.
        format_class: Class = "format.class" { required: true, importance: High, group: "Connector", width: Width::Long, display: "Format class", recommended: &["io.confluent.connect.azure.blob.format.parquet.ParquetFormat", "io.confluent.connect.azure.blob.format.json.JsonFormat", "io.confluent.connect.azure.blob.format.avro.AvroFormat", "io.confluent.connect.azure.blob.format.bytearray.ByteArrayFormat"] };
        /// The storage account: 3 to 24 characters. It must be given unless `store.url` names a directory.
        account_name: Option<String> = "azblob.account.name" { importance: High, group: "Azure", width: Width::Long, display: "Account Name", valid: Length(3, 24), reaches: Reaches::By(account_reached) };
        /// The key of the account, in base64. It must be given unless `store.url` names a directory.
        account_key: Option<Password> = "azblob.account.key" { importance: High, group: "Azure", width: Width::Long, display: "Account Key" };
        /// The container that files land in: 3 to 63 lower-case letters, digits and single hyphens.
        container_name: String = "azblob.container.name" { default: Some("default"), importance: High, group: "Azure", width: Width::Long, display: "Container Name", valid: NonEmpty };
        /// Where the account is, if not at `https://<account name>.blob.core.windows.net`. Or `file:///<directory>`, to land in a directory
        /// instead.
        store_url: Option<String> = "store.url" { importance: Low, group: "Storage", width: Width::Long, display: "Store URL", reaches: Store };
        /// The proxy that requests go through: `http://<host>:<port>`, or `<host>:<port>`.
        proxy_url: Option<String> = "azblob.proxy.url" { importance: Low, group: "Azure", width: Width::Long, display: "Proxy URL", reaches: Hosts };
        /// The user that the proxy knows.
        proxy_user: Option<String> = "azblob.proxy.user" { importance: Low, group: "Azure", width: Width::Long, display: "Proxy User" };
        /// The user's password.
        proxy_password: Option<Password> = "azblob.proxy.password" { importance: Low, group: "Azure", width: Width::Long, display: "Proxy Password" };
        /// The Java class that writes to the store. Only the name of the connector's own one is taken.
        storage_class: Option<Class> = "storage.class" { importance: Low, group: "Storage", width: Width::Long, display: "Storage Class" };
    }
}

config! {
    /// Keys that change nothing that lands here.
    struct NoEffect {
        /// The bytes of the blocks that Java uploads.
        block_size: i32 = "azblob.block.size" { default: Some("26214400"), importance: Low, group: "Azure", width: Width::Long, display: "Block Size", effect: Nothing("a block is what the encoder hands over") };
        /// How the waits between Java's tries grow: EXPONENTIAL or FIXED.
        retry_type: String = "azblob.retry.type" { default: Some("EXPONENTIAL"), importance: Low, group: "Azure", width: Width::Long, display: "Retry Type", effect: Nothing("what fails is tried again after retry.backoff.ms, until the task stops") };
        /// How often Java tries a request again.
        retry_retries: i32 = "azblob.retry.retries" { default: Some("3"), importance: Low, group: "Azure", width: Width::Long, display: "Retries", effect: Nothing("what fails is tried again after retry.backoff.ms, until the task stops") };
        /// Milliseconds of Java's first wait between tries.
        retry_backoff_ms: i64 = "azblob.retry.backoff.ms" { default: Some("4000"), importance: Low, group: "Azure", width: Width::Long, display: "Retry Backoff (ms)", effect: Nothing("what fails is tried again after retry.backoff.ms, until the task stops") };
        /// Milliseconds of Java's longest wait between tries.
        retry_max_backoff_ms: i64 = "azblob.retry.max.backoff.ms" { default: Some("120000"), importance: Low, group: "Azure", width: Width::Long, display: "Maximum Retry Backoff (ms)", effect: Nothing("what fails is tried again after retry.backoff.ms, until the task stops") };
        /// Milliseconds that Java waits for a connection.
        connection_timeout_ms: i64 = "azblob.connection.timeout.ms" { default: Some("30000"), importance: Low, group: "Azure", width: Width::Long, display: "Connection Timeout (ms)", effect: Nothing("time limits are the client's own") };
        /// Milliseconds that Java waits for the answer to a request.
        write_timeout_ms: i64 = "azblob.write.timeout.ms" { default: Some("60000"), importance: Low, group: "Azure", width: Width::Long, display: "Write Timeout (ms)", effect: Nothing("time limits are the client's own") };
        /// The secondary host that Java tries reads at.
        retry_secondary_host: Option<String> = "azblob.retry.secondary.host" { importance: Low, group: "Azure", width: Width::Long, display: "Secondary Host", effect: Nothing("the primary host is tried until it answers") };
        /// Whether Java never overwrites a file.
        enable_conditional_writes: bool = "enable.conditional.writes" { default: Some("true"), importance: Low, group: "Azure", width: Width::Long, display: "Enable Conditional Writes", effect: Nothing("no file is ever overwritten") };
        /// What Java's requests call themselves.
        useragent: Option<String> = "connect.azblob.useragent" { importance: Low, group: "Azure", width: Width::Long, display: "User Agent", effect: Nothing("requests call themselves as Azure's client does") };
    }
}

impl SinkConnector for AzureBlobStorageSink {
    fn class(&self) -> &'static str {
        "io.confluent.connect.azure.blob.AzureBlobStorageSinkConnector"
    }

    fn keys(&self) -> Vec<Key> {
        let own = BlobConfig::KEYS.iter().chain(NoEffect::KEYS).copied();
        own.chain(access::keys()).chain(confluent::keys()).chain(LakeConfig::keys()).chain(cloud::keys()).collect()
    }

    fn validate(&self, properties: &Properties) -> Faults {
        let mut faults = Faults::default();
        read(properties, &mut faults);
        faults
    }

    fn warnings(&self, properties: &Properties) -> Vec<String> {
        let given = cloud::BLOB.self_managed(properties, &mut Faults::default());
        let shared = LakeConfig::warnings(identity, &given).into_iter();
        shared.chain(no_effect(NoEffect::KEYS, properties)).chain(cloud::warnings(properties)).collect()
    }

    fn alter_offsets(&self, properties: &Properties, offsets: &NewOffsets) -> Result<AlteredOffsets, String> {
        landing::alter_offsets(properties, offsets)
    }

    fn task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
        landing::task(read, properties, context)
    }
}

pub(crate) fn read(properties: &Properties, faults: &mut Faults) -> Option<Landing> {
    let properties = &*cloud::BLOB.self_managed(properties, faults);
    confluent::check(properties, faults);
    NoEffect::parse(properties, faults);
    let blob = BlobConfig::parse(properties, faults);
    let access = Access::read(&with_proxy(properties, faults), faults);
    let lake = LakeConfig::read(identity, properties, faults);
    let formats = FormatKeys::read(identity, properties, faults);
    let blob = blob?;
    let format = format(&blob.format_class, &["io.confluent.connect.azure.blob.format"], formats.as_ref(), properties, faults);
    check_storage_class(blob.storage_class.as_ref(), "AzureBlobStorage", faults);
    let place = match store_url(blob.store_url.as_ref(), faults)? {
        Some(StoreUrl::Directory(root)) => Some(Place::Directory(root)),
        Some(StoreUrl::Account(account)) => container(&blob, Some(account), access.as_ref(), faults),
        None => container(&blob, None, access.as_ref(), faults),
    };
    let state = landing::state(place.as_ref(), access.as_ref(), faults);
    let lake = lake?;
    let prefix = lake.topics_dir.clone();
    Some(Landing { lake, format: format?, place: place?, prefix, state, access: access?, own: None })
}

fn container(blob: &BlobConfig, url: Option<Account>, access: Option<&Access>, faults: &mut Faults) -> Option<Place> {
    let access = access?;
    let account = account(ACCOUNT, blob.account_name.as_ref(), url, access, faults);
    let own = [(KEY, blob.account_key.is_some())];
    let credential = match (access.credential(&own, faults), &blob.account_key, &account) {
        (Some(credential), ..) => Some(credential),
        (None, Some(key), Some((_, name))) => Credential::key(name, key.reveal()).map_err(|why| invalid(KEY, &why, faults)).ok(),
        (None, Some(_), None) => None,
        (None, None, _) => {
            faults.push(KEY, missing(KEY));
            None
        }
    };
    let ((account, _), credential) = (account?, credential?);
    let name = &blob.container_name;
    account.check_container(name).map_err(|why| invalid(CONTAINER, &why, faults)).ok()?;
    let url = account.container(name).map_err(|why| faults.push("store.url", why)).ok()?;
    access::check(&url, &credential, access, faults);
    Some(Place::Container(url, credential))
}

/// What is given, with Confluent's keys of the proxy as Landfall's.
fn with_proxy<'a>(properties: &'a Properties, faults: &mut Faults) -> Cow<'a, Properties> {
    let pairs = [
        (PROXY, "landfall.azure.proxy"),
        ("azblob.proxy.user", "landfall.azure.proxy.user"),
        ("azblob.proxy.password", "landfall.azure.proxy.password"),
    ];
    let given =
        pairs.iter().filter_map(|(own, shared)| Some((own, shared, properties.get(*own).filter(|value| !value.is_empty())?)));
    let mut all = Cow::Borrowed(properties);
    if let Some(url) = properties.get(PROXY).filter(|url| !url.is_empty())
        && proxy(PROXY, &full(url), faults).is_none()
    {
        return all;
    }
    for (own, shared, value) in given {
        if properties.contains_key(*shared) {
            faults.push(*own, format!("{own} and {shared} are two proxies: give one of them"));
        }
        if !properties.contains_key(PROXY) {
            faults.push(*own, format!("{own} means nothing without {PROXY}"));
            continue;
        }
        let value = if *own == PROXY { full(value) } else { value.clone() };
        all.to_mut().insert((*shared).to_owned(), value);
    }
    all
}

/// The URL of a proxy that may be given without its scheme.
fn full(proxy: &str) -> String {
    let proxy = proxy.trim();
    if proxy.contains("://") { proxy.to_owned() } else { format!("http://{proxy}") }
}

#[cfg(test)]
mod tests {
    use azure_core::http::Url;

    use super::*;
    use crate::landing::tests::{assert_keys_known, faults, given};

    const GOOD: &[(&str, &str)] = &[
        ("format.class", "io.confluent.connect.azure.blob.format.parquet.ParquetFormat"),
        ("flush.size", "1000"),
        ("azblob.account.name", "acct"),
        ("azblob.account.key", "cHNzc3Q="),
    ];

    #[test]
    fn topics_dir_is_a_folder_of_the_container() {
        for (changes, url, prefix) in [
            (&[][..], "https://acct.blob.core.windows.net/default", "topics"),
            (&[("azblob.container.name", "lake"), ("topics.dir", "a/b")], "https://acct.blob.core.windows.net/lake", "a/b"),
            (&[("store.url", "http://127.0.0.1:7/acct"), ("topics.dir", "")], "http://127.0.0.1:7/acct/default", ""),
        ] {
            let mut faults = Faults::default();
            let landing = read(&given(GOOD, changes), &mut faults).expect("good");
            assert!(faults.is_empty(), "{faults}");
            assert!(
                matches!(&landing.place, Place::Container(found, Credential::Key(_)) if found.as_str() == url),
                "{landing:?}"
            );
            assert_eq!(landing.prefix, prefix);
        }
        let landing = read(&given(GOOD, &[("landfall.state.container", "pointers")]), &mut Faults::default()).expect("good");
        assert_eq!(landing.state.as_ref().map(Url::as_str), Some("https://acct.blob.core.windows.net/pointers"));
    }

    #[test]
    fn the_proxy_is_that_of_confluents_keys() {
        let proxy = [("azblob.proxy.url", "proxy:8080"), ("azblob.proxy.user", "me"), ("azblob.proxy.password", "pssst")];
        let landing = read(&given(GOOD, &proxy), &mut Faults::default()).expect("good");
        let found = landing.access.net.proxy.clone().expect("a proxy");
        let login = found.login.as_ref().map(|(user, password)| (user.as_str(), password.reveal()));
        assert_eq!((found.url.as_str(), login), ("http://proxy:8080", Some(("me", "pssst"))));
        assert!(!format!("{landing:?}").contains("pssst"));
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        for (changes, why) in [
            (
                &[("azblob.account.key", "-")][..],
                "Missing required configuration \"azblob.account.key\" which has no default value.",
            ),
            (
                &[("azblob.account.key", "pssst!")],
                "Invalid value for configuration azblob.account.key: the account key is not base64",
            ),
            (
                &[("azblob.account.name", "-")],
                "Missing required configuration \"azblob.account.name\" which has no default value.",
            ),
            (
                &[("azblob.account.name", "ab")],
                "Invalid value ab for configuration azblob.account.name: String must have between 3 and 24 characters",
            ),
            (
                &[("azblob.container.name", "..")],
                "Invalid value for configuration azblob.container.name: a container's name has 3 to 63 lower-case letters, digits and single hyphens between them",
            ),
            (
                &[("azblob.proxy.url", "ftp://p")],
                "Invalid value for configuration azblob.proxy.url: a proxy is http://<host>:<port>",
            ),
            (&[("azblob.proxy.user", "me")], "azblob.proxy.user means nothing without azblob.proxy.url"),
            (
                &[("azblob.proxy.url", "p:8080"), ("landfall.azure.proxy", "http://p:8080")],
                "azblob.proxy.url and landfall.azure.proxy are two proxies: give one of them",
            ),
            (
                &[("azblob.proxy.url", "http://me:pssst@p:8080")],
                "Invalid value for configuration azblob.proxy.url: user and password have keys of their own",
            ),
            (
                &[("landfall.azure.credential", "managed-identity")],
                "landfall.azure.credential and azblob.account.key are two credentials: give one of them",
            ),
            (
                &[
                    ("landfall.azure.credential", "managed-identity"),
                    ("azblob.account.key", "-"),
                    ("store.url", "http://127.0.0.1:7/acct"),
                ],
                "tokens of Entra ID need a store.url of https",
            ),
            (
                &[("store.url", "https://onelake.dfs.fabric.microsoft.com"), ("azblob.account.name", "onelake")],
                "OneLake has no account keys: give landfall.azure.credential",
            ),
            (
                &[
                    ("format.class", "io.confluent.connect.azure.blob.format.bytearray.ByteArrayFormat"),
                    ("landfall.columns", "__key"),
                ],
                "landfall.columns cannot be given: files of this format hold nothing but the values",
            ),
        ] {
            assert_eq!(faults(&AzureBlobStorageSink, GOOD, changes), [why]);
        }
    }

    #[test]
    fn every_key_of_the_java_class_is_known() {
        let honoured = "azblob.account.name azblob.account.key azblob.container.name azblob.proxy.url azblob.proxy.user \
                        azblob.proxy.password";
        let other = "azblob.block.size azblob.retry.type azblob.retry.retries azblob.retry.backoff.ms azblob.retry.max.backoff.ms \
                     azblob.connection.timeout.ms azblob.write.timeout.ms azblob.retry.secondary.host enable.conditional.writes connect.azblob.useragent";
        assert_keys_known(&AzureBlobStorageSink, GOOD, honoured, other);
    }
}
