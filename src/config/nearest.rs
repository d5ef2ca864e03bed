//! Finds what somebody may have meant who mistyped a name.

use landfall_api::Faults;

/// The warning about a key that is none of `known`: Java's words, and what may have been meant.
pub fn unknown_key<'a>(key: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    let meant = nearest(key, known).map(|meant| format!(" Did you mean '{meant}'?")).unwrap_or_default();
    format!("The configuration '{key}' was supplied but isn't a known config.{meant}")
}

/// Adds to each fault about a missing key the one of the `unknown` keys that may have been meant for it.
pub fn hint_missing(faults: &mut Faults, unknown: &[&str]) {
    for fault in &mut faults.0 {
        let missing = ["Missing required configuration", "Must configure one of"];
        if missing.iter().any(|text| fault.message.starts_with(text))
            && let Some(given) = unknown.iter().find(|given| nearest(given, [fault.key.as_str()]).is_some())
        {
            let end = if fault.message.ends_with('.') { "" } else { "." };
            fault.message += &format!("{end} Is '{given}' meant for it?");
        }
    }
}

/// The one of `known` that is written most like `given`; None if none is like it.
#[must_use]
pub fn nearest<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let given = given.to_lowercase();
    let most = (given.chars().count() / 4).clamp(1, 3);
    let near = known.into_iter().map(|name| (distance(&given, &name.to_lowercase()), name));
    near.filter(|(edits, _)| *edits <= most).min().map(|(_, name)| name)
}

/// The letters to insert, take away, change or swap with the next that make `b` of `a`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<_>, Vec<_>) = (a.chars().collect(), b.chars().collect());
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let same = usize::from(a[i - 1] != b[j - 1]);
            let mut edits = (rows[i - 1][j - 1] + same).min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                edits = edits.min(rows[i - 2][j - 2] + 1);
            }
            row.push(edits);
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_key_is_found_under_another_name() {
        let mut faults = Faults::default();
        faults.push("flush.size", "Missing required configuration \"flush.size\" which has no default value.");
        faults.push("topics.dir", "bad");
        hint_missing(&mut faults, &["file", "flush.sise", "topics.dri"]);
        assert!(faults.0[0].message.ends_with("which has no default value. Is 'flush.sise' meant for it?"), "{faults}");
        assert_eq!(faults.0[1].message, "bad");
    }

    #[test]
    fn what_is_nearly_right_is_found() {
        let known = ["flush.size", "topics", "topics.dir", "value.converter.schemas.enable", "key.converter"];
        for (given, meant) in [
            ("flush.sise", Some("flush.size")),
            ("flsuh.size", Some("flush.size")),
            ("Topic", Some("topics")),
            ("value.converter.schema.enable", Some("value.converter.schemas.enable")),
            ("topics.directory", None),
            ("file", None),
            ("", None),
        ] {
            assert_eq!(nearest(given, known), meant, "{given}");
        }
    }
}
