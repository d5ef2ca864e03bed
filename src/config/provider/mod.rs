//! Config providers: what a configuration names, as `${provider:path:key}`, and does not say (`ConfigTransformer` of Kafka 4.3.1).
//!
//! [`Providers`] are what `config.providers` sets up. They resolve the worker's own properties when it starts, a connector's when it is
//! looked at and when it and its tasks start. What is kept, shown and logged is what the user wrote; [`Provided`] takes the values out of
//! texts. Another class is one file beside these and a line in [`PROVIDERS`].

mod directory;
mod env;
mod file;
mod key_vault;
mod paths;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use landfall_api::config::with_prefix;
use landfall_api::{Fault, Faults, Key, Password, Properties};

use super::{inherit_azure, unknown_key};
use crate::plugins::simple_name;

/// The classes, in the order of their names.
pub const PROVIDERS: &[&ProviderClass] =
    &[&key_vault::lenses::CLASS, &directory::CLASS, &env::CLASS, &file::CLASS, &key_vault::confluent::CLASS];

/// What a value is shown as that a provider gave.
const HIDDEN: &str = "[hidden]";
/// Shorter values are taken for no secrets in texts that may be about anything: they would be found in the middle of words.
const SHORTEST: usize = 4;

/// A class of providers.
#[derive(Debug)]
pub struct ProviderClass {
    /// Its Java name.
    pub class: &'static str,
    /// Its parameters: what stands behind `config.providers.<name>.param.`.
    pub keys: &'static [Key],
    build: fn(&Properties, &mut Faults) -> Option<Box<dyn Provider>>,
}

/// Where values stand (`ConfigProvider`).
pub trait Provider: fmt::Debug + Send + Sync {
    /// The values of `keys` at `path`, which is empty if the user named none; a key that is not there is left out. Blocks.
    ///
    /// # Errors
    /// Why it cannot be said, without a value.
    fn get(&self, path: &str, keys: &BTreeSet<&str>) -> Result<BTreeMap<String, String>, String>;

    /// The same, and how long these values are taken to stay what they are; None for ever.
    ///
    /// # Errors
    /// As [`get`](Self::get).
    fn get_for_a_time(&self, path: &str, keys: &BTreeSet<&str>) -> Result<(BTreeMap<String, String>, Option<Duration>), String> {
        Ok((self.get(path, keys)?, self.ttl()))
    }

    /// The shortest time for which values of it are taken to stay what they are; None if all do for ever.
    fn ttl(&self) -> Option<Duration> {
        None
    }

    /// Whether it reads whatever file the worker can read.
    fn reads_everything(&self) -> bool {
        false
    }
}

/// What `${…}` names.
struct Variable<'a> {
    /// As it stands in the value.
    text: &'a str,
    provider: &'a str,
    path: &'a str,
    key: &'a str,
}

/// The variables in a value and the text before each, and the text behind the last: Java's
/// `\$\{([^}]*?):(([^}]*?):)?([^}]*?)\}`.
fn variables(value: &str) -> (Vec<(&str, Variable<'_>)>, &str) {
    let (mut found, mut rest, mut from) = (Vec::new(), value, 0);
    while let Some(start) = rest[from..].find("${").map(|at| from + at) {
        let Some(end) = rest[start..].find('}').map(|at| start + at) else { break };
        match rest[start + 2..end].split_once(':') {
            Some((provider, named)) => {
                let (path, key) = named.split_once(':').unwrap_or(("", named));
                found.push((&rest[..start], Variable { text: &rest[start..=end], provider, path, key }));
                (rest, from) = (&rest[end + 1..], 0);
            }
            None => from = start + 2,
        }
    }
    (found, rest)
}

/// The variables in a value, as they stand there.
pub fn variables_of(value: &str) -> impl Iterator<Item = &str> {
    variables(value).0.into_iter().map(|(_, variable)| variable.text)
}

/// Whether a value is nothing but the name of another: no secret, whatever its key.
#[must_use]
pub fn is_variable(value: &str) -> bool {
    let (found, rest) = variables(value);
    matches!(&found[..], [("", _)]) && rest.is_empty()
}

/// The providers of a worker, by the names that its user gave them.
#[derive(Debug, Default)]
pub struct Providers(BTreeMap<String, Box<dyn Provider>>);

/// What every look-up of one kind gave.
type LookedUp<'a> = BTreeMap<(&'a str, &'a str), Result<(BTreeMap<String, String>, Option<Duration>), String>>;

impl Providers {
    /// The providers that the worker's properties name. What is wrong goes into `faults`, what the user should know besides into
    /// `warnings`.
    pub fn configure(given: &Properties, faults: &mut Faults, warnings: &mut Vec<String>) -> Self {
        let names = given.get("config.providers").map_or("", |names| names.as_str()).split(',').map(str::trim);
        let names: BTreeSet<_> = names.filter(|name| !name.is_empty()).collect();
        let all = names.iter().filter_map(|name| Some(((*name).to_owned(), build(name, given, faults, warnings)?))).collect();
        for key in with_prefix(given, "config.providers.").keys() {
            if !names.iter().any(|name| key.strip_prefix(*name).is_some_and(|rest| rest.starts_with('.'))) {
                warnings.push(format!(
                    "The configuration 'config.providers.{key}' has no effect: config.providers does not name its provider"
                ));
            }
        }
        Self(all)
    }

    /// `properties` with what they name in the place of the names. A variable whose provider or key is not there stays as it is.
    /// Blocks.
    ///
    /// # Errors
    /// A provider cannot say its values: the key, the variable, and why; no value.
    pub fn resolve(&self, properties: &Properties) -> Result<Resolved, String> {
        let (resolved, faults) = self.look_up(properties);
        faults.0.into_iter().next().map_or(Ok(resolved), |fault| Err(fault.message))
    }

    /// The same with all that is wrong, by the keys whose values name it; those stay as they are.
    pub(crate) fn look_up(&self, properties: &Properties) -> (Resolved, Faults) {
        let mut wanted: BTreeMap<(&str, &str), BTreeSet<&str>> = BTreeMap::new();
        for (_, variable) in properties.values().flat_map(|value| variables(value).0) {
            wanted.entry((variable.provider, variable.path)).or_default().insert(variable.key);
        }
        let get = |(place, keys): (&(_, _), &BTreeSet<_>)| Some((*place, self.0.get(place.0)?.get_for_a_time(place.1, keys)));
        let looked_up: LookedUp<'_> = wanted.iter().filter_map(get).collect();
        let ttls = looked_up.values().filter_map(|given| given.as_ref().ok()?.1);

        let (mut faults, mut warnings, mut keys, mut values) = (Faults::default(), Vec::new(), BTreeSet::new(), BTreeSet::new());
        let ttl = ttls.min();
        let mut all = Properties::new();
        for (name, value) in properties {
            let (found, rest) = variables(value);
            let mut text = String::new();
            for (before, variable) in found {
                text += before;
                match looked_up.get(&(variable.provider, variable.path)) {
                    Some(Ok((data, _))) => match data.get(variable.key) {
                        Some(given) => {
                            text += given;
                            values.insert(given.clone());
                            keys.insert(name.clone());
                            continue;
                        }
                        None => warnings.push(format!(
                            "The configuration '{name}' keeps {} as it is: the config provider has no such value",
                            variable.text
                        )),
                    },
                    Some(Err(why)) => {
                        faults.push(name, format!("Could not resolve {} for configuration {name}: {why}", variable.text));
                    }
                    None => warnings.push(format!(
                        "The configuration '{name}' keeps {} as it is: there is no config provider {}",
                        variable.text, variable.provider
                    )),
                }
                text += variable.text;
            }
            text += rest;
            all.insert(name.clone(), text);
        }
        (Resolved { properties: all, provided: Provided::new(&values, keys), ttl, warnings }, faults)
    }

    /// The shortest time after which values may be other ones; None if none ever are.
    #[must_use]
    pub fn ttl(&self) -> Option<Duration> {
        self.0.values().filter_map(|provider| provider.ttl()).min()
    }
}

fn build(name: &str, given: &Properties, faults: &mut Faults, warnings: &mut Vec<String>) -> Option<Box<dyn Provider>> {
    let own = format!("config.providers.{name}.");
    let of_class = format!("{own}class");
    let Some(class) = given.get(&of_class).map(|class| class.trim()) else {
        faults.push(&of_class, format!("Missing required configuration \"{of_class}\" which has no default value."));
        return None;
    };
    let Some(found) = PROVIDERS.iter().find(|known| class == known.class || class == simple_name(known.class)) else {
        let there = PROVIDERS.iter().map(|known| simple_name(known.class)).collect::<Vec<_>>().join(", ");
        let why = format!("Could not load config provider class, there are {there}");
        faults.push(&of_class, format!("Invalid value {class} for configuration {of_class}: {why}"));
        return None;
    };
    let prefix = format!("{own}param.");
    let known: Vec<_> = found.keys.iter().map(|key| format!("{prefix}{}", key.name)).chain([of_class.clone()]).collect();
    let unknown = given.keys().filter(|key| key.starts_with(&own) && !known.contains(key));
    warnings.extend(unknown.map(|key| unknown_key(key, known.iter().map(String::as_str))));
    let (mut wrong, mut parameters) = (Faults::default(), with_prefix(given, &prefix));
    inherit_azure(&mut parameters, given, found.keys);
    let built = (found.build)(&parameters, &mut wrong);
    faults.0.extend(wrong.0.into_iter().map(|Fault { key, message }| {
        let key = format!("{prefix}{key}");
        Fault { message: format!("{message} ({key})"), key }
    }));
    if built.as_ref().is_some_and(|provider| provider.reads_everything()) {
        warnings.push(format!(
            "The configuration '{prefix}allowed.paths' is not given: connectors read whatever file the worker can read, by ${{{name}:…}}"
        ));
    }
    built
}

/// Properties whose variables are resolved. They hold secrets.
#[derive(Clone)]
#[expect(missing_debug_implementations, reason = "its properties hold secrets")]
pub struct Resolved {
    /// The properties.
    pub properties: Properties,
    /// What providers gave of them.
    pub provided: Provided,
    /// How long they are taken to stay what they are; None for ever.
    pub ttl: Option<Duration>,
    /// The variables that stayed, and why.
    pub warnings: Vec<String>,
}

/// What providers gave: no text that others see may have it. Clones share it.
#[derive(Clone, Default)]
pub struct Provided {
    /// The longest first.
    values: Arc<Vec<Password>>,
    keys: Arc<BTreeSet<String>>,
}

impl fmt::Debug for Provided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provided").field("keys", &self.keys).finish_non_exhaustive()
    }
}

impl Provided {
    fn new(values: &BTreeSet<String>, keys: BTreeSet<String>) -> Self {
        // Texts may have single items of a list, and what is in quotes is escaped.
        let parts =
            values.iter().flat_map(|value| std::iter::once(value.as_str()).chain(value.split([',', '\n'])).map(str::trim));
        let escaped = |part: &str| format!("{part:?}").trim_matches('"').to_owned();
        let parts: BTreeSet<_> =
            parts.flat_map(|part| [part.to_owned(), escaped(part)]).filter(|part| !part.is_empty()).collect();
        Self { values: Arc::new(longest_first(parts.into_iter().map(Password::from))), keys: Arc::new(keys) }
    }

    /// Whether the value of `key` has something of it.
    #[must_use]
    pub fn has(&self, key: &str) -> bool {
        self.keys.contains(key)
    }

    /// `text` without it.
    #[must_use]
    pub fn hide(&self, text: &str) -> String {
        self.hide_from(SHORTEST, text)
    }

    /// Takes it out of messages. One that is about a key whose value has something of it says nothing short of it either.
    pub fn hide_in(&self, faults: &mut Faults) {
        for Fault { key, message } in &mut faults.0 {
            *message = self.hide_from(if self.has(key) { 1 } else { SHORTEST }, message);
        }
    }

    /// This and `other` together.
    #[must_use]
    pub fn and(&self, other: &Self) -> Self {
        if other.values.is_empty() {
            return self.clone();
        }
        let values = longest_first(self.values.iter().chain(&*other.values).cloned());
        Self { values: Arc::new(values), keys: self.keys.clone() }
    }

    fn hide_from(&self, shortest: usize, text: &str) -> String {
        let values = self.values.iter().map(Password::reveal).take_while(|value| value.len() >= shortest);
        values.fold(text.to_owned(), |text, value| if text.contains(value) { text.replace(value, HIDDEN) } else { text })
    }
}

fn longest_first(values: impl Iterator<Item = Password>) -> Vec<Password> {
    let mut values: Vec<_> = values.collect();
    values.sort_by_key(|value| std::cmp::Reverse(value.reveal().len()));
    values
}

#[cfg(test)]
mod tests;
