//! Compression of the records of a batch (`CompressionType`; KIP-110 for zstd). Everything after
//! the header is one compressed block.
//!
//! gzip is a gzip stream; snappy is the framing of xerial's snappy-java, which Kafka's Java client
//! writes; lz4 is the LZ4 frame format; zstd is a zstd frame.

use super::RecordError;
use bytes::Bytes;

/// A compression codec.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Codec {
    /// `none`
    #[default]
    None,
    /// `gzip`
    Gzip,
    /// `snappy`
    Snappy,
    /// `lz4`
    Lz4,
    /// `zstd`
    Zstd,
}

impl Codec {
    /// All codecs, in the order of their numbers.
    pub const ALL: [Self; 5] = [Self::None, Self::Gzip, Self::Snappy, Self::Lz4, Self::Zstd];

    /// The codec with the number `id` in the attributes of a batch.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnsupportedCodec`] if there is none.
    pub const fn from_id(id: u8) -> Result<Self, RecordError> {
        match id {
            0 => Ok(Self::None),
            1 => Ok(Self::Gzip),
            2 => Ok(Self::Snappy),
            3 => Ok(Self::Lz4),
            4 => Ok(Self::Zstd),
            _ => Err(RecordError::UnsupportedCodec(id)),
        }
    }

    /// Its number in the attributes of a batch.
    pub const fn id(self) -> u8 {
        self as u8
    }

    /// Its name as the value of `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Gzip => "gzip",
            Self::Snappy => "snappy",
            Self::Lz4 => "lz4",
            Self::Zstd => "zstd",
        }
    }

    /// The codec with this name as the value of `compression.type`.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|codec| codec.name() == name)
    }

    /// Whether this build supports it: every codec with the feature `codecs`, otherwise only
    /// [`Codec::None`].
    pub const fn is_supported(self) -> bool {
        cfg!(feature = "codecs") || matches!(self, Self::None)
    }

    /// Compresses `records`.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnsupportedCodec`] if [`Codec::is_supported`] is false.
    pub fn compress(self, records: &[u8]) -> Result<Vec<u8>, RecordError> {
        match self {
            Self::None => Ok(records.to_vec()),
            #[cfg(feature = "codecs")]
            codec => back_end::compress(codec, records),
            #[cfg(not(feature = "codecs"))]
            codec => Err(RecordError::UnsupportedCodec(codec.id())),
        }
    }

    /// Decompresses `payload`; [`Codec::None`] returns the same bytes.
    ///
    /// # Errors
    ///
    /// [`RecordError::UnsupportedCodec`] if [`Codec::is_supported`] is false, and
    /// [`RecordError::Malformed`] if the payload does not decompress.
    pub fn decompress(self, payload: Bytes) -> Result<Bytes, RecordError> {
        match self {
            Self::None => Ok(payload),
            #[cfg(feature = "codecs")]
            codec => back_end::decompress(codec, &payload).map(Bytes::from),
            #[cfg(not(feature = "codecs"))]
            codec => Err(RecordError::UnsupportedCodec(codec.id())),
        }
    }
}

#[cfg(feature = "codecs")]
mod back_end {
    use super::Codec;
    use crate::record::RecordError;
    use std::io::{Read, Write};

    /// A producer's defaults of `compression.gzip.level` and `compression.zstd.level`.
    const GZIP_LEVEL: u32 = 6;
    const ZSTD_LEVEL: i32 = 3;

    /// xerial's magic, then its version and the lowest compatible version, both 1.
    const XERIAL: [u8; 16] = *b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01";
    const XERIAL_BLOCK: usize = 32 * 1024;

    /// The largest decompressed size of a batch in bytes. `max.message.bytes` bounds the compressed
    /// size, and no test data shrinks to a thousandth, so that more is an attack or an error.
    const DECOMPRESSED_LIMIT: u64 = 1 << 30;

    pub(super) fn compress(codec: Codec, records: &[u8]) -> Result<Vec<u8>, RecordError> {
        let failed = |_| RecordError::Malformed("the codec failed to compress");
        match codec {
            Codec::None => Ok(records.to_vec()),
            Codec::Gzip => {
                let level = flate2::Compression::new(GZIP_LEVEL);
                let mut encoder = flate2::write::GzEncoder::new(Vec::new(), level);
                encoder.write_all(records).map_err(failed)?;
                encoder.finish().map_err(failed)
            }
            Codec::Snappy => compress_xerial(records),
            Codec::Lz4 => {
                let mut encoder = lz4_flex::frame::FrameEncoder::with_frame_info(
                    lz4_flex::frame::FrameInfo::new()
                        .block_size(lz4_flex::frame::BlockSize::Max64KB)
                        .block_mode(lz4_flex::frame::BlockMode::Independent),
                    Vec::new(),
                );
                encoder.write_all(records).map_err(failed)?;
                encoder.finish().map_err(|_| RecordError::Malformed("the codec failed to compress"))
            }
            Codec::Zstd => zstd::bulk::compress(records, ZSTD_LEVEL).map_err(failed),
        }
    }

    pub(super) fn decompress(codec: Codec, payload: &[u8]) -> Result<Vec<u8>, RecordError> {
        match codec {
            Codec::None => Ok(payload.to_vec()),
            Codec::Gzip => read_all(flate2::read::MultiGzDecoder::new(payload)),
            Codec::Snappy => decompress_snappy(payload),
            Codec::Lz4 => read_all(lz4_flex::frame::FrameDecoder::new(payload)),
            Codec::Zstd => read_all(
                zstd::stream::read::Decoder::new(payload)
                    .map_err(|_| RecordError::Malformed("zstd failed to start"))?,
            ),
        }
    }

    fn read_all(decoder: impl Read) -> Result<Vec<u8>, RecordError> {
        let mut records = Vec::new();
        decoder
            .take(DECOMPRESSED_LIMIT)
            .read_to_end(&mut records)
            .map_err(|_| RecordError::Malformed("the payload does not decompress"))?;
        Ok(records)
    }

    fn compress_xerial(records: &[u8]) -> Result<Vec<u8>, RecordError> {
        let mut framed = XERIAL.to_vec();
        let mut encoder = snap::raw::Encoder::new();
        for block in records.chunks(XERIAL_BLOCK) {
            let compressed = encoder
                .compress_vec(block)
                .map_err(|_| RecordError::Malformed("the codec failed to compress"))?;
            framed.extend_from_slice(&(compressed.len() as u32).to_be_bytes());
            framed.extend_from_slice(&compressed);
        }
        Ok(framed)
    }

    /// Clients other than Java's write one raw snappy block without framing; brokers and
    /// consumers accept both.
    fn decompress_snappy(payload: &[u8]) -> Result<Vec<u8>, RecordError> {
        let mut decoder = snap::raw::Decoder::new();
        let failed = |_| RecordError::Malformed("the payload does not decompress");
        if !payload.starts_with(&XERIAL[..8]) {
            return decoder.decompress_vec(payload).map_err(failed);
        }
        let cut = RecordError::Malformed("a snappy block ends early");
        let mut rest = payload.get(XERIAL.len()..).ok_or(cut)?;
        let mut records = Vec::new();
        while let Some((length, after)) = rest.split_first_chunk::<4>() {
            let length = u32::from_be_bytes(*length) as usize;
            let (block, after) = after.split_at_checked(length).ok_or(cut)?;
            records.extend_from_slice(&decoder.decompress_vec(block).map_err(failed)?);
            rest = after;
        }
        if rest.is_empty() { Ok(records) } else { Err(cut) }
    }
}
