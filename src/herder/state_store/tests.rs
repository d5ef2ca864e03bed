use std::ops::Range;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::{AtomicU8, Ordering};

use async_trait::async_trait;
use landfall_lake::storage::{Area, Metadata, Object, Published, Sealed, Staged};

use super::*;
use crate::herder::TargetState;

/// What a [`Flaky`] store does with small objects.
const WELL: u8 = 0;
const AWAY: u8 = 1;
/// It writes, and the answer gets lost.
const MUTE: u8 = 2;

/// A directory that is away at times.
#[derive(Debug)]
struct Flaky(LocalStorage, AtomicU8);

impl Flaky {
    fn set(&self, mode: u8) {
        self.1.store(mode, Ordering::SeqCst);
    }

    fn is(&self, mode: u8) -> bool {
        self.1.load(Ordering::SeqCst) == mode
    }
}

fn away<T>() -> Result<T, StorageError> {
    Err(StorageError::Retriable("no connection".into()))
}

fn not_asked<T>() -> Result<T, StorageError> {
    Err(StorageError::Fatal("a state is small objects only".into()))
}

#[async_trait]
impl Storage for Flaky {
    fn url(&self) -> String {
        self.0.url()
    }
    async fn check(&self) -> Result<(), StorageError> {
        not_asked()
    }
    async fn stage(&self, _: &str, _: &Area) -> Result<Box<dyn Staged>, StorageError> {
        not_asked()
    }
    async fn publish(&self, _: &Sealed, _: &Metadata) -> Result<Published, StorageError> {
        not_asked()
    }
    async fn sweep(&self, _: &Area) -> Result<(), StorageError> {
        not_asked()
    }
    async fn head(&self, _: &str) -> Result<Option<Object>, StorageError> {
        not_asked()
    }
    async fn read(&self, _: &str, _: Range<u64>) -> Result<Bytes, StorageError> {
        not_asked()
    }
    async fn list(&self, _: &str) -> Result<Vec<Object>, StorageError> {
        not_asked()
    }
    async fn get(&self, path: &str) -> Result<Option<(Bytes, Version)>, StorageError> {
        if self.is(AWAY) { away() } else { self.0.get(path).await }
    }
    async fn put(&self, path: &str, content: Bytes, expected: Option<&Version>) -> Result<Written, StorageError> {
        if self.is(AWAY) {
            return away();
        }
        let written = self.0.put(path, content, expected).await;
        if self.is(MUTE) {
            self.set(WELL);
            return away();
        }
        written
    }
    async fn remove(&self, _: &str, _: &Version) -> Result<bool, StorageError> {
        not_asked()
    }
    async fn names(&self, _: &str) -> Result<Vec<String>, StorageError> {
        not_asked()
    }
}

/// A directory, as the workers `a`, `b`, … that listen at places of their own have it.
struct Place {
    dir: tempfile::TempDir,
    flaky: Arc<Flaky>,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let flaky = Arc::new(Flaky(LocalStorage::new(dir.path()), AtomicU8::new(WELL)));
        Self { dir, flaky }
    }

    /// A worker that was started for the `nth` time.
    fn of(&self, worker: &str, nth: usize) -> StateStore {
        StateStore {
            storage: self.flaky.clone(),
            root: Some(self.dir.path().to_owned()),
            path: format!("{HIDDEN}/standalone/connectors.json"),
            shown: "blob://acct/c".into(),
            holder: Holder { worker: worker.into(), place: worker.into(), instance: format!("{worker}{nth}") },
            lease: Duration::from_millis(400),
            change: Duration::from_millis(700),
        }
    }
}

fn connectors(names: &[&str]) -> BTreeMap<String, Stored> {
    let stored = |name: &&str| {
        let config = Properties::from([("secret".to_owned(), "pssst".to_owned())]);
        ((*name).to_owned(), Stored { config, target_state: TargetState::Paused })
    };
    names.iter().map(stored).collect()
}

#[tokio::test]
async fn what_is_written_is_there_after_a_crash_and_after_an_end_in_order() {
    let place = Place::new();
    let mut first = place.of("a", 1).take().await.expect("taken");
    assert!(first.connectors().is_empty());
    first.write(connectors(&["x", "y"])).await.expect("written");
    // As after kill -9: it listened where the next one listens, so it is gone.
    let begun = Instant::now();
    let mut again = place.of("a", 2).take().await.expect("taken at once");
    assert!(begun.elapsed() < Duration::from_millis(400));
    assert_eq!(again.connectors(), &connectors(&["x", "y"]));
    again.write(connectors(&["y"])).await.expect("written");
    again.release().await.expect("released");
    let elsewhere = place.of("b", 1).take().await.expect("nobody holds it");
    assert_eq!((elsewhere.connectors(), elsewhere.content.epoch), (&connectors(&["y"]), 3));
    let lost = first.renew().await.expect_err("it was taken twice since");
    let by = "landfall.state=blob://acct/c was taken over by b while this worker did not get through to it";
    assert_eq!(lost, Unwritten::Lost(by.into()));
    let mode = std::fs::metadata(place.dir.path().join(HIDDEN).join("standalone")).expect("there").permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
}

#[tokio::test]
async fn who_comes_while_another_lives_is_refused() {
    let place = Place::new();
    let mut holder = place.of("a", 1).take().await.expect("taken");
    let newcomer = place.of("b", 1);
    let (second, renewed) = tokio::join!(newcomer.take(), async {
        sleep(Duration::from_millis(100)).await;
        holder.renew().await
    });
    renewed.expect("it still holds it");
    let why = second.expect_err("refused");
    assert!(why.starts_with("landfall.state=blob://acct/c is held by the worker a, which lives: stop it, or"), "{why}");
    // It says nothing any more.
    let mut second = place.of("b", 2).take().await.expect("taken over");
    second.write(connectors(&["z"])).await.expect("written");
    assert!(matches!(holder.write(connectors(&["w"])).await, Err(Unwritten::Lost(_))));
    assert_eq!(place.of("b", 3).take().await.expect("taken").connectors(), &connectors(&["z"]));
}

#[tokio::test]
async fn a_store_that_is_away_is_waited_for_at_start_and_refuses_changes_later() {
    let place = Place::new();
    place.flaky.set(AWAY);
    let first = place.of("a", 1);
    let (taken, ()) = tokio::join!(first.take(), async {
        sleep(Duration::from_millis(300)).await;
        place.flaky.set(WELL);
    });
    let mut held = taken.expect("taken once it is there");
    place.flaky.set(AWAY);
    let why = held.write(connectors(&["x"])).await.expect_err("away");
    assert_eq!(why, Unwritten::Away("landfall.state=blob://acct/c is not written within 700 ms: no connection".into()));
    place.flaky.set(WELL);
    assert!(held.connectors().is_empty(), "nothing has changed");
    held.renew().await.expect("there again");
    for lost_answer in [true, false] {
        place.flaky.set(if lost_answer { MUTE } else { WELL });
        held.write(connectors(&["x", if lost_answer { "y" } else { "z" }])).await.expect("written");
    }
    place.flaky.set(MUTE);
    let after = place.of("a", 2).take().await.expect("taken although the answer was lost");
    assert_eq!(after.connectors(), &connectors(&["x", "z"]));
}

#[tokio::test]
async fn what_is_no_state_is_named_without_its_text() {
    let place = Place::new();
    let store = place.of("a", 1);
    for (content, why) in
        [("{\"version\":1,\n\"connectors\":\"pssst\"}", "connectors.json:2:"), ("{}", "not a state of this worker")]
    {
        let (bytes, there) = (Bytes::from(content), store.storage.get(&store.path).await.expect("read"));
        store.storage.put(&store.path, bytes, there.map(|(_, version)| version).as_ref()).await.expect("written");
        let error = store.take().await.expect_err("broken");
        assert!(error.contains(why) && !error.contains("pssst"), "{error}");
    }
}

#[test]
fn places_are_urls() {
    let of = |url: &str, more: &[(&str, &str)]| {
        let more = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let given = [(KEY.to_owned(), url.to_owned())].into_iter().chain(more).collect();
        StateStore::of(&given, "w:1", ":8083", 8083).map_err(|faults| faults.to_string())
    };
    let key = ("landfall.azure.account.key", "cHNzc3Q=");
    for (url, more, storage, path) in [
        ("blob://acct/state", &[key][..], "https://acct.blob.core.windows.net/state", "_landfall/standalone/connectors.json"),
        (
            "blob://acct/state/prod/a b",
            &[key],
            "https://acct.blob.core.windows.net/state",
            "_landfall/standalone/prod/a b/connectors.json",
        ),
        (
            "blob://acct.blob.core.usgovcloudapi.net/state/x",
            &[("landfall.azure.sas.token", "sv=1&sig=pssst")],
            "https://acct.blob.core.usgovcloudapi.net/state",
            "_landfall/standalone/x/connectors.json",
        ),
        (
            "http://127.0.0.1:10000/devstoreaccount1/state",
            &[("landfall.azure.connection.string", "UseDevelopmentStorage=true")],
            "http://127.0.0.1:10000/devstoreaccount1/state",
            "_landfall/standalone/connectors.json",
        ),
        ("file:///srv/state", &[], "file:///srv/state", "_landfall/standalone/connectors.json"),
    ] {
        let store = of(url, more).expect(url).expect("one");
        assert_eq!((store.storage.url().as_str(), store.path.as_str(), store.shown()), (storage, path, url));
        assert!(!format!("{store:?}").contains("pssst"), "{store:?}");
    }
    assert!(of("", &[]).expect("none").is_none());
    for (url, more, why) in [
        ("blob://acct", &[key][..], "it has no container: it must be blob://<account>/<container>[/<folder>]"),
        ("blob://acct/c", &[], "landfall.azure.account.key"),
        ("blob://acct/C", &[key], "the container \"C\" in landfall.state cannot be"),
        ("blob://acct/c?sig=pssst", &[key], "has more after it: a shared access signature has a key of its own"),
        ("blob://me:pssst@acct/c", &[key], "cannot hold a user or a password"),
        ("s3://c", &[], "s3 is none of file, https and http"),
        ("file:///srv", &[("landfall.state.file", "/x")], "landfall.state.file is given too, and connectors are in one place"),
    ] {
        let text = of(url, more).expect_err(url);
        assert!(text.contains(why) && !text.contains("pssst"), "{text}");
    }
    let here = |port| place("http://:8083", port);
    assert!(here(1).is_some() && here(1) == here(1) && here(1) != here(2));
}
