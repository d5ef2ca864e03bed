//! A table of PostgreSQL lands through Debezium: what was landed, replayed by key, is the table.

use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::support::broker::Broker;
use crate::support::postgres::{Postgres, USER};
use crate::support::store::Store;
use crate::support::worker::Worker;
use crate::support::{cache, java_worker, read, secs, wait_until};

/// A column of every kind. The script `debezium.py` knows how to read those that are not text.
const TABLE: &str = "
    create type mood as enum ('sad', 'ok', 'happy');
    create table kinds (
        id bigint primary key, serial bigserial, small smallint, middle integer, real4 real, real8 double precision,
        amount numeric(20, 4), number numeric, price money, flag boolean,
        line text, short varchar(20), fixed char(5), day date, clock time, at timestamp, at_ms timestamp(3), instant timestamptz,
        zoned timetz, span interval, uuid uuid, plain json, binary_json jsonb, raw bytea, feeling mood,
        numbers integer[], words text[], address inet, network cidr, mac macaddr, markup xml
    );
    alter table kinds replica identity full;";

/// Row `n`: full, with extremes, or with nulls.
fn insert(n: u32) -> String {
    match n % 3 {
        0 => format!(
            "insert into kinds values ({n}, default, {n}, -{n}, 1.5, 1e300, {n}.0625, {n}.123456789012345678901, 12.34, true, \
             'grüße, \"{n}\"', 'short', 'ab', '2024-02-29', '12:34:56.789012', '2024-02-29 12:34:56.789012', \
             '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789012+02', '12:34:56.789+00', '1 year 2 mons 3 days 04:05:06', \
             '00000000-0000-4000-8000-{n:012}', '{{\"a\": [1, 2]}}', '{{\"b\": null}}', '\\x00ff{:02x}', 'happy', \
             '{{1,2,{n}}}', '{{a,b}}', '10.0.0.1', '10.0.0.0/8', '08:00:2b:01:02:03', '<a>1</a>')",
            n % 256
        ),
        1 => format!(
            "insert into kinds values ({n}, default, -32768, 2147483647, -0.25, -1e-300, -9999999999999999.9999, -0.000001, -12.34, false, \
             '', '', '', '0001-01-01', '00:00', '1900-01-01 00:00:00.000001', '1969-12-31 23:59:59.999', \
             '1969-12-31 23:59:59.999999+00', '00:00:00+00', '-1 year -2 mons -3 days -04:05:06', \
             'ffffffff-ffff-ffff-ffff-ffffffffffff', '[]', '\"x\"', '\\x', 'sad', '{{}}', '{{}}', '::1', 'fe80::/10', \
             'ff:ff:ff:ff:ff:ff', null)"
        ),
        _ => format!("insert into kinds (id) values ({n})"),
    }
}

fn connector(postgres: &Postgres) -> Value {
    json!({
        "connector.class": "io.debezium.connector.postgresql.PostgresConnector",
        "tasks.max": "1",
        "plugin.name": "pgoutput",
        "database.hostname": "127.0.0.1",
        "database.port": postgres.port().to_string(),
        "database.user": USER,
        "database.password": "any",
        "database.dbname": USER,
        "topic.prefix": "pg",
        "table.include.list": "public.kinds",
        "interval.handling.mode": "string",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "true",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
    })
}

#[test]
fn a_table_is_what_its_change_events_have_landed() {
    const TOPIC: &str = "pg.public.kinds";
    let (broker, store, postgres) = (Broker::shared(), Store::directory(), Postgres::start());
    broker.create_topic(TOPIC, 1);
    let java = java_worker::start(&[("plugin.path", text(&cache("debezium")).as_str())]);
    postgres.run(&[TABLE]);
    let run = |statements: Vec<String>| postgres.run(&statements.iter().map(String::as_str).collect::<Vec<_>>());
    let records = |wanted: i64| {
        wait_until(&format!("{wanted} records; log: {}", java.log().display()), secs(60), || {
            let end = broker.end_offsets(TOPIC)[&0];
            assert!(end <= wanted, "{end} records where {wanted} were awaited");
            (end == wanted).then_some(())
        });
    };
    // The table as it is, then its changes: an event each, and a tombstone after a delete.
    run((0..9).map(insert).collect());
    java.create("pg", &connector(&postgres));
    records(9);
    run((9..30).map(insert).collect());
    run(vec![
        "update kinds set line = 'changed', small = 7 where id < 12".into(),
        "delete from kinds where id % 5 = 0".into(),
        "alter table kinds add column added numeric(6, 1)".into(),
    ]);
    run((30..40).map(|n| insert(n).replace("'<a>1</a>')", "'<a>1</a>', 9.5)")).collect());
    run(vec!["update kinds set added = -1.5 where id in (4, 6)".into()]);
    run(vec!["update kinds set id = id + 1000, words = '{new}' where id in (1, 2, 3)".into()]);
    // A changed key is a delete and an insert.
    records(9 + 21 + 12 + 2 * 6 + 10 + 2 + 3 * 3);

    let copy = store.landed().join("kinds.csv");
    let query = "copy (select * from kinds order by id) to stdout (format csv, header, null '\\N')";
    fs::write(&copy, postgres.run(&["set intervalstyle = iso_8601", query])).expect("a file");
    let worker = Worker::start(&broker.bootstrap(), &[]);
    for types in ["confluent", "native"] {
        worker.create(types, &sink(&store, TOPIC, types));
    }
    for types in ["confluent", "native"] {
        worker.await_landed(broker, types, TOPIC);
        let found = read::python("debezium.py", &[&text(&store.landed().join(types)), &text(&copy)]);
        assert_eq!(found["differences"], json!([]), "{types}: {found:#}");
        let shape = (&found["rows"], &found["columns"], &found["schemas"]);
        assert_eq!(shape, (&json!(34), &json!(32), &json!(2)), "{types}: {found:#}");
    }
}

/// Lands the rows of the events in `topic`, deleted ones too, with columns of these `types`.
fn sink(store: &Store, topic: &str, types: &str) -> Value {
    json!({
        "connector.class": "io.landfall.azure.AzureDataLakeSink",
        "tasks.max": "1",
        "topics": topic,
        "store.url": format!("file://{}", store.landed().display()),
        "topics.dir": types,
        "landfall.types": types,
        "landfall.columns": "__offset",
        "landfall.rotate.idle.ms": "300",
        "key.converter": "org.apache.kafka.connect.json.JsonConverter",
        "key.converter.schemas.enable": "true",
        "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        "value.converter.schemas.enable": "true",
        "transforms": "unwrap",
        "transforms.unwrap.type": "io.debezium.transforms.ExtractNewRecordState",
        "transforms.unwrap.delete.tombstone.handling.mode": "rewrite",
        "transforms.unwrap.add.fields": "op,source.lsn",
    })
}

fn text(path: &Path) -> String {
    path.to_str().expect("a path of text").to_owned()
}
