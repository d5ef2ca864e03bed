//! Replays what Java's transforms made of the records in `tests/data/transforms`, whose README says what a case is.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, ListBuilder, StringBuilder, StructBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BinaryArray, Int64Array, ListArray, TimestampMillisecondArray};
use arrow_schema::{DataType, Field, Fields};
use landfall_api::{Batch, Properties, RawBatch, Role, TopicPartition};
use serde_json::{Map, Value, json};

use crate::convert::{Configured, Converters, build};
use crate::plugins::{Plugins, simple_name};
use crate::transform::Chain;

mod render;

/// Classes that have cases and are not here yet.
const MISSING: &[&str] = &[];

/// The environment variable with another folder of cases: those of `make test-long`, by chance.
const FOLDER: &str = "LANDFALL_TRANSFORM_CASES";

/// How the expected values are made anew.
const UPDATE: &str = "make transforms-golden";

/// One configuration, and records for it.
struct Case {
    /// File and name, for those who read failures.
    name: String,
    /// The classes in it.
    classes: Vec<String>,
    json: Value,
}

/// The cases of `tests/data/transforms`.
fn cases() -> Vec<Case> {
    cases_in(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/transforms"))
}

fn cases_in(folder: &Path) -> Vec<Case> {
    let mut files: Vec<PathBuf> = fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    files.retain(|file| file.extension().is_some_and(|extension| extension == "json"));
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file).expect("a file");
        let root: Value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        for json in root["cases"].as_array().expect("cases") {
            let classes = links(json).iter().map(|link| class(link, &root)).collect();
            let name = format!("{}: {}", file.file_stem().expect("a name").display(), json["name"].as_str().expect("a name"));
            cases.push(Case { name, classes, json: json.clone() });
        }
    }
    cases
}

fn class(link: &Value, root: &Value) -> String {
    link.get("class").unwrap_or(&root["class"]).as_str().expect("a class").to_owned()
}

fn links(case: &Value) -> Vec<Value> {
    case.get("chain").and_then(Value::as_array).cloned().unwrap_or_else(|| vec![case.clone()])
}

fn config(of: &Value) -> Properties {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    of["config"].as_object().into_iter().flatten().map(|(key, value)| (key.clone(), text(value))).collect()
}

impl Case {
    fn is_here(&self) -> bool {
        self.classes.iter().all(|class| !MISSING.contains(&&**class))
    }

    fn records(&self) -> &[Value] {
        self.json["records"].as_array().map_or(&[], Vec::as_slice)
    }

    /// What is expected of each record, or Java's refusal of the configuration; `ours` counts where there is one.
    fn expected(&self) -> Value {
        let java = self.json["expected"].clone();
        match (&java, self.json.get("ours")) {
            (Value::Array(java), Some(Value::Array(ours))) => {
                let both = ours.iter().zip(java);
                both.map(|(ours, java)| if ours == "same" { java.clone() } else { ours.clone() }).collect()
            }
            (_, ours) => ours.cloned().unwrap_or(java),
        }
    }

    /// The first fault of the configuration, if it has one.
    fn refused(&self) -> Option<String> {
        links(&self.json).iter().zip(&self.classes).find_map(|(link, class)| {
            let class = Plugins::BUILT_IN.transform(class).unwrap_or_else(|why| panic!("{why:?}"));
            class.build(&config(link)).err().map(|faults| faults.0[0].message.clone())
        })
    }

    fn chain(&self) -> Chain {
        let mut properties = Properties::new();
        let mut aliases = Vec::new();
        for (n, (link, class)) in links(&self.json).iter().zip(&self.classes).enumerate() {
            let mut put = |prefix: String, class: &str, config: Properties| {
                properties.extend(config.into_iter().map(|(key, value)| (format!("{prefix}.{key}"), value)));
                properties.insert(format!("{prefix}.type"), class.to_owned());
            };
            put(format!("transforms.t{n}"), class, config(link));
            if let Some(predicate) = link.get("predicate") {
                put(format!("predicates.p{n}"), predicate["class"].as_str().expect("a class"), config(predicate));
                properties.insert(format!("transforms.t{n}.predicate"), format!("p{n}"));
                properties.insert(format!("transforms.t{n}.negate"), (predicate["negate"] == true).to_string());
                let all = properties.entry("predicates".to_owned()).or_default();
                *all = format!("{all}{}p{n}", if all.is_empty() { "" } else { "," });
            }
            aliases.push(format!("t{n}"));
        }
        properties.insert("transforms".into(), aliases.join(","));
        Chain::new(&Plugins::BUILT_IN, &properties).expect("a valid chain")
    }

    /// The records of `rows` as a fetch.
    fn raw(&self, rows: &[usize]) -> RawBatch {
        let records: Vec<_> = rows.iter().map(|&row| &self.records()[row]).collect();
        let part = |name: &str| {
            let bytes = records.iter().map(|record| self.part(name, &record[name])).collect::<Vec<_>>();
            bytes.iter().map(|bytes| bytes.as_deref().map(str::as_bytes)).collect::<BinaryArray>()
        };
        let number = |record: &Value, key: &str, start: i64, row: usize| match &record[key] {
            Value::Null if record.get(key).is_some() => None,
            value => Some(value.as_i64().unwrap_or(start + row as i64)),
        };
        let numbers = |key: &'static str, start: i64| rows.iter().map(move |&row| number(&self.records()[row], key, start, row));
        RawBatch {
            origin: TopicPartition::new(
                self.json["topic"].as_str().unwrap_or("orders"),
                self.json["partition"].as_i64().unwrap_or(0) as i32,
            ),
            key: part("key"),
            value: part("value"),
            offset: numbers("offset", 0).collect::<Int64Array>(),
            timestamp: numbers("timestamp", 1_700_000_000_000).collect::<TimestampMillisecondArray>(),
            headers: headers(&records),
        }
    }

    /// The bytes of a key or value: an envelope.
    fn part(&self, name: &str, given: &Value) -> Option<String> {
        if given.is_null() {
            return None;
        }
        let schema = self.json.get(format!("{name}Schema"));
        Some(match schema.or((self.json["schemaless"] == true).then_some(&Value::Null)) {
            Some(schema) => json!({ "schema": schema, "payload": given }).to_string(),
            None => given.to_string(),
        })
    }

    /// The records of `rows`, and what becomes of each when they are taken together or, as slices of one batch,
    /// `apart` at a row: what changes, null if it is dropped, or the error.
    fn replayed(&self, rows: &[usize], apart: usize) -> Vec<(Map<String, Value>, Value)> {
        let raw = self.raw(rows);
        let (first, last) = (raw.offset.value(0), raw.offset.value(raw.len() - 1));
        let properties = Properties::from([("replace.null.with.default".to_owned(), "false".to_owned())]);
        let make = |class, role| Configured { class, converter: build(class, &properties, role).expect("valid") };
        let json = "org.apache.kafka.connect.json.JsonConverter";
        let mut converters = Converters {
            key: make(json, Role::Key),
            value: make(json, Role::Value),
            header: Configured {
                class: "",
                converter: build("SimpleHeaderConverter", &Properties::new(), Role::Header).expect("valid"),
            },
        };
        let converted = converters.convert(&Arc::new(raw.clone()), first..last + 1).expect("available");
        assert!(converted.refused.is_empty(), "{}: no record to begin with: {:?}", self.name, converted.refused);
        let mut outcome = vec![Value::Null; rows.len()];
        let mut chain = self.chain();
        let mut before = vec![Map::new(); rows.len()];
        let slices = converted.batches.iter().flat_map(|batch| {
            let at = apart.min(batch.len());
            [batch.slice(&(0..at)), batch.slice(&(at..batch.len()))]
        });
        for batch in slices.filter(|batch| !batch.is_empty()) {
            shown(&batch, |offset, record| before[raw.row_of(offset)] = record);
            let (mut refused, covers) = (Vec::new(), batch.covers.clone());
            let batches = chain.apply(batch, &mut refused);
            let covered = (batches[0].covers.start, batches[batches.len() - 1].covers.end);
            assert_eq!(covered, (covers.start, covers.end), "{}: what the batches cover", self.name);
            for refused in refused {
                outcome[raw.row_of(refused.offset)] = json!({ "error": refused.error.class, "message": refused.error.message });
            }
            for batch in batches {
                shown(&batch, |offset, mut record| {
                    let row = raw.row_of(offset);
                    record.retain(|key, value| before[row].get(key) != Some(value));
                    outcome[row] = Value::Object(record);
                });
            }
        }
        before.into_iter().zip(outcome).collect()
    }

    /// Where the outcome for `rows` is not what is expected.
    fn compare(&self, rows: &[usize], apart: usize, failures: &mut String) {
        let expected = self.expected();
        for ((before, outcome), &row) in self.replayed(rows, apart).into_iter().zip(rows) {
            let mut expected = expected[row].clone();
            for part in ["key", "value"] {
                if let Some(value) = expected.get_mut(part) {
                    *value = render::canonical(value);
                }
            }
            // What is one here may be two in Java: a change that is none.
            if let Some(changes) = expected.as_object_mut() {
                changes.retain(|key, value| before.get(key) != Some(value));
            }
            if outcome != expected {
                let together = if rows.len() > 1 { " (in a batch)" } else { "" };
                let _ = writeln!(failures, "{}, record {row}{together}\n  Java: {expected}\n  here: {outcome}", self.name);
            }
        }
    }
}

fn headers(records: &[&Value]) -> Option<ListArray> {
    if records.iter().all(|record| record["headers"].is_null()) {
        return None;
    }
    let fields = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)]);
    let entries = StructBuilder::new(fields, vec![Box::new(StringBuilder::new()), Box::new(BinaryBuilder::new())]);
    let mut lists = ListBuilder::new(entries);
    for record in records {
        for header in record["headers"].as_array().into_iter().flatten() {
            let entry = lists.values();
            entry.field_builder::<StringBuilder>(0).expect("keys").append_value(header[0].as_str().expect("a name"));
            entry.field_builder::<BinaryBuilder>(1).expect("values").append_option(header[1].as_str());
            entry.append(true);
        }
        lists.append(true);
    }
    Some(lists.finish())
}

/// Gives each record of `batch` with its offset.
fn shown(batch: &Batch, mut give: impl FnMut(i64, Map<String, Value>)) {
    for row in 0..batch.len() {
        let timestamp = batch.timestamp.is_valid(row).then(|| batch.timestamp.value(row));
        let Value::Object(record) = json!({
            "topic": &*batch.topic,
            "timestamp": timestamp,
            "key": render::value(&batch.key, row),
            "value": render::value(&batch.value, row),
            "headers": shown_headers(batch, row),
        }) else {
            continue;
        };
        give(batch.offset.value(row), record);
    }
}

fn shown_headers(batch: &Batch, row: usize) -> Vec<Value> {
    let Some(headers) = &batch.headers else { return Vec::new() };
    let entries = headers.value(row);
    let (keys, values) = (entries.as_struct().column(0).as_string::<i32>(), entries.as_struct().column(1).as_binary::<i32>());
    let text = |at: usize| values.is_valid(at).then(|| String::from_utf8_lossy(values.value(at)));
    (0..entries.len()).map(|at| json!([keys.value(at), text(at)])).collect()
}

#[test]
fn transforms_make_what_javas_make() {
    let mut failures = String::new();
    let cases = std::env::var_os(FOLDER).map_or_else(cases, |folder| cases_in(Path::new(&folder)));
    assert!(!cases.is_empty(), "no cases");
    for case in cases.iter().filter(|case| case.is_here()) {
        let expected = case.expected();
        let wanted = expected.get("configError").map(|message| message.as_str().expect("text").to_owned());
        let refused = case.refused();
        if wanted != refused {
            let _ = writeln!(failures, "{}, configuration\n  Java: {wanted:?}\n  here: {refused:?}", case.name);
        }
        if wanted.is_some() || refused.is_some() {
            continue;
        }
        let all: Vec<_> = (0..case.records().len()).collect();
        all.chunks(1).for_each(|row| case.compare(row, 0, &mut failures));
        if case.json["apart"] != true && all.len() > 1 {
            case.compare(&all, 0, &mut failures);
            case.compare(&all, all.len().div_ceil(2), &mut failures);
        }
    }
    let count = failures.lines().filter(|line| !line.starts_with(' ')).count();
    assert!(failures.is_empty(), "{count} differ\n{failures}");
}

#[test]
fn classes_with_cases_are_here() {
    let named: BTreeSet<_> = cases().into_iter().flat_map(|case| case.classes).collect();
    let missing: BTreeSet<_> = named.into_iter().filter(|class| Plugins::BUILT_IN.transform(class).is_err()).collect();
    assert_eq!(missing, MISSING.iter().map(|&class| class.to_owned()).collect(), "classes that are not here");
}

/// Differences that are of no single case.
const EVERYWHERE: &str = "\
- Of values without a schema, a field that is null and one that is absent are the same, and so are an empty object and none.
- The values of headers keep their text; Java reads and writes them anew (`1e3` becomes `1000`).
- Floats become the fewest digits that mean them, as in Java 19 and later.
- Where several fields of a record are at fault, the first is named; of a value without a schema Java names one by the order of a hash table.
- What Java makes and no converter of it can write is refused, or written as what it is: a whole date, time, timestamp or decimal that was
  cast, a masked decimal of another scale, a date beyond 32 bits of days.
";

#[test]
fn every_difference_is_one_and_the_page_lists_it() {
    let mut text = format!(
        "<!-- Generated: {UPDATE} -->\n\n# Where a transform differs from Java's\n\n{}\n\n{EVERYWHERE}\n| Transform | Case | Difference |\n|---|---|---|\n",
        "Each transform is tested with the records of `tests/data/transforms`, whose expected values Java's own classes made. It makes what they \
         make, except in these cases."
    );
    for case in cases() {
        assert_eq!(case.json.get("differs").is_some(), case.json.get("ours").is_some(), "{}: differs goes with ours", case.name);
        let Some(reason) = case.json["differs"].as_str() else { continue };
        assert_ne!(case.expected(), case.json["expected"], "{}: no difference", case.name);
        let (_, name) = case.name.split_once(": ").expect("file and name");
        let classes: Vec<_> = case.classes.iter().map(|class| format!("`{}`", simple_name(class))).collect();
        let _ = writeln!(text, "| {} | {} | {} |", classes.join(", "), name.replace('|', "\\|"), reason.replace('|', "\\|"));
    }
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/transforms.md");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&page, &text).expect("written");
    }
    assert_eq!(fs::read_to_string(&page).unwrap_or_default(), text, "docs/transforms.md is stale: {UPDATE}");
}
