//! What the demo's worker and connectors are configured with; all keys are here.

use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use landfall_api::Properties;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};

use super::event::{ACCOUNTS, CUSTOMERS, TRANSACTIONS, Topic};
use crate::herder::connector_config::Submitted;

/// A connector of the demo.
pub(super) struct Connector {
    pub(super) name: &'static str,
    pub(super) topics: &'static [&'static Topic],
    /// Whether values have a schema beside them.
    schemas: bool,
    /// Rows of a file: what is in open files has not landed, and the broker keeps it only as long as it is a few MB in a partition.
    flush_size: u32,
}

/// One connector for each way in which values come.
pub(super) const CONNECTORS: &[Connector] = &[
    Connector { name: "bank-ledger", topics: &[&ACCOUNTS, &TRANSACTIONS], schemas: false, flush_size: 2_000 },
    Connector { name: "bank-customers", topics: &[&CUSTOMERS], schemas: true, flush_size: 500 },
];

impl Connector {
    /// Its configuration, to land in `landing`.
    pub(super) fn config(&self, landing: &Path) -> Submitted {
        let topics: Vec<_> = self.topics.iter().map(|topic| topic.name).collect();
        submitted(&[
            ("name", self.name),
            ("connector.class", "io.landfall.azure.AzureDataLakeSink"),
            ("tasks.max", "1"),
            ("topics", &topics.join(",")),
            ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
            ("value.converter.schemas.enable", if self.schemas { "true" } else { "false" }),
            ("store.url", &file_url(landing)),
            ("topics.dir", ""),
            ("flush.size", &self.flush_size.to_string()),
            // a slow or paused bank lands too
            ("landfall.rotate.open.ms", "5000"),
            ("landfall.columns", "__partition,__offset,__timestamp"),
        ])
    }
}

fn submitted(pairs: &[(&str, &str)]) -> Submitted {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned()))).collect()
}

/// The properties of a worker that consumes from `bootstrap`, serves its API at `listener` and lets connectors write to `landing` only.
pub(super) fn worker(bootstrap: &str, listener: &str, landing: &Path) -> Properties {
    let landing = file_url(landing);
    let pairs = [
        ("landfall.allowed.paths", landing.as_str()),
        // an emulator of storage or a registry may run here too
        ("landfall.allowed.hosts", "azure,worker,localhost,127.0.0.1"),
        ("bootstrap.servers", bootstrap),
        ("listeners", listener),
        ("key.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("key.converter.schemas.enable", "false"),
        ("value.converter", "org.apache.kafka.connect.json.JsonConverter"),
        ("value.converter.schemas.enable", "false"),
        // required, and written by source connectors only
        ("offset.storage.file.filename", "/dev/null"),
        // time to publish every open file at the end, also to a slow disk
        ("task.shutdown.graceful.timeout.ms", "30000"),
        // the embedded broker lets a restarted task join again only when this is nearly over
        ("consumer.session.timeout.ms", "6000"),
        ("consumer.heartbeat.interval.ms", "1000"),
    ];
    pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).into()
}

/// librdkafka's settings of the generator's producer.
pub(super) const fn producer(bootstrap: &str) -> [(&str, &str); 5] {
    [
        ("bootstrap.servers", bootstrap),
        ("client.id", "bank"),
        ("enable.idempotence", "true"),
        ("linger.ms", "20"),
        ("queue.buffering.max.kbytes", "16384"),
    ]
}

/// The `file:` URL of an absolute path.
fn file_url(path: &Path) -> String {
    const KEPT: AsciiSet =
        NON_ALPHANUMERIC.remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'+').remove(b'=').remove(b'@');
    format!("file://{}", percent_encode(path.as_os_str().as_bytes(), &KEPT))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::WorkerConfig;
    use crate::demo::event::TOPICS;
    use crate::herder::connector_config::check;
    use crate::plugins::Plugins;

    #[test]
    fn the_worker_takes_its_connectors_without_a_word() {
        let worker = WorkerConfig::parse(&worker("127.0.0.1:1", "http://127.0.0.1:0", Path::new("/tmp/a b"))).expect("valid");
        assert_eq!(worker.warnings, [""; 0]);
        for connector in CONNECTORS {
            let checked = check(&Plugins::BUILT_IN, &worker, &connector.config(Path::new("/tmp/a b"))).expect("valid");
            assert!(checked.faults.is_empty(), "{}", checked.faults);
            assert_eq!(checked.warnings, [""; 0]);
        }
        let consumed: usize = CONNECTORS.iter().map(|connector| connector.topics.len()).sum();
        assert_eq!(consumed, TOPICS.len());
    }

    #[test]
    fn any_path_is_a_url() {
        assert_eq!(file_url(Path::new("/data/a b#?%é'")), "file:///data/a%20b%23%3F%25%C3%A9%27");
    }
}
