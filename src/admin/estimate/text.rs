//! An estimate for people.

use super::super::table::table;
use super::model::{Bytes, Estimate, Files, PerTb, Plan, Workers};

pub(super) fn of(plan: &Plan, estimate: &Estimate) -> String {
    let Estimate { files, calls, first_start, restart, bytes, workers, per_tb, cost, warnings } = estimate;
    let mut text = format!(
        "{} records/s of {} bytes in {} partitions: {} MB/s from Kafka, {} MB/s landed\n\n",
        shown(plan.rate),
        shown(plan.record_bytes),
        shown(plan.partitions),
        shown(bytes.consumed_per_second / 1e6),
        shown(bytes.landed_per_second / 1e6)
    );
    text += &table(["FILES", "", ""], &files_told(files));
    text.push('\n');
    let mut rows: Vec<_> = calls
        .iter()
        .map(|calls| [calls.operation.to_owned(), shown(calls.per_second), shown(calls.per_tb), calls.why.to_owned()])
        .collect();
    let all = calls.iter().map(|calls| calls.per_second).sum();
    rows.push(["all".into(), shown(all), shown(per_tb.calls), String::new()]);
    text += &table(["STORAGE CALLS", "A SECOND", "A TB LANDED", ""], &rows);
    let starts = [("first start", first_start), ("later start", restart)].map(|(when, calls)| {
        let calls: Vec<_> = calls.iter().map(|(operation, calls)| format!("{} {operation}", shown(*calls))).collect();
        [format!("at the {when}, besides"), calls.join(", ")]
    });
    text += &format!("\n{}\n", starts.map(|[when, calls]| format!("{when}: {calls}")).join("\n"));
    text.push('\n');
    text += &table(["WORKERS", "", ""], &workers_told(plan, workers));
    text.push('\n');
    text += &table(["A TB LANDED TAKES", "", ""], &tb_told(bytes, per_tb));
    text.push('\n');
    match cost {
        Some(charges) => {
            let rows: Vec<_> = charges.iter().map(|c| [c.what.to_owned(), money(c.per_month), money(c.per_tb)]).collect();
            text += &table(["COST", "A MONTH", "A TB LANDED"], &rows);
            text += "Of what has a price here. Kafka, networks, snapshots and readers come on top.\n";
        }
        None => {
            text += "No prices were given, so that there are no costs: --price-write, --price-gb-month, --price-vcpu-hour, …\n";
        }
    }
    for warning in warnings {
        text += &format!("\nwarning: {warning}\n");
    }
    text
}

fn files_told(files: &Files) -> Vec<[String; 3]> {
    vec![
        row("a second", shown(files.per_second), ""),
        row("a day", shown(files.per_day), ""),
        row("MiB", shown(files.bytes / f64::from(1 << 20)), "on average"),
        row("rows", shown(files.rows), ""),
        row("seconds open", shown(files.seconds), &format!("ended by {}", files.ended_by)),
        row("open at once", shown(files.open), ""),
    ]
}

fn workers_told(plan: &Plan, workers: &Workers) -> Vec<[String; 3]> {
    vec![
        row("cores at work", shown(workers.cores), ""),
        row("vCPUs", shown(workers.vcpus), &format!("with {} times the load", shown(plan.headroom))),
        row("pods", shown(workers.pods), &format!("of {} vCPUs and {} GiB", shown(workers.pod_vcpus), shown(workers.pod_gib))),
        row("tasks", shown(workers.tasks), "tasks.max"),
    ]
}

fn tb_told(bytes: &Bytes, per_tb: &PerTb) -> Vec<[String; 3]> {
    vec![
        row("records", shown(per_tb.records), ""),
        row("TB from Kafka", shown(per_tb.consumed / 1e12), "values alone, uncompressed"),
        row("TB staged", format!("{:.4}", bytes.staged_per_tb / 1e12), "files and pointers"),
        row("storage calls", shown(per_tb.calls), ""),
        row("CPU seconds", shown(per_tb.cpu_seconds), "at work"),
        row("vCPU hours", shown(per_tb.vcpu_hours), "of pods, idle or not"),
        row("GiB hours", shown(per_tb.gib_hours), "of pods"),
    ]
}

fn row(what: &str, number: String, note: &str) -> [String; 3] {
    [what.to_owned(), number, note.to_owned()]
}

/// A number with three digits that count, or all before the point.
pub(super) fn shown(number: f64) -> String {
    if number == number.trunc() || number >= 100.0 {
        return grouped(&format!("{number:.0}"));
    }
    let decimals = (2.0 - number.abs().log10().floor()).clamp(0.0, 6.0) as usize;
    let text = format!("{number:.decimals$}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

fn money(amount: f64) -> String {
    let text = format!("{amount:.2}");
    text.split_once('.').map_or_else(|| text.clone(), |(whole, part)| format!("{}.{part}", grouped(whole)))
}

/// Digits by threes.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_digits_that_count() {
        for (number, expected) in [
            (0.0, "0"),
            (7.0, "7"),
            (0.054, "0.054"),
            (0.000_012_34, "0.000012"),
            (1.234_56, "1.23"),
            (19.96, "20"),
            (99.5, "99.5"),
            (999.6, "1,000"),
            (20_000.0, "20,000"),
            (1_234_567.8, "1,234,568"),
        ] {
            assert_eq!(shown(number), expected);
        }
        assert_eq!([money(0.005), money(1234.5)], ["0.01", "1,234.50"].map(String::from));
    }
}
