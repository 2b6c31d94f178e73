//! The log of one replica, by its reports and by the content of its disk after restarts.

use super::batch::Batches;
use super::kept::Kept;
use engine::ids::Offset;
use machine::NodeId;

/// The batches that lie in a bad sector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// The offset after the batch before them, from which the log cannot be read.
    pub after: Offset,
    /// The offset of the first batch, or of the segment if that is not known.
    pub from: Offset,
    /// The offset after the last batch; [`Offset::MAX`] if that is not known.
    pub to: Offset,
}

/// A replica of a partition.
#[derive(Clone, Debug)]
pub struct Replica {
    /// Its node.
    pub node: NodeId,
    /// The batches in its log.
    pub log: Vec<u32>,
    /// Its log start offset, when its log was loaded last.
    pub log_start: Offset,
    /// Its log end offset.
    pub end: Offset,
    /// The high watermark that it last reported.
    pub high_watermark: Offset,
    /// The time since which it has been a member of the committed ISR or ELR.
    pub member_since: Option<u64>,
    /// When its process last ended otherwise than by a clean shutdown.
    pub ended_uncleanly: Option<u64>,
    /// What its disk must have kept since its log was last loaded.
    pub kept: Kept,
    /// Whether, since its log was last loaded, a crash interrupted a handler that may have cut the
    /// log without reporting it.
    pub may_have_cut: bool,
    /// Whether its process runs and has loaded the log in this life, or its broker has registered,
    /// which comes after loading all logs. Until then a disk may be as a crash left it.
    pub is_loaded: bool,
    /// When its broker was last registered.
    pub registered: Option<u64>,
    /// Whether its host lost power, or the disk of the replica, and its broker has not been
    /// registered since.
    pub power_lost: bool,
    /// Whether its disk was lost, and its process was not started again since.
    pub disk_lost: bool,
    /// Whether calls to its disk may have failed in a life that ended since its log was last
    /// loaded.
    pub disk_failed: bool,
    /// The batches in bad sectors of its log that were not cut since.
    pub bad: Vec<Bad>,
    /// The offset from which it came back with batches that it never reported.
    pub unseen_from: Option<Offset>,
}

impl Replica {
    /// A replica with an empty log.
    pub fn new(node: NodeId) -> Self {
        Self {
            node,
            log: Vec::new(),
            log_start: 0,
            end: 0,
            high_watermark: 0,
            member_since: None,
            ended_uncleanly: None,
            kept: Kept::Unknown,
            may_have_cut: false,
            is_loaded: true,
            registered: None,
            power_lost: false,
            disk_lost: false,
            disk_failed: false,
            bad: Vec::new(),
            unseen_from: None,
        }
    }

    /// The offset from which recovery may cut its log, because of a bad sector.
    pub fn bad_from(&self) -> Option<Offset> {
        self.bad.iter().map(|bad| bad.from).min()
    }

    /// Whether the bytes at an offset may lie in a bad sector.
    pub fn is_bad(&self, offset: Offset) -> bool {
        self.bad.iter().any(|bad| (bad.after..bad.to).contains(&offset))
    }

    /// Its last batch.
    pub fn last(&self) -> Option<u32> {
        self.log.last().copied()
    }

    /// The batch that covers `offset`, and its place in the log.
    pub fn covering(&self, batches: &Batches, offset: Offset) -> Option<(usize, u32)> {
        // Nearly every lookup is near the end of the log.
        let from = match self.log.len().checked_sub(8) {
            Some(from) if batches.get(self.log[from]).base <= offset => from,
            _ => 0,
        };
        let tail = &self.log[from..];
        let place = from + tail.partition_point(|batch| batches.get(*batch).next <= offset);
        let batch = *self.log.get(place)?;
        (batches.get(batch).base <= offset).then_some((place, batch))
    }
}
