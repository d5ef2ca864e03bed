//! The converter against a registry, with what can go wrong with one.

#[path = "../../../../tests/support/registry.rs"]
mod stand_in;

use std::time::Duration;

use landfall_api::Unavailable;
use serde_json::json;

use super::super::{ApicurioAvroConverterClass, AvroConverterClass};
use super::*;
use stand_in::Registry;

fn build(url: &str, more: &[(&str, &str)]) -> Result<Box<dyn Converter>, Faults> {
    let quick =
        [("schema.registry.url", url), ("retries.wait.ms", "1"), ("retries.max.wait.ms", "2"), ("http.read.timeout.ms", "300")];
    let all = quick.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    AvroConverterClass.build(&all, Role::Value)
}

/// The first row, or its error, of a record with the schema `id` that holds the string "a".
fn convert(converter: &mut dyn Converter, id: u8) -> Result<Result<String, String>, Unavailable> {
    let bytes: BinaryArray = [Some(&[0, 0, 0, 0, id, 2, b'a'][..])].into_iter().collect();
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None })?;
    let column = runs[0].column.as_ref();
    Ok(column
        .map(|column| values::json(&column.array, 0).to_string())
        .map_err(|error| error.message.rsplit("Exception: ").next().unwrap_or_default().to_owned()))
}

fn a() -> Result<Result<String, String>, Unavailable> {
    Ok(Ok("\"a\"".to_owned()))
}

#[test]
fn schemas_are_asked_for_once() {
    let registry = Registry::start();
    registry.avro(1, "\"string\"");
    let mut converter = build(&registry.url(), &[]).expect("valid");
    assert_eq!(convert(&mut *converter, 1), a());
    registry.forget(1);
    assert_eq!(convert(&mut *converter, 1), a());
    assert_eq!(registry.requests(), ["GET /schemas/ids/1"]);
}

#[test]
fn an_id_that_the_registry_lacks_is_refused_and_asked_for_again() {
    let registry = Registry::start();
    let mut converter = build(&registry.url(), &[]).expect("valid");
    let missing = "Error retrieving Avro value schema for id 1: Schema not found; error code: 40403";
    assert_eq!(convert(&mut *converter, 1), Ok(Err(missing.to_owned())));
    registry.avro(1, "\"string\"");
    assert_eq!(convert(&mut *converter, 1), a());

    let mut remembers = build(&registry.url(), &[("missing.id.cache.ttl.sec", "60")]).expect("valid");
    for _ in 0..2 {
        assert!(convert(&mut *remembers, 2).expect("available").is_err());
    }
    assert_eq!(registry.requests().len(), 3);
}

#[test]
fn a_registry_that_is_away_makes_all_wait() {
    let registry = Registry::start();
    registry.avro(1, "\"string\"");
    let mut converter = build(&registry.url(), &[("max.retries", "2")]).expect("valid");
    registry.fail(3, 503);
    let error = convert(&mut *converter, 1).expect_err("unavailable").0;
    assert_eq!(
        error,
        format!(
            "the schema registry at {} does not answer: 503: Error in the backend data store; error code: 50001",
            registry.url()
        )
    );
    registry.fail(2, 500);
    assert_eq!(convert(&mut *converter, 1), a());
    assert_eq!(registry.requests().len(), 6);

    registry.avro(2, "\"string\"");
    registry.down(true);
    assert!(convert(&mut *converter, 2).is_err());
    registry.down(false);
    registry.slow(Duration::from_secs(1));
    assert!(convert(&mut *converter, 2).is_err());
    registry.slow(Duration::ZERO);
    assert_eq!(convert(&mut *converter, 2), a());
}

#[test]
fn the_next_url_is_asked_when_one_does_not_answer() {
    let (away, registry) = (Registry::start(), Registry::start());
    registry.answer("/path/schemas/ids/1", json!({"schema": "\"string\""}));
    away.down(true);
    let urls = format!("{}, {}/path/", away.url(), registry.url());
    let mut converter = build(&urls, &[("max.retries", "0")]).expect("valid");
    assert_eq!(convert(&mut *converter, 1), a());
    assert_eq!((away.requests().len(), registry.requests().len()), (1, 1));
}

#[test]
fn credentials_are_sent_and_never_shown() {
    let registry = Registry::start();
    registry.avro(1, "\"string\"");
    registry.require("Basic bmFtZTpwQHNz");
    let mut without = build(&registry.url(), &[]).expect("valid");
    // Not a fault of the record, which is not to become a dead letter.
    let refused = convert(&mut *without, 1).expect_err("unavailable").0;
    for part in [&*registry.url(), "refuses the credentials (none are sent, is basic.auth", "Unauthorized; error code: 401"] {
        assert!(refused.contains(part), "{refused}");
    }
    let (source, user) = ("basic.auth.credentials.source", "basic.auth.user.info");
    let with_user = registry.url().replace("http://", "http://name:p@ss@");
    for (url, more) in [
        (registry.url(), &[(source, "USER_INFO"), (user, "name:p@ss")][..]),
        (registry.url(), &[(source, "USER_INFO"), ("schema.registry.basic.auth.user.info", "name:p@ss"), (user, "other:x")]),
        (registry.url(), &[("request.header.Authorization", "Basic bmFtZTpwQHNz")]),
        (with_user.clone(), &[]),
        (with_user.replace("p@ss", "%70%40ss"), &[]),
    ] {
        let mut converter = build(&url, more).expect("valid");
        assert_eq!(convert(&mut *converter, 1), a(), "{more:?}");
        assert!(!format!("{converter:?}").contains("bmFtZTpw") && !format!("{converter:?}").contains("p@ss"), "{converter:?}");
    }
    for (url, shown) in [
        ("http://name:p/ss@host:8081", "http://host:8081 for configuration schema.registry.url: write / as %2F"),
        ("name:p/ss@host:8081", "host:8081 for configuration schema.registry.url: it is no URL"),
    ] {
        let faults = build(url, &[]).expect_err(url).to_string();
        assert!(faults.starts_with(&format!("Invalid value {shown}")) && !faults.contains("ss@"), "{faults}");
    }
    registry.down(true);
    let error = convert(&mut *build(&with_user, &[("max.retries", "0")]).expect("valid"), 1).expect_err("unavailable");
    assert!(!error.0.contains("p@ss"), "{error}");
    registry.down(false);
    registry.require("Bearer t0ken");
    let bearer = [("bearer.auth.credentials.source", "STATIC_TOKEN"), ("schema.registry.bearer.auth.token", "t0ken")];
    assert_eq!(convert(&mut *build(&registry.url(), &bearer).expect("valid"), 1), a());
}

#[test]
fn references_come_before_what_refers_to_them() {
    let registry = Registry::start();
    let record = |name: &str, fields: &str| {
        json!({"type": "record", "name": name, "fields": serde_json::from_str::<serde_json::Value>(fields).unwrap()}).to_string()
    };
    let refers = |name: &str, subject: &str| json!([{"name": name, "subject": subject, "version": 1}]);
    registry.answer(
        "/schemas/ids/1",
        json!({"schema": record("A", r#"[{"name":"b","type":"B"}]"#), "references": refers("B", "the b"), "schemaType": "AVRO"}),
    );
    registry.answer(
        "/subjects/the%20b/versions/1",
        json!({"schema": record("B", r#"[{"name":"c","type":"C"}]"#), "references": refers("C", "c")}),
    );
    registry.answer("/subjects/c/versions/1", json!({"schema": record("C", r#"[{"name":"s","type":"string"}]"#)}));
    let mut converter = build(&registry.url(), &[]).expect("valid");
    assert_eq!(convert(&mut *converter, 1), Ok(Ok(r#"{"b":{"c":{"s":"a"}}}"#.to_owned())));
}

#[test]
fn what_cannot_be_done_is_refused_by_its_key() {
    for (key, value) in [
        ("schema.registry.url", "ftp://a:secret@b"),
        ("schema.registry.url", "mock://x"),
        ("schema.registry.url", "a:secret@b"),
        ("basic.auth.credentials.source", "SASL_INHERIT"),
        ("basic.auth.user.info", ""),
        ("bearer.auth.credentials.source", "OAUTHBEARER"),
        ("use.latest.version", "true"),
        ("rule.executors", "a"),
        ("context.name.strategy", "x.Y"),
        ("value.schema.id.deserializer", "x.Y"),
        ("avro.use.logical.type.converters", "true"),
        ("specific.avro.reader", "true"),
        ("schema.registry.ssl.truststore.location", "/nowhere.jks"),
        ("schema.registry.ssl.endpoint.identification.algorithm", "none"),
        ("retries.wait.ms", "-1"),
    ] {
        let more: &[_] =
            if key == "basic.auth.user.info" { &[("basic.auth.credentials.source", "USER_INFO")] } else { &[(key, value)] };
        let faults = build("https://localhost", more).map(drop).expect_err(key);
        assert!(faults.0.iter().any(|fault| fault.key == key), "{key}: {faults:?}");
        assert!(!faults.to_string().contains("secret"), "{faults}");
    }
    let faults = AvroConverterClass.build(&Properties::new(), Role::Key).map(drop).expect_err("no URL");
    assert_eq!(faults.to_string(), "Missing required configuration \"schema.registry.url\" which has no default value.");
}

fn apicurio(url: &str, more: &[(&str, &str)]) -> Box<dyn Converter> {
    let all = [("apicurio.registry.url", url), ("apicurio.registry.retry-backoff-ms", "1")];
    let all = all.iter().chain(more).map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    ApicurioAvroConverterClass.build(&all, Role::Value).expect("valid")
}

/// The first row, or its error, of a record that is `bytes` with a header.
fn convert_bytes(converter: &mut dyn Converter, bytes: &[u8], header: Option<(&str, &[u8])>) -> Result<String, String> {
    let bytes: BinaryArray = [Some(bytes)].into_iter().collect();
    let headers = header.map(|header| values::headers(&[&[header]]));
    let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: headers.as_ref() }).expect("available");
    let column = runs[0].column.as_ref();
    column.map(|column| values::json(&column.array, 0).to_string()).map_err(ToString::to_string)
}

#[test]
fn apicurios_ids_are_of_four_or_eight_bytes_or_in_a_header() {
    let registry = Registry::start();
    let [second, third] = ["v2", "v3"].map(|version| format!("{}/apis/registry/{version}", registry.url()));
    for (path, name) in
        [("v2/ids/globalIds/1", "a"), ("v2/ids/contentIds/1", "b"), ("v3/ids/contentIds/1", "c"), ("v3/ids/globalIds/1", "d")]
    {
        let schema = json!({"type": "record", "name": "R", "fields": [{"name": name, "type": "int"}]});
        registry.answer(&format!("/apis/registry/{path}"), schema);
    }
    registry.answer("/apis/ccompat/v7/schemas/ids/1", json!({"schema": "\"int\""}));
    let (four, eight): (&[u8], &[u8]) = (b"\0\0\0\0\x01\x02", b"\0\0\0\0\0\0\0\0\x01\x02");
    let (use_id, handler, headers) =
        ("apicurio.registry.use-id", "apicurio.registry.id-handler", "apicurio.registry.headers.enabled");
    let legacy = (handler, "io.apicurio.registry.serde.Legacy4ByteIdHandler");
    let either = (handler, "io.apicurio.registry.serde.OptimisticFallbackIdHandler");
    let id = &eight[1..9];
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a [u8], Option<(&'a str, &'a [u8])>, &'a str);
    let cases: [Case<'_>; 8] = [
        (&second, &[], eight, None, r#"{"a":1}"#),
        (&second, &[legacy, (use_id, "contentId")], four, None, r#"{"b":1}"#),
        (&third, &[], four, None, r#"{"c":1}"#),
        (&third, &[either, (use_id, "globalId")], four, None, r#"{"d":1}"#),
        (&third, &[either, (use_id, "globalId")], eight, None, r#"{"d":1}"#),
        (&third, &[(headers, "true")], b"\x02", Some(("apicurio.value.contentId", id)), r#"{"c":1}"#),
        (&second, &[(headers, "true")], b"\x02", Some(("apicurio.value.globalId", id)), r#"{"a":1}"#),
        (&format!("{}/apis/ccompat/v7", registry.url()), &[], four, None, "1"),
    ];
    for (url, more, bytes, header, expected) in cases {
        assert_eq!(convert_bytes(&mut *apicurio(url, more), bytes, header), Ok(expected.to_owned()), "{url} {more:?}");
    }
    let mut third = apicurio(&third, &[]);
    for (bytes, error) in [
        (&b"\x01\0\0\0\x01\x02"[..], "java.lang.IllegalStateException: Unknown magic byte!"),
        (b"\0\0\0", "java.nio.BufferUnderflowException: an id of too few bytes"),
        (
            b"\0\0\0\0\x02\x02",
            "org.apache.kafka.common.errors.SerializationException: Error retrieving Avro schema for id 2: Schema not found; error code: 40403",
        ),
    ] {
        assert_eq!(convert_bytes(&mut *third, bytes, None), Err(error.to_owned()));
    }
}

#[test]
fn a_schema_with_a_rule_for_readers_is_refused() {
    let registry = Registry::start();
    let rule = |mode: &str| json!({"schema": "\"string\"", "ruleSet": {"domainRules": [{"name": "pii", "type": "ENCRYPT", "mode": mode}]}});
    registry.answer("/schemas/ids/1", rule("WRITE"));
    registry.answer("/schemas/ids/2", rule("WRITEREAD"));
    let mut converter = build(&registry.url(), &[]).expect("valid");
    assert_eq!(convert(&mut *converter, 1), a());
    let error = "Error retrieving Avro value schema for id 2: its rule pii of type ENCRYPT is not supported";
    assert_eq!(convert(&mut *converter, 2), Ok(Err(error.to_owned())));
}
