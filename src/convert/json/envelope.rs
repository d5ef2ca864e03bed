//! Converts records that carry their Connect schema: `{"schema":…,"payload":…}`. The text before the payload is the same in millions
//! of records, so it is compared and not read.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::FieldRef;
use landfall_api::{Column, RecordError, Run};
use serde_json::Value;

use super::super::node::Node;
use super::super::runs_of;
use super::scan::{Scanner, Stop};
use super::schema::Reading;
use super::schemaless::{Converted, Schemaless, check, start};
use super::{Utf8, invalid, not_utf8};

/// Java's words for bytes that are JSON, but no envelope.
const NO_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
                           fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.";

/// The schemas seen, and the prefixes by which the last ones are known again.
#[derive(Debug)]
pub(super) struct Envelope {
    name: &'static str,
    reading: Reading,
    /// How many different schema texts are remembered (`schemas.cache.size`).
    limit: usize,
    known: HashMap<Box<[u8]>, usize>,
    plans: Vec<Plan>,
    /// What stands before the payload in records whose payload comes last, and the plan of these: the newest last.
    prefixes: Vec<(Vec<u8>, usize)>,
    /// The plan of the last batch's last record.
    last: Option<usize>,
    /// Whether all records are payloads of the only plan (`schema.content`).
    bare: bool,
}

/// How the records of one schema are read.
#[derive(Debug)]
struct Plan {
    field: FieldRef,
    node: Node,
}

/// A batch that is being read. The rows of one schema become one array, however often the schema changes; a stretch is a part of it.
struct Batch<'a> {
    rows: usize,
    /// Never empty; the last one goes on.
    stretches: Vec<Stretch>,
    /// The payloads of records whose schema is null.
    payloads: Vec<Option<&'a [u8]>>,
    refused: Vec<(usize, RecordError)>,
}

/// Adjacent records with one schema.
struct Stretch {
    kind: Kind,
    begin: usize,
    /// How many rows of the kind there are before it.
    before: usize,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// No record with a value came yet.
    Nulls,
    Plan(usize),
    /// The records' schema is null.
    Schemaless,
}

/// How many prefixes are known, for schemas that come in turn.
const PREFIXES: usize = 8;

impl Envelope {
    pub(super) fn new(name: &'static str, reading: Reading, limit: usize) -> Self {
        let (known, plans) = (HashMap::new(), Vec::new());
        Self { name, reading, limit: limit.max(1), known, plans, prefixes: Vec::new(), last: None, bare: false }
    }

    /// Reads all records as payloads of the schema `content`.
    pub(super) fn with_content(mut self, content: &str) -> Result<Self, RecordError> {
        let json = serde_json::from_str(content).map_err(|e| RecordError::data(e.to_string()))?;
        let at = self.learn(&json)?;
        (self.prefixes, self.last, self.bare) = (vec![(Vec::new(), at)], Some(at), true);
        Ok(self)
    }

    /// Converts `records`; the ones without a schema as `schemaless` records of `topic`.
    pub(super) fn convert(
        &mut self,
        topic: &str,
        records: &[Option<&[u8]>],
        utf8: Utf8,
        schemaless: &mut Schemaless,
    ) -> Vec<Run> {
        if self.known.len().max(self.plans.len()) > self.limit && !self.bare {
            self.last = None;
            self.prefixes.clear();
            self.known.clear();
            self.plans.clear();
        }
        let stretches = vec![Stretch { kind: Kind::Nulls, begin: 0, before: 0 }];
        let mut batch = Batch { rows: records.len(), stretches, payloads: Vec::new(), refused: Vec::new() };
        for (row, record) in records.iter().enumerate() {
            let Some(bytes) = record else {
                self.null(&mut batch);
                continue;
            };
            if let Some((at, plan)) = self.known_prefix(bytes)
                && utf8.valid(&bytes[at..])
            {
                self.turn(Kind::Plan(plan), row, &mut batch);
                let node = &mut self.plans[plan].node;
                let rows = node.len();
                if read(node, bytes, at, self.bare).is_ok() {
                    continue;
                }
                node.truncate(rows);
            }
            let read = self.open(bytes, utf8).and_then(|(plan, payload)| {
                self.turn(plan.map_or(Kind::Schemaless, Kind::Plan), row, &mut batch);
                let Some(plan) = plan else {
                    batch.payloads.push(Some(&bytes[payload]));
                    return Ok(());
                };
                let node = &mut self.plans[plan].node;
                let rows = node.len();
                node.read(&mut Scanner::new(bytes, payload.start)).map_err(|stop| {
                    node.truncate(rows);
                    invalid(stop)
                })
            });
            if let Err(error) = read {
                batch.refused.push((row, error));
                self.null(&mut batch);
            }
        }
        if batch.kind() == Kind::Nulls {
            self.turn(self.last.map_or(Kind::Schemaless, Kind::Plan), records.len(), &mut batch);
        }
        if let Kind::Plan(plan) = batch.kind() {
            self.last = Some(plan);
        }
        self.finish(topic, batch, utf8, schemaless)
    }

    /// Where the payload of a record begins whose text before it was seen before, and the record's plan.
    fn known_prefix(&self, bytes: &[u8]) -> Option<(usize, usize)> {
        let known = self.prefixes.iter().rev().find(|(prefix, _)| bytes.starts_with(prefix))?;
        Some((known.0.len(), known.1))
    }

    fn null(&mut self, batch: &mut Batch<'_>) {
        match batch.kind() {
            Kind::Nulls => {} // counted when the first kind is known
            Kind::Plan(plan) => self.plans[plan].node.null(),
            Kind::Schemaless => batch.payloads.push(None),
        }
    }

    /// The record at `row` is of `kind`, and begins a stretch unless that before it is too. Nulls that wait for their first schema go
    /// with it.
    fn turn(&mut self, kind: Kind, row: usize, batch: &mut Batch<'_>) {
        let last = batch.kind();
        if last == kind {
            return;
        }
        let begin = if last == Kind::Nulls { 0 } else { row };
        let before = match kind {
            Kind::Plan(plan) => {
                let node = &mut self.plans[plan].node;
                if node.len() == 0 {
                    node.reserve(batch.rows - begin);
                }
                node.len()
            }
            _ => batch.payloads.len(),
        };
        if last == Kind::Nulls {
            batch.stretches.clear();
        }
        batch.stretches.push(Stretch { kind, begin, before });
        (begin..row).for_each(|_| self.null(batch));
    }

    /// The runs of a batch.
    fn finish(&mut self, topic: &str, batch: Batch<'_>, utf8: Utf8, schemaless: &mut Schemaless) -> Vec<Run> {
        let Batch { rows, stretches, payloads, mut refused } = batch;
        let mut columns: Vec<Option<Column>> = vec![None; self.plans.len()];
        let mut without = None;
        if stretches.iter().any(|stretch| stretch.kind == Kind::Schemaless) {
            let Converted { field, array, refused: these } = schemaless.convert(topic, self.name, &payloads, utf8);
            without = Some(Column { field, array });
            let stretches = stretches.iter().filter(|stretch| stretch.kind == Kind::Schemaless).collect::<Vec<_>>();
            refused.extend(these.into_iter().map(|(at, error)| {
                let stretch = stretches[stretches.partition_point(|stretch| stretch.before <= at) - 1];
                (stretch.begin + at - stretch.before, error)
            }));
            refused.sort_by_key(|(row, _)| *row);
        }
        let ends: Vec<_> = stretches.iter().skip(1).map(|stretch| stretch.begin).chain([rows]).collect();
        let mut refused = refused.into_iter().peekable();
        let mut runs = Vec::with_capacity(stretches.len());
        for (Stretch { kind, begin, before }, end) in stretches.into_iter().zip(ends) {
            let column = match kind {
                Kind::Plan(plan) => columns[plan].get_or_insert_with(|| {
                    let Plan { field, node } = &mut self.plans[plan];
                    Column { field: field.clone(), array: node.finish(field.data_type()) }
                }),
                _ => match &mut without {
                    Some(column) => column,
                    None => continue, // there is no other kind
                },
            };
            let here = std::iter::from_fn(|| refused.next_if(|(row, _)| *row < end));
            let here = here.map(|(row, error)| (row - begin, error)).collect();
            runs.extend(runs_of(begin, column, before..before + end - begin, here));
        }
        runs
    }

    /// The plan of a record, if it has a schema, and where its payload is.
    fn open(&mut self, bytes: &[u8], utf8: Utf8) -> Result<(Option<usize>, Range<usize>), RecordError> {
        if !utf8.valid(bytes) {
            return Err(invalid(not_utf8()));
        }
        let begin = start(bytes);
        let mut s = Scanner::new(bytes, begin);
        let blank = s.peek() == 0 && s.at == bytes.len();
        if self.bare {
            if !blank {
                check(bytes).map_err(invalid)?;
            }
            let payload = if blank { 0..0 } else { s.at..bytes.len() };
            return Ok((self.last, payload));
        }
        if s.peek() != b'{' {
            if !blank {
                check(bytes).map_err(invalid)?;
            }
            return Err(RecordError::data(NO_ENVELOPE));
        }
        let Parts { schema: Some(schema), payload: Some(payload), others: false, last } = parts(&mut s).map_err(invalid)? else {
            return Err(RecordError::data(NO_ENVELOPE));
        };
        let text = &bytes[schema];
        if text == b"null" {
            return Ok((None, payload));
        }
        let plan = match self.known.get(text) {
            Some(&plan) => plan,
            None => {
                let json: Value = serde_json::from_slice(text).map_err(|e| invalid(Stop::invalid(e.to_string())))?;
                let plan = self.learn(&json)?;
                self.known.insert(text.into(), plan);
                plan
            }
        };
        if last && !self.prefixes.iter().any(|(prefix, _)| *prefix == bytes[..payload.start]) {
            if self.prefixes.len() == PREFIXES {
                self.prefixes.remove(0);
            }
            self.prefixes.push((bytes[..payload.start].to_vec(), plan));
        }
        Ok((Some(plan), payload))
    }

    /// The plan of a schema: two texts of one schema have one. The field of a record is nullable also where its schema requires a value.
    fn learn(&mut self, json: &Value) -> Result<usize, RecordError> {
        let (field, node) = self.reading.root(json, self.name)?;
        if let Some(at) = self.plans.iter().position(|plan| *plan.field == field && plan.node.absent == node.absent) {
            return Ok(at);
        }
        self.plans.push(Plan { field: Arc::new(field), node });
        Ok(self.plans.len() - 1)
    }
}

impl Batch<'_> {
    /// That of the stretch that goes on.
    fn kind(&self) -> Kind {
        self.stretches.last().map_or(Kind::Nulls, |stretch| stretch.kind)
    }
}

/// Where the parts of an envelope are; the last counts of several with one name.
#[derive(Default)]
struct Parts {
    schema: Option<Range<usize>>,
    payload: Option<Range<usize>>,
    /// Whether there are other fields.
    others: bool,
    /// Whether a payload is the last field, after a schema, and the only one.
    last: bool,
}

fn parts(s: &mut Scanner<'_>) -> Result<Parts, Stop> {
    let mut parts = Parts::default();
    let mut first = true;
    s.enter()?;
    while s.more(first, b'}')? {
        first = false;
        let name = s.key()?.text();
        s.peek();
        let begin = s.at;
        s.skip()?;
        let at = begin..s.at;
        parts.last = false;
        match &*name {
            "schema" => parts.schema = Some(at),
            "payload" => {
                parts.last = parts.schema.is_some() && parts.payload.is_none();
                parts.payload = Some(at);
            }
            _ => parts.others = true,
        }
    }
    s.end()?;
    Ok(parts)
}

/// Reads the payload at `at` of a record that is an envelope if nothing but a brace follows; of one that is `bare` if nothing does.
fn read(node: &mut Node, bytes: &[u8], at: usize, bare: bool) -> Result<(), Stop> {
    let mut s = Scanner::new(bytes, at);
    node.read(&mut s)?;
    if !bare {
        if s.peek() != b'}' {
            return Err(s.unexpected("'}'"));
        }
        s.at += 1;
    }
    s.end()
}
