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
    use std::path::{Component, Path};

    use proptest::prelude::*;

    use super::*;
    use crate::storage::visible_path;

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

    proptest! {
        /// Whatever a transform makes of a topic and a record of a folder: a path that is taken is below the folder of all topics.
        #[test]
        fn no_path_that_is_taken_leaves_the_folder_of_topics(
            prefix in prop::sample::select(&["topics", "a/b"][..]),
            topic in r"[a./\\%2e_\x00-]{0,12}|\PC{0,6}",
            folder in r"[a./\\=\x00]{0,12}|\PC{0,6}",
        ) {
            let names = Names { prefix: prefix.into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 };
            let origin = TopicPartition::new("orders", 3);
            let path = names.path(&File { topic: &topic, folder: &folder, origin: &origin, first: 42, suffix: "", extension: ".parquet" });
            if let Ok(path) = visible_path(&path) {
                let root = Path::new("/store");
                let whole = root.join(path);
                prop_assert!(whole.starts_with(root.join(prefix)), "{}", path);
                prop_assert!(whole.components().skip(1).all(|part| matches!(part, Component::Normal(_))), "{}", path);
            }
        }
    }
}
