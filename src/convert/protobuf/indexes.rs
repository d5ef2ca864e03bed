//! Which of the messages of a schema a record is: a path of indexes before it
//! (`io.confluent.kafka.serializers.schema.id.SchemaId.SchemaMessageIndexes`, 8.3.1).

use std::sync::Arc;

use arrow_array::NullArray;
use arrow_schema::{DataType, Field};
use landfall_api::{Column, RecordError, Run};
use protox::prost_reflect::FileDescriptor;

use super::super::registry::Decode;
use super::decode::Decoder;
use super::{Options, connect, descriptor, unreadable};

/// The messages of one schema, and the decoders of those that came.
#[derive(Debug)]
pub(super) struct Messages {
    name: &'static str,
    file: FileDescriptor,
    options: Options,
    version: Option<i32>,
    known: Vec<(Vec<i32>, Result<Decoder, RecordError>)>,
}

impl Messages {
    pub(super) fn new(name: &'static str, file: FileDescriptor, options: Options, version: Option<i32>) -> Self {
        Self { name, file, options, version, known: Vec::new() }
    }

    /// The place in `known` of the message at `path`.
    fn find(&mut self, path: &[i32]) -> Result<usize, RecordError> {
        if let Some(at) = self.known.iter().position(|(known, _)| known == path) {
            return Ok(at);
        }
        let message =
            descriptor::message(&self.file, path).ok_or_else(|| unreadable(format!("Invalid message indexes: {path:?}")))?;
        let decoder = connect::column(&self.options, self.name, &message, self.version).map(|(field, node, kind)| Decoder {
            field: Arc::new(field),
            node,
            kind,
        });
        self.known.push((path.to_vec(), decoder));
        Ok(self.known.len() - 1)
    }

    /// Decodes the rows of a stretch, which are all of the message at `message`, if any is.
    fn stretch(&mut self, begin: usize, message: Option<usize>, payloads: &[Option<&[u8]>], runs: &mut Vec<Run>) {
        if payloads.is_empty() {
            return;
        }
        let nulls = |rows: std::ops::Range<usize>| {
            let field = Arc::new(Field::new(self.name, DataType::Null, true));
            Run { column: Ok(Column { field, array: Arc::new(NullArray::new(rows.len())) }), rows }
        };
        match message.and_then(|at| self.known.get_mut(at)) {
            None => runs.push(nulls(begin..begin + payloads.len())),
            Some((_, Ok(decoder))) => {
                let placed = |run: Run| Run { rows: begin + run.rows.start..begin + run.rows.end, ..run };
                runs.extend(decoder.decode(payloads).into_iter().map(placed));
            }
            Some((_, Err(error))) => runs.extend(payloads.iter().zip(begin..).map(|(payload, row)| match payload {
                Some(_) => Run { rows: row..row + 1, column: Err(error.clone()) },
                None => nulls(row..row + 1),
            })),
        }
    }
}

impl Decode for Messages {
    fn decode(&mut self, payloads: &[Option<&[u8]>]) -> Vec<Run> {
        let mut runs = Vec::new();
        // The bytes of the path before the message of the stretch, which are the same in most records.
        let (mut begin, mut current, mut prefix) = (0, None, &[][..]);
        let mut rest = Vec::with_capacity(payloads.len());
        for (row, payload) in payloads.iter().enumerate() {
            let Some(bytes) = payload else {
                rest.push(None);
                continue;
            };
            if current.is_some() && bytes.starts_with(prefix) {
                rest.push(Some(&bytes[prefix.len()..]));
                continue;
            }
            match split(bytes).and_then(|(path, message)| Ok((self.find(&path)?, message))) {
                Ok((at, message)) => {
                    if current.is_some_and(|current| current != at) {
                        self.stretch(begin, current, &rest, &mut runs);
                        rest.clear();
                        begin = row;
                    }
                    current = Some(at);
                    prefix = &bytes[..bytes.len() - message.len()];
                    rest.push(Some(message));
                }
                Err(error) => {
                    self.stretch(begin, current, &rest, &mut runs);
                    rest.clear();
                    runs.push(Run { rows: row..row + 1, column: Err(error) });
                    (begin, current) = (row + 1, None);
                }
            }
        }
        self.stretch(begin, current, &rest, &mut runs);
        runs
    }
}

/// The path at the begin of `bytes`, and what stands after it. A path of no index is that to the first message.
fn split(bytes: &[u8]) -> Result<(Vec<i32>, &[u8]), RecordError> {
    let mut rest = bytes;
    let length = index(&mut rest)?;
    let length = usize::try_from(length).map_err(|_| unreadable(format!("Illegal Capacity: {length}")))?;
    if length > rest.len() {
        return Err(short());
    }
    let path = (0..length).map(|_| index(&mut rest)).collect::<Result<Vec<_>, _>>()?;
    Ok((if path.is_empty() { vec![0] } else { path }, rest))
}

/// Takes a number in zigzag form, of up to 5 bytes (Kafka's `ByteUtils.readVarint`).
fn index(bytes: &mut &[u8]) -> Result<i32, RecordError> {
    let mut value = 0u32;
    for (i, &byte) in bytes.iter().take(5).enumerate() {
        value |= u32::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            *bytes = &bytes[i + 1..];
            return Ok((value >> 1) as i32 ^ -((value & 1) as i32));
        }
    }
    Err(if bytes.len() < 5 { short() } else { unreadable("Varint is too long, the most significant bit in the 5th byte is set") })
}

fn short() -> RecordError {
    unreadable("the bytes end within the message indexes")
}
