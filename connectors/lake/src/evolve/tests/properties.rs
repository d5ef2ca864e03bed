//! Random versions of one schema in any order: nothing is lost, and files end at most once for each version but the first.

use arrow_array::types::{Float32Type, Int8Type, Int16Type, Int32Type};
use arrow_array::{BooleanArray, MapArray, PrimitiveArray, RecordBatch};
use arrow_buffer::{NullBuffer, OffsetBuffer};
use arrow_schema::Schema;
use proptest::prelude::*;
use serde_json::{Map, Number, Value};

use super::*;

/// Random numbers.
struct Random(u64);

impl Random {
    fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % n
    }

    fn one_in(&mut self, n: u64) -> bool {
        self.below(n) == 0
    }
}

/// What all versions of a column have in common.
#[derive(Debug)]
enum Kind {
    /// Whole numbers of any size.
    Whole,
    /// Small whole numbers, or fractional ones.
    Number,
    Text,
    Flag,
    Struct(Vec<Kind>),
    List(Box<Kind>),
    Map(Box<Kind>),
}

fn kind(random: &mut Random, depth: u64) -> Kind {
    match random.below(if depth == 0 { 4 } else { 7 }) {
        0 => Kind::Whole,
        1 => Kind::Number,
        2 => Kind::Text,
        3 => Kind::Flag,
        4 => Kind::Struct((0..1 + random.below(4)).map(|_| kind(random, depth - 1)).collect()),
        5 => Kind::List(Box::new(kind(random, depth - 1))),
        _ => Kind::Map(Box::new(kind(random, depth - 1))),
    }
}

/// A version of a column.
fn version(random: &mut Random, kind: &Kind, name: &str) -> Field {
    use DataType as T;
    let data_type = match kind {
        _ if random.one_in(12) => T::Null,
        Kind::Whole => [T::Int8, T::Int16, T::Int32, T::Int64][random.below(4) as usize].clone(),
        Kind::Number => [T::Int8, T::Int16, T::Int32, T::Float32, T::Float64][random.below(5) as usize].clone(),
        Kind::Text => T::Utf8,
        Kind::Flag => T::Boolean,
        Kind::Struct(kinds) => T::Struct(fields(random, kinds)),
        Kind::List(kind) => T::List(Arc::new(version(random, kind, "item"))),
        Kind::Map(kind) => {
            let value = version(random, kind, "value");
            let entries = T::Struct(vec![required("key", T::Utf8), value].into());
            T::Map(Arc::new(required("entries", entries)), false)
        }
    };
    let nullable = data_type == T::Null || random.one_in(2);
    let is_whole = matches!(data_type, T::Int8 | T::Int16 | T::Int32 | T::Int64);
    let field = Field::new(name, data_type, nullable);
    if is_whole && random.one_in(3) { of(field, &[("default", "7")]) } else { field }
}

fn fields(random: &mut Random, kinds: &[Kind]) -> Fields {
    let mut all: Vec<Field> = Vec::new();
    for (n, kind) in kinds.iter().enumerate() {
        if !random.one_in(3) {
            let at = random.below(all.len() as u64 + 1) as usize;
            all.insert(at, version(random, kind, &format!("f{n}")));
        }
    }
    all.into()
}

fn values(random: &mut Random, field: &Field, rows: usize) -> ArrayRef {
    fn primitive<T: arrow_array::types::ArrowPrimitiveType>(
        nulls: Option<NullBuffer>,
        rows: usize,
        mut value: impl FnMut() -> T::Native,
    ) -> ArrayRef {
        let values: Vec<T::Native> = (0..rows).map(|_| value()).collect();
        Arc::new(PrimitiveArray::<T>::new(values.into(), nulls))
    }
    let nulls = field.is_nullable().then(|| (0..rows).map(|_| !random.one_in(4)).collect::<NullBuffer>());
    let number = |random: &mut Random| (random.below(1 << 31) as i64 - (1 << 30)) << random.below(30);
    match field.data_type() {
        DataType::Null => Arc::new(NullArray::new(rows)),
        DataType::Int8 => primitive::<Int8Type>(nulls, rows, || number(random) as i8),
        DataType::Int16 => primitive::<Int16Type>(nulls, rows, || number(random) as i16),
        DataType::Int32 => primitive::<Int32Type>(nulls, rows, || number(random) as i32),
        DataType::Int64 => primitive::<Int64Type>(nulls, rows, || number(random)),
        DataType::Float32 => primitive::<Float32Type>(nulls, rows, || number(random) as f32 / 3.0),
        DataType::Float64 => primitive::<Float64Type>(nulls, rows, || number(random) as f64 / 3.0),
        DataType::Boolean => Arc::new(BooleanArray::new((0..rows).map(|_| random.one_in(2)).collect(), nulls)),
        DataType::Utf8 => {
            let text: Vec<String> = (0..rows).map(|_| random.below(1000).to_string()).collect();
            let (offsets, bytes, _) = StringArray::from(text).into_parts();
            Arc::new(StringArray::new(offsets, bytes, nulls))
        }
        DataType::Struct(fields) => {
            let columns: Vec<ArrayRef> = fields.iter().map(|field| values(random, field, rows)).collect();
            Arc::new(StructArray::try_new_with_length(fields.clone(), columns, nulls, rows).expect("a struct"))
        }
        DataType::List(item) => {
            let offsets = OffsetBuffer::from_lengths((0..rows).map(|_| random.below(3) as usize).collect::<Vec<_>>());
            let items = values(random, item, offsets[rows] as usize);
            Arc::new(ListArray::new(item.clone(), offsets, items, nulls))
        }
        DataType::Map(entries, sorted) => {
            let offsets = OffsetBuffer::from_lengths((0..rows).map(|_| random.below(3) as usize).collect::<Vec<_>>());
            let DataType::Struct(parts) = entries.data_type() else { panic!("a struct") };
            let len = offsets[rows] as usize;
            let keys: ArrayRef = Arc::new(StringArray::from_iter_values((0..len).map(|n| format!("k{n}"))));
            let pairs = StructArray::new(parts.clone(), vec![keys, values(random, &parts[1], len)], None);
            Arc::new(MapArray::new(entries.clone(), offsets, pairs, nulls, *sorted))
        }
        other => panic!("{other}"),
    }
}

/// A value as JSON, of which nothing says how wide its column is: members that are null are left out, and whole numbers are whole.
fn json(array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) || *array.data_type() == DataType::Null {
        return Value::Null;
    }
    let items = |array: &dyn Array| (0..array.len()).map(|row| json(array, row)).collect::<Vec<_>>();
    let float = |value: f64| {
        if value.fract() == 0.0 { Value::from(value as i64) } else { Number::from_f64(value).map_or(Value::Null, Value::from) }
    };
    match array.data_type() {
        DataType::Int8 => array.as_primitive::<Int8Type>().value(row).into(),
        DataType::Int16 => array.as_primitive::<Int16Type>().value(row).into(),
        DataType::Int32 => array.as_primitive::<Int32Type>().value(row).into(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).into(),
        DataType::Float32 => float(array.as_primitive::<Float32Type>().value(row).into()),
        DataType::Float64 => float(array.as_primitive::<Float64Type>().value(row)),
        DataType::Boolean => array.as_boolean().value(row).into(),
        DataType::Utf8 => array.as_string::<i32>().value(row).into(),
        DataType::Struct(fields) => {
            let mut members: Vec<(String, Value)> = fields
                .iter()
                .zip(array.as_struct().columns())
                .map(|(field, column)| (field.name().clone(), json(column, row)))
                .filter(|(_, value)| !value.is_null())
                .collect();
            members.sort_by(|a, b| a.0.cmp(&b.0));
            Value::Object(Map::from_iter(members))
        }
        DataType::List(_) => items(&array.as_list::<i32>().value(row)).into(),
        DataType::Map(..) => {
            let entries = array.as_map().value(row);
            (0..entries.len())
                .map(|row| vec![json(entries.column(0), row), json(entries.column(1), row)])
                .collect::<Vec<_>>()
                .into()
        }
        other => panic!("{other}"),
    }
}

fn all(array: &dyn Array) -> Vec<Value> {
    (0..array.len()).map(|row| json(array, row)).collect()
}

/// A file: what its rows are, and the rows that no encoder has.
struct File {
    field: FieldRef,
    waiting: Vec<RecordBatch>,
}

fn schema(field: &Field) -> Arc<Schema> {
    let DataType::Struct(fields) = field.data_type() else { panic!("a struct") };
    Arc::new(Schema::new(fields.clone()))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn n_versions_in_any_order_cost_at_most_n_minus_one_files_and_nothing_is_lost(
        seed: u64,
        versions in 1usize..6,
        order in proptest::collection::vec((0usize..6, 0usize..2), 1..24),
        encoded: bool,
    ) {
        let mut random = Random(seed);
        let kinds: Vec<Kind> = (0..1 + random.below(6)).map(|_| kind(&mut random, 2)).collect();
        let versions: Vec<FieldRef> = (0..versions)
            .map(|n| {
                let field = Field::new("", DataType::Struct(fields(&mut random, &kinds)), false);
                let number = n.to_string();
                Arc::new(of(field, &[("name", "record"), ("version", &number)]))
            })
            .collect();
        let mut evolution = Evolution::new(Rule::Widen, None);
        let mut folders: [Option<File>; 2] = [None, None];
        let mut cuts = [0; 2];
        let mut landed: [Vec<Value>; 2] = Default::default();
        let mut put: [Vec<Value>; 2] = Default::default();
        for (n, at) in order {
            let field = &versions[n % versions.len()];
            let rows = Column { field: field.clone(), array: values(&mut random, field, 3) };
            put[at].extend(all(&rows.array));
            let take = evolution.take(folders[at].as_ref().map(|file| &file.field), field).expect("no version is needed");
            let file = &mut folders[at];
            if take.fits(!encoded) != Fits::Yes {
                cuts[at] += 1;
                landed[at].extend(file.take().into_iter().flat_map(|file| file.waiting).flat_map(|rows| all(&StructArray::from(rows))));
            }
            let file = file.get_or_insert_with(|| File { field: take.field().clone(), waiting: Vec::new() });
            if file.field != *take.field() {
                file.field = take.field().clone();
                for rows in &mut file.waiting {
                    *rows = regrown(rows, &schema(&file.field)).expect("the file has grown");
                }
            }
            let projected = project(&rows, &file.field).expect("the rows fit");
            prop_assert_eq!(all(&projected.array), all(&rows.array));
            let columns = projected.array.as_struct().columns().to_vec();
            let options = arrow_array::RecordBatchOptions::new().with_row_count(Some(rows.array.len()));
            file.waiting.push(RecordBatch::try_new_with_options(schema(&file.field), columns, &options).expect("the file's schema"));
        }
        for (file, landed) in folders.into_iter().zip(&mut landed) {
            landed.extend(file.into_iter().flat_map(|file| file.waiting).flat_map(|rows| all(&StructArray::from(rows))));
        }
        let most = if encoded { versions.len() - 1 } else { 0 };
        prop_assert!(cuts.iter().all(|cuts| *cuts <= most), "{:?} cuts with {} versions", cuts, versions.len());
        prop_assert_eq!(landed, put);
    }
}
