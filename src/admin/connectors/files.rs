//! Files that say what connectors should be, as `connect-standalone` takes them, and what a worker says of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use landfall_api::Faults;
use serde_json::{Map, Value, json};

use super::Session;
use super::masks::Masks;
use crate::admin::worker::{Ask, Failure, encoded};
use crate::admin::{Outcome, count};
use crate::herder::Error;
use crate::herder::connector_file::ConnectorFile;

/// What ends the names of files that a folder is searched for.
const ENDINGS: [&str; 2] = ["json", "properties"];

/// Files to be looked at.
#[derive(Debug, Args)]
pub(super) struct Validate {
    #[command(flatten)]
    files: Files,
}

/// Which files to read.
#[derive(Clone, Debug, Args)]
pub(super) struct Files {
    /// A file with one connector, JSON or properties as `standalone` takes it, or a folder of such files (*.json, *.properties).
    #[arg(long = "file", short = 'f', value_name = "FILE|FOLDER", required = true)]
    files: Vec<PathBuf>,
}

impl Files {
    /// The connectors of all files, by their names.
    ///
    /// # Errors
    /// A file cannot be read, or two are about one connector.
    pub(super) fn read(&self) -> Result<BTreeMap<String, ConnectorFile>, String> {
        let mut all = BTreeMap::new();
        for path in &self.files {
            for path in if path.is_dir() { in_folder(path)? } else { vec![path.clone()] } {
                let file = ConnectorFile::read(&path)?;
                let name = file.name.clone();
                if let Some(other) = all.insert(name.clone(), file) {
                    return Err(format!(
                        "{} and {} are both about the connector {name}: keep one",
                        other.path.display(),
                        path.display()
                    ));
                }
            }
        }
        Ok(all)
    }
}

/// The files of a folder, in the order of their names. Those whose names begin with a dot are not for us.
fn in_folder(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let cannot = |e: std::io::Error| format!("{}: cannot be read: {e}", folder.display());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(cannot)? {
        let path = entry.map_err(cannot)?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or_default();
        if !hidden && ENDINGS.contains(&ending) && path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The configuration that a file asks for, as a request brings it: variables stay as they are.
pub(super) fn config(file: &ConnectorFile) -> Map<String, Value> {
    file.config.iter().map(|(key, value)| (key.clone(), value.clone().map_or(Value::Null, Value::String))).collect()
}

/// What a worker says of a configuration.
#[derive(Debug, Default)]
pub(super) struct Verdict {
    /// What is wrong, each with its place in the file.
    pub(super) problems: Vec<String>,
    pub(super) masks: Masks,
}

/// Asks the worker about the configuration that a file holds.
///
/// # Errors
/// It does not answer, or lets nobody ask.
pub(super) fn verdict(session: &Session, file: &ConnectorFile) -> Result<Verdict, String> {
    let config = config(file);
    let shown = file.path.display();
    let Some(class) = config.get("connector.class").and_then(Value::as_str).map(str::trim).filter(|class| !class.is_empty())
    else {
        let problem = format!("{shown}: connector.class: it is missing; it names the class of the connector");
        return Ok(Verdict { problems: vec![problem], ..Verdict::default() });
    };
    let path = format!("/connector-plugins/{}/config/validate", encoded(class));
    let answer = match session.worker.ask(Ask::Put(&Value::Object(config.clone())), &path) {
        Ok(answer) => answer,
        // The class is none, or what a converter is made of.
        Err(Failure::Refused(status @ (400 | 404 | 500), why)) if !why.starts_with("HTTP ") => {
            let why = super::without_hint(&why);
            let problem =
                format!("{shown}: {why} ({status}); `GET /connector-plugins` of the worker names the classes that it has");
            return Ok(Verdict { problems: vec![problem], ..Verdict::default() });
        }
        Err(failure) => return Err(session.explain(failure, None)),
    };
    let mut faults = Faults::default();
    for value in answer["configs"].as_array().into_iter().flatten().map(|config| &config["value"]) {
        let key = value["name"].as_str().unwrap_or_default();
        let errors = value["errors"].as_array().into_iter().flatten().filter_map(Value::as_str);
        errors.for_each(|error| faults.push(key, error.trim()));
    }
    let located = file.locate(&Error::Invalid(faults));
    Ok(Verdict { problems: located.lines().map(str::to_owned).collect(), masks: Masks::of_validation(&answer) })
}

/// Tells what the worker says of each file.
pub(super) fn validate(session: &Session, options: &Validate) -> Result<Outcome, String> {
    let files = options.files.read()?;
    let (mut text, mut values, mut wrong) = (String::new(), Vec::new(), 0);
    for (name, file) in &files {
        let problems = verdict(session, file)?.problems;
        wrong += usize::from(!problems.is_empty());
        values.push(json!({"name": name, "file": file.path, "valid": problems.is_empty(), "problems": problems, "warnings": file.warnings}));
        for line in problems.iter().chain(&file.warnings) {
            text += &format!("{line}\n");
        }
    }
    text += &match wrong {
        0 => format!("{} would be taken by {}\n", count(files.len(), "connector"), session.worker),
        wrong => format!(
            "{wrong} of {} would be refused by {}: mend what is said above\n",
            count(files.len(), "connector"),
            session.worker
        ),
    };
    Ok(Outcome { failed: wrong > 0, ..session.outcome(text, &Value::Array(values)) })
}
