//! Rows for people: columns aligned, numbers to the right.

/// The text of `rows` below `headings`, each line with its end; the columns of numbers are aligned to the right.
pub(super) fn table<const N: usize>(headings: [&str; N], rows: &[[String; N]]) -> String {
    let widths: [usize; N] = std::array::from_fn(|c| {
        rows.iter().map(|row| row[c].chars().count()).chain([headings[c].chars().count()]).max().unwrap_or(0)
    });
    let numbers: [bool; N] =
        std::array::from_fn(|c| rows.iter().all(|row| row[c].bytes().all(|b| b.is_ascii_digit() || b"-,.".contains(&b))));
    let mut text = String::new();
    for row in std::iter::once(&headings.map(str::to_owned)).chain(rows) {
        let mut line = String::new();
        for (c, cell) in row.iter().enumerate() {
            let width = widths[c];
            line += &if numbers[c] { format!("{cell:>width$}") } else { format!("{cell:width$}") };
            line += "  ";
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::table;

    #[test]
    fn columns_are_aligned() {
        let rows = [["orders", "0", "12"].map(String::from), ["ä", "10", "3"].map(String::from)];
        assert_eq!(
            table(["topic", "partition", "x"], &rows),
            "topic   partition   x\norders          0  12\nä              10   3\n"
        );
        assert_eq!(table(["a"], &[]), "a\n");
    }
}
