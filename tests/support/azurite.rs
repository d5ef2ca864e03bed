//! Azurite, the emulator of Azure Blob Storage.

use std::net::TcpStream;
use std::process::Command;

use tempfile::TempDir;

use super::process::Process;
use super::{cache, free_port, read, secs, wait_until};

/// The emulator's account.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
/// The key of the emulator's account, which is public.
pub(crate) const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A running emulator with its own data; stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Azurite {
    port: u16,
    // Before its folder: the process ends first.
    _process: Process,
    _folder: TempDir,
}

impl Azurite {
    /// Starts one on a free port and waits until it answers.
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("landfall-azurite-").expect("a folder for Azurite");
        let (port, log) = (free_port(), folder.path().join("azurite.log"));
        let mut command = Command::new("node");
        command.arg(cache("npm").join("node_modules/azurite/dist/src/blob/main.js")).args([
            "--blobHost",
            "127.0.0.1",
            "--blobPort",
        ]);
        command
            .arg(port.to_string())
            .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent", "--location"])
            .arg(folder.path());
        let mut process = Process::spawn(&mut command, &log, folder.path()).expect("node");
        wait_until("Azurite to answer", secs(60), || {
            assert!(process.ended().is_none(), "Azurite ended: {}", std::fs::read_to_string(&log).unwrap_or_default());
            TcpStream::connect(("127.0.0.1", port)).ok()
        });
        Self { port, _process: process, _folder: folder }
    }

    /// The URL of its account.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    /// A connection string of its account.
    pub(crate) fn connection_string(&self) -> String {
        format!("DefaultEndpointsProtocol=http;AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};", self.url())
    }

    /// Makes a container.
    pub(crate) fn create_container(&self, name: &str) {
        read::python("blobs.py", &["create", &self.connection_string(), name]);
    }
}
