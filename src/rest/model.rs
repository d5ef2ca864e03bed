//! The bodies of answers and requests (`org.apache.kafka.connect.runtime.rest.entities` of Kafka 4.3.1).

use axum::http::StatusCode;
use landfall_api::Properties;
use serde::Serialize;
use serde_json::Value;

use super::RestError;
use crate::herder::connector_config::{Submitted, text_of, trimmed};
use crate::herder::{Info, State, Status, TargetState};
use crate::state::StatusRecord;

/// `ServerInfo`.
#[derive(Debug, Serialize)]
pub struct ServerInfo {
    /// The version of Kafka that the API is compatible with.
    pub version: &'static str,
    /// The commit of that version.
    pub commit: &'static str,
    /// The cluster's id; null while it is not known.
    pub kafka_cluster_id: Option<String>,
}

/// `WorkerStatus`.
#[derive(Debug, Serialize)]
pub struct WorkerStatus {
    /// healthy, starting or unhealthy.
    pub status: &'static str,
    /// The same for people.
    pub message: &'static str,
}

/// `ConnectorTaskId`.
#[derive(Debug, Serialize)]
pub struct TaskName {
    /// The connector.
    pub connector: String,
    /// The number.
    pub task: usize,
}

/// `ConnectorInfo`.
#[derive(Serialize)]
pub struct ConnectorInfo {
    name: String,
    config: Properties,
    tasks: Vec<TaskName>,
    r#type: &'static str,
}
landfall_api::opaque!(ConnectorInfo);

impl From<Info> for ConnectorInfo {
    fn from(info: Info) -> Self {
        let tasks = (0..info.tasks).map(|task| TaskName { connector: info.name.clone(), task }).collect();
        Self { name: info.name, config: info.config, tasks, r#type: "sink" }
    }
}

/// `TaskInfo`.
#[derive(Serialize)]
pub struct TaskInfo {
    /// The task.
    pub id: TaskName,
    /// Its configuration.
    pub config: Properties,
}
landfall_api::opaque!(TaskInfo);

/// `ConnectorStateInfo.TaskState`, and `ConnectorState`, which has no number.
#[derive(Debug, Serialize)]
pub struct TaskState {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<usize>,
    state: State,
    worker_id: String,
    version: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace: Option<String>,
}

impl TaskState {
    /// A task, or a connector, which has no number.
    #[must_use]
    pub fn new(id: Option<usize>, status: StatusRecord) -> Self {
        let StatusRecord { state, trace, worker_id, version, .. } = status;
        Self { id, state, worker_id, version, trace }
    }
}

/// `ConnectorStateInfo`.
#[derive(Debug, Serialize)]
pub struct ConnectorStateInfo {
    name: String,
    connector: TaskState,
    tasks: Vec<TaskState>,
    r#type: &'static str,
}

impl From<Status> for ConnectorStateInfo {
    fn from(Status { name, connector, tasks }: Status) -> Self {
        let tasks = tasks.into_iter().map(|(number, task)| TaskState::new(Some(number), task)).collect();
        Self { name, connector: TaskState::new(None, connector), tasks, r#type: "sink" }
    }
}

/// `PluginInfo`.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct PluginInfo {
    /// The class.
    pub class: &'static str,
    /// sink, converter or header_converter.
    pub r#type: &'static str,
    /// The version.
    pub version: &'static str,
}

/// `ConfigInfos`.
#[derive(Debug, Serialize)]
pub struct ConfigInfos {
    /// The class that the request names.
    pub name: String,
    /// The number of errors in all values.
    pub error_count: usize,
    /// The groups of the keys.
    pub groups: Vec<String>,
    /// The keys and the values.
    pub configs: Vec<ConfigInfo>,
}

/// `ConfigInfo`.
#[derive(Debug, Serialize)]
pub struct ConfigInfo {
    /// The key.
    pub definition: Option<ConfigKeyInfo>,
    /// The value.
    pub value: ConfigValueInfo,
}

/// `ConfigKeyInfo`.
#[derive(Clone, Debug, Serialize)]
#[expect(missing_docs, reason = "the fields of landfall_api::Key by their Java names")]
pub struct ConfigKeyInfo {
    pub name: String,
    pub r#type: &'static str,
    pub required: bool,
    pub default_value: Option<String>,
    pub importance: &'static str,
    pub documentation: String,
    pub group: Option<String>,
    pub order_in_group: i32,
    pub width: &'static str,
    pub display_name: String,
    pub dependents: Vec<String>,
}

/// `ConfigValueInfo`.
#[derive(Debug, Serialize)]
pub struct ConfigValueInfo {
    /// The key's name.
    pub name: String,
    /// The value or the default; a secret is hidden.
    pub value: Option<String>,
    /// Values that a form offers.
    pub recommended_values: Vec<String>,
    /// What is wrong.
    pub errors: Vec<String>,
    /// Whether a form shows it.
    pub visible: bool,
}

/// `CreateConnectorRequest`.
#[derive(PartialEq, Eq)]
pub struct CreateConnectorRequest {
    /// The name, without the blanks around it; empty if none was given.
    pub name: String,
    /// The configuration.
    pub config: Submitted,
    /// What the connector should be doing first.
    pub initial_state: TargetState,
}
landfall_api::opaque!(CreateConnectorRequest);

const REQUEST: &str = "org.apache.kafka.connect.runtime.rest.entities.CreateConnectorRequest";
const MAP: &str = "java.util.LinkedHashMap<java.lang.String,java.lang.String>";

impl CreateConnectorRequest {
    /// Reads the body of `POST /connectors`; refuses what Java refuses, in its words as far as they are about the request.
    ///
    /// # Errors
    /// The body is not such a request.
    pub fn parse(body: &[u8]) -> Result<Self, RestError> {
        let mut fields = match json(body)? {
            Value::Null => {
                return Err(null(&format!("{REQUEST}.name()"), "createRequest"));
            }
            Value::Object(fields) => fields,
            other => return Err(cannot(REQUEST, &other)),
        };
        if let Some(unknown) = fields.keys().find(|key| !["name", "config", "initial_state"].contains(&key.as_str())) {
            return Err(internal(format!(
                "Unrecognized field \"{unknown}\" (class {REQUEST}), not marked as ignorable (3 known properties: \"config\", \"name\", \
                 \"initial_state\")"
            )));
        }
        let field = |name: &str| format!("{REQUEST}[\"{name}\"]");
        let name = scalar(fields.remove("name").unwrap_or_default(), &field("name"))?.unwrap_or_default();
        let initial_state = match scalar(fields.remove("initial_state").unwrap_or_default(), &field("initial_state"))? {
            None => TargetState::Started,
            Some(state) => match state.to_ascii_uppercase().as_str() {
                "RUNNING" => TargetState::Started,
                "PAUSED" => TargetState::Paused,
                "STOPPED" => TargetState::Stopped,
                _ => {
                    return Err(internal(format!(
                        "Cannot construct instance of `{REQUEST}$InitialState`, problem: No enum constant {}.InitialState.{state}. \
                         There are RUNNING, PAUSED and STOPPED",
                        REQUEST
                    )));
                }
            },
        };
        let config = map(fields.remove("config").unwrap_or_default(), &format!("{}->", field("config")))?;
        let config = config.ok_or_else(|| null("java.util.Map.get(Object)", "connectorConfig"))?;
        Ok(Self { name: trimmed(&name).to_owned(), config, initial_state })
    }
}

/// Reads a body that is a configuration; None for null or no body.
///
/// # Errors
/// It is something else.
pub fn config(body: &[u8]) -> Result<Option<Submitted>, RestError> {
    let body = json(body)?;
    let wrapped = matches!(&body, Value::Object(fields) if matches!(fields.get("config"), Some(Value::Object(_))));
    map(body, "").map_err(|error| match wrapped {
        true => internal(format!("{}: the body is what is in config, without name and config around it", error.message)),
        false => error,
    })
}

/// The error of a request without what it must have: Java calls the method `called` on `variable` there.
#[must_use]
pub fn null(called: &str, variable: &str) -> RestError {
    internal(format!("Cannot invoke \"{called}\" because \"{variable}\" is null"))
}

pub(super) fn internal(message: impl Into<String>) -> RestError {
    RestError::new(StatusCode::INTERNAL_SERVER_ERROR, message)
}

pub(super) fn json(body: &[u8]) -> Result<Value, RestError> {
    let body = body.strip_prefix(b"\xef\xbb\xbf").unwrap_or(body);
    if body.trim_ascii().is_empty() {
        return Ok(Value::Null);
    }
    // serde_json's message says what was expected where, and nothing of the text.
    serde_json::from_slice(body).map_err(|e| internal(format!("not JSON: {e}")))
}

/// `chain` is where the map stands in the body, as Java says it.
fn map(value: Value, chain: &str) -> Result<Option<Submitted>, RestError> {
    let entry = |(key, value)| {
        let text = scalar(value, &format!("{chain}java.util.LinkedHashMap[\"{key}\"]"))?;
        Ok((key, text))
    };
    match value {
        Value::Null => Ok(None),
        Value::Object(fields) => fields.into_iter().map(entry).collect::<Result<_, _>>().map(Some),
        other => Err(cannot(MAP, &other)),
    }
}

fn scalar(value: Value, chain: &str) -> Result<Option<String>, RestError> {
    text_of(value).map_err(|nested| {
        let RestError { status, message, .. } = cannot("java.lang.String", &nested);
        RestError::new(status, format!("{message} (through reference chain: {chain})"))
    })
}

pub(super) fn cannot(wanted: &str, got: &Value) -> RestError {
    let (kind, token) = match got {
        Value::Array(_) => ("Array", "JsonToken.START_ARRAY"),
        Value::Object(_) => ("Object", "JsonToken.START_OBJECT"),
        Value::String(_) => ("String", "JsonToken.VALUE_STRING"),
        Value::Number(_) => ("Number", "JsonToken.VALUE_NUMBER_INT"),
        Value::Bool(_) | Value::Null => ("Boolean", "JsonToken.VALUE_TRUE"),
    };
    internal(format!("Cannot deserialize value of type `{wanted}` from {kind} value (token `{token}`)"))
}
