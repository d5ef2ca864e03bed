//! `org.apache.kafka.connect.file.FileStreamSinkConnector` (4.3.1): appends values to a file or to the standard output, one a line.
//!
//! As in Java keys and headers are ignored, several tasks append to the same file, and a record comes at least once. Two things are
//! better than there: what cannot be written fails the task, where Java goes on and commits; and an offset is committed only once
//! the disk has what is before it, where Java leaves it to the operating system.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, ErrorKind, Write as _};
use std::mem;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use landfall_api::{
    AlteredOffsets, Batch, Faults, Folders, Key, NewOffsets, Offset, Opened, Opening, Properties, RecordError, Refuse,
    SinkConnector, SinkTask, TURN, TaskContext, TaskError, TopicPartition, Width, config,
};

use crate::java_text::Printer;

/// Bytes after which lines are written, if the batches of a fetch do not end before: it bounds what a task holds.
const CHUNK: usize = 1 << 20;
/// The wait between two calls to have the disk take what was written; offsets wait for it.
const SYNC_SPACING: Duration = Duration::from_secs(1);

config! {
    /// What `FileStreamSinkConnector` declares.
    struct FileStreamConfig {
        /// The file that values are appended to; it is made if it is not there. Without it, the standard output of the worker.
        file: Option<String> = "file" { importance: High, width: Width::None, display: "file", reaches: Written };
    }
}

/// The class.
#[derive(Debug)]
pub struct FileStreamSink;

impl SinkConnector for FileStreamSink {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.file.FileStreamSinkConnector"
    }

    /// Kafka's, not ours: the class is a part of Kafka, of which the worker already says that it is this version, and a configuration
    /// with `connector.plugin.version` means it.
    fn version(&self) -> &'static str {
        "4.3.1"
    }

    fn keys(&self) -> Vec<Key> {
        FileStreamConfig::KEYS.to_vec()
    }

    fn validate(&self, properties: &Properties) -> Faults {
        let mut faults = Faults::default();
        FileStreamConfig::parse(properties, &mut faults);
        faults
    }

    /// What the file has may be in it again, as with Kafka's.
    fn alter_offsets(&self, _: &Properties, _: &NewOffsets) -> Result<AlteredOffsets, String> {
        Ok(AlteredOffsets::Obeyed)
    }

    fn task(&self, properties: &Properties, context: TaskContext) -> Result<Box<dyn SinkTask>, TaskError> {
        let mut faults = Faults::default();
        let config = FileStreamConfig::parse(properties, &mut faults);
        let config = faults.or(config).map_err(|faults| TaskError::Fatal(faults.to_string()))?;
        let output = match config.file.filter(|name| !name.is_empty()) {
            Some(name) => Output::file(name, &context.folders)?,
            None => Output::Standard,
        };
        Ok(Box::new(FileStreamTask {
            output,
            context,
            text: Vec::new(),
            written: BTreeMap::new(),
            syncing: None,
            last_sync: None,
        }))
    }
}

/// Where the lines go.
#[derive(Debug)]
enum Output {
    Standard,
    File { name: String, file: Arc<File> },
}

impl Output {
    /// The file `name`, if it may be written, wherever links lead to while it is opened.
    fn file(name: String, folders: &Folders) -> Result<Self, TaskError> {
        let elsewhere =
            |real: PathBuf| TaskError::Fatal(format!("{} may not be written to, which '{name}' leads to", real.display()));
        let real = folders.writable(Path::new(&name)).map_err(elsewhere)?;
        let file = File::options().create(true).append(true).open(real).map_err(|why| {
            TaskError::Fatal(format!("Couldn't find or create file '{name}' for FileStreamSinkTask\nCaused by: {why}"))
        })?;
        folders.opened(&file).map_err(elsewhere)?;
        Ok(Self::File { name, file: Arc::new(file) })
    }

    /// Writes whole lines. They stay together whoever else appends: one call writes them all, or a lock is held.
    fn write(&self, lines: &[u8]) -> Result<(), TaskError> {
        let written = match self {
            Self::Standard => {
                let mut standard = io::stdout().lock();
                standard.write_all(lines).and_then(|()| standard.flush())
            }
            Self::File { file, .. } => (&**file).write_all(lines),
        };
        written.map_err(|why| TaskError::Fatal(format!("cannot write to {}: {why}", self.name())))
    }

    fn name(&self) -> &str {
        match self {
            Self::Standard => "the standard output",
            Self::File { name, .. } => name,
        }
    }
}

/// A running task.
#[derive(Debug)]
struct FileStreamTask {
    output: Output,
    context: TaskContext,
    /// The lines that are not written yet; empty between calls.
    text: Vec<u8>,
    /// Where each partition goes on, as far as it is written but not given to the disk for good.
    written: BTreeMap<TopicPartition, Offset>,
    syncing: Option<Syncing>,
    last_sync: Option<Instant>,
}

/// A call that ends when the disk has what was written before it.
#[derive(Debug)]
struct Syncing {
    /// What may be committed then.
    offsets: BTreeMap<TopicPartition, Offset>,
    done: mpsc::Receiver<io::Result<()>>,
}

impl FileStreamTask {
    /// Prints the values, unless they are of a type that Java's has no text for; the number of lines.
    fn append(&mut self, batch: &Batch, refuse: &mut Refuse<'_>) -> Result<usize, TaskError> {
        let printer = match Printer::of(&batch.value) {
            Ok(printer) => printer,
            Err(why) => {
                let error = RecordError::data(why);
                return batch.offset.values().iter().try_for_each(|&offset| refuse(offset, error.clone())).map(|()| 0);
            }
        };
        for row in 0..batch.len() {
            printer.print(row, &mut self.text);
            self.text.push(b'\n');
            if self.text.len() >= CHUNK {
                self.write()?;
            }
        }
        Ok(batch.len())
    }

    /// Writes the lines that wait.
    fn write(&mut self) -> Result<(), TaskError> {
        if !self.text.is_empty() {
            self.output.write(&self.text)?;
            self.context.metrics.bytes_landed.add(self.text.len() as u64);
            self.text.clear();
            // A single long line need not keep its memory.
            self.text.shrink_to(2 * CHUNK);
        }
        Ok(())
    }

    /// Begins to have the disk take what is written.
    fn sync(&mut self) {
        let Output::File { file, .. } = &self.output else { return };
        let (file, (tell, done)) = (file.clone(), mpsc::channel());
        self.context.runtime.spawn_blocking(move || {
            // Whoever waited may have gone.
            let _ = tell.send(synced(&file));
        });
        self.syncing = Some(Syncing { offsets: mem::take(&mut self.written), done });
        self.last_sync = Some(Instant::now());
    }

    /// The offsets of the running call, if it ends within `timeout`.
    fn synced(&mut self, timeout: Duration) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        let Some(syncing) = self.syncing.take() else { return Ok(BTreeMap::new()) };
        let failed = |why: String| TaskError::Fatal(format!("cannot write to {}: {why}", self.output.name()));
        match syncing.done.recv_timeout(timeout) {
            Ok(Ok(())) => Ok(syncing.offsets),
            Ok(Err(why)) => Err(failed(why.to_string())),
            Err(mpsc::RecvTimeoutError::Timeout) => {
                self.syncing = Some(syncing);
                Ok(BTreeMap::new())
            }
            Err(mpsc::RecvTimeoutError::Disconnected) => Err(failed("the worker is stopping".into())),
        }
    }
}

/// Waits until the disk has all of `file`. Pipes and terminals have no disk.
fn synced(file: &File) -> io::Result<()> {
    match file.sync_data() {
        Err(why) if matches!(why.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

impl SinkTask for FileStreamTask {
    fn open(&mut self, _: &TopicPartition, opening: &Opening) -> Result<Option<Opened>, TaskError> {
        Ok(Some(Opened { resume: opening.first, ..Opened::default() }))
    }

    fn put(&mut self, batches: Vec<Batch>, refuse: &mut Refuse<'_>) -> Result<(), TaskError> {
        self.text.clear();
        let (mut last, mut rows) = (None, 0);
        let appended = batches.iter().try_for_each(|batch| {
            rows += self.append(batch, refuse)?;
            last = Some(batch);
            Ok(())
        });
        self.write()?;
        self.context.metrics.rows_landed.add(rows as u64);
        if let Some(last) = last {
            let offset = Offset { offset: last.covers.end, metadata: String::new() };
            self.written.insert(last.origin.clone(), offset);
        }
        appended
    }

    fn ready(&mut self, _: Duration) -> Result<bool, TaskError> {
        Ok(true)
    }

    fn next_turn(&self) -> Option<Instant> {
        (self.syncing.is_some() || !self.written.is_empty()).then(|| Instant::now() + TURN)
    }

    fn pre_commit(&mut self) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        if let Output::Standard = self.output {
            return Ok(mem::take(&mut self.written));
        }
        let offsets = self.synced(Duration::ZERO)?;
        let due = self.last_sync.is_none_or(|last| last.elapsed() >= SYNC_SPACING);
        if due && self.syncing.is_none() && !self.written.is_empty() {
            self.sync();
        }
        Ok(offsets)
    }

    fn close(
        &mut self,
        partitions: &[TopicPartition],
        _lost: bool,
        timeout: Duration,
    ) -> Result<BTreeMap<TopicPartition, Offset>, TaskError> {
        if let Output::Standard = self.output {
            return Ok(mem::take(&mut self.written));
        }
        let deadline = Instant::now() + timeout;
        let left = || deadline.saturating_duration_since(Instant::now());
        let mut offsets = self.synced(left())?;
        if self.syncing.is_none() && !self.written.is_empty() {
            self.sync();
            offsets.extend(self.synced(left())?);
        }
        // What is still under way is of no use to those that go.
        let gone = |tp: &TopicPartition| partitions.contains(tp);
        self.written.retain(|tp, _| !gone(tp));
        if let Some(syncing) = &mut self.syncing {
            syncing.offsets.retain(|tp, _| !gone(tp));
        }
        Ok(offsets)
    }
}

#[cfg(test)]
mod tests;
