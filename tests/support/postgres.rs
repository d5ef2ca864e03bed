//! A PostgreSQL server with logical decoding on the loopback address, from the installed packages.

use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::process::{Command, Output};

use tempfile::TempDir;

use super::process::Process;
use super::{free_port, secs, wait_until};

/// The name of the superuser and of the database; there is no password.
pub(crate) const USER: &str = "postgres";

/// A server with its own data folder; stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Postgres {
    // Before its folder: the process ends first.
    server: Process,
    _folder: TempDir,
    port: u16,
}

impl Postgres {
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("landfall-postgres-").expect("a folder for the server");
        let data = folder.path().join("data");
        if is_root() {
            let owned = Command::new("chown").arg(USER).arg(folder.path()).status();
            assert!(owned.is_ok_and(|status| status.success()), "there is no user {USER}");
        }
        let mut initdb = program("initdb");
        let made = initdb.args(["--auth=trust", "--no-sync", "--encoding=UTF8", "--locale=C", "-U", USER, "-D"]).arg(&data);
        done(&made.output().expect("initdb"), "initdb");
        let port = free_port();
        let mut server = program("postgres");
        server.arg("-D").arg(&data).args(["-p", &port.to_string()]);
        for setting in [
            "listen_addresses=127.0.0.1",
            "unix_socket_directories=",
            "wal_level=logical",
            "fsync=off",
            "max_connections=20",
            "timezone=UTC",
        ] {
            server.args(["-c", setting]);
        }
        let log = folder.path().join("postgres.log");
        let server = Process::spawn(server.current_dir(folder.path()), &log, folder.path()).expect("postgres");
        let postgres = Self { server, _folder: folder, port };
        wait_until(&format!("the server to answer; log: {}", log.display()), secs(60), || {
            postgres.psql(&["select 1"]).status.success().then_some(())
        });
        postgres
    }

    /// The port on 127.0.0.1.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Runs statements, each in a transaction of its own; what they print.
    pub(crate) fn run(&self, statements: &[&str]) -> String {
        let out = self.psql(statements);
        done(&out, &statements.join("; "));
        String::from_utf8(out.stdout).expect("UTF-8")
    }

    fn psql(&self, statements: &[&str]) -> Output {
        let mut psql = Command::new(bin("psql"));
        psql.args(["-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-h", "127.0.0.1", "-U", USER, "-p", &self.port.to_string()]);
        for statement in statements {
            psql.args(["-c", statement]);
        }
        psql.output().expect("psql")
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its children go with it when it ends in an orderly way.
        self.server.signal("QUIT");
    }
}

fn done(out: &Output, what: &str) {
    assert!(out.status.success(), "{what}: {}", String::from_utf8_lossy(&out.stderr));
}

/// A program of the server. It refuses to run as root.
fn program(name: &str) -> Command {
    if !is_root() {
        return Command::new(bin(name));
    }
    let mut command = Command::new("setpriv");
    command.args(["--reuid", USER, "--regid", USER, "--clear-groups"]).arg(bin(name));
    command
}

fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0)
}

/// Where Debian has the newest version, else the name for the path.
fn bin(name: &str) -> PathBuf {
    let versions = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let newest = versions.map(|version| version.path().join("bin").join(name)).filter(|path| path.exists()).max();
    newest.unwrap_or_else(|| name.into())
}
