//! The worker as a program: arguments in, an exit code out. Only this file prints and exits.

use std::io::{IsTerminal as _, Write as _, stderr, stdout};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};
use clap_complete::Shell;
use landfall::admin::{self, Outcome};
use landfall::config::{
    DEMO_LOG, Environment, LOG_VARIABLE, Mode, PropertiesFile, WORKER_LOG, WorkerConfig, check_log_level, log_level,
};
use landfall::demo;
use landfall::herder::Herder;
use landfall::herder::connector_config::{converter_faults, converter_warnings};
use landfall::herder::connector_file::ConnectorFile;
use landfall::kafka::consumer_faults;
use landfall::logging::{self, Format};
use landfall::otlp::Otlp;
use landfall::plugins::Plugins;
use landfall::rest::Sockets;
use landfall::worker::Worker;
use landfall_api::Properties;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::oneshot;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Kafka Connect-compatible sink worker that lands topics as Parquet.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What to log, such as `info` or `landfall=debug`. Default: the variable `LANDFALL_LOG`, else `info`, and `warn` in the demo.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a worker on its own, with connectors from files and from the REST API.
    Standalone {
        /// The worker's properties, as for connect-standalone. Variables such as `CONNECT_BOOTSTRAP_SERVERS` count before them, and do
        /// without a file.
        #[arg(value_name = "WORKER.PROPERTIES")]
        worker: Option<PathBuf>,
        /// Connectors to create at start: JSON or properties.
        #[arg(value_name = "CONNECTOR")]
        connectors: Vec<PathBuf>,
    },
    /// Run a worker of a cluster of workers, of this kind or Java's.
    Distributed {
        /// The worker's properties, as for connect-distributed. Variables such as `CONNECT_BOOTSTRAP_SERVERS` count before them, and do
        /// without a file.
        #[arg(value_name = "WORKER.PROPERTIES")]
        worker: Option<PathBuf>,
    },
    /// See it work without Kafka and Azure: land change events of a small bank in a directory, until Ctrl-C.
    Demo(demo::Options),
    #[command(flatten)]
    Admin(admin::Command),
    /// Print what makes a shell complete commands: for bash, `source <(landfall completions bash)`.
    Completions {
        /// The shell.
        #[arg(value_enum)]
        shell: Shell,
    },
    /// Write a manual page for each command.
    Man {
        /// The folder for them, which is made if it is not there.
        #[arg(value_name = "FOLDER")]
        folder: PathBuf,
    },
}

/// How the program ends when it cannot go on: an exit code and what the user is told.
struct End(u8, String);

fn main() -> ExitCode {
    // Huge pages are zeroed whole for buffers that live for milliseconds: measured, a third more CPU time and memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    #[cfg(feature = "failpoints")]
    let _points = fail::FailScenario::setup();
    let Arguments { command, log_level: level } = Arguments::parse();
    let is_demo = matches!(command, Command::Demo(_));
    let level = log_level(
        level,
        if matches!(command, Command::Standalone { .. } | Command::Distributed { .. }) { WORKER_LOG } else { DEMO_LOG },
    );
    // The demo's progress may stand where the log is about to write.
    let clear = is_demo && stdout().is_terminal() && stderr().is_terminal();
    let log = move || {
        if clear {
            let _ = stderr().write_all(b"\r\x1b[2K");
        }
        stderr()
    };
    let worker = match &command {
        Command::Standalone { worker, .. } => Some((Mode::Standalone, worker.as_deref())),
        Command::Distributed { worker } => Some((Mode::Distributed, worker.as_deref())),
        Command::Demo(_) | Command::Admin(_) | Command::Completions { .. } | Command::Man { .. } => None,
    };
    let environment = worker.map(|(mode, file)| Environment::read(mode, file.is_some())).unwrap_or_default();
    // Only a worker has something to send.
    let otlp = if worker.is_some() { Otlp::of_environment() } else { Ok(None) };
    let (otlp, no_otlp) = otlp.map_or_else(|why| (None, Some(why)), |otlp| (otlp, None));
    let format = match Format::of(worker.and_then(|(_, file)| given(&environment, file, logging::FORMAT_KEY)).as_deref()) {
        Ok(format) => format,
        Err(e) => return tell(End(2, e)),
    };
    if let Err(e) = check_log_level(&level).and_then(|()| logging::install(&level, format, log, otlp.as_ref())) {
        return tell(End(2, format!("not a log level in --log-level or {LOG_VARIABLE}: {level}: {e}")));
    }
    if let Some(why) = no_otlp {
        tracing::warn!("no telemetry is sent: {why}");
    }
    let result = match command {
        Command::Standalone { worker, connectors } => {
            start(Mode::Standalone, worker.as_deref(), &environment, &connectors, otlp.as_ref())
        }
        Command::Distributed { worker } => start(Mode::Distributed, worker.as_deref(), &environment, &[], otlp.as_ref()),
        Command::Demo(options) => {
            block_on(|interrupted| async { demo::run(options, stdout(), interrupted).await.map_err(|e| End(1, e)) })
        }
        Command::Admin(command) => block_on(|interrupted| administer(command, interrupted)),
        Command::Completions { shell } => {
            let mut script = Vec::new();
            clap_complete::generate(shell, &mut Arguments::command(), "landfall", &mut script);
            // Who does not read on has seen enough.
            let _ = stdout().write_all(&script);
            Ok(())
        }
        Command::Man { folder } => std::fs::create_dir_all(&folder)
            .and_then(|()| clap_mangen::generate_to(Arguments::command(), &folder))
            .map_err(|e| End(1, format!("{}: no pages can be written: {e}", folder.display()))),
    };
    if let Some(otlp) = otlp {
        otlp.end();
    }
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => tell(end),
    }
}

#[expect(clippy::print_stderr, reason = "what ends the program is said to whoever started it")]
fn tell(End(code, message): End) -> ExitCode {
    if !message.is_empty() {
        eprintln!("{message}");
    }
    ExitCode::from(code)
}

/// Ends with 1 if something could not be done, with 3 if something is wrong that was looked for.
async fn administer(command: admin::Command, interrupted: oneshot::Receiver<()>) -> Result<(), End> {
    let outcome = tokio::select! {
        outcome = admin::run(command, progress) => outcome.map_err(|e| End(1, e))?,
        _ = interrupted => return Err(End(130, "interrupted".into())),
    };
    // Who does not read on has seen enough.
    let _ = stdout().write_all(outcome.text.as_bytes());
    match outcome {
        Outcome { failed: true, .. } => Err(End(1, String::new())),
        Outcome { wrong: true, .. } => Err(End(3, String::new())),
        Outcome { .. } => Ok(()),
    }
}

fn progress(line: &str) {
    let _ = writeln!(stderr(), "{line}");
}

/// What a worker's file and variables say of `key`, before they are looked at as a whole.
fn given(environment: &Environment, file: Option<&Path>, key: &str) -> Option<String> {
    let read = file.and_then(|file| PropertiesFile::read(file).ok()).map(|file| file.properties);
    environment.over(&read.unwrap_or_default()).remove(key)
}

fn start(
    mode: Mode,
    worker: Option<&Path>,
    environment: &Environment,
    connectors: &[PathBuf],
    otlp: Option<&Otlp>,
) -> Result<(), End> {
    let plugins = Plugins::BUILT_IN;
    let others = |given: &Properties| {
        let mut faults = converter_faults(&plugins, given, &Properties::new());
        faults.0.extend(consumer_faults(given).0);
        faults
    };
    if worker.is_none() && environment.is_empty() {
        let how = "name the file of its properties, or give them as variables such as CONNECT_BOOTSTRAP_SERVERS";
        return Err(End(2, format!("the worker has no properties: {how}")));
    }
    let mut config = WorkerConfig::read_with(worker, environment, mode, others).map_err(|e| End(1, e))?;
    config.warnings.extend(converter_warnings(&plugins, &config.given));
    let connectors = connectors.iter().map(|path| ConnectorFile::read(path).map_err(|e| End(3, e)));
    let connectors = connectors.collect::<Result<Vec<_>, _>>()?;
    for warning in config.warnings.iter().chain(connectors.iter().flat_map(|c| &c.warnings)) {
        tracing::warn!("{warning}");
    }
    block_on(|interrupted| run(mode, plugins, config, connectors, otlp, interrupted))
}

/// Runs `work` with a future that ends with the first SIGTERM or SIGINT. A second one ends the program at once, as does the first
/// when nobody waits for it any more.
fn block_on<W: Future<Output = Result<(), End>>>(work: impl FnOnce(oneshot::Receiver<()>) -> W) -> Result<(), End> {
    let runtime = Runtime::new().map_err(|e| End(1, format!("cannot start threads: {e}")))?;
    let result = runtime.block_on(async {
        let mut signals = Signals::new().map_err(|e| End(1, format!("cannot listen for signals: {e}")))?;
        let (interrupt, interrupted) = oneshot::channel();
        tokio::spawn(async move {
            signals.next().await;
            if interrupt.send(()).is_ok() {
                signals.next().await;
            }
            std::process::exit(signals.code());
        });
        work(interrupted).await
    });
    // A task that was left to itself must not keep the program.
    runtime.shutdown_background();
    result
}

async fn run(
    mode: Mode,
    plugins: Plugins,
    config: WorkerConfig,
    connectors: Vec<ConnectorFile>,
    otlp: Option<&Otlp>,
    mut interrupted: oneshot::Receiver<()>,
) -> Result<(), End> {
    let sockets = Sockets::bind(&config.keys.listeners, config.keys.admin_listeners.as_deref()).await;
    let sockets = sockets.map_err(|e| End(1, format!("{e}; give another address in listeners or admin.listeners")))?;
    let sockets = sockets.with_metrics(&config.keys.metrics_listeners).await;
    let sockets = sockets.map_err(|e| End(1, format!("{e}; give another address in landfall.metrics.listeners")))?;
    let mut worker = Worker::start(plugins, config, sockets).await.map_err(|e| End(1, e))?;
    let herder = worker.herder().clone();
    let sending = otlp.and_then(|otlp| otlp.follow(&herder));
    let result = tokio::select! {
        result = create(&herder, connectors) => match result {
            Ok(()) => {
                // One of a cluster is ready when it has joined.
                if mode == Mode::Standalone {
                    herder.set_ready();
                }
                tracing::info!("landfall {} started as {}", env!("CARGO_PKG_VERSION"), herder.worker_id());
                tokio::select! {
                    _ = &mut interrupted => Ok(()),
                    why = worker.failed() => Err(End(1, why)),
                }
            }
            Err(end) => Err(end),
        },
        why = worker.failed() => Err(End(1, why)),
        _ = &mut interrupted => Ok(()),
    };
    drop(interrupted);
    // While there are tasks that say something.
    let sent = sending.map(|sending| tokio::task::spawn_blocking(move || sending.end()));
    worker.stop().await;
    if let Some(sent) = sent {
        let _ = sent.await;
    }
    result
}

/// Creates the connectors of the command line. Those that the state file restored are as they were left.
async fn create(herder: &Herder, connectors: Vec<ConnectorFile>) -> Result<(), End> {
    // A member of a cluster has no connectors of its own, and joins in its own time.
    if herder.peers().is_none() {
        herder.started().await;
    }
    let restored = herder.names();
    for file in connectors {
        if restored.contains(&file.name) {
            tracing::info!(connector = %file.name, "the state file's configuration counts, not the one of the command line");
            continue;
        }
        let created = herder.create(&file.name, file.config.clone(), file.initial_state, false).await;
        created.map_err(|e| End(3, file.locate(&e)))?;
    }
    Ok(())
}

/// SIGTERM and SIGINT.
struct Signals {
    terminate: Signal,
    interrupt: Signal,
    last: i32,
}

impl Signals {
    fn new() -> std::io::Result<Self> {
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Self { terminate, interrupt, last: 0 })
    }

    async fn next(&mut self) {
        let kind = tokio::select! {
            _ = self.terminate.recv() => SignalKind::terminate(),
            _ = self.interrupt.recv() => SignalKind::interrupt(),
        };
        self.last = kind.as_raw_value();
    }

    /// The exit code of a program that the last signal ended at once.
    fn code(&self) -> i32 {
        128 + self.last
    }
}
