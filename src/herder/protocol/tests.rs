use proptest::collection::vec;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;

fn task(connector: &str, task: usize) -> TaskId {
    TaskId { connector: connector.to_owned(), task }
}

fn hex(text: &str) -> Vec<u8> {
    (0..text.len()).step_by(2).map(|i| u8::from_str_radix(&text[i..i + 2], 16).unwrap()).collect()
}

/// The tasks of each connector, with −1 for the connector.
fn work_json(work: &Work) -> Value {
    let mut connectors = Map::new();
    let mut add = |connector: &str, task: Value| {
        connectors.entry(connector).or_insert_with(|| json!([])).as_array_mut().unwrap().push(task);
    };
    work.connectors.iter().for_each(|connector| add(connector, json!(-1)));
    work.tasks.iter().for_each(|task| add(&task.connector, json!(task.task)));
    Value::Object(connectors)
}

fn assignment_json(it: &Assignment) -> Value {
    let mut json = json!({
        "version": it.version, "error": it.error, "leader": it.leader, "leader_url": it.leader_url, "config_offset": it.offset,
        "assigned": work_json(&it.assigned),
    });
    if it.version > 0 {
        json["revoked"] = work_json(&it.revoked);
        json["delay"] = json!(it.delay);
    }
    json
}

fn metadata_json(it: &Metadata) -> Value {
    let mut json = json!({"version": it.version, "url": it.url, "config_offset": it.offset});
    if it.version > 0 {
        json["allocation"] = it.allocation.as_ref().map_or(Value::Null, assignment_json);
    }
    json
}

/// What a cluster of Java workers 4.3.1 had in its groups, in each of the protocols.
#[test]
fn bytes_are_those_of_java() {
    let mut versions = BTreeSet::new();
    for line in include_str!("../../../tests/data/connect_protocol/java.tsv").lines() {
        let [kind, bytes, expected] = line.split('\t').collect::<Vec<_>>().try_into().unwrap();
        let (bytes, expected): (_, Value) = (hex(bytes), serde_json::from_str(expected).unwrap());
        let (actual, again, version) = match kind {
            "metadata" => {
                let it = Metadata::decode(&bytes).unwrap();
                assert!(!it.leaving);
                (metadata_json(&it), it.encode(), it.version)
            }
            _ => {
                let it = Assignment::decode(&bytes).unwrap();
                (assignment_json(&it), it.encode(), it.version)
            }
        };
        assert_eq!(actual, expected, "{line}");
        assert_eq!(again, bytes, "{line}");
        versions.insert((kind, version));
    }
    assert_eq!(versions.len(), 6, "{versions:?}");
}

#[test]
fn offers_are_in_order_of_preference() {
    let names = |protocol: Protocol| protocol.offered().map(Protocol::name).collect::<Vec<_>>();
    assert_eq!(names(Protocol::Sessioned), ["sessioned", "compatible", "default"]);
    assert_eq!(names(Protocol::Compatible), ["compatible", "default"]);
    assert_eq!(names(Protocol::Eager), ["default"]);
    assert_eq!(Protocol::parse("Eager"), Some(Protocol::Eager));
    assert_eq!(Protocol::parse("default"), None);
    assert_eq!(Protocol::chosen("default"), Some(Protocol::Eager));
    assert_eq!(Protocol::chosen("range"), None);

    let allocation =
        Assignment { version: 2, assigned: Work { connectors: vec!["c".to_owned()], tasks: vec![] }, ..Assignment::default() };
    let metadata =
        Metadata { version: 2, url: "http://here/".to_owned(), offset: 7, allocation: Some(allocation), leaving: true };
    let offered = metadata.offered(Protocol::Sessioned);
    let read: Vec<Metadata> = offered.iter().map(|(_, bytes)| Metadata::decode(bytes).unwrap()).collect();
    assert_eq!(read[0], metadata);
    let older = Assignment { version: 1, ..metadata.allocation.clone().unwrap() };
    assert_eq!(read[1], Metadata { version: 1, allocation: Some(older), ..metadata.clone() });
    assert_eq!(read[2], Metadata { version: 0, allocation: None, leaving: false, ..metadata });
}

#[test]
fn what_is_missing_behind_the_offset_is_empty() {
    let whole = Assignment {
        version: 1,
        leader: "l".to_owned(),
        leader_url: "u".to_owned(),
        offset: 5,
        assigned: Work { connectors: vec!["c".to_owned()], tasks: vec![task("c", 0)] },
        revoked: Work { connectors: vec![], tasks: vec![task("d", 1)] },
        delay: 9,
        ..Assignment::default()
    };
    let bytes = whole.encode();
    let (nothing, assigned) = (2 + 2 + 3 + 3 + 8, 4 + 3 + 4 + 8);
    let short = Assignment { assigned: Work::default(), revoked: Work::default(), delay: 0, ..whole.clone() };
    assert_eq!(Assignment::decode(&bytes[..nothing]), Ok(short));
    let short = Assignment { revoked: Work::default(), delay: 0, ..whole.clone() };
    assert_eq!(Assignment::decode(&bytes[..nothing + assigned]), Ok(short));
    assert_eq!(Assignment::decode(&bytes[..bytes.len() - 4]), Ok(Assignment { delay: 0, ..whole.clone() }));
    assert_eq!(Assignment::decode(&bytes[..bytes.len() - 1]), Err(Malformed::Short("the delay")));
    assert_eq!(Assignment::decode(&bytes[..nothing - 1]), Err(Malformed::Short("the configuration's offset")));

    // Nulls, and bytes of a later version.
    let nulls = [&bytes[..nothing], &[255; 4], &[255; 4], &[0, 0, 0, 9], b"more"].concat();
    assert_eq!(
        Assignment::decode(&nulls),
        Ok(Assignment { assigned: Work::default(), revoked: Work::default(), ..whole.clone() })
    );

    let metadata = Metadata { version: 1, url: "u".to_owned(), offset: 5, allocation: None, leaving: false };
    let bytes = metadata.encode();
    assert_eq!(Metadata::decode(&bytes[..2 + 3 + 8]), Ok(metadata.clone()));
    assert_eq!(Metadata::decode(&[&bytes, &b"more"[..]].concat()), Ok(metadata));
}

#[test]
fn what_makes_no_sense_is_refused() {
    assert_eq!(Metadata::decode(&[255, 255]), Err(Malformed::Version(-1)));
    assert_eq!(Metadata::decode(&[0]), Err(Malformed::Short("the version")));
    assert_eq!(Metadata::decode(&[0, 0, 255, 254]), Err(Malformed::Length("a member's URL", -2)));
    let work = |tasks: &[u8]| [&[0, 1, 0, 0, 0, 0, 0, 0][..], &[0; 8], &[0, 0, 0, 1, 0, 1, b'c'], tasks].concat();
    assert_eq!(Assignment::decode(&work(&[255; 4])), Err(Malformed::Length("a list of tasks", -1)));
    assert_eq!(Assignment::decode(&work(&[0, 0, 0, 1, 255, 255, 255, 254])), Err(Malformed::Task("c".to_owned(), -2)));
    let refused = Assignment::decode(&work(&[127, 255, 255, 255])).unwrap_err();
    assert_eq!(refused.to_string(), "the bytes end before a task's number does");
}

#[test]
fn a_member_keeps_what_it_need_not_stop() {
    let work = |connectors: &[&str], tasks: &[usize]| Work {
        connectors: connectors.iter().map(|name| (*name).to_owned()).collect(),
        tasks: tasks.iter().map(|n| task("c", *n)).collect(),
    };
    let before = Assignment { version: 2, assigned: work(&["c", "d"], &[0, 1, 2]), ..Assignment::default() };
    let told = Assignment { version: 2, assigned: work(&["e", "c"], &[3]), revoked: work(&["d"], &[1]), ..Assignment::default() };
    let taken = told.clone().taken(Some(&before));
    assert_eq!(taken.assigned, work(&["e", "c"], &[3, 0, 2]));
    assert!(taken.revoked.is_empty());
    assert_eq!(told.clone().taken(None).assigned, told.assigned);
    let eager = Assignment { version: 0, ..told };
    assert_eq!(eager.clone().taken(Some(&before)).assigned, eager.assigned);
}

#[test]
fn a_name_that_is_too_long_is_cut_between_characters() {
    let url = "ä".repeat(20_000);
    let metadata = Metadata { url, ..Metadata::default() };
    assert_eq!(Metadata::decode(&metadata.encode()).unwrap().url, "ä".repeat(16_383));
}

prop_compose! {
    /// Work in the order in which it comes from the wire: tasks of a connector together, those of connectors that are work themselves first.
    fn any_work()(names in vec("[a-zäß-]{0,6}", 0..4), with in vec(any::<bool>(), 4), tasks in vec(vec(0..9_usize, 0..4), 4)) -> Work {
        let names: Vec<String> = names.into_iter().collect::<BTreeSet<_>>().into_iter().collect();
        let mut order: Vec<usize> = (0..names.len()).collect();
        order.sort_by_key(|i| !with[*i]);
        Work {
            connectors: order.iter().filter(|i| with[**i]).map(|i| names[*i].clone()).collect(),
            tasks: order.iter().flat_map(|i| tasks[*i].iter().map(|n| task(&names[*i], *n))).collect(),
        }
    }
}

prop_compose! {
    fn any_assignment()(
        version in 1..3_i16, error in 0..2_i16, leader in ".{0,9}", leader_url in ".{0,9}", offset: i64, assigned in any_work(),
        revoked in any_work(), delay: i32,
    ) -> Assignment {
        Assignment { version, error, leader, leader_url, offset, assigned, revoked, delay }
    }
}

proptest! {
    #[test]
    fn assignments_come_back(it in any_assignment()) {
        prop_assert_eq!(Assignment::decode(&it.encode()), Ok(it.clone()));
        let eager = Assignment { version: 0, revoked: Work::default(), delay: 0, ..it };
        prop_assert_eq!(Assignment::decode(&eager.encode()), Ok(eager));
    }

    #[test]
    fn metadata_come_back(url in ".{0,9}", offset: i64, allocation in proptest::option::of(any_assignment()), leaving: bool) {
        let version = allocation.as_ref().map_or(1, |allocation| allocation.version);
        let it = Metadata { version, url, offset, allocation, leaving };
        prop_assert_eq!(Metadata::decode(&it.encode()), Ok(it));
    }

    /// Whatever bytes there are; and what can be read can be written, and is the same when read again.
    #[test]
    fn any_bytes_are_read_or_refused(bytes: Vec<u8>, it in any_assignment(), at: prop::sample::Index, byte: u8) {
        let mut changed = it.encode().to_vec();
        let at = at.index(changed.len());
        changed[at] = byte;
        for bytes in [&bytes[..], &changed] {
            drop(Metadata::decode(bytes));
            if let Ok(read) = Assignment::decode(bytes) {
                let once = Assignment::decode(&read.encode()).unwrap();
                prop_assert_eq!(Assignment::decode(&once.encode()), Ok(once));
            }
        }
    }
}
