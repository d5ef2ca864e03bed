//! What evil connector configurations, records and requests reach: nothing. Each that is tried is in `docs/security.md`.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Mutex;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{read, secs, wait_until};

const PAGE: &str = "docs/security.md";
const BEGIN: &str = "<!-- Generated: UPDATE=1 cargo test --test it reach:: -->\n";
const END: &str = "<!-- End of what is generated -->\n";

/// A worker as it is without `landfall.allowed.paths` and `landfall.allowed.hosts`.
fn guarded(bootstrap: &str) -> Worker {
    Worker::start(bootstrap, &[("landfall.allowed.paths", "worker"), ("landfall.allowed.hosts", "azure,worker")])
}

/// The table of a heading on the page is `rows`, or becomes it.
fn tabulated(heading: &str, columns: [&str; 2], rows: &[(String, String)]) {
    static PAGES: Mutex<()> = Mutex::new(());
    let _page = PAGES.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let cell = |text: &str| text.replace('|', "\\|").replace('\n', "<br>");
    let mut table = format!("{BEGIN}\n| {} | {} |\n|---|---|\n", columns[0], columns[1]);
    for (tried, came) in rows {
        let _ = writeln!(table, "| {} | {} |", cell(tried), cell(came));
    }
    table += "\n";
    table += END;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = fs::read_to_string(&path).expect("the page");
    let (before, rest) = page.split_once(&format!("\n### {heading}\n")).unwrap_or_else(|| panic!("{PAGE} has no {heading}"));
    let (text, rest) = rest.split_once(BEGIN).expect("the begin of a table");
    let (found, after) = rest.split_once(END).expect("the end of a table");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, format!("{before}\n### {heading}\n{text}{table}{after}")).expect("the page");
    } else {
        assert!(format!("{BEGIN}{found}{END}") == table, "{PAGE} is stale: UPDATE=1 cargo test --test it reach::\n{table}");
    }
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

#[test]
fn a_connector_reaches_only_what_is_allowed() {
    let worker = guarded("127.0.0.1:1");
    let folder = worker.log().parent().expect("a folder").to_owned();
    fs::create_dir(folder.join("own")).expect("made");
    symlink("/etc", folder.join("own/link")).expect("a link");
    symlink("/etc/made-by-a-connector", folder.join("own/broken")).expect("a link");
    let here = folder.display().to_string();
    let file = json!({"connector.class": "FileStreamSink"});
    let lake = json!({"connector.class": "AzureDataLakeSink", "store.url": "file:///HERE/own", "topics.dir": "t"});
    let account =
        json!({"connector.class": "AzureDataLakeSink", "landfall.azure.container": "lake", "landfall.azure.account.key": "eA=="});
    let gen2 = json!({
        "connector.class": "AzureDataLakeGen2Sink", "flush.size": "1", "azure.datalake.gen2.access.key": "eA==",
        "format.class": "io.confluent.connect.azure.storage.format.parquet.ParquetFormat",
    });
    let aiven = json!({"connector.class": "AzureBlobSinkConnector", "azure.storage.container.name": "lake"});
    let avro = json!({"connector.class": "FileStreamSink", "file": "own/x", "value.converter": "AvroConverter"});
    let registry = json!({"value.converter.schema.registry.url": "https://registry.servicebus.windows.net"});
    let mut rows = Vec::new();
    for (config, key, value) in [
        (&file, "file", "/etc/cron.d/evil"),
        (&file, "file", "../../etc/passwd"),
        (&file, "file", "own/../../x"),
        (&file, "file", "own/link/passwd"),
        (&file, "file", "own/broken"),
        (&file, "file", "worker.properties"),
        (&file, "file", "connect.offsets"),
        (&file, "file", "/proc/self/environ"),
        (&file, "file", "/dev/sda"),
        (&lake, "store.url", "file:///etc"),
        (&lake, "store.url", "FILE:///HERE/%2e%2e/x"),
        (&lake, "store.url", "file:///HERE/own/link/lake"),
        (&lake, "store.url", "https://evil.example/lake"),
        (&lake, "store.url", "https://acct.blob.core.windows.net.evil.example/lake"),
        (&lake, "store.url", "https://acct.blob.core.windows.net@evil.example/lake"),
        (&lake, "store.url", "https://evil.example\\@acct.blob.core.windows.net/lake"),
        (&lake, "store.url", "https://evil.example#@acct.blob.core.windows.net/lake"),
        (&lake, "store.url", "http://127.0.0.1:10000/devstoreaccount1/lake"),
        (&lake, "store.url", "http://169.254.169.254/metadata/lake"),
        (&lake, "store.url", "http://2852039166/metadata/lake"),
        (&lake, "store.url", "http://0xA9.0xFE.0xA9.0xFE/metadata/lake"),
        (&lake, "store.url", "http://[::ffff:169.254.169.254]/metadata/lake"),
        (&lake, "store.url", "http://168.63.129.16/machine/lake"),
        (&lake, "store.url", "http://metadata.google.internal/lake"),
        (&account, "landfall.azure.account.name", "evil.example/"),
        (&account, "landfall.azure.account.name", "evil.example#"),
        (&gen2, "azure.datalake.gen2.account.name", "evil.example?"),
        (&aiven, "azure.storage.connection.string", "AccountName=a;AccountKey=eA==;EndpointSuffix=evil.example"),
        (&aiven, "azure.storage.connection.string", "AccountName=a;AccountKey=eA==;BlobEndpoint=https://evil.example"),
        (&aiven, "azure.storage.connection.string", "UseDevelopmentStorage=true"),
        (&account, "landfall.azure.authority", "https://login.evil.example"),
        (&account, "landfall.azure.proxy", "http://proxy.evil.example:3128"),
        (&account, "landfall.azure.ca.file", "/etc/shadow"),
        (&account, "landfall.azure.client.certificate", "/root/.ssh/id_rsa"),
        (&account, "landfall.azure.federated.token.file", "/var/run/secrets/kubernetes.io/serviceaccount/token"),
        (&gen2, "azure.datalake.gen2.token.endpoint", "https://login.evil.example/t/oauth2/token"),
        (&avro, "value.converter.schema.registry.url", "http://registry.evil.example:8081"),
        (&avro, "value.converter.schema.registry.url", "https://ok.servicebus.windows.net,http://10.0.0.1"),
        (&avro, "value.converter.schema.registry.proxy.host", "proxy.evil.example"),
        (&avro, "value.converter.schema.registry.ssl.truststore.location", "/etc/shadow"),
        (&file, "consumer.override.bootstrap.servers", "evil.example:9092"),
        (&file, "consumer.override.ssl.keystore.location", "/etc/shadow"),
        (&file, "consumer.override.sasl.oauthbearer.token.endpoint.url", "https://evil.example/token"),
        (&file, "consumer.override.sasl.oauthbearer.token.endpoint.url", "file:///proc/self/environ"),
        (&file, "consumer.override.sasl.jaas.config", "Krb5LoginModule required keyTab=\"/etc/krb5.keytab\";"),
        (&file, "file", "${planted:/proc/self/environ:PATH}/../../../etc/x"),
        (&lake, "topics.dir", "../up"),
        (&lake, "topics.dir", "/etc"),
        (&lake, "topics.dir", "_landfall/v1"),
        (&lake, "directory.delim", "/../"),
        (&lake, "landfall.path.template", "../{topic}/"),
        (&lake, "landfall.path.template", "/etc/{topic}/"),
    ] {
        let mut whole = config.clone();
        with(&mut whole, &json!({"name": "evil", "topics": "t"}));
        if config == &avro {
            with(&mut whole, &registry);
        }
        whole[key] = json!(value);
        let text = whole.to_string().replace("/HERE", &here);
        let whole: Value = serde_json::from_str(&text).expect("JSON");
        let class = whole["connector.class"].as_str().expect("a class").to_owned();
        let (status, answer) = worker.put(&format!("/connector-plugins/{class}/config/validate"), &whole);
        assert_eq!(status, 200, "{key}={value}: {answer}");
        let infos = answer["configs"].as_array().expect("configs");
        let info = infos.iter().find(|info| info["value"]["name"] == key).unwrap_or_else(|| panic!("{key}={value}: {answer:#}"));
        let errors: Vec<_> = info["value"]["errors"].as_array().expect("errors").iter().filter_map(Value::as_str).collect();
        assert!(!errors.is_empty(), "{key}={value} is taken: {info:#}");
        let of_reach = errors.iter().find(|error| error.contains("connectors of this worker may not"));
        let said = of_reach.unwrap_or(&errors[0]).replace(&here, "<folder>");
        let said = said.replace(&format!("/proc/{}", worker.process().pid()), "/proc/<pid>").replace('<', "&lt;");
        let tried = if key.contains("connection.string") { value.replace("eA==", "…") } else { value.to_owned() };
        rows.push((code(&format!("{key}={}", tried.replace("/HERE", "<folder>"))), said));
    }
    tabulated("Connector configurations", ["Configuration", "What validate says"], &rows);

    // What is harmless is taken.
    for (config, key, value) in [
        (&file, "file", "own/x"),
        (&lake, "topics.dir", "a/b"),
        (&account, "store.url", "https://acct.blob.core.windows.net/lake"),
        (&account, "landfall.azure.account.name", "acct"),
    ] {
        let mut whole = config.clone();
        with(&mut whole, &json!({"name": "good", "topics": "t"}));
        whole[key] = json!(value);
        let whole: Value = serde_json::from_str(&whole.to_string().replace("/HERE", &here)).expect("JSON");
        let class = whole["connector.class"].as_str().expect("a class").to_owned();
        let answer = worker.put(&format!("/connector-plugins/{class}/config/validate"), &whole).1;
        assert_eq!(answer["error_count"], 0, "{key}={value}: {answer:#}");
    }
}

/// A configuration may come by a way that nobody validates, and files may change: what starts looks again.
#[test]
fn what_starts_looks_again_at_what_it_reaches() {
    let (broker, topic) = (Broker::shared(), "reach-again");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [Record::value("one")]);
    let worker = guarded(&broker.bootstrap());
    let folder = worker.log().parent().expect("a folder").to_owned();
    let outside = TempDir::new().expect("a folder");
    fs::create_dir(folder.join("own")).expect("made");
    let string = "org.apache.kafka.connect.storage.StringConverter";
    worker.create(
        topic,
        &json!({"connector.class": "FileStreamSink", "topics": topic, "file": "own/lines", "value.converter": string}),
    );
    wait_until("a line", secs(60), || {
        fs::read_to_string(folder.join("own/lines")).is_ok_and(|text| text == "one\n").then_some(())
    });
    fs::rename(folder.join("own"), folder.join("was")).expect("renamed");
    symlink(outside.path(), folder.join("own")).expect("a link");
    assert_eq!(worker.post(&format!("/connectors/{topic}/tasks/0/restart"), &Value::Null).0, 204);
    let trace = worker.await_failure(topic);
    assert!(trace.contains("connectors of this worker may not write to it, which is "), "{trace}");
    assert_eq!(fs::read_dir(outside.path()).expect("listed").count(), 0, "something was written");
    let (status, answer) = worker.post(&format!("/connectors/{topic}/restart?includeTasks=true"), &Value::Null);
    assert!(status < 300, "{answer}");
    let state = || worker.get(&format!("/connectors/{topic}/status")).1["connector"]["state"] == "FAILED";
    wait_until("the connector to fail", secs(20), || state().then_some(()));
}

/// Where an HTTP server that is allowed sends the client on to is not gone to.
#[test]
fn a_registry_does_not_send_anywhere_else() {
    let (broker, topic) = (Broker::shared(), "reach-redirect");
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [Record::value(vec![0, 0, 0, 0, 1, 2])]);
    let (near, far) = (TcpListener::bind("127.0.0.1:0").expect("a port"), TcpListener::bind("127.0.0.1:0").expect("a port"));
    let (at, elsewhere) = (near.local_addr().expect("one"), far.local_addr().expect("one"));
    far.set_nonblocking(true).expect("set");
    let worker = Worker::start(&broker.bootstrap(), &[("landfall.allowed.hosts", &at.to_string())]);
    let answering = std::thread::spawn(move || {
        let answer = |mut stream: TcpStream| {
            let _ = stream.read(&mut [0; 4096]);
            let head =
                format!("HTTP/1.1 302 Found\r\nLocation: http://{elsewhere}/x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes());
        };
        near.incoming().take(1).filter_map(Result::ok).for_each(answer);
    });
    let config = json!({
        "connector.class": "FileStreamSink", "topics": topic, "file": "lines", "value.converter": "AvroConverter",
        "value.converter.schema.registry.url": format!("http://{at}"), "value.converter.max.retries": "0",
    });
    assert_eq!(worker.post("/connectors", &json!({"name": topic, "config": config})).0, 201);
    let trace = worker.await_failure(topic);
    answering.join().expect("asked");
    assert!(far.accept().is_err(), "it went there: {trace}");
}

/// Values of records as folders and as names of files, in a directory and in Azure.
#[test]
fn records_stay_in_the_folder_of_their_topic() {
    let broker = Broker::shared();
    let values = [
        "..",
        ".",
        "",
        "../../etc/passwd",
        "/etc/passwd",
        "a/../../b",
        "..\\..\\x",
        "C:\\x",
        "%2e%2e%2fx",
        "%2F",
        "a\u{0}b",
        "a\nb",
        "\u{2025}",
        "\u{ff0e}\u{ff0e}/x",
        "\u{2215}etc",
        "_landfall",
        ".hidden",
        "x=1/y=2",
        "a?sig=1#b",
        "CON",
        "nul.",
        " ",
        "🦀/..",
    ];
    for store in [Store::directory(), Store::azurite()] {
        let topic = if matches!(store, Store::Directory(_)) { "reach-files" } else { "reach-blobs" };
        broker.create_topic(topic, 1);
        broker.produce(topic, 0, values.iter().map(|value| Record::value(json!({"v": value, "n": 1}).to_string())));
        let worker = Worker::start(&broker.bootstrap(), &[]);
        let mut config = store.connector(topic, 1);
        with(
            &mut config,
            &json!({
                "partitioner.class": "io.confluent.connect.storage.partitioner.FieldPartitioner", "partition.field.name": "v",
                "landfall.partition.schemaless": "true", "errors.tolerance": "all",
                "transforms": "f", "transforms.f.type": "org.apache.kafka.connect.transforms.Filter",
                "transforms.f.predicate": "none", "predicates": "none",
                "predicates.none.type": "org.apache.kafka.connect.transforms.predicates.RecordIsTombstone",
            }),
        );
        worker.create(topic, &config);
        worker.await_landed(broker, topic, topic);
        let root = store.landed().to_owned();
        let all: Vec<_> =
            read::files(&root).into_iter().filter(|path| path.extension().is_some_and(|end| end == "parquet")).collect();
        let of_topic = store.files(topic);
        assert_eq!(all.len(), of_topic.len(), "a file is outside of the topic's folder: {all:?}");
        assert_eq!(of_topic.len(), values.len(), "{of_topic:?}");
        let mut by_offset = BTreeMap::new();
        for path in &of_topic {
            let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy().into_owned()).collect();
            let [.., folder, name] = &parts[..] else { panic!("{path:?}") };
            let offset: usize = name.split('+').nth(2).and_then(|rest| rest.split('.').next()?.parse().ok()).expect(name);
            by_offset.insert(offset, folder.clone());
        }
        let rows: Vec<_> = values
            .iter()
            .enumerate()
            .map(|(n, value)| (code(&json!(value).to_string()), code(&format!("{}/", by_offset[&n]))))
            .collect();
        tabulated("Records", ["Value of the field `v`", "Folder below the topic's, in a directory and in Azure"], &rows);
    }
}

/// Requests that no client of the API makes.
#[test]
fn requests_reach_no_files() {
    let worker = guarded("127.0.0.1:1");
    let address = worker.url("").trim_start_matches("http://").to_owned();
    let mut rows = Vec::new();
    for request in [
        "GET /../../etc/passwd HTTP/1.1",
        "GET /connectors/..%2f..%2fetc%2fpasswd/config HTTP/1.1",
        "GET /connectors/%00/status HTTP/1.1",
        "GET //etc/passwd HTTP/1.1",
        "GET file:///etc/passwd HTTP/1.1",
        "GET /connector-plugins/..%2f..%2fetc/config HTTP/1.1",
        "TRACE / HTTP/1.1",
        "GET / HTTP/9.9",
        "\u{16}\u{3}\u{1} not HTTP",
    ] {
        let mut stream = TcpStream::connect(&address).expect("a connection");
        stream.set_read_timeout(Some(secs(20))).expect("set");
        // In one piece: what is no request is hung up on as soon as its first line is read.
        stream.write_all(format!("{request}\r\nHost: {address}\r\nConnection: close\r\n\r\n").as_bytes()).expect("sent");
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("root:"), "{request}: {answer}");
        let status = answer.lines().next().unwrap_or_default().trim_start_matches("HTTP/1.1 ").trim_start_matches("HTTP/1.0 ");
        assert!(status.is_empty() || status.starts_with('4') || status.starts_with('5'), "{request}: {answer}");
        let shown = request.escape_debug().to_string().trim_end_matches(" HTTP/1.1").to_owned();
        rows.push((code(&shown), if status.is_empty() { "the connection is closed".to_owned() } else { status.to_owned() }));
    }
    assert_eq!(worker.get("/").0, 200);
    tabulated("Requests", ["Request", "Answer"], &rows);
}
