use super::*;

const MINIMAL: &str = "bootstrap.servers=k:9092\nkey.converter=K\nvalue.converter=V\noffset.storage.file.filename=/tmp/o\n";

fn read(text: &str) -> Result<WorkerConfig, String> {
    read_with(text, |_| Faults::default())
}

fn read_with(text: &str, plugins: impl Fn(&Properties) -> Faults) -> Result<WorkerConfig, String> {
    let dir = tempfile::tempdir().expect("a directory");
    let path = dir.path().join("worker.properties");
    std::fs::write(&path, text).expect("written");
    WorkerConfig::read(&path, Mode::Standalone, plugins).map_err(|e| e.replace(&format!("{}/", dir.path().display()), ""))
}

#[test]
fn a_minimal_file_has_javas_defaults() {
    let config = read(MINIMAL).expect("valid");
    assert_eq!(config.keys.listeners, ["http://:8083"]);
    assert_eq!(config.keys.offset_flush_interval_ms, 60_000);
    assert_eq!(config.keys.task_shutdown_graceful_timeout_ms, 5_000);
    assert_eq!(config.keys.header_converter.0, "org.apache.kafka.connect.storage.SimpleHeaderConverter");
    assert!(config.warnings.is_empty(), "{:?}", config.warnings);
}

#[test]
fn metrics_are_sampled_as_in_java_and_shown_on_the_api() {
    let config = read(MINIMAL).expect("valid");
    assert_eq!((config.sampling(), config.keys.metrics_listeners.len()), (Window::default(), 0));
    let more = "metrics.sample.window.ms=1000\nmetrics.num.samples=5\nlandfall.metrics.listeners=http://:9404, https://h:9405\n";
    let config = read(&format!("{MINIMAL}{more}")).expect("valid");
    assert_eq!(config.sampling(), Window { length: Duration::from_secs(1), samples: 5 });
    assert_eq!(config.keys.metrics_listeners, ["http://:9404", "https://h:9405"]);
    for wrong in ["landfall.metrics.listeners=:9404", "landfall.metrics.names=jmx", "landfall.log.format=xml"] {
        let key = wrong.split('=').next().expect("a key");
        assert!(read(&format!("{MINIMAL}{wrong}\n")).is_err_and(|e| e.contains(key)), "{wrong}");
    }
}

#[test]
fn every_fault_names_file_line_and_key() {
    let text = format!("{MINIMAL}offset.flush.interval.ms=soon\nlisteners=ftp://:8443\nconfig.providers=file\n");
    let text = text.replace("key.converter=K\n", "");
    assert_eq!(
        read(&text).expect_err("three faults and a missing key").lines().collect::<Vec<_>>(),
        [
            "worker.properties: key.converter: Missing required configuration \"key.converter\" which has no default value.",
            "worker.properties:4: offset.flush.interval.ms: Invalid value soon for configuration offset.flush.interval.ms: Not a number of type LONG",
            "worker.properties:5: listeners: Invalid value ftp://:8443 for configuration listeners: neither http nor https: ftp://:8443",
            "worker.properties: config.providers.file.class: Missing required configuration \"config.providers.file.class\" which has no default value.",
        ]
    );
}

#[test]
fn what_plugins_refuse_is_located_too() {
    let refuse = |_: &Properties| {
        let mut faults = Faults::default();
        faults.push("key.converter", "no such class");
        faults.push("value.converter", "no such class");
        faults
    };
    let error = read_with(&MINIMAL.replace("key.converter=K\n", ""), refuse).expect_err("two faults");
    assert_eq!(
        error,
        "worker.properties: key.converter: Missing required configuration \"key.converter\" which has no default value.\n\
         worker.properties:2: value.converter: no such class"
    );
}

#[test]
fn unknown_keys_and_keys_without_effect_are_warned_about_without_their_values() {
    let text = format!("{MINIMAL}foo=hunter2\nplugin.path=/p\nconsumer.max.poll.records=1\nclient.id=c\n");
    let config = read(&text).expect("valid");
    assert_eq!(
        config.warnings,
        [
            "The configuration 'foo' was supplied but isn't a known config.",
            "The configuration 'plugin.path' has no effect: plugins are built in",
        ]
    );
}

#[test]
fn what_is_named_is_resolved_and_never_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let secrets = folder.path().join("secrets");
    std::fs::write(&secrets, "ms=5\nsoon=soonish\npw=pssst\n").expect("written");
    let secrets = secrets.display();
    let providers = "config.providers=f\nconfig.providers.f.class=FileConfigProvider\n";
    let text = format!(
        "{MINIMAL}{providers}offset.flush.interval.ms=${{f:{secrets}:ms}}000\nconsumer.ssl.key.password=${{f:{secrets}:pw}}\n"
    );
    let config = read(&text).expect("valid");
    assert_eq!(config.keys.offset_flush_interval_ms, 5_000);
    assert_eq!(config.given["consumer.ssl.key.password"], "pssst");
    let warned = "The configuration 'config.providers.f.param.allowed.paths' is not given: connectors read whatever file the worker \
                  can read, by ${f:…}";
    assert_eq!(config.warnings, [warned]);
    assert!(config.provided.has("consumer.ssl.key.password"));

    let text = format!(
        "{MINIMAL}{providers}offset.flush.interval.ms=${{f:{secrets}:soon}}\noffset.flush.timeout.ms=${{f:/no/such:x}}\n"
    );
    let error = read_with(&text, |given| {
        let mut faults = Faults::default();
        faults.push("value.converter", format!("not {}", given["offset.flush.interval.ms"]));
        faults
    });
    let error = error.expect_err("three faults");
    for part in [
        "worker.properties:7: offset.flush.interval.ms: Invalid value [hidden] for configuration offset.flush.interval.ms: Not a number",
        "worker.properties:8: offset.flush.timeout.ms: Could not resolve ${f:/no/such:x} for configuration offset.flush.timeout.ms: ",
        "worker.properties:3: value.converter: not [hidden]",
    ] {
        assert!(error.contains(part), "{part} is not in {error}");
    }
    assert_eq!(error.lines().count(), 3, "{error}");
}

#[test]
fn each_mode_has_its_keys() {
    let given = |text: &str| -> Properties {
        let pairs = text.lines().filter_map(|line| line.split_once('='));
        pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect()
    };
    let distributed = "bootstrap.servers=k:9092\nkey.converter=K\nvalue.converter=V\ngroup.id=g\nconfig.storage.topic=c\n\
        offset.storage.topic=o\nstatus.storage.topic=s\nlinger.ms=1\nstatus.storage.segment.bytes=1048576\n";
    let config = WorkerConfig::parse_as(Mode::Distributed, &given(distributed)).expect("valid");
    assert!(config.warnings.is_empty() && config.state_file().is_none(), "{:?}", config.warnings);
    assert_eq!(config.distributed().map(|keys| keys.group_id.as_str()), Some("g"));
    let more = format!("{distributed}{OFFSET_FILE}=/f\nlandfall.state.file=/s\nconfig.storage.cleanup.policy=delete\n");
    let config = WorkerConfig::parse_as(Mode::Distributed, &given(&more)).expect("valid");
    assert_eq!(
        config.warnings,
        [
            "The configuration 'landfall.state.file' has no effect: it is for workers in standalone mode",
            "The configuration 'offset.storage.file.filename' has no effect: it is for workers in standalone mode",
            "Ignoring 'config.storage.cleanup.policy=delete' setting, since compaction is always used",
        ]
    );
    assert!(WorkerConfig::parse_as(Mode::Distributed, &given(MINIMAL)).is_err());
    let config = read(&format!("{MINIMAL}group.id=g\nlandfall.state.file=/s\n")).expect("valid");
    assert_eq!(config.warnings, ["The configuration 'group.id' has no effect: it is for workers in distributed mode"]);
    assert!(config.distributed().is_none() && config.state_file().is_some());
}

#[test]
fn the_advertised_address_is_the_configured_one() {
    let both = "listeners=https://10.0.0.1:0,http://10.0.0.2:0";
    for (keys, scheme, advertised) in [
        ("listeners=http://10.0.0.1:0", Scheme::Http, "10.0.0.1:4711"),
        ("listeners=http://10.0.0.1:0\nrest.advertised.host.name=pod-1\nrest.advertised.port=80", Scheme::Http, "pod-1:80"),
        ("listeners=http://[::1]:0", Scheme::Http, "[::1]:4711"),
        ("listeners=https://[::1]:0", Scheme::Https, "[::1]:4711"),
        (both, Scheme::Http, "10.0.0.2:4712"),
        (&format!("{both}\nrest.advertised.listener=HTTPS"), Scheme::Https, "10.0.0.1:4711"),
        ("listeners=http://10.0.0.1:0\nrest.advertised.listener=https\nrest.advertised.port=443", Scheme::Https, "10.0.0.1:443"),
    ] {
        let config = read(&format!("{MINIMAL}{keys}\n")).expect("valid");
        assert_eq!(config.advertised(&[4711, 4712]), (scheme, advertised.to_owned()), "{keys}");
    }
}
