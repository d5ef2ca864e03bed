//! TLS by rustls, with the stores, else with the certificates that the system trusts.

use std::fmt;
use std::io;
use std::sync::Arc;

use landfall_api::Faults;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, SupportedCipherSuite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Address, WireError};
use crate::kafka::security;
use crate::tls::trust;

const TRUST_STORE: &str = "ssl.truststore.location";

/// How connections are encrypted.
#[derive(Clone)]
pub(super) struct Tls(TlsConnector);

impl fmt::Debug for Tls {
    /// Without keys.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

impl Tls {
    /// What `tls` says, for rustls.
    pub(super) fn new(tls: &security::tls::Tls, faults: &mut Faults) -> Option<Self> {
        let provider = provider(tls);
        let servers = trust::servers(tls.stores.trusted.clone(), tls.check_name, &provider);
        let untrusted = |error| faults.push(TRUST_STORE, format!("{TRUST_STORE}: no certificate can be trusted: {error}"));
        let servers = servers.map_err(untrusted).ok()?;
        let mut versions = Vec::new();
        if tls.tls_1_3 {
            versions.push(&rustls::version::TLS13);
        }
        if tls.tls_1_2 {
            versions.push(&rustls::version::TLS12);
        }
        let built = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).and_then(|builder| {
            let builder = builder.dangerous().with_custom_certificate_verifier(servers);
            match tls.stores.identity.clone() {
                Some(identity) => builder.with_client_auth_cert(identity.chain, identity.key),
                None => Ok(builder.with_no_client_auth()),
            }
        });
        match built {
            Ok(config) => Some(Self(TlsConnector::from(Arc::new(config)))),
            Err(error) => {
                let key = "ssl.keystore.key";
                faults.push(key, format!("{key}: the client's key and certificate cannot be used: {error}"));
                None
            }
        }
    }

    /// Agrees on TLS over a connection.
    pub(super) async fn wrap(&self, address: &Address, stream: TcpStream) -> Result<TlsStream<TcpStream>, WireError> {
        let name = ServerName::try_from(address.host.clone());
        let name = name.map_err(|_| WireError::Tls(address.clone(), "the host is no name that a certificate can have".into()))?;
        self.0.connect(name, stream).await.map_err(|error| match error.kind() {
            io::ErrorKind::InvalidData => WireError::Tls(address.clone(), format!("TLS: {error}")),
            _ => WireError::Io(address.clone(), error),
        })
    }
}

/// The ciphers of rustls, or those of them that are wanted.
fn provider(tls: &security::tls::Tls) -> Arc<CryptoProvider> {
    let mut provider = rustls::crypto::aws_lc_rs::default_provider();
    if let Some(suites) = &tls.suites {
        // rustls calls those of TLS 1.3 TLS13_…
        let name = |suite: &SupportedCipherSuite| format!("{:?}", suite.suite()).replacen("TLS13_", "TLS_", 1);
        provider.cipher_suites.retain(|known| suites.iter().any(|wanted| wanted.name == name(known)));
    }
    Arc::new(provider)
}
