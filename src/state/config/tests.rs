use proptest::prelude::*;

use super::*;
use crate::state::Record;

const JAVA: &str = include_str!("../../../tests/data/internal_topics/java.tsv");

/// Offset, key and value of each record that Java's worker wrote.
fn java() -> impl Iterator<Item = (i64, &'static str, Option<&'static str>)> {
    JAVA.lines().filter_map(|line| {
        let fields: Vec<_> = line.split('\t').collect();
        let [topic, _, offset, key, value] = fields[..] else { panic!("{line}") };
        (topic == "config").then(|| (offset.parse().expect("an offset"), key, (value != "\\N").then_some(value)))
    })
}

fn apply(state: &mut ConfigState, records: &[Record]) -> Vec<Option<Change>> {
    let mut take = |(key, value): &Record| state.apply(state.offset().max(0), key, value.as_deref());
    records.iter().map(&mut take).collect()
}

fn say(state: &mut ConfigState, key: &str, value: &str) -> Option<Change> {
    state.apply(state.offset().max(0), key, Some(value.as_bytes()))
}

fn config(value: &str) -> Submitted {
    [("name".to_owned(), Some("c".to_owned())), ("v".to_owned(), Some(value.to_owned())), ("none".to_owned(), None)].into()
}

fn task(value: usize) -> Properties {
    [("task.class".to_owned(), "T".to_owned()), ("v".to_owned(), value.to_string())].into()
}

#[test]
fn what_javas_worker_wrote_is_understood() {
    let mut state = ConfigState::default();
    let changes: Vec<_> = java().filter_map(|(offset, key, value)| state.apply(offset, key, value.map(str::as_bytes))).collect();
    let restart = |only_failed| Change::Restart(RestartRequest { connector: "sk".into(), include_tasks: true, only_failed });
    let logger = |level: &str| Change::Logger { namespace: "org.apache.kafka.connect".into(), level: level.into() };
    let (connector, target, tasks) = (Change::Connector("sk".into()), Change::Target("sk".into()), Change::Tasks("sk".into()));
    assert_eq!(
        changes,
        [
            Change::SessionKey,
            connector.clone(),
            target.clone(),
            tasks.clone(),
            target.clone(),
            target.clone(),
            restart(false),
            restart(true),
            connector.clone(),
            tasks.clone(),
            connector,
            tasks.clone(),
            tasks.clone(),
            target.clone(),
            target,
            tasks,
            logger("DEBUG"),
            logger("INFO"),
            Change::Connector("bad".into()),
            Change::Tasks("bad".into()),
            Change::Removed("bad".into()),
        ]
    );
    assert_eq!((state.offset(), state.connectors().collect::<Vec<_>>()), (31, vec!["sk"]));
    assert_eq!(state.target("sk"), Some(TargetState::Started));
    let numbers: Vec<_> = state.tasks("sk").map(|(number, task)| (number, task["task.class"].as_str())).collect();
    let class = "org.apache.kafka.connect.file.FileStreamSinkTask";
    assert_eq!((state.task_count("sk"), numbers), (2, vec![(0, class), (1, class)]));
    assert_eq!(state.config("sk").expect("there")["tasks.max"].as_deref(), Some("2"));
    let key = state.session_key().expect("there");
    assert_eq!((key.key.len(), key.algorithm.as_str(), key.creation_timestamp), (32, "HmacSHA256", 1_795_254_078_140));
    assert_eq!(format!("{key:?}"), "SessionKey { algorithm: \"HmacSHA256\", creation_timestamp: 1795254078140, .. }");
}

/// Properties in the order of their keys; all else as it is.
fn sorted(java: &str) -> String {
    let mut value: Value = serde_json::from_str(java).expect("JSON");
    if let Some(Value::Object(properties)) = value.get_mut("properties") {
        properties.sort_keys();
    }
    value.to_string()
}

#[test]
fn what_is_written_is_what_java_writes() {
    let mut state = ConfigState::default();
    let mut uncommitted: Vec<Record> = Vec::new();
    for (offset, key, value) in java() {
        let record = (key.to_owned(), value.map(|value| sorted(value).into_bytes()));
        let change = state.apply(offset, key, value.map(str::as_bytes));
        let (name, written) = match change {
            Some(Change::Connector(name)) => (name.clone(), records::connector(&name, state.config(&name).expect("there"))),
            Some(Change::Target(name)) => (name.clone(), records::target(&name, state.target(&name).expect("there"))),
            Some(Change::Tasks(name)) => {
                let configs: Vec<_> = state.tasks(&name).map(|(_, config)| config.clone()).collect();
                uncommitted.push(record);
                assert_eq!(records::tasks(&name, &configs), std::mem::take(&mut uncommitted), "{key}");
                continue;
            }
            Some(Change::SessionKey) => (String::new(), records::session_key(state.session_key().expect("there"))),
            Some(Change::Restart(request)) => (String::new(), records::restart(&request)),
            Some(Change::Logger { namespace, level }) => (String::new(), records::logger(&namespace, &level)),
            Some(Change::Removed(name)) => {
                assert_eq!(records::remove(&name)[0], record);
                continue;
            }
            None if key.starts_with(TASK) => {
                uncommitted.push(record);
                continue;
            }
            // the second tombstone, and a target state before its connector
            None if value.is_none() => ("bad".to_owned(), vec![records::remove("bad").remove(1)]),
            None => ("sk".to_owned(), records::target("sk", TargetState::Stopped)),
        };
        assert_eq!(written, [record], "{key} of {name}");
    }
    assert!(uncommitted.is_empty());
    assert_eq!(
        records::connector("c", &config("1"))[0].1.as_deref(),
        Some(&br#"{"properties":{"name":"c","none":null,"v":"1"}}"#[..])
    );
}

#[test]
fn a_target_state_that_says_nothing_new_is_no_change() {
    let mut state = ConfigState::default();
    assert_eq!(apply(&mut state, &records::target("c", TargetState::Stopped)), [None], "nobody has it yet");
    assert_eq!(state.target("c"), None);
    apply(&mut state, &records::connector("c", &config("1")));
    assert_eq!(state.target("c"), Some(TargetState::Stopped));
    assert_eq!(apply(&mut state, &records::target("c", TargetState::Stopped)), [None]);
    assert_eq!(apply(&mut state, &records::target("c", TargetState::Paused)), [Some(Change::Target("c".into()))]);
    // Without one it is started.
    assert_eq!(state.apply(9, "target-state-c", None), None);
    assert_eq!(state.target("c"), Some(TargetState::Started));
    for (value, target) in [
        // of a worker that does not know STOPPED
        (r#"{"state":"PAUSED"}"#, TargetState::Paused),
        (r#"{"state":"STARTED","state.v2":7}"#, TargetState::Started),
        (r#"{"state":"PAUSED","state.v2":"SLEEPING"}"#, TargetState::Started),
        (r#"{"state.v2":"STOPPED"}"#, TargetState::Stopped),
        (r#"{"state":null}"#, TargetState::Stopped),
        (r#"["PAUSED"]"#, TargetState::Stopped),
    ] {
        say(&mut state, "target-state-c", value);
        assert_eq!(state.target("c"), Some(target), "{value}");
    }
}

#[test]
fn tasks_are_valid_from_their_commit_on() {
    let mut state = ConfigState::default();
    apply(&mut state, &records::connector("c", &config("1")));
    let three = records::tasks("c", &[task(0), task(1), task(2)]);
    let commit = apply(&mut state, &three[..3]);
    assert_eq!((commit, state.task_count("c")), (vec![None, None, None], 0));
    assert_eq!(apply(&mut state, &three[3..]), [Some(Change::Tasks("c".into()))]);
    assert_eq!(state.tasks("c").map(|(_, task)| task.clone()).collect::<Vec<_>>(), [task(0), task(1), task(2)]);
    // Fewer: the others are gone.
    apply(&mut state, &records::tasks("c", &[task(5)]));
    assert_eq!((state.task_count("c"), state.task("c", 0), state.task("c", 1)), (1, Some(&task(5)), None));
    apply(&mut state, &records::tasks("c", &[]));
    assert_eq!((state.task_count("c"), state.is_inconsistent("c")), (0, false));
    // The writer died before its commit, the next one wrote all again.
    apply(&mut state, &three[1..3]);
    apply(&mut state, &records::tasks("c", &[task(7)]));
    assert_eq!((state.task_count("c"), state.task("c", 0)), (1, Some(&task(7))));
}

#[test]
fn tasks_that_compaction_took_are_missed() {
    let mut state = ConfigState::default();
    apply(&mut state, &records::connector("c", &config("1")));
    let two = records::tasks("c", &[task(0), task(1)]);
    assert_eq!(apply(&mut state, &two[1..]), [None, Some(Change::Tasks("c".into()))]);
    assert_eq!((state.is_inconsistent("c"), state.task_count("c"), state.task("c", 1)), (true, 0, None));
    // What was left over is not taken for a part of the next commit.
    apply(&mut state, &[two[0].clone(), two[2].clone()]);
    assert!(state.is_inconsistent("c"));
    apply(&mut state, &two);
    assert_eq!((state.is_inconsistent("c"), state.task_count("c")), (false, 2));
    // A count that nobody means is no reason to set so much aside.
    say(&mut state, "commit-c", r#"{"tasks":9223372036854775807}"#);
    assert_eq!((state.is_inconsistent("c"), state.task_count("c")), (true, 0));
}

#[test]
fn a_connector_that_is_gone_leaves_nothing() {
    let mut state = ConfigState::default();
    apply(&mut state, &records::connector("c", &config("1")));
    apply(&mut state, &records::target("c", TargetState::Paused));
    apply(&mut state, &records::tasks("c", &[task(0)]));
    assert_eq!(apply(&mut state, &records::remove("c")), [Some(Change::Removed("c".into())), None]);
    assert_eq!((state.contains("c"), state.target("c"), state.task_count("c")), (false, None, 0));
    // Its tasks have no tombstones: they are there after it, and mean nothing.
    assert_eq!(apply(&mut state, &records::tasks("c", &[task(0)])), [None, None]);
    apply(&mut state, &records::connector("c", &config("2")));
    assert_eq!((state.target("c"), state.task_count("c")), (Some(TargetState::Started), 0));
    assert!(state.uncommitted.is_empty());
}

#[test]
fn what_nobody_understands_changes_nothing_but_the_offset() {
    let mut state = ConfigState::default();
    apply(&mut state, &records::connector("c", &config("1")));
    let before = format!("{:?}", (&state.connectors, &state.targets, &state.session_key));
    for (key, value) in [
        ("", "{}"),
        ("unknown-c", "{}"),
        ("connector-c", "7"),
        ("connector-c", r#"{"properties":null}"#),
        ("connector-c", r#"{"properties":{"a":{"b":1}}}"#),
        ("task-c", r#"{"properties":{}}"#),
        ("task-c-x", r#"{"properties":{}}"#),
        ("task-c-0", "null"),
        ("commit-c", "{}"),
        ("commit-c", r#"{"tasks":"2"}"#),
        ("commit-c", "null"),
        ("session-key", "null"),
        ("session-key", r#"{"key":"?","algorithm":"HmacSHA256","creation-timestamp":1}"#),
        ("session-key", r#"{"key":"aa==","algorithm":"HmacSHA256","creation-timestamp":"1"}"#),
        ("session-keys", r#"{"key":"aa==","algorithm":"HmacSHA256","creation-timestamp":1}"#),
        ("restart-connector-c", "7"),
        ("restart-connector-c", "null"),
        ("tasks-fencing-c", r#"{"task-count":1}"#),
        ("logger-cluster-root", r#"{"level":1}"#),
        ("logger-cluster-root", "null"),
    ] {
        let offset = state.offset();
        assert_eq!(say(&mut state, key, value), None, "{key} {value}");
        assert_eq!(state.offset(), offset + 1, "{key} {value}");
    }
    // As for Java's worker, no JSON is no record at all.
    let offset = state.offset();
    for value in ["", "{", "\u{0}"] {
        assert_eq!((say(&mut state, "connector-c", value), state.offset()), (None, offset), "{value:?}");
    }
    assert_eq!(before, format!("{:?}", (&state.connectors, &state.targets, &state.session_key)));
}

#[test]
fn restarts_default_to_the_connector_alone() {
    let mut state = ConfigState::default();
    let Some(Change::Restart(request)) = say(&mut state, "restart-connector-a-b", r#"{"only-failed":"x"}"#) else {
        panic!("no restart")
    };
    assert_eq!(request, RestartRequest { connector: "a-b".into(), include_tasks: false, only_failed: false });
    let impact = |include_tasks, only_failed| RestartRequest { connector: String::new(), include_tasks, only_failed }.impact();
    assert!(impact(true, false) > impact(false, false) && impact(false, false) > impact(true, true));
    assert!(impact(true, true) > impact(false, true));
}

#[test]
fn a_snapshot_stays_as_it_is() {
    let mut state = ConfigState::default();
    apply(&mut state, &records::connector("a", &config("1")));
    apply(&mut state, &records::connector("b", &config("1")));
    let snapshot = state.clone();
    assert!(Arc::ptr_eq(&snapshot.connectors, &state.connectors), "nothing is copied");
    apply(&mut state, &records::connector("a", &config("2")));
    apply(&mut state, &records::remove("b"));
    assert_eq!(snapshot.config("a"), Some(&config("1")));
    assert!(snapshot.contains("b") && snapshot.offset() == 2);
}

/// What somebody does, to one of few connectors.
fn step() -> impl Strategy<Value = Vec<Record>> {
    let name = prop::sample::select(vec!["a", "a-0", "b"]);
    let target = prop::sample::select(vec![TargetState::Started, TargetState::Paused, TargetState::Stopped]);
    (name, 0..7_usize, 0..4_usize, target).prop_map(|(name, what, many, target)| match what {
        0 | 1 => records::connector(name, &config(&many.to_string())),
        2 => records::remove(name),
        3 => records::target(name, target),
        4 => {
            // a writer that dies before its commit
            let mut tasks = records::tasks(name, &[task(1), task(2), task(3)]);
            tasks.truncate(many);
            tasks
        }
        _ => records::tasks(name, &(0..many).map(task).collect::<Vec<_>>()),
    })
}

type Seen<'a> = Vec<(&'a str, Option<&'a Submitted>, Option<TargetState>, Vec<(usize, &'a Properties)>)>;

fn seen(state: &ConfigState) -> Seen<'_> {
    state.connectors().map(|name| (name, state.config(name), state.target(name), state.tasks(name).collect())).collect()
}

proptest! {
    #[test]
    fn no_bytes_do_harm(key in ".{0,20}", prefix in 0..9_usize, value in prop::collection::vec(any::<u8>(), 0..60), offset: i64) {
        let prefixes = [TARGET_STATE, CONNECTOR, TASK, COMMIT, RESTART, FENCING, SESSION_KEY, LOGGER, ""];
        let key = format!("{}{key}", prefixes[prefix]);
        let mut state = ConfigState::default();
        state.apply(0, "connector-c", Some(br#"{"properties":{}}"#));
        state.apply(offset, &key, Some(&value));
        state.apply(offset, &key, None);
    }

    /// A worker that starts later, with what compaction has left, sees the same, except for tasks: it may see none of a connector.
    #[test]
    fn compaction_takes_nothing_but_tasks(steps in prop::collection::vec(step(), 0..40)) {
        let all: Vec<Record> = steps.into_iter().flatten().collect();
        let mut state = ConfigState::default();
        apply(&mut state, &all);
        let last = |at: usize| !all[at + 1..].iter().any(|(key, _)| *key == all[at].0);
        let mut compacted = ConfigState::default();
        for (at, (key, value)) in all.iter().enumerate().filter(|(at, _)| last(*at)) {
            compacted.apply(at as i64, key, value.as_deref());
        }
        prop_assert!(all.is_empty() || compacted.offset() == all.len() as i64);
        let (full, left) = (seen(&state), seen(&compacted));
        prop_assert_eq!(full.len(), left.len());
        for (full, left) in full.into_iter().zip(left) {
            prop_assert_eq!((full.0, full.1, full.2), (left.0, left.1, left.2));
            prop_assert!(left.3.is_empty() || left.3 == full.3);
        }
    }
}
