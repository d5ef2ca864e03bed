//! The transforms of a connector, one after the other, each for the records that its predicate is true for.

use arrow_array::BooleanArray;
use std::collections::BTreeSet;

use landfall_api::config::{Value as _, with_prefix};
use landfall_api::{Batch, Fault, Faults, Output, Predicate, Properties, RecordError, Refused, Stage, Transform, Width, config};

use super::Part;
use super::objects::Objects;
use super::order::in_order;
use crate::plugins::{Plugins, simple_name};

config! {
    /// What every transform has (`ConnectorConfig` of Kafka 4.3.1).
    pub struct TransformKeys {
        /// Whether the transform is meant for the records that the predicate is false for.
        negate: bool = "negate" { default: Some("false"), width: Width::None, display: "negate" };
        /// The alias of the predicate that says for which records the transform is meant. Default: for all.
        predicate: Option<String> = "predicate" { width: Width::None, display: "predicate" };
    }
}

/// The transforms of a task (`org.apache.kafka.connect.runtime.TransformationChain`, 4.3.1).
#[derive(Debug, Default)]
pub struct Chain {
    links: Vec<Link>,
    /// Of the parts that transforms look into.
    objects: Vec<Objects>,
}

/// The transforms, besides those of keys, that leave values as they are, as far as this is known. What a chain with another one
/// has learned of values without a schema does not survive a restart.
const KEEPS_VALUES: &[&str] = &[
    "ByLogicalTableRouter",
    "Drop",
    "DropHeaders",
    "ExtractTopic$Header",
    "ExtractTopic$Value",
    "Filter",
    "InsertHeader",
    "MessageTimestampRouter",
    "RegexRouter",
    "TimestampRouter",
    "TombstoneHandler",
];

#[derive(Debug)]
struct Link {
    class: &'static str,
    transform: Box<dyn Transform>,
    /// Which records it is meant for; all without one.
    condition: Option<Condition>,
}

#[derive(Debug)]
struct Condition {
    predicate: Box<dyn Predicate>,
    negate: bool,
}

impl Condition {
    fn mask(&self, batch: &Batch) -> BooleanArray {
        let mask = self.predicate.mask(batch);
        if self.negate { BooleanArray::new(!mask.values(), None) } else { mask }
    }
}

impl Chain {
    /// The chain that a connector's `transforms` and `predicates` describe.
    ///
    /// # Errors
    /// All faults in it, by the connector's keys.
    pub fn new(plugins: &Plugins, properties: &Properties) -> Result<Self, Faults> {
        let mut faults = Faults::default();
        let mut links = Vec::new();
        for alias in aliases("transforms", properties) {
            links.extend(link(plugins, properties, &alias, &mut faults));
        }
        for key in ["transforms", "predicates"] {
            let given = listed(key, properties);
            if given.len() > aliases(key, properties).len() {
                let given = given.join(", ");
                faults.push(key, format!("Invalid value [{given}] for configuration {key}: Duplicate alias provided."));
            }
        }
        for alias in aliases("predicates", properties) {
            // One that no transform uses is built too, for its faults.
            let faulty = predicate(plugins, properties, &alias).err().unwrap_or_default();
            faults.0.extend(faulty.0.into_iter().filter(|fault| !faults.0.contains(fault)).collect::<Vec<_>>());
        }
        let chain = Self { links, objects: Vec::new() };
        let looked_into = [(Part::Value, !chain.keeps_values()), (Part::Key, chain.looks_into_keys())];
        let objects = looked_into.into_iter().filter(|(_, looks)| *looks).filter_map(|(part, _)| Objects::of(part)).collect();
        faults.or(Some(Self { objects, ..chain }))
    }

    /// Whether values leave the chain as they came: what files show of them is then what converters have learned.
    #[must_use]
    pub fn keeps_values(&self) -> bool {
        self.links.iter().all(|link| {
            let name = simple_name(link.class);
            name.ends_with("$Key") || KEEPS_VALUES.contains(&name)
        })
    }

    fn looks_into_keys(&self) -> bool {
        self.links.iter().any(|link| link.class.ends_with("$Key"))
    }

    /// Transforms the rows of `batch`. What is given back is in offset order and covers what `batch` does; if no row is left, by a
    /// batch without one.
    pub fn apply(&mut self, batch: Batch, refused: &mut Vec<Refused>) -> Vec<Batch> {
        if self.links.is_empty() || batch.is_empty() {
            return vec![batch];
        }
        let (covers, nothing) = (batch.covers.clone(), batch.slice(&(0..0)));
        let mut batches = vec![batch];
        for objects in &mut self.objects {
            batches = batches.into_iter().flat_map(|batch| objects.apart(batch)).collect();
        }
        for link in &mut self.links {
            let mut out = Output::default();
            for batch in batches {
                link.apply(batch, &mut out);
            }
            batches = out.batches;
            refused.extend(out.rejected.into_iter().map(|(offset, error)| link.refused(offset, error)));
        }
        let offsets: Vec<_> = batches.iter().flat_map(|batch| batch.offset.values().to_vec()).collect();
        let mut batches = in_order(batches).unwrap_or_else(|error| {
            let error = RecordError::data(error.to_string());
            refused.extend(offsets.iter().map(|&offset| self.links[self.links.len() - 1].refused(offset, error.clone())));
            Vec::new()
        });
        if batches.is_empty() {
            batches.push(nothing);
        }
        let starts: Vec<_> = batches.iter().skip(1).map(|batch| batch.offset.value(0)).collect();
        let ends = starts.iter().copied().chain([covers.end]);
        for (batch, (start, end)) in batches.iter_mut().zip([covers.start].into_iter().chain(starts.iter().copied()).zip(ends)) {
            batch.covers = start..end;
        }
        batches
    }
}

impl Link {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let Some(mask) = self.condition.as_ref().map(|condition| condition.mask(&batch)) else {
            return self.transform.apply(batch, out);
        };
        match mask.true_count() {
            0 => out.emit(batch),
            all if all == mask.len() => self.transform.apply(batch, out),
            _ => {
                let others = BooleanArray::new(!mask.values(), None);
                match (batch.filter(&mask), batch.filter(&others)) {
                    (Ok(meant), Ok(others)) => {
                        out.emit(others);
                        self.transform.apply(meant, out);
                    }
                    (Err(error), _) | (_, Err(error)) => out.reject_all(&batch, &RecordError::data(error.to_string())),
                }
            }
        }
    }

    fn refused(&self, offset: i64, error: RecordError) -> Refused {
        Refused { offset, stage: Stage::Transformation, class: self.class.to_owned(), error }
    }
}

/// The aliases that `key`, transforms or predicates, lists; each once.
#[must_use]
pub fn aliases(key: &str, properties: &Properties) -> Vec<String> {
    let mut seen = BTreeSet::new();
    listed(key, properties).into_iter().filter(|alias| seen.insert(alias.clone())).collect()
}

fn listed(key: &str, properties: &Properties) -> Vec<String> {
    properties.get(key).and_then(|raw| Vec::parse(raw).ok()).unwrap_or_default()
}

fn link(plugins: &Plugins, properties: &Properties, alias: &str, faults: &mut Faults) -> Option<Link> {
    let prefix = format!("transforms.{alias}.");
    let of_type = format!("{prefix}type");
    let Some(name) = properties.get(&of_type).map(|name| name.trim()) else {
        faults.push(&of_type, format!("Missing required configuration \"{of_type}\" which has no default value."));
        return None;
    };
    let class = plugins.transform(name).map_err(|why| faults.push(&of_type, why.for_key(&of_type))).ok()?;
    let given = with_prefix(properties, &prefix);
    let transform = class.build(&given).map_err(|own| faults.0.extend(prefixed(&prefix, own).0)).ok();
    let negate = given.get("negate").map(|raw| bool::parse(raw));
    let negate = match negate.transpose() {
        Ok(negate) => negate,
        Err(why) => {
            let key = format!("{prefix}negate");
            faults.push(&key, format!("Invalid value {} for configuration {key}: {why}", given["negate"]));
            None
        }
    };
    let condition = match given.get("predicate").map(|predicate| predicate.trim()).filter(|predicate| !predicate.is_empty()) {
        None if given.contains_key("negate") => {
            let message = format!(
                "Config '{prefix}negate' was provided but there is no config '{prefix}predicate' defining a predicate to be negated."
            );
            faults.push(&of_type, message);
            None
        }
        None => None,
        Some(wanted) if !aliases("predicates", properties).iter().any(|alias| alias == wanted) => {
            let key = format!("{prefix}predicate");
            faults
                .push(&key, format!("Invalid value {wanted} for configuration {key}: there is no such predicate in predicates"));
            None
        }
        Some(wanted) => match predicate(plugins, properties, wanted) {
            Ok(predicate) => Some(Condition { predicate, negate: negate.unwrap_or(false) }),
            Err(own) => {
                faults.0.extend(own.0);
                None
            }
        },
    };
    Some(Link { class: class.class(), transform: transform?, condition })
}

fn predicate(plugins: &Plugins, properties: &Properties, alias: &str) -> Result<Box<dyn Predicate>, Faults> {
    let prefix = format!("predicates.{alias}.");
    let of_type = format!("{prefix}type");
    let fault = |message| Faults(vec![Fault { key: of_type.clone(), message }]);
    let Some(name) = properties.get(&of_type).map(|name| name.trim()) else {
        return Err(fault(format!("Missing required configuration \"{of_type}\" which has no default value.")));
    };
    let class = plugins.predicate(name).map_err(|why| fault(why.for_key(&of_type)))?;
    class.build(&with_prefix(properties, &prefix)).map_err(|own| prefixed(&prefix, own))
}

/// A class's faults by the connector's keys. Java's parser names these too, its validators the class's.
fn prefixed(prefix: &str, own: Faults) -> Faults {
    let of_parser = ["Missing required", "Not a number of type", "Expected value to be either"];
    let named = |Fault { key, message }: Fault| {
        let full = format!("{prefix}{key}");
        let message = if of_parser.iter().any(|words| message.contains(words)) {
            message.replacen(&format!("\"{key}\""), &format!("\"{full}\""), 1).replacen(
                &format!("for configuration {key}:"),
                &format!("for configuration {full}:"),
                1,
            )
        } else {
            message
        };
        Fault { key: full, message }
    };
    Faults(own.0.into_iter().map(named).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashSet};

    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::transform::fixtures::{headers_of, records, schemaless, values_of, with_headers};

    fn properties(given: &[(&str, &str)]) -> Properties {
        given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
    }

    const DROP: &[(&str, &str)] =
        &[("transforms", "a"), ("transforms.a.type", "DropHeaders"), ("transforms.a.headers", "h"), ("predicates", "p")];

    #[test]
    fn a_predicate_says_for_which_rows() {
        for (negate, expected) in [("false", [vec![("h", "1")], vec![]]), ("true", [vec![], vec![("h", "2")]])] {
            let more =
                [("transforms.a.predicate", "p"), ("transforms.a.negate", negate), ("predicates.p.type", "RecordIsTombstone")];
            let mut chain = Chain::new(&Plugins::BUILT_IN, &properties(&[DROP, &more].concat())).expect("valid");
            let batch = with_headers(&[&[("h", "1")], &[("h", "2")]]);
            // The fixture's second row is a tombstone.
            let mut refused = Vec::new();
            let batches = chain.apply(batch, &mut refused);
            assert!(refused.is_empty());
            assert_eq!(batches.iter().map(|b| b.covers.clone()).collect::<Vec<_>>(), [0..1, 1..2]);
            assert_eq!(batches.iter().flat_map(headers_of).collect::<Vec<_>>(), expected);
        }
    }

    #[test]
    fn a_value_of_another_type_costs_only_itself() {
        let given = [("transforms", "a"), ("transforms.a.type", "ReplaceField$Value"), ("transforms.a.exclude", "b")];
        let mut chain = Chain::new(&Plugins::BUILT_IN, &properties(&given)).expect("valid");
        let mut refused = Vec::new();
        // The first shows what the columns were before there were others.
        assert_eq!(chain.apply(schemaless(&[Some(r#"{"a":1.5,"c":true}"#)]), &mut refused).len(), 1);
        let mixed = schemaless(&[Some(r#"{"a":1,"b":2}"#), Some("3"), None, Some(r#"["x"]"#), Some(r#"{"a":4}"#)]);
        let out = Output { batches: chain.apply(mixed, &mut refused), rejected: Vec::new() };
        let values = values_of(&out);
        assert_eq!(values.keys().collect::<Vec<_>>(), [&0, &2, &4]);
        assert_eq!((&values[&0]["a"], &values[&0].get("b"), &values[&4]["a"]), (&1.0.into(), &None, &4.0.into()));
        assert!(values[&2].is_null());
        // The null is no change of the schema.
        assert_eq!(out.batches.iter().map(|batch| &batch.value.field).collect::<HashSet<_>>().len(), 1);
        assert_eq!(out.batches[0].value.field.data_type().to_string().matches("Float64").count(), 1);
        assert_eq!(refused.iter().map(|one| one.offset).collect::<Vec<_>>(), [1, 3]);
        assert!(refused[0].error.message.ends_with("found: java.lang.Long"), "{}", refused[0].error.message);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// What becomes of a row does not depend on those beside it: whole columns are transformed as single rows are.
        #[test]
        fn a_row_becomes_what_it_does_alone(rows in prop::collection::vec(any_row(), 1..24), schemas: bool) {
            let given = properties(&[
                ("transforms", "fill, mask, cast, cut, time, flat, filter, route"),
                ("transforms.fill.type", "InsertField$Value"),
                ("transforms.fill.offset.field", "offset"),
                ("transforms.mask.type", "MaskField$Value"),
                ("transforms.mask.fields", "text"),
                ("transforms.mask.predicate", "none"),
                ("transforms.mask.negate", "true"),
                ("transforms.cast.type", "Cast$Value"),
                ("transforms.cast.spec", "number:string,digits:int16"),
                ("transforms.cut.type", "ReplaceField$Value"),
                ("transforms.cut.exclude", "flag"),
                ("transforms.cut.renames", "text:words"),
                ("transforms.time.type", "TimestampConverter$Value"),
                ("transforms.time.field", "time"),
                ("transforms.time.target.type", "string"),
                ("transforms.time.format", "yyyy-MM-dd HH:mm:ss"),
                ("transforms.flat.type", "Flatten$Value"),
                ("transforms.filter.type", "Filter"),
                ("transforms.filter.predicate", "none"),
                ("transforms.route.type", "TimestampRouter"),
                ("transforms.route.topic.format", "${topic}-${timestamp}"),
                ("predicates", "none"),
                ("predicates.none.type", "RecordIsTombstone"),
            ]);
            let chain = || Chain::new(&Plugins::BUILT_IN, &given).expect("valid");
            let texts: Vec<_> = rows.iter().map(|row| row.as_ref().map(|row| in_envelope(row, schemas))).collect();
            let all = records(&texts.iter().map(|text| (None, text.as_deref())).collect::<Vec<_>>(), schemas);
            let transformed = |batches: Vec<Batch>| {
                let (mut chain, mut refused) = (chain(), Vec::new());
                let batches: Vec<_> = batches.into_iter().flat_map(|batch| chain.apply(batch, &mut refused)).collect();
                let topics: Vec<_> = batches.iter().flat_map(|b| b.offset.values().iter().map(|o| (*o, b.topic.clone())).collect::<Vec<_>>()).collect();
                let values = values_of(&Output { batches, rejected: Vec::new() });
                (values, topics, refused.into_iter().map(|one| (one.offset, one.class, one.error)).collect::<Vec<_>>())
            };
            let mut alone = (BTreeMap::new(), Vec::new(), Vec::new());
            for batch in &all {
                for row in 0..batch.len() {
                    let (values, topics, refused) = transformed(vec![batch.slice(&(row..row + 1))]);
                    alone.0.extend(values);
                    alone.1.extend(topics);
                    alone.2.extend(refused);
                }
            }
            let mut together = transformed(all);
            together.2.sort_by_key(|one| one.0);
            prop_assert_eq!(together, alone);
        }
    }

    /// A row's text, number, digits, flag, time, and a field in a field.
    type Row = (Option<String>, Option<i64>, Option<String>, Option<bool>, Option<i64>, Option<Option<i8>>);

    fn any_row() -> impl Strategy<Value = Option<Row>> {
        let digits = prop_oneof![8 => "-?[0-9]{1,4}", 1 => "[0-9]{5,6}|x| 1"];
        let row = (
            any::<Option<String>>(),
            any::<Option<i64>>(),
            prop::option::of(digits),
            any::<Option<bool>>(),
            prop::option::of(0..4_000_000_000_000_i64),
            any::<Option<Option<i8>>>(),
        );
        prop::option::weighted(0.9, row)
    }

    fn in_envelope((text, number, digits, flag, time, inner): &Row, schemas: bool) -> String {
        let inner = inner.map(|inner| json!({ "inner": inner }));
        let payload = json!({"text": text, "number": number, "digits": digits, "flag": flag, "time": time, "below": inner});
        let field = |name: &str, kind: &str| json!({"type": kind, "optional": true, "field": name});
        let time = json!({"type": "int64", "name": "org.apache.kafka.connect.data.Timestamp", "version": 1, "optional": true, "field": "time"});
        let below = json!({"type": "struct", "optional": true, "field": "below", "fields": [field("inner", "int8")]});
        let fields =
            [field("text", "string"), field("number", "int64"), field("digits", "string"), field("flag", "boolean"), time, below];
        let schema = json!({"type": "struct", "fields": fields});
        if schemas { json!({"schema": schema, "payload": payload}).to_string() } else { payload.to_string() }
    }

    #[test]
    fn a_chain_says_whether_it_keeps_values() {
        let drop = [("transforms.b.type", "DropHeaders"), ("transforms.b.headers", "h")];
        let chain = |given: &[(&str, &str)]| Chain::new(&Plugins::BUILT_IN, &properties(given)).expect("valid");
        assert!(chain(&[]).keeps_values());
        assert!(chain(&[&[("transforms", "b")][..], &drop].concat()).keeps_values());
    }

    #[test]
    fn each_fault_names_the_connectors_key() {
        let faults = |given: &[(&str, &str)]| {
            let faults = Chain::new(&Plugins::BUILT_IN, &properties(given)).expect_err("refused");
            faults.0.into_iter().map(|f| format!("{}: {}", f.key, f.message)).collect::<Vec<_>>()
        };
        let missing = "transforms.a.type: Missing required configuration \"transforms.a.type\" which has no default value.";
        assert_eq!(faults(&[("transforms", "a")]), [missing]);
        let unknown = faults(&[("transforms", "a"), ("transforms.a.type", "com.example.Nope")]);
        assert!(unknown[0].contains("Class com.example.Nope could not be found."), "{unknown:?}");
        let headers = faults(&[("transforms", "a"), ("transforms.a.type", "DropHeaders")]);
        assert!(headers[0].contains("Missing required configuration \"transforms.a.headers\""), "{headers:?}");
        let none = faults(&[DROP, &[("predicates.p.type", "Filter"), ("transforms.a.predicate", "q")]].concat());
        assert!(none[0].contains("there is no such predicate"), "{none:?}");
    }
}
