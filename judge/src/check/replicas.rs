//! Replicas are equal below the high watermark, byte for byte, or record for record where
//! compaction rewrites batches. Their disks contain the batches that they reported as appended, up
//! to their own high watermark; beyond it a handler may be in progress, whose effects are reported
//! when it is done. A broker that is up has a log of each partition that is assigned to it. A log
//! that has not been loaded since a restart is not checked: a crash may have left half a batch,
//! which loading cuts off.
//!
//! Catches a corrupted `truncate_to` or `diverges` (KIP-101, KIP-279), `may_append_fetched`
//! (KAFKA-18723), and any byte that changed on a disk.

use super::{Check, Findings, Ground};
use crate::evidence::{DiskLog, Effect, End, Moment, View};
use bytes::Bytes;
use engine::fact::Fact;
use engine::ids::{Offset, TopicPartition};
use engine::record::Batch;
use machine::NodeId;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct Replicas;

impl Replicas {
    pub(super) const NAME: &'static str = "replicas-equal";
}

impl Check for Replicas {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Append(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        _: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Append(index, append) = effect else { return };
        let partition = &view.partitions[*index];
        if append.as_leader || !append.fresh {
            return;
        }
        // A crash of a leader may have prevented the report of an append that its disk kept.
        if partition.replicas.iter().any(|replica| replica.unseen_from.is_some()) {
            return;
        }
        let what = "a follower appended what no leader has";
        out.add(Self::NAME, what, at, *index, Ground::Never)
            .offset(partition.batches.get(append.batch).base)
            .detail(format!("replica {}", at.node));
    }

    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        // The disk of a node that is down may end in the middle of a write, and lack batches that
        // the node reported. It is checked once it has been loaded.
        let is_loaded =
            |log: &&DiskLog| view.partitions[log.partition].replicas[log.replica].is_loaded;
        for log in end.disks().iter().filter(is_loaded) {
            check_bytes(view, end, log, out);
            check_told(view, end, log, out);
            check_size(view, end, log, out);
        }
        for index in 0..view.partitions.len() {
            check_assigned(view, end, index, out);
        }
        for (index, partition) in view.partitions.iter().enumerate() {
            let of = |replica: usize| end.disk(index, replica).filter(is_loaded);
            let Some(leader) = partition.line_leader.and_then(of) else { continue };
            for replica in 0..partition.replicas.len() {
                if let Some(follower) = of(replica).filter(|log| log.replica != leader.replica) {
                    compare(view, end, (leader, follower), out);
                }
            }
        }
    }
}

/// A log has to consist of whole batches with correct checksums.
fn check_bytes(view: &View, end: &End, log: &DiskLog, out: &mut Findings) {
    let partition = &view.partitions[log.partition];
    let node = partition.replicas[log.replica].node;
    let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
    let mut wrong = log.broken.clone();
    for batch in &log.batches {
        let checked = Batch::new(batch).and_then(|batch| batch.check_crc());
        if let (Err(why), Ok(batch)) = (checked, Batch::new(batch)) {
            wrong = Some((batch.base_offset(), why.to_string()));
            break;
        }
    }
    if let Some((offset, why)) = wrong {
        let what = "the bytes on a disk are not whole batches";
        out.add(Replicas::NAME, what, &at, log.partition, Ground::Bytes { node })
            .offset(offset)
            .detail(format!("replica {node}: {why}"));
    }
}

/// A segment file is no larger than `segment.bytes`, unless one batch is (`LogSegment.shouldRoll`).
fn check_size(view: &View, end: &End, log: &DiskLog, out: &mut Findings) {
    let partition = &view.partitions[log.partition];
    let Some(topic) = partition.topic.map(|topic| &view.setup.topics[topic]) else { return };
    if log.largest <= topic.segment_bytes || topic.compacted {
        return;
    }
    let node = partition.replicas[log.replica].node;
    let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
    let what = "a segment file is larger than segment.bytes";
    out.add(Replicas::NAME, what, &at, log.partition, Ground::Never).detail(format!(
        "replica {node}: {} bytes, segment.bytes={}",
        log.largest, topic.segment_bytes
    ));
}

/// The batches that a replica reported below its high watermark are on its disk.
fn check_told(view: &View, end: &End, log: &DiskLog, out: &mut Findings) {
    let partition = &view.partitions[log.partition];
    let replica = &partition.replicas[log.replica];
    // It came back with more batches than it had reported, which have not been observed.
    if replica.unseen_from.is_some() {
        return;
    }
    let (batches, start) = (&partition.batches, replica.log_start);
    let is_below = |batch: &&u32| {
        let it = batches.get(**batch);
        it.base >= start && it.next <= replica.high_watermark
    };
    let is_above = |batch: &&Bytes| header(batch).is_none_or(|(offset, _)| offset >= start);
    let mut on_disk = log.batches.iter().filter(is_above);
    for told in replica.log.iter().filter(is_below) {
        let found = on_disk.next();
        if found.is_some_and(|bytes| batches.is(*told, bytes)) {
            continue;
        }
        let at = Moment { at: end.at, node: replica.node, incarnation: 0, event: 0 };
        let ground = ground([(replica.node, found)], log.broken.is_some());
        let offset = where_it_ends(log, found).unwrap_or(batches.get(*told).base);
        let found = match found.and_then(header) {
            Some((offset, _)) => format!("another batch at {offset}"),
            None => "nothing more".to_owned(),
        };
        let what = "a disk does not hold what its replica reported";
        out.add(Replicas::NAME, what, &at, log.partition, ground)
            .offset(offset)
            .detail(format!("replica {}: there is {found}", replica.node));
        return;
    }
}

/// A node that is up and has loaded its logs has a log of each partition that is assigned to it.
fn check_assigned(view: &View, end: &End, index: usize, out: &mut Findings) {
    let partition = &view.partitions[index];
    let image = view.metadata.get(&partition.cluster).map(|metadata| &metadata.image);
    let Some(assigned) = image.and_then(|image| image.partition(partition.id)) else { return };
    for id in &assigned.replicas {
        let node = NodeId { cluster: partition.cluster, node: *id };
        let Some(replica) = partition.find(node) else { continue };
        if !partition.replicas[replica].is_loaded || end.disk(index, replica).is_some() {
            continue;
        }
        if end.offline_dir(view, index, replica).is_some() {
            continue;
        }
        let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
        out.add(Replicas::NAME, "a replica has no log", &at, index, Ground::Never)
            .detail(format!("replica {node}"));
    }
}

/// Two replicas are compared below both high watermarks and above both log starts.
fn compare(view: &View, end: &End, (leader, follower): (&DiskLog, &DiskLog), out: &mut Findings) {
    let partition = &view.partitions[leader.partition];
    let of = |log: &DiskLog| &partition.replicas[log.replica];
    let metadata = partition.id == TopicPartition::METADATA;
    let committed = partition.last_committed().map_or(0, |batch| partition.batches.get(batch).next);
    let bound = of(leader).high_watermark.min(of(follower).high_watermark);
    let bound = if metadata { bound.min(committed) } else { bound };
    let start = of(leader).log_start.max(of(follower).log_start);
    let mut theirs = follower.batches.iter().filter_map(header);
    let mut its = theirs.find(|(offset, _)| *offset >= start);
    for (offset, batch) in leader.batches.iter().filter_map(header) {
        if offset < start {
            continue;
        }
        if offset >= bound {
            return;
        }
        let is_same = |(other_offset, other): (Offset, &Bytes)| {
            other_offset == offset && partition.batches.are_one(batch, other)
        };
        if !its.is_some_and(is_same) {
            let nodes = (of(leader).node, of(follower).node);
            let at = Moment { at: end.at, node: nodes.1, incarnation: 0, event: 0 };
            let holds = [(nodes.0, Some(batch)), (nodes.1, its.map(|(_, batch)| batch))];
            let ground = match ground(holds, follower.broken.is_some()) {
                // A quorum that has forgotten its log may write another in the same epoch.
                Ground::Never if metadata => Ground::Quorum,
                ground => ground,
            };
            let ends = where_it_ends(follower, its.map(|(_, batch)| batch));
            let found = its.map_or("nothing".to_owned(), |(at, other)| describe(at, other, batch));
            out.add(Replicas::NAME, "two replicas differ", &at, leader.partition, ground)
                .offset(ends.unwrap_or(offset))
                .detail(format!("leader {} has a batch, replica {} {found}", nodes.0, nodes.1));
            return;
        }
        its = theirs.next();
    }
}

/// The offset beyond which a log cannot be read, if that is why no batch is `found`.
fn where_it_ends(log: &DiskLog, found: Option<&Bytes>) -> Option<Offset> {
    log.broken.as_ref().filter(|_| found.is_none()).map(|(offset, _)| *offset)
}

/// The ground on which a missing batch may be excused: the bytes on a disk are no batch, or their
/// checksum is wrong. A different batch with a valid checksum is never excused.
fn ground<const N: usize>(holds: [(NodeId, Option<&Bytes>); N], is_broken: bool) -> Ground {
    let is_bad = |(_, bytes): &&(NodeId, Option<&Bytes>)| match bytes {
        Some(bytes) => Batch::new(bytes).and_then(|batch| batch.check_crc()).is_err(),
        None => is_broken,
    };
    let bad = holds.iter().find(is_bad);
    bad.map_or(Ground::Never, |(node, _)| Ground::Bytes { node: *node })
}

fn header(batch: &Bytes) -> Option<(Offset, &Bytes)> {
    Some((Batch::new(batch).ok()?.base_offset(), batch))
}

fn describe(at: Offset, other: &Bytes, batch: &Bytes) -> String {
    match batch.iter().zip(other).position(|(a, b)| a != b) {
        Some(byte) => format!("another at {at}, from byte {byte} on"),
        None => format!("another at {at} of {} bytes, not {}", other.len(), batch.len()),
    }
}
