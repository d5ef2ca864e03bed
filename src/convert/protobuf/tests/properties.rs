//! Random message types and records: the plan gives what the general way through dynamic messages gives.

use proptest::collection::vec;
use proptest::prelude::*;
use protox::prost_reflect::bytes::Bytes;
use protox::prost_reflect::prost::Message as _;
use protox::prost_reflect::{
    DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, ReflectMessage as _, Value as Dynamic,
};

use super::*;

const SCALARS: [&str; 15] = [
    "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32", "sfixed64", "float", "double",
    "bool", "string", "bytes",
];
const KEYS: [&str; 5] = ["int32", "uint64", "sint32", "bool", "string"];

#[derive(Clone, Debug)]
enum Type {
    Scalar(usize),
    Enum,
    Message(Vec<Spec>),
}

#[derive(Clone, Copy, Debug)]
enum Label {
    Single,
    Optional,
    Repeated,
    Oneof,
    Map(usize),
}

/// A field; its number is so much higher than the one before.
#[derive(Clone, Debug)]
struct Spec {
    label: Label,
    of: Type,
    gap: u32,
}

fn any_fields() -> impl Strategy<Value = Vec<Spec>> {
    let label = prop_oneof![
        4 => Just(Label::Single),
        2 => Just(Label::Optional),
        3 => Just(Label::Repeated),
        3 => Just(Label::Oneof),
        1 => (0..KEYS.len()).prop_map(Label::Map),
    ];
    let leaf =
        prop_oneof![6 => (0..SCALARS.len()).prop_map(Type::Scalar), 1 => Just(Type::Enum), 1 => Just(Type::Message(Vec::new()))];
    let spec = move |of: BoxedStrategy<Type>| {
        (label.clone(), of, prop_oneof![6 => Just(1u32), 1 => 2u32..300]).prop_map(|(label, of, gap)| Spec { label, of, gap })
    };
    let of = leaf.prop_recursive(3, 24, 5, {
        let spec = spec.clone();
        move |inner| vec(spec(inner.boxed()), 0..5).prop_map(Type::Message)
    });
    vec(spec(of.boxed()), 1..7)
}

/// The declaration of a message, with those of its messages in it.
fn declared(name: &str, fields: &[Spec], proto2: bool, text: &mut String) {
    text.push_str(&format!("message {name} {{\n"));
    let (mut number, mut oneof) = (0, String::new());
    for (at, Spec { label, of, gap }) in fields.iter().enumerate() {
        number += gap;
        let of = match of {
            Type::Scalar(at) => SCALARS[*at].to_owned(),
            Type::Enum => "E".to_owned(),
            Type::Message(fields) => {
                declared(&format!("N{at}"), fields, proto2, text);
                format!("N{at}")
            }
        };
        let field = format!("{of} f{at} = {number};\n");
        match label {
            Label::Single if !proto2 => text.push_str(&field),
            Label::Single | Label::Optional => text.push_str(&format!("optional {field}")),
            Label::Repeated => text.push_str(&format!("repeated {field}")),
            Label::Oneof => oneof.push_str(&field),
            Label::Map(key) => text.push_str(&format!("map<{}, {of}> f{at} = {number};\n", KEYS[*key])),
        }
    }
    if !oneof.is_empty() {
        text.push_str(&format!("oneof o {{ {oneof} }}\n"));
    }
    text.push_str("}\n");
}

fn text_of(fields: &[Spec], proto2: bool) -> String {
    let mut text = format!("syntax = \"proto{}\";\n", if proto2 { 2 } else { 3 });
    declared("M", fields, proto2, &mut text);
    text.push_str("enum E { A = 0; B = 3; C = -2; D = 2; }\n");
    text
}

fn descriptor_of(text: &str) -> MessageDescriptor {
    let schema = RegisteredSchema { kind: "PROTOBUF".into(), text: text.into(), references: Vec::new(), version: None };
    let file = descriptor::compile(&schema).unwrap_or_else(|error| panic!("{error}\n{text}"));
    descriptor::message(&file, &[0]).expect("a message")
}

/// Numbers that follow from a seed.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }

    /// Small numbers, large ones, and those at the limits.
    fn number(&mut self) -> i64 {
        match self.roll(4) {
            0 => self.roll(3) as i64 - 1,
            1 => self.roll(300) as i64,
            2 => i64::MIN >> self.roll(64),
            _ => (self.roll(1 << 31) << 32 | self.roll(1 << 31)) as i64,
        }
    }
}

fn message(of: &MessageDescriptor, dice: &mut Dice) -> DynamicMessage {
    let mut message = DynamicMessage::new(of.clone());
    for field in of.fields().collect::<Vec<_>>() {
        if dice.roll(3) == 0 {
            continue;
        }
        let value = if field.is_map() {
            let Kind::Message(entry) = field.kind() else { unreachable!() };
            let (key, value) = (entry.map_entry_key_field(), entry.map_entry_value_field());
            let entries = (0..dice.roll(4)).map(|_| {
                let key = single(&key, dice).into_map_key().expect("a key");
                (key, single(&value, dice))
            });
            Dynamic::Map(entries.collect())
        } else if field.is_list() {
            Dynamic::List((0..dice.roll(4)).map(|_| single(&field, dice)).collect())
        } else {
            single(&field, dice)
        };
        message.set_field(&field, value);
    }
    message
}

fn single(field: &FieldDescriptor, dice: &mut Dice) -> Dynamic {
    match field.kind() {
        Kind::Double => Dynamic::F64(dice.number() as f64 / 8.0),
        Kind::Float => Dynamic::F32(dice.number() as f32 / 8.0),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Dynamic::I32(dice.number() as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Dynamic::I64(dice.number()),
        Kind::Uint32 | Kind::Fixed32 => Dynamic::U32(dice.number() as u32),
        Kind::Uint64 | Kind::Fixed64 => Dynamic::U64(dice.number() as u64),
        Kind::Bool => Dynamic::Bool(dice.roll(2) == 1),
        Kind::String => Dynamic::String("né\u{1f600}x".chars().cycle().take(dice.roll(9) as usize).collect()),
        Kind::Bytes => Dynamic::Bytes(Bytes::from((0..dice.roll(9)).map(|_| dice.roll(256) as u8).collect::<Vec<_>>())),
        Kind::Enum(_) => Dynamic::EnumNumber([0, 3, -2, 2][dice.roll(4) as usize]),
        Kind::Message(of) => Dynamic::Message(message(&of, dice)),
    }
}

/// What Connect has of a message, by way of a dynamic one.
fn expected(message: &DynamicMessage) -> Value {
    let of = message.descriptor();
    let mut fields = serde_json::Map::new();
    for (at, oneof) in of.oneofs().filter(|oneof| !oneof.is_synthetic()).enumerate() {
        let set = oneof.fields().any(|field| message.has_field(&field));
        let value = |field: FieldDescriptor| {
            let value = if message.has_field(&field) { dynamic(&field, &message.get_field(&field)) } else { Value::Null };
            (field.name().to_owned(), value)
        };
        let union = if set { Value::Object(oneof.fields().map(value).collect()) } else { Value::Null };
        fields.insert(format!("{}_{at}", oneof.name()), union);
    }
    for field in of.fields().filter(|field| field.containing_oneof().is_none_or(|oneof| oneof.is_synthetic())) {
        let null = field.supports_presence() && !message.has_field(&field);
        let value = if null { Value::Null } else { dynamic(&field, &message.get_field(&field)) };
        fields.insert(field.name().to_owned(), value);
    }
    Value::Object(fields)
}

fn dynamic(field: &FieldDescriptor, value: &Dynamic) -> Value {
    match value {
        Dynamic::Bool(x) => (*x).into(),
        Dynamic::I32(x) => (*x).into(),
        Dynamic::I64(x) => (*x).into(),
        Dynamic::U32(x) => (*x).into(),
        Dynamic::U64(x) => (*x as i64).into(),
        Dynamic::F32(x) => (*x).into(),
        Dynamic::F64(x) => (*x).into(),
        Dynamic::String(x) => x.clone().into(),
        Dynamic::Bytes(x) => x.to_vec().into(),
        Dynamic::EnumNumber(number) => match field.kind() {
            Kind::Enum(of) => of.get_value(*number).map(|value| value.name().to_owned()).into(),
            _ => unreachable!(),
        },
        Dynamic::Message(message) => expected(message),
        Dynamic::List(items) => items.iter().map(|item| dynamic(field, item)).collect(),
        Dynamic::Map(entries) => {
            let Kind::Message(entry) = field.kind() else { unreachable!() };
            let value = entry.map_entry_value_field();
            let key = |key: &MapKey| dynamic(&value, &Dynamic::from(key.clone()));
            entries.iter().map(|(k, v)| json!([key(k), dynamic(&value, v)])).collect()
        }
    }
}

/// `value` with the entries of its maps in order.
fn sorted(data_type: &DataType, value: Value) -> Value {
    match (data_type, value) {
        (DataType::Struct(fields), Value::Object(object)) => {
            let of = |name: &str| fields.iter().find(|field| field.name() == name).expect("a field").data_type();
            object.into_iter().map(|(name, value)| (name.clone(), sorted(of(&name), value))).collect()
        }
        (DataType::List(item), Value::Array(items)) => items.into_iter().map(|value| sorted(item.data_type(), value)).collect(),
        (DataType::Map(entries, _), Value::Array(items)) => {
            let DataType::Struct(fields) = entries.data_type() else { unreachable!() };
            let mut items: Vec<_> =
                items.into_iter().map(|entry| json!([entry[0], sorted(fields[1].data_type(), entry[1].clone())])).collect();
            items.sort_by_key(|entry| entry[0].to_string());
            items.into()
        }
        (_, value) => value,
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    /// Each record, of one message, of one after the other, or of one with another around it, is what the general path makes of it.
    #[test]
    fn the_plan_reads_what_the_general_path_reads(fields in any_fields(), proto2 in any::<bool>(), seed in any::<u64>()) {
        let text = text_of(&fields, proto2);
        let of = descriptor_of(&text);
        let mut dice = Dice(seed);
        let mut records = Vec::new();
        for _ in 0..6 {
            let mut record = message(&of, &mut dice).encode_to_vec();
            for _ in 0..dice.roll(3) {
                record.extend(int(5000, dice.roll(1 << 20)));
                record.extend(message(&of, &mut dice).encode_to_vec());
            }
            records.push(record);
        }
        let reference: Vec<_> = records.iter().map(|record| DynamicMessage::decode(of.clone(), record.as_slice()).expect("a message")).collect();
        let column = column(&text, &[], &records.iter().map(Vec::as_slice).collect::<Vec<_>>());
        let data_type = column.field.data_type();
        for ((found, message), record) in values(&column.array).into_iter().zip(&reference).zip(&records) {
            prop_assert_eq!(sorted(data_type, found), sorted(data_type, expected(message)), "{} {:?}", text, record);
        }
    }

    /// Whatever the bytes are, nothing breaks, and the records around them come through.
    #[test]
    fn no_bytes_do_harm(
        fields in any_fields(), seed in any::<u64>(), noise in vec(any::<u8>(), 0..40), cuts in vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
    ) {
        let text = text_of(&fields, seed % 2 == 0);
        let of = descriptor_of(&text);
        let good = message(&of, &mut Dice(seed)).encode_to_vec();
        let mut bad = good.clone();
        for (at, byte) in cuts {
            if !bad.is_empty() {
                let at = at.index(bad.len());
                bad[at] = byte;
            }
        }
        for properties in [&[][..], &[("flatten.unions", "true"), ("generate.struct.for.nulls", "true"), ("int.for.enums", "true")]] {
            let mut decoder = decoder(&text, properties);
            let alone = decode(&mut *decoder, &[Some(&good)]).remove(0).column.expect("good");
            let runs = decode(&mut *decoder, &[Some(&bad), Some(&good), Some(&noise), Some(&good)]);
            for row in [1, 3] {
                let run = runs.iter().find(|run| run.rows.contains(&row)).expect("a run");
                let column = run.column.as_ref().expect("good");
                let found = column.array.slice(row - run.rows.start, 1);
                prop_assert_eq!(values(&found), values(&alone.array));
            }
            decode_framed(&mut *decoder, &[Some(&noise), Some(&bad)]);
        }
    }

    /// Whatever the text of a schema is, it is read or refused.
    #[test]
    fn no_schema_does_harm(text in "(syntax = \"proto[23]\";)?( message [MN] \\{ (optional|repeated|required|oneof)? ?(int32|string|M|N|map<int32, M>|group) [a-c] = [0-9]{1,3}[;{] ?\\}?){0,4}") {
        if let Ok(mut decoder) = decoder_of(&text, &Properties::new()) {
            decode_framed(&mut *decoder, &[Some(&[0]), Some(&[2, 2, 8, 1]), None]);
        }
    }
}
