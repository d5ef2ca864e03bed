//! Stands in until the real one is merged.
use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BinaryArray};
use landfall_api::{Batch, Column};
pub(crate) fn header_values(column: &Column) -> BinaryArray {
    if let Some(s) = column.array.as_string_opt::<i32>() { return s.iter().collect::<BinaryArray>(); }
    let a = column.array.as_primitive::<arrow_array::types::Int64Type>();
    (0..a.len()).map(|i| a.is_valid(i).then(|| a.value(i).to_string())).map(|v| v.map(String::into_bytes)).collect::<BinaryArray>()
}
pub(crate) fn with_header(batch: Batch, _name: &str, _values: BinaryArray) -> Batch { batch }
