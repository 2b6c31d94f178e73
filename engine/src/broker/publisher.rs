//! Publishes committed metadata to the parts (`BrokerMetadataPublisher`).

use super::Broker;
use super::context::Io;
use super::replicas::DirIndex;
use crate::timer::{BrokerTimer, Timer};
use machine::Halt;

impl Broker {
    /// Reads committed metadata, and schedules its application for when no handler works on the
    /// partitions concerned.
    pub(super) fn on_committed(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        self.parts.metadata.read_committed(&self.parts.replicas, io)?;
        if self.parts.metadata.touched().is_empty() {
            return self.apply_metadata(io);
        }
        io.out.set_timer(Timer::Broker(BrokerTimer::Metadata), io.now.mono);
        Ok(())
    }

    /// Replays the pending records, and publishes the changes: to the image with which requests are
    /// checked, then to the replicas.
    pub(super) fn apply_metadata(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let delta = self.parts.metadata.replay(&mut self.context.image, io.out)?;
        if self.parts.metadata.is_published() {
            let (parts, mut cx) = self.split(io);
            parts.replicas.publish(&delta, &mut cx)?;
            let misplaced = parts.replicas.misplaced(delta.partitions.iter().copied(), &cx);
            parts.assignments.add(misplaced, &mut cx);
            if !delta.is_empty() {
                parts.transactions.publish(&delta.partitions, &mut cx);
                parts.groups.publish(&delta.partitions, &mut cx);
            }
        }
        Ok(())
    }

    /// Begins to follow the metadata, once all records known to be committed have been read
    /// (`MetadataLoader`). That does not wait for the registration of this life: until the
    /// controller notices that the last life has ended, this one leads and follows as the last one
    /// did, but with broker epoch -1 and with closed ports.
    pub(super) fn maybe_publish_first(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let begins = self.parts.metadata.begin_publishing();
        let (parts, mut cx) = self.split(io);
        if begins {
            parts.replicas.publish_first(&mut cx)?;
            let hosted: Vec<_> = parts.replicas.partitions.hosted.keys().copied().collect();
            let misplaced = parts.replicas.misplaced(hosted.into_iter(), &cx);
            parts.assignments.add(misplaced, &mut cx);
            let hosted = parts.replicas.partitions.hosted.keys().copied().collect();
            parts.transactions.publish(&hosted, &mut cx);
            parts.groups.publish(&hosted, &mut cx);
        }
        if parts.metadata.is_published() && parts.lifecycle.is_caught_up() {
            parts.lifecycle.set_ready_to_unfence(&mut cx);
        }
        Ok(())
    }

    /// Stops the broker, because no controller has registered it in time.
    pub(super) fn on_registration_timeout(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        if self.parts.lifecycle.is_registered() {
            return Ok(());
        }
        self.close(io);
        Err(Halt::Failed("no controller has registered the broker".to_owned()))
    }

    /// Closes all logs and ends the process.
    pub(super) fn shut_down(&mut self, io: &mut Io<'_>) {
        self.close(io);
        io.out.halt(Halt::Clean);
    }

    /// Closes all logs, if they have been loaded.
    fn close(&mut self, io: &mut Io<'_>) {
        if self.parts.metadata.is_published() {
            let (parts, mut cx) = self.split(io);
            parts.replicas.close(&mut cx);
        }
    }

    /// Takes a log directory offline: stops its replicas, and reports it to the controller. If no
    /// directory is left, the broker ends.
    pub(super) fn on_log_dir_failed(
        &mut self,
        index: DirIndex,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        let (parts, mut cx) = self.split(io);
        if let Some(dir) = parts.replicas.take_offline(index, &mut cx)? {
            parts.lifecycle.report_offline(dir, &mut cx);
        }
        Ok(())
    }
}
