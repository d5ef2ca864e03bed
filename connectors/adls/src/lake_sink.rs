//! `io.landfall.azure.AzureDataLakeSink`, our own class: a container of any account by whatever lets one in, or a directory.

use landfall_api::config::Class;
use landfall_api::{
    AlteredOffsets, Faults, Key, NewOffsets, Password, Properties, Reaches, SinkConnector, SinkTask, TaskContext, TaskError,
    Width, config,
};
use landfall_lake::config::{LakeConfig, check_folder};
use landfall_lake::encode::keys::FormatKeys;

use crate::access::{self, Access};
use crate::connection_string;
use crate::credential::Credential;
use crate::endpoint::{Account, StoreUrl, account_reached};
use crate::entra::keys::CREDENTIAL;
use crate::landing::{self, Landing, Place, format, invalid, missing, store_url};

const CONNECTION_STRING: &str = "landfall.azure.connection.string";
const ACCOUNT: &str = "landfall.azure.account.name";
const KEY: &str = "landfall.azure.account.key";
const SAS: &str = "landfall.azure.sas.token";
const CONTAINER: &str = "landfall.azure.container";
const PARQUET: &str = "io.confluent.connect.azure.storage.format.parquet.ParquetFormat";

/// The class.
#[derive(Debug)]
pub struct AzureDataLakeSink;

config! {
    struct SinkConfig {
        /// The format of the files, by the class that Confluent's sinks have for it: ParquetFormat, JsonFormat for a JSON text
        /// a line, AvroFormat, or ByteArrayFormat for values of bytes as they are.
        format_class: Class = "format.class" { default: Some(PARQUET), group: "Connector", width: Width::Long, display: "Format class", recommended: &[PARQUET, "io.confluent.connect.azure.storage.format.json.JsonFormat", "io.confluent.connect.azure.storage.format.avro.AvroFormat", "io.confluent.connect.azure.storage.format.bytearray.ByteArrayFormat"] };
        /// The connection string that Azure shows for the account; `UseDevelopmentStorage=true` for an emulator. Beside
        /// `landfall.azure.credential` it only says where the account is.
        connection_string: Option<Password> = "landfall.azure.connection.string" { importance: High, group: "Azure", width: Width::Long, display: "Connection string", reaches: Reaches::By(connection_string::reached) };
        /// The storage account, 3 to 24 characters, if neither a connection string nor `store.url` names it.
        account_name: Option<String> = "landfall.azure.account.name" { importance: High, group: "Azure", width: Width::Medium, display: "Account name", valid: Length(3, 24), reaches: Reaches::By(account_reached) };
        /// The key of the account, in base64, if there is neither a connection string nor a shared access signature.
        account_key: Option<Password> = "landfall.azure.account.key" { importance: High, group: "Azure", width: Width::Long, display: "Account key" };
        /// A shared access signature that may create, write, read and list.
        sas_token: Option<Password> = "landfall.azure.sas.token" { importance: High, group: "Azure", width: Width::Long, display: "Shared access signature" };
        /// The container that files land in, if `store.url` does not name it: 3 to 63 lower-case letters, digits and single hyphens.
        container: Option<String> = "landfall.azure.container" { importance: High, group: "Azure", width: Width::Medium, display: "Container", valid: NonEmpty };
        /// Where files land: `https://<account>.blob.core.windows.net/<container>[/<folder>]`,
        /// `abfss://<container>@<account>.dfs.core.windows.net[/<folder>]`, OneLake's
        /// `https://onelake.dfs.fabric.microsoft.com/<workspace>/<item>.Lakehouse/Files[/<folder>]`, an emulator's
        /// `http://127.0.0.1:10000/devstoreaccount1/<container>`, or a directory, `file:///<directory>`.
        store_url: Option<String> = "store.url" { importance: High, group: "Storage", width: Width::Long, display: "Store URL", reaches: Store };
    }
}

impl SinkConnector for AzureDataLakeSink {
    fn class(&self) -> &'static str {
        "io.landfall.azure.AzureDataLakeSink"
    }

    fn keys(&self) -> Vec<Key> {
        SinkConfig::KEYS.iter().copied().chain(access::keys()).chain(LakeConfig::keys().map(declared)).collect()
    }

    fn validate(&self, properties: &Properties) -> Faults {
        let mut faults = Faults::default();
        read(properties, &mut faults);
        faults
    }

    fn warnings(&self, properties: &Properties) -> Vec<String> {
        LakeConfig::warnings(declared, properties)
    }

    fn alter_offsets(&self, properties: &Properties, offsets: &NewOffsets) -> Result<AlteredOffsets, String> {
        landing::alter_offsets(properties, offsets)
    }

    fn task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
        landing::task(read, properties, context)
    }
}

/// The class's own defaults: files end by size and age, and nothing is read again after a stop.
fn declared(key: Key) -> Key {
    let default = match key.name {
        "flush.size" => return Key { required: false, ..key },
        "landfall.rotate.size.bytes" => "134217728",
        "landfall.rotate.open.ms" => "300000",
        "landfall.flush.on.stop" | "landfall.rotate.apart" => "true",
        "landfall.schema" => "widen",
        "parquet.codec" => "zstd",
        "landfall.types" => "native",
        "landfall.timestamp.unit" => "auto",
        "landfall.partition.schemaless" => "true",
        "locale" => "en",
        "timezone" => "UTC",
        _ => return key,
    };
    Key { default: Some(default), ..key }
}

pub(crate) fn read(properties: &Properties, faults: &mut Faults) -> Option<Landing> {
    let sink = SinkConfig::parse(properties, faults);
    let access = Access::read(properties, faults);
    let lake = LakeConfig::read(declared, properties, faults);
    let formats = FormatKeys::read(declared, properties, faults);
    let sink = sink?;
    let packages = ["io.confluent.connect.azure.storage.format", "io.confluent.connect.azure.blob.format"];
    let format = format(&sink.format_class, &packages, formats.as_ref(), properties, faults);
    let placed = match store_url(sink.store_url.as_ref(), faults)? {
        Some(StoreUrl::Directory(root)) => Some((Place::Directory(root), String::new())),
        Some(StoreUrl::Account(account)) => container(&sink, Some(account), access.as_ref(), faults),
        None => container(&sink, None, access.as_ref(), faults),
    };
    let state = landing::state(placed.as_ref().map(|(place, _)| place), access.as_ref(), faults);
    let lake = lake?;
    let (place, folder) = placed?;
    let prefix = [folder.as_str(), &lake.topics_dir].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    Some(Landing { lake, format: format?, place, prefix, state, access: access?, own: None })
}

/// The container, and the folder in it that `store.url` names.
fn container(sink: &SinkConfig, url: Option<Account>, access: Option<&Access>, faults: &mut Faults) -> Option<(Place, String)> {
    let access = access?;
    let (account, credential) = account(sink, url, access, faults)?;
    let mut path = account.path.iter();
    let container = match (&sink.container, path.next()) {
        (Some(given), Some(found)) if given != found => {
            faults.push(CONTAINER, format!("{CONTAINER}={given} and store.url name two containers"));
            return None;
        }
        (Some(given), _) => match account.check_container(given) {
            Ok(()) => given,
            Err(why) => {
                invalid(CONTAINER, &why, faults);
                return None;
            }
        },
        (None, Some(found)) => match account.check_container(found) {
            Ok(()) => found,
            Err(why) => {
                faults.push("store.url", format!("the container {found:?} in store.url cannot be: {why}"));
                return None;
            }
        },
        (None, None) => {
            faults.push(CONTAINER, missing(CONTAINER));
            return None;
        }
    };
    let folder = path.cloned().collect::<Vec<_>>().join("/");
    if let Err(why) = check_folder(&folder) {
        faults.push("store.url", format!("the folder {folder:?} in store.url cannot be: {why}"));
    }
    let url = account.container(container).map_err(|why| faults.push("store.url", why)).ok()?;
    access::check(&url, &credential, access, faults);
    Some((Place::Container(url, credential), folder))
}

/// The account and what lets us in: a connection string, or a key or a signature for the account that is named.
fn account(sink: &SinkConfig, url: Option<Account>, access: &Access, faults: &mut Faults) -> Option<(Account, Credential)> {
    if let Some(text) = &sink.connection_string {
        let read = access.connection_string(text.reveal());
        let read = read.map(|(account, credential)| (url.unwrap_or(account), credential));
        return read.map_err(|why| invalid(CONNECTION_STRING, &why, faults)).ok();
    }
    let named = sink.account_name.as_ref();
    let account = match (url, named) {
        (Some(account), _) => account,
        (None, Some(name)) => access.named(name).map_err(|why| invalid(ACCOUNT, &why, faults)).ok()?,
        (None, None) => {
            faults.push(ACCOUNT, format!("no account: give {CONNECTION_STRING}, store.url or {ACCOUNT}"));
            return None;
        }
    };
    let own = [(KEY, sink.account_key.is_some()), (SAS, sink.sas_token.is_some())];
    if let Some(credential) = access.credential(&own, faults) {
        return Some((account, credential));
    }
    let (key, credential) = match (&sink.account_key, &sink.sas_token, named.or(account.name.as_ref())) {
        (Some(key), _, Some(name)) => (KEY, Credential::key(name, key.reveal())),
        (Some(_), _, None) => {
            faults.push(ACCOUNT, missing(ACCOUNT));
            return None;
        }
        (None, Some(sas), _) => (SAS, Credential::sas(sas.reveal())),
        (None, None, _) => {
            faults.push(KEY, format!("no credentials: give {CREDENTIAL}, {CONNECTION_STRING}, {KEY} or {SAS}"));
            return None;
        }
    };
    credential.map(|credential| (account, credential)).map_err(|why| invalid(key, &why, faults)).ok()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use azure_core::http::Url;
    use landfall_lake::evolve::Rule;
    use landfall_lake::roll::Rotation;
    use landfall_lake::types::{Mode, Types};

    use super::*;
    use crate::landing::tests::{faults, given};

    const GOOD: &[(&str, &str)] = &[("flush.size", "1000")];
    const DEV: &str = "UseDevelopmentStorage=true";

    #[test]
    fn an_account_is_named_in_many_ways() {
        let (key, sas, identity) = ((KEY, "cHNzc3Q="), (SAS, "?sv=1&sig=x"), (CREDENTIAL, "managed-identity"));
        for (changes, url, prefix) in [
            (&[(CONNECTION_STRING, DEV), (CONTAINER, "lake")][..], "http://127.0.0.1:10000/devstoreaccount1/lake", "topics"),
            (&[(ACCOUNT, "acct"), key, (CONTAINER, "lake")], "https://acct.blob.core.windows.net/lake", "topics"),
            (
                &[("store.url", "https://acct.blob.core.windows.net/lake"), sas],
                "https://acct.blob.core.windows.net/lake",
                "topics",
            ),
            (
                &[("store.url", "https://acct.dfs.core.windows.net/lake/a/b%20c"), key],
                "https://acct.blob.core.windows.net/lake",
                "a/b c/topics",
            ),
            (
                &[("store.url", "http://127.0.0.1:7/devstoreaccount1/lake"), (CONNECTION_STRING, DEV)],
                "http://127.0.0.1:7/devstoreaccount1/lake",
                "topics",
            ),
            (
                &[("store.url", "https://gate.acme.com"), (ACCOUNT, "acct"), key, (CONTAINER, "lake"), ("topics.dir", "")],
                "https://gate.acme.com/lake",
                "",
            ),
            (
                &[(ACCOUNT, "acct"), key, (CONTAINER, "lake"), ("landfall.azure.cloud", "china")],
                "https://acct.blob.core.chinacloudapi.cn/lake",
                "topics",
            ),
            (
                &[(ACCOUNT, "acct"), key, (CONTAINER, "lake"), ("landfall.azure.endpoint.suffix", "z12.storage.azure.net")],
                "https://acct.blob.z12.storage.azure.net/lake",
                "topics",
            ),
            (
                &[("store.url", "abfss://lake@acct.dfs.core.windows.net/raw"), identity],
                "https://acct.blob.core.windows.net/lake",
                "raw/topics",
            ),
            (
                &[("store.url", "https://onelake.dfs.fabric.microsoft.com/Space/Sales.Lakehouse/Files/raw"), identity],
                "https://onelake.blob.fabric.microsoft.com/Space",
                "Sales.Lakehouse/Files/raw/topics",
            ),
            (
                &[(CONNECTION_STRING, "BlobEndpoint=https://acct.blob.core.windows.net"), (CONTAINER, "lake"), identity],
                "https://acct.blob.core.windows.net/lake",
                "topics",
            ),
        ] {
            let mut faults = Faults::default();
            let landing = read(&given(GOOD, changes), &mut faults).unwrap_or_else(|| panic!("{faults}"));
            assert!(faults.is_empty(), "{faults}");
            assert!(matches!(&landing.place, Place::Container(found, _) if found.as_str() == url), "{landing:?}");
            assert_eq!((landing.prefix.as_str(), landing.lake.flush_on_stop), (prefix, true));
        }
        let state = [("landfall.state.container", "pointers"), ("store.url", "https://acct.blob.core.windows.net/lake/a"), key];
        let landing = read(&given(GOOD, &state), &mut Faults::default()).expect("good");
        assert_eq!(landing.state.as_ref().map(Url::as_str), Some("https://acct.blob.core.windows.net/pointers"));
        let mut none = Faults::default();
        let local = read(&given(GOOD, &[("store.url", "file:///tmp/x")]), &mut none).expect("good");
        assert!(matches!(local.place, Place::Directory(root) if root.to_str() == Some("/tmp/x")));
    }

    #[test]
    fn files_end_by_size_and_age_unless_told_otherwise() {
        let url = ("store.url", "file:///tmp/x");
        let mut none = Faults::default();
        let landing = read(&given(&[], &[url]), &mut none).unwrap_or_else(|| panic!("{none}"));
        let rule = landing.lake.schema.rule();
        let layout = landing.lake.layout(landing.format, landing.prefix).expect("good");
        let (size, open) = (Some(128 << 20), Some(Duration::from_secs(300)));
        assert_eq!(layout.rotation, Rotation { apart: true, folder_change: true, size, open, ..Rotation::default() });
        assert_eq!(rule, Rule::Widen);
        assert_eq!((layout.flush_on_stop, &*layout.columns.format.extension()), (true, ".zstd.parquet"));
        assert_eq!(layout.columns.types, Types { mode: Mode::Native, ..Types::default() });
        let shown = AzureDataLakeSink.keys().into_iter().find(|key| key.name == "landfall.rotate.open.ms");
        assert_eq!(shown.and_then(|key| key.default), Some("300000"));
        let off = [url, ("landfall.rotate.size.bytes", "-1"), ("landfall.rotate.open.ms", "-1")];
        let never = "files would stay open for 72 hours: give flush.size, landfall.rotate.size.bytes, landfall.rotate.open.ms or \
                     rotate.schedule.interval.ms";
        assert_eq!(faults(&AzureDataLakeSink, &[], &off), [never]);
        assert_eq!(faults(&AzureDataLakeSink, &[("flush.size", "5")], &off), [""; 0]);
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let url = "https://acct.blob.core.windows.net/lake";
        for (changes, why) in [
            (&[][..], "no account: give landfall.azure.connection.string, store.url or landfall.azure.account.name"),
            (
                &[(ACCOUNT, "acct")],
                "no credentials: give landfall.azure.credential, landfall.azure.connection.string, landfall.azure.account.key or landfall.azure.sas.token",
            ),
            (
                &[(CONNECTION_STRING, DEV)],
                "Missing required configuration \"landfall.azure.container\" which has no default value.",
            ),
            (
                &[(CONNECTION_STRING, "pssst")],
                "Invalid value for configuration landfall.azure.connection.string: part 1 of the connection string is not name=value",
            ),
            (
                &[("store.url", url), (SAS, "pssst")],
                "Invalid value for configuration landfall.azure.sas.token: the shared access signature has no sig=",
            ),
            (
                &[("store.url", url), (CREDENTIAL, "managed-identity"), (SAS, "sig=x")],
                "landfall.azure.credential and landfall.azure.sas.token are two credentials: give one of them",
            ),
            (
                &[
                    (CONNECTION_STRING, "AccountName=acct;AccountKey=cHNzc3Q="),
                    (CONTAINER, "lake"),
                    (CREDENTIAL, "managed-identity"),
                ],
                "Invalid value for configuration landfall.azure.connection.string: it has a key or a signature beside landfall.azure.credential: give one of them",
            ),
            (
                &[("store.url", "http://127.0.0.1:7/acct/lake"), (CREDENTIAL, "managed-identity")],
                "tokens of Entra ID need a store.url of https",
            ),
            (
                &[
                    ("store.url", "https://onelake.dfs.fabric.microsoft.com/Space/Sales.Lakehouse/Files"),
                    (SAS, "sig=x"),
                    ("landfall.container.create", "true"),
                ],
                "landfall.container.create cannot be given for OneLake, whose containers are workspaces",
            ),
            (
                &[(ACCOUNT, "acct"), (KEY, "cHNzc3Q="), (CONTAINER, "lake"), ("landfall.azure.endpoint.suffix", "https://x")],
                "Invalid value https://x for configuration landfall.azure.endpoint.suffix: it is the end of a host's name, as core.windows.net",
            ),
            (
                &[("store.url", url), (KEY, "pssst!")],
                "Invalid value for configuration landfall.azure.account.key: the account key is not base64",
            ),
            (
                &[("store.url", url), (CONTAINER, "other"), (KEY, "eA==")],
                "landfall.azure.container=other and store.url name two containers",
            ),
            (
                &[("store.url", "https://acct.blob.core.windows.net/L"), (KEY, "eA==")],
                "the container \"L\" in store.url cannot be: a container's name has 3 to 63 lower-case letters, digits and single hyphens between them",
            ),
            (
                &[("store.url", "https://acct.blob.core.windows.net/lake/a%5Cb"), (KEY, "eA==")],
                "the folder \"a\\\\b\" in store.url cannot be: the path \"a\\\\b\" cannot be used: it has a control character or a backslash",
            ),
            (
                &[("store.url", "https://gate.acme.com/lake"), (KEY, "eA==")],
                "Missing required configuration \"landfall.azure.account.name\" which has no default value.",
            ),
        ] {
            assert_eq!(faults(&AzureDataLakeSink, GOOD, changes), [why]);
        }
    }
}
