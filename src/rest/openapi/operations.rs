//! Every operation of the API: what it is for, what it takes and what it answers.

use serde_json::{Value, json};

use super::{Operation, array, operation, reference};

pub(super) const ABOUT: &str = "\
The REST API of Kafka Connect as Landfall has it: the same paths, bodies, statuses and messages as the Java worker. What differs, and why, is \
in tests/rest/differences.md; `/metrics` and the roles are additions. \
HEAD is answered wherever GET is, and OPTIONS everywhere, with the methods of a path in `Allow`. A slash at the end of a path makes no \
difference. Requests are `application/json` or have no body, and have to accept JSON. \
As in Java, a body that is no JSON, or not of the form that is asked for, is answered with 500, and not with 400; clients of the Java worker \
rely on that. Answers to requests that no resource takes (404, 405, 406, 415) have the body of an error and neither Content-Type nor Allow, also as in \
Java: OPTIONS tells the methods. A boolean in a query is true if it is `true`, and anything else is false. \
In a cluster any worker may be asked: it passes on what another one has to do.";

pub(super) const TAGS: [(&str, &str); 7] = [
    ("Worker", "The worker that is asked."),
    ("Connectors", "Connectors, their configurations and states."),
    ("Tasks", "The tasks of a connector."),
    ("Offsets", "Where a connector goes on: the offsets of its consumer group."),
    ("Plugins", "The classes that there are, and what they take."),
    ("Loggers", "What is logged. With `admin.listeners` these paths are on listeners of their own."),
    ("Internal", "Requests that the workers of a cluster make of each other."),
];

/// Answers that many operations share.
pub(super) fn responses() -> Value {
    let error = |status: u16, description: &str, message: &str| {
        json!({
            "description": description,
            "content": {"application/json": {
                "schema": reference("ErrorMessage"),
                "example": {"error_code": status, "message": message},
            }},
        })
    };
    let bare =
        |description: &str| json!({"description": format!("{description} The body is that of an error, without Content-Type.")});
    let mut unauthorized =
        error(401, "Nobody in particular asks, where users are asked who they are.", "User cannot access the resource.");
    unauthorized["headers"] = json!({"WWW-Authenticate": {
        "description": "What to come with.", "required": true, "schema": {"type": "string"},
        "example": "Basic realm=\"Kafka Connect\", charset=\"UTF-8\"",
    }});
    json!({
        "BadPath": error(400, "The path could be read in two ways, or has characters that it must not have.", "Ambiguous URI empty segment"),
        "Unauthorized": unauthorized,
        "Forbidden": error(
            403,
            "Whoever asks has not got the role, or the worker is read-only (`landfall.rest.read.only`).",
            "User cannot access the resource: it needs the role operator, and ann is reader",
        ),
        "NotAcceptable": bare("The client does not accept JSON."),
        "UnsupportedMediaType": bare("The body is said to be something else than JSON."),
        "Timeout": error(408, "The body paused for longer than `landfall.rest.slow.client.ms`.", "HTTP 408 Request Timeout"),
        "Rebalance": error(
            409,
            "The cluster is busy with a rebalance, or nobody knows who could do it: ask again a moment later.",
            "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway.",
        ),
        "TooLarge": error(413, "The body is longer than `landfall.rest.max.body.bytes`.", "HTTP 413 Payload Too Large"),
        "Malformed": error(
            500,
            "The body is no JSON, or not of this form. As in Java that is 500, although the worker is well. Else it, or what it needs, is at \
             fault: brokers do not set offsets of topics that there are not.",
            "Cannot deserialize value of type `java.lang.String` from Array value (token `JsonToken.START_ARRAY`)",
        ),
        "NotReady": error(503, "The worker cannot just now: it has not joined its cluster, or what it needs is away.", "The worker is starting"),
    })
}

const CONNECTORS: &str = "Connectors";

pub(super) fn all() -> Vec<Operation> {
    [worker(), connectors(), states(), tasks(), offsets(), plugins(), loggers(), internal()].into_iter().flatten().collect()
}

fn worker() -> Vec<Operation> {
    let of = |path, id, summary| operation("GET", path, "Worker", id, summary);
    let status = |status: &str, message: &str| json!({"status": status, "message": message});
    let mut metrics = of("/metrics", "getMetrics", "Figures for Prometheus");
    let example = "# TYPE kafka_connect_connect_worker_metrics_connector_count gauge\nkafka_connect_connect_worker_metrics_connector_count 1\n";
    let content = json!({"text/plain": {"schema": {"type": "string"}, "example": example}});
    metrics.answers.insert(200, json!({"description": "The text format of Prometheus, version 0.0.4.", "content": content}));
    vec![
        of("/", "getServerInfo", "Version and cluster").answers(
            200,
            &reference("ServerInfo"),
            "What the worker is.",
            json!({"version": "4.3.1", "commit": "26b251a451ce941d", "kafka_cluster_id": "YUdYJ1cBSRqXAU7HYw1CbA"}),
        ),
        of("/health", "getHealth", "Whether the worker is ready and alive")
            .says("For probes (KIP-1017).")
            .answers(
                200,
                &reference("WorkerStatus"),
                "It is.",
                status("healthy", "Worker has completed startup and is ready to handle requests."),
            )
            .answers(
                500,
                &reference("WorkerStatus"),
                "It does not get anything done.",
                status("unhealthy", "Worker was unable to handle this request and may be unable to handle other requests."),
            )
            .answers(
                503,
                &reference("WorkerStatus"),
                "It has not started yet.",
                status("starting", "Worker is still starting up."),
            ),
        metrics.says("An addition. With `landfall.metrics.listeners` it is on listeners of its own."),
    ]
}

fn config() -> Value {
    json!({
        "connector.class": "FileStreamSink",
        "tasks.max": "1",
        "topics": "orders",
        "file": "/tmp/orders.txt",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    })
}

/// The same as it is stored.
fn stored() -> Value {
    let mut config = config();
    config["name"] = "orders".into();
    config
}

fn info() -> Value {
    json!({"name": "orders", "config": stored(), "tasks": [{"connector": "orders", "task": 0}], "type": "sink"})
}

fn status() -> Value {
    let part = |more: Value| {
        let mut part = json!({"state": "RUNNING", "worker_id": "10.0.0.4:8083", "version": "4.3.1"});
        more.as_object().into_iter().flatten().for_each(|(key, value)| part[key] = value.clone());
        part
    };
    json!({
        "name": "orders",
        "connector": part(json!({})),
        "tasks": [
            part(json!({"id": 0})),
            part(json!({"id": 1, "state": "FAILED", "trace": "org.apache.kafka.connect.errors.DataException: …"})),
        ],
        "type": "sink",
    })
}

fn connectors() -> Vec<Operation> {
    let of = |method, path, id, summary| operation(method, path, CONNECTORS, id, summary);
    let config_path = "/connectors/{name}/config";
    let invalid = |operation: Operation| {
        operation.error(
            400,
            "The configuration has faults, or no class.",
            "Connector configuration is invalid and contains the following 1 error(s):\nMissing required configuration \"topics\" …",
        )
    };
    vec![
        of("GET", "/connectors", "listConnectors", "All connectors")
            .query(
                "expand",
                array(&json!({"type": "string"})),
                json!(["info", "status"]),
                "`info`, `status` or both, each as a parameter of its own: what to say of each connector. Other values are passed over.",
            )
            .answers(200, &reference("Connectors"), "Names, or objects by name.", json!(["orders"])),
        invalid(of("POST", "/connectors", "createConnector", "Create a connector"))
            .body(
                "CreateConnectorRequest",
                json!({
                    "running": {"name": "orders", "config": config()},
                    "stopped": {"name": "orders-later", "config": config(), "initial_state": "STOPPED"},
                }),
            )
            .answers(201, &reference("ConnectorInfo"), "It is created; `Location` has its URL.", info())
            .error(409, "There is a connector of this name, or the cluster is busy with a rebalance.", "Connector orders already exists"),
        of("GET", "/connectors/{name}", "getConnector", "A connector")
            .answers(200, &reference("ConnectorInfo"), "It.", info())
            .no_such_connector(),
        of("DELETE", "/connectors/{name}", "deleteConnector", "Delete a connector")
            .says("The offsets of its consumer group stay, and so does what it has landed.")
            .empty(204, "It is deleted.")
            .no_such_connector(),
        of("GET", config_path, "getConnectorConfig", "The configuration of a connector")
            .answers(200, &reference("Config"), "It, with secrets hidden.", stored())
            .no_such_connector(),
        invalid(of("PUT", config_path, "putConnectorConfig", "Create a connector, or give it another configuration"))
            .says("The whole configuration; a key that is not in it is one that the connector has not got any more.")
            .body("SubmittedConfig", json!({"orders": config()}))
            .answers(200, &reference("ConnectorInfo"), "It has another configuration.", info())
            .answers(201, &reference("ConnectorInfo"), "It is created; `Location` has its URL.", info()),
        invalid(of("PATCH", config_path, "patchConnectorConfig", "Change keys of a configuration"))
            .says("Keys that are null are taken away (KIP-477).")
            .body("SubmittedConfig", json!({"more tasks": {"tasks.max": "4"}, "the default": {"tasks.max": null}}))
            .answers(200, &reference("ConnectorInfo"), "It has another configuration.", info())
            .no_such_connector(),
        of("GET", "/connectors/{name}/status", "getConnectorStatus", "What a connector and its tasks are doing")
            .answers(200, &reference("ConnectorStateInfo"), "That.", status())
            .no_such_connector(),
        of("GET", "/connectors/{name}/topics", "getConnectorTopics", "The topics that a connector has had records of")
            .says("A connector that is not there has had none.")
            .answers(200, &reference("ActiveTopics"), "Since it was created, or since they were reset.", json!({"orders": {"topics": ["orders"]}}))
            .error(403, "They are not tracked (`topic.tracking.enable`), or the role is lacking.", "Topic tracking is disabled."),
        of("PUT", "/connectors/{name}/topics/reset", "resetConnectorTopics", "Forget these topics")
            .empty(202, "They are forgotten.")
            .error(
                403,
                "That is not allowed (`topic.tracking.allow.reset`), or the role is lacking.",
                "Topic tracking reset is disabled.",
            ),
    ]
}

fn states() -> Vec<Operation> {
    let of = |method, path, id, summary| operation(method, path, CONNECTORS, id, summary).no_such_connector();
    let flag = || json!({"type": "boolean"});
    vec![
        of("PUT", "/connectors/{name}/pause", "pauseConnector", "Consume nothing for now")
            .says("Tasks keep their partitions.")
            .empty(202, "The connector is told; its status says when it has."),
        of("PUT", "/connectors/{name}/resume", "resumeConnector", "Consume again")
            .says("Also after stop.")
            .empty(202, "The connector is told; its status says when it has."),
        of("PUT", "/connectors/{name}/stop", "stopConnector", "End all tasks")
            .says("The connector stays configured; its offsets can be changed (KIP-875).")
            .empty(204, "The connector is told; its status says when it has."),
        of("POST", "/connectors/{name}/restart", "restartConnector", "Start a connector anew")
            .query("includeTasks", flag(), json!(true), "Its tasks too.")
            .query("onlyFailed", flag(), json!(false), "No more of it than what has failed.")
            .answers(202, &reference("ConnectorStateInfo"), "What is restarted, if tasks or failures were asked for.", status())
            .empty(204, "The connector alone is restarted."),
    ]
}

fn tasks() -> Vec<Operation> {
    let of = |method, path, id, summary| operation(method, path, "Tasks", id, summary);
    let mut one = status()["tasks"][0].clone();
    one["id"] = json!(0);
    let missing = |operation: Operation| operation.error(404, "There is no such task.", "No status found for task orders-7");
    vec![
        of("GET", "/connectors/{name}/tasks", "listTasks", "The tasks of a connector, with what they were given")
            .answers(
                200,
                &array(&reference("TaskInfo")),
                "All.",
                json!([{"id": {"connector": "orders", "task": 0}, "config": stored()}]),
            )
            .no_such_connector(),
        missing(of("GET", "/connectors/{name}/tasks/{task}/status", "getTaskStatus", "What a task is doing")).answers(
            200,
            &reference("TaskState"),
            "That.",
            one,
        ),
        missing(of("POST", "/connectors/{name}/tasks/{task}/restart", "restartTask", "Start a task anew"))
            .empty(204, "It is restarted."),
    ]
}

fn offsets() -> Vec<Operation> {
    let of = |method, id, summary| operation(method, "/connectors/{name}/offsets", "Offsets", id, summary).no_such_connector();
    let offset = |offset: Value| json!({"partition": {"kafka_topic": "orders", "kafka_partition": 0}, "offset": offset});
    let stopped = "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified \
                   connector by issuing a 'PUT' request to the '/connectors/orders/stop' endpoint";
    let refused = |operation: Operation| operation.error(400, "The connector is not stopped, or offsets are none.", stopped);
    vec![
        of("GET", "getOffsets", "The offsets of a connector")
            .answers(
                200,
                &reference("ConnectorOffsets"),
                "As its consumer group has committed them.",
                json!({"offsets": [offset(json!({"kafka_offset": 1200}))]}),
            )
            .error(500, "The brokers do not say.", "Failed to list consumer group offsets for connector orders"),
        refused(of("PATCH", "alterOffsets", "Let a stopped connector go on elsewhere"))
            .says("Records may land again, or never.")
            .body(
                "SubmittedOffsets",
                json!({
                    "set": {"offsets": [offset(json!({"kafka_offset": 1000}))]},
                    "forget": {"offsets": [offset(Value::Null)]},
                }),
            )
            .answers(
                200,
                &reference("Message"),
                "It does.",
                json!({"message": "The offsets for this connector have been altered successfully"}),
            ),
        refused(of("DELETE", "resetOffsets", "Let a stopped connector forget its offsets"))
            .says("It goes on as `auto.offset.reset` says.")
            .answers(
                200,
                &reference("Message"),
                "It has.",
                json!({"message": "The offsets for this connector have been reset successfully"}),
            )
            .error(500, "The brokers do not do it.", "Failed to reset consumer group offsets for connector orders"),
    ]
}

fn plugins() -> Vec<Operation> {
    let of = |method, path, id, summary| operation(method, path, "Plugins", id, summary);
    let key = json!({
        "name": "file", "type": "STRING", "required": false, "default_value": null, "importance": "HIGH",
        "documentation": "The file to write to.", "group": null, "order_in_group": -1, "width": "NONE", "display_name": "file",
        "dependents": [],
    });
    let value = json!({"name": "file", "value": "/tmp/orders.txt", "recommended_values": [], "errors": [], "visible": true});
    vec![
        of("GET", "/connector-plugins", "listPlugins", "The classes that the worker has")
            .query(
                "connectorsOnly",
                json!({"type": "boolean", "default": true}),
                json!(false),
                "Whether to list connectors alone.",
            )
            .answers(
                200,
                &array(&reference("PluginInfo")),
                "All.",
                json!([{"class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "type": "sink", "version": "4.3.1"}]),
            ),
        of("GET", "/connector-plugins/{class}/config", "getPluginConfig", "The keys of a class")
            .answers(200, &array(&reference("ConfigKeyInfo")), "All of them.", json!([key]))
            .error(404, "There is no such class.", "Unknown plugin com.example.Nothing.")
            .error(500, "It is a class of Java that is no plugin.", "Instantiation error"),
        of("PUT", "/connector-plugins/{class}/config/validate", "validateConfig", "Look at a configuration")
            .says("Nothing is created. What is wrong stands at each key.")
            .body(
                "SubmittedConfig",
                json!({"orders": config(), "with a fault": {"connector.class": "FileStreamSink", "tasks.max": "many"}}),
            )
            .answers(
                200,
                &reference("ConfigInfos"),
                "What the worker says of it.",
                json!({
                    "name": "FileStreamSink", "error_count": 0, "groups": ["Common"],
                    "configs": [{"definition": key, "value": value}],
                }),
            )
            .error(
                400,
                "The class in the body is another one than that of the path.",
                "Included connector type FileStreamSink does not match request type FileStreamSource",
            ),
    ]
}

fn loggers() -> Vec<Operation> {
    let of = |method, path, id, summary| operation(method, path, "Loggers", id, summary);
    let level = |level: &str| json!({"level": level, "last_modified": null});
    vec![
        of("GET", "/admin/loggers", "listLoggers", "The loggers of the worker").answers(
            200,
            &json!({"type": "object", "additionalProperties": reference("LoggerLevel")}),
            "All, by name.",
            json!({"root": level("INFO"), "landfall.task": {"level": "DEBUG", "last_modified": 1_795_000_000_000_u64}}),
        ),
        of("GET", "/admin/loggers/{logger}", "getLogger", "The level of a logger")
            .answers(200, &reference("LoggerLevel"), "It, or that of the nearest logger above it.", level("INFO"))
            .error(404, "There is no such logger.", "Logger com.example not found."),
        of("PUT", "/admin/loggers/{logger}", "setLogger", "Set the level of a logger and of those below it")
            .query(
                "scope",
                json!({"type": "string"}),
                json!("worker"),
                "`worker`, or `cluster` for all workers (KIP-976). Anything else is taken for worker.",
            )
            .body("SubmittedLevel", json!({"more": {"level": "DEBUG"}}))
            .answers(
                200,
                &array(&json!({"type": "string"})),
                "The loggers whose level is another one now.",
                json!(["landfall.task"]),
            )
            .empty(204, "All workers are told.")
            .error(400, "There is no level in the body.", "Desired 'level' parameter was not specified in request.")
            .error(404, "There is no such level.", "invalid log level 'LOUD'."),
    ]
}

fn internal() -> Vec<Operation> {
    let of = |method, path, id, summary| {
        let mut operation = operation(method, path, "Internal", id, summary).no_such_connector();
        for (name, example, description) in [
            ("X-Connect-Authorization", "c2lnbmVk", "The signature of the body, in Base64, by the key of the config topic."),
            ("X-Connect-Request-Signature-Algorithm", "HmacSHA256", "Its algorithm."),
        ] {
            operation.query.push(json!({
                "name": name, "in": "header", "required": false, "schema": {"type": "string"}, "example": example,
                "description": description,
            }));
        }
        operation
    };
    vec![
        of("POST", "/connectors/{name}/tasks", "putTaskConfigs", "Give a connector tasks")
            .says("From the worker that runs the connector to the leader.")
            .body("TaskConfigs", json!({"one task": [{"task.class": "org.apache.kafka.connect.file.FileStreamSinkTask"}]}))
            .empty(204, "They are stored.")
            .error(400, "The signature cannot be read.", "Internal request missing required header"),
        of("PUT", "/connectors/{name}/fence", "fenceZombies", "Fence the producers of a source connector")
            .says("There are no source connectors here, so it is always refused.")
            .error(
                400,
                "It is no source connector, or the signature cannot be read.",
                "Connector orders is not a source connector",
            ),
    ]
}
