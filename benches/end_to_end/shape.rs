//! What records look like: the change events of the tests' orders table, and shapes that make work of a kind that those do not.

use std::fmt::Write as _;

use crate::cases::PARTITIONS;
use crate::support::records::{FIELDS, Orders, Random};

/// The values of a column, as JSON and Avro have them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Long,
    Int,
    Boolean,
    Text,
}

impl Kind {
    /// What Avro calls it, and Iceberg.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Long => "long",
            Self::Int => "int",
            Self::Boolean => "boolean",
            Self::Text => "string",
        }
    }
}

/// A column of a shape.
#[derive(Debug, Clone)]
pub(crate) struct Field {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    pub(crate) optional: bool,
}

/// Records of one look, numbered by their first field, `id`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Shape {
    /// 14 fields, 311 bytes.
    Orders,
    /// As orders; each tenth record of a partition is no JSON.
    Faulty,
    /// Four fields, 100 bytes.
    Small,
    /// A text of a megabyte.
    Megabyte,
    /// 500 fields: numbers and short texts.
    Wide,
    /// Eight texts that no other record has.
    Distinct,
    /// Twenty fields that are always null.
    Nulls,
    /// Two sets of fields in turn, which share some.
    Flapping,
}

const COLUMNS_OF_WIDE: usize = 500;
const MEGABYTE: usize = 1_000_000;
/// The fields that each of the two looks of flapping records has; both have `id` before them.
const LOOKS: [[&str; 4]; 2] = [["a", "b", "c", "d"], ["b", "c", "e", "f"]];

impl Shape {
    /// The columns, in the order in which records have them.
    pub(crate) fn fields(self) -> Vec<Field> {
        let field = |name: &str, kind, optional| Field { name: name.to_owned(), kind, optional };
        let texts = |count: usize| (1..=count).map(|n| Field { name: format!("c{n}"), kind: Kind::Text, optional: true });
        let mut fields = vec![field("id", Kind::Long, true)];
        match self {
            Self::Orders | Self::Faulty => {
                let kind = |name| match name {
                    "int64" => Kind::Long,
                    "int32" => Kind::Int,
                    "boolean" => Kind::Boolean,
                    _ => Kind::Text,
                };
                return FIELDS.map(|(name, of, _, optional)| field(name, kind(of), optional)).to_vec();
            }
            Self::Small => {
                fields.extend([field("op", Kind::Text, true), field("state", Kind::Text, true), field("at", Kind::Long, true)]);
            }
            Self::Megabyte => fields.extend(texts(1)),
            Self::Wide => fields.extend(
                texts(COLUMNS_OF_WIDE - 1)
                    .enumerate()
                    .map(|(n, text)| if n % 2 == 0 { Field { kind: Kind::Long, ..text } } else { text }),
            ),
            Self::Distinct => fields.extend(texts(8)),
            Self::Nulls => fields.extend(texts(20)),
            Self::Flapping => fields.extend(["a", "b", "c", "d", "e", "f"].map(|name| field(name, Kind::Text, true))),
        }
        fields
    }

    /// Records after each other, the same for the same seed.
    pub(crate) fn records(self, seed: u64) -> Box<dyn Iterator<Item = String>> {
        match self {
            Self::Orders => Box::new(Orders::schemaless(seed)),
            Self::Faulty => Box::new(
                Orders::schemaless(seed)
                    .enumerate()
                    .map(|(n, order)| if n / PARTITIONS % 10 == 9 { format!("not JSON: {order}") } else { order }),
            ),
            _ => {
                let mut random = Random::new(seed);
                Box::new((0u64..).map(move |id| self.record(id, &mut random)))
            }
        }
    }

    fn record(self, id: u64, random: &mut Random) -> String {
        let mut out = format!("{{\"id\":{id}");
        let mut add = |text: std::fmt::Arguments<'_>| out.write_fmt(text).expect("a string takes it");
        match self {
            Self::Orders | Self::Faulty => unreachable!("the orders table makes its own"),
            Self::Small => {
                let (op, state) = (random.pick(&["c", "u", "d"]), random.pick(&["OPEN", "CLOSED"]));
                add(format_args!(
                    ",\"op\":\"{op}\",\"state\":\"{state} since {:09}\",\"at\":{}",
                    random.below(1_000_000_000),
                    1_760_000_000_000 + id
                ));
            }
            Self::Megabyte => {
                add(format_args!(",\"c1\":\""));
                (0..MEGABYTE / 16).for_each(|_| add(format_args!("{:016x}", random.next())));
                add(format_args!("\""));
            }
            Self::Wide => (1..COLUMNS_OF_WIDE).for_each(|n| match n % 2 {
                1 => add(format_args!(",\"c{n}\":{}", random.below(1_000_000))),
                _ => add(format_args!(",\"c{n}\":\"v{}\"", random.below(100))),
            }),
            Self::Distinct => {
                (1..=8).for_each(|n| add(format_args!(",\"c{n}\":\"{:016x}{:016x}\"", random.next(), random.next())));
            }
            Self::Nulls => (1..=20).for_each(|n| add(format_args!(",\"c{n}\":null"))),
            Self::Flapping => {
                LOOKS[usize::from(random.below(2) == 0)]
                    .iter()
                    .for_each(|name| add(format_args!(",\"{name}\":\"{name}{}\"", random.below(1000))));
            }
        }
        out.push('}');
        out
    }
}

/// The Avro schema of orders, and one of them as Confluent's wire format has it, under this schema id.
pub(crate) mod avro {
    use serde_json::{Value, json};

    use super::Shape;

    pub(crate) const ID: u8 = 1;

    /// The record's schema.
    pub(crate) fn schema() -> Value {
        let fields = Shape::Orders.fields().into_iter().map(|field| {
            let kind = field.kind.name();
            if field.optional {
                json!({"name": field.name, "type": ["null", kind], "default": null})
            } else {
                json!({"name": field.name, "type": kind})
            }
        });
        json!({"type": "record", "name": "orders", "fields": fields.collect::<Vec<_>>()})
    }

    /// The order that `text` has as JSON.
    pub(crate) fn record(text: &str) -> Vec<u8> {
        let order: Value = serde_json::from_str(text).expect("an order");
        let mut out = vec![0, 0, 0, 0, ID];
        for field in Shape::Orders.fields() {
            let value = &order[&field.name];
            if field.optional {
                number(&mut out, i64::from(!value.is_null()));
            }
            match value {
                Value::Number(n) => number(&mut out, n.as_i64().expect("a whole number")),
                Value::Bool(yes) => out.push(u8::from(*yes)),
                Value::String(text) => {
                    number(&mut out, text.len() as i64);
                    out.extend_from_slice(text.as_bytes());
                }
                _ => {}
            }
        }
        out
    }

    fn number(out: &mut Vec<u8>, n: i64) {
        let mut left = ((n << 1) ^ (n >> 63)) as u64;
        while left >= 0x80 {
            out.push((left & 0x7f) as u8 | 0x80);
            left >>= 7;
        }
        out.push(left as u8);
    }
}
