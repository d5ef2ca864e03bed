//! A worker whose users need a password, with an admin API of its own.

use std::fs;
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use crate::support::process::Process;
use crate::support::{free_port, secs, wait_until};

const CLASS: &str = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
const MODULE: &str = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
/// A page that may use the API.
const PAGE: &str = "https://console.example";

/// A worker that needs no broker, with a file of users.
struct Guarded {
    process: Process,
    folder: tempfile::TempDir,
    port: u16,
    admin: u16,
}

impl Guarded {
    /// With these properties; `jaas` is the JAAS configuration that Java's options name. `{users}` in both is the file.
    fn start(properties: &str, jaas: Option<&str>) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let at = |name: &str| folder.path().join(name);
        let users = at("users").display().to_string();
        let (port, admin) = (free_port(), free_port());
        fs::write(at("users"), "alice=wonder:land\nbob: builder\n").expect("users");
        let text = format!(
            "bootstrap.servers=127.0.0.1:1
listeners=http://127.0.0.1:{port}
admin.listeners=http://127.0.0.1:{admin}
key.converter=org.apache.kafka.connect.storage.StringConverter
value.converter=org.apache.kafka.connect.storage.StringConverter
offset.storage.file.filename=unused
access.control.allow.origin=https://console\\\\.example
{}
",
            properties.replace("{users}", &users)
        );
        fs::write(at("worker.properties"), text).expect("properties");
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.arg("standalone").arg(at("worker.properties"));
        if let Some(jaas) = jaas {
            fs::write(at("jaas.conf"), jaas.replace("{users}", &users)).expect("a JAAS configuration");
            let options = format!("-Xmx1g -Djava.security.auth.login.config={}", at("jaas.conf").display());
            command.env("KAFKA_OPTS", options);
        }
        let process = Process::spawn(&mut command, &at("worker.log"), folder.path()).expect("the worker's program");
        Self { process, folder, port, admin }
    }

    /// Waits until it ends by itself; what it logged.
    fn refused(mut self) -> String {
        let status = wait_until("the worker to end", secs(60), || self.process.ended());
        assert!(!status.success());
        fs::read_to_string(self.folder.path().join("worker.log")).expect("a log")
    }

    /// What is at `path` for somebody on a page of [`PAGE`]: the status, the body, and whether the page may read it.
    fn get(&self, port: u16, path: &str, user: Option<&str>) -> (u16, Value, bool) {
        let config = ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(secs(20))).build();
        let agent = ureq::Agent::from(config);
        let ask = || {
            let request = agent.get(format!("http://127.0.0.1:{port}{path}")).header("Origin", PAGE);
            let login = user.map(|user| format!("Basic {}", BASE64_STANDARD.encode(user)));
            login.into_iter().fold(request, |request, login| request.header("Authorization", login)).call().ok()
        };
        let mut answer = wait_until("the worker to answer", secs(60), ask);
        let may = answer.headers().get("access-control-allow-origin").is_some_and(|origin| origin == PAGE);
        let body = answer.body_mut().read_json().expect("JSON");
        (answer.status().as_u16(), body, may)
    }
}

#[test]
fn users_need_their_passwords_and_the_admin_api_is_apart() {
    let by_key = format!("rest.extension.classes={CLASS}\nlandfall.basic.auth.file={{users}}");
    let jaas = format!("KafkaConnect {{\n  {MODULE} required\n  file=\"{{users}}\";\n}};\n");
    let by_java = format!("rest.extension.classes={CLASS}");
    for worker in [Guarded::start(&by_key, None), Guarded::start(&by_java, Some(&jaas))] {
        let refused = json!({"error_code": 401, "message": "User cannot access the resource."});
        for user in [None, Some("alice:wonder"), Some("eve:builder")] {
            assert_eq!(worker.get(worker.port, "/connectors", user), (401, refused.clone(), true), "{user:?}");
        }
        for user in ["alice:wonder:land", "bob:builder"] {
            assert_eq!(worker.get(worker.port, "/connectors", Some(user)), (200, json!([]), true), "{user}");
        }
        assert_eq!(worker.get(worker.port, "/admin/loggers", Some("bob:builder")).0, 404);
        let (status, loggers, may) = worker.get(worker.admin, "/admin/loggers", None);
        assert_eq!((status, &loggers["root"]["level"], may), (200, &json!("INFO"), false));
        assert_eq!(worker.get(worker.admin, "/connectors", Some("bob:builder")).0, 404);
    }
}

#[test]
fn a_worker_that_cannot_know_its_users_does_not_start() {
    let class = format!("rest.extension.classes={CLASS}");
    let ldap = "KafkaConnect { com.example.LdapLoginModule required; };";
    for (properties, jaas, expected) in [
        ("rest.extension.classes=com.example.Audit".to_owned(), None, "com.example.Audit cannot be loaded"),
        (class.clone(), None, "needs landfall.basic.auth.file"),
        (class.clone(), Some(ldap), "com.example.LdapLoginModule cannot be loaded here"),
        (format!("{class}\nlandfall.basic.auth.file={{users}}-of-nobody"), None, "users-of-nobody: cannot be read"),
    ] {
        let log = Guarded::start(&properties, jaas).refused();
        assert!(log.contains(expected), "{expected}: {log}");
    }
}
