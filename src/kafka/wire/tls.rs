//! TLS by rustls, with the stores, else with the certificates that the system trusts.

use std::fmt;
use std::io;
use std::sync::Arc;

use landfall_api::Faults;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedCipherSuite};
use rustls_platform_verifier::Verifier;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use super::{Address, WireError};
use crate::kafka::security;

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
        let verifier = verifier(tls, &provider, faults)?;
        let mut versions = Vec::new();
        if tls.tls_1_3 {
            versions.push(&rustls::version::TLS13);
        }
        if tls.tls_1_2 {
            versions.push(&rustls::version::TLS12);
        }
        let built = ClientConfig::builder_with_provider(provider).with_protocol_versions(&versions).and_then(|builder| {
            let builder = builder.dangerous().with_custom_certificate_verifier(verifier);
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

fn verifier(
    tls: &security::tls::Tls,
    provider: &Arc<CryptoProvider>,
    faults: &mut Faults,
) -> Option<Arc<dyn ServerCertVerifier>> {
    const KEY: &str = "ssl.truststore.location";
    let built = match &tls.stores.trusted {
        Some(trusted) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(trusted.iter().cloned());
            let built = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(provider)).build();
            built.map(|verifier| verifier as Arc<dyn ServerCertVerifier>).map_err(|error| error.to_string())
        }
        None => match Verifier::new(Arc::clone(provider)) {
            Ok(verifier) => Ok(Arc::new(verifier) as Arc<dyn ServerCertVerifier>),
            Err(error) => Err(error.to_string()),
        },
    };
    let inner = built.map_err(|error| faults.push(KEY, format!("{KEY}: no certificate can be trusted: {error}"))).ok()?;
    if tls.check_name { Some(inner) } else { Some(Arc::new(AnyName(inner))) }
}

/// Trusts whom the inner one trusts, whatever name they go by (`ssl.endpoint.identification.algorithm` is empty).
#[derive(Debug)]
struct AnyName(Arc<dyn ServerCertVerifier>);

impl ServerCertVerifier for AnyName {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        // The name is what is looked at last: all else is in order then.
        match self.0.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) => Ok(ServerCertVerified::assertion()),
            other => other,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
