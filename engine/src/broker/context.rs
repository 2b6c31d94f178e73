//! What every part of a broker needs to decide something, and what it needs to do something.

use crate::Outbox;
use crate::config::BrokerConfig;
use crate::ids::{BrokerEpoch, BrokerId};
use crate::log::LogError;
use crate::metadata::MetadataImage;
use crate::rules::Rulebook;
use crate::rules::isr::Candidate;
use machine::{Disk, DiskError, Halt, Lane, Now};

/// What a decision goes by. Not changed while an input is handled, except by metadata.
#[derive(Clone, Debug)]
pub(super) struct Context {
    /// The broker's own id.
    pub(super) id: BrokerId,
    pub(super) config: BrokerConfig,
    pub(super) rules: Rulebook,
    /// The cluster as this broker knows it (`KRaftMetadataCache`).
    pub(super) image: MetadataImage,
    /// This life, once the controller has numbered it; -1 before.
    pub(super) broker_epoch: BrokerEpoch,
}

/// The world, while one input is handled.
pub(super) struct Io<'a> {
    pub(super) now: Now,
    /// The thread that handles it.
    pub(super) lane: Lane,
    pub(super) disk: &'a mut dyn Disk,
    pub(super) out: &'a mut Outbox,
}

impl Context {
    /// Whether the replica on `broker`, last heard of in its life `fetched_epoch`, may join an
    /// ISR (`Partition.isReplicaIsrEligible`).
    pub(super) fn is_eligible_for_isr(
        &self,
        broker: BrokerId,
        fetched_epoch: Option<BrokerEpoch>,
        out: &mut Outbox,
    ) -> bool {
        let Some(fetched_epoch) = fetched_epoch else { return false };
        let registration = self.image.broker(broker);
        let candidate = Candidate {
            fenced: registration.is_none_or(|broker| broker.fenced),
            shutting_down: registration.is_some_and(|broker| broker.in_controlled_shutdown),
            fetched_epoch,
            registered_epoch: registration.map_or(-1, |broker| broker.epoch),
        };
        self.rules.ask(out, "is_eligible_for_isr", |rules| (rules.is_eligible_for_isr)(candidate))
    }
}

/// A broker with one log directory cannot go on when that fails (`LogDirFailureHandler`).
pub(super) fn log_dir_failed(error: LogError) -> Halt {
    Halt::Failed(format!("the log directory failed: {error}"))
}

/// The same, for a file beside the logs.
pub(super) fn disk_failed(error: DiskError) -> Halt {
    log_dir_failed(LogError::Disk(error))
}
