//! Records whose schemas are in the registry of an Event Hubs namespace land, however they name them; over real HTTPS, with tokens that
//! Entra ID's stand-in has signed.

use apache_avro::Schema;
use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use serde_json::{Value, json};

use crate::support::azure_registry::{register, start};
use crate::support::broker::{Broker, Record};
use crate::support::entra::{FakeEntra, Trouble};
use crate::support::read::python;
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{secs, wait_until};

const AVRO: &str = "com.microsoft.azure.schemaregistry.kafka.connect.avro.AvroConverter";
const JSON: &str = "com.microsoft.azure.schemaregistry.kafka.connect.json.JsonConverter";
const FIRST: &str = "0a1b2c3d4e5f60718293a4b5c6d7e8f9";
const SECOND: &str = "ffeeddccbbaa99887766554433221100";
const ORDER: &str = r#"{"type":"record","name":"Order","namespace":"com.shop","fields":[{"name":"id","type":"long"},
    {"name":"name","type":["null","string"],"default":null}]}"#;
const JSON_ORDER: &str = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{
    "id":{"type":"integer"},"name":{"type":"string"}},"required":["id"]}"#;

/// How a record names its schema.
#[derive(Clone, Copy)]
enum Names<'a> {
    Header(&'a str, &'a str),
    Before,
    Nowhere,
}

fn record(id: &str, names: Names<'_>, payload: Vec<u8>) -> Record {
    match names {
        Names::Header(header, before) => {
            Record { headers: vec![(header.to_owned(), format!("{before}{id}").into_bytes())], ..Record::value(payload) }
        }
        Names::Before => Record::value([&[0; 4][..], id.as_bytes(), &payload].concat()),
        Names::Nowhere => Record::value(payload),
    }
}

fn avro(id: i64) -> Vec<u8> {
    let schema = Schema::parse_str(ORDER).expect("a schema");
    let name =
        if id % 2 == 0 { Avro::Union(0, Avro::Null.into()) } else { Avro::Union(1, Avro::String(format!("n{id}")).into()) };
    let record = Avro::Record(vec![("id".to_owned(), Avro::Long(id)), ("name".to_owned(), name)]);
    let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
    writer.write_value_to_vec(record).expect("encoded")
}

fn json_order(id: i64) -> Vec<u8> {
    // What is not required may be missing.
    let order = if id % 2 == 0 { json!({"id": id}) } else { json!({"id": id, "name": format!("n{id}")}) };
    order.to_string().into_bytes()
}

fn ids(store: &Store, topic: &str) -> Vec<i64> {
    let folder = store.folder(topic);
    let rows = python("avro_rows.py", &[folder.to_str().expect("a path of text")]);
    rows.as_array().into_iter().flatten().filter_map(|row| row["id"].as_i64()).collect()
}

/// A worker that signs in as the application of `entra`.
fn worker(broker: &Broker, entra: &FakeEntra) -> Worker {
    let application = entra.properties();
    let properties: Vec<_> = application.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect();
    Worker::start(&broker.bootstrap(), &properties)
}

fn connector(store: &Store, topic: &str, flush_size: usize, class: &str, url: &str) -> Value {
    let mut config = store.connector(topic, flush_size);
    with(
        &mut config,
        &json!({
            "value.converter": class,
            "value.converter.schema.registry.url": url,
            "value.converter.schema.group": "landing",
            "errors.retry.timeout": "-1",
            "errors.retry.delay.max.ms": "500",
        }),
    );
    config
}

#[test]
fn records_of_all_forms_land_while_their_registry_is_in_trouble() {
    let (broker, store, entra) = (Broker::shared(), Store::directory(), FakeEntra::start());
    let registry = start(&entra);
    register(&registry, FIRST, "Avro", ORDER);
    register(&registry, SECOND, "Json", JSON_ORDER);
    let (of_avro, of_json) = ("event-hubs-avro", "event-hubs-json");
    broker.create_topic(of_avro, 1);
    broker.create_topic(of_json, 1);
    let worker = worker(broker, &entra);

    // Overload costs time; the registry says how much.
    registry.next([Trouble::Busy(429, 1), Trouble::Busy(503, 0)]);
    worker.create(of_avro, &connector(&store, of_avro, 6, AVRO, &registry.url()));
    let forms = [Names::Header("content-type", "avro/binary+"), Names::Before, Names::Header("content-type", "Avro/Binary+")];
    broker.produce(of_avro, 0, (0..6).map(|id| record(FIRST, forms[id as usize % 3], avro(id))));
    worker.await_landed(broker, of_avro, of_avro);
    assert_eq!(ids(&store, of_avro), (0..6).collect::<Vec<_>>());
    // What has been asked for once is known, and all share one token.
    let path = format!("/$schemaGroups/$schemas/{FIRST}?api-version=2022-10");
    assert_eq!(registry.requests(), [&*path; 3]);
    assert_eq!(entra.asked().len(), 1);
    assert_eq!(entra.asked()[0].fields["scope"], "https://eventhubs.azure.net/.default");

    // No right to read schemas holds all back, until it is given.
    registry.always(Some(Trouble::Refused(403, json!({"error": {"code": "Forbidden", "message": "no role"}}))));
    worker.create(of_json, &connector(&store, of_json, 8, JSON, &registry.url()));
    let forms = [
        Names::Header("schemaId", ""),
        Names::Header("content-type", "application/json;serialization=Json+"),
        Names::Before,
        Names::Header("content-type", "application/json+"),
    ];
    broker.produce(of_json, 0, (0..8).map(|id| record(SECOND, forms[id as usize % 4], json_order(id))));
    let says =
        |part: &str| worker.log_text().lines().any(|line| line.contains(part) && line.contains("HTTP 403 Forbidden no role"));
    wait_until("a warning of the refusal", secs(60), || says("Schema Registry Reader").then_some(()));
    assert!(worker.log_text().contains(FakeEntra::CLIENT), "{}", worker.log_text());
    worker.await_state(of_json, "RUNNING");
    registry.always(None);
    worker.await_landed(broker, of_json, of_json);
    assert_eq!(ids(&store, of_json), (0..8).collect::<Vec<_>>());

    // A record that names none, or one that is not there, is refused by its place.
    for (topic, names, id, expected) in [
        (of_avro, Names::Nowhere, "", "Cannot deserialize message with no content-type"),
        (of_json, Names::Header("schemaId", ""), FIRST, "its schema is of the type AVRO"),
    ] {
        broker.produce(topic, 0, [record(id, names, b"{}".to_vec())]);
        let trace = worker.await_failure(topic);
        assert!(trace.contains(expected), "{trace}");
    }
    assert!(!worker.log_text().contains(FakeEntra::SECRET), "{}", worker.log_text());
}

#[test]
fn a_wrong_secret_or_id_is_named() {
    let (broker, store, entra) = (Broker::shared(), Store::directory(), FakeEntra::start());
    let registry = start(&entra);
    register(&registry, FIRST, "Avro", ORDER);
    let topic = "event-hubs-refused";
    broker.create_topic(topic, 1);
    broker.produce(topic, 0, [record(SECOND, Names::Header("content-type", "avro/binary+"), avro(1))]);
    let worker = worker(broker, &entra);
    let mut config = connector(&store, topic, 1, AVRO, &registry.url());
    worker.create(topic, &config);
    let trace = worker.await_failure(topic);
    let expected = format!("Error retrieving Avro schema for id {SECOND}: HTTP 404 ItemNotFound Schema id does not exist.");
    assert!(trace.contains(&expected), "{trace}");
    assert_eq!(worker.delete(&format!("/connectors/{topic}")).0, 204);

    // Keys of Microsoft's converter count before those of the worker.
    let (authority, ca) = (entra.url(), entra.ca_file());
    with(
        &mut config,
        &json!({
            "value.converter.tenant.id": FakeEntra::TENANT,
            "value.converter.client.id": FakeEntra::CLIENT,
            "value.converter.client.secret": "not-the-secret",
            "value.converter.landfall.azure.authority": authority,
            "value.converter.landfall.azure.ca.file": ca.to_str().expect("UTF-8"),
        }),
    );
    worker.create(topic, &config);
    let warned = || worker.log_text().lines().any(|l| l.contains("AADSTS7000215") && l.contains(FakeEntra::CLIENT));
    wait_until("a warning of the refusal", secs(60), || warned().then_some(()));
    assert!(!worker.log_text().contains("not-the-secret"), "{}", worker.log_text());
    let (_, shown) = worker.get(&format!("/connectors/{topic}/status"));
    assert!(!shown.to_string().contains("not-the-secret"), "{shown}");
}
