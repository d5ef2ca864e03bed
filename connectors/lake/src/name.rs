//! How files are called: exactly as Confluent's storage sinks call them (`TopicPartitionWriter`, storage-common 12.0).

use landfall_api::TopicPartition;

/// The parts of a file's path that the configuration gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The folder of all topics below the store's root (`topics.dir`); empty for none.
    pub prefix: String,
    /// What stands between folders (`directory.delim`).
    pub directory_delim: String,
    /// What stands between the parts of a file's name (`file.delim`).
    pub file_delim: String,
    /// The digits of the start offset at least (`filename.offset.zero.pad.width`).
    pub offset_width: usize,
}

impl Names {
    /// The folder that [`DefaultPartitioner`] gives a partition: `partition=<n>`.
    ///
    /// [`DefaultPartitioner`]: https://docs.confluent.io/kafka-connectors/s3-sink/current/overview.html#partitioning
    #[must_use]
    pub fn encoded_partition(origin: &TopicPartition) -> String {
        format!("partition={}", origin.partition)
    }

    /// `[<prefix><d>]<topic><d><encoded partition><d><source topic><f><source partition><f><first offset><extension>`.
    #[must_use]
    pub fn path(&self, topic: &str, encoded_partition: &str, origin: &TopicPartition, first: i64, extension: &str) -> String {
        let (d, f, width) = (&self.directory_delim, &self.file_delim, self.offset_width);
        let prefix = if self.prefix.is_empty() { String::new() } else { format!("{}{d}", self.prefix) };
        format!("{prefix}{topic}{d}{encoded_partition}{d}{}{f}{}{f}{first:0width$}{extension}", origin.topic, origin.partition)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_confluents() {
        let names = Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 };
        let origin = TopicPartition::new("orders", 3);
        let folder = Names::encoded_partition(&origin);
        assert_eq!(
            names.path("orders", &folder, &origin, 42, ".snappy.parquet"),
            "topics/orders/partition=3/orders+3+0000000042.snappy.parquet"
        );
        let plain = Names { prefix: String::new(), file_delim: "_".into(), offset_width: 0, ..names };
        assert_eq!(plain.path("t", &folder, &origin, 12_345_678_901, ".parquet"), "t/partition=3/orders_3_12345678901.parquet");
    }
}
