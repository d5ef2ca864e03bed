//! PEM: texts of sections in base64, as RFC 7468 has them.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::CertificateDer;

/// A section of a PEM text.
pub(super) struct Section {
    /// As `CERTIFICATE`.
    pub(super) label: String,
    /// What it holds; empty if that is encrypted in the old way, with headers.
    pub(super) der: Vec<u8>,
}

/// The sections of a PEM text; None if one of them is broken. Line ends do not matter, so that it may stand in a file of properties,
/// as in Java.
pub(super) fn sections(pem: &str) -> Option<Vec<Section>> {
    let mut sections = Vec::new();
    let mut rest = pem;
    while let Some((_, after)) = rest.split_once("-----BEGIN ") {
        let (label, after) = after.split_once("-----")?;
        let (body, after) = after.split_once(&format!("-----END {label}-----"))?;
        let body: String = body.chars().filter(|c| !c.is_whitespace()).collect();
        let der = if body.starts_with("Proc-Type:") { Vec::new() } else { STANDARD.decode(body).ok()? };
        sections.push(Section { label: label.to_owned(), der });
        rest = after;
    }
    Some(sections)
}

/// The certificates among sections.
pub(super) fn certificates(sections: &[Section]) -> Vec<CertificateDer<'static>> {
    let is_certificate = |section: &&Section| matches!(section.label.as_str(), "CERTIFICATE" | "X509 CERTIFICATE");
    sections.iter().filter(is_certificate).map(|section| CertificateDer::from(section.der.clone())).collect()
}

/// A section as text, with a line end after it.
pub(super) fn encode(label: &str, der: &[u8]) -> String {
    const LINE: usize = 64;
    let body = STANDARD.encode(der);
    let mut text = format!("-----BEGIN {label}-----\n");
    let mut rest = body.as_str();
    while !rest.is_empty() {
        let (line, after) = rest.split_at(LINE.min(rest.len()));
        text.push_str(line);
        text.push('\n');
        rest = after;
    }
    text.push_str(&format!("-----END {label}-----\n"));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pem_may_stand_in_one_line() {
        let pem = "x\n-----BEGIN CERTIFICATE-----\nAQ\n ID\n-----END CERTIFICATE-----\n-----BEGIN PRIVATE KEY----- BA== -----END PRIVATE KEY-----";
        let all = |pem: &str| sections(pem).map(|all| all.into_iter().map(|s| (s.label, s.der)).collect::<Vec<_>>());
        let expected = vec![("CERTIFICATE".to_owned(), vec![1, 2, 3]), ("PRIVATE KEY".to_owned(), vec![4])];
        assert_eq!(all(pem), Some(expected));
        assert_eq!(all("none"), Some(Vec::new()));
        assert_eq!(all(&pem.replace("BA==", "B!")), None);
        assert_eq!(all(&pem.replace("END PRIVATE", "END PUBLIC")), None);
    }

    #[test]
    fn what_is_written_is_read() {
        for length in [0, 1, 47, 48, 49, 1000] {
            let der = vec![0xA5; length];
            let text = encode("CERTIFICATE", &der);
            assert!(text.lines().all(|line| line.len() <= 64));
            assert_eq!(sections(&text).expect("PEM")[0].der, der);
        }
    }
}
