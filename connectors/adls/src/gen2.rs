//! `io.confluent.connect.azure.datalake.gen2.AzureDataLakeGen2SinkConnector` (1.6.x), self-managed.

use std::convert::identity;

use landfall_api::config::Class;
use landfall_api::{
    AlteredOffsets, Faults, Key, NewOffsets, Password, Properties, Reaches, SinkConnector, SinkTask, TaskContext, TaskError,
    Width, config,
};
use landfall_lake::config::{LakeConfig, check_folder, no_effect};
use landfall_lake::encode::keys::FormatKeys;

use crate::access::{self, Access};
use crate::cloud;
use crate::confluent;
use crate::credential::Credential;
use crate::endpoint::{StoreUrl, account_reached};
use crate::entra::keys::CREDENTIAL;
use crate::landing::{self, Landing, Place, account, check_storage_class, format, invalid, missing, store_url};

const ACCOUNT: &str = "azure.datalake.gen2.account.name";
const CLIENT_ID: &str = "azure.datalake.gen2.client.id";
const CLIENT_KEY: &str = "azure.datalake.gen2.client.key";
const TOKEN_ENDPOINT: &str = "azure.datalake.gen2.token.endpoint";
const ACCESS_KEY: &str = "azure.datalake.gen2.access.key";
const SAS_KEY: &str = "azure.datalake.gen2.sas.key";

/// The class.
#[derive(Debug)]
pub struct AzureDataLakeGen2Sink;

config! {
    struct Gen2Config {
        /// The format of the files, by its Java class in `io.confluent.connect.azure.storage.format`: `parquet.ParquetFormat`,
        /// `json.JsonFormat` for a JSON text a line, `avro.AvroFormat`, or `bytearray.ByteArrayFormat` for values of bytes as they are.
        format_class: Class = "format.class" { required: true, importance: High, group: "Connector", width: Width::Long, display: "Format class", recommended: &["io.confluent.connect.azure.storage.format.parquet.ParquetFormat", "io.confluent.connect.azure.storage.format.json.JsonFormat", "io.confluent.connect.azure.storage.format.avro.AvroFormat", "io.confluent.connect.azure.storage.format.bytearray.ByteArrayFormat"] };
        /// The storage account: 3 to 24 characters. It must be given unless `store.url` names a directory.
        account_name: Option<String> = "azure.datalake.gen2.account.name" { importance: High, group: "Azure", width: Width::Long, display: "Account Name", valid: Length(3, 24), reaches: Reaches::By(account_reached) };
        /// The application (client) id of the Entra application that writes. With it, the client key and the token endpoint must be given.
        client_id: Option<String> = "azure.datalake.gen2.client.id" { importance: High, group: "Azure", width: Width::Long, display: "Client ID" };
        /// The secret of the Entra application.
        client_key: Option<Password> = "azure.datalake.gen2.client.key" { importance: High, group: "Azure", width: Width::Long, display: "Client Key" };
        /// Where the application gets its tokens: `https://login.microsoftonline.com/<tenant>/oauth2/token`.
        token_endpoint: Option<String> = "azure.datalake.gen2.token.endpoint" { importance: High, group: "Azure", width: Width::Long, display: "Token Endpoint", reaches: Hosts };
        /// The key of the account, in base64. It counts if no client id is given.
        access_key: Option<Password> = "azure.datalake.gen2.access.key" { importance: High, group: "Azure", width: Width::Long, display: "Access Key" };
        /// Deprecated in Java: the key of the account, or a shared access signature. It counts if neither a client id nor an access key is
        /// given.
        sas_key: Option<Password> = "azure.datalake.gen2.sas.key" { importance: Low, group: "Azure", width: Width::Long, display: "SAS Key" };
        /// Where the account is, if not at `https://<account name>.dfs.core.windows.net`: the URL of its Blob or Data Lake endpoint (files
        /// are written through the Blob endpoint). Or `file:///<directory>`, to land in a directory instead.
        store_url: Option<String> = "store.url" { importance: Low, group: "Storage", width: Width::Long, display: "Store URL", reaches: Store };
        /// The Java class that writes to the store. Only the name of the connector's own one is taken.
        storage_class: Option<Class> = "storage.class" { importance: Low, group: "Storage", width: Width::Long, display: "Storage Class" };
    }
}

config! {
    /// Keys that change nothing that lands here.
    struct NoEffect {
        /// The bytes of the blocks that Java uploads.
        block_size: i32 = "azure.datalake.gen2.block.size" { default: Some("5242880"), importance: Low, group: "Azure", width: Width::Long, display: "Block Size", effect: Nothing("a block is what the encoder hands over") };
        /// The name of the deprecated key.
        sas_keyname: Option<String> = "azure.datalake.gen2.sas.keyname" { importance: Low, group: "Azure", width: Width::Long, display: "SAS Key Name", effect: Nothing("the key has what is needed") };
        /// What Java's requests call themselves.
        useragent: Option<String> = "connect.azure.datalake.gen2.useragent" { importance: Low, group: "Azure", width: Width::Long, display: "User Agent", effect: Nothing("requests call themselves as Azure's client does") };
    }
}

impl SinkConnector for AzureDataLakeGen2Sink {
    fn class(&self) -> &'static str {
        "io.confluent.connect.azure.datalake.gen2.AzureDataLakeGen2SinkConnector"
    }

    fn keys(&self) -> Vec<Key> {
        let own = Gen2Config::KEYS.iter().chain(NoEffect::KEYS).copied();
        own.chain(access::keys()).chain(confluent::keys()).chain(LakeConfig::keys()).chain(cloud::keys()).collect()
    }

    fn validate(&self, properties: &Properties) -> Faults {
        let mut faults = Faults::default();
        read(properties, &mut faults);
        faults
    }

    fn warnings(&self, properties: &Properties) -> Vec<String> {
        let given = cloud::GEN2.self_managed(properties, &mut Faults::default());
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
    let properties = &*cloud::GEN2.self_managed(properties, faults);
    confluent::check(properties, faults);
    NoEffect::parse(properties, faults);
    let gen2 = Gen2Config::parse(properties, faults);
    let access = Access::read(properties, faults);
    let lake = LakeConfig::read(identity, properties, faults);
    let formats = FormatKeys::read(identity, properties, faults);
    let gen2 = gen2?;
    let format = format(&gen2.format_class, &["io.confluent.connect.azure.storage.format"], formats.as_ref(), properties, faults);
    check_storage_class(gen2.storage_class.as_ref(), "AzureDataLakeGen2Storage", faults);
    let url = match store_url(gen2.store_url.as_ref(), faults)? {
        Some(StoreUrl::Directory(root)) => {
            let place = Place::Directory(root);
            let state = landing::state(Some(&place), access.as_ref(), faults);
            let (lake, format, access) = (lake?, format?, access?);
            let prefix = lake.topics_dir.clone();
            return Some(Landing { lake, format, place, prefix, state, access, own: None });
        }
        Some(StoreUrl::Account(account)) => Some(account),
        None => None,
    };
    let access = access?;
    let account = account(ACCOUNT, gen2.account_name.as_ref(), url, &access, faults);
    let credential = credential(&gen2, account.as_ref().map_or("", |(_, name)| name), &access, faults);
    let lake = lake?;
    // The first name of topics.dir is the container.
    let (container, prefix) = lake.topics_dir.split_once('/').unwrap_or((&lake.topics_dir, ""));
    let (account, _) = account?;
    if let Err(why) = account.check_container(container) {
        let dir = &lake.topics_dir;
        faults.push(
            "topics.dir",
            format!("Invalid value {dir} for configuration topics.dir: it begins with the container, and {why}"),
        );
    }
    if let Err(why) = check_folder(prefix) {
        faults.push("topics.dir", format!("Invalid value {} for configuration topics.dir: {why}", lake.topics_dir));
    }
    let url = account.container(container).map_err(|why| faults.push("store.url", why)).ok()?;
    let credential = credential?;
    access::check(&url, &credential, &access, faults);
    let (place, prefix) = (Place::Container(url, credential), prefix.to_owned());
    let state = landing::state(Some(&place), Some(&access), faults);
    Some(Landing { lake, format: format?, place, prefix, state, access, own: None })
}

/// The application if one is given, else the account key, else what the deprecated key holds; or the credential of Entra ID.
fn credential(gen2: &Gen2Config, account: &str, access: &Access, faults: &mut Faults) -> Option<Credential> {
    let own = [(CLIENT_ID, gen2.client_id.is_some()), (ACCESS_KEY, gen2.access_key.is_some()), (SAS_KEY, gen2.sas_key.is_some())];
    if access.entra.is_some() {
        return access.credential(&own, faults);
    }
    let (key, made) = if let Some(id) = &gen2.client_id {
        let (Some(secret), Some(endpoint)) = (&gen2.client_key, &gen2.token_endpoint) else {
            let key = if gen2.client_key.is_none() { CLIENT_KEY } else { TOKEN_ENDPOINT };
            faults.push(key, missing(key));
            return None;
        };
        (TOKEN_ENDPOINT, Credential::client_secret(id, secret.reveal(), endpoint, access.net.clone()))
    } else if let Some(key) = &gen2.access_key {
        (ACCESS_KEY, Credential::key(account, key.reveal()))
    } else if let Some(key) = &gen2.sas_key {
        let key = key.reveal();
        (SAS_KEY, if key.contains("sig=") { Credential::sas(key) } else { Credential::key(account, key) })
    } else {
        faults.push(
            ACCESS_KEY,
            format!("no credentials: give {ACCESS_KEY}, or {CLIENT_ID}, {CLIENT_KEY} and {TOKEN_ENDPOINT}, or {CREDENTIAL}"),
        );
        return None;
    };
    made.map_err(|why| invalid(key, &why, faults)).ok()
}

#[cfg(test)]
mod tests {
    use azure_core::http::Url;

    use super::*;
    use crate::landing::tests::{assert_keys_known, faults, given};

    const GOOD: &[(&str, &str)] = &[
        ("format.class", "io.confluent.connect.azure.storage.format.parquet.ParquetFormat"),
        ("flush.size", "1000"),
        ("azure.datalake.gen2.account.name", "acct"),
        ("azure.datalake.gen2.access.key", "cHNzc3Q="),
        ("topics.dir", "lake/raw/cdc"),
    ];

    fn landing(changes: &[(&str, &str)]) -> Landing {
        let mut faults = Faults::default();
        let landing = read(&given(GOOD, changes), &mut faults);
        assert!(faults.is_empty(), "{faults}");
        landing.expect("no faults")
    }

    #[test]
    fn the_container_is_the_first_name_of_topics_dir() {
        for (changes, url, prefix) in [
            (&[][..], "https://acct.blob.core.windows.net/lake", "raw/cdc"),
            (&[("topics.dir", "topics")], "https://acct.blob.core.windows.net/topics", ""),
            (&[("store.url", "https://acct.dfs.core.windows.net")], "https://acct.blob.core.windows.net/lake", "raw/cdc"),
            (&[("store.url", "http://127.0.0.1:7/acct")], "http://127.0.0.1:7/acct/lake", "raw/cdc"),
        ] {
            let landing = landing(changes);
            assert!(
                matches!(&landing.place, Place::Container(found, Credential::Key(_)) if found.as_str() == url),
                "{landing:?}"
            );
            assert_eq!((landing.prefix.as_str(), landing.lake.flush_on_stop), (prefix, false));
        }
        let local = landing(&[("store.url", "file:///tmp/x"), ("azure.datalake.gen2.account.name", "-"), (ACCESS_KEY, "-")]);
        assert!(matches!(local.place, Place::Directory(root) if root.to_str() == Some("/tmp/x")));
        assert_eq!(local.prefix, "lake/raw/cdc");
    }

    #[test]
    fn commit_pointers_are_in_the_container_that_is_told() {
        assert_eq!(landing(&[]).state, None);
        let other = landing(&[("landfall.state.container", "pointers"), ("store.url", "http://127.0.0.1:7/acct")]);
        assert_eq!(other.state.as_ref().map(Url::as_str), Some("http://127.0.0.1:7/acct/pointers"));
        let why = "landfall.state.container cannot be given: a directory keeps its commit pointers itself";
        let local = [("landfall.state.container", "pointers"), ("store.url", "file:///tmp/x")];
        assert_eq!(faults(&AzureDataLakeGen2Sink, GOOD, &local), [why]);
    }

    #[test]
    fn confluent_clouds_keys_are_read_as_these() {
        let cloud = [
            ("connector.class", "AzureDataLakeGen2Sink"),
            ("format.class", "-"),
            ("flush.size", "-"),
            ("input.data.format", "JSON"),
            ("output.data.format", "PARQUET"),
            ("time.interval", "DAILY"),
            ("value.converter", "JsonConverter"),
            ("value.converter.schemas.enable", "true"),
        ];
        let layout = landing(&cloud).layout().expect("a layout");
        assert!(layout.partitioner.time_based());
        assert_eq!((layout.rotation.flush_size, layout.columns.format.extension().as_str()), (Some(1000), ".snappy.parquet"));
        assert_eq!(layout.rotation.interval, Some(86_400_000));
    }

    #[test]
    fn the_format_is_confluents_class() {
        assert_eq!(landing(&[]).format.extension(), ".snappy.parquet");
        let json = ("format.class", "io.confluent.connect.azure.storage.format.json.JsonFormat");
        assert_eq!(landing(&[json]).format.extension(), ".json");
        assert_eq!(landing(&[json, ("az.compression.type", "gzip")]).format.extension(), ".json.gz");
    }

    #[test]
    fn credentials_are_found_and_never_shown() {
        let entra = [
            (CLIENT_ID, "app"),
            (CLIENT_KEY, "pssst"),
            (TOKEN_ENDPOINT, "https://login.microsoftonline.com/tenant/oauth2/token"),
        ];
        assert!(matches!(landing(&entra).place, Place::Container(_, Credential::Token(_))));
        assert!(matches!(landing(&[(ACCESS_KEY, "-"), (SAS_KEY, "sv=1&sig=x")]).place, Place::Container(_, Credential::Sas(_))));
        assert!(matches!(landing(&[(ACCESS_KEY, "-"), (SAS_KEY, "cHNzc3Q=")]).place, Place::Container(_, Credential::Key(_))));
        let printed = format!("{:?} {:?}", landing(&entra), landing(&[]));
        assert!(!printed.contains("pssst") && !printed.contains("cHNzc3Q"), "{printed}");
        let sink = &AzureDataLakeGen2Sink;
        for (changes, why) in [
            (
                &[(ACCESS_KEY, "-")][..],
                "no credentials: give azure.datalake.gen2.access.key, or azure.datalake.gen2.client.id, azure.datalake.gen2.client.key and azure.datalake.gen2.token.endpoint, or landfall.azure.credential",
            ),
            (
                &[(ACCESS_KEY, "pssst!")],
                "Invalid value for configuration azure.datalake.gen2.access.key: the account key is not base64",
            ),
            (&entra[..1], "Missing required configuration \"azure.datalake.gen2.client.key\" which has no default value."),
            (&entra[..2], "Missing required configuration \"azure.datalake.gen2.token.endpoint\" which has no default value."),
            (
                &[entra[0], entra[1], entra[2], ("store.url", "http://127.0.0.1:7/acct")],
                "tokens of Entra ID need a store.url of https",
            ),
        ] {
            assert_eq!(faults(sink, GOOD, changes), [why]);
        }
    }

    #[test]
    fn what_is_missing_or_wrong_is_said() {
        let sink = &AzureDataLakeGen2Sink;
        for (changes, why) in [
            (&[("flush.size", "-")][..], "Missing required configuration \"flush.size\" which has no default value."),
            (&[("format.class", "-")], "Missing required configuration \"format.class\" which has no default value."),
            (
                &[(ACCOUNT, "-")],
                "Missing required configuration \"azure.datalake.gen2.account.name\" which has no default value.",
            ),
            (
                &[
                    ("format.class", "io.confluent.connect.azure.storage.format.bytearray.ByteArrayFormat"),
                    ("landfall.columns", "__key"),
                ],
                "landfall.columns cannot be given: files of this format hold nothing but the values",
            ),
            (
                &[("format.class", "com.acme.Mine")],
                "Invalid value com.acme.Mine for configuration format.class: Class com.acme.Mine could not be found. There are io.confluent.connect.azure.storage.format.parquet.ParquetFormat, io.confluent.connect.azure.storage.format.json.JsonFormat, io.confluent.connect.azure.storage.format.avro.AvroFormat, io.confluent.connect.azure.storage.format.bytearray.ByteArrayFormat",
            ),
            (
                &[("topics.dir", "Lake/x")],
                "Invalid value Lake/x for configuration topics.dir: it begins with the container, and a container's name has 3 to 63 lower-case letters, digits and single hyphens between them",
            ),
            (
                &[("topics.dir", "lake/_landfall")],
                "Invalid value lake/_landfall for configuration topics.dir: _landfall is where unfinished files are",
            ),
            (
                &[("topics.dir", "lake/../x")],
                "Invalid value lake/../x for configuration topics.dir: the path \"lake/../x\" cannot be used: it leaves its folder",
            ),
            (
                &[("store.url", "https://other.dfs.core.windows.net")],
                "store.url is of another account than azure.datalake.gen2.account.name=acct",
            ),
            (
                &[("store.url", "https://acct.dfs.core.windows.net/lake")],
                "store.url must end with the account, not with \"lake\"",
            ),
            (
                &[("store.url", "ftp://x")],
                "Invalid value for configuration store.url: \"ftp://x\" cannot be used: ftp is none of file, https and http",
            ),
            (&[("storage.class", "com.acme.Store")], "storage.class=com.acme.Store is not supported yet"),
        ] {
            assert_eq!(faults(sink, GOOD, changes), [why]);
        }
    }

    #[test]
    fn every_key_of_the_java_class_is_known() {
        let honoured = "azure.datalake.gen2.account.name azure.datalake.gen2.client.id azure.datalake.gen2.client.key \
                        azure.datalake.gen2.token.endpoint azure.datalake.gen2.access.key azure.datalake.gen2.sas.key";
        let other = "azure.datalake.gen2.sas.keyname azure.datalake.gen2.block.size connect.azure.datalake.gen2.useragent";
        assert_keys_known(&AzureDataLakeGen2Sink, GOOD, honoured, other);
        let set = given(GOOD, &[("azure.datalake.gen2.block.size", "1"), ("locale", "en")]);
        let warned = [
            "locale has no effect in Landfall: the partitioner is DefaultPartitioner",
            "azure.datalake.gen2.block.size has no effect in Landfall: a block is what the encoder hands over",
        ];
        assert_eq!(AzureDataLakeGen2Sink.warnings(&set), warned);
    }
}
