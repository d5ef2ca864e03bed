//! What the steps of a record's path cost: CPU seconds per million records and allocations per record of decoding, transforming,
//! putting into folders and encoding, beside what libraries need for the same rows; then the records that a worker may be slow at.
//!
//! `make bench-convert`, on Linux. Each case runs in turn with those beside it, and the median counts. It fails where a step allocates
//! once for each record, or where bad records cost more than three times what the same columns have to.
//!
//! `kernels` lists the steps, and `kernel NAME ROUNDS` does one of them to a batch again and again, for `make bench-check`.

mod allocations;
mod cases;
mod limit;
mod peers;
mod registry;
mod rows;
mod worst;

use std::process::ExitCode;

use arrow_array::{Array as _, BinaryArray};

use cases::{Case, KERNELS};

const ROWS: usize = 5_000;
const BATCHES: usize = 40;
/// The rows of a kernel's batch.
const KERNEL_ROWS: usize = 2_000;
const RUNS: usize = 7;
/// How much more bad records may cost than their limit.
const MOST: f64 = 3.0;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [] | ["--bench"] => table(),
        ["kernels"] => {
            KERNELS.iter().for_each(|name| println!("{name}"));
            ExitCode::SUCCESS
        }
        ["kernel", name, rounds] => {
            let mut cases = cases::cases(KERNEL_ROWS, 1);
            let case = cases.iter_mut().find(|case| case.name == name).expect("one of `kernels`");
            let rounds = rounds.parse().expect("a number");
            let batch = case.batches[0].clone();
            // what is learned, opened and asked for once
            (case.run)(&batch);
            kernel_rounds(&mut *case.run, &batch, rounds);
            println!("{}", rounds * batch.len());
            ExitCode::SUCCESS
        }
        _ => {
            eprintln!("usage: landfall-convert-bench [kernels | kernel NAME ROUNDS]");
            ExitCode::FAILURE
        }
    }
}

/// What callgrind counts, which knows it by this name: no closure may be in here.
#[inline(never)]
fn kernel_rounds(run: &mut dyn FnMut(&BinaryArray), batch: &BinaryArray, rounds: usize) {
    for _ in 0..rounds {
        run(batch);
    }
}

fn table() -> ExitCode {
    let mut failed = Vec::new();
    println!("| {:<26} | bytes/record | CPU-s/M | allocations/record | × of |\n|---|---|---|---|---|", "");
    for found in measured(&mut cases::cases(ROWS, BATCHES)) {
        found.print();
        // a peer's allocations are its own affair
        if KERNELS.contains(&&*found.name) && found.allocations >= 1.0 {
            failed.push(format!("{}: {:.2} allocations for each record", found.name, found.allocations));
        }
    }
    for mut cases in worst::cases() {
        for found in measured(&mut cases) {
            found.print();
            if let Some((ratio, of)) = found.ratio.filter(|(ratio, _)| *ratio > MOST) {
                failed.push(format!("{}: {ratio:.2} times {of}", found.name));
            }
        }
    }
    failed.iter().for_each(|why| println!("\ntoo much: {why}"));
    if failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// What a case costs.
struct Measured {
    name: String,
    /// Bytes of a record.
    bytes: f64,
    /// CPU seconds per million records.
    seconds: f64,
    /// Allocations per record.
    allocations: f64,
    /// How many times what another one costs.
    ratio: Option<(f64, String)>,
}

impl Measured {
    fn print(&self) {
        let Self { name, bytes, seconds, allocations, ratio } = self;
        let ratio = ratio.as_ref().map(|(ratio, of)| format!("{ratio:.2} × {of}")).unwrap_or_default();
        println!("| {name:<26} | {bytes:.0} | {seconds:.3} | {allocations:.4} | {ratio} |");
    }
}

fn measured(cases: &mut [Case]) -> Vec<Measured> {
    let mut seconds = vec![Vec::new(); cases.len()];
    let mut allocations = vec![0; cases.len()];
    for _ in 0..RUNS {
        for (n, case) in cases.iter_mut().enumerate() {
            let before = (cpu(), allocations::count());
            case.batches.iter().for_each(|batch| (case.run)(batch));
            seconds[n].push(cpu() - before.0);
            allocations[n] = allocations::count() - before.1;
        }
    }
    let rows = |case: &Case| (case.rows * case.batches.len()) as f64;
    let medians: Vec<f64> = seconds
        .iter_mut()
        .zip(cases.iter())
        .map(|(seconds, case)| {
            seconds.sort_by(f64::total_cmp);
            seconds[RUNS / 2] * 1e6 / rows(case)
        })
        .collect();
    let of = |(n, case): (usize, &Case)| {
        let bytes: usize = case.batches.iter().map(|batch| batch.value_data().len()).sum();
        let peer = cases.iter().position(|other| case.peer.as_ref() == Some(&other.name));
        Measured {
            name: case.name.clone(),
            bytes: bytes as f64 / rows(case),
            seconds: medians[n],
            allocations: allocations[n] as f64 / rows(case),
            ratio: peer.map(|peer| (medians[n] / medians[peer], cases[peer].name.clone())),
        }
    };
    cases.iter().enumerate().map(of).collect()
}

/// Seconds that this thread has run.
fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").expect("Linux counts the time of threads");
    let nanoseconds = text.split(' ').next().and_then(|n| n.parse::<f64>().ok()).expect("a number");
    nanoseconds / 1e9
}
