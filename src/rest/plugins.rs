//! `/connector-plugins` (`ConnectorPluginsResource` of Kafka 4.3.1).

use std::collections::BTreeSet;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{Path, Query, State};
use axum::http::StatusCode;
use landfall_api::{Importance, Key, Kind, PredicateClass, Properties, Role, TransformClass, Width};

use super::model::{self, ConfigInfo, ConfigInfos, ConfigKeyInfo, ConfigValueInfo, PluginInfo};
use super::{Answer, QueryPairs, RestError};
use crate::config::shows_secret;
use crate::convert;
use crate::herder::connector_config::{CONSUMER_GROUP, Checked, ConnectorKeys, HIDDEN, Secrets, trimmed};
use crate::herder::{Error, Herder};
use crate::kafka;
use crate::plugins::{NoClass, Plugins, is_no_plugin};
use crate::transform::{self, TransformKeys};

pub(super) async fn list(State(herder): State<Herder>, Query(query): Query<QueryPairs>) -> Json<Vec<PluginInfo>> {
    let plugins = herder.plugins();
    let sinks = plugins.sinks.iter();
    let mut all: Vec<_> = sinks.map(|s| PluginInfo { class: s.class(), r#type: "sink", version: s.version() }).collect();
    // Whatever is not true is false to Java, but for an absent value.
    let only = query.iter().find(|(key, value)| key == "connectorsOnly" && !value.is_empty());
    if only.is_some_and(|(_, value)| !value.eq_ignore_ascii_case("true")) {
        let transforms = plugins.transforms.iter().map(|class| (class.class(), "transformation", class.version()));
        let predicates = plugins.predicates.iter().map(|class| (class.class(), "predicate", class.version()));
        let mut links: Vec<_> = transforms.chain(predicates).collect();
        links.sort_by_key(|(class, kind, _)| (*kind == "predicate", *class));
        all.extend(links.into_iter().map(|(class, r#type, version)| PluginInfo { class, r#type, version }));
        for (role, r#type) in [(Role::Value, "converter"), (Role::Header, "header_converter")] {
            let able = plugins.converters.iter().filter(|c| c.roles().contains(&role));
            let mut able: Vec<_> = able.map(|c| PluginInfo { class: c.class(), r#type, version: convert::version(*c) }).collect();
            able.sort();
            all.extend(able);
        }
    }
    Json(all)
}

/// The keys of a plugin of any type.
pub(super) async fn keys(State(herder): State<Herder>, Path(class): Path<String>) -> Answer<Vec<ConfigKeyInfo>> {
    let plugins = herder.plugins();
    let infos = |keys: &[Key]| defined("", keys).into_iter().map(|defined| defined.info).collect();
    if let Some(sink) = plugins.sink(&class) {
        let version = |key: Key| match key.name {
            "connector.plugin.version" => Key { default: Some(sink.version()), ..key },
            _ => key,
        };
        return Ok(Json(infos(
            &sink.keys().into_iter().chain(ConnectorKeys::KEYS.iter().copied().map(version)).collect::<Vec<_>>(),
        )));
    }
    let converter = plugins.converter(&class).map(|class| infos(&convert::keys(class)));
    let transform = || plugins.transform(&class).ok().map(|class| infos(class.keys()));
    let predicate = || plugins.predicate(&class).ok().map(|class| infos(class.keys()));
    converter.or_else(transform).or_else(predicate).map(Json).ok_or_else(|| match is_no_plugin(&class) {
        true => RestError::new(StatusCode::INTERNAL_SERVER_ERROR, "Instantiation error"),
        false => RestError::new(StatusCode::NOT_FOUND, format!("Unknown plugin {class}.")),
    })
}

pub(super) async fn validate(State(herder): State<Herder>, Path(class): Path<String>, body: Bytes) -> Answer<ConfigInfos> {
    let config = model::config(&body)?.ok_or_else(|| model::null("java.util.Map.get(Object)", "connectorConfig"))?;
    let normalized = |class: &str| class.strip_suffix("Connector").unwrap_or(class).to_owned();
    if let Some(Some(included)) = config.get("connector.class")
        && !normalized(included).ends_with(&normalized(&class))
    {
        let message = format!("Included connector type {included} does not match request type {class}");
        return Err(RestError::new(StatusCode::BAD_REQUEST, message));
    }
    let checked = herder.check_shown(config).map_err(|error| match error {
        // Here Java wraps what it throws as a bad request elsewhere.
        Error::BadRequest(message) => RestError::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            format!("org.apache.kafka.connect.runtime.rest.errors.BadRequestException: {message}"),
        ),
        other => other.into(),
    })?;
    Ok(Json(infos(&herder, &checked)))
}

/// A key as an answer shows it.
struct Defined {
    key: Key,
    info: ConfigKeyInfo,
    recommended: Vec<String>,
    visible: bool,
}

fn infos(herder: &Herder, checked: &Checked) -> ConfigInfos {
    let plugins = herder.plugins();
    let (sink, properties) = (checked.sink, &checked.resolved.properties);
    let mut connector = connector_keys(herder, checked);
    connector.extend(defined("", &sink.keys()));
    let mut clients = Vec::new();
    for (name, _) in properties.iter() {
        // Java looks at what its dead letters need too; of those keys only the values are shown here.
        let Some(java) = name.strip_prefix("consumer.override.").filter(|java| !java.is_empty()) else { continue };
        match kafka::java::CONSUMER.iter().find(|key| key.name == java) {
            Some(key) => clients.push(Ok(client_key(name, *key))),
            None => clients.push(Err(name.as_str())),
        }
    }
    let mut converters = Vec::new();
    for role in [Role::Header, Role::Key, Role::Value] {
        let name = properties.get(convert::key(role)).map(|class| class.trim());
        let faulty = |key: &str| checked.faults.0.iter().any(|fault| fault.key == key);
        let faulty = faulty(convert::key(role)) || faulty(&format!("{}.plugin.version", convert::key(role)));
        if let Some(Ok(class)) = name.filter(|_| !faulty).map(|name| plugins.converter_for(role, name)) {
            converters.extend(defined(&format!("{}.", convert::key(role)), &convert::keys(class)));
        }
    }

    let shown = Shown { checked, plugins, secrets: Secrets::of(&plugins, properties) };
    let mut groups: Vec<String> = Vec::new();
    for group in connector.iter().chain(&converters).filter_map(|d| d.info.group.as_ref()) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    let own = |name: &str| connector.iter().chain(&converters).any(|d| d.info.name == name);
    let override_of = |name: &str| clients.iter().any(|c| c.as_ref().map_or_else(|name| *name, |d| &d.info.name) == name);
    // A member of a cluster looks at the group by itself.
    let grouped = herder.worker().contains_key("group.id") && properties.contains_key(CONSUMER_GROUP);
    let mut unknown: Vec<&str> = grouped.then_some(CONSUMER_GROUP).into_iter().collect();
    for fault in &checked.faults.0 {
        if !own(&fault.key) && !override_of(&fault.key) && !unknown.contains(&&*fault.key) {
            unknown.push(&fault.key);
        }
    }
    // Java counts errors of the connector, but keys of clients and converters.
    let of_parts: BTreeSet<_> = clients
        .iter()
        .map(|c| c.as_ref().map_or_else(|name| *name, |d| &d.info.name))
        .chain(converters.iter().map(|d| &*d.info.name))
        .collect();
    let faults = || checked.faults.0.iter().map(|fault| &*fault.key);
    let in_parts: BTreeSet<_> = faults().filter(|key| of_parts.contains(key)).collect();
    let error_count = faults().filter(|key| !of_parts.contains(key)).count() + in_parts.len();

    let mut configs: Vec<_> =
        unknown.into_iter().map(|name| ConfigInfo { definition: None, value: shown.undefined(name) }).collect();
    configs.extend(connector.into_iter().map(|d| shown.info(d)));
    configs.extend(clients.into_iter().map(|client| match client {
        Ok(defined) => shown.info(defined),
        Err(name) => ConfigInfo { definition: None, value: shown.undefined(name) },
    }));
    configs.extend(converters.into_iter().map(|d| shown.info(d)));
    ConfigInfos { name: checked.properties.get("connector.class").cloned().unwrap_or_default(), error_count, groups, configs }
}

/// The keys that every connector has, with the defaults that the worker gives them, and those of transforms and predicates.
fn connector_keys(herder: &Herder, checked: &Checked) -> Vec<Defined> {
    let Checked { sink, nulls, resolved, .. } = checked;
    let properties = &resolved.properties;
    let plugins = herder.plugins();
    let mut all = defined("", ConnectorKeys::KEYS);
    let version = |all: &mut Vec<Defined>, name: &str, version: Option<&str>, visible: bool| {
        if let Some(defined) = all.iter_mut().find(|d| d.info.name == name) {
            defined.info.default_value = version.map(str::to_owned);
            defined.recommended = version.map(str::to_owned).into_iter().collect();
            defined.visible = visible;
        }
    };
    version(&mut all, "connector.plugin.version", Some(sink.version()), true);
    for role in [Role::Key, Role::Value, Role::Header] {
        let key = convert::key(role);
        let (worker, _) = convert::configured(role, herder.worker(), &Properties::new());
        let (class, _) = convert::configured(role, herder.worker(), properties);
        let known = plugins.converter(&class);
        let able = known.filter(|class| class.roles().contains(&role));
        let of_version = format!("{key}.plugin.version");
        version(&mut all, &of_version, able.map(convert::version), known.is_some() || is_no_plugin(&class));
        // A converter that is null has no versions to offer.
        if let Some(defined) = all.iter_mut().find(|d| nulls.contains(key) && d.info.name == of_version) {
            (defined.recommended, defined.visible) = (Vec::new(), false);
        }
        let Some(defined) = all.iter_mut().find(|d| d.info.name == key) else { continue };
        defined.info.default_value = Some(plugins.converter(&worker).map_or(worker, |class| class.class().to_owned()));
        let mut able: Vec<_> =
            plugins.converters.iter().filter(|c| c.roles().contains(&role)).map(|c| c.class().to_owned()).collect();
        able.sort();
        defined.recommended = able;
    }
    for kind in [Link::Transform, Link::Predicate] {
        for alias in transform::aliases(kind.key(), properties) {
            all.extend(kind.keys(&plugins, properties, &alias));
        }
    }
    all
}

/// What has an alias in a connector's configuration.
#[derive(Clone, Copy)]
enum Link {
    Transform,
    Predicate,
}

impl Link {
    const fn key(self) -> &'static str {
        match self {
            Self::Transform => "transforms",
            Self::Predicate => "predicates",
        }
    }

    /// The name, keys and version of the class that `name` means.
    fn class(self, plugins: &Plugins, name: &str) -> Option<(&'static str, Vec<Key>, &'static str)> {
        match self {
            Self::Transform => {
                let class = plugins.transform(name).ok()?;
                Some((class.class(), [class.keys(), TransformKeys::KEYS].concat(), class.version()))
            }
            Self::Predicate => {
                let class = plugins.predicate(name).ok()?;
                Some((class.class(), class.keys().to_vec(), class.version()))
            }
        }
    }

    /// What Java shows for the class `name`: also where it is one of another kind, but not where there is none.
    fn named(self, plugins: &Plugins, name: &str) -> Option<String> {
        let class = match self {
            Self::Transform => plugins.transform(name).map(TransformClass::class),
            Self::Predicate => plugins.predicate(name).map(PredicateClass::class),
        };
        match class {
            Ok(class) => Some(class.to_owned()),
            Err(NoClass::Other(_)) => Some(name.to_owned()),
            Err(NoClass::Unknown { .. }) => None,
        }
    }

    /// The keys of the one that `alias` stands for: Java's `ConnectorConfig.enrich`.
    fn keys(self, plugins: &Plugins, properties: &Properties, alias: &str) -> Vec<Defined> {
        let prefix = format!("{}.{alias}.", self.key());
        let (kind, group, classes) = match self {
            Self::Transform => {
                ("Transformation", format!("Transforms: {alias}"), plugins.transforms.iter().map(|c| c.class()).collect())
            }
            Self::Predicate => {
                ("Predicate", format!("Predicates: {alias}"), plugins.predicates.iter().map(|c| c.class()).collect::<Vec<_>>())
            }
        };
        let class = properties.get(&format!("{prefix}type")).and_then(|name| self.class(plugins, name.trim()));
        let (own, version) = class.map_or((Vec::new(), None), |(_, own, version)| (own, Some(version)));
        let what = format!("of the '{alias}' {}", kind.to_lowercase());
        let declared = Key { importance: Importance::High, width: Width::Long, ..Key::EMPTY };
        let mut of_type = one(&prefix, &Key { name: "type", kind: Kind::Class, required: true, ..declared }, 0);
        of_type.info.display_name = format!("{kind} type for {alias}");
        of_type.info.documentation = format!("The class {what}.");
        of_type.recommended = classes.into_iter().map(str::to_owned).collect();
        of_type.recommended.sort();
        let mut of_version = one(&prefix, &Key { name: "plugin.version", ..declared }, 1);
        of_version.info.display_name = format!("{kind} version for {alias}");
        of_version.info.documentation = format!("The version {what}.");
        of_version.info.default_value = version.map(str::to_owned);
        of_version.recommended = version.map(str::to_owned).into_iter().collect();

        let mut own = own;
        own.sort_by_key(|key| (!key.required, key.importance as u8, key.name));
        let own = own.iter().zip(2..).map(|(key, order)| one(&prefix, key, order));
        let mut all: Vec<_> = [of_type, of_version].into_iter().chain(own).collect();
        all.iter_mut().for_each(|defined| defined.info.group = Some(group.clone()));
        all
    }
}

/// A key of a client as the connector names it.
fn client_key(name: &str, key: Key) -> Defined {
    let mut defined = one("", &key, -1);
    defined.info.name = name.to_owned();
    defined.info.documentation = format!("Here: {}.", kafka::becomes(key.name).0);
    defined
}

/// The values of a configuration as an answer shows them.
struct Shown<'a> {
    checked: &'a Checked,
    plugins: Plugins,
    secrets: Secrets,
}

impl Shown<'_> {
    fn info(&self, defined: Defined) -> ConfigInfo {
        let Defined { key, info, recommended, visible } = defined;
        let value = ConfigValueInfo {
            value: self.value(&key, &info),
            recommended_values: recommended,
            errors: self.errors(&info.name),
            visible: visible && (key.visible)(&self.checked.resolved.properties),
            name: info.name.clone(),
        };
        ConfigInfo { definition: Some(info), value }
    }

    /// The value of a key that nobody declares.
    fn undefined(&self, name: &str) -> ConfigValueInfo {
        let value = self.checked.properties.get(name).map(|value| self.hidden(name, value.trim()));
        let (name, errors) = (name.to_owned(), self.errors(name));
        ConfigValueInfo { name, value, recommended_values: Vec::new(), errors, visible: true }
    }

    fn value(&self, key: &Key, info: &ConfigKeyInfo) -> Option<String> {
        let name = &info.name;
        let Some(given) = self.checked.properties.get(name) else {
            if name.ends_with(convert::TYPE.name) {
                return name.split('.').next().map(str::to_owned);
            }
            return info.default_value.clone().filter(|_| !self.checked.nulls.contains(name));
        };
        // Java shows what the provider gave.
        if self.checked.resolved.provided.has(name) {
            return Some(self.hidden(name, given));
        }
        // A class that is not there has no value.
        let converter = [Role::Key, Role::Value, Role::Header].into_iter().any(|role| convert::key(role) == name);
        if converter {
            let class = self.plugins.converter(given.trim()).map(|class| class.class().to_owned());
            return class.or_else(|| is_no_plugin(given.trim()).then(|| given.trim().to_owned()));
        }
        for link in [Link::Transform, Link::Predicate] {
            if key.kind == Kind::Class && name.starts_with(&format!("{}.", link.key())) {
                return link.named(&self.plugins, given.trim());
            }
        }
        if name == "name" {
            return Some(trimmed(given).to_owned());
        }
        key.kind.canonical(given).ok().map(|value| self.hidden(name, &value))
    }

    fn hidden(&self, name: &str, value: &str) -> String {
        let hide = !value.is_empty() && (self.secrets.has(name) || shows_secret(value));
        if hide { HIDDEN.to_owned() } else { value.to_owned() }
    }

    fn errors(&self, name: &str) -> Vec<String> {
        self.checked.faults.0.iter().filter(|fault| fault.key == name).map(|fault| fault.message.clone()).collect()
    }
}

/// The keys as answers show them, each at its place in its group.
fn defined(prefix: &str, keys: &[Key]) -> Vec<Defined> {
    let mut all: Vec<Defined> = Vec::new();
    for key in keys {
        let before = all.iter().filter(|other| other.key.group == key.group).count();
        let next = i32::try_from(before + 1).unwrap_or(i32::MAX);
        let order = key.order.unwrap_or(if key.group.is_empty() { -1 } else { next });
        all.push(one(prefix, key, order));
    }
    all
}

fn one(prefix: &str, key: &Key, order_in_group: i32) -> Defined {
    let info = ConfigKeyInfo {
        name: format!("{prefix}{}", key.name),
        r#type: key.kind.name(),
        required: key.required,
        default_value: key.default.map(str::to_owned),
        importance: match key.importance {
            Importance::High => "HIGH",
            Importance::Medium => "MEDIUM",
            Importance::Low => "LOW",
        },
        documentation: key.documentation(),
        group: Some(key.group.to_owned()).filter(|group| !group.is_empty()),
        order_in_group,
        width: match key.width {
            Width::None => "NONE",
            Width::Short => "SHORT",
            Width::Medium => "MEDIUM",
            Width::Long => "LONG",
        },
        display_name: if key.display.is_empty() { key.name.to_owned() } else { key.display.to_owned() },
        dependents: key.dependents.iter().map(|&name| name.to_owned()).collect(),
    };
    Defined { key: *key, info, recommended: key.recommended.iter().map(|&value| value.to_owned()).collect(), visible: true }
}
