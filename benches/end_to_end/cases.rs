//! What is compared: topics of each shape and codec, and the connectors that land them.

use serde_json::{Value, json};

use crate::decode::Wire;
use crate::shape::Shape;

/// Partitions of each topic.
pub(crate) const PARTITIONS: usize = 4;
/// Files of each partition, where each has one folder.
const FILES: usize = 2;
/// Folders of a partition, where there are more.
const FOLDERS: usize = 24;
const HOUR_MS: i64 = 3_600_000;

/// A topic to make.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Topic {
    pub(crate) name: &'static str,
    pub(crate) shape: Shape,
    pub(crate) wire: Wire,
    /// `compression.type` of the producer.
    pub(crate) codec: &'static str,
    /// Its records, as a share of those of a comparison.
    share: f64,
    /// Partitions that have records.
    filled: usize,
    /// Whether records' timestamps go through the hours of a day.
    spread: bool,
}

impl Topic {
    /// How many records it has where a comparison is of `records`. All partitions get the same number, and every file is full.
    pub(crate) fn records(&self, records: usize) -> usize {
        let whole = PARTITIONS * FOLDERS * 10;
        ((records as f64 * self.share) as usize / whole).max(1) * whole
    }

    /// The partition of the `n`th record.
    pub(crate) const fn partition(&self, n: usize) -> usize {
        n % self.filled
    }

    /// The timestamp of the `n`th record, if it is not the time of producing: an hour of the day that ended at `now`, each in turn.
    pub(crate) fn timestamp(&self, n: usize, now: i64) -> Option<i64> {
        self.spread.then(|| now - (n / self.filled % FOLDERS) as i64 * HOUR_MS)
    }
}

/// One comparison: what lands, from which topic.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) topic: Topic,
    columns: &'static str,
    dead_letters: bool,
    /// What it is set against besides the limit.
    pub(crate) than: Option<&'static str>,
}

impl Case {
    /// How many files land from `records` records.
    pub(crate) const fn files(&self) -> usize {
        if self.topic.spread { self.topic.filled * FOLDERS } else { self.topic.filled * FILES }
    }

    /// How many of `records` records land.
    pub(crate) const fn landed(&self, records: usize) -> usize {
        if self.dead_letters { records - records / 10 } else { records }
    }

    /// `flush.size`. A partition's folders end together.
    pub(crate) const fn flush_size(&self, records: usize) -> usize {
        self.landed(records) / self.topic.filled / if self.topic.spread { 1 } else { FILES }
    }

    /// What the connector has besides its store.
    pub(crate) fn settings(&self, registry: &str) -> Value {
        let mut settings = match self.topic.wire {
            Wire::Avro => json!({
                "value.converter": "io.confluent.connect.avro.AvroConverter",
                "value.converter.schema.registry.url": registry,
            }),
            wire => json!({
                "value.converter": "org.apache.kafka.connect.json.JsonConverter",
                "value.converter.schemas.enable": (wire == Wire::Envelope).to_string(),
            }),
        };
        let mut set = |key: &str, value: &str| settings[key] = value.into();
        set("landfall.columns", self.columns);
        if self.topic.spread {
            set("partitioner.class", "io.confluent.connect.storage.partitioner.TimeBasedPartitioner");
            set("timestamp.extractor", "Record");
            set("path.format", "'hour'=YYYY-MM-dd-HH");
            set("partition.duration.ms", &HOUR_MS.to_string());
            set("locale", "en-US");
            set("timezone", "UTC");
        }
        if self.dead_letters {
            set("errors.tolerance", "all");
            set("errors.deadletterqueue.topic.name", &format!("{}-letters", self.topic.name));
            set("errors.deadletterqueue.topic.replication.factor", "1");
            set("errors.deadletterqueue.context.headers.enable", "true");
        }
        settings
    }
}

const ORDERS: Topic =
    Topic { name: "json", shape: Shape::Orders, wire: Wire::Json, codec: "lz4", share: 1.0, filled: PARTITIONS, spread: false };
const ENVELOPES: Topic = Topic { name: "env", wire: Wire::Envelope, share: 0.25, ..ORDERS };
const AVRO: Topic = Topic { name: "avro", wire: Wire::Avro, ..ORDERS };
const SPREAD: Topic = Topic { name: "spread", spread: true, ..ORDERS };

const fn case(name: &'static str, topic: Topic) -> Case {
    Case { name, topic, columns: "", dead_letters: false, than: None }
}

/// What most topics are like.
pub(crate) const USUAL: &[Case] = &[
    case("json", ORDERS),
    Case {
        columns: "__topic,__partition,__offset,__timestamp,__key",
        than: Some("json"),
        ..case("json, system columns", ORDERS)
    },
    Case { than: Some("json"), ..case("json, 24 folders", SPREAD) },
    case("env", ENVELOPES),
    case("avro", AVRO),
];

/// What makes the most of some kind of work.
pub(crate) const WORST: &[Case] = &[
    case("100 bytes", Topic { name: "small", shape: Shape::Small, ..ORDERS }),
    case("1 MB", Topic { name: "megabyte", shape: Shape::Megabyte, share: 0.0005, ..ORDERS }),
    case("500 columns", Topic { name: "wide", shape: Shape::Wide, share: 0.05, ..ORDERS }),
    case("distinct texts", Topic { name: "distinct", shape: Shape::Distinct, share: 0.5, ..ORDERS }),
    case("nulls", Topic { name: "nulls", shape: Shape::Nulls, share: 0.5, ..ORDERS }),
    case("two schemas in turn", Topic { name: "flapping", shape: Shape::Flapping, share: 0.5, ..ORDERS }),
    case("not compressed", Topic { name: "plain", codec: "none", share: 0.5, ..ORDERS }),
    case("gzip", Topic { name: "gzip", codec: "gzip", share: 0.5, ..ORDERS }),
    case("snappy", Topic { name: "snappy", codec: "snappy", share: 0.5, ..ORDERS }),
    case("zstd", Topic { name: "zstd", codec: "zstd", share: 0.5, ..ORDERS }),
    case("one hot partition", Topic { name: "hot", filled: 1, share: 0.5, ..ORDERS }),
    Case {
        dead_letters: true,
        ..case("a tenth dead letters", Topic { name: "faulty", shape: Shape::Faulty, share: 0.25, ..ORDERS })
    },
];
