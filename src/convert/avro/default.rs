//! Default values: as JSON in Avro's form, in the form of Connect's `JsonConverter`, and in Avro's binary encoding.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};

use super::schema::{Kind, Schema, Types};

/// How deep a default may lie in another.
const DEPTH: usize = 100;

/// The default `json` of `schema` in Connect's form; `member` names the field of a union's branch. None if it is not valid.
pub(super) fn connect(schema: &Schema, json: &Value, types: &Types, member: &dyn Fn(&Schema, usize) -> String) -> Option<Value> {
    Form { types, member }.connect(schema, json, DEPTH)
}

struct Form<'a> {
    types: &'a Types,
    member: &'a dyn Fn(&Schema, usize) -> String,
}

impl Form<'_> {
    fn connect(&self, schema: &Schema, json: &Value, depth: usize) -> Option<Value> {
        let depth = depth.checked_sub(1)?;
        Some(match &schema.kind {
            Kind::Named(name) => self.connect(self.types.get(name)?, json, depth)?,
            Kind::Null => json.is_null().then(|| json.clone())?,
            Kind::Boolean => json.is_boolean().then(|| json.clone())?,
            Kind::Int | Kind::Long => json.is_i64().then(|| json.clone())?,
            Kind::Float | Kind::Double => Value::from(json.as_f64()?),
            Kind::String | Kind::Enum { .. } => Value::from(json.as_str()?),
            Kind::Bytes | Kind::Fixed(_) => Value::from(STANDARD.encode(latin1(json)?)),
            Kind::Array(items) => {
                let items = json.as_array()?.iter().map(|item| self.connect(items, item, depth));
                Value::Array(items.collect::<Option<_>>()?)
            }
            Kind::Map(values) => {
                let entries =
                    json.as_object()?.iter().map(|(key, value)| Some((key.clone(), self.connect(values, value, depth)?)));
                Value::Object(entries.collect::<Option<_>>()?)
            }
            Kind::Record(fields) => {
                let field = |field: &super::schema::Field| {
                    let value = json.get(&field.name).or(field.default.as_ref())?;
                    Some((field.name.clone(), self.connect(&field.schema, value, depth)?))
                };
                json.as_object()?;
                Value::Object(fields.iter().map(field).collect::<Option<_>>()?)
            }
            Kind::Union(members) => match &members[..] {
                [first, ..] if first.kind == Kind::Null => json.is_null().then(|| json.clone())?,
                [only] => self.connect(only, json, depth)?,
                [first, second] if second.kind == Kind::Null => self.connect(first, json, depth)?,
                [first, ..] => {
                    let resolved = if let Kind::Named(name) = &first.kind { self.types.get(name)? } else { first };
                    let value = self.connect(first, json, depth)?;
                    Value::Object(Map::from_iter([((self.member)(resolved, 0), value)]))
                }
                [] => return None,
            },
        })
    }
}

/// Appends the default `json` of `schema` as Avro encodes it; a union has its first branch. None if it is not valid.
pub(super) fn encode(schema: &Schema, json: &Value, types: &Types, to: &mut Vec<u8>) -> Option<()> {
    encode_at(schema, json, types, to, DEPTH)
}

fn encode_at(schema: &Schema, json: &Value, types: &Types, to: &mut Vec<u8>, depth: usize) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match &schema.kind {
        Kind::Named(name) => encode_at(types.get(name)?, json, types, to, depth)?,
        Kind::Null => json.is_null().then_some(())?,
        Kind::Boolean => to.push(json.as_bool()?.into()),
        Kind::Int => long(i32::try_from(json.as_i64()?).ok()?.into(), to),
        Kind::Long => long(json.as_i64()?, to),
        Kind::Float => to.extend((json.as_f64()? as f32).to_le_bytes()),
        Kind::Double => to.extend(json.as_f64()?.to_le_bytes()),
        Kind::String => bytes(json.as_str()?.as_bytes(), to),
        Kind::Bytes => bytes(&latin1(json)?, to),
        Kind::Fixed(size) => to.extend(latin1(json).filter(|bytes| bytes.len() == *size)?),
        Kind::Enum { symbols, .. } => {
            let symbol = json.as_str()?;
            long(symbols.iter().position(|found| found == symbol)? as i64, to);
        }
        Kind::Array(items) => {
            let list = json.as_array()?;
            if !list.is_empty() {
                long(list.len() as i64, to);
                list.iter().try_for_each(|item| encode_at(items, item, types, to, depth))?;
            }
            to.push(0);
        }
        Kind::Map(values) => {
            let map = json.as_object()?;
            if !map.is_empty() {
                long(map.len() as i64, to);
                for (key, value) in map {
                    bytes(key.as_bytes(), to);
                    encode_at(values, value, types, to, depth)?;
                }
            }
            to.push(0);
        }
        Kind::Record(fields) => {
            for field in fields {
                encode_at(&field.schema, json.get(&field.name).or(field.default.as_ref())?, types, to, depth)?;
            }
        }
        Kind::Union(members) => {
            to.push(0);
            encode_at(members.first()?, json, types, to, depth)?;
        }
    }
    Some(())
}

fn long(value: i64, to: &mut Vec<u8>) {
    let mut bits = (value << 1 ^ value >> 63) as u64;
    while bits >= 0x80 {
        to.push(bits as u8 | 0x80);
        bits >>= 7;
    }
    to.push(bits as u8);
}

fn bytes(bytes: &[u8], to: &mut Vec<u8>) {
    long(bytes.len() as i64, to);
    to.extend_from_slice(bytes);
}

/// Bytes as JSON has them: a text whose characters are their numbers.
fn latin1(json: &Value) -> Option<Vec<u8>> {
    json.as_str()?.chars().map(|c| u8::try_from(c).ok()).collect()
}
