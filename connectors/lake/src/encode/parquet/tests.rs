use super::*;
use std::sync::Arc;

use ::parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use ::parquet::file::metadata::{ColumnChunkMetaData, PageIndexPolicy, ParquetMetaData, ParquetMetaDataReader, RowGroupMetaData};
use ::parquet::file::properties::ReaderProperties;
use ::parquet::file::reader::FileReader as _;
use ::parquet::file::serialized_reader::{ReadOptionsBuilder, SerializedFileReader};
use arrow_array::{ArrayRef, Int64Array, StringArray};
use landfall_api::{TopicId, TopicPartition};

use arrow_array::builder::{ListBuilder, StringBuilder};
use arrow_array::{BooleanArray, Float64Array, StructArray};
use proptest::prelude::*;

use crate::encode::Format;

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
        assert!(encoder.held.len() <= 4 * (HELD_BATCHES - 1));
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
    let kept: usize = encoder.held.iter().map(|held| held.rows.get_array_memory_size()).sum();
    assert!(kept < 10_000, "{kept} bytes are kept for 10 rows");
    assert_eq!(encoder.held[0].rows, fetch.slice(99_990, 10));
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

/// A file of `rows`, in batches of a thousand, with the options; its metadata with the page index.
fn metadata_of(options: &Options, n: i64) -> (ParquetMetaData, Bytes) {
    let mut encoder = Box::new(Parquet::new(rows(0, 1).schema(), options, &Facts::new(TopicPartition::new("t", 3), 0)));
    let mut file: Vec<Bytes> = Vec::new();
    for from in (0..n).step_by(1000) {
        encoder.write(&rows(from, 1000), 20_000, 32 << 20).expect("write");
        file.extend(encoder.take());
    }
    file.extend(encoder.finish(n - 1).expect("finish"));
    let file: Bytes = file.concat().into();
    let mut reader = ParquetMetaDataReader::new().with_page_index_policy(PageIndexPolicy::Optional);
    reader.try_parse(&file).expect("a footer");
    (reader.finish().expect("a footer"), file)
}

#[test]
fn row_groups_end_by_bytes_and_by_rows() {
    let groups = |options: &Options| {
        metadata_of(options, 50_000).0.row_groups().iter().map(RowGroupMetaData::num_rows).collect::<Vec<_>>()
    };
    assert_eq!(groups(&Options::default()), [50_000]);
    let by_rows = groups(&Options { row_group_rows: Some(20_000), ..Options::default() });
    assert_eq!(by_rows, [20_000, 20_000, 10_000]);
    let by_bytes = groups(&Options { row_group_bytes: 64 << 10, ..Options::default() });
    assert!(by_bytes.len() >= 4 && by_bytes.iter().sum::<i64>() == 50_000, "{by_bytes:?}");
    assert_eq!(Format::Parquet(Options { row_group_bytes: 64 << 10, ..Options::default() }).row_group(), 64 << 10);
}

#[test]
fn pages_end_by_bytes() {
    let pages = |page_bytes| {
        let (metadata, _) = metadata_of(&Options { page_bytes, ..Options::default() }, 20_000);
        metadata.page_index_for_row_group(0).page_locations(0).expect("an index").len()
    };
    assert_eq!(pages(1 << 20), 1);
    assert!(pages(8 << 10) >= 10, "{}", pages(8 << 10));
}

#[test]
fn statistics_are_those_asked_for() {
    let seen = |statistics| {
        let (metadata, _) = metadata_of(&Options { statistics, ..Options::default() }, 10_000);
        let column = metadata.row_group(0).column(0);
        let found = column.statistics().and_then(|found| found.max_bytes_opt()).map(<[u8]>::to_vec);
        (found, column.column_index_length().is_some(), column.offset_index_length().is_some())
    };
    let most = Some(9999_i64.to_le_bytes().to_vec());
    assert_eq!(seen(Statistics::None), (None, false, false));
    assert_eq!(seen(Statistics::Chunk), (most.clone(), false, false));
    assert_eq!(seen(Statistics::Page), (most, true, true));
}

#[test]
fn integers_are_written_as_differences_if_asked_for() {
    let of = |delta_integers| {
        let (metadata, file) = metadata_of(&Options { delta_integers, ..Options::default() }, 10_000);
        let [id, name] = [0, 1].map(|column| metadata.row_group(0).column(column).clone());
        let is_delta = |of: &ColumnChunkMetaData| of.encodings().any(|encoding| encoding == Encoding::DELTA_BINARY_PACKED);
        let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a file").build().expect("a reader");
        let read: Vec<_> = reader.map(|rows| rows.expect("rows")).collect();
        ((is_delta(&id), is_delta(&name)), id.compressed_size(), read)
    };
    let (plain, delta) = (of(false), of(true));
    assert_eq!((plain.0, delta.0), ((false, false), (true, false)));
    assert!(delta.1 * 4 < plain.1, "{} bytes, and {} without", delta.1, plain.1);
    assert_eq!(delta.2, plain.2);
}

#[test]
fn columns_have_the_bloom_filters_asked_for() {
    let filters = |columns: &[&str], bloom_fpp, row_group_rows| {
        let bloom_columns = columns.iter().map(|name| (*name).to_owned()).collect();
        let options = Options { bloom_columns, bloom_fpp, row_group_rows, ..Options::default() };
        let (metadata, file) = metadata_of(&options, 10_000);
        let group = metadata.row_group(0);
        let lengths: Vec<_> = group.columns().iter().map(ColumnChunkMetaData::bloom_filter_length).collect();
        let properties = ReaderProperties::builder().set_read_bloom_filter(true).build();
        let properties = ReadOptionsBuilder::new().with_reader_properties(properties).build();
        let reader = SerializedFileReader::new_with_options(file, properties).expect("a file");
        let filter = reader.get_row_group(0).expect("a group").get_column_bloom_filter(0).cloned();
        (lengths, filter)
    };
    assert_eq!(filters(&[], 0.05, None).0, [None, None]);
    let (lengths, filter) = filters(&["id", "absent", "name.x"], 0.05, None);
    assert!(lengths[0].is_some() && lengths[1].is_none(), "{lengths:?}");
    let filter = filter.expect("a filter");
    assert!((0..10_000_i64).all(|id| filter.check(&id)) && (20_000..21_000_i64).filter(|id| filter.check(id)).count() < 300);
    let finer = filters(&["id"], 0.0001, None).0[0];
    assert!(finer > lengths[0], "{finer:?} is not more than {lengths:?}");
}

#[test]
fn a_footer_says_which_file_it_is() {
    let facts = Facts { topic: TopicId::new(9), id: "0.1.n".into(), ..Facts::new(TopicPartition::new("t", 3), 5) };
    let mut encoder = Box::new(Parquet::new(rows(0, 1).schema(), &Options::default(), &facts));
    encoder.write(&rows(0, 10), 200, 1 << 20).expect("write");
    let file: Bytes = encoder.finish(14).expect("finish").concat().into();
    let reader = ParquetRecordBatchReaderBuilder::try_new(file).expect("a footer");
    let found = reader.metadata().file_metadata();
    let fact = |key: &str| {
        let all = found.key_value_metadata().expect("facts");
        all.iter().find(|fact| fact.key == key).and_then(|fact| fact.value.clone()).unwrap_or_default()
    };
    assert_eq!(
        [footer::FIRST, footer::LAST, footer::TOPIC, footer::PARTITION, footer::FILE].map(fact),
        ["5", "14", "t", "3", "0.1.n"]
    );
    assert_eq!((fact(footer::TOPIC_ID).is_empty(), found.num_rows()), (false, 10));
}

/// Rows of columns whose values come again or do not, as `distinct` says: texts, numbers, lists, and fields in a field.
fn mixed(values: &[Option<u64>], distinct: u64) -> RecordBatch {
    let of = |salt: u64| {
        values.iter().map(move |value| value.map(|value| value.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(salt) % distinct))
    };
    let mut list = ListBuilder::new(StringBuilder::new());
    for (row, value) in of(1).enumerate() {
        list.values().extend((0..row % 3).map(|at| (at > 0).then(|| format!("item {value:?}"))));
        list.append(value.is_some());
    }
    let text = |salt| Arc::new(of(salt).map(|value| value.map(|value| format!("text {value}"))).collect::<StringArray>());
    let inner: Vec<(&str, ArrayRef)> = vec![
        ("text", text(2)),
        ("flag", Arc::new(of(3).map(|value| value.map(|value| value % 2 == 0)).collect::<BooleanArray>())),
    ];
    let columns: Vec<(&str, ArrayRef)> = vec![
        ("number", Arc::new(of(4).map(|value| value.map(|value| value as i64)).collect::<Int64Array>())),
        ("float", Arc::new(of(5).map(|value| value.map(|value| value as f64 / 3.0)).collect::<Float64Array>())),
        ("text", text(6)),
        ("list", Arc::new(list.finish())),
        ("inner", Arc::new(StructArray::try_from(inner).expect("columns"))),
        ("none", Arc::new(StringArray::new_null(values.len()))),
    ];
    RecordBatch::try_from_iter_with_nullable(columns.into_iter().map(|(name, column)| (name, column, true))).expect("columns")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// With a dictionary, without one, and where one is given up, as differences or not, in one row group or in many: the rows are read
    /// as they were written.
    #[test]
    fn rows_are_read_as_they_were_written(
        values in prop::collection::vec(prop::option::weighted(0.9, any::<u64>()), 1..12_000),
        distinct in prop::sample::select(vec![1, 3, 40, 3_000, u64::MAX]),
        part in 1_usize..6_000,
        limit in prop::sample::select(vec![1_usize, 64 << 10, 32 << 20]),
        handed_over in any::<bool>(),
        delta_integers in any::<bool>(),
    ) {
        let rows = mixed(&values, distinct);
        let facts = Facts::new(TopicPartition::new("t", 3), 0);
        let options = Options { delta_integers, ..Codec::named("snappy").expect("a codec").into() };
        let mut encoder = Box::new(Parquet::new(rows.schema(), &options, &facts));
        let mut file: Vec<Bytes> = Vec::new();
        for from in (0..rows.num_rows()).step_by(part) {
            let some = rows.slice(from, part.min(rows.num_rows() - from));
            encoder.write(&some, crate::columns::bytes(&some), limit).expect("write");
            if handed_over && from % 2 == 0 {
                encoder.hand_over().expect("blocks");
            }
            file.extend(encoder.take());
        }
        file.extend(encoder.finish(rows.num_rows() as i64 - 1).expect("finish"));
        let reader = ParquetRecordBatchReaderBuilder::try_new(Bytes::from(file.concat())).expect("a footer");
        let group = reader.metadata().row_group(0).clone();
        // one value is worth a dictionary in any file of several rows, as many as rows are in none
        if rows.num_rows() > 100 && limit > 1 && !handed_over && part > 100 {
            match distinct {
                1 => prop_assert!(group.column(0).dictionary_page_offset().is_some()),
                u64::MAX => prop_assert!(group.column(0).dictionary_page_offset().is_none()),
                _ => {}
            }
        }
        let read: Vec<_> = reader.build().expect("a reader").map(|batch| batch.expect("rows")).collect();
        let read = concat_batches(&read[0].schema(), &read).expect("rows of one schema");
        prop_assert_eq!(read.columns(), rows.columns());
    }
}
