//! The duration of disk operations.

use crate::net::Latency;
use machine::Span;

/// The speed and size of a disk. The default is a data-centre NVMe drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskProfile {
    /// The duration of an append to the page cache.
    pub append: Span,
    /// The throughput of appends, in bytes per second; 0 means unlimited.
    pub append_bytes_per_second: u64,
    /// The duration of an fsync of a file or a directory. The device does one at a time.
    pub sync: Latency,
    /// The throughput of a sync, in bytes per second; 0 means unlimited.
    pub sync_bytes_per_second: u64,
    /// The duration of creating, renaming, removing or truncating.
    pub metadata: Span,
    /// The capacity in bytes.
    pub capacity: u64,
    /// The age at which the host itself writes back data that was not synced: a power loss takes
    /// only younger data. Linux does so after about 30 s (`vm.dirty_expire_centisecs`).
    pub write_back: Span,
}

impl Default for DiskProfile {
    fn default() -> Self {
        Self {
            append: Span::micros(3),
            append_bytes_per_second: 2_000_000_000,
            sync: Latency {
                least: Span::micros(120),
                jitter: Span::micros(80),
                tail_ppm: 2_000,
                tail: Span::millis(8),
            },
            sync_bytes_per_second: 800_000_000,
            metadata: Span::micros(10),
            capacity: 1 << 40,
            write_back: Span::secs(30),
        }
    }
}

impl DiskProfile {
    /// A disk on which everything completes at once.
    pub fn instant() -> Self {
        Self {
            append: Span::ZERO,
            append_bytes_per_second: 0,
            sync: Latency::constant(Span::ZERO),
            sync_bytes_per_second: 0,
            metadata: Span::ZERO,
            capacity: u64::MAX,
            write_back: Span::MAX,
        }
    }
}

/// The duration of transferring `bytes` at a rate.
#[inline]
pub(crate) fn transfer(bytes: u64, bytes_per_second: u64) -> Span {
    match bytes_per_second {
        0 => Span::ZERO,
        // Below 18 GB this does not overflow, and no single transfer is that large.
        rate => Span(bytes.saturating_mul(1_000_000_000) / rate),
    }
}
