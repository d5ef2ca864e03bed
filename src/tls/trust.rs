//! Whose certificates are trusted: what a trust store has, and what an authority in it has signed, as Java's PKIX trust manager does.

use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{CertificateError, DigitallySignedStruct, DistinguishedName, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

/// Trusts the servers that `trusted` vouches for, or else those that the system does; by any name unless `check_name`
/// (`ssl.endpoint.identification.algorithm`).
///
/// # Errors
/// Nothing in it can be trusted.
pub fn servers(
    trusted: Option<Vec<CertificateDer<'static>>>,
    check_name: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ServerCertVerifier>, String> {
    let inner: Arc<dyn ServerCertVerifier> = match &trusted {
        Some(trusted) => WebPkiServerVerifier::builder_with_provider(roots(trusted), provider.clone())
            .build()
            .map_err(|error| error.to_string())?,
        None => Arc::new(Verifier::new(provider.clone()).map_err(|error| error.to_string())?),
    };
    Ok(Arc::new(Servers { inner, trusted: trusted.unwrap_or_default(), check_name }))
}

/// Trusts the clients that `trusted` vouches for. Those without a certificate are let in unless one is `required`.
///
/// # Errors
/// Nothing in it can be trusted.
pub fn clients(
    trusted: Vec<CertificateDer<'static>>,
    required: bool,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let builder = WebPkiClientVerifier::builder_with_provider(roots(&trusted), provider.clone());
    let builder = if required { builder } else { builder.allow_unauthenticated() };
    Ok(Arc::new(Clients { inner: builder.build().map_err(|error| error.to_string())?, trusted }))
}

fn roots(trusted: &[CertificateDer<'static>]) -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    // What is no certificate of an authority may still be trusted as it is.
    roots.add_parsable_certificates(trusted.iter().cloned());
    Arc::new(roots)
}

/// Whether a chain is no good for reasons that do not matter where its certificate itself is in the store.
fn is_trusted_as_it_is(error: &rustls::Error, certificate: &CertificateDer<'_>, trusted: &[CertificateDer<'static>]) -> bool {
    let of_chain =
        matches!(error, rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::Other(_)));
    of_chain && trusted.iter().any(|trusted| trusted.as_ref() == certificate.as_ref())
}

/// How signatures are looked at is left to the verifier inside.
macro_rules! signatures_by_inner {
    () => {
        fn verify_tls12_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            self.inner.verify_tls12_signature(message, cert, dss)
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            cert: &CertificateDer<'_>,
            dss: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, rustls::Error> {
            self.inner.verify_tls13_signature(message, cert, dss)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            self.inner.supported_verify_schemes()
        }
    };
}

#[derive(Debug)]
struct Servers {
    inner: Arc<dyn ServerCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
    check_name: bool,
}

impl ServerCertVerifier for Servers {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match self.inner.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
            // The name is what is looked at last: all else is in order then.
            Err(rustls::Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if !self.check_name => Ok(ServerCertVerified::assertion()),
            Err(error) if is_trusted_as_it_is(&error, end_entity, &self.trusted) => {
                if self.check_name {
                    let parsed = rustls::server::ParsedCertificate::try_from(end_entity)?;
                    rustls::client::verify_server_name(&parsed, server_name)?;
                }
                Ok(ServerCertVerified::assertion())
            }
            other => other,
        }
    }

    signatures_by_inner!();
}

#[derive(Debug)]
struct Clients {
    inner: Arc<dyn ClientCertVerifier>,
    trusted: Vec<CertificateDer<'static>>,
}

impl ClientCertVerifier for Clients {
    fn offer_client_auth(&self) -> bool {
        self.inner.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, rustls::Error> {
        match self.inner.verify_client_cert(end_entity, intermediates, now) {
            Err(error) if is_trusted_as_it_is(&error, end_entity, &self.trusted) => Ok(ClientCertVerified::assertion()),
            other => other,
        }
    }

    signatures_by_inner!();
}
