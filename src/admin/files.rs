//! Landed files as they are: which records each of them holds.

use futures::stream::{self, StreamExt as _, TryStreamExt as _};
use landfall_api::TopicId;
use landfall_lake::encode::parquet::footer;
use landfall_lake::landed::{facts, footer_of};
use landfall_lake::name::Names;
use landfall_lake::storage::Object;

use super::root::{Partition, Root, SIDE_BY_SIDE};

/// A visible file.
#[derive(Clone, Debug)]
pub(super) struct File {
    /// Its path below the store's root.
    pub(super) path: String,
    /// What it holds; None if Landfall has not written it.
    pub(super) holds: Option<Holds>,
}

/// The records of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Holds {
    /// Where they come from.
    pub(super) partition: Partition,
    /// The topic's id, if it was known.
    pub(super) topic: Option<TopicId>,
    /// Rises with each rewind.
    pub(super) incarnation: u32,
    /// The first row's offset.
    pub(super) first: i64,
    /// The last row's.
    pub(super) last: i64,
    /// The number of rows.
    pub(super) rows: u64,
}

/// Reads what all files say that are below the folder of topics.
pub(super) async fn read(root: &Root) -> Result<Vec<File>, String> {
    let objects = root.files.list(&root.names.below("")).await.map_err(|e| e.to_string())?;
    let reads = objects.into_iter().map(async |object| {
        let holds = holds(root, &object).await?;
        Ok::<_, String>(File { path: object.path, holds })
    });
    stream::iter(reads).buffered(SIDE_BY_SIDE).try_collect().await
}

async fn holds(root: &Root, object: &Object) -> Result<Option<Holds>, String> {
    let Some((partition, incarnation)) = named(&root.names, &object.path) else { return Ok(None) };
    if object.path.ends_with(".parquet") {
        let Ok(footer) = footer_of(&*root.files, object).await.map_err(|e| e.to_string())? else { return Ok(None) };
        let file = footer.file_metadata();
        let fact = |key: &str| file.key_value_metadata()?.iter().find(|fact| fact.key == key)?.value.as_deref();
        let holds = || {
            let topic = fact(footer::TOPIC)?.to_owned();
            let partition = Partition { topic, number: fact(footer::PARTITION)?.parse().ok()? };
            let [first, last] = [footer::FIRST, footer::LAST].map(|key| fact(key)?.parse().ok());
            let topic = fact(footer::TOPIC_ID).and_then(|id| id.parse().ok());
            Some(Holds { partition, topic, incarnation, first: first?, last: last?, rows: file.num_rows().unsigned_abs() })
        };
        return Ok(holds());
    }
    // A list may leave metadata out.
    let Some(object) = root.files.head(&object.path).await.map_err(|e| e.to_string())? else { return Ok(None) };
    let fact = |key: &str| object.metadata.get(key);
    let holds = || {
        let [first, last] = [facts::FIRST, facts::LAST].map(|key| fact(key)?.parse().ok());
        let topic = fact(facts::TOPIC_ID).and_then(|id| id.parse().ok());
        Some(Holds { partition, topic, incarnation, first: first?, last: last?, rows: fact(facts::ROWS)?.parse().ok()? })
    };
    Ok(holds())
}

/// The partition and the incarnation that the name of a file says: `<topic>+<partition>+<offset>[.r<incarnation>]….<extension>`.
fn named(names: &Names, path: &str) -> Option<(Partition, u32)> {
    let parted = if names.directory_delim.is_empty() { "/" } else { &names.directory_delim };
    let name = path.rsplit(parted).next()?;
    // A topic may hold the delimiter: numbers are found from the end on, and before them is the topic.
    let (before, offset) = name.rsplit_once(&names.file_delim).filter(|_| !names.file_delim.is_empty())?;
    let (topic, number) = before.rsplit_once(&names.file_delim)?;
    let end = offset.find(|c: char| !c.is_ascii_digit()).unwrap_or(offset.len());
    if end == 0 {
        return None;
    }
    let mut suffixes = offset[end..].split('.').skip(1);
    let incarnation = suffixes.next().and_then(|suffix| suffix.strip_prefix('r')?.parse().ok()).unwrap_or(0);
    Some((Partition { topic: topic.to_owned(), number: number.parse().ok()? }, incarnation))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_partition_and_incarnation() {
        let plus = Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 };
        let flat = Names { directory_delim: "_".into(), file_delim: "-".into(), ..plus.clone() };
        for (names, path, expected) in [
            (&plus, "topics/t/partition=0/t+0+0000000007.snappy.parquet", Some(("t", 0, 0))),
            (&plus, "topics/t/a=b/a+b+12+0000000007.r3.x1f2e.zstd.parquet", Some(("a+b", 12, 3))),
            (&plus, "topics/t/partition=0/t+0+0000000007.x1f2e.zstd.parquet", Some(("t", 0, 0))),
            (&flat, "topics_t_partition=0_t-0-7.json", Some(("t", 0, 0))),
            (&plus, "topics/t/partition=0/part-00000.parquet", None),
            (&plus, "topics/t/partition=0/t+x+7.parquet", None),
            (&plus, "topics/t/partition=0/t+0+x.parquet", None),
        ] {
            let found = named(names, path);
            let found = found.as_ref().map(|(partition, incarnation)| (&*partition.topic, partition.number, *incarnation));
            assert_eq!(found, expected, "{path}");
        }
    }
}
