//! What a member of a group is made of, from the keys of `DistributedConfig` (4.3.1).

use std::time::Duration;

use landfall_api::{Faults, Properties};

use crate::kafka::event_hubs;
use crate::kafka::wire::{ClientSettings, int, text};

/// What a member of a group is made of.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    pub(super) group_id: String,
    /// How long the group waits for a heartbeat before it gives the work to others (`session.timeout.ms`).
    pub(super) session_timeout: Duration,
    /// `heartbeat.interval.ms`.
    pub(super) heartbeat_interval: Duration,
    /// How long members may take to join again, and the owner to answer (`rebalance.timeout.ms`).
    pub(super) rebalance_timeout: Duration,
    pub(super) client: ClientSettings,
}

impl GroupSettings {
    /// Reads a worker's properties. `worker_id` is `host:port` of its advertised URL: without `client.id` the member is called
    /// `connect-<worker_id>`, as Java's `DistributedHerder` does.
    ///
    /// # Errors
    /// All faults in them, each with its key.
    pub fn read(given: &Properties, worker_id: &str) -> Result<Self, Faults> {
        const GROUP: &str = "group.id";
        const HEARTBEAT: &str = "heartbeat.interval.ms";
        let given = &*event_hubs::recommended(given);
        let mut faults = Faults::default();
        let group_id = text(given, GROUP).filter(|id| !id.is_empty());
        if group_id.is_none() {
            faults.push(GROUP, format!("Missing required configuration \"{GROUP}\" which has no default value."));
        }
        let session = int(given, "session.timeout.ms", "10000", 1, &mut faults);
        let heartbeat = int(given, HEARTBEAT, "3000", 1, &mut faults);
        let rebalance = int(given, "rebalance.timeout.ms", "60000", 1, &mut faults);
        if let (Some(session), Some(heartbeat)) = (session, heartbeat)
            && heartbeat >= session
        {
            let (ms, most) = (heartbeat.as_millis(), session.as_millis());
            let text = format!("Invalid value {ms} for configuration {HEARTBEAT}: it must be below session.timeout.ms, {most}");
            faults.push(HEARTBEAT, text);
        }
        let client = ClientSettings::read(given, &format!("connect-{worker_id}"), &mut faults);
        let settings = (|| {
            Some(Self {
                group_id: group_id?.to_owned(),
                session_timeout: session?,
                heartbeat_interval: heartbeat?,
                rebalance_timeout: rebalance?,
                client: client?,
            })
        })();
        faults.or(settings)
    }
}
