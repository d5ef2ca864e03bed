use landfall_api::schema::{JSON, SCHEMALESS};

use super::*;

use arrow_array::builder::{Int8Builder, MapBuilder};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{Decimal128Type, Int32Type};
use arrow_array::{
    Array as _, ArrayRef, BinaryArray, Date32Array, Decimal128Array, Decimal256Array, Int16Array, Int32Array, Int64Array,
    ListArray, RecordBatch, StringArray, StructArray, Time32MillisecondArray, Time64MicrosecondArray, Time64NanosecondArray,
    TimestampMicrosecondArray, TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow_buffer::i256;
use landfall_api::schema::{LOGICAL, NAME};
use parquet::arrow::parquet_to_arrow_schema;
use parquet::file::reader::{FileReader as _, SerializedFileReader};
use parquet::schema::printer::print_schema;

use crate::encode::parquet::Options;
use crate::encode::{Facts, Format};
use cast::{Unfit, cast};

const NATIVE: Types =
    Types { mode: Mode::Native, iso: Iso::Micros, variable: Variable::Text, wide: Wide::Refuse, names: Naming::Keep };

fn marked(name: &str, data_type: DataType, key: &str, value: &str) -> FieldRef {
    Arc::new(Field::new(name, data_type, true).with_metadata(HashMap::from([(key.to_owned(), value.to_owned())])))
}

fn debezium(name: &str, data_type: DataType) -> FieldRef {
    marked("f", data_type, NAME, &format!("io.debezium.{name}"))
}

/// What `array` of `field` becomes, and what does not fit.
fn land(types: &Types, field: &FieldRef, array: impl arrow_array::Array + 'static) -> (FieldRef, ArrayRef, Vec<(usize, String)>) {
    let (column, mut unfit) = (types.field(field).expect("a column"), Vec::new());
    let array = cast(&(Arc::new(array) as ArrayRef), &column, &mut unfit).expect("a cast");
    assert_eq!(array.data_type(), column.data_type());
    let unfit = unfit.into_iter().map(|Unfit { row, path, why }| (row, format!("{path}: {why}"))).collect();
    (column, array, unfit)
}

fn landed(types: &Types, field: &FieldRef, array: impl arrow_array::Array + 'static) -> ArrayRef {
    let (_, array, unfit) = land(types, field, array);
    assert_eq!(unfit, []);
    array
}

fn unfit(types: &Types, field: &FieldRef, array: impl arrow_array::Array + 'static) -> Vec<(usize, String)> {
    land(types, field, array).2
}

fn scaled(numbers: &[Option<(i32, &[u8])>]) -> StructArray {
    let scale: ArrayRef = Arc::new(Int32Array::from_iter(numbers.iter().map(|n| n.map(|(scale, _)| scale))));
    let value: ArrayRef = Arc::new(BinaryArray::from_iter(numbers.iter().map(|n| n.map(|(_, value)| value))));
    let fields = vec![Field::new("scale", DataType::Int32, true), Field::new("value", DataType::Binary, true)];
    let nulls = numbers.iter().map(Option::is_some).collect::<Vec<_>>();
    StructArray::new(fields.into(), vec![scale, value], Some(nulls.into()))
}

#[test]
fn confluents_columns_are_plain_but_for_connects_own_types() {
    let types = Types::default();
    for (name, data_type) in
        [("time.MicroTimestamp", DataType::Int64), ("time.Date", DataType::Int32), ("data.Json", DataType::Utf8)]
    {
        let field = debezium(name, data_type);
        assert_eq!(types.field(&field), Ok(field));
    }
    let micros = marked("f", DataType::Int64, LOGICAL, "timestamp-micros");
    assert_eq!(types.field(&micros), Ok(micros));
    let small = landed(&types, &debezium("x", DataType::Int16), Int16Array::from(vec![Some(-3), None]));
    assert_eq!(small.as_ref(), &Int32Array::from(vec![Some(-3), None]));
    let field = debezium("data.VariableScaleDecimal", scaled(&[]).data_type().clone());
    assert_eq!(types.field(&field), Ok(field), "a group");
}

#[test]
fn native_columns_have_the_types_of_their_values() {
    let days =
        landed(&NATIVE, &debezium("time.Date", DataType::Int32), Int32Array::from(vec![Some(-2_440_588), None, Some(i32::MAX)]));
    assert_eq!(days.as_ref(), &Date32Array::from(vec![Some(-2_440_588), None, Some(i32::MAX)]));
    let ms = landed(&NATIVE, &debezium("time.Time", DataType::Int32), Int32Array::from(vec![0, 86_399_999]));
    assert_eq!(ms.as_ref(), &Time32MillisecondArray::from(vec![0, 86_399_999]));
    let us = landed(&NATIVE, &debezium("time.MicroTime", DataType::Int64), Int64Array::from(vec![None, Some(5)]));
    assert_eq!(us.as_ref(), &Time64MicrosecondArray::from(vec![None, Some(5)]));
    let ns = landed(&NATIVE, &debezium("time.NanoTime", DataType::Int64), Int64Array::from(vec![86_399_999_999_999]));
    assert_eq!(ns.as_ref(), &Time64NanosecondArray::from(vec![86_399_999_999_999]));
    let all = vec![i64::MIN, -1, i64::MAX];
    let longs = || Int64Array::from(all.clone());
    let ms = landed(&NATIVE, &debezium("time.Timestamp", DataType::Int64), longs());
    assert_eq!(ms.as_ref(), &TimestampMillisecondArray::from(all.clone()));
    let us = landed(&NATIVE, &debezium("time.MicroTimestamp", DataType::Int64), longs());
    assert_eq!(us.as_ref(), &TimestampMicrosecondArray::from(all.clone()));
    let ns = landed(&NATIVE, &debezium("time.NanoTimestamp", DataType::Int64), longs());
    assert_eq!(ns.as_ref(), &TimestampNanosecondArray::from(all.clone()));
    let utc = landed(&NATIVE, &marked("f", DataType::Int64, LOGICAL, "timestamp-micros"), longs());
    assert_eq!(utc.as_ref(), &TimestampMicrosecondArray::from(all.clone()).with_timezone("UTC"));
    let local = landed(&NATIVE, &marked("f", DataType::Int64, LOGICAL, "local-timestamp-nanos"), longs());
    assert_eq!(local.as_ref(), &TimestampNanosecondArray::from(all.clone()));
    for (name, data_type) in [
        ("time.MicroDuration", DataType::Int64),
        ("time.Interval", DataType::Utf8),
        ("data.Uuid", DataType::Utf8),
        ("x", DataType::Int8),
    ] {
        let field = debezium(name, data_type);
        assert_eq!(NATIVE.field(&field), Ok(field));
    }
    let other = debezium("time.MicroTimestamp", DataType::Utf8);
    assert_eq!(NATIVE.field(&other), Ok(other), "the name on another type says nothing");
}

#[test]
fn text_becomes_what_it_says_or_stays_text() {
    let zoned = debezium("time.ZonedTimestamp", DataType::Utf8);
    let texts = || StringArray::from(vec![Some("2024-02-03T04:05:06.123456+01:00"), None, Some("-4712-01-01T00:00:00Z")]);
    let utc = TimestampMicrosecondArray::from(vec![Some(1_706_929_506_123_456), None, Some(-210_863_520_000_000_000)]);
    assert_eq!(landed(&NATIVE, &zoned, texts()).as_ref(), &utc.with_timezone("UTC"));
    let nanos = Types { iso: Iso::Nanos, ..NATIVE };
    let fine = || StringArray::from(vec!["2024-02-03T04:05:06.123456789Z"]);
    let utc = TimestampNanosecondArray::from(vec![1_706_933_106_123_456_789]).with_timezone("UTC");
    assert_eq!(landed(&nanos, &zoned, fine()).as_ref(), &utc);
    assert_eq!(unfit(&nanos, &zoned, texts()).len(), 1, "nanoseconds end in 1677");
    let why = r#": "2024-02-03T04:05:06.123456789Z" is no timestamp in 64-bit microseconds (landfall.types.iso)"#;
    assert_eq!(unfit(&NATIVE, &zoned, fine()), [(0, why.to_owned())]);
    assert_eq!(landed(&Types { iso: Iso::Text, ..NATIVE }, &zoned, fine()).as_ref(), &fine());

    let date = landed(&NATIVE, &debezium("time.IsoDate", DataType::Utf8), StringArray::from(vec!["2024-02-03Z"]));
    assert_eq!(date.as_ref(), &Date32Array::from(vec![19756]));
    let time = landed(&NATIVE, &debezium("time.IsoTime", DataType::Utf8), StringArray::from(vec!["04:05:06Z"]));
    assert_eq!(time.as_ref(), &Time64MicrosecondArray::from(vec![14_706_000_000]));
    let local = landed(&NATIVE, &debezium("time.IsoTimestamp", DataType::Utf8), StringArray::from(vec!["2024-02-03T04:05:06Z"]));
    assert_eq!(local.as_ref(), &TimestampMicrosecondArray::from(vec![1_706_933_106_000_000]));
    let long = "x".repeat(10_000);
    assert!(
        unfit(&NATIVE, &zoned, StringArray::from(vec![&*long]))[0].1.len() < 300,
        "an error does not show all of a long text"
    );
}

#[test]
fn numbers_with_a_scale_each_become_text_or_one_decimal() {
    let numbers = || scaled(&[Some((2, &[0x30, 0x39])), None, Some((-1, &[0xff]))]);
    let field = debezium("data.VariableScaleDecimal", numbers().data_type().clone());
    assert_eq!(landed(&NATIVE, &field, numbers()).as_ref(), &StringArray::from(vec![Some("123.45"), None, Some("-10")]));
    let fixed = |precision, scale| Types { variable: Variable::Decimal(precision, scale), ..NATIVE };
    let decimals = Decimal128Array::from(vec![Some(123_450), None, Some(-10_000)]).with_precision_and_scale(9, 3);
    assert_eq!(landed(&fixed(9, 3), &field, numbers()).as_ref(), &decimals.expect("a decimal"));
    let why = ": 123.45 does not fit a decimal of 9 digits, 1 of them fractional";
    assert_eq!(unfit(&fixed(9, 1), &field, numbers()), [(0, why.to_owned())]);
    assert_eq!(Variable::named("38, 9"), Ok(Variable::Decimal(38, 9)));
    for bad in ["39,9", "5,6", "5,-1", "0,0", "5", "Text", ""] {
        assert!(Variable::named(bad).is_err(), "{bad}");
    }
}

#[test]
fn wide_decimals_fit_38_digits_or_are_text() {
    let most = i256::from_i128(10_i128.pow(38) - 1);
    let array = |values: Vec<Option<i256>>, precision, scale| {
        Decimal256Array::from(values).with_precision_and_scale(precision, scale).expect("a decimal")
    };
    let field = |precision, scale| debezium("x", DataType::Decimal256(precision, scale));
    let types = Types::default();
    let expected = Decimal128Array::from(vec![Some(10_i128.pow(38) - 1), None]).with_precision_and_scale(38, 2);
    assert_eq!(landed(&types, &field(50, 2), array(vec![Some(most), None], 50, 2)).as_ref(), &expected.expect("a decimal"));
    let over = || array(vec![None, Some(most.wrapping_neg().wrapping_sub(i256::ONE))], 50, 2);
    let why = ": -1000000000000000000000000000000000000.00 does not fit a decimal of 38 digits, 2 of them fractional";
    assert_eq!(unfit(&types, &field(50, 2), over()), [(1, why.to_owned())]);
    let text = Types { wide: Wide::Text, ..types };
    let expected = StringArray::from(vec![None, Some("-1000000000000000000000000000000000000.00")]);
    assert_eq!(landed(&text, &field(50, 2), over()).as_ref(), &expected);
    let error = types.field(&field(60, 40)).expect_err("no such column").message;
    assert!(error.contains("f is a decimal with 40 fractional digits"), "{error}");
    assert_eq!(text.field(&field(60, 40)).expect("a column").data_type(), &DataType::Utf8);
    let hundreds = Decimal128Array::from(vec![12]).with_precision_and_scale(5, -2).expect("a decimal");
    let expected = Decimal128Array::from(vec![1200]).with_precision_and_scale(38, 0).expect("a decimal");
    assert_eq!(landed(&types, &debezium("x", DataType::Decimal128(5, -2)), hundreds).as_ref(), &expected);
}

#[test]
fn what_does_not_fit_is_named_by_its_row_and_its_path() {
    let time = debezium("time.MicroTime", DataType::Int64);
    let day = 86_400_000_000;
    assert_eq!(
        unfit(&NATIVE, &time, Int64Array::from(vec![Some(0), Some(-1), None, Some(day), Some(day - 1)])),
        [(1, ": -1 microseconds are no time of day".to_owned()), (3, format!(": {day} microseconds are no time of day"))]
    );

    // [[ok], null over bad, [ok, {t: bad}], []], from the second row on
    let times = Arc::new(Int64Array::from(vec![1, -7, 2, -8]));
    let inner = Fields::from(vec![time.as_ref().clone().with_name("t")]);
    let structs = StructArray::new(inner.clone(), vec![times], None);
    let item = Arc::new(Field::new("item", DataType::Struct(inner), true));
    let offsets = arrow_buffer::OffsetBuffer::from_lengths([1, 1, 2, 0]);
    let nulls = Some(vec![true, false, true, true].into());
    let lists = ListArray::new(item.clone(), offsets, Arc::new(structs), nulls);
    let list = Arc::new(Field::new("l", DataType::List(item), true));
    let why = "[1].t: -8 microseconds are no time of day".to_owned();
    assert_eq!(unfit(&NATIVE, &list, lists.clone()), [(2, why.clone())]);
    assert_eq!(unfit(&NATIVE, &list, lists.slice(1, 2)), [(1, why)]);
    assert_eq!(unfit(&NATIVE, &list, lists.slice(0, 2)), []);

    let fields = Fields::from(vec![time.as_ref().clone().with_name("a.b"), Field::new("c", DataType::Int8, true)]);
    let arrays: Vec<ArrayRef> =
        vec![Arc::new(Int64Array::from(vec![-1, -2])), Arc::new(arrow_array::Int8Array::from(vec![1, 2]))];
    let hidden = StructArray::new(fields.clone(), arrays, Some(vec![false, true].into()));
    let field = Arc::new(Field::new("s", DataType::Struct(fields), true));
    assert_eq!(
        unfit(&NATIVE, &field, hidden),
        [(1, "a.b: -2 microseconds are no time of day".to_owned())],
        "below a null is nothing"
    );
}

#[test]
fn maps_and_lists_keep_their_nulls() {
    let micros = marked("value", DataType::Int64, NAME, "io.debezium.time.MicroTimestamp");
    let names = arrow_array::builder::MapFieldNames { entry: "entries".into(), key: "key".into(), value: "value".into() };
    let mut map =
        MapBuilder::new(Some(names), Int8Builder::new(), arrow_array::builder::Int64Builder::new()).with_values_field(micros);
    for (key, value) in [(1, Some(5)), (2, None)] {
        map.keys().append_value(key);
        map.values().append_option(value);
    }
    map.append(true).expect("a map");
    map.append(false).expect("a null");
    map.append(true).expect("an empty map");
    let map = map.finish();
    let field = Arc::new(Field::new("m", map.data_type().clone(), true));
    let (column, found, _) = land(&NATIVE, &field, map.clone());
    assert!(format!("{column:?}").contains("Timestamp"), "{column:?}");
    let found = arrow_array::cast::AsArray::as_map(&found);
    assert_eq!((found.nulls(), found.offsets()), (map.nulls(), map.offsets()));
    assert_eq!(found.values().as_ref(), &TimestampMicrosecondArray::from(vec![Some(5), None]));
    let (_, found, _) = land(&Types::default(), &field, map);
    assert_eq!(arrow_array::cast::AsArray::as_map(&found).keys().as_ref(), &Int32Array::from(vec![1, 2]));

    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), None, Some(vec![])]);
    let item = Arc::new(debezium("time.Date", DataType::Int32).as_ref().clone().with_name("item"));
    let list = ListArray::new(item.clone(), list.offsets().clone(), list.values().clone(), list.nulls().cloned());
    let field = Arc::new(Field::new("l", DataType::List(item), true));
    let found = landed(&NATIVE, &field, list.clone());
    let found = arrow_array::cast::AsArray::as_list::<i32>(&found);
    assert_eq!((found.nulls(), found.values().as_ref()), (list.nulls(), &Date32Array::from(vec![Some(1), None]) as _));
}

#[test]
fn names_are_kept_or_made_sparks_at_every_depth() {
    let inner = Fields::from(vec![Field::new("a b", DataType::Int8, true), Field::new("ok-é_1", DataType::Int8, true)]);
    let item = Arc::new(Field::new("item", DataType::Struct(inner), true));
    let fields = Fields::from(vec![
        Field::new("l,{}()=\n\t;.`", DataType::List(item), true),
        Field::new("", DataType::Int8, true),
        Field::new("Plain", DataType::Int8, true),
    ]);
    assert_eq!(NATIVE.fields("v", &fields), Ok(fields.clone()));
    let spark = Types { names: Naming::Spark, ..NATIVE };
    let columns = spark.fields("v", &fields).expect("columns");
    assert_eq!(columns.iter().map(|c| c.name().as_str()).collect::<Vec<_>>(), ["l___________", "_", "Plain"]);
    assert!(format!("{:?}", columns[0]).contains("\"a_b\""), "{columns:?}");
    assert_eq!(names::originals(&columns), fields, "found again in the file");
    assert_eq!(spark.fields("v", &names::originals(&columns)), Ok(columns));

    for (one, other) in [("Id", "id"), ("a b", "a.b"), ("É", "é")] {
        let fields = Fields::from(vec![Field::new(one, DataType::Int8, true), Field::new(other, DataType::Int8, true)]);
        assert_eq!(NATIVE.fields("v", &fields).as_ref(), Ok(&fields));
        let error = spark.fields("v", &fields).expect_err("refused").message;
        assert!(error.starts_with(&format!("the fields {one:?} and {other:?} of v would both be ")), "{error}");
    }
}

/// The bytes of a file with one row of nothing in columns of `fields`.
fn file(types: &Types, fields: Vec<FieldRef>) -> bytes::Bytes {
    let columns = types.fields("v", &fields.into()).expect("columns");
    let rows = RecordBatch::new_empty(Arc::new(arrow_schema::Schema::new(columns)));
    let format = Format::Parquet(Options::default());
    let encoder = format.encoder(rows.schema_ref(), &Facts::new(landfall_api::TopicPartition::new("t", 0), 0));
    encoder.finish(0).expect("a file").concat().into()
}

fn schema_of(file: bytes::Bytes) -> String {
    let reader = SerializedFileReader::new(file).expect("Parquet");
    let mut text = Vec::new();
    print_schema(&mut text, reader.metadata().file_metadata().schema());
    String::from_utf8(text).expect("text")
}

#[test]
fn annotations_are_in_the_file() {
    let json = debezium("data.Json", DataType::Utf8);
    let mixed = marked("mixed", DataType::Utf8, SCHEMALESS, JSON);
    let item = Arc::new(json.as_ref().clone().with_name("item"));
    let fields = || {
        vec![
            Arc::new(Field::new("before", DataType::Int8, false)),
            json.clone(),
            Arc::new(Field::new("l", DataType::List(item.clone()), true)),
            mixed.clone(),
            Arc::new(Field::new("t", DataType::Time32(TimeUnit::Millisecond), true)),
            Arc::new(Field::new("after", DataType::Utf8, true)),
        ]
    };
    let text = schema_of(file(&NATIVE, fields()));
    for part in [
        "REQUIRED INT32 before (INTEGER(8,true))",
        "OPTIONAL BYTE_ARRAY f (JSON)",
        "OPTIONAL BYTE_ARRAY item (JSON)",
        "OPTIONAL BYTE_ARRAY mixed (JSON)",
        "OPTIONAL INT32 t (TIME(MILLIS,false))",
        "OPTIONAL BYTE_ARRAY after (STRING)",
        "OPTIONAL group l (LIST)",
    ] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
    let text = schema_of(file(&Types::default(), fields()));
    for part in ["REQUIRED INT32 before;", "OPTIONAL BYTE_ARRAY f (STRING)", "OPTIONAL INT32 t (TIME(MILLIS,true))"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn what_was_learned_is_found_in_a_file_of_every_kind() {
    let plain = |name: &str, data_type| marked(name, data_type, SCHEMALESS, "true");
    let fields = vec![
        plain("a b", DataType::Int64),
        marked("mixed", DataType::Utf8, SCHEMALESS, JSON),
        plain("l", DataType::List(plain("item", DataType::Struct(vec![plain("x.y", DataType::Float64)].into())))),
    ];
    for names in [Naming::Keep, Naming::Spark] {
        for mode in [Mode::Confluent, Mode::Native] {
            let file = file(&Types { mode, names, ..NATIVE }, fields.clone());
            let reader = SerializedFileReader::new(file).expect("Parquet");
            let meta = reader.metadata().file_metadata();
            let schema = parquet_to_arrow_schema(meta.schema_descr(), meta.key_value_metadata()).expect("a schema");
            let found = crate::columns::value_field(&schema);
            let DataType::Struct(found) = found.data_type() else { panic!("{found:?}") };
            for (found, field) in found.iter().zip(&fields) {
                assert_eq!((found.name(), found.data_type()), (field.name(), field.data_type()));
                assert_eq!(found.metadata().get(SCHEMALESS), field.metadata().get(SCHEMALESS));
            }
        }
    }
}

#[test]
fn columns_of_a_file_are_what_they_are() {
    // What a file's schema shows is given to the next file where only nulls come.
    let all = table::DEBEZIUM.iter().map(|named| (NAME, named)).chain(table::AVRO.iter().map(|named| (LOGICAL, named)));
    for (key, named) in all {
        let data_type = match named.from {
            table::From::Int32 => DataType::Int32,
            table::From::Int64 => DataType::Int64,
            table::From::Text => DataType::Utf8,
            table::From::Bytes => DataType::Binary,
            table::From::Scaled => scaled(&[]).data_type().clone(),
            table::From::Nested => DataType::List(Arc::new(Field::new("item", DataType::Int64, true))),
        };
        for types in [Types::default(), NATIVE, Types { iso: Iso::Nanos, variable: Variable::Decimal(38, 9), ..NATIVE }] {
            let column = types.field(&marked("f", data_type.clone(), key, named.name)).expect("a column");
            assert_eq!(types.field(&column), Ok(column));
        }
    }
}

#[test]
fn a_value_that_does_not_fit_below_costs_only_its_row_though_it_is_required() {
    let tens = DataType::Decimal128(38, -2);
    let inner = Fields::from(vec![Field::new("d", tens.clone(), false)]);
    let field = Arc::new(Field::new("f", DataType::Struct(inner.clone()), false));
    let most = 10_i128.pow(37);
    let values = Decimal128Array::from(vec![7, most, -3]).with_data_type(tens);
    let array = StructArray::new(inner, vec![Arc::new(values)], None);
    let (_, landed, unfit) = land(&Types::default(), &field, array);
    assert_eq!(unfit.iter().map(|(row, _)| *row).collect::<Vec<_>>(), [1], "{unfit:?}");
    let landed = landed.as_struct().column(0).as_primitive::<Decimal128Type>().clone();
    assert_eq!((landed.value(0), landed.value(2)), (700, -300));
}
