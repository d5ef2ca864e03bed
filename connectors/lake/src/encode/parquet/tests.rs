use super::*;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use arrow_array::{ArrayRef, Int64Array, StringArray};
use landfall_api::TopicPartition;

fn rows(from: i64, n: i64) -> RecordBatch {
    let id: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + n));
    let name: ArrayRef = Arc::new(StringArray::from_iter_values((from..from + n).map(|i| format!("name {}", i % 3))));
    RecordBatch::try_from_iter([("id", id), ("name", name)]).expect("columns")
}

fn encoder(codec: Codec) -> Box<Parquet> {
    Box::new(Parquet::new(rows(0, 1).schema(), &codec.into(), &Facts::new(TopicPartition::new("t", 3), 0)))
}

/// A file of ten batches.
fn whole(codec: Codec, batch: i64, limit: usize) -> Bytes {
    let mut encoder = encoder(codec);
    let mut file: Vec<Bytes> = Vec::new();
    for n in 0..10 {
        encoder.write(&rows(n * batch, batch), batch as usize * 8, limit).expect("write");
        file.extend(encoder.take());
    }
    file.extend(encoder.finish(batch * 10 - 1).expect("finish"));
    file.concat().into()
}

#[test]
fn a_file_taken_in_pieces_is_whole_in_every_codec() {
    for codec in ["none", "snappy", "gzip", "zstd", "lz4", "lz4_raw", "brotli"] {
        let reader =
            ParquetRecordBatchReaderBuilder::try_new(whole(Codec::named(codec).expect("codec"), 1000, 1)).expect("a footer");
        assert_eq!(reader.metadata().num_row_groups(), 10, "{codec}");
        let facts = reader.metadata().file_metadata().key_value_metadata().expect("facts");
        let fact = |key: &str| facts.iter().find(|f| f.key == key).and_then(|f| f.value.clone());
        assert_eq!((fact(footer::FIRST).as_deref(), fact(footer::LAST).as_deref()), (Some("0"), Some("9999")));
        let read: Vec<_> = reader.build().expect("reader").map(|b| b.expect("rows")).collect();
        assert_eq!(read.iter().map(RecordBatch::num_rows).sum::<usize>(), 10_000);
        assert_eq!(read[0].slice(0, 5), rows(0, 5));
    }
    assert!(Codec::named("lzo").is_err());
}

#[test]
fn a_codec_has_its_levels_or_none() {
    let at = |name: &str, level| Codec::named(name).expect("a codec").at(level);
    for (name, good, bad) in [("zstd", 1, 23), ("gzip", 0, -1), ("brotli", 11, 12)] {
        at(name, good).expect("a level");
        assert!(at(name, bad).expect_err("refused").starts_with(&format!("{name} has levels from ")), "{name}");
    }
    assert_eq!(at("zstd", 1), Codec::named("zstd"), "1 is the default");
    for name in ["none", "snappy", "lz4", "lz4_raw"] {
        assert_eq!(at(name, 1).expect_err("refused"), "only gzip, zstd and brotli have levels");
    }
    assert!(
        whole(at("gzip", 9).expect("a level"), 1000, 1 << 20).len() < whole(at("gzip", 1).expect("a level"), 1000, 1 << 20).len()
    );
}

#[test]
fn distinct_values_get_no_dictionary() {
    for batch in [10, 1000, 10_000] {
        let reader = ParquetRecordBatchReaderBuilder::try_new(whole(Codec::named("snappy").expect("codec"), batch, 1 << 20))
            .expect("a footer");
        let group = reader.metadata().row_group(0);
        assert_eq!(group.column(0).dictionary_page_offset(), None);
        assert!(group.column(1).dictionary_page_offset().is_some());
    }
}

#[test]
fn a_file_that_waits_holds_rows_and_no_writer() {
    let mut encoder = encoder(Codec::named("none").expect("a codec"));
    for n in 0..HELD_ROWS as i64 - 1 {
        encoder.write(&rows(n, 1), 20, 1 << 20).expect("write");
        assert!(encoder.held.len() < HELD_BATCHES);
    }
    assert!(encoder.writer.is_none());
    assert_eq!((encoder.size(), encoder.has_block(), encoder.take().len()), ((HELD_ROWS as u64 - 1) * 20, false, 0));
    encoder.write(&rows(HELD_ROWS as i64 - 1, 1), 20, 1 << 20).expect("write");
    assert!(encoder.writer.is_some() && encoder.held.is_empty());
    let size = encoder.size();
    assert!((10_000..100_000).contains(&size), "{size}");
    let file: Bytes = encoder.finish(4095).expect("finish").concat().into();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer").with_batch_size(HELD_ROWS);
    assert_eq!(reader.build().expect("a reader").next().expect("a batch").expect("rows"), rows(0, HELD_ROWS as i64));
}

#[test]
fn a_few_rows_of_a_large_fetch_do_not_keep_all_of_it() {
    let mut encoder = encoder(Codec::named("none").expect("a codec"));
    let fetch = rows(0, 100_000);
    encoder.write(&fetch.slice(99_990, 10), 200, 1 << 20).expect("write");
    let kept: usize = encoder.held.iter().map(RecordBatch::get_array_memory_size).sum();
    assert!(kept < 10_000, "{kept} bytes are kept for 10 rows");
    assert_eq!(encoder.held, [fetch.slice(99_990, 10)]);
    encoder.write(&fetch.slice(0, 100), 2000, 1 << 20).expect("write");
    assert_eq!(encoder.held_rows, 110);
}

#[test]
fn a_file_without_rows_is_a_file() {
    let file: Bytes = encoder(Codec::named("none").expect("a codec")).finish(0).expect("finish").concat().into();
    assert_eq!(ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer").metadata().num_row_groups(), 0);
}

#[test]
fn the_size_grows_with_the_file_and_is_its_own_in_the_end() {
    let mut encoder = encoder(Codec::named("none").expect("a codec"));
    let mut sizes = Vec::new();
    for n in 0..50 {
        encoder.write(&rows(n * 1000, 1000), 20_000, 64 << 10).expect("write");
        sizes.push(encoder.size());
        encoder.take();
    }
    assert!(sizes[5..].is_sorted(), "{sizes:?}");
    let rest: usize = encoder.finish(49_999).expect("finish").iter().map(Bytes::len).sum();
    assert!(rest < 70 << 10, "{rest} bytes were held");
}
