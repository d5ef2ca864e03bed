//! `org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension` (Kafka 4.3.1): users with passwords.
//!
//! They are in a file of lines `name=password`, Java's `PropertyFileLoginModule`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use aws_lc_rs::constant_time::verify_slices_are_equal;
use aws_lc_rs::digest::{Digest, SHA256, digest};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;

use crate::config::{PropertiesFile, WorkerKeys, java_property};

/// The class.
pub const BASIC_AUTH: &str = "org.apache.kafka.connect.rest.basic.auth.extension.BasicAuthSecurityRestExtension";
/// The one login module that there is.
const MODULE: &str = "org.apache.kafka.connect.rest.basic.auth.extension.PropertyFileLoginModule";
/// The entry of a JAAS configuration that is for the REST API.
const ENTRY: &str = "KafkaConnect";
/// The system property that names a JAAS configuration.
const JAAS: &str = "java.security.auth.login.config";
/// The key that names the users' file.
const FILE: &str = "landfall.basic.auth.file";

/// Users, and what tells whether a password is theirs: its digest, as nobody needs the password itself.
pub(super) struct Users {
    by_name: BTreeMap<String, Digest>,
    /// Whether an empty file lets everybody in, as it does in Java.
    empty_is_open: bool,
}

impl Users {
    /// Those of the file that the worker's properties name, as it is now.
    ///
    /// # Errors
    /// Nothing names a file, or it cannot be read.
    pub(super) fn of(keys: &WorkerKeys, empty_is_open: bool) -> Result<Self, String> {
        let file = match (&keys.basic_auth_file, java_property(JAAS)) {
            (Some(file), _) => PathBuf::from(file),
            (None, Some(jaas)) => users_file(Path::new(&jaas))?,
            (None, None) => return Err(format!("{BASIC_AUTH} needs {FILE}, or -D{JAAS}=… in KAFKA_OPTS")),
        };
        Self::read(&file, empty_is_open)
    }

    fn read(file: &Path, empty_is_open: bool) -> Result<Self, String> {
        let users = PropertiesFile::read(file).map_err(|e| format!("{FILE}: {e}"))?.properties;
        if users.is_empty() {
            let what = if empty_is_open { "all requests will be permitted" } else { "nobody has a password" };
            tracing::warn!("the file of users {} is empty; {what}", file.display());
        }
        let by_name = users.into_iter().map(|(name, password)| (name, digest(&SHA256, password.as_bytes()))).collect();
        Ok(Self { by_name, empty_is_open })
    }

    /// Whether nobody needs a password.
    pub(super) fn lets_everybody_in(&self) -> bool {
        self.empty_is_open && self.by_name.is_empty()
    }

    /// The user whose name and password are in the credentials of an `Authorization: Basic`. Takes a time that says nothing of where a
    /// password differs, or whether there is such a user.
    pub(super) fn name_of(&self, encoded: &str) -> Option<String> {
        let text = String::from_utf8(BASE64_STANDARD.decode(encoded.trim()).ok()?).ok()?;
        let (name, password) = text.split_once(':')?;
        let given = digest(&SHA256, password.as_bytes());
        let known = self.by_name.get(name);
        let nobodys = digest(&SHA256, &[]);
        let same = verify_slices_are_equal(known.unwrap_or(&nobodys).as_ref(), given.as_ref()).is_ok();
        (same && known.is_some() && !name.is_empty()).then(|| name.to_owned())
    }
}

/// The file of users that a JAAS configuration names.
fn users_file(jaas: &Path) -> Result<PathBuf, String> {
    let at = |why: &str| format!("{JAAS}: {}: {why}", jaas.display());
    let text = std::fs::read_to_string(jaas).map_err(|e| at(&format!("cannot be read: {e}")))?;
    users_in(&text).map(PathBuf::from).map_err(|why| at(&why))
}

/// What the one login module of the entry says: `KafkaConnect { <class> required file="…"; };`.
fn users_in(jaas: &str) -> Result<String, String> {
    let tokens = tokens(jaas);
    let mut tokens = tokens.iter().map(String::as_str);
    let expected = || format!("expected {ENTRY} {{ {MODULE} required file=\"…\"; }};");
    loop {
        let name = tokens.next().ok_or_else(|| format!("no entry {ENTRY}: {}", expected()))?;
        if tokens.next() != Some("{") {
            return Err(expected());
        }
        let body: Vec<&str> = tokens.by_ref().take_while(|token| *token != "}").collect();
        tokens.next().filter(|token| *token == ";").ok_or_else(expected)?;
        if name != ENTRY {
            continue;
        }
        let modules = body.iter().filter(|token| **token == ";").count();
        return match body.as_slice() {
            [class, ..] if *class != MODULE => Err(format!("{class} cannot be loaded here: {}", expected())),
            [_, _, options @ .., ";"] if modules == 1 => {
                let file = options.windows(3).find(|option| option[0] == "file" && option[1] == "=").map(|option| option[2]);
                file.map(|file| file.trim_matches('"').to_owned()).filter(|file| !file.is_empty()).ok_or_else(expected)
            }
            _ => Err(expected()),
        };
    }
}

/// Words, quoted texts with their quotes, and signs of a JAAS configuration, without its comments.
fn tokens(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if let Some(comment) = rest.strip_prefix("/*") {
            rest = comment.split_once("*/").map_or("", |(_, after)| after).trim_start();
            continue;
        } else if rest.starts_with("//") {
            rest = rest.split_once('\n').map_or("", |(_, after)| after).trim_start();
            continue;
        } else if first == '"' {
            rest[1..].find('"').map_or(rest.len(), |end| end + 2)
        } else if "{};=".contains(first) {
            1
        } else {
            rest.find(|c: char| c.is_whitespace() || "{};=\"".contains(c)).unwrap_or(rest.len())
        };
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    tokens
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_are_known_by_name_and_password() {
        let users = [("user", "pass:word"), ("other", "")];
        let by_name = users.map(|(name, password)| (name.to_owned(), digest(&SHA256, password.as_bytes()))).into();
        let users = Users { by_name, empty_is_open: true };
        let of = |text: &str| users.name_of(&BASE64_STANDARD.encode(text));
        assert_eq!((of("user:pass:word").as_deref(), of("other:").as_deref()), (Some("user"), Some("other")));
        for bad in ["user:pass", "user", ":pass:word", "nobody:pass:word", "nobody:", ""] {
            assert_eq!(of(bad), None, "{bad}");
        }
        assert_eq!(users.name_of("!!!"), None);
        assert!(!users.lets_everybody_in());
    }

    #[test]
    fn a_jaas_configuration_names_the_file() {
        let module = format!("{MODULE} required\n  file=\"/mnt/users\"");
        for good in [
            format!("KafkaConnect {{ {module}; }};"),
            format!("// the API\nOther {{ a.B optional x=y; }};\nKafkaConnect{{/* {{ */{module} debug=true;}};"),
            format!("KafkaConnect {{ {MODULE} required file = /mnt/users ; }};"),
        ] {
            assert_eq!(users_in(&good), Ok("/mnt/users".to_owned()), "{good}");
        }
        for (bad, expected) in [
            ("".to_owned(), "no entry KafkaConnect"),
            ("Other { a.B required; };".to_owned(), "no entry KafkaConnect"),
            ("KafkaConnect { com.example.Ldap required; };".to_owned(), "com.example.Ldap cannot be loaded here"),
            (format!("KafkaConnect {{ {MODULE} required; }};"), "expected KafkaConnect {"),
            (format!("KafkaConnect {{ {module}; {module}; }};"), "expected KafkaConnect {"),
            (format!("KafkaConnect {{ {module}; }}"), "expected KafkaConnect {"),
        ] {
            let why = users_in(&bad).expect_err(&bad);
            assert!(why.starts_with(expected), "{why}");
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_is_named_without_its_text() {
        let dir = tempfile::tempdir().expect("a directory");
        let file = dir.path().join("users");
        let read = || Users::read(&file, true);
        assert!(read().is_err_and(|why| why.contains("users")));
        std::fs::write(&file, "user: secret\\u00zz\n").expect("written");
        assert!(read().is_err_and(|why| !why.contains("secret")));
        std::fs::write(&file, "# who\nuser: password\nadmin=x\n").expect("written");
        assert_eq!(read().map(|users| users.by_name.len()), Ok(2));
        std::fs::write(&file, "").expect("written");
        assert_eq!(read().map(|users| users.lets_everybody_in()), Ok(true));
        assert_eq!(Users::read(&file, false).map(|users| users.lets_everybody_in()), Ok(false));
    }
}
