//! What Joda-Time and Confluent's own partitioners make of the same, from the tables in `tests/data/partitioners`.

use std::path::Path;

use arrow_array::{BinaryArray, Float64Array, Int16Array};
use landfall_api::schema::{NAME, TIMESTAMP};

use super::super::iso;
use super::super::joda::Pattern;
use super::super::zone::Zone;
use super::*;

/// The fields of each line of a table.
fn table(name: &str) -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/partitioners").join(name);
    let text = std::fs::read_to_string(path).expect("a table");
    text.lines().map(|line| line.split('\t').map(str::to_owned).collect()).collect()
}

/// Fails with the first of the lines that differ.
fn none_differs(differing: &[String], of: usize) {
    assert!(of > 20, "an empty table");
    let first: Vec<_> = differing.iter().take(20).map(String::as_str).collect();
    assert!(differing.is_empty(), "{} of {of} differ:\n{}", differing.len(), first.join("\n"));
}

#[test]
fn patterns_write_what_joda_writes() {
    let (lines, mut differing) = (table("patterns.tsv"), Vec::new());
    for line in &lines {
        let [language, zone, pattern, millis, text] = &line[..] else { panic!("{line:?}") };
        let zone = Zone::joda(zone).expect("a zone");
        let found = Pattern::new(pattern, &zone, language).map(|pattern| {
            let mut out = String::new();
            pattern.write(millis.parse().expect("a number"), &zone, &mut out);
            out
        });
        if found.clone().unwrap_or_else(|why| format!("!{why}")) != *text {
            differing.push(format!("{line:?}: {found:?}"));
        }
    }
    none_differs(&differing, lines.len());
}

#[test]
fn zones_have_the_offsets_that_joda_has() {
    let lines = table("zones.tsv");
    let times: Vec<i64> = lines[0][2..].iter().map(|time| time.parse().expect("a number")).collect();
    let mut differing = Vec::new();
    for line in &lines[1..] {
        let (id, printed) = (&line[0], &line[1]);
        let zone = match Zone::joda(id) {
            Ok(zone) if !printed.starts_with('!') => zone,
            Err(_) if printed.starts_with('!') => continue,
            found => {
                differing.push(format!("{id} is {printed}: {found:?}"));
                continue;
            }
        };
        if zone.id() != printed {
            differing.push(format!("{id} is {printed}: {zone:?}"));
        }
        let mut offsets = zone.offsets();
        for (time, seconds) in times.iter().zip(&line[2..]) {
            let millis = (seconds.parse::<f64>().expect("a number") * 1000.0).round() as i64;
            if zone.offset(*time) != millis || offsets.at(*time) != millis {
                differing.push(format!("{id} at {time} {millis}: {} {}", zone.offset(*time), offsets.at(*time)));
            }
        }
    }
    none_differs(&differing, lines.len());
}

#[test]
fn iso_8601_is_read_as_joda_reads_it() {
    let (lines, mut differing) = (table("iso.tsv"), Vec::new());
    for line in &lines {
        let found = iso::millis(&line[0]);
        if found.map_or("-".to_owned(), |millis| millis.to_string()) != line[1] {
            differing.push(format!("{line:?}: {found:?}"));
        }
    }
    none_differs(&differing, lines.len());
}

#[test]
fn stretches_of_time_are_those_of_java() {
    let (lines, mut differing) = (table("time_based.tsv"), Vec::new());
    for same in lines.chunk_by(|a, b| a[..3] == b[..3]) {
        let [zone, duration, format] = &same[0][..3] else { panic!("{:?}", same[0]) };
        let keys = [
            ("partition.duration.ms", duration.as_str()),
            ("path.format", format),
            ("timezone", zone),
            ("timestamp.extractor", "RecordField"),
            ("timestamp.field", "t"),
        ];
        let times = Int64Array::from_iter_values(same.iter().map(|line| line[3].parse::<i64>().expect("a number")));
        let batch = put(fields(vec![column("t", times)]));
        let found = folders(&*partitioner("TimeBasedPartitioner", &keys), &batch).expect("folders");
        differing.extend(
            same.iter().zip(found).filter(|(line, found)| line[4] != *found).map(|(line, found)| format!("{line:?}: {found}")),
        );
    }
    none_differs(&differing, lines.len());
}

/// A column of one value; `\N` is null.
fn value(data_type: &str, text: &str) -> (Field, ArrayRef) {
    let there = Some(text).filter(|text| *text != "\\N");
    let number = there.and_then(|text| text.parse::<i64>().ok());
    match data_type {
        "int8" => column("f", Int8Array::from(vec![number.map(|n| n as i8)])),
        "int16" => column("f", Int16Array::from(vec![number.map(|n| n as i16)])),
        "int32" => column("f", Int32Array::from(vec![number.map(|n| n as i32)])),
        "int64" => column("f", Int64Array::from(vec![number])),
        "boolean" => column("f", BooleanArray::from(vec![there.map(|text| text == "true")])),
        "float64" => column("f", Float64Array::from(vec![there.map(|text| text.parse().expect("a number"))])),
        "bytes" => column("f", BinaryArray::from(vec![there.map(str::as_bytes)])),
        "timestamp" => marked(column("f", TimestampMillisecondArray::from(vec![number]).with_timezone("UTC")), NAME, TIMESTAMP),
        _ => column("f", StringArray::from(vec![there])),
    }
}

#[test]
fn fields_are_the_folders_and_times_of_java() {
    let (lines, mut differing) = (table("field.tsv"), Vec::new());
    let by_field = partitioner("FieldPartitioner", &[("partition.field.name", "f")]);
    let extractor = Extractor::new(Source::Field("f".into()), Unit::Millis);
    for line in &lines {
        let [data_type, text, folder, time] = &line[..] else { panic!("{line:?}") };
        let batch = put(fields(vec![value(data_type, text)]));
        let error = |refused: Refusals| format!("!{}", refused[0].1);
        let found = by_field.folders(&batch, 0).map_or_else(error, |folders| folders.names[0].to_string());
        // what a cast cannot take is no name to the partitioner
        let folder = if folder.contains("ClassCastException") {
            "!io.confluent.connect.storage.errors.PartitionException: Error encoding partition."
        } else {
            folder
        };
        if found != *folder {
            differing.push(format!("{line:?}: {found}"));
        }
        let found = extractor.times(&batch, 0).map_or_else(error, |times| times.value(0).to_string());
        // where Joda stopped reading is not said
        let time = time.split(" is malformed at ").next().unwrap_or_default();
        if found != time {
            differing.push(format!("{line:?}: {found}"));
        }
    }
    none_differs(&differing, lines.len());
}
