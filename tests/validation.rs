//! What validation answers, beside what Java's worker answers to the same request.
//!
//! The answers are the same JSON except for what [`alike`] takes out, each for a reason.

use std::sync::LazyLock;

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::java_worker;
use crate::support::worker::Worker;

const CLASS: &str = "org.apache.kafka.connect.file.FileStreamSinkConnector";
const VALIDATE: &str = "/connector-plugins/FileStreamSink/config/validate";
/// What is not here yet and is refused, where Java takes it.
const NOT_YET: &str = "not supported yet";

const BASE_GROUPS: [&str; 4] = ["Common", "Transforms", "Predicates", "Error Handling"];
/// Stands for a value that is null.
const NULL: &str = "<null>";

static OURS: LazyLock<Worker> = LazyLock::new(|| Worker::start(&Broker::shared().bootstrap(), &[]));

/// A configuration that both take, with `changes`; null takes a key away.
fn config(changes: &Value) -> Value {
    let mut config =
        json!({"name": "v", "connector.class": CLASS, "tasks.max": "2", "topics": "t1", "file": "/tmp/validated.txt"});
    for (key, value) in changes.as_object().expect("an object") {
        match value {
            Value::Null => drop(config.as_object_mut().expect("an object").remove(key)),
            value if value == NULL => config[key] = Value::Null,
            value => config[key] = value.clone(),
        }
    }
    config
}

fn entries(infos: &mut Value) -> &mut Vec<Value> {
    infos["configs"].as_array_mut().expect("configs")
}

fn of_part(entry: &Value) -> bool {
    let parts = ["key.converter.", "value.converter.", "header.converter.", "consumer.override."];
    entry["value"]["name"]
        .as_str()
        .is_some_and(|name| parts.iter().any(|p| name.starts_with(p) && !name.ends_with("plugin.version")))
}

/// Takes out of both answers what is meant to differ.
#[track_caller]
fn alike(ours: &mut Value, java: &mut Value) {
    // Java lists the keys of converters and clients in the order of a hash map.
    for infos in [&mut *ours, &mut *java] {
        let entries = entries(infos);
        let first = entries.iter().position(of_part).unwrap_or(entries.len());
        entries[first..].sort_by_key(|entry| entry["value"]["name"].to_string());
    }
    // The groups of converters come in the order of their keys.
    for infos in [&mut *ours, &mut *java] {
        let groups = infos["groups"].as_array_mut().expect("groups");
        groups.sort_by_key(|group| (!BASE_GROUPS.contains(&group.as_str().unwrap_or_default()), group.to_string()));
    }
    // What every connector has here and Java's do not.
    entries(ours).retain(|entry| entry["value"]["name"] != "landfall.applied.by");
    let names = |infos: &mut Value| entries(infos).iter().map(|entry| entry["value"]["name"].to_string()).collect::<Vec<_>>();
    assert_eq!(names(ours), names(java));
    let mut groups = Vec::new();
    let (mut refused, mut complaints) = (0, 0);
    for (ours, java) in entries(ours).iter_mut().zip(entries(java).iter_mut()) {
        let (ours_def, java_def) = (&mut ours["definition"], &mut java["definition"]);
        if let (Some(ours_def), Some(java_def)) = (ours_def.as_object_mut(), java_def.as_object_mut()) {
            // The words are ours.
            assert!(ours_def["documentation"].as_str().is_some_and(|text| !text.is_empty()), "{ours_def:?}");
            ours_def.remove("documentation");
            java_def.remove("documentation");
            // Every key of a plugin here has a group, some of Java's have none.
            if java_def["group"].is_null() && !ours_def["group"].is_null() {
                groups.push(ours_def["group"].clone());
                ours_def["group"] = Value::Null;
                ours_def["order_in_group"] = json!(-1);
            }
        }
        let (ours, java) = (&mut ours["value"], &mut java["value"]);
        let there = java["recommended_values"].take();
        for value in ours["recommended_values"].take().as_array().expect("values") {
            let there = there.as_array().is_some_and(|there| there.contains(value));
            let own = value.as_str().is_some_and(|class| !class.starts_with("org.apache.kafka.") && class.contains('.'));
            assert!(there || own, "Java does not recommend {value}: {ours} {java}");
        }
        let errors = ours["errors"].as_array_mut().expect("errors");
        let before = errors.len();
        errors.retain(|error| !error.as_str().is_some_and(|text| text.contains(NOT_YET)));
        refused += before - errors.len();
        // Java's validators complain of the null that a missing value is.
        let before = java["errors"].as_array().map_or(0, Vec::len);
        let theirs = java["errors"].as_array_mut().expect("errors");
        if errors.len() == 1 && theirs.first().and_then(Value::as_str).is_some_and(|text| text.starts_with("Missing required")) {
            theirs.truncate(1);
            complaints += before - 1;
        }
        // Texts begin with Java's and may go on with a hint.
        for (ours, java) in errors.iter_mut().zip(java["errors"].as_array_mut().expect("errors")) {
            // Java finds a converter once as such and once as a header converter.
            *java = json!(java.as_str().unwrap_or_default().replace("[4.3.1, 4.3.1]", "[4.3.1]"));
            if ours.as_str().unwrap_or_default().starts_with(java.as_str().unwrap_or("-")) {
                *ours = java.clone();
            }
        }
    }
    ours["groups"].as_array_mut().expect("groups").retain(|group| !groups.contains(group));
    ours["error_count"] = json!(ours["error_count"].as_u64().expect("a count") - refused as u64);
    java["error_count"] = json!(java["error_count"].as_u64().expect("a count") - complaints as u64);
}

/// Validates on both and compares; adds to `different` what is not the same.
fn compare(ours: &Worker, java: &Worker, config: &Value, different: &mut Vec<String>) -> Value {
    let (status, mut here) = ours.put(VALIDATE, config);
    let (java_status, mut there) = java.put(VALIDATE, config);
    assert_eq!(status, java_status, "{config}\n{here}\n{there}");
    if status == 200 {
        let answer = here.clone();
        alike(&mut here, &mut there);
        let pairs: Vec<_> = entries(&mut here).drain(..).zip(entries(&mut there).drain(..)).collect();
        different.extend(pairs.iter().filter(|(ours, java)| ours != java).map(|(ours, java)| format!("{ours}\n{java}")));
        if here != there {
            different.push(format!("{here}\n{there}"));
        }
        return answer;
    }
    here
}

const STRING: &str = "org.apache.kafka.connect.storage.StringConverter";
const JSON: &str = "org.apache.kafka.connect.json.JsonConverter";

#[test]
fn answers_are_those_of_javas_worker() {
    let java = java_worker::shared();
    let mut different = Vec::new();
    for (what, changes) in [
        ("good", json!({})),
        ("little", json!({"name": null, "topics": null, "tasks.max": null, "file": null})),
        ("no name", json!({"name": " "})),
        (
            "wrong types everywhere",
            json!({"tasks.max": "two", "tasks.max.enforce": "maybe", "errors.retry.timeout": "long", "errors.log.enable": "x",
                "errors.deadletterqueue.topic.replication.factor": "99999", "errors.retry.delay.max.ms": "1.5",
                "errors.deadletterqueue.context.headers.enable": "", "config.action.reload": "RESTART", "errors.tolerance": "some"}),
        ),
        ("no task", json!({"tasks.max": "0"})),
        ("bad converters", json!({"key.converter": "Nope", "value.converter": "com.example.Nope", "header.converter": ""})),
        ("a header converter for keys", json!({"key.converter": "org.apache.kafka.connect.storage.SimpleHeaderConverter"})),
        ("converters by alias", json!({"key.converter": "StringConverter", "value.converter": "Json"})),
        (
            "a converter's keys",
            json!({"value.converter": JSON, "value.converter.schemas.enable": "FALSE",
            "value.converter.schemas.cache.size": " 7 ", "value.converter.decimal.format": "numeric"}),
        ),
        (
            "bad keys of a converter",
            json!({"value.converter": JSON, "value.converter.schemas.enable": "maybe",
            "value.converter.decimal.format": "HEX", "value.converter.schemas.cache.size": "x", "key.converter": STRING,
            "header.converter": JSON}),
        ),
        ("keys of a converter that is not named", json!({"value.converter.schemas.enable": "maybe"})),
        ("topics and topics.regex", json!({"topics.regex": "t.*"})),
        ("the same topic twice", json!({"topics": "t1, t1"})),
        ("an empty topic", json!({"topics": "t1,,t2"})),
        ("blank topics", json!({"topics": " "})),
        ("a regular expression", json!({"topics": null, "topics.regex": " (?!__)[\\w&&[^_]]++"})),
        ("a bad regular expression", json!({"topics": null, "topics.regex": "[("})),
        ("another bad regular expression", json!({"topics": null, "topics.regex": "a{2,1}"})),
        (
            "a dead letter queue that matches",
            json!({"topics": null, "topics.regex": "d.*", "errors.deadletterqueue.topic.name": " dlq "}),
        ),
        (
            "a dead letter queue",
            json!({"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq",
            "errors.deadletterqueue.topic.replication.factor": "1", "errors.deadletterqueue.context.headers.enable": "true"}),
        ),
        ("a dead letter queue that is consumed", json!({"errors.deadletterqueue.topic.name": "t1"})),
        ("transforms without a class", json!({"transforms": "a, b", "predicates": "p"})),
        ("a transform that is not there", json!({"transforms": "a", "transforms.a.type": "com.example.Nope"})),
        ("a transform twice", json!({"transforms": "a,a", "transforms.a.type": "com.example.Nope"})),
        (
            "overrides",
            json!({"consumer.override.max.poll.records": " 10 ", "consumer.override.isolation.level": "read_committed",
            "consumer.override.sasl.jaas.config": "pssst", "consumer.override.foo": "bar", "producer.override.acks": "1"}),
        ),
        ("an unknown key", json!({"flush.sise": "1"})),
        ("a version that is not there", json!({"value.converter": STRING, "value.converter.plugin.version": "0.0.1"})),
        ("the version that is there", json!({"connector.plugin.version": "4.3.1", "key.converter.plugin.version": "latest"})),
        ("nulls", json!({"tasks.max": NULL, "topics": NULL, "file": NULL, "key.converter": NULL, "my.own": NULL})),
        ("blanks", json!({"file": " /tmp/x ", "topics": " t1 , t2 ", "errors.log.enable": " false "})),
    ] {
        let before = different.len();
        compare(&OURS, java, &config(&changes), &mut different);
        if before < different.len() {
            different.insert(before, format!("-- {what}"));
        }
    }
    assert!(different.is_empty(), "ours, then Java's:\n{}", different.join("\n"));
}

#[test]
fn transforms_are_looked_at_as_by_javas_worker() {
    const T: &str = "org.apache.kafka.connect.transforms.";
    let java = java_worker::shared();
    let mut different = Vec::new();
    // What is to be validated, for one transform `a`, or one predicate `p` that it uses.
    let transform = |class: &str, own: Value| {
        let mut config = json!({"transforms": "a", "transforms.a.type": format!("{T}{class}")});
        for (key, value) in own.as_object().expect("keys") {
            config[format!("transforms.a.{key}")] = value.clone();
        }
        config
    };
    let predicate = |class: &str, own: Value| {
        let mut config = json!({"transforms": "a", "transforms.a.type": format!("{T}Filter"), "transforms.a.predicate": "p",
            "predicates": "p", "predicates.p.type": format!("{T}predicates.{class}")});
        for (key, value) in own.as_object().expect("keys") {
            config[format!("predicates.p.{key}")] = value.clone();
        }
        config
    };
    for (what, changes) in [
        (
            "two of them",
            json!({"transforms": " a , b ", "transforms.a.type": format!("{T}HoistField$Value"), "transforms.a.field": "x",
            "transforms.b.type": format!("{T}RegexRouter"), "transforms.b.regex": ".*", "transforms.b.replacement": "z"}),
        ),
        ("half a name", transform("InsertField", json!({}))),
        ("another kind of class", transform("predicates.RecordIsTombstone", json!({}))),
        ("a blank alias", json!({"transforms": "a,,b"})),
        ("nothing that is required", transform("RegexRouter", json!({}))),
        ("a bad regex", transform("RegexRouter", json!({"regex": "[(", "replacement": "z"}))),
        ("a bad cast", transform("Cast$Value", json!({"spec": "x:foo"}))),
        ("a good cast", transform("Cast$Value", json!({"spec": "x:int32,y:string"}))),
        ("an empty cast", transform("Cast$Value", json!({"spec": ""}))),
        ("a key of nobody", transform("Flatten$Value", json!({"zzz": "1"}))),
        ("a time", transform("TimestampConverter$Value", json!({"target.type": "string", "format": "yyyy"}))),
        ("a bad time", transform("TimestampConverter$Value", json!({"target.type": "foo", "unix.precision": "hours"}))),
        ("no field to hoist to", transform("HoistField$Value", json!({}))),
        ("a filter of everything", transform("Filter", json!({}))),
        ("a bad syntax version", transform("ExtractField$Value", json!({"field": "x", "field.syntax.version": "V9"}))),
        ("bad headers", transform("HeaderFrom$Value", json!({"fields": "", "headers": "h", "operation": "zap"}))),
        ("a bad mask", transform("MaskField$Value", json!({"fields": "", "replacement": ""}))),
        ("no headers to drop", transform("DropHeaders", json!({}))),
        ("no header to insert", transform("InsertHeader", json!({"header": ""}))),
        ("a bad version of a schema", transform("SetSchemaMetadata$Value", json!({"schema.version": "x"}))),
        ("no fields for the key", transform("ValueToKey", json!({"fields": ""}))),
        ("defaults", transform("TimestampRouter", json!({}))),
        ("an empty delimiter", transform("Flatten$Value", json!({"delimiter": ""}))),
        ("a bad renaming", transform("ReplaceField$Value", json!({"renames": "a:b,c"}))),
        ("a predicate", predicate("TopicNameMatches", json!({"pattern": "t.*"}))),
        ("a bad pattern", predicate("TopicNameMatches", json!({"pattern": "[("}))),
        ("no pattern", predicate("TopicNameMatches", json!({}))),
        ("no header's name", predicate("HasHeaderKey", json!({"name": ""}))),
        ("a bad negation", transform("Filter", json!({"negate": "maybe"}))),
        ("a negation of nothing", transform("Filter", json!({"negate": "true"}))),
        ("a predicate twice", json!({"predicates": "p,p", "predicates.p.type": format!("{T}predicates.RecordIsTombstone")})),
    ] {
        let before = different.len();
        compare(&OURS, java, &config(&changes), &mut different);
        if before < different.len() {
            different.insert(before, format!("-- {what}"));
        }
    }
    assert!(different.is_empty(), "ours, then Java's:\n{}", different.join("\n"));
}

#[test]
fn what_java_finds_only_in_a_task_is_found_before() {
    let nothing = json!({"transforms": "a", "transforms.a.type": "org.apache.kafka.connect.transforms.InsertField$Value"});
    let (_, answer) = OURS.put(VALIDATE, &config(&nothing));
    assert!(answer.to_string().contains("No field insertion configured"), "{answer}");
    let nobody = json!({"transforms": "a", "transforms.a.type": "Filter", "transforms.a.predicate": "q"});
    let (_, answer) = OURS.put(VALIDATE, &config(&nobody));
    assert!(answer.to_string().contains("Invalid value q for configuration transforms.a.predicate: there is no such predicate"));
}

#[test]
fn requests_that_are_none_are_refused_as_java_refuses_them() {
    let java = java_worker::shared();
    for (class, body) in [
        ("FileStreamSink", json!({})),
        ("FileStreamSink", json!({"name": "v", "topics": "t1"})),
        ("Nope", json!({"connector.class": "Nope", "topics": "t1"})),
        ("FileStreamSink", json!({"connector.class": "Other", "topics": "t1"})),
        ("filestreamsink", config(&json!({}))),
        ("FileStreamSink", Value::Null),
    ] {
        let path = format!("/connector-plugins/{class}/config/validate");
        let ((status, ours), (java_status, theirs)) = (OURS.put(&path, &body), java.put(&path, &body));
        let until = |text: &Value| {
            let message = text["message"].as_str().expect("a text");
            message.split("available connectors").next().unwrap_or_default().to_owned()
        };
        assert_eq!(status, java_status, "{class} {body}");
        // texts begin with Java's and may go on with a hint
        assert!(until(&ours).starts_with(&until(&theirs)), "{class} {body}\n{ours}\n{theirs}");
    }
}

#[test]
fn what_is_wrong_is_said_in_the_same_words_on_creation() {
    let java = java_worker::shared();
    for changes in [
        json!({"tasks.max": "two", "key.converter": "Nope", "topics": ""}),
        json!({"value.converter": JSON, "value.converter.schemas.enable": "maybe", "errors.tolerance": "y"}),
    ] {
        let body = json!({"name": "v", "config": config(&changes)});
        let ((status, ours), (java_status, theirs)) = (OURS.post("/connectors", &body), java.post("/connectors", &body));
        assert_eq!((status, java_status), (400, 400), "{ours} {theirs}");
        let (ours, theirs) = (ours["message"].as_str().expect("a text"), theirs["message"].as_str().expect("a text"));
        assert_eq!(ours.lines().count(), theirs.lines().count(), "{ours}\n{theirs}");
        for (ours, theirs) in ours.lines().zip(theirs.lines()) {
            assert!(ours.starts_with(theirs), "{ours}\n{theirs}");
        }
    }
}

#[test]
fn the_policy_refuses_overrides_as_javas_does() {
    let policy = [("connector.client.config.override.policy", "Principal")];
    let ours = Worker::start(&Broker::shared().bootstrap(), &policy);
    let java = java_worker::start(&policy);
    let overrides = json!({"consumer.override.max.poll.records": "10", "consumer.override.sasl.mechanism": "PLAIN",
        "consumer.override.unknown": "x"});
    let mut different = Vec::new();
    let answer = compare(&ours, &java, &config(&overrides), &mut different);
    assert_eq!(different, [""; 0]);
    assert_eq!(answer["error_count"], json!(2), "{answer}");
}

#[test]
fn no_answer_holds_a_secret_and_bad_values_of_clients_are_found() {
    let secret = json!({"consumer.override.sasl.jaas.config": "pssst", "consumer.override.ssl.key.password": "pssst",
        "my.password": "pssst", "tasks.max": "AccountKey=pssst", "consumer.override.max.poll.records": "many"});
    let (status, answer) = OURS.put(VALIDATE, &config(&secret));
    assert!(status == 200 && !answer.to_string().contains("pssst"), "{answer}");
    // Java answers this with an internal error.
    let why = "Invalid value many for configuration consumer.override.max.poll.records: Not a number of type INT";
    assert!(answer.to_string().contains(why), "{answer}");
}

#[test]
fn the_keys_of_a_plugin_are_those_of_javas() {
    let plugins = java_worker::shared().get("/connector-plugins?connectorsOnly=false").1;
    let of_apache = |kind: &str| {
        let plugins = plugins.as_array().expect("plugins").iter().filter(move |plugin| plugin["type"] == kind);
        plugins.map(|plugin| plugin["class"].as_str().expect("a name")).collect::<Vec<_>>()
    };
    let links = [of_apache("transformation"), of_apache("predicate")].concat();
    assert!(links.len() > 25, "{links:?}");
    for class in ["FileStreamSink", "JsonConverter", "StringConverter", "ByteArrayConverter"].into_iter().chain(links) {
        let path = format!("/connector-plugins/{class}/config");
        let ((status, ours), (java_status, theirs)) = (OURS.get(&path), java_worker::shared().get(&path));
        assert_eq!((status, java_status), (200, 200), "{class}");
        let shape = |keys: &Value| {
            let key = |key: &Value| {
                let facts = ["name", "type", "required", "default_value", "importance", "width", "display_name"];
                facts.map(|fact| key[fact].to_string())
            };
            let of_java = keys.as_array().expect("keys").iter().filter(|key| key["name"] != "landfall.applied.by");
            let mut all: Vec<_> = of_java.map(key).collect();
            all.sort();
            all
        };
        let (ours, theirs) = (shape(&ours), shape(&theirs));
        let different: Vec<_> = ours.iter().zip(&theirs).filter(|(ours, theirs)| ours != theirs).collect();
        assert_eq!((ours.len(), different), (theirs.len(), vec![]), "{class}");
    }
}
