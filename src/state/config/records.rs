//! The records that make what [`ConfigState`](super::ConfigState) reads, byte for byte as Java's worker writes them, except that
//! properties are in the order of their keys where Java has them in that of a hash table.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use landfall_api::Properties;
use serde::Serialize;

use super::{COMMIT, CONNECTOR, LOGGER, RESTART, RestartRequest, SESSION_KEY, SessionKey, TARGET_STATE, TASK};
use crate::herder::TargetState;
use crate::herder::connector_config::Submitted;
use crate::state::{Record, json};

#[derive(Serialize)]
struct Configuration<'a, T> {
    properties: &'a T,
}

/// A connector's configuration. One that is to begin paused or stopped gets [`target`] before it.
#[must_use]
pub fn connector(name: &str, config: &Submitted) -> Vec<Record> {
    vec![(format!("{CONNECTOR}{name}"), Some(json::bytes(&Configuration { properties: config })))]
}

/// The end of a connector. Its tasks are left behind: without it they mean nothing.
#[must_use]
pub fn remove(name: &str) -> Vec<Record> {
    vec![(format!("{CONNECTOR}{name}"), None), (format!("{TARGET_STATE}{name}"), None)]
}

/// What a connector is to be doing.
#[must_use]
pub fn target(name: &str, state: TargetState) -> Vec<Record> {
    #[derive(Serialize)]
    struct Target {
        state: TargetState,
        #[serde(rename = "state.v2")]
        v2: TargetState,
    }
    // For workers before 3.5.
    let old = if state == TargetState::Stopped { TargetState::Paused } else { state };
    vec![(format!("{TARGET_STATE}{name}"), Some(json::bytes(&Target { state: old, v2: state })))]
}

/// The tasks of a connector, all of them, and the commit record that makes them valid. It has to come last: if one before it cannot be
/// written, it must not be.
#[must_use]
pub fn tasks(name: &str, configs: &[Properties]) -> Vec<Record> {
    #[derive(Serialize)]
    struct Commit {
        tasks: usize,
    }
    let task = |(number, config)| (format!("{TASK}{name}-{number}"), Some(json::bytes(&Configuration { properties: config })));
    let commit = (format!("{COMMIT}{name}"), Some(json::bytes(&Commit { tasks: configs.len() })));
    configs.iter().enumerate().map(task).chain([commit]).collect()
}

/// What requests are signed with from now on.
#[must_use]
pub fn session_key(key: &SessionKey) -> Vec<Record> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Key<'a> {
        key: String,
        algorithm: &'a str,
        creation_timestamp: i64,
    }
    let SessionKey { key, algorithm, creation_timestamp } = key;
    let value = Key { key: STANDARD.encode(&**key), algorithm, creation_timestamp: *creation_timestamp };
    vec![(SESSION_KEY.to_owned(), Some(json::bytes(&value)))]
}

/// That a connector restarts, on whatever workers it runs.
#[must_use]
pub fn restart(request: &RestartRequest) -> Vec<Record> {
    #[derive(Serialize)]
    #[serde(rename_all = "kebab-case")]
    struct Restart {
        include_tasks: bool,
        only_failed: bool,
    }
    let RestartRequest { connector, include_tasks, only_failed } = request;
    let value = Restart { include_tasks: *include_tasks, only_failed: *only_failed };
    vec![(format!("{RESTART}{connector}"), Some(json::bytes(&value)))]
}

/// A level of the log on all workers.
#[must_use]
pub fn logger(namespace: &str, level: &str) -> Vec<Record> {
    #[derive(Serialize)]
    struct Level<'a> {
        level: &'a str,
    }
    vec![(format!("{LOGGER}{namespace}"), Some(json::bytes(&Level { level })))]
}
