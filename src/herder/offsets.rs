//! The offsets of a sink's consumer group, which users see and, while the connector is stopped, set (`Worker.sinkConnectorOffsets`,
//! `Worker.modifySinkConnectorOffsets` and `SinkUtils` of Kafka 4.3.1).

use std::collections::BTreeMap;
use std::time::Duration;

use landfall_api::{AlteredOffsets, NewOffsets, Properties, SinkConnector, TopicPartition};
use serde_json::{Map, Value};

use super::connector_config::text_of;
use super::handle::given;
use super::{Error, Herder, TargetState};
use crate::kafka::{GroupOffsets, KafkaError, consumer_properties, offsets_admin_properties};

/// How long the brokers may take for a request: less than the client waits, so that it is told what was waited for.
const TIMEOUT: Duration = Duration::from_secs(80);

/// A partition and its new offset, as a request has them: objects, or nothing.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Asked {
    /// `kafka_topic` and `kafka_partition`.
    pub partition: Option<Map<String, Value>>,
    /// `kafka_offset`.
    pub offset: Option<Map<String, Value>>,
}

/// Reads the offsets of a request; of two for one partition the last counts.
///
/// # Errors
/// What is wrong with the first that is, in Java's words.
pub fn parse(asked: &[Asked]) -> Result<NewOffsets, Error> {
    let bad = |text: &str| Err(Error::BadRequest(text.to_owned()));
    let mut offsets = NewOffsets::new();
    for Asked { partition, offset } in asked {
        let Some(partition) = partition else {
            return bad("The partition for a sink connector offset cannot be null or missing");
        };
        let (Some(topic), Some(number)) = (partition.get("kafka_topic"), partition.get("kafka_partition")) else {
            return bad("The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'");
        };
        if topic.is_null() {
            return bad("Kafka topic names must be valid strings and may not be null");
        }
        if number.is_null() {
            return bad("Kafka partitions must be valid numbers and may not be null");
        }
        let number = integer(number, "partition", "Partition")?;
        let offset = match offset {
            None => None,
            Some(offset) => match offset.get("kafka_offset") {
                Some(offset) => Some(integer(offset, "offset", "Offset")?),
                None => return bad("The offset for a sink connector should either be null or contain the key 'kafka_offset'"),
            },
        };
        offsets.insert(TopicPartition::new(shown(topic), number), offset);
    }
    Ok(offsets)
}

/// A number, or its text.
fn integer<T: std::str::FromStr>(value: &Value, what: &str, whats: &str) -> Result<T, Error> {
    let text = shown(value);
    text.parse().map_err(|_| {
        Error::BadRequest(format!(
            "Failed to parse the following Kafka {what} value in the provided offsets: '{text}'. {whats} values for sink connectors \
             need to be integers."
        ))
    })
}

/// A value as Java's `String.valueOf` has it.
fn shown(value: &Value) -> String {
    text_of(value.clone()).map_or_else(|nested| nested.to_string(), |text| text.unwrap_or_else(|| "null".to_owned()))
}

impl Herder {
    /// The offsets that the group of a connector has stored.
    ///
    /// # Errors
    /// There is no connector of this name, or the brokers do not tell.
    pub async fn offsets(&self, name: &str) -> Result<BTreeMap<TopicPartition, i64>, Error> {
        let connector = self.connector(name)?;
        let herder = self.clone();
        let listed = tokio::task::spawn_blocking(move || {
            let listed = herder.group_of(&connector).and_then(|group| group.list());
            listed.map_err(|error| {
                failed(&format!("Failed to retrieve consumer group offsets for sink connector {}", connector.name), &error)
            })
        });
        listed.await.unwrap_or_else(|_| Err(Error::Internal("the request ended unexpectedly".into())))
    }

    /// Gives the group of a stopped connector other offsets; what the user is told.
    ///
    /// # Errors
    /// There is no connector of this name, it is not stopped, the offsets make no sense, or the brokers or the connector refuse them.
    pub async fn alter_offsets(&self, name: &str, asked: Vec<Asked>) -> Result<String, Error> {
        self.on_stopped(name, move |herder, connector| {
            let offsets = parse(&asked)?;
            if offsets.values().flatten().any(|offset| *offset < 0) {
                let text = format!("Failed to modify offsets for sink connector {}", connector.name);
                tracing::error!("{text}: an offset is negative");
                return Err(Error::Internal(text));
            }
            let group = herder.group_of(connector).map_err(|e| modify(connector, &e))?;
            let obeyed = connector.alter_offsets(&offsets)?;
            group.alter(&offsets).map_err(|error| {
                let name = &connector.name;
                match error.group_is_in_use() {
                    true => Error::Internal(in_use("alter", name)),
                    false => failed(&format!("Failed to alter consumer group offsets for connector {name}"), &error),
                }
            })?;
            tracing::info!(connector = %connector.name, "offsets altered");
            Ok(done("altered", obeyed))
        })
        .await
    }

    /// Deletes the group of a stopped connector with its offsets; what the user is told.
    ///
    /// # Errors
    /// As of [`alter_offsets`](Self::alter_offsets).
    pub async fn reset_offsets(&self, name: &str) -> Result<String, Error> {
        self.on_stopped(name, |herder, connector| {
            let name = &connector.name;
            let group = herder.group_of(connector).map_err(|e| modify(connector, &e))?;
            let stored = group.list().map_err(|error| {
                failed(&format!("Failed to list offsets prior to resetting offsets for sink connector {name}"), &error)
            })?;
            let obeyed = connector.alter_offsets(&stored.into_keys().map(|tp| (tp, None)).collect())?;
            group.delete().map_err(|error| match error.group_is_in_use() {
                true => Error::Internal(in_use("reset", name)),
                false => failed(&format!("Failed to reset consumer group offsets for sink connector {name}"), &error),
            })?;
            tracing::info!(connector = %name, "offsets reset");
            Ok(done("reset", obeyed))
        })
        .await
    }

    /// Runs `operation` on a connector that is stopped and has no tasks, while nobody else changes it.
    async fn on_stopped<T: Send + 'static>(
        &self,
        name: &str,
        operation: impl FnOnce(&Self, &Connector) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.up_to_date()?;
        self.lead()?;
        self.run(name, move |herder, name| async move {
            // Others may have resumed it.
            if !herder.shared.read_configs().await {
                let text = "Failed to read to end of config topic before modifying connector offsets";
                return Err(Error::Internal(text.to_owned()));
            }
            let connector = herder.connector(&name)?;
            let configs = herder.shared.configs.now();
            if configs.target(&name) != Some(TargetState::Stopped) || configs.task_count(&name) > 0 {
                return Err(Error::BadRequest(format!(
                    "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified \
                     connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
                )));
            }
            let operated = tokio::task::spawn_blocking(move || operation(&herder, &connector));
            operated.await.unwrap_or_else(|_| Err(Error::Internal("the request ended unexpectedly".into())))
        })
        .await
    }

    fn connector(&self, name: &str) -> Result<Connector, Error> {
        let config = self.shared.configs.look(|configs| configs.config(name).map(given)).ok_or_else(|| unknown(name))?;
        let sink = self.shared.sink_of(&config).map_err(Error::Internal)?;
        let config = self.shared.provision.all(config);
        self.shared.provision.allowed(&config).map_err(|why| Error::BadRequest(self.shared.provision.hidden(&why)))?;
        Ok(Connector { name: name.to_owned(), sink, config })
    }

    /// The group of a connector, by the settings of its consumers and the admin client that its configuration asks for.
    fn group_of(&self, connector: &Connector) -> Result<GroupOffsets, KafkaError> {
        group(self.worker(), &connector.config, &connector.name)
    }
}

/// A connector whose offsets are asked for.
struct Connector {
    name: String,
    sink: &'static dyn SinkConnector,
    config: Properties,
}

/// The group of the connector `name` with the properties `config`.
fn group(worker: &Properties, config: &Properties, name: &str) -> Result<GroupOffsets, KafkaError> {
    let consumer = consumer_properties(worker, config, name, 0, 0);
    let group = consumer.librdkafka.get("group.id").map_or("", String::as_str);
    GroupOffsets::of(group, &offsets_admin_properties(worker, config, name), TIMEOUT)
}

impl Connector {
    /// Asks the class what it does about `offsets`.
    fn alter_offsets(&self, offsets: &NewOffsets) -> Result<AlteredOffsets, Error> {
        let refused = |why| Error::BadRequest(format!("Failed to modify offsets for sink connector {}: {why}", self.name));
        self.sink.alter_offsets(&self.config, offsets).map_err(refused)
    }
}

fn unknown(name: &str) -> Error {
    Error::NotFound(format!("Connector {name} not found"))
}

fn modify(connector: &Connector, error: &KafkaError) -> Error {
    failed(&format!("Failed to modify offsets for sink connector {}", connector.name), error)
}

/// Java's words; the reason is logged.
fn failed(text: &str, error: &KafkaError) -> Error {
    tracing::error!("{text}: {error}");
    Error::Internal(text.to_owned())
}

fn in_use(verb: &str, name: &str) -> String {
    format!(
        "Failed to {verb} consumer group offsets for connector {name} either because its tasks haven't stopped completely yet or the \
         connector was resumed before the request to {verb} its offsets could be successfully completed. If the connector is in a \
         stopped state, this operation can be safely retried. If it doesn't eventually succeed, the Connect cluster may need to be \
         restarted to get rid of the zombie sink tasks."
    )
}

fn done(verb: &str, obeyed: AlteredOffsets) -> String {
    let AlteredOffsets::OfGroup(advice) = obeyed else {
        return format!("The offsets for this connector have been {verb} successfully");
    };
    let text = format!(
        "The Connect framework-managed offsets for this connector have been {verb} successfully. However, if this connector manages \
         offsets externally, they will need to be manually {verb} in the system that the connector uses."
    );
    if advice.is_empty() { text } else { format!("{text} {advice}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn asked(value: &Value) -> Asked {
        let part = |name: &str| value.get(name).and_then(Value::as_object).cloned();
        Asked { partition: part("partition"), offset: part("offset") }
    }

    fn read(value: &Value) -> Result<(TopicPartition, Option<i64>), String> {
        let offsets = parse(&[asked(value)]).map_err(|e| e.to_string())?;
        Ok(offsets.into_iter().next().expect("one offset"))
    }

    #[test]
    fn numbers_and_their_texts_are_offsets() {
        let with = |partition: Value, offset: Value| json!({"partition": {"kafka_topic": "t", "kafka_partition": partition, "x": 1}, "offset": {"kafka_offset": offset, "x": 1}});
        for (partition, offset) in [(json!(3), json!(7)), (json!("3"), json!("7"))] {
            assert_eq!(read(&with(partition, offset)), Ok((TopicPartition::new("t", 3), Some(7))));
        }
        assert_eq!(read(&with(json!(0), json!(-1))), Ok((TopicPartition::new("t", 0), Some(-1))));
        let none = json!({"partition": {"kafka_topic": 5, "kafka_partition": 0}, "offset": null});
        assert_eq!(read(&none), Ok((TopicPartition::new("5", 0), None)));
        let twice = [with(json!(0), json!(4)), with(json!("0"), json!(5))].map(|one| asked(&one));
        assert_eq!(parse(&twice), Ok(NewOffsets::from([(TopicPartition::new("t", 0), Some(5))])));
    }

    #[test]
    fn what_is_no_offset_is_refused_in_javas_words() {
        let keys = "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'";
        let partition = |value: &str| {
            format!(
                "Failed to parse the following Kafka partition value in the provided offsets: '{value}'. Partition values for sink \
                 connectors need to be integers."
            )
        };
        let offset = |value: &str| partition(value).replace("partition", "offset").replace("Partition", "Offset");
        let at = |topic: Value, partition: Value| json!({"partition": {"kafka_topic": topic, "kafka_partition": partition}, "offset": null});
        let to = |offset: Value| json!({"partition": {"kafka_topic": "t", "kafka_partition": 0}, "offset": offset});
        for (request, expected) in [
            (json!({"offset": {}}), "The partition for a sink connector offset cannot be null or missing".to_owned()),
            (json!({"partition": {}}), keys.to_owned()),
            (json!({"partition": {"kafka_topic": "t"}}), keys.to_owned()),
            (json!({"partition": {"filename": "t"}, "offset": {"position": 1}}), keys.to_owned()),
            (at(Value::Null, json!(0)), "Kafka topic names must be valid strings and may not be null".to_owned()),
            (at(json!("t"), Value::Null), "Kafka partitions must be valid numbers and may not be null".to_owned()),
            (at(json!("t"), json!("abc")), partition("abc")),
            (at(json!("t"), json!(0.5)), partition("0.5")),
            (to(json!({})), "The offset for a sink connector should either be null or contain the key 'kafka_offset'".to_owned()),
            (to(json!({"kafka_offset": null})), offset("null")),
            (to(json!({"kafka_offset": "abc"})), offset("abc")),
            (to(json!({"kafka_offset": 1.5})), offset("1.5")),
        ] {
            assert_eq!(read(&request), Err(expected), "{request}");
        }
    }

    #[test]
    fn what_is_done_is_said_with_what_is_left_to_do() {
        assert_eq!(done("reset", AlteredOffsets::Obeyed), "The offsets for this connector have been reset successfully");
        let text = done("altered", AlteredOffsets::OfGroup("Do this."));
        assert!(
            text.starts_with("The Connect framework-managed offsets for this connector have been altered successfully. "),
            "{text}"
        );
        assert!(text.ends_with("manually altered in the system that the connector uses. Do this."), "{text}");
    }
}
