use std::collections::HashMap;
use std::sync::Arc;

use arrow_array::types::Int32Type;
use arrow_array::{
    Date32Array, Decimal128Array, Int32Array, Int64Array, ListArray, MapArray, NullArray, Time32MillisecondArray,
    TimestampMillisecondArray, TimestampNanosecondArray,
};
use arrow_buffer::OffsetBuffer;

use super::*;

fn column(field: Field, array: impl Array + 'static) -> Column {
    Column { field: Arc::new(field.with_nullable(true)), array: Arc::new(array) }
}

fn typed(array: impl Array + 'static) -> Column {
    column(Field::new("value", array.data_type().clone(), true), array)
}

fn marked(mark: &str, array: impl Array + 'static) -> Column {
    let metadata = HashMap::from([(SCHEMALESS.to_owned(), mark.to_owned())]);
    column(Field::new("value", array.data_type().clone(), true).with_metadata(metadata), array)
}

fn structs(columns: &[(&str, Column)]) -> StructArray {
    let fields: Vec<Field> = columns.iter().map(|(name, column)| column.field.as_ref().clone().with_name(*name)).collect();
    let arrays = columns.iter().map(|(_, column)| column.array.clone()).collect();
    StructArray::new(fields.into(), arrays, None)
}

fn lines(column: &Column) -> Vec<String> {
    let printer = Printer::of(column).unwrap();
    let text = |row| {
        let mut out = Vec::new();
        printer.print(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..column.array.len()).map(text).collect()
}

#[test]
fn a_struct_prints_what_is_not_null() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), Some(vec![])]);
    let inner = structs(&[("x", typed(Int64Array::from(vec![Some(-1), None])))]);
    let value = structs(&[
        ("id", typed(Int32Array::from(vec![7, 8]))),
        ("name", typed(StringArray::from(vec![Some("a,b"), None]))),
        ("list", typed(list)),
        ("inner", typed(inner)),
        ("on", typed(BooleanArray::from(vec![None, Some(true)]))),
        ("raw", typed(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]))),
    ]);
    assert_eq!(
        lines(&typed(value)),
        ["Struct{id=7,name=a,b,list=[1, null],inner=Struct{x=-1},raw=AP8=}", "Struct{id=8,list=[],inner=Struct{},on=true}"]
    );
}

#[test]
fn an_object_prints_as_a_hash_map() {
    let value = structs(&[
        ("b", marked("true", Int64Array::from(vec![Some(1), None]))),
        ("a", marked("json", StringArray::from(vec![Some("[\"x\"]"), Some("null")]))),
    ]);
    assert_eq!(lines(&marked("true", value)), ["{a=[x], b=1}", "{a=null}"]);
    assert_eq!(lines(&marked("true", StructArray::new_empty_fields(2, None))), ["{}", "{}"]);
}

#[test]
fn a_map_comes_in_the_order_of_its_keys_hashes() {
    let entries = structs(&[
        ("key", typed(Int32Array::from(vec![17, 3, 1, 16]))),
        ("value", typed(StringArray::from(vec![Some("x"), None, Some("y"), Some("z")]))),
    ]);
    let fields: Vec<Field> = entries.fields().iter().map(|f| f.as_ref().clone().with_nullable(f.name() == "value")).collect();
    let entries = StructArray::new(fields.into(), entries.columns().to_vec(), None);
    let entry = Arc::new(Field::new("entries", entries.data_type().clone(), false));
    let map = MapArray::new(entry, OffsetBuffer::new(vec![0, 3, 3, 4].into()), entries, None, false);
    // 17 and 1 have one place in a table of 16.
    assert_eq!(lines(&typed(map)), ["{17=x, 1=y, 3=null}", "{}", "{16=z}"]);
}

#[test]
fn logical_types_print_as_javas_classes() {
    let day = Date32Array::from(vec![Some(20_000), None]);
    assert_eq!(lines(&typed(day)), ["Fri Oct 04 00:00:00 UTC 2024", "null"]);
    assert_eq!(lines(&typed(Time32MillisecondArray::from(vec![3_600_000]))), ["Thu Jan 01 01:00:00 UTC 1970"]);
    let stamp = TimestampMillisecondArray::from(vec![1_760_000_000_999]).with_timezone("UTC");
    assert_eq!(lines(&typed(stamp)), ["Thu Oct 09 08:53:20 UTC 2025"]);
    let decimal = Decimal128Array::from(vec![150]).with_precision_and_scale(10, 2).unwrap();
    assert_eq!(lines(&typed(decimal)), ["1.50"]);
}

#[test]
fn bytes_of_a_record_are_written_as_they_are() {
    let column = typed(BinaryArray::from(vec![Some(&b"\xff\n\x00"[..]), None]));
    let mut out = Vec::new();
    Printer::of(&column).unwrap().print(0, &mut out);
    assert_eq!(out, b"\xff\n\x00");
}

#[test]
fn tombstones_are_null() {
    assert_eq!(lines(&typed(NullArray::new(2))), ["null", "null"]);
    assert_eq!(lines(&typed(StringArray::from(vec![None, Some("")]))), ["null", ""]);
}

#[test]
fn slices_keep_their_rows() {
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1)]), None, Some(vec![Some(2), Some(3)])]);
    let value = structs(&[("list", typed(list)), ("n", typed(Int32Array::from(vec![1, 2, 3])))]);
    let column = typed(value);
    assert_eq!(lines(&column.slice(&(1..3))), ["Struct{n=2}", "Struct{list=[2, 3],n=3}"]);
}

#[test]
fn a_type_that_no_connect_value_has_is_named() {
    let column = typed(TimestampNanosecondArray::from(vec![1]));
    assert!(Printer::of(&column).unwrap_err().contains("Timestamp(ns)"));
}

fn header(column: &Column) -> Vec<String> {
    let printer = Printer::of_headers(column).unwrap();
    let text = |row| {
        let mut out = Vec::new();
        printer.print(row, &mut out);
        String::from_utf8(out).unwrap()
    };
    (0..column.array.len()).map(text).collect()
}

#[test]
fn a_header_holds_what_java_writes_into_it() {
    let strings = || StringArray::from(vec![Some("a\"b\\c\n"), None]);
    assert_eq!(header(&typed(strings())), ["a\"b\\c\n", "null"]);
    assert_eq!(header(&typed(BinaryArray::from(vec![&b"\x00\xff"[..]]))), ["AP8="]);
    let list = ListArray::from_iter_primitive::<Int32Type, _, _>([Some(vec![Some(1), None]), Some(vec![])]);
    let value = || {
        structs(&[
            ("id", typed(Int32Array::from(vec![7, 8]))),
            ("na\"me", typed(strings())),
            ("list", typed(list.clone())),
            ("raw", typed(BinaryArray::from(vec![Some(&b"\x00\xff"[..]), None]))),
            ("day", typed(Date32Array::from(vec![1, 0]))),
            ("price", typed(Decimal128Array::from(vec![-5, 100]).with_precision_and_scale(10, 2).unwrap())),
        ])
    };
    assert_eq!(
        header(&typed(value())),
        [
            r#"{"id":7,"na\"me":"a\"b\\c
","list":[1,null],"raw":"AP8=","day":1970-01-02,"price":-0.05}"#,
            r#"{"id":8,"na\"me":null,"list":[],"raw":null,"day":00:00:00.000Z,"price":1.00}"#
        ]
    );
    let object = structs(&[
        ("b", marked("true", Int64Array::from(vec![Some(1), None]))),
        ("a", marked("json", StringArray::from(vec![Some("[\"x\", {\"q\":1.50}]"), None]))),
    ]);
    assert_eq!(header(&marked("true", object)), [r#"{"a":["x",{"q":1.5}],"b":1}"#, "{}"]);
    assert_eq!(header(&marked("json", StringArray::from(vec!["\"x\"", "{\"a\":\"x\"}"]))), ["x", r#"{"a":"x"}"#]);
}
