//! Which values of a configuration are not to be shown.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Session;
use crate::admin::worker::{Ask, encoded};
use crate::config::provider::is_variable;
use crate::config::{shows_secret, sounds_secret};
use crate::herder::connector_config::HIDDEN;

/// The keys that a class declares as passwords. Others are known by how they sound: Java's classes do not declare all of them.
#[derive(Debug, Default)]
pub(super) struct Masks(BTreeSet<String>);

impl Masks {
    /// By what a worker says of the keys of `class`; one that does not say it is too old for that.
    pub(super) fn of_class(session: &Session, class: &str) -> Self {
        let keys = session.worker.ask(Ask::Get, &format!("/connector-plugins/{}/config", encoded(class))).unwrap_or_default();
        Self::of(keys.as_array().into_iter().flatten())
    }

    /// By the answer to a validation.
    pub(super) fn of_validation(answer: &Value) -> Self {
        Self::of(answer["configs"].as_array().into_iter().flatten().map(|config| &config["definition"]))
    }

    fn of<'a>(definitions: impl Iterator<Item = &'a Value>) -> Self {
        let passwords = definitions.filter(|definition| definition["type"] == "PASSWORD");
        Self(passwords.filter_map(|definition| definition["name"].as_str()).map(str::to_owned).collect())
    }

    /// Whether the value of `key` is a secret. One that only names a secret is none.
    pub(super) fn hide(&self, key: &str, value: &str) -> bool {
        let secret = self.0.contains(key) || sounds_secret(key);
        !value.is_empty() && (secret && !is_variable(value) || shows_secret(value))
    }

    /// The value of `key` as it may be shown.
    pub(super) fn shown(&self, key: &str, value: &str) -> String {
        if self.hide(key, value) { HIDDEN.to_owned() } else { value.to_owned() }
    }
}
