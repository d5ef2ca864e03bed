//! What operators see: a real Prometheus scrapes a worker and knows its alerts, a collector gets traces, metrics and logs, the log is JSON.

mod names;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Uri};
use landfall::metrics::{Group, Names, table};
use opentelemetry_proto::tonic::collector::logs::v1::ExportLogsServiceRequest;
use opentelemetry_proto::tonic::collector::metrics::v1::ExportMetricsServiceRequest;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::{KeyValue, any_value};
use opentelemetry_proto::tonic::metrics::v1::{Metric, metric};
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::cluster::{Cluster, Kind};
use crate::support::process::Process;
use crate::support::secrets::{self, secret};
use crate::support::store::{Store, with};
use crate::support::worker::Worker;
use crate::support::{cache, free_port, secs, wait_until};

fn files() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/landfall/files")
}

/// A topic of two partitions with 200 records, one of which is no JSON.
fn filled(topic: &str) {
    let broker = Broker::shared();
    broker.create_topic(topic, 2);
    let record = |n: i32| Record::value(if n == 7 { "{".to_owned() } else { json!({"n": n}).to_string() });
    broker.produce_all(topic, (0..200).map(|n| (n % 2, record(n))));
}

/// The text of an address; empty if nothing answers.
fn read(url: &str) -> String {
    ureq::get(url).call().and_then(|mut answer| answer.body_mut().read_to_string()).unwrap_or_default()
}

/// The names of the metrics in Prometheus' text.
fn names(text: &str) -> BTreeSet<String> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next().map(str::to_owned)).collect()
}

/// What the sum of a metric's series is.
fn sum(text: &str, name: &str) -> f64 {
    let lines = text.lines().filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with([' ', '{'])));
    lines.map(|line| line.rsplit(' ').next().and_then(|value| value.parse::<f64>().ok()).expect("a number")).sum()
}

#[test]
fn prometheus_scrapes_a_worker_and_knows_its_alerts() {
    let (broker, topic) = (Broker::shared(), "metrics-scraped");
    filled(topic);
    let (port, store) = (free_port(), Store::directory());
    let listener = format!("http://127.0.0.1:{port}");
    let worker =
        Worker::start(&broker.bootstrap(), &[("landfall.metrics.listeners", &listener), ("landfall.log.format", "json")]);
    assert!(worker.log_text().lines().all(|line| line.starts_with("{\"timestamp\":\"")), "{}", worker.log_text());
    assert_eq!(worker.get("/metrics").0, 404, "they are on a listener of their own");
    assert_eq!(ureq::get(format!("{listener}/connectors")).call().err().map(|e| e.to_string()), Some("http status: 404".into()));

    let mut config = store.connector(topic, 10);
    with(
        &mut config,
        &json!({"errors.tolerance": "all", "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}),
    );
    worker.create("scraped", &config);
    let url = format!("{listener}/metrics");
    let text = wait_until("files that are visible and committed", secs(60), || {
        let text = read(&url);
        let landed =
            sum(&text, "landfall_task_landed_rows_total") >= 190.0 && sum(&text, "landfall_sink_uncommitted_records") <= 10.0;
        (landed && text.contains("landfall_sink_uncommitted_records")).then_some(text)
    });
    secrets::check("the metrics", &text);
    let labels = "connector=\"scraped\",task=\"0\"";
    for (series, value) in [
        (format!("kafka_connect_sink_task_metrics_sink_record_read_total{{{labels}}}"), 200.0),
        (format!("kafka_connect_sink_task_metrics_sink_record_send_total{{{labels}}}"), 199.0),
        (format!("kafka_connect_sink_task_metrics_partition_count{{{labels}}}"), 2.0),
        (format!("kafka_connect_task_error_metrics_total_records_skipped{{{labels}}}"), 1.0),
        (format!("landfall_sink_lag_records{{{labels},topic=\"{topic}\",partition=\"1\"}}"), 0.0),
        (format!("landfall_sink_lag_seconds{{{labels},topic=\"{topic}\",partition=\"0\"}}"), 0.0),
        ("kafka_connect_connect_worker_metrics_task_startup_success_total".into(), 1.0),
        ("kafka_connect_connector_metrics{connector=\"scraped\",status=\"running\"}".into(), 1.0),
    ] {
        assert!(text.lines().any(|line| line == format!("{series} {value}")), "{series} {value}\n{text}");
    }
    for risen in [
        "sink_task_metrics_sink_record_read_rate",
        "sink_task_metrics_put_batch_max_time_ms",
        "connector_task_metrics_running_ratio",
        "connector_task_metrics_batch_size_max",
    ] {
        assert!(sum(&text, &format!("kafka_connect_{risen}")) > 0.0, "{risen}\n{text}");
    }
    assert_eq!(sum(&text, "landfall_commit_duration_seconds_count"), sum(&text, "landfall_task_commits_total"));

    // Alone, all that is not of a cluster, of a cloud's store or of what has not happened is there.
    let of_cluster = |group: Group| matches!(group, Group::Rebalance | Group::Coordinator);
    let wanted = table::all().filter(|metric| !of_cluster(metric.group) && !metric.name.starts_with("task_storage_"));
    let wanted: BTreeSet<_> = wanted.filter_map(|metric| metric.name_in(Names::Connect)).collect();
    let missing: Vec<_> = wanted.iter().filter(|name| !names(&text).contains(*name)).collect();
    assert!(missing.iter().all(|name| name.ends_with("header_converter_class_info")), "{missing:?}\n{text}");

    let (folder, web) = (TempDir::with_prefix("landfall-prometheus-").expect("a folder"), free_port());
    let file = folder.path().join("prometheus.yml");
    let (rules, target) = (files().join("alerts.yaml"), format!("127.0.0.1:{port}"));
    let scrape = json!([{"job_name": "landfall", "scrape_interval": "200ms", "static_configs": [{"targets": [target]}]}]);
    let settings = json!({"global": {"evaluation_interval": "500ms"}, "rule_files": [rules], "scrape_configs": scrape});
    fs::write(&file, settings.to_string()).expect("prometheus.yml");
    let promtool =
        Command::new(cache("prometheus/usr/bin/promtool")).args(["check", "rules"]).arg(&rules).output().expect("promtool");
    assert!(promtool.status.success(), "{}", String::from_utf8_lossy(&promtool.stderr));
    let mut command = Command::new(cache("prometheus/usr/bin/prometheus"));
    command.arg(format!("--config.file={}", file.display())).arg(format!("--web.listen-address=127.0.0.1:{web}"));
    command.arg(format!("--storage.tsdb.path={}", folder.path().join("data").display()));
    let log = folder.path().join("prometheus.log");
    let _prometheus = Process::spawn(&mut command, &log, folder.path()).expect("prometheus");
    let api =
        |path: &str| serde_json::from_str::<Value>(&read(&format!("http://127.0.0.1:{web}/api/v1/{path}"))).unwrap_or_default();
    wait_until(&format!("a scrape: {}", log.display()), secs(30), || {
        let answer = api("targets");
        let target = &answer["data"]["activeTargets"][0];
        assert_eq!(target["lastError"].as_str().unwrap_or_default(), "");
        (target["health"] == "up").then_some(())
    });
    let found = wait_until("the metrics", secs(30), || {
        let answer = api("label/__name__/values");
        let names: BTreeSet<_> = answer["data"].as_array()?.iter().filter_map(|name| name.as_str().map(str::to_owned)).collect();
        names.contains("landfall_commit_duration_seconds_bucket").then_some(names)
    });
    let exported: BTreeSet<_> = names(&text).into_iter().filter(|name| name != "landfall_commit_duration_seconds").collect();
    assert!(exported.is_subset(&found), "{:?}", exported.difference(&found));
    // Each rule has been evaluated without an error, and none but of what was done on purpose burns.
    let evaluated = wait_until("the rules", secs(30), || {
        let answer = api("rules");
        let rules = answer["data"]["groups"][0]["rules"].as_array()?.clone();
        rules.iter().all(|rule| rule["health"] == "ok").then_some(rules)
    });
    assert!(evaluated.len() > 10);
    let burning: Vec<_> = evaluated.iter().filter(|rule| rule["state"] == "firing").map(|rule| rule["name"].clone()).collect();
    assert!(burning.iter().all(|name| name == "LandfallRecordsSkipped"), "{burning:?}");

    // A task that fails is told of; the series of one that is gone go.
    assert_eq!(worker.delete("/connectors/scraped").0, 204);
    wait_until("the series to go", secs(30), || (!read(&url).contains("connector=\"scraped\"")).then_some(()));
}

#[test]
fn alerts_burn_when_they_are_to() {
    let folder = TempDir::with_prefix("landfall-promtool-").expect("a folder");
    let labels = "connector=\"c\",task=\"0\"";
    let series = json!([
        {"series": format!("kafka_connect_connector_task_metrics_status_info{{{labels},status=\"failed\"}}"), "values": "1+0x10"},
        {"series": format!("landfall_sink_lag_seconds{{{labels},topic=\"t\",partition=\"0\"}}"), "values": "1000+0x30"},
        {"series": "landfall_build_info{version=\"1\"}", "values": "1+0x30"},
        {"series": format!("landfall_task_gap_offsets_total{{{labels}}}"), "values": "0 0 5+0x28"},
    ]);
    let burns = |at: &str, name: &str, count: usize, with: Value| {
        let alerts = if count == 0 { json!([]) } else { json!([with]) };
        json!({"eval_time": at, "alertname": name, "exp_alerts": alerts})
    };
    let text = fs::read_to_string(files().join("alerts.yaml")).expect("alerts.yaml");
    // The words of an alert, for the labels that it is about.
    let words = |name: &str, replaced: &[(&str, &str)]| {
        let rule = text.split("- alert: ").find(|rule| rule.starts_with(&format!("{name}\n"))).expect("a rule");
        let word = |key: &str| {
            let line = rule.lines().find_map(|line| line.trim().strip_prefix(&format!("{key}: '"))).expect("a word");
            replaced
                .iter()
                .fold(line.trim_end_matches('\'').to_owned(), |line, (from, to)| line.replace(&format!("{{{{ {from} }}}}"), to))
        };
        json!({"summary": word("summary"), "description": word("description")})
    };
    let failed = words("LandfallTaskFailed", &[("$labels.connector", "c"), ("$labels.task", "0")]);
    let lag = words("LandfallLagOld", &[("$labels.connector", "c"), ("$labels.topic", "t"), ("$value", "1000")]);
    let tests = json!([{"interval": "1m", "input_series": series, "alert_rule_test": [
        burns("30s", "LandfallTaskFailed", 0, Value::Null),
        burns("3m", "LandfallTaskFailed", 1, json!({"exp_labels": {"severity": "critical", "connector": "c", "task": "0"}, "exp_annotations": failed})),
        burns("5m", "LandfallLagOld", 0, Value::Null),
        burns("15m", "LandfallLagOld", 1, json!({"exp_labels": {"severity": "warning", "connector": "c", "topic": "t"}, "exp_annotations": lag})),
        burns("20m", "LandfallWorkersGone", 0, Value::Null),
        burns("20m", "LandfallMemoryFull", 0, Value::Null),
        burns("1m", "LandfallOffsetsLost", 0, Value::Null),
    ]}]);
    let file = folder.path().join("test.yaml");
    let all = json!({"rule_files": [files().join("alerts.yaml")], "evaluation_interval": "1m", "tests": tests});
    fs::write(&file, all.to_string()).expect("test.yaml");
    let done = Command::new(cache("prometheus/usr/bin/promtool")).args(["test", "rules"]).arg(&file).output().expect("promtool");
    assert!(done.status.success(), "{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr));
}

#[test]
fn a_member_of_a_cluster_tells_of_its_group_by_strimzis_names() {
    let (broker, topic) = (Broker::shared(), "metrics-member");
    filled(topic);
    let mut cluster = Cluster::new(broker, "metrics-cluster", &[("landfall.metrics.names", "strimzi")]);
    cluster.start(&[Kind::Landfall]);
    let worker = &cluster.members[0].worker;
    let folder = TempDir::with_prefix("landfall-lines-").expect("a folder");
    worker.create("lines", &json!({"connector.class": "FileStreamSink", "topics": topic, "file": folder.path().join("lines")}));
    let read = || worker.get("/metrics").1.as_str().unwrap_or_default().to_owned();
    let text = wait_until("heartbeats and lag", secs(30), || {
        let text = read();
        (text.contains("kafka_connect_coordinator_last_heartbeat_seconds_ago ") && text.contains("landfall_sink_lag_records{"))
            .then_some(text)
    });
    let wanted = table::all().filter(|metric| matches!(metric.group, Group::Rebalance | Group::Coordinator));
    // A rebalance that failed is counted from the first on; all else has happened.
    let wanted: Vec<_> = wanted.filter_map(|metric| metric.name_in(Names::Strimzi)).collect();
    let missing: Vec<_> = wanted.iter().filter(|name| !names(&text).contains(*name)).collect();
    assert!(missing.is_empty(), "{missing:?}\n{text}");
    assert!(!text.contains("_metrics_"), "{text}");
    for (name, value) in
        [("coordinator_assigned_tasks", 1.0), ("coordinator_assigned_connectors", 1.0), ("worker_rebalance_rebalancing", 0.0)]
    {
        assert_eq!(sum(&text, &format!("kafka_connect_{name}")), value, "{text}");
    }
    for name in [
        "worker_rebalance_completed_rebalances_total",
        "coordinator_rebalance_total",
        "coordinator_join_total",
        "coordinator_sync_total",
        "worker_rebalance_epoch",
    ] {
        assert!(sum(&text, &format!("kafka_connect_{name}")) >= 1.0, "{name}\n{text}");
    }
    assert!(text.contains("kafka_connect_connector_task_status{connector=\"lines\",task=\"0\",status=\"running\"} 1"), "{text}");
}

/// A collector: what came to which path.
#[derive(Clone, Debug, Default)]
struct Collector {
    got: Arc<Mutex<Vec<(String, HeaderMap, Bytes)>>>,
}

impl Collector {
    /// The messages that came to a path.
    fn got<M: Message + Default>(&self, path: &str) -> Vec<M> {
        let got = self.got.lock().unwrap_or_else(PoisonError::into_inner);
        got.iter().filter(|(to, ..)| to == path).map(|(.., body)| M::decode(body.clone()).expect("a message")).collect()
    }

    fn spans(&self) -> Vec<Span> {
        let requests = self.got::<ExportTraceServiceRequest>("/v1/traces").into_iter();
        requests.flat_map(|r| r.resource_spans).flat_map(|r| r.scope_spans).flat_map(|s| s.spans).collect()
    }

    fn metrics(&self) -> Vec<Metric> {
        let requests = self.got::<ExportMetricsServiceRequest>("/v1/metrics").into_iter();
        requests.flat_map(|r| r.resource_metrics).flat_map(|r| r.scope_metrics).flat_map(|s| s.metrics).collect()
    }
}

/// Takes what comes.
async fn take(State(to): State<Collector>, uri: Uri, headers: HeaderMap, body: Bytes) {
    to.got.lock().unwrap_or_else(PoisonError::into_inner).push((uri.path().to_owned(), headers, body));
}

/// The collector of the test that has one, and its port.
fn collector() -> &'static (Collector, u16) {
    static COLLECTOR: OnceLock<(Collector, u16)> = OnceLock::new();
    COLLECTOR.get_or_init(|| {
        let collector = Collector::default();
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        listener.set_nonblocking(true).expect("a listener");
        let port = listener.local_addr().expect("an address").port();
        let router = Router::new().fallback(take).with_state(collector.clone());
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                axum::serve(listener, router).await.expect("served");
            });
        });
        (collector, port)
    })
}

/// A worker that sends to [`collector`] and writes its log as JSON.
fn observed(properties: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.arg("standalone").arg(properties).env("LANDFALL_LOG_FORMAT", "json");
    command.env("OTEL_EXPORTER_OTLP_ENDPOINT", format!("http://127.0.0.1:{}", collector().1));
    command.env("OTEL_EXPORTER_OTLP_HEADERS", format!("api-key={}", key()));
    command.env("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=test");
    command
        .env("OTEL_METRIC_EXPORT_INTERVAL", "500")
        .env("OTEL_BSP_SCHEDULE_DELAY", "200")
        .env("OTEL_BLRP_SCHEDULE_DELAY", "200");
    command
}

/// What the collector wants to be shown.
fn key() -> &'static str {
    static KEY: OnceLock<String> = OnceLock::new();
    KEY.get_or_init(|| secret("collector"))
}

fn text(of: &[KeyValue], key: &str) -> String {
    let value = of.iter().find(|pair| pair.key == key).and_then(|pair| pair.value.clone()?.value);
    match value {
        Some(any_value::Value::StringValue(text)) => text,
        Some(any_value::Value::IntValue(number)) => number.to_string(),
        Some(other) => format!("{other:?}"),
        None => String::new(),
    }
}

#[test]
fn a_collector_gets_traces_metrics_and_logs() {
    let (broker, topic) = (Broker::shared(), "metrics-observed");
    filled(topic);
    let (collector, _) = collector();
    let mut worker = Worker::of(observed, &broker.bootstrap(), &[]);
    worker.start_again();
    let store = Store::azurite();
    let mut config = store.connector(topic, 10);
    with(&mut config, &json!({"errors.tolerance": "all", "errors.log.enable": "true"}));
    worker.create("observed", &config);

    let (commit, calls) = wait_until("a commit with its calls", secs(60), || {
        let spans = collector.spans();
        let of = |commit: &Span| spans.iter().filter(|span| span.parent_span_id == commit.span_id).cloned().collect::<Vec<_>>();
        let whole = spans.iter().find(|span| span.name == "commit" && of(span).iter().any(|call| call.name == "Put Block List"));
        whole.map(|commit| (commit.clone(), of(commit)))
    });
    assert!(commit.parent_span_id.is_empty(), "{commit:?}");
    for (field, expected) in [("connector", "observed"), ("task", "0"), ("topic", topic)] {
        assert_eq!(text(&commit.attributes, field), expected, "{commit:?}");
    }
    assert!(text(&commit.attributes, "files").parse::<u32>().is_ok_and(|files| files > 0), "{commit:?}");
    assert!(calls.iter().any(|call| call.name == "Put Blob"), "the pointer: {calls:?}");
    for call in &calls {
        assert_eq!((&call.trace_id, call.kind), (&commit.trace_id, 3), "{call:?}");
        assert!(call.start_time_unix_nano >= commit.start_time_unix_nano && call.end_time_unix_nano <= commit.end_time_unix_nano);
    }
    let published = calls.iter().find(|call| call.name == "Put Block List").expect("a publish");
    assert_eq!(text(&published.attributes, "http.response.status_code"), "201");

    // Metrics are those of /metrics.
    let shown = names(worker.get("/metrics").1.as_str().unwrap_or_default());
    wait_until("the metrics", secs(30), || {
        let sent: BTreeSet<_> = collector.metrics().into_iter().map(|metric| metric.name).collect();
        shown.is_subset(&sent).then_some(())
    });
    let metrics = collector.metrics();
    let last = |name: &str| metrics.iter().rfind(|metric| metric.name == name).and_then(|metric| metric.data.clone());
    match last("landfall_task_landed_rows_total") {
        Some(metric::Data::Sum(sum)) => {
            assert!(sum.is_monotonic && text(&sum.data_points[0].attributes, "connector") == "observed", "{sum:?}");
        }
        other => panic!("{other:?}"),
    }
    match last("landfall_commit_duration_seconds") {
        Some(metric::Data::Histogram(histogram)) => {
            let point = &histogram.data_points[0];
            assert_eq!(point.bucket_counts.len(), point.explicit_bounds.len() + 1);
            assert!(point.count > 0 && point.count == point.bucket_counts.iter().sum::<u64>(), "{point:?}");
        }
        other => panic!("{other:?}"),
    }

    // What is logged of a task says whose it is, to the collector and in the log.
    let refused = wait_until("the log of a record that is refused", secs(30), || {
        let requests = collector.got::<ExportLogsServiceRequest>("/v1/logs").into_iter();
        let mut logs = requests.flat_map(|r| r.resource_logs).flat_map(|r| r.scope_logs).flat_map(|s| s.log_records);
        logs.find(|log| {
            log.severity_text == "ERROR" && format!("{:?}", log.body).contains("Error encountered in task observed-0")
        })
    });
    assert_eq!((text(&refused.attributes, "connector"), text(&refused.attributes, "task")), ("observed".into(), "0".into()));
    let log = worker.log_text();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"))).collect();
    let of_task = lines
        .iter()
        .find(|line| line["message"].as_str().is_some_and(|m| m.starts_with("Error encountered in task")))
        .expect("the line");
    assert_eq!(
        (&of_task["connector"], &of_task["task"], &of_task["level"]),
        (&json!("observed"), &json!(0), &json!("ERROR")),
        "{of_task}"
    );

    // Who sends.
    let traces = collector.got::<ExportTraceServiceRequest>("/v1/traces");
    let resource = traces[0].resource_spans[0].resource.clone().expect("a resource").attributes;
    assert_eq!(
        (text(&resource, "service.name"), text(&resource, "deployment.environment.name")),
        ("landfall".into(), "test".into())
    );
    assert!(worker.terminate().success());
    for (path, headers, body) in collector.got.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        assert_eq!(headers["api-key"], key(), "{path}");
        secrets::check(path, &String::from_utf8_lossy(body));
    }
    secrets::check("the log", &worker.log_text());
}
