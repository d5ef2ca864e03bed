//! What users change of connectors. In a cluster most of it is for the leader, as in `DistributedHerder` of Kafka 4.3.1; others say who that is.

use std::sync::Arc;

use landfall_api::Properties;

use super::connector_config::{Checked, HIDDEN, Secrets, Submitted, trimmed};
use super::handle::{Herder, given, submitted};
use super::{Error, Info, State, Status, TargetState};
use crate::state::RestartRequest;
use crate::state::config::records;

/// What a restart takes in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// The tasks too.
    pub include_tasks: bool,
    /// Only what failed.
    pub only_failed: bool,
}

impl Herder {
    /// Creates a connector. `keep` is whether it survives a worker that is alone and has a state file.
    ///
    /// # Errors
    /// It is there already, or its configuration is invalid; this worker is not the leader.
    pub async fn create(&self, name: &str, config: Submitted, target: TargetState, keep: bool) -> Result<Info, Error> {
        self.lead()?;
        let checked = self.checked(&config)?;
        self.run(name, move |herder, name| async move {
            let name = &*name;
            if herder.shared.configs.look(|configs| configs.contains(name)) {
                return Err(Error::Exists(name.to_owned()));
            }
            let mut written = if target == TargetState::Started { Vec::new() } else { records::target(name, target) };
            written.extend(records::connector(name, &submitted(checked.properties)));
            herder.change(name, written, keep).await?;
            herder.info(name)
        })
        .await
    }

    /// Creates a connector or changes its configuration; whether it is new.
    ///
    /// # Errors
    /// Its configuration is invalid; this worker is not the leader.
    pub async fn put(&self, name: &str, mut config: Submitted) -> Result<(bool, Info), Error> {
        self.lead()?;
        self.run(name, move |herder, name| async move {
            let name = &*name;
            let is_new = herder.restore_secrets(name, &mut config).is_err();
            let checked = herder.checked(&config)?;
            herder.change(name, records::connector(name, &submitted(checked.properties)), true).await?;
            Ok((is_new, herder.info(name)?))
        })
        .await
    }

    /// Changes single keys of a connector's configuration; null takes one away.
    ///
    /// # Errors
    /// There is none of this name, or the configuration becomes invalid; this worker is not the leader.
    pub async fn patch(&self, name: &str, patch: Submitted) -> Result<Info, Error> {
        self.lead()?;
        self.run(name, move |herder, name| async move {
            let name = &*name;
            let stored = herder.shared.configs.look(|configs| configs.config(name).cloned());
            let mut config = stored.ok_or_else(|| Error::NotFound(format!("Connector {name} not found")))?;
            let (changed, removed): (Submitted, Submitted) = patch.into_iter().partition(|(_, value)| value.is_some());
            config.extend(changed);
            config.retain(|key, _| !removed.contains_key(key));
            herder.restore_secrets(name, &mut config)?;
            let checked = herder.checked(&config)?;
            herder.change(name, records::connector(name, &submitted(checked.properties)), true).await?;
            herder.info(name)
        })
        .await
    }

    /// Sets what a connector should be doing and makes it so.
    ///
    /// # Errors
    /// There is none of this name; it is to stop, and this worker is not the leader.
    pub async fn set_target(&self, name: &str, target: TargetState) -> Result<(), Error> {
        if target == TargetState::Stopped {
            self.lead()?;
        }
        self.run(name, move |herder, name| async move {
            let name = &*name;
            herder.known(name, || format!("Unknown connector {name}")).await?;
            let mut written = if target == TargetState::Stopped { records::tasks(name, &[]) } else { Vec::new() };
            written.extend(records::target(name, target));
            herder.change(name, written, true).await?;
            herder.forget_alone();
            Ok(())
        })
        .await
    }

    /// Ends a connector and forgets it.
    ///
    /// # Errors
    /// There is none of this name; this worker is not the leader.
    pub async fn delete(&self, name: &str) -> Result<(), Error> {
        self.lead()?;
        self.run(name, move |herder, name| async move {
            let name = &*name;
            herder.known(name, || format!("Connector {name} not found")).await?;
            herder.change(name, records::remove(name), true).await?;
            herder.forget_alone();
            tracing::info!(connector = name, "deleted");
            Ok(())
        })
        .await
    }

    /// Starts a connector and its tasks again, as far as `restart` takes them in; gives the plan as Java shows it.
    ///
    /// # Errors
    /// There is none of this name; this worker is not the one to do it.
    pub async fn restart(&self, name: &str, restart: Restart) -> Result<Status, Error> {
        self.up_to_date()?;
        let is_plain = restart == Restart::default();
        if is_plain && let Some(cluster) = &self.shared.cluster {
            self.known(name, || format!("Unknown connector: {name}")).await?;
            cluster.owns_connector(name)?;
        } else {
            self.lead()?;
        }
        self.run(name, move |herder, name| async move {
            let name = &*name;
            herder.known(name, || format!("Unknown connector: {name}")).await?;
            let request = RestartRequest {
                connector: name.to_owned(),
                include_tasks: restart.include_tasks,
                only_failed: restart.only_failed,
            };
            let plan = herder.restart_plan(&request)?;
            if herder.shared.cluster.is_some() && !is_plain {
                herder.shared.configs.append(records::restart(&request), None).await?;
            } else {
                herder.restart_here(&request).await;
            }
            Ok(plan)
        })
        .await
    }

    /// What a restart takes in (`RestartPlan`): the status that it is to have.
    fn restart_plan(&self, request: &RestartRequest) -> Result<Status, Error> {
        let mut plan = self.status(&request.connector)?;
        let restarts = |state| !request.only_failed || state == State::Failed;
        if restarts(plan.connector.state) {
            plan.connector.state = State::Restarting;
        }
        for (_, task) in plan.tasks.iter_mut().filter(|(_, task)| request.include_tasks && restarts(task.state)) {
            task.state = State::Restarting;
        }
        Ok(plan)
    }

    /// Starts again what a restart takes in of what is here; its caller has the turn.
    pub(super) async fn restart_here(&self, request: &RestartRequest) {
        let Ok(plan) = self.restart_plan(request) else { return };
        let name = &request.connector;
        let (local, shared) = (self.shared.local(name), self.shared.clone());
        let restarts_connector = plan.connector.state == State::Restarting;
        let tasks = plan.tasks.iter().filter(|(_, task)| task.state == State::Restarting).map(|(number, _)| *number).collect();
        let restarted = tokio::task::spawn_blocking(move || {
            let (wanted, tasks): (_, Vec<usize>) = (shared.wanted(&local.name), tasks);
            if let (true, Some(config), Some(_)) = (restarts_connector, &wanted.connector, local.connector()) {
                local.stop_connector(&shared);
                local.start_connector(&shared, config, wanted.target);
            }
            local.restart_tasks(&shared, &tasks);
            restarts_connector && wanted.connector.is_some() && wanted.target != TargetState::Stopped
        });
        if restarted.await.unwrap_or(false)
            && let Err(why) = self.make_tasks(name).await
        {
            tracing::error!(connector = %name, "its tasks cannot be configured: {why}");
        }
    }

    /// Starts a task again.
    ///
    /// # Errors
    /// There is no such task; this worker is not the one to do it.
    pub async fn restart_task(&self, name: &str, task: i32) -> Result<(), Error> {
        self.up_to_date()?;
        self.known(name, || format!("Unknown connector: {name}")).await?;
        let count = self.shared.configs.look(|configs| configs.task_count(name));
        let number = usize::try_from(task).ok().filter(|number| *number < count);
        let number = number.ok_or_else(|| Error::NotFound(format!("Unknown task: {name}-{task}")))?;
        if let Some(cluster) = &self.shared.cluster {
            cluster.owns_task(name, number)?;
        }
        self.run(name, move |herder, name| async move {
            let name = &*name;
            let (local, shared) = (herder.shared.local(name), herder.shared.clone());
            let _ = tokio::task::spawn_blocking(move || local.restart_tasks(&shared, &[number])).await;
            Ok(())
        })
        .await
    }

    /// Takes up the configurations of a connector's tasks, which the worker that runs the connector has made.
    ///
    /// # Errors
    /// There is none of this name, or it is stopped; this worker is not the leader.
    pub async fn put_tasks(&self, name: &str, tasks: Vec<Properties>) -> Result<(), Error> {
        self.lead()?;
        self.known(name, || format!("Connector {name} not found")).await?;
        if !tasks.is_empty() && self.shared.configs.look(|configs| configs.target(name)) == Some(TargetState::Stopped) {
            let message = format!("Cannot submit non-empty set of task configs for stopped connector {name}");
            return Err(Error::BadRequest(message));
        }
        self.shared.configs.append(records::tasks(name, &tasks), None).await
    }

    /// Makes the configurations of a connector's tasks where they are not what they should be.
    pub(super) async fn make_tasks(&self, name: &str) -> Result<(), Error> {
        let configs = self.shared.configs.now();
        let Some(config) = configs.config(name) else { return Ok(()) };
        let config = given(config);
        let Ok(sink) = self.shared.sink_of(&config) else { return Ok(()) };
        // A config provider that cannot say its values fails the connector, and leaves its tasks as they are.
        let Ok(resolved) = self.shared.provision.connector(&config) else { return Ok(()) };
        let count = resolved.get("tasks.max").and_then(|n| n.trim().parse().ok()).unwrap_or(1);
        let tasks = task_configs(sink.class(), config, count);
        if !configs.is_inconsistent(name) && configs.tasks(name).map(|(_, task)| task).eq(&tasks) {
            return Ok(());
        }
        match &self.shared.cluster {
            Some(cluster) if self.lead().is_err() => cluster.send_tasks(name, tasks),
            _ => self.shared.configs.append(records::tasks(name, &tasks), None).await?,
        }
        self.forget_alone();
        Ok(())
    }

    /// Writes records of the connector `name`, and without a cluster makes them so at once; with one, all workers read them.
    async fn change(&self, name: &str, written: Vec<crate::state::Record>, keep: bool) -> Result<(), Error> {
        let appended = self.shared.configs.append(written, Some(name).filter(|_| keep)).await;
        if self.shared.cluster.is_some() {
            return appended;
        }
        // A change that could not be remembered is made all the same.
        self.settle(name).await.and(appended)
    }

    /// Without a cluster nobody else looks after statuses of what is gone.
    fn forget_alone(&self) {
        if self.shared.cluster.is_none() {
            self.forget_statuses();
        }
    }

    /// Whether there is a connector `name`; a worker that has not read so far yet looks again.
    async fn known(&self, name: &str, unknown: impl Fn() -> String) -> Result<(), Error> {
        let is_there = || self.shared.configs.look(|configs| configs.contains(name));
        if !is_there() && self.shared.cluster.is_some() {
            self.shared.read_configs().await;
        }
        if is_there() { Ok(()) } else { Err(Error::NotFound(unknown())) }
    }

    /// Whether this worker may write what only one may.
    pub(super) fn lead(&self) -> Result<(), Error> {
        self.shared.cluster.as_ref().map_or(Ok(()), super::cluster::Cluster::lead)
    }

    /// Whether this worker knows who runs what.
    pub(super) fn up_to_date(&self) -> Result<(), Error> {
        self.shared.cluster.as_ref().map_or(Ok(()), super::cluster::Cluster::up_to_date)
    }

    /// Puts what is stored in the place of secrets that a client read as hidden.
    fn restore_secrets(&self, name: &str, config: &mut Submitted) -> Result<(), Error> {
        let stored = self.shared.configs.look(|configs| configs.config(name).map(given));
        let stored = stored.ok_or_else(|| Error::NotFound(format!("Connector {name} not found")))?;
        Secrets::of(&self.shared.plugins, &stored).restore(&stored, config);
        Ok(())
    }

    /// Looks at a configuration as a form has it that shows a connector: secrets that were read as hidden count as what is stored of the
    /// connector that it names, and are hidden again in what comes of it, whatever it makes of their keys.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_shown(&self, mut config: Submitted) -> Result<Checked, Error> {
        let is_hidden = |value: &Option<String>| value.as_deref() == Some(HIDDEN);
        let hidden: Vec<_> = config.iter().filter(|(_, value)| is_hidden(value)).map(|(key, _)| key.clone()).collect();
        if let Some(Some(name)) = config.get("name") {
            let name = trimmed(name).to_owned();
            // One that is not there has nothing to keep, and the check says so.
            let _ = self.restore_secrets(&name, &mut config);
        }
        let mut checked = self.check(&config)?;
        for key in hidden {
            let Some(Some(secret)) = config.get(&key).filter(|value| !is_hidden(value)) else { continue };
            for properties in [&mut checked.properties, &mut checked.resolved.properties] {
                properties.insert(key.clone(), HIDDEN.to_owned());
            }
            if !secret.is_empty() {
                checked.faults.0.iter_mut().for_each(|fault| fault.message = fault.message.replace(secret.as_str(), HIDDEN));
            }
        }
        Ok(checked)
    }

    fn checked(&self, config: &Submitted) -> Result<Checked, Error> {
        let checked = self.check(config).inspect_err(|_| self.shared.starts.connector_failures.add(1))?;
        if !checked.faults.is_empty() {
            return Err(Error::Invalid(checked.faults));
        }
        let name = checked.properties.get("name").map_or("", String::as_str);
        checked.warnings.iter().for_each(|warning| tracing::warn!(connector = name, "{warning}"));
        Ok(checked)
    }

    /// Runs `operation` on the connector `name` when it is its turn, to its end, even if the client who asked for it goes away.
    pub(super) async fn run<T, F, R>(&self, name: &str, operation: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: FnOnce(Self, Arc<str>) -> R + Send + 'static,
        R: Future<Output = Result<T, Error>> + Send,
    {
        let (herder, name) = (self.clone(), Arc::<str>::from(name));
        let ended = tokio::spawn(async move {
            let _turn = herder.turn(&name).await;
            operation(herder, name).await
        });
        ended.await.unwrap_or_else(|_| Err(Error::Internal("the operation ended unexpectedly".into())))
    }
}

/// Every task of a sink gets the connector's configuration, and the name of Java's task class.
fn task_configs(class: &str, mut config: Properties, count: usize) -> Vec<Properties> {
    config.insert("task.class".into(), format!("{}Task", class.strip_suffix("Connector").unwrap_or(class)));
    vec![config; count]
}
