use serde_json::json;

use super::plan::knows_stop;
use super::worker::{Status, encoded, path_of};
use super::*;

#[test]
fn versions_that_can_stop_a_connector_are_known() {
    for (version, stops) in [
        ("3.4.1", false),
        ("2.8.0", false),
        ("3.5.0", true),
        ("3.10.0-SNAPSHOT", true),
        ("4.3.1", true),
        ("7.4.1-ccs", false),
        ("7.5.0-ccs", true),
        ("7.4.9-ce", false),
        ("8.0.0-ce", true),
        ("unknown", true),
    ] {
        assert_eq!(knows_stop(version), stops, "{version}");
    }
}

#[test]
fn one_cluster_is_told_by_its_workers() {
    let list = |name: &str, worker: &str| -> Connectors {
        let status = json!({"connector": {"state": "RUNNING", "worker_id": worker}, "tasks": []});
        [(name.to_owned(), json!({"status": status}))].into()
    };
    assert!(same_cluster(&list("c", "a:1"), &list("c", "a:1")));
    assert!(!same_cluster(&list("c", "a:1"), &list("c", "b:1")));
    assert!(!same_cluster(&list("c", "a:1"), &list("d", "a:1")));
    assert!(!same_cluster(&list("c", "a:1"), &Connectors::new()));
    assert!(!same_cluster(&Connectors::new(), &Connectors::new()));
}

#[test]
fn credentials_are_sent_and_never_printed() {
    let worker = Worker::new("--from", "http://ann:pssst@localhost:8083/", None).expect("a URL");
    assert_eq!(worker.to_string(), "http://localhost:8083");
    for bad in ["localhost:8083", "ftp://a", "http://"] {
        let error = Worker::new("--from", bad, None).err().expect("no URL");
        assert!(error.starts_with("--from: no URL with http or https"), "{error}");
    }
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("user");
    std::fs::write(&file, "ann:p:w\nmore\n").expect("written");
    assert_eq!(user(&format!("@{}", file.display())).as_deref(), Ok("ann:p:w"));
    assert!(user("ann").is_err_and(|error| !error.contains("ann")));
}

#[test]
fn names_and_states_are_read() {
    assert_eq!(path_of("a b/ä?"), "/connectors/a%20b%2F%C3%A4%3F");
    assert_eq!(encoded("a.B$C-d_e"), "a.B$C-d_e");
    let status = Status::of(&json!({
        "connector": {"state": "RUNNING"},
        "tasks": [{"state": "RUNNING"}, {"state": "FAILED", "trace": "because\n\tat x"}, {"state": "RUNNING"}],
    }));
    assert_eq!((status.of_tasks().as_str(), status.trace.as_deref()), ("3 tasks: 1 FAILED, 2 RUNNING", Some("because")));
    assert!(!status.all("RUNNING"));
}
