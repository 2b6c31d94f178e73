//! The metadata log as a broker follows it (`MetadataLoader`, `BrokerMetadataPublisher`).
//!
//! A broker is an observer of the metadata quorum and replays committed records. After a start it
//! publishes no change until it has caught up once. From then on each delta is applied to the
//! image, with which requests are checked, and then to the replicas.

mod request;

pub(super) use request::{api_versions, current_leader, respond};

use super::context::{Cx, Io};
use super::part::Part;
use super::replicas::Replicas;
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{Offset, TopicPartition};
use crate::metadata::{ImageDelta, MetadataImage, MetadataRecord, ReplayError, decode_batch};
use crate::protocol::{Message, Response};
use crate::raft::{Quorum, QuorumChange};
use crate::record::Batch;
use crate::timer::{Channel, QuorumTimer};
use bytes::Bytes;
use machine::{ConnId, Halt};

/// The observer of the quorum, and the committed metadata that is not applied yet.
#[derive(Clone, Debug)]
pub(super) struct Metadata {
    quorum: Quorum,
    /// Records with their offsets.
    pending: Vec<(Offset, MetadataRecord)>,
    /// The partitions hosted here that pending records change. The records are applied when no
    /// handler holds these partitions.
    touched: Vec<TopicPartition>,
    /// The offset from which committed metadata is read next.
    next: Offset,
    /// The broker has caught up with the committed metadata once; deltas are published since.
    published: bool,
}

impl Metadata {
    pub(super) fn new(quorum: Quorum) -> Self {
        Self { quorum, pending: Vec::new(), touched: Vec::new(), next: 0, published: false }
    }

    /// The partitions hosted here that pending records change.
    pub(super) fn touched(&self) -> &[TopicPartition] {
        &self.touched
    }

    /// The observer.
    pub(super) fn quorum(&self) -> &Quorum {
        &self.quorum
    }

    /// Handles a timer of the quorum.
    pub(super) fn on_quorum_timer(
        &mut self,
        timer: QuorumTimer,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        self.quorum.on_timer(io.now, timer, io.disk, io.out)
    }

    /// Takes the changes of the quorum since the last call.
    pub(super) fn take_changes(&mut self) -> Vec<QuorumChange> {
        self.quorum.take_changes()
    }

    /// Reads the records that were committed since the last call.
    pub(super) fn read_committed(
        &mut self,
        replicas: &Replicas,
        io: &mut Io<'_>,
    ) -> Result<(), Halt> {
        loop {
            let batches = self.quorum.read_committed(self.next, io.disk)?;
            if batches.is_empty() {
                return Ok(());
            }
            for batch in &batches {
                self.decode(batch, replicas).map_err(cannot_replay)?;
            }
        }
    }

    pub(super) fn decode(&mut self, batch: &Bytes, replicas: &Replicas) -> Result<(), ReplayError> {
        for (offset, record) in decode_batch(batch)? {
            if self.published {
                replicas.touched_by(&record, &mut self.touched);
            }
            self.pending.push((offset, record));
        }
        let view = Batch::new(batch).map_err(|_| ReplayError::Batch)?;
        self.next = view.last_offset() + 1;
        Ok(())
    }

    /// Replays the pending records into `image`, and returns the changes.
    pub(super) fn replay(
        &mut self,
        image: &mut MetadataImage,
        out: &mut Outbox,
    ) -> Result<ImageDelta, Halt> {
        self.touched.clear();
        let mut delta = ImageDelta::default();
        for (offset, record) in self.pending.drain(..) {
            delta.note(image.replay(offset, &record).map_err(cannot_replay)?);
        }
        let last = self.next - 1;
        if last > image.offset() {
            image.skip_to(last).map_err(cannot_replay)?;
        }
        out.observe(Fact::MetadataApplied { offset: last });
        Ok(delta)
    }

    /// Whether deltas are published to the replicas.
    pub(super) fn is_published(&self) -> bool {
        self.published
    }

    /// Begins publishing once everything that the quorum is known to have committed has been read.
    /// Returns true from the one call that begins it, and false from all others.
    pub(super) fn begin_publishing(&mut self) -> bool {
        let begins = !self.published && self.next > 0 && self.next >= self.quorum.high_watermark();
        self.published |= begins;
        begins
    }
}

impl Part for Metadata {
    fn on_opened(&mut self, conn: ConnId) -> bool {
        self.quorum.on_opened(conn)
    }

    fn on_closed(&mut self, conn: ConnId, cx: &mut Cx<'_>) -> bool {
        self.quorum.on_closed(cx.io.now, conn, cx.io.out)
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        correlation_id: u32,
        body: Response,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let message = Message::Response { correlation_id, body };
        if self.quorum.owns(conn, &message) {
            self.quorum.on_message(cx.io.now, conn, message, cx.io.disk, cx.io.out)?;
        }
        Ok(())
    }

    fn on_requests_timer(&mut self, _: Channel, cx: &mut Cx<'_>) {
        self.quorum.on_requests_timer(cx.io.now, cx.io.out);
    }

    fn invariants(&self) {
        self.quorum.invariants();
    }
}

/// A broker that cannot decode the metadata does not know its state in the cluster.
fn cannot_replay(error: ReplayError) -> Halt {
    Halt::Failed(format!("the metadata log cannot be replayed: {error}"))
}
