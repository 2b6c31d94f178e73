//! How long disk operations take.

use crate::net::Latency;
use machine::Span;

/// How fast and how large a disk is. The default is a data-centre NVMe drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DiskProfile {
    /// An append, into the page cache.
    pub append: Span,
    /// Its throughput, in bytes per second; 0 means unlimited.
    pub append_bytes_per_second: u64,
    /// An fsync of a file or a directory. The device does one at a time.
    pub sync: Latency,
    /// How fast dirty pages are written back, in bytes per second; 0 means unlimited.
    pub sync_bytes_per_second: u64,
    /// Creating, renaming, removing, truncating.
    pub metadata: Span,
    /// How many bytes fit on it.
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

/// How long `bytes` take at a rate.
#[inline]
pub(crate) fn transfer(bytes: u64, bytes_per_second: u64) -> Span {
    match bytes_per_second {
        0 => Span::ZERO,
        // Below 18 GB this cannot overflow, and nothing that large is moved in one piece.
        rate => Span(bytes.saturating_mul(1_000_000_000) / rate),
    }
}
