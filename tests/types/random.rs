//! Random Connect schemas and rows: as records of `JsonConverter`, and as a reader of their files is to see them.
//!
//! What a reader sees is written the same for every reader: numbers, text and booleans as they are; maps as lists of pairs; `b:` and
//! the digits of bytes; `f:` and the bits of floats; `d:` and the digits of decimals; `D:` and days; `T:` and nanoseconds of a day;
//! `S:` for timestamps without a zone and `U:` for those in UTC, and nanoseconds.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::support::records::Random;

/// A type with what its schema says.
#[derive(Debug)]
pub(super) struct Spec {
    kind: Kind,
    optional: bool,
}

#[derive(Debug)]
enum Kind {
    Scalar(Scalar),
    /// Text of so many bytes.
    Huge(usize),
    /// Digits, and how many of them are fractional.
    Decimal(u32, i32),
    List(Box<Spec>),
    /// With text as keys, or with numbers.
    Map(bool, Box<Spec>),
    Struct(Vec<(String, Spec)>),
}

/// A type that is not nested.
#[derive(Clone, Copy, Debug)]
pub(super) enum Scalar {
    Int8,
    Int16,
    Int32,
    Int64,
    Float,
    Double,
    Boolean,
    Text,
    Bytes,
    ConnectDate,
    ConnectTime,
    ConnectTimestamp,
    Date,
    Time,
    MicroTime,
    NanoTime,
    Timestamp,
    MicroTimestamp,
    NanoTimestamp,
    ZonedTimestamp,
    IsoDate,
    IsoTime,
    IsoTimestamp,
    Year,
    MicroDuration,
    Json,
    Uuid,
    Enum,
    Bits,
    VariableDecimal,
}

/// All of them; those that Spark refuses to read come last.
pub(super) const SCALARS: [Scalar; 30] = [
    Scalar::Int8,
    Scalar::Int16,
    Scalar::Int32,
    Scalar::Int64,
    Scalar::Float,
    Scalar::Double,
    Scalar::Boolean,
    Scalar::Text,
    Scalar::Bytes,
    Scalar::ConnectDate,
    Scalar::ConnectTimestamp,
    Scalar::Date,
    Scalar::Timestamp,
    Scalar::MicroTimestamp,
    Scalar::ZonedTimestamp,
    Scalar::IsoDate,
    Scalar::IsoTimestamp,
    Scalar::Year,
    Scalar::MicroDuration,
    Scalar::Json,
    Scalar::Uuid,
    Scalar::Enum,
    Scalar::Bits,
    Scalar::VariableDecimal,
    Scalar::ConnectTime,
    Scalar::Time,
    Scalar::MicroTime,
    Scalar::NanoTime,
    Scalar::NanoTimestamp,
    Scalar::IsoTime,
];

/// Those that Protobuf has types for.
pub(super) const PROTOBUFS: [Scalar; 13] = [
    Scalar::Int8,
    Scalar::Int16,
    Scalar::Int32,
    Scalar::Int64,
    Scalar::Float,
    Scalar::Double,
    Scalar::Boolean,
    Scalar::Text,
    Scalar::Bytes,
    Scalar::ConnectDate,
    Scalar::ConnectTime,
    Scalar::ConnectTimestamp,
    Scalar::Enum,
];

/// The values of enumerations.
pub(super) const SYMBOLS: [&str; 3] = ["NONE", "b_2", "Zz"];

/// A value: the JSON of the record, and what is seen under `landfall.types=confluent` and `native`.
#[derive(Debug)]
pub(super) struct Shown {
    pub(super) json: Value,
    pub(super) confluent: Value,
    pub(super) native: Value,
}

impl Shown {
    fn same(value: Value) -> Self {
        Self { json: value.clone(), confluent: value.clone(), native: value }
    }

    /// A number or a text that only native annotates.
    fn annotated(value: Value, native: String) -> Self {
        Self { json: value.clone(), confluent: value, native: native.into() }
    }

    fn logical(value: Value, both: &str) -> Self {
        Self { json: value, confluent: both.into(), native: both.into() }
    }
}

/// How far values go: readers differ in what years they take.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Range {
    /// Years of four digits, as every reader takes them.
    Usual,
    /// All that the types hold.
    Full,
}

/// Those that Spark reads.
pub(super) const SPARKS: &[Scalar] = SCALARS.split_at(24).0;

impl Spec {
    /// A struct of random fields, `depth` deep at most.
    pub(super) fn random(r: &mut Random, depth: u64, types: &[Scalar]) -> Self {
        Self { kind: Kind::Struct(fields(r, depth, types)), optional: false }
    }

    /// A struct of one text of so many bytes.
    pub(super) fn huge(bytes: usize) -> Self {
        let text = Self { kind: Kind::Huge(bytes), optional: false };
        Self { kind: Kind::Struct(vec![("text".to_owned(), text)]), optional: false }
    }

    /// A struct of one list of maps of structs of … of `leaf`, `depth` deep.
    pub(super) fn deep(depth: usize, leaf: Scalar) -> Self {
        let leaf = Self { kind: Kind::Scalar(leaf), optional: true };
        let around = |inner: Self, level: usize| {
            let kind = match level % 3 {
                0 => Kind::List(Box::new(inner)),
                1 => Kind::Map(level.is_multiple_of(2), Box::new(inner)),
                _ => Kind::Struct(vec![("down".to_owned(), inner)]),
            };
            Self { kind, optional: true }
        };
        let inner = (0..depth).fold(leaf, around);
        Self { kind: Kind::Struct(vec![("top".to_owned(), inner)]), optional: false }
    }

    fn any(r: &mut Random, depth: u64, types: &[Scalar]) -> Self {
        let optional = r.below(3) > 0;
        let kind = match r.below(if depth == 0 { 5 } else { 9 }) {
            0 => {
                let digits = 1 + r.below(38) as u32;
                Kind::Decimal(digits, r.below(u64::from(digits) + 1) as i32 - i32::from(r.below(8) == 0) * 3)
            }
            1..=5 => Kind::Scalar(types[r.below(types.len() as u64) as usize]),
            6 => Kind::List(Box::new(Self::any(r, depth - 1, types))),
            7 => Kind::Map(r.below(2) == 0, Box::new(Self::any(r, depth - 1, types))),
            _ => Kind::Struct(fields(r, depth - 1, types)),
        };
        Self { kind, optional }
    }

    /// With names that are words, as Avro and Protobuf have them.
    pub(super) fn with_words_as_names(mut self) -> Self {
        self.each(&mut |spec| {
            if let Kind::Struct(fields) = &mut spec.kind {
                fields.iter_mut().for_each(|(name, _)| name.retain(|c| c.is_ascii_alphanumeric() || c == '_'));
            }
        });
        self
    }

    /// As Protobuf has lists and maps: not null, without nulls, and those in others, and decimals in maps, in messages.
    pub(super) fn without_nulls_in_lists(mut self) -> Self {
        self.each(&mut |spec| {
            let map = matches!(spec.kind, Kind::Map(..));
            if let Kind::List(item) | Kind::Map(_, item) = &mut spec.kind {
                if matches!(item.kind, Kind::List(_) | Kind::Map(..)) || map && matches!(item.kind, Kind::Decimal(..)) {
                    let inner = std::mem::replace(&mut item.kind, Kind::Struct(Vec::new()));
                    let inner = Self { kind: inner, optional: item.optional };
                    item.kind = Kind::Struct(vec![("inner".to_owned(), inner)]);
                }
                (spec.optional, item.optional) = (false, false);
            }
        });
        self
    }

    /// Changes this and then what is in it.
    fn each(&mut self, change: &mut dyn FnMut(&mut Self)) {
        change(self);
        match &mut self.kind {
            Kind::List(item) | Kind::Map(_, item) => item.each(change),
            Kind::Struct(fields) => fields.iter_mut().for_each(|(_, field)| field.each(change)),
            Kind::Scalar(_) | Kind::Huge(_) | Kind::Decimal(..) => {}
        }
    }

    /// As `JsonConverter` has it.
    pub(super) fn schema(&self) -> Value {
        let mut schema = match &self.kind {
            Kind::Scalar(scalar) => scalar.schema(),
            Kind::Huge(_) => json!({"type": "string"}),
            Kind::Decimal(digits, scale) => json!({
                "type": "bytes",
                "name": "org.apache.kafka.connect.data.Decimal",
                "parameters": {"scale": scale.to_string(), "connect.decimal.precision": digits.to_string()},
            }),
            Kind::List(item) => json!({"type": "array", "items": item.schema()}),
            Kind::Map(text, value) => json!({
                "type": "map",
                "keys": {"type": if *text { "string" } else { "int32" }},
                "values": value.schema(),
            }),
            Kind::Struct(fields) => {
                let field = |(name, spec): &(String, Self)| {
                    let mut schema = spec.schema();
                    schema["field"] = name.as_str().into();
                    schema
                };
                json!({"type": "struct", "fields": fields.iter().map(field).collect::<Vec<_>>()})
            }
        };
        schema["optional"] = self.optional.into();
        schema
    }

    pub(super) fn value(&self, r: &mut Random, range: Range) -> Shown {
        if self.optional && r.below(4) == 0 {
            return Shown::same(Value::Null);
        }
        match &self.kind {
            Kind::Scalar(scalar) => scalar.value(r, range),
            Kind::Huge(bytes) => Shown::same("é".repeat(bytes / 2).into()),
            Kind::Decimal(digits, scale) => {
                let limit = 10_u128.pow(1 + r.below(u64::from(*digits)) as u32);
                let number = (wide(r) % limit) as i128 * if r.below(2) == 0 { -1 } else { 1 };
                // A negative scale is zeros before the point, which take digits of the column too.
                let number = if *scale < 0 { number % 10_i128.pow(digits.saturating_sub(3)) } else { number };
                let bytes = STANDARD.encode(minimal(number));
                Shown::logical(bytes.into(), &format!("d:{}", plain(number, *scale)))
            }
            Kind::List(item) => {
                let items: Vec<_> = (0..r.below(4)).map(|_| item.value(r, range)).collect();
                let of = |part: fn(&Shown) -> &Value| Value::from(items.iter().map(|v| part(v).clone()).collect::<Vec<_>>());
                Shown { json: of(|v| &v.json), confluent: of(|v| &v.confluent), native: of(|v| &v.native) }
            }
            Kind::Map(text, value) => {
                let entries: Vec<_> = (0..r.below(4)).map(|key| (key as i64 * 7 - 7, value.value(r, range))).collect();
                let key = |key: i64| if *text { json!(format!("k {key}")) } else { json!(key) };
                let pairs = |part: fn(&Shown) -> &Value| {
                    Value::from(entries.iter().map(|(k, v)| json!([key(*k), part(v)])).collect::<Vec<_>>())
                };
                let json = if *text {
                    Value::Object(entries.iter().map(|(k, v)| (format!("k {k}"), v.json.clone())).collect())
                } else {
                    pairs(|v| &v.json)
                };
                Shown { json, confluent: pairs(|v| &v.confluent), native: pairs(|v| &v.native) }
            }
            Kind::Struct(fields) => {
                let values: Vec<_> = fields.iter().map(|(name, spec)| (name, spec.value(r, range))).collect();
                let of = |part: fn(&Shown) -> &Value| {
                    Value::Object(values.iter().map(|(name, v)| ((*name).clone(), part(v).clone())).collect())
                };
                Shown { json: of(|v| &v.json), confluent: of(|v| &v.confluent), native: of(|v| &v.native) }
            }
        }
    }
}

fn fields(r: &mut Random, depth: u64, types: &[Scalar]) -> Vec<(String, Spec)> {
    const ODD: [&str; 8] = ["", " x", ".y", "é", ",;{}()=", "\t\n", "_ID", "list"];
    let name = |n: u64, r: &mut Random| format!("f{n}{}", if r.below(4) == 0 { ODD[r.below(8) as usize] } else { "" });
    (0..1 + r.below(5)).map(|n| (name(n, r), Spec::any(r, depth, types))).collect()
}

impl Scalar {
    fn schema(self) -> Value {
        let (kind, name) = match self {
            Self::Int8 => ("int8", ""),
            Self::Int16 => ("int16", ""),
            Self::Int32 => ("int32", ""),
            Self::Int64 => ("int64", ""),
            Self::Float => ("float", ""),
            Self::Double => ("double", ""),
            Self::Boolean => ("boolean", ""),
            Self::Text => ("string", ""),
            Self::Bytes => ("bytes", ""),
            Self::ConnectDate => ("int32", "org.apache.kafka.connect.data.Date"),
            Self::ConnectTime => ("int32", "org.apache.kafka.connect.data.Time"),
            Self::ConnectTimestamp => ("int64", "org.apache.kafka.connect.data.Timestamp"),
            Self::Date => ("int32", "io.debezium.time.Date"),
            Self::Time => ("int32", "io.debezium.time.Time"),
            Self::MicroTime => ("int64", "io.debezium.time.MicroTime"),
            Self::NanoTime => ("int64", "io.debezium.time.NanoTime"),
            Self::Timestamp => ("int64", "io.debezium.time.Timestamp"),
            Self::MicroTimestamp => ("int64", "io.debezium.time.MicroTimestamp"),
            Self::NanoTimestamp => ("int64", "io.debezium.time.NanoTimestamp"),
            Self::ZonedTimestamp => ("string", "io.debezium.time.ZonedTimestamp"),
            Self::IsoDate => ("string", "io.debezium.time.IsoDate"),
            Self::IsoTime => ("string", "io.debezium.time.IsoTime"),
            Self::IsoTimestamp => ("string", "io.debezium.time.IsoTimestamp"),
            Self::Year => ("int32", "io.debezium.time.Year"),
            Self::MicroDuration => ("int64", "io.debezium.time.MicroDuration"),
            Self::Json => ("string", "io.debezium.data.Json"),
            Self::Uuid => ("string", "io.debezium.data.Uuid"),
            Self::Enum => ("string", "io.debezium.data.Enum"),
            Self::Bits => ("bytes", "io.debezium.data.Bits"),
            Self::VariableDecimal => {
                return json!({
                    "type": "struct",
                    "name": "io.debezium.data.VariableScaleDecimal",
                    "version": 1,
                    "fields": [
                        {"field": "scale", "type": "int32", "optional": false},
                        {"field": "value", "type": "bytes", "optional": false},
                    ],
                });
            }
        };
        let mut schema = json!({"type": kind});
        if !name.is_empty() {
            schema["name"] = name.into();
            schema["version"] = 1.into();
        }
        schema
    }

    fn value(self, r: &mut Random, range: Range) -> Shown {
        const DAY_MS: u64 = 86_400_000;
        let full = range == Range::Full;
        match self {
            Self::Int8 => Shown::same(number(r, i8::MIN.into(), i8::MAX.into()).into()),
            Self::Int16 => Shown::same(number(r, i16::MIN.into(), i16::MAX.into()).into()),
            Self::Int32 | Self::Year => Shown::same(number(r, i32::MIN.into(), i32::MAX.into()).into()),
            Self::Int64 | Self::MicroDuration => Shown::same(number(r, i64::MIN, i64::MAX).into()),
            Self::Float => {
                let (value, json) = float(r, f64::from(f32::MIN_POSITIVE) / 8.0, f64::from(f32::MAX), |x| f64::from(x as f32));
                Shown::logical(json, &bits(value))
            }
            Self::Double => {
                let (value, json) = float(r, 5e-324, f64::MAX, |x| x);
                Shown::logical(json, &bits(value))
            }
            Self::Boolean => Shown::same((r.below(2) == 0).into()),
            Self::Enum => Shown::same(SYMBOLS[r.below(3) as usize].into()),
            Self::Text => Shown::same(text(r).into()),
            Self::Json => Shown::same(json!({"a": text(r), "b": [1, null]}).to_string().into()),
            Self::Uuid => Shown::same(format!("{:08x}-0000-4000-8000-{:012x}", r.below(1 << 32), r.below(1 << 48)).into()),
            Self::Bytes | Self::Bits => {
                let bytes = random_bytes(r);
                Shown::logical(STANDARD.encode(&bytes).into(), &format!("b:{}", hex(&bytes)))
            }
            Self::ConnectDate => {
                let days = days(r, full);
                Shown::logical(days.into(), &format!("D:{days}"))
            }
            Self::Date => {
                let days = days(r, full);
                Shown::annotated(days.into(), format!("D:{days}"))
            }
            Self::ConnectTime => {
                let millis = r.below(DAY_MS);
                Shown::logical(millis.into(), &format!("T:{}", millis * 1_000_000))
            }
            Self::Time => {
                let millis = r.below(DAY_MS);
                Shown::annotated(millis.into(), format!("T:{}", millis * 1_000_000))
            }
            Self::MicroTime => {
                let micros = r.below(DAY_MS * 1000);
                Shown::annotated(micros.into(), format!("T:{}", micros * 1000))
            }
            Self::NanoTime => {
                let nanos = r.below(DAY_MS * 1_000_000);
                // DuckDB has microseconds only in a table that it hands on.
                let nanos = if full { nanos } else { nanos / 1000 * 1000 };
                Shown::annotated(nanos.into(), format!("T:{nanos}"))
            }
            Self::ConnectTimestamp => {
                let millis = since_1970(r, 1000, full);
                Shown::logical(millis.into(), &format!("U:{}", i128::from(millis) * 1_000_000))
            }
            Self::Timestamp => {
                let millis = since_1970(r, 1000, full);
                Shown::annotated(millis.into(), format!("S:{}", i128::from(millis) * 1_000_000))
            }
            Self::MicroTimestamp => {
                let micros = since_1970(r, 1_000_000, full);
                Shown::annotated(micros.into(), format!("S:{}", i128::from(micros) * 1000))
            }
            Self::NanoTimestamp => {
                let nanos = if full { number(r, i64::MIN, i64::MAX) } else { number(r, 0, i64::MAX / 2) };
                Shown::annotated(nanos.into(), format!("S:{nanos}"))
            }
            Self::ZonedTimestamp => {
                let (text, nanos) = date_time(r);
                let (offset, seconds) = [("Z", 0), ("+01:00", 3600), ("-09:30", -34_200), ("+00:00", 0)][r.below(4) as usize];
                Shown::annotated(format!("{text}{offset}").into(), format!("U:{}", nanos - seconds * 1_000_000_000))
            }
            Self::IsoTimestamp => {
                let (text, nanos) = date_time(r);
                Shown::annotated(format!("{text}Z").into(), format!("S:{nanos}"))
            }
            Self::IsoDate => Shown::annotated("2000-03-01Z".into(), "D:11017".into()),
            Self::IsoTime => Shown::annotated("23:59:58.5Z".into(), "T:86398500000000".into()),
            Self::VariableDecimal => {
                let (number, scale) = (wide(r) as i128 >> r.below(120), r.below(20) as i32 - 5);
                let bytes = minimal(number);
                let group = |value: String| json!({"scale": scale, "value": value});
                Shown {
                    json: group(STANDARD.encode(&bytes)),
                    confluent: group(format!("b:{}", hex(&bytes))),
                    native: plain(number, scale).into(),
                }
            }
        }
    }
}

/// The first second of a day in 2000 to 2009, some microseconds of a second behind it, and its nanoseconds since 1970.
fn date_time(r: &mut Random) -> (String, i128) {
    // 1 January of years without a February 29 before it are whole years from 2001 on.
    let (year, micros) = (2001 + r.below(3), r.below(1_000_000));
    let days = 11_323 + 365 * (year - 2001);
    let (hour, minute) = (r.below(24), r.below(60));
    let seconds = i128::from(days * 86_400 + hour * 3600 + minute * 60);
    (format!("{year}-01-01T{hour:02}:{minute:02}:00.{micros:06}"), seconds * 1_000_000_000 + i128::from(micros) * 1000)
}

/// A number from `least` to `most`; often one of the two, or near nought.
fn number(r: &mut Random, least: i64, most: i64) -> i64 {
    match r.below(8) {
        0 => least,
        1 => most,
        2 => 0.max(least),
        3 => 1.min(most),
        _ => (i128::from(least) + (wide(r) % (i128::from(most) - i128::from(least) + 1) as u128) as i128) as i64,
    }
}

fn days(r: &mut Random, full: bool) -> i64 {
    if full { number(r, i32::MIN.into(), i32::MAX.into()) } else { number(r, -10_000, 2_932_896) }
}

/// A time since 1970, of a unit of which a second has `units`.
fn since_1970(r: &mut Random, units: i64, full: bool) -> i64 {
    match (full, r.below(6)) {
        (true, 0) => -210_863_520_000 * units,
        (true, 1) => 253_402_300_799 * units + units - 1,
        (true, 2) => i64::MAX,
        (true, 3) => i64::MIN,
        _ => number(r, -62_000_000_000 * units, 253_402_300_799 * units),
    }
}

fn wide(r: &mut Random) -> u128 {
    u128::from(r.next()) << 64 | u128::from(r.next())
}

/// A float that `round` makes, and its JSON.
fn float(r: &mut Random, tiny: f64, huge: f64, round: fn(f64) -> f64) -> (f64, Value) {
    let value = match r.below(9) {
        0 => f64::NAN,
        1 => f64::INFINITY,
        2 => f64::NEG_INFINITY,
        3 => -0.0,
        4 => tiny,
        5 => -huge,
        _ => round((r.next() as f64 / 3.0 - 1e18) / 10_f64.powi(r.below(30) as i32)),
    };
    let json = match value {
        x if x.is_nan() => "NaN".into(),
        x if x.is_infinite() => if x > 0.0 { "Infinity" } else { "-Infinity" }.into(),
        x => Value::from(x),
    };
    (value, json)
}

fn bits(value: f64) -> String {
    if value.is_nan() { "f:nan".to_owned() } else { format!("f:{:016x}", value.to_bits()) }
}

fn text(r: &mut Random) -> String {
    const PARTS: [&str; 8] = ["a", "\u{0}", "é", "😀", "\"\\", "null", "\n", " "];
    (0..r.below(6)).map(|_| PARTS[r.below(8) as usize]).collect()
}

fn random_bytes(r: &mut Random) -> Vec<u8> {
    (0..r.below(20)).map(|_| r.next() as u8).collect()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

/// The fewest bytes of a two's complement number, highest first.
fn minimal(number: i128) -> Vec<u8> {
    let bytes = number.to_be_bytes();
    let sign = if number < 0 { 0xff } else { 0 };
    let spare = bytes.windows(2).take_while(|pair| pair[0] == sign && (pair[1] ^ sign) & 0x80 == 0).count();
    bytes[spare..].to_vec()
}

/// The two's complement number of at most 16 bytes, highest first.
pub(super) fn number_of(bytes: &[u8]) -> i128 {
    let sign = if bytes.first().is_some_and(|b| b & 0x80 != 0) { -1 } else { 0 };
    bytes.iter().fold(sign, |number, byte| number << 8 | i128::from(*byte))
}

/// A number without an exponent, as Java's `BigDecimal.toPlainString` has it; nought has its zeros behind the point.
pub(super) fn plain(number: i128, scale: i32) -> String {
    let (sign, digits) = (if number < 0 { "-" } else { "" }, number.unsigned_abs().to_string());
    let Ok(scale) = usize::try_from(scale) else {
        let zeros = if number == 0 { 0 } else { scale.unsigned_abs() as usize };
        return format!("{sign}{digits}{}", "0".repeat(zeros));
    };
    if scale == 0 {
        return format!("{sign}{digits}");
    }
    let digits = format!("{digits:0>width$}", width = scale + 1);
    let (whole, fraction) = digits.split_at(digits.len() - scale);
    format!("{sign}{whole}.{fraction}")
}
