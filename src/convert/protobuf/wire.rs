//! Reads the wire format of Protocol Buffers as Java's `CodedInputStream` (4.x) does, and says what is wrong in its words.

use landfall_api::RecordError;

use super::super::node::Overflow;

/// How deep messages may be nested.
pub(super) const DEPTH: u32 = 100;

/// The wire types.
pub(super) const VARINT: u32 = 0;
pub(super) const FIXED64: u32 = 1;
pub(super) const BYTES: u32 = 2;
const GROUP: u32 = 3;
const END_GROUP: u32 = 4;
pub(super) const FIXED32: u32 = 5;

/// Why a message cannot be read.
#[derive(Debug)]
pub(super) enum Malformed {
    Truncated,
    Varint,
    NegativeSize,
    ZeroTag,
    EndGroup,
    WireType,
    Depth,
    Utf8,
    /// The path of a required field that is not there.
    Required(String),
    /// The message can be read, but a value in it is none that Connect has.
    Value(Box<RecordError>),
}

impl From<Overflow> for Malformed {
    fn from(overflow: Overflow) -> Self {
        Self::Value(Box::new(overflow.into()))
    }
}

impl From<RecordError> for Malformed {
    fn from(error: RecordError) -> Self {
        Self::Value(Box::new(error))
    }
}

impl Malformed {
    /// Java's words (`InvalidProtocolBufferException`).
    pub(super) fn text(&self) -> String {
        match self {
            Self::Truncated => {
                "While parsing a protocol message, the input ended unexpectedly in the middle of a field.  This could mean \
                                either that the input has been truncated or that an embedded message misreported its own length."
            }
            Self::Varint => "CodedInputStream encountered a malformed varint.",
            Self::NegativeSize => {
                "CodedInputStream encountered an embedded string or message which claimed to have negative size."
            }
            Self::ZeroTag => "Protocol message contained an invalid tag (zero).",
            Self::EndGroup => "Protocol message end-group tag did not match expected tag.",
            Self::WireType => "Protocol message tag had invalid wire type.",
            Self::Depth => {
                "Protocol message had too many levels of nesting.  May be malicious.  Use setRecursionLimit() to increase the \
                            recursion depth limit."
            }
            Self::Utf8 => "Protocol message had invalid UTF-8.",
            Self::Required(path) => return format!("Message missing required fields: {path}"),
            Self::Value(error) => return error.message.clone(),
        }
        .to_owned()
    }
}

/// A place in the bytes of a record, and the end of the message that is being read.
#[derive(Clone, Debug)]
pub(super) struct Reader<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) at: usize,
    pub(super) end: usize,
    depth: u32,
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, end: bytes.len(), depth: 0 }
    }

    /// Whether the message is at its end.
    #[inline]
    pub(super) fn done(&self) -> bool {
        self.at >= self.end
    }

    /// Reads the number and wire type of a field. As in Java, bits past 32 are dropped.
    #[inline]
    pub(super) fn tag(&mut self) -> Result<u32, Malformed> {
        let tag = self.varint()? as u32;
        if tag >> 3 == 0 { Err(Malformed::ZeroTag) } else { Ok(tag) }
    }

    #[inline]
    pub(super) fn varint(&mut self) -> Result<u64, Malformed> {
        match self.bytes[..self.end].get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(byte.into())
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, Malformed> {
        let mut value = 0;
        for (i, &byte) in self.bytes[self.at.min(self.end)..self.end].iter().take(10).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte < 0x80 {
                self.at += i + 1;
                return Ok(value);
            }
        }
        Err(if self.end - self.at.min(self.end) < 10 { Malformed::Truncated } else { Malformed::Varint })
    }

    #[inline]
    fn fixed<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let chunk = self.bytes[self.at..self.end].first_chunk().ok_or(Malformed::Truncated)?;
        self.at += N;
        Ok(*chunk)
    }

    #[inline]
    pub(super) fn fixed32(&mut self) -> Result<u32, Malformed> {
        self.fixed().map(u32::from_le_bytes)
    }

    #[inline]
    pub(super) fn fixed64(&mut self) -> Result<u64, Malformed> {
        self.fixed().map(u64::from_le_bytes)
    }

    /// Where the bytes of a field with a length end.
    #[inline]
    fn limit(&mut self) -> Result<usize, Malformed> {
        let length = self.varint()? as u32 as i32;
        let length = usize::try_from(length).map_err(|_| Malformed::NegativeSize)?;
        let end = self.at + length;
        if end > self.end { Err(Malformed::Truncated) } else { Ok(end) }
    }

    /// Reads a field with a length.
    #[inline]
    pub(super) fn delimited(&mut self) -> Result<&'a [u8], Malformed> {
        let end = self.limit()?;
        let bytes = &self.bytes[self.at..end];
        self.at = end;
        Ok(bytes)
    }

    /// Lets `read` read the packed values that come next. It reads to their end or fails.
    #[inline]
    pub(super) fn packed<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        let limit = self.limit()?;
        let end = std::mem::replace(&mut self.end, limit);
        let result = read(self);
        self.end = end;
        result
    }

    /// Lets `read` read the message that comes next. It reads to its end or fails.
    #[inline]
    pub(super) fn message<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Malformed>) -> Result<T, Malformed> {
        if self.depth >= DEPTH {
            return Err(Malformed::Depth);
        }
        self.depth += 1;
        let result = self.packed(read);
        self.depth -= 1;
        result
    }

    /// Steps over the value of a field that nobody knows.
    #[inline]
    pub(super) fn skip(&mut self, tag: u32) -> Result<(), Malformed> {
        match tag & 7 {
            VARINT => self.varint().map(drop),
            FIXED64 => self.fixed64().map(drop),
            BYTES => self.delimited().map(drop),
            FIXED32 => self.fixed32().map(drop),
            GROUP => self.skip_group(tag >> 3),
            END_GROUP => Err(Malformed::EndGroup),
            _ => Err(Malformed::WireType),
        }
    }

    /// Steps over the rest of a group, and over the groups in it.
    #[cold]
    fn skip_group(&mut self, number: u32) -> Result<(), Malformed> {
        let mut open = [number; DEPTH as usize];
        let mut groups = 1;
        if self.depth >= DEPTH {
            return Err(Malformed::Depth);
        }
        while groups > 0 {
            if self.done() {
                return Err(Malformed::EndGroup);
            }
            let tag = self.tag()?;
            match tag & 7 {
                GROUP if groups + self.depth >= DEPTH => return Err(Malformed::Depth),
                GROUP => {
                    open[groups as usize] = tag >> 3;
                    groups += 1;
                }
                END_GROUP if open[groups as usize - 1] != tag >> 3 => return Err(Malformed::EndGroup),
                END_GROUP => groups -= 1,
                _ => self.skip(tag)?,
            }
        }
        Ok(())
    }
}
