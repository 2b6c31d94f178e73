//! What is written beside the logs, and other periodic work (`LogManager`,
//! `ReplicaManager.checkpointHighWatermarks`).

use super::{Partition, Partitions};
use crate::broker::context::{Cx, disk_failed};
use crate::log::checkpoint::{self, LOG_START_OFFSETS, RECOVERY_POINTS, REPLICATION_OFFSETS};
use crate::timer::{BrokerTimer, ReplicaTimer, Timer};
use machine::{Halt, Span};

impl Partitions {
    /// Writes the high watermarks.
    pub(super) fn checkpoint_high_watermarks(&mut self, cx: &mut Cx<'_>) -> Result<(), Halt> {
        self.checkpoint(REPLICATION_OFFSETS, Partition::high_watermark, cx)
    }

    /// Writes the recovery points, and where logs start.
    pub(in crate::broker) fn checkpoint_recovery_points(
        &mut self,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        self.checkpoint(RECOVERY_POINTS, |partition| partition.log().recovery_point(), cx)?;
        self.checkpoint(LOG_START_OFFSETS, |partition| partition.log().log_start(), cx)
    }

    fn checkpoint(
        &self,
        file: &str,
        offset: impl Fn(&Partition) -> i64,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let lines = self
            .hosted
            .iter()
            .map(|(id, partition)| (partition.topic(), id.partition as u32, offset(partition)));
        checkpoint::write(cx.io.disk, file, lines).map_err(disk_failed)
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
    pub(super) fn flush_old_logs(&mut self, cx: &mut Cx<'_>) -> Result<(), Halt> {
        self.hosted.values_mut().try_for_each(|partition| partition.flush_if_old(&mut cx.io))
    }
}

/// Sets the timers of the periodic work for the first time.
pub(super) fn start(cx: &mut Cx<'_>) {
    for timer in [
        ReplicaTimer::IsrShrink,
        ReplicaTimer::HighWatermarkCheckpoint,
        ReplicaTimer::RecoveryPointCheckpoint,
        ReplicaTimer::Flush,
    ] {
        again(timer, cx);
    }
}

/// Sets a timer of the periodic work for its next time.
pub(super) fn again(timer: ReplicaTimer, cx: &mut Cx<'_>) {
    let config = &cx.context.config;
    let after = match timer {
        // Half of it, so that a follower leaves after 1 to 1.5 times that.
        ReplicaTimer::IsrShrink => Span(config.replica_lag_time_max.0 / 2),
        ReplicaTimer::HighWatermarkCheckpoint => config.high_watermark_checkpoint,
        ReplicaTimer::RecoveryPointCheckpoint => config.recovery_point_checkpoint,
        ReplicaTimer::Flush => config.flush_scheduler,
        ReplicaTimer::AlterPartition | ReplicaTimer::Fetch(_) | ReplicaTimer::FlushRolled(_) => {
            return;
        }
    };
    if after != Span::MAX {
        cx.io.out.set_timer(Timer::Broker(BrokerTimer::Replica(timer)), cx.io.now.mono + after);
    }
}
