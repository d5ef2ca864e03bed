//! `docs/options.md`: every option, with a test that fails when the option is ignored.
//!
//! The tests are named in `tests/options.tsv`, a line each: the class without its package and without `$Key` and `$Value`, a point and
//! the key (the class alone if it has no keys; `lake` for the keys that all lake sinks share, `connector` for those of every sink
//! connector, `*` for a key that several converters share), a tab, and the test: the path of its file, `::` and the function, or the
//! path of a file of recorded cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::Path;

use arrow_array::BinaryArray;
use arrow_schema::DataType;
use landfall::config::provider::PROVIDERS;
use landfall::convert::CONVERTERS;
use landfall::herder::connector_config::ConnectorKeys;
use landfall::plugins::{SINKS, simple_name};
use landfall::transform::TRANSFORMS;
use landfall::transform::predicate::PREDICATES;
use landfall_api::{Effect, Key, Output, Records, Role};
use landfall_lake::config::LakeConfig;

use crate::support::registry::Registry;
use crate::types;

const LIST: &str = "tests/options.tsv";
const PAGE: &str = "docs/options.md";

/// Options that belong together.
struct Scope {
    heading: &'static str,
    name: String,
    keys: Vec<Key>,
}

/// All classes in the order of their tables.
fn scopes() -> Vec<Scope> {
    let mut all: Vec<Scope> = Vec::new();
    let mut add = |heading, class: &str, keys: Vec<Key>| {
        let name = simple_name(class).split('$').next().unwrap_or_default().to_owned();
        if !all.iter().any(|scope| scope.name == name && scope.heading == heading) {
            all.push(Scope { heading, name, keys });
        }
    };
    CONVERTERS.iter().for_each(|class| add("Converters", class.class(), class.keys().to_vec()));
    TRANSFORMS.iter().for_each(|class| add("Transforms", class.class(), class.keys().to_vec()));
    PREDICATES.iter().for_each(|class| add("Predicates", class.class(), class.keys().to_vec()));
    PROVIDERS.iter().for_each(|class| add("Config providers", class.class, class.keys.to_vec()));
    add("Every sink connector", "connector", ConnectorKeys::KEYS.to_vec());
    let shared: Vec<Key> = LakeConfig::keys().collect();
    for class in SINKS {
        let own = class.keys().into_iter().filter(|key| !shared.iter().any(|other| other.name == key.name));
        add("Sinks", class.class(), own.collect());
    }
    add("Sinks", "lake", shared);
    all
}

impl Scope {
    /// The options that something must come of, as the list names them.
    fn options(&self) -> Vec<String> {
        let full = self.keys.iter().filter(|key| key.effect == Effect::Full);
        let options: Vec<_> = full.map(|key| format!("{}.{}", self.name, key.name)).collect();
        if self.keys.is_empty() { vec![self.name.clone()] } else { options }
    }
}

/// The test of an option: that of the option itself, or of all that share the key.
fn test_of<'a>(tests: &'a BTreeMap<String, String>, scope: &Scope, option: &str) -> Option<&'a String> {
    let shared = || option.strip_prefix(&scope.name).map(|key| format!("*{key}"));
    tests.get(option).or_else(|| tests.get(&shared()?))
}

fn tests() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeMap::new();
    for (n, line) in fs::read_to_string(root.join(LIST)).expect("the list").lines().enumerate() {
        let (option, test) = line.split_once('\t').unwrap_or_else(|| panic!("{LIST}:{}: no tab in {line:?}", n + 1));
        assert!(tests.insert(option.to_owned(), test.to_owned()).is_none(), "{LIST}:{}: {option} is there twice", n + 1);
    }
    tests
}

/// Why there is no such test.
fn missing(test: &str, option: &str) -> Option<String> {
    let (path, function) = test.split_once("::").map_or((test, None), |(path, function)| (path, Some(function)));
    let Ok(text) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)) else {
        return Some(format!("{option}: there is no file {path}"));
    };
    let there = match function {
        Some(function) => text.contains(&format!("fn {function}(")),
        None => option.split_once('.').is_none_or(|(_, key)| text.contains(&format!("\"{key}\""))),
    };
    (!there).then(|| format!("{option}: {test} is not in the sources"))
}

#[test]
fn every_option_has_a_test_that_fails_without_it() {
    let (tests, mut lacking, mut used) = (tests(), Vec::new(), BTreeSet::new());
    for scope in scopes() {
        for option in scope.options() {
            match test_of(&tests, &scope, &option) {
                Some(test) => {
                    used.insert(test.clone());
                }
                None => lacking.push(format!("{option}\t")),
            }
        }
    }
    let mut faults: Vec<String> = tests.iter().filter_map(|(option, test)| missing(test, option)).collect();
    faults.extend(tests.iter().filter(|(_, test)| !used.contains(*test)).map(|(option, _)| format!("{option}: no such option")));
    let (faults, lacking) = (faults.join("\n"), lacking.join("\n"));
    assert!(faults.is_empty() && lacking.is_empty(), "{LIST}:\n{faults}\nthese lines are to be completed in it:\n{lacking}");
}

#[test]
fn the_reference_of_options_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("the page");
    }
    assert!(fs::read_to_string(&path).is_ok_and(|found| found == page), "{PAGE} is not what is declared: make reference");
}

fn page() -> String {
    let (tests, mut heading) = (tests(), "");
    let mut text = "<!-- Generated: make reference -->\n\n# Options and their tests\n\nEach option that changes something is beside a \
                    test that fails when it is ignored. A configuration that gives one of those that are refused another value than its \
                    default is not taken; those without effect are known, and warned about. What they do: [reference](reference/README.md).\n"
        .to_owned();
    for scope in scopes() {
        if scope.heading != heading {
            heading = scope.heading;
            let _ = writeln!(text, "\n## {heading}");
        }
        let _ = writeln!(text, "\n### {}\n\n| Option | Test |\n|---|---|", scope.name);
        let test = |option: &str| test_of(&tests, &scope, option).map_or("**none**", String::as_str);
        if scope.keys.is_empty() {
            let _ = writeln!(text, "| the class | `{}` |", test(&scope.name));
        }
        for key in &scope.keys {
            let option = format!("{}.{}", scope.name, key.name);
            let says = match key.effect {
                Effect::Full => format!("`{}`", test(&option)),
                Effect::Refused => "refused".to_owned(),
                Effect::Nothing(why) => format!("no effect: {why}"),
            };
            let _ = writeln!(text, "| `{}` | {} |", key.name, says.replace('|', "\\|"));
        }
    }
    text
}

/// The faults of `AvroConverter` with these keys beside a registry's URL.
fn registry_faults(more: &[(&str, &str)]) -> Vec<String> {
    let given = [("schema.registry.url", "https://127.0.0.1:1")];
    let properties = given.iter().chain(more).map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
    let faults = landfall::convert::build("AvroConverter", &properties, Role::Value).err();
    faults.into_iter().flat_map(|faults| faults.0).map(|fault| fault.key).collect()
}

#[test]
fn what_a_registrys_client_cannot_do_is_refused_by_its_key() {
    assert_eq!(registry_faults(&[]), [""; 0]);
    for (key, value) in [
        ("use.latest.with.metadata", "a=b"),
        ("use.latest.version", "true"),
        ("schema.format", "resolved"),
        ("rule.executors", "a"),
        ("rule.actions", "a"),
        ("bearer.auth.issuer.endpoint.url", "http://x"),
        ("bearer.auth.client.id", "a"),
        ("bearer.auth.client.secret", "a"),
        ("bearer.auth.scope", "a"),
        ("bearer.auth.custom.provider.class", "a"),
        ("context.name.strategy", "x.Y"),
        ("key.schema.id.deserializer", "x.Y"),
        ("value.schema.id.deserializer", "x.Y"),
        ("http.connect.timeout.ms", "-1"),
        ("schema.registry.ssl.provider", "a"),
        ("schema.registry.ssl.cipher.suites", "a"),
        ("schema.registry.ssl.keystore.location", "/nowhere.jks"),
        ("schema.registry.ssl.keystore.password", "a"),
        ("schema.registry.ssl.key.password", "a"),
        ("schema.registry.ssl.keystore.key", "no PEM"),
        ("schema.registry.ssl.truststore.certificates", "no PEM"),
        ("schema.registry.ssl.truststore.location", "/nowhere.jks"),
        ("schema.registry.ssl.truststore.password", "a"),
        ("schema.registry.ssl.endpoint.identification.algorithm", "none"),
        ("schema.registry.ssl.engine.factory.class", "a"),
    ] {
        assert!(!registry_faults(&[(key, value)]).is_empty(), "{key}={value} is taken");
    }
}

/// What a registry's client asks of what listens, at this URL or as its proxy: the first line and the headers, in lower case.
fn asked(more: &[(&str, &str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port().to_string();
    let heard = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a client");
        let lines = BufReader::new(stream).lines().map_while(Result::ok).take_while(|line| !line.is_empty());
        lines.collect::<Vec<_>>().join("\n").to_lowercase()
    });
    let url = format!("http://127.0.0.1:{port}");
    let given = [("schema.registry.url", &*url), ("max.retries", "0"), ("http.read.timeout.ms", "2000")];
    let properties = given.iter().chain(more).map(|(k, v)| ((*k).to_owned(), v.replace("PORT", &port))).collect();
    let mut converter = landfall::convert::build("AvroConverter", &properties, Role::Value).expect("a converter");
    let bytes = BinaryArray::from_iter_values([[0, 0, 0, 0, 1]]);
    assert!(converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).is_err(), "nothing is answered");
    heard.join().expect("a request")
}

#[test]
fn a_registrys_client_says_where_it_belongs_and_takes_the_proxy() {
    let token = [("bearer.auth.credentials.source", "STATIC_TOKEN"), ("bearer.auth.token", "t0ken")];
    let more = [("bearer.auth.identity.pool.id", "pool-1"), ("bearer.auth.logical.cluster", "lsrc-1")];
    let head = asked(&[&token[..], &more].concat());
    for line in ["authorization: bearer t0ken", "confluent-identity-pool-id: pool-1", "target-sr-cluster: lsrc-1"] {
        assert!(head.contains(line), "{line} is not in {head}");
    }
    let head =
        asked(&[("schema.registry.url", "http://registry.invalid:8081"), ("proxy.host", "127.0.0.1"), ("proxy.port", "PORT")]);
    assert!(head.lines().next().is_some_and(|line| line.contains("registry.invalid:8081")), "{head}");
}

#[test]
fn a_registrys_client_begins_with_any_of_its_urls_if_told_so() {
    let registries = [Registry::start(), Registry::start()];
    let urls = registries.iter().map(Registry::url).collect::<Vec<_>>().join(",");
    let ask = |randomize: &str| {
        let given = [("schema.registry.url", &*urls), ("schema.registry.url.randomize", randomize), ("max.retries", "0")];
        let properties = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut converter = landfall::convert::build("AvroConverter", &properties, Role::Value).expect("a converter");
        let bytes = BinaryArray::from_iter_values([[0, 0, 0, 0, 1]]);
        converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("answered");
    };
    (0..10).for_each(|_| ask("false"));
    assert!(registries[1].requests().is_empty(), "the second was asked though the first answers");
    // One in a thousand million runs asks only the first.
    (0..30).for_each(|_| ask("true"));
    assert!(!registries[1].requests().is_empty(), "the second was never asked");
}

#[test]
fn bytes_behind_an_avro_value_are_refused_if_told_so() {
    let registry = Registry::start();
    registry.avro(1, "\"long\"");
    for (fail, taken) in [("false", true), ("true", false)] {
        let given = [("schema.registry.url", registry.url()), ("avro.fail.on.trailing.data", fail.to_owned())];
        let properties = given.into_iter().map(|(k, v)| (k.to_owned(), v)).collect();
        let mut converter = landfall::convert::build("AvroConverter", &properties, Role::Value).expect("a converter");
        let bytes = BinaryArray::from_iter_values([[0, 0, 0, 0, 1, 2, 9]]);
        let runs = converter.convert(&Records { topic: "t", bytes: &bytes, headers: None }).expect("answered");
        assert_eq!(runs[0].column.is_ok(), taken, "{fail}: {runs:?}");
    }
}

#[test]
fn what_change_records_add_is_called_as_told() {
    let qlik = r#"{"magic":"atMSG","type":"DT","headers":null,"messageSchemaId":null,"messageSchema":null,"message":{"data":{"ID":"1"},
        "beforeData":null,"headers":{"operation":"INSERT","changeSequence":"20230321213419000000000000000000005",
        "timestamp":"2023-03-21T21:34:19.511","streamPosition":"1","transactionId":"2"}}}"#;
    let golden_gate = r#"{"table":"T","op_type":"I","op_ts":"2020-05-13 15:40:06.000000","current_ts":"2020-05-13T13:39:35.766000",
        "pos":"00000000000000000143","after":{"ID":1}}"#;
    let iidr = r#"{"ID":1,"J_OP":"PT","A_ENTTYP":"PT"}"#;
    for (class, message, member, more) in [
        ("landfall.transforms.QlikReplicate", qlik, "operation", None),
        ("landfall.transforms.GoldenGate", golden_gate, "op_type", None),
        ("landfall.transforms.IbmIidr", iidr, "A_ENTTYP", Some(("journal.fields", "A_ENTTYP,J_OP"))),
    ] {
        let given = [("add.fields", member), ("add.fields.prefix", "f_"), ("add.headers", member), ("add.headers.prefix", "h_")];
        let properties = given.into_iter().chain(more).map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        let class = TRANSFORMS.iter().find(|known| known.class() == class).expect("a class");
        let mut transform = class.build(&properties).unwrap_or_else(|faults| panic!("{faults}"));
        let mut out = Output::default();
        transform.apply(types::schemaless(message), &mut out);
        let batch = out.batches.first().unwrap_or_else(|| panic!("{:?}", out.rejected));
        let DataType::Struct(fields) = batch.value.field.data_type() else { panic!("{batch:?}") };
        let names: Vec<_> = fields.iter().map(|field| field.name().as_str()).collect();
        assert_eq!(names, ["ID", &format!("f_{member}")], "{}", class.class());
        assert!(format!("{:?}", batch.headers).contains(&format!("h_{member}")), "{}: {:?}", class.class(), batch.headers);
    }
}
