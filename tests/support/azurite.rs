//! A real Azurite, started for a test and stopped with it.

use std::net::{TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use landfall_adls::credential::Credential;
use landfall_adls::storage::AzureStorage;

/// The emulator's account.
pub(crate) const ACCOUNT: &str = "devstoreaccount1";
/// The key of the emulator's account, which is public.
pub(crate) const KEY: &str = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

/// A shared access signature for reading, writing and listing what is in the emulator's account, until 2099. It is Python's:
/// `base64(hmac_sha256(b64decode(KEY), "devstoreaccount1\nrwcl\nb\nco\n\n2099-01-01T00:00:00Z\n\n\n2021-06-08\n\n"))`
pub(crate) const SAS: &str =
    "sv=2021-06-08&ss=b&srt=co&sp=rwcl&se=2099-01-01T00%3A00%3A00Z&sig=t5wthJwI9TsehvKQKqntLz4%2BZjP1V2bfdmG%2F8guIxN0%3D";

/// A running Azurite with nothing in it.
#[derive(Debug)]
pub(crate) struct Azurite {
    process: Child,
    port: u16,
    _place: tempfile::TempDir,
}

impl Azurite {
    /// Starts one on a free port and waits until it answers.
    ///
    /// # Panics
    /// It is not installed (`make setup` does that) or does not come up.
    pub(crate) fn start() -> Self {
        let program = npm().join("node_modules/.bin/azurite-blob");
        assert!(program.exists(), "{} is missing: run `make setup`", program.display());
        let place = tempfile::tempdir().expect("a directory");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a free port").port();
        let process = Command::new(program)
            .args(["--blobHost", "127.0.0.1", "--blobPort", &port.to_string()])
            .args(["--skipApiVersionCheck", "--disableTelemetry", "--silent", "--location"])
            .arg(place.path())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .expect("azurite starts");
        let mut azurite = Self { process, port, _place: place };
        let until = Instant::now() + Duration::from_secs(60);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "azurite does not answer on port {port}");
            assert!(azurite.process.try_wait().expect("asked").is_none(), "azurite ended");
            std::thread::sleep(Duration::from_millis(50));
        }
        azurite
    }

    /// The URL of its account.
    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/{ACCOUNT}", self.port)
    }

    /// The port on which it listens.
    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// A connection string of its account.
    pub(crate) fn connection_string(&self) -> String {
        format!("AccountName={ACCOUNT};AccountKey={KEY};BlobEndpoint={};", self.url())
    }

    /// Makes `container`.
    pub(crate) fn create_container(&self, container: &str) {
        let url = format!("{}/{container}?restype=container&{SAS}", self.url());
        ureq::put(url).send_empty().expect("a container is made");
    }

    /// `container` as a store.
    pub(crate) fn storage(&self, container: &str, credential: Credential) -> AzureStorage {
        AzureStorage::new(format!("{}/{container}", self.url()).parse().expect("a URL"), credential)
    }
}

impl Drop for Azurite {
    fn drop(&mut self) {
        // Its group: the program that npm installs starts another one.
        let _ = Command::new("kill").args(["-KILL", "--", &format!("-{}", self.process.id())]).status();
        let _ = self.process.wait();
    }
}

/// Where `make setup` installs npm packages.
fn npm() -> PathBuf {
    let cache = std::env::var_os("LANDFALL_TEST_CACHE").map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").expect("HOME is set")).join(".cache/landfall");
    cache.unwrap_or_else(home).join("npm")
}
