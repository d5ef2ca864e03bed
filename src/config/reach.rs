//! What connectors may have the worker reach for: the files and the hosts that whoever runs it allows.
//!
//! Which keys name files and hosts is declared with the keys ([`Reaches`]). A configuration is looked at when it is submitted, and again
//! when its connector and its tasks start, with what config providers gave: it may have come another way.

mod hosts;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use landfall_api::{Faults, Folders, Key, Properties, Reached, Reaches, real_path};

use self::hosts::Hosts;
use super::provider::PROVIDERS;
use super::{AccessKeys, DistributedKeys, StandaloneKeys, WorkerKeys};
use crate::convert::CONVERTERS;
use crate::kafka::java;

/// The key that names folders.
pub const PATHS: &str = "landfall.allowed.paths";
/// The key that names hosts.
pub const HOSTS: &str = "landfall.allowed.hosts";
/// What stands for all that the worker's own properties name.
const WORKER: &str = "worker";
/// What stands for everything.
const ALL: &str = "*";

/// What connectors may have the worker reach for.
#[derive(Clone, Debug)]
pub struct Reach {
    folders: Arc<Folders>,
    hosts: Arc<Hosts>,
    /// The values of the two keys.
    paths: String,
    names: String,
}

impl Default for Reach {
    /// Everything.
    fn default() -> Self {
        let all = || vec![ALL.to_owned()];
        Self::new(&all(), &all(), &Properties::new())
    }
}

impl Reach {
    /// What `landfall.allowed.paths` and `landfall.allowed.hosts` say in a worker with the properties `given`.
    #[must_use]
    pub fn new(paths: &[String], hosts: &[String], given: &Properties) -> Self {
        let own: Vec<Reached> = given.iter().flat_map(|(key, value)| of_worker(key).of(value, given)).collect();
        Self {
            folders: Arc::new(folders(paths, &own)),
            hosts: Arc::new(Hosts::new(hosts, &own)),
            paths: paths.join(","),
            names: hosts.join(","),
        }
    }

    /// The same with `file`, the worker's properties, among what is not to be written.
    #[must_use]
    pub fn keeping(mut self, file: &Path) -> Self {
        Arc::make_mut(&mut self.folders).kept.extend(std::path::absolute(file));
        self
    }

    /// The folders.
    #[must_use]
    pub fn folders(&self) -> Arc<Folders> {
        self.folders.clone()
    }

    /// A fault for each of `reached`, with their keys, that is not allowed.
    pub fn check(&self, reached: &[(String, Reached)], faults: &mut Faults) {
        for (key, reached) in reached {
            if let Err(why) = self.allows(key, reached) {
                faults.push(key, why);
            }
        }
    }

    /// The first that is wrong, also with the addresses that names of hosts lead to now. Blocks.
    ///
    /// # Errors
    /// Why the connector cannot start.
    pub fn check_now(&self, reached: &[(String, Reached)]) -> Result<(), String> {
        reached.iter().try_for_each(|(key, reached)| {
            self.allows(key, reached)?;
            match reached {
                Reached::Host(host) => self.hosts.resolves(host).map_err(|why| format!("{key}: {why}")),
                Reached::Read(_) | Reached::Written(_) => Ok(()),
            }
        })
    }

    fn allows(&self, key: &str, reached: &Reached) -> Result<(), String> {
        let (path, found, verb) = match reached {
            Reached::Host(host) => {
                return self.hosts.allows(host).map_err(|host| match host {
                    Some(host) => format!(
                        "Invalid value for configuration {key}: connectors of this worker may not talk to {host}. It may be allowed in the \
                         worker's properties: {HOSTS}={},{host}",
                        self.names
                    ),
                    None => format!("Invalid value for configuration {key}: it cannot be told which host that is"),
                });
            }
            Reached::Read(path) => (path, self.folders.readable(Path::new(path)), "read"),
            Reached::Written(path) => (path, self.folders.writable(Path::new(path)), "write to"),
        };
        found.map(drop).map_err(|real| {
            let refused = format!("Invalid value {path} for configuration {key}: connectors of this worker may not {verb} it");
            if let Err(why) = real_path(Path::new(path)) {
                return format!("{refused}, as it cannot be told where it leads: {why}");
            }
            let leads = if Path::new(path) == real { String::new() } else { format!(", which is {}", real.display()) };
            if verb != "read" && self.folders.keep(&real) {
                return format!("{refused}{leads}: it is a file of the worker's own");
            }
            let folder = if verb == "read" { real.parent().unwrap_or(&real) } else { &real };
            format!("{refused}{leads}. It may be allowed in the worker's properties: {PATHS}={},{}", self.paths, folder.display())
        })
    }
}

/// Checks a value of `landfall.allowed.paths`.
///
/// # Errors
/// Which item is wrong.
pub(super) fn check_paths(value: &str) -> Result<(), String> {
    let wrong = |item: &&str| !matches!(*item, "" | ALL | WORKER) && !folder(item).is_absolute();
    match value.split(',').map(str::trim).find(wrong) {
        Some(item) => Err(format!("Path {item} is not absolute")),
        None => Ok(()),
    }
}

/// Checks a value of `landfall.allowed.hosts`.
///
/// # Errors
/// Which item is wrong.
pub(super) fn check_hosts(value: &str) -> Result<(), String> {
    value.split(',').map(str::trim).filter(|item| !item.is_empty()).try_for_each(hosts::check)
}

/// The folder that an item means, a path or a `file:` URL.
fn folder(item: &str) -> PathBuf {
    match Reaches::Store.of(item, &Properties::new()).pop() {
        Some(Reached::Written(path)) => path.into(),
        _ => item.into(),
    }
}

/// The folders that `paths` allow, where the worker's own properties name `own`.
fn folders(paths: &[String], own: &[Reached]) -> Folders {
    let mut folders = Folders::default();
    let file = |reached: &Reached| match reached {
        Reached::Read(path) => Some((PathBuf::from(path), false)),
        Reached::Written(path) => Some((PathBuf::from(path), true)),
        Reached::Host(_) => None,
    };
    let own: Vec<_> = own.iter().filter_map(file).collect();
    folders.kept = own.iter().map(|(path, _)| path.clone()).collect();
    // What everything is below, or the system's own, is not meant by a file in it.
    let plain = |folder: &Path| folder.parent().is_some() && !["/proc", "/sys", "/dev"].iter().any(|own| folder.starts_with(own));
    for item in paths {
        match item.as_str() {
            "" => {}
            ALL => folders.all = true,
            WORKER => {
                let here = std::env::current_dir().ok().filter(|here| plain(here));
                folders.read.extend(here.clone());
                folders.written.extend(here);
                for (path, is_written) in &own {
                    let Some(folder) = path.parent().filter(|folder| plain(folder) && folder.is_absolute()) else { continue };
                    folders.read.push(folder.to_owned());
                    if *is_written {
                        folders.written.push(folder.to_owned());
                    }
                }
            }
            item => {
                folders.read.push(folder(item));
                folders.written.push(folder(item));
            }
        }
    }
    folders
}

/// What a key of a worker's properties reaches for.
fn of_worker(key: &str) -> Reaches {
    let declared = |keys: &[Key], name: &str| keys.iter().find(|key| key.name == name).map(|key| key.reaches);
    for keys in [WorkerKeys::KEYS, AccessKeys::KEYS, StandaloneKeys::KEYS, DistributedKeys::KEYS] {
        if let Some(reaches) = declared(keys, key) {
            return reaches;
        }
    }
    for role in ["key.converter.", "value.converter.", "header.converter."] {
        if let Some(name) = key.strip_prefix(role) {
            let found = CONVERTERS.iter().find_map(|class| key_of(class.keys(), name));
            return found.map_or(Reaches::Nothing, |key| key.reaches);
        }
    }
    if let Some((_, name)) = key.strip_prefix("config.providers.").and_then(|rest| rest.split_once(".param.")) {
        return PROVIDERS.iter().find_map(|class| declared(class.keys, name)).unwrap_or(Reaches::Nothing);
    }
    let of_clients = ["consumer.", "producer.", "admin.", "listeners.https.", "admin.listeners.https."];
    java::reaches(of_clients.iter().find_map(|prefix| key.strip_prefix(prefix)).unwrap_or(key))
}

/// The key of a converter that `name` means: its own, or one in the namespace that a registry's keys may have.
pub(crate) fn key_of<'a>(keys: &'a [Key], name: &str) -> Option<&'a Key> {
    let find = |name: &str| keys.iter().find(|key| key.name == name);
    find(name).or_else(|| find(name.strip_prefix("schema.registry.")?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(paths: &str, hosts: &str, given: &[(&str, &str)]) -> Reach {
        let given = given.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let items = |list: &str| list.split(',').map(str::to_owned).collect::<Vec<_>>();
        Reach::new(&items(paths), &items(hosts), &given)
    }

    fn faults(reach: &Reach, reached: Reached) -> String {
        let mut faults = Faults::default();
        reach.check(&[("k".to_owned(), reached)], &mut faults);
        faults.to_string()
    }

    #[test]
    fn a_worker_allows_what_its_own_properties_name() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        let at = |path: &str| root.join(path).display().to_string();
        let worker = [
            ("bootstrap.servers", "k1:9092,SASL_SSL://k2:9093"),
            ("admin.ssl.truststore.location", &at("tls/ca.pem")),
            ("value.converter.schema.registry.url", "http://u:pw@registry:8081/x"),
            ("value.converter.schema.registry.proxy.host", "proxy"),
            ("landfall.basic.auth.file", &at("users/users")),
            ("offset.storage.file.filename", &at("state/offsets")),
        ];
        let reach = reach("worker", "azure,worker", &worker).keeping(&root.join("state/worker.properties"));
        for allowed in [
            Reached::Host("k1:9092".into()),
            Reached::Host("https://acct.blob.core.windows.net/lake".into()),
            Reached::Host("http://registry:8081".into()),
            Reached::Host("http://proxy:3128".into()),
            Reached::Read(at("tls/own.pem")),
            Reached::Read("here".into()),
            Reached::Written("here".into()),
            Reached::Written(at("state/x")),
        ] {
            assert_eq!(faults(&reach, allowed.clone()), "", "{allowed:?}");
        }
        let not_read = |path: &str| {
            format!(
                "Invalid value {path} for configuration k: connectors of this worker may not read it. It may be allowed in the worker's \
                 properties: landfall.allowed.paths=worker,{}",
                Path::new(path).parent().expect("a folder").display()
            )
        };
        let kept = |path: &str| {
            format!(
                "Invalid value {path} for configuration k: connectors of this worker may not write to it: it is a file of the worker's own"
            )
        };
        let not_written = |path: &str| {
            format!(
                "Invalid value {path} for configuration k: connectors of this worker may not write to it. It may be allowed in the \
                 worker's properties: landfall.allowed.paths=worker,{path}"
            )
        };
        let not_asked = |host: &str| {
            format!(
                "Invalid value for configuration k: connectors of this worker may not talk to {host}. It may be allowed in the worker's \
                 properties: landfall.allowed.hosts=azure,worker,{host}"
            )
        };
        for (reached, why) in [
            (Reached::Host("k1:9093".into()), not_asked("k1:9093")),
            (Reached::Host("http://u:pssst@evil.com/k1:9092".into()), not_asked("evil.com:80")),
            (Reached::Read("/etc/hostname".into()), not_read("/etc/hostname")),
            (Reached::Written(at("tls/ca.pem")), kept(&at("tls/ca.pem"))),
            (Reached::Written("/etc/hostname".into()), not_written("/etc/hostname")),
            (Reached::Written(at("users/users")), kept(&at("users/users"))),
            (Reached::Written(at("state/offsets")), kept(&at("state/offsets"))),
            (Reached::Written(at("state/worker.properties")), kept(&at("state/worker.properties"))),
        ] {
            assert_eq!(faults(&reach, reached), why);
        }
    }

    #[test]
    fn a_link_is_said_to_lead_elsewhere() {
        let folder = tempfile::tempdir().expect("a folder");
        let root = folder.path().canonicalize().expect("it is there");
        std::os::unix::fs::symlink("/etc", root.join("link")).expect("a link");
        let reach = reach(&root.display().to_string(), "", &[]);
        let why = faults(&reach, Reached::Read(root.join("link/hostname").display().to_string()));
        assert!(
            why.contains("link/hostname for configuration k: connectors of this worker may not read it, which is /etc/hostname."),
            "{why}"
        );
    }

    #[test]
    fn folders_are_absolute_and_may_be_urls() {
        assert_eq!(check_paths("*, worker,/a ,file:///b%2Cc,"), Ok(()));
        assert_eq!(check_paths("/a,b"), Err("Path b is not absolute".into()));
        assert_eq!(folder("file:///b%2Cc"), Path::new("/b,c"));
        let everything = Reach::default();
        assert_eq!(faults(&everything, Reached::Written("/etc/x".into())), "");
        assert_eq!(faults(&everything, Reached::Host("http://anywhere".into())), "");
        assert!(faults(&everything, Reached::Read("/proc/self/environ".into())).contains("may not read it"));
    }

    /// Keys whose names end as those of files and hosts do, and that name none that a connector could choose.
    const HARMLESS: &[&str] = &[
        // limits themselves
        "allowed.paths",
        "landfall.allowed.paths",
        "landfall.allowed.hosts",
        "landfall.rest.open.paths",
        "landfall.azure.no.proxy",
        // a folder of the store
        "topics.dir",
        // a number, and a text that is compared
        "partitioner.max.open.files",
        "sasl.oauthbearer.expected.issuer",
    ];

    #[test]
    fn whoever_declares_a_file_or_a_host_says_so() {
        let ends = [
            "authority",
            "certificate",
            "dir",
            "directory",
            "endpoint",
            "file",
            "files",
            "host",
            "hosts",
            "issuer",
            "location",
            "path",
            "paths",
            "proxy",
            "servers",
            "uri",
            "url",
            "urls",
            "vault",
        ];
        let mut keys: Vec<Key> = [WorkerKeys::KEYS, AccessKeys::KEYS, StandaloneKeys::KEYS, DistributedKeys::KEYS].concat();
        keys.extend(crate::plugins::SINKS.iter().flat_map(|sink| sink.keys()));
        keys.extend(CONVERTERS.iter().flat_map(|class| class.keys().iter().copied()));
        keys.extend(PROVIDERS.iter().flat_map(|class| class.keys.iter().copied()));
        keys.extend(java::CONSUMER.iter().map(|key| Key { reaches: java::reaches(key.name), ..*key }));
        let silent = |key: &&Key| matches!(key.reaches, Reaches::Nothing) && key.effect == landfall_api::Effect::Full;
        let named =
            |key: &&Key| key.name.rsplit('.').next().is_some_and(|end| ends.contains(&end)) && !HARMLESS.contains(&key.name);
        let forgotten: Vec<_> = keys.iter().filter(silent).filter(named).map(|key| key.name).collect();
        assert_eq!(forgotten, [""; 0], "these say in `reaches` what they name, or are HARMLESS");
        let reaching = keys.iter().filter(|key| !matches!(key.reaches, Reaches::Nothing)).count();
        assert!(reaching > 30, "{reaching} keys");
    }
}
