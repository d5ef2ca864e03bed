//! The corpus of the fuzz targets, replayed; and inputs that are made from it by chance.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use landfall::convert::fuzz::TARGETS;
use proptest::prelude::*;
use proptest::sample::Index;

/// The inputs of a target, with their files.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no corpus");
    files.into_iter().map(|file| (file.clone(), fs::read(file).expect("a file"))).collect()
}

#[test]
fn the_corpus_does_no_harm() {
    for (target, run) in TARGETS {
        for (file, input) in corpus(target) {
            catch_unwind(|| run(&input)).unwrap_or_else(|_| panic!("{}", file.display()));
        }
    }
}

#[test]
fn every_target_can_be_fuzzed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(folder.join("Cargo.toml")).expect("a manifest");
    let mut names: Vec<_> =
        fs::read_dir(folder.join("fuzz_targets")).expect("a folder").map(|file| file.expect("a file").path()).collect();
    names.sort();
    let names: Vec<_> = names.iter().filter_map(|path| path.file_stem()?.to_str()).collect();
    assert_eq!(names, TARGETS.iter().map(|(name, _)| *name).collect::<Vec<_>>());
    for name in names {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name} is not in fuzz/Cargo.toml");
    }
}

/// One thing done to an input.
#[derive(Clone, Debug)]
enum Change {
    Set(Index, u8),
    Insert(Index, u8),
    Remove(Index, u8),
    /// A part of another input, put in.
    Splice(Index, Index, Index, u8),
    /// A part of itself, once more.
    Repeat(Index, u8),
}

fn any_change() -> impl Strategy<Value = Change> {
    let byte = || prop_oneof![any::<u8>(), prop::sample::select(&b"\x00\x01\x7f\x80\xff{}[]\":,0-\\e.;"[..])];
    let at = any::<Index>;
    prop_oneof![
        3 => (at(), byte()).prop_map(|(at, byte)| Change::Set(at, byte)),
        2 => (at(), byte()).prop_map(|(at, byte)| Change::Insert(at, byte)),
        2 => (at(), 1u8..20).prop_map(|(at, length)| Change::Remove(at, length)),
        1 => (at(), at(), at(), 1u8..60).prop_map(|(at, which, from, length)| Change::Splice(at, which, from, length)),
        1 => (at(), 1u8..60).prop_map(|(at, length)| Change::Repeat(at, length)),
    ]
}

fn changed(inputs: &[(PathBuf, Vec<u8>)], first: Index, changes: &[Change]) -> Vec<u8> {
    let mut input = first.get(inputs).1.clone();
    let part = |of: &[u8], from: usize, length: u8| of[from..of.len().min(from + usize::from(length))].to_vec();
    for change in changes {
        let place = |at: &Index| at.index(input.len() + 1);
        match change {
            Change::Set(at, byte) => {
                let at = place(at);
                input.splice(at..input.len().min(at + 1), [*byte]);
            }
            Change::Insert(at, byte) => input.insert(place(at), *byte),
            Change::Remove(at, length) => {
                let at = place(at);
                input.drain(at..input.len().min(at + usize::from(*length)));
            }
            Change::Splice(at, which, from, length) => {
                let other = &which.get(inputs).1;
                let (at, new) = (place(at), part(other, from.index(other.len() + 1), *length));
                input.splice(at..at, new);
            }
            Change::Repeat(at, length) => {
                let at = place(at);
                let new = part(&input, at, *length);
                input.splice(at..at, new);
            }
        }
    }
    input
}

#[test]
fn what_is_made_from_the_corpus_does_no_harm() {
    for (target, run) in TARGETS {
        let inputs = corpus(target);
        let config = ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() };
        proptest!(config, |(first in any::<Index>(), changes in prop::collection::vec(any_change(), 1..6))| {
            let input = changed(&inputs, first, &changes);
            let harmless = catch_unwind(AssertUnwindSafe(|| run(&input))).is_ok();
            prop_assert!(harmless, "{target}: {:?}", input.escape_ascii().to_string());
        });
    }
}
