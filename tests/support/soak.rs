//! Everything that can go wrong, by chance and for as long as one likes, while records land in Azurite and in a directory.
//!
//! What is done to whom and for how long is drawn from a seed, step by step, before it is looked whether it can be done just then: the
//! same seed gives the same choices.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{scope, sleep};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};

use super::broker::Broker;
use super::once::{Downstream, Landed, Numbered, confluent, landed, ours, through};
use super::proxy::Call::{GetBlob, GetBlobProperties, PutBlob, PutBlock, PutBlockList};
use super::proxy::{Call, Counts, Fault, Proxy, Rule};
use super::records::Random;
use super::store::{Store, with};
use super::worker::Worker;
use super::{Stop, secs, wait_until};

const TOPIC: &str = "soaked";
const PARTITIONS: usize = 6;
const WORKERS: usize = 3;
/// Records that are produced at a time, up to four times a second.
const SLICE: usize = 200;
/// The connectors: one lands in Azurite with the class that commits all open files of a partition at once, the other one in a directory,
/// where each file ends by itself.
const CONNECTORS: [&str; 2] = ["soak-azure", "soak-directory"];

/// What may be done in a step.
const ACTIONS: &[(&str, Action)] = &[
    ("kill", Action::Kill),
    ("kill", Action::Kill),
    ("end", Action::End),
    ("sleep", Action::Sleep),
    ("sleep", Action::Sleep),
    ("faults", Action::Faults),
    ("faults", Action::Faults),
    ("faults", Action::Faults),
    ("broker restart", Action::BrokerRestart),
    ("broker silence", Action::BrokerSilence),
    ("store restart", Action::StoreRestart),
    ("pause", Action::Pause),
    ("restart", Action::Restart),
    ("flush.size", Action::FlushSize),
];

#[derive(Clone, Copy, Debug)]
enum Action {
    Kill,
    End,
    /// Stops a worker for shorter or longer than its session lasts.
    Sleep,
    /// Gives the proxy rules for a while.
    Faults,
    BrokerRestart,
    BrokerSilence,
    StoreRestart,
    Pause,
    Restart,
    FlushSize,
}

/// What a soak has found.
#[derive(Clone, Debug)]
pub(crate) struct Report {
    time: Duration,
    seed: u64,
    /// By connector.
    pub(crate) landed: BTreeMap<&'static str, Landed>,
    /// How often each thing was done.
    did: BTreeMap<&'static str, u64>,
    /// Files that were taken away after they had landed.
    taken: usize,
    /// Calls of the connector that lands in Azurite.
    calls: Counts,
}

impl Report {
    /// Whether each record has landed once, everywhere.
    pub(crate) fn is_once(&self) -> bool {
        self.landed.values().all(Landed::is_once)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "soaked for {} s with SEED={}", self.time.as_secs(), self.seed)?;
        for (connector, landed) in &self.landed {
            let Landed { produced, landed: rows, duplicated, lost, wrong, files, examples } = landed;
            writeln!(
                f,
                "{connector}: {produced} produced, {rows} landed, {duplicated} duplicated, {lost} lost, {wrong} wrong, {files} files"
            )?;
            examples.iter().try_for_each(|example| writeln!(f, "  {example}"))?;
        }
        let files = self.landed[CONNECTORS[0]].files.max(1);
        writeln!(f, "storage calls per file: {:.1} ({})", self.calls.all() as f64 / files as f64, self.calls)?;
        let did: Vec<_> = self.did.iter().map(|(what, count)| format!("{what} {count}")).collect();
        let faults: Vec<_> = self.calls.faults.iter().map(|((call, fault), count)| format!("{call:?} {fault} {count}")).collect();
        writeln!(f, "done: {}, files taken {}", did.join(", "), self.taken)?;
        write!(f, "calls that went wrong: {}", faults.join(", "))
    }
}

/// The seed of the variable `SEED`, or one by the clock.
pub(crate) fn seed() -> u64 {
    let given = std::env::var("SEED").ok().filter(|seed| !seed.is_empty());
    given.map_or_else(
        || SystemTime::now().duration_since(UNIX_EPOCH).expect("a clock").as_secs(),
        |seed| seed.parse().expect("SEED is a number"),
    )
}

/// Soaks for `time`, then lets everything land, counts it and says what it has found. Panics when something does not come back.
#[expect(clippy::print_stderr, reason = "whoever soaks wants to see the seed at once, and the report in any case")]
pub(crate) fn soak(time: Duration, seed: u64) -> Report {
    eprintln!("soaking for {} s with SEED={seed}", time.as_secs());
    let broker = Broker::private();
    let mut records = Numbered::create(&broker, TOPIC, PARTITIONS, seed);
    let mut soak = Soak::start(broker, seed);
    let stop = AtomicBool::new(false);
    scope(|threads| {
        let load = threads.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                records.produce(SLICE);
                sleep(Duration::from_millis(250));
            }
        });
        let at_end = Stop(&[&stop]);
        soak.go_on_for(time);
        drop(at_end);
        load.join().expect("all records are produced");
    });
    soak.settle();
    let landed = soak.count(&records);
    Report {
        time,
        seed,
        landed,
        did: soak.did,
        taken: soak.downstream.iter().map(Downstream::taken).sum(),
        calls: soak.proxy.counts(),
    }
}

struct Soak {
    random: Random,
    // Workers end before what they work with.
    workers: Vec<(Worker, State)>,
    downstream: [Downstream; 2],
    broker: Broker,
    azure: Store,
    directory: Store,
    proxy: Proxy,
    /// Until when the proxy has rules.
    faulty: Option<Instant>,
    /// Until when the connectors are paused.
    paused: Option<Instant>,
    flush_size: u64,
    did: BTreeMap<&'static str, u64>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum State {
    Runs,
    Sleeps(Instant),
    IsDown(Instant),
}

/// What a step has drawn.
struct Drawn {
    action: (&'static str, Action),
    worker: usize,
    /// Numbers for what the action needs.
    more: [u64; 3],
    pause: Duration,
}

fn within(drawn: u64, millis: RangeInclusive<u64>) -> Duration {
    Duration::from_millis(millis.start() + drawn % (millis.end() - millis.start()))
}

impl Soak {
    fn start(broker: Broker, seed: u64) -> Self {
        let (azure, directory) = (Store::azurite(), Store::directory());
        let Store::Azurite(azurite, _) = &azure else { unreachable!("made in Azurite") };
        let proxy = Proxy::before(&azurite.blob_endpoint(), seed);
        let downstream = [Downstream::start(&azure, seed), Downstream::start(&directory, seed + 1)];
        let worker = || {
            let properties = [("offset.flush.interval.ms", "500"), ("landfall.state.file", "connectors.json")];
            (Worker::stopped(&broker.bootstrap(), &properties), State::IsDown(Instant::now()))
        };
        let workers = (0..WORKERS).map(|_| worker()).collect();
        let random = Random::new(seed);
        let mut soak = Self {
            random,
            workers,
            downstream,
            broker,
            azure,
            directory,
            proxy,
            faulty: None,
            paused: None,
            flush_size: 100,
            did: BTreeMap::new(),
        };
        for worker in 0..WORKERS {
            soak.come_back(worker);
        }
        soak
    }

    fn configs(&self) -> [Value; 2] {
        let flush_size = usize::try_from(self.flush_size).unwrap();
        let mut azure = confluent(&self.azure, TOPIC, flush_size);
        let Store::Azurite(azurite, _) = &self.azure else { unreachable!("made in Azurite") };
        through(&mut azure, azurite, &self.proxy);
        let mut configs = [azure, ours(&self.directory, TOPIC, flush_size)];
        for config in &mut configs {
            with(config, &json!({"tasks.max": "2"}));
        }
        configs
    }

    fn go_on_for(&mut self, time: Duration) {
        let start = Instant::now();
        while start.elapsed() < time {
            let drawn = self.draw();
            self.act(&drawn);
            let until = Instant::now() + drawn.pause;
            while Instant::now() < until {
                self.tick();
                sleep(Duration::from_millis(50));
            }
        }
    }

    /// All that a step needs to know, whatever comes of it.
    fn draw(&mut self) -> Drawn {
        let mut next = || self.random.next();
        Drawn {
            action: ACTIONS[usize::try_from(next() % ACTIONS.len() as u64).unwrap()],
            worker: usize::try_from(next() % WORKERS as u64).unwrap(),
            more: [next(), next(), next()],
            pause: within(next(), 200..=3000),
        }
    }

    /// Ends what was to last until now.
    fn tick(&mut self) {
        let now = Instant::now();
        for worker in 0..WORKERS {
            if let State::Sleeps(until) | State::IsDown(until) = self.workers[worker].1
                && until <= now
            {
                self.come_back(worker);
            }
        }
        if self.faulty.is_some_and(|until| until <= now) {
            self.faulty = None;
            self.proxy.set([]);
        }
        if self.paused.is_some_and(|until| until <= now) {
            self.paused = None;
            self.tell_all();
        }
    }

    fn come_back(&mut self, worker: usize) {
        match self.workers[worker].1 {
            State::Runs => return,
            State::Sleeps(_) => self.workers[worker].0.sigcont(),
            State::IsDown(_) => self.workers[worker].0.start_again(),
        }
        self.workers[worker].1 = State::Runs;
        self.tell(worker);
    }

    /// Gives a worker the connectors as they are to be: it may have missed what the others were told.
    fn tell(&self, worker: usize) {
        let worker = &self.workers[worker].0;
        let verb = if self.paused.is_some() { "pause" } else { "resume" };
        for (connector, config) in CONNECTORS.iter().zip(self.configs()) {
            let (status, body) = worker.put(&format!("/connectors/{connector}/config"), &config);
            assert!(status == 200 || status == 201, "{status} {body:#}");
            let (status, body) = worker.put(&format!("/connectors/{connector}/{verb}"), &Value::Null);
            assert!(status == 202, "{status} {body:#}");
        }
    }

    fn tell_all(&self) {
        (0..WORKERS).filter(|worker| self.workers[*worker].1 == State::Runs).for_each(|worker| self.tell(worker));
    }

    /// Does what was drawn; to a worker only if one runs.
    fn act(&mut self, drawn: &Drawn) {
        let ((name, action), now) = (drawn.action, Instant::now());
        // The worker that was drawn, or else the next one that runs.
        let mut workers = (0..WORKERS).map(|next| (drawn.worker + next) % WORKERS);
        let runs = workers.find(|worker| self.workers[*worker].1 == State::Runs);
        let for_worker = matches!(action, Action::Kill | Action::End | Action::Sleep | Action::Restart);
        if for_worker && runs.is_none() {
            return;
        }
        let (worker, state) = &mut self.workers[runs.unwrap_or(drawn.worker)];
        let [long, other, third] = drawn.more;
        match action {
            Action::Kill => {
                worker.kill9();
                *state = State::IsDown(now + within(long, 0..=5000));
            }
            Action::End => {
                assert!(worker.terminate().success(), "{}", worker.log_text());
                *state = State::IsDown(now + within(long, 0..=5000));
            }
            Action::Sleep => {
                worker.sigstop();
                *state = State::Sleeps(now + within(long, 500..=9000));
            }
            Action::Restart => {
                let connector = CONNECTORS[usize::try_from(other % 2).unwrap()];
                worker.post(&format!("/connectors/{connector}/restart?includeTasks=true"), &Value::Null);
            }
            Action::Faults => {
                self.proxy.set(rules(other, third));
                self.faulty = Some(now + within(long, 2000..=12_000));
            }
            Action::BrokerRestart => {
                self.broker.stop();
                sleep(within(long, 0..=3000));
                self.broker.start();
            }
            Action::BrokerSilence => {
                self.broker.sigstop();
                sleep(within(long, 500..=5000));
                self.broker.sigcont();
            }
            Action::StoreRestart => {
                self.azure.emulator().stop();
                sleep(within(long, 0..=3000));
                self.azure.emulator().start_again();
            }
            Action::Pause => {
                self.paused = Some(now + within(long, 500..=5000));
                self.tell_all();
            }
            Action::FlushSize => {
                self.flush_size = 20 + other % 300;
                self.tell_all();
            }
        }
        *self.did.entry(name).or_default() += 1;
    }

    /// Ends all that is wrong.
    fn settle(&mut self) {
        self.proxy.set([]);
        self.paused = None;
        for worker in 0..WORKERS {
            self.come_back(worker);
        }
        self.tell_all();
    }

    /// Waits until all has landed and counts it, with what was taken away.
    fn count(&mut self, records: &Numbered) -> BTreeMap<&'static str, Landed> {
        for connector in CONNECTORS {
            for (worker, _) in &self.workers {
                worker.await_landed(&self.broker, connector, TOPIC);
            }
        }
        wait_until("late calls", secs(60), || self.proxy.is_quiet().then_some(()));
        let stores = [&self.azure, &self.directory];
        let count = |((connector, store), downstream): ((&'static str, &Store), &mut Downstream)| {
            downstream.stop();
            (connector, landed(&[store.landed(), downstream.copies()], TOPIC, records.produced()))
        };
        CONNECTORS.into_iter().zip(stores).zip(&mut self.downstream).map(count).collect()
    }
}

/// Two rules for a while: one for a kind of call, one for all.
fn rules(drawn: u64, other: u64) -> Vec<Rule> {
    const KINDS: [&[Call]; 4] = [&[PutBlob], &[PutBlockList], &[PutBlock], &[GetBlob, GetBlobProperties]];
    let fault = |drawn: u64| {
        let time = within(drawn >> 16, 20..=8000);
        match drawn % 8 {
            0 => Fault::Busy,
            1 => Fault::Lost,
            2 | 3 => Fault::Unanswered,
            4 => Fault::Torn,
            5 => Fault::HeldRequest(time),
            6 => Fault::HeldAnswer(time),
            _ => Fault::Late(time),
        }
    };
    let kind = KINDS[usize::try_from((drawn >> 8) % 4).unwrap()];
    vec![Rule::new(kind, fault(drawn), 50 + other % 400), Rule::new(&[], fault(other), (other >> 32) % 100)]
}
