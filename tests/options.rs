//! `docs/options.md`: every option, with a test that fails when the option is ignored.
//!
//! The tests are named in `tests/options.tsv`, a line each: the class without its package and without `$Key` and `$Value`, a point and
//! the key (the class alone if it has no keys; `lake` for the keys that all lake sinks share, `connector` for those of every sink
//! connector, `*` for a key that several converters share), a tab, and the test: the path of its file, `::` and the function, or the
//! path of a file of recorded cases.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use landfall::convert::CONVERTERS;
use landfall::herder::connector_config::ConnectorKeys;
use landfall::plugins::{SINKS, simple_name};
use landfall::transform::TRANSFORMS;
use landfall::transform::predicate::PREDICATES;
use landfall_api::{Effect, Key};
use landfall_lake::config::LakeConfig;

const LIST: &str = "tests/options.tsv";
const PAGE: &str = "docs/options.md";

/// Options that belong together.
struct Scope {
    heading: &'static str,
    name: String,
    keys: Vec<Key>,
}

/// All classes in the order of their tables.
fn scopes() -> Vec<Scope> {
    let mut all: Vec<Scope> = Vec::new();
    let mut add = |heading, class: &str, keys: Vec<Key>| {
        let name = simple_name(class).split('$').next().unwrap_or_default().to_owned();
        if !all.iter().any(|scope| scope.name == name && scope.heading == heading) {
            all.push(Scope { heading, name, keys });
        }
    };
    CONVERTERS.iter().for_each(|class| add("Converters", class.class(), class.keys().to_vec()));
    TRANSFORMS.iter().for_each(|class| add("Transforms", class.class(), class.keys().to_vec()));
    PREDICATES.iter().for_each(|class| add("Predicates", class.class(), class.keys().to_vec()));
    add("Every sink connector", "connector", ConnectorKeys::KEYS.to_vec());
    let shared: Vec<Key> = LakeConfig::keys().collect();
    for class in SINKS {
        let own = class.keys().into_iter().filter(|key| !shared.iter().any(|other| other.name == key.name));
        add("Sinks", class.class(), own.collect());
    }
    add("Sinks", "lake", shared);
    all
}

impl Scope {
    /// The options that something must come of, as the list names them.
    fn options(&self) -> Vec<String> {
        let full = self.keys.iter().filter(|key| key.effect == Effect::Full);
        let options: Vec<_> = full.map(|key| format!("{}.{}", self.name, key.name)).collect();
        if self.keys.is_empty() { vec![self.name.clone()] } else { options }
    }
}

/// The test of an option: that of the option itself, or of all that share the key.
fn test_of<'a>(tests: &'a BTreeMap<String, String>, scope: &Scope, option: &str) -> Option<&'a String> {
    let shared = || option.strip_prefix(&scope.name).map(|key| format!("*{key}"));
    tests.get(option).or_else(|| tests.get(&shared()?))
}

fn tests() -> BTreeMap<String, String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut tests = BTreeMap::new();
    for (n, line) in fs::read_to_string(root.join(LIST)).expect("the list").lines().enumerate() {
        let (option, test) = line.split_once('\t').unwrap_or_else(|| panic!("{LIST}:{}: no tab in {line:?}", n + 1));
        assert!(tests.insert(option.to_owned(), test.to_owned()).is_none(), "{LIST}:{}: {option} is there twice", n + 1);
    }
    tests
}

/// Why there is no such test.
fn missing(test: &str, option: &str) -> Option<String> {
    let (path, function) = test.split_once("::").map_or((test, None), |(path, function)| (path, Some(function)));
    let Ok(text) = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(path)) else {
        return Some(format!("{option}: there is no file {path}"));
    };
    let there = match function {
        Some(function) => text.contains(&format!("fn {function}(")),
        None => option.split_once('.').is_none_or(|(_, key)| text.contains(&format!("\"{key}\""))),
    };
    (!there).then(|| format!("{option}: {test} is not in the sources"))
}

#[test]
fn every_option_has_a_test_that_fails_without_it() {
    let (tests, mut lacking, mut used) = (tests(), Vec::new(), BTreeSet::new());
    for scope in scopes() {
        for option in scope.options() {
            match test_of(&tests, &scope, &option) {
                Some(test) => {
                    used.insert(test.clone());
                }
                None => lacking.push(format!("{option}\t")),
            }
        }
    }
    let mut faults: Vec<String> = tests.iter().filter_map(|(option, test)| missing(test, option)).collect();
    faults.extend(tests.iter().filter(|(_, test)| !used.contains(*test)).map(|(option, _)| format!("{option}: no such option")));
    assert!(faults.is_empty(), "{LIST}:\n{}", faults.join("\n"));
    assert!(lacking.is_empty(), "these lines are to be completed in {LIST}:\n{}", lacking.join("\n"));
}

#[test]
fn the_reference_of_options_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(PAGE);
    let page = page();
    if std::env::var_os("UPDATE").is_some() {
        fs::write(&path, &page).expect("the page");
    }
    assert!(fs::read_to_string(&path).is_ok_and(|found| found == page), "{PAGE} is not what is declared: make reference");
}

fn page() -> String {
    let (tests, mut heading) = (tests(), "");
    let mut text = "<!-- Generated: make reference -->\n\n# Options and their tests\n\nEach option that changes something is beside a \
                    test that fails when it is ignored. A configuration that gives one of those that are refused another value than its \
                    default is not taken; those without effect are known, and warned about. What they do: [reference](reference/README.md).\n"
        .to_owned();
    for scope in scopes() {
        if scope.heading != heading {
            heading = scope.heading;
            let _ = writeln!(text, "\n## {heading}");
        }
        let _ = writeln!(text, "\n### {}\n\n| Option | Test |\n|---|---|", scope.name);
        let test = |option: &str| test_of(&tests, &scope, option).map_or("**none**", String::as_str);
        if scope.keys.is_empty() {
            let _ = writeln!(text, "| the class | `{}` |", test(&scope.name));
        }
        for key in &scope.keys {
            let option = format!("{}.{}", scope.name, key.name);
            let says = match key.effect {
                Effect::Full => format!("`{}`", test(&option)),
                Effect::Refused => "refused".to_owned(),
                Effect::Nothing(why) => format!("no effect: {why}"),
            };
            let _ = writeln!(text, "| `{}` | {} |", key.name, says.replace('|', "\\|"));
        }
    }
    text
}
