//! What a newcomer sees: `landfall demo` without Kafka and without Azure.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::process::Process;
use crate::support::{cache, read, secs, wait_until};

const TOPICS: [(&str, i32); 3] = [("bank.customers", 2), ("bank.accounts", 4), ("bank.transactions", 4)];

/// A demo with a folder of its own.
struct Demo {
    process: Process,
    folder: TempDir,
}

impl Demo {
    fn start(arguments: &[&str]) -> Self {
        let folder = TempDir::with_prefix("landfall-demo-").unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
        command.arg("demo").args(arguments).arg("--dir").arg(folder.path().join("landing")).env_remove("LANDFALL_LOG");
        let process = Process::spawn(&mut command, &folder.path().join("log"), folder.path()).unwrap();
        Self { process, folder }
    }

    /// All that it has printed.
    fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap()
    }

    /// The rest of the first line that has `label` in it.
    fn printed(&self, label: &str) -> String {
        wait_until(label, secs(60), || {
            let log = self.log();
            log.lines().find_map(|line| Some(line.split_once(label)?.1.trim().to_owned()))
        })
    }

    fn request(&self, method: &str, path: &str) -> (u16, Value) {
        let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
        let url = format!("{}{path}", self.printed("REST "));
        let answer = if method == "PUT" { agent.put(url).send_empty() } else { agent.get(url).call() };
        let mut answer = answer.unwrap();
        (answer.status().as_u16(), answer.body_mut().read_json().unwrap_or_default())
    }

    fn landing(&self) -> PathBuf {
        self.printed("files ").into()
    }

    /// The commands that it offers.
    fn to_try(&self) -> Vec<String> {
        self.printed("Ctrl-C ends it");
        let log = self.log();
        log.lines().filter(|line| line.starts_with("  curl ") || line.starts_with("  duckdb ")).map(str::to_owned).collect()
    }

    fn ended(&mut self) -> ExitStatus {
        wait_until("the end of the demo", secs(60), || self.process.ended())
    }

    /// The records that it says it has produced, after a look at whether as many have landed, each once.
    fn landed(&mut self) -> usize {
        let ended = self.ended();
        let log = self.log();
        assert!(ended.success(), "{ended}: {log}");
        assert!(!log.contains(['\u{1b}', '\r']), "nothing here is for a terminal: {log}");
        let summary =
            log.lines().find(|line| line.contains(" records produced, ")).unwrap_or_else(|| panic!("no summary: {log}"));
        let numbers: Vec<usize> = summary.split(' ').filter_map(|word| word.replace(',', "").parse().ok()).collect();
        let (produced, rows) = (numbers[0], numbers[1]);
        assert_eq!(produced, rows, "{summary}");
        assert_eq!(produced, rows_of(&self.landing()), "{summary}");
        produced
    }
}

/// What a shell prints for `command`. DuckDB's program is that of Python here.
fn run(command: &str) -> String {
    let duckdb = format!(
        r#"duckdb() {{ '{}' -c 'import duckdb, sys; print(duckdb.sql(sys.argv[2]))' "$@"; }}"#,
        cache("venv/bin/python").display()
    );
    let out = Command::new("sh").args(["-c", &format!("{duckdb}\n{command}")]).output().unwrap();
    assert!(out.status.success(), "{command}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// The rows below `landing`, after a look at whether the files of each partition follow each other without a gap or an overlap.
fn rows_of(landing: &Path) -> usize {
    let ends = TOPICS.iter().flat_map(|(topic, partitions)| {
        let ends = read::tiled(landing, "", topic);
        assert!(ends.keys().all(|partition| partition < partitions), "{topic}: {ends:?}");
        ends.into_values()
    });
    usize::try_from(ends.sum::<i64>()).unwrap()
}

#[test]
fn every_record_lands_once_as_columns() {
    let mut demo = Demo::start(&["--records", "20_000", "--rate", "0", "--port", "0"]);
    let (status, connectors) = demo.request("GET", "/connectors");
    assert_eq!((status, connectors), (200, json!(["bank-customers", "bank-ledger"])));
    assert_eq!(demo.landed(), 20_000);

    let landing = demo.landing();
    let mut inserted = BTreeSet::new();
    let transactions = landing.join("bank.transactions");
    for file in read::files(&transactions) {
        let file = transactions.join(file);
        let (ids, ops) = (read::integers(&file, "transaction_id"), read::strings(&file, "__op"));
        assert_eq!(ids.len(), ops.len());
        for (id, _) in ids.into_iter().zip(ops).filter(|(_, op)| op == "c") {
            assert!(inserted.insert(id), "transaction {id} was inserted twice");
        }
    }
    assert_eq!(inserted.last().copied(), i64::try_from(inserted.len()).ok(), "ids are without a gap");

    let columns = |topic: &str| -> Vec<String> {
        let folder = landing.join(topic);
        let file = &read::files(&folder)[0];
        let batch = &read::batches(&folder.join(file))[0];
        batch.schema().fields().iter().map(|field| format!("{} {}", field.name(), field.data_type())).collect()
    };
    let customers = columns("bank.customers");
    for column in ["credit_limit Decimal128(12, 2)", "customer_since Date32", "__deleted Utf8"] {
        assert!(customers.iter().any(|found| found == column), "{column}: {customers:?}");
    }
    let names: Vec<_> = columns("bank.accounts").iter().map(|column| column.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["before", "after", "source", "op", "ts_ms", "__partition", "__offset", "__timestamp"]);
}

#[test]
fn a_paused_connector_makes_the_bank_wait_and_ctrl_c_lands_what_is_left() {
    let mut demo = Demo::start(&["--rate", "0", "--port", "0"]);
    let transactions = demo.landing().join("bank.transactions");
    wait_until("a file", secs(60), || (!read::files(&transactions).is_empty()).then_some(()));
    let [status, pause, resume, query] = &demo.to_try()[..] else { panic!("four commands: {}", demo.log()) };
    assert!(run(status).contains(r#""connector":{"state":"RUNNING""#));
    assert_eq!(run(pause), "");
    assert!(run(status).contains(r#""connector":{"state":"PAUSED""#));
    assert_eq!(run(resume), "");
    assert!(run(query).contains("salary"));

    assert_eq!(demo.request("PUT", "/connectors/bank-ledger/pause").0, 202);
    demo.printed("bank-ledger is PAUSED, the bank waits");
    let (status, body) = demo.request("GET", "/connectors/bank-ledger/status");
    assert_eq!((status, &body["connector"]["state"]), (200, &json!("PAUSED")));
    demo.process.signal("INT");
    assert!(demo.landed() > 10_000);
    assert!(demo.log().contains("bank-ledger is resumed, to land what is left"));
}

#[test]
fn a_port_that_is_taken_is_said() {
    let other = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = other.local_addr().unwrap().port().to_string();
    let mut demo = Demo::start(&["--port", &port]);
    assert_eq!(demo.ended().code(), Some(1));
    let why = format!("cannot listen on http://127.0.0.1:{port}: Address already in use (os error 98); give another --port");
    assert!(demo.log().starts_with(&why), "{}", demo.log());
    assert!(!demo.folder.path().join("landing").exists(), "nothing is left behind");

    // Without a word of the user any port will do. It may be taken by somebody else already.
    let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 8083));
    let mut demo = Demo::start(&["--records", "1"]);
    assert_eq!(demo.landed(), 1);
    assert!(demo.log().starts_with("Port 8083 is taken, so the worker listens on "), "{}", demo.log());
}
