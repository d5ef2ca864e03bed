//! JSON of columns that are known, read with sonic-rs into Arrow builders: what the worst cases are compared with.

use std::fmt;

use arrow_array::Array as _;
use arrow_array::builder::{ArrayBuilder as _, Int64Builder, StringBuilder};
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use crate::worst::{Kind, Shape};

/// A column that grows.
pub(crate) enum Column {
    Long(Int64Builder),
    Text(StringBuilder),
    Record(Vec<(String, Column)>),
}

impl Column {
    /// The columns of records of `shape`.
    pub(crate) fn new(shape: &Shape) -> Self {
        let of = |kind: &Kind| match kind {
            Kind::Long => Self::Long(Int64Builder::new()),
            Kind::Text(_) | Kind::Null => Self::Text(StringBuilder::new()),
            Kind::Record(inner) => Self::new(inner),
        };
        Self::Record(shape.0.iter().map(|(name, kind)| (name.clone(), of(kind))).collect())
    }

    /// Reads a record; `enveloped` in `{"schema": …, "payload": …}`.
    pub(crate) fn read(&mut self, json: &[u8], enveloped: bool) {
        let mut source = sonic_rs::Deserializer::from_slice(json);
        let read = if enveloped { Envelope(self).deserialize(&mut source) } else { self.deserialize(&mut source) };
        read.expect("a record");
    }

    fn len(&self) -> usize {
        match self {
            Self::Long(values) => values.len(),
            Self::Text(values) => values.len(),
            Self::Record(fields) => fields[0].1.len(),
        }
    }

    fn null(&mut self) {
        match self {
            Self::Long(values) => values.append_null(),
            Self::Text(values) => values.append_null(),
            Self::Record(fields) => fields.iter_mut().for_each(|(_, column)| column.null()),
        }
    }

    /// Ends a batch; how many rows it has.
    pub(crate) fn finish(&mut self) -> usize {
        match self {
            Self::Long(values) => values.finish().len(),
            Self::Text(values) => values.finish().len(),
            Self::Record(fields) => fields.iter_mut().map(|(_, column)| column.finish()).max().unwrap_or(0),
        }
    }
}

impl<'de> DeserializeSeed<'de> for &mut Column {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for &mut Column {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value of the column")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.null();
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        let Column::Long(values) = self else { return Err(E::custom("a number")) };
        values.append_value(value);
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.visit_i64(value as i64)
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        let Column::Text(values) = self else { return Err(E::custom("a text")) };
        values.append_value(value);
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let rows = self.len();
        let Column::Record(fields) = self else { return Err(A::Error::custom("a record")) };
        let (mut next, mut seen) = (0, 0);
        while let Some(at) = map.next_key_seed(Name(fields, next))? {
            map.next_value_seed(&mut fields[at].1)?;
            (next, seen) = (at + 1, seen + 1);
        }
        if seen < fields.len() {
            fields.iter_mut().filter(|(_, column)| column.len() == rows).for_each(|(_, column)| column.null());
        }
        Ok(())
    }
}

/// The place of the field whose name comes next, which is expected to be the given one.
struct Name<'a>(&'a [(String, Column)], usize);

impl<'de> DeserializeSeed<'de> for Name<'_> {
    type Value = usize;

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<usize, D::Error> {
        source.deserialize_str(self)
    }
}

impl Visitor<'_> for Name<'_> {
    type Value = usize;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name of a column")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<usize, E> {
        let Self(fields, next) = self;
        let near = fields.get(next).filter(|(field, _)| field == name).map(|_| next);
        near.or_else(|| fields.iter().position(|(field, _)| field == name)).ok_or_else(|| E::custom("a known name"))
    }
}

/// Reads a payload and steps over its schema.
struct Envelope<'a>(&'a mut Column);

impl<'de> DeserializeSeed<'de> for Envelope<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, source: D) -> Result<(), D::Error> {
        source.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Envelope<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an envelope")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<&str>()? {
            match name {
                "payload" => map.next_value_seed(&mut *self.0)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }
}
