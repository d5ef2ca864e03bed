use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use proptest::prelude::*;

use super::*;
use crate::roll::Schedule;

/// A record as far as it ends files: its folder, its time, and its schema.
#[derive(Clone, Copy, Debug)]
struct Record {
    folder: u32,
    time: Option<i64>,
    schema: Option<u8>,
}

/// `TopicPartitionWriter.write` of kafka-connect-storage-cloud 12.1 as its source reads, a record at a time, with
/// `schema.compatibility=NONE`.
struct Java<'a> {
    rotation: &'a Rotation,
    time_based: bool,
    next_scheduled: i64,
    record_count: u64,
    base_record_timestamp: Option<i64>,
    current_encoded_partition: Option<u32>,
    current_schemas: BTreeMap<u32, Option<u8>>,
    commit_files: BTreeSet<u32>,
    written: usize,
    cuts: Vec<Cut>,
}

impl Java<'_> {
    fn set_next_scheduled(&mut self, now: i64) {
        if let Some(schedule) = &self.rotation.schedule {
            self.next_scheduled = schedule.next(now);
        }
    }

    fn scheduled(&self, now: i64) -> bool {
        self.rotation.schedule.is_some() && now >= self.next_scheduled
    }

    fn rotate_on_time(&self, record: Record, now: i64) -> Option<Reason> {
        if self.record_count == 0 {
            return None;
        }
        let interval = self.rotation.interval.filter(|_| self.time_based);
        let passed = interval.is_some_and(|interval| {
            record.time.zip(self.base_record_timestamp).is_some_and(|(time, base)| time - base >= interval)
        });
        let changed = interval.is_some() && self.rotation.folder_change && self.current_encoded_partition != Some(record.folder);
        let scheduled = self.scheduled(now).then_some(Reason::Schedule);
        let passed = passed.then_some(Reason::Interval).or(scheduled);
        changed.then_some(Reason::Partition).or(passed)
    }

    fn commit_files(&mut self, reason: Reason) {
        self.cuts.push(Cut { row: self.written, reason });
        self.commit_files.clear();
        self.current_schemas.clear();
        self.record_count = 0;
        self.base_record_timestamp = None;
    }

    /// Whether the record was written; else it is to be tried again.
    fn execute_state(&mut self, record: Record, now: i64) -> bool {
        if self.time_based {
            self.base_record_timestamp = self.base_record_timestamp.or(record.time);
        }
        let known = self.current_schemas.get(&record.folder).copied();
        let null_schema = known.is_some_and(|known| known.is_none() != record.schema.is_none());
        let mut current = known.flatten();
        if current.is_none() || record.schema.is_none() {
            self.current_schemas.insert(record.folder, record.schema);
            current = record.schema;
        }
        if null_schema {
            self.commit_files(Reason::Schema);
            return false;
        }
        if let Some(reason) = self.rotate_on_time(record, now) {
            self.set_next_scheduled(now);
            self.commit_files(reason);
            return false;
        }
        if current != record.schema && self.record_count > 0 {
            self.commit_files(Reason::Schema);
            return false;
        }
        if let Some(most) = self.rotation.max_open_files
            && !self.commit_files.contains(&record.folder)
            && self.commit_files.len() == most
        {
            self.commit_files(Reason::MaxOpenFiles);
            return false;
        }
        self.commit_files.insert(record.folder);
        self.current_encoded_partition = Some(record.folder);
        self.record_count += 1;
        self.written += 1;
        if self.rotation.flush_size.is_some_and(|most| self.record_count >= most) {
            self.commit_files(Reason::FlushSize);
        }
        true
    }

    fn write(&mut self, records: &[Record], now: i64) {
        if self.record_count == 0 && self.scheduled(now) {
            self.set_next_scheduled(now);
        }
        for record in records {
            while !self.execute_state(*record, now) {}
        }
        // commitOnTimeIfNoData
        if self.record_count > 0 && self.scheduled(now) {
            self.set_next_scheduled(now);
            self.commit_files(Reason::Schedule);
        }
    }
}

fn names() -> Vec<Arc<str>> {
    ["a", "b", "c", "d"].map(Arc::from).to_vec()
}

/// What a task does with `puts`: batches of one schema, each with what fits the files that are then open, and a tick.
fn ours(rotation: &Rotation, time_based: bool, start: i64, puts: &[(i64, Vec<Record>)]) -> Vec<Cut> {
    let mut together = Together::new(rotation.clone(), start);
    let mut files: BTreeMap<u32, Option<u8>> = BTreeMap::new();
    let (mut all, mut put) = (Vec::new(), 0);
    for (now, records) in puts {
        for run in records.chunk_by(|a, b| a.schema == b.schema) {
            let fits: Vec<Fits> = (0..4)
                .map(|folder| match files.get(&folder) {
                    Some(schema) if schema.is_none() != run[0].schema.is_none() => Fits::Never,
                    Some(schema) if *schema != run[0].schema => Fits::No,
                    _ => Fits::Yes,
                })
                .collect();
            let folder: Vec<u32> = run.iter().map(|record| record.folder).collect();
            let times: Int64Array = run.iter().map(|record| record.time).collect();
            let names = names();
            let alone = folder.iter().all(|folder| *folder == 0);
            let rows = Rows {
                len: run.len(),
                folders: &names,
                folder: Some(&folder[..]).filter(|_| !alone),
                times: Some(&times).filter(|_| time_based),
                fits: &fits,
            };
            let mut cuts = together.cuts(&rows, *now).into_iter().peekable();
            for (row, record) in run.iter().enumerate() {
                if let Some(cut) = cuts.next_if(|cut| cut.row == row) {
                    files.clear();
                    all.push(Cut { row: put + row, ..cut });
                }
                files.entry(record.folder).or_insert(record.schema);
            }
            put += run.len();
            if let Some(cut) = cuts.next() {
                assert_eq!((cut.row, cuts.next()), (run.len(), None));
                files.clear();
                all.push(Cut { row: put, ..cut });
            }
        }
        if let Some(reason) = together.tick(*now) {
            files.clear();
            all.push(Cut { row: put, reason });
        }
    }
    all
}

fn record() -> impl Strategy<Value = (u32, Option<i64>, Option<u8>)> {
    let folder = prop_oneof![3 => Just(0), 1 => Just(1), 1 => 0u32..4];
    let time = prop_oneof![9 => (0i64..12).prop_map(Some), 1 => Just(None)];
    let schema = prop_oneof![6 => Just(Some(1)), 1 => Just(Some(2)), 1 => Just(None)];
    (folder, time, schema)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn files_end_where_they_do_in_java(
        flush_size in proptest::option::weighted(0.8, 1u64..12),
        interval in proptest::option::of(1i64..40),
        folder_change: bool,
        every in proptest::option::of(1i64..60),
        max_open_files in proptest::option::of(1usize..4),
        time_based: bool,
        several: bool,
        start in 0i64..100,
        puts in proptest::collection::vec((0i64..40, proptest::collection::vec(record(), 0..12)), 1..8),
    ) {
        let schedule = every.map(|every| Schedule::new(every, TimeZone::UTC));
        let rotation = Rotation { flush_size, interval, folder_change, schedule, max_open_files, ..Rotation::default() };
        let (mut now, mut late) = (start, 0);
        let puts: Vec<(i64, Vec<Record>)> = puts.into_iter().map(|(after, records)| {
            now += after;
            let records = records.into_iter().map(|(folder, time, schema)| {
                late += 3;
                Record { folder: if several { folder } else { 0 }, time: time.map(|time| late + time), schema }
            });
            (now, records.collect())
        }).collect();
        let mut java = Java {
            rotation: &rotation,
            time_based,
            next_scheduled: 0,
            record_count: 0,
            base_record_timestamp: None,
            current_encoded_partition: None,
            current_schemas: BTreeMap::new(),
            commit_files: BTreeSet::new(),
            written: 0,
            cuts: Vec::new(),
        };
        java.set_next_scheduled(start);
        for (now, records) in &puts {
            java.write(records, *now);
        }
        prop_assert_eq!(ours(&rotation, time_based, start, &puts), java.cuts);
    }
}

/// Rows of one schema that fit, at `times`, in the folders `folder`.
fn cuts(together: &mut Together, folder: &[u32], times: &[i64], now: i64) -> Vec<(usize, Reason)> {
    let (names, times) = (names(), Int64Array::from(times.to_vec()));
    let rows = Rows { len: times.len(), folders: &names, folder: Some(folder), times: Some(&times), fits: &[] };
    together.cuts(&rows, now).into_iter().map(|cut| (cut.row, cut.reason)).collect()
}

/// Expected values by `TopicPartitionWriter.rotateOnTime`.
#[test]
fn record_time_ends_files_before_the_row_that_is_too_late() {
    let rotation = Rotation { interval: Some(10), folder_change: true, ..Rotation::default() };
    let mut together = Together::new(rotation.clone(), 0);
    assert_eq!(cuts(&mut together, &[0, 0, 0, 0], &[100, 109, 110, 105], 0), [(2, Reason::Interval)]);
    // A late row ends nothing by its time, but by its folder, and so does the next one that is not late.
    assert_eq!(cuts(&mut together, &[0, 1, 0], &[104, 50, 111], 0), [(1, Reason::Partition), (2, Reason::Partition)]);
    assert_eq!(together.tick(i64::MAX), None);

    let mut together = Together::new(Rotation { folder_change: false, ..rotation }, 0);
    assert_eq!(cuts(&mut together, &[0, 1, 0], &[100, 50, 109], 0), []);
    assert_eq!(cuts(&mut together, &[1], &[110], 0), [(0, Reason::Interval)]);
    together.ended();
    assert_eq!(cuts(&mut together, &[1], &[1000], 0), [], "the first row counts anew");
}

#[test]
fn a_schedule_ends_files_without_a_row_and_is_set_anew_when_none_is_open() {
    let rotation = Rotation { schedule: Some(Schedule::new(100, TimeZone::UTC)), ..Rotation::default() };
    let mut together = Together::new(rotation, 50);
    assert_eq!(cuts(&mut together, &[0], &[0], 60), []);
    assert_eq!((together.tick(99), together.tick(100), together.tick(100)), (None, Some(Reason::Schedule), None));
    assert_eq!((together.tick(250), cuts(&mut together, &[0, 0], &[0, 0], 260)), (None, vec![]));
    assert_eq!(cuts(&mut together, &[0, 0], &[0, 0], 300), [(0, Reason::Schedule)]);
}

#[test]
fn one_folder_too_many_ends_all_files() {
    let mut together = Together::new(Rotation { max_open_files: Some(2), flush_size: Some(6), ..Rotation::default() }, 0);
    let ends = [(4, Reason::MaxOpenFiles), (6, Reason::MaxOpenFiles)];
    assert_eq!(cuts(&mut together, &[0, 1, 0, 1, 2, 0, 1, 1, 1, 1, 1], &[0; 11], 0), ends);
    assert_eq!(cuts(&mut together, &[0, 0], &[0; 2], 0), [(1, Reason::FlushSize)], "rows in all folders count");
}
