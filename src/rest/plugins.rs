//! `/connector-plugins` (`ConnectorPluginsResource` of Kafka 4.3.1).

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use landfall_api::{Importance, Key, Role, Width};

use super::model::{self, ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo, PluginInfo};
use super::{Answer, QueryPairs, RestError};
use crate::convert;
use crate::herder::connector_config::{Checked, ConnectorKeys, Secrets};
use crate::herder::{Error, Standalone};

pub(super) async fn list(State(herder): State<Standalone>, Query(query): Query<QueryPairs>) -> Json<Vec<PluginInfo>> {
    let plugins = herder.plugins();
    let sinks = plugins.sinks.iter();
    let mut all: Vec<_> = sinks.map(|s| PluginInfo { class: s.class(), r#type: "sink", version: s.version() }).collect();
    // Whatever is not true is false to Java, but for an absent value.
    let only = query.iter().find(|(key, value)| key == "connectorsOnly" && !value.is_empty());
    if only.is_some_and(|(_, value)| !value.eq_ignore_ascii_case("true")) {
        for (role, r#type) in [(Role::Value, "converter"), (Role::Header, "header_converter")] {
            let able = plugins.converters.iter().filter(|c| c.roles().contains(&role));
            all.extend(able.map(|c| PluginInfo { class: c.class(), r#type, version: env!("CARGO_PKG_VERSION") }));
        }
    }
    Json(all)
}

/// The keys of a plugin of any type.
pub(super) async fn keys(State(herder): State<Standalone>, Path(class): Path<String>) -> Answer<Vec<ConfigKeyInfo>> {
    let plugins = herder.plugins();
    if let Some(sink) = plugins.sink(&class) {
        return Ok(Json(definitions("", &[sink.keys().as_slice(), ConnectorKeys::KEYS].concat())));
    }
    let converter = plugins.converter(&class).map(|c| definitions("", c.keys()));
    converter.map(Json).ok_or_else(|| RestError::new(StatusCode::NOT_FOUND, format!("Unknown plugin {class}.")))
}

pub(super) async fn validate(State(herder): State<Standalone>, Path(class): Path<String>, body: Bytes) -> Answer<ConfigInfos> {
    let config = model::config(&body)?.ok_or_else(|| model::null("java.util.Map.get(Object)", "connectorConfig"))?;
    let normalized = |class: &str| class.strip_suffix("Connector").unwrap_or(class).to_owned();
    if let Some(Some(included)) = config.get("connector.class")
        && !normalized(included).ends_with(&normalized(&class))
    {
        let message = format!("Included connector type {included} does not match request type {class}");
        return Err(RestError::new(StatusCode::BAD_REQUEST, message));
    }
    let checked = herder.check(&config).map_err(|error| match error {
        // Here Java wraps what it throws as a bad request elsewhere.
        Error::BadRequest(message) => RestError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("org.apache.kafka.connect.runtime.rest.errors.BadRequestException: {message}"),
        ),
        other => other.into(),
    })?;
    Ok(Json(infos(&herder, &checked)))
}

fn infos(herder: &Standalone, checked: &Checked) -> ConfigInfos {
    let Checked { sink, properties, faults, .. } = checked;
    let shown = Secrets::of(&herder.plugins(), properties).hide(properties);
    let mut definitions = definitions("", ConnectorKeys::KEYS);
    definitions.extend(self::definitions("", &sink.keys()));
    for role in [Role::Key, Role::Value, Role::Header] {
        let (class, _) = convert::configured(role, &Default::default(), properties);
        if let Some(class) = herder.plugins().converter(&class) {
            definitions.extend(self::definitions(&format!("{}.", convert::key(role)), class.keys()));
        }
    }
    let mut groups = Vec::new();
    for group in definitions.iter().filter_map(|d| d.group) {
        if !groups.contains(&group) {
            groups.push(group);
        }
    }
    let errors = |key: &str| faults.0.iter().filter(|f| f.key == key).map(|f| f.message.clone()).collect::<Vec<_>>();
    let recommended = |name: &str| {
        let role = [Role::Key, Role::Value, Role::Header].into_iter().find(|role| convert::key(*role) == name);
        let able =
            |role| herder.plugins().converters.iter().filter(move |c| c.roles().contains(&role)).map(|c| c.class().to_owned());
        role.map_or_else(Vec::new, |role| able(role).collect())
    };
    let value = |name: &str, default: Option<&String>| ConfigValueInfo {
        name: name.to_owned(),
        value: shown.get(name).or(default).cloned(),
        recommended_values: recommended(name),
        errors: errors(name),
        visible: true,
    };
    let known: Vec<String> = definitions.iter().map(|d| d.name.clone()).collect();
    let mut configs: Vec<_> = definitions
        .into_iter()
        .map(|d| ConfigInfo { value: value(&d.name, d.default_value.as_ref()), definition: Some(d) })
        .collect();
    let mut unknown: Vec<_> = faults.0.iter().map(|f| f.key.as_str()).filter(|key| !known.iter().any(|k| k == key)).collect();
    unknown.dedup();
    configs.extend(unknown.into_iter().map(|key| ConfigInfo { definition: None, value: value(key, None) }));
    ConfigInfos { name: sink.class().to_owned(), error_count: faults.0.len(), groups, configs }
}

fn definitions<'a>(prefix: &str, keys: impl IntoIterator<Item = &'a Key>) -> Vec<ConfigKeyInfo> {
    let mut all: Vec<ConfigKeyInfo> = Vec::new();
    for key in keys {
        let group = Some(key.group).filter(|group| !group.is_empty());
        let before = all.iter().filter(|other| group.is_some() && other.group == group).count();
        let order_in_group = if group.is_none() { -1 } else { i32::try_from(before + 1).unwrap_or(i32::MAX) };
        all.push(ConfigKeyInfo {
            name: format!("{prefix}{}", key.name),
            r#type: key.kind.name(),
            required: key.required,
            default_value: key.default.map(str::to_owned),
            importance: match key.importance {
                Importance::High => "HIGH",
                Importance::Medium => "MEDIUM",
                Importance::Low => "LOW",
            },
            documentation: key.doc,
            group,
            order_in_group,
            width: match key.width {
                Width::None => "NONE",
                Width::Short => "SHORT",
                Width::Medium => "MEDIUM",
                Width::Long => "LONG",
            },
            display_name: if key.display.is_empty() { key.name.to_owned() } else { key.display.to_owned() },
            dependents: Vec::new(),
        });
    }
    all
}
