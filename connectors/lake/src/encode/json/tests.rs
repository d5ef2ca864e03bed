use super::*;
use std::collections::HashMap;
use std::io::Read as _;
use std::sync::Arc;

use arrow_array::builder::{BinaryBuilder, Int32Builder, ListBuilder, MapBuilder, MapFieldNames, StringBuilder};
use arrow_array::{
    Array as _, ArrayRef, BooleanArray, Date32Array, Decimal128Array, Decimal256Array, Float32Array, Float64Array, Int8Array,
    Int16Array, Int32Array, Int64Array, NullArray, StringArray, StructArray, Time32MillisecondArray, TimestampMillisecondArray,
};
use arrow_buffer::i256;
use arrow_schema::{DataType, Field, Fields, Schema};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::BLOCK;

fn file(rows: &[RecordBatch], compression: Compression) -> Vec<u8> {
    let mut encoder = Box::new(Json::new(compression.into()));
    let mut file = Vec::new();
    for rows in rows {
        encoder.write(rows, 0, 64 << 20).expect("write");
        file.extend(encoder.take());
    }
    file.extend(encoder.finish(0).expect("finish"));
    assert!(file.iter().all(|block| block.len() <= BLOCK));
    file.concat()
}

fn text(rows: &RecordBatch) -> String {
    String::from_utf8(file(std::slice::from_ref(rows), Compression::None)).expect("UTF-8")
}

/// One column of a schema, null in its second row.
fn one(array: impl arrow_array::Array + 'static) -> String {
    let rows = RecordBatch::try_from_iter([("c", Arc::new(array) as ArrayRef)]).expect("a column");
    text(&rows)
}

/// Values that are no structs.
fn bare(field: Field, array: impl arrow_array::Array + 'static) -> String {
    let metadata = HashMap::from([("landfall.plain".to_owned(), "true".to_owned())]);
    let schema = Schema::new_with_metadata(vec![field.with_name("value")], metadata);
    text(&RecordBatch::try_new(Arc::new(schema), vec![Arc::new(array)]).expect("a column"))
}

#[test]
fn values_are_written_as_connects_converter_writes_them() {
    assert_eq!(one(BooleanArray::from(vec![Some(true), None])), "{\"c\":true}\n{\"c\":null}\n");
    assert_eq!(one(Int8Array::from(vec![Some(-128), None])), "{\"c\":-128}\n{\"c\":null}\n");
    assert_eq!(one(Int16Array::from(vec![7])), "{\"c\":7}\n");
    assert_eq!(one(Int64Array::from(vec![i64::MIN, i64::MAX])), "{\"c\":-9223372036854775808}\n{\"c\":9223372036854775807}\n");
    assert_eq!(
        one(Float64Array::from(vec![1.0, -0.0, 0.1, 1e300])),
        "{\"c\":1.0}\n{\"c\":-0.0}\n{\"c\":0.1}\n{\"c\":1e+300}\n".replace("1e+300", zmij::Buffer::new().format(1e300))
    );
    assert_eq!(one(Float32Array::from(vec![0.1])), "{\"c\":0.1}\n");
    assert_eq!(
        one(Float64Array::from(vec![f64::NAN, f64::INFINITY, f64::NEG_INFINITY])),
        "{\"c\":\"NaN\"}\n{\"c\":\"Infinity\"}\n{\"c\":\"-Infinity\"}\n"
    );
    assert_eq!(
        one(StringArray::from(vec!["ä\"\\/\n\r\t\u{8}\u{c}\u{1}\u{1f}\u{7f}"])),
        "{\"c\":\"ä\\\"\\\\/\\n\\r\\t\\b\\f\\u0001\\u001F\u{7f}\"}\n"
    );
    let mut bytes = BinaryBuilder::new();
    for value in [&b""[..], b"a", b"ab", b"abc"] {
        bytes.append_value(value);
    }
    assert_eq!(one(bytes.finish()), "{\"c\":\"\"}\n{\"c\":\"YQ==\"}\n{\"c\":\"YWI=\"}\n{\"c\":\"YWJj\"}\n");
    assert_eq!(one(Date32Array::from(vec![19_000])), "{\"c\":19000}\n");
    assert_eq!(one(Time32MillisecondArray::from(vec![1])), "{\"c\":1}\n");
    assert_eq!(one(TimestampMillisecondArray::from(vec![-5]).with_timezone("UTC")), "{\"c\":-5}\n");
    assert_eq!(one(NullArray::new(1)), "{\"c\":null}\n");
}

#[test]
fn a_decimal_is_its_unscaled_value_in_base64() {
    let unscaled = |value: i128| one(Decimal128Array::from(vec![value]).with_precision_and_scale(38, 2).expect("a decimal"));
    for (value, bytes) in [(0, &[0][..]), (127, &[127]), (128, &[0, 128]), (-1, &[255]), (-128, &[128]), (-129, &[255, 127])] {
        assert_eq!(unscaled(value), format!("{{\"c\":\"{}\"}}\n", STANDARD.encode(bytes)));
    }
    let metadata = HashMap::from([("connect.parameter.scale".to_owned(), "-3".to_owned())]);
    let field = Field::new("c", DataType::Decimal128(38, 0), false).with_metadata(metadata);
    let array = Decimal128Array::from(vec![5000]).with_precision_and_scale(38, 0).expect("a decimal");
    let rows = RecordBatch::try_new(Arc::new(Schema::new(vec![field])), vec![Arc::new(array)]).expect("a column");
    assert_eq!(text(&rows), format!("{{\"c\":\"{}\"}}\n", STANDARD.encode([5])));
}

#[test]
fn values_that_are_no_structs_are_lines_by_themselves() {
    let field = |data_type| Field::new("", data_type, true);
    assert_eq!(bare(field(DataType::Utf8), StringArray::from(vec![Some("a\nb"), None])), "\"a\\nb\"\nnull\n");
    assert_eq!(bare(field(DataType::Int64), Int64Array::from(vec![5])), "5\n");
    assert_eq!(bare(field(DataType::Date32), Date32Array::from(vec![-1])), "-86400000\n");
    let decimal = Decimal128Array::from(vec![1234, -5, 0]).with_precision_and_scale(10, 2).expect("a decimal");
    assert_eq!(bare(field(DataType::Decimal128(10, 2)), decimal), "12.34\n-0.05\n0.00\n");
    let mut list = ListBuilder::new(StringBuilder::new());
    list.append_value([Some("x"), None]);
    list.append_value([None::<&str>; 0]);
    assert_eq!(bare(field(DataType::new_list(DataType::Utf8, true)), list.finish()), "[\"x\",null]\n[]\n");
}

#[test]
fn of_schemaless_values_what_is_null_is_left_out() {
    let schemaless = |mark: &str| HashMap::from([("connect.schemaless".to_owned(), mark.to_owned())]);
    let field = |name: &str, data_type| Field::new(name, data_type, true).with_metadata(schemaless("true"));
    let inner = Fields::from(vec![field("x", DataType::Int64), field("y", DataType::Int64)]);
    let mut list = ListBuilder::new(StringBuilder::new()).with_field(field("item", DataType::Utf8));
    list.append_value([Some("a"), None]);
    list.append_null();
    list.append_null();
    let list = list.finish();
    let [x, y] = [vec![Some(1), None, None], vec![None, None, None]].map(|ints| Arc::new(Int64Array::from(ints)) as ArrayRef);
    let nested = StructArray::new(inner.clone(), vec![x, y], Some(vec![true, true, false].into()));
    let fields = vec![
        field("list", list.data_type().clone()),
        field("nested", DataType::Struct(inner)),
        field("any", DataType::Utf8).with_metadata(schemaless("json")),
        Field::new("required", DataType::Int64, true),
    ];
    let any = StringArray::from(vec![Some("{\n \"a\" : [ 1,\r\n 2 ]}"), Some("\"5\""), None]);
    let columns: Vec<ArrayRef> =
        vec![Arc::new(list), Arc::new(nested), Arc::new(any), Arc::new(Int64Array::from(vec![Some(1), None, None]))];
    let rows = RecordBatch::try_new(Arc::new(Schema::new(fields)), columns).expect("columns");
    assert_eq!(
        text(&rows),
        "{\"list\":[\"a\",null],\"nested\":{\"x\":1},\"any\":{  \"a\" : [ 1,   2 ]},\"required\":1}\n\
         {\"nested\":{},\"any\":\"5\",\"required\":null}\n\
         {\"required\":null}\n"
    );
}

#[test]
fn a_map_is_an_object_if_its_keys_are_strings() {
    let names = || Some(MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() });
    let mut strings = MapBuilder::new(names(), StringBuilder::new(), Int32Builder::new());
    strings.keys().append_value("a\"");
    strings.values().append_null();
    strings.keys().append_value("b");
    strings.values().append_value(1);
    strings.append(true).expect("a map");
    assert_eq!(one(strings.finish()), "{\"c\":{\"a\\\"\":null,\"b\":1}}\n");
    let ints = || {
        let mut ints = MapBuilder::new(names(), Int32Builder::new(), Int32Builder::new());
        ints.keys().append_value(1);
        ints.values().append_value(2);
        ints.append(true).expect("a map");
        ints.finish()
    };
    assert_eq!(one(ints()), "{\"c\":[[1,2]]}\n");
    assert_eq!(bare(Field::new("", ints().data_type().clone(), true), ints()), "{\"1\":2}\n", "as Jackson does");
}

#[test]
fn an_unknown_type_is_named() {
    let rows =
        RecordBatch::try_from_iter([("c", Arc::new(arrow_array::UInt8Array::from(vec![1])) as ArrayRef)]).expect("a column");
    let error = Json::new(Options::default()).write(&rows, 0, 1).expect_err("refused").to_string();
    assert_eq!(error, "the rows cannot be written as json: c is of the type UInt8");
}

#[test]
fn a_long_line_does_not_keep_its_memory() {
    for compression in [Compression::None, Compression::Gzip] {
        let mut encoder = Json::new(compression.into());
        let long: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(5 << 20)]));
        encoder.write(&RecordBatch::try_from_iter([("c", long)]).expect("a column"), 0, 64 << 20).expect("write");
        assert!(encoder.stream.pending.capacity() <= 2 * crate::encode::compress::CHUNK, "{}", encoder.stream.pending.capacity());
    }
}

#[test]
fn large_files_come_in_blocks_plain_and_compressed() {
    let line = |i: i64| format!("{{\"id\":{i},\"text\":\"{}\"}}\n", i.wrapping_mul(0x1E37_79B9_7F4A_7C15).to_string().repeat(10));
    let rows = |from: i64| {
        let ids: ArrayRef = Arc::new(Int64Array::from_iter_values(from..from + 1000));
        let texts = (from..from + 1000).map(|i| i.wrapping_mul(0x1E37_79B9_7F4A_7C15).to_string().repeat(10));
        RecordBatch::try_from_iter([("id", ids), ("text", Arc::new(StringArray::from_iter_values(texts)))]).expect("columns")
    };
    let batches: Vec<_> = (0..30).map(|n| rows(n * 1000)).collect();
    let expected: String = (0..30_000).map(line).collect();
    assert!(expected.len() > BLOCK);
    assert!(file(&batches, Compression::None) == expected.as_bytes());
    let mut unpacked = String::new();
    let packed = file(&batches, Compression::Gzip);
    flate2::read::GzDecoder::new(&packed[..]).read_to_string(&mut unpacked).expect("gzip");
    assert!(unpacked == expected && packed.len() < expected.len() / 2);

    let mut encoder = Json::new(Options::default());
    for batch in &batches {
        encoder.write(batch, 0, 256 << 10).expect("write");
    }
    assert_eq!(encoder.size(), expected.len() as u64);
    let blocks = encoder.take();
    assert!(blocks.len() > 10, "where memory is short, blocks are small: {}", blocks.len());
    assert!(encoder.size() == expected.len() as u64 && !encoder.has_block());
}

#[derive(Clone, Debug)]
struct Row {
    flag: Option<bool>,
    int: Option<i32>,
    long: i64,
    float: Option<f32>,
    double: f64,
    text: Option<String>,
    bytes: Vec<u8>,
    list: Option<Vec<Option<String>>>,
    map: std::collections::BTreeMap<String, i32>,
}

fn any_row() -> impl Strategy<Value = Row> {
    use proptest::num::{f32, f64};
    let scalars =
        (any::<Option<bool>>(), any::<Option<i32>>(), any::<i64>(), proptest::option::of(f32::NORMAL), f64::NORMAL | f64::ZERO);
    let rest = (
        any::<Option<String>>(),
        vec(any::<u8>(), 0..9),
        proptest::option::of(vec(any::<Option<String>>(), 0..4)),
        btree_map(any::<String>(), any::<i32>(), 0..4),
    );
    (scalars, rest).prop_map(|((flag, int, long, float, double), (text, bytes, list, map))| Row {
        flag,
        int,
        long,
        float,
        double,
        text,
        bytes,
        list,
        map,
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(rows in vec(any_row(), 1..30)) {
        let mut lists = ListBuilder::new(StringBuilder::new());
        let mut maps = MapBuilder::new(None, StringBuilder::new(), Int32Builder::new());
        for row in &rows {
            match &row.list {
                Some(items) => lists.append_value(items.clone()),
                None => lists.append_null(),
            }
            for (key, value) in &row.map {
                maps.keys().append_value(key);
                maps.values().append_value(*value);
            }
            maps.append(true).expect("a map");
        }
        let columns: Vec<(&str, ArrayRef)> = vec![
            ("flag", Arc::new(rows.iter().map(|r| r.flag).collect::<BooleanArray>())),
            ("int", Arc::new(rows.iter().map(|r| r.int).collect::<Int32Array>())),
            ("long", Arc::new(rows.iter().map(|r| Some(r.long)).collect::<Int64Array>())),
            ("float", Arc::new(rows.iter().map(|r| r.float).collect::<Float32Array>())),
            ("double", Arc::new(rows.iter().map(|r| Some(r.double)).collect::<Float64Array>())),
            ("text", Arc::new(rows.iter().map(|r| r.text.clone()).collect::<StringArray>())),
            ("bytes", Arc::new(rows.iter().map(|r| Some(r.bytes.clone())).collect::<arrow_array::BinaryArray>())),
            ("list", Arc::new(lists.finish())),
            ("map", Arc::new(maps.finish())),
        ];
        let batch = RecordBatch::try_from_iter(columns).expect("columns");
        // Slices, too: their rows are somewhere in the arrays.
        let written = text(&batch.slice(0, 1)) + &text(&batch.slice(1, rows.len() - 1));
        prop_assert_eq!(written.lines().count(), rows.len());
        for (line, row) in written.split('\n').zip(&rows) {
            let read: Value = serde_json::from_str(line).expect("JSON");
            // The reader is at times one bit off.
            let double = read["double"].as_f64().expect("a number");
            prop_assert!((double - row.double).abs() <= row.double.abs() * 1e-15, "{} {}", double, row.double);
            prop_assert_eq!(read["float"].as_f64().map(|f| f as f32), row.float);
            let expected = json!({
                "flag": row.flag, "int": row.int, "long": row.long, "float": read["float"], "double": double, "text": row.text,
                "bytes": STANDARD.encode(&row.bytes), "list": row.list, "map": row.map,
            });
            prop_assert_eq!(read, expected);
        }
    }
}

#[test]
fn decimals_of_many_digits_are_written_too() {
    let wide = |numeric| {
        let numbers = Decimal256Array::from(vec![i256::from_i128(-5), i256::from_i128(12345)]);
        let rows =
            RecordBatch::try_from_iter([("c", Arc::new(numbers.with_precision_and_scale(50, 2).expect("digits")) as ArrayRef)]);
        let mut encoder = Box::new(Json::new(Options { numeric, ..Options::default() }));
        encoder.write(&rows.expect("a column"), 0, 1 << 20).expect("write");
        String::from_utf8(encoder.finish(0).expect("finish").concat()).expect("UTF-8")
    };
    assert_eq!(wide(true), "{\"c\":-0.05}\n{\"c\":123.45}\n");
    assert_eq!(wide(false), "{\"c\":\"+w==\"}\n{\"c\":\"MDk=\"}\n");
}
