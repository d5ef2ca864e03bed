//! Finds what somebody may have meant who mistyped a name.

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
