//! Makes tokens without a signature, as `OAuthBearerUnsecuredLoginCallbackHandler` (4.3.1) does: for tests.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use landfall_api::Faults;
use serde_json::{Map, Value, json};

use super::Source;

/// What the options of the login module say.
pub(super) fn read(options: &BTreeMap<String, String>, faults: &mut Faults) -> Option<Source> {
    const JAAS: &str = "sasl.jaas.config";
    let mut claims = Map::new();
    for (option, value) in options {
        let claim = if let Some(name) = option.strip_prefix("unsecuredLoginStringClaim_") {
            Some((name, Value::from(value.as_str())))
        } else if let Some(name) = option.strip_prefix("unsecuredLoginNumberClaim_") {
            value.parse::<f64>().ok().map(|number| (name, Value::from(number)))
        } else if let Some(name) = option.strip_prefix("unsecuredLoginListClaim_") {
            // The first character is what separates the items.
            let items = value.chars().next().map(|by| value[by.len_utf8()..].split(by).map(Value::from).collect());
            Some((name, Value::Array(items.unwrap_or_default())))
        } else {
            continue;
        };
        match claim {
            Some((name @ ("iat" | "exp"), _)) => faults.push(JAAS, format!("{JAAS}: Cannot explicitly set the '{name}' claim")),
            Some((name, value)) => drop(claims.insert(name.to_owned(), value)),
            None => faults.push(JAAS, format!("{JAAS}: {option} is no number")),
        }
    }
    let principal = options.get("unsecuredLoginPrincipalClaimName").map_or("sub", String::as_str);
    if !claims.contains_key(principal) {
        faults.push(JAAS, format!("{JAAS}: OAuthBearerLoginModule needs the option unsecuredLoginStringClaim_{principal}"));
    }
    let lifetime = options.get("unsecuredLoginLifetimeSeconds").map_or(Ok(3600), |seconds| seconds.trim().parse::<i64>());
    match lifetime {
        Ok(lifetime) => Some(Source::Unsecured { claims, lifetime }),
        Err(_) => {
            faults.push(JAAS, format!("{JAAS}: unsecuredLoginLifetimeSeconds is no number"));
            None
        }
    }
}

/// A token without a signature (RFC 7519, 6).
pub(super) fn make(claims: &Map<String, Value>, lifetime: i64) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let mut claims = claims.clone();
    claims.insert("iat".into(), json!(now));
    claims.insert("exp".into(), json!((now + lifetime as f64).floor()));
    let part = |json: &Value| URL_SAFE_NO_PAD.encode(json.to_string());
    format!("{}.{}.", part(&json!({ "alg": "none" })), part(&Value::Object(claims)))
}
