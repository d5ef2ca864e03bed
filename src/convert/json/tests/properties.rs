use super::*;
use arrow_schema::{Field, FieldRef};
use proptest::collection::vec;

/// JSON of few shapes and few names, so that clashes, repetitions and absences are frequent.
fn any_json() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-5i64..5).prop_map(Value::from),
        (-4000i32..4000).prop_map(|eighths| Value::from(f64::from(eighths) / 8.0)),
        "[a-zé\"\\\\\u{1}\n😀]{0,12}".prop_map(Value::from),
    ];
    scalar.prop_recursive(3, 24, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            vec(("[a-f]", inner), 0..5).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

pub(super) fn any_object() -> impl Strategy<Value = Value> {
    vec(("[a-f]|odd \"é", any_json()), 0..6).prop_map(|fields| Value::Object(fields.into_iter().collect()))
}

/// `value` as a producer might write it: fields turned round, blanks, escapes, and each field first with another value.
pub(super) fn disguised(value: &Value, turn: usize) -> String {
    match value {
        Value::Object(fields) => {
            let mut list: Vec<_> = fields.iter().map(|(k, v)| (k, disguised(v, turn))).collect();
            let by = turn % list.len().max(1);
            list.rotate_left(by);
            let early = list.iter().take(turn % 2).map(|(k, v)| (*k, v.clone())).collect::<Vec<_>>();
            let name = |k: &str| k.chars().map(|c| format!("\\u{:04x}", c as u32)).collect::<String>();
            let all: Vec<_> = early.iter().chain(&list).map(|(k, v)| format!(" \"{}\" :\t{v}\n", name(k))).collect();
            format!("{{{}}}", all.join(","))
        }
        Value::Array(items) => format!("[ {} ]", items.iter().map(|v| disguised(v, turn)).collect::<Vec<_>>().join(" , ")),
        Value::String(text) => {
            let mut units = [0; 2];
            let escaped = text.chars().flat_map(|c| c.encode_utf16(&mut units).to_vec()).map(|u| format!("\\u{u:04x}"));
            format!("\"{}\"", escaped.collect::<String>())
        }
        scalar => scalar.to_string(),
    }
}

/// `value` without what cannot be told from absence, or the JSON that a widened column has for it read back.
pub(super) fn normal(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.iter().map(|(k, v)| (k.clone(), normal(v))).filter(|(_, v)| !hollow(v));
            Value::Object(fields.collect())
        }
        Value::Array(items) if items.iter().map(normal).all(|v| hollow(&v)) => json!([]),
        Value::Array(items) => items.iter().map(|v| Some(normal(v)).filter(|v| !hollow(v)).unwrap_or_default()).collect(),
        Value::Number(n) => n.as_f64().map_or(Value::Null, |f| {
            if n.is_f64() || f as i128 == i128::from(n.as_i64().unwrap()) { json!(f) } else { value.clone() }
        }),
        other => other.clone(),
    }
}

pub(super) fn hollow(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.iter().all(hollow),
        Value::Object(fields) => fields.values().all(hollow),
        _ => false,
    }
}

/// The value of a row with columns of JSON text parsed.
pub(super) fn restored(field: &Field, array: &dyn Array, row: usize) -> Value {
    if array.is_null(row) {
        return Value::Null;
    }
    match field.data_type() {
        DataType::Utf8 if field.metadata().get("connect.schemaless").is_some_and(|m| m == "json") => {
            serde_json::from_str(array.as_string::<i32>().value(row)).expect("JSON text")
        }
        DataType::List(item) => {
            let items = array.as_list::<i32>().value(row);
            (0..items.len()).map(|i| restored(item, &items, i)).collect()
        }
        DataType::Struct(fields) => {
            let columns = array.as_struct().columns();
            Value::Object(fields.iter().zip(columns).map(|(f, c)| (f.name().clone(), restored(f, c, row))).collect())
        }
        _ => value(array, row),
    }
}

/// Whether a column of the field `wide` can take all that one of `narrow` can.
fn holds(wide: &Field, narrow: &Field) -> bool {
    match (wide.data_type(), narrow.data_type()) {
        _ if wide.metadata()["connect.schemaless"] == "json" => true,
        (DataType::Float64, DataType::Int64) => true,
        (DataType::List(wide), DataType::List(narrow)) => holds(wide, narrow),
        (DataType::Struct(wide), DataType::Struct(narrow)) => {
            narrow.len() <= wide.len() && narrow.iter().zip(wide).all(|(n, w)| n.name() == w.name() && holds(w, n))
        }
        (wide, narrow) => wide == narrow,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Every record comes back from its columns, whatever came before it, and is never refused.
    #[test]
    fn widening_loses_nothing(batches in vec(vec(prop_oneof![8 => any_object(), 1 => any_json()], 1..8), 1..4)) {
        let mut converter = schemaless();
        for batch in &batches {
            let texts: Vec<String> = batch.iter().map(Value::to_string).collect();
            let column = column(&mut *converter, &texts.iter().map(String::as_str).collect::<Vec<_>>());
            for (row, record) in batch.iter().enumerate() {
                let back = if *column.field.data_type() == DataType::Null { Value::Null } else { restored(&column.field, &column.array, row) };
                let (back, record) = (normal(&back), normal(record));
                prop_assert!(back == record || hollow(&back) && hollow(&record), "{back} is not {record}");
            }
        }
    }

    /// From record to record no field goes and no type narrows.
    #[test]
    fn widening_is_monotonic(records in vec(any_object(), 1..12)) {
        let mut converter = schemaless();
        let mut last: Option<FieldRef> = None;
        for record in &records {
            let field = column(&mut *converter, &[&record.to_string()]).field;
            if let Some(last) = last {
                prop_assert!(holds(&field, &last), "{field:?} after {last:?}");
            }
            last = Some(field);
        }
    }

    /// A record reads the same however it is written: the predicted path and the general one agree.
    #[test]
    fn how_a_record_is_written_changes_nothing(records in vec(any_object(), 1..8), turn in 0usize..8) {
        let plain: Vec<String> = records.iter().map(Value::to_string).collect();
        let plain: Vec<&str> = plain.iter().map(String::as_str).collect();
        let odd: Vec<String> = records.iter().map(|v| disguised(v, turn)).collect();
        let odd: Vec<&str> = odd.iter().map(String::as_str).collect();
        let mut one = schemaless();
        column(&mut *one, &plain);
        let (a, b) = (column(&mut *one, &plain), column(&mut *one, &odd));
        prop_assert_eq!(&a.field, &b.field);
        for row in 0..records.len() {
            prop_assert_eq!(normal(&restored(&a.field, &a.array, row)), normal(&restored(&b.field, &b.array, row)));
        }
    }

    /// No bytes bring the converter down, with or without schema, and what is accepted is what serde_json accepts.
    #[test]
    fn no_bytes_do_harm(records in vec(prop_oneof![
        vec(any::<u8>(), 0..24),
        "[\\[\\]{}:,\"\\\\a0-9.eEtruenlfs \\-+]{0,24}".prop_map(String::into_bytes),
        (any_object(), 0usize..200, any::<u8>()).prop_map(|(v, at, b)| {
            let mut text = v.to_string().into_bytes();
            let at = at % text.len();
            text[at] = b;
            text
        }),
    ], 1..6)) {
        let mut plain = schemaless();
        let runs = convert(&mut *plain, records.iter().map(|r| Some(r.as_slice())));
        for run in runs {
            if run.column.is_err() {
                let record = &records[run.rows.start];
                prop_assert!(serde_json::from_slice::<Value>(record).is_err(), "{}", String::from_utf8_lossy(record));
            }
        }
        convert(&mut *converter(&[]), records.iter().map(|r| Some(r.as_slice())));
        let enveloped: Vec<Vec<u8>> = records.iter().map(|r| {
            let schema = br#"{"schema":{"type":"struct","fields":[{"type":"string","field":"a","optional":true},{"type":"map","keys":{"type":"string"},"values":{"type":"int64"},"field":"b","optional":true}]},"payload":"#;
            [schema, r.as_slice(), b"}"].concat()
        }).collect();
        convert(&mut *converter(&[]), enveloped.iter().map(|r| Some(r.as_slice())));
    }

    /// The shortcut of the envelope and the way round it agree.
    #[test]
    fn the_envelope_reads_the_same_without_its_prefix(
        payloads in vec((any::<i64>(), prop::option::of("[a-z\"é]{0,9}"), prop::option::of(vec(any::<i8>(), 0..3))), 1..8),
    ) {
        let schema = json!({"type":"struct","fields":[
            {"type":"int64","field":"a"},
            {"type":"string","field":"b","optional":true},
            {"type":"array","items":{"type":"int8"},"field":"c","optional":true},
        ]});
        let payloads: Vec<Value> = payloads.into_iter().map(|(a, b, c)| json!({"a":a,"b":b,"c":c})).collect();
        let plain: Vec<String> = payloads.iter().map(|p| format!("{{\"schema\":{schema},\"payload\":{p}}}")).collect();
        let odd: Vec<String> = payloads.iter().map(|p| format!("{{\"payload\":{},\"schema\":{schema}}}", disguised(p, 3))).collect();
        let read = |texts: &[String]| column(&mut *converter(&[]), &texts.iter().map(String::as_str).collect::<Vec<_>>());
        let (a, b) = (read(&plain), read(&odd));
        prop_assert_eq!(values(&a.array), payloads);
        prop_assert_eq!(values(&b.array), values(&a.array));
        prop_assert_eq!(a.field, b.field);
    }
}
