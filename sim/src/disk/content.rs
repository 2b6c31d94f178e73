//! The content of a file: the appended pieces.
//!
//! Replicas share the bytes of a record batch, a read inside one piece copies nothing, and a clone
//! of the world shares the list of pieces until one of the two changes it.

use bytes::{Bytes, BytesMut};
use std::sync::Arc;

#[derive(Clone, Debug)]
struct Piece {
    /// Where the next piece starts.
    end: u64,
    bytes: Bytes,
}

impl Piece {
    fn start(&self) -> u64 {
        self.end - self.bytes.len() as u64
    }
}

#[derive(Clone, Debug, Default)]
pub(super) struct Content {
    pieces: Arc<Vec<Piece>>,
}

impl Content {
    #[inline]
    pub(super) fn len(&self) -> u64 {
        self.pieces.last().map_or(0, |piece| piece.end)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.pieces.is_empty()
    }

    #[inline]
    pub(super) fn append(&mut self, bytes: Bytes) {
        if bytes.is_empty() {
            return;
        }
        let end = self.len() + bytes.len() as u64;
        Arc::make_mut(&mut self.pieces).push(Piece { end, bytes });
    }

    /// The index of the piece that holds position `at`, which is below the length.
    #[inline]
    fn find(&self, at: u64) -> usize {
        // Most reads are of the latest piece.
        let last = self.pieces.len() - 1;
        if at >= self.pieces[last].start() {
            return last;
        }
        self.pieces.partition_point(|piece| piece.end <= at)
    }

    /// At most `length` bytes from `at` onwards.
    pub(super) fn read(&self, at: u64, length: u64) -> Bytes {
        let end = self.len().min(at.saturating_add(length));
        if at >= end {
            return Bytes::new();
        }
        let first = self.find(at);
        let piece = &self.pieces[first];
        let skip = (at - piece.start()) as usize;
        if end <= piece.end {
            return piece.bytes.slice(skip..skip + (end - at) as usize);
        }
        let mut all = BytesMut::with_capacity((end - at) as usize);
        all.extend_from_slice(&piece.bytes[skip..]);
        for piece in &self.pieces[first + 1..] {
            let rest = (end - piece.start()).min(piece.bytes.len() as u64) as usize;
            all.extend_from_slice(&piece.bytes[..rest]);
            if piece.end >= end {
                break;
            }
        }
        all.freeze()
    }

    /// Truncates to `length` bytes and returns the bytes that were cut off.
    pub(super) fn truncate(&mut self, length: u64) -> Vec<Bytes> {
        if length >= self.len() {
            return Vec::new();
        }
        let first = self.find(length);
        let pieces = Arc::make_mut(&mut self.pieces);
        let mut cut: Vec<Bytes> = pieces.drain(first..).map(|piece| piece.bytes).collect();
        let start = pieces.last().map_or(0, |piece| piece.end);
        let kept = cut[0].split_to((length - start) as usize);
        if !kept.is_empty() {
            pieces.push(Piece { end: length, bytes: kept });
        }
        cut
    }

    /// Overwrites one byte; false if it is beyond the end.
    pub(super) fn overwrite(&mut self, at: u64, byte: u8) -> bool {
        if at >= self.len() {
            return false;
        }
        let index = self.find(at);
        let piece = &mut Arc::make_mut(&mut self.pieces)[index];
        let mut copy = BytesMut::from(&piece.bytes[..]);
        copy[(at - piece.start()) as usize] = byte;
        piece.bytes = copy.freeze();
        true
    }

    /// All pieces, in order.
    pub(super) fn pieces(&self) -> impl Iterator<Item = &Bytes> {
        self.pieces.iter().map(|piece| &piece.bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_read_inside_one_piece_copies_nothing() {
        let batch = Bytes::from(vec![7; 100]);
        let mut content = Content::default();
        content.append(Bytes::from_static(b"before"));
        content.append(batch.clone());
        let read = content.read(16, 50);
        assert_eq!(read.as_ptr(), batch[10..].as_ptr());
        assert_eq!(read.len(), 50);
    }

    proptest! {
        #[test]
        fn behaves_like_a_vector(steps in prop::collection::vec((0..4u8, 0..64u64, 0..64u64), 1..80)) {
            let (mut content, mut model) = (Content::default(), Vec::new());
            for (i, (what, a, b)) in steps.into_iter().enumerate() {
                match what {
                    0 | 1 => {
                        let bytes = vec![i as u8; a as usize];
                        model.extend_from_slice(&bytes);
                        content.append(bytes.into());
                    }
                    2 => {
                        let at = (model.len() as u64).saturating_sub(a) as usize;
                        let cut: Vec<u8> = content.truncate(at as u64).concat();
                        prop_assert_eq!(&cut, &model[at..]);
                        model.truncate(at);
                    }
                    _ => {
                        let at = ((a * 8) as usize).min(model.len());
                        let end = (at + b as usize).min(model.len());
                        prop_assert_eq!(&content.read(a * 8, b)[..], &model[at..end]);
                        let wrote = content.overwrite(a, 255);
                        prop_assert_eq!(wrote, (a as usize) < model.len());
                        if let Some(byte) = model.get_mut(a as usize) {
                            *byte = 255;
                        }
                    }
                }
                prop_assert_eq!(content.len(), model.len() as u64);
                prop_assert_eq!(&content.read(0, u64::MAX)[..], &model[..]);
            }
        }
    }
}
