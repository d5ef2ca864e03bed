//! The keys that say what counts where a partition is not as it was left.

use landfall_api::{Width, config};

use super::start::{ExternalReset, OffsetGap, Rules};

config! {
    /// What counts where a partition is not as it was left.
    pub struct CommitKeys {
        /// What happens where something else than Landfall has set the consumer group's offset of a partition, as Kafka's tools or another
        /// worker do it. obey: records are landed from there on; again, in files with `.r1` and so on before the extension, if it is
        /// before what has landed. ignore: the partition goes on where it was. fail: the task fails.
        external_reset: String = "landfall.external.reset" { default: Some("obey"), importance: Low, group: "Connector", width: Width::Short, display: "External reset", valid: OneOfIgnoreCase(&["obey", "ignore", "fail"]) };
        /// What happens where records were deleted from their topic before they landed. fail: the task fails and names the offsets. skip:
        /// they are left out, counted and named in the log.
        offset_gap: String = "landfall.offset.gap" { default: Some("fail"), importance: Low, group: "Connector", width: Width::Short, display: "Offset gap", valid: OneOfIgnoreCase(&["fail", "skip"]) };
        /// Whether each commit is also written to `_landfall/commits/<topics.dir>/<topic>/<partition>/`, as JSON with its files and
        /// offsets, for readers that want the files of a commit all or not at all.
        commit_log: bool = "landfall.commit.log" { default: Some("false"), importance: Low, group: "Connector", width: Width::Short, display: "Commit log" };
    }
}

impl CommitKeys {
    /// What they say.
    ///
    /// # Errors
    /// A rule is not known; reading the keys would have refused it.
    pub fn rules(&self) -> Result<Rules, String> {
        Ok(Rules { reset: ExternalReset::named(&self.external_reset)?, gap: OffsetGap::named(&self.offset_gap)? })
    }

    /// Whether commits are logged for readers.
    #[must_use]
    pub fn logs(&self) -> bool {
        self.commit_log
    }
}
