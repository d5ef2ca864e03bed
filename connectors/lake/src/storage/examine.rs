//! What `landfall storage check` finds out: whether a store does what the commit protocol assumes.

use std::collections::HashSet;

use bytes::Bytes;
use futures::future::join_all;
use serde::Serialize;

use super::{HIDDEN, Storage, StorageError, Version, Written};

/// How many write one object at once.
const WRITERS: usize = 8;

/// An answer to a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It is as the protocol needs it.
    Holds,
    /// It is not: files may be lost or be there twice.
    Fails,
    /// It works, with a reservation.
    Warning,
    /// It is a fact, and either way is fine.
    Fact,
    /// It could not be asked here.
    NotAsked,
}

/// One thing that was found out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The assumption that it is about: `A1` conditional writes, `A2` publishing, `A3` what is staged, `A4` late requests; or empty.
    pub assumption: &'static str,
    /// What was asked, as a statement.
    pub question: &'static str,
    /// Whether it is so.
    pub answer: Answer,
    /// What was seen.
    pub seen: String,
    /// What follows for whoever uses the store; empty if nothing does.
    pub follows: String,
}

/// All that was found out about a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Examination {
    /// One finding a question.
    pub findings: Vec<Finding>,
    /// What was done to find out, and what was left of it.
    pub done: Vec<String>,
}

impl Examination {
    /// Whether nothing that the protocol needs is missing, as far as it could be asked.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.findings.iter().all(|finding| finding.answer != Answer::Fails)
    }

    /// Adds a question with its answer.
    pub fn add(
        &mut self,
        assumption: &'static str,
        question: &'static str,
        answer: Answer,
        seen: impl Into<String>,
        follows: impl Into<String>,
    ) {
        self.findings.push(Finding { assumption, question, answer, seen: seen.into(), follows: follows.into() });
    }

    /// Adds something that the protocol needs: it holds, or it fails and `otherwise` follows.
    pub fn needs(&mut self, assumption: &'static str, question: &'static str, seen: Result<String, String>, otherwise: &str) {
        match seen {
            Ok(seen) => self.add(assumption, question, Answer::Holds, seen, ""),
            Err(seen) => self.add(assumption, question, Answer::Fails, seen, otherwise),
        }
    }
}

/// A folder that only this examination uses.
#[must_use]
pub fn scratch(nonce: &str) -> String {
    format!("{HIDDEN}/check/{nonce}")
}

/// Asks whether small objects are replaced by compare-and-set, with objects below `scratch`, which it removes.
///
/// # Errors
/// The store cannot be asked.
pub async fn conditional_writes(storage: &dyn Storage, scratch: &str, found: &mut Examination) -> Result<(), StorageError> {
    let unsafe_pointers = "two workers can both believe that they own a partition: do not use this store";
    let path = format!("{scratch}/pointer.json");
    let text = |n: usize| Bytes::from(format!("{{\"n\":{n}}}"));
    let get = async || Ok::<_, StorageError>(storage.get(&path).await?.map(|(content, _)| content));

    let first = storage.put(&path, text(0), None).await?;
    let again = storage.put(&path, text(1), None).await?;
    let there = get().await?;
    let seen = match (&first, &again) {
        (Written::Done(_), Written::Refused) if there == Some(text(0)) => {
            Ok("the second of two was refused and changed nothing".into())
        }
        _ => Err(format!("the first was answered by {first:?}, the second by {again:?}")),
    };
    found.needs("A1", "an object is made only if there is none", seen, unsafe_pointers);

    let mut versions: Vec<Version> = match first {
        Written::Done(version) => vec![version],
        Written::Refused => Vec::new(),
    };
    let mut expected = versions.last().cloned();
    let mut seen = Ok(());
    for round in 1..=3 {
        let writes = (0..WRITERS).map(|writer| storage.put(&path, text(round * 100 + writer), expected.as_ref()));
        let mut winners = Vec::new();
        for (writer, written) in join_all(writes).await.into_iter().enumerate() {
            if let Written::Done(version) = written? {
                winners.push((writer, version));
            }
        }
        match (&winners[..], get().await?) {
            ([(writer, version)], Some(there)) if there == text(round * 100 + writer) => {
                expected = Some(version.clone());
                versions.push(version.clone());
            }
            (winners, there) => {
                seen = Err(format!("{} of {WRITERS} were told that they wrote, and {there:?} is there", winners.len()));
                break;
            }
        }
    }
    let seen = seen.map(|()| format!("one of {WRITERS} at once, in each of 3 rounds"));
    found.needs("A1", "of those who replace an object at once, one does", seen, unsafe_pointers);

    let before = get().await?;
    let mut taken = 0;
    for stale in versions.iter().rev().skip(1) {
        taken += usize::from(storage.put(&path, text(9), Some(stale)).await? != Written::Refused);
    }
    let distinct = versions.iter().collect::<HashSet<_>>().len() == versions.len();
    let seen = match (taken, distinct, get().await? == before) {
        (0, true, true) => Ok(format!("{} versions, all different, and the older ones are refused", versions.len())),
        (0, false, _) => Err("a version came back".to_owned()),
        _ => Err(format!("{taken} writes with an older version were taken")),
    };
    found.needs("A1", "an object is replaced only if it is what was read", seen, unsafe_pointers);

    let removed = match storage.get(&path).await? {
        Some((_, version)) => storage.remove(&path, &version).await?,
        None => true,
    };
    found.done.push(format!("wrote and removed {path}{}", if removed { "" } else { ", which could not be removed" }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_fails_counts() {
        let mut found = Examination::default();
        found.needs("A1", "x", Ok("y".into()), "z");
        found.add("", "free space", Answer::Warning, "1 MB", "make room");
        assert!(found.holds());
        assert_eq!(found.findings[0].follows, "");
        found.needs("A1", "x", Err("y".into()), "z");
        assert!(!found.holds());
        assert_eq!(found.findings[2].follows, "z");
    }
}
