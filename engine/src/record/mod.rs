//! Record batches v2, byte for byte (`DefaultRecordBatch`, `DefaultRecord`; KIP-98, KIP-534).
//!
//! A batch is a [`bytes::Bytes`] from the moment a producer builds it to the moment a consumer
//! reads it: brokers stamp its base offset and leader epoch, which lie outside the checksum, and
//! otherwise pass the same bytes on.

pub mod builder;
pub mod codec;
pub mod control;
pub mod header;
pub mod read;
pub mod validate;
pub mod varint;

pub use builder::BatchBuilder;
pub use codec::Codec;
pub use control::{ControlType, EndTransactionMarker};
pub use header::{
    Batch, HEADER_SIZE, NO_EPOCH, NO_PRODUCER_EPOCH, NO_PRODUCER_ID, NO_SEQUENCE, NO_TIMESTAMP,
    TimestampType, advance_sequence, split, stamp, stamp_append_time, stamp_producer,
};
pub use read::{Header, RecordRef, RecordView, Records, body, for_each, records};
pub use validate::{Invalid, Limits, validate_produce, validate_request};

#[cfg(test)]
mod tests;

use std::fmt;

/// Why bytes are not a batch of records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordError {
    /// The bytes do not follow the format, for this reason.
    Malformed(&'static str),
    /// The checksum of the bytes differs from the one in the header.
    Crc {
        /// The checksum in the header.
        stored: u32,
        /// The checksum of the bytes.
        computed: u32,
    },
    /// A codec that this build does not have, or a number that stands for none.
    UnsupportedCodec(u8),
}

impl fmt::Display for RecordError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(what) => write!(f, "malformed batch: {what}"),
            Self::Crc { stored, computed } => {
                write!(f, "checksum is {computed:08x}, the header has {stored:08x}")
            }
            Self::UnsupportedCodec(id) => write!(f, "compression codec {id} is not supported"),
        }
    }
}

impl std::error::Error for RecordError {}
