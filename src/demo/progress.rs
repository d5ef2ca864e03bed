//! What the demo shows while it runs: a line that overwrites itself on a terminal, a line every few seconds elsewhere.

use std::collections::VecDeque;
use std::io::{self, IsTerminal as _, Stdout, Write as _};
use std::time::{Duration, Instant};

/// How often a terminal's line is drawn, and how often a line is written elsewhere.
const REDRAW: Duration = Duration::from_millis(250);
const REPORT: Duration = Duration::from_secs(5);
/// The time over which the speed is counted: files come at once, and rows with them.
const WINDOW: Duration = Duration::from_secs(10);
/// Columns of a terminal that does not say how many it has.
const COLUMNS: usize = 80;

/// What has happened so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Figures {
    /// Records produced.
    pub(super) records: u64,
    /// Rows in visible files.
    pub(super) rows: u64,
    pub(super) files: u64,
    /// Of the files.
    pub(super) bytes: u64,
    /// Records that have not landed.
    pub(super) lag: u64,
    /// What the user should know; empty for nothing.
    pub(super) note: String,
}

/// The progress on standard output.
pub(super) struct Progress {
    out: Stdout,
    is_terminal: bool,
    begun: Instant,
    /// When the next line is due.
    due: Instant,
    /// The rows that had landed at times within [`WINDOW`].
    landed: VecDeque<(Instant, u64)>,
    /// The columns that the terminal's line takes.
    drawn: usize,
}

impl Progress {
    pub(super) fn new(out: Stdout) -> Self {
        let (is_terminal, begun) = (out.is_terminal(), Instant::now());
        Self { out, is_terminal, begun, due: begun, landed: [(begun, 0)].into(), drawn: 0 }
    }

    /// Writes lines, which stay.
    pub(super) fn say(&mut self, text: &str) -> io::Result<()> {
        self.clear()?;
        writeln!(self.out, "{text}")?;
        self.out.flush()
    }

    /// Shows `figures`, if it is time to.
    pub(super) fn show(&mut self, figures: &Figures) -> io::Result<()> {
        let now = Instant::now();
        self.landed.push_back((now, figures.rows));
        while self.landed.len() > 2 && now - self.landed[0].0 > WINDOW {
            self.landed.pop_front();
        }
        if now < self.due {
            return Ok(());
        }
        let (since, before) = self.landed[0];
        let seconds = (now - since).as_secs_f64().max(1.0);
        let speed = (figures.rows.saturating_sub(before)) as f64 / seconds;
        let parts = parts(figures, speed as u64, self.begun.elapsed());
        if !self.is_terminal {
            self.due = now + REPORT;
            return self.say(&parts.join(SEPARATOR));
        }
        self.due = now + REDRAW;
        let line = fit(&parts, self.columns().saturating_sub(1));
        let width = line.chars().count();
        // Blanks take away what the line before had more; the cursor waits where the next line begins.
        write!(self.out, "\r{line}{:blanks$}\r", "", blanks = self.drawn.saturating_sub(width))?;
        self.drawn = width;
        self.out.flush()
    }

    fn clear(&mut self) -> io::Result<()> {
        let drawn = std::mem::take(&mut self.drawn);
        if drawn > 0 { write!(self.out, "\r{:drawn$}\r", "") } else { Ok(()) }
    }

    fn columns(&self) -> usize {
        let size = rustix::termios::tcgetwinsize(&self.out);
        size.ok().map(|size| usize::from(size.ws_col)).filter(|columns| *columns > 0).unwrap_or(COLUMNS)
    }
}

const SEPARATOR: &str = " | ";

/// What a line says, the most important first.
fn parts(figures: &Figures, speed: u64, elapsed: Duration) -> Vec<String> {
    let Figures { records, rows: _, files, bytes, lag, note } = figures;
    let seconds = elapsed.as_secs();
    let mut parts = vec![
        format!("{}:{:02}", seconds / 60, seconds % 60),
        format!("{} records", grouped(*records)),
        format!("{} rows/s", grouped(speed)),
        format!("{} files", grouped(*files)),
        size(*bytes),
        format!("lag {}", grouped(*lag)),
    ];
    if !note.is_empty() {
        parts.push(note.clone());
    }
    parts
}

/// As many parts as `columns` hold; of the first, as much.
fn fit(parts: &[String], columns: usize) -> String {
    let mut line = String::new();
    for part in parts {
        let more = if line.is_empty() { part.clone() } else { format!("{SEPARATOR}{part}") };
        if line.chars().count() + more.chars().count() > columns {
            break;
        }
        line += &more;
    }
    line
}

/// A number with its thousands apart.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let first = digits.len() % 3;
    let mut text = digits[..first].to_owned();
    for at in (first..digits.len()).step_by(3) {
        if !text.is_empty() {
            text.push(',');
        }
        text += &digits[at..at + 3];
    }
    text
}

/// Bytes, in units of a thousand.
pub(super) fn size(bytes: u64) -> String {
    let units = [("GB", 1e9), ("MB", 1e6), ("kB", 1e3)];
    match units.into_iter().find(|(_, unit)| bytes as f64 >= *unit) {
        Some((name, unit)) => format!("{:.1} {name}", bytes as f64 / unit),
        None => format!("{bytes} bytes"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_easy_to_read() {
        for (number, text) in [(0, "0"), (999, "999"), (1_000, "1,000"), (12_345, "12,345"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
        for (bytes, text) in [(999, "999 bytes"), (1_500, "1.5 kB"), (2_000_000, "2.0 MB"), (12_340_000_000, "12.3 GB")] {
            assert_eq!(size(bytes), text);
        }
    }

    #[test]
    fn a_line_ends_where_the_terminal_does() {
        let figures = Figures {
            records: 12_000,
            rows: 9_000,
            files: 7,
            bytes: 1_234_567,
            lag: 3_000,
            note: "bank-ledger is PAUSED".into(),
        };
        let parts = parts(&figures, 4_987, Duration::from_secs(65));
        let whole = "1:05 | 12,000 records | 4,987 rows/s | 7 files | 1.2 MB | lag 3,000 | bank-ledger is PAUSED";
        assert_eq!(fit(&parts, 200), whole);
        assert_eq!(fit(&parts, whole.len()), whole);
        assert_eq!(fit(&parts, whole.len() - 1), "1:05 | 12,000 records | 4,987 rows/s | 7 files | 1.2 MB | lag 3,000");
        assert_eq!((fit(&parts, 10), fit(&parts, 3)), ("1:05".into(), String::new()));
    }
}
