//! What members can run, as far as they say it: a leader asks each once for its `/connector-plugins`.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use futures::future::join_all;
use serde_json::Value;

use super::peers::Peers;
use crate::herder::protocol::Metadata;
use crate::plugins::simple_name;

/// How long a member may take to list its plugins. A rebalance waits for it.
const LIST: Duration = Duration::from_secs(2);

/// The connector classes of the members that have listed them, by member id: another worker at the same URL is another member.
#[derive(Debug, Default)]
pub(super) struct Classes(HashMap<String, BTreeSet<String>>);

impl Classes {
    /// Asks those of `members` that have not said it yet, but not the member `own`, which has `classes`.
    pub(super) async fn learn(
        &mut self,
        members: &BTreeMap<String, Metadata>,
        own: &str,
        classes: impl Iterator<Item = &'static str>,
        peers: &Peers,
    ) {
        self.0.retain(|member, _| members.contains_key(member));
        self.0.entry(own.to_owned()).or_insert_with(|| classes.map(str::to_owned).collect());
        let unasked = members.iter().filter(|(member, _)| !self.0.contains_key(*member));
        let asked = unasked.map(async |(member, metadata)| Some((member.clone(), list(&metadata.url, peers).await?)));
        let listed: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        self.0.extend(listed);
    }

    /// Of `wanted`, which are connectors with the names of their classes, those that a member does not list. A member that has not said it
    /// may have them all.
    pub(super) fn lacking(&self, wanted: &[(String, String)]) -> BTreeMap<String, BTreeSet<String>> {
        let lacks = |classes: &BTreeSet<String>| {
            let lacked = wanted.iter().filter(|(_, class)| !classes.iter().any(|listed| is_named(listed, class.trim())));
            lacked.map(|(connector, _)| connector.clone()).collect::<BTreeSet<_>>()
        };
        let lacking = self.0.iter().map(|(member, classes)| (member.clone(), lacks(classes)));
        lacking.filter(|(_, lacks)| !lacks.is_empty()).collect()
    }
}

async fn list(url: &str, peers: &Peers) -> Option<BTreeSet<String>> {
    let plugins = format!("{url}connector-plugins");
    let answer = tokio::time::timeout(LIST, peers.send("GET", &plugins, Vec::new(), Vec::new())).await;
    let listed: Vec<Value> = match answer {
        Ok(Ok(answer)) if answer.status == 200 => serde_json::from_slice(&answer.body).ok()?,
        _ => return None,
    };
    Some(listed.iter().filter_map(|plugin| Some(plugin.get("class")?.as_str()?.to_owned())).collect())
}

/// Whether a configuration means `class` by `name`: its name, or its alias.
fn is_named(class: &str, name: &str) -> bool {
    let simple = simple_name(class);
    class == name || simple == name || simple.strip_suffix("Connector") == Some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_lists_a_class_by_any_of_its_names_can_run_it() {
        let classes = ["org.example.FileSinkConnector", "org.example.LakeSink"].map(str::to_owned).into();
        let known = Classes(HashMap::from([("a".to_owned(), classes), ("b".to_owned(), BTreeSet::new())]));
        let wanted = ["org.example.FileSinkConnector", "FileSink", "FileSinkConnector", " LakeSink ", "Other"];
        let wanted = wanted.map(|class| (class.to_owned(), class.to_owned()));
        let lacking = known.lacking(&wanted);
        assert_eq!(lacking["a"], BTreeSet::from(["Other".to_owned()]));
        assert_eq!(lacking["b"].len(), 5);
        assert!(!lacking.contains_key("unknown"));
    }
}
