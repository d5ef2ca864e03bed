//! Snappy in the frames of snappy-java's `SnappyOutputStream` (1.1.10): a header, then blocks with their lengths before them.

use std::io::{self, Write};

/// The magic number, the version and the oldest version that can read it.
const HEADER: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";

/// The bytes of a block before it is compressed: the class's default.
const BLOCK: usize = 32 << 10;

/// A stream being compressed.
pub(super) struct Snappy<W> {
    to: W,
    encoder: snap::raw::Encoder,
    block: Vec<u8>,
    compressed: Vec<u8>,
}

impl<W: Write> Snappy<W> {
    pub(super) fn new(mut to: W) -> io::Result<Self> {
        to.write_all(&HEADER)?;
        let compressed = vec![0; snap::raw::max_compress_len(BLOCK)];
        Ok(Self { to, encoder: snap::raw::Encoder::new(), block: Vec::with_capacity(BLOCK), compressed })
    }

    pub(super) fn get_ref(&self) -> &W {
        &self.to
    }

    pub(super) fn get_mut(&mut self) -> &mut W {
        &mut self.to
    }

    pub(super) fn write_all(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            let (now, later) = bytes.split_at(bytes.len().min(BLOCK - self.block.len()));
            self.block.extend_from_slice(now);
            if self.block.len() == BLOCK {
                self.write_block()?;
            }
            bytes = later;
        }
        Ok(())
    }

    fn write_block(&mut self) -> io::Result<()> {
        let length = self.encoder.compress(&self.block, &mut self.compressed)?;
        self.to.write_all(&(length as u32).to_be_bytes())?;
        self.to.write_all(&self.compressed[..length])?;
        self.block.clear();
        Ok(())
    }

    /// Makes a block of what is in none.
    pub(super) fn write_rest(&mut self) -> io::Result<()> {
        if self.block.is_empty() { Ok(()) } else { self.write_block() }
    }

    pub(super) fn finish(mut self) -> io::Result<W> {
        self.write_rest()?;
        Ok(self.to)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_stand_behind_a_header_with_their_lengths() {
        let plain: Vec<u8> = (0..100_000_u32).map(|i| (i / 7 % 251) as u8).collect();
        let mut stream = Snappy::new(Vec::new()).expect("a header");
        for part in plain.chunks(1009) {
            stream.write_all(part).expect("write");
        }
        let written = stream.finish().expect("finish");
        let mut rest = written.strip_prefix(&HEADER).expect("a header");
        let (mut found, mut blocks) = (Vec::new(), 0);
        while let Some((length, behind)) = rest.split_first_chunk() {
            let (block, behind) = behind.split_at(u32::from_be_bytes(*length) as usize);
            found.extend(snap::raw::Decoder::new().decompress_vec(block).expect("snappy"));
            (rest, blocks) = (behind, blocks + 1);
        }
        assert_eq!((found == plain, blocks), (true, 4));
    }
}
