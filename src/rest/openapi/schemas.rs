//! What requests and answers are made of (`model.rs`). Answers have no members but these.

use serde_json::{Map, Value, json};

use super::{array, reference};
use crate::herder::State;

/// All, by their names in Java where it has one.
pub(super) fn all() -> Value {
    let text = || json!({"type": "string"});
    let or_null = |kind: &str| json!({"type": [kind, "null"]});
    let count = || json!({"type": "integer", "minimum": 0});
    let map = |values: Value| json!({"type": "object", "additionalProperties": values});
    let states: Vec<String> = State::OF_TASKS.iter().map(ToString::to_string).chain([State::Stopped.to_string()]).collect();
    let state = || json!({"type": "string", "enum": states});
    let state_of = |more: &[(&str, Value)]| {
        let mut members = vec![("state", state()), ("worker_id", text()), ("version", or_null("string"))];
        members.extend(more.iter().cloned());
        let mut schema = object(&members, "What a connector, or a task of it, is doing, and where.");
        schema["properties"]["trace"] = json!({"type": "string", "description": "Why it has failed; only there if it has."});
        schema
    };
    let sink = || json!({"type": "string", "enum": ["sink"]});
    let partition = || object(&[("kafka_topic", text()), ("kafka_partition", count())], "A partition.");
    let level = || json!({"type": "string", "enum": ["OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"]});
    let mut create = object(
        &[("name", json!({"type": ["string", "number", "boolean"]})), ("config", reference("SubmittedConfig"))],
        "A connector that is to be created. Other members are refused.",
    );
    create["properties"]["initial_state"] = json!({"type": ["string", "null"], "enum": ["RUNNING", "PAUSED", "STOPPED", null], "description": "RUNNING if it is not given."});
    let mut expanded = object(
        &[("info", reference("ConnectorInfo")), ("status", reference("ConnectorStateInfo"))],
        "What `expand` asks for of a connector.",
    );
    expanded["required"] = json!([]);

    let all: Vec<(&str, Value)> = vec![
        (
            "ServerInfo",
            object(
                &[("version", text()), ("commit", text()), ("kafka_cluster_id", or_null("string"))],
                "The version of Kafka that the API is compatible with, and the cluster's id; null before the brokers have said it.",
            ),
        ),
        (
            "WorkerStatus",
            object(
                &[("status", json!({"type": "string", "enum": ["healthy", "starting", "unhealthy"]})), ("message", text())],
                "Whether the worker can do its work.",
            ),
        ),
        (
            "ErrorMessage",
            object(
                &[("error_code", json!({"type": "integer"})), ("message", text())],
                "What is wrong; `error_code` is the status again.",
            ),
        ),
        (
            "Config",
            described(
                map(text()),
                "A configuration: all values are text. A secret is `[hidden]`, and `[hidden]` sent back keeps what is stored.",
            ),
        ),
        (
            "SubmittedConfig",
            described(
                map(json!({"type": ["string", "number", "boolean", "null"]})),
                "A configuration as a request brings it: numbers and booleans are taken as the text that they are.",
            ),
        ),
        ("TaskConfigs", array(&reference("Config"))),
        ("CreateConnectorRequest", create),
        ("ConnectorTaskId", object(&[("connector", text()), ("task", count())], "The name of a task.")),
        (
            "ConnectorInfo",
            object(
                &[
                    ("name", text()),
                    ("config", reference("Config")),
                    ("tasks", array(&reference("ConnectorTaskId"))),
                    ("type", sink()),
                ],
                "A connector.",
            ),
        ),
        (
            "TaskInfo",
            object(&[("id", reference("ConnectorTaskId")), ("config", reference("Config"))], "A task and what it was given."),
        ),
        ("ConnectorState", state_of(&[])),
        ("TaskState", state_of(&[("id", count())])),
        (
            "ConnectorStateInfo",
            object(
                &[
                    ("name", text()),
                    ("connector", reference("ConnectorState")),
                    ("tasks", array(&reference("TaskState"))),
                    ("type", sink()),
                ],
                "What a connector and its tasks are doing.",
            ),
        ),
        ("ExpandedConnector", expanded),
        (
            "Connectors",
            json!({
                "description": "Names, or with `expand` what it asks for by name.",
                "anyOf": [array(&text()), map(reference("ExpandedConnector"))],
            }),
        ),
        (
            "ActiveTopics",
            described(
                map(object(&[("topics", array(&text()))], "Topics.")),
                "The topics that a connector has had records of, by its name.",
            ),
        ),
        (
            "PluginInfo",
            object(
                &[
                    ("class", text()),
                    (
                        "type",
                        json!({"type": "string", "enum": ["sink", "converter", "header_converter", "transformation", "predicate"]}),
                    ),
                    ("version", text()),
                ],
                "A class that the worker has.",
            ),
        ),
        (
            "ConfigKeyInfo",
            object(
                &[
                    ("name", text()),
                    (
                        "type",
                        json!({"type": "string", "enum": ["BOOLEAN", "STRING", "INT", "SHORT", "LONG", "DOUBLE", "LIST", "CLASS", "PASSWORD"]}),
                    ),
                    ("required", json!({"type": "boolean"})),
                    ("default_value", or_null("string")),
                    ("importance", json!({"type": "string", "enum": ["HIGH", "MEDIUM", "LOW"]})),
                    ("documentation", text()),
                    ("group", or_null("string")),
                    ("order_in_group", json!({"type": "integer"})),
                    ("width", json!({"type": "string", "enum": ["NONE", "SHORT", "MEDIUM", "LONG"]})),
                    ("display_name", text()),
                    ("dependents", array(&text())),
                ],
                "What a key is.",
            ),
        ),
        (
            "ConfigValueInfo",
            object(
                &[
                    ("name", text()),
                    ("value", or_null("string")),
                    ("recommended_values", array(&text())),
                    ("errors", array(&text())),
                    ("visible", json!({"type": "boolean"})),
                ],
                "The value of a key, or its default, and what is wrong with it.",
            ),
        ),
        (
            "ConfigInfo",
            object(
                &[
                    ("definition", json!({"anyOf": [reference("ConfigKeyInfo"), {"type": "null"}]})),
                    ("value", reference("ConfigValueInfo")),
                ],
                "A key and its value. The definition of a key that nobody declares is null.",
            ),
        ),
        (
            "ConfigInfos",
            object(
                &[
                    ("name", text()),
                    ("error_count", count()),
                    ("groups", array(&text())),
                    ("configs", array(&reference("ConfigInfo"))),
                ],
                "What the worker says of a configuration.",
            ),
        ),
        (
            "ConnectorOffsets",
            object(
                &[(
                    "offsets",
                    array(&object(
                        &[
                            ("partition", partition()),
                            ("offset", object(&[("kafka_offset", count())], "The next offset to read.")),
                        ],
                        "An offset.",
                    )),
                )],
                "Where a connector goes on.",
            ),
        ),
        (
            "SubmittedOffsets",
            object(
                &[(
                    "offsets",
                    json!({"type": "array", "minItems": 1, "items": object(
                        &[
                            ("partition", partition()),
                            ("offset", json!({"anyOf": [object(&[("kafka_offset", count())], "The next offset to read."), {"type": "null"}]})),
                        ],
                        "An offset; null forgets it.",
                    )}),
                )],
                "Where a connector is to go on.",
            ),
        ),
        ("Message", object(&[("message", text())], "What has been done.")),
        (
            "LoggerLevel",
            object(
                &[("level", level()), ("last_modified", json!({"type": ["integer", "null"]}))],
                "The level of a logger, and when it was set, in milliseconds since the epoch; null if it was not since the worker began.",
            ),
        ),
        (
            "SubmittedLevel",
            described(
                json!({"type": "object", "required": ["level"], "properties": {"level": level()}}),
                "A level, in letters of any size.",
            ),
        ),
    ];
    all.into_iter().map(|(name, schema)| (name.to_owned(), schema)).collect::<Map<_, _>>().into()
}

fn described(mut schema: Value, description: &str) -> Value {
    schema["description"] = description.into();
    schema
}

/// An object of these members and no others, all of which are there.
fn object(members: &[(&str, Value)], description: &str) -> Value {
    let properties: Map<String, Value> = members.iter().map(|(name, schema)| ((*name).to_owned(), schema.clone())).collect();
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    json!({
        "type": "object",
        "description": description,
        "required": required,
        "properties": properties,
        "additionalProperties": false,
    })
}
