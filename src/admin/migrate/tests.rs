use serde_json::json;

use super::plan::{knows_stop, same_cluster};
use crate::admin::worker::Connectors;

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
