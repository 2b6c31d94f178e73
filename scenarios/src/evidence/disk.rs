//! What is on the disks of replicas: segment files taken apart into batches.

use bytes::Bytes;
use engine::ids::{Offset, TopicPartition};
use engine::record::Batch;
use machine::NodeId;

/// The disks of the brokers and controllers, as they are now.
pub trait Disks {
    /// The contents of the segment files of a replica, by base offset. `name` is the partition's
    /// name, which its directory bears. `None` if there is no such directory.
    fn segments(&self, node: NodeId, id: TopicPartition, name: &str) -> Option<Vec<Bytes>>;
}

/// What is on the disk of one replica.
#[derive(Clone, Debug)]
pub struct DiskLog {
    /// The index of the partition.
    pub partition: usize,
    /// The index of the replica.
    pub replica: usize,
    /// Its batches in order.
    pub batches: Vec<Bytes>,
    /// Bytes that are no batch follow: from which offset on, and what is wrong with them.
    pub broken: Option<(Offset, String)>,
}

/// Takes segment files apart. Stops at what is no whole batch.
pub fn read(segments: Vec<Bytes>) -> (Vec<Bytes>, Option<(Offset, String)>) {
    let mut batches: Vec<Bytes> = Vec::new();
    let mut next = 0;
    for mut rest in segments {
        while !rest.is_empty() {
            let batch = match Batch::first_of(&rest) {
                Ok(batch) => batch,
                Err(why) => return (batches, Some((next, why.to_string()))),
            };
            next = batch.next_offset();
            let size = batch.size();
            batches.push(rest.split_to(size));
        }
    }
    (batches, None)
}
