//! JSON with its JSON Schema in a registry lands as Parquet.

use serde_json::{Value, json};

use crate::support::broker::{Broker, Record};
use crate::support::read::python;
use crate::support::registry::Registry;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;

#[test]
fn a_topic_lands_under_a_schema_with_references_and_a_union() {
    let (broker, store, topic, registry) = (Broker::shared(), Store::directory(), "json-schema", Registry::start());
    broker.create_topic(topic, 1);
    let order = json!({"$schema": "http://json-schema.org/draft-07/schema#", "title": "Order", "type": "object", "required": ["id"], "properties": {
        "id": {"type": "integer"},
        "price": {"type": "number", "title": "org.apache.kafka.connect.data.Decimal", "connect.type": "bytes", "connect.parameters": {"scale": "2"}},
        "by": {"$ref": "customer.json"},
        "ref": {"oneOf": [{"type": "string"}, {"type": "integer"}]},
    }});
    let customer = json!({"type": "object", "properties": {"name": {"type": "string"}}});
    let answer = json!({"schemaType": "JSON", "schema": order.to_string(), "references": [{"name": "customer.json", "subject": "customer", "version": 1}]});
    registry.answer("/schemas/ids/5", answer);
    let answer = json!({"subject": "customer", "version": 1, "id": 4, "schemaType": "JSON", "schema": customer.to_string()});
    registry.answer("/subjects/customer/versions/1", answer);

    let record = |id: usize| {
        let reference = if id % 2 == 0 { json!(id) } else { json!(format!("r{id}")) };
        let mut value = json!({"id": id, "price": id as f64 + 0.25, "by": {"name": "são"}, "ref": reference, "more": []});
        if id == 3 {
            value = json!({"id": id});
        }
        Record::value([b"\0\0\0\0\x05", value.to_string().as_bytes()].concat())
    };
    broker.produce(topic, 0, (0..10).map(record));
    let mut config = store.connector(topic, 10);
    let converter = json!({
        "value.converter": "io.confluent.connect.json.JsonSchemaConverter",
        "value.converter.schema.registry.url": registry.url(),
        "value.converter.use.optional.for.nonrequired": "true",
    });
    with(&mut config, &converter);
    let worker = Worker::start(&broker.bootstrap(), &[]);
    worker.create(topic, &config);
    worker.await_landed(broker, topic, topic);

    let branch = |number: usize| format!("io.confluent.connect.json.OneOf.field.{number}");
    let row = |id: usize| match id {
        3 => json!({"id": 3, "price": null, "by": null, "ref": null}),
        id if id % 2 == 0 => {
            json!({"id": id, "price": format!("{id}.25"), "by": {"name": "são"}, "ref": {branch(0): null, branch(1): id}})
        }
        id => {
            json!({"id": id, "price": format!("{id}.25"), "by": {"name": "são"}, "ref": {branch(0): format!("r{id}"), branch(1): null}})
        }
    };
    let folder = store.folder(topic);
    let landed = python("avro_rows.py", &[folder.to_str().expect("a path of text")]);
    assert_eq!(landed, (0..10).map(row).collect::<Value>());

    broker.produce(topic, 0, [Record::value(b"\0\0\0\0\x05{\"id\":\"x\"}".as_slice())]);
    let trace = worker.await_failure(topic);
    assert!(trace.contains("invalid value for INT64 field: \"x\"") && trace.contains("offset 10"), "{trace}");
}
