//! A stand-in for the schema registry of an Event Hubs namespace.

use serde_json::json;

use super::azure_service::{AzureService, Put};
use super::entra::FakeEntra;

/// A registry that is empty at first.
pub(crate) fn start(entra: &FakeEntra) -> AzureService {
    let missing = json!({"error": {"code": "ItemNotFound", "message": "Schema id does not exist."}});
    AzureService::start(entra, "registry", "DNS:*.servicebus.windows.net", "https://eventhubs.azure.net", missing)
}

/// Registers a schema, which is `Avro` or `Json`, with the id of 32 characters.
pub(crate) fn register(registry: &AzureService, id: &str, serialization: &str, schema: &str) {
    let headers = vec![
        ("content-type", format!("application/json; serialization={serialization}")),
        ("schema-id", id.to_owned()),
        ("schema-version", "1".to_owned()),
        ("schema-group-name", "landing".to_owned()),
    ];
    registry.put(&format!("/$schemaGroups/$schemas/{id}"), Put { status: 200, headers, body: schema.to_owned() });
}
