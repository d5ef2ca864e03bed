//! Avro with its schemas in a registry lands as Parquet.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value, json};

use crate::support::apicurio::Apicurio;
use crate::support::broker::{Broker, Record};
use crate::support::read::python;
use crate::support::registry::Registry;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const FIRST: &str = r#"{"type":"record","name":"Order","namespace":"com.my-shop","fields":[
    {"name":"id","type":"long"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}}]}"#;
const SECOND: &str = r#"{"type":"record","name":"Order","namespace":"com.my-shop","fields":[
    {"name":"id","type":"long"},
    {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}},
    {"name":"at","type":{"type":"long","logicalType":"timestamp-millis"}},
    {"name":"tags","type":{"type":"array","items":"string"},"default":[]},
    {"name":"note","type":["null","string"],"default":null}]}"#;

/// A row by the first schema, or the second.
fn order(id: i64, second: bool) -> Avro {
    let mut fields = vec![
        ("id".to_owned(), Avro::Long(id)),
        ("price".to_owned(), Avro::Decimal((100 * id + 5).to_be_bytes().into())),
        ("at".to_owned(), Avro::TimestampMillis(1_700_000_000_000 + id)),
    ];
    if second {
        fields.push(("tags".to_owned(), Avro::Array(vec![Avro::String(format!("tag {id}"))])));
        let note =
            if id % 2 == 0 { Avro::Union(0, Avro::Null.into()) } else { Avro::Union(1, Avro::String("são".into()).into()) };
        fields.push(("note".to_owned(), note));
    }
    Avro::Record(fields)
}

/// A record with the number of its schema before its value. Apache's library does not take all names that others write.
fn framed(id: i32, schema: &str, value: Avro) -> Record {
    let schema = Schema::parse_str(&schema.replace("com.my-shop", "com.shop")).expect("a schema");
    let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
    let payload = writer.write_value_to_vec(value).expect("encoded");
    Record::value([&[0][..], &id.to_be_bytes(), &payload].concat())
}

fn connector(store: &Store, topic: &str, flush_size: usize, url: &str) -> Value {
    let mut config = store.connector(topic, flush_size);
    let avro = json!({
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": url,
        "value.converter.max.retries": "1000",
        "value.converter.retries.wait.ms": "50",
        "value.converter.retries.max.wait.ms": "100",
    });
    with(&mut config, &avro);
    config
}

fn rows(store: &Store, topic: &str) -> Vec<Value> {
    let folder = store.folder(topic);
    match python("avro_rows.py", &[folder.to_str().expect("a path of text")]) {
        Value::Array(rows) => rows,
        other => panic!("{other}"),
    }
}

fn expected(id: i64, second: bool) -> Value {
    let mut row = json!({"id": id, "price": format!("{id}.05"), "at": 1_700_000_000_000 + id});
    if second {
        row["tags"] = json!([format!("tag {id}")]);
        row["note"] = if id % 2 == 0 { Value::Null } else { "são".into() };
    }
    row
}

#[test]
fn a_topic_lands_while_its_schema_evolves_and_its_registry_is_away() {
    let (broker, store, topic, registry) = (Broker::shared(), Store::directory(), "avro-evolves", Registry::start());
    broker.create_topic(topic, 1);
    registry.avro(7, FIRST);
    registry.avro(8, SECOND);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create(topic, &connector(&store, topic, 10, &registry.url()));
    broker.produce(topic, 0, (0..20).map(|id| framed(7, FIRST, order(id, false))));
    worker.await_landed(broker, topic, topic);

    registry.down(true);
    let asked = registry.requests().len();
    broker.produce(topic, 0, (20..40).map(|id| framed(8, SECOND, order(id, true))));
    wait_until("the registry to be asked in vain", secs(60), || (registry.requests().len() > asked + 2).then_some(()));
    registry.down(false);
    worker.await_landed(broker, topic, topic);

    let all: Vec<_> = (0..40).map(|id| expected(id, id >= 20)).collect();
    assert_eq!(rows(&store, topic), all);

    // What the registry does not know fails the task by the record's place.
    broker.produce(topic, 0, [Record::value(b"\0\0\0\0\x09\x02".as_slice())]);
    let trace = worker.await_failure(topic);
    for part in
        ["Failed to deserialize data for topic avro-evolves to Avro", "Error retrieving Avro value schema for id 9", "offset 40"]
    {
        assert!(trace.contains(part), "no {part} in: {trace}");
    }
}

#[test]
fn a_real_registry_gives_schemas_with_references() {
    let (broker, store, topic) = (Broker::shared(), Store::directory(), "avro-real-registry");
    broker.create_topic(topic, 1);
    let registry = Apicurio::start();
    let customer = r#"{"type":"record","name":"shop.Customer","fields":[{"name":"name","type":"string"}]}"#;
    let order =
        r#"{"type":"record","name":"shop.Sale","fields":[{"name":"id","type":"long"},{"name":"by","type":"shop.Customer"}]}"#;
    registry.register("shop.Customer", customer, &json!([]));
    let refers = json!([{"name": "shop.Customer", "subject": "shop.Customer", "version": 1}]);
    let id = registry.register("avro-real-registry-value", order, &refers);

    let record = |row: u8| Record::value([&[0][..], &id.to_be_bytes(), &[2 * row, 2, b'a' + row]].concat());
    broker.produce(topic, 0, (0..10).map(record));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create(topic, &connector(&store, topic, 10, &registry.ccompat()));
    worker.await_landed(broker, topic, topic);
    let all: Vec<_> = (0..10_u8).map(|row| json!({"id": row, "by": {"name": char::from(b'a' + row)}})).collect();
    assert_eq!(rows(&store, topic), all);

    // The same through its own API, by its own converter.
    let (second, own) = (Store::directory(), "avro-own-registry");
    let mut config = second.connector(topic, 10);
    let apicurio = json!({
        "value.converter": "io.apicurio.registry.utils.converter.AvroConverter",
        "value.converter.apicurio.registry.url": registry.own(),
        "value.converter.apicurio.registry.use-id": "contentId",
        "value.converter.apicurio.registry.id-handler": "io.apicurio.registry.serde.Legacy4ByteIdHandler",
    });
    with(&mut config, &apicurio);
    worker.create(own, &config);
    worker.await_landed(broker, own, topic);
    assert_eq!(rows(&second, topic), all);
}
