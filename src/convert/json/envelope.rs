//! Converts records that carry their Connect schema: `{"schema":…,"payload":…}`. The text before the payload is the same in millions
//! of records, so it is compared and not read.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use arrow_schema::FieldRef;
use landfall_api::{RecordError, Run};
use serde_json::Value;

use super::super::node::Node;
use super::scan::{Scanner, Stop};
use super::schema::Reading;
use super::schemaless::{Converted, Schemaless, check, start};
use super::{Utf8, invalid, not_utf8, runs};

/// Java's words for bytes that are JSON, but no envelope.
const NO_ENVELOPE: &str = "JsonConverter with schemas.enable requires \"schema\" and \"payload\" fields and may not contain additional \
                           fields. If you are trying to deserialize plain JSON data, set schemas.enable=false in your converter configuration.";

/// The schemas seen, and the prefix by which the last is known again.
#[derive(Debug)]
pub(super) struct Envelope {
    name: &'static str,
    reading: Reading,
    /// How many different schema texts are remembered (`schemas.cache.size`).
    limit: usize,
    known: HashMap<Box<[u8]>, usize>,
    plans: Vec<Plan>,
    /// What stands before the payload in the last record whose payload came last, and its plan.
    prefix: Option<(Vec<u8>, usize)>,
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

/// The adjacent records with one schema that are being read.
struct Stretch<'a> {
    begin: usize,
    kind: Kind<'a>,
    refused: Vec<(usize, RecordError)>,
}

enum Kind<'a> {
    /// No record with a value came yet; as many rows are null.
    Nulls(usize),
    Plan(usize),
    /// The payloads of records whose schema is null.
    Schemaless(Vec<Option<&'a [u8]>>),
}

impl Envelope {
    pub(super) fn new(name: &'static str, reading: Reading, limit: usize) -> Self {
        let (known, plans) = (HashMap::new(), Vec::new());
        Self { name, reading, limit: limit.max(1), known, plans, prefix: None, last: None, bare: false }
    }

    /// Reads all records as payloads of the schema `content`.
    pub(super) fn with_content(mut self, content: &str) -> Result<Self, RecordError> {
        let json = serde_json::from_str(content).map_err(|e| RecordError::data(e.to_string()))?;
        let at = self.learn(&json)?;
        (self.prefix, self.last, self.bare) = (Some((Vec::new(), at)), Some(at), true);
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
            (self.prefix, self.last) = (None, None);
            self.known.clear();
            self.plans.clear();
        }
        let mut done = Vec::new();
        let mut stretch = Stretch { begin: 0, kind: Kind::Nulls(0), refused: Vec::new() };
        for (row, record) in records.iter().enumerate() {
            let Some(bytes) = record else {
                self.null(&mut stretch);
                continue;
            };
            if let (Some((prefix, plan)), Kind::Nulls(_)) = (&self.prefix, &stretch.kind)
                && bytes.starts_with(prefix)
            {
                self.turn(Some(*plan), row, records.len(), &mut stretch, topic, utf8, schemaless, &mut done);
            }
            if let (Some((prefix, plan)), Kind::Plan(current)) = (&self.prefix, &stretch.kind)
                && plan == current
                && bytes.starts_with(prefix)
                && utf8.valid(&bytes[prefix.len()..])
            {
                let (node, rows) = (&mut self.plans[*plan].node, row - stretch.begin);
                if read(node, bytes, prefix.len(), self.bare).is_ok() {
                    continue;
                }
                node.truncate(rows);
            }
            let read = self.open(bytes, utf8).and_then(|(plan, payload)| {
                if plan.is_none_or(|plan| !matches!(stretch.kind, Kind::Plan(p) if p == plan)) {
                    self.turn(plan, row, records.len(), &mut stretch, topic, utf8, schemaless, &mut done);
                }
                match (&mut stretch.kind, plan) {
                    (Kind::Schemaless(payloads), _) => payloads.push(Some(&bytes[payload])),
                    (_, Some(plan)) => {
                        let node = &mut self.plans[plan].node;
                        if let Err(stop) = node.read(&mut Scanner::new(bytes, payload.start)) {
                            node.truncate(row - stretch.begin);
                            return Err(invalid(stop));
                        }
                    }
                    _ => {}
                }
                Ok(())
            });
            if let Err(error) = read {
                stretch.refused.push((row - stretch.begin, error));
                self.null(&mut stretch);
            }
        }
        if let (Kind::Nulls(nulls), Some(last)) = (&stretch.kind, self.last) {
            (0..*nulls).for_each(|_| self.plans[last].node.null());
            stretch.kind = Kind::Plan(last);
        }
        if let Kind::Plan(plan) = stretch.kind {
            self.last = Some(plan);
        }
        self.close(stretch, topic, utf8, schemaless, &mut done);
        done
    }

    fn null(&mut self, stretch: &mut Stretch<'_>) {
        match &mut stretch.kind {
            Kind::Nulls(nulls) => *nulls += 1,
            Kind::Plan(plan) => self.plans[*plan].node.null(),
            Kind::Schemaless(payloads) => payloads.push(None),
        }
    }

    /// Begins a stretch at `row` for another schema, or for none. Nulls that wait for their first schema go with it.
    #[expect(clippy::too_many_arguments, reason = "what closing the stretch before takes")]
    fn turn<'a>(
        &mut self,
        plan: Option<usize>,
        row: usize,
        rows: usize,
        stretch: &mut Stretch<'a>,
        topic: &str,
        utf8: Utf8,
        schemaless: &mut Schemaless,
        done: &mut Vec<Run>,
    ) {
        if plan.is_none() && matches!(stretch.kind, Kind::Schemaless(_)) {
            return;
        }
        let nulls = if let Kind::Nulls(nulls) = stretch.kind { nulls } else { 0 };
        let kind = match plan {
            Some(plan) => {
                let node = &mut self.plans[plan].node;
                node.reserve(rows - row + nulls);
                (0..nulls).for_each(|_| node.null());
                Kind::Plan(plan)
            }
            None => Kind::Schemaless(vec![None; nulls]),
        };
        if let Kind::Nulls(_) = stretch.kind {
            stretch.kind = kind;
            return;
        }
        let before = std::mem::replace(stretch, Stretch { begin: row, kind, refused: Vec::new() });
        self.close(before, topic, utf8, schemaless, done);
    }

    fn close(&mut self, stretch: Stretch<'_>, topic: &str, utf8: Utf8, schemaless: &mut Schemaless, done: &mut Vec<Run>) {
        let Stretch { begin, kind, refused } = stretch;
        let mut converted = match kind {
            Kind::Schemaless(payloads) => schemaless.convert(topic, self.name, &payloads, utf8),
            Kind::Nulls(nulls) => schemaless.convert(topic, self.name, &vec![None; nulls], utf8),
            Kind::Plan(plan) => {
                let Plan { field, node } = &mut self.plans[plan];
                Converted { field: field.clone(), array: node.finish(field.data_type()), refused: Vec::new() }
            }
        };
        converted.refused.extend(refused);
        converted.refused.sort_by_key(|(row, _)| *row);
        done.extend(runs(begin, converted));
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
        if last {
            self.prefix = Some((bytes[..payload.start].to_vec(), plan));
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
