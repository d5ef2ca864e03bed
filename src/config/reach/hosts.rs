//! Which hosts may be talked to, by their names, ports and addresses.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, ToSocketAddrs as _};

use landfall_api::Reached;
use url::Host;

use super::{ALL, HOSTS, WORKER};

/// What stands for Azure's own services.
const AZURE: &str = "azure";

/// Azure's services that a sink has use for, in the public cloud, in that of the US government and in China: storage, Fabric, Entra ID,
/// Event Hubs and Key Vault.
const SERVICES: &[&str] = &[
    "*.core.windows.net",
    "*.core.usgovcloudapi.net",
    "*.core.chinacloudapi.cn",
    "*.storage.azure.net",
    "*.fabric.microsoft.com",
    "login.microsoftonline.com",
    "login.microsoftonline.us",
    "login.partner.microsoftonline.cn",
    "login.chinacloudapi.cn",
    "login.microsoft.com",
    "*.login.microsoft.com",
    "*.servicebus.windows.net",
    "*.servicebus.usgovcloudapi.net",
    "*.servicebus.chinacloudapi.cn",
    "*.vault.azure.net",
    "*.vault.usgovcloudapi.net",
    "*.vault.azure.cn",
];

/// Names of services that give a machine's identity to whoever asks from it.
const OF_MACHINES: &[&str] = &["metadata.google.internal", "metadata.azure.com", "metadata.azure.internal", "instance-data"];

/// The hosts that may be talked to.
#[derive(Clone, Debug, Default)]
pub(super) struct Hosts {
    all: bool,
    /// Those that are listed, then those of what stands for several.
    listed: Vec<Pattern>,
    implied: Vec<Pattern>,
}

#[derive(Clone, Debug)]
struct Pattern {
    host: String,
    /// Whether it is the hosts below `host` that are meant.
    below: bool,
    port: Option<u16>,
}

/// A host and the port on it, if that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Target {
    host: String,
    port: Option<u16>,
}

impl Hosts {
    /// Those that `list` allows, where the worker's own properties name `own`.
    pub(super) fn new(list: &[String], own: &[Reached]) -> Self {
        let mut hosts = Self::default();
        for item in list {
            match item.as_str() {
                "" => {}
                ALL => hosts.all = true,
                AZURE => hosts.implied.extend(SERVICES.iter().filter_map(|service| Pattern::parse(service))),
                WORKER => hosts.implied.extend(own.iter().filter_map(|reached| match reached {
                    Reached::Host(text) => Target::parse(text).map(|Target { host, port }| Pattern { host, below: false, port }),
                    Reached::Read(_) | Reached::Written(_) => None,
                })),
                item => hosts.listed.extend(Pattern::parse(item)),
            }
        }
        hosts
    }

    /// Whether the host may be talked to that `text` names, a URL or a name with or without a port.
    ///
    /// # Errors
    /// It may not: the host and its port; None if `text` does not say which it is.
    pub(super) fn allows(&self, text: &str) -> Result<(), Option<String>> {
        let target = Target::parse(text).ok_or(None)?;
        let listed = self.listed.iter().any(|pattern| pattern.has(&target));
        let named = self.listed.iter().any(|pattern| !pattern.below && pattern.has(&target));
        let allowed = self.all || listed || self.implied.iter().any(|pattern| pattern.has(&target));
        if named || (allowed && !target.is_of_machine()) { Ok(()) } else { Err(Some(target.shown())) }
    }

    /// Whether the addresses that its name leads to now may be talked to, where it is not by name that it may. Blocks.
    ///
    /// # Errors
    /// Which address may not.
    pub(super) fn resolves(&self, text: &str) -> Result<(), String> {
        let Some(target) = Target::parse(text) else { return Ok(()) };
        if [&self.implied, &self.listed].iter().any(|patterns| {
            patterns
                .iter()
                .any(|pattern| pattern.has(&target) && (!pattern.below || SERVICES.contains(&&*format!("*{}", pattern.host))))
        }) {
            return Ok(());
        }
        // Who cannot resolve it cannot talk to it either.
        let addresses = (target.host.as_str(), target.port.unwrap_or(0)).to_socket_addrs().into_iter().flatten();
        match addresses.map(|address| address.ip().to_canonical()).find(|address| is_of_machine(*address)) {
            Some(address) => Err(format!(
                "the host {} is {address}, to which connectors may not talk unless {HOSTS} in the worker's properties names {}",
                target.host, target.host
            )),
            None => Ok(()),
        }
    }
}

/// Checks an item of `landfall.allowed.hosts`.
///
/// # Errors
/// What it must be.
pub(super) fn check(item: &str) -> Result<(), String> {
    match item {
        ALL | AZURE | WORKER => Ok(()),
        item if Pattern::parse(item).is_some() => Ok(()),
        item => Err(format!(
            "{item:?} is no host: it must be a name or an address, *.name, either with or without :port, or {AZURE}, {WORKER} or {ALL}"
        )),
    }
}

impl Pattern {
    fn parse(text: &str) -> Option<Self> {
        let below = text.starts_with("*.");
        let Target { host, port } = Target::parse(text.strip_prefix('*').filter(|_| below).map_or(text, |rest| &rest[1..]))?;
        let host = if below { format!(".{host}") } else { host };
        Some(Self { host, below, port })
    }

    fn has(&self, target: &Target) -> bool {
        let host = if self.below { target.host.ends_with(&self.host) } else { target.host == self.host };
        host && (self.port.is_none() || self.port == target.port)
    }
}

impl Target {
    /// The host that a text names, if there is one way to read it.
    fn parse(text: &str) -> Option<Self> {
        if text.contains(|c: char| c == '\\' || c.is_whitespace() || c.is_control()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://").map_or(("", text), |(scheme, rest)| (scheme, rest));
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        // Those who read it do not agree where a user ends that has one of these.
        if rest[end..].contains('@') {
            return None;
        }
        let authority = rest[..end].rsplit_once('@').map_or(&rest[..end], |(_, authority)| authority);
        let (host, port) = match authority.rsplit_once(':') {
            Some((host, port)) if !port.contains(']') => (host, Some(port)),
            _ => (authority, None),
        };
        let port = match port {
            Some("") | None => match scheme.to_ascii_lowercase().as_str() {
                "http" => Some(80),
                "https" => Some(443),
                _ => None,
            },
            Some(port) => Some(port.parse().ok()?),
        };
        Some(Self { host: canonical(host)?, port })
    }

    fn is_of_machine(&self) -> bool {
        OF_MACHINES.contains(&self.host.as_str()) || self.host.parse().is_ok_and(is_of_machine)
    }

    fn shown(&self) -> String {
        match (self.port, self.host.contains(':')) {
            (Some(port), true) => format!("[{}]:{port}", self.host),
            (Some(port), false) => format!("{}:{port}", self.host),
            (None, true) => format!("[{}]", self.host),
            (None, false) => self.host.clone(),
        }
    }
}

/// A name in small letters without the point behind it, an address in its usual form: `0x7f.1` is 127.0.0.1.
fn canonical(host: &str) -> Option<String> {
    let host = host.strip_suffix('.').unwrap_or(host);
    if let Some(address) = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return Some(address.parse::<Ipv6Addr>().ok()?.to_canonical().to_string());
    }
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() || !host.chars().all(plain) {
        return None;
    }
    match Host::parse(host).ok()? {
        Host::Ipv4(address) => Some(address.to_string()),
        Host::Domain(name) => Some(name),
        Host::Ipv6(_) => None,
    }
}

/// Whether an address is one of those at which a machine learns who it is: link-local ones, and those that clouds have beside them.
fn is_of_machine(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => address.is_link_local() || address == Ipv4Addr::new(168, 63, 129, 16),
        IpAddr::V6(address) => address.is_unicast_link_local() || address == Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    fn hosts(list: &[&str]) -> Hosts {
        Hosts::new(&list.iter().map(|item| (*item).to_owned()).collect::<Vec<_>>(), &[])
    }

    #[test]
    fn hosts_are_found_in_urls_and_lists() {
        for (text, found) in [
            ("https://Acct.Blob.Core.Windows.Net./lake?x#y", Some(("acct.blob.core.windows.net", Some(443)))),
            ("abfss://c@a.dfs.core.windows.net/x", Some(("a.dfs.core.windows.net", None))),
            ("SASL_SSL://k_1:9092", Some(("k_1", Some(9092)))),
            ("http://u:p@w@h:8081", Some(("h", Some(8081)))),
            ("http://[::1]:7", Some(("::1", Some(7)))),
            ("http://[::ffff:169.254.169.254]", Some(("169.254.169.254", Some(80)))),
            ("http://2852039166/", Some(("169.254.169.254", Some(80)))),
            ("http://0xA9.0xFE.43518", Some(("169.254.169.254", Some(80)))),
            ("0251.0376.0251.0376:80", Some(("169.254.169.254", Some(80)))),
            ("http://good.com\\@evil.com", None),
            ("http://evil.com/@good.com", None),
            ("http://evil.com#@good.com", None),
            ("http://evil.com/ good", None),
            ("http://e%76il.com", None),
            ("http://ｅvil.com", None),
            ("http://h:99999", None),
            ("http://", None),
            ("::1", None),
            ("", None),
        ] {
            let found = found.map(|(host, port)| Target { host: host.to_owned(), port });
            assert_eq!(Target::parse(text), found, "{text}");
        }
    }

    #[test]
    fn patterns_are_of_whole_names() {
        let hosts = hosts(&["azure", "*.example.com:443", "lake.acme.com", "10.0.0.1"]);
        for good in [
            "https://a.example.com",
            "a.b.example.com:443",
            "lake.acme.com:1",
            "https://LAKE.acme.com/x",
            "10.0.0.1:5",
            "https://x.dfs.core.windows.net",
            "https://login.microsoftonline.us/t",
            "ns.servicebus.chinacloudapi.cn:9093",
        ] {
            assert_eq!(hosts.allows(good), Ok(()), "{good}");
        }
        for (bad, host) in [
            ("http://a.example.com", "a.example.com:80"),
            ("https://example.com", "example.com:443"),
            ("https://a.example.com.evil.com", "a.example.com.evil.com:443"),
            ("https://evilexample.com", "evilexample.com:443"),
            ("x.lake.acme.com", "x.lake.acme.com"),
            ("https://core.windows.net.evil", "core.windows.net.evil:443"),
            ("[::1]:9", "[::1]:9"),
        ] {
            assert_eq!(hosts.allows(bad), Err(Some(host.to_owned())), "{bad}");
        }
        for bad in ["*", "*.a", "a:1", "[::1]", "azure", "worker", "10.0.0.1:80"] {
            assert_eq!(check(bad), Ok(()), "{bad}");
        }
        for bad in ["a b", "*a.com", "a.*", "a:x", "ä.com"] {
            assert!(check(bad).is_err_and(|why| why.contains("no host")), "{bad}");
        }
    }

    #[test]
    fn a_machines_own_services_are_only_there_if_they_are_listed() {
        let addresses =
            ["169.254.169.254", "http://169.254.169.254/metadata", "http://[fd00:ec2::254]", "[fe80::1]:1", "168.63.129.16"];
        for list in [&["*"][..], &["*.169.254", "*"], &["*", "worker"]] {
            let all = hosts(list);
            assert_eq!(all.allows("http://anything"), Ok(()));
            for bad in addresses.iter().chain(&["http://metadata.google.internal", "http://2852039166"]) {
                assert!(all.allows(bad).is_err(), "{bad}");
            }
        }
        assert_eq!(hosts(&["169.254.169.254"]).allows("http://169.254.169.254/metadata"), Ok(()));
    }

    #[test]
    fn a_name_that_leads_to_an_address_is_looked_at() {
        // Addresses are names that everybody resolves.
        assert!(hosts(&["*"]).resolves("169.254.1.1:80").is_err_and(|why| why.contains("169.254.1.1")));
        assert_eq!(hosts(&["*"]).resolves("localhost:80"), Ok(()));
        assert_eq!(hosts(&["169.254.1.1"]).resolves("169.254.1.1:80"), Ok(()));
    }

    proptest! {
        /// Whoever connects finds no other host in a URL than the one that was looked at.
        #[test]
        fn a_host_is_the_one_that_is_connected_to(text in r"https?://[ab.:@/\\?#%0-9\[\]x_e é-]{0,24}|[a-z]{0,4}:?/{0,3}\PC{0,12}") {
            let Some(found) = Target::parse(&text) else { return Ok(()) };
            if !text.starts_with("http") {
                return Ok(());
            }
            if let Ok(url) = Url::parse(&text) {
                let host = url.host_str().map(|host| canonical(host).unwrap_or_default());
                prop_assert_eq!(host.as_deref(), Some(found.host.as_str()), "{}", text);
                prop_assert_eq!(url.port_or_known_default(), found.port, "{}", text);
            }
            if let Ok(uri) = text.parse::<ureq::http::Uri>()
                && let Some(host) = uri.host()
            {
                prop_assert_eq!(canonical(host), Some(found.host), "{}", text);
            }
        }
    }
}
