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
    if object.path.ends_with(".parquet") {
        let Ok(footer) = footer_of(&*root.files, object).await.map_err(|e| e.to_string())? else { return Ok(None) };
        let file = footer.file_metadata();
        let fact = |key: &str| file.key_value_metadata()?.iter().find(|fact| fact.key == key)?.value.as_deref();
        let holds = || {
            let topic = fact(footer::TOPIC)?.to_owned();
            let partition = Partition { topic, number: fact(footer::PARTITION)?.parse().ok()? };
            let [first, last] = [footer::FIRST, footer::LAST].map(|key| fact(key)?.parse().ok());
            let topic = fact(footer::TOPIC_ID).and_then(|id| id.parse().ok());
            let (incarnation, rows) = (incarnation(fact(footer::FILE)), file.num_rows().unsigned_abs());
            Some(Holds { partition, topic, incarnation, first: first?, last: last?, rows })
        };
        return Ok(holds());
    }
    // A list may leave metadata out.
    let Some(object) = root.files.head(&object.path).await.map_err(|e| e.to_string())? else { return Ok(None) };
    let fact = |key: &str| object.metadata.get(key).map(String::as_str);
    let holds = || {
        let partition = named(&root.names, &object.path)?;
        let [first, last] = [facts::FIRST, facts::LAST].map(|key| fact(key)?.parse().ok());
        let topic = fact(facts::TOPIC_ID).and_then(|id| id.parse().ok());
        let (incarnation, rows) = (incarnation(fact(facts::COMMIT)), fact(facts::ROWS)?.parse().ok()?);
        Some(Holds { partition, topic, incarnation, first: first?, last: last?, rows })
    };
    Ok(holds())
}

/// The incarnation at the begin of what a commit or a file is called; files of before the protocol have none.
fn incarnation(id: Option<&str>) -> u32 {
    id.and_then(|id| id.split('.').next()?.parse().ok()).unwrap_or(0)
}

/// The partition that the name of a file says: `<topic>+<partition>+<offset>….<extension>`.
fn named(names: &Names, path: &str) -> Option<Partition> {
    let name = path.rsplit(&names.directory_delim).next()?;
    // A topic may hold the delimiter: numbers are found from the end on, and before them is the topic.
    let (before, _) = name.rsplit_once(&names.file_delim)?;
    let (topic, number) = before.rsplit_once(&names.file_delim)?;
    Some(Partition { topic: topic.to_owned(), number: number.parse().ok()? })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_say_the_partition() {
        let plus = Names { prefix: "topics".into(), directory_delim: "/".into(), file_delim: "+".into(), offset_width: 10 };
        let flat = Names { directory_delim: "_".into(), file_delim: "-".into(), ..plus.clone() };
        for (names, path, expected) in [
            (&plus, "topics/t/partition=0/t+0+0000000007.json", Some(("t", 0))),
            (&plus, "topics/t/a=b/a+b+12+0000000007.r3.x1f2e.json", Some(("a+b", 12))),
            (&flat, "topics_t_partition=0_t-0-7.json", Some(("t", 0))),
            (&plus, "topics/t/partition=0/part-00000.json", None),
            (&plus, "topics/t/partition=0/t+x+7.json", None),
        ] {
            let found = named(names, path);
            assert_eq!(found.as_ref().map(|partition| (&*partition.topic, partition.number)), expected, "{path}");
        }
        assert_eq!((incarnation(Some("3.1.7")), incarnation(Some("x")), incarnation(None)), (3, 0, 0));
    }
}
