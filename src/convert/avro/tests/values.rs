//! Random schemas and rows, as Apache's own library writes them, against what is read of them.

use std::collections::HashMap;
use std::sync::Arc;

use apache_avro::types::Value as Avro;
use apache_avro::writer::datum::GenericDatumWriter;
use apache_avro::{Decimal, Schema};
use arrow_array::cast::AsArray as _;
use arrow_array::types::{
    Date32Type, Decimal128Type, Decimal256Type, Float32Type, Float64Type, Int8Type, Int16Type, Int32Type, Int64Type,
    Time32MillisecondType, TimestampMillisecondType,
};
use arrow_array::{Array as _, ArrayRef, BinaryArray, ListArray, StringArray, StructArray};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{DataType, Field, Fields};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::super::Decode as _;
use super::{PLAIN, decoder};

/// The value of a row; bytes in hexadecimal digits, decimals as their unscaled number, maps as sorted pairs.
pub(super) fn json(array: &ArrayRef, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match array.data_type() {
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Binary => hex(array.as_binary::<i32>().value(row)).into(),
        DataType::Date32 => array.as_primitive::<Date32Type>().value(row).into(),
        DataType::Time32(_) => array.as_primitive::<Time32MillisecondType>().value(row).into(),
        DataType::Timestamp(..) => array.as_primitive::<TimestampMillisecondType>().value(row).into(),
        DataType::Decimal128(..) => array.as_primitive::<Decimal128Type>().value(row).to_string().into(),
        DataType::Decimal256(..) => array.as_primitive::<Decimal256Type>().value(row).to_string().into(),
        DataType::List(_) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|at| json(&items, at)).collect()
        }
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            let pair = |at| json!([json(entries.column(0), at), json(entries.column(1), at)]);
            let mut pairs: Vec<_> = (0..entries.len()).map(pair).collect();
            pairs.sort_by_key(Value::to_string);
            pairs.into()
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            fields.iter().zip(columns).map(|(field, column)| (field.name().clone(), json(column, row))).collect()
        }
        other => panic!("{other}"),
    }
}

/// The bits of a number, which tell also what JSON has no numbers for.
fn float(value: f64) -> Value {
    if value.is_nan() { "NaN".into() } else { value.to_bits().into() }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Headers as a fetch has them.
pub(super) fn headers(rows: &[&[(&str, &[u8])]]) -> ListArray {
    let all = || rows.iter().flat_map(|row| row.iter());
    let keys: StringArray = all().map(|(key, _)| Some(*key)).collect();
    let values: BinaryArray = all().map(|(_, value)| Some(*value)).collect();
    let fields = Fields::from(vec![Field::new("key", DataType::Utf8, false), Field::new("value", DataType::Binary, true)]);
    let entries = StructArray::new(fields.clone(), vec![Arc::new(keys), Arc::new(values)], None);
    let item = Arc::new(Field::new("item", DataType::Struct(fields), false));
    ListArray::new(item, OffsetBuffer::from_lengths(rows.iter().map(|row| row.len())), Arc::new(entries), None)
}

#[derive(Clone, Debug)]
pub(super) enum Shape {
    Boolean,
    Int,
    Long,
    Float,
    Double,
    Bytes,
    String,
    Fixed(usize),
    Enum(usize),
    Decimal(usize, usize),
    FixedDecimal,
    Date,
    Time,
    Timestamp,
    Array(Box<Shape>),
    Map(Box<Shape>),
    Record(Vec<Shape>),
    Nullable(bool, Box<Shape>),
    /// Of a boolean, a string, a record, and perhaps null.
    Union(bool, Vec<Shape>),
}

pub(super) fn shapes() -> impl Strategy<Value = Shape> {
    let leaf = prop_oneof![
        Just(Shape::Boolean),
        Just(Shape::Int),
        Just(Shape::Long),
        Just(Shape::Float),
        Just(Shape::Double),
        Just(Shape::Bytes),
        Just(Shape::String),
        (0_usize..20).prop_map(Shape::Fixed),
        (1_usize..5).prop_map(Shape::Enum),
        (1_usize..70, 0_usize..5).prop_map(|(precision, scale)| Shape::Decimal(precision.max(scale), scale)),
        Just(Shape::FixedDecimal),
        Just(Shape::Date),
        Just(Shape::Time),
        Just(Shape::Timestamp),
    ];
    leaf.prop_recursive(4, 24, 5, |inner| {
        prop_oneof![
            inner.clone().prop_map(|shape| Shape::Array(Box::new(shape))),
            inner.clone().prop_map(|shape| Shape::Map(Box::new(shape))),
            prop::collection::vec(inner.clone(), 0..5).prop_map(Shape::Record),
            (any::<bool>(), inner.clone()).prop_map(|(first, shape)| match shape {
                Shape::Nullable(..) | Shape::Union(..) => shape,
                shape => Shape::Nullable(first, Box::new(shape)),
            }),
            (any::<bool>(), prop::collection::vec(inner, 0..4)).prop_map(|(null, fields)| Shape::Union(null, fields)),
        ]
    })
}

impl Shape {
    /// The schema; `names` counts the names that are taken.
    fn schema(&self, names: &mut usize) -> Value {
        let mut name = || {
            *names += 1;
            format!("N{names}")
        };
        match self {
            Self::Boolean => "boolean".into(),
            Self::Int => "int".into(),
            Self::Long => "long".into(),
            Self::Float => "float".into(),
            Self::Double => "double".into(),
            Self::Bytes => "bytes".into(),
            Self::String => "string".into(),
            Self::Fixed(size) => json!({"type": "fixed", "name": name(), "size": size}),
            Self::Enum(symbols) => {
                json!({"type": "enum", "name": name(), "symbols": (0..*symbols).map(|at| format!("S{at}")).collect::<Vec<_>>()})
            }
            Self::Decimal(precision, scale) => {
                json!({"type": "bytes", "logicalType": "decimal", "precision": precision, "scale": scale})
            }
            Self::FixedDecimal => {
                let fixed =
                    json!({"type": "fixed", "name": name(), "size": 9, "logicalType": "decimal", "precision": 20, "scale": 3});
                fixed
            }
            Self::Date => json!({"type": "int", "logicalType": "date"}),
            Self::Time => json!({"type": "int", "logicalType": "time-millis"}),
            Self::Timestamp => json!({"type": "long", "logicalType": "timestamp-millis"}),
            Self::Array(items) => json!({"type": "array", "items": items.schema(names)}),
            Self::Map(values) => json!({"type": "map", "values": values.schema(names)}),
            Self::Record(fields) => {
                let name = name();
                let fields: Vec<_> =
                    fields.iter().enumerate().map(|(at, f)| json!({"name": format!("f{at}"), "type": f.schema(names)})).collect();
                json!({"type": "record", "name": name, "fields": fields})
            }
            Self::Nullable(true, shape) => json!(["null", shape.schema(names)]),
            Self::Nullable(false, shape) => json!([shape.schema(names), "null"]),
            Self::Union(null, fields) => {
                let record = Self::Record(fields.clone()).schema(names);
                if *null { json!(["boolean", "null", "string", record]) } else { json!(["boolean", "string", record]) }
            }
        }
    }

    /// A value for Apache's library, and what it is to be read as. `names` counts as for the schema.
    fn value(&self, random: &mut Random, names: &mut usize) -> (Avro, Value) {
        match self {
            Self::Boolean => {
                let value = random.below(2) == 0;
                (Avro::Boolean(value), value.into())
            }
            Self::Int => {
                let value = random.number() as i32;
                (Avro::Int(value), value.into())
            }
            Self::Long => {
                let value = random.number();
                (Avro::Long(value), value.into())
            }
            Self::Float => {
                let value = random.number() as f32;
                (Avro::Float(value), float(value.into()))
            }
            Self::Double => {
                let value = f64::from_bits(random.next());
                (Avro::Double(value), float(value))
            }
            Self::Bytes => {
                let bytes = random.bytes(20);
                (Avro::Bytes(bytes.clone()), hex(&bytes).into())
            }
            Self::String => {
                let text = random.text();
                (Avro::String(text.clone()), text.into())
            }
            Self::Fixed(size) => {
                *names += 1;
                let bytes: Vec<_> = (0..*size).map(|_| random.next() as u8).collect();
                (Avro::Fixed(*size, bytes.clone()), hex(&bytes).into())
            }
            Self::Enum(symbols) => {
                *names += 1;
                let at = random.below(*symbols as u64);
                (Avro::Enum(at as u32, format!("S{at}")), format!("S{at}").into())
            }
            Self::Decimal(precision, _) => {
                let digits = (1 + random.below(*precision as u64) as u32).min(18);
                let value = random.number() % 10_i64.pow(digits);
                (Avro::Decimal(Decimal::from(value.to_be_bytes())), value.to_string().into())
            }
            Self::FixedDecimal => {
                *names += 1;
                let value = random.number();
                (Avro::Decimal(Decimal::from(i128::from(value).to_be_bytes()[7..].to_vec())), value.to_string().into())
            }
            Self::Date => {
                let value = random.number() as i32;
                (Avro::Date(value), value.into())
            }
            Self::Time => {
                let value = random.below(86_400_000) as i32;
                (Avro::TimeMillis(value), value.into())
            }
            Self::Timestamp => {
                let value = random.number();
                (Avro::TimestampMillis(value), value.into())
            }
            Self::Array(items) => {
                let begun = *names;
                let mut last = begun + items.names();
                let each = (0..random.below(5)).map(|_| {
                    last = begun;
                    items.value(random, &mut last)
                });
                let (avro, json): (Vec<_>, Vec<_>) = each.collect();
                *names = begun + items.names();
                (Avro::Array(avro), json.into())
            }
            Self::Map(values) => {
                let begun = *names;
                let count = random.below(4);
                let mut entries = HashMap::new();
                let mut pairs = Vec::new();
                for at in 0..count {
                    let (key, (avro, json)) = (format!("{at}{}", random.text()), values.value(random, &mut begun.clone()));
                    pairs.push(json!([key, json]));
                    entries.insert(key, avro);
                }
                pairs.sort_by_key(Value::to_string);
                *names = begun + values.names();
                (Avro::Map(entries), pairs.into())
            }
            Self::Record(fields) => {
                *names += 1;
                let (mut avro, mut json) = (Vec::new(), Map::new());
                for (at, field) in fields.iter().enumerate() {
                    let (value, read) = field.value(random, names);
                    avro.push((format!("f{at}"), value));
                    json.insert(format!("f{at}"), read);
                }
                (Avro::Record(avro), json.into())
            }
            Self::Nullable(first, shape) => {
                let (value, json) = shape.value(random, names);
                let null = u32::from(!*first);
                if random.below(3) == 0 {
                    (Avro::Union(null, Box::new(Avro::Null)), Value::Null)
                } else {
                    (Avro::Union(1 - null, Box::new(value)), json)
                }
            }
            Self::Union(null, fields) => {
                let record = format!("N{}", *names + 1);
                let (value, read) = Self::Record(fields.clone()).value(random, names);
                let mut json = json!({"boolean": null, "string": null, record.clone(): null});
                let after = u32::from(*null);
                match random.below(3 + u64::from(*null)) {
                    0 => {
                        json["boolean"] = true.into();
                        (Avro::Union(0, Box::new(Avro::Boolean(true))), json)
                    }
                    1 => {
                        json["string"] = "s".into();
                        (Avro::Union(1 + after, Box::new(Avro::String("s".into()))), json)
                    }
                    2 => {
                        json[record] = read;
                        (Avro::Union(2 + after, Box::new(value)), json)
                    }
                    _ => (Avro::Union(1, Box::new(Avro::Null)), Value::Null),
                }
            }
        }
    }

    /// How many names its schema takes.
    fn names(&self) -> usize {
        let mut names = 0;
        self.schema(&mut names);
        names
    }
}

/// The schema of a record with these fields, and a value.
pub(super) fn record(fields: &[Shape], random: &mut Random) -> (String, Avro) {
    let shape = Shape::Record(fields.to_vec());
    (shape.schema(&mut 0).to_string(), shape.value(random, &mut 0).0)
}

/// A generator of numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    fn below(&mut self, n: u64) -> u64 {
        self.next() % n
    }

    /// A number of any magnitude.
    fn number(&mut self) -> i64 {
        let shift = self.below(64);
        self.next() as i64 >> shift
    }

    fn bytes(&mut self, most: u64) -> Vec<u8> {
        (0..self.below(most)).map(|_| self.next() as u8).collect()
    }

    fn text(&mut self) -> String {
        let letters = ["", "a", "são", "🙂", "leave at the door", "\u{0}"];
        (0..self.below(4)).map(|_| letters[self.below(6) as usize]).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn what_apaches_library_writes_is_read(fields in prop::collection::vec(shapes(), 1..5), seed: u64, rows in 1_usize..8) {
        let shape = Shape::Record(fields);
        let text = shape.schema(&mut 0).to_string();
        let schema = Schema::parse_str(&text).expect("a schema");
        let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
        let mut random = Random(seed);
        let mut decoder = decoder(&text, PLAIN).expect("a decoder");
        for _ in 0..2 {
            let (mut payloads, mut expected) = (Vec::new(), Vec::new());
            for _ in 0..rows {
                let (value, json) = shape.value(&mut random, &mut 0);
                payloads.push(writer.write_value_to_vec(value).expect("encoded"));
                expected.push(json);
            }
            let payloads: Vec<_> = payloads.iter().map(|payload| Some(&payload[..])).chain([None]).collect();
            let runs = decoder.decode(&payloads);
            prop_assert_eq!(runs.len(), 1, "{:?}", runs[0].column.as_ref().err());
            let column = runs[0].column.as_ref().expect("decoded");
            expected.push(Value::Null);
            let found: Vec<_> = (0..payloads.len()).map(|row| json(&column.array, row)).collect();
            prop_assert_eq!(&found, &expected, "{}", text);
        }
    }

    #[test]
    fn any_bytes_are_read_or_refused(
        fields in prop::collection::vec(shapes(), 1..4), seed: u64, cuts in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
    ) {
        let shape = Shape::Record(fields);
        let text = shape.schema(&mut 0).to_string();
        let schema = Schema::parse_str(&text).expect("a schema");
        let writer = GenericDatumWriter::builder(&schema).build().expect("a writer");
        let good = writer.write_value_to_vec(shape.value(&mut Random(seed), &mut 0).0).expect("encoded");
        let mut decoder = decoder(&text, PLAIN).expect("a decoder");
        let changed = |(at, byte): (prop::sample::Index, u8)| {
            let mut bytes = good.clone();
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
                bytes.truncate(if byte % 4 == 0 { at } else { bytes.len() });
            }
            bytes
        };
        let mut payloads: Vec<_> = cuts.into_iter().map(changed).collect();
        payloads.push(good.clone());
        let payloads: Vec<_> = payloads.iter().map(|payload| Some(&payload[..])).collect();
        let runs = decoder.decode(&payloads);
        prop_assert_eq!(runs.iter().map(|run| run.rows.len()).sum::<usize>(), payloads.len());
        prop_assert!(runs.last().expect("a run").column.is_ok());
    }

    #[test]
    fn any_text_is_a_schema_or_none(text in "[\\[\\]{}\",:a-z0-9 ]{0,40}") {
        let _ = decoder(&text, PLAIN);
    }
}
