//! What the HTTP client takes of stores.

use std::sync::Arc;

use ureq::tls::{Certificate, ClientCert, PemItem, PrivateKey, RootCerts, TlsConfig, parse_pem};

use super::Stores;

impl Stores {
    /// The configuration of TLS: what the stores trust, else what the system does, and what they show.
    #[must_use]
    pub fn http(&self) -> TlsConfig {
        let certificate = |der: &rustls::pki_types::CertificateDer<'_>| Certificate::from_der(der).to_owned();
        let roots = self.trusted.as_ref().map_or(RootCerts::PlatformVerifier, |trusted| {
            RootCerts::new_with_certs(&trusted.iter().map(certificate).collect::<Vec<_>>())
        });
        let client = self.identity.as_ref().and_then(|identity| {
            let chain: Vec<_> = identity.chain.iter().map(certificate).collect();
            Some(ClientCert::new_with_certs(&chain, private_key(identity.key_pem().reveal())?))
        });
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        TlsConfig::builder().root_certs(roots).client_cert(client).unversioned_rustls_crypto_provider(provider).build()
    }
}

fn private_key(pem: &str) -> Option<PrivateKey<'static>> {
    parse_pem(pem.as_bytes()).find_map(|item| if let Ok(PemItem::PrivateKey(key)) = item { Some(key) } else { None })
}
