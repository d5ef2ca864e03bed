//! Puts batches whose offsets are mixed back into the order of offsets.

use std::ops::Range;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array, ListArray, UInt32Array, new_empty_array};
use arrow_buffer::OffsetBuffer;
use arrow_schema::{ArrowError, DataType};
use arrow_select::concat::concat;
use arrow_select::take::take;
use landfall_api::{Batch, Column};

/// The rows of `batches` in the order of their offsets, as few batches as that allows: rows of one topic and one schema that follow
/// each other are one batch.
pub(super) fn in_order(mut batches: Vec<Batch>) -> Result<Vec<Batch>, ArrowError> {
    batches.sort_by_key(first);
    if batches.windows(2).all(|pair| last(&pair[0]) < first(&pair[1])) {
        return Ok(batches);
    }
    let mut groups: Vec<Vec<Batch>> = Vec::new();
    for batch in batches {
        match groups.iter_mut().find(|group| alike(&group[0], &batch) && same_headers(group, &batch)) {
            Some(group) => group.push(batch),
            None => groups.push(vec![batch]),
        }
    }
    let groups = groups.iter().map(|group| merged(group)).collect::<Result<Vec<_>, _>>()?;
    let offsets = |(n, group): (usize, &Batch)| group.offset.values().iter().map(move |&o| (o, n)).collect::<Vec<_>>();
    let mut rows: Vec<(i64, usize)> = groups.iter().enumerate().flat_map(offsets).collect();
    rows.sort_unstable();
    let mut taken = vec![0; groups.len()];
    Ok(rows
        .chunk_by(|a, b| a.1 == b.1)
        .map(|run| {
            let group = run[0].1;
            let rows: Range<usize> = taken[group]..taken[group] + run.len();
            taken[group] = rows.end;
            groups[group].slice(&rows)
        })
        .collect())
}

fn first(batch: &Batch) -> i64 {
    batch.offset.values().first().copied().unwrap_or(i64::MAX)
}

fn last(batch: &Batch) -> i64 {
    batch.offset.values().last().copied().unwrap_or(i64::MIN)
}

fn alike(a: &Batch, b: &Batch) -> bool {
    a.topic == b.topic && a.key.field == b.key.field && a.value.field == b.value.field
}

/// Whether the headers of a batch are of the type of the group's. None is as good as none in any row: what transforms add to some
/// of the rows does not cut the others.
fn same_headers(group: &[Batch], batch: &Batch) -> bool {
    let types = || group.iter().filter_map(|b| b.headers.as_ref()).map(Array::data_type);
    batch.headers.as_ref().is_none_or(|headers| types().next().is_none_or(|other| other == headers.data_type()))
}

/// One batch of all rows of batches that are alike.
fn merged(group: &[Batch]) -> Result<Batch, ArrowError> {
    let [one] = group else {
        let join = |of: &dyn Fn(&Batch) -> &dyn Array| concat(&group.iter().map(of).collect::<Vec<_>>());
        let offset = join(&|b| &b.offset)?;
        let values = offset.as_primitive::<arrow_array::types::Int64Type>().values();
        let mut order: Vec<u32> = (0..values.len() as u32).collect();
        order.sort_by_key(|&row| values[row as usize]);
        let order = UInt32Array::from(order);
        let ordered = |array: &dyn Array| take(array, &order, None);
        let column = |of: &dyn Fn(&Batch) -> &Column| {
            Ok::<_, ArrowError>(Column { field: of(&group[0]).field.clone(), array: ordered(&join(&|b| &*of(b).array)?)? })
        };
        let headers = group.iter().find_map(|b| b.headers.as_ref()).map(|some| {
            let none = |b: &Batch| {
                let offsets = OffsetBuffer::new_zeroed(b.len());
                let nothing = new_empty_array(&some.value_type());
                let DataType::List(entry) = some.data_type() else { return some.slice(0, 0) };
                ListArray::new(entry.clone(), offsets, nothing, None)
            };
            let all: Vec<_> = group.iter().map(|b| b.headers.clone().unwrap_or_else(|| none(b))).collect();
            let all: Vec<_> = all.iter().map(|headers| headers as &dyn Array).collect();
            Ok::<_, ArrowError>(ordered(&concat(&all)?)?.as_list().clone())
        });
        return Ok(Batch {
            key: column(&|b| &b.key)?,
            value: column(&|b| &b.value)?,
            offset: ordered(&offset)?.as_primitive().clone(),
            timestamp: ordered(&join(&|b| &b.timestamp)?)?.as_primitive().clone(),
            headers: headers.transpose()?,
            ..group[0].clone()
        });
    };
    Ok(one.clone())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{schemaless, with_headers};
    use arrow_array::BooleanArray;

    #[test]
    fn mixed_batches_become_runs() {
        let batch = schemaless(&[Some("1"), Some("2"), Some("3"), Some("4"), Some("5")]);
        let part = |keep: [bool; 5]| batch.filter(&BooleanArray::from(keep.to_vec())).expect("rows");
        let odd = part([true, false, true, false, true]);
        let even = part([false, true, false, true, false]);
        let joined = in_order(vec![even.clone(), odd.clone()]).expect("ordered");
        assert_eq!(joined.len(), 1);
        assert_eq!(joined[0].value.array.as_ref(), batch.value.array.as_ref());
        assert_eq!(joined[0].offset, batch.offset);

        let other = Batch { topic: "other".into(), ..even };
        let runs = in_order(vec![other, odd]).expect("ordered");
        let shape: Vec<_> = runs.iter().map(|b| (&*b.topic, b.offset.values().to_vec())).collect();
        assert_eq!(shape, [("t", vec![0]), ("other", vec![1]), ("t", vec![2]), ("other", vec![3]), ("t", vec![4])]);
    }

    #[test]
    fn headers_stay_with_their_rows() {
        let batch = with_headers(&[&[("a", "1")], &[("b", "2")], &[]]);
        let mixed = [[false, true, false], [true, false, true]];
        let mixed = mixed.map(|keep| batch.filter(&BooleanArray::from(keep.to_vec())).expect("rows"));
        let joined = in_order(mixed.to_vec()).expect("ordered");
        assert_eq!(crate::transform::fixtures::headers_of(&joined[0]), crate::transform::fixtures::headers_of(&batch));
    }

    #[test]
    fn rows_without_headers_do_not_cut_those_with() {
        let batch = with_headers(&[&[("a", "1")], &[], &[("b", "2")], &[]]);
        let part = |keep: [bool; 4]| batch.filter(&BooleanArray::from(keep.to_vec())).expect("rows");
        let without = Batch { headers: None, ..part([false, true, false, true]) };
        for mixed in [[without.clone(), part([true, false, true, false])], [part([true, false, true, false]), without]] {
            let joined = in_order(mixed.to_vec()).expect("ordered");
            assert_eq!(joined.len(), 1);
            assert_eq!(crate::transform::fixtures::headers_of(&joined[0]), crate::transform::fixtures::headers_of(&batch));
        }
    }
}
