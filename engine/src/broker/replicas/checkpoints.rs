//! Checkpoint files, and other periodic work (`LogManager`,
//! `ReplicaManager.checkpointHighWatermarks`).

use super::{Partition, Partitions};
use crate::broker::context::Cx;
use crate::ids::TopicPartition;
use crate::log::checkpoint::{self, LOG_START_OFFSETS, RECOVERY_POINTS, REPLICATION_OFFSETS};
use crate::log::clean_shutdown;
use crate::timer::{BrokerTimer, ReplicaTimer, Timer};
use machine::Span;

impl Partitions {
    /// Writes the high watermarks.
    pub(super) fn checkpoint_high_watermarks(&mut self, cx: &mut Cx<'_>) {
        self.checkpoint(REPLICATION_OFFSETS, Partition::high_watermark, cx);
    }

    /// Writes the recovery points and the log start offsets.
    pub(in crate::broker) fn checkpoint_recovery_points(&mut self, cx: &mut Cx<'_>) {
        self.checkpoint(RECOVERY_POINTS, |partition| partition.log().recovery_point(), cx);
        self.checkpoint(LOG_START_OFFSETS, |partition| partition.log().log_start(), cx);
    }

    /// Writes a checkpoint file in each directory.
    fn checkpoint(&mut self, file: &str, offset: impl Fn(&Partition) -> i64, cx: &mut Cx<'_>) {
        for index in self.dirs.online().collect::<Vec<_>>() {
            let in_dir = |p: &&Partition| self.dirs.of_log(p.log().dir()) == Some(index);
            let lines = self.hosted.iter().filter(|(_, partition)| in_dir(partition));
            let lines = lines
                .map(|(id, partition)| (partition.topic(), id.partition as u32, offset(partition)));
            let path = self.dirs.join(index, file);
            if let Err(error) = checkpoint::write(cx.io.disk, &path, lines) {
                self.dirs.failed(index, None, &error, cx);
            }
        }
    }

    /// Proposes ISRs without the followers that lag.
    pub(super) fn shrink_isrs(&mut self, cx: &mut Cx<'_>) {
        let mut proposed = Vec::new();
        for (id, partition) in &mut self.hosted {
            if partition.maybe_shrink_isr(cx.context, &mut cx.io) {
                proposed.push(*id);
            }
        }
        for id in proposed {
            self.submit_proposal(id, cx);
        }
    }

    /// Fsyncs the logs for which `flush.ms` has passed.
    pub(super) fn flush_old_logs(&mut self, cx: &mut Cx<'_>) {
        let mut failed = Vec::new();
        for (id, partition) in &mut self.hosted {
            if let Err(error) = partition.flush_if_old(&mut cx.io) {
                failed.push((*id, error));
            }
        }
        for (id, error) in failed {
            self.storage_failed(id, error, cx);
        }
    }

    /// Forgets the producers of all logs that have been silent for too long.
    pub(super) fn forget_producers(&mut self, cx: &mut Cx<'_>) {
        for partition in self.hosted.values_mut() {
            partition.forget_producers(cx.context, &mut cx.io);
        }
    }

    /// Fsyncs the full segments of a log.
    pub(super) fn flush_rolled(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        let flushed = self.hosted.get_mut(&id).map(|partition| partition.flush_rolled(&mut cx.io));
        if let Some(Err(error)) = flushed {
            self.storage_failed(id, error, cx);
        }
    }

    /// Writes the leader epoch file of a log after a truncation.
    pub(super) fn flush_epochs(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        let flushed = self.hosted.get_mut(&id).map(|partition| partition.flush_epochs(&mut cx.io));
        if let Some(Err(error)) = flushed {
            self.storage_failed(id, error, cx);
        }
    }

    /// Fsyncs and closes all logs for good, writes the checkpoints for the next start, and writes
    /// the clean-shutdown file in each directory in which that succeeded. That file comes last,
    /// because it vouches for the others.
    pub(super) fn close(&mut self, cx: &mut Cx<'_>) {
        let mut failed = Vec::new();
        for (id, partition) in &mut self.hosted {
            if let Err(error) = partition.close(&mut cx.io) {
                failed.push((*id, error));
            }
        }
        for (id, error) in failed {
            self.storage_failed(id, error, cx);
        }
        self.checkpoint_recovery_points(cx);
        self.checkpoint_high_watermarks(cx);
        for path in self.dirs.markable() {
            // A directory without its clean-shutdown file is only recovered at the next start.
            let _ = clean_shutdown::write(cx.io.disk, path, cx.context.broker_epoch);
        }
    }
}

/// Sets the timers of the periodic work for the first time.
pub(super) fn start(cx: &mut Cx<'_>) {
    for timer in [
        ReplicaTimer::IsrShrink,
        ReplicaTimer::HighWatermarkCheckpoint,
        ReplicaTimer::RecoveryPointCheckpoint,
        ReplicaTimer::Flush,
        ReplicaTimer::ForgetProducers,
    ] {
        again(timer, cx);
    }
}

/// Sets a timer of the periodic work again.
pub(super) fn again(timer: ReplicaTimer, cx: &mut Cx<'_>) {
    let config = &cx.context.config;
    let after = match timer {
        // Half of the lag time, so that a follower is removed after 1 to 1.5 times the lag time.
        ReplicaTimer::IsrShrink => Span(config.replica_lag_time_max.0 / 2),
        ReplicaTimer::HighWatermarkCheckpoint => config.high_watermark_checkpoint,
        ReplicaTimer::RecoveryPointCheckpoint => config.recovery_point_checkpoint,
        ReplicaTimer::Flush => config.flush_scheduler,
        ReplicaTimer::ForgetProducers => config.producer_id_expiration_check,
        ReplicaTimer::AlterPartition
        | ReplicaTimer::Fetch(_)
        | ReplicaTimer::FlushRolled(_)
        | ReplicaTimer::FlushEpochs(_) => return,
    };
    if after != Span::MAX {
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Replica(timer)), cx.io.now.mono + after);
    }
}
