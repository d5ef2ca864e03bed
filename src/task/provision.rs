//! What tasks get from config providers when they start, and which of them should start again because it has changed since.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::{Duration, Instant};

use landfall_api::{Folders, Properties};

use super::{CONFIG_EXCEPTION, TaskId};
use crate::config::WorkerConfig;
use crate::config::provider::{Provided, Providers, Resolved};
use crate::config::reach::Reach;
use crate::herder::connector_config::reached;
use crate::plugins::Plugins;

/// How long after a provider could not say its values it is asked again, at the latest.
const LATEST: Duration = Duration::from_secs(60);

/// The worker's config providers, and the running tasks that they gave something for a time only.
#[derive(Debug, Default)]
pub struct Provision {
    providers: Arc<Providers>,
    /// What they gave the worker.
    worker: Provided,
    /// What connectors may reach for.
    reach: Reach,
    watched: Mutex<Vec<Weak<Watched>>>,
}

/// A task that is to start again when its values change. It is watched for as long as its handle is there: also after it has failed,
/// which may be for a value that was no longer good.
pub(super) struct Watched {
    id: TaskId,
    /// With variables.
    properties: Properties,
    seen: Mutex<Option<Seen>>,
}

struct Seen {
    resolved: Properties,
    ttl: Duration,
    due: Instant,
}

impl std::fmt::Debug for Watched {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Watched").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Provision {
    /// That of a worker.
    #[must_use]
    pub fn of(worker: &WorkerConfig) -> Self {
        let (providers, reach) = (worker.providers.clone(), worker.reach.clone());
        Self { providers, worker: worker.provided.clone(), reach, watched: Mutex::default() }
    }

    /// The value of one key of `properties`, resolved; as it is if it cannot be. Blocks.
    #[must_use]
    pub fn value(&self, properties: &Properties, key: &str) -> Option<String> {
        let given = properties.get(key)?;
        let one = Properties::from([(key.to_owned(), given.clone())]);
        let resolved = self.providers.resolve(&one).map(|resolved| resolved.properties).unwrap_or(one);
        resolved.into_values().next()
    }

    /// What a connector is configured with. Blocks.
    ///
    /// # Errors
    /// The trace with which it fails.
    pub fn connector(&self, properties: &Properties) -> Result<Properties, String> {
        let failed = |why: String| format!("{CONFIG_EXCEPTION}: {why}");
        let Resolved { properties, provided, .. } = self.providers.resolve(properties).map_err(failed)?;
        self.allowed(&properties).map_err(|why| failed(provided.and(&self.worker).hide(&why)))?;
        Ok(properties)
    }

    /// Looks whether a connector with `properties`, which are resolved, may reach for what they name. Blocks.
    ///
    /// # Errors
    /// What it may not, with values that providers may have given.
    pub fn allowed(&self, properties: &Properties) -> Result<(), String> {
        self.reach.check_now(&reached(&Plugins::BUILT_IN, properties))
    }

    /// `text` without what providers gave the worker.
    #[must_use]
    pub fn hidden(&self, text: &str) -> String {
        self.worker.hide(text)
    }

    /// The folders in which connectors may have files.
    pub(super) fn folders(&self) -> Arc<Folders> {
        self.reach.folders()
    }

    /// `properties`, resolved; as they are if they cannot be. Blocks.
    #[must_use]
    pub fn all(&self, properties: Properties) -> Properties {
        self.providers.resolve(&properties).map_or(properties, |resolved| resolved.properties)
    }

    /// How often [`outdated`](Self::outdated) should be asked; None if there is nothing that could change.
    #[must_use]
    pub fn period(&self) -> Option<Duration> {
        self.providers.ttl().map(|ttl| (ttl / 4).clamp(Duration::from_millis(50), Duration::from_secs(10)))
    }

    /// The tasks that should start again: the time of their values is over, they are other ones now, and the connector's
    /// `config.action.reload` is restart. Each is named once. Blocks.
    #[must_use]
    pub fn outdated(&self) -> Vec<TaskId> {
        let watched: Vec<_> = {
            let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
            watched.retain(|task| task.strong_count() > 0);
            watched.iter().filter_map(Weak::upgrade).collect()
        };
        watched.iter().filter(|task| task.has_changed(&self.providers)).map(|task| task.id.clone()).collect()
    }

    /// A task that is starting; None if nothing it gets could change.
    pub(super) fn watch(&self, id: &TaskId, properties: &Properties) -> Option<Arc<Watched>> {
        self.providers.ttl()?;
        let task = Arc::new(Watched { id: id.clone(), properties: properties.clone(), seen: Mutex::default() });
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(&task));
        Some(task)
    }

    /// What a task starts with, and what no text of it may have. Blocks.
    ///
    /// # Errors
    /// Why it cannot start.
    pub(super) fn resolve(
        &self,
        id: &TaskId,
        properties: &Properties,
        watched: Option<&Watched>,
    ) -> Result<(Properties, Provided), String> {
        let Resolved { properties, provided, ttl, warnings } = self.providers.resolve(properties)?;
        warnings.iter().for_each(|warning| tracing::warn!("task {id}: {warning}"));
        self.allowed(&properties).map_err(|why| provided.and(&self.worker).hide(&why))?;
        let restart = properties.get("config.action.reload").is_none_or(|action| action.trim().eq_ignore_ascii_case("restart"));
        if let (Some(watched), Some(ttl), true) = (watched, ttl, restart) {
            let seen = Seen { resolved: properties.clone(), ttl, due: Instant::now() + ttl };
            *watched.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some(seen);
        }
        Ok((properties, provided.and(&self.worker)))
    }
}

impl Watched {
    fn has_changed(&self, providers: &Providers) -> bool {
        let mut guard = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(seen) = guard.as_mut().filter(|seen| seen.due <= Instant::now()) else { return false };
        match providers.resolve(&self.properties) {
            Ok(now) if now.properties == seen.resolved => {
                // Another version of a secret may expire later.
                seen.ttl = now.ttl.unwrap_or(seen.ttl);
                seen.due = Instant::now() + seen.ttl;
                false
            }
            Ok(_) => {
                tracing::info!("task {}: a config provider gives other values now; it starts again with them", self.id);
                *guard = None;
                true
            }
            // It may be in the middle of a change; what runs, runs.
            Err(why) => {
                tracing::warn!("task {} goes on with what it has: {why}", self.id);
                seen.due = Instant::now() + seen.ttl.min(LATEST);
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn provision(ttl: Option<&str>) -> Provision {
        let base = [("bootstrap.servers", "k:1"), ("key.converter", "K"), ("value.converter", "V"), ("config.providers", "d")];
        let more = [("config.providers.d.class", "DirectoryConfigProvider"), ("offset.storage.file.filename", "o")];
        let ttl = ttl.map(|ttl| ("config.providers.d.param.ttl.ms", ttl));
        let given = base.into_iter().chain(more).chain(ttl).map(|(key, value)| (key.to_owned(), value.to_owned()));
        Provision::of(&WorkerConfig::parse(&given.collect()).expect("valid"))
    }

    /// A watched task that has started with a file's text.
    fn started(provision: &Provision, more: &[(&str, &str)], folder: &std::path::Path) -> Arc<Watched> {
        let mut properties = Properties::from([("password".to_owned(), format!("${{d:{}:token}}", folder.display()))]);
        properties.extend(more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())));
        let id = TaskId { connector: "c".into(), task: 3 };
        let watched = provision.watch(&id, &properties).expect("watched");
        let (resolved, provided) = provision.resolve(&id, &properties, Some(&watched)).expect("resolved");
        assert!(!provided.hide(&resolved["password"]).contains("pssst"));
        watched
    }

    fn outdated(provision: &Provision) -> Vec<String> {
        std::thread::sleep(Duration::from_millis(2));
        provision.outdated().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_task_is_outdated_when_its_values_are_other_ones() {
        let folder = tempfile::tempdir().expect("a folder");
        let token = folder.path().join("token");
        fs::write(&token, "pssst1").expect("written");
        let provision = provision(Some("1"));
        let task = started(&provision, &[], folder.path());
        assert!(outdated(&provision).is_empty());
        fs::write(&token, "pssst2").expect("written");
        assert_eq!(outdated(&provision), ["c-3"]);
        // Once: it is starting again.
        assert!(outdated(&provision).is_empty());
        drop(task);

        let task = started(&provision, &[("config.action.reload", "NONE")], folder.path());
        fs::write(&token, "pssst3").expect("written");
        assert!(outdated(&provision).is_empty());
        drop(task);

        let task = started(&provision, &[], folder.path());
        fs::write(&token, "pssst4").expect("written");
        drop(task);
        assert!(outdated(&provision).is_empty());
    }

    #[test]
    fn nothing_is_watched_that_has_no_time_to_live() {
        let provision = provision(None);
        assert_eq!(provision.period(), None);
        assert!(provision.watch(&TaskId { connector: "c".into(), task: 0 }, &Properties::new()).is_none());
    }
}
