//! What the Helm chart makes of values, and a pod of it as a process of this machine.

use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

use super::process::Process;
use super::{cache, secs, wait_until};

/// The chart.
pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("helm/landfall")
}

/// A tool that `make setup` has brought in.
pub(crate) fn tool(name: &str) -> Command {
    let mut command = Command::new(cache("kubernetes").join(name));
    // Nothing of the user's own counts, and no cluster is asked.
    command.env("HELM_CONFIG_HOME", "/nonexistent").env("KUBECONFIG", "/dev/null");
    command
}

/// The files of values that the chart brings along, by their names.
pub(crate) fn examples() -> BTreeMap<String, PathBuf> {
    let all = fs::read_dir(chart().join("ci")).expect("helm/landfall/ci").map(|entry| entry.expect("an entry").path());
    let named = |path: PathBuf| (path.file_name().expect("a name").to_string_lossy().replace("-values.yaml", ""), path);
    all.map(named).collect()
}

/// The manifests that the chart renders for a version of Kubernetes, as text.
pub(crate) fn render(values: &Path, version: &str) -> Result<String, String> {
    let chart = chart();
    let mut helm = tool("helm");
    helm.args(["template", "test", "--namespace", "connect", "--kube-version", version, "--values"]).arg(values).arg(chart);
    let done = helm.output().expect("helm");
    if done.status.success() {
        Ok(String::from_utf8(done.stdout).expect("text"))
    } else {
        Err(String::from_utf8_lossy(&done.stderr).into_owned())
    }
}

/// Gives `input` to a command; what it says, and whether it was content.
pub(crate) fn pipe(command: &mut Command, input: &str) -> (bool, String) {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("a tool");
    let mut to = child.stdin.take().expect("its input");
    let text = input.to_owned();
    // A tool that ends early does not read on.
    let writing = std::thread::spawn(move || drop(to.write_all(text.as_bytes())));
    let done = child.wait_with_output().expect("its end");
    writing.join().expect("written");
    (done.status.success(), format!("{}{}", String::from_utf8_lossy(&done.stdout), String::from_utf8_lossy(&done.stderr)))
}

/// Manifests as values of JSON.
pub(crate) fn parse(manifests: &str) -> Vec<Value> {
    let script = "import json, sys, yaml; json.dump([d for d in yaml.safe_load_all(sys.stdin) if d], sys.stdout)";
    let mut python = Command::new(cache("venv/bin/python"));
    let (good, text) = pipe(python.args(["-c", script]).env("PYTHONPATH", cache("kubernetes/python")), manifests);
    assert!(good, "{text}");
    serde_json::from_str(&text).expect("JSON")
}

/// The manifest of a kind whose name ends so.
pub(crate) fn find<'a>(manifests: &'a [Value], kind: &str, suffix: &str) -> &'a Value {
    let is = |m: &&Value| m["kind"] == kind && m["metadata"]["name"].as_str().is_some_and(|name| name.ends_with(suffix));
    manifests.iter().find(is).unwrap_or_else(|| panic!("no {kind} …{suffix} is rendered"))
}

/// Bytes of a quantity in whole Mi or Gi.
pub(crate) fn bytes(quantity: &Value) -> u64 {
    let text = quantity.as_str().expect("a quantity");
    let (number, unit) = text.split_at(text.len() - 2);
    number.parse::<u64>().expect("a number") << if unit == "Gi" { 30 } else { 20 }
}

/// The one container of a pod as a process: its arguments, variables, volumes, probes and memory limit are those of the manifest.
#[derive(Debug)]
pub(crate) struct Pod {
    // Before the folder and the limit: the process ends first.
    process: Option<Process>,
    container: Value,
    /// Seconds that it has to end.
    grace: u64,
    folder: TempDir,
    /// The control group that keeps it below its limit; none where this machine has none to give.
    limit: Option<PathBuf>,
    agent: ureq::Agent,
}

impl Pod {
    /// Starts a pod of the template of a Deployment or a Job. `secrets` are the variables of the secrets that it names.
    pub(crate) fn start(template: &Value, manifests: &[Value], secrets: &[(&str, &str)]) -> Self {
        let spec = &template["spec"];
        let container = spec["containers"][0].clone();
        let folder = TempDir::with_prefix("landfall-pod-").expect("a folder for the pod");
        let mounts = mount(&container, spec, manifests, folder.path());
        let here = |text: &str| {
            let mounted = mounts.iter().find_map(|(path, place)| Some((place, text.strip_prefix(path.as_str())?)));
            mounted.map_or_else(|| text.to_owned(), |(place, rest)| format!("{}{rest}", place.display()))
        };

        let limit = group(bytes(&container["resources"]["limits"]["memory"]));
        let joins = limit.as_ref().map_or("true".to_owned(), |limit| format!("echo $$ > {}/cgroup.procs", limit.display()));
        let mut command = Command::new("/bin/sh");
        command.args(["-c", &format!("{joins} && exec \"$0\" \"$@\"")]).arg(env!("CARGO_BIN_EXE_landfall"));
        assert!(container["command"].is_null(), "the image says what runs");
        command.args(container["args"].as_array().expect("arguments").iter().map(|arg| here(arg.as_str().expect("text"))));
        command.current_dir(here(container["workingDir"].as_str().expect("a working directory"))).env_clear();
        for _ in container["envFrom"].as_array().into_iter().flatten() {
            command.envs(secrets.iter().copied());
        }
        for variable in container["env"].as_array().into_iter().flatten() {
            let name = variable["name"].as_str().expect("a name");
            let value = match (&variable["value"], variable["valueFrom"]["fieldRef"]["fieldPath"].as_str()) {
                (Value::String(value), _) => value.as_str(),
                (_, Some("status.podIP")) => "127.0.0.1",
                other => panic!("{name} is from {other:?}"),
            };
            command.env(name, value);
        }
        let log = folder.path().join("pod.log");
        let process = Process::spawn(&mut command, &log, folder.path()).expect("a pod");
        let grace = spec["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        let config = ureq::Agent::config_builder().http_status_as_error(false).build();
        Self { process: Some(process), container, grace, folder, limit, agent: config.into() }
    }

    /// Waits until the startup probe succeeds, as often as it may be tried.
    pub(crate) fn await_started(&mut self) {
        let probe = self.container["startupProbe"].clone();
        let tries = probe["failureThreshold"].as_u64().expect("a threshold") * probe["periodSeconds"].as_u64().expect("a period");
        wait_until(&format!("the startup probe; log: {}", self.log()), secs(tries.min(90)), || {
            let ended = self.process.as_mut().expect("a running pod").ended();
            assert!(ended.is_none(), "the pod ended with {ended:?}: {}", self.log());
            self.probe("startupProbe").then_some(())
        });
    }

    /// Asks a probe once.
    pub(crate) fn probe(&self, name: &str) -> bool {
        let probe = &self.container[name];
        let get = &probe["httpGet"];
        let url = self.url(get["port"].as_str().expect("a port"), get["path"].as_str().expect("a path"));
        let patience = Duration::from_secs(probe["timeoutSeconds"].as_u64().expect("a timeout"));
        let answer = self.agent.get(url).config().timeout_global(Some(patience)).build().call();
        answer.is_ok_and(|answer| (200..400).contains(&answer.status().as_u16()))
    }

    /// The address of a path at a port that the container names.
    pub(crate) fn url(&self, port: &str, path: &str) -> String {
        let ports = self.container["ports"].as_array().expect("ports");
        let number = ports.iter().find(|given| given["name"] == port).expect(port)["containerPort"].as_u64().expect("a number");
        format!("http://127.0.0.1:{number}{path}")
    }

    /// What it printed.
    pub(crate) fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("pod.log")).unwrap_or_default()
    }

    /// Takes the pod away as a node does: SIGTERM, and the grace period in which it has to end. How it ended.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        let process = self.process.take().expect("a running pod");
        let (peak, limit) = (process.peak_rss_mb(), bytes(&self.container["resources"]["limits"]["memory"]) >> 20);
        assert!(peak < limit as f64, "the pod had {peak:.0} MiB of its {limit}: {}", self.log());
        process.terminate(secs(self.grace))
    }

    /// Waits for a pod that ends by itself, as that of a job does.
    pub(crate) fn finish(&mut self, patience: Duration) -> ExitStatus {
        let process = self.process.as_mut().expect("a running pod");
        wait_until("the end of the pod", patience, || process.ended())
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        self.process = None;
        if let Some(limit) = &self.limit {
            // Its last process may not be gone yet.
            wait_until("the control group to be empty", secs(5), || fs::remove_dir(limit).ok());
        }
    }
}

/// Makes the volumes of a pod below `root`; the longest mount paths first, with their places.
fn mount(container: &Value, spec: &Value, manifests: &[Value], root: &Path) -> Vec<(String, PathBuf)> {
    let mut mounts = Vec::new();
    for given in container["volumeMounts"].as_array().expect("mounts") {
        let name = given["name"].as_str().expect("a name");
        let volumes = spec["volumes"].as_array().expect("volumes");
        let volume = volumes.iter().find(|volume| volume["name"] == name).expect("a volume that is there");
        let place = root.join(name);
        fs::create_dir(&place).expect("a folder");
        if let Some(map) = volume["configMap"]["name"].as_str() {
            let data = &find(manifests, "ConfigMap", map)["data"];
            for (file, text) in data.as_object().expect("data") {
                fs::write(place.join(file), text.as_str().expect("text")).expect("written");
            }
        } else {
            assert!(volume["emptyDir"].is_object(), "{volume}");
        }
        mounts.push((given["mountPath"].as_str().expect("a path").to_owned(), place));
    }
    mounts.sort_by_key(|(path, _)| std::cmp::Reverse(path.len()));
    mounts
}

/// A control group with a limit of memory, of the first or the second version, if one can be made.
#[expect(clippy::print_stderr, reason = "whoever reads the log is to know what was not tried")]
fn group(limit: u64) -> Option<PathBuf> {
    static COUNT: std::sync::atomic::AtomicU32 = std::sync::atomic::AtomicU32::new(0);
    let number = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    let made = [("memory/", "memory.limit_in_bytes"), ("", "memory.max")].into_iter().find_map(|(version, file)| {
        let path = PathBuf::from(format!("/sys/fs/cgroup/{version}landfall-test-{}-{number}", std::process::id()));
        fs::create_dir(&path).ok()?;
        if fs::write(path.join(file), limit.to_string()).is_err() {
            let _ = fs::remove_dir(&path);
            return None;
        }
        Some(path)
    });
    if made.is_none() {
        eprintln!("NO CONTROL GROUP CAN BE MADE HERE: the pod runs without its memory limit, and only its peak is looked at");
    }
    made
}
