use std::time::Duration;

use azure_core::http::Url;

use super::*;
use crate::credential::Credential;
use crate::landing::tests::{faults, given, path};

const KEY: &str = "AccountName=acct;AccountKey=cHNzc3Q=";
const GOOD: &[(&str, &str)] = &[(CONNECTION_STRING, KEY), ("azure.storage.container.name", "lake")];

fn landing(changes: &[(&str, &str)]) -> Landing {
    let mut faults = Faults::default();
    let landing = read(&given(GOOD, changes), &mut faults);
    assert!(faults.is_empty(), "{faults}");
    landing.expect("no faults")
}

#[test]
fn files_land_in_the_container_or_a_directory() {
    let azure = landing(&[]);
    let url = "https://acct.blob.core.windows.net/lake";
    assert!(matches!(&azure.place, Place::Container(found, Credential::Key(_)) if found.as_str() == url), "{azure:?}");
    assert!(!format!("{azure:?}").contains("cHNzc3Q"));
    let endpoint =
        [(CONNECTION_STRING, "BlobEndpoint=https://acct.blob.core.windows.net"), ("landfall.azure.credential", "azure-cli")];
    let entra = landing(&endpoint);
    assert!(matches!(&entra.place, Place::Container(found, Credential::Token(_)) if found.as_str() == url), "{entra:?}");
    let state = landing(&[("landfall.state.container", "pointers")]).state;
    assert_eq!(state.as_ref().map(Url::as_str), Some("https://acct.blob.core.windows.net/pointers"));
    let local = landing(&[(CONNECTION_STRING, "-"), ("store.url", "file:///tmp/x")]);
    assert!(matches!(local.place, Place::Directory(root) if root.to_str() == Some("/tmp/x")));
}

#[test]
fn a_file_has_the_name_that_the_template_says() {
    for (changes, suffix, expected) in [
        (&[][..], "", "orders-3-42"),
        (&[], ".r1", "orders-3-42.r1"),
        (&[("file.compression.type", "gzip")], "", "orders-3-42.gz"),
        (&[("file.compression.type", "gzip")], ".r1", "orders-3-42.r1.gz"),
        (&[("format.output.type", "avro"), ("file.compression.type", "zstd")], "", "orders-3-42.avro.zst"),
        (&[("format.output.type", "parquet"), ("file.compression.type", "snappy")], "", "orders-3-42.snappy"),
        (&[("file.name.prefix", "raw/cdc-")], "", "raw/cdc-orders-3-42"),
        (
            &[(TEMPLATE, "{{topic}}/{{ partition:padding=true }}/{{start_offset:padding=true}}.csv.gz")],
            ".xab12",
            "orders/0000000003/00000000000000000042.xab12.csv.gz",
        ),
        (
            &[
                (
                    TEMPLATE,
                    "y={{timestamp:unit=YYYY}}/{{timestamp:unit=MM}}-{{timestamp:unit=dd}}/{{timestamp:unit=HH}}/{{topic}}-{{partition}}-{{start_offset}}",
                ),
                ("file.name.timestamp.source", "EVENT"),
                ("file.name.timestamp.timezone", "Europe/Berlin"),
            ],
            "",
            "y=2026/11-21/21/orders-3-42",
        ),
        (&[(TEMPLATE, "{{key}}/{{topic}}-{{partition}}-{{start_offset}}")], "", "k%2F1/orders-3-42"),
    ] {
        assert_eq!(path(&landing(changes), suffix), expected, "{changes:?}");
    }
}

#[test]
fn a_file_holds_what_the_format_says() {
    let parts = |parts: &[Part], bare: bool| Envelope { style: Style::Aiven, parts: parts.to_vec(), bare };
    let value = [Part::Value];
    let csv = |base64, compression| Format::Csv(csv::Options { lines: csv::Lines::Parts { base64 }, compression });
    let json = |framing, compression| Format::Json(json::Options { compression, framing, numeric: false });
    let fields = ("format.output.fields", "Key, value,offset,timestamp,headers");
    let all = [Part::Key, Part::Value, Part::Offset, Part::Timestamp, Part::Headers];
    for (changes, format, envelope, nulls) in [
        (&[][..], csv(true, Compression::None), parts(&value, false), NullValues::Write),
        (
            &[("format.output.fields.value.encoding", "none"), ("file.compression.type", "snappy"), fields],
            csv(false, Compression::Snappy),
            parts(&all, false),
            NullValues::Write,
        ),
        (
            &[("format.output.type", "json"), ("file.compression.type", "zstd")],
            json(json::Framing::Array, Compression::Zstd),
            parts(&value, false),
            NullValues::Write,
        ),
        (
            &[("format.output.type", "JSONL"), ("format.output.envelope", "false")],
            json(json::Framing::Between, Compression::None),
            parts(&value, true),
            NullValues::Write,
        ),
        (
            &[("format.output.type", "avro"), ("avro.codec", "snappy"), ("connect.meta.data", "false")],
            Format::Avro(avro::Options {
                codec: avro::Codec::Snappy,
                enhanced: false,
                meta_data: false,
                compression: Compression::None,
            }),
            parts(&value, false),
            NullValues::Fail,
        ),
    ] {
        let layout = landing(changes).layout().expect("a layout");
        let found = (layout.columns.format, layout.columns.envelope, layout.nulls);
        assert_eq!(found, (format, Some(envelope), nulls), "{changes:?}");
    }
    let parquet =
        landing(&[("format.output.type", "parquet"), ("file.compression.type", "zstd"), ("landfall.parquet.page.bytes", "4096")]);
    let zstd = landfall_lake::encode::parquet::Codec::named("zstd").expect("a codec");
    assert!(matches!(&parquet.format, Format::Parquet(options) if options.codec == zstd && options.page_bytes == 4096));
}

#[test]
fn a_file_ends_by_its_age_and_its_records() {
    let layout = |changes: &[(&str, &str)]| landing(changes).layout().expect("a layout");
    let usual = layout(&[]);
    assert_eq!((usual.rotation.flush_size, usual.rotation.open), (None, Some(Duration::from_secs(60))));
    assert_eq!((usual.rotation.apart, usual.flush_on_stop, usual.retry_backoff), (true, true, Duration::from_secs(5)));
    let set = layout(&[("file.max.records", "7"), ("landfall.rotate.open.ms", "9"), ("kafka.retry.backoff.ms", "11")]);
    assert_eq!((set.rotation.flush_size, set.rotation.open), (Some(7), Some(Duration::from_millis(9))));
    assert_eq!(set.retry_backoff, Duration::from_millis(11));
    let shown = AivenAzureBlobSink.keys().into_iter().find(|key| key.name == "landfall.rotate.open.ms");
    assert_eq!(shown.and_then(|key| key.default), Some("60000"));
}

#[test]
fn what_is_missing_or_wrong_is_said() {
    let long = "x".repeat(1025);
    let too_long = format!("Invalid value {long} for configuration file.name.prefix: cannot be longer than 1024 characters");
    let sets = "unsupported set of template variables, supported sets are: topic,partition,start_offset,timestamp; topic,partition,key,start_offset,timestamp; key; key,topic,partition";
    let wrong_sets = format!("Invalid value {{{{topic}}}}-{{{{partition}}}} for configuration file.name.template: {sets}");
    for (changes, why) in [
        (&[(CONNECTION_STRING, "-")][..], "The configuration azure.storage.connection.string cannot be null."),
        (
            &[(CONNECTION_STRING, "pssst")],
            "Invalid value for configuration azure.storage.connection.string: part 1 of the connection string is not name=value",
        ),
        (
            &[("azure.storage.container.name", "-")],
            "Missing required configuration \"azure.storage.container.name\" which has no default value.",
        ),
        (
            &[("azure.storage.container.name", "")],
            "Invalid value  for configuration azure.storage.container.name: String must be non-empty",
        ),
        (&[("file.name.prefix", &long)], &too_long),
        (
            &[("file.name.prefix", "{{topic}}")],
            "Invalid value {{topic}} for configuration file.name.prefix: it cannot have {{: only the template has variables",
        ),
        (&[(TEMPLATE, "{{topic}}-{{partition}}")], &wrong_sets),
        (
            &[(TEMPLATE, "k{{key}}")],
            "Invalid value k{{key}} for configuration file.name.template: a template with {{key}} and without {{start_offset}} has one file for each key, which newer records overwrite: files are never overwritten here, add {{topic}}, {{partition}} and {{start_offset}}",
        ),
        (
            &[("file.compression.type", "lz4")],
            "Invalid value lz4 for configuration file.compression.type: supported values are: 'none', 'gzip', 'snappy', 'zstd'",
        ),
        (
            &[("file.max.records", "-1")],
            "Invalid value -1 for configuration file.max.records: must be a non-negative integer number",
        ),
        (
            &[("file.name.timestamp.timezone", "Mars")],
            "Invalid value Mars for configuration file.name.timestamp.timezone: The datetime zone id 'Mars' is not recognised",
        ),
        (
            &[("file.name.timestamp.source", "field")],
            "Invalid value field for configuration file.name.timestamp.source: Unknown timestamp source: field",
        ),
        (
            &[("format.output.type", "xml")],
            "Invalid value xml for configuration format.output.type: Supported values are: 'avro', 'csv', 'json', 'jsonl', 'parquet'",
        ),
        (
            &[("format.output.fields", "key,name")],
            "Invalid value key,name for configuration format.output.fields: supported values are: 'key', 'value', 'offset', 'timestamp', 'headers'",
        ),
        (&[("format.output.fields", "")], "Invalid value  for configuration format.output.fields: cannot be empty"),
        (
            &[("format.output.fields.value.encoding", "hex")],
            "Invalid value hex for configuration format.output.fields.value.encoding: supported values are: 'none', 'base64'",
        ),
        (
            &[("format.output.fields", "key,value"), ("format.output.envelope", "false")],
            "When format.output.envelope is false, format.output.fields must contain only one field",
        ),
        (
            &[("kafka.retry.backoff.ms", "86400001")],
            "Invalid value 86400001 for configuration kafka.retry.backoff.ms: Value must be no more than 86400000 (24 hours)",
        ),
        (
            &[("avro.codec", "xz")],
            "Invalid value xz for configuration avro.codec: String must be one of: null, deflate, snappy, bzip2, zstandard",
        ),
        (
            &[("connect.parquet.block.size", "1")],
            "connect.parquet.block.size is not supported: Hadoop's keys of Parquet are landfall.parquet.… here",
        ),
        (
            &[("store.url", "https://acct.blob.core.windows.net")],
            "Invalid value for configuration store.url: here it can only be a directory, file:///<absolute path>",
        ),
        (
            &[("store.url", "file:///tmp/x"), ("landfall.state.container", "pointers")],
            "landfall.state.container cannot be given: a directory keeps its commit pointers itself",
        ),
        (
            &[("landfall.columns", "__offset")],
            "landfall.columns cannot be given: files of this format hold nothing but the values",
        ),
    ] {
        assert_eq!(faults(&AivenAzureBlobSink, GOOD, changes), [why], "{changes:?}");
    }
}

#[test]
fn what_has_no_effect_is_warned_about() {
    let set = given(
        GOOD,
        &[("azure.retry.backoff.max.attempts", "1"), ("azure.user.agent", "me"), ("landfall.parquet.page.bytes", "4096")],
    );
    let warned = AivenAzureBlobSink.warnings(&set);
    let tries = "azure.retry.backoff.max.attempts has no effect in Landfall: what fails is tried again after kafka.retry.backoff.ms, until the task stops";
    assert!(warned.iter().any(|warning| warning == tries), "{warned:?}");
    assert_eq!(warned.len(), 3, "{warned:?}");
    let idle = [
        ("format.output.type", "json"),
        ("format.output.fields.value.encoding", "none"),
        ("file.name.timestamp.source", "event"),
        ("store.url", "file:///tmp/x"),
    ];
    let warned = [
        "format.output.fields.value.encoding has no effect in Landfall: files are not csv",
        "file.name.timestamp.source has no effect in Landfall: names have no timestamp",
        "azure.storage.connection.string has no effect in Landfall: store.url names a directory",
    ];
    assert_eq!(AivenAzureBlobSink.warnings(&given(GOOD, &idle)), warned);
    let keys = AivenAzureBlobSink.keys();
    assert!(keys.iter().all(|key| key.name != "flush.size" && key.name != "landfall.path.template"));
}
