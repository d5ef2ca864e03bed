use std::time::Duration;

use azure_core::http::Url;
use landfall_lake::encode::{Compression, Format, avro, bytes, csv, json, parquet};
use landfall_lake::envelope::{Envelope, Part, Style};

use super::*;
use crate::landing::tests::{faults, given, path};

const GOOD: &[(&str, &str)] = &[
    ("topics", "orders"),
    (KCQL, "INSERT INTO lake:raw SELECT * FROM orders"),
    (MODE, "Credentials"),
    (ACCOUNT, "acct"),
    (KEY, "cHNzc3Q="),
];

fn landing(changes: &[(&str, &str)]) -> Landing {
    let mut faults = Faults::default();
    let landing = read(&given(GOOD, changes), &mut faults);
    assert!(faults.is_empty(), "{changes:?}: {faults}");
    landing.expect("no faults")
}

/// What lands with `rest` behind the statement of [`GOOD`].
fn with(rest: &str, changes: &[(&str, &str)]) -> Landing {
    let kcql = format!("INSERT INTO lake:raw SELECT * FROM orders {rest}");
    landing(&[&[(KCQL, kcql.as_str())][..], changes].concat())
}

#[test]
fn files_land_in_the_container_of_the_statement() {
    let text = "AccountName=acct;AccountKey=cHNzc3Q=;BlobEndpoint=http://127.0.0.1:7/acct";
    for (changes, url) in [
        (&[][..], "https://acct.blob.core.windows.net/lake"),
        (&[(ENDPOINT, "https://acct.dfs.core.windows.net")], "https://acct.blob.core.windows.net/lake"),
        (&[(ENDPOINT, "http://127.0.0.1:7/acct")], "http://127.0.0.1:7/acct/lake"),
        (&[(MODE, "ConnectionString"), (CONNECTION_STRING, text), (KEY, "-")], "http://127.0.0.1:7/acct/lake"),
    ] {
        let landing = landing(changes);
        assert!(matches!(&landing.place, Place::Container(found, Credential::Key(_)) if found.as_str() == url), "{landing:?}");
        assert_eq!(landing.prefix, "raw");
        assert!(!format!("{landing:?}").contains("cHNzc3Q"));
    }
    let by_default = landing(&[(MODE, "-"), (KEY, "-")]);
    assert!(
        matches!(&by_default.place, Place::Container(_, credential) if credential.describe() == "the default credentials"),
        "{by_default:?}"
    );
    let local = landing(&[(MODE, "-"), (KEY, "-"), ("store.url", "file:///tmp/x")]);
    assert!(matches!(local.place, Place::Directory(root) if root.to_str() == Some("/tmp/x")));
    let state = landing(&[("landfall.state.container", "pointers")]).state;
    assert_eq!(state.as_ref().map(Url::as_str), Some("https://acct.blob.core.windows.net/pointers"));
}

#[test]
fn a_file_has_the_name_that_the_statement_says() {
    let codec = |codec: &'static str| (CODEC, codec);
    for (rest, changes, suffix, expected) in [
        ("", &[][..], "", "raw/orders/3/000000000042.json"),
        ("", &[], ".r1", "raw/orders/3/000000000042.r1.json"),
        ("", &[codec("GZIP")], "", "raw/orders/3/000000000042.gz"),
        ("STOREAS PARQUET", &[codec("ZSTD")], "", "raw/orders/3/000000000042.parquet"),
        ("STOREAS AVRO", &[codec("SNAPPY")], "", "raw/orders/3/000000000042.avro"),
        ("STOREAS `CSV_WITHHEADERS`", &[], "", "raw/orders/3/000000000042.csv"),
        ("STOREAS TEXT", &[], "", "raw/orders/3/000000000042.text"),
        ("STOREAS BYTES PROPERTIES('flush.count'=1)", &[], "", "raw/orders/3/000000000042.bytes"),
        ("PROPERTIES('partition.include.keys'=true)", &[], "", "raw/topic=orders/partition=3/000000000042.json"),
        ("PROPERTIES('key.suffix'='-a')", &[], "", "raw/orders/3/000000000042-a.json"),
        ("NOPARTITION", &[], "", "raw/orders(3_000000000042).json"),
        ("PARTITIONBY id, _value.name", &[], "", "raw/id=7/name=[missing]/orders(3_000000000042).json"),
        ("PARTITIONBY _key, _topic, _partition", &[], "", "raw/key=k%2F1/topic=orders/partition=3/orders(3_000000000042).json"),
        ("PARTITIONBY _date.`yyyy-MM-dd`, _date.HH", &[], "", "raw/date=2026-11-21/date=20/orders(3_000000000042).json"),
        ("PARTITIONBY id PROPERTIES('partition.include.keys'=false)", &[], "", "raw/7/orders(3_000000000042).json"),
        ("PROPERTIES('padding.type'=NoOp)", &[], "", "raw/orders/3/42.json"),
        ("PROPERTIES('padding.char'=0)", &[], "", "raw/orders/3/000000000042.json"),
        ("PROPERTIES('padding.length.offset'=4, 'padding.length.partition'=2)", &[], "", "raw/orders/03/0042.json"),
        ("PROPERTIES('padding.length.partition'=2)", &[], "", "raw/orders/03/42.json"),
        ("", &[(PADDING, "leftpad"), ("connect.datalake.padding.length", "5")], "", "raw/orders/3/00042.json"),
        ("", &[(PADDING, "LeftPad")], "", "raw/orders/3/000000000042.json"),
        ("", &[(PADDING, "NoOp")], "", "raw/orders/3/42.json"),
    ] {
        assert_eq!(path(&with(rest, changes), suffix), expected, "{rest} {changes:?}");
    }
    let root = landing(&[(KCQL, "INSERT INTO lake SELECT * FROM `*`")]);
    assert_eq!(path(&root, ""), "orders/3/000000000042.json");
}

#[test]
fn a_file_holds_what_the_statement_says() {
    let json = |compression| Format::Json(json::Options { compression, framing: json::Framing::Lines, numeric: true });
    let avro = |codec| Format::Avro(avro::Options { codec, ..avro::Options::default() });
    let csv = |names| Format::Csv(csv::Options { lines: csv::Lines::Fields { names }, compression: Compression::None });
    let brotli = parquet::Codec::named("brotli").expect("a codec");
    let level = |level: &'static str| (LEVEL, level);
    for (rest, changes, format) in [
        ("", &[][..], json(Compression::None)),
        ("STOREAS `json`", &[(CODEC, "gzip")], json(Compression::Gzip)),
        ("STOREAS AVRO", &[], avro(avro::Codec::Null)),
        ("STOREAS AVRO", &[(CODEC, "BZIP2")], avro(avro::Codec::Bzip2)),
        ("STOREAS AVRO", &[(CODEC, "DEFLATE"), level("9")], avro(avro::Codec::Deflate(9))),
        ("STOREAS AVRO", &[(CODEC, "ZSTD"), level("3")], avro(avro::Codec::Zstandard(3))),
        ("STOREAS PARQUET", &[(CODEC, "BROTLI")], Format::Parquet(brotli.into())),
        ("STOREAS CSV", &[], csv(false)),
        ("STOREAS CSV_WITHHEADERS", &[], csv(true)),
        (
            "STOREAS TEXT",
            &[],
            Format::Bytes(bytes::Options { extension: ".text".into(), text: true, ..bytes::Options::default() }),
        ),
        (
            "STOREAS BYTES PROPERTIES('flush.count'=1)",
            &[],
            Format::Bytes(bytes::Options { extension: ".bytes".into(), separator: vec![], ..bytes::Options::default() }),
        ),
    ] {
        assert_eq!(with(rest, changes).layout().expect("a layout").columns.format, format, "{rest} {changes:?}");
    }
}

#[test]
fn an_envelope_has_the_parts_that_are_asked_for() {
    let fields = |on: [bool; 4]| {
        let names = ["key", "value", "headers", "metadata"].iter().zip(on);
        let all: Vec<_> = names.map(|(name, on)| format!("'store.envelope.fields.{name}'={on}")).collect();
        format!("PROPERTIES('store.envelope'=true, {})", all.join(", "))
    };
    let all = vec![Part::Key, Part::Value, Part::Headers, Part::Metadata];
    for (rest, parts) in [
        (String::new(), None),
        ("PROPERTIES('store.envelope'=false)".to_owned(), None),
        ("STOREAS PARQUET PROPERTIES('store.envelope'=true)".to_owned(), Some(all.clone())),
        (fields([true; 4]), Some(all)),
        (fields([false, true, false, true]), Some(vec![Part::Value, Part::Metadata])),
    ] {
        let envelope = parts.map(|parts| Envelope { style: Style::Lenses, parts, bare: false });
        assert_eq!(with(&rest, &[]).layout().expect("a layout").columns.envelope, envelope, "{rest}");
    }
}

#[test]
fn records_without_a_value_are_what_the_format_makes_of_them() {
    let skip = ("connect.datalake.skip.null.values", "true");
    for (rest, changes, nulls) in [
        ("", &[][..], NullValues::Write),
        ("STOREAS PARQUET", &[], NullValues::Fail),
        ("STOREAS PARQUET PROPERTIES('store.envelope'=true)", &[], NullValues::Write),
        ("STOREAS PARQUET", &[skip], NullValues::Ignore),
        ("", &[skip], NullValues::Ignore),
    ] {
        assert_eq!(with(rest, changes).layout().expect("a layout").nulls, nulls, "{rest} {changes:?}");
    }
}

#[test]
fn a_file_ends_as_the_statement_says() {
    let layout = |rest: &str, changes: &[(&str, &str)]| with(rest, changes).layout().expect("a layout");
    let usual = layout("", &[]);
    let seconds = Duration::from_secs;
    assert_eq!((usual.rotation.flush_size, usual.rotation.size), (Some(50_000), Some(500_000_000)));
    assert_eq!((usual.rotation.open, usual.rotation.apart), (Some(seconds(3600)), true));
    assert_eq!((usual.retry_backoff, usual.flush_on_stop), (seconds(5), false));
    let set = layout(
        "PROPERTIES('flush.count'=7, 'flush.size'=8, 'flush.interval'=9)",
        &[(POLICY, "RETRY"), ("connect.datalake.retry.interval", "11"), ("landfall.rotate.idle.ms", "12")],
    );
    assert_eq!((set.rotation.flush_size, set.rotation.size, set.rotation.open), (Some(7), Some(8), Some(seconds(9))));
    assert_eq!((set.retry_backoff, set.rotation.idle), (Duration::from_millis(11), Some(Duration::from_millis(12))));
    let uncounted = layout("PROPERTIES('flush.count'=7)", &[("connect.datalake.disable.flush.count", "true")]);
    assert_eq!(uncounted.rotation.flush_size, None);
    assert_eq!(layout("", &[(POLICY, "RETRY")]).retry_backoff, seconds(60));
}

#[test]
fn several_topics_have_one_layout() {
    let two = "INSERT INTO lake:raw SELECT * FROM orders STOREAS AVRO; INSERT INTO lake:raw SELECT * FROM items STOREAS AVRO;";
    assert_eq!(landing(&[(KCQL, two), ("topics", "orders, items")]).prefix, "raw");
    let all = "INSERT INTO lake SELECT * FROM `*`";
    assert_eq!(landing(&[(KCQL, all), ("topics", "-"), ("topics.regex", "o.*")]).prefix, "");
    let other = "INSERT INTO lake:raw SELECT * FROM orders; INSERT INTO lake:raw SELECT * FROM items STOREAS AVRO";
    for (changes, why) in [
        (
            &[(KCQL, other), ("topics", "orders,items")][..],
            "all statements must be the same but for their topics, as a connector has one layout: INSERT INTO lake:raw SELECT * FROM orders, and: INSERT INTO lake:raw SELECT * FROM items STOREAS AVRO",
        ),
        (&[("topics", "orders,items")], "no statement is FROM items, which is one of topics"),
        (
            &[("topics", "-"), ("topics.regex", "o.*")],
            "topics.regex needs a statement FROM `*`: which topics it means is not known",
        ),
    ] {
        assert_eq!(faults(&LensesDatalakeSink, GOOD, changes), [why]);
    }
}

#[test]
fn what_a_statement_cannot_ask_for_is_said() {
    for (rest, why) in [
        ("LIMIT 5", "LIMIT does nothing in Lenses' sink, and nothing here: leave it out"),
        ("STOREAS ORC", "Unsupported format - ORC"),
        (
            "STOREAS Bytes_ValueOnly",
            "Unsupported format - BYTES_VALUEONLY: the key, the value and their sizes are no longer written as bytes",
        ),
        (
            "STOREAS BYTES",
            "flush.count > 1 is not allowed for BYTES. If you want to store N records as raw bytes use AVRO or PARQUET. If you are using BYTES but not specified a flush.count, then do so by adding flush.count = 1 to your KCQL PROPERTIES section.",
        ),
        ("STOREAS CSV PROPERTIES('store.envelope'=true)", "Envelope is not supported for format CSV."),
        (
            "PROPERTIES('store.envelope'=true, 'store.envelope.fields.key'=true)",
            "If store.envelope is set to true, then setting selective fields is not allowed. Either set them all or leave them out, they default to true.",
        ),
        (
            "PROPERTIES('store.envelope'=yes)",
            "Invalid value for configuration [store.envelope]. The value must be one of: true, false.",
        ),
        ("PROPERTIES('flush.count'=many)", "flush.count must be a number of at most 2147483647"),
        ("PROPERTIES('flush.interval'=259201)", "flush.interval must be a number of at most 259200"),
        ("PROPERTIES('padding.type'=RightPad)", "padding.type=RightPad is not supported: two offsets may have one name"),
        ("PROPERTIES('padding.char'=x)", "padding.char can only be 0"),
        ("PROPERTIES('padding.length.offset'=21)", "padding.length.offset must be a number of at most 20"),
        ("PROPERTIES('key.suffix'='a/b')", "key.suffix must not have a slash, a backslash or a control character"),
        ("PROPERTIES('store.file.namer'='com.acme.Namer')", "store.file.namer is not supported: Java classes cannot be loaded"),
        ("PROPERTIES('flush.rows'=1)", "there is no property flush.rows"),
        ("PARTITIONBY _header", "cannot partition by Header partition field without path"),
    ] {
        let kcql = format!("INSERT INTO lake:raw SELECT * FROM orders {rest}");
        assert_eq!(faults(&LensesDatalakeSink, GOOD, &[(KCQL, &kcql)]), [format!("{why} in: {kcql}")], "{rest}");
    }
    for (kcql, why) in [
        (
            "INSERT INTO Lake SELECT * FROM orders",
            "the container Lake cannot be: a container's name has 3 to 63 lower-case letters, digits and single hyphens between them",
        ),
        (
            "INSERT INTO lake:_landfall SELECT * FROM orders",
            "the folder _landfall cannot be: _landfall is where unfinished files are",
        ),
    ] {
        assert_eq!(faults(&LensesDatalakeSink, GOOD, &[(KCQL, kcql)]), [format!("{why} in: {kcql}")]);
    }
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let statement = |rest: &str| format!("INSERT INTO lake SELECT * FROM orders {rest}");
    let (avro, text, parquet) = (statement("STOREAS AVRO"), statement("STOREAS TEXT"), statement("STOREAS PARQUET"));
    let padded = statement("PROPERTIES('padding.type'=NoOp)");
    for (changes, why) in [
        (&[(KCQL, "-")][..], "Missing required configuration \"connect.datalake.kcql\" which has no default value."),
        (
            &[(MODE, "-")],
            "landfall.azure.credential and connect.datalake.azure.account.key are two credentials: give one of them",
        ),
        (
            &[(MODE, "sas")],
            "Invalid value sas for configuration connect.datalake.azure.auth.mode: String must be one of (case insensitive): credentials, connectionstring, default",
        ),
        (&[(ACCOUNT, "-")], "Missing required configuration \"connect.datalake.azure.account.name\" which has no default value."),
        (&[(KEY, "-")], "Missing required configuration \"connect.datalake.azure.account.key\" which has no default value."),
        (&[(KEY, "pssst!")], "Invalid value for configuration connect.datalake.azure.account.key: the account key is not base64"),
        (
            &[(MODE, "connectionstring")],
            "Missing required configuration \"connect.datalake.azure.connection.string\" which has no default value.",
        ),
        (
            &[(MODE, "connectionstring"), (CONNECTION_STRING, "pssst")],
            "Invalid value for configuration connect.datalake.azure.connection.string: part 1 of the connection string is not name=value",
        ),
        (
            &[(ENDPOINT, "https://acct.blob.core.windows.net/lake")],
            "Invalid value for configuration connect.datalake.endpoint: it must be the URL of an account",
        ),
        (&[(POLICY, "NOOP")], "connect.datalake.error.policy=NOOP is not supported: records would be lost"),
        (&[(CODEC, "SNAPPY")], "connect.datalake.compression.codec=SNAPPY cannot be: files of JSON are UNCOMPRESSED or GZIP"),
        (
            &[(KCQL, &text), (CODEC, "GZIP")],
            "connect.datalake.compression.codec=GZIP cannot be: only files of JSON, AVRO and PARQUET are compressed",
        ),
        (
            &[(KCQL, &avro), (CODEC, "XZ")],
            "connect.datalake.compression.codec=XZ cannot be: files of Avro are UNCOMPRESSED, SNAPPY, BZIP2, DEFLATE or ZSTD",
        ),
        (&[(KCQL, &avro), (CODEC, "ZSTD")], "connect.datalake.compression.level must be 1 to 22 for ZSTD"),
        (
            &[(KCQL, &parquet), (CODEC, "ZSTD"), (LEVEL, "3")],
            "connect.datalake.compression.level is of DEFLATE and ZSTD in Avro only: give landfall.parquet.compression.level",
        ),
        (&[(PADDING, "RightPad")], "connect.datalake.padding.strategy=RightPad is not supported: two offsets may have one name"),
        (
            &[(KCQL, &padded), (PADDING, "NoOp")],
            "connect.datalake.padding.strategy and padding properties in connect.datalake.kcql cannot be given both",
        ),
        (
            &[("connect.datalake.schema.change.detector", "version")],
            "connect.datalake.schema.change.detector=version is not supported: give landfall.schema=widen for files whose schema grows, instead of ending for each change",
        ),
        (
            &[("landfall.rotate.open.ms", "5")],
            "landfall.rotate.open.ms cannot be given: PROPERTIES in connect.datalake.kcql say it, as flush.size and flush.interval",
        ),
        (
            &[(KCQL, &text), ("landfall.columns", "__offset")],
            "landfall.columns cannot be given: files of this format hold nothing but the values",
        ),
    ] {
        assert_eq!(faults(&LensesDatalakeSink, GOOD, changes), [why], "{changes:?}");
    }
}

#[test]
fn every_key_of_the_java_class_is_known() {
    let names = "kcql azure.auth.mode azure.account.name azure.account.key azure.connection.string endpoint error.policy max.retries \
        retry.interval http.max.retries http.retry.interval http.socket.timeout http.connection.timeout pool.max.connections \
        compression.codec compression.level local.tmp.directory padding.strategy padding.length seek.max.files indexes.name \
        exactly.once.enable indexes.gc.interval.seconds indexes.gc.batch.size indexes.gc.sweep.enabled \
        indexes.gc.sweep.interval.seconds indexes.gc.sweep.min.age.seconds indexes.gc.sweep.max.reads schema.change.detector \
        skip.null.values latest.schema.optimization.enabled log.metrics disable.flush.count";
    let keys = LensesDatalakeSink.keys();
    for name in names.split_whitespace() {
        let name = format!("connect.datalake.{name}");
        assert_eq!(keys.iter().filter(|key| key.name == name).count(), 1, "{name}");
    }
    let set = given(GOOD, &[("connect.datalake.indexes.name", "x"), ("connect.datalake.log.metrics", "true")]);
    let warned = [
        "connect.datalake.indexes.name has no effect in Landfall: commit pointers are below _landfall",
        "connect.datalake.log.metrics has no effect in Landfall: metrics are the worker's, at /metrics",
    ];
    assert_eq!(LensesDatalakeSink.warnings(&set), warned);
    let idle = [(MODE, "connectionstring"), (CONNECTION_STRING, "x=y"), (RETRY, "1"), (LENGTH, "3")];
    let warned = [
        "connect.datalake.azure.account.name has no effect in Landfall: the connection string has the account",
        "connect.datalake.azure.account.key has no effect in Landfall: the connection string has the key",
        "connect.datalake.retry.interval has no effect in Landfall: the error policy is not RETRY",
        "connect.datalake.padding.length has no effect in Landfall: there is no padding strategy",
    ];
    assert_eq!(LensesDatalakeSink.warnings(&given(GOOD, &idle)), warned);
}
