//! Stores keep what they promise, over a directory and over Azurite, and say clearly what is wrong when they cannot.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arrow_array::{BinaryArray, Int64Array, StructArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use landfall_adls::connection_string::ConnectionString;
use landfall_adls::credential::Credential;
use landfall_adls::shared_key::SharedKey;
use landfall_adls::storage::AzureStorage;
use landfall_adls::{AzureBlobStorageSink, AzureDataLakeGen2Sink, AzureDataLakeSink};
use landfall_api::{Batch, Column, Properties, RawBatch, SinkConnector, TaskContext, TopicPartition};
use landfall_lake::storage::local::LocalStorage;
use landfall_lake::storage::{Metadata, Published, Storage, StorageError, conformance};

use crate::support::azurite::Azurite;

/// A shared access signature for reading, writing and listing what is in the emulator's account, until 2099. It is Python's:
/// `base64(hmac_sha256(key, "devstoreaccount1\nrwcl\nb\nco\n\n2099-01-01T00:00:00Z\n\n\n2021-06-08\n\n"))`
const SAS: &str =
    "sv=2021-06-08&ss=b&srt=co&sp=rwcl&se=2099-01-01T00%3A00%3A00Z&sig=t5wthJwI9TsehvKQKqntLz4%2BZjP1V2bfdmG%2F8guIxN0%3D";

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
        StorageError::Retriable(message) => panic!("retriable: {message}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_is_a_store() {
    let root = tempfile::tempdir().expect("a directory");
    conformance::suite(&LocalStorage::new(root.path().join("made when needed"))).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn azure_is_a_store_with_every_credential() {
    let azurite = Azurite::start();
    let from_string = ConnectionString::parse(&azurite.connection_string()).expect("good");
    assert_eq!(from_string.endpoint.as_str(), azurite.blob_endpoint());
    for (container, credential) in [("key", key(&azurite)), ("string", from_string.credential), ("sas", sas())] {
        ureq::put(format!("{}/{container}?restype=container&{SAS}", azurite.blob_endpoint())).send_empty().expect("created");
        let storage = open(&azurite, container, credential);
        conformance::suite(&storage).await;
        assert_eq!(storage.url(), format!("{}/{container}", azurite.blob_endpoint()));
    }
}

#[tokio::test]
async fn azure_keeps_metadata() {
    let azurite = Azurite::start();
    let storage = open(&azurite, azurite.container(), key(&azurite));
    let metadata = Metadata::from([("landfall_last".into(), "41".into()), ("landfall_first".into(), "0".into())]);
    let mut staged = storage.stage("a").await.expect("staged");
    assert_eq!(staged.publish(&metadata).await.expect("published"), Published::Created);
    assert_eq!(storage.head("a").await.expect("asked").expect("visible").metadata, metadata);
    assert_eq!(storage.list("").await.expect("listed")[0].metadata, metadata);
}

#[tokio::test]
async fn a_wrong_key_is_said_without_showing_it() {
    let azurite = Azurite::start();
    let wrong = "cHNzc3QtcHNzc3QtcHNzc3Q=";
    let storage =
        open(&azurite, azurite.container(), Credential::Key(SharedKey::new(azurite.account_name(), wrong).expect("base64")));
    let message = fatal(storage.check().await.expect_err("refused"));
    assert!(message.starts_with(&format!("Put Block {}/lake/_landfall/check: HTTP 403 ", azurite.blob_endpoint())), "{message}");
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
    let mut staged = storage.stage("a").await.expect("needs no asking");
    for error in [
        storage.check().await.expect_err("refused"),
        storage.head("a").await.expect_err("refused"),
        storage.list("").await.expect_err("refused"),
        staged.block("x".into()).await.expect_err("refused"),
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
                assert_eq!(message, format!("Put Block {url}/_landfall/check: Connection refused (os error 111)"));
            }
            StorageError::Fatal(message) => panic!("fatal: {message}"),
        }
    }
}

#[tokio::test]
async fn a_block_whose_answer_was_lost_is_there_once() {
    let azurite = Azurite::start();
    let storage = open(&azurite, azurite.container(), key(&azurite));
    let mut staged = storage.stage("a").await.expect("staged");
    staged.block("one".into()).await.expect("staged");
    let mut answered = 0;
    for wait in [0, 1, 2, 5, 10, 30, 100] {
        // A call that is given up may have reached the service or not.
        if let Ok(ended) = tokio::time::timeout(Duration::from_millis(wait), staged.block("two".into())).await {
            ended.expect("staged");
            answered += 1;
        }
    }
    staged.block("end".into()).await.expect("staged");
    assert_eq!(staged.publish(&Metadata::new()).await.expect("published"), Published::Created);
    let content = storage.read("a", 0..1000).await.expect("read");
    assert_eq!(content, format!("one{}end", "two".repeat(answered)));
}

#[tokio::test]
async fn a_publish_whose_answer_was_lost_is_recognised() {
    let azurite = Azurite::start();
    let lossy = Lossy::before(&azurite);
    let through = AzureStorage::new(lossy.url(azurite.container()).parse().expect("a URL"), key(&azurite)).expect("a client");
    for (path, blocks) in [("a", &["a", "b"][..]), ("empty", &[])] {
        let mut staged = through.stage(path).await.expect("staged");
        for block in blocks {
            staged.block((*block).into()).await.expect("staged");
        }
        lossy.armed.store(true, Ordering::SeqCst);
        let lost = staged.publish(&Metadata::new()).await.expect_err("no answer comes");
        assert!(matches!(&lost, StorageError::Retriable(m) if m.starts_with("Put Block List ")), "{lost}");
        let mut other = through.stage(path).await.expect("staged");
        other.block("other".into()).await.expect("staged");
        assert_eq!(other.publish(&Metadata::new()).await.expect("answered"), Published::Exists);
        assert_eq!(staged.publish(&Metadata::new()).await.expect("answered"), Published::Created);
        assert_eq!(through.read(path, 0..100).await.expect("read"), blocks.concat());
    }
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
            let context = TaskContext {
                connector: prefix.into(),
                task: 0,
                runtime: runtime.handle().clone(),
                memory: 64 << 20,
                metrics: Arc::default(),
            };
            let mut task = class.task(&properties, context).expect("a task");
            let partition = TopicPartition::new("t", 3);
            assert_eq!(task.open(&partition, None, 0).expect("opened").resume, resume, "{prefix}");
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

/// A wire to Azurite that, once armed, lets a Put Block List through and loses the answer.
struct Lossy {
    port: u16,
    armed: Arc<AtomicBool>,
}

impl Lossy {
    fn before(azurite: &Azurite) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let wire = Self { port: listener.local_addr().expect("bound").port(), armed: Arc::default() };
        let armed = Arc::clone(&wire.armed);
        let address = azurite.blob_endpoint().split('/').nth(2).expect("host and port").to_owned();
        std::thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(&address).expect("azurite is there");
                let lost = Arc::new(AtomicBool::new(false));
                let (armed, loses) = (Arc::clone(&armed), Arc::clone(&lost));
                let ends = |a: &TcpStream, b: &TcpStream| (a.try_clone().expect("cloned"), b.try_clone().expect("cloned"));
                let (from, to) = ends(&client, &server);
                std::thread::spawn(move || {
                    relay(from, to, |bytes| {
                        let list = bytes.windows(14).any(|part| part == b"comp=blocklist");
                        if list && armed.swap(false, Ordering::SeqCst) {
                            loses.store(true, Ordering::SeqCst);
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
}

/// Passes bytes on until `pass` says no or one side is gone.
fn relay(mut from: TcpStream, mut to: TcpStream, pass: impl Fn(&[u8]) -> bool) {
    let mut buffer = [0; 1 << 16];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        if !pass(&buffer[..n]) || to.write_all(&buffer[..n]).is_err() {
            break;
        }
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both));
}
