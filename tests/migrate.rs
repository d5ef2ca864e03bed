//! `landfall migrate`: connectors of a real Java worker go on here, with no record lost and none twice, and stay there if they cannot.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Command, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::process::Process;
use crate::support::store::with;
use crate::support::worker::{STRING, Worker, file_sink};
use crate::support::{Stop, java_worker, secs, wait_until};

/// The Java worker that these tests share, one at a time: a standalone one deadlocks when it pauses or resumes a connector while it
/// stops or deletes another. It is not the one of all tests for the same reason.
fn java() -> MutexGuard<'static, Worker> {
    static JAVA: OnceLock<Mutex<Worker>> = OnceLock::new();
    JAVA.get_or_init(|| Mutex::new(java_worker::start(&[]))).lock().unwrap_or_else(PoisonError::into_inner)
}

/// What `landfall migrate` prints when it ends with `code`.
fn migrate(from: &str, to: &str, code: i32, more: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    let Output { status, stdout, stderr } =
        command.args(["migrate", "--from", from, "--to", to]).args(more).output().expect("the program");
    let text = format!("{}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert_eq!(status.code(), Some(code), "{more:?}: {text}");
    text
}

fn lines(file: &Path) -> usize {
    fs::read_to_string(file).unwrap_or_default().lines().count()
}

/// Moves a connector while records are written. What the file has at last is each of them, once.
fn moved_under_load(name: &str, java: &Worker, from: &str, to: &Worker, during: impl FnOnce(&dyn Fn(i32, &[&str]) -> String)) {
    let (broker, folder) = (Broker::shared(), TempDir::new().expect("a folder"));
    let file = folder.path().join("out");
    broker.create_topic(name, 2);
    let mut config = file_sink(name, &file);
    with(&mut config, &json!({"foo.bar": "x", "tasks.max.enforce": "false"}));
    java.create(name, &config);
    let done = AtomicBool::new(false);
    let written = thread::scope(|scope| {
        let load = scope.spawn(|| {
            let mut n = 0;
            while !done.load(Ordering::Relaxed) {
                broker.produce_all(name, (n..n + 40).map(|n| (n % 2, Record::value(n.to_string()))));
                n += 40;
            }
            n
        });
        let stop = Stop(&[&done]);
        wait_until("the first records", secs(60), || (lines(&file) > 50).then_some(()));
        let group = format!("connect-{name}");
        wait_until("their commit", secs(60), || (broker.committed(&group, name).len() == 2).then_some(()));
        during(&|code, more| migrate(from, &to.url(""), code, &[&[name], more].concat()));
        let so_far = lines(&file);
        wait_until("more records", secs(60), || (lines(&file) > so_far + 50).then_some(()));
        drop(stop);
        load.join().expect("a producer")
    });
    wait_until("the last records", secs(60), || (lines(&file) >= usize::try_from(written).unwrap_or(0)).then_some(()));
    let text = fs::read_to_string(&file).expect("the file");
    let mut numbers: Vec<i32> = text.lines().map(|line| line.parse().expect("a number")).collect();
    numbers.sort_unstable();
    assert!(numbers.iter().copied().eq(0..written), "{} lines for {written} records", numbers.len());
    to.delete(&format!("/connectors/{name}"));
    java.delete(&format!("/connectors/{name}"));
}

#[test]
fn a_connector_goes_on_where_java_stopped() {
    let java = &*java();
    let worker = Worker::start(&Broker::shared().bootstrap(), &[]);
    moved_under_load("migrated", java, &java.url(""), &worker, |migrate| {
        let told = migrate(0, &[]);
        for part in [
            concat!(", landfall ", env!("CARGO_PKG_VERSION"), "), both of the Kafka cluster bGFuZGZhbGwtdGVzdC1pdA\n"),
            "\nmigrated\n  state       RUNNING, 1 task: 1 RUNNING\n",
            "\n  keys        6 understood, 1 without effect, 1 not understood\n",
            "\n  no effect   tasks.max.enforce: no connector here makes more tasks\n",
            "\n  unknown     foo.bar\n",
            "\n  group       connect-migrated, committed migrated-0 ",
            "\n1 connector can be moved. Nothing was changed: give --execute to move it\n",
        ] {
            assert!(told.contains(part), "{part} is not in {told}");
        }
        let plan = format!("\n  plan        stop it at {}, create it RUNNING, leave it STOPPED there\n", java.url(""));
        assert!(told.contains(&plan) && worker.get("/connectors").1 == json!([]), "{told}");
        java.await_state("migrated", "RUNNING");

        let moved = migrate(0, &["--execute"]);
        assert!(moved.contains("migrated: moved. It is RUNNING at ") && moved.contains("It is left STOPPED at "), "{moved}");
        let there = java.get("/connectors/migrated/status").1;
        assert_eq!((&there["connector"]["state"], &there["tasks"]), (&json!("STOPPED"), &json!([])));
        worker.await_state("migrated", "RUNNING");
        // Once is enough.
        let again = migrate(3, &["--execute"]);
        assert!(again.contains("problem     there is a connector of this name at "), "{again}");
    });
}

#[test]
fn a_worker_that_is_too_old_to_stop_a_connector_is_paused_and_left() {
    let java = &*java();
    let old = older(java);
    let worker = Worker::start(&Broker::shared().bootstrap(), &[]);
    moved_under_load("migrated-old", java, &old, &worker, |migrate| {
        let told = migrate(0, &[]);
        assert!(told.contains("pause it at ") && told.contains("delete it there, then let it be RUNNING"), "{told}");
        let moved = migrate(0, &["--execute"]);
        assert!(moved.contains("migrated-old: moved. It is RUNNING at ") && moved.contains("It is deleted there"), "{moved}");
        assert_eq!(java.get("/connectors/migrated-old").0, 404);
    });
}

#[test]
fn what_cannot_run_here_goes_on_there() {
    let (broker, java) = (Broker::shared(), &*java());
    let worker = Worker::start(&broker.bootstrap(), &[]);
    broker.create_topic("migrate-back", 1);
    // A path of the Java worker's own folder: validation cannot know.
    let folder = java.log().parent().expect("a folder").join("only-there");
    fs::create_dir_all(&folder).expect("made");
    for (name, from) in [("migrate-back", java.url("")), ("migrate-back-old", older(java))] {
        java.create(name, &file_sink("migrate-back", &Path::new("only-there").join(name)));
        let text = migrate(&from, &worker.url(""), 3, &[name, "--execute"]);
        let why = format!("{name}: not moved: it fails at {}: ", worker.url(""));
        let back = format!("It is deleted at {}, it is RUNNING at {from} again", worker.url(""));
        assert!(text.contains(&why) && text.contains(&back), "{text}");
        java.await_state(name, "RUNNING");
        assert_eq!(worker.get("/connectors").1, json!([]));
        broker.produce("migrate-back", 0, [Record::value(name)]);
        let file = folder.join(name);
        wait_until("the record", secs(60), || fs::read_to_string(&file).ok()?.contains(name).then_some(()));
        java.delete(&format!("/connectors/{name}"));
    }
}

#[test]
fn what_cannot_be_moved_is_told_before_anything_is_done() {
    let (broker, java, folder) = (Broker::shared(), &*java(), TempDir::new().expect("a folder"));
    let worker = Worker::start(&broker.bootstrap(), &[("key.converter", "org.apache.kafka.connect.json.JsonConverter")]);
    let mut config = file_sink("migrate-never", &folder.path().join("out"));
    with(
        &mut config,
        &json!({"foo": "${nobody:x:y}", "errors.tolerance": "all", "transforms": "a", "transforms.a.type": "org.apache.kafka.connect.transforms.DropHeaders", "transforms.a.headers": "h"}),
    );
    config.as_object_mut().expect("an object").remove("key.converter");
    java.create("migrate-never", &config);
    let text = migrate(&java.url(""), &worker.url(""), 3, &["migrate-never", "nowhere", "--execute"]);
    for part in [
        format!("problem     {} has nothing for ${{nobody:x:y}}: set up its config provider", worker.url("")),
        format!("problem     key.converter is left to the worker, which has {STRING} at {} and org.apache.kafka", java.url("")),
        "plan        it stays where it is".to_owned(),
        format!("nowhere\n  problem     there is no such connector at {}", java.url("")),
    ] {
        assert!(text.contains(&part), "{part} is not in {text}");
    }
    java.await_state("migrate-never", "RUNNING");
    let same = migrate(&java.url(""), &java.url("").replace("127.0.0.1", "localhost"), 1, &["--execute"]);
    assert!(same.contains("are workers of one Connect cluster: there is nothing to move"), "{same}");
    java.delete("/connectors/migrate-never");
    let gone = migrate("http://127.0.0.1:1", &worker.url(""), 1, &[]);
    assert!(gone.contains("http://127.0.0.1:1 does not answer GET /: "), "{gone}");
}

#[test]
fn who_is_interrupted_leaves_nothing_half_moved() {
    let (broker, java, folder) = (Broker::shared(), &*java(), TempDir::new().expect("a folder"));
    let worker = Worker::start(&broker.bootstrap(), &[]);
    broker.create_topic("migrate-interrupted", 1);
    java.create("migrate-interrupted", &file_sink("migrate-interrupted", &folder.path().join("out")));
    let here = worker.url("");
    // It never seems to run here.
    let to = front(&here, |url, path| {
        let is_there = path.ends_with("/status") && ureq::get(format!("{url}{path}")).call().is_ok();
        is_there.then(|| (200, json!({"connector": {"state": "UNASSIGNED"}, "tasks": []})))
    });
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    let command = command.args(["migrate", "--from", &java.url(""), "--to", &to, "migrate-interrupted", "--execute"]);
    let log = folder.path().join("log");
    let mut migration = Process::spawn(command, &log, folder.path()).expect("the program");
    wait_until("the connector to be here", secs(60), || {
        assert!(migration.ended().is_none(), "{}", fs::read_to_string(&log).unwrap_or_default());
        (worker.get("/connectors").1 == json!(["migrate-interrupted"])).then_some(())
    });
    migration.signal("INT");
    wait_until("the connector to run there again", secs(60), || {
        let status = java.get("/connectors/migrate-interrupted/status").1;
        (status["connector"]["state"] == "RUNNING").then_some(())
    });
    assert_eq!(wait_until("its end", secs(60), || migration.ended()).code(), Some(130));
    let said = fs::read_to_string(&log).expect("the log");
    assert!(said.contains("migrate-interrupted: not moved: interrupted. It is deleted at "), "{said}");
    assert_eq!(worker.get("/connectors").1, json!([]));
    java.delete("/connectors/migrate-interrupted");
}

/// The URL of the Java worker as if it were of Kafka 3.4: it says so, and cannot stop connectors.
fn older(java: &Worker) -> String {
    front(&java.url(""), |_, path| match path {
        "/" => Some((200, json!({"version": "3.4.1", "kafka_cluster_id": "bGFuZGZhbGwtdGVzdC1pdA"}))),
        path if path.ends_with("/stop") => Some((404, json!({"error_code": 404, "message": "HTTP 404 Not Found"}))),
        _ => None,
    })
}

/// What is answered in the place of the worker at a URL, by path.
type Own = fn(&str, &str) -> Option<(u16, Value)>;

/// The URL of the worker at `url` as if it answered some requests otherwise.
fn front(url: &str, own: Own) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let front = format!("http://{}", listener.local_addr().expect("an address"));
    let url = url.to_owned();
    thread::spawn(move || {
        for client in listener.incoming().flatten() {
            let url = url.clone();
            thread::spawn(move || serve(client, &url, own));
        }
    });
    front
}

/// Answers one request.
fn serve(mut client: TcpStream, url: &str, own: Own) -> Option<()> {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    let (head, body) = loop {
        let read = client.read(&mut buffer).ok().filter(|read| *read > 0)?;
        request.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&request).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let header =
            |line: &str| line.to_ascii_lowercase().strip_prefix("content-length:").map(|n| n.trim().parse::<usize>().ok());
        let length = head.lines().find_map(header).flatten().unwrap_or(0);
        if body.len() >= length {
            break (head.to_owned(), body.to_owned());
        }
    };
    let mut words = head.split_whitespace();
    let (method, path) = (words.next()?, words.next()?);
    let (status, text) = match own(url, path) {
        Some((status, answer)) => (status, answer.to_string()),
        None => {
            let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
            let request = ureq::http::Request::builder().method(method).uri(format!("{url}{path}"));
            let request = request.header("Content-Type", "application/json");
            let answer = match method {
                "GET" | "DELETE" => agent.run(request.body(()).ok()?),
                _ => agent.run(request.body(body).ok()?),
            };
            let mut answer = answer.ok()?;
            (answer.status().as_u16(), answer.body_mut().read_to_string().ok()?)
        }
    };
    let length = text.len();
    write!(client, "HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{text}").ok()
}
