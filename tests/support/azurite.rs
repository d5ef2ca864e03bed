//! Azurite, the emulator of Azure Blob Storage, with one container.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use super::entra::Authority;
use super::process::Process;
use super::{cache, free_port, read, secs, wait_until};

/// A running emulator with its own data; stopped and removed when dropped.
#[derive(Debug)]
pub(crate) struct Azurite {
    port: u16,
    /// Its certificate and key, if it speaks TLS alone.
    tls: Option<(PathBuf, PathBuf)>,
    // Before its folder: the process ends first.
    process: Option<Process>,
    folder: TempDir,
}

impl Azurite {
    /// Starts an emulator and creates the container.
    pub(crate) fn start() -> Self {
        let folder = TempDir::with_prefix("landfall-azurite-").expect("a folder for Azurite");
        let mut azurite = Self { port: free_port(), tls: None, process: None, folder };
        azurite.start_again();
        read::python("blobs.py", &["create", &azurite.connection_string(), azurite.container()]);
        azurite
    }

    /// Starts an emulator that speaks TLS with a certificate of `authority`, and takes tokens of Entra ID: of their claims it checks the
    /// issuer, the audience and the time. It has no container.
    pub(crate) fn secured(authority: &Authority) -> Self {
        let folder = TempDir::with_prefix("landfall-azurite-").expect("a folder for Azurite");
        let tls = Some(authority.server("azurite", "IP:127.0.0.1"));
        let mut azurite = Self { port: free_port(), tls, process: None, folder };
        azurite.start_again();
        azurite
    }

    /// Takes it away; its port and its data are kept.
    pub(crate) fn stop(&mut self) {
        self.process.take().expect("a running emulator").terminate(secs(20));
    }

    /// Starts an emulator that is not running, on the same port and data.
    pub(crate) fn start_again(&mut self) {
        let folder = self.folder.path();
        let mut command = Command::new("node");
        command
            .arg(cache("npm").join("node_modules/azurite/dist/src/blob/main.js"))
            .args(["--blobHost", "127.0.0.1", "--blobPort", &self.port.to_string()])
            .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent", "--location"])
            .arg(folder);
        if let Some((certificate, key)) = &self.tls {
            command.args(["--oauth", "basic", "--cert"]).arg(certificate).arg("--key").arg(key);
        }
        self.process = Some(Process::spawn(&mut command, &folder.join("azurite.log"), folder).expect("node"));
        wait_until("Azurite to answer", secs(60), || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok());
    }

    pub(crate) fn account_name(&self) -> &'static str {
        "devstoreaccount1"
    }

    /// The emulator's well-known key.
    pub(crate) fn account_key(&self) -> &'static str {
        "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw=="
    }

    pub(crate) fn blob_endpoint(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        format!("{scheme}://127.0.0.1:{}/{}", self.port, self.account_name())
    }

    pub(crate) fn connection_string(&self) -> String {
        let (name, key) = (self.account_name(), self.account_key());
        format!("DefaultEndpointsProtocol=http;AccountName={name};AccountKey={key};BlobEndpoint={};", self.blob_endpoint())
    }

    pub(crate) fn container(&self) -> &'static str {
        "lake"
    }
}
