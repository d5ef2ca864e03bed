use proptest::prelude::*;

use super::*;

const JAVA: &str = include_str!("../../../tests/data/internal_topics/java.tsv");

/// Key and value of each record that Java's worker wrote.
fn java() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    JAVA.lines().filter_map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let [topic, _, _, key, value] = fields[..] else { panic!("{line}") };
        (topic == "status").then(|| (key, (value != "\\N").then_some(value)))
    })
}

fn record(state: State, worker: &str, generation: i32) -> StatusRecord {
    StatusRecord { state, trace: None, worker_id: worker.to_owned(), generation, version: None }
}

fn take(statuses: &mut Statuses, records: Vec<crate::state::Record>) {
    records.into_iter().for_each(|(key, value)| statuses.apply(&key, value.as_deref()));
}

#[test]
fn what_javas_worker_wrote_is_understood_and_written_alike() {
    let mut statuses = Statuses::default();
    let mut failed = false;
    for (key, value) in java() {
        statuses.apply(key, value.map(str::as_bytes));
        // by itself: some do not count after others
        let mut alone = Statuses::default();
        alone.apply(key, value.map(str::as_bytes));
        let written = if let Some(name) = key.strip_prefix(CONNECTOR) {
            records::connector(name, alone.connector(name))
        } else if let Some((name, number)) = key.strip_prefix(TASK).and_then(task_of) {
            let status = alone.task(name, number);
            failed |= status.is_some_and(|status| status.trace.as_deref().is_some_and(|trace| trace.contains("\n\tat org.")));
            records::task(name, number, status)
        } else {
            let (topic, name) = key.strip_prefix(TOPIC).and_then(|rest| rest.split_once(OF_CONNECTOR)).expect("a topic");
            records::topic(name, topic, alone.topic(name, topic))
        };
        assert_eq!(written, [(key.to_owned(), value.map(|value| value.as_bytes().to_vec()))]);
    }
    assert!(failed, "a trace is among them");
    assert_eq!(statuses.connectors().collect::<Vec<_>>(), ["sk"]);
    let status = StatusRecord { version: Some("4.3.1".into()), ..record(State::Running, "127.0.0.1:18283", 8) };
    assert_eq!(statuses.connector("sk"), Some(&status));
    assert_eq!(
        statuses.tasks("sk").map(|(number, status)| (number, status.state)).collect::<Vec<_>>(),
        [(0, State::Running), (1, State::Running)]
    );
    let topics: Vec<_> = statuses.topics("sk").collect();
    assert_eq!(topics, [("t1", &TopicStatus { task: 0, discover_timestamp: 1_795_254_103_470 })]);
    assert_eq!(statuses.tasks("bad").count() + statuses.topics("bad").count(), 0);
}

#[test]
fn a_task_that_another_worker_runs_is_not_unassigned_by_the_one_before() {
    let mut statuses = Statuses::default();
    take(&mut statuses, records::task("c", 0, Some(&record(State::Running, "new", 5))));
    for generation in [4, 5] {
        take(&mut statuses, records::task("c", 0, Some(&record(State::Unassigned, "old", generation))));
        assert_eq!(statuses.task("c", 0).map(|status| status.state), Some(State::Running));
    }
    take(&mut statuses, records::task("c", 0, Some(&record(State::Unassigned, "old", 6))));
    assert_eq!(statuses.task("c", 0).map(|status| status.state), Some(State::Unassigned));
    take(&mut statuses, records::task("c", 0, Some(&record(State::Paused, "old", 1))));
    take(&mut statuses, records::task("c", 0, Some(&record(State::Unassigned, "old", 1))));
    assert_eq!(statuses.task("c", 0).map(|status| status.state), Some(State::Unassigned), "it was not running");
}

#[test]
fn what_is_written_for_safety_does_not_cover_a_later_word() {
    let mine = record(State::Failed, "me", 5);
    assert!(mine.may_follow(None));
    assert!(mine.may_follow(Some(&record(State::Running, "me", 9))));
    assert!(mine.may_follow(Some(&record(State::Running, "you", 5))));
    assert!(!mine.may_follow(Some(&record(State::Running, "you", 6))));
}

#[test]
fn tombstones_take_all_of_a_connector_but_its_topics() {
    let mut statuses = Statuses::default();
    take(&mut statuses, records::connector("c", Some(&record(State::Running, "w", 1))));
    take(&mut statuses, records::task("c", 1, Some(&record(State::Running, "w", 1))));
    take(&mut statuses, records::task("c", 2, Some(&record(State::Running, "w", 1))));
    take(&mut statuses, records::topic("c", "t", Some(&TopicStatus { task: 0, discover_timestamp: 1 })));
    take(&mut statuses, records::task("c", 1, None));
    assert_eq!(statuses.tasks("c").map(|(number, _)| number).collect::<Vec<_>>(), [2]);
    take(&mut statuses, records::connector("c", None));
    assert_eq!((statuses.connector("c"), statuses.tasks("c").count(), statuses.topics("c").count()), (None, 0, 1));
    take(&mut statuses, records::topic("c", "t", None));
    take(&mut statuses, records::topic("c", "t", None));
    take(&mut statuses, records::task("c", 7, None));
    assert!(statuses.topics.is_empty() && statuses.tasks.is_empty());
}

#[test]
fn what_nobody_understands_changes_nothing() {
    let good = r#"{"state":"RUNNING","trace":null,"worker_id":"w","generation":1}"#;
    let mut statuses = Statuses::default();
    for (key, value) in [
        ("status-connector-", good),
        ("status-task-c", good),
        ("status-task-c-x", good),
        ("status-", good),
        ("", good),
        ("status-connector-c", ""),
        ("status-connector-c", "null"),
        ("status-connector-c", "[]"),
        ("status-connector-c", r#"{"state":"DESTROYED","worker_id":"w","generation":1}"#),
        ("status-connector-c", r#"{"worker_id":"w","generation":1}"#),
        ("status-connector-c", r#"{"state":"RUNNING","worker_id":7,"generation":1}"#),
        ("status-connector-c", r#"{"state":"RUNNING","worker_id":"w","generation":"1"}"#),
        ("status-topic-t", r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":1}}"#),
        ("status-topic-:connector-c", r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":1}}"#),
        ("status-topic-t:connector-", r#"{"topic":{"name":"t","connector":"c","task":0,"discoverTimestamp":1}}"#),
        ("status-topic-t:connector-c", r#"{"topic":null}"#),
        ("status-topic-t:connector-c", r#"{"topic":{"task":0}}"#),
    ] {
        statuses.apply(key, Some(value.as_bytes()));
        assert!(statuses.connectors.is_empty() && statuses.tasks.is_empty() && statuses.topics.is_empty(), "{key} {value}");
    }
    // What older workers do not say is not missed.
    statuses.apply("status-connector-c", Some(good.as_bytes()));
    assert_eq!(statuses.connector("c"), Some(&record(State::Running, "w", 1)));
}

proptest! {
    #[test]
    fn no_bytes_do_harm(key in ".{0,20}", prefix in 0..4_usize, value in prop::collection::vec(any::<u8>(), 0..60)) {
        let key = format!("{}{key}", [CONNECTOR, TASK, TOPIC, ""][prefix]);
        let mut statuses = Statuses::default();
        statuses.apply(&key, Some(&value));
        statuses.apply(&key, None);
    }

    #[test]
    fn what_is_written_is_read(
        name in "[a-z:-]{1,9}[a-z]", number in 0..1000_usize, trace: Option<String>, worker_id: String, generation: i32, version: Option<String>
    ) {
        let status = StatusRecord { state: State::Failed, trace, worker_id, generation, version };
        let mut statuses = Statuses::default();
        take(&mut statuses, records::connector(&name, Some(&status)));
        take(&mut statuses, records::task(&name, number, Some(&status)));
        let topic = TopicStatus { task: generation, discover_timestamp: i64::from(generation) };
        take(&mut statuses, records::topic(&name, "t.1", Some(&topic)));
        prop_assert_eq!(statuses.connector(&name), Some(&status));
        prop_assert_eq!(statuses.task(&name, number), Some(&status));
        prop_assert_eq!(statuses.topic(&name, "t.1"), Some(&topic));
    }
}
