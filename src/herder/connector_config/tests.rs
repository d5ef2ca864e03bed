use super::*;
use crate::plugins::tests::FAKE;

fn worker(extra: &[(&str, &str)]) -> WorkerConfig {
    let converter = "org.apache.kafka.connect.storage.StringConverter";
    let base = [("bootstrap.servers", "k:1"), ("key.converter", converter), ("value.converter", converter)];
    let base = base.iter().chain(&[("offset.storage.file.filename", "o")]).chain(extra);
    WorkerConfig::parse(&base.map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()).expect("valid")
}

fn faults(worker: &WorkerConfig, extra: &[(&str, &str)]) -> String {
    let base = [("name", "c"), ("connector.class", "FakeSink"), ("topics", "t"), ("path", "/p")];
    let submitted = base.iter().chain(extra).map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect();
    check(&FAKE, worker, &submitted).expect("a known class").faults.to_string()
}

#[test]
fn a_version_that_is_not_there_is_refused() {
    let worker = worker(&[]);
    let text = faults(&worker, &[("connector.plugin.version", "9.9")]);
    assert_eq!(text.lines().filter(|line| line.contains("available versions")).count(), 2, "{text}");
}

#[test]
fn what_becomes_of_errors_can_be_said() {
    let worker = worker(&[]);
    for (key, value) in [
        ("transforms", " "),
        ("errors.tolerance", "all"),
        ("errors.log.enable", "TRUE"),
        ("errors.retry.timeout", "-1"),
        ("errors.deadletterqueue.topic.name", "dlq"),
    ] {
        assert_eq!(faults(&worker, &[(key, value)]), "", "{key}={value}");
    }
}

#[test]
fn transforms_and_predicates_are_looked_at_and_their_keys_known() {
    let worker = worker(&[]);
    let drop = [("transforms", "a"), ("transforms.a.type", "DropHeaders"), ("transforms.a.headers", "h")];
    let tombstones = [("transforms.a.predicate", "p"), ("predicates", "p"), ("predicates.p.type", "RecordIsTombstone")];
    assert_eq!(faults(&worker, &[&drop[..], &tombstones].concat()), "");
    let version = faults(&worker, &[&drop[..], &[("transforms.a.plugin.version", "1.0")]].concat());
    let class = "org.apache.kafka.connect.transforms.DropHeaders";
    let message = format!("Plugin {class} not found that matches the version range [1.0,1.0], available versions: [4.3.1]");
    assert_eq!(version, format!("{message}\n{message}"));
    let base = [("name", "c"), ("connector.class", "FakeSink"), ("topics", "t"), ("path", "/p")];
    let given = base.iter().chain(&drop).chain(&[("transforms.a.heeders", "x"), ("transforms.b.type", "y")]);
    let submitted = given.map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect();
    let warnings = check(&FAKE, &worker, &submitted).expect("a known class").warnings;
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    assert!(warnings[0].contains("transforms.a.heeders") && warnings[1].contains("transforms.b.type"), "{warnings:?}");
}

#[test]
fn topics_regex_is_javas() {
    let worker = worker(&[]);
    let of = |regex: &str| faults(&worker, &[("topics", ""), ("topics.regex", regex)]);
    for regex in ["t.*", r"(?!__)[\w.-]++", r"\Qa.b\E|\p{Lower}+", "[a-z&&[^q]]+", " "] {
        let neither = if regex == " " {
            "Must configure one of topics or topics.regex\nMust configure one of topics or topics.regex"
        } else {
            ""
        };
        assert_eq!(of(regex), neither, "{regex}");
    }
    let bad = "Invalid value [( for configuration topics.regex: Invalid regex: Unclosed character class near index 1\n[(\n ^";
    assert_eq!(of("[("), bad);
    assert!(of(r"\p{IsGreek}").contains(r"for configuration topics.regex: Invalid regex: \p{IsGreek} is not supported"));
    let both = faults(&worker, &[("topics.regex", "t.*")]);
    let mutually = "topics and topics.regex are mutually exclusive options, but both are set.";
    assert_eq!(both, format!("{mutually}\n{mutually}"));
}

#[test]
fn the_dead_letter_topic_is_not_one_of_the_topics() {
    let worker = worker(&[]);
    let dlq = ("errors.deadletterqueue.topic.name", " dlq ");
    let listed = faults(&worker, &[("topics", "t, dlq"), dlq]);
    assert!(
        listed.contains(
            "The DLQ topic 'dlq' may not be included in the list of topics ('topics=[t, dlq]') consumed by the connector"
        ),
        "{listed}"
    );
    let matched = faults(&worker, &[("topics", ""), ("topics.regex", "d.*"), dlq]);
    let text =
        "The DLQ topic 'dlq' may not be matched by the regex for the topics ('topics.regex=d.*') consumed by the connector";
    assert!(matched.contains(text), "{matched}");
    for harmless in [[("topics", "t"), dlq], [("topics.regex", "x.*"), dlq]] {
        assert!(!faults(&worker, &harmless).contains("The DLQ topic"), "{harmless:?}");
    }
}

#[test]
fn topics_are_what_kafka_and_a_folder_can_be_called() {
    let worker = worker(&[]);
    for (topics, faulty) in [
        ("t1, t2 ,t3", false),
        ("a.b_c-D9", false),
        (".", true),
        ("..", true),
        ("a/b", true),
        ("a\\b", true),
        ("é", true),
        ("t 1", true),
        ("t1,t1", true),
        ("t1,,t2", true),
        (&*"x".repeat(249), false),
        (&*"x".repeat(250), true),
    ] {
        assert_eq!(!faults(&worker, &[("topics", topics)]).is_empty(), faulty, "{topics}");
    }
    let twice = faults(&worker, &[("topics", ",")]);
    assert_eq!(twice, "Configuration 'topics' values must not be duplicated.");
}

#[test]
fn overrides_are_up_to_the_workers_policy() {
    let overrides = [("consumer.override.max.poll.records", "5"), ("consumer.override.sasl.mechanism", "PLAIN")];
    assert_eq!(faults(&worker(&[]), &overrides), "");
    let none = faults(&worker(&[("connector.client.config.override.policy", "None")]), &overrides);
    assert!(
        none.starts_with("The 'None' policy does not allow 'max.poll.records' to be overridden in the connector configuration.")
    );
    let principal = worker(&[("connector.client.config.override.policy", "Principal")]);
    assert_eq!(faults(&principal, &overrides).lines().count(), 1);
    // Those of a dead letter queue count where there is one.
    let letters = [("producer.override.linger.ms", "5"), ("admin.override.request.timeout.ms", "many")];
    assert_eq!(faults(&principal, &letters), "");
    let dlq = [&letters[..], &[("errors.deadletterqueue.topic.name", "dlq")]].concat();
    let refused = faults(&principal, &dlq);
    assert!(
        refused.contains("does not allow 'linger.ms'") && refused.contains("does not allow 'request.timeout.ms'"),
        "{refused}"
    );
    let many = faults(&worker(&[]), &dlq);
    assert!(many.contains("admin.override.request.timeout.ms: Not a number") && !many.contains("linger"), "{many}");
}

#[test]
fn the_number_of_tasks_has_bounds() {
    for (tasks, why) in [("0", "Value must be at least 1"), ("2147483647", "Value must be at most 1000")] {
        assert_eq!(
            faults(&worker(&[]), &[("tasks.max", tasks)]),
            format!("Invalid value {tasks} for configuration tasks.max: {why}")
        );
    }
    assert_eq!(faults(&worker(&[]), &[("tasks.max", " 1000 ")]), "");
}

#[test]
fn a_key_that_nobody_reads_is_warned_about_by_name() {
    let base = [("name", "c"), ("connector.class", "FakeSink"), ("topics", "t"), ("path", "/p"), ("value.converter", "Json")];
    let extra = [
        ("flush.sise", "7"),
        ("consumer.override.fetch.min.bytes", "1"),
        ("key.converter.schemas.enable", "false"),
        ("transforms.a.type", "x"),
        ("value.converter.schema.enable", "false"),
        ("value.converter.schemas.enable", "false"),
    ];
    let submitted = base.iter().chain(&extra).map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect();
    let checked = check(&FAKE, &worker(&[]), &submitted).expect("a known class");
    assert_eq!(
        checked.warnings,
        [
            "The configuration 'key.converter.schemas.enable' has no effect: the worker's key.converter counts unless key.converter is given too",
            "The configuration 'flush.sise' was supplied but isn't a known config. Did you mean 'flush.size'?",
            "The configuration 'transforms.a.type' was supplied but isn't a known config.",
            "The configuration 'value.converter.schema.enable' was supplied but isn't a known config. Did you mean 'value.converter.schemas.enable'?",
        ]
    );
}

#[test]
fn a_secret_under_a_harmless_key_is_not_shown() {
    let text = faults(&worker(&[]), &[("tasks.max", "AccountName=a;AccountKey=pssst")]);
    assert!(text.contains("Invalid value [hidden] for configuration tasks.max") && !text.contains("pssst"), "{text}");
    let stored = Properties::from([("store.url".into(), "https://a/?sig=pssst".into())]);
    let secrets = Secrets::of(&FAKE, &stored);
    let mut again: Submitted = secrets.hide(&stored).into_iter().map(|(key, value)| (key, Some(value))).collect();
    assert_eq!(again["store.url"].as_deref(), Some(HIDDEN));
    secrets.restore(&stored, &mut again);
    assert_eq!(again["store.url"], stored.get("store.url").cloned());
}

#[test]
fn what_is_mistyped_is_asked_about_where_the_right_key_is_missing() {
    let base = [("name", "c"), ("connector.class", "FakeSink"), ("topic", "t"), ("paht", "/p")];
    let submitted = base.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect();
    let faults = check(&FAKE, &worker(&[]), &submitted).expect("a known class").faults.to_string();
    assert_eq!(
        faults.lines().collect::<Vec<_>>(),
        [
            "Must configure one of topics or topics.regex. Is 'topic' meant for it?",
            "Must configure one of topics or topics.regex",
            "Missing required configuration \"path\" which has no default value. Is 'paht' meant for it?",
        ]
    );
    // A key that is known is meant for itself.
    let base = [
        ("name", "c"),
        ("connector.class", "FileStreamSink"),
        ("topics", "t"),
        ("predicates", "p"),
        ("predicates.p.type", "HasHeaderKey"),
    ];
    let submitted = base.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect();
    let faults = check(&Plugins::BUILT_IN, &worker(&[]), &submitted).expect("a known class").faults.to_string();
    assert_eq!(faults, "Missing required configuration \"predicates.p.name\" which has no default value.");
    let unknown = |class: &str| check(&FAKE, &worker(&[]), &[("connector.class".to_owned(), Some(class.to_owned()))].into());
    for (class, hint) in [
        ("FakeSnik", ". Did you mean FakeSink?"),
        ("org.example.FakeSink", ". Did you mean FakeSink?"),
        ("JdbcSource", ". Source connectors do not run here"),
    ] {
        let error = unknown(class).expect_err("unknown").to_string();
        assert!(error.starts_with("Failed to find any class") && error.ends_with(hint), "{error}");
    }
    let mistyped =
        Properties::from([("value.converter".into(), "Json".into()), ("value.converter.schema.enable".into(), "x".into())]);
    let warned = converter_warnings(&FAKE, &mistyped);
    assert!(warned.len() == 1 && warned[0].ends_with("Did you mean 'value.converter.schemas.enable'?"), "{warned:?}");
}

#[test]
fn what_a_client_refuses_is_found_before_a_task_fails() {
    let bad = [("consumer.override.max.poll.records", "many"), ("consumer.override.isolation.level", "none")];
    let text = faults(&worker(&[]), &bad);
    assert_eq!(text.lines().count(), 2, "{text}");
    assert!(text.contains("Invalid value many for configuration consumer.override.max.poll.records: Not a number of type INT"));
}

#[test]
fn what_providers_give_is_looked_at_and_never_said() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a.properties");
    std::fs::write(&file, "topic=orders\ntasks=two-secret\ntransforms=a\n").expect("written");
    let worker = worker(&[("config.providers", "f"), ("config.providers.f.class", "FileConfigProvider")]);
    let variable = |key: &str| format!("${{f:{}:{key}}}", file.display());
    let submitted = |key: &str, value: &str| -> Submitted {
        let base = [("name", "c"), ("connector.class", "FakeSink"), ("topics", "t"), ("path", "/p"), (key, value)];
        base.map(|(k, v)| (k.to_owned(), Some(v.to_owned()))).into()
    };
    let checked = |key: &str, value: &str| check(&FAKE, &worker, &submitted(key, value)).expect("a known class");

    let good = checked("topics", &variable("topic"));
    assert!(good.faults.is_empty() && good.warnings.is_empty(), "{:?} {:?}", good.faults, good.warnings);
    assert_eq!((&good.properties["topics"], good.resolved.properties["topics"].as_str()), (&variable("topic"), "orders"));

    let bad = checked("tasks.max", &variable("tasks"));
    let text = bad.faults.to_string();
    assert!(
        text.contains("Invalid value [hidden] for configuration tasks.max: Not a number") && !text.contains("two-secret"),
        "{text}"
    );

    let enriched = checked("transforms", &variable("transforms")).faults.to_string();
    assert!(enriched.contains("transforms.a.type"), "{enriched}");

    let none = checked("path", &variable("none"));
    let warning = format!("The configuration 'path' keeps {} as it is: the config provider has no such value", variable("none"));
    assert!(none.faults.is_empty() && none.warnings == [warning], "{:?} {:?}", none.faults, none.warnings);

    let lost = checked("path", "${f:/no/such:x}").faults;
    assert_eq!(lost.0.len(), 1);
    let message = "Could not resolve ${f:/no/such:x} for configuration path: Could not read properties from file /no/such: ";
    assert!(lost.0[0].key == "path" && lost.0[0].message.starts_with(message), "{lost}");
    let class = check(&FAKE, &worker, &submitted("connector.class", "${f:/no/such:x}")).expect_err("no class").to_string();
    assert!(class.starts_with("Could not resolve ${f:/no/such:x} for configuration connector.class"), "{class}");
}

#[test]
fn a_secret_that_is_only_named_is_shown() {
    let secrets = Secrets::of(&FAKE, &Properties::new());
    let shown = |value: &str| secrets.hide(&Properties::from([("a.password".into(), value.into())])).remove("a.password");
    assert_eq!(shown("${file:/run/x:pw}").as_deref(), Some("${file:/run/x:pw}"));
    for secret in ["pw", "${file:/run/x:pw}2", "a${file:/run/x:pw}"] {
        assert_eq!(shown(secret).as_deref(), Some(HIDDEN), "{secret}");
    }
}
