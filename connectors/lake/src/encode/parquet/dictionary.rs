//! Which columns of a Parquet file are worth a dictionary, by a sample of their values.
//!
//! A dictionary pays where values come again: it is smaller, and cheaper to compress. Where they do not, the writer would look up
//! every value for nothing, until the dictionary is full and given up.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;

/// The values of a column that are looked at.
const SAMPLE: usize = 1024;
/// Where the writer gives a dictionary up, in bytes.
const FULL: usize = 1 << 20;

/// For each leaf column, in Parquet's order, whether it is worth a dictionary; `rows` are `all` that the file has, or those that it
/// begins with.
pub(super) fn worth(rows: &[RecordBatch], all: bool) -> Vec<bool> {
    let whole = all && rows.iter().map(RecordBatch::num_rows).sum::<usize>() <= SAMPLE;
    let mut columns: Vec<Vec<ArrayRef>> = Vec::new();
    for rows in rows {
        let mut leaves = Vec::new();
        rows.columns().iter().for_each(|column| add_leaves(column, &mut leaves));
        columns.resize_with(leaves.len(), Vec::new);
        columns.iter_mut().zip(leaves).for_each(|(column, leaf)| column.push(leaf));
    }
    columns.iter().map(|column| Sample::of(column).is_none_or(|sample| sample.worth(whole))).collect()
}

/// Adds the columns that `array` is in Parquet, without the values that a slice has left out.
fn add_leaves(array: &ArrayRef, leaves: &mut Vec<ArrayRef>) {
    let part = |values: &dyn Array, offsets: &[i32]| {
        let (first, last) = (offsets[0] as usize, offsets[offsets.len() - 1] as usize);
        values.slice(first, last - first)
    };
    match array.data_type() {
        DataType::Struct(_) => array.as_struct().columns().iter().for_each(|child| add_leaves(child, leaves)),
        DataType::List(_) => {
            let list = array.as_list::<i32>();
            add_leaves(&part(list.values(), list.value_offsets()), leaves);
        }
        DataType::Map(..) => {
            let map = array.as_map();
            add_leaves(&part(map.entries(), map.value_offsets()), leaves);
        }
        _ => leaves.push(array.clone()),
    }
}

/// What a sample of a column shows.
#[derive(Debug, PartialEq)]
struct Sample {
    values: usize,
    bytes: usize,
    distinct: usize,
    /// The values that were seen once, and those that were seen twice.
    once: usize,
    twice: usize,
}

impl Sample {
    /// Values from everywhere in `column`; None for types that have no dictionary.
    fn of(column: &[ArrayRef]) -> Option<Self> {
        let rows: usize = column.iter().map(Array::len).sum();
        let step = rows.div_ceil(SAMPLE).max(1);
        let (mut hashes, mut bytes) = (Vec::with_capacity(SAMPLE), 0);
        for part in column {
            let mut add = |value: &[u8]| {
                let mut hasher = DefaultHasher::new();
                value.hash(&mut hasher);
                hashes.push(hasher.finish());
                bytes += value.len();
            };
            let valid = (0..part.len()).step_by(step).filter(|&row| part.is_valid(row));
            match part.data_type() {
                DataType::Utf8 => valid.for_each(|row| add(part.as_string::<i32>().value(row).as_bytes())),
                DataType::Binary => valid.for_each(|row| add(part.as_binary::<i32>().value(row))),
                other => {
                    let width = other.primitive_width()?;
                    let data = part.to_data();
                    let values = &data.buffers()[0][data.offset() * width..];
                    valid.for_each(|row| add(&values[row * width..][..width]));
                }
            }
        }
        hashes.sort_unstable();
        let (mut distinct, mut once, mut twice) = (0, 0, 0);
        for same in hashes.chunk_by(|a, b| a == b) {
            distinct += 1;
            once += usize::from(same.len() == 1);
            twice += usize::from(same.len() == 2);
        }
        Some(Self { values: hashes.len(), bytes, distinct, once, twice })
    }

    /// Of a whole file, half of the values must come again. Of a beginning, there must be few enough different ones to come, by
    /// Chao's estimate, for a dictionary that is not given up and has paid by four samples' rows.
    fn worth(&self, whole: bool) -> bool {
        if whole {
            return self.distinct * 2 <= self.values;
        }
        let unseen = self.once * self.once.saturating_sub(1) / (2 * (self.twice + 1));
        let estimate = self.distinct + unseen;
        estimate <= self.values * 4 && estimate * self.bytes <= FULL * self.values
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use arrow_array::builder::{Int64Builder, ListBuilder, MapBuilder, StringBuilder};
    use arrow_array::{BooleanArray, Date32Array, Decimal128Array, Float32Array, Int8Array, Int32Array, StructArray};

    fn worth_of(array: ArrayRef, all: bool) -> Vec<bool> {
        let rows = RecordBatch::try_from_iter([("c", array)]).expect("a column");
        let (third, rest) = (rows.num_rows() / 3, rows.num_rows() - rows.num_rows() / 3);
        worth(&[rows.slice(0, third), rows.slice(third, rest)], all)
    }

    /// A number that looks random.
    fn mixed(i: usize) -> usize {
        let x = (i as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        ((x ^ (x >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 33) as usize
    }

    #[test]
    fn values_that_come_again_are_worth_a_dictionary() {
        for (distinct, worth) in [(1, true), (20, true), (2000, true), (20_000, false), (2_000_000, false)] {
            let ints: ArrayRef = Arc::new(Int32Array::from_iter_values((0..4096).map(|i| (mixed(i) % distinct) as i32)));
            assert_eq!(worth_of(ints, false), [worth], "{distinct}");
        }
        for (distinct, worth) in [(1, true), (20, true), (400, false)] {
            let ints: ArrayRef = Arc::new(Int32Array::from_iter_values((0..500).map(|i| (mixed(i) % distinct) as i32)));
            assert_eq!(worth_of(ints, true), [worth], "{distinct} in a whole file");
        }
        let long = (0..4096).map(|i| format!("{:0>1000}", mixed(i) % 2000));
        assert_eq!(worth_of(Arc::new(arrow_array::StringArray::from_iter_values(long)), false), [false], "it would not fit");
        assert_eq!(worth(&[], true), [false; 0]);
    }

    #[test]
    fn every_leaf_is_looked_at_by_itself() {
        let n = 3000;
        let (mut list, mut map) =
            (ListBuilder::new(StringBuilder::new()), MapBuilder::new(None, StringBuilder::new(), Int64Builder::new()));
        for i in 0..n {
            list.append_value([Some(format!("tag {}", i % 5)), None]);
            map.keys().append_value(format!("key {}", i % 3));
            map.values().append_value(mixed(i) as i64);
            map.append(i % 7 > 0).expect("as many values as keys");
        }
        let inner: Vec<(&str, ArrayRef)> = vec![
            ("few", Arc::new(Int8Array::from_iter_values((0..n).map(|i| (i % 9) as i8)))),
            ("many", Arc::new(Decimal128Array::from_iter_values((0..n).map(|i| mixed(i) as i128)))),
            ("day", Arc::new(Date32Array::from_iter((0..n).map(|i| (i % 2 > 0).then_some((i % 40) as i32))))),
            ("float", Arc::new(Float32Array::from_iter_values((0..n).map(|i| mixed(i) as f32)))),
            ("flag", Arc::new(BooleanArray::from_iter((0..n).map(|i| Some(i % 2 > 0))))),
        ];
        let inner = StructArray::try_from(inner).expect("columns");
        let rows = RecordBatch::try_from_iter([
            ("list", Arc::new(list.finish()) as ArrayRef),
            ("map", Arc::new(map.finish())),
            ("struct", Arc::new(inner)),
        ]);
        let rows = rows.expect("columns");
        let found = worth(&[rows.slice(7, 1500), rows.slice(1507, 1400)], false);
        assert_eq!(found, [true, true, false, true, false, true, false, true]);
    }
}
