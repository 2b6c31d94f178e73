//! From committed metadata to what the parts do about it (`BrokerMetadataPublisher`).

use super::Broker;
use super::context::{Io, disk_failed};
use super::replicas::LOG_DIR;
use crate::log::clean_shutdown;
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
        if self.context.serving {
            let (parts, mut cx) = self.split(io);
            parts.replicas.publish(&delta, &mut cx)?;
        }
        Ok(())
    }

    /// Begins to do what the metadata says, once this life is registered and has read so. Before
    /// that, the metadata speaks of an earlier life: one that led, and had what this one may have
    /// lost.
    pub(super) fn maybe_publish_first(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let caught_up = self.parts.lifecycle.is_caught_up();
        if !caught_up || !self.parts.metadata.begin_publishing() {
            return Ok(());
        }
        self.context.serving = true;
        let (parts, mut cx) = self.split(io);
        parts.replicas.publish_all(&mut cx)?;
        parts.lifecycle.heartbeat_soon(&mut cx);
        Ok(())
    }

    /// Closes everything and ends. The mark of the clean shutdown comes last: what it vouches for
    /// has to be on disk.
    pub(super) fn shut_down(&mut self, io: &mut Io<'_>) -> Result<(), Halt> {
        let (parts, mut cx) = self.split(io);
        parts.replicas.close(&mut cx)?;
        clean_shutdown::write(io.disk, LOG_DIR, self.context.broker_epoch).map_err(disk_failed)?;
        io.out.halt(Halt::Clean);
        Ok(())
    }
}
