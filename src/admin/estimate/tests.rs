use clap::Parser;
use landfall_lake::encode::BLOCK;

use super::measured::MEASURED;
use super::model::{Estimate, Workers};
use super::*;

#[derive(Debug, Parser)]
struct Line {
    #[command(flatten)]
    options: Options,
}

fn options(line: &str) -> Result<Options, String> {
    let words = std::iter::once("estimate").chain(line.split_whitespace());
    Line::try_parse_from(words).map(|line| line.options).map_err(|e| e.to_string())
}

fn estimate(line: &str) -> Estimate {
    options(line).expect("good options").plan().estimate()
}

fn per_second(estimate: &Estimate, operation: &str) -> f64 {
    estimate.calls.iter().find(|calls| calls.operation == operation).expect("such calls").per_second
}

/// Whether two numbers are the same but for rounding.
fn near(a: f64, b: f64) -> bool {
    (a - b).abs() <= 1e-9 * a.abs().max(b.abs())
}

#[test]
fn files_end_by_what_comes_first() {
    let plan = "--rate 1000 --partitions 10 --folders 2 --record-bytes 100 --landed-ratio 0.5";
    for (more, ended_by, rows, seconds) in [
        // 50 rows a second for each file, and the row that opens it
        ("--rotate 10", "--rotate", 501.0, 10.02),
        ("--rotate 10 --flush-size 100", "--flush-size", 100.0, 2.0),
        ("--rotate 10 --flush-size 100 --size 500", "--size", 10.0, 0.2),
        ("--rotate 259200 --size 1000000000", "2,097,152 offsets", f64::from(1 << 20), f64::from(1 << 20) / 50.0),
    ] {
        let files = estimate(&format!("{plan} {more}")).files;
        assert_eq!((files.ended_by, files.rows, files.open), (ended_by, rows, 20.0), "{more}");
        assert!(near(files.seconds, seconds) && near(files.per_second, 20.0 / seconds), "{files:?}");
        assert!(near(files.bytes, rows * 50.0) && near(files.per_day, files.per_second * 86_400.0), "{files:?}");
    }
}

#[test]
fn a_file_of_a_quiet_partition_has_a_row() {
    // A record every 100 seconds: its file waits 10 seconds for others, and the next one is opened when the next record comes.
    let files = estimate("--rate 1 --partitions 100 --rotate 10").files;
    assert!(near(files.rows, 1.1) && near(files.seconds, 110.0), "{files:?}");
    // Never more files than records.
    assert!(near(estimate("--rate 1 --partitions 100 --rotate 10 --size 1").files.per_second, 1.0));
}

#[test]
fn calls_are_those_of_the_protocol() {
    // A row of a MiB, a second for each file.
    let plan = |rows: u32, folders: u32| {
        let rate = 8 * rows;
        let mib = 1 << 20;
        estimate(&format!(
            "--rate {rate} --partitions 8 --folders {folders} --flush-size {rows} --record-bytes {mib} --landed-ratio 1 --size 1000000000"
        ))
    };
    for (rows, blocks) in [(1, 1.0), (4, 1.0), (5, 2.0), (9, 3.0)] {
        let found = plan(rows, 1);
        assert_eq!(found.files.blocks, blocks);
        let calls = ["Get Blob Properties", "Put Block", "Put Blob", "Put Block List"].map(|kind| per_second(&found, kind));
        assert_eq!(calls, [8.0, 8.0 * blocks, 8.0, 8.0], "{rows} MiB");
    }
    // Nothing follows a commit for more than a minute: the pointer then says that its files are visible.
    let quiet = |rotate: u32, folders: u32| {
        let found = estimate(&format!("--rate 100000 --partitions 8 --folders {folders} --rotate {rotate} --size 1000000000000"));
        per_second(&found, "Put Blob") / found.files.per_second
    };
    assert_eq!((quiet(30, 1), quiet(120, 1)), (1.0, 2.0));
    // With four files that take turns, as many pauses as there can be.
    assert!(near(quiet(30, 4), 1.0) && near(quiet(90, 4), 1.25), "{} {}", quiet(30, 4), quiet(90, 4));
}

#[test]
fn openings_are_of_tasks_and_partitions() {
    let found = estimate("--rate 1 --partitions 6 --tasks 4");
    assert_eq!(
        found.first_start,
        [("Put Block", 4.0), ("Get Blob Properties", 4.0), ("Get Blob", 12.0), ("Put Blob", 6.0)].into()
    );
    assert_eq!(found.restart, [("Put Block", 4.0), ("Get Blob Properties", 10.0), ("Get Blob", 12.0), ("Put Blob", 6.0)].into());
    // A task without a partition asks for nothing.
    assert_eq!(estimate("--rate 1 --partitions 3 --tasks 9").first_start["Put Block"], 3.0);
}

#[test]
fn work_is_what_was_measured() {
    for (format, measured) in
        [("json", MEASURED.json), ("env", MEASURED.env), ("avro", MEASURED.avro), ("protobuf", MEASURED.protobuf)]
    {
        let found = estimate(&format!("--rate 1000000 --partitions 64 --format {format}"));
        assert!(near(found.workers.cores, measured.cpu_seconds), "{format}");
        assert!(near(found.bytes.consumed_per_second, 1e6 * measured.record_bytes), "{format}");
        assert!(near(found.bytes.landed_per_second, 1e6 * measured.record_bytes * measured.parquet_ratio), "{format}");
    }
    let cores = |bytes: f64| estimate(&format!("--rate 1000000 --partitions 64 --record-bytes {bytes}")).workers.cores;
    let usual = MEASURED.json.record_bytes;
    assert!(near(cores(usual * 3.0), 3.0 * cores(usual)) && near(cores(usual / 3.0), cores(usual)));
}

#[test]
fn pods_have_room_for_the_load_and_the_files() {
    // Work of so many cores.
    let rate = |cores: f64| format!("--partitions 1000 --rate {}", cores * 1e6 / MEASURED.json.cpu_seconds);
    for (cores, more, pods, vcpus, tasks) in [
        (0.01, "", 2.0, 0.25, 2.0),
        (0.9, "", 2.0, 1.0, 2.0),
        (3.9, "", 2.0, 4.0, 8.0),
        (4.1, "", 3.0, 4.0, 9.0),
        (3.9, "--headroom 1", 2.0, 2.0, 4.0),
        (3.9, "--pods 8", 8.0, 1.0, 8.0),
        (3.9, "--pod-vcpus 2 --tasks 5", 4.0, 2.0, 5.0),
    ] {
        let workers = estimate(&format!("{} {more}", rate(cores))).workers;
        assert_eq!((workers.pods, workers.pod_vcpus, workers.tasks), (pods, vcpus, tasks), "{cores} {more}");
        assert!(workers.pods * workers.pod_vcpus >= workers.vcpus, "{workers:?}");
    }
    // Files take memory, and pods if one has not enough of it.
    for (folders, most) in [(1, 64.0), (4, 64.0), (16, 64.0), (16, 8.0), (16, 1.0)] {
        let found = estimate(&format!("--rate 1 --partitions 1000 --folders {folders} --pod-memory {most}"));
        let Workers { pods, pod_gib, .. } = found.workers;
        let files = 1000.0 * f64::from(folders) * 2.0 * MEASURED.file_memory / 0.375;
        let needed = (MEASURED.idle_memory + files / pods).max(MEASURED.busy_memory) / 1024.0;
        assert!(pod_gib <= most && needed <= pod_gib && pod_gib <= (2.0 * needed).max(0.5), "{pods} pods of {pod_gib} GiB");
        let fewer = MEASURED.idle_memory + files / (pods - 1.0);
        assert!(pods == 2.0 || fewer / 1024.0 > most, "{pods} pods of {pod_gib} GiB");
    }
}

#[test]
fn a_tb_is_the_sum_of_its_parts() {
    let found = estimate("--rate 50000 --partitions 64 --landed-ratio 0.25 --record-bytes 400 --rotate 30");
    // 5 MB a second: a TB in 200,000 seconds.
    let (seconds, per_tb) = (200_000.0, &found.per_tb);
    assert!(near(per_tb.records, 50_000.0 * seconds) && near(per_tb.consumed, 4e12), "{per_tb:?}");
    assert!(near(per_tb.cpu_seconds, found.workers.cores * seconds), "{per_tb:?}");
    let calls: f64 = found.calls.iter().map(|calls| calls.per_second * seconds).sum();
    assert!(near(per_tb.calls, calls), "{per_tb:?}");
    let Workers { pods, pod_vcpus, pod_gib, .. } = found.workers;
    assert!(near(per_tb.vcpu_hours, pods * pod_vcpus * seconds / 3600.0), "{per_tb:?}");
    assert!(near(per_tb.gib_hours, pods * pod_gib * seconds / 3600.0), "{per_tb:?}");
    let pointers = per_second(&found, "Put Blob") * seconds * MEASURED.pointer_bytes;
    assert!(near(found.bytes.staged_per_tb, 1e12 + pointers), "{}", found.bytes.staged_per_tb);
}

#[test]
fn costs_are_of_what_has_a_price() {
    let plan = "--rate 50000 --partitions 64 --landed-ratio 0.25 --record-bytes 400";
    assert!(estimate(plan).cost.is_none());
    let charges = |prices: &str| {
        let found = estimate(&format!("{plan} {prices}"));
        let cost: Vec<_> = found.cost.iter().flatten().map(|charge| (charge.what, charge.per_month, charge.per_tb)).collect();
        (found, cost)
    };
    let (found, cost) = charges("--price-write 0.5 --price-gb-month 0.02 --retention-days 10");
    let month = 730.0 * 3600.0;
    let writes: f64 = ["Put Block", "Put Blob", "Put Block List"].iter().map(|kind| per_second(&found, kind)).sum();
    let expected = [writes * month / 10_000.0 * 0.5, 5e6 * 864_000.0 / 1e9 * 0.02];
    assert_eq!(cost.iter().map(|(what, ..)| *what).collect::<Vec<_>>(), ["writing calls", "files kept", "all of it"]);
    let (sum, tbs) = (expected[0] + expected[1], 5e6 * month / 1e12);
    for ((what, per_month, per_tb), expected) in cost.iter().zip([expected[0], expected[1], sum]) {
        assert!(near(*per_month, expected) && near(*per_tb, expected / tbs), "{what}: {per_month}, {per_tb}");
    }
    let (found, cost) = charges("--price-read 1 --price-vcpu-hour 2 --price-gib-hour 3 --pods 2");
    let Workers { pod_vcpus, pod_gib, .. } = found.workers;
    let reads = per_second(&found, "Get Blob Properties") * month / 10_000.0;
    let expected = [reads, 2.0 * pod_vcpus * 730.0 * 2.0, 2.0 * pod_gib * 730.0 * 3.0];
    for ((what, per_month, _), expected) in cost.iter().zip(expected) {
        assert!(near(*per_month, expected), "{what}: {per_month}");
    }
}

#[test]
fn poor_plans_are_warned_about() {
    let good = "--rate 100000 --partitions 16 --record-bytes 1000 --landed-ratio 0.25";
    assert_eq!(estimate(good).warnings, [""; 0]);
    for (plan, warning) in [
        (
            format!("{good} --rotate 5"),
            "files have 7.5 MiB, and readers want 16 MiB or more: files of 11 seconds would get there",
        ),
        (
            "--rate 100000 --partitions 16 --record-bytes 100 --landed-ratio 0.05".into(),
            "rows are so small that no file of one partition",
        ),
        (format!("{good} --account-requests 10"), "accounts with a connector each"),
        (
            format!("{good} --account-gbps 0.3"),
            "0.4 Gbit/s of files with headroom are more than the 0.3 that the account takes in: 2",
        ),
        (format!("{good} --call-ms 2000"), "a file gets 3.0 MiB a second with headroom, and takes 2.0"),
        (format!("{good} --tasks 20"), "20 tasks share 16 partitions: 4 have nothing to do"),
        (format!("{good} --folders 100 --pod-memory 1 --pods 2"), "1600 files a pod with headroom need"),
        (format!("{good} --headroom 100 --pods 1 --pod-vcpus 1"), "1 pods have 1 vCPUs, and the load asks for"),
    ] {
        let warnings = estimate(&plan).warnings;
        assert!(warnings.iter().any(|said| said.contains(warning)), "{plan}: {warnings:#?}");
    }
    // As long as it says is long enough.
    let mended = estimate(&format!("{good} --rotate 11"));
    assert!(mended.files.bytes >= 16.0 * 1024.0 * 1024.0 && mended.warnings.is_empty(), "{:?}", mended.warnings);
    assert_eq!(BLOCK, 4 << 20, "warnings and help say so");
}

#[test]
fn what_is_no_plan_is_refused() {
    for (line, why) in [
        ("--partitions 1", "--rate"),
        ("--rate 0 --partitions 1", "more than 0"),
        ("--rate 1 --partitions 1.5", "not a whole number"),
        ("--rate inf --partitions 1", "not a number"),
        ("--rate 1 --partitions 1 --rotate 259201", "for more than 259200"),
        ("--rate 1 --partitions 1 --price-write=-1", "less than 0"),
        ("--rate 1 --partitions 1 --format xml", "protobuf"),
    ] {
        let said = options(line).expect_err(line);
        assert!(said.contains(why), "{line}: {said}");
    }
}

#[test]
fn people_and_programs_are_told_the_same() {
    let line = "--rate 20000 --partitions 200 --price-write 0.1";
    let told = run(&options(line).expect("good")).text;
    let json = run(&options(&format!("{line} --json")).expect("good")).text;
    let json: serde_json::Value = serde_json::from_str(&json).expect("JSON");
    assert_eq!((&json["plan"]["partitions"], &json["plan"]["format"]), (&200.0.into(), &"json".into()));
    let shown = |value: &serde_json::Value| text::shown(value.as_f64().expect("a number"));
    let estimate = &json["estimate"];
    for (heading, value) in [
        ("a day", &estimate["files"]["per_day"]),
        ("Put Block List", &estimate["calls"][3]["per_second"]),
        ("pods", &estimate["workers"]["pods"]),
        ("CPU seconds", &estimate["per_tb"]["cpu_seconds"]),
    ] {
        let line = told.lines().find(|line| line.starts_with(heading)).unwrap_or_else(|| panic!("{heading}: {told}"));
        assert!(line.split_whitespace().any(|word| word == shown(value)), "{line}: {value}");
    }
    assert!(told.contains("writing calls") && told.contains("all of it"), "{told}");
    for warning in estimate["warnings"].as_array().expect("warnings") {
        assert!(told.contains(warning.as_str().expect("text")), "{warning}");
    }
}
