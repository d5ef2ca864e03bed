//! Java's keys of clients, as `org.apache.kafka.connect.runtime.distributed.DistributedConfig` (4.3.1) has them at the top of a
//! worker's properties.

use std::time::Duration;

use landfall_api::config::Valid;
use landfall_api::{Faults, Key, Kind, Properties, Value as _};

use super::Address;
use super::tls::Tls;
use crate::config::{check_bootstrap_server, millis};
use crate::kafka::security::sasl::Sasl;
use crate::kafka::security::{Client, Security};

const BOOTSTRAP: &str = "bootstrap.servers";

/// What a client is made of.
#[derive(Clone, Debug)]
pub(in crate::kafka) struct ClientSettings {
    pub(in crate::kafka) bootstrap: Vec<Address>,
    pub(in crate::kafka) client_id: String,
    /// How long an answer is waited for (`request.timeout.ms`).
    pub(in crate::kafka) request_timeout: Duration,
    /// The waits between two requests after a failed one (`retry.backoff.ms`, `retry.backoff.max.ms`).
    pub(in crate::kafka) retry: (Duration, Duration),
    /// The waits between two connections after a failed one (`reconnect.backoff.ms`, `reconnect.backoff.max.ms`).
    pub(in crate::kafka) reconnect: (Duration, Duration),
    /// `socket.connection.setup.timeout.ms`.
    pub(super) setup_timeout: Duration,
    /// `socket.connection.setup.timeout.max.ms`.
    pub(super) setup_timeout_most: Duration,
    /// `connections.max.idle.ms`.
    pub(super) max_idle: Option<Duration>,
    /// Bytes; None for what the system has (`send.buffer.bytes`).
    pub(super) send_buffer: Option<u32>,
    /// Bytes; None for what the system has (`receive.buffer.bytes`).
    pub(super) receive_buffer: Option<u32>,
    pub(super) tls: Option<Tls>,
    pub(super) sasl: Option<Sasl>,
}

impl ClientSettings {
    /// Reads a worker's properties; `client_id` is for those that give none.
    pub(in crate::kafka) fn read(given: &Properties, client_id: &str, faults: &mut Faults) -> Option<Self> {
        let security = Security::read(given, text(given, BOOTSTRAP).unwrap_or_default(), Client::Member, faults);
        let dns = text(given, "client.dns.lookup").unwrap_or("use_all_dns_ips");
        if dns != "use_all_dns_ips" {
            let text = format!(
                "Invalid value {dns} for configuration client.dns.lookup: a member of a group uses all addresses of a name: use_all_dns_ips"
            );
            faults.push("client.dns.lookup", text);
        }
        let mut long = |name, default, least| number(given, name, Kind::Long, default, least, faults);
        let [retry, retry_most] = [long("retry.backoff.ms", "100", 0), long("retry.backoff.max.ms", "1000", 0)];
        let [reconnect, reconnect_most] = [long("reconnect.backoff.ms", "50", 0), long("reconnect.backoff.max.ms", "1000", 0)];
        let setup = long("socket.connection.setup.timeout.ms", "10000", 0);
        let setup_most = long("socket.connection.setup.timeout.max.ms", "30000", 0);
        let max_idle = long("connections.max.idle.ms", "540000", i64::MIN);
        let request_timeout = int(given, "request.timeout.ms", "40000", 0, faults);
        let send_buffer = number(given, "send.buffer.bytes", Kind::Int, "131072", -1, faults);
        let receive_buffer = number(given, "receive.buffer.bytes", Kind::Int, "32768", -1, faults);
        let bootstrap = bootstrap(given, faults);
        let security = security?;
        let tls = security.tls.map(|tls| Tls::new(&tls, faults));
        Some(Self {
            bootstrap: bootstrap?,
            client_id: text(given, "client.id").filter(|id| !id.is_empty()).unwrap_or(client_id).to_owned(),
            request_timeout: request_timeout?,
            retry: (millis(retry?), millis(retry_most?)),
            reconnect: (millis(reconnect?), millis(reconnect_most?)),
            setup_timeout: millis(setup?),
            setup_timeout_most: millis(setup_most?),
            max_idle: u64::try_from(max_idle?).ok().map(Duration::from_millis),
            send_buffer: u32::try_from(send_buffer?).ok(),
            receive_buffer: u32::try_from(receive_buffer?).ok(),
            tls: tls.map_or(Some(None), |tls| tls.map(Some))?,
            sasl: security.sasl,
        })
    }
}

fn number(
    given: &Properties,
    name: &'static str,
    kind: Kind,
    default: &'static str,
    least: i64,
    faults: &mut Faults,
) -> Option<i64> {
    let valid = if least == i64::MIN { Valid::Any } else { Valid::AtLeast(least) };
    let key = Key { name, kind, default: Some(default), valid, ..Key::EMPTY };
    key.read(given, faults)
}

/// Milliseconds that are an `INT` of at least `least`.
pub(in crate::kafka) fn int(
    given: &Properties,
    name: &'static str,
    default: &'static str,
    least: i64,
    faults: &mut Faults,
) -> Option<Duration> {
    number(given, name, Kind::Int, default, least, faults).map(millis)
}

/// What the user wrote for a key.
pub(in crate::kafka) fn text<'a>(given: &'a Properties, key: &str) -> Option<&'a str> {
    given.get(key).map(|value| value.trim())
}

fn bootstrap(given: &Properties, faults: &mut Faults) -> Option<Vec<Address>> {
    const KEY: &str = BOOTSTRAP;
    let raw = text(given, KEY).unwrap_or("localhost:9092");
    let servers = Vec::<String>::parse(raw).unwrap_or_default();
    if servers.is_empty() {
        faults.push(KEY, format!("Invalid value {raw} for configuration {KEY}: Configuration '{KEY}' must not be empty."));
    }
    let address = |server: &String| {
        check_bootstrap_server(server)?;
        let address = server.split_once("://").map_or(server.as_str(), |(_, address)| address);
        let parts = address.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
        let (host, port) = parts.ok_or_else(|| format!("not host:port: {server}"))?;
        Ok(Address { host: host.trim_start_matches('[').trim_end_matches(']').to_owned(), port })
    };
    let addresses: Result<Vec<_>, String> = servers.iter().map(address).collect();
    match addresses {
        Ok(addresses) => Some(addresses).filter(|all| !all.is_empty()),
        Err(why) => {
            faults.push(KEY, format!("Invalid value {raw} for configuration {KEY}: {why}"));
            None
        }
    }
}

/// What becomes of a key of Java's consumer in a member of a group, in words.
pub(in crate::kafka) fn becomes(java: &str) -> String {
    let text = match java {
        "bootstrap.servers"
        | "connections.max.idle.ms"
        | "heartbeat.interval.ms"
        | "reconnect.backoff.max.ms"
        | "reconnect.backoff.ms"
        | "request.timeout.ms"
        | "retry.backoff.max.ms"
        | "retry.backoff.ms"
        | "session.timeout.ms"
        | "socket.connection.setup.timeout.max.ms"
        | "socket.connection.setup.timeout.ms"
        | "client.id" => "honoured",
        "receive.buffer.bytes" | "send.buffer.bytes" => "honoured, as far as the system gives it",
        "client.dns.lookup" => "use_all_dns_ips; another one is refused",
        "group.id" => "the group of the workers",
        _ => "not of a worker's group",
    };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(given: &[(&str, &str)]) -> Result<ClientSettings, String> {
        let given: Properties = given.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        let mut faults = Faults::default();
        let settings = ClientSettings::read(&given, "connect-localhost:8083", &mut faults);
        faults.or(settings).map_err(|faults| faults.to_string())
    }

    #[test]
    fn defaults_are_those_of_javas_worker() {
        let settings = read(&[("bootstrap.servers", "a:1, SSL://[::1]:2")]).expect("settings");
        assert_eq!(settings.bootstrap.iter().map(ToString::to_string).collect::<Vec<_>>(), ["a:1", "[::1]:2"]);
        assert_eq!(settings.client_id, "connect-localhost:8083");
        assert_eq!(settings.request_timeout.as_millis(), 40_000);
        assert_eq!(settings.retry.1.as_millis(), 1000);
        assert_eq!(settings.max_idle.map(|idle| idle.as_millis()), Some(540_000));
        assert_eq!((settings.send_buffer, settings.receive_buffer), (Some(131_072), Some(32_768)));
        let settings =
            read(&[("client.id", "me"), ("connections.max.idle.ms", "-1"), ("send.buffer.bytes", "-1")]).expect("settings");
        assert_eq!((settings.client_id.as_str(), settings.max_idle, settings.send_buffer), ("me", None, None));
    }

    #[test]
    fn what_cannot_be_taken_is_named() {
        let cases = [
            ("bootstrap.servers", "nowhere", "Invalid url in bootstrap.servers: nowhere"),
            ("bootstrap.servers", "", "must not be empty"),
            ("request.timeout.ms", "soon", "Invalid value soon for configuration request.timeout.ms: Not a number of type INT"),
            ("retry.backoff.ms", "-1", "retry.backoff.ms: Value must be at least 0"),
            ("security.protocol", "TLS", "Invalid value TLS for configuration security.protocol"),
            ("client.dns.lookup", "resolve_canonical_bootstrap_servers_only", "client.dns.lookup"),
        ];
        for (key, value, expected) in cases {
            let told = read(&[(key, value)]).expect_err(key);
            assert!(told.contains(expected), "{told}");
        }
    }
}
