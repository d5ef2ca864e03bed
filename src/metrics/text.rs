//! The text format of Prometheus, version 0.0.4.

use std::fmt::Write as _;

use landfall_api::metrics::Histogram;

use super::{Family, Value};

/// Metrics as Prometheus reads them.
#[must_use]
pub fn render(families: &[Family]) -> String {
    let mut text = String::new();
    for Family { name, metric, series } in families {
        let _ = write!(text, "# HELP {name} {}\n# TYPE {name} {}\n", metric.help, metric.kind.name());
        for one in series {
            let labels: Vec<_> = metric.labels.iter().copied().zip(one.labels.iter().map(String::as_str)).collect();
            match one.value {
                Value::Number(value) => sample(&mut text, name, &labels, value),
                Value::Histogram(counts, sum) => {
                    let bounds = Histogram::BOUNDS.iter().map(ToString::to_string).chain(["+Inf".to_owned()]);
                    let mut so_far = 0;
                    for (bound, count) in bounds.zip(counts) {
                        so_far += count;
                        let labels: Vec<_> = labels.iter().copied().chain([("le", bound.as_str())]).collect();
                        sample(&mut text, &format!("{name}_bucket"), &labels, so_far as f64);
                    }
                    sample(&mut text, &format!("{name}_sum"), &labels, sum);
                    sample(&mut text, &format!("{name}_count"), &labels, so_far as f64);
                }
            }
        }
    }
    text
}

fn sample(text: &mut String, name: &str, labels: &[(&str, &str)], value: f64) {
    text.push_str(name);
    for (i, (label, of)) in labels.iter().enumerate() {
        let escaped = of.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let _ = write!(text, "{}{label}=\"{escaped}\"", if i == 0 { '{' } else { ',' });
    }
    let end = if labels.is_empty() { "" } else { "}" };
    let _ = writeln!(text, "{end} {value}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_escaped() {
        let mut text = String::new();
        sample(&mut text, "n", &[("a", "x\"y\\z\n"), ("b", "é")], 7.0);
        sample(&mut text, "m", &[], 0.5);
        assert_eq!(text, "n{a=\"x\\\"y\\\\z\\n\",b=\"é\"} 7\nm 0.5\n");
    }
}
