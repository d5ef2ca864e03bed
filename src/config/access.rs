//! Our own keys of the REST API: who may do what, how much a client may ask for, and where it is written down.

use std::net::IpAddr;

use landfall_api::{Faults, Properties, Reached, Reaches, Width, config};

config! {
    /// Who may use the REST API, and how.
    pub struct AccessKeys {
        /// How users of the REST API say who they are, separated by commas: basic, by a name and a password of `landfall.basic.auth.file`,
        /// and bearer, by a token of an OpenID provider such as Entra. Other than what `rest.extension.classes` asks for, this holds on the
        /// listeners of the admin API too. Empty: who reaches the API may use it.
        auth: Vec<String> = "landfall.rest.auth" { default: Some(""), group: "REST access", width: Width::Medium, display: "Authentication", valid: By(known_ways) };
        /// Who may look: names of users with a password, and values of the claims of tokens, separated by commas.
        reader: Vec<String> = "landfall.rest.role.reader" { default: Some(""), group: "REST access", width: Width::Long, display: "Readers" };
        /// Who may look, validate configurations, and pause, resume, stop and restart connectors, as above.
        operator: Vec<String> = "landfall.rest.role.operator" { default: Some(""), group: "REST access", width: Width::Long, display: "Operators" };
        /// Who may do everything, as above. If no role is given to anybody, every user with a password may do everything, as in Java.
        admin: Vec<String> = "landfall.rest.role.admin" { default: Some(""), group: "REST access", width: Width::Long, display: "Admins" };
        /// The claims of a token that roles are looked for in, separated by commas: lists of texts, or texts with blanks between them.
        claims: Vec<String> = "landfall.rest.role.claims" { default: Some("roles,groups,scp"), importance: Low, group: "REST access", width: Width::Medium, display: "Claims with Roles", valid: NonEmpty };
        /// The Entra tenant whose tokens are taken: its id. Instead of `landfall.rest.bearer.issuer`.
        tenant_id: Option<String> = "landfall.rest.bearer.tenant.id" { group: "REST access", width: Width::Medium, display: "Tenant", valid: By(tenant) };
        /// The issuers whose tokens are taken, separated by commas: `https` URLs, letter by letter as in tokens. The keys of all of them are
        /// those that the first one publishes, under `<issuer>/.well-known/openid-configuration`. Default: those of the tenant in Azure's
        /// public cloud, for tokens of both versions.
        issuer: Option<Vec<String>> = "landfall.rest.bearer.issuer" { group: "REST access", width: Width::Long, display: "Issuers", valid: By(issuers), reaches: Hosts };
        /// For whom tokens have to be issued, separated by commas: the id of the application that stands for this API, or its URI.
        audience: Vec<String> = "landfall.rest.bearer.audience" { default: Some(""), group: "REST access", width: Width::Long, display: "Audiences" };
        /// Milliseconds by which the clock of the issuer may differ from the worker's.
        clock_skew_ms: i64 = "landfall.rest.bearer.clock.skew.ms" { default: Some("60000"), importance: Low, group: "REST access", width: Width::Medium, display: "Clock Skew (ms)", valid: Between(0, 600_000) };
        /// A file of certificates in PEM by which the issuer is known, instead of those that the system trusts.
        ca_file: Option<String> = "landfall.rest.bearer.ca.file" { importance: Low, group: "REST access", width: Width::Long, display: "CA of the Issuer", valid: NonEmpty, reaches: Files };
        /// Whether users may only look, and validate configurations. Connectors are then what the cluster has, or what the command line
        /// names. Requests of the other workers of the cluster are taken, so that all of them should be given this key.
        read_only: bool = "landfall.rest.read.only" { default: Some("false"), group: "REST access", width: Width::Short, display: "Read-only" };
        /// Paths that everybody may get, separated by commas: of `/`, `/health`, `/metrics` and `/connector-plugins`.
        open_paths: Vec<String> = "landfall.rest.open.paths" { default: Some(""), importance: Low, group: "REST access", width: Width::Medium, display: "Open Paths", valid: By(open_paths) };
        /// Bytes of the longest body of a user's request. Workers take up to 16 MiB of each other.
        max_body_bytes: i64 = "landfall.rest.max.body.bytes" { default: Some("1048576"), importance: Low, group: "REST access", width: Width::Medium, display: "Longest Body (bytes)", valid: Between(1024, 1 << 26) };
        /// Connections to the REST API at a time. One more takes the place of the one that has been idle for longest, and if none is idle it is
        /// closed.
        max_connections: i32 = "landfall.rest.max.connections" { default: Some("1000"), importance: Low, group: "REST access", width: Width::Short, display: "Connections", valid: Between(1, 100_000) };
        /// Milliseconds that a client may take for the TLS handshake, for the head of a request, and between two parts of its body or of an
        /// answer. Then its connection is closed.
        slow_client_ms: i64 = "landfall.rest.slow.client.ms" { default: Some("30000"), importance: Low, group: "REST access", width: Width::Medium, display: "Slow Clients (ms)", valid: Between(100, 600_000) };
        /// Addresses, or networks as `10.0.0.0/8`, separated by commas, of proxies whose `X-Forwarded-For` the audit log tells.
        trusted_proxies: Vec<String> = "landfall.rest.trusted.proxies" { default: Some(""), importance: Low, group: "REST access", width: Width::Long, display: "Trusted Proxies", valid: By(networks) };
        /// Where it is written who changed what by REST, and who was refused, a line of JSON each: a file, stdout or off. While it cannot be
        /// written, changes are refused.
        audit_log: String = "landfall.audit.log" { default: Some("off"), group: "REST access", width: Width::Long, display: "Audit Log", valid: NonEmpty, reaches: Reaches::By(audit_reached) };
    }
}

/// The file that the audit log is.
fn audit_reached(place: &str, _: &Properties) -> Vec<Reached> {
    let is_file = !["off", "stdout"].iter().any(|word| word.eq_ignore_ascii_case(place.trim()));
    if is_file { Reaches::Written.of(place, &Properties::new()) } else { Vec::new() }
}

/// The paths that may be open.
const OPEN: [&str; 4] = ["/", "/health", "/metrics", "/connector-plugins"];

impl AccessKeys {
    /// Reads the keys, and looks whether they fit together; `has_extension` says that `rest.extension.classes` asks for passwords.
    pub fn read(given: &Properties, has_extension: bool, faults: &mut Faults) -> Option<Self> {
        let keys = Self::parse(given, faults)?;
        let mut fault = |key: &str, why: &str| faults.push(key, format!("{key}: {why}"));
        if keys.has_bearer() {
            if keys.issuer.is_none() && keys.tenant_id.is_none() {
                fault(
                    "landfall.rest.bearer.tenant.id",
                    "whose tokens are taken is to be said here, or by landfall.rest.bearer.issuer",
                );
            }
            if keys.audience.iter().all(String::is_empty) {
                fault(
                    "landfall.rest.bearer.audience",
                    "it is needed with landfall.rest.auth=bearer: a token for another application is none for this one",
                );
            }
            if !keys.has_roles() {
                fault(
                    "landfall.rest.role.admin",
                    "landfall.rest.auth=bearer needs a role at least, as whoever has a token is nobody yet",
                );
            }
        } else {
            for key in
                Self::KEYS.iter().filter(|key| key.name.starts_with("landfall.rest.bearer.") && given.contains_key(key.name))
            {
                fault(key.name, "it means something with landfall.rest.auth=bearer only");
            }
        }
        if !has_extension && keys.auth.is_empty() {
            let meaningless = [
                "landfall.rest.role.reader",
                "landfall.rest.role.operator",
                "landfall.rest.role.admin",
                "landfall.rest.open.paths",
            ];
            for key in meaningless.into_iter().filter(|key| given.get(*key).is_some_and(|value| !value.trim().is_empty())) {
                fault(key, "it means something with landfall.rest.auth or rest.extension.classes only");
            }
        }
        Some(keys)
    }

    /// Whether users may come with a password.
    #[must_use]
    pub fn has_basic(&self) -> bool {
        self.auth.iter().any(|way| way == "basic")
    }

    /// Whether users may come with a token.
    #[must_use]
    pub fn has_bearer(&self) -> bool {
        self.auth.iter().any(|way| way == "bearer")
    }

    /// Whether any role is given to anybody.
    #[must_use]
    pub fn has_roles(&self) -> bool {
        [&self.reader, &self.operator, &self.admin].iter().any(|who| !who.is_empty())
    }
}

/// A range of addresses: `10.0.0.0/8`, or one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    base: IpAddr,
    /// How many leading bits count.
    bits: u8,
}

impl Network {
    /// Reads one.
    ///
    /// # Errors
    /// Why it is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let bad = || format!("{text:?} is no address or network like 10.0.0.0/8");
        let (base, bits) = text.split_once('/').map_or((text, None), |(base, bits)| (base, Some(bits)));
        let base: IpAddr = base.parse().map_err(|_| bad())?;
        let most = if base.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(most), |bits| bits.parse().map_err(|_| bad()))?;
        if bits <= most { Ok(Self { base, bits }) } else { Err(bad()) }
    }

    /// Whether `address` is in it; an IPv4 address that is written as one of IPv6 counts as the former.
    #[must_use]
    pub fn has(&self, address: IpAddr) -> bool {
        fn same(one: u128, other: u128, differing: u32) -> bool {
            one.checked_shr(differing).unwrap_or(0) == other.checked_shr(differing).unwrap_or(0)
        }
        match (self.base, address.to_canonical()) {
            (IpAddr::V4(base), IpAddr::V4(address)) => {
                same(u32::from(base).into(), u32::from(address).into(), 32 - u32::from(self.bits))
            }
            (IpAddr::V6(base), IpAddr::V6(address)) => same(base.into(), address.into(), 128 - u32::from(self.bits)),
            _ => false,
        }
    }
}

fn items(raw: &str) -> impl Iterator<Item = &str> {
    raw.split(',').map(str::trim).filter(|item| !item.is_empty())
}

fn known_ways(raw: &str) -> Result<(), String> {
    match items(raw).find(|way| !["basic", "bearer"].contains(way)) {
        Some(other) => Err(format!("{other:?} is neither basic nor bearer")),
        None => Ok(()),
    }
}

fn tenant(raw: &str) -> Result<(), String> {
    let is_id = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"-.".contains(&b));
    match raw {
        // Tokens of any tenant would be taken then.
        "common" | "organizations" | "consumers" => Err("it must be one tenant".into()),
        id if is_id(id) => Ok(()),
        _ => Err("it must be the id of a tenant".into()),
    }
}

fn issuers(raw: &str) -> Result<(), String> {
    let bad = |issuer: &&str| {
        let rest = issuer.strip_prefix("https://");
        rest.is_none_or(|rest| rest.is_empty() || rest.contains(['@', '?', '#', '{', ' ']))
    };
    match items(raw).find(bad) {
        Some(bad) => Err(format!("{bad} is no https URL of an issuer")),
        None if items(raw).next().is_none() => Err("there must be one at least".into()),
        None => Ok(()),
    }
}

fn open_paths(raw: &str) -> Result<(), String> {
    match items(raw).find(|path| !OPEN.contains(path)) {
        Some(other) => Err(format!("{other} cannot be open to everybody, only {} can", OPEN.join(", "))),
        None => Ok(()),
    }
}

fn networks(raw: &str) -> Result<(), String> {
    items(raw).try_for_each(|network| Network::parse(network).map(|_| ()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(more: &[(&str, &str)], has_extension: bool) -> Vec<String> {
        let given: Properties = more.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let mut faults = Faults::default();
        AccessKeys::read(&given, has_extension, &mut faults);
        faults.0.into_iter().map(|fault| fault.message).collect()
    }

    const BEARER: [(&str, &str); 4] = [
        ("landfall.rest.auth", "basic, bearer"),
        ("landfall.rest.bearer.tenant.id", "11111111-2222-3333-4444-555555555555"),
        ("landfall.rest.bearer.audience", "api://landfall"),
        ("landfall.rest.role.admin", "Connect.Admin"),
    ];

    #[test]
    fn nothing_is_guarded_unless_it_is_said() {
        assert_eq!(faults(&[], false), Vec::<String>::new());
        assert_eq!(faults(&BEARER, false), Vec::<String>::new());
        assert_eq!(
            faults(&[("landfall.rest.role.reader", "alice"), ("landfall.rest.open.paths", "/health")], true),
            Vec::<String>::new()
        );
    }

    #[test]
    fn what_would_guard_nothing_or_let_everybody_in_is_refused() {
        for missing in 1..BEARER.len() {
            let mut given = BEARER.to_vec();
            let (key, _) = given.remove(missing);
            let faults = faults(&given, false);
            assert!(faults.len() == 1 && faults[0].starts_with(key), "{key}: {faults:?}");
        }
        for (key, value, why) in [
            ("landfall.rest.auth", "digest", "neither basic nor bearer"),
            ("landfall.rest.role.reader", "alice", "means something with landfall.rest.auth or rest.extension.classes only"),
            ("landfall.rest.bearer.audience", "x", "means something with landfall.rest.auth=bearer only"),
            ("landfall.rest.bearer.tenant.id", "common", "must be one tenant"),
            ("landfall.rest.bearer.tenant.id", "a/b", "must be the id of a tenant"),
            ("landfall.rest.bearer.issuer", "http://login", "http://login is no https URL of an issuer"),
            ("landfall.rest.bearer.issuer", "https://a@b", "is no https URL"),
            ("landfall.rest.bearer.clock.skew.ms", "-1", "Value must be at least 0"),
            ("landfall.rest.open.paths", "/connectors", "/connectors cannot be open to everybody"),
            ("landfall.rest.trusted.proxies", "10.0.0.0/33", "no address or network"),
            ("landfall.rest.max.body.bytes", "1", "Value must be at least 1024"),
            ("landfall.audit.log", "", "non-empty"),
        ] {
            let faults = faults(&[(key, value)], false);
            assert!(faults.len() == 1 && faults[0].contains(why), "{key}={value}: {faults:?}");
        }
    }

    #[test]
    fn networks_have_their_addresses_and_no_others() {
        for (network, inside, outside) in [
            ("10.0.0.0/8", "10.255.0.1", "11.0.0.1"),
            ("10.1.2.3", "::ffff:10.1.2.3", "10.1.2.4"),
            ("0.0.0.0/0", "1.2.3.4", "2001:db8::1"),
            ("2001:db8::/32", "2001:db8:1::1", "2001:db9::1"),
            ("::/0", "::1", "1.2.3.4"),
        ] {
            let network = Network::parse(network).expect("a network");
            let has = |address: &str| network.has(address.parse().expect("an address"));
            assert!(has(inside) && !has(outside), "{network:?}");
        }
        for bad in ["", "a", "10.0.0.0/", "10.0.0/8", "::/129"] {
            assert!(Network::parse(bad).is_err(), "{bad}");
        }
    }
}
