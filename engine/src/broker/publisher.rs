//! From committed metadata to what the parts do about it (`BrokerMetadataPublisher`).

use super::Broker;
use super::context::Io;
use super::replicas::DirIndex;
use crate::timer::{BrokerTimer, Timer};
use machine::Halt;

impl Broker {
    /// Reads what has been committed, and applies it when nobody works on the partitions that it
    /// concerns.
    pub(super) fn on_committed(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        self.parts.metadata.read_committed(&self.parts.replicas, io)?;
        if self.parts.metadata.touched().is_empty() {
            return self.apply_metadata(io);
        }
        io.out.set_timer(Timer::Broker(BrokerTimer::Metadata), io.now.mono);
        Ok(())
    }

    /// Replays what is pending, and publishes it: to the image that requests are checked against,
    /// then to the replicas.
    pub(super) fn apply_metadata(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let delta = self.parts.metadata.replay(&mut self.context.image, io.out)?;
        if self.parts.metadata.is_published() {
            let (parts, mut cx) = self.split(io);
            parts.replicas.publish(&delta, &mut cx)?;
            let misplaced = parts.replicas.misplaced(delta.partitions.iter().copied(), &cx);
            parts.assignments.add(misplaced, &mut cx);
            if !delta.is_empty() {
                parts.transactions.publish(&delta.partitions, &mut cx);
            }
        }
        Ok(())
    }

    /// Begins to do what the metadata says, once all is read that is known to be committed
    /// (`MetadataLoader`). That does not wait for the registration of this life: until the
    /// controller has noticed that the last one is over, this one leads and follows as that one
    /// did, except that nobody can connect to it, and with broker epoch -1.
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
        }
        if parts.metadata.is_published() && parts.lifecycle.is_caught_up() {
            parts.lifecycle.set_ready_to_unfence(&mut cx);
        }
        Ok(())
    }

    /// No controller has registered the broker for too long: it ends in order, as far as it has
    /// begun.
    pub(super) fn on_registration_timeout(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        if self.parts.lifecycle.is_registered() {
            return Ok(());
        }
        self.close(io);
        Err(Halt::Failed("no controller has registered the broker".to_owned()))
    }

    /// Closes everything and ends.
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

    /// A log directory goes offline: its replicas stop, and the controller is informed. Without a
    /// directory left the broker ends.
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
