//! Records that a worker may be slow at, each beside the least that makes the same columns of them.

use std::fmt::Write as _;

use arrow_array::{Array as _, BinaryArray};

use crate::cases::{Case, converter};
use crate::limit::Column;
use crate::peers;
use crate::registry;
use crate::rows::{Random, framed, long};

/// The columns of a record, all of which may be null.
#[derive(Clone)]
pub(crate) struct Shape(pub(crate) Vec<(String, Kind)>);

/// What a column holds.
#[derive(Clone)]
pub(crate) enum Kind {
    Long,
    /// Text of so many bytes, all of it different.
    Text(usize),
    /// Text that is always null.
    Null,
    Record(Shape),
}

/// A case: records of several shapes in turn, so many in each batch.
struct Worst {
    name: &'static str,
    shapes: Vec<Shape>,
    rows: usize,
    batches: usize,
}

fn columns(prefix: &str, n: usize, kind: impl Fn(usize) -> Kind) -> Shape {
    Shape((0..n).map(|at| (format!("{prefix}{at}"), kind(at))).collect())
}

fn mixed(at: usize) -> Kind {
    if at % 2 == 0 { Kind::Long } else { Kind::Text(12) }
}

fn nested(levels: usize) -> Shape {
    let mut fields = vec![("id".to_owned(), Kind::Long), ("text".to_owned(), Kind::Text(12))];
    if levels > 1 {
        fields.push(("below".to_owned(), Kind::Record(nested(levels - 1))));
    }
    Shape(fields)
}

fn worst() -> Vec<Worst> {
    let one = |name, shape, rows, batches| Worst { name, shapes: vec![shape], rows, batches };
    vec![
        one("500 columns", columns("column_", 500, mixed), 500, 4),
        one("20 levels", nested(20), 5_000, 4),
        one("distinct strings", columns("text_", 14, |_| Kind::Text(24)), 5_000, 10),
        one("null columns", columns("null_", 100, |at| if at == 0 { Kind::Long } else { Kind::Null }), 5_000, 4),
        one("100 bytes", Shape(vec![("id".into(), Kind::Long), ("text".into(), Kind::Text(62))]), 5_000, 40),
        one("1 MB", Shape(vec![("id".into(), Kind::Long), ("text".into(), Kind::Text(1_000_000))]), 20, 4),
        Worst {
            name: "shapes in turn",
            shapes: vec![columns("a_", 14, mixed), columns("b_", 14, mixed)],
            rows: 5_000,
            batches: 4,
        },
    ]
}

/// The cases, those of a shape beside each other. Each is made when it is asked for: they are large.
pub(crate) fn cases() -> impl Iterator<Item = Vec<Case>> {
    worst().into_iter().map(|worst| {
        let mut random = Random(7);
        let values: Vec<(usize, Vec<Value>)> = (0..worst.rows * worst.batches)
            .map(|row| (row % worst.shapes.len(), worst.shapes[row % worst.shapes.len()].value(&mut random)))
            .collect();
        let of = |encode: &dyn Fn(usize, &[Value]) -> Vec<u8>| -> Vec<BinaryArray> {
            let batch = |rows: &[(usize, Vec<Value>)]| rows.iter().map(|(shape, row)| Some(encode(*shape, row))).collect();
            values.chunks(worst.rows).map(batch).collect()
        };
        let json = |shape: usize, row: &[Value]| {
            let mut text = String::new();
            worst.shapes[shape].json(row, &mut text);
            text
        };
        let schemas: Vec<_> = worst.shapes.iter().map(|shape| format!("{{\"schema\":{},\"payload\":", shape.connect())).collect();
        let avro: Vec<_> = worst.shapes.iter().map(|shape| shape.avro_schema("R")).collect();
        let url = registry::start(avro.iter().map(|schema| ("AVRO", schema.clone())).collect());
        let plain = of(&|shape, row| json(shape, row).into_bytes());
        let enveloped = of(&|shape, row| format!("{}{}}}", schemas[shape], json(shape, row)).into_bytes());
        let framed = of(&|shape, row| {
            let mut bytes = Vec::new();
            worst.shapes[shape].avro(row, &mut bytes);
            framed(shape as u32 + 1, &bytes)
        });
        let names = |what: &str| (format!("{}, {what}: limit", worst.name), format!("{}, {what}", worst.name));
        let pair = |what: &str, batches: Vec<BinaryArray>, limit, run| {
            let (limit_name, name) = names(what);
            let peer = Some(limit_name.clone());
            [
                Case { name: limit_name, peer: None, rows: worst.rows, batches: batches.clone(), run: limit },
                Case { name, peer, rows: worst.rows, batches, run },
            ]
        };
        let all = Shape(worst.shapes.iter().flat_map(|shape| shape.0.clone()).collect());
        let mut together = Column::new(&all);
        let mut apart: Vec<_> = worst.shapes.iter().map(Column::new).collect();
        let mut decoder = peers::arrow_avro(worst.rows, &avro);
        [
            pair(
                "json",
                plain,
                Box::new(move |rows: &BinaryArray| {
                    rows.iter().flatten().for_each(|row| together.read(row, false));
                    assert_eq!(together.finish(), rows.len());
                }),
                converter("JsonConverter", &[("schemas.enable", "false")]),
            ),
            pair(
                "env",
                enveloped,
                Box::new(move |rows: &BinaryArray| {
                    for row in rows.iter().flatten() {
                        let shape = schemas.iter().position(|schema| row.starts_with(schema.as_bytes())).expect("a known schema");
                        apart[shape].read(row, true);
                    }
                    assert_eq!(apart.iter_mut().map(Column::finish).sum::<usize>(), rows.len());
                }),
                converter("JsonConverter", &[]),
            ),
            pair(
                "avro",
                framed,
                Box::new(move |rows: &BinaryArray| peers::decode_avro(&mut decoder, rows)),
                converter("io.confluent.connect.avro.AvroConverter", &[("schema.registry.url", &url)]),
            ),
        ]
        .into_iter()
        .flatten()
        .collect()
    })
}

/// A value of a column.
enum Value {
    Null,
    Long(i64),
    Text(String),
    Record(Vec<Value>),
}

impl Shape {
    fn value(&self, random: &mut Random) -> Vec<Value> {
        let of = |(_, kind): &(String, Kind)| match kind {
            Kind::Long => Value::Long(random.below(1 << 40) as i64),
            Kind::Text(len) => {
                let mut text = format!("{:012x}", random.below(1 << 48));
                let letters = (text.len()..*len).map(|at| char::from(b'a' + (at % 26) as u8));
                text.extend(letters);
                Value::Text(text)
            }
            Kind::Null => Value::Null,
            Kind::Record(shape) => Value::Record(shape.value(random)),
        };
        self.0.iter().map(of).collect()
    }

    fn json(&self, row: &[Value], out: &mut String) {
        for (at, ((name, kind), value)) in self.0.iter().zip(row).enumerate() {
            let _ = write!(out, "{}\"{name}\":", if at == 0 { '{' } else { ',' });
            let _ = match (kind, value) {
                (Kind::Record(shape), Value::Record(row)) => {
                    shape.json(row, out);
                    Ok(())
                }
                (_, Value::Long(n)) => write!(out, "{n}"),
                (_, Value::Text(text)) => write!(out, "\"{text}\""),
                _ => write!(out, "null"),
            };
        }
        out.push('}');
    }

    fn avro(&self, row: &[Value], out: &mut Vec<u8>) {
        for ((_, kind), value) in self.0.iter().zip(row) {
            out.push(if let Value::Null = value { 0 } else { 2 });
            match (kind, value) {
                (Kind::Record(shape), Value::Record(row)) => shape.avro(row, out),
                (_, Value::Long(n)) => long(out, *n),
                (_, Value::Text(text)) => {
                    long(out, text.len() as i64);
                    out.extend(text.as_bytes());
                }
                _ => {}
            }
        }
    }

    /// The schema as Connect's envelope has it.
    fn connect(&self) -> String {
        let field = |(name, kind): &(String, Kind)| {
            let of = match kind {
                Kind::Long => r#"{"type":"int64""#.to_owned(),
                Kind::Text(_) | Kind::Null => r#"{"type":"string""#.to_owned(),
                Kind::Record(shape) => shape.connect().trim_end_matches('}').to_owned(),
            };
            format!(r#"{of},"optional":true,"field":"{name}"}}"#)
        };
        let fields: Vec<_> = self.0.iter().map(field).collect();
        format!(r#"{{"type":"struct","fields":[{}]}}"#, fields.join(","))
    }

    fn avro_schema(&self, record: &str) -> String {
        let field = |(name, kind): &(String, Kind)| {
            let of = match kind {
                Kind::Long => r#""long""#.to_owned(),
                Kind::Text(_) | Kind::Null => r#""string""#.to_owned(),
                Kind::Record(shape) => shape.avro_schema(&format!("{record}{}", self.0.len())),
            };
            format!(r#"{{"name":"{name}","type":["null",{of}],"default":null}}"#)
        };
        let fields: Vec<_> = self.0.iter().map(field).collect();
        format!(r#"{{"type":"record","name":"{record}","fields":[{}]}}"#, fields.join(","))
    }
}
