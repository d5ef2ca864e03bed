//! `io.debezium.transforms.ByLogicalTableRouter` and its successor `ToLogicalTopicRouter` (3.7.0.Final): the records of several topics go
//! to one, and their keys say where they come from.

use std::sync::Arc;

use arrow_array::{ArrayRef, StringArray};
use arrow_schema::{DataType, Field, FieldRef};
use landfall_api::{
    Batch, Column, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config, schema,
};

use super::{VERSION, is_envelope};
use crate::kafka::pattern::{Illegal, Pattern, Replacement};
use crate::transform::Part;
use crate::transform::envelope::{defaulted, no_struct, present, with_members};

config! {
    /// What `ToLogicalTopicRouter.config()` declares, and the keys that it reads all the same.
    struct LogicalTopicConfig {
        /// The topics whose records go elsewhere: a Java regular expression that all of the name has to match.
        topic_regex: Option<String> = "topic.regex" { importance: Low, order: Some(1), width: Width::Long, display: "Topic regex", valid: By(regex) };
        /// The topic that they go to: text with `$1` or `${name}` for groups of `topic.regex`. If that gives an empty name, the record
        /// stays as it is.
        topic_replacement: Option<String> = "topic.replacement" { importance: Low, order: Some(1), width: Width::Long, display: "Topic replacement" };
        /// Whether the key gets a field that says which topic the record comes from, so that equal keys of several tables stay apart.
        key_enforce_uniqueness: bool = "key.enforce.uniqueness" { default: Some("true"), importance: Low, order: Some(1), width: Width::Short, display: "Add source topic name into key" };
        /// What of the topic's name that field holds: the name after `key.field.replacement` if all of it matches this, else the name.
        key_field_regex: Option<String> = "key.field.regex" { importance: Low, order: Some(1), width: Width::Long, display: "Key field regex", valid: By(regex) };
        /// The field's name; if it is not given, `__dbz__physicalTableIdentifier` for ByLogicalTableRouter and `__dbz__sourceIdentifier`
        /// for ToLogicalTopicRouter.
        key_field_name: Option<String> = "key.field.name" { importance: Low, order: Some(1), width: Width::Long, display: "Key field name" };
        /// Takes the place of what `key.field.regex` matches.
        key_field_replacement: Option<String> = "key.field.replacement" { importance: Low, order: Some(1), width: Width::Long, display: "Key field replacement" };
        /// How the names of schemas, which follow the new topic's, are made fit for Avro: not at all (none), other characters become
        /// an underscore (avro), or their code does (avro_unicode).
        adjustment: String = "schema.name.adjustment.mode" { default: Some("none"), importance: Low, order: Some(1), display: "Schema Name Adjustment", valid: By(|mode| {
            Adjustment::named(mode).map(drop).ok_or_else(|| "Value must be one of none, avro_unicode, avro".to_owned())
        }) };
        /// The number of schemas and names that are kept.
        cache_size: i32 = "logical.destination.cache.size" { default: Some("16"), importance: Low, order: Some(1), width: Width::Long, display: "Logical destination cache size", effect: Nothing("a name is made once a batch, not once a record") };
        /// The same by its older name.
        old_cache_size: Option<i32> = "logical.table.cache.size" { importance: Low, order: Some(1), width: Width::Long, display: "Logical table cache size", effect: Nothing("a name is made once a batch, not once a record") };
    }
}

fn regex(text: &str) -> Result<(), String> {
    Pattern::compile(text).map(drop).map_err(|why| format!("A valid regular expressions is expected, but {why}"))
}

/// How names of schemas are adjusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Adjustment {
    None,
    Avro,
    AvroUnicode,
}

impl Adjustment {
    fn named(name: &str) -> Option<Self> {
        Some(match &*name.trim().to_ascii_lowercase() {
            "none" => Self::None,
            "avro" => Self::Avro,
            "avro_unicode" => Self::AvroUnicode,
            _ => return None,
        })
    }

    /// A name that Avro takes. Java goes by UTF-16 units.
    fn adjusted(self, name: &str) -> String {
        if self == Self::None {
            return name.to_owned();
        }
        let mut adjusted = String::with_capacity(name.len());
        for (at, unit) in name.encode_utf16().enumerate() {
            let c = char::from_u32(unit.into()).unwrap_or(char::REPLACEMENT_CHARACTER);
            let first = c.is_ascii_alphabetic() || (c == '_' && self == Self::Avro);
            if first || at > 0 && (c == '.' || c.is_ascii_digit()) {
                adjusted.push(c);
            } else if self == Self::AvroUnicode {
                let code = format!("{unit:x}");
                adjusted.push_str(if code.len() <= 2 { "_u00" } else { "_u" });
                adjusted.push_str(&code);
            } else {
                adjusted.push('_');
                if c.is_ascii_digit() {
                    adjusted.push(c);
                }
            }
        }
        adjusted
    }
}

/// One of the two classes.
#[derive(Debug)]
pub(in crate::transform) struct LogicalTopicClass {
    class: &'static str,
    /// `key.field.name` if it is not given.
    key_field: &'static str,
}

/// The class as configurations have it since Debezium's first releases.
pub(in crate::transform) const BY_LOGICAL_TABLE_ROUTER: LogicalTopicClass =
    LogicalTopicClass { class: "io.debezium.transforms.ByLogicalTableRouter", key_field: "__dbz__physicalTableIdentifier" };

/// The class by its newer name.
pub(in crate::transform) const TO_LOGICAL_TOPIC_ROUTER: LogicalTopicClass =
    LogicalTopicClass { class: "io.debezium.transforms.ToLogicalTopicRouter", key_field: "__dbz__sourceIdentifier" };

impl TransformClass for LogicalTopicClass {
    fn class(&self) -> &'static str {
        self.class
    }

    fn keys(&self) -> &'static [Key] {
        LogicalTopicConfig::KEYS
    }

    fn version(&self) -> &'static str {
        VERSION
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = LogicalTopicConfig::parse(properties, &mut faults);
        let given = |key: &'static str| properties.get(key).map(|text| text.trim()).filter(|text| !text.is_empty());
        for key in ["topic.regex", "topic.replacement"] {
            if given(key).is_none() {
                faults.push(key, format!("The '{key}' value is invalid: A value is required"));
            }
        }
        if given("key.field.regex").is_some() && given("key.field.replacement").is_none() {
            let message = "key.field.replacement must be non-empty if key.field.regex is set.";
            faults.push("key.field.replacement", format!("The 'key.field.replacement' value is invalid: {message}"));
        }
        let config = faults.or(config)?;
        let rule = |regex: Option<String>, replacement: Option<String>| Rule::new(&regex?, &replacement?);
        let Some(topic) = rule(config.topic_regex, config.topic_replacement) else { return Err(Faults::default()) };
        Ok(Box::new(LogicalTopic {
            topic,
            key_field: config.key_enforce_uniqueness.then(|| config.key_field_name.unwrap_or_else(|| self.key_field.to_owned())),
            source: rule(config.key_field_regex.filter(|regex| !regex.is_empty()), config.key_field_replacement),
            adjustment: Adjustment::named(&config.adjustment).unwrap_or(Adjustment::None),
        }))
    }
}

/// A pattern and what takes the place of what it matches.
#[derive(Debug)]
struct Rule {
    pattern: Pattern,
    replacement: Result<Replacement, Illegal>,
}

impl Rule {
    fn new(regex: &str, replacement: &str) -> Option<Self> {
        let pattern = Pattern::compile(regex).ok()?;
        let replacement = Replacement::compile(replacement, &pattern);
        Some(Self { pattern, replacement })
    }

    /// What becomes of `topic`; None if the pattern does not match all of it.
    fn replace(&self, topic: &str) -> Result<Option<String>, RecordError> {
        if !self.pattern.matches(topic).map_err(RecordError::data)? {
            return Ok(None);
        }
        match &self.replacement {
            Ok(replacement) => self.pattern.replace(topic, replacement).map_err(RecordError::data),
            // Java reads the replacement when it is to take a place.
            Err(illegal) => Err(RecordError { class: illegal.class, message: illegal.message.clone() }),
        }
    }
}

/// An instance of one of the classes.
#[derive(Debug)]
struct LogicalTopic {
    topic: Rule,
    /// The field of the key that names the source, if it gets one.
    key_field: Option<String>,
    source: Option<Rule>,
    adjustment: Adjustment,
}

impl Transform for LogicalTopic {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        match self.topic.replace(&batch.topic) {
            Ok(None) => out.emit(batch),
            Ok(Some(topic)) if topic.is_empty() => out.emit(batch),
            Ok(Some(topic)) => {
                let routed = self.routed(&batch, &topic, out);
                out.emit(routed);
            }
            Err(error) => out.reject_all(&batch, &error),
        }
    }
}

impl LogicalTopic {
    fn routed(&self, batch: &Batch, topic: &str, out: &mut Output) -> Batch {
        let keyed = present(&batch.key.array);
        let key = match batch.key.field.data_type() {
            _ if keyed.count_set_bits() == 0 => Ok(batch.key.clone()),
            DataType::Struct(_) if !schema::is_schemaless(&batch.key.field) => self.key(batch, topic),
            _ => Err(no_struct(&batch.key, "Updating schema")),
        };
        let mut routed = match key {
            Ok(key) => Part::Key.replaced(batch.clone(), key),
            // Records without a key go on.
            Err(error) => out.reject_rows(batch.clone(), keyed.set_indices().map(|row| (row, error.clone())).collect()),
        };
        if is_envelope(&routed.value.field) {
            routed.value = self.event(&defaulted(&routed.value), topic);
        }
        Batch { topic: topic.into(), ..routed }
    }

    /// The keys with the new schema's name and the source.
    fn key(&self, batch: &Batch, topic: &str) -> Result<Column, RecordError> {
        let mut added: Vec<(FieldRef, ArrayRef)> = Vec::new();
        if let Some(name) = &self.key_field {
            let replaced = self.source.as_ref().map(|source| source.replace(&batch.topic)).transpose()?.flatten();
            let source = replaced.as_deref().unwrap_or(&batch.topic);
            let values = StringArray::new_repeated(source, batch.len());
            added.push((Arc::new(Field::new(name, DataType::Utf8, false)), Arc::new(values)));
        }
        let key = with_members(&batch.key, added, "Updating schema")?;
        Ok(Column { field: self.named(&key.field, &format!("{topic}.Key")), array: key.array })
    }

    /// Events with the names of their schemas after the new topic.
    fn event(&self, events: &Column, topic: &str) -> Column {
        let field = self.named(&events.field, &format!("{topic}.Envelope"));
        let DataType::Struct(fields) = field.data_type() else { return Column { field, array: events.array.clone() } };
        let of_row = format!("{topic}.Value");
        let renamed = |field: &FieldRef| match &**field.name() {
            "before" | "after" => self.named(field, &of_row),
            _ => field.clone(),
        };
        let data_type = DataType::Struct(fields.iter().map(renamed).collect());
        let field = Arc::new(field.as_ref().clone().with_data_type(data_type.clone()));
        // Only the metadata of its fields is another.
        let data = events.array.to_data().into_builder().data_type(data_type);
        let array = data.build().map_or_else(|_| events.array.clone(), arrow_array::make_array);
        Column { field, array }
    }

    /// `field` with another name of its schema, and without a default.
    fn named(&self, field: &FieldRef, name: &str) -> FieldRef {
        let mut metadata = field.metadata().clone();
        metadata.remove(schema::DEFAULT);
        metadata.insert(schema::NAME.to_owned(), self.adjustment.adjusted(name));
        Arc::new(field.as_ref().clone().with_metadata(metadata))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::envelope::member;
    use crate::transform::fixtures::records;
    use arrow_array::cast::AsArray as _;

    fn build(config: &[(&str, &str)]) -> Result<Box<dyn Transform>, Faults> {
        let config = config.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        BY_LOGICAL_TABLE_ROUTER.build(&config)
    }

    fn route(topic: &str, rows: &[(Option<&str>, Option<&str>)], config: &[(&str, &str)]) -> Output {
        let mut out = Output::default();
        let mut transform = build(config).expect("valid");
        for batch in records(rows, true) {
            transform.apply(Batch { topic: topic.into(), ..batch }, &mut out);
        }
        out
    }

    const KEY: &str = r#"{"schema":{"type":"struct","name":"db.shard1.Key","optional":false,"fields":[{"field":"id","type":"int32","optional":false}]},"payload":{"id":1}}"#;
    const EVENT: &str = r#"{"schema":{"type":"struct","name":"db.shard1.Envelope","optional":false,"fields":[{"field":"before","type":"struct","optional":true,"name":"db.shard1.Value","fields":[{"field":"id","type":"int32","optional":false}]},{"field":"after","type":"struct","optional":true,"name":"db.shard1.Value","fields":[{"field":"id","type":"int32","optional":false}]},{"field":"op","type":"string","optional":false}]},"payload":{"before":null,"after":{"id":1},"op":"c"}}"#;
    const SHARDS: [(&str, &str); 2] = [("topic.regex", r"(.*)\.shard(\d+)"), ("topic.replacement", "$1.all-shards")];

    #[test]
    fn shards_become_one_topic_and_keys_say_which() {
        let rows = [(Some(KEY), Some(EVENT)), (Some(KEY), None), (None, Some(EVENT))];
        let more =
            [("key.field.regex", r".*shard(\d+)"), ("key.field.replacement", "$1"), ("schema.name.adjustment.mode", "avro")];
        let out = route("db.shard1", &rows, &[&SHARDS[..], &more].concat());
        assert!(out.rejected.is_empty());
        let batch = &out.batches[0];
        assert_eq!((&*batch.topic, &*batch.origin.topic), ("db.all-shards", "t"));
        assert_eq!(schema::name(&batch.key.field), Some("db.all_shards.Key"));
        let source = member(&batch.key, "__dbz__physicalTableIdentifier").expect("added");
        assert_eq!(source.array.as_string::<i32>().iter().collect::<Vec<_>>(), [Some("1"), Some("1"), None]);
        assert_eq!(schema::name(&batch.value.field), Some("db.all_shards.Envelope"));
        let after = member(&batch.value, "after").expect("a row");
        assert_eq!(schema::name(&after.field), Some("db.all_shards.Value"));
        assert_eq!(present(&batch.value.array).iter().collect::<Vec<_>>(), [true, false, true]);

        let out = route("db.shard1", &rows[..1], &[&SHARDS[..], &[("key.enforce.uniqueness", "false")]].concat());
        assert!(member(&out.batches[0].key, "__dbz__physicalTableIdentifier").is_none());
        let out = route("other", &rows[..1], &SHARDS);
        assert_eq!(&*out.batches[0].topic, "other");
        assert_eq!(schema::name(&out.batches[0].key.field), Some("db.shard1.Key"));
    }

    #[test]
    fn a_key_that_is_no_struct_is_refused() {
        let plain = r#"{"schema":{"type":"int32","optional":true},"payload":1}"#;
        let out = route("db.shard1", &[(Some(plain), Some(EVENT)), (None, Some(EVENT))], &SHARDS);
        assert_eq!(out.batches.iter().map(Batch::len).sum::<usize>(), 1);
        assert_eq!(out.rejected[0].1.message, "Only Struct objects supported for [Updating schema], found: java.lang.Integer");
        let twice = route("db.shard1", &[(Some(KEY), None)], &[&SHARDS[..], &[("key.field.name", "id")]].concat());
        assert_eq!(twice.rejected[0].1.message, "Cannot create field because of field name duplication id");
    }

    #[test]
    fn faults_are_debeziums() {
        let fault = |config: &[(&str, &str)]| build(config).expect_err("refused").to_string();
        assert_eq!(fault(&SHARDS[..1]), "The 'topic.replacement' value is invalid: A value is required");
        let regex = fault(&[&SHARDS[..], &[("key.field.regex", "(")]].concat());
        assert!(regex.contains("A valid regular expressions is expected, but Unclosed group near index 1"), "{regex}");
        assert!(regex.contains("key.field.replacement must be non-empty if key.field.regex is set."), "{regex}");
        assert!(fault(&[&SHARDS[..], &[("schema.name.adjustment.mode", "x")]].concat()).contains("Value must be one of none"));
        let out = route("db.shard1", &[(Some(KEY), None)], &[("topic.regex", "(.*)"), ("topic.replacement", "$2")]);
        assert_eq!(out.rejected[0].1.to_string(), "java.lang.IndexOutOfBoundsException: No group 2");
    }

    #[test]
    fn names_are_made_fit_for_avro() {
        for (name, avro, unicode) in
            [("a.b_c1", "a.b_c1", "a.b_u005fc1"), ("1-ü", "_1__", "_u0031_u002d_u00fc"), ("_x€", "_x_", "_u005fx_u20ac")]
        {
            assert_eq!(Adjustment::Avro.adjusted(name), avro);
            assert_eq!(Adjustment::AvroUnicode.adjusted(name), unicode);
            assert_eq!(Adjustment::None.adjusted(name), name);
        }
    }
}
