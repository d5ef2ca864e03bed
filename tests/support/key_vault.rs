//! A stand-in for Azure Key Vault. Vaults of all names lead to it through its proxy.

use serde_json::{Value, json};

use super::azure_service::{AzureService, Put};
use super::entra::FakeEntra;

/// Vaults that are empty at first.
pub(crate) fn start(entra: &FakeEntra) -> AzureService {
    let missing =
        json!({"error": {"code": "SecretNotFound", "message": "A secret with this name was not found in this key vault."}});
    AzureService::start(entra, "vault", "DNS:*.vault.azure.net", "https://vault.azure.net", missing)
}

/// Sets a secret, with what else its bundle has: `attributes` and `tags`.
pub(crate) fn set(vault: &AzureService, name: &str, value: &str, more: &Value) {
    let mut bundle =
        json!({"value": value, "id": format!("https://v.vault.azure.net/secrets/{name}/0123"), "attributes": {"enabled": true}});
    for (key, value) in more.as_object().into_iter().flatten() {
        bundle[key] = value.clone();
    }
    let headers = vec![("content-type", "application/json; charset=utf-8".to_owned())];
    vault.put(&format!("/secrets/{name}"), Put { status: 200, headers, body: bundle.to_string() });
}

/// Refuses a secret, as a disabled one is refused.
pub(crate) fn disable(vault: &AzureService, name: &str) {
    let body = json!({"error": {
        "code": "Forbidden", "message": "Operation get is not allowed on a disabled secret.", "innererror": {"code": "SecretDisabled"},
    }});
    vault.put(&format!("/secrets/{name}"), Put { status: 403, headers: Vec::new(), body: body.to_string() });
}
