//! Azurite, the emulator of Azure Blob Storage, with one container.

use std::process::Command;

use tempfile::TempDir;

use super::process::Process;
use super::{cache, free_port, read, secs, wait_until};

/// A running emulator with its own data; stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Azurite {
    port: u16,
    // Before its folder: the process ends first.
    _process: Process,
    _folder: TempDir,
}

impl Azurite {
    /// Starts an emulator and creates the container.
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
        let process = Process::spawn(&mut command, &log, folder.path()).expect("node");
        wait_until("Azurite to answer", secs(60), || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let azurite = Self { port, _process: process, _folder: folder };
        read::python("blobs.py", &["create", &azurite.connection_string(), azurite.container()]);
        azurite
    }

    pub(crate) fn account_name(&self) -> &'static str {
        "devstoreaccount1"
    }

    /// The emulator's well-known key.
    pub(crate) fn account_key(&self) -> &'static str {
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    }

    pub(crate) fn blob_endpoint(&self) -> String {
        format!("http://127.0.0.1:{}/{}", self.port, self.account_name())
    }

    pub(crate) fn connection_string(&self) -> String {
        let (name, key) = (self.account_name(), self.account_key());
        format!("DefaultEndpointsProtocol=http;AccountName={name};AccountKey={key};BlobEndpoint={};", self.blob_endpoint())
    }

    pub(crate) fn container(&self) -> &'static str {
        "lake"
    }
}
