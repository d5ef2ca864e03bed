//! Stores keep what they promise, over a directory and over Azurite, and say clearly what is wrong when they cannot.

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use arrow_array::{BinaryArray, Int64Array, StructArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use landfall_adls::connection_string::ConnectionString;
use landfall_adls::credential::Credential;
use landfall_adls::shared_key::SharedKey;
use landfall_adls::storage::AzureStorage;
use landfall_adls::{AzureBlobStorageSink, AzureDataLakeGen2Sink, AzureDataLakeSink};
use landfall_api::{Batch, Column, Properties, RawBatch, SinkConnector, TaskContext, TopicPartition};
use landfall_lake::storage::conformance::{self, Others};
use landfall_lake::storage::examine::Answer;
use landfall_lake::storage::local::LocalStorage;
use landfall_lake::storage::{Area, Calls, Metadata, Published, Sealed, Staged, Storage, StorageError};

use crate::support::azurite::Azurite;
use crate::support::opened;

/// A shared access signature for reading, writing and listing what is in the emulator's account, until 2099. It is Python's:
/// `base64(hmac_sha256(key, "devstoreaccount1\nrwcl\nb\nco\n\n2099-01-01T00:00:00Z\n\n\n2021-06-08\n\n"))`
const SAS: &str =
    "sv=2021-06-08&ss=b&srt=co&sp=rwcl&se=2099-01-01T00%3A00%3A00Z&sig=t5wthJwI9TsehvKQKqntLz4%2BZjP1V2bfdmG%2F8guIxN0%3D";

/// The same, and for deleting and for asking what kind of account it is.
const WIDER_SAS: &str =
    "sv=2021-06-08&ss=b&srt=sco&sp=rwdcl&se=2099-01-01T00%3A00%3A00Z&sig=2Sk8%2FtfVVlQMWrkXZUT7ddvaZ0UBx%2B3I0kQs7sCQaus%3D";

fn sas() -> Credential {
    Credential::sas(SAS).expect("a signature")
}

fn key(azurite: &Azurite) -> Credential {
    Credential::Key(SharedKey::new(azurite.account_name(), azurite.account_key()).expect("base64"))
}

fn open(azurite: &Azurite, container: &str, credential: Credential) -> AzureStorage {
    AzureStorage::new(format!("{}/{container}", azurite.blob_endpoint()).parse().expect("a URL"), credential).expect("a client")
}

fn fatal(error: StorageError) -> String {
    match error {
        StorageError::Fatal(message) => message,
        other => panic!("{other:?}"),
    }
}

fn area() -> Area {
    Area { partition: "topics/t/0".into(), epoch: 1 }
}

async fn stage(storage: &AzureStorage, path: &str, blocks: &[&'static str]) -> Box<dyn Staged> {
    let mut staged = storage.stage(path, &area()).await.expect("staged");
    for block in blocks {
        staged.block((*block).into()).await.expect("staged");
    }
    staged
}

async fn sealed(storage: &AzureStorage, path: &str, blocks: &[&'static str]) -> Sealed {
    stage(storage, path, blocks).await.seal().await.expect("sealed")
}

async fn publish(storage: &AzureStorage, file: &Sealed) -> Published {
    storage.publish(file, &Metadata::new()).await.expect("answered")
}

/// Other programs with the same container, by plain requests.
struct Container {
    url: String,
}

impl Container {
    fn of(azurite: &Azurite, name: &str) -> Self {
        Self { url: format!("{}/{name}", azurite.blob_endpoint()) }
    }

    fn create(self) -> Self {
        ureq::put(format!("{}?restype=container&{WIDER_SAS}", self.url)).send_empty().expect("created");
        self
    }

    fn put_block(&self, path: &str, id: &str, content: &str) {
        ureq::put(format!("{}/{path}?comp=block&blockid={id}&{WIDER_SAS}", self.url)).send(content).expect("staged");
    }
}

impl Others for Container {
    fn write(&self, path: &str, content: &'static [u8]) {
        let put = ureq::put(format!("{}/{path}?{WIDER_SAS}", self.url)).header("x-ms-blob-type", "BlockBlob");
        put.send(content).expect("written");
    }

    fn delete(&self, path: &str) {
        ureq::delete(format!("{}/{path}?{WIDER_SAS}", self.url)).call().expect("deleted");
    }

    fn walk(&self) -> Vec<String> {
        let list = ureq::get(format!("{}?restype=container&comp=list&{WIDER_SAS}", self.url)).call().expect("listed");
        let list = list.into_body().read_to_string().expect("XML");
        let names = list.split("<Name>").skip(1).map(|rest| rest.split("</Name>").next().expect("closed"));
        let plain = |name: &str| {
            let marks = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&apos;", "'"), ("&amp;", "&")];
            marks.iter().fold(name.to_owned(), |name, (escaped, mark)| name.replace(escaped, mark))
        };
        names.map(plain).filter(|name| !name.split('/').rev().skip(1).any(|folder| folder.starts_with('_'))).collect()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_is_a_store_with_every_credential() {
    let azurite = Azurite::start();
    let from_string = ConnectionString::parse(&azurite.connection_string()).expect("good");
    assert_eq!(from_string.endpoint.as_str(), azurite.blob_endpoint());
    let wider = Credential::sas(WIDER_SAS).expect("a signature");
    for (container, credential) in [("key", from_string.credential), ("sas", wider)] {
        let others = Container::of(&azurite, container).create();
        let (a, b) = (open(&azurite, container, credential.clone()), open(&azurite, container, credential));
        conformance::suite(&a, &b, &others).await;
        assert_eq!(a.url(), others.url);
    }
}

#[tokio::test]
async fn azure_does_what_the_protocol_needs() {
    let azurite = Azurite::start();
    azure_keeps_metadata(&azurite).await;
    what_a_refused_publish_means_is_found_out(&azurite).await;
    names_under_which_others_stage_are_taken(&azurite).await;
    late_blocks_change_nothing(&azurite).await;
    calls_are_counted(&azurite).await;
    a_block_whose_answer_was_lost_is_there_once(&azurite).await;
    a_publish_whose_answer_was_lost_is_recognised(&azurite).await;
    a_put_whose_answer_was_lost_is_sent_once(&azurite).await;
}

#[tokio::test]
async fn stores_are_examined() {
    let azurite = Azurite::start();
    a_container_is_examined(&azurite).await;
    a_hierarchical_account_is_examined(&azurite).await;
    users_are_told_what_their_store_does(&azurite);
}

async fn azure_keeps_metadata(azurite: &Azurite) {
    let storage = open(azurite, azurite.container(), key(azurite));
    let metadata = Metadata::from([("landfall_last".into(), "41".into()), ("landfall_first".into(), "0".into())]);
    let file = sealed(&storage, "metadata/a", &[]).await;
    assert_eq!(storage.publish(&file, &metadata).await.expect("published"), Published::Landed);
    assert_eq!(storage.head("metadata/a").await.expect("asked").expect("visible").metadata, metadata);
    assert_eq!(storage.list("metadata/").await.expect("listed")[0].metadata, metadata);
}

async fn what_a_refused_publish_means_is_found_out(azurite: &Azurite) {
    let others = Container::of(azurite, azurite.container());
    let storage = open(azurite, azurite.container(), key(azurite));
    // A foreign file that came after the name was asked for, and ours still staged beside it.
    let mut staged = stage(&storage, "conflict", &[]).await;
    others.write("conflict", b"theirs");
    staged.block("ours".into()).await.expect("staged");
    let file = staged.seal().await.expect("sealed");
    assert_eq!(publish(&storage, &file).await, Published::Conflict);
    assert_eq!(storage.read("conflict", 0..9).await.expect("read"), "theirs");
    // Another's list was first: what was staged is discarded, and whether it was published before nobody can tell.
    let (file, other) = (sealed(&storage, "first", &["ours"]).await, sealed(&storage, "first", &["theirs"]).await);
    assert_eq!(publish(&storage, &other).await, Published::Landed);
    assert!(matches!(publish(&storage, &file).await, Published::Gone { conclusive: false, .. }));
    // Published and moved away: on a flat namespace it cannot have been lost, on a hierarchical one only a check tells.
    let survive = r#"{"v":1,"checked_at":0,"hierarchical":true,"staged_blocks_survive_directories":true}"#;
    for (account, checked, expected) in [
        (None, None, true),
        (Some("403 Forbidden\r\nx-ms-error-code: AuthorizationFailure"), None, false),
        (Some("200 OK\r\nx-ms-is-hns-enabled: true"), None, false),
        (Some("200 OK\r\nx-ms-is-hns-enabled: true"), Some("not JSON".to_owned()), false),
        (Some("200 OK\r\nx-ms-is-hns-enabled: true"), Some(survive.replace("s\":true", "s\":false")), false),
        (Some("200 OK\r\nx-ms-is-hns-enabled: true"), Some(survive.into()), true),
        (Some("403 Forbidden\r\nx-ms-error-code: AuthorizationFailure"), Some(survive.into()), true),
    ] {
        let wire = Wire::before(azurite);
        if let Some(account) = account {
            wire.answer("restype=account", account);
        }
        let storage = AzureStorage::new(wire.url(azurite.container()).parse().expect("a URL"), key(azurite)).expect("a client");
        if let Some(checked) = &checked {
            let before = storage.get("_landfall/v1/check.json").await.expect("asked").map(|(_, version)| version);
            storage.put("_landfall/v1/check.json", checked.clone().into(), before.as_ref()).await.expect("written");
        }
        let file = sealed(&storage, "moved", &["ours"]).await;
        assert_eq!(publish(&storage, &file).await, Published::Landed);
        others.delete("moved");
        for _ in 0..2 {
            let Published::Gone { conclusive, age } = publish(&storage, &file).await else { panic!("it is gone") };
            assert!(conclusive == expected && age < Duration::from_secs(60), "{account:?} {checked:?}: {conclusive} {age:?}");
        }
        let asked = |operation| storage.calls().iter().find(|calls| calls.operation == operation).map_or(0, |calls| calls.sent);
        assert_eq!(asked("Get Account Information"), 1, "the account is asked once");
    }
    // Staged six days ago by the service's clock.
    let file = sealed(&storage, "old", &["ours"]).await;
    assert_eq!(publish(&storage, &file).await, Published::Landed);
    others.delete("old");
    let old = Sealed { staged_at: file.staged_at - 6 * 86_400_000, ..file };
    let Published::Gone { age, .. } = publish(&storage, &old).await else { panic!("it is gone") };
    assert!((age.as_secs() as i64 - 6 * 86_400).abs() < 60, "{age:?}");
    let foreign = Sealed { token: "topics/t/0/1-abc".into(), ..old };
    let message = fatal(storage.publish(&foreign, &Metadata::new()).await.expect_err("refused"));
    assert_eq!(message, "old cannot be published: \"topics/t/0/1-abc\" is no token of Azure");
}

async fn names_under_which_others_stage_are_taken(azurite: &Azurite) {
    let others = Container::of(azurite, azurite.container());
    let storage = open(azurite, azurite.container(), key(azurite));
    others.put_block("short", "AAAA", "x");
    let mut staged = storage.stage("short", &area()).await.expect("nothing is visible");
    let error = staged.block("ours".into()).await.expect_err("its ids are of another length");
    assert!(matches!(&error, StorageError::Taken(m) if m.contains("InvalidBlobOrBlock, blocks of another writer")), "{error}");
}

async fn late_blocks_change_nothing(azurite: &Azurite) {
    let others = Container::of(azurite, azurite.container());
    let storage = open(azurite, azurite.container(), key(azurite));
    let file = sealed(&storage, "late", &["ours"]).await;
    assert_eq!(publish(&storage, &file).await, Published::Landed);
    // A block of a stopped worker that arrives now, with an id as long as ours.
    others.put_block("late", &"A".repeat(32), "late");
    assert_eq!(storage.read("late", 0..9).await.expect("read"), "ours");
    assert_eq!(publish(&storage, &file).await, Published::Landed);
    others.delete("late");
    assert!(matches!(publish(&storage, &file).await, Published::Gone { .. }));
    assert_eq!(storage.head("late").await.expect("asked"), None);
}

async fn calls_are_counted(azurite: &Azurite) {
    let storage = open(azurite, azurite.container(), key(azurite));
    assert_eq!(storage.calls(), []);
    let file = sealed(&storage, "counted", &["1", "2", "3"]).await;
    publish(&storage, &file).await;
    publish(&storage, &file).await;
    storage.put("_landfall/v1/a.json", "{}".into(), None).await.expect("written");
    storage.put("_landfall/v1/a.json", "{}".into(), None).await.expect("answered");
    let count = |operation, sent, refused| Calls { operation, sent, refused, failed: 0 };
    let expected = [
        count("Put Block", 3, 0),
        count("Put Block List", 2, 1),
        count("Put Blob", 2, 1),
        count("Get Blob Properties", 1, 1),
        count("Get Block List", 1, 0),
    ];
    assert_eq!(storage.calls(), expected);
}

#[tokio::test]
async fn a_wrong_key_is_said_without_showing_it() {
    let azurite = Azurite::start();
    let wrong = "cHNzc3QtcHNzc3QtcHNzc3Q=";
    let storage =
        open(&azurite, azurite.container(), Credential::Key(SharedKey::new(azurite.account_name(), wrong).expect("base64")));
    let message = fatal(storage.check().await.expect_err("refused"));
    assert!(
        message.starts_with(&format!("Put Block {}/lake/_landfall/check/block: HTTP 403 ", azurite.blob_endpoint())),
        "{message}"
    );
    assert!(message.contains("the credentials "), "{message}");
    assert!(!message.contains(wrong) && !format!("{storage:?}").contains(wrong), "{message}");
    fatal(storage.head("a").await.expect_err("refused"));

    let bad = SAS.replace("sig=", "sig=AAAA");
    let storage = open(&azurite, azurite.container(), Credential::sas(&bad).expect("a signature"));
    for error in [storage.check().await.expect_err("refused"), storage.list("").await.expect_err("refused")] {
        let message = fatal(error);
        assert!(message.contains("HTTP 403") && !message.contains("AAAA"), "{message}");
    }
}

#[tokio::test]
async fn a_missing_container_is_named() {
    let azurite = Azurite::start();
    let storage = open(&azurite, "nowhere", key(&azurite));
    for error in [
        storage.stage("a", &area()).await.expect_err("refused"),
        storage.check().await.expect_err("refused"),
        storage.head("a").await.expect_err("refused"),
        storage.list("").await.expect_err("refused"),
        storage.get("_landfall/a").await.expect_err("refused"),
        storage.put("_landfall/a", "x".into(), None).await.expect_err("refused"),
    ] {
        let message = fatal(error);
        assert!(message.contains("HTTP 404 ContainerNotFound, the container \"nowhere\" does not exist"), "{message}");
    }
}

#[tokio::test]
async fn no_server_is_worth_another_try() {
    let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
    let url = format!("http://127.0.0.1:{port}/devstoreaccount1/lake");
    let wrong = Credential::Key(SharedKey::new("devstoreaccount1", "cHNzc3Q=").expect("base64"));
    for credential in [wrong, sas()] {
        let storage = AzureStorage::new(url.parse().expect("a URL"), credential).expect("a client");
        match storage.check().await.expect_err("nobody is there") {
            StorageError::Retriable(message) => {
                assert_eq!(message, format!("Put Block {url}/_landfall/check/block: Connection refused (os error 111)"));
            }
            other => panic!("{other:?}"),
        }
    }
}

async fn a_block_whose_answer_was_lost_is_there_once(azurite: &Azurite) {
    let wire = Wire::before(azurite);
    let storage = AzureStorage::new(wire.url(azurite.container()).parse().expect("a URL"), key(azurite)).expect("a client");
    let mut staged = stage(&storage, "block", &["one"]).await;
    let mut answered = 0;
    for wait in [0, 1, 2, 5, 10, 30, 100] {
        // A call that is given up may have reached the service or not.
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(wait), staged.block("two".into())).await {
            ended.expect("staged");
            answered += 1;
        }
    }
    wire.lose_answer_of("blockid=");
    assert!(matches!(staged.block("lost".into()).await.expect_err("no answer comes"), StorageError::Retriable(_)));
    staged.block("lost".into()).await.expect("staged");
    staged.block("end".into()).await.expect("staged");
    let file = staged.seal().await.expect("sealed");
    assert_eq!(publish(&storage, &file).await, Published::Landed);
    let content = storage.read("block", 0..1000).await.expect("read");
    assert_eq!(content, format!("one{}lostend", "two".repeat(answered)));
    let ids = wire.block_ids();
    assert!(ids.len() >= answered + 4, "{ids:?}");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "an id is sent once: {ids:?}");
}

async fn a_publish_whose_answer_was_lost_is_recognised(azurite: &Azurite) {
    let wire = Wire::before(azurite);
    let through = AzureStorage::new(wire.url(azurite.container()).parse().expect("a URL"), key(azurite)).expect("a client");
    for (path, blocks) in [("published", &["a", "b"][..]), ("empty", &[])] {
        let file = sealed(&through, path, blocks).await;
        let mut other = stage(&through, path, &[]).await;
        wire.lose_answer_of("comp=blocklist");
        let lost = through.publish(&file, &Metadata::new()).await.expect_err("no answer comes");
        assert!(matches!(&lost, StorageError::Retriable(m) if m.starts_with("Put Block List ")), "{lost}");
        other.block("other".into()).await.expect("staged");
        assert_eq!(publish(&through, &other.seal().await.expect("sealed")).await, Published::Conflict);
        assert_eq!(publish(&through, &file).await, Published::Landed);
        assert_eq!(through.read(path, 0..100).await.expect("read"), blocks.concat());
    }
}

async fn a_put_whose_answer_was_lost_is_sent_once(azurite: &Azurite) {
    let wire = Wire::before(azurite);
    let storage = AzureStorage::new(wire.url(azurite.container()).parse().expect("a URL"), key(azurite)).expect("a client");
    let path = "_landfall/v1/t/0.json";
    wire.lose_answer_of("0.json");
    let lost = storage.put(path, "first".into(), None).await.expect_err("no answer comes");
    assert!(matches!(&lost, StorageError::Retriable(m) if m.starts_with("Put Blob ")), "{lost}");
    let puts: Vec<_> = storage.calls().into_iter().filter(|calls| calls.operation == "Put Blob").collect();
    assert_eq!(puts, [Calls { operation: "Put Blob", sent: 1, refused: 0, failed: 1 }]);
    assert_eq!(storage.get(path).await.expect("asked").expect("it was applied").0, "first");
}

async fn a_container_is_examined(azurite: &Azurite) {
    let others = Container::of(azurite, azurite.container());
    let storage = open(azurite, azurite.container(), key(azurite));
    let found = storage.examine().await.expect("asked");
    assert!(found.holds(), "{found:#?}");
    let of = |answer| {
        found.findings.iter().filter(|finding| finding.answer == answer).map(|finding| finding.question).collect::<Vec<_>>()
    };
    assert_eq!(
        of(Answer::Holds),
        [
            "an object is made only if there is none",
            "of those who replace an object at once, one does",
            "an object is replaced only if it is what was read",
            "a staged blob is invisible",
            "a list with a block that is not there changes nothing",
            "a list makes a whole file visible",
            "a list discards all other staged blocks",
            "a block that comes late changes no file",
            "a file that was removed does not come back",
            "staged blocks survive a rename of their directory",
            "staged blocks survive a delete of their directory",
        ]
    );
    assert_eq!(of(Answer::NotAsked), ["a staged blob is listed by the Data Lake endpoint"]);
    assert_eq!(others.walk(), [""; 0], "nothing is left");
    assert_eq!(storage.names("_landfall/").await.expect("listed"), ["_landfall/v1/check.json"]);
    // Credentials that may not delete can ask the most of it.
    let narrow = open(azurite, azurite.container(), sas()).examine().await.expect_err("it cannot remove what it wrote");
    assert!(fatal(narrow).starts_with("Delete Blob "));
}

async fn a_hierarchical_account_is_examined(azurite: &Azurite) {
    let others = Container::of(azurite, azurite.container());
    for (keeps, answer) in [(true, Answer::Holds), (false, Answer::Warning)] {
        let wire = Wire::before(azurite);
        wire.answer("restype=account", "200 OK\r\nx-ms-is-hns-enabled: true");
        let through =
            || AzureStorage::new(wire.url(azurite.container()).parse().expect("a URL"), key(azurite)).expect("a client");
        let lake = data_lake(azurite, keeps);
        let found = through().with_data_lake(lake.parse().expect("a URL")).examine().await.expect("asked");
        let of: Vec<_> = found.findings.iter().filter(|finding| finding.question.starts_with("staged blocks")).collect();
        assert!(found.holds() && of.len() == 2 && of.iter().all(|finding| finding.answer == answer), "{found:#?}");
        // What was found out is what a publish goes by.
        let through = through();
        let file = sealed(&through, "a", &["ours"]).await;
        assert_eq!(publish(&through, &file).await, Published::Landed);
        others.delete("a");
        let ended = publish(&through, &file).await;
        assert!(matches!(ended, Published::Gone { conclusive, .. } if conclusive == keeps), "{ended:?}");
    }
}

/// Runs `landfall storage check` for a connector with `properties`: its exit code and what it prints.
fn storage_check(properties: &[(&str, &str)], options: &[&str]) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a directory");
    let config = folder.path().join("connector.properties");
    let text: String = properties.iter().map(|(key, value)| format!("{key}={value}\n")).collect();
    std::fs::write(&config, format!("name=sink\nconnector.class=AzureDataLakeSink\n{text}")).expect("written");
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_landfall"));
    let ended = command.args(["storage", "check", "--config"]).arg(config).args(options).output().expect("run");
    let printed = [ended.stdout, ended.stderr].map(|bytes| String::from_utf8(bytes).expect("UTF-8")).concat();
    (ended.status.code().expect("no signal"), printed)
}

fn users_are_told_what_their_store_does(azurite: &Azurite) {
    let folder = tempfile::tempdir().expect("a directory");
    let directory = format!("file://{}", folder.path().display());
    let (code, text) = storage_check(&[("store.url", &directory)], &[]);
    assert_eq!(code, 0, "{text}");
    assert!(text.starts_with(&format!("{directory}\n\n")), "{text}");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let renamed = "A2 a file is renamed in one step, and over none holds one file was renamed, and none over another";
    assert!(words(&text).contains(renamed), "{text}");
    assert!(text.ends_with("All that exactly-once needs holds, as far as it could be asked.\n"), "{text}");

    let url = format!("{}/{}", azurite.blob_endpoint(), azurite.container());
    let azure = [("store.url", url.as_str()), ("landfall.azure.account.key", azurite.account_key())];
    let (code, json) = storage_check(&azure, &["--json"]);
    assert_eq!(code, 0, "{json}");
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!(
        (&json["holds"], &json["stores"][&url]["findings"][0]["seen"]),
        (&true.into(), &"StorageV2, Standard_RAGRS, flat namespace".into())
    );

    // A gateway that takes lists and does nothing with them.
    let wire = Wire::before(azurite);
    wire.answer("comp=blocklist", "201 Created");
    let azure = [("store.url", &*wire.url(azurite.container())), azure[1]];
    let (code, text) = storage_check(&azure, &[]);
    assert_eq!(code, 3, "{text}");
    assert!(words(&text).contains("A2 a list makes a whole file visible FAILS"), "{text}");
    assert!(text.contains("- a list makes a whole file visible: files cannot be published: do not use this store\n"), "{text}");
    assert!(text.ends_with("Something that exactly-once needs does not hold.\n"), "{text}");

    let (code, text) = storage_check(&[("store.url", "ftp://x")], &[]);
    assert!(code == 1 && text.contains("connector.properties:3: store.url: "), "{code} {text}");
}

/// The URL of the container at a Data Lake endpoint that says yes to everything. One that does not keep staged blocks drops those of
/// `a.parquet` in a directory that is renamed or deleted.
fn data_lake(azurite: &Azurite, keeps: bool) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/devstoreaccount1/{}", listener.local_addr().expect("bound"), azurite.container());
    let blobs = Container::of(azurite, azurite.container()).url;
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && matches!(client.read(&mut byte), Ok(1)) {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let first = head.lines().next().unwrap_or_default();
            let folder = match head.lines().find_map(|line| line.strip_prefix("x-ms-rename-source: ")) {
                Some(source) => {
                    source.split_once('/').and_then(|(_, path)| path.split_once('/')).map(|(_, folder)| folder.to_owned())
                }
                None if first.starts_with("DELETE ") => {
                    first.split(['?', ' ']).nth(1).and_then(|path| path.splitn(4, '/').nth(3)).map(str::to_owned)
                }
                None => None,
            };
            if let Some(folder) = folder.filter(|_| !keeps) {
                let blob = format!("{blobs}/{folder}/a.parquet");
                let list = ureq::put(format!("{blob}?comp=blocklist&{WIDER_SAS}"));
                list.send("<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList></BlockList>").expect("dropped");
                ureq::delete(format!("{blob}?{WIDER_SAS}")).call().expect("deleted");
            }
            let status = if first.starts_with("PUT ") { "201 Created" } else { "200 OK" };
            let paths = r#"{"paths":[]}"#;
            let _ = write!(client, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{paths}", paths.len());
        }
    });
    url
}

/// A class, the folder that it lands in, and its keys.
type Landing<'a> = (&'a dyn SinkConnector, &'a str, Vec<(&'a str, String)>);

#[test]
fn every_class_lands_rows_and_goes_on_after_them() {
    let azurite = Azurite::start();
    let (endpoint, container) = (azurite.blob_endpoint(), azurite.container());
    let folder = tempfile::tempdir().expect("a directory");
    let classes: [Landing; 4] = [
        (
            &AzureDataLakeGen2Sink,
            "gen2",
            vec![
                ("format.class", "io.confluent.connect.azure.storage.format.parquet.ParquetFormat".into()),
                ("azure.datalake.gen2.account.name", azurite.account_name().into()),
                ("azure.datalake.gen2.access.key", azurite.account_key().into()),
                ("store.url", endpoint.clone()),
                ("topics.dir", format!("{container}/gen2")),
            ],
        ),
        (
            &AzureBlobStorageSink,
            "blob",
            vec![
                ("format.class", "io.confluent.connect.azure.blob.format.parquet.ParquetFormat".into()),
                ("azblob.account.name", azurite.account_name().into()),
                ("azblob.account.key", azurite.account_key().into()),
                ("azblob.container.name", container.into()),
                ("store.url", endpoint),
                ("topics.dir", "blob".into()),
            ],
        ),
        (
            &AzureDataLakeSink,
            "own",
            vec![
                ("landfall.azure.connection.string", azurite.connection_string()),
                ("landfall.azure.container", container.into()),
                ("landfall.flush.on.stop", "false".into()),
                ("topics.dir", "own".into()),
            ],
        ),
        (
            &AzureDataLakeSink,
            "local",
            vec![
                ("store.url", format!("file://{}", folder.path().display())),
                ("landfall.flush.on.stop", "false".into()),
                ("topics.dir", "local".into()),
            ],
        ),
    ];
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("a runtime");
    let azure = open(&azurite, container, key(&azurite));
    let local = LocalStorage::new(folder.path());
    for (class, prefix, given) in classes {
        let mut properties: Properties = given.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        properties.insert("flush.size".into(), "100".into());
        assert!(class.validate(&properties).is_empty(), "{}", class.validate(&properties));
        for resume in [0, 200] {
            let context = TaskContext::new(prefix, 0, runtime.handle().clone(), 64 << 20);
            let mut task = class.task(&properties, context).expect("a task");
            let partition = TopicPartition::new("t", 3);
            assert_eq!(opened(&mut *task, &partition).resume, resume, "{prefix}");
            task.put(vec![batch(&partition, resume..250)], &mut |_, error| panic!("{error}")).expect("taken");
            let committed = task.close(std::slice::from_ref(&partition), false, Duration::from_secs(20)).expect("closed");
            assert_eq!(committed.get(&partition).map_or(200, |committed| committed.offset), 200, "{prefix}");
        }
        let store: &dyn Storage = if prefix == "local" { &local } else { &azure };
        let files = runtime.block_on(store.list(&format!("{prefix}/"))).expect("listed");
        let paths: Vec<_> = files.iter().map(|file| file.path.as_str()).collect();
        let codec = if ["own", "local"].contains(&prefix) { "zstd" } else { "snappy" };
        let expected = ["0000000000", "0000000100"].map(|first| format!("{prefix}/t/partition=3/t+3+{first}.{codec}.parquet"));
        assert_eq!(paths, expected);
    }
}

/// Rows whose only field is their offset.
fn batch(origin: &TopicPartition, offsets: std::ops::Range<i64>) -> Batch {
    let offset = Int64Array::from_iter_values(offsets.clone());
    let timestamp = TimestampMillisecondArray::from_iter_values(offsets.clone());
    let bytes = BinaryArray::from_iter_values(offsets.clone().map(i64::to_le_bytes));
    let raw = RawBatch {
        origin: origin.clone(),
        key: bytes.clone(),
        value: bytes.clone(),
        offset: offset.clone(),
        timestamp: timestamp.clone(),
        headers: None,
    };
    let fields = Fields::from(vec![Field::new("id", DataType::Int64, false)]);
    let value = StructArray::new(fields.clone(), vec![Arc::new(offset.clone())], None);
    Batch {
        origin: origin.clone(),
        topic: origin.topic.clone(),
        key: Column { field: Arc::new(Field::new("key", DataType::Binary, true)), array: Arc::new(bytes) },
        value: Column { field: Arc::new(Field::new("value", DataType::Struct(fields), true)), array: Arc::new(value) },
        offset,
        timestamp,
        headers: None,
        raw: Arc::new(raw),
        covers: offsets,
    }
}

/// A wire to Azurite that loses the answer of a request, or gives one of its own, when it is told so.
struct Wire {
    port: u16,
    loses: Arc<Mutex<Option<&'static str>>>,
    answers: Arc<Mutex<Vec<(&'static str, &'static str)>>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Wire {
    fn before(azurite: &Azurite) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let wire = Self { port, loses: Arc::default(), answers: Arc::default(), requests: Arc::default() };
        let shared = (Arc::clone(&wire.loses), Arc::clone(&wire.answers), Arc::clone(&wire.requests));
        let address = azurite.blob_endpoint().split('/').nth(2).expect("host and port").to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&address).expect("azurite is there");
                let lost = Arc::new(AtomicBool::new(false));
                let ((loses, answers, requests), is_lost) = (shared.clone(), Arc::clone(&lost));
                let ends = |a: &TcpStream, b: &TcpStream| (a.try_clone().expect("cloned"), b.try_clone().expect("cloned"));
                let (from, to) = ends(&client, &server);
                let mut back = client.try_clone().expect("cloned");
                std::thread::spawn(move || {
                    relay(from, to, |bytes| {
                        let text = String::from_utf8_lossy(bytes);
                        for line in text.lines().filter(|line| line.ends_with(" HTTP/1.1")) {
                            requests.lock().expect("whole").push(line.to_owned());
                            let mut loses = loses.lock().expect("whole");
                            if loses.is_some_and(|part| line.contains(part)) {
                                *loses = None;
                                is_lost.store(true, Ordering::SeqCst);
                            }
                            if let Some((_, own)) = answers.lock().expect("whole").iter().find(|(part, _)| line.contains(part)) {
                                let _ = write!(back, "HTTP/1.1 {own}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
                                return false;
                            }
                        }
                        true
                    });
                });
                std::thread::spawn(move || relay(server, client, |_| !lost.load(Ordering::SeqCst)));
            }
        });
        wire
    }

    fn url(&self, container: &str) -> String {
        format!("http://127.0.0.1:{}/devstoreaccount1/{container}", self.port)
    }

    /// Loses the answer of the next request that has `part` in its first line.
    fn lose_answer_of(&self, part: &'static str) {
        *self.loses.lock().expect("whole") = Some(part);
    }

    /// Answers each request that has `part` in its first line with the status and the headers `own`, and does not let it through.
    fn answer(&self, part: &'static str, own: &'static str) {
        self.answers.lock().expect("whole").push((part, own));
    }

    /// The ids of the blocks that were sent.
    fn block_ids(&self) -> Vec<String> {
        let requests = self.requests.lock().expect("whole");
        let id =
            |line: &String| line.split("blockid=").nth(1).map(|rest| rest.split(['&', ' ']).next().unwrap_or(rest).to_owned());
        requests.iter().filter_map(id).collect()
    }
}

/// Passes bytes on until `pass` says no or one side is gone.
fn relay(mut from: TcpStream, mut to: TcpStream, mut pass: impl FnMut(&[u8]) -> bool) {
    let mut buffer = [0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..n]) || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
