//! The Helm chart: what it renders is what Kubernetes takes, and runs as it is rendered.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::thread;

use landfall::config::{Mode, PropertiesFile, WorkerConfig};
use landfall_api::Faults;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::Broker;
use crate::support::kubernetes::{Pod, chart, examples, find, parse, pipe, render, tool};
use crate::support::once::{Numbered, assert_once, ours};
use crate::support::store::Store;
use crate::support::{Stop, cache, free_port, secs, wait_until};

/// Versions of Kubernetes that the manifests have to fit: the oldest that the chart takes, those that AKS supports, the newest known.
const VERSIONS: [&str; 6] = ["1.27.0", "1.29.0", "1.30.0", "1.33.0", "1.35.0", "1.37.0"];

/// Kinds of others, which Kubernetes has no schemas of.
const OTHERS: [&str; 5] = ["PodMonitor", "PrometheusRule", "ScaledObject", "SecretProviderClass", "ServiceMonitor"];

#[test]
fn what_is_rendered_is_what_kubernetes_takes() {
    let examples = examples();
    assert_eq!(examples.keys().collect::<Vec<_>>(), ["event-hubs", "everything", "kafka", "minimal"]);
    thread::scope(|scope| {
        for values in examples.values() {
            scope.spawn(move || {
                let done = tool("helm").args(["lint", "--strict", "--values"]).arg(values).arg(chart()).output().expect("helm");
                assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stdout));
            });
        }
        for version in VERSIONS {
            let examples = &examples;
            scope.spawn(move || {
                let render = |values| render(values, version).unwrap_or_else(|e| panic!("{values:?} for {version}: {e}"));
                let rendered: String = examples.values().map(|values| render(values.as_path())).collect();
                fits(version, &rendered);
            });
        }
    });
}

/// Panics unless all manifests fit the schemas of a version, but for kinds of others.
fn fits(version: &str, manifests: &str) {
    let schemas = cache("kubernetes/schemas").join("{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json");
    let mut kubeconform = tool("kubeconform");
    kubeconform.args(["-strict", "-ignore-missing-schemas", "-verbose", "-output", "json"]);
    kubeconform.args(["-kubernetes-version", version, "-schema-location"]).arg(schemas);
    let (good, said) = pipe(&mut kubeconform, manifests);
    assert!(good, "{version}: {said}");
    let said: Value = serde_json::from_str(&said).expect("JSON");
    let resources = said["resources"].as_array().expect("resources");
    let skipped = resources.iter().filter(|resource| resource["status"] != "statusValid");
    let kinds: BTreeSet<_> = skipped.map(|resource| resource["kind"].as_str().expect("a kind")).collect();
    assert!(kinds.iter().all(|kind| OTHERS.contains(kind)), "{version}: {kinds:?} have no schemas");
    assert!(resources.len() > 40, "{} manifests", resources.len());
}

#[test]
fn nothing_critical_is_found_in_what_is_rendered() {
    for (name, values) in examples() {
        let rendered = render(&values, "1.33.0").unwrap_or_else(|e| panic!("{name}: {e}"));
        let mut kube_score = tool("kube-score");
        kube_score.args(["score", "--output-format", "ci", "--kubernetes-version", "v1.33", "-"]);
        let (good, said) = pipe(&mut kube_score, &rendered);
        let critical: Vec<_> = said.lines().filter(|line| line.starts_with("[CRITICAL]")).collect();
        assert!(critical.is_empty() && said.contains("[OK]"), "{name}: {critical:#?}");
        assert!(good, "{name}: {said}");
    }
}

#[test]
fn values_that_cannot_work_are_refused_with_a_reason() {
    let folder = TempDir::new().expect("a folder");
    let refused = |values: Value, why: &str| {
        let file = folder.path().join("values.json");
        let mut all = json!({"kafka": {"bootstrapServers": "k:9092"}});
        for (key, value) in values.as_object().expect("values") {
            all[key] = value.clone();
        }
        fs::write(&file, all.to_string()).expect("written");
        let said = render(&file, "1.33.0").expect_err(why);
        assert!(said.contains(why), "{why} is not in {said}");
    };
    refused(json!({"kafka": {}}), "kafka.bootstrapServers: give the brokers");
    refused(json!({"replica": 3}), "additional properties 'replica' not allowed");
    refused(json!({"replicas": "3"}), "'/replicas': got string, want integer");
    refused(json!({"mode": "standalone"}), "replicas: a standalone worker is alone");
    refused(
        json!({"mode": "standalone", "replicas": 1, "autoscaling": {"by": "hpa"}}),
        "autoscaling.by: a standalone worker is alone",
    );
    refused(json!({"kafka": {"bootstrapServers": "k:9093", "eventHubs": true}}), "kafka.eventHubs: needs azure.credential");
    refused(json!({"azure": {"workloadIdentity": {"enabled": true}}}), "azure.workloadIdentity.clientId: give the client id");
    refused(json!({"keyVault": {"enabled": true}}), "keyVault.name: give the name of the vault");
    refused(json!({"ingress": {"enabled": true}}), "ingress.hosts: give at least one");
    refused(json!({"autoscaling": {"by": "keda"}}), "there is nothing to scale by");
    refused(json!({"resources": {"limits": {"memory": "1Q"}}}), "does not match pattern");
    refused(json!({"connectors": {"a/b": {"connector.class": "X"}}}), "does not match pattern");
    refused(json!({"connectors": {"a": {"topics": "t"}}}), "missing property 'connector.class'");
}

#[test]
fn the_worker_takes_what_is_rendered_for_it() {
    for (name, mode) in [("minimal", Mode::Distributed), ("kafka", Mode::Distributed), ("event-hubs", Mode::Standalone)] {
        let manifests = parse(&render(&examples()[name], "1.33.0").expect("rendered"));
        let text = find(&manifests, "ConfigMap", "landfall")["data"]["worker.properties"].as_str().expect("text");
        let folder = TempDir::new().expect("a folder");
        let file = folder.path().join("worker.properties");
        // What the webhook of workload identity sets in pods, by the keys that mean the same.
        let webhook = "landfall.azure.tenant.id=t\nlandfall.azure.client.id=c\nlandfall.azure.federated.token.file=/token";
        let webhook = if name == "event-hubs" { webhook } else { "" };
        fs::write(&file, format!("{text}\n{webhook}\n")).expect("written");
        let config = WorkerConfig::read(&file, mode, |_| Faults::default()).unwrap_or_else(|e| panic!("{name}: {e}\n{text}"));
        // There is no secret here.
        let unexpected: Vec<_> = config.warnings.iter().filter(|warning| !warning.contains("${env:")).collect();
        assert!(unexpected.is_empty(), "{name}: {unexpected:#?}");
        // Half of the limit.
        assert_eq!(config.memory(), 512 << 20, "{name}");

        let pod = &find(&manifests, "Deployment", "landfall")["spec"]["template"]["spec"];
        let grace = pod["terminationGracePeriodSeconds"].as_u64().expect("a grace period");
        let flush = u64::try_from(config.keys.offset_flush_timeout_ms).expect("positive") / 1000;
        assert!(secs(grace) > config.grace() + secs(flush) + secs(5), "{name}: {grace} s");
    }
}

#[test]
fn rules_and_the_dashboard_are_those_of_the_files() {
    let manifests = parse(&render(&examples()["everything"], "1.33.0").expect("rendered"));
    let file = |name: &str| fs::read_to_string(chart().join("files").join(name)).expect(name);
    let rules = &manifests.iter().find(|manifest| manifest["kind"] == "PrometheusRule").expect("rules")["spec"];
    assert_eq!(*rules, parse(&file("alerts.yaml"))[0]);
    let dashboard = find(&manifests, "ConfigMap", "-dashboard")["data"]["landfall.json"].as_str().expect("text");
    let dashboard: Value = serde_json::from_str(dashboard).expect("JSON");
    assert_eq!(dashboard, serde_json::from_str::<Value>(&file("dashboard.json")).expect("JSON"));
}

#[test]
fn properties_arrive_as_they_were_given() {
    let folder = TempDir::new().expect("a folder");
    let given = json!({
        "a.regex": r"a\.b\d", "odd key=1": " x", "big": 1_800_000, "part": 1.5, "flag": false, "empty": "", "lines": "a\nb",
        "listeners": "http://127.0.0.1:1", "landfall.leave.hands.over": null,
    });
    let values = folder.path().join("values.json");
    let all = json!({"kafka": {"bootstrapServers": "k:1"}, "worker": {"properties": given}});
    fs::write(&values, all.to_string()).expect("written");
    let manifests = parse(&render(&values, "1.33.0").expect("rendered"));
    let text = find(&manifests, "ConfigMap", "landfall")["data"]["worker.properties"].as_str().expect("text");
    let file = PropertiesFile::parse(Path::new("worker.properties"), text).expect("properties");
    assert!(file.warnings.is_empty(), "{:?}", file.warnings);
    for (key, value) in given.as_object().expect("properties") {
        let wanted = value.as_str().map_or_else(|| (!value.is_null()).then(|| value.to_string()), |text| Some(text.to_owned()));
        assert_eq!(file.properties.get(key), wanted.as_ref(), "{key}");
    }
    assert_eq!(file.properties["group.id"], "test-landfall");
}

/// Rolls a worker over to the next revision under load, as a Deployment does: the new pod starts, then the old one is taken away.
#[test]
fn rendered_pods_land_everything_once_within_their_limits_while_they_are_replaced() {
    const LIMIT: &str = "320Mi";
    const AHEAD: i64 = 6_000;
    let (broker, topic) = (Broker::shared(), "helm-roll");
    let store = Store::azurite();
    let mut connector = ours(&store, topic, 400);
    let key = connector["landfall.azure.account.key"].as_str().expect("a key").to_owned();
    connector["landfall.azure.account.key"] = "${env:LAKE_ACCOUNT_KEY}".into();
    connector["tasks.max"] = 2.into();
    let secrets = [("LAKE_ACCOUNT_KEY", key.as_str()), ("CONNECT_CONSUMER_CLIENT_RACK", "zone-1")];
    let folder = TempDir::new().expect("a folder");
    let revision = |number: u32| {
        let rest = free_port();
        let values = json!({
            "kafka": {"bootstrapServers": broker.bootstrap()},
            "distributed": {"groupId": "helm-roll", "topics": {"replicationFactor": 1}},
            "worker": {
                "secrets": ["landfall-secrets"],
                "properties": {
                    "offset.flush.interval.ms": 1000,
                    "landfall.allowed.hosts": "azure,worker,127.0.0.1",
                    "revision.of.the.test": number,
                },
            },
            "rest": {"port": rest},
            "metrics": {"port": free_port()},
            "resources": {"limits": {"memory": LIMIT}, "requests": {"memory": LIMIT}},
            "stop": {"drainSeconds": 20},
            "connectors": {"helm-roll": connector},
            // There is no service that would lead to the pod.
            "connectorsJob": {"env": [{"name": "LANDFALL_URL", "value": format!("http://127.0.0.1:{rest}")}]},
        });
        let file = folder.path().join(format!("values-{number}.json"));
        fs::write(&file, values.to_string()).expect("written");
        parse(&render(&file, "1.33.0").expect("rendered"))
    };
    let (first, second) = (revision(1), revision(2));
    let start = |manifests: &[Value]| {
        let mut pod = Pod::start(&find(manifests, "Deployment", "landfall")["spec"]["template"], manifests, &secrets);
        pod.await_started();
        pod
    };

    let mut numbered = Numbered::create(broker, topic, 4, 9);
    let (stop, produced) = (AtomicBool::new(false), AtomicI64::new(0));
    let ends = thread::scope(|scope| {
        let _end = Stop(&[&stop]);
        let producing = scope.spawn(|| {
            let mut landed = 0;
            while !stop.load(Ordering::Relaxed) {
                // Always more than has landed, and not so much that the end takes long.
                if produced.load(Ordering::Relaxed) - landed < AHEAD {
                    numbered.produce(500);
                    produced.fetch_add(500, Ordering::Relaxed);
                } else {
                    landed = committed(broker, topic);
                }
            }
            numbered
        });
        let mut old = start(&first);
        let said = apply(&first);
        assert!(said.contains("created, RUNNING, 2 tasks"), "{said}");
        let landed = || committed(broker, topic);
        wait_until(&format!("the first files; log: {}", old.log()), secs(60), || (landed() > 2_000).then_some(()));
        assert!(old.probe("readinessProbe") && old.probe("livenessProbe"), "{}", old.log());

        let mut new = start(&second);
        assert!(produced.load(Ordering::Relaxed) > landed(), "there is no load while the pod ends");
        assert!(old.stop().success(), "{}", old.log());
        let reached = landed();
        wait_until(&format!("the new pod to go on; log: {}", new.log()), secs(60), || (landed() > reached + 2_000).then_some(()));
        let said = apply(&second);
        assert!(said.contains("Nothing to do"), "{said}");
        stop.store(true, Ordering::Relaxed);
        let numbered = producing.join().expect("a producer");
        wait_until(&format!("all of it; log: {}", new.log()), secs(120), || {
            (broker.committed(&format!("connect-{topic}"), topic) == numbered.ends()).then_some(())
        });
        assert!(new.probe("readinessProbe"), "{}", new.log());
        assert!(new.stop().success(), "{}", new.log());
        numbered
    });
    assert_once(&store, topic, ends.produced());
}

/// The offsets that the group of a connector of the same name has committed, summed.
fn committed(broker: &Broker, topic: &str) -> i64 {
    broker.committed(&format!("connect-{topic}"), topic).values().sum()
}

/// Runs the job that makes the connectors what the values say; what it prints.
fn apply(manifests: &[Value]) -> String {
    let mut job = Pod::start(&find(manifests, "Job", "-connectors")["spec"]["template"], manifests, &[]);
    let status = job.finish(secs(90));
    assert!(status.success(), "{}", job.log());
    job.log()
}

/// A value of the chart: its path, its default, and what the comment before it says.
struct Documented {
    path: String,
    default: String,
    doc: String,
}

/// The values, as the comments that begin with `# --` describe them. What has none is part of the one above.
fn documented(values: &str) -> Vec<Documented> {
    let (mut all, mut doc, mut above) = (Vec::<Documented>::new(), String::new(), Vec::<(usize, String)>::new());
    let mut described: Option<usize> = None;
    for line in values.lines() {
        let text = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let Some(begins) = text.strip_prefix("# -- ") {
            begins.clone_into(&mut doc);
        } else if let Some(goes_on) = text.strip_prefix("# ") {
            let _ = write!(doc, " {goes_on}");
        } else if let Some((key, rest)) = text.split_once(':') {
            let inside = described.is_some_and(|of| indent > of);
            if inside {
                let last = &mut all.last_mut().expect("a value").default;
                let _ = write!(last, "{}{text}", if last.is_empty() { "" } else { ", " });
                continue;
            }
            described = None;
            above.retain(|(of, _)| *of < indent);
            let path = above.iter().map(|(_, key)| key.as_str()).chain([key]).collect::<Vec<_>>().join(".");
            above.push((indent, key.to_owned()));
            let rest = rest.trim();
            if !doc.is_empty() {
                all.push(Documented { path, default: rest.to_owned(), doc: std::mem::take(&mut doc) });
                described = Some(indent);
            } else {
                assert!(rest.is_empty(), "{path} has no comment that begins with `# --`");
            }
        }
    }
    all
}

#[test]
fn the_readme_of_the_chart_says_what_its_values_are() {
    const MARK: &str = "<!-- Generated from values.yaml: UPDATE=1 cargo test --test it helm::the_readme -->\n";
    let values = fs::read_to_string(chart().join("values.yaml")).expect("values.yaml");
    let mut table = String::from("\n| value | default | what it is |\n|---|---|---|\n");
    for Documented { path, default, doc } in documented(&values) {
        let default = if default.is_empty() || default == "\"\"" { String::new() } else { format!("`{default}`") };
        let _ = writeln!(table, "| `{path}` | {} | {} |", default.replace('|', "\\|"), doc.replace('|', "\\|"));
    }
    let path = chart().join("README.md");
    let there = fs::read_to_string(&path).expect("README.md");
    let (head, _) = there.split_once(MARK).expect("the mark after which it is generated");
    let wanted = format!("{head}{MARK}{table}");
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &wanted).expect("written");
    } else {
        assert!(there == wanted, "helm/landfall/README.md is not what values.yaml says: {MARK}");
    }
}

#[test]
fn documents_name_values_that_there_are() {
    let values = fs::read_to_string(chart().join("values.yaml")).expect("values.yaml");
    let known: BTreeSet<String> = documented(&values).into_iter().map(|value| value.path).collect();
    let tops: BTreeSet<&str> = known.iter().map(|path| path.split('.').next().expect("a part")).collect();
    let mut named = BTreeMap::new();
    for document in ["docs/helm.md", "docs/migrate-charts.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(document)).expect(document);
        // What the other charts have stands in the first column.
        let columns =
            text.lines().map(|line| line.strip_prefix('|').and_then(|row| row.split_once('|')).map_or(line, |(_, rest)| rest));
        for word in columns.flat_map(|column| column.split('`').skip(1).step_by(2)) {
            let plain = word.contains('.') && word.chars().all(|c| c.is_ascii_alphabetic() || c == '.');
            if plain && tops.contains(word.split('.').next().expect("a part")) {
                named.insert(word.to_owned(), document);
            }
        }
    }
    assert!(named.len() > 20, "{named:?}");
    let is_known =
        |path: &str| known.iter().any(|k| k == path || k.starts_with(&format!("{path}.")) || path.starts_with(&format!("{k}.")));
    let unknown: Vec<_> = named.iter().filter(|(path, _)| !is_known(path)).collect();
    assert!(unknown.is_empty(), "{unknown:?} are no values of the chart");
}

#[test]
fn the_image_has_all_that_the_binary_needs() {
    let (folder, root) = (TempDir::new().expect("a folder"), Path::new(env!("CARGO_MANIFEST_DIR")));
    let rootfs = folder.path().join("rootfs");
    let mut build = Command::new(root.join("container/build.sh"));
    // This binary has what debugging needs. How large the released one is, is for `make image` to say.
    let done = build.arg(env!("CARGO_BIN_EXE_landfall")).arg(&rootfs).env("MAX_MB", "1000").output().expect("bash");
    let said = format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
    assert!(done.status.success() && said.contains("MB in the image"), "{said}");
    for file in ["usr/bin/landfall", "etc/passwd", "etc/ssl/certs/ca-certificates.crt", "var/lib/dpkg/status.d/libc6"] {
        assert!(rootfs.join(file).exists(), "{file} is not in the image: {said}");
    }
    let again = Command::new(root.join("container/build.sh"))
        .arg(env!("CARGO_BIN_EXE_landfall"))
        .arg(folder.path().join("small"))
        .env("MAX_MB", "1")
        .output();
    assert!(!again.expect("bash").status.success(), "an image that is too large is refused");
}
