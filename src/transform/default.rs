//! Fields with their schema's defaults in place of nulls, as Java's `Struct.get` reads them (4.3.1).

pub(crate) use landfall_api::default::{default, filled, or_default};

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use arrow_array::cast::AsArray as _;
    use arrow_array::{ArrayRef, StructArray, new_null_array};
    use arrow_schema::DataType;
    use arrow_select::concat::concat;

    use super::*;
    use crate::transform::fixtures::records;

    const SCHEMA: &str = r#"{"type":"struct","fields":[
        {"field":"i","type":"int32","optional":true,"default":7},
        {"field":"s","type":"string","optional":true,"default":"x"},
        {"field":"d","type":"bytes","name":"org.apache.kafka.connect.data.Decimal","parameters":{"scale":"2"},"optional":true,"default":"AN4="},
        {"field":"t","type":"int64","name":"org.apache.kafka.connect.data.Timestamp","optional":true,"default":5},
        {"field":"l","type":"array","items":{"type":"int32"},"optional":true,"default":[1,2]},
        {"field":"m","type":"map","keys":{"type":"string"},"values":{"type":"int8"},"optional":true,"default":{"k":3}},
        {"field":"n","type":"struct","optional":true,"fields":[{"field":"q","type":"boolean","optional":true,"default":true}]},
        {"field":"none","type":"double","optional":true}]}"#;

    #[test]
    fn defaults_of_every_kind_take_the_place_of_nulls() {
        let record = |payload: &str| format!(r#"{{"schema":{SCHEMA},"payload":{payload}}}"#);
        let given = r#"{"i":1,"s":"a","d":"Ag==","t":6,"l":[],"m":{},"n":{"q":false},"none":1.0}"#;
        let (given, absent) = (record(given), record(r#"{"n":{}}"#));
        let rows = [(None, Some(given.as_str())), (None, Some(absent.as_str()))];
        let replaced = records(&rows, true).swap_remove(0).value;
        // What the converter has replaced, made null again.
        let DataType::Struct(fields) = replaced.field.data_type() else { panic!("a struct") };
        for (field, array) in fields.iter().zip(replaced.array.as_struct().columns()) {
            let nulled = concat(&[&*array.slice(0, 1), &*new_null_array(field.data_type(), 1)]).expect("of one type");
            let again = or_default(field, &nulled);
            let expected = if matches!(&**field.name(), "n" | "none") { nulled } else { array.clone() };
            assert_eq!(&*again, &*expected, "{}", field.name());
        }
        let DataType::Struct(within) = fields[6].data_type() else { panic!("a struct") };
        let column = new_null_array(&DataType::Boolean, 2);
        let inner: ArrayRef = Arc::new(StructArray::new(within.clone(), vec![column], None));
        assert_eq!(filled(&fields[6], &inner).as_struct().column(0).as_boolean().true_count(), 2);
    }
}
