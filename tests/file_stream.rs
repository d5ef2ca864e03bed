//! FileStreamSink: what it writes is what the Java worker writes, byte for byte.

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::process::Process;
use crate::support::records::Random;
use crate::support::store::with;
use crate::support::worker::Worker;
use crate::support::{free_port, java_worker, secs, wait_until};

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

fn connector(topic: &str, file: &Path) -> Value {
    json!({
        "connector.class": "FileStreamSink",
        "topics": topic,
        "file": file,
        "key.converter": STRING,
        "value.converter": STRING,
    })
}

/// What the file holds once its last line is `last`.
fn text(file: &Path, last: &str) -> String {
    let end = format!("\n{last}\n");
    wait_until(&format!("{last} in {}", file.display()), secs(60), || {
        let text = String::from_utf8(fs::read(file).unwrap_or_default()).ok()?;
        (text == end[1..] || text.ends_with(&end)).then_some(text)
    })
}

fn record(value: Option<&str>) -> Record {
    value.map_or_else(Record::default, Record::value)
}

/// Sends `values` through both workers. They are to write the same text, whose last line is `last`; what it is.
fn same(topic: &str, converter: &Value, values: &[Option<String>], last: &str) -> String {
    let (broker, folder) = (Broker::shared(), TempDir::new().unwrap());
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, values.iter().map(|value| record(value.as_deref())));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    let start = |worker: &Worker, name: &str| {
        let file = folder.path().join(name);
        let mut config = connector(topic, &file);
        with(&mut config, converter);
        worker.create(name, &config);
        file
    };
    // One group each: both read all.
    let ours = start(&worker, topic);
    let java = start(java_worker::shared(), &format!("java-{topic}"));
    let (ours, javas) = (text(&ours, last), text(&java, last));
    java_worker::shared().delete(&format!("/connectors/java-{topic}"));
    for (n, (ours, javas)) in ours.lines().zip(javas.lines()).enumerate() {
        assert_eq!(ours, javas, "line {}", n + 1);
    }
    assert!(ours == javas, "{} and {} bytes", ours.len(), javas.len());
    ours
}

#[test]
fn strings_are_lines() {
    let values = ["plain", "", "{\"a\": 1}", "größe 😀", "two\nlines", &"long".repeat(50_000), "\t \r", "the end"];
    let mut values: Vec<_> = values.map(|value| Some(value.to_owned())).into();
    values.insert(3, None);
    let text = same("lines-string", &json!({"value.converter": STRING}), &values, "the end");
    assert!(text.starts_with("plain\n\n{\"a\": 1}\nnull\ngröße 😀\ntwo\nlines\nlong"));
}

/// A record with its schema.
fn envelope(schema: &Value, payload: &Value) -> Option<String> {
    Some(json!({"schema": schema, "payload": payload}).to_string())
}

fn of_type(kind: &str) -> Value {
    json!({"type": kind, "optional": true})
}

fn logical(kind: &str, name: &str) -> Value {
    json!({"type": kind, "optional": true, "name": format!("org.apache.kafka.connect.data.{name}"), "version": 1})
}

fn decimal(scale: i32) -> Value {
    let mut schema = logical("bytes", "Decimal");
    with(&mut schema, &json!({"parameters": {"scale": scale.to_string()}}));
    schema
}

fn structure(fields: &[(&str, Value)]) -> Value {
    let named = |(name, schema): &(&str, Value)| {
        let mut schema = schema.clone();
        with(&mut schema, &json!({"field": name}));
        schema
    };
    json!({"type": "struct", "optional": true, "name": "a.Struct", "fields": fields.iter().map(named).collect::<Vec<_>>()})
}

fn map(keys: &str, values: &str) -> Value {
    json!({"type": "map", "optional": true, "keys": {"type": keys}, "values": of_type(values)})
}

#[test]
fn values_with_a_schema_print_as_in_java() {
    let mut values = vec![None];
    let mut add = |schema: &Value, payloads: &[Value]| values.extend(payloads.iter().map(|payload| envelope(schema, payload)));
    for (kind, payloads) in [
        ("int8", vec![json!(-128), json!(127), Value::Null]),
        ("int16", vec![json!(-32768)]),
        ("int32", vec![json!(i32::MIN)]),
        ("int64", vec![json!(i64::MAX)]),
        ("float", vec![json!(0.1), json!(1.5), json!(100), json!(1e7), json!(1.25e-4), json!(3.402_823_5e38)]),
        ("double", vec![json!(0.001), json!(-1.5), json!(1e6), json!(1e7), json!(12_345_678.9), json!(9.99e-4), json!(1e300)]),
        ("boolean", vec![json!(true), json!(false)]),
        ("string", vec![json!("größe 😀"), json!(""), json!("a,b=c}")]),
    ] {
        add(&of_type(kind), &payloads);
    }
    add(&decimal(2), &[json!("MDk="), json!("/w=="), json!("AA=="), json!("////////////////"), Value::Null]);
    add(&decimal(9), &[json!("ew=="), json!("AA=="), json!("BAUGBwgJ")]);
    add(&decimal(-2), &[json!("DA=="), json!("AA=="), json!("9A==")]);
    add(&decimal(0), &[json!("MDk=")]);
    add(
        &logical("int32", "Date"),
        &[json!(0), json!(20_000), json!(-141_427), json!(-141_428), json!(-719_162), json!(-720_000)],
    );
    add(&logical("int32", "Time"), &[json!(0), json!(86_399_999)]);
    add(&logical("int64", "Timestamp"), &[json!(1_760_000_000_123i64), json!(-1), json!(951_782_400_000i64), json!(1e17 as i64)]);

    let item = structure(&[("n", of_type("int64")), ("text", of_type("string"))]);
    let array = |items: Value| json!({"type": "array", "optional": true, "items": items});
    let all = structure(&[
        ("id", json!({"type": "int32"})),
        ("small", of_type("int8")),
        ("text", of_type("string")),
        ("price", decimal(2)),
        ("day", logical("int32", "Date")),
        ("ratio", of_type("double")),
        ("kind", json!({"type": "string", "optional": true, "default": "usual"})),
        ("inner", item.clone()),
        ("numbers", array(of_type("int32"))),
        ("items", array(item)),
        ("counts", map("string", "int64")),
        (
            "nested",
            json!({"type": "map", "optional": true, "keys": {"type": "string"}, "values": array(map("string", "string"))}),
        ),
    ]);
    let full = json!({
        "id": 1, "small": 2, "text": "a", "price": "MDk=", "day": 1, "ratio": 0.5, "kind": "rare", "inner": {"n": 1, "text": "x"},
        "numbers": [1, null, 3], "items": [{"n": 1, "text": null}, null, {"n": null, "text": "y"}], "counts": {"b": 1, "a": null},
        "nested": {"k": [{"z": "1", "y": "2"}, {}]},
    });
    let none = ["small", "text", "price", "day", "ratio", "kind", "inner", "numbers", "items", "counts", "nested"];
    let mut bare: Value = none.map(|name| (name, Value::Null)).into_iter().collect();
    with(&mut bare, &json!({"id": 2}));
    let mut empty = bare.clone();
    with(&mut empty, &json!({"inner": {"n": null, "text": null}, "numbers": [], "items": [], "counts": {}, "nested": {}}));
    add(&all, &[full, bare, empty, Value::Null]);

    let mut random = Random::new(7);
    for size in 0..40 {
        let names: serde_json::Map<_, _> = (0..size).map(|n| (name(&mut random), json!(n))).collect();
        add(&map("string", "int32"), &[names.into()]);
        let mut pairs = |key: fn(u64) -> Value| (0..size).map(|n| json!([key(random.next()), n])).collect::<Value>();
        let numbers =
            [pairs(|n| json!(n as i32)), pairs(|n| json!(n as i64)), pairs(|n| json!(n as i8)), pairs(|n| json!(n % 2 == 0))];
        for (kind, pairs) in ["int32", "int64", "int8", "boolean"].iter().zip(numbers) {
            add(&map(kind, "int32"), &[pairs]);
        }
        // Not the likes of 0.25: their hashes crowd, and Java makes trees of them.
        let fractions: Value = (0..size).map(|n| json!([f64::from(n) + 0.1, n])).collect();
        for kind in ["double", "float"] {
            add(&map(kind, "int32"), std::slice::from_ref(&fractions));
        }
    }
    add(&of_type("string"), &[json!("the end")]);
    same("lines-schema", &json!({"value.converter": JSON, "value.converter.schemas.enable": "true"}), &values, "the end");
}

/// A name of 1 to 12 characters, some of them of several bytes.
fn name(random: &mut Random) -> String {
    const FROM: [char; 16] = ['a', 'b', 'c', 'd', 'e', 'A', 'B', 'Z', '_', '0', '9', '-', 'é', 'ß', '漢', '😀'];
    (0..1 + random.below(12)).map(|_| FROM[random.below(16) as usize]).collect()
}

#[test]
fn objects_without_a_schema_print_as_in_java() {
    let mut random = Random::new(5);
    let mut names: Vec<String> = Vec::new();
    while names.len() < 60 {
        let name = name(&mut random);
        if !names.contains(&name) {
            names.push(name);
        }
    }
    // The first record has all, so that the columns have the names in this order.
    let mut values = Vec::new();
    for n in 0..200 {
        let size = if n == 0 { 60 } else { 1 + n % 40 };
        let mut left = 60;
        let mut wanted = size;
        let mut object = serde_json::Map::new();
        for (at, name) in names.iter().enumerate() {
            if random.below(left) < wanted {
                wanted -= 1;
                let number = random.below(1000);
                // A type a name, as columns have it; a name means the same in each record.
                let value = match at % 6 {
                    0 => json!(number as i64 - 500),
                    1 => json!(name),
                    2 => json!(number as f64 + 0.25),
                    3 => json!(number < 500),
                    4 => json!([number, number + 1]),
                    _ => json!({"zebra": number, "apple": {name: [{"größe": name}]}}),
                };
                object.insert(name.clone(), value);
            }
            left -= 1;
        }
        values.push(Some(Value::from(object).to_string()));
        if n % 50 == 7 {
            values.push(None);
        }
    }
    values.push(Some(json!({"the": "end"}).to_string()));
    let converter = json!({"value.converter": JSON, "value.converter.schemas.enable": "false"});
    same("lines-objects", &converter, &values, "{the=end}");
}

#[test]
fn values_that_have_nothing_in_common_print_as_in_java() {
    let values = [
        r#""text""#,
        "5",
        "-0",
        "5.0",
        "1e7",
        "-9223372036854775808",
        "true",
        "null",
        r#"["a", 1, 1.5, null, [], {}]"#,
        r#"{"b": 1, "a": null, "b": "again", "é\u0041\n": {"x": [], "y": {}}}"#,
        r#"{"AaAa":1,"BBBB":2,"AaBB":3,"BBAa":4}"#,
        r#""\ud83d\ude00 \"quoted\"""#,
        r#""""#,
    ];
    let mut values: Vec<_> = values.map(|value| Some(value.to_owned())).into();
    let mut random = Random::new(3);
    for size in 0..70 {
        let object: serde_json::Map<_, _> = (0..size).map(|n| (name(&mut random), json!([n]))).collect();
        values.push(Some(Value::from(object).to_string()));
    }
    values.extend([None, Some(r#""the end""#.to_owned())]);
    let converter = json!({"value.converter": JSON, "value.converter.schemas.enable": "false"});
    same("lines-mixed", &converter, &values, "the end");
}

#[test]
fn the_key_is_declared_and_checked_as_in_java() {
    let (java, worker) = (java_worker::shared(), Worker::start(&Broker::shared().bootstrap(), &[]));
    let file = |infos: &Value| {
        let found = infos.as_array().into_iter().flatten().find(|info| {
            let definition = info.get("definition").unwrap_or(info);
            definition["name"] == "file"
        });
        let mut found = found.expect("the key").clone();
        let definition = if found.get("definition").is_some() { &mut found["definition"] } else { &mut found };
        assert!(definition["documentation"].take().as_str().is_some_and(|doc| !doc.is_empty()));
        found
    };
    for class in ["FileStreamSink", "FileStreamSinkConnector", "org.apache.kafka.connect.file.FileStreamSinkConnector"] {
        let path = format!("/connector-plugins/{class}/config");
        let (ours, javas) = (worker.get(&path), java.get(&path));
        assert_eq!((ours.0, javas.0), (200, 200), "{class}");
        assert_eq!(file(&ours.1), file(&javas.1));
        assert_eq!(ours.1[0]["name"], "file", "first, as in Java");
    }
    for config in [
        json!({"name": "n", "topics": "t", "file": "/tmp/x"}),
        json!({"name": "n", "topics": "t"}),
        json!({"name": "n", "topics": "t", "file": ""}),
        json!({"name": "n", "file": "no topics"}),
        json!({"topics": "t", "file": "x", "tasks.max": "no number"}),
    ] {
        let mut config = config;
        with(&mut config, &json!({"connector.class": "FileStreamSink"}));
        let path = "/connector-plugins/FileStreamSink/config/validate";
        let (ours, javas) = (worker.put(path, &config), java.put(path, &config));
        assert_eq!(ours.0, javas.0, "{config}: {} {}", ours.1, javas.1);
        assert_eq!(file(&ours.1["configs"]), file(&javas.1["configs"]), "{config}");
    }
    let listed = |worker: &Worker| {
        let all = worker.get("/connector-plugins").1;
        let ours = all
            .as_array()
            .into_iter()
            .flatten()
            .find(|p| p["class"].as_str().is_some_and(|c| c.ends_with("FileStreamSinkConnector")));
        ours.cloned()
    };
    assert_eq!(listed(&worker), listed(java));
}

#[test]
fn a_file_that_cannot_be_made_fails_the_task_as_in_java() {
    let worker = Worker::start(&Broker::shared().bootstrap(), &[("landfall.allowed.paths", "*")]);
    let config = connector("lines-string", Path::new("/no/such/folder/lines"));
    let first = |worker: &Worker, name: &str| {
        let (status, body) = worker.post("/connectors", &json!({"name": name, "config": config}));
        assert_eq!(status, 201, "{body}");
        worker.await_failure(name).lines().next().map(str::to_owned)
    };
    let java = java_worker::shared();
    assert_eq!(first(&worker, "no-folder"), first(java, "java-no-folder"));
    java.delete("/connectors/java-no-folder");
}

#[test]
fn a_restart_goes_on_where_it_was() {
    let (broker, folder, topic) = (Broker::shared(), TempDir::new().unwrap(), "lines-restart");
    broker.create_topic(topic, 1);
    let lines = |range: std::ops::Range<i32>| range.map(|n| format!("{n}\n")).collect::<String>();
    let produce = |range: std::ops::Range<i32>| broker.produce(topic, 0, range.map(|n| Record::value(n.to_string())));
    let state = folder.path().join("state.json");
    let mut worker = Worker::start(&broker.bootstrap(), &[("landfall.state.file", &state.display().to_string())]);
    let file = folder.path().join("lines");
    produce(0..1000);
    worker.create(topic, &connector(topic, &file));
    worker.await_landed(broker, topic, topic);
    produce(1000..1500);
    text(&file, "1499");
    // Committed or not yet: a worker that is asked to stop commits what it has written.
    assert!(worker.terminate().success());
    assert_eq!(broker.committed(&format!("connect-{topic}"), topic), broker.end_offsets(topic));
    produce(1500..2000);
    worker.start_again();
    assert_eq!(text(&file, "1999"), lines(0..2000));
}

#[test]
fn without_a_file_lines_go_to_the_standard_output() {
    let (broker, topic) = (Broker::shared(), "lines-standard-output");
    broker.create_topic(topic, 2);
    let apart = |properties: &Path| {
        let mut shell = Command::new("sh");
        shell.args(["-c", "exec \"$0\" standalone \"$1\" > lines", env!("CARGO_BIN_EXE_landfall")]).arg(properties);
        shell
    };
    let mut worker = Worker::of(apart, &broker.bootstrap(), &[]);
    worker.start_again();
    worker.create(
        topic,
        &json!({"connector.class": "FileStreamSink", "topics": topic, "tasks.max": "2", "value.converter": STRING}),
    );
    let value = |n: i32| format!("{n} {}", "x".repeat(200));
    broker.produce_all(topic, (0..2000).map(|n| (n % 2, Record::value(value(n)))));
    let mut wanted: Vec<String> = (0..2000).map(value).collect();
    wanted.sort();
    let lines = worker.log().with_file_name("lines");
    // Nothing but them, each whole.
    wait_until("all lines", secs(60), || {
        let text = fs::read_to_string(&lines).ok()?;
        let mut lines: Vec<&str> = text.lines().collect();
        lines.sort_unstable();
        (lines == wanted).then_some(())
    });
    assert!(worker.log_text().contains("task"), "the log goes elsewhere");
}

#[test]
fn kafkas_quickstart_works() {
    let (broker, folder, topic) = (Broker::shared(), TempDir::new().unwrap(), "connect-test");
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let worker = fs::read_to_string(examples.join("connect-standalone.properties")).unwrap();
    let worker = worker.replace("localhost:9092", &broker.bootstrap());
    fs::write(folder.path().join("worker.properties"), format!("{worker}\nlisteners=http://127.0.0.1:{}\n", free_port()))
        .unwrap();
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, ["foo", "bar"].map(|payload| record(envelope(&of_type("string"), &json!(payload)).as_deref())));
    let mut landfall = Command::new(env!("CARGO_BIN_EXE_landfall"));
    landfall
        .args(["standalone", "worker.properties"])
        .arg(examples.join("connect-file-sink.properties"))
        .current_dir(folder.path());
    let process = Process::spawn(&mut landfall, &folder.path().join("log"), folder.path()).unwrap();
    assert_eq!(text(&folder.path().join("test.sink.txt"), "bar"), "foo\nbar\n");
    assert!(process.terminate(secs(60)).success());
}
