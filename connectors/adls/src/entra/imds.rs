//! The instance metadata service, which gives managed identities their tokens: where it is, and whether it is there at all.

use std::sync::Arc;
use std::time::Duration;

use azure_core::http::{AsyncRawResponse, HttpClient, Request, Url};
use tokio::net::TcpStream;
use tokio::time::timeout;

/// Where every virtual machine has it.
const WELL_KNOWN: &str = "http://169.254.169.254";
/// How long it may take to accept a connection, in a chain of credentials: it is a hop away, or not there.
const PROBE: Duration = Duration::from_secs(1);

/// Its usual place.
pub(super) fn default_host() -> String {
    WELL_KNOWN.to_owned()
}

/// Sends what is meant for the well-known address to `host` instead. The library of the credential knows only that address.
#[derive(Debug)]
pub(super) struct Redirect {
    pub(super) client: Arc<dyn HttpClient>,
    pub(super) host: Url,
}

#[async_trait::async_trait]
impl HttpClient for Redirect {
    async fn execute_request(&self, request: &Request) -> azure_core::Result<AsyncRawResponse> {
        if request.url().host_str() != Some("169.254.169.254") {
            return self.client.execute_request(request).await;
        }
        let mut request = request.clone();
        let mut url = self.host.clone();
        url.set_path(request.url().path());
        url.set_query(request.url().query());
        *request.url_mut() = url;
        self.client.execute_request(&request).await
    }
}

/// Why it does not answer at `host`, if it does not.
pub(super) async fn absent(host: &str) -> Option<String> {
    let url = Url::parse(host).ok()?;
    let address = (url.host_str()?.trim_matches(['[', ']']).to_owned(), url.port_or_known_default()?);
    match timeout(PROBE, TcpStream::connect(address)).await {
        Ok(Ok(_)) => None,
        Ok(Err(e)) => Some(format!("there is no instance metadata service at {host}: {e}")),
        Err(_) => Some(format!("there is no instance metadata service at {host}: no answer")),
    }
}
