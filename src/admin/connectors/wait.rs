//! Waits until a connector does what it was told to.

use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Session;
use crate::admin::worker::Status;
use crate::herder::TargetState;

/// The wait between two looks at a state.
const LOOK: Duration = Duration::from_millis(200);
/// How often in a row it is seen before it is believed: a task may fail a moment after it has begun, and what was before an update may
/// still be there.
const LOOKS: usize = 5;
/// The same for a failure, which a restart may be about to end.
const LOOKS_AT_FAILURE: usize = 15;

/// What a connector should be doing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Wanted {
    Running,
    Paused,
    Stopped,
    Gone,
}

impl Wanted {
    /// What a connector does that is to be so.
    pub(super) const fn of(target: TargetState) -> Self {
        match target {
            TargetState::Started => Self::Running,
            TargetState::Paused => Self::Paused,
            TargetState::Stopped => Self::Stopped,
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Running => "RUNNING",
            Self::Paused => "PAUSED",
            Self::Stopped => "STOPPED",
            Self::Gone => "gone",
        }
    }

    fn is_met_by(self, status: Option<&Status>) -> bool {
        match (self, status) {
            (Self::Gone, None) => true,
            (Self::Gone, Some(_)) | (_, None) => false,
            (Self::Stopped, Some(status)) => status.is_stopped(),
            (Self::Running | Self::Paused, Some(status)) => status.all(self.name()),
        }
    }
}

/// Waits until the connector `name` and its tasks are so, and tells what changes meanwhile; what it is doing then.
///
/// # Errors
/// It has failed, or is not so in time, and what to do next.
pub(super) fn until(session: &Session, name: &str, wanted: Wanted) -> Result<String, String> {
    let begun = Instant::now();
    let (mut seen, mut failed, mut told) = (0, 0, String::new());
    loop {
        let status = session.worker.status(name).map_err(|failure| session.explain(failure, Some(name)))?;
        let state = status.as_ref().map_or_else(
            || "gone".to_owned(),
            |status| match status.tasks.is_empty() {
                true => status.connector.clone(),
                false => format!("{}, {}", status.connector, status.of_tasks()),
            },
        );
        if state != told {
            (session.tell)(&format!("{name}: {state}"));
            told.clone_from(&state);
        }
        seen = if wanted.is_met_by(status.as_ref()) { seen + 1 } else { 0 };
        if seen == LOOKS || seen > 0 && wanted != Wanted::Running {
            return Ok(state);
        }
        let trace = status.and_then(|status| status.trace).filter(|_| wanted == Wanted::Running);
        failed = if trace.is_some() { failed + 1 } else { 0 };
        if let Some(trace) = trace.filter(|_| failed == LOOKS_AT_FAILURE) {
            return Err(format!(
                "it is {state}: {trace}; `landfall connectors show {name}` says more, and when the cause is gone \
                 `landfall connectors restart {name} --failed` starts it again"
            ));
        }
        if begun.elapsed() > session.patience {
            return Err(format!(
                "it is not {} within {} s but {state}; wait longer with --timeout, or look at `landfall connectors show {name}`",
                wanted.name(),
                session.patience.as_secs()
            ));
        }
        sleep(LOOK);
    }
}
