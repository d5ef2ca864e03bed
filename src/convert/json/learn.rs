//! Learns the columns of values without a schema: a [`Node`] widens until it has a place for all that it was shown.
//!
//! A type only ever widens: nothing → any type; long → double as long as no digit of an integer is lost; object → object with more
//! fields; list → list of wider items; any other clash → the JSON text of each value, strings with their quotes, so that `5` and
//! `"5"` stay two things. A field, object or list in which there was never anything but null has no type and is not shown.

use std::collections::HashMap;
use std::sync::Arc;

use arrow_buffer::BooleanBufferBuilder;
use arrow_schema::{DataType, Field, FieldRef};

use landfall_api::schema::{JSON, SCHEMALESS, is_json};

use super::super::node::{ITEM, Member, Members, Node, Offsets, Text, Values};
use super::read::double;
use super::scan::{Number, Scanner, Stop, ascii};

/// Objects and lists deeper than this are kept as JSON text.
const MAX_DEPTH: usize = 32;
/// Objects below the top that were seen with more different fields than this are kept as JSON text: they are maps.
const MAX_FIELDS: usize = 1000;

impl Node {
    /// Widens the node, which must be empty, for the value that comes next; `depth` is 0 for a whole record.
    pub(super) fn learn(&mut self, s: &mut Scanner<'_>, depth: usize) -> Result<(), Stop> {
        let next = s.peek();
        match (&mut self.values, next) {
            (_, b'n') => return s.literal("null"),
            (Values::Json(_), _) => return s.skip().map(drop),
            (Values::Struct(_), b'{') | (Values::List(..), b'[') => {}
            (Values::Unknown, b'{' | b'[') if depth >= MAX_DEPTH => self.values = Values::Json(Text::new()),
            (Values::Unknown, b'{') => self.values = Values::Struct(Members::default()),
            (Values::Unknown, b'[') => self.values = Values::List(Offsets::new(), Box::new(Self::unknown())),
            (values, _) => {
                let seen = scalar(s, values)?;
                widen(values, seen);
                return Ok(());
            }
        }
        match &mut self.values {
            Values::Struct(members) => {
                members.learn(s, depth)?;
                if depth > 0 && members.list.len() > MAX_FIELDS {
                    self.values = Values::Json(Text::new());
                }
                Ok(())
            }
            Values::List(_, items) => {
                s.enter()?;
                let mut first = true;
                while s.more(first, b']')? {
                    items.learn(s, depth + 1)?;
                    first = false;
                }
                Ok(())
            }
            _ => s.skip().map(drop),
        }
    }

    /// Widens the node, which must be empty, to take the values of a field that it showed earlier.
    pub(super) fn recall(&mut self, field: &Field) {
        let seen = match field.data_type() {
            DataType::Boolean => Values::Boolean(BooleanBufferBuilder::new(0)),
            DataType::Int64 => Values::Int64(Vec::new()),
            DataType::Float64 => Values::Float64(Vec::new()),
            DataType::Utf8 if is_json(field) => Values::Json(Text::new()),
            DataType::Utf8 => Values::String(Text::new()),
            DataType::List(item) => {
                if let Values::Unknown = self.values {
                    self.values = Values::List(Offsets::new(), Box::new(Self::unknown()));
                }
                match &mut self.values {
                    Values::List(_, items) => items.recall(item),
                    values => *values = Values::Json(Text::new()),
                }
                return;
            }
            DataType::Struct(fields) => {
                if let Values::Unknown = self.values {
                    self.values = Values::Struct(Members::default());
                }
                match &mut self.values {
                    Values::Struct(members) => {
                        for field in fields {
                            let at =
                                members.find(field.name(), 0).unwrap_or_else(|| members.insert(members.list.len(), field.name()));
                            members.list[at].node.recall(field);
                        }
                        members.rank();
                    }
                    values => *values = Values::Json(Text::new()),
                }
                return;
            }
            _ => return, // not ours: nothing here makes a field of another type
        };
        widen(&mut self.values, seen);
    }

    /// The Arrow field of what was learned; None while there is nothing to show.
    pub(super) fn show(&mut self, name: &str) -> Option<Field> {
        let mut mark = "true";
        let data_type = match &mut self.values {
            Values::Unknown => return None,
            Values::Boolean(_) => DataType::Boolean,
            Values::Int64(_) => DataType::Int64,
            Values::Float64(_) => DataType::Float64,
            Values::Json(_) => {
                mark = JSON;
                DataType::Utf8
            }
            Values::List(_, items) => DataType::List(Arc::new(items.show(ITEM)?)),
            Values::Struct(members) => {
                let fields = members.show();
                if fields.is_empty() {
                    return None;
                }
                DataType::Struct(fields.into())
            }
            _ => DataType::Utf8,
        };
        Some(Field::new(name, data_type, true).with_metadata(HashMap::from([(SCHEMALESS.into(), mark.into())])))
    }

    /// The Arrow field of a whole record: an object has one even if it never had a field, and a list if it never had an item.
    pub(super) fn show_root(&mut self, name: &str) -> FieldRef {
        let bare = |name: &str, data_type| {
            Field::new(name, data_type, true).with_metadata(HashMap::from([(SCHEMALESS.into(), "true".into())]))
        };
        let data_type = match self.values {
            Values::Struct(_) => DataType::Struct([].into()),
            Values::List(..) => DataType::List(Arc::new(bare(ITEM, DataType::Null))),
            _ => DataType::Null,
        };
        Arc::new(self.show(name).unwrap_or_else(|| bare(name, data_type)))
    }
}

impl Members {
    fn learn(&mut self, s: &mut Scanner<'_>, depth: usize) -> Result<(), Stop> {
        s.enter()?;
        let (mut first, mut next) = (true, 0);
        while s.more(first, b'}')? {
            let name = s.key()?.text();
            // A new field is expected after the one that came before it.
            let at = self.find(&name, next).unwrap_or_else(|| self.insert(next, &name));
            self.list[at].node.learn(s, depth + 1)?;
            first = false;
            next = at + 1;
        }
        Ok(())
    }

    fn insert(&mut self, at: usize, name: &str) -> usize {
        self.list.insert(at, Member::new(name, Node::unknown()));
        self.arrange(Vec::new());
        at
    }

    /// Ranks the fields that have come to a type, in the expected order, after all that had one.
    fn rank(&mut self) {
        let mut ranks = self.list.iter().filter_map(|m| m.rank).max().map_or(0, |last| last + 1);
        for member in &mut self.list {
            if member.rank.is_none() && member.node.show("").is_some() {
                member.rank = Some(ranks);
                ranks += 1;
            }
        }
    }

    fn show(&mut self) -> Vec<Field> {
        self.rank();
        let mut shown: Vec<_> = (0..self.list.len()).filter(|&at| self.list[at].rank.is_some()).collect();
        shown.sort_by_key(|&at| self.list[at].rank);
        let fields = shown.iter().filter_map(|&at| {
            let member = &mut self.list[at];
            member.node.show(&member.name)
        });
        let fields = fields.collect();
        self.arrange(shown);
        fields
    }
}

/// The type of the value that comes next as one that holds it and does not clash with `values` if there is one.
fn scalar(s: &mut Scanner<'_>, values: &Values) -> Result<Values, Stop> {
    Ok(match s.peek() {
        b'"' => {
            s.string()?;
            Values::String(Text::new())
        }
        b't' | b'f' => {
            s.skip()?;
            Values::Boolean(BooleanBufferBuilder::new(0))
        }
        b'-' | b'0'..=b'9' => match (s.number()?, values) {
            (number @ Number::Long(_), Values::Float64(_)) if double(number, true).is_none() => Values::Json(Text::new()),
            (Number::Long(_), _) => Values::Int64(Vec::new()),
            (Number::Decimal(text), _) if ascii(text).parse().is_ok_and(f64::is_finite) => Values::Float64(Vec::new()),
            _ => Values::Json(Text::new()),
        },
        _ => {
            s.skip()?;
            Values::Json(Text::new())
        }
    })
}

/// Makes `values` hold what it held and what `seen` holds.
fn widen(values: &mut Values, seen: Values) {
    *values = match (&*values, seen) {
        (Values::Unknown, seen) => seen,
        (Values::Boolean(_), Values::Boolean(_))
        | (Values::String(_), Values::String(_))
        | (Values::Int64(_), Values::Int64(_))
        | (Values::Float64(_), Values::Int64(_)) => return,
        (Values::Int64(_) | Values::Float64(_), seen @ Values::Float64(_)) => seen,
        _ => Values::Json(Text::new()),
    }
}
