//! The HTTP client under storage and tokens: it sends a request once and takes the answer as it is.

use std::error::Error;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use azure_core::http::Transport;
use landfall_api::{Faults, Password, Properties};
use reqwest::{Certificate, Client, NoProxy};

use crate::entra::keys;

/// How long a connection may take to come up.
const CONNECT: Duration = Duration::from_secs(20);

/// The way that requests take.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Net {
    /// The proxy, if not that of the environment.
    pub(crate) proxy: Option<Proxy>,
    /// Certificates of authorities that are trusted beside those of this machine.
    pub(crate) ca_file: Option<PathBuf>,
}

impl Net {
    /// What the keys `landfall.azure.proxy`, `landfall.azure.ca.file` and their like in `given` say. Does no I/O. None after a fault.
    pub fn read(given: &Properties, faults: &mut Faults) -> Option<Self> {
        keys::net(given, faults)
    }
}

/// A proxy of HTTP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Proxy {
    /// `http://<host>:<port>`; empty for none at all.
    pub(crate) url: String,
    /// A user and the password.
    pub(crate) login: Option<(String, Password)>,
    /// Hosts that are reached without it.
    pub(crate) no_proxy: String,
}

impl Proxy {
    /// No proxy, whatever the environment says.
    pub(crate) fn none() -> Self {
        Self { url: String::new(), login: None, no_proxy: String::new() }
    }
}

/// A new client as Azure's clients take it.
pub(crate) fn transport(net: &Net) -> Result<Transport, String> {
    Ok(Transport::new(Arc::new(client(net)?)))
}

/// A new client. The SDK's own would panic on a machine without root certificates, and may send a request again.
pub(crate) fn client(net: &Net) -> Result<Client, String> {
    let mut client = Client::builder()
        .connect_timeout(CONNECT)
        .redirect(reqwest::redirect::Policy::none())
        .retry(reqwest::retry::never())
        .no_gzip()
        .no_deflate();
    match &net.proxy {
        Some(proxy) if proxy.url.is_empty() => client = client.no_proxy(),
        Some(proxy) => {
            let made = reqwest::Proxy::all(&proxy.url).map_err(|_| format!("{:?} is no URL of a proxy", proxy.url))?;
            let made = made.no_proxy(NoProxy::from_string(&proxy.no_proxy));
            let login = proxy.login.iter();
            client = client.proxy(login.fold(made, |made, (user, password)| made.basic_auth(user, password.reveal())));
        }
        None => {}
    }
    if let Some(file) = &net.ca_file {
        let named = |why: String| format!("landfall.azure.ca.file={} {why}", file.display());
        let pem = fs::read(file).map_err(|e| named(format!("cannot be read: {e}")))?;
        match Certificate::from_pem_bundle(&pem) {
            Ok(certificates) if !certificates.is_empty() => client = client.tls_certs_merge(certificates),
            _ => return Err(named("has no certificate in PEM".into())),
        }
    }
    client.build().map_err(|e| format!("no HTTPS client can be made, perhaps for want of ca-certificates: {}", innermost(&e)))
}

/// The cause at the bottom. Those above it quote URLs, and with them signatures.
pub(crate) fn innermost(error: &dyn Error) -> String {
    let mut cause = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    let text = cause.to_string();
    let line = text.lines().next().unwrap_or_default();
    if line.contains("sig=") { "the connection failed".into() } else { line.to_owned() }
}
