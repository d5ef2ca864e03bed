//! `landfall connectors` against our worker and Java's, completions, manual pages, and the help that docs/cli.md shows.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::broker::{Broker, Record};
use crate::support::certificates::Certificates;
use crate::support::cluster::{Cluster, Kind};
use crate::support::secrets::{self, secret};
use crate::support::worker::{STRING, Worker, file_sink};
use crate::support::{free_port, secs, wait_until};

const PAGE: &str = "docs/cli.md";

/// The program, with nothing of this shell's environment that it would look at.
fn landfall() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    for variable in ["URL", "USER", "TOKEN", "CA", "CERT", "LOG"] {
        command.env_remove(format!("LANDFALL_{variable}"));
    }
    command
}

/// Commands about the connectors of one worker, and a folder for files of connectors.
struct Cli<'a> {
    worker: &'a Worker,
    folder: TempDir,
}

impl<'a> Cli<'a> {
    fn of(worker: &'a Worker) -> Self {
        Self { worker, folder: TempDir::with_prefix("landfall-cli-").expect("a folder") }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) {
        fs::create_dir_all(self.path("files")).expect("a folder");
        fs::write(self.path("files").join(name), text).expect("a file");
    }

    /// What the command prints, standard output first, when it ends with `code`.
    fn run(&self, code: i32, arguments: &[&str]) -> String {
        let (out, errors) = self.both(code, arguments);
        out + &errors
    }

    fn both(&self, code: i32, arguments: &[&str]) -> (String, String) {
        let mut command = landfall();
        command.arg("connectors").args(arguments).env("LANDFALL_URL", self.worker.url("/")).current_dir(self.folder.path());
        let (out, errors) = ended(&mut command, code);
        secrets::check(&format!("what {arguments:?} prints"), &format!("{out}{errors}"));
        (out, errors)
    }

    fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let (out, _) = self.both(code, &[arguments, &["--output", "json"]].concat());
        serde_json::from_str(&out).unwrap_or_else(|error| panic!("{arguments:?}: {error}: {out}"))
    }

    fn config(&self, name: &str) -> Value {
        self.worker.get(&format!("/connectors/{name}/config")).1
    }
}

/// Standard output and standard error of a command that ends with `code`.
fn ended(command: &mut Command, code: i32) -> (String, String) {
    let Output { status, stdout, stderr } = command.output().expect("the program");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    let (out, errors) = (text(stdout), text(stderr));
    assert_eq!(status.code(), Some(code), "{command:?}: {out}\n{errors}");
    (out, errors)
}

fn has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

/// The life of two connectors, `<id>-orders` of JSON and `<id>-clicks` of properties.
fn life(worker: &Worker, id: &str, hides: bool) {
    let broker = Broker::shared();
    let (orders, clicks) = (format!("{id}-orders"), format!("{id}-clicks"));
    broker.create_topic(&orders, 1);
    broker.produce_all(&orders, (0..5).map(|n| (0, Record::value(n.to_string()))));
    let cli = Cli::of(worker);
    let mut config = file_sink(&orders, &cli.path("orders.txt"));
    config["a.password"] = secret("cli").into();
    config["a.note"] = "${env:CLI_NOTE}".into();
    let orders_file = |config: &Value| cli.write("orders.json", json!({"name": orders, "config": config}).to_string());
    orders_file(&config);
    let lost = cli.path("later").join("clicks.txt");
    let properties = |more: &str| {
        let class = "org.apache.kafka.connect.file.FileStreamSinkConnector";
        let text = format!(
            "name={clicks}\nconnector.class={class}\ntopics={orders}\nkey.converter={STRING}\nvalue.converter={STRING}\n{more}\n"
        );
        cli.write("clicks.properties", text);
    };
    properties(&format!("tasks.max=many\nfile={}", lost.display()));

    // A plan finds faults, and nothing is done while there are any.
    let text = cli.run(1, &["apply", "-f", "files"]);
    has(&text, &["clicks.properties:6: tasks.max: ", "many", "Nothing was changed: mend the problems first"]);
    assert_eq!(
        (cli.run(1, &["validate", "-f", "files"]).contains("1 of 2 connectors"), cli.config(&orders)["name"].is_null()),
        (true, true)
    );
    properties(&format!("file={}", lost.display()));
    has(&cli.run(0, &["validate", "-f", "files"]), &["2 connectors would be taken by http://"]);
    let text = cli.run(3, &["apply", "-f", "files", "--plan"]);
    has(
        &text,
        &[&format!("+ create     {orders}"), "+ a.password", "[hidden]", "${env:CLI_NOTE}", "2 to create", "Nothing was changed"],
    );

    // One runs, the other fails; when the cause is gone it runs too.
    let text = cli.run(1, &["apply", "-f", "files", "--wait"]);
    has(
        &text,
        &["done: created, RUNNING, 1 task: 1 RUNNING", "failed: it is RUNNING, 1 task: 1 FAILED: org.apache.kafka.connect."],
    );
    assert_eq!(cli.config(&orders)["a.note"], "${env:CLI_NOTE}");
    has(
        &cli.run(0, &["list"]),
        &["NAME", &clicks, "FileStreamSinkConnector", "1 task: 1 FAILED", "`landfall connectors show NAME` says why"],
    );
    has(&cli.run(0, &["show", &clicks]), &["task 0 failed: ", "Couldn't find or create file", "restart", "--failed --wait"]);
    fs::create_dir(lost.parent().expect("a folder")).expect("made");
    has(
        &cli.run(0, &["restart", &clicks, "--failed", "--wait"]),
        &[&format!("{clicks}: told to restart, RUNNING, 1 task: 1 RUNNING")],
    );
    let text = cli.run(0, &["apply", "-f", "files", "--wait"]);
    has(&text, &["0 to create, 0 to update, 0 to delete, 2 unchanged", "Nothing to do"]);
    assert_eq!(text.contains("a.password cannot be compared, the worker hides it"), hides, "{text}");
    has(&cli.run(0, &["show", &orders]), &["state   RUNNING", "a.password", "[hidden]", "a.note", "${env:CLI_NOTE}"]);
    let shown = cli.json(0, &["show", &orders]);
    assert_eq!((&shown["tasks"][0]["state"], &shown["config"]["a.password"]), (&json!("RUNNING"), &json!("[hidden]")));

    // What somebody else changed is drift; a state that somebody chose is not touched.
    let mut drifted = config.clone();
    drifted["tasks.max"] = "2".into();
    let (status, answer) = worker.put(&format!("/connectors/{orders}/config"), &drifted);
    assert_eq!(status, 200, "{answer}");
    cli.run(0, &["pause", &orders, "--wait"]);
    config["tasks.max"] = "1".into();
    orders_file(&config);
    let text = cli.run(3, &["diff", "-f", "files"]);
    has(
        &text,
        &[&format!("~ update     {orders}"), "~ tasks.max            2 -> 1", "note: it is PAUSED, and stays so", "1 unchanged"],
    );
    let done = cli.json(0, &["apply", "-f", "files"]);
    assert_eq!((&done["update"], cli.config(&orders)["tasks.max"].as_str()), (&json!(1), Some("1")), "{done:#}");
    assert_eq!(cli.json(0, &["diff", "-f", "files"])["unchanged"], 2);
    cli.run(0, &["resume", &orders, "--wait"]);

    // Offsets are changed of stopped connectors.
    let group = format!("connect-{orders}");
    wait_until("a commit", secs(60), || (broker.committed(&group, &orders).get(&0) == Some(&5)).then_some(()));
    let get = || cli.json(0, &["offsets", "get", &orders])["offsets"][0]["offset"]["kafka_offset"].clone();
    assert_eq!(get(), 5);
    let set = format!("{orders}:0=2");
    has(
        &cli.run(1, &["offsets", "set", &orders, &set]),
        &["STOPPED state", &format!("`landfall connectors stop {orders} --wait`")],
    );
    cli.run(0, &["stop", &orders, "--wait"]);
    has(&cli.run(0, &["offsets", "set", &orders, &set]), &["altered successfully", "Next: `landfall connectors resume"]);
    has(&cli.run(0, &["offsets", "get", &orders]), &["TOPIC", "PARTITION  OFFSET", "2\n"]);
    fs::write(cli.path("offsets.json"), cli.both(0, &["offsets", "get", &orders, "--output", "json"]).0).expect("a file");
    has(&cli.run(0, &["offsets", "reset", &orders]), &["reset successfully"]);
    has(&cli.run(0, &["offsets", "get", &orders]), &["has committed nothing yet"]);
    cli.run(0, &["offsets", "set", &orders, "-f", "offsets.json"]);
    assert_eq!(get(), 2);
    cli.run(0, &["resume", &orders, "--wait"]);
    let lines = || fs::read_to_string(cli.path("orders.txt")).unwrap_or_default();
    wait_until("three records again", secs(60), || (lines() == "0\n1\n2\n3\n4\n2\n3\n4\n").then_some(()));

    // What goes wrong says what to do.
    let file = cli.path("files/orders.json").display().to_string();
    has(&cli.run(1, &["create", &file]), &["already exists; `landfall connectors apply -f FILE` changes it"]);
    has(&cli.run(1, &["pause", &format!("{orders}s")]), &[&format!("is {orders} meant?")]);
    has(
        &cli.run(1, &["show", "nothing-like-it"]),
        &["there is no connector nothing-like-it", "`landfall connectors list` names"],
    );
    let gone = format!("http://127.0.0.1:{}", free_port());
    has(&cli.run(1, &["list", "--url", &gone]), &["does not answer GET /connectors", "--url or LANDFALL_URL names another"]);
    cli.run(2, &["apply"]);

    // Nobody else's connectors are pruned.
    let foreign = format!("{id}-foreign");
    fs::write(cli.path("foreign.json"), json!({"name": foreign, "config": file_sink(&orders, &cli.path("x"))}).to_string())
        .expect("a file");
    has(&cli.run(0, &["create", "foreign.json", "--wait"]), &[&format!("{foreign}: created, RUNNING")]);
    fs::remove_file(cli.path("files/clicks.properties")).expect("removed");
    has(
        &cli.run(0, &["diff", "-f", "files"]),
        &[&format!("? leave      {clicks}"), "--prune deletes it", "1 connector of others not looked at"],
    );
    let text = cli.run(0, &["apply", "-f", "files", "--prune", "--wait"]);
    has(&text, &[&format!("- delete     {clicks}"), "1 to delete", &format!("--confirm {foreign} deletes it too")]);
    assert_eq!((worker.get(&format!("/connectors/{clicks}")).0, worker.get(&format!("/connectors/{foreign}")).0), (404, 200));
    let text = cli.run(3, &["diff", "-f", "files", "--prune", "--owner", "us"]);
    has(&text, &["~ landfall.applied.by  landfall -> us", &format!("--confirm {foreign} deletes it too")]);
    fs::remove_file(&file).expect("removed");
    has(&cli.run(1, &["apply", "-f", "files", "--prune"]), &["give --allow-empty if that is meant"]);
    let text = cli.run(0, &["apply", "-f", "files", "--prune", "--allow-empty", "--confirm", &foreign, "--wait"]);
    has(&text, &["2 to delete"]);
    has(&cli.run(0, &["list"]), &["there are no connectors at http://"]);
}

#[test]
fn connectors_are_what_their_files_say() {
    let worker = Worker::start(&Broker::shared().bootstrap(), &[]);
    life(&worker, "cli-landfall", true);
}

#[test]
fn connectors_of_java_are_what_their_files_say() {
    let mut cluster = Cluster::new(Broker::shared(), "cli-java", &[]);
    cluster.start(&[Kind::Java]);
    life(&cluster.members[0].worker, "cli-java", false);
}

#[test]
fn users_and_certificates_are_sent() {
    let (made, port) = (Certificates::make(), free_port());
    let folder = TempDir::new().expect("a folder");
    let users = folder.path().join("users");
    fs::write(&users, "ann=cli-password\n").expect("users");
    let listener = format!("https://127.0.0.1:{port}");
    let worker = Worker::start(
        &Broker::shared().bootstrap(),
        &[
            ("landfall.rest.auth", "basic"),
            ("landfall.rest.open.paths", "/"),
            ("landfall.basic.auth.file", &users.display().to_string()),
            ("admin.listeners", &listener),
            ("admin.listeners.https.ssl.keystore.type", "PEM"),
            ("admin.listeners.https.ssl.keystore.location", &made.path("broker.store")),
            ("admin.listeners.https.ssl.truststore.type", "PEM"),
            ("admin.listeners.https.ssl.truststore.location", &made.path("authority.pem")),
            ("admin.listeners.https.ssl.client.auth", "required"),
        ],
    );
    let cli = Cli::of(&worker);
    has(&cli.run(1, &["list"]), &["does not know who asks", "give --user or --token"]);
    has(&cli.run(0, &["list", "--user", "ann:cli-password"]), &["there are no connectors"]);
    fs::write(cli.path("user"), "ann:cli-password\n").expect("a file");
    has(&cli.run(0, &["--user", "@user", "list"]), &["there are no connectors"]);
    has(&cli.run(1, &["--user", "@user", "--token", "t", "list"]), &["does not know who asks"]);

    // There are no connectors on this listener; whoever is told so has been let in.
    let ask = |more: &[&str]| cli.run(1, &[&["show", "c", "--url", &listener, "--user", "@user"], more].concat());
    let (ca, cert) = (made.path("authority.pem"), made.path("client.store"));
    has(&ask(&["--ca", &ca, "--cert", &cert]), &["has no such resource (404)"]);
    for more in [&["--cert", cert.as_str()][..], &["--ca", &ca], &["--ca", &made.path("stranger.pem"), "--cert", &cert]] {
        has(&ask(more), &["does not answer GET /connectors/c"]);
    }
    has(&ask(&["--ca", "nothing.pem"]), &["--ca: "]);
}

/// The subcommands that the help of a command lists.
fn subcommands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| line.starts_with("  "));
    let names = listed.filter(|line| !line.starts_with("   ")).filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// All commands, each as the words that name it.
fn commands(of: &[String]) -> Vec<Vec<String>> {
    let help = ended(landfall().args(of).arg("--help"), 0).0;
    let mut all = vec![of.to_vec()];
    for name in subcommands(&help) {
        all.extend(commands(&[of, &[name]].concat()));
    }
    all
}

#[test]
fn the_page_shows_the_help_of_every_command() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let text = fs::read_to_string(&path).expect(PAGE);
    let (mut lines, mut page, mut shown) = (text.lines(), String::new(), BTreeSet::new());
    while let Some(line) = lines.next() {
        page += &format!("{line}\n");
        let Some(command) = line.strip_prefix("$ landfall ").and_then(|command| command.strip_suffix(" --help")) else {
            continue;
        };
        let words: Vec<_> = command.split(' ').collect();
        let (help, _) = ended(landfall().args(&words).arg("--help"), 0);
        page += &format!("{}\n```\n", help.trim_end());
        assert!(lines.any(|line| line == "```"), "{PAGE}: the block of {command} has no end");
        shown.insert(command.to_owned());
    }
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("the page");
    } else {
        assert!(page == text, "{PAGE} is not what the commands say: make reference");
    }
    let alone = ["estimate", "completions", "man"].map(|command| vec![command.to_owned()]);
    let wanted = commands(&["connectors".to_owned()]).into_iter().chain(alone);
    let missing: Vec<_> = wanted.map(|words| words.join(" ")).filter(|command| !shown.contains(command)).collect();
    assert!(missing.is_empty(), "{PAGE} does not show the help of {missing:?}");
}

#[test]
fn shells_and_manuals_know_the_commands() {
    let folder = TempDir::new().expect("a folder");
    for (shell, mark) in [("bash", "complete -F _landfall"), ("zsh", "#compdef landfall"), ("fish", "complete -c landfall")] {
        let script = ended(landfall().args(["completions", shell]), 0).0;
        has(&script, &[mark, "send-hidden", "connectors", "migrate"]);
        fs::write(folder.path().join(shell), script).expect("a file");
    }
    // What bash offers behind `landfall connectors off`.
    let ask = "source ./bash; COMP_WORDS=(landfall connectors off); COMP_CWORD=2; _landfall landfall off connectors; echo ${COMPREPLY[@]}";
    assert_eq!(ended(Command::new("bash").args(["-c", ask]).current_dir(folder.path()), 0).0, "offsets\n");

    let pages = folder.path().join("man");
    ended(landfall().arg("man").arg(&pages), 0);
    let there: BTreeSet<String> = fs::read_dir(&pages)
        .expect("pages")
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("a name"))
        .collect();
    for command in commands(&[]) {
        let name = [&["landfall".to_owned()][..], &command].concat().join("-") + ".1";
        assert!(there.contains(&name), "{name} is not among {there:?}");
    }
    let page = fs::read_to_string(pages.join("landfall-connectors-apply.1")).expect("a page");
    has(&page, &[".TH", "\\-\\-prune", "LANDFALL_URL"]);
}
