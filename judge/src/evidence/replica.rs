//! What one replica has in its log, by what it reported and by what its disk held after restarts.

use super::batch::Batches;
use super::kept::Kept;
use engine::ids::Offset;
use machine::NodeId;

/// The batches that lie in a sector that went bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad {
    /// The offset after the batch before them, at which what cannot be read begins.
    pub after: Offset,
    /// The offset of the first, or of the segment if that is not known.
    pub from: Offset,
    /// The offset after the last; [`Offset::MAX`] if that is not known.
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
    /// Its high watermark, as it reported last.
    pub high_watermark: Offset,
    /// Since when it has been a member of the committed ISR or ELR.
    pub member_since: Option<u64>,
    /// When its process last ended otherwise than by an orderly shutdown.
    pub ended_uncleanly: Option<u64>,
    /// What its disk must have kept since its log was last loaded.
    pub kept: Kept,
    /// Since its log was last loaded a crash cut a handler short, and with it the report of what
    /// that may have cut.
    pub may_have_cut: bool,
    /// Its process runs and has loaded the log in this life, or its broker has registered, before
    /// which it loads them all. Until then a disk may be as a crash left it.
    pub is_loaded: bool,
    /// When its broker was last registered.
    pub registered: Option<u64>,
    /// Its host lost power, or the disk that held it, and its broker has not been registered since.
    pub power_lost: bool,
    /// The disk that held it was lost, and its process was not started again since.
    pub disk_lost: bool,
    /// Calls to its disk may have failed in a life that ended since its log was last loaded.
    pub disk_failed: bool,
    /// What lies in sectors of its log that went bad, and was not cut since.
    pub bad: Vec<Bad>,
    /// It came back with offsets from here on that it never reported.
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

    /// From which offset on recovery may cut it, because a sector went bad.
    pub fn bad_from(&self) -> Option<Offset> {
        self.bad.iter().map(|bad| bad.from).min()
    }

    /// Whether the bytes at an offset may lie in a sector that went bad.
    pub fn is_bad(&self, offset: Offset) -> bool {
        self.bad.iter().any(|bad| (bad.after..bad.to).contains(&offset))
    }

    /// Its last batch.
    pub fn last(&self) -> Option<u32> {
        self.log.last().copied()
    }

    /// The batch that covers `offset`, and its place in the log.
    pub fn covering(&self, batches: &Batches, offset: Offset) -> Option<(usize, u32)> {
        // Nearly every question is about the end of the log.
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
