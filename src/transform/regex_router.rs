//! `org.apache.kafka.connect.transforms.RegexRouter` (4.3.1): another topic by a regular expression.

use landfall_api::{Batch, Faults, Key, Output, Properties, RecordError, Transform, TransformClass, Width, config};

use crate::kafka::pattern::{Illegal, Pattern, Replacement};

config! {
    /// What `RegexRouter.CONFIG_DEF` declares.
    struct RegexRouterConfig {
        /// The regular expression that the whole name of a topic is to match, in the syntax of Java's `Pattern`.
        regex: String = "regex" { required: true, importance: High, width: Width::None, display: "regex", valid: By(regex) };
        /// What takes the place of the name, with `$1` or `${name}` for what a group of the expression has matched.
        replacement: String = "replacement" { required: true, importance: High, width: Width::None, display: "replacement" };
    }
}

/// `RegexValidator`.
pub(super) fn regex(text: &str) -> Result<(), String> {
    Pattern::compile(text).map(drop).map_err(|why| format!("Invalid regex: {why}"))
}

/// The class.
#[derive(Debug)]
pub(super) struct RegexRouterClass;

impl TransformClass for RegexRouterClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.RegexRouter"
    }

    fn keys(&self) -> &'static [Key] {
        RegexRouterConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = RegexRouterConfig::parse(properties, &mut faults);
        let RegexRouterConfig { regex, replacement } = faults.or(config)?;
        let mut faults = Faults::default();
        let regex = Pattern::compile(&regex).map_err(|why| faults.push("regex", why)).ok();
        let router = regex.map(|regex| RegexRouter { replacement: Replacement::compile(&replacement, &regex), regex });
        faults.or(router).map(|router| Box::new(router) as Box<dyn Transform>)
    }
}

/// An instance of the class.
#[derive(Debug)]
struct RegexRouter {
    regex: Pattern,
    /// Java finds out what is wrong with it when a topic matches.
    replacement: Result<Replacement, Illegal>,
}

impl Transform for RegexRouter {
    fn apply(&mut self, mut batch: Batch, out: &mut Output) {
        match self.routed(&batch.topic) {
            Ok(topic) => {
                batch.topic = topic.map_or(batch.topic, Into::into);
                out.emit(batch);
            }
            Err(error) => out.reject_all(&batch, &error),
        }
    }
}

impl RegexRouter {
    /// The other topic; None if `topic` does not match.
    fn routed(&self, topic: &str) -> Result<Option<String>, RecordError> {
        match &self.replacement {
            Ok(replacement) => self.regex.replace(topic, replacement).map_err(RecordError::data),
            Err(Illegal { class, message }) => match self.regex.matches(topic).map_err(RecordError::data)? {
                true => Err(RecordError { class, message: message.clone() }),
                false => Ok(None),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::schemaless;

    fn build(regex: &str, replacement: &str) -> Result<Box<dyn Transform>, Faults> {
        let properties = [("regex", regex), ("replacement", replacement)];
        RegexRouterClass.build(&properties.into_iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect())
    }

    #[test]
    fn a_topic_that_matches_is_replaced() {
        for (regex, replacement, topic) in [("(.*)", "db.$1", "db.t"), ("x", "y", "t"), ("(?<a>t)", r"\$${a}", "$t")] {
            let mut out = Output::default();
            build(regex, replacement).expect("valid").apply(schemaless(&[Some("1")]), &mut out);
            assert_eq!(&*out.batches[0].topic, topic);
            assert_eq!(&*out.batches[0].origin.topic, "t");
        }
    }

    #[test]
    fn faults_are_javas() {
        let message = build("[(", "z").expect_err("refused").to_string();
        let expected = "Invalid value [( for configuration regex: Invalid regex: Unclosed character class near index 1\n[(\n ^";
        assert_eq!(message, expected);
        let mut out = Output::default();
        build("(t)", "$2").expect("Java takes it").apply(schemaless(&[Some("1"), None]), &mut out);
        let error = RecordError { class: "java.lang.IndexOutOfBoundsException", message: "No group 2".into() };
        assert_eq!(out.rejected, [(0, error.clone()), (1, error)]);
    }
}
