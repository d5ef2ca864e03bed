//! `org.apache.kafka.connect.transforms.DropHeaders` (4.3.1): takes headers away by their names.

use std::collections::HashSet;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BooleanArray, ListArray};
use arrow_buffer::OffsetBuffer;
use arrow_select::filter::filter;
use landfall_api::{Batch, Faults, Key, Output, Properties, Transform, TransformClass, Width, config};

use super::require::not_empty;

config! {
    /// What `DropHeaders.CONFIG_DEF` declares.
    struct DropHeadersConfig {
        /// The name of the headers to be removed.
        headers: Vec<String> = "headers" { required: true, importance: High, width: Width::None, display: "headers" };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct DropHeadersClass;

impl TransformClass for DropHeadersClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.DropHeaders"
    }

    fn keys(&self) -> &'static [Key] {
        DropHeadersConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = DropHeadersConfig::parse(properties, &mut faults);
        not_empty("headers", properties, &mut faults);
        let config = faults.or(config)?;
        Ok(Box::new(DropHeaders { headers: config.headers.into_iter().collect() }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct DropHeaders {
    headers: HashSet<String>,
}

impl Transform for DropHeaders {
    fn apply(&mut self, mut batch: Batch, out: &mut Output) {
        batch.headers = batch.headers.as_ref().map(|headers| self.kept(headers));
        out.emit(batch);
    }
}

impl DropHeaders {
    fn kept(&self, headers: &ListArray) -> ListArray {
        let offsets = headers.value_offsets();
        let (begin, end) = (offsets[0] as usize, offsets[headers.len()] as usize);
        let entries = headers.values().slice(begin, end - begin);
        let keys = entries.as_struct().column(0).as_string::<i32>();
        let keep: Vec<bool> = keys.iter().map(|key| key.is_none_or(|key| !self.headers.contains(key))).collect();
        let lengths = offsets
            .windows(2)
            .map(|row| keep[row[0] as usize - begin..row[1] as usize - begin].iter().filter(|kept| **kept).count());
        let offsets = OffsetBuffer::from_lengths(lengths);
        let (item, ..) = headers.clone().into_parts();
        match filter(&entries, &BooleanArray::from(keep)) {
            Ok(entries) => ListArray::new(item, offsets, entries, headers.nulls().cloned()),
            Err(_) => headers.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{headers_of, with_headers};

    #[test]
    fn headers_go_by_name() {
        let properties = Properties::from([("headers".to_owned(), "a, c".to_owned())]);
        let mut transform = DropHeadersClass.build(&properties).expect("valid");
        let batch = with_headers(&[&[("a", "1"), ("b", "2")], &[], &[("c", "3"), ("a", "4"), ("d", "5")]]);
        for batch in [batch.clone(), batch.slice(&(1..3))] {
            let rows = batch.len();
            let mut out = Output::default();
            transform.apply(batch, &mut out);
            let all = [vec![("b", "2")], vec![], vec![("d", "5")]];
            assert_eq!(headers_of(&out.batches[0]), all[3 - rows..]);
        }
    }
}
