use super::*;
use crate::storage::conformance::{self, Others};

/// Other programs with the same directory.
struct Directory<'a>(&'a Path);

impl Others for Directory<'_> {
    fn write(&self, path: &str, content: &'static [u8]) {
        let file = self.0.join(path);
        std::fs::create_dir_all(file.parent().expect("below the root")).expect("made");
        std::fs::write(file, content).expect("written");
    }

    fn delete(&self, path: &str) {
        std::fs::remove_file(self.0.join(path)).expect("deleted");
    }

    fn walk(&self) -> Vec<String> {
        fn walk(folder: &Path, root: &Path, found: &mut Vec<String>) {
            for entry in std::fs::read_dir(folder).expect("listed").map(|entry| entry.expect("listed")) {
                let path = entry.path();
                if path.is_file() {
                    found.push(path.strip_prefix(root).expect("below").to_str().expect("UTF-8").to_owned());
                } else if !entry.file_name().to_string_lossy().starts_with('_') {
                    walk(&path, root, found);
                }
            }
        }
        let mut found = Vec::new();
        if self.0.exists() {
            walk(self.0, self.0, &mut found);
        }
        found
    }
}

fn area(epoch: u64) -> Area {
    Area { partition: "topics/t/0".into(), epoch }
}

fn staged_files(root: &Path) -> Vec<PathBuf> {
    let folder = root.join("_landfall/stage/topics/t/0");
    std::fs::read_dir(folder).map_or(Vec::new(), |found| found.map(|entry| entry.expect("listed").path()).collect())
}

async fn sealed(storage: &LocalStorage, path: &str) -> Sealed {
    let mut staged = storage.stage(path, &area(1)).await.expect("staged");
    staged.block(Bytes::from_static(b"whole")).await.expect("written");
    staged.seal().await.expect("sealed")
}

async fn publish(storage: &LocalStorage, file: &Sealed) -> Published {
    storage.publish(file, &Metadata::new()).await.expect("published")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_directory_conforms() {
    let root = tempfile::tempdir().expect("a directory");
    let root = root.path().join("made when needed");
    conformance::suite(&LocalStorage::new(&root), &LocalStorage::new(&root), &Directory(&root)).await;
}

#[tokio::test]
async fn what_is_staged_lives_as_long_as_it_may_be_needed() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    drop(storage.stage("dropped", &area(1)).await.expect("staged"));
    assert_eq!(staged_files(root.path()).len(), 0, "a file that was not sealed is nobody's");
    let file = sealed(&storage, "kept").await;
    assert_eq!(staged_files(root.path()), [root.path().join("_landfall/stage").join(&file.token)], "a sealed one may be pending");
    let mut discarded = storage.stage("discarded", &area(1)).await.expect("staged");
    discarded.seal().await.expect("sealed");
    discarded.discard().await;
    assert_eq!(staged_files(root.path()).len(), 1, "one that is discarded is not");
    storage.sweep(&area(1)).await.expect("swept");
    assert_eq!(staged_files(root.path()).len(), 1);
    storage.sweep(&area(2)).await.expect("swept");
    assert_eq!(staged_files(root.path()).len(), 0);
    let Published::Gone { conclusive: true, age } = publish(&storage, &file).await else { panic!("it was swept") };
    assert_eq!(age, std::time::Duration::ZERO);
}

#[tokio::test]
async fn half_a_rename_is_finished() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    let file = sealed(&storage, "a").await;
    let place = root.path().join("_landfall/stage").join(&file.token);
    std::fs::hard_link(&place, root.path().join("a")).expect("linked");
    assert_eq!(publish(&storage, &file).await, Published::Landed);
    assert!(!place.exists(), "one name is left");
    std::fs::remove_file(root.path().join("a")).expect("removed");
    assert!(matches!(publish(&storage, &file).await, Published::Gone { .. }), "so that it is not published twice");
}

#[tokio::test]
async fn a_foreign_file_keeps_ours_staged() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    let file = sealed(&storage, "a").await;
    std::fs::write(root.path().join("a"), b"theirs").expect("written");
    assert_eq!(publish(&storage, &file).await, Published::Conflict);
    assert_eq!(std::fs::read(root.path().join("a")).expect("read"), b"theirs");
    std::fs::remove_file(root.path().join("a")).expect("removed");
    assert_eq!(publish(&storage, &file).await, Published::Landed);
    assert_eq!(std::fs::read(root.path().join("a")).expect("read"), b"whole");
}

#[tokio::test]
async fn a_staged_file_that_was_changed_is_not_published() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    let file = sealed(&storage, "a").await;
    std::fs::write(root.path().join("_landfall/stage").join(&file.token), b"hal").expect("written");
    let error = storage.publish(&file, &Metadata::new()).await.expect_err("refused").to_string();
    assert!(error.ends_with("has 3 bytes and not 5: it was changed"), "{error}");
    assert!(!root.path().join("a").exists());
}

#[tokio::test]
async fn an_unfinished_write_of_an_object_is_not_seen() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    let path = "_landfall/v1/t/0.json";
    let Written::Done(first) = storage.put(path, "first".into(), None).await.expect("written") else { panic!("it is new") };
    let object = root.path().join(path);
    let unfinished = object.join(format!("{:020}.x", 2));
    std::fs::write(&unfinished, b"a half that is longer than what comes").expect("written");
    assert_eq!(storage.get(path).await.expect("asked").expect("there").0, "first");
    assert_eq!(storage.names("_landfall/v1/").await.expect("listed"), [path]);
    let Written::Done(second) = storage.put(path, "second".into(), Some(&first)).await.expect("written") else {
        panic!("refused")
    };
    assert_eq!(storage.get(path).await.expect("asked").expect("there").0, "second");
    assert!(matches!(storage.put(path, "third".into(), Some(&second)).await.expect("written"), Written::Done(_)));
    assert_eq!(std::fs::read_dir(&object).expect("listed").count(), 1, "what is below the highest is taken away");
}

/// A worker that was stopped between its look at the object and its rename makes a version that nobody needs.
#[tokio::test]
async fn a_version_below_the_one_that_counts_changes_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    let path = "_landfall/v1/t/0.json";
    let mut is = None;
    for content in ["1", "2", "3"] {
        let Written::Done(version) = storage.put(path, content.into(), is.as_ref()).await.expect("written") else {
            panic!("refused")
        };
        is = Some(version);
    }
    let is = is.expect("written");
    std::fs::write(root.path().join(path).join(format!("{:020}", 2)), "late").expect("written");
    assert_eq!(storage.get(path).await.expect("asked").expect("there"), ("3".into(), is.clone()));
    assert!(matches!(storage.put(path, "4".into(), Some(&is)).await.expect("written"), Written::Done(_)));
}

#[tokio::test]
async fn an_object_that_is_removed_leaves_nothing_and_is_never_what_it_was() {
    let root = tempfile::tempdir().expect("a directory");
    let storage = LocalStorage::new(root.path());
    let path = "_landfall/v1/t/0.json";
    let Written::Done(first) = storage.put(path, "x".into(), None).await.expect("written") else { panic!("it is new") };
    assert!(storage.remove(path, &first).await.expect("removed"));
    assert!(!root.path().join(path).exists());
    assert!(storage.names("_landfall/").await.expect("listed").is_empty());
    let Written::Done(_) = storage.put(path, "y".into(), None).await.expect("written") else { panic!("it is new") };
    assert_eq!(storage.put(path, "z".into(), Some(&first)).await.expect("asked"), Written::Refused);
}

#[tokio::test]
async fn a_place_that_cannot_be_used_is_named() {
    let root = tempfile::tempdir().expect("a directory");
    std::fs::write(root.path().join("file"), b"").expect("written");
    let error = LocalStorage::new(root.path().join("file/below")).check().await.expect_err("refused").to_string();
    assert!(error.contains("file/below/_landfall/stage: Not a directory"), "{error}");
    let error = LocalStorage::new(root.path()).stage("_landfall/stage/x", &area(1)).await.expect_err("refused").to_string();
    assert!(error.contains("_landfall/stage/x"), "{error}");
}

#[tokio::test]
async fn a_directory_is_examined() {
    let root = tempfile::tempdir().expect("a directory");
    let found = LocalStorage::new(root.path()).needing_metadata().examine().await.expect("asked");
    assert!(found.holds(), "{found:#?}");
    let asked: Vec<_> = found.findings.iter().map(|finding| (finding.assumption, finding.question)).collect();
    assert_eq!(
        asked,
        [
            ("A1", "an object is made only if there is none"),
            ("A1", "of those who replace an object at once, one does"),
            ("A1", "an object is replaced only if it is what was read"),
            ("A2", "what is written can be made to last"),
            ("A2", "a file is renamed in one step, and over none"),
            ("A2", "files keep attributes"),
            ("", "the file system"),
            ("", "free space"),
        ]
    );
    assert_eq!(std::fs::read_dir(root.path().join("_landfall/check")).expect("listed").count(), 0, "nothing is left");
}

#[tokio::test]
async fn attributes_of_others_are_left_out() {
    let root = tempfile::tempdir().expect("a directory");
    let file = root.path().join("a");
    std::fs::write(&file, b"a").expect("written");
    for (name, value) in [("user.landfall_first", "7"), ("user.xdg.origin.url", "x"), ("user.Upper", "x")] {
        rustix::fs::setxattr(&file, name, value.as_bytes(), rustix::fs::XattrFlags::empty()).expect("set");
    }
    let found = LocalStorage::new(root.path()).needing_metadata().head("a").await.expect("asked").expect("visible");
    assert_eq!(found.metadata, Metadata::from([("landfall_first".into(), "7".into())]));
}

#[test]
fn a_rename_replaces_nothing() {
    let root = tempfile::tempdir().expect("a directory");
    let [a, b, c] = ["a", "b", "c"].map(|n| root.path().join(n));
    std::fs::write(&a, b"a").and_then(|()| std::fs::write(&b, b"b")).expect("written");
    assert_eq!(rename_new(&a, &b).expect_err("taken").kind(), ErrorKind::AlreadyExists);
    rename_new(&a, &c).expect("free");
    assert_eq!((std::fs::read(&b).expect("read"), std::fs::read(&c).expect("read")), (b"b".to_vec(), b"a".to_vec()));
}

#[test]
fn a_file_system_that_cannot_rename_so_is_named() {
    let error = unrenamed(Path::new("/data"), &Errno::INVAL.into()).to_string();
    assert!(error.starts_with("/data is on a file system that cannot rename without replacing"), "{error}");
    assert!(matches!(unrenamed(Path::new("/data"), &Errno::NOSPC.into()), StorageError::Retriable(_)));
}

#[tokio::test]
async fn links_do_not_lead_out_of_the_store() {
    let folders = tempfile::tempdir().expect("a directory");
    let (root, other) = (folders.path().join("store"), folders.path().join("other"));
    for folder in [&root, &other] {
        std::fs::create_dir(folder).expect("made");
    }
    std::os::unix::fs::symlink(&other, root.join("out")).expect("a link");
    std::os::unix::fs::symlink("within", root.join("in")).expect("a link");
    let storage = LocalStorage::new(&root);
    std::fs::create_dir(root.join("within")).expect("made");
    let file = sealed(&storage, "in/a").await;
    assert!(matches!(publish(&storage, &file).await, Published::Landed));
    let file = sealed(&storage, "out/a").await;
    let error = storage.publish(&file, &Metadata::new()).await.expect_err("it leads out").to_string();
    assert!(error.contains("out: it is ") && error.contains("by a link that leads out of the store"), "{error}");
    std::fs::remove_dir_all(root.join("_landfall")).expect("removed");
    std::os::unix::fs::symlink(&other, root.join("_landfall")).expect("a link");
    assert!(storage.stage("a", &area(1)).await.is_err());
    assert_eq!(std::fs::read_dir(&other).expect("listed").count(), 0, "something was written outside");
}
