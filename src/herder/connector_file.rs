//! Connector configurations as files, the way `connect-standalone` takes them (4.3.1): a JSON object that is the configuration,
//! a JSON object that is a request to create a connector, or Java properties.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use super::connector_config::{Submitted, text_of};
use super::handle::submitted;
use super::{Error, TargetState};
use crate::config::PropertiesFile;

/// What a file asks for.
#[derive(Clone, PartialEq, Eq)]
pub struct ConnectorFile {
    /// The connector's name.
    pub name: String,
    /// Its configuration.
    pub config: Submitted,
    /// What it should be doing first.
    pub initial_state: TargetState,
    /// What is suspicious in the file and no error.
    pub warnings: Vec<String>,
    /// The file.
    pub path: PathBuf,
    /// Key to the line on which its value stands; empty for JSON.
    pub lines: BTreeMap<String, usize>,
}
landfall_api::opaque!(ConnectorFile);

impl ConnectorFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    /// A text that names the file and what is wrong with it, and quotes no value.
    pub fn read(path: &Path) -> Result<Self, String> {
        let shown = path.display();
        let bytes = std::fs::read(path).map_err(|e| format!("{shown}: cannot be read: {e}"))?;
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            return Self::of_json(path, &bytes).map_err(|e| format!("{shown}: {e}"));
        }
        let file = PropertiesFile::read(path).map_err(|e| e.to_string())?;
        let config = submitted(file.properties);
        let read = Self::new(path, config, TargetState::Started).map_err(|e| format!("{shown}: {e}"))?;
        Ok(Self { warnings: file.warnings, lines: file.lines, ..read })
    }

    /// Why the connector cannot be created, with the place in the file, one fault a line.
    #[must_use]
    pub fn locate(&self, error: &Error) -> String {
        match error {
            Error::Invalid(faults) => {
                let (path, lines) = (self.path.clone(), self.lines.clone());
                PropertiesFile { path, lines, ..PropertiesFile::default() }.locate(faults)
            }
            other => format!("{}: {other}", self.path.display()),
        }
    }

    fn new(path: &Path, config: Submitted, initial_state: TargetState) -> Result<Self, String> {
        let name = config.get("name").cloned().flatten().ok_or("the mandatory key name is missing")?;
        let (path, lines) = (path.to_owned(), BTreeMap::new());
        Ok(Self { name: name.trim().to_owned(), config, initial_state, warnings: Vec::new(), path, lines })
    }

    fn of_json(path: &Path, bytes: &[u8]) -> Result<Self, String> {
        let mut fields: Map<String, Value> = serde_json::from_slice(bytes).map_err(|e| format!("not JSON: {e}"))?;
        let Some(Value::Object(config)) = fields.get_mut("config").map(Value::take) else {
            return Self::new(path, texts(fields)?, TargetState::Started);
        };
        let mut config = texts(config)?;
        let name =
            fields.remove("name").and_then(|name| text_of(name).ok().flatten()).ok_or("the mandatory field name is missing")?;
        let inner = config.entry("name".into()).or_insert_with(|| Some(name.clone()));
        if inner.as_ref() != Some(&name) {
            return Err("the name in config is not the one in name".into());
        }
        let initial_state = match fields.remove("initial_state") {
            None | Some(Value::Null) => TargetState::Started,
            Some(Value::String(state)) => match state.to_ascii_uppercase().as_str() {
                "RUNNING" => TargetState::Started,
                "PAUSED" => TargetState::Paused,
                "STOPPED" => TargetState::Stopped,
                _ => return Err(format!("initial_state is none of RUNNING, PAUSED and STOPPED: {state}")),
            },
            Some(_) => return Err("initial_state is no text".into()),
        };
        Self::new(path, config, initial_state)
    }
}

fn texts(fields: Map<String, Value>) -> Result<Submitted, String> {
    let text = |(key, value)| match text_of(value) {
        Ok(text) => Ok((key, text)),
        Err(_) => Err(format!("{key}: the value is neither text nor a number nor true or false")),
    };
    fields.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(name: &str, text: &str) -> Result<ConnectorFile, String> {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        ConnectorFile::read(&path).map_err(|e| e.replace(&format!("{}/", dir.path().display()), ""))
    }

    #[test]
    fn all_three_forms_are_read() {
        let properties = read("c.properties", "name=c\ntasks.max=2\n").expect("properties");
        let flat = read("c.json", r#" {"name": "c", "tasks.max": 2}"#).expect("flat");
        let request =
            read("c.json", r#"{"name": "c", "config": {"tasks.max": "2"}, "initial_state": "paused"}"#).expect("request");
        assert_eq!((&properties.name, &properties.config), (&flat.name, &flat.config));
        assert_eq!(properties.lines["tasks.max"], 2);
        assert_eq!(flat.config, request.config);
        assert_eq!((flat.initial_state, request.initial_state), (TargetState::Started, TargetState::Paused));
    }

    #[test]
    fn a_fault_is_located_in_the_file() {
        let properties = read("c.properties", "name=c\ntasks.max=two\n").expect("properties");
        let mut faults = landfall_api::Faults::default();
        faults.push("tasks.max", "bad");
        let located = properties.locate(&Error::Invalid(faults));
        assert!(located.ends_with("c.properties:2: tasks.max: bad"), "{located}");
        let located = properties.locate(&Error::Exists("c".into()));
        assert!(located.ends_with("c.properties: Connector c already exists"), "{located}");
    }

    #[test]
    fn what_is_wrong_names_the_file() {
        for (text, error) in [
            ("tasks.max=2", "c: the mandatory key name is missing"),
            ("{\"name\":\n\"pssst", "c: not JSON: EOF while parsing a string at line 2 column 6"),
            (r#"{"name":"c","config":{"name":"d"}}"#, "c: the name in config is not the one in name"),
            (r#"{"name":"c","a":{"b":1}}"#, "c: a: the value is neither text nor a number nor true or false"),
            ("name=c\npath=\\uX", "c:2: path: Malformed \\uxxxx encoding"),
        ] {
            assert_eq!(read("c", text).expect_err(text), error);
        }
    }
}
