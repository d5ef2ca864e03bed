//! Moves a connector, and undoes what was done when that fails.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::plan::Plan;
use crate::admin::worker::{Ask, Failure, Status, Worker, initial_state, path_of};
use crate::herder::TargetState;

/// The wait between two looks at a state.
const LOOK: Duration = Duration::from_millis(200);
/// How often in a row a connector is seen to run before it is believed: a task may fail a moment after it has begun.
const LOOKS: usize = 5;

/// A move on its way.
pub(super) struct Move<'a> {
    from: &'a Worker,
    to: &'a Worker,
    plan: &'a Plan,
    delete: bool,
    patience: Duration,
    interrupted: &'a AtomicBool,
    /// Whether it may no longer be there what it was.
    touched: bool,
    /// Whether it is no longer there.
    deleted: bool,
    /// Whether it may be here.
    created: bool,
}

impl<'a> Move<'a> {
    pub(super) fn new(
        from: &'a Worker,
        to: &'a Worker,
        plan: &'a Plan,
        delete: bool,
        patience: Duration,
        interrupted: &'a AtomicBool,
    ) -> Self {
        Self { from, to, plan, delete, patience, interrupted, touched: false, deleted: false, created: false }
    }

    /// Moves it; what the user should know of it.
    ///
    /// # Errors
    /// Why it is not moved, and what has become of it.
    pub(super) fn run(&mut self) -> Result<String, String> {
        match self.forth() {
            Ok(how) => Ok(how),
            Err(why) => Err(match self.back() {
                Ok(back) => format!("{why}. {back}"),
                Err(more) => format!("{why}. AND IT COULD NOT BE UNDONE: {more}"),
            }),
        }
    }

    fn forth(&mut self) -> Result<String, String> {
        self.uninterrupted()?;
        let (name, target) = (&self.plan.name, self.plan.target);
        let old = self.plan.stops;
        self.touched = true;
        if old {
            self.tell(self.from, "stop")?;
            self.wait(self.from, "to be STOPPED without tasks", |status| status.is_some_and(Status::is_stopped))?;
        } else if target == TargetState::Started {
            self.tell(self.from, "pause")?;
            self.wait(self.from, "to be PAUSED", |status| {
                let idle = |task: &String| task != "RUNNING" && task != "RESTARTING";
                status.is_some_and(|status| status.connector == "PAUSED" && status.tasks.iter().all(idle))
            })?;
        }
        let now = self.ask(self.from, Ask::Get, &format!("{}/config", path_of(name)))?;
        if now.as_object() != Some(&self.plan.config) {
            return Err("its configuration has been changed meanwhile".into());
        }
        let initial = if old { initial_state(target) } else { "STOPPED" };
        self.created = true;
        let body = json!({"name": name, "config": self.plan.config, "initial_state": initial});
        if let Err(failure) = self.to.ask(Ask::Post(&body), "/connectors") {
            // Then it is another's.
            self.created = !matches!(&failure, Failure::Refused(409, _));
            return Err(format!("{} does not create it: {failure}", self.to));
        }
        if !old {
            self.wait(self.to, "to be STOPPED", |status| status.is_some_and(|status| status.connector == "STOPPED"))?;
            self.deleted = true;
            self.ask(self.from, Ask::Delete, &path_of(name))?;
            self.wait(self.from, "to be gone", |status| status.is_none())?;
            match target {
                TargetState::Started => self.tell(self.to, "resume")?,
                TargetState::Paused => self.tell(self.to, "pause")?,
                TargetState::Stopped => {}
            }
        }
        let here = self.settled()?;
        let left = if self.delete && !self.deleted {
            self.ask(self.from, Ask::Delete, &path_of(name)).map_or_else(
                |why| format!("It could not be deleted there: {why}; it is STOPPED there"),
                |_| "It is deleted there".to_owned(),
            )
        } else if self.deleted {
            "It is deleted there".to_owned()
        } else {
            let back = if target == TargetState::Stopped { "" } else { " and resume it there" };
            format!("It is left STOPPED at {}: to go back, delete it at {}{back}", self.from, self.to)
        };
        Ok(format!("It is {} at {}, {}. {left}", here.connector, self.to, here.of_tasks()))
    }

    /// Waits until it does here what it did there.
    fn settled(&self) -> Result<Status, String> {
        let wanted = initial_state(self.plan.target);
        let (begun, mut seen, mut last) = (Instant::now(), 0, None);
        while begun.elapsed() < self.patience {
            self.uninterrupted()?;
            last = self.to.status(&self.plan.name).map_err(|failure| format!("{}: {failure}", self.to))?;
            if let Some(trace) = last.as_ref().and_then(|status| status.trace.as_ref()) {
                return Err(format!("it fails at {}: {trace}", self.to));
            }
            let stopped = |status: &Status| wanted == "STOPPED" && status.connector == wanted;
            match &last {
                Some(status) if status.all(wanted) || stopped(status) => seen += 1,
                _ => seen = 0,
            }
            if let Some(status) = last.as_ref().filter(|_| seen == LOOKS) {
                return Ok(status.clone());
            }
            sleep(LOOK);
        }
        let state = last.map_or_else(|| "not there".to_owned(), |status| format!("{}, {}", status.connector, status.of_tasks()));
        Err(format!("it is not {wanted} at {} within {} s but {state}", self.to, self.patience.as_secs()))
    }

    /// Undoes what was done; what has become of the connector.
    fn back(&self) -> Result<String, String> {
        let Self { from, to, plan: Plan { name, config, target, .. }, .. } = self;
        let mut done = Vec::new();
        if self.created {
            match to.ask(Ask::Delete, &path_of(name)) {
                Ok(_) | Err(Failure::Refused(404, _)) => {}
                Err(failure) => return Err(format!("delete it at {to}, then {} it at {from} ({failure})", again(*target))),
            }
            self.wait_undisturbed(to, |status| status.is_none())
                .map_err(|why| format!("it is still at {to} ({why}): when it is gone, {} it at {from}", again(*target)))?;
            done.push(format!("It is deleted at {to}"));
        }
        if !self.touched {
            return Ok("Nothing was changed".into());
        }
        let failed = |what: &str, failure: Failure| format!("{what} it at {from} ({failure})");
        if self.deleted {
            let body = json!({"name": name, "config": config});
            match from.ask(Ask::Post(&body), "/connectors") {
                // It was not deleted after all.
                Ok(_) | Err(Failure::Refused(409, _)) => {}
                Err(failure) => return Err(failed("create", failure)),
            }
        }
        let what = again(*target);
        from.ask(Ask::Put(&Value::Null), &format!("{}/{what}", path_of(name))).map_err(|failure| failed(what, failure))?;
        let state = initial_state(*target);
        let back = self.wait_undisturbed(from, |status| status.is_some_and(|status| status.connector == state));
        done.push(match back {
            Ok(()) => format!("it is {state} at {from} again"),
            Err(why) => format!("it is told to {what} at {from} again, but {why}"),
        });
        Ok(done.join(", "))
    }

    fn ask(&self, worker: &Worker, ask: Ask<'_>, path: &str) -> Result<Value, String> {
        worker.ask(ask, path).map_err(|failure| match failure {
            Failure::Refused(..) => format!("{worker}: {failure}"),
            Failure::Away(why) => why,
        })
    }

    fn tell(&self, worker: &Worker, what: &str) -> Result<(), String> {
        self.ask(worker, Ask::Put(&Value::Null), &format!("{}/{what}", path_of(&self.plan.name))).map(drop)
    }

    /// Waits until `done` says so of the connector's status.
    fn wait(&self, worker: &Worker, what: &str, done: impl Fn(Option<&Status>) -> bool) -> Result<(), String> {
        let begun = Instant::now();
        loop {
            self.uninterrupted()?;
            let status = worker.status(&self.plan.name).map_err(|failure| format!("{worker}: {failure}"))?;
            if done(status.as_ref()) {
                return Ok(());
            }
            if begun.elapsed() > self.patience {
                let state =
                    status.map_or_else(String::new, |status| format!(": it is {}, {}", status.connector, status.of_tasks()));
                return Err(format!("waited {} s in vain for it {what} at {worker}{state}", self.patience.as_secs()));
            }
            sleep(LOOK);
        }
    }

    /// The same while something is undone: that is not to be interrupted.
    fn wait_undisturbed(&self, worker: &Worker, done: impl Fn(Option<&Status>) -> bool) -> Result<(), String> {
        let never = AtomicBool::new(false);
        let waiting = Move { interrupted: &never, ..*self };
        waiting.wait(worker, "to be so", done)
    }

    fn uninterrupted(&self) -> Result<(), String> {
        if self.interrupted.load(Ordering::Acquire) { Err("interrupted".into()) } else { Ok(()) }
    }
}

/// What makes a connector be what it was.
const fn again(target: TargetState) -> &'static str {
    match target {
        TargetState::Started => "resume",
        TargetState::Paused => "pause",
        TargetState::Stopped => "stop",
    }
}
