use std::env;
use std::fs;

use super::*;

/// Work as the files of Java's answers have it: a letter names a connector, a star is that connector, a digit one of its tasks.
fn read(text: &str) -> Work {
    let mut work = Work::default();
    let mut connector = String::new();
    for c in text.chars() {
        match c {
            'A'..='Z' => connector = c.to_string(),
            '*' => work.connectors.push(connector.clone()),
            '0'..='9' => work.tasks.push(TaskId { connector: connector.clone(), task: c as usize - '0' as usize }),
            '.' => {}
            _ => panic!("{c:?} in {text:?}"),
        }
    }
    work
}

/// A member that has this work.
fn member(work: Work) -> Metadata {
    let allocation = Assignment { version: 2, assigned: work, ..Assignment::default() };
    Metadata { version: 2, allocation: Some(allocation), ..Metadata::default() }
}

fn sorted(mut work: Work) -> Work {
    work.connectors.sort();
    work.tasks.sort();
    work
}

/// Replays what `AssignHarness` prints; the number of rounds.
fn replay(text: &str) -> usize {
    let mut rounds = 0;
    let mut assignor = Assignor::new(0);
    for (number, line) in text.lines().enumerate() {
        if let Some(max_delay) = line.strip_prefix("max ") {
            assignor = Assignor::new(max_delay.parse().unwrap());
            continue;
        }
        let (question, answer) = line.split_once(" >").unwrap();
        let mut question = question.split(' ');
        let (protocol, [now, last, generation]) = match question.clone().next() {
            Some("eager") => {
                question.next();
                (Protocol::Eager, [0, 0, 0])
            }
            _ => (Protocol::Sessioned, [(); 3].map(|()| question.next().unwrap().parse::<i64>().unwrap())),
        };
        let configured = read(question.next().unwrap());
        let members = question.map(|text| text.split_once('=').unwrap()).map(|(id, work)| (id.to_owned(), member(read(work))));
        let round = Round {
            protocol,
            generation: generation as i32,
            last_completed_generation: last as i32,
            leader: "a",
            leader_url: "",
            members: members.collect(),
            configured,
            offset: 0,
            cannot: BTreeMap::new(),
            now,
        };
        let mut expected: BTreeMap<String, (Work, Work)> =
            round.members.keys().map(|member| (member.clone(), Default::default())).collect();
        let mut delay = 0;
        for text in answer.split_whitespace() {
            if let Some((member, work)) = text.split_once('+') {
                expected.get_mut(member).unwrap().0 = read(work);
            } else if let Some((member, work)) = text.split_once('-') {
                expected.get_mut(member).unwrap().1 = read(work);
            } else {
                delay = text.parse().unwrap();
            }
        }
        let assignments = assignor.assign(&round);
        assert!(assignments.values().all(|assignment| assignment.delay == delay), "the delay of line {}: {line}", number + 1);
        // Eager answers were recorded as they are on the wire.
        let sent = |it: Assignment| if protocol == Protocol::Eager { Assignment::decode(&it.encode()).unwrap() } else { it };
        let actual: BTreeMap<String, (Work, Work)> = assignments
            .into_iter()
            .map(|(member, it)| (member, sent(it)))
            .map(|(member, it)| (member, (it.assigned, sorted(it.revoked))))
            .collect();
        assert_eq!(actual, expected, "line {}: {line}", number + 1);
        rounds += 1;
    }
    rounds
}

#[test]
fn answers_as_java_does() {
    let file = env::var("LANDFALL_ASSIGN_CASES").unwrap_or_else(|_| "tests/data/assign/java.txt".to_owned());
    assert!(replay(&fs::read_to_string(&file).unwrap()) > 1000, "{file} has few rounds");
}
