//! The rows that are measured, the flattened change events of an order table with 14 fields, in each wire format.

use std::fmt::Write as _;

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    id: i64,
    customer_id: i32,
    order_no: String,
    status: &'static str,
    amount: String,
    qty: i32,
    email: Option<String>,
    note: Option<String>,
    created_at: i64,
    updated_at: String,
    deleted: bool,
    source_ts_ms: i64,
}

/// The names, Avro types and nullability of the fields.
const FIELDS: [(&str, &str, bool); 14] = [
    ("id", "long", false),
    ("customer_id", "int", false),
    ("order_no", "string", false),
    ("status", "string", false),
    ("amount", "string", true),
    ("currency", "string", true),
    ("qty", "int", false),
    ("email", "string", true),
    ("note", "string", true),
    ("created_at", "long", true),
    ("updated_at", "string", true),
    ("__op", "string", true),
    ("__deleted", "boolean", true),
    ("__source_ts_ms", "long", true),
];

/// `n` rows, the same in each run.
pub(crate) fn rows(n: usize) -> Vec<Row> {
    let mut random = Random(42);
    (0..n as u64).map(|i| row(&mut random, i)).collect()
}

fn row(r: &mut Random, i: u64) -> Row {
    const STATUS: [&str; 6] = ["NEW", "PAID", "PICKED", "SHIPPED", "DELIVERED", "CANCELLED"];
    const WORDS: [&str; 8] = ["leave", "at the door", "call", "gift", "wrap", "fragile", "ring twice", "são"];
    let millis = 1_760_000_000_000 + i * 7;
    Row {
        id: i as i64,
        customer_id: r.below(200_000) as i32,
        order_no: format!("ORD-{:010}", r.below(10_000_000_000)),
        status: STATUS[r.below(6) as usize],
        amount: format!("{}.{:02}", r.below(50_000), r.below(100)),
        qty: 1 + r.below(20) as i32,
        email: (r.below(5) != 0).then(|| format!("user{}@example.com", r.below(200_000))),
        note: (r.below(2) != 0).then(|| (0..4 + r.below(4)).map(|_| WORDS[r.below(8) as usize]).collect::<Vec<_>>().join(" ")),
        created_at: (millis * 1000 + r.below(1000)) as i64,
        updated_at: format!("2025-10-{:02}T12:{:02}:{:02}.{:03}Z", 1 + r.below(28), r.below(60), r.below(60), r.below(1000)),
        deleted: r.below(100) == 0,
        source_ts_ms: millis as i64,
    }
}

/// A generator of numbers (SplitMix64).
pub(crate) struct Random(pub(crate) u64);

impl Random {
    /// The next one below `n`.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % n
    }
}

impl Row {
    /// Without a schema.
    pub(crate) fn json(&self) -> Vec<u8> {
        let text = |text: &Option<String>| text.as_ref().map_or("null".into(), |text| format!("\"{text}\""));
        let mut row = String::new();
        let _ = write!(
            row,
            "{{\"id\":{},\"customer_id\":{},\"order_no\":\"{}\",\"status\":\"{}\",\"amount\":\"{}\",\"currency\":\"EUR\",\"qty\":{},\
             \"email\":{},\"note\":{},\"created_at\":{},\"updated_at\":\"{}\",\"__op\":\"u\",\"__deleted\":{},\"__source_ts_ms\":{}}}",
            self.id,
            self.customer_id,
            self.order_no,
            self.status,
            self.amount,
            self.qty,
            text(&self.email),
            text(&self.note),
            self.created_at,
            self.updated_at,
            self.deleted,
            self.source_ts_ms,
        );
        row.into_bytes()
    }

    /// With Connect's schema around it.
    pub(crate) fn envelope(&self) -> Vec<u8> {
        let mut bytes = connect_schema().into_bytes();
        bytes.extend(self.json());
        bytes.push(b'}');
        bytes
    }

    /// In Avro, without a frame.
    pub(crate) fn avro(&self) -> Vec<u8> {
        let mut out = Vec::new();
        long(&mut out, self.id);
        long(&mut out, self.customer_id.into());
        string(&mut out, &self.order_no);
        string(&mut out, self.status);
        let optional = |out: &mut Vec<u8>, text: Option<&str>| match text {
            Some(text) => {
                out.push(2);
                string(out, text);
            }
            None => out.push(0),
        };
        optional(&mut out, Some(&self.amount));
        optional(&mut out, Some("EUR"));
        long(&mut out, self.qty.into());
        optional(&mut out, self.email.as_deref());
        optional(&mut out, self.note.as_deref());
        out.push(2);
        long(&mut out, self.created_at);
        optional(&mut out, Some(&self.updated_at));
        optional(&mut out, Some("u"));
        out.extend([2, u8::from(self.deleted), 2]);
        long(&mut out, self.source_ts_ms);
        out
    }

    /// In Protobuf, without a frame.
    pub(crate) fn protobuf(&self) -> Vec<u8> {
        let mut out = Vec::new();
        let number = |out: &mut Vec<u8>, field: u64, value: u64| {
            varint(out, field << 3);
            varint(out, value);
        };
        let text = |out: &mut Vec<u8>, field: u64, text: &str| {
            varint(out, field << 3 | 2);
            varint(out, text.len() as u64);
            out.extend(text.as_bytes());
        };
        number(&mut out, 1, self.id as u64);
        number(&mut out, 2, self.customer_id as u64);
        text(&mut out, 3, &self.order_no);
        text(&mut out, 4, self.status);
        text(&mut out, 5, &self.amount);
        text(&mut out, 6, "EUR");
        number(&mut out, 7, self.qty as u64);
        self.email.iter().for_each(|email| text(&mut out, 8, email));
        self.note.iter().for_each(|note| text(&mut out, 9, note));
        number(&mut out, 10, self.created_at as u64);
        text(&mut out, 11, &self.updated_at);
        text(&mut out, 12, "u");
        number(&mut out, 13, self.deleted.into());
        number(&mut out, 14, self.source_ts_ms as u64);
        out
    }
}

fn varint(out: &mut Vec<u8>, mut n: u64) {
    while n >= 0x80 {
        out.push(n as u8 | 0x80);
        n >>= 7;
    }
    out.push(n as u8);
}

/// Avro's long.
pub(crate) fn long(out: &mut Vec<u8>, n: i64) {
    varint(out, (n << 1 ^ n >> 63) as u64);
}

fn string(out: &mut Vec<u8>, text: &str) {
    long(out, text.len() as i64);
    out.extend(text.as_bytes());
}

/// `payload` after the magic byte and the number of its schema.
pub(crate) fn framed(schema: u32, payload: &[u8]) -> Vec<u8> {
    [&[0][..], &schema.to_be_bytes(), payload].concat()
}

pub(crate) fn avro_schema() -> String {
    let fields = FIELDS.map(|(name, kind, optional)| match optional {
        true => format!(r#"{{"name":"{name}","type":["null","{kind}"],"default":null}}"#),
        false => format!(r#"{{"name":"{name}","type":"{kind}"}}"#),
    });
    format!(r#"{{"type":"record","name":"Value","namespace":"db.orders","fields":[{}]}}"#, fields.join(","))
}

pub(crate) fn protobuf_schema() -> String {
    let fields: Vec<_> = FIELDS
        .iter()
        .zip(1..)
        .map(|((name, kind, optional), number)| {
            let kind = match *kind {
                "long" => "int64",
                "int" => "int32",
                "boolean" => "bool",
                other => other,
            };
            format!("{}{kind} {name} = {number};", if *optional { "optional " } else { "" })
        })
        .collect();
    format!("syntax = \"proto3\"; package db.orders; message Value {{ {} }}", fields.join(" "))
}

pub(crate) fn json_schema() -> String {
    let fields: Vec<_> = FIELDS
        .iter()
        .zip(0..)
        .map(|((name, kind, optional), index)| {
            let kind = match *kind {
                "long" => r#""type":"integer","connect.type":"int64""#,
                "int" => r#""type":"integer","connect.type":"int32""#,
                "boolean" => r#""type":"boolean""#,
                _ => r#""type":"string""#,
            };
            match optional {
                true => format!(r#""{name}":{{"connect.index":{index},"oneOf":[{{"type":"null"}},{{{kind}}}]}}"#),
                false => format!(r#""{name}":{{"connect.index":{index},{kind}}}"#),
            }
        })
        .collect();
    format!(r#"{{"type":"object","title":"Value","properties":{{{}}}}}"#, fields.join(","))
}

/// What stands before the payload in an envelope.
fn connect_schema() -> String {
    let fields = FIELDS.map(|(name, kind, optional)| {
        let kind = match kind {
            "long" => "int64",
            "int" => "int32",
            other => other,
        };
        format!(r#"{{"type":"{kind}","optional":{optional},"field":"{name}"}}"#)
    });
    format!(
        r#"{{"schema":{{"type":"struct","fields":[{}],"optional":false,"name":"db.orders.Value"}},"payload":"#,
        fields.join(",")
    )
}
