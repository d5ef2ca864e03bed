//! The demo: a small bank's change events, an embedded broker, and the real worker that lands them as Parquet in a directory.
//!
//! - `bank` does business, `event` writes it as Debezium would, `generator` produces it to a [`Broker`],
//! - `settings` has the configuration of the worker and of its connectors,
//! - `lag` knows what has not landed, `progress` shows it.
//!
//! At its end it stops the connectors, which publishes what they have read, and counts: every record that was produced is a row in
//! a file, or the demo has failed.

mod bank;
mod clock;
mod event;
mod generator;
mod lag;
mod progress;
mod settings;

use std::fs::{self, File};
use std::io::{self, ErrorKind, Stdout};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use landfall_api::{Properties, TaskMetrics};
use parquet::file::metadata::ParquetMetaDataReader;
use tokio::task::{JoinHandle, spawn_blocking};

use self::clock::Utc;
use self::event::{TOPICS, TRANSACTIONS};
use self::generator::{Generated, Plan};
use self::lag::Lag;
use self::progress::{Figures, Progress, grouped, size};
use self::settings::CONNECTORS;
use crate::broker::Broker;
use crate::config::WorkerConfig;
use crate::herder::{Herder, State, TargetState};
use crate::plugins::Plugins;
use crate::rest::Sockets;
use crate::worker::Worker;

/// The port of the REST API unless the user says another.
const PORT: u16 = 8083;
/// How often the demo looks at what has happened.
const TICK: Duration = Duration::from_millis(100);
/// After how long without a record it is no longer believed that more will be read. A task that joins its group again takes some
/// seconds.
const SILENCE: Duration = Duration::from_secs(15);

/// What the user may say.
#[derive(Clone, Debug, clap::Args)]
pub struct Options {
    /// Where files land: in a folder of their own below it, named by the time of the start.
    #[arg(long, value_name = "DIRECTORY", default_value = "landing")]
    pub dir: PathBuf,
    /// Change events per second; 0 for as many as it can.
    #[arg(long, value_name = "RECORDS", default_value_t = 5_000, value_parser = whole, allow_negative_numbers = true)]
    pub rate: u64,
    /// The port of the REST API; 0 for any that is free. Default: 8083, or any if that is taken.
    #[arg(long, value_name = "PORT", value_parser = port, allow_negative_numbers = true)]
    pub port: Option<u16>,
    /// End after so many change events. Default: go on until Ctrl-C.
    #[arg(long, value_name = "RECORDS", value_parser = at_least_one, allow_negative_numbers = true)]
    pub records: Option<u64>,
    /// Another number gives another bank.
    #[arg(long, value_name = "NUMBER", default_value_t = 1, value_parser = whole, allow_negative_numbers = true)]
    pub seed: u64,
}

fn whole(text: &str) -> Result<u64, String> {
    text.replace('_', "").parse().map_err(|_| "not a whole number from 0 on".into())
}

fn port(text: &str) -> Result<u16, String> {
    text.parse().map_err(|_| "not a number from 0 to 65535".into())
}

fn at_least_one(text: &str) -> Result<u64, String> {
    whole(text).ok().filter(|n| *n > 0).ok_or_else(|| "not a whole number from 1 on".into())
}

/// Runs the demo until it has produced all records or `interrupted` resolves, and all that it produced has landed.
///
/// # Errors
/// A text for the user: why it cannot run, or what did not land.
pub async fn run(options: Options, out: Stdout, interrupted: impl Future) -> Result<(), String> {
    let (sockets, moved) = listen(options.port).await?;
    let port = sockets.port();
    let landing = make_landing(&options.dir)?;
    let broker = Broker::start().map_err(|e| format!("no broker: {e}"))?;
    for topic in TOPICS {
        broker.create_topic(topic.name, topic.partitions).map_err(|e| format!("no topic {}: {e}", topic.name))?;
    }
    let bootstrap = broker.bootstrap_servers();
    let properties = settings::worker(&bootstrap, &listener(port), &landing);
    let config = WorkerConfig::parse(&properties).map_err(|faults| faults.to_string())?;
    let mut worker = Worker::start(Plugins::BUILT_IN, config, sockets).await?;

    let mut demo = Demo {
        herder: worker.herder().clone(),
        generated: Arc::default(),
        tasks: Vec::new(),
        begun: Instant::now(),
        progress: Progress::new(out),
    };
    let plan = Plan { seed: options.seed, rate: options.rate, records: options.records };
    let mut intro = introduction(&bootstrap, port, &landing);
    if moved {
        intro = format!("Port {PORT} is taken, so the worker listens on {port}.\n\n{intro}");
    }
    let played = tokio::select! {
        played = demo.play(plan, properties, &landing, &intro, interrupted) => played,
        why = worker.failed() => Err(why),
    };
    let took = demo.begun.elapsed();
    demo.watch_tasks();
    worker.stop().await;
    drop(broker);
    let summed = demo.sum_up(&landing, took);
    played.and(summed)
}

fn listener(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}

/// The sockets of the REST API, and whether they are elsewhere than usual.
async fn listen(port: Option<u16>) -> Result<(Sockets, bool), String> {
    let bound = Sockets::bind(&[listener(port.unwrap_or(PORT))], None).await;
    match (bound, port) {
        (Ok(sockets), _) => Ok((sockets, false)),
        (Err(why), Some(_)) => Err(format!("{why}; give another --port, or 0 for any that is free")),
        (Err(_), None) => Sockets::bind(&[listener(0)], None).await.map(|sockets| (sockets, true)),
    }
}

/// Makes the folder of this run.
fn make_landing(dir: &Path) -> Result<PathBuf, String> {
    let failed = |path: &Path, e: &io::Error| format!("cannot land in {}: {e}; give another --dir", path.display());
    let dir = std::path::absolute(dir).map_err(|e| failed(dir, &e))?;
    fs::create_dir_all(&dir).map_err(|e| failed(&dir, &e))?;
    let start = format!("{:#}", Utc(clock::now()));
    let names = std::iter::once(start.clone()).chain((2..100).map(|n| format!("{start}-{n}")));
    for landing in names.map(|name| dir.join(name)) {
        match fs::create_dir(&landing) {
            Ok(()) => return Ok(landing),
            Err(e) if e.kind() == ErrorKind::AlreadyExists => {}
            Err(e) => return Err(failed(&dir, &e)),
        }
    }
    Err(format!("{} has too many folders of this second; give another --dir", dir.display()))
}

/// What runs where, and what to try.
fn introduction(bootstrap: &str, port: u16, landing: &Path) -> String {
    let (api, ledger) = (listener(port), CONNECTORS[0].name);
    let files = landing.join(TRANSACTIONS.name).join("**/*.parquet").display().to_string().replace('\'', "''");
    let query = format!(
        "select kind, status, count(*) as changes, round(sum(amount), 2) as amount from read_parquet('{files}', \
         union_by_name = true) where __deleted = 'false' group by all order by all"
    );
    format!(
        "A bank's change events, produced to a broker in this process, land as Parquet.\n\
         \n\
         \x20 files   {}\n\
         \x20 page    {api}/ui/\n\
         \x20 REST    {api}\n\
         \x20 Kafka   {bootstrap}\n\
         \n\
         Try, in another terminal:\n\
         \n\
         \x20 curl -s {api}/connectors/{ledger}/status\n\
         \n\
         \x20 curl -s -X PUT {api}/connectors/{ledger}/pause\n\
         \x20 curl -s -X PUT {api}/connectors/{ledger}/resume\n\
         \n\
         \x20 duckdb -c {}\n\
         \n\
         Ctrl-C ends it, with everything landed.\n",
        landing.display(),
        in_double_quotes(&query),
    )
}

/// A text as one word of a shell.
fn in_double_quotes(text: &str) -> String {
    let mut quoted = String::from("\"");
    for c in text.chars() {
        if matches!(c, '"' | '\\' | '$' | '`') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted + "\""
}

/// A demo that runs.
struct Demo {
    herder: Herder,
    generated: Arc<Generated>,
    /// The counters of all tasks that the connectors ever had.
    tasks: Vec<Arc<TaskMetrics>>,
    begun: Instant,
    progress: Progress,
}

impl Demo {
    /// Produces and lands, until there is nothing more to land and the connectors are stopped.
    async fn play(
        &mut self,
        plan: Plan,
        worker: Properties,
        landing: &Path,
        intro: &str,
        interrupted: impl Future,
    ) -> Result<(), String> {
        for connector in CONNECTORS {
            let created = self.herder.create(connector.name, connector.config(landing), TargetState::Started, true).await;
            created.map_err(|e| format!("connector {}: {e}", connector.name))?;
        }
        self.herder.set_ready();
        // Whoever reads what is shown may go away: that is a way to end the demo too.
        let mut goes_on = self.progress.say(intro).is_ok();
        let generated = self.generated.clone();
        let bootstrap = worker.get("bootstrap.servers").cloned().unwrap_or_default();
        let mut generator = spawn_blocking(move || generator::run(plan, &bootstrap, &worker, &generated));
        tokio::pin!(interrupted);
        let lag = loop {
            tokio::select! {
                lag = &mut generator => break lag,
                () = tokio::time::sleep(TICK), if goes_on => goes_on = self.show().is_ok(),
                _ = &mut interrupted, if goes_on => goes_on = false,
            }
            if !goes_on {
                self.generated.stop.store(true, Ordering::Relaxed);
            }
        };
        self.land_the_rest(lag.map_err(|e| format!("the generator ended: {e}"))??).await
    }

    /// Waits until the connectors have read all, and stops them, which publishes what is in their open files.
    async fn land_the_rest(&mut self, mut lag: Lag) -> Result<(), String> {
        let mut before = u64::MAX;
        // A task that was restarted reads some records again, so that more than these may be needed.
        let mut wanted = self.generated.records.load(Ordering::Relaxed);
        loop {
            self.resume().await;
            self.await_sent(wanted).await;
            let failures = self.failures();
            for connector in CONNECTORS {
                // One that was deleted is among the failures.
                let _ = self.herder.set_target(connector.name, TargetState::Stopped).await;
            }
            let looking: JoinHandle<Result<Lag, String>> = spawn_blocking(move || {
                lag.look().map_err(|e| format!("the groups do not say what has landed: {e}"))?;
                Ok(lag)
            });
            lag = looking.await.map_err(|e| e.to_string())??;
            let left = lag.records();
            if left == 0 {
                return Ok(());
            }
            if !failures.is_empty() || left >= before {
                let why = if failures.is_empty() { String::new() } else { format!(": {}", failures.join("; ")) };
                return Err(format!("{} records have not landed{why}", grouped(left)));
            }
            before = left;
            wanted = self.sum(|task| task.records_sent.get()) + left;
        }
    }

    /// Starts the connectors that the user has paused or stopped, so that they can land the rest.
    async fn resume(&mut self) {
        for connector in CONNECTORS {
            let is_idle = self.herder.status(connector.name).is_ok_and(|status| status.connector.state != State::Running);
            if is_idle {
                let _ = self.progress.say(&format!("{} is resumed, to land what is left", connector.name));
                let _ = self.herder.set_target(connector.name, TargetState::Started).await;
            }
        }
    }

    /// Waits until the tasks have put `wanted` records, or it is clear that they will not.
    async fn await_sent(&mut self, wanted: u64) {
        let (mut last, mut since) = (0, Instant::now());
        loop {
            let _ = self.show();
            let sent = self.sum(|task| task.records_sent.get());
            if sent != last {
                (last, since) = (sent, Instant::now());
            }
            if sent >= wanted || !self.failures().is_empty() || since.elapsed() > SILENCE {
                return;
            }
            tokio::time::sleep(TICK).await;
        }
    }

    /// Takes in the counters of tasks that were started since the last look.
    fn watch_tasks(&mut self) {
        for task in self.herder.counts() {
            let is_ours = CONNECTORS.iter().any(|connector| connector.name == task.id.connector);
            if is_ours && !self.tasks.iter().any(|known| Arc::ptr_eq(known, &task.metrics)) {
                self.tasks.push(task.metrics);
            }
        }
    }

    fn sum(&self, of: impl Fn(&TaskMetrics) -> u64) -> u64 {
        self.tasks.iter().map(|task| of(task)).sum()
    }

    fn show(&mut self) -> io::Result<()> {
        self.watch_tasks();
        let figures = Figures {
            records: self.generated.records.load(Ordering::Relaxed),
            rows: self.sum(|task| task.rows_landed.get()),
            files: self.sum(|task| task.files_landed.get()),
            bytes: self.sum(|task| task.bytes_landed.get()),
            lag: self.generated.lag.load(Ordering::Relaxed),
            note: self.note(),
        };
        self.progress.show(&figures)
    }

    /// What keeps the connectors from landing, or the generator from producing.
    fn note(&self) -> String {
        let idle = CONNECTORS.iter().map(|connector| {
            let name = connector.name;
            match self.herder.status(name) {
                Err(_) => format!("{name} is gone"),
                Ok(status) if status.tasks.iter().any(|(_, task)| task.state == State::Failed) => format!("{name} has FAILED"),
                Ok(status) if status.connector.state != State::Running => format!("{name} is {}", status.connector.state),
                Ok(_) => String::new(),
            }
        });
        let mut notes: Vec<_> = idle.filter(|note| !note.is_empty()).collect();
        if !notes.is_empty() && self.generated.waiting.load(Ordering::Relaxed) {
            notes.push("the bank waits".into());
        }
        notes.join(", ")
    }

    /// Why connectors cannot land the rest.
    fn failures(&self) -> Vec<String> {
        let failures = CONNECTORS.iter().flat_map(|connector| {
            let name = connector.name;
            let Ok(status) = self.herder.status(name) else { return vec![format!("{name} was deleted")] };
            let traces =
                status.tasks.into_iter().filter(|(_, task)| task.state == State::Failed).filter_map(|(_, task)| task.trace);
            traces.map(|trace| format!("{name} has failed: {trace}")).collect()
        });
        failures.collect()
    }

    /// Counts what is in the directory and shows what it took; an error if it is not all that was produced.
    fn sum_up(&mut self, landing: &Path, took: Duration) -> Result<(), String> {
        let mut landed = Landed::default();
        landed.count(landing).map_err(|e| format!("cannot count what has landed: {e}"))?;
        let (records, json) = (self.generated.records.load(Ordering::Relaxed), self.generated.bytes.load(Ordering::Relaxed));
        let speed = landed.rows as f64 / took.as_secs_f64().max(0.001);
        let cpu = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
        let cpu = cpu.tv_sec as f64 + cpu.tv_nsec as f64 / 1e9;
        let peak = peak_memory().map_or_else(|| "not known".into(), size);
        let _ = self.progress.say(&format!(
            "\n{} records produced, {} rows landed in {:.1} s: {} rows/s\n\
             \n\
             \x20 files   {}, {} of Parquet from {} of JSON\n\
             \x20 CPU     {cpu:.1} s, with broker and bank\n\
             \x20 memory  {peak} at most, with broker and bank\n\
             \x20 where   {}",
            grouped(records),
            grouped(landed.rows),
            took.as_secs_f64(),
            grouped(speed as u64),
            grouped(landed.files),
            size(landed.bytes),
            size(json),
            landing.display(),
        ));
        if landed.rows == records {
            return Ok(());
        }
        Err(format!("{} records were produced and {} rows have landed", grouped(records), grouped(landed.rows)))
    }
}

/// What is in a directory, by the footers of its files.
#[derive(Debug, Default)]
struct Landed {
    files: u64,
    bytes: u64,
    rows: u64,
}

impl Landed {
    fn count(&mut self, folder: &Path) -> io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                self.count(&entry.path())?;
            } else if entry.path().extension().is_some_and(|extension| extension == "parquet") {
                let file = File::open(entry.path())?;
                let footer = ParquetMetaDataReader::new().parse_and_finish(&file).map_err(io::Error::other)?;
                self.files += 1;
                self.bytes += file.metadata()?.len();
                self.rows += u64::try_from(footer.file_metadata().num_rows()).unwrap_or(0);
            }
        }
        Ok(())
    }
}

/// The most memory that this process has had, in bytes, where the system tells it (`proc_pid_status(5)`).
fn peak_memory() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_can_be_copied_whatever_the_path() {
        let intro = introduction("127.0.0.1:9", 8083, Path::new("/data/it's \"$HOME\""));
        assert!(intro.contains(r#"read_parquet('/data/it''s \"\$HOME\"/bank.transactions/**/*.parquet'"#), "{intro}");
        assert!(intro.contains("curl -s -X PUT http://127.0.0.1:8083/connectors/bank-ledger/pause\n"), "{intro}");
    }

    #[test]
    fn each_run_has_its_own_folder() {
        let dir = tempfile::tempdir().expect("a folder");
        let (first, second) = (make_landing(dir.path()).expect("made"), make_landing(dir.path()).expect("made"));
        assert_ne!(first, second);
        assert!(first.is_dir() && second.is_dir());
        let file = dir.path().join("file");
        fs::write(&file, "").expect("written");
        let error = make_landing(&file).expect_err("a file");
        assert!(error.starts_with(&format!("cannot land in {}: ", file.display())), "{error}");
    }

    #[test]
    fn nonsense_is_refused() {
        for (text, number) in [("0", Some(0)), ("1_000", Some(1_000)), ("-1", None), ("1.5", None), ("fast", None), ("", None)] {
            assert_eq!(whole(text).ok(), number, "{text}");
        }
        assert!(at_least_one("0").is_err() && at_least_one("1").is_ok());
    }
}
