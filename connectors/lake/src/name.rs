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

/// The parts of a file's path that its rows give.
#[derive(Clone, Copy, Debug)]
pub struct File<'a> {
    /// The topic that the rows go to.
    pub topic: &'a str,
    /// Their folder, as a partitioner names it.
    pub folder: &'a str,
    /// Where they come from.
    pub origin: &'a TopicPartition,
    /// The offset of the first of them.
    pub first: i64,
    /// What tells the file from another one with the same name, as `.r1`; mostly empty.
    pub suffix: &'a str,
    /// What the format ends names with, as `.snappy.parquet`.
    pub extension: &'a str,
}

impl Names {
    /// `[<prefix><d>]<topic><d><folder><d><source topic><f><source partition><f><first offset><suffix><extension>`.
    #[must_use]
    pub fn path(&self, file: &File<'_>) -> String {
        self.below(&format!("{}{d}{}{d}{}", file.topic, file.folder, self.file(file), d = self.directory_delim))
    }

    /// `[<prefix><d>]<path>`.
    #[must_use]
    pub fn below(&self, path: &str) -> String {
        if self.prefix.is_empty() { path.to_owned() } else { format!("{}{}{path}", self.prefix, self.directory_delim) }
    }

    /// `<source topic><f><source partition><f><first offset><suffix><extension>`.
    #[must_use]
    pub fn file(&self, file: &File<'_>) -> String {
        let (f, width) = (&self.file_delim, self.offset_width);
        let File { origin: TopicPartition { topic, partition }, first, suffix, extension, .. } = file;
        format!("{topic}{f}{partition}{f}{first:0width$}{suffix}{extension}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_confluents() {
        let names = Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 };
        let origin = TopicPartition::new("orders", 3);
        let file =
            File { topic: "sales", folder: "partition=3", origin: &origin, first: 42, suffix: "", extension: ".snappy.parquet" };
        assert_eq!(names.path(&file), "topics/sales/partition=3/orders+3+0000000042.snappy.parquet");
        let again = File { suffix: ".r1", ..file };
        assert_eq!(names.path(&again), "topics/sales/partition=3/orders+3+0000000042.r1.snappy.parquet");
        let plain = Names { prefix: String::new(), file_delim: "_".into(), offset_width: 0, ..names };
        assert_eq!(plain.path(&File { first: 12_345_678_901, ..file }), "sales/partition=3/orders_3_12345678901.snappy.parquet");
    }
}
