//! What the binary is made of: `deny.toml` says what may be, and `scripts/sbom.py` names it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// What cargo knows of every package, for this platform.
fn metadata() -> Vec<u8> {
    let host = Command::new("rustc").arg("-vV").output().expect("rustc").stdout;
    let host = String::from_utf8(host).expect("text");
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).expect("a platform");
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", host]).current_dir(ROOT);
    let done = cargo.output().expect("cargo");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    done.stdout
}

/// The packages that the binary is made of or by, by their ids.
fn shipped(metadata: &Value) -> Vec<&Value> {
    let list = |value: &'_ Value| value.as_array().expect("a list").clone();
    let nodes: BTreeMap<String, Value> =
        list(&metadata["resolve"]["nodes"]).into_iter().map(|node| (text(&node["id"]), node)).collect();
    let mut waiting: Vec<_> = list(&metadata["workspace_members"]).iter().map(text).collect();
    let mut seen = BTreeSet::new();
    while let Some(id) = waiting.pop() {
        if seen.insert(id.clone()) {
            let needed = list(&nodes[&id]["deps"]);
            let of_tests = |dep: &Value| list(&dep["dep_kinds"]).iter().all(|kind| kind["kind"] == "dev");
            waiting.extend(needed.iter().filter(|dep| !of_tests(dep)).map(|dep| text(&dep["pkg"])));
        }
    }
    metadata["packages"].as_array().expect("packages").iter().filter(|package| seen.contains(&text(&package["id"]))).collect()
}

fn text(value: &Value) -> String {
    value.as_str().expect("a text").to_owned()
}

/// The quoted texts of a list in `deny.toml`.
fn listed(key: &str) -> Vec<String> {
    let deny = std::fs::read_to_string(Path::new(ROOT).join("deny.toml")).expect("deny.toml");
    let (_, list) = deny.split_once(&format!("\n{key} = [")).unwrap_or_else(|| panic!("{key} is not in deny.toml"));
    let list = list.split_once("\n]").map_or(list, |(list, _)| list);
    list.lines().filter_map(|line| Some(line.split('"').nth(1)?.to_owned())).collect()
}

/// Whether a licence expression can be kept with these licences alone.
fn is_kept(expression: &str, allowed: &[String]) -> bool {
    fn any(tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &[String]) -> bool {
        let mut kept = all(tokens, allowed);
        while tokens.next_if(|token| token == "OR").is_some() {
            kept |= all(tokens, allowed);
        }
        kept
    }
    fn all(tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &[String]) -> bool {
        let mut kept = one(tokens, allowed);
        while tokens.next_if(|token| token == "AND").is_some() {
            kept &= one(tokens, allowed);
        }
        kept
    }
    fn one(tokens: &mut std::iter::Peekable<std::vec::IntoIter<String>>, allowed: &[String]) -> bool {
        let first = tokens.next().unwrap_or_default();
        if first == "(" {
            let kept = any(tokens, allowed);
            return tokens.next().as_deref() == Some(")") && kept;
        }
        let exception = tokens.next_if(|token| token == "WITH").and_then(|_| tokens.next());
        exception.is_none() && allowed.contains(&first)
    }
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let tokens: Vec<_> = spaced.split_whitespace().map(str::to_owned).collect();
    any(&mut tokens.into_iter().peekable(), allowed)
}

#[test]
fn only_what_is_allowed_is_in_the_binary() {
    let metadata: Value = serde_json::from_slice(&metadata()).expect("JSON");
    let (allowed, skipped) = (listed("allow"), listed("skip"));
    let (mut faults, mut versions) = (Vec::new(), BTreeMap::<String, BTreeSet<String>>::new());
    let mut sources = BTreeSet::new();
    for package in shipped(&metadata) {
        let name = format!("{}@{}", text(&package["name"]), text(&package["version"]));
        versions.entry(text(&package["name"])).or_default().insert(name.clone());
        let licence = package["license"].as_str().unwrap_or("none");
        if !is_kept(licence, &allowed) {
            faults.push(format!("{name} has the licence {licence}, which is not allowed"));
        }
        let source = package["source"].as_str();
        if source.is_some_and(|source| !source.starts_with("registry+https://github.com/rust-lang/")) {
            faults.push(format!("{name} is from {source:?}"));
        }
        sources.extend(source);
    }
    if sources.len() > 1 {
        faults.push(format!("crates are from {sources:?}, which are several"));
    }
    for versions in versions.values() {
        let counted: Vec<_> = versions.iter().filter(|name| !skipped.contains(name)).collect();
        if counted.len() > 1 {
            faults.push(format!("{counted:?} are one crate in several versions, without a reason"));
        }
    }
    let double = |name: &&String| name.split_once('@').is_none_or(|(name, _)| versions.get(name).is_none_or(|all| all.len() < 2));
    let gone = skipped.iter().filter(|name| double(name) || !versions.values().any(|all| all.contains(*name)));
    faults.extend(gone.map(|name| format!("{name} need not be skipped any more")));
    assert!(faults.is_empty(), "deny.toml: {}", faults.join("\n"));
}

#[test]
fn licences_are_read_as_they_are_meant() {
    let allowed = ["MIT", "ISC"].map(str::to_owned);
    for (expression, kept) in [
        ("MIT", true),
        ("GPL-3.0", false),
        ("MIT/Apache-2.0", true),
        ("Apache-2.0 AND MIT", false),
        ("ISC AND (Apache-2.0 OR MIT)", true),
        ("(GPL-3.0 OR Apache-2.0) AND ISC", false),
        ("MIT WITH exception OR ISC", true),
        ("MIT WITH exception", false),
        ("none", false),
    ] {
        assert_eq!(is_kept(expression, &allowed), kept, "{expression}");
    }
}

#[test]
fn the_bill_of_materials_names_all_that_is_shipped() {
    let metadata = metadata();
    let mut script = Command::new("python3")
        .arg(Path::new(ROOT).join("scripts/sbom.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3");
    script.stdin.take().expect("an input").write_all(&metadata).expect("it reads");
    let printed = script.wait_with_output().expect("it ends");
    assert!(printed.status.success());
    let bill: Value = serde_json::from_slice(&printed.stdout).expect("JSON");
    assert_eq!((&bill["bomFormat"], &bill["metadata"]["component"]["name"]), (&"CycloneDX".into(), &"landfall".into()));
    let named: BTreeSet<String> =
        bill["components"].as_array().expect("components").iter().map(|component| text(&component["bom-ref"])).collect();
    let metadata: Value = serde_json::from_slice(&metadata).expect("JSON");
    for package in shipped(&metadata).into_iter().filter(|package| package["name"] != "landfall") {
        let name = format!("pkg:cargo/{}@{}", text(&package["name"]), text(&package["version"]));
        assert!(named.contains(&name), "{name} is not in the bill of materials");
    }
    let component = bill["components"].as_array().and_then(|all| all.iter().find(|one| one["name"] == "rdkafka-sys"));
    assert!(
        component.is_some_and(|one| one["hashes"][0]["content"].as_str().is_some_and(|sum| sum.len() == 64)),
        "{component:?}"
    );
}
