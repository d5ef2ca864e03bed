//! Certificates of a test, made by OpenSSL, and stores of them, made by keytool.

use std::fs;
use std::process::Command;

use tempfile::TempDir;

/// An authority, the broker's certificate (for 127.0.0.1), another broker's (for another name), a client's; and an authority that has
/// signed nothing. For each of them `<name>.pem`, `<name>.key` and both in `<name>.store`.
pub(crate) struct Certificates(TempDir);

impl Certificates {
    pub(crate) fn make() -> Self {
        let made = Self(TempDir::with_prefix("landfall-certificates-").expect("a folder"));
        made.openssl("authority", &["-subj", "/CN=authority"]);
        made.openssl("stranger", &["-subj", "/CN=stranger"]);
        for (name, names) in [("broker", "IP:127.0.0.1"), ("other", "DNS:broker.example"), ("client", "DNS:client.example")] {
            let (subject, names) = (format!("/CN={name}"), format!("subjectAltName={names}"));
            let signed = ["-CA", "authority.pem", "-CAkey", "authority.key", "-addext", "basicConstraints=critical,CA:FALSE"];
            made.openssl(name, &[&["-subj", subject.as_str(), "-addext", names.as_str()], signed.as_slice()].concat());
            // Java wants the key and the certificates in one file.
            let both = made.read(&format!("{name}.key")) + &made.read(&format!("{name}.pem"));
            fs::write(made.path(&format!("{name}.store")), both).expect("a store");
        }
        made
    }

    /// The key of a certificate, encrypted with a password.
    pub(crate) fn encrypted(&self, name: &str, password: &str) -> String {
        let key = format!("{name}.key");
        self.run("openssl", &["pkcs8", "-topk8", "-in", &key, "-passout", &format!("pass:{password}")])
    }

    /// A truststore of keytool's with one certificate, and its path.
    pub(crate) fn trusting(&self, name: &str, kind: &str, password: &str) -> String {
        let (store, pem) = (format!("trust-{name}.{kind}"), format!("{name}.pem"));
        let import = ["-importcert", "-noprompt", "-alias", name, "-file", &pem, "-storetype", kind, "-keystore", &store];
        self.run("keytool", &[&import[..], &["-storepass", password]].concat());
        self.path(&store)
    }

    /// A key store of keytool's with a certificate, the authority's, and the key, and its path.
    pub(crate) fn showing(&self, name: &str, kind: &str, password: &str) -> String {
        let (store, between) = (format!("{name}.{kind}"), format!("{name}-{kind}.openssl"));
        let (both, pass) = (format!("{name}.store"), format!("pass:{password}"));
        let export = ["pkcs12", "-export", "-name", name, "-in", &both, "-certfile", "authority.pem", "-out", &between];
        self.run("openssl", &[&export[..], &["-passout", &pass]].concat());
        let import =
            ["-importkeystore", "-noprompt", "-srckeystore", &between, "-srcstoretype", "PKCS12", "-srcstorepass", password];
        let into = ["-destkeystore", &store, "-deststoretype", kind, "-deststorepass", password];
        self.run("keytool", &[&import[..], &into].concat());
        self.path(&store)
    }

    fn openssl(&self, name: &str, arguments: &[&str]) {
        let (key, pem) = (format!("{name}.key"), format!("{name}.pem"));
        let new = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
        self.run("openssl", &[&new[..], &["-keyout", &key, "-out", &pem], arguments].concat());
    }

    fn run(&self, program: &str, arguments: &[&str]) -> String {
        let made = Command::new(program).args(arguments).current_dir(self.0.path()).output().expect(program);
        assert!(made.status.success(), "{arguments:?}: {made:?}");
        String::from_utf8(made.stdout).expect("text")
    }

    pub(crate) fn path(&self, file: &str) -> String {
        self.0.path().join(file).display().to_string()
    }

    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path(file)).expect("a file")
    }

    /// What a broker needs to show the certificate `name`, and to ask clients for theirs as `client_auth` says.
    pub(crate) fn of_broker(&self, name: &str, client_auth: &str) -> Vec<(&'static str, String)> {
        let own = |key, value: &str| (key, value.to_owned());
        vec![
            own("ssl.keystore.type", "PEM"),
            own("ssl.keystore.location", &self.path(&format!("{name}.store"))),
            own("ssl.truststore.type", "PEM"),
            own("ssl.truststore.location", &self.path("authority.pem")),
            own("ssl.client.auth", client_auth),
        ]
    }
}
