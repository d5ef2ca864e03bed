//! The connector classes that this worker has, in the order in which `/connector-plugins` lists them.

use landfall_api::SinkConnector;

/// Every connector class; adding one is one file in its family and one line here.
pub const SINKS: &[&dyn SinkConnector] = &[];

/// The class that `name` means: the full Java name, or the simple name with or without `Connector` as Java's plugin aliases allow.
#[must_use]
pub fn sink(name: &str) -> Option<&'static dyn SinkConnector> {
    let simple = |class: &'static str| class.rsplit('.').next().unwrap_or(class);
    let named = |s: &&&dyn SinkConnector| {
        let class = s.class();
        name == class || name == simple(class) || Some(name) == simple(class).strip_suffix("Connector")
    };
    SINKS.iter().find(named).copied()
}
