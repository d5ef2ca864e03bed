//! The keys that every sink connector has, and what is legal in them.

use landfall_api::config::Class;
use landfall_api::{Width, config};

use crate::kafka::pattern::Pattern;

config! {
    /// The keys that every sink connector has.
    pub struct ConnectorKeys {
        /// The connector's name, unique in the cluster, without control characters. Its consumer group is `connect-<name>`.
        name: String = "name" { required: true, importance: High, group: "Common", display: "Connector name", valid: By(printable) };
        /// The connector's class: a Java class name, or an alias, which is the name without its package, with or without `Connector`.
        class: String = "connector.class" { required: true, importance: High, group: "Common", width: Width::Long, display: "Connector class" };
        /// The version of the class. There is one of each: its number or `latest`.
        version: Option<String> = "connector.plugin.version" { group: "Common", display: "Connector version" };
        /// The number of tasks that the connector runs, 1 to 1000. Tasks share the partitions, so more tasks than partitions are idle.
        tasks_max: i32 = "tasks.max" {
            default: Some("1"), importance: High, group: "Common", width: Width::Short, display: "Tasks max", valid: By(task_count)
        };
        /// Whether more tasks than `tasks.max` fail. Deprecated in Kafka.
        tasks_max_enforce: bool = "tasks.max.enforce" {
            default: Some("true"), importance: Low, group: "Common", width: Width::Short, display: "Enforce tasks max",
            effect: Nothing("no connector here makes more tasks")
        };
        /// The class that converts keys: a Java class name or an alias, which is the name without its package, with or without `Converter`.
        /// Keys that begin with `key.converter.` are its own. Default: the worker's, with the worker's keys for it.
        key_converter: Option<Class> = "key.converter" {
            importance: Low, group: "Common", width: Width::Short, display: "Key converter class"
        };
        /// The version of the key converter. There is one of each: its number or `latest`.
        key_converter_version: Option<String> = "key.converter.plugin.version" {
            importance: Low, group: "Common", width: Width::Short, display: "Key converter version"
        };
        /// The class that converts values: a Java class name or an alias, which is the name without its package, with or without `Converter`.
        /// Keys that begin with `value.converter.` are its own. Default: the worker's, with the worker's keys for it.
        value_converter: Option<Class> = "value.converter" {
            importance: Low, group: "Common", width: Width::Short, display: "Value converter class"
        };
        /// The version of the value converter. There is one of each: its number or `latest`.
        value_converter_version: Option<String> = "value.converter.plugin.version" {
            importance: Low, group: "Common", width: Width::Short, display: "Value converter version"
        };
        /// The class that converts the values of headers: a Java class name or an alias, which is the name without its package, with or without `Converter`.
        /// Keys that begin with `header.converter.` are its own. Default: the worker's, with the worker's keys for it.
        header_converter: Option<Class> = "header.converter" {
            importance: Low, group: "Common", width: Width::Short, display: "Header converter class"
        };
        /// The version of the header converter. There is one of each: its number or `latest`.
        header_converter_version: Option<String> = "header.converter.plugin.version" {
            importance: Low, group: "Common", width: Width::Short, display: "Header converter version"
        };
        /// Aliases, separated by commas, of the transforms that records go through. `transforms.<alias>.type` names the class of each.
        transforms: Vec<String> = "transforms" {
            default: Some(""), importance: Low, group: "Transforms", width: Width::Long, display: "Transforms",
            order: Some(12)
        };
        /// Aliases, separated by commas, of the predicates that transforms use. `predicates.<alias>.type` names the class of each.
        predicates: Vec<String> = "predicates" {
            default: Some(""), importance: Low, group: "Predicates", width: Width::Long, display: "Predicates",
            order: Some(13)
        };
        /// What happens when the time to live of a config provider's values is over (`ttl.ms` of the provider) and they are other ones: none,
        /// or restart of the tasks that got them. Java starts the connector again whether they are or not.
        config_action_reload: String = "config.action.reload" {
            default: Some("restart"), importance: Low, group: "Common", display: "Reload Action", valid: OneOf(&["none", "restart"]),
            order: Some(14)
        };
        /// Milliseconds for which the conversion of records is tried again when what it needs does not answer, as a schema registry;
        /// -1 for ever, 0 for not at all beyond what the registry's client does by itself. The partition waits meanwhile. When the time is
        /// over the task fails, also if `errors.tolerance` is all: else an outage would empty a topic into the dead letter queue.
        errors_retry_timeout: i64 = "errors.retry.timeout" { default: Some("0"), group: "Error Handling", display: "Retry Timeout for Errors" };
        /// The most milliseconds between two of those tries: 300 at first, twice as many after each, and from this on any number below it.
        errors_retry_delay_max_ms: i64 = "errors.retry.delay.max.ms" {
            default: Some("60000"), group: "Error Handling", display: "Maximum Delay Between Retries for Errors"
        };
        /// What happens when a record cannot be converted, transformed or taken by the sink: none fails the task, after the records before
        /// it; all skips the record.
        errors_tolerance: String = "errors.tolerance" {
            default: Some("none"), group: "Error Handling", width: Width::Short, display: "Error Tolerance", valid: OneOf(&["none", "all"])
        };
        /// Whether each record with an error is logged, whether it is tolerated or not.
        errors_log_enable: bool = "errors.log.enable" {
            default: Some("false"), group: "Error Handling", width: Width::Short, display: "Log Errors"
        };
        /// Whether what is logged of an error names the record's topic, partition, offset and timestamp.
        errors_log_include_messages: bool = "errors.log.include.messages" {
            default: Some("false"), group: "Error Handling", width: Width::Short, display: "Log Error Details"
        };
        /// The topics to consume, separated by commas. Either this or `topics.regex` must be given.
        topics: Vec<String> = "topics" { default: Some(""), importance: High, group: "Common", width: Width::Long, display: "Topics", order: Some(4) };
        /// A regular expression in Java's syntax. Every topic whose whole name matches it is consumed, also one that appears later; Kafka's
        /// own are left out. Either this or `topics` must be given.
        topics_regex: String = "topics.regex" {
            default: Some(""), importance: High, group: "Common", width: Width::Long, display: "Topics regex", order: Some(4),
            valid: By(regex)
        };
        /// The topic that records with errors go to as they came, the dead letter queue; blank for none. The offset of such a record is
        /// committed only when the brokers have acknowledged it there; if they do not take it, the task fails.
        dead_letter_topic: String = "errors.deadletterqueue.topic.name" {
            default: Some(""), group: "Error Handling", display: "Dead Letter Queue Topic Name"
        };
        /// The replication factor with which that topic is created if it is not there; -1 for the brokers' own. It gets one partition.
        dead_letter_replication: i16 = "errors.deadletterqueue.topic.replication.factor" {
            default: Some("3"), group: "Error Handling", display: "Dead Letter Queue Topic Replication Factor"
        };
        /// Whether records that go there get headers, `__connect.errors.…`, that say why.
        dead_letter_headers: bool = "errors.deadletterqueue.context.headers.enable" {
            default: Some("false"), group: "Error Handling", display: "Enable Error Context Headers"
        };
        /// Whose files say what the connector should be: `landfall connectors apply` writes the name of its `--owner` here, and its
        /// `--prune` deletes no connector of another. Nothing else looks at it.
        applied_by: Option<String> = "landfall.applied.by" { importance: Low, group: "Common", display: "Applied by" };
    }
}

/// The most tasks of a connector. Java has no bound, but each is a consumer with threads and memory of its own.
const MOST_TASKS: i32 = 1000;

fn task_count(raw: &str) -> Result<(), String> {
    match raw.trim().parse() {
        Ok(1..=MOST_TASKS) => Ok(()),
        Ok(n) if n > MOST_TASKS => Err(format!("Value must be at most {MOST_TASKS}")),
        _ => Err("Value must be at least 1".into()),
    }
}

fn printable(raw: &str) -> Result<(), String> {
    if raw.is_empty() {
        return Err("String may not be empty".into());
    }
    let control: Vec<_> = raw.chars().filter(|c| c.is_control()).map(|c| u32::from(c).to_string()).collect();
    if control.is_empty() {
        return Ok(());
    }
    Err(format!("String may not contain control sequences but had the following ASCII chars: {}", control.join(", ")))
}

/// Java's `RegexValidator`.
fn regex(raw: &str) -> Result<(), String> {
    Pattern::compile(raw).map(drop).map_err(|why| format!("Invalid regex: {why}"))
}
