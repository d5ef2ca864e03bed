//! Converts values that come with the id of their schema: cut where the id changes, each stretch decoded by its schema's decoder.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use arrow_array::cast::AsArray as _;
use arrow_array::{Array as _, BinaryArray, ListArray, NullArray, StringArray};
use arrow_schema::{DataType, Field};
use landfall_api::{Column, Converter, RecordError, Records, Run, Unavailable};

use super::wire::SERIALIZATION;
use super::{NoSchema, RegisteredSchema, SchemaId, Schemas};

/// What tells one format from another.
///
/// A `SerializationException` that one of its methods, its decoders or the registry gives is wrapped in the `DataException` that the Java
/// converter throws then; other errors stay as they are.
pub(in crate::convert) trait Format: Send + fmt::Debug {
    /// What Java's converter says of a record of `topic` that cannot be deserialized, before the cause; empty if it throws the cause.
    fn failed(&self, topic: &str) -> String;

    /// What stands before the message of a decoder's `SerializationException`.
    fn undecodable(&self, id: SchemaId) -> String {
        let _ = id;
        String::new()
    }

    /// Reads what stands before a payload: the schema's id and the bytes after it. `header` is the value of the header that may name
    /// the schema instead. A payload is owned only where what is decoded is not in one place.
    fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError>;

    /// The header by which a record may name its schema, if the format looks there.
    fn header(&self) -> Option<&str> {
        None
    }

    /// Another header by which it may, where it has none of that name.
    fn other_header(&self) -> Option<&str> {
        None
    }

    /// Whether the first of several headers with one name counts, and not the last.
    fn first_header(&self) -> bool {
        false
    }

    /// A decoder of payloads with this schema.
    fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError>;
}

/// Decodes payloads of one schema.
pub(in crate::convert) trait Decode: Send + fmt::Debug {
    /// The rows as runs that cover each row once, in order, counted from 0. A null payload is a null.
    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Vec<Run>;
}

/// A converter of a format.
#[derive(Debug)]
pub(in crate::convert) struct Framed<F> {
    name: &'static str,
    format: F,
    schemas: Box<dyn Schemas>,
    /// Decoders by id; or why there never is one.
    decoders: HashMap<SchemaId, Result<Box<dyn Decode>, RecordError>>,
    /// What the registry did not have in the last batch: it may have it by the next.
    missing: HashMap<SchemaId, RecordError>,
}

type Frame<'a> = Result<Option<(SchemaId, Cow<'a, [u8]>)>, RecordError>;

impl<F: Format> Framed<F> {
    /// A converter that makes columns called `name` and asks `schemas`.
    pub(in crate::convert) fn new(name: &'static str, format: F, schemas: Box<dyn Schemas>) -> Self {
        Self { name, format, schemas, decoders: HashMap::new(), missing: HashMap::new() }
    }

    /// The id and the payload of each row; none where the value is null.
    fn frames<'a>(&self, records: &Records<'a>) -> Vec<Frame<'a>> {
        let first = self.format.first_header();
        let named = |name: Option<_>| name.zip(records.headers).map(|(name, headers)| Headers::new(headers, name));
        let (headers, others) = (named(self.format.header()), named(self.format.other_header()));
        let of = |headers: &Option<Headers<'a, '_>>, row| headers.as_ref().and_then(|headers| headers.of(row, first));
        let frame = |(row, value): (usize, Option<&'a [u8]>)| {
            let id = of(&headers, row).or_else(|| of(&others, row));
            value.map(|value| self.format.frame(value, id)).transpose()
        };
        records.bytes.iter().enumerate().map(frame).collect()
    }

    /// The decoder of the schema with this id; or why there is none.
    fn decoder(&mut self, id: SchemaId) -> Result<Result<&mut dyn Decode, RecordError>, Unavailable> {
        if let Some(error) = self.missing.get(&id) {
            return Ok(Err(error.clone()));
        }
        if !self.decoders.contains_key(&id) {
            let decoder = match self.schemas.schema(id) {
                Ok(schema) => self.format.decoder(&schema),
                Err(NoSchema::Unavailable(why)) => return Err(why),
                Err(NoSchema::Refused(error)) => {
                    self.missing.insert(id, error.clone());
                    return Ok(Err(error));
                }
            };
            self.decoders.insert(id, decoder);
        }
        Ok(match self.decoders.get_mut(&id) {
            Some(Ok(decoder)) => Ok(&mut **decoder),
            Some(Err(error)) => Err(error.clone()),
            None => Err(RecordError::data(format!("no decoder for id {id}"))),
        })
    }

    /// Decodes the rows of all `stretches` whose values have the id `id`, in one go: a schema that comes in turn with others does not
    /// cost an array each time. The runs of the stretch at a place in `runs` are put there.
    fn decode(
        &mut self,
        id: SchemaId,
        stretches: &[(usize, Range<usize>)],
        frames: &[Frame<'_>],
        runs: &mut [Vec<Run>],
    ) -> Result<(), Unavailable> {
        let payload = |row: usize| frames[row].as_ref().ok().and_then(|frame| frame.as_ref().map(|(_, payload)| &**payload));
        let decoder = match self.decoder(id)? {
            Ok(decoder) => decoder,
            Err(error) => {
                for (at, rows) in stretches {
                    runs[*at].extend(rows.clone().map(|row| match payload(row) {
                        Some(_) => Run { rows: row..row + 1, column: Err(error.clone()) },
                        None => self.nulls(row..row + 1),
                    }));
                }
                return Ok(());
            }
        };
        let payloads: Vec<_> = stretches.iter().flat_map(|(_, rows)| rows.clone().map(payload)).collect();
        let mut decoded = decoder.decode(&payloads).into_iter().peekable();
        let named = |error: &RecordError| match error.class {
            SERIALIZATION => RecordError { message: self.format.undecodable(id) + &error.message, ..error.clone() },
            _ => error.clone(),
        };
        let mut before = 0;
        for (at, rows) in stretches {
            let end = before + rows.len();
            while let Some(run) = decoded.peek() {
                let part = run.rows.start.max(before)..run.rows.end.min(end);
                if part.is_empty() {
                    break;
                }
                let column = match &run.column {
                    Ok(column) if part == run.rows => Ok(column.clone()),
                    Ok(column) => Ok(column.slice(&(part.start - run.rows.start..part.end - run.rows.start))),
                    Err(error) => Err(named(error)),
                };
                runs[*at].push(Run { rows: rows.start + part.start - before..rows.start + part.end - before, column });
                // the rest is of the next stretch
                if run.rows.end > end {
                    break;
                }
                decoded.next();
            }
            before = end;
        }
        Ok(())
    }

    /// Rows of nulls of which no schema is known.
    fn nulls(&self, rows: Range<usize>) -> Run {
        let field = Arc::new(Field::new(self.name, DataType::Null, true));
        Run { column: Ok(Column { field, array: Arc::new(NullArray::new(rows.len())) }), rows }
    }

    /// The error as the converter throws it.
    fn thrown(&self, topic: &str, error: RecordError) -> RecordError {
        match self.format.failed(topic) {
            said if error.class == SERIALIZATION && !said.is_empty() => RecordError::data(format!("{said} {error}")),
            _ => error,
        }
    }
}

impl<F: Format> Converter for Framed<F> {
    fn convert(&mut self, records: &Records<'_>) -> Result<Vec<Run>, Unavailable> {
        self.missing.clear();
        let frames = self.frames(records);
        let stretches = stretches(&frames);
        let mut runs: Vec<Vec<Run>> = stretches.iter().map(|_| Vec::new()).collect();
        // by id, in the order in which they come
        let mut places = HashMap::new();
        let mut of: Vec<(SchemaId, Vec<Place>)> = Vec::new();
        for (at, Stretch { rows, id }) in stretches.into_iter().enumerate() {
            match (id, &frames[rows.start]) {
                (Some(id), _) => {
                    let place = *places.entry(id).or_insert_with(|| {
                        of.push((id, Vec::new()));
                        of.len() - 1
                    });
                    of[place].1.push((at, rows));
                }
                (None, Err(error)) => runs[at].push(Run { rows, column: Err(error.clone()) }),
                (None, Ok(_)) => runs[at].push(self.nulls(rows)),
            }
        }
        for (id, stretches) in of {
            self.decode(id, &stretches, &frames, &mut runs)?;
        }
        let thrown = |run: Run| Run { column: run.column.map_err(|error| self.thrown(records.topic, error)), ..run };
        Ok(runs.into_iter().flatten().map(thrown).collect())
    }
}

/// Which stretch, and its rows.
type Place = (usize, Range<usize>);

/// Adjacent rows whose values have one id; without an id a row that cannot be framed, or nulls of which no schema is known.
struct Stretch {
    rows: Range<usize>,
    id: Option<SchemaId>,
}

/// Nulls belong to the stretch that they are in, and at its begin to that after them.
fn stretches(frames: &[Frame<'_>]) -> Vec<Stretch> {
    let mut stretches = Vec::new();
    let (mut begin, mut id) = (0, None);
    let mut end = |rows: Range<usize>, id| stretches.extend((!rows.is_empty()).then_some(Stretch { rows, id }));
    for (row, frame) in frames.iter().enumerate() {
        match frame {
            Ok(None) => {}
            Ok(Some((next, _))) if id.is_none_or(|id| id == *next) => id = Some(*next),
            Ok(Some((next, _))) => {
                end(begin..row, id);
                (begin, id) = (row, Some(*next));
            }
            Err(_) => {
                end(begin..row, id);
                end(row..row + 1, None);
                (begin, id) = (row + 1, None);
            }
        }
    }
    end(begin..frames.len(), id);
    stretches
}

/// The headers of a batch that have one name.
struct Headers<'a, 'n> {
    offsets: &'a [i32],
    keys: &'a StringArray,
    values: &'a BinaryArray,
    name: &'n str,
}

impl<'a, 'n> Headers<'a, 'n> {
    fn new(headers: &'a ListArray, name: &'n str) -> Self {
        let entries = headers.values().as_struct();
        Self {
            offsets: headers.value_offsets(),
            keys: entries.column(0).as_string(),
            values: entries.column(1).as_binary(),
            name,
        }
    }

    /// The value of the first or the last of them that a row has.
    fn of(&self, row: usize, first: bool) -> Option<&'a [u8]> {
        let mut entries = self.offsets[row] as usize..self.offsets[row + 1] as usize;
        let named = |at: &usize| self.keys.value(*at) == self.name;
        let at = if first { entries.find(named) } else { entries.rfind(named) }?;
        self.values.is_valid(at).then(|| self.values.value(at))
    }
}

#[cfg(test)]
mod tests {
    use arrow_array::ArrayRef;
    use proptest::prelude::*;

    use super::super::serialization;
    use super::*;

    /// Values `<id>:<text>`; the schemas 1 and 2 are there.
    #[derive(Debug)]
    struct Texts;

    impl Format for Texts {
        fn failed(&self, topic: &str) -> String {
            format!("failed on {topic}:")
        }

        fn header(&self) -> Option<&str> {
            Some("id")
        }

        fn frame<'a>(&self, value: &'a [u8], header: Option<&'a [u8]>) -> Result<(SchemaId, Cow<'a, [u8]>), RecordError> {
            match (header, value) {
                (Some([id @ b'0'..=b'9']), text) | (None, [id @ b'0'..=b'9', b':', text @ ..]) => {
                    Ok((SchemaId::Number(i64::from(id - b'0')), text.into()))
                }
                _ => Err(serialization("no id")),
            }
        }

        fn decoder(&self, schema: &RegisteredSchema) -> Result<Box<dyn Decode>, RecordError> {
            Ok(Box::new(Named(schema.text.clone())))
        }
    }

    #[derive(Debug)]
    struct Named(String);

    impl Decode for Named {
        fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Vec<Run> {
            let texts = payloads.iter().map(|p| p.map(|p| str::from_utf8(p).expect("text")));
            let array = Arc::new(texts.collect::<StringArray>());
            let field = Arc::new(Field::new(&self.0, DataType::Utf8, true));
            vec![Run { rows: 0..payloads.len(), column: Ok(Column { field, array }) }]
        }
    }

    #[derive(Debug)]
    struct Two;

    impl Schemas for Two {
        fn schema(&mut self, id: SchemaId) -> Result<RegisteredSchema, NoSchema> {
            match id {
                SchemaId::Number(id @ (1 | 2)) => {
                    Ok(RegisteredSchema { kind: "TEXT".into(), text: format!("s{id}"), references: Vec::new(), version: None })
                }
                SchemaId::Number(9) => Err(NoSchema::Unavailable(Unavailable("away".into()))),
                _ => Err(NoSchema::Refused(RecordError::data("no schema"))),
            }
        }
    }

    fn convert(values: &[Option<&str>]) -> Result<Vec<(Range<usize>, String)>, Unavailable> {
        let bytes: BinaryArray = values.iter().copied().collect();
        let runs = Framed::new("value", Texts, Box::new(Two)).convert(&Records { topic: "t", bytes: &bytes, headers: None })?;
        let shown = |run: Run| match run.column {
            Ok(column) => (run.rows, format!("{} {}", column.field.name(), column.array.data_type())),
            Err(error) => (run.rows, error.message),
        };
        Ok(runs.into_iter().map(shown).collect())
    }

    #[test]
    fn stretches_of_one_id_are_runs_and_nulls_join_them() {
        let values = [None, Some("1:a"), None, Some("1:b"), Some("2:c"), Some("x"), None, Some("2:d"), Some("3:e"), None];
        let expected = [
            (0..4, "s1 Utf8"),
            (4..5, "s2 Utf8"),
            (5..6, "failed on t: org.apache.kafka.common.errors.SerializationException: no id"),
            (6..8, "s2 Utf8"),
            (8..9, "no schema"),
            (9..10, "value Null"),
        ];
        let expected = expected.map(|(rows, shown)| (rows, shown.to_owned()));
        assert_eq!(convert(&values).expect("available"), expected);
        assert_eq!(convert(&[None, None]).expect("available"), [(0..2, "value Null".to_owned())]);
        assert_eq!(convert(&[]).expect("available"), []);
    }

    /// What becomes of each row: its column and text, null, or the message that it is refused with.
    fn rows(values: &[Option<String>]) -> Vec<String> {
        let bytes: BinaryArray = values.iter().map(Option::as_ref).collect();
        let runs = Framed::new("value", Texts, Box::new(Two)).convert(&Records { topic: "t", bytes: &bytes, headers: None });
        let text = |name: &str, array: &ArrayRef, row: usize| match array.as_string_opt::<i32>() {
            Some(texts) if texts.is_valid(row) => format!("{name} {}", texts.value(row)),
            _ => "null".to_owned(),
        };
        let of_run = |run: Run| -> Vec<String> {
            match run.column {
                Ok(Column { field, array }) => (0..run.rows.len()).map(|row| text(field.name(), &array, row)).collect(),
                Err(error) => vec![error.message],
            }
        };
        runs.expect("available").into_iter().flat_map(of_run).collect()
    }

    proptest! {
        /// Schemas come in turn, with nulls and bad records between them: a row becomes what it does alone.
        #[test]
        fn a_row_is_the_same_among_others(values in prop::collection::vec(prop::option::weighted(0.9, "[1-3]:[a-z]{0,3}|x"), 1..40)) {
            let alone: Vec<_> = values.iter().flat_map(|value| rows(std::slice::from_ref(value))).collect();
            prop_assert_eq!(rows(&values), alone);
        }
    }

    #[test]
    fn a_registry_that_is_away_holds_all_back() {
        assert_eq!(convert(&[Some("1:a"), Some("9:b")]), Err(Unavailable("away".into())));
    }
}
