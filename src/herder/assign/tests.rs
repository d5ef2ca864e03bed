use std::env;
use std::fs;

use proptest::collection::vec;
use proptest::prelude::*;

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

/// A leader and members that do what they are told.
#[derive(Debug)]
struct Cluster {
    assignor: Assignor,
    protocol: Protocol,
    members: BTreeMap<String, Metadata>,
    /// How many tasks each connector has.
    configured: BTreeMap<String, usize>,
    cannot: BTreeMap<String, BTreeSet<String>>,
    max_delay: i32,
    generation: i32,
    now: i64,
}

impl Cluster {
    fn new(max_delay: i32, members: &[&str], configured: &[(&str, usize)]) -> Self {
        Self {
            assignor: Assignor::new(max_delay),
            protocol: Protocol::Sessioned,
            members: members.iter().map(|id| ((*id).to_owned(), member(Work::default()))).collect(),
            configured: configured.iter().map(|(name, tasks)| ((*name).to_owned(), *tasks)).collect(),
            cannot: BTreeMap::new(),
            max_delay,
            generation: -1,
            now: 1000,
        }
    }

    fn cannot(mut self, member: &str, connectors: &[&str]) -> Self {
        self.cannot.insert(member.to_owned(), connectors.iter().map(|name| (*name).to_owned()).collect());
        self
    }

    fn configured(&self) -> Work {
        let tasks = |(name, tasks): (&String, &usize)| {
            (0..*tasks).map(|task| TaskId { connector: name.clone(), task }).collect::<Vec<_>>()
        };
        Work { connectors: self.configured.keys().cloned().collect(), tasks: self.configured.iter().flat_map(tasks).collect() }
    }

    fn round(&self) -> Round<'static> {
        Round {
            protocol: self.protocol,
            generation: self.generation + 1,
            last_completed_generation: self.generation,
            leader: "a",
            leader_url: "http://a/",
            members: self.members.clone(),
            configured: self.configured(),
            offset: 0,
            cannot: self.cannot.clone(),
            now: self.now,
        }
    }

    /// One rebalance; how long until the next, and whether anything changed.
    fn rebalance(&mut self) -> (i32, bool) {
        let (mut delay, mut changed) = (0, false);
        let round = self.round();
        let running: BTreeSet<Item> = round.members.values().flat_map(|it| items(it.work())).collect();
        let mut new = BTreeSet::new();
        for (id, assignment) in self.assignor.assign(&round) {
            changed |= !assignment.assigned.is_empty() || !assignment.revoked.is_empty();
            delay = assignment.delay;
            for item in items(&assignment.assigned) {
                assert!(round.configured().contains(&item), "{id} gets {item:?}, which nobody configured");
                assert!(self.protocol == Protocol::Eager || !running.contains(&item), "{id} gets {item:?}, which runs somewhere");
                assert!(new.insert(item), "two members get the same");
            }
            let before = &self.members[&id];
            let taken = assignment.taken(before.allocation.as_ref());
            assert_eq!(sorted(taken.assigned.clone()), sorted(self.assignor.complete()[&id].clone()), "what {id} has");
            self.members.insert(id, Metadata { allocation: Some(taken), ..before.clone() });
        }
        self.generation += 1;
        (delay, changed)
    }

    /// Rebalances until nothing changes any more.
    fn settle(&mut self) {
        let mut quiet = 0;
        for _ in 0..30 {
            let (delay, changed) = self.rebalance();
            self.now += i64::from(delay);
            quiet = if changed || delay != 0 { 0 } else { quiet + 1 };
            if quiet == 2 {
                return;
            }
        }
        panic!("does not come to rest: {self:#?}");
    }

    fn die(&mut self, id: &str) {
        self.members.remove(id).unwrap();
    }

    fn leaving(&mut self, id: &str) {
        self.members.get_mut(id).unwrap().leaving = true;
    }

    fn work(&self, id: &str) -> &Work {
        self.members[id].work()
    }

    fn sizes(&self) -> Vec<(usize, usize)> {
        self.members.values().map(|it| (it.work().connectors.len(), it.work().tasks.len())).collect()
    }

    /// Everything runs once and nothing else does.
    fn check_complete(&self) {
        let mut running: Vec<Item> = self.members.values().flat_map(|it| items(it.work())).collect();
        running.sort();
        assert_eq!(running, items(&self.configured()).collect::<Vec<_>>());
    }

    fn check_balanced(&self) {
        let within_one = |sizes: &mut dyn Iterator<Item = usize>| {
            let sizes: Vec<usize> = sizes.collect();
            assert!(sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1, "{sizes:?}");
        };
        within_one(&mut self.sizes().into_iter().map(|(connectors, _)| connectors));
        within_one(&mut self.sizes().into_iter().map(|(_, tasks)| tasks));
    }
}

#[test]
fn a_new_member_takes_over_what_others_have_too_much_of() {
    let mut cluster = Cluster::new(300_000, &["a"], &[("x", 4), ("y", 2)]);
    assert_eq!(cluster.rebalance(), (0, true));
    assert_eq!(cluster.sizes(), [(2, 6)]);
    cluster.members.insert("b".to_owned(), Metadata { version: 2, ..Metadata::default() });
    assert_eq!(cluster.rebalance(), (0, true));
    assert_eq!(cluster.sizes(), [(1, 3), (0, 0)], "revoked first");
    assert_eq!(cluster.rebalance(), (0, true));
    assert_eq!(cluster.sizes(), [(1, 3), (1, 3)]);
    assert_eq!(cluster.rebalance(), (0, false));
    cluster.check_complete();
}

#[test]
fn what_a_dead_member_had_waits_and_goes_to_the_one_that_comes_back() {
    let mut cluster = Cluster::new(300_000, &["a", "b", "c"], &[("x", 9)]);
    cluster.settle();
    let had = cluster.work("c").clone();
    cluster.die("c");
    assert_eq!(cluster.rebalance(), (300_000, false));
    cluster.now += 100_000;
    cluster.members.insert("d".to_owned(), Metadata { version: 2, ..Metadata::default() });
    assert_eq!(cluster.rebalance(), (200_000, false));
    cluster.now += 200_000;
    assert_eq!(cluster.rebalance(), (0, true));
    assert_eq!(*cluster.work("d"), had);
}

#[test]
fn a_leader_that_knows_less_than_a_member_assigns_nothing() {
    for protocol in [Protocol::Sessioned, Protocol::Eager] {
        let mut cluster = Cluster::new(0, &["a", "b"], &[("x", 1)]);
        cluster.protocol = protocol;
        cluster.members.get_mut("b").unwrap().offset = 7;
        let round = cluster.round();
        assert_eq!(round.behind(), Some(7));
        for assignment in cluster.assignor.assign(&round).into_values() {
            assert!(assignment.failed());
            assert_eq!((assignment.version, assignment.offset), (protocol.version(), 7));
            assert!(assignment.assigned.is_empty() && assignment.revoked.is_empty());
        }
        let round = Round { offset: 9, ..round };
        let assignment = &cluster.assignor.assign(&round)["b"];
        assert_eq!((assignment.failed(), assignment.offset), (false, 9));
        assert_eq!((assignment.leader.as_str(), assignment.leader_url.as_str()), ("a", "http://a/"));
        assert!(cluster.assignor.assign(&Round { members: BTreeMap::new(), ..round }).is_empty());
    }
}

#[test]
fn what_a_leaving_member_has_is_given_away_without_delay() {
    let mut cluster = Cluster::new(300_000, &["a", "b", "c"], &[("x", 6), ("y", 3)]);
    cluster.settle();
    cluster.leaving("c");
    assert_eq!(cluster.rebalance(), (0, true));
    assert!(cluster.work("c").is_empty());
    cluster.die("c");
    assert_eq!(cluster.rebalance(), (0, true));
    cluster.check_complete();
    cluster.check_balanced();
    assert_eq!(cluster.rebalance(), (0, false));
}

#[test]
fn what_a_leaving_member_gave_away_is_new_for_another_leader() {
    let mut cluster = Cluster::new(300_000, &["a", "b", "c"], &[("x", 6), ("y", 3)]);
    cluster.settle();
    cluster.leaving("a");
    cluster.rebalance();
    cluster.die("a");
    cluster.assignor = Assignor::new(300_000);
    assert_eq!(cluster.rebalance(), (0, true));
    cluster.check_complete();
}

#[test]
fn a_member_that_says_it_leaves_and_stays_gets_nothing() {
    let mut cluster = Cluster::new(2000, &["a", "b"], &[("x", 4)]);
    cluster.settle();
    cluster.leaving("b");
    cluster.settle();
    assert_eq!(cluster.sizes(), [(1, 4), (0, 0)]);
    cluster.leaving("a");
    cluster.settle();
    assert_eq!(cluster.sizes(), [(0, 0), (0, 0)], "with nobody left");
}

#[test]
fn work_goes_to_those_who_can() {
    for protocol in [Protocol::Sessioned, Protocol::Eager] {
        let configured = [("lake", 6), ("jdbc", 4), ("file", 2), ("nobody", 2)];
        let mut cluster = Cluster::new(0, &["a", "b", "c"], &configured).cannot("a", &["lake", "nobody"]);
        cluster = cluster.cannot("b", &["jdbc", "nobody"]).cannot("c", &["jdbc", "nobody"]);
        cluster.protocol = protocol;
        for _ in 0..2 {
            cluster.rebalance();
        }
        cluster.check_complete();
        cluster.check_balanced();
        let has = |id: &str, connector: &str| cluster.work(id).tasks.iter().any(|task| task.connector == connector);
        assert!(!has("a", "lake") && !has("b", "jdbc") && !has("c", "jdbc"));
    }
}

/// Three lake connectors' tasks are levelled on a new member although it runs more in all.
#[test]
fn work_of_few_is_balanced_among_them() {
    let mut cluster = Cluster::new(0, &["a", "b"], &[("lake", 6), ("jdbc", 2)]).cannot("a", &["lake"]);
    cluster.settle();
    assert_eq!(cluster.sizes()[1].1, 6);
    cluster.members.insert("c".to_owned(), member(Work::default()));
    cluster.settle();
    cluster.check_complete();
    assert_eq!(cluster.sizes().iter().map(|(_, tasks)| *tasks).collect::<Vec<_>>(), [2, 3, 3]);
}

#[test]
fn work_that_a_leader_gave_to_one_that_cannot_is_moved() {
    let mut cluster = Cluster::new(300_000, &["a", "b"], &[("lake", 2), ("file", 2)]);
    cluster.settle();
    cluster = cluster.cannot("a", &["lake"]);
    cluster.settle();
    cluster.check_complete();
    assert_eq!(cluster.work("b").tasks.iter().filter(|task| task.connector == "lake").count(), 2);
    cluster.die("b");
    cluster.settle();
    cluster.check_complete();
}

/// What happens to a cluster between two rebalances.
#[derive(Clone, Copy, Debug)]
enum Event {
    Join,
    Die,
    Restart,
    Leave,
    Configure(usize),
    Delete,
    Duplicate,
    Misses,
    Leads,
    Wait(i64),
    Learn,
}

fn event() -> impl Strategy<Value = (Event, usize)> {
    let event = prop_oneof![
        Just(Event::Join),
        Just(Event::Die),
        Just(Event::Restart),
        Just(Event::Leave),
        (0..7_usize).prop_map(Event::Configure),
        Just(Event::Delete),
        Just(Event::Duplicate),
        Just(Event::Misses),
        Just(Event::Leads),
        (0..4000_i64).prop_map(Event::Wait),
        Just(Event::Learn),
    ];
    (event, 0..1000_usize)
}

impl Cluster {
    /// `which` says to whom.
    fn happens(&mut self, event: Event, which: usize) {
        let id = self.members.keys().nth(which % self.members.len().max(1)).cloned().unwrap_or_default();
        let name = char::from(b'A' + (which % 8) as u8).to_string();
        match event {
            Event::Join => drop(self.members.insert(format!("m{which}"), member(Work::default()))),
            Event::Die if self.members.len() > 1 => self.die(&id),
            Event::Restart => {
                self.members.remove(&id);
                self.members.insert(format!("{id}'"), member(Work::default()));
            }
            Event::Leave if self.members.len() > 1 => {
                self.leaving(&id);
                self.rebalance();
                self.die(&id);
            }
            Event::Configure(tasks) => drop(self.configured.insert(name, tasks)),
            Event::Delete => drop(self.configured.remove(&name)),
            Event::Duplicate => {
                let of = self.members.values().nth(which / 7 % self.members.len()).unwrap().work().clone();
                self.members.get_mut(&id).unwrap().allocation.as_mut().unwrap().assigned.add(&of);
            }
            Event::Misses => {
                let before = self.members[&id].clone();
                self.rebalance();
                self.members.insert(id, before);
            }
            Event::Leads => self.assignor = Assignor::new(self.max_delay),
            Event::Wait(millis) => self.now += millis,
            Event::Learn => drop(self.cannot.entry(id).or_default().insert(name)),
            Event::Die | Event::Leave => {}
        }
    }
}

proptest! {
    /// Whatever happened: once the members obey and delays have passed everything runs once, each member has its share and nothing moves.
    #[test]
    fn a_cluster_comes_to_rest(delay in prop_oneof![Just(0), Just(2000)], events in vec(vec(event(), 0..3), 1..12)) {
        let mut cluster = Cluster::new(delay, &["a"], &[("A", 3)]);
        for events in events {
            for (event, which) in events.into_iter().filter(|(event, _)| !matches!(event, Event::Learn)) {
                cluster.happens(event, which);
            }
            cluster.rebalance();
        }
        cluster.settle();
        cluster.check_complete();
        cluster.check_balanced();
    }

    /// The same where not every member can run everything.
    #[test]
    fn a_cluster_of_unequal_members_comes_to_rest(delay in prop_oneof![Just(0), Just(2000)], events in vec(vec(event(), 0..4), 1..12)) {
        let mut cluster = Cluster::new(delay, &["a", "b", "c"], &[("A", 3), ("B", 5), ("C", 1)]);
        for events in events {
            for (event, which) in events {
                cluster.happens(event, which);
            }
            cluster.rebalance();
        }
        cluster.settle();
        cluster.check_complete();
        let can = |id: &str, connector: &str| cluster.cannot.get(id).is_none_or(|cannot| !cannot.contains(connector));
        for (id, it) in &cluster.members {
            for item in items(it.work()) {
                let nobody = !cluster.members.keys().any(|id| can(id, item.connector()));
                prop_assert!(can(id, item.connector()) || nobody, "{} has {:?}", id, item);
            }
        }
    }

    #[test]
    fn an_eager_leader_gives_everything_out(members in 1..9_usize, connectors in vec(0..9_usize, 0..6)) {
        let configured: Vec<(String, usize)> = connectors.into_iter().enumerate().map(|(i, tasks)| (format!("c{i}"), tasks)).collect();
        let configured: Vec<(&str, usize)> = configured.iter().map(|(name, tasks)| (name.as_str(), *tasks)).collect();
        let members: Vec<String> = (0..members).map(|i| format!("m{i}")).collect();
        let mut cluster = Cluster::new(0, &members.iter().map(String::as_str).collect::<Vec<_>>(), &configured);
        cluster.protocol = Protocol::Eager;
        for member in cluster.members.values_mut() {
            member.version = 0;
        }
        cluster.rebalance();
        cluster.check_complete();
        cluster.check_balanced();
        let before = cluster.members.clone();
        cluster.rebalance();
        prop_assert_eq!(before, cluster.members);
    }
}
