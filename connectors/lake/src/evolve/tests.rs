use std::collections::HashMap;

use arrow_array::cast::AsArray as _;
use arrow_array::types::{Float64Type, Int64Type};
use arrow_array::{
    Array, ArrayRef, Decimal128Array, Float32Array, Int8Array, Int32Array, Int64Array, ListArray, NullArray, StringArray,
    StructArray,
};
use arrow_schema::{Fields, TimeUnit};
use landfall_api::Column;
use landfall_api::schema::{DEFAULT, JSON, LOGICAL, SCHEMALESS};

use super::*;

mod properties;

/// A field with metadata, as `connect.<key>`.
fn of(field: Field, metadata: &[(&str, &str)]) -> Field {
    let metadata: HashMap<String, String> =
        metadata.iter().map(|(key, value)| (format!("connect.{key}"), (*value).into())).collect();
    field.with_metadata(metadata)
}

fn required(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, false)
}

fn optional(name: &str, data_type: DataType) -> Field {
    Field::new(name, data_type, true)
}

fn record(fields: impl IntoIterator<Item = Field>) -> Field {
    required("", DataType::Struct(fields.into_iter().collect::<Vec<_>>().into()))
}

/// What becomes of a file of `file` when rows of `rows` come, in a word.
fn word(rule: Rule, rows: &Field, file: &Field) -> &'static str {
    match next(rule, &Arc::new(file.clone()), &Arc::new(rows.clone())) {
        Ok(Next::Same) => "same",
        Ok(Next::Project(_)) => "project",
        Ok(Next::Widen(_)) => "widen",
        Ok(Next::Rotate) => "rotate",
        Err(_) => "error",
    }
}

/// The cases of `StorageSchemaCompatibilityTest` (storage-common 12.0) and what `StorageSchemaCompatibility.check` says of them: the
/// rows' schema, the file's, and what NONE, BACKWARD, FORWARD and FULL do.
#[test]
fn compatibility_is_that_of_confluents_sinks() {
    let int = |name: &str, version: &str| of(required("", DataType::Int32), &[("name", name), ("version", version)]);
    let (a, newer, older) = (int("a", "2"), int("a", "3"), int("a", "1"));
    let with = |extra: &[(&str, &str)]| of(required("", DataType::Int32), &[&[("name", "a"), ("version", "2")], extra].concat());
    let nullable = |field: &Field| field.clone().with_nullable(true);
    let retyped = of(required("", DataType::Utf8), &[("name", "a"), ("version", "2")]);
    let long = of(required("", DataType::Int64), &[("name", "a"), ("version", "2")]);
    let float = of(required("", DataType::Float32), &[("name", "a"), ("version", "2")]);
    let date = of(required("", DataType::Date32), &[("name", "a"), ("version", "2")]);
    let version = |version: &str, fields: &[Field]| of(record(fields.to_vec()), &[("name", "b"), ("version", version)]);
    let one = || required("x", DataType::Int64);
    let b = version("2", &[one()]);
    let extra_required = version("2", &[one(), required("y", DataType::Utf8)]);
    let extra_optional = version("2", &[one(), optional("y", DataType::Utf8)]);
    let extra_default = version("2", &[one(), of(required("y", DataType::Utf8), &[("default", "\"d\"")])]);
    let symbols = |more: &[&str]| {
        let all = [("parameter.io.confluent.connect.avro.Enum", "e"), ("parameter.io.confluent.connect.avro.Enum.RED", "RED")];
        let more: Vec<_> = more.iter().map(|name| (format!("parameter.io.confluent.connect.avro.Enum.{name}"), *name)).collect();
        let all: Vec<_> = all.into_iter().chain(more.iter().map(|(key, name)| (key.as_str(), *name))).collect();
        of(required("colour", DataType::Utf8), &all)
    };
    let enums = |more: &[&str]| version("2", &[symbols(more)]);
    let in_list = |more: &[&str]| version("2", &[required("l", DataType::List(Arc::new(symbols(more))))]);
    for (what, rows, file, words) in [
        ("the same", &a, &a, "same same same same"),
        ("newer", &newer, &a, "rotate rotate project rotate"),
        ("older", &older, &a, "rotate project rotate project"),
        ("of ten and of nine", &int("a", "10"), &int("a", "9"), "rotate rotate project rotate"),
        ("renamed", &int("z", "2"), &a, "rotate rotate rotate rotate"),
        ("retyped", &retyped, &a, "rotate rotate rotate rotate"),
        ("promoted", &a, &long, "rotate project project project"),
        ("promoted, with loss", &long, &float, "rotate project project project"),
        ("demoted", &long, &a, "rotate rotate rotate rotate"),
        ("a logical type in the file only", &with(&[]), &date, "rotate rotate rotate rotate"),
        ("another parameter", &with(&[("parameter.p", "1")]), &a, "rotate rotate rotate rotate"),
        ("a parameter that documents", &with(&[("parameter.connect.record.doc", "d")]), &a, "rotate project project project"),
        (
            "one that documents a field",
            &a,
            &with(&[("parameter.io.confluent.connect.avro.field.doc.x", "d")]),
            "rotate project project project",
        ),
        ("documented", &with(&[("doc", "d")]), &a, "rotate project project project"),
        ("required for optional", &a, &nullable(&a), "rotate project project project"),
        ("optional for required", &nullable(&a), &a, "rotate rotate rotate rotate"),
        ("optional for required with a default", &nullable(&a), &with(&[("default", "0")]), "rotate project project project"),
        ("without a version", &of(required("", DataType::Int32), &[("name", "a")]), &a, "rotate error error error"),
        ("for one without a version", &a, &of(required("", DataType::Int32), &[("name", "a")]), "rotate error error error"),
        ("a field less, required", &b, &extra_required, "rotate rotate rotate rotate"),
        ("a field less, optional", &b, &extra_optional, "rotate project project project"),
        ("a field less, with a default", &b, &extra_default, "rotate project project project"),
        ("a field more", &extra_required, &b, "rotate project project project"),
        ("a symbol more", &enums(&["BLUE"]), &enums(&[]), "rotate rotate rotate rotate"),
        ("a symbol less", &enums(&[]), &enums(&["BLUE"]), "rotate project project project"),
        ("a symbol more in a list", &in_list(&["BLUE"]), &in_list(&[]), "rotate rotate rotate rotate"),
        ("a symbol less in a list", &in_list(&[]), &in_list(&["BLUE"]), "rotate project project project"),
    ] {
        let found = [Rule::None, Rule::Backward, Rule::Forward, Rule::Full].map(|rule| word(rule, rows, file));
        assert_eq!(found.join(" "), words, "{what}");
    }
    let error = next(Rule::Full, &Arc::new(a.clone()), &Arc::new(required("", DataType::Int32))).expect_err("no version");
    let text = "org.apache.kafka.connect.errors.SchemaProjectorException: Schema version required for FULL compatibility";
    assert_eq!(error.to_string(), text);
}

fn schemaless(field: Field) -> Field {
    field.with_metadata(HashMap::from([(SCHEMALESS.to_owned(), "true".to_owned())]))
}

#[test]
fn values_with_and_without_a_schema_do_not_mix_but_where_files_grow() {
    let (with, without) = (record([one()]), schemaless(record([one()])));
    let tombstone = optional("", DataType::Null);
    for rule in [Rule::None, Rule::Backward, Rule::Forward, Rule::Full] {
        assert_eq!([word(rule, &with, &without), word(rule, &without, &with), word(rule, &tombstone, &with)], ["rotate"; 3]);
        // Java has no schema to compare.
        assert_eq!(word(rule, &schemaless(record([one(), optional("y", DataType::Utf8)])), &without), "widen");
        assert_eq!(word(rule, &tombstone, &without), "widen");
        assert_eq!(word(rule, &tombstone, &without.clone().with_nullable(true)), "project");
    }
    let widen = [(&with, &without, "project"), (&tombstone, &with, "widen"), (&with, &tombstone, "widen")];
    for (rows, file, expected) in widen {
        assert_eq!(word(Rule::Widen, rows, file), expected);
    }
    let mut evolution = Evolution::new(Rule::Forward, None);
    let (file, rows) = (Arc::new(with), Arc::new(without));
    assert_eq!(evolution.take(Some(&file), &rows).map(|take| take.fits(true)), Ok(Fits::Never));
}

fn one() -> Field {
    required("x", DataType::Int64)
}

/// The union of two types of the field `x`: its type, or why there is none.
fn union_of(file: Field, rows: Field) -> Option<(DataType, bool)> {
    let (file, rows) = (Arc::new(record([file])), Arc::new(record([rows])));
    let united = match next(Rule::Widen, &file, &rows).expect("no version is needed") {
        Next::Same => file,
        Next::Project(united) | Next::Widen(united) => united,
        Next::Rotate => return None,
    };
    let DataType::Struct(fields) = united.data_type() else { panic!("a struct") };
    Some((fields[0].data_type().clone(), fields[0].is_nullable()))
}

#[test]
fn a_column_grows_to_what_holds_the_values_of_both_exactly() {
    use DataType as T;
    let utc = || T::Timestamp(TimeUnit::Millisecond, Some("UTC".into()));
    for (a, b, both) in [
        (T::Int8, T::Int16, Some(T::Int16)),
        (T::Int32, T::Int64, Some(T::Int64)),
        (T::Float32, T::Float64, Some(T::Float64)),
        (T::Int8, T::Float32, Some(T::Float64)),
        (T::Int32, T::Float64, Some(T::Float64)),
        (T::Int64, T::Float64, None),
        (T::Int64, T::Float32, None),
        (T::Utf8, T::Utf8, Some(T::Utf8)),
        (T::Utf8, T::Int32, None),
        (T::Utf8, T::Binary, None),
        (T::Boolean, T::Int8, None),
        (T::Int32, T::Date32, None),
        (T::Int64, utc(), None),
        (utc(), utc(), Some(utc())),
        (T::Decimal128(10, 2), T::Decimal128(12, 2), Some(T::Decimal128(12, 2))),
        (T::Decimal128(10, 2), T::Decimal128(10, 3), None),
        (T::Decimal256(40, 2), T::Decimal256(50, 2), Some(T::Decimal256(50, 2))),
    ] {
        for (a, b) in [(&a, &b), (&b, &a)] {
            let union = both.clone().map(|both| (both, false));
            assert_eq!(union_of(required("x", a.clone()), required("x", b.clone())), union, "{a} and {b}");
            let union = both.clone().map(|both| (both, true));
            assert_eq!(union_of(required("x", a.clone()), optional("x", b.clone())), union, "{a} and {b} or null");
        }
    }
    let null = || optional("x", T::Null);
    assert_eq!(union_of(null(), required("x", T::Utf8)), Some((T::Utf8, true)));
    assert_eq!(union_of(required("x", T::Utf8), null()), Some((T::Utf8, true)));
}

#[test]
fn values_that_mean_something_else_do_not_go_to_one_column() {
    let named = |data_type: DataType, name: &str| of(required("x", data_type), &[("name", name)]);
    let micros = || named(DataType::Int64, "io.debezium.time.MicroTimestamp");
    let text = || required("x", DataType::Utf8);
    let avro = |name: &str| one().with_metadata(HashMap::from([(LOGICAL.to_owned(), name.to_owned())]));
    let json = text().with_metadata(HashMap::from([(SCHEMALESS.to_owned(), JSON.to_owned())]));
    for (a, b) in [
        (micros(), named(DataType::Int64, "io.debezium.time.Timestamp")),
        (micros(), one()),
        (named(DataType::Utf8, "io.debezium.data.Json"), text()),
        (avro("timestamp-micros"), avro("timestamp-nanos")),
        (json, text()),
        (named(DataType::Int32, "io.debezium.time.Date"), one()),
    ] {
        assert_eq!((union_of(a.clone(), b.clone()), union_of(b.clone(), a.clone())), (None, None), "{a} and {b}");
    }
    let int64 = Some((DataType::Int64, false));
    assert_eq!(union_of(micros(), micros()), int64);
    // Names that say nothing of the values.
    assert_eq!(union_of(named(DataType::Int64, "com.acme.Id"), named(DataType::Int32, "com.acme.Number")), int64);
}

#[test]
fn a_file_grows_by_the_fields_of_both_at_every_depth() {
    let item = |fields: Vec<Field>| optional("item", DataType::Struct(fields.into()));
    let entries = |value: Field| {
        let parts = vec![required("key", DataType::Utf8), value];
        DataType::Map(Arc::new(required("entries", DataType::Struct(parts.into()))), false)
    };
    let value = |data_type: DataType| required("value", data_type);
    let file = of(
        record([
            required("id", DataType::Int32),
            of(required("old", DataType::Utf8), &[("default", "\"d\"")]),
            required("list", DataType::List(Arc::new(item(vec![required("a", DataType::Int8)])))),
            required("map", entries(value(DataType::Int8))),
        ]),
        &[("name", "v1"), ("version", "1"), ("default", "{}")],
    );
    let rows = of(
        record([
            required("new", DataType::Struct(vec![of(required("n", DataType::Int64), &[("default", "1")])].into())),
            required("id", DataType::Int64),
            required("list", DataType::List(Arc::new(item(vec![required("b", DataType::Utf8), required("a", DataType::Int16)])))),
            required("map", entries(value(DataType::Int16))),
        ]),
        &[("name", "v2"), ("version", "2")],
    );
    let union = of(
        record([
            required("id", DataType::Int64),
            optional("old", DataType::Utf8),
            required("list", DataType::List(Arc::new(item(vec![required("a", DataType::Int16), optional("b", DataType::Utf8)])))),
            required("map", entries(value(DataType::Int16))),
            optional("new", DataType::Struct(vec![required("n", DataType::Int64)].into())),
        ]),
        &[("name", "v1"), ("version", "1")],
    );
    let (file, rows, union) = (Arc::new(file), Arc::new(rows), Arc::new(union));
    assert_eq!(next(Rule::Widen, &file, &rows), Ok(Next::Widen(union.clone())));
    for version in [&file, &rows] {
        assert_eq!(next(Rule::Widen, &union, version), Ok(Next::Project(union.clone())), "the union holds both");
    }
    assert_eq!(next(Rule::Widen, &union, &union), Ok(Next::Same));
}

fn column(fields: Vec<(Field, ArrayRef)>) -> Column {
    let (fields, arrays): (Vec<Field>, Vec<ArrayRef>) = fields.into_iter().unzip();
    let fields = Fields::from(fields);
    Column {
        field: Arc::new(required("", DataType::Struct(fields.clone()))),
        array: Arc::new(StructArray::new(fields, arrays, None)),
    }
}

#[test]
fn older_rows_are_projected_up_and_newer_ones_down() {
    let rows = column(vec![
        (required("gone", DataType::Utf8), Arc::new(StringArray::from(vec!["g", "h"]))),
        (required("n", DataType::Int8), Arc::new(Int8Array::from(vec![1, -2]))),
        (optional("filled", DataType::Int64), Arc::new(Int64Array::from(vec![None, Some(5)]))),
        (required("lossy", DataType::Int64), Arc::new(Int64Array::from(vec![1 << 24 | 1, 3]))),
    ]);
    let file = Arc::new(of(
        record([
            required("n", DataType::Int64),
            of(required("filled", DataType::Int64), &[("default", "7")]),
            of(required("missing", DataType::Utf8), &[("default", "\"d\"")]),
            of(optional("also", DataType::Int32), &[("default", "8")]),
            optional("none", DataType::Boolean),
            required("lossy", DataType::Float32),
        ]),
        &[("version", "2")],
    ));
    let found = project(&rows, &file).expect("there is a way");
    assert_eq!((found.field.as_ref(), found.array.data_type()), (file.as_ref(), file.data_type()));
    let expected: [ArrayRef; 6] = [
        Arc::new(Int64Array::from(vec![1, -2])),
        Arc::new(Int64Array::from(vec![7, 5])),
        Arc::new(StringArray::from(vec!["d", "d"])),
        Arc::new(Int32Array::from(vec![8, 8])),
        arrow_array::new_null_array(&DataType::Boolean, 2),
        // As Java's `Number.floatValue`.
        Arc::new(Float32Array::from(vec![16_777_216.0, 3.0])),
    ];
    assert_eq!(found.array.as_struct().columns(), expected);
}

#[test]
fn rows_that_do_not_fit_are_refused_as_java_refuses_them() {
    let rows = column(vec![(optional("a", DataType::Utf8), Arc::new(StringArray::from(vec![Some("x"), None])))]);
    for (file, why) in [
        (
            required("a", DataType::Utf8),
            "Error projecting a: Writer schema is optional, however, target schema does not provide a default value.",
        ),
        (required("a", DataType::Int32), "Error projecting a: Schema type mismatch. source type: STRING and target type: INT32"),
        (required("b", DataType::Utf8), "Error projecting b: Required field `b` is missing from source schema"),
    ] {
        let refused = project(&rows, &Arc::new(record([file]))).expect_err("there is no way");
        let class = "org.apache.kafka.connect.errors.SchemaProjectorException";
        let error = RecordError { class, message: why.to_owned() };
        assert_eq!(refused, [(0, error.clone()), (1, error)]);
    }
}

#[test]
fn what_is_below_a_null_is_not_there() {
    let inner = Fields::from(vec![optional("a", DataType::Int32)]);
    let nulls = Some(vec![true, false, false].into());
    let array = StructArray::new(inner.clone(), vec![Arc::new(Int32Array::from(vec![Some(1), None, Some(3)]))], nulls);
    let rows = column(vec![(optional("s", DataType::Struct(inner)), Arc::new(array))]);
    let file = |a| Arc::new(record([optional("s", DataType::Struct(vec![a].into()))]));
    let found = project(&rows, &file(required("a", DataType::Int64))).expect("the null is below one");
    let inner = found.array.as_struct().column(0).as_struct();
    assert_eq!((inner.null_count(), inner.column(0).as_primitive::<Int64Type>().value(0)), (2, 1));
}

#[test]
fn parts_of_lists_are_projected_alone() {
    let item = Arc::new(optional("item", DataType::Int8));
    let lists = ListArray::from_iter_primitive::<arrow_array::types::Int8Type, _, _>([
        Some(vec![Some(1)]),
        Some(vec![Some(2), None]),
        None,
        Some(vec![Some(3)]),
    ]);
    let (_, offsets, values, nulls) = lists.into_parts();
    let lists = ListArray::new(item.clone(), offsets, values, nulls).slice(1, 2);
    let rows = column(vec![(optional("l", DataType::List(item)), Arc::new(lists))]);
    let to = Arc::new(record([optional("l", DataType::List(Arc::new(optional("item", DataType::Float64))))]));
    let found = project(&rows, &to).expect("there is a way");
    let lists = found.array.as_struct().column(0).as_list::<i32>();
    assert_eq!((lists.len(), lists.values().len(), lists.is_null(1)), (2, 2, true));
    assert_eq!(lists.value(0).as_primitive::<Float64Type>().iter().collect::<Vec<_>>(), [Some(2.0), None]);
}

#[test]
fn nulls_and_decimals_fit_what_holds_more() {
    let decimals = Decimal128Array::from(vec![123]).with_precision_and_scale(5, 2).expect("a decimal");
    let rows = column(vec![
        (optional("n", DataType::Null), Arc::new(NullArray::new(1))),
        (optional("t", DataType::Utf8), Arc::new(StringArray::from(vec![None::<&str>]))),
        (required("d", DataType::Decimal128(5, 2)), Arc::new(decimals)),
    ]);
    let to = Arc::new(record([
        optional("n", DataType::Struct(vec![one()].into())),
        optional("t", DataType::Int64),
        required("d", DataType::Decimal128(9, 2)),
    ]));
    let found = project(&rows, &to).expect("there is a way");
    let columns = found.array.as_struct();
    assert_eq!((columns.column(0).null_count(), columns.column(1).null_count()), (1, 1));
    assert_eq!(columns.column(2).as_primitive::<arrow_array::types::Decimal128Type>().value(0), 123);
}

#[test]
fn a_partition_remembers_what_its_files_knew() {
    let v1 = Arc::new(record([one()]));
    let v2 = Arc::new(record([one(), of(required("y", DataType::Utf8), &[("default", "\"d\"")])]));
    let v3 = Arc::new(record([required("x", DataType::Utf8)]));
    let both = Arc::new(record([one(), optional("y", DataType::Utf8)]));
    let mut evolution = Evolution::new(Rule::Widen, None);
    assert_eq!(evolution.take(None, &v1), Ok(Take::In(v1.clone())));
    assert_eq!(evolution.take(Some(&v1), &v2), Ok(Take::Grow(both.clone())));
    assert_eq!(evolution.take(Some(&both), &v1), Ok(Take::In(both.clone())));
    // Another folder's file is as it was begun, and new ones begin with all that is known.
    assert_eq!(evolution.take(Some(&v1), &v1), Ok(Take::In(v1.clone())));
    assert_eq!(evolution.take(None, &v1), Ok(Take::In(both.clone())));
    assert_eq!(Evolution::new(Rule::Widen, evolution.known().cloned()).take(None, &v1), Ok(Take::In(both.clone())));
    // What clashes is as it comes, and nothing else is forgotten.
    let renewed = Arc::new(record([required("x", DataType::Utf8), optional("y", DataType::Utf8)]));
    assert_eq!(evolution.take(Some(&both), &v3), Ok(Take::End(renewed.clone(), Fits::No)));
    assert_eq!(next(Rule::Widen, &renewed, &v3), Ok(Next::Project(renewed)));
    let plain = Arc::new(required("", DataType::Utf8));
    assert_eq!(evolution.take(Some(&both), &plain), Ok(Take::End(plain, Fits::No)));
    // A file that is left behind takes what fits it, and what does not ends it once for all that is known.
    let (x, z) = (required("x", DataType::Int64), required("z", DataType::Int8));
    let mut evolution = Evolution::new(Rule::Widen, Some(Arc::new(record([x.clone(), optional("y", DataType::Utf8)]))));
    let grown = Arc::new(record([x, optional("y", DataType::Utf8), optional("z", DataType::Int8)]));
    let v4 = Arc::new(record([one(), z]));
    assert_eq!(evolution.take(Some(&v1), &v4), Ok(Take::Grow(grown.clone())));
    let known = evolution.known().cloned().expect("some");
    assert!(evolution.take(None, &v4).is_ok_and(|take| Arc::ptr_eq(&known, take.field())));
    // Nothing grows where compatibility says what happens.
    let mut evolution = Evolution::new(Rule::None, Some(both));
    assert_eq!(evolution.take(None, &v1), Ok(Take::In(v1.clone())));
    assert_eq!(evolution.take(Some(&v1), &v2), Ok(Take::End(v2.clone(), Fits::No)));
    assert_eq!(v2.metadata().get(DEFAULT), None);
}
