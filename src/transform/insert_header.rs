//! `org.apache.kafka.connect.transforms.InsertHeader` (4.3.1): the same header for every record.

use arrow_array::BinaryArray;
use landfall_api::{Batch, Faults, Key, Output, Properties, Transform, TransformClass, Width, config};

use super::header_literal::text_of;
use super::header_text::with_header;

config! {
    /// What `InsertHeader.CONFIG_DEF` declares.
    struct InsertHeaderConfig {
        /// The name of the header.
        header: String = "header" { required: true, importance: High, width: Width::None, display: "header" };
        /// The value of the header. As Java reads a header's text: `1.0` is the number 1, `[1, 2]` a list, `null` nothing, and what is
        /// nothing of the kind is the text that it is.
        value_literal: String = "value.literal" { required: true, importance: High, width: Width::None, display: "value.literal" };
    }
}

/// The class.
#[derive(Debug)]
pub(super) struct InsertHeaderClass;

impl TransformClass for InsertHeaderClass {
    fn class(&self) -> &'static str {
        "org.apache.kafka.connect.transforms.InsertHeader"
    }

    fn keys(&self) -> &'static [Key] {
        InsertHeaderConfig::KEYS
    }

    fn build(&self, properties: &Properties) -> Result<Box<dyn Transform>, Faults> {
        let mut faults = Faults::default();
        let config = InsertHeaderConfig::parse(properties, &mut faults);
        let config = faults.or(config)?;
        Ok(Box::new(InsertHeader { header: config.header, value: text_of(&config.value_literal) }))
    }
}

/// An instance of the class.
#[derive(Debug)]
struct InsertHeader {
    header: String,
    value: Option<Vec<u8>>,
}

impl Transform for InsertHeader {
    fn apply(&mut self, batch: Batch, out: &mut Output) {
        let values = match &self.value {
            Some(value) => BinaryArray::new_repeated(value, batch.len()),
            None => BinaryArray::new_null(batch.len()),
        };
        out.emit(with_header(batch, &self.header, values));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::fixtures::{headers_of, with_headers};

    #[test]
    fn every_row_gets_the_header() {
        let properties = Properties::from([("header".into(), "h".into()), ("value.literal".into(), "1.50".into())]);
        let mut out = Output::default();
        let batch = with_headers(&[&[("h", "0")], &[]]);
        InsertHeaderClass.build(&properties).expect("valid").apply(batch, &mut out);
        assert_eq!(headers_of(&out.batches[0]), [vec![("h", "0"), ("h", "1.5")], vec![("h", "1.5")]]);
    }
}
