//! The worker as a program: arguments in, an exit code out. Only this file prints and exits.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::{Parser, Subcommand};
use futures::FutureExt as _;
use landfall::config::{LOG_VARIABLE, WorkerConfig, log_level};
use landfall::herder::Standalone;
use landfall::herder::connector_config::converter_faults;
use landfall::herder::connector_file::ConnectorFile;
use landfall::kafka;
use landfall::plugins::Plugins;
use landfall::rest::Sockets;
use landfall::task::TaskHandle;
use landfall_api::Properties;
use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tracing_subscriber::EnvFilter;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A Kafka Connect-compatible sink worker that lands topics as Parquet.
#[derive(Parser)]
#[command(version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
    /// What to log, such as `info` or `landfall=debug`. Default: the variable `LANDFALL_LOG`, else `info`.
    #[arg(long, global = true, value_name = "LEVEL")]
    log_level: Option<String>,
}

#[derive(Subcommand)]
enum Command {
    /// Run a worker on its own, with connectors from files and from the REST API.
    Standalone {
        /// The worker's properties, as for connect-standalone.
        #[arg(value_name = "WORKER.PROPERTIES")]
        worker: PathBuf,
        /// Connectors to create at start: JSON or properties.
        #[arg(value_name = "CONNECTOR")]
        connectors: Vec<PathBuf>,
    },
}

/// How the program ends when it cannot go on: an exit code and what the user is told.
struct End(u8, String);

fn main() -> ExitCode {
    // Huge pages are zeroed whole for buffers that live for milliseconds: measured, a third more CPU time and memory.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
    let Arguments { command, log_level: level } = Arguments::parse();
    let level = log_level(level);
    match EnvFilter::try_new(&level) {
        Ok(filter) => tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init(),
        Err(e) => return tell(End(2, format!("not a log level in --log-level or {LOG_VARIABLE}: {level}: {e}"))),
    }
    let Command::Standalone { worker, connectors } = command;
    match standalone(&worker, &connectors) {
        Ok(()) => ExitCode::SUCCESS,
        Err(end) => tell(end),
    }
}

#[expect(clippy::print_stderr, reason = "what ends the program is said to whoever started it")]
fn tell(End(code, message): End) -> ExitCode {
    eprintln!("{message}");
    ExitCode::from(code)
}

fn standalone(worker: &Path, connectors: &[PathBuf]) -> Result<(), End> {
    let plugins = Plugins::BUILT_IN;
    let converters = |given: &Properties| converter_faults(&plugins, given, &Properties::new());
    let config = WorkerConfig::read(worker, converters).map_err(|e| End(1, e))?;
    let connectors = connectors.iter().map(|path| ConnectorFile::read(path).map_err(|e| End(3, e)));
    let connectors = connectors.collect::<Result<Vec<_>, _>>()?;
    for warning in config.warnings.iter().chain(connectors.iter().flat_map(|c| &c.warnings)) {
        tracing::warn!("{warning}");
    }
    let runtime = Runtime::new().map_err(|e| End(1, format!("cannot start threads: {e}")))?;
    let result = runtime.block_on(run(plugins, config, connectors));
    // A task that was left to itself must not keep the program.
    runtime.shutdown_background();
    result
}

async fn run(plugins: Plugins, config: WorkerConfig, connectors: Vec<ConnectorFile>) -> Result<(), End> {
    let mut signals = Signals::new().map_err(|e| End(1, format!("cannot listen for signals: {e}")))?;
    let sockets = Sockets::bind(&config.keys.listeners).await.map_err(|e| End(1, e))?;
    let worker_id = config.advertised(sockets.port());
    let given = config.given.clone();
    let grace = Duration::from_millis(u64::try_from(config.keys.task_shutdown_graceful_timeout_ms).unwrap_or(0));
    let starter = Arc::new(|spec| Box::new(TaskHandle::start(spec)) as _);
    let herder = Standalone::start(plugins, config, worker_id, starter).map_err(|e| End(1, e))?;

    let (end, ended) = watch::channel(false);
    let ended = async move {
        let mut ended = ended;
        let _ = ended.wait_for(|ended| *ended).await;
    };
    let ended = ended.boxed().shared();
    let mut server = tokio::spawn(sockets.serve(herder.clone(), ended.clone()));
    let identified = tokio::spawn(identify(herder.clone(), given, ended));

    let result = tokio::select! {
        result = create(&herder, connectors) => match result {
            Ok(()) => {
                herder.set_ready();
                tracing::info!("landfall {} started as {}", env!("CARGO_PKG_VERSION"), herder.worker_id());
                tokio::select! {
                    () = signals.next() => Ok(()),
                    failed = &mut server => Err(End(1, format!("the REST server ended: {failed:?}"))),
                }
            }
            Err(end) => Err(end),
        },
        () = signals.next() => Ok(()),
    };

    tracing::info!("stopping");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(signals.code());
    });
    let _ = end.send(true);
    herder.stop().await;
    if !server.is_finished() && tokio::time::timeout(grace, server).await.is_err() {
        tracing::warn!("requests under way are left without an answer");
    }
    let _ = tokio::time::timeout(grace, identified).await;
    tracing::info!("stopped");
    result
}

/// Tells the herder the id of the Kafka cluster once it is known. Ends with `ended`.
async fn identify(herder: Standalone, worker: Arc<Properties>, ended: impl Future<Output = ()>) {
    tokio::select! {
        id = kafka::cluster_id(&worker) => match id {
            Ok(id) => {
                tracing::info!("Kafka cluster ID: {id}");
                herder.set_cluster_id(id);
            }
            Err(e) => tracing::error!("the brokers cannot be asked for the id of their cluster: {e}"),
        },
        () = ended => {}
    }
}

/// Creates the connectors of the command line. Those that the state file restored are as they were left.
async fn create(herder: &Standalone, connectors: Vec<ConnectorFile>) -> Result<(), End> {
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
