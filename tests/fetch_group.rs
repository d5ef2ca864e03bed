//! The consumer in a group of a real broker: what belongs to whom, and that no record is missed on the way from one to the other.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant};

use landfall::kafka::{Class, Consumer, Event, Start, consumer_properties};
use landfall_api::{Committed, Properties, TopicPartition};
use rdkafka::ClientConfig;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};

use crate::support::broker::{Broker, Record};
use crate::support::{Stop, secs};

const PARTITIONS: i32 = 8;
/// Of a member that does not poll, or does not send heartbeats.
const LIMIT: Duration = secs(6);

/// The number of a member and what it had.
type Owner = (usize, Vec<TopicPartition>);

/// What all members of one group have done.
#[derive(Default)]
struct Group {
    /// Who had what in each generation.
    owners: Mutex<BTreeMap<i32, Vec<Owner>>>,
    /// The offsets that were read, by partition.
    read: Mutex<BTreeMap<TopicPartition, BTreeSet<i64>>>,
}

/// A member and the next offset of each of its partitions.
struct Member<'g> {
    number: usize,
    consumer: Consumer,
    next: BTreeMap<TopicPartition, Option<i64>>,
    group: &'g Group,
    lost: usize,
}

impl<'g> Member<'g> {
    fn new(number: usize, topic: &str, settings: &[(&str, &str)], group: &'g Group) -> Self {
        let worker = Properties::from([("bootstrap.servers".into(), Broker::shared().bootstrap())]);
        let limit = LIMIT.as_millis().to_string();
        let own =
            [("session.timeout.ms", limit.as_str()), ("heartbeat.interval.ms", "500"), ("max.poll.interval.ms", limit.as_str())];
        let own = if settings.contains(&("group.protocol", "consumer")) { &own[2..] } else { &own[..] };
        let connector = own.iter().chain(settings).map(|(k, v)| (format!("consumer.override.{k}"), (*v).to_owned())).collect();
        let consumer = Consumer::new(&consumer_properties(&worker, &connector, topic, number, 8 << 20)).unwrap();
        consumer.subscribe(&[topic.to_owned()]).unwrap();
        Self { number, consumer, next: BTreeMap::new(), group, lost: 0 }
    }

    fn offsets<'a>(&self, partitions: impl IntoIterator<Item = &'a TopicPartition>) -> BTreeMap<TopicPartition, Committed> {
        let committed = |offset| Committed { offset, metadata: self.number.to_string() };
        partitions.into_iter().filter_map(|tp| Some((tp.clone(), committed((*self.next.get(tp)?)?)))).collect()
    }

    /// One poll: checks that the records go on where they should, and answers what happened.
    fn turn(&mut self) {
        let polled = self.consumer.poll(Duration::from_millis(100));
        for fetched in &polled.batches {
            let offsets = fetched.batch.offset.values();
            let next = self.next.get_mut(&fetched.batch.origin).expect("records of an assigned partition only");
            assert!(next.is_none_or(|n| n == offsets[0]), "{}: {next:?}, then {}", fetched.batch.origin, offsets[0]);
            assert!(offsets.windows(2).all(|w| w[0] + 1 == w[1]) && offsets.last() == Some(&(fetched.end - 1)));
            *next = Some(fetched.end);
            let mut read = self.group.read.lock().unwrap();
            read.entry(fetched.batch.origin.clone()).or_default().extend(offsets);
        }
        for event in polled.events {
            match event {
                Event::Assigned(partitions) => {
                    let committed = self.consumer.committed(&partitions, secs(10)).unwrap();
                    let starts: Vec<_> = committed.iter().map(|(tp, c)| (tp.clone(), Start::from(c.as_ref()))).collect();
                    self.consumer.assign(&starts).unwrap();
                    let start = |c: Option<Committed>| Some(c.map_or(0, |c| c.offset));
                    self.next.extend(committed.into_iter().map(|(tp, c)| (tp, start(c))));
                    let mut owners = self.group.owners.lock().unwrap_or_else(PoisonError::into_inner);
                    let all = self.next.keys().cloned().collect();
                    owners.entry(self.consumer.generation()).or_default().push((self.number, all));
                }
                Event::Revoked { partitions, .. } => {
                    if self.consumer.lost() {
                        self.lost += 1;
                    } else if let Err(e) = self.consumer.commit(&self.offsets(&partitions)) {
                        assert_eq!(e.class, Class::Fenced, "{e}");
                    }
                    self.consumer.unassign(&partitions).unwrap();
                    self.next.retain(|tp, _| !partitions.contains(tp));
                }
                Event::Error(e) => assert!(!e.is_fatal(), "{e}"),
            }
        }
    }

    fn turn_for(&mut self, time: Duration) {
        let end = Instant::now() + time;
        while Instant::now() < end {
            self.turn();
        }
    }

    /// Commits what was read and goes.
    fn leave(self) {
        if let Err(e) = self.consumer.commit(&self.offsets(self.next.keys())) {
            assert_eq!(e.class, Class::Fenced, "{e}");
        }
        self.consumer.close(secs(10)).unwrap();
    }
}

/// Three members: one joins, one leaves, and one does not poll for longer than it may while the others go on.
fn members_come_and_go(topic: &str, settings: &[(&str, &str)]) {
    let broker = Broker::shared();
    broker.create_topic(topic, PARTITIONS);
    let group = Group::default();
    let (stop, quit) = (AtomicBool::new(false), AtomicBool::new(false));
    scope(|threads| {
        let load = threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                broker.produce_all(topic, (0..4000).map(|n| (n % PARTITIONS, Record::value(vec![b'x'; 100]))));
                sleep(Duration::from_millis(50));
            }
        });
        let guard = Stop(&[&stop, &quit]);
        let first = threads.spawn(|| {
            let mut member = Member::new(1, topic, settings, &group);
            member.turn_for(secs(6));
            member.leave();
        });
        let steady = threads.spawn(|| {
            sleep(secs(2));
            let mut member = Member::new(2, topic, settings, &group);
            while !quit.load(Ordering::Relaxed) {
                member.turn();
            }
            member.leave();
        });
        let late = threads.spawn(|| {
            sleep(secs(4));
            let mut member = Member::new(3, topic, settings, &group);
            member.turn_for(secs(5));
            assert!(!member.next.is_empty(), "the late member has partitions before it is late");
            sleep(LIMIT + secs(3));
            let refused = member.consumer.commit(&member.offsets(member.next.keys())).expect_err("it is no member any more");
            assert_eq!(refused.class, Class::Fenced, "{refused}");
            member.turn_for(secs(4));
            assert_eq!(member.lost, 1);
            assert!(!member.next.is_empty(), "the late member is back");
            while !quit.load(Ordering::Relaxed) {
                member.turn();
            }
            member.leave();
        });
        first.join().unwrap();
        sleep(secs(17));
        stop.store(true, Ordering::Relaxed);
        load.join().unwrap();
        let ends = broker.end_offsets(topic);
        let deadline = Instant::now() + secs(30);
        let all = |read: &BTreeMap<TopicPartition, BTreeSet<i64>>| {
            ends.iter().all(|(p, end)| {
                read.get(&TopicPartition::new(topic, *p))
                    .is_some_and(|r| i64::try_from(r.len()) == Ok(*end) && r.last() == Some(&(end - 1)))
            })
        };
        while !all(&group.read.lock().unwrap()) {
            assert!(Instant::now() < deadline, "records are missing");
            sleep(Duration::from_millis(100));
        }
        drop(guard);
        steady.join().unwrap();
        late.join().unwrap();
    });
    let owners = group.owners.into_inner().unwrap();
    assert!(owners.len() >= 4, "{owners:?}");
    for (generation, members) in owners {
        // the last word of each member: a generation may give in two steps
        let last: BTreeMap<usize, Vec<TopicPartition>> = members.into_iter().collect();
        let (count, distinct) =
            (last.values().map(Vec::len).sum::<usize>(), last.values().flatten().collect::<BTreeSet<_>>().len());
        assert_eq!(count, distinct, "generation {generation}: {last:?}");
    }
}

#[test]
fn an_eager_group_misses_nothing() {
    members_come_and_go("fetch-eager", &[]);
}

#[test]
fn a_cooperative_group_misses_nothing() {
    let assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";
    members_come_and_go("fetch-cooperative", &[("partition.assignment.strategy", assignor)]);
}

#[test]
fn a_member_that_closed_is_out_of_the_group_at_once() {
    let topic = "fetch-close";
    Broker::shared().create_topic(topic, 1);
    let group = Group::default();
    let mut first = Member::new(1, topic, &[], &group);
    while first.next.is_empty() {
        first.turn();
    }
    let begun = Instant::now();
    first.leave();
    let mut second = Member::new(2, topic, &[], &group);
    while second.next.is_empty() {
        second.turn();
    }
    assert!(begun.elapsed() < LIMIT / 2, "{:?}", begun.elapsed());
}

#[test]
fn a_topic_that_is_missing_is_waited_for() {
    let topic = "fetch-missing";
    let group = Group::default();
    let mut member = Member::new(1, topic, &[("allow.auto.create.topics", "false"), ("metadata.max.age.ms", "500")], &group);
    let deadline = Instant::now() + secs(20);
    loop {
        let polled = member.consumer.poll(Duration::from_millis(100));
        let about_it = |e: &Event| matches!(e, Event::Error(e) if !e.is_fatal() && e.to_string().contains(topic));
        if polled.events.iter().any(about_it) {
            break;
        }
        assert!(Instant::now() < deadline, "nobody said that the topic is missing");
    }
    Broker::shared().create_topic(topic, 2);
    while member.next.len() < 2 {
        assert!(Instant::now() < deadline + secs(20), "the topic was not found");
        member.turn();
    }
}

#[test]
fn a_batch_answers_for_the_control_records_behind_it() {
    let (broker, topic) = (Broker::shared(), "fetch-transactions");
    broker.create_topic(topic, 1);
    let mut config = ClientConfig::new();
    config.set("bootstrap.servers", broker.bootstrap()).set("transactional.id", topic);
    let producer: BaseProducer = config.create().unwrap();
    producer.init_transactions(secs(30)).unwrap();
    for (count, commit) in [(3, true), (2, false), (1, true)] {
        producer.begin_transaction().unwrap();
        for _ in 0..count {
            producer.send(BaseRecord::<(), _>::to(topic).partition(0).payload("x")).unwrap();
        }
        producer.flush(secs(30)).unwrap();
        if commit { producer.commit_transaction(secs(30)) } else { producer.abort_transaction(secs(30)) }.unwrap();
    }
    for (level, expected) in [("read_committed", &[0, 1, 2, 7][..]), ("read_uncommitted", &[0, 1, 2, 4, 5, 7])] {
        let group = Group::default();
        let mut member = Member::new(1, topic, &[("isolation.level", level), ("group.id", level)], &group);
        let (mut offsets, mut end) = (Vec::new(), 0);
        while end < 9 {
            if member.next.is_empty() {
                member.turn();
                continue;
            }
            for fetched in member.consumer.poll(Duration::from_millis(100)).batches {
                offsets.extend_from_slice(fetched.batch.offset.values());
                end = fetched.end;
                assert!(end > *offsets.last().unwrap());
            }
        }
        assert_eq!((&offsets[..], end), (expected, 9));
    }
}
