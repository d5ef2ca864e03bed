//! Child processes that never outlive the test binary, however it ends.

use std::io;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::wait_until;

/// A running child. Dropping it kills the child; so does the end of this process, even by a signal that nobody can handle.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    guard: Child,
}

impl Process {
    /// Starts `command` with its standard output and error appended to the file `log`.
    pub(crate) fn spawn(command: &mut Command, log: &Path) -> io::Result<Self> {
        let out = std::fs::File::options().create(true).append(true).open(log)?;
        let child = command.stdin(Stdio::null()).stdout(out.try_clone()?).stderr(out).spawn()?;
        // The guard waits for the end of its input, which comes when this process lets go of the pipe or is no more.
        let guard = Command::new("sh")
            .args(["-c", "trap '' HUP INT TERM; read -r _; kill -KILL $0", &child.id().to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()?;
        Ok(Self { child, guard })
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
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("status of a live process");
        let peak = status.lines().find_map(|l| l.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB")?.parse::<f64>().ok());
        peak.expect("VmHWM") / 1024.0
    }

    /// User and system time that the process has used since its start, in seconds.
    pub(crate) fn cpu_seconds(&self) -> f64 {
        // proc_pid_stat(5): after the name in parentheses, utime and stime are the 12th and 13th, in hundredths of a second.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("stat of a live process");
        let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        fields.skip(11).take(2).map(|ticks| ticks.parse::<f64>().expect("ticks") / 100.0).sum()
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
    }
}
