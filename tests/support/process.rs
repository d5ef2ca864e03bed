//! Child processes that never outlive the test binary, however it ends.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::{secrets, wait_until};

/// A running child. Dropping it kills the child; so does the end of this process, even by a signal that nobody can handle.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    guard: Child,
    /// What it prints, if that is to be looked through for secrets.
    log: Option<PathBuf>,
}

impl Process {
    /// Starts `command` with its standard output and error appended to the file `log`. `folder` is what it works in: it is removed when
    /// this process ends without dropping the child.
    pub(crate) fn spawn(command: &mut Command, log: &Path, folder: &Path) -> io::Result<Self> {
        let out = File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?;
        // The guard waits for the end of its input, which comes when this process lets go of the pipe or is no more.
        let guard = Command::new("sh")
            .args(["-c", "trap '' HUP INT TERM; read -r _; kill -KILL $0; sleep 0.2; rm -rf -- \"$1\"", &child.id().to_string()])
            .arg(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, guard, log: secrets::is_ours(command).then(|| log.to_owned()) })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal by its name without `SIG`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("sh").args(["-c", &format!("kill -{name} {}", self.pid())]).status();
        assert!(sent.is_ok_and(|s| s.success()), "no process {} to send SIG{name} to", self.pid());
    }

    /// The exit status, once the child has ended.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("wait for a child")
    }

    /// Kills the child at once (SIGKILL) and waits for its end.
    pub(crate) fn kill(mut self) {
        self.end();
    }

    /// Asks the child to stop (SIGTERM) and waits for its end.
    pub(crate) fn terminate(mut self, patience: Duration) -> ExitStatus {
        self.signal("TERM");
        wait_until(&format!("the end of process {}", self.pid()), patience, || self.ended())
    }

    /// The most resident memory that the process has had so far, in megabytes (2^20 bytes).
    pub(crate) fn peak_rss_mb(&self) -> f64 {
        memory_mb(&self.pid().to_string(), "VmHWM")
    }

    /// User and system time that the process has used since its start, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        cpu_seconds(&self.pid().to_string())
    }

    fn end(&mut self) {
        // Both may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = self.guard.kill();
        let _ = self.guard.wait();
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.end();
        if let Some(log) = &self.log {
            secrets::check_log(log);
        }
    }
}

/// A figure of a process's memory by its name in proc_pid_status(5), in megabytes; `pid` may be `self`.
pub(crate) fn memory_mb(pid: &str, figure: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("status of a live process");
    let kilobytes = |line: &str| line.strip_prefix(figure)?.strip_prefix(':')?.trim().strip_suffix(" kB")?.parse::<f64>().ok();
    status.lines().find_map(kilobytes).expect("a figure of memory") / 1024.0
}

/// User and system time that a process has used, in seconds; `pid` may be `self`.
pub(crate) fn cpu_seconds(pid: &str) -> f64 {
    ticks(&fs::read_to_string(format!("/proc/{pid}/stat")).expect("stat of a live process"))
}

/// What a `stat` of a process or a thread counts, in seconds. proc_pid_stat(5): after the name in parentheses, utime and stime are the 12th and 13th, in hundredths of a second.
pub(crate) fn ticks(stat: &str) -> f64 {
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks") / 100.0).sum()
}
