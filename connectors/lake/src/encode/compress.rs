//! The bytes of a file on their way: collected, compressed as one stream and cut into blocks.

use std::fmt;
use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::GzEncoder;

use super::snappy::Snappy;
use super::{Blocks, EncodeError, Holds};

/// How a file is compressed as a whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not at all.
    #[default]
    None,
    /// gzip at its usual level, as Java's `GZIPOutputStream`.
    Gzip,
    /// Snappy in the frames of snappy-java's `SnappyOutputStream`.
    Snappy,
    /// A frame of Zstandard at its usual level, as `ZstdOutputStream`.
    Zstd,
}

impl Compression {
    /// The compression that `az.compression.type=<name>` means: of Confluent's sinks.
    ///
    /// # Errors
    /// The names there are.
    pub fn confluent(name: &str) -> Result<Self, String> {
        match name {
            name if name.eq_ignore_ascii_case("none") => Ok(Self::None),
            name if name.eq_ignore_ascii_case("gzip") => Ok(Self::Gzip),
            _ => Err("String must be one of: none, gzip".into()),
        }
    }

    /// The compression that `file.compression.type=<name>` means: of Aiven's sinks.
    ///
    /// # Errors
    /// The names there are.
    pub fn aiven(name: &str) -> Result<Self, String> {
        match name.to_ascii_lowercase().as_str() {
            "none" => Ok(Self::None),
            "gzip" => Ok(Self::Gzip),
            "snappy" => Ok(Self::Snappy),
            "zstd" => Ok(Self::Zstd),
            _ => Err("supported values are: 'none', 'gzip', 'snappy', 'zstd'".into()),
        }
    }

    /// What file names end in after the format's own extension.
    #[must_use]
    pub fn extension(self) -> &'static str {
        match self {
            Self::None => "",
            Self::Gzip => ".gz",
            Self::Snappy => ".snappy",
            Self::Zstd => ".zst",
        }
    }
}

/// The bytes that are collected before they are compressed. A file that waits for rows has not begun to be.
pub(super) const CHUNK: usize = 64 << 10;

/// A file's bytes.
#[derive(Debug)]
pub(super) struct Stream {
    compression: Compression,
    /// What is not compressed yet; whoever encodes adds to it.
    pub(super) pending: Vec<u8>,
    out: Option<Out>,
}

enum Out {
    /// Not compressed, or between two parts that are.
    Plain(Blocks),
    Gzip(Box<GzEncoder<Blocks>>),
    Snappy(Box<Snappy<Blocks>>),
    Zstd(Box<zstd::Encoder<'static, Blocks>>),
}

impl fmt::Debug for Out {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Out").field(&self.blocks().size).finish()
    }
}

impl Out {
    fn new(compression: Compression, blocks: Blocks) -> io::Result<Self> {
        Ok(match compression {
            Compression::None => Self::Plain(blocks),
            Compression::Gzip => Self::Gzip(Box::new(GzEncoder::new(blocks, flate2::Compression::default()))),
            Compression::Snappy => Self::Snappy(Box::new(Snappy::new(blocks)?)),
            Compression::Zstd => Self::Zstd(Box::new(zstd::Encoder::new(blocks, zstd::DEFAULT_COMPRESSION_LEVEL)?)),
        })
    }

    fn blocks(&self) -> &Blocks {
        match self {
            Self::Plain(blocks) => blocks,
            Self::Gzip(gzip) => gzip.get_ref(),
            Self::Snappy(snappy) => snappy.get_ref(),
            Self::Zstd(zstd) => zstd.get_ref(),
        }
    }

    fn blocks_mut(&mut self) -> &mut Blocks {
        match self {
            Self::Plain(blocks) => blocks,
            Self::Gzip(gzip) => gzip.get_mut(),
            Self::Snappy(snappy) => snappy.get_mut(),
            Self::Zstd(zstd) => zstd.get_mut(),
        }
    }

    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        match self {
            Self::Plain(blocks) => blocks.write_all(bytes),
            Self::Gzip(gzip) => gzip.write_all(bytes),
            Self::Snappy(snappy) => snappy.write_all(bytes),
            Self::Zstd(zstd) => zstd.write_all(bytes),
        }
    }

    /// The bytes of the compressor.
    fn state(&self) -> Holds {
        match self {
            Self::Plain(_) => Holds::default(),
            Self::Gzip(_) => Holds { gives: 300 << 10, keeps: 0 },
            Self::Snappy(_) => Holds { gives: 0, keeps: 80 << 10 },
            Self::Zstd(_) => Holds { gives: 2 << 20, keeps: 0 },
        }
    }

    fn finish(self) -> io::Result<Blocks> {
        match self {
            Self::Plain(blocks) => Ok(blocks),
            Self::Gzip(gzip) => gzip.finish(),
            Self::Snappy(snappy) => snappy.finish(),
            Self::Zstd(zstd) => zstd.finish(),
        }
    }
}

impl Stream {
    pub(super) fn new(compression: Compression) -> Self {
        Self { compression, pending: Vec::new(), out: None }
    }

    /// Compresses what was collected if it is much.
    pub(super) fn flush_much(&mut self) -> Result<(), EncodeError> {
        if self.pending.len() >= CHUNK { self.flush() } else { Ok(()) }
    }

    fn flush(&mut self) -> Result<(), EncodeError> {
        let out = match self.out.take() {
            Some(Out::Plain(blocks)) => Out::new(self.compression, blocks)?,
            Some(out) => out,
            None => Out::new(self.compression, Blocks::default())?,
        };
        self.out.insert(out).write_all(&self.pending)?;
        self.pending.clear();
        // A long row need not keep its memory.
        self.pending.shrink_to(2 * CHUNK);
        Ok(())
    }

    /// Makes a block of the bytes that are ready, if they are `limit` or more.
    pub(super) fn cut(&mut self, limit: usize) {
        if let Some(out) = &mut self.out {
            out.blocks_mut().cut(limit);
        }
    }

    /// About how large the file would be if it ended now.
    pub(super) fn size(&self) -> u64 {
        (self.pending.len() + self.out.as_ref().map_or(0, |out| out.blocks().size)) as u64
    }

    pub(super) fn has_block(&self) -> bool {
        self.out.as_ref().is_some_and(|out| !out.blocks().full.is_empty())
    }

    pub(super) fn take(&mut self) -> Vec<Bytes> {
        self.out.as_mut().map(|out| out.blocks_mut().take()).unwrap_or_default()
    }

    pub(super) fn holds(&self) -> Holds {
        let Holds { gives, keeps } = self.out.as_ref().map(Out::state).unwrap_or_default();
        let blocks = self.out.as_ref().map_or(0, |out| out.blocks().held());
        Holds { gives: gives + self.pending.capacity() + blocks, keeps }
    }

    /// Makes blocks of all that there is. What is compressed has then another part behind it, where the compression has parts.
    pub(super) fn hand_over(&mut self) -> Result<(), EncodeError> {
        if !self.pending.is_empty() {
            self.flush()?;
        }
        self.pending = Vec::new();
        self.out = match self.out.take() {
            Some(Out::Snappy(mut snappy)) => {
                snappy.write_rest()?;
                Some(Out::Snappy(snappy))
            }
            Some(out) => Some(Out::Plain(out.finish()?)),
            None => None,
        };
        self.cut(1);
        Ok(())
    }

    /// The last blocks.
    pub(super) fn finish(mut self) -> Result<Vec<Bytes>, EncodeError> {
        if self.out.is_none() || !self.pending.is_empty() {
            self.flush()?;
        }
        Ok(match self.out {
            None => Vec::new(),
            Some(out) => out.finish()?.finish(),
        })
    }
}

impl From<io::Error> for EncodeError {
    fn from(error: io::Error) -> Self {
        Self { format: "a compressed file", why: error.to_string() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    fn whole(compression: Compression, chunks: &[&[u8]]) -> Vec<u8> {
        let mut stream = Stream::new(compression);
        for chunk in chunks {
            stream.pending.extend_from_slice(chunk);
            stream.flush_much().expect("compress");
        }
        assert!(stream.size() > 0);
        stream.finish().expect("finish").concat()
    }

    #[test]
    fn a_stream_is_what_was_put_into_it() {
        let mixed: Vec<u8> = (0..300_000_u32).map(|i| (i.wrapping_mul(i) % 251) as u8).collect();
        let plain = [b"a".as_slice(), &mixed, b"b"];
        let same = |found: Vec<u8>| assert!(found == plain.concat());
        same(whole(Compression::None, &plain));
        let mut found = Vec::new();
        let gzip = whole(Compression::Gzip, &plain);
        flate2::read::GzDecoder::new(&gzip[..]).read_to_end(&mut found).expect("gzip");
        same(found);
        same(zstd::decode_all(&whole(Compression::Zstd, &plain)[..]).expect("zstd"));
    }

    #[test]
    fn what_was_handed_over_is_a_part_of_the_same_stream() {
        let all = [Compression::None, Compression::Gzip, Compression::Snappy, Compression::Zstd];
        for compression in all {
            let (mut stream, mut file, mut plain) = (Stream::new(compression), Vec::new(), Vec::new());
            stream.hand_over().expect("nothing");
            for part in [3, 200_000, 5_u32] {
                let bytes: Vec<u8> = (0..part).map(|i| (i.wrapping_mul(i) % 251) as u8).collect();
                plain.extend_from_slice(&bytes);
                stream.pending.extend_from_slice(&bytes);
                stream.flush_much().expect("compress");
                assert!(stream.holds().gives >= 3);
                stream.hand_over().expect("hand over");
                assert_eq!(stream.holds().gives, 0);
                file.extend(stream.take().concat());
                assert_eq!(stream.size(), file.len() as u64);
            }
            let before = file.len();
            file.extend(stream.finish().expect("finish").concat());
            assert_eq!(file.len(), before, "nothing is left of {compression:?}");
            let mut found = Vec::new();
            match compression {
                Compression::None => found = file,
                Compression::Gzip => {
                    flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut found).map(drop).expect("gzip");
                }
                Compression::Zstd => found = zstd::decode_all(&file[..]).expect("zstd"),
                Compression::Snappy => {
                    let mut rest = &file[16..];
                    while let Some((length, block)) = rest.split_first_chunk::<4>() {
                        let (block, behind) = block.split_at(u32::from_be_bytes(*length) as usize);
                        found.extend(snap::raw::Decoder::new().decompress_vec(block).expect("snappy"));
                        rest = behind;
                    }
                }
            }
            assert!(found == plain, "{compression:?}");
        }
    }

    #[test]
    fn names_are_those_of_each_family() {
        assert_eq!(Compression::confluent("GZIP"), Ok(Compression::Gzip));
        assert_eq!(Compression::confluent("snappy"), Err("String must be one of: none, gzip".into()));
        let all = ["none", "gzip", "snappy", "ZSTD"].map(|name| Compression::aiven(name).expect("a name").extension());
        assert_eq!(all, ["", ".gz", ".snappy", ".zst"]);
        assert!(Compression::aiven("lz4").is_err());
    }
}
