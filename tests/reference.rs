//! `docs/reference`, which is generated from the declarations of keys.
//!
//! `make reference` writes it anew.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use landfall::config::provider::PROVIDERS;
use landfall::config::{AccessKeys, DistributedKeys, StandaloneKeys, WorkerKeys};
use landfall::convert;
use landfall::herder::connector_config::ConnectorKeys;
use landfall::kafka::{self, java};
use landfall::plugins::{Plugins, simple_name};
use landfall::transform::TransformKeys;
use landfall_api::{ConverterClass, Effect, Importance, Key, SinkConnector};

const UPDATE: &str = "make reference";

#[test]
fn the_reference_says_what_is_declared() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/reference");
    let pages = pages();
    if std::env::var_os("UPDATE").is_some() {
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a folder for the reference");
        for (name, text) in &pages {
            fs::write(folder.join(name), text).expect("a page of the reference");
        }
    }
    let there = fs::read_dir(&folder).into_iter().flatten().map(|entry| entry.expect("an entry").path());
    let there: BTreeMap<PathBuf, String> = there.map(|path| (path.clone(), fs::read_to_string(&path).expect("a page"))).collect();
    let wanted: BTreeMap<PathBuf, String> = pages.into_iter().map(|(name, text)| (folder.join(name), text)).collect();
    let stale: Vec<_> = wanted.keys().chain(there.keys()).filter(|path| wanted.get(*path) != there.get(*path)).collect();
    assert!(stale.is_empty(), "{stale:?} is not what the code declares: {UPDATE}");
}

/// File names and texts.
fn pages() -> BTreeMap<String, String> {
    let plugins = Plugins::BUILT_IN;
    let sinks = plugins.sinks.iter().map(|sink| (format!("{}.md", page_of(*sink)), sink_page(*sink)));
    let others = [
        ("README.md", contents(&plugins)),
        ("worker.md", worker()),
        ("connectors.md", connectors(&plugins)),
        ("converters.md", converters(plugins.converters)),
        ("transforms.md", transforms(&plugins)),
        ("kafka-client.md", client()),
    ];
    others.map(|(name, text)| (name.to_owned(), text)).into_iter().chain(sinks).collect()
}

/// A connector's alias.
fn page_of(sink: &dyn SinkConnector) -> &'static str {
    simple_name(sink.class()).trim_end_matches("Connector")
}

fn title(title: &str, about: &str) -> String {
    format!("<!-- Generated: {UPDATE} -->\n\n# {title}\n\n{about}\n")
}

fn contents(plugins: &Plugins) -> String {
    let mut text = title("Reference", "Every key that Landfall reads, generated from the code that reads it.");
    text.push_str("\n- [Worker properties](worker.md)\n- [Keys of every sink connector](connectors.md), and those of\n");
    for sink in plugins.sinks {
        let alias = page_of(*sink);
        let _ = writeln!(text, "  - [{alias}]({alias}.md), `{}`", sink.class());
    }
    text.push_str("- [Converters](converters.md)\n- [Transforms and predicates](transforms.md)\n- [Keys of the Kafka consumer](kafka-client.md)\n");
    text
}

fn worker() -> String {
    let about = "The worker's properties file, given to `landfall standalone`, takes the keys of Kafka Connect's standalone worker, and \
                 some of its own that begin with `landfall.`. All faults in it are reported at once, each with its line; a key that nobody knows is \
                 warned about. Keys that begin with `consumer.` configure the consumers of all connectors, those with `admin.` and \
                 the client keys without a prefix the worker's own client: see [the Kafka consumer](kafka-client.md). \
                 The keys of the groups Group, Storage and Signatures are for `landfall distributed`; there, other keys that begin with \
                 `config.storage.`, `offset.storage.` and `status.storage.` are settings that the topics are made with, as \
                 `config.storage.min.insync.replicas`.";
    let mut text = title("Worker properties", about);
    keys(&mut text, &[WorkerKeys::KEYS, AccessKeys::KEYS, StandaloneKeys::KEYS, DistributedKeys::KEYS].concat());
    text.push_str(
        "\n## Config providers\n\n`config.providers` lists names; `config.providers.<name>.class` is the class of each, by its Java name or \
         without the package, and its parameters have `config.providers.<name>.param.` before them. A value is then `${name:path:key}`, or \
         `${name:key}` where there is no path. What has no provider or no value stays as it is, with a warning. Values are resolved when \
         the worker starts, when a configuration is looked at and when a connector and its tasks start; they are never stored, shown \
         or logged.\n",
    );
    for class in PROVIDERS {
        let _ = writeln!(text, "\n### {}\n\n`{}`, with these parameters:", simple_name(class.class), class.class);
        class.keys.iter().for_each(|key| entry(&mut text, key));
    }
    text
}

fn connectors(plugins: &Plugins) -> String {
    let about = "These keys are in the configuration of every sink connector, next to those of its class: ";
    let classes = plugins.sinks.iter().map(|sink| format!("[{0}]({0}.md)", page_of(*sink))).collect::<Vec<_>>().join(", ");
    let more = "Keys that begin with `consumer.override.` configure the connector's consumers as far as the worker's \
                `connector.client.config.override.policy` allows it: see [the Kafka consumer](kafka-client.md); those that begin \
                with `producer.override.` and `admin.override.` the clients of its dead letters.";
    let mut text = title("Keys of every sink connector", &format!("{about}{classes}.\n\n{more}"));
    keys(&mut text, ConnectorKeys::KEYS);
    text
}

fn sink_page(sink: &dyn SinkConnector) -> String {
    let about = format!(
        "`connector.class`: `{}`, or `{}`, version {}. These keys are its own; it also has the [keys of every sink connector](connectors.md).",
        sink.class(),
        page_of(sink),
        sink.version()
    );
    let mut text = title(page_of(sink), &about);
    keys(&mut text, &sink.keys());
    text
}

fn converters(all: &[&dyn ConverterClass]) -> String {
    let about = "A converter is named by `key.converter`, `value.converter` or `header.converter`, in the worker's properties or in a \
                 connector's configuration, which then counts with all keys of the converter. Its keys have that name before them: \
                 `value.converter.schemas.enable`.";
    let mut text = title("Converters", about);
    for class in all {
        let simple = simple_name(class.class());
        let roles: Vec<_> = class.roles().iter().map(|role| format!("`{}`", convert::key(*role))).collect();
        let _ = writeln!(text, "\n## {simple}\n\n`{}`, for {}.", class.class(), roles.join(", "));
        if class.keys().is_empty() {
            text.push_str("It has no keys.\n");
        }
        class.keys().iter().for_each(|key| entry(&mut text, key));
    }
    text
}

fn transforms(plugins: &Plugins) -> String {
    let about = "`transforms` lists aliases; `transforms.<alias>.type` names the class of each, by its Java name or without the package, and its \
                 keys have `transforms.<alias>.` before them. Records go through them in this order. `predicates` lists aliases of \
                 predicates in the same way; one that a transform names says for which records it is meant.";
    let mut text = title("Transforms and predicates", about);
    text.push_str("\n## Keys of every transform\n");
    TransformKeys::KEYS.iter().for_each(|key| entry(&mut text, key));
    let mut links: Vec<_> = plugins.transforms.iter().map(|class| (class.class(), class.version(), class.keys())).collect();
    links.sort_by_key(|(class, ..)| *class);
    links.extend(plugins.predicates.iter().map(|class| (class.class(), class.version(), class.keys())));
    // What Java has twice, for keys and for values, has the same keys.
    let base = |class: &'static str| class.split('$').next().unwrap_or(class);
    for same in links.chunk_by(|a, b| base(a.0) == base(b.0)) {
        let names: Vec<_> = same.iter().map(|(class, ..)| format!("`{class}`")).collect();
        let (class, version, keys) = same[0];
        let _ = writeln!(text, "\n## {}\n\n{}, version {version}.", simple_name(base(class)), names.join(", "));
        if keys.is_empty() {
            text.push_str("It has no keys.\n");
        }
        keys.iter().for_each(|key| entry(&mut text, key));
    }
    text
}

fn client() -> String {
    let about = "A connector's consumer is librdkafka's, configured by the keys of Java's consumer (Kafka 4.3.1): in the worker's properties as \
                 `consumer.<key>`, in a connector's configuration as `consumer.override.<key>`, which wins. A default is Java's unless \
                 another one is given after it, in bold; keys without one have librdkafka's. The member of a group of workers has another client, which \
                 takes the keys at the top of the worker's properties, as the clients of the internal topics do. Unless they are given, `group.id` is `connect-<name>`, `client.id` is \
                 `connector-consumer-<name>-<task>`, `max.poll.records` is 20000 and `fetch.max.bytes` follows from the memory of the task.";
    let mut text = title("Keys of the Kafka consumer", about);
    text.push_str("\n| Key | Type | Default | librdkafka: connectors, internal topics | Member of a group of workers |\n|---|---|---|---|---|\n");
    for key in java::CONSUMER {
        let (becomes, ours) = kafka::becomes(key.name);
        let java = key.default.filter(|value| !value.is_empty()).map(|value| format!("`{value}`")).unwrap_or_default();
        let default = match ours {
            Some(ours) if Some(ours) != key.default => format!("{java} **`{ours}`**"),
            _ => java,
        };
        let kind = key.kind.name().to_lowercase();
        let of_member = kafka::becomes_of_member(key.name);
        let (default, becomes, of_member) = (cell(default.trim()), cell(&becomes), cell(&of_member));
        let _ = writeln!(text, "| `{}` | {kind} | {default} | {becomes} | {of_member} |", key.name);
    }
    text
}

/// What a group is called.
fn heading(group: &str) -> &str {
    if group.is_empty() { "Keys" } else { group }
}

/// Keys by their groups, then those that are refused, then those that do nothing.
fn keys(text: &mut String, keys: &[Key]) {
    let full: Vec<_> = keys.iter().filter(|key| key.effect == Effect::Full).collect();
    let mut groups: Vec<&str> = Vec::new();
    for key in &full {
        if !groups.contains(&key.group) {
            groups.push(key.group);
        }
    }
    text.push('\n');
    for group in &groups {
        let names = full.iter().filter(|key| key.group == *group);
        let links: Vec<_> = names.map(|key| format!("[`{0}`](#{1})", key.name, anchor(key.name))).collect();
        let _ = writeln!(text, "- {}: {}", heading(group), links.join(", "));
    }
    for group in groups {
        let _ = writeln!(text, "\n## {}", heading(group));
        full.iter().filter(|key| key.group == group).for_each(|key| entry(text, key));
    }
    let refused: Vec<_> = keys.iter().filter(|key| key.effect == Effect::Refused).collect();
    if !refused.is_empty() {
        text.push_str(
            "\n## Not supported yet\n\nA configuration that gives one of these another value than its default is refused.\n",
        );
        text.push_str("\n| Key | Default | What it asks for |\n|---|---|---|\n");
        for key in refused {
            let _ = writeln!(text, "| `{}` | {} | {} |", key.name, default(key).unwrap_or_default(), cell(&key.documentation()));
        }
    }
    let idle = |key: &Key| match key.effect {
        Effect::Nothing(why) => Some((key.name, key.documentation(), why)),
        _ => None,
    };
    let idle: Vec<_> = keys.iter().filter_map(idle).collect();
    if !idle.is_empty() {
        text.push_str("\n## Without effect\n\nThese are known and checked, and change nothing here.\n");
        text.push_str("\n| Key | In Java | Why not here |\n|---|---|---|\n");
        for (name, documentation, why) in idle {
            let _ = writeln!(text, "| `{name}` | {} | {why} |", cell(&documentation));
        }
    }
}

/// One key: what it does, then its facts.
fn entry(text: &mut String, key: &Key) {
    let importance = match key.importance {
        Importance::High => "high",
        Importance::Medium => "medium",
        Importance::Low => "low",
    };
    let mut facts = vec![format!("Type: {}", key.kind.name().to_lowercase())];
    match default(key) {
        _ if key.required => facts.push("**required**".to_owned()),
        Some(default) => facts.push(format!("Default: {default}")),
        None => {}
    }
    facts.extend(key.valid.words().map(|words| format!("Valid: {words}")));
    facts.push(format!("Importance: {importance}"));
    let _ = writeln!(text, "\n### `{}`\n\n{}\n\n{}", key.name, key.documentation(), facts.join(" · "));
}

fn default(key: &Key) -> Option<String> {
    key.default.map(|value| if value.is_empty() { "empty".to_owned() } else { format!("`{value}`") })
}

/// The link to a heading of a key, as GitHub makes it.
fn anchor(key: &str) -> String {
    key.replace('.', "")
}

/// Text as a cell of a table.
fn cell(text: &str) -> String {
    text.replace('|', "\\|").replace('\n', " ")
}
