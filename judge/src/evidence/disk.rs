//! The disks of replicas: segment files, split into batches.

use super::batch::{has_sane_offsets, number_of};
use bytes::Bytes;
use engine::ids::{Offset, TopicPartition};
use engine::record::{self, Batch};
use machine::NodeId;

/// The present content of the disks of brokers and controllers.
pub trait Disks {
    /// The contents of the segment files of a replica, by base offset, each in the pieces in which
    /// it was written. `name` is the partition's name, which is the name of its directory. `None`
    /// if there is no such directory.
    fn segments(&self, node: NodeId, id: TopicPartition, name: &str) -> Option<Vec<Vec<Bytes>>>;

    /// The producer snapshots of a replica, by the offset in their names. None by default, since
    /// not every history has them.
    fn snapshots(&self, node: NodeId, id: TopicPartition, name: &str) -> Vec<(Offset, Bytes)> {
        let _ = (node, id, name);
        Vec::new()
    }

    /// The path of the log directory of the replica, empty if the directory has no name. `None` if
    /// there is no such replica.
    fn log_dir(&self, node: NodeId, id: TopicPartition, name: &str) -> Option<String>;
}

/// The log of one replica on its disk.
#[derive(Clone, Debug)]
pub struct DiskLog {
    /// The index of the partition.
    pub partition: usize,
    /// The index of the replica.
    pub replica: usize,
    /// Its batches in order.
    pub batches: Vec<Bytes>,
    /// The size of its largest segment file with more than one batch, in bytes.
    pub largest: u64,
    /// The offset from which the bytes are not whole batches, and what is wrong with them.
    pub broken: Option<(Offset, String)>,
    /// The first batch of its last segment cannot be read, and without the timestamp of that nothing is
    /// appended to the segment after a start (`LogSegment.shouldRoll`).
    pub is_headless: bool,
    /// Its producer snapshots, by offset.
    pub snapshots: Vec<(Offset, Bytes)>,
}

impl DiskLog {
    /// Whether the record with this number is at this offset.
    pub fn holds(&self, offset: Offset, number: u64) -> bool {
        let mut holds = false;
        for batch in &self.batches {
            let _ = record::for_each(batch, |record| {
                holds |= record.offset == offset && number_of(record.value) == number;
            });
        }
        holds
    }
}

/// Splits segment files into batches. Stops at bytes that are not a whole batch.
pub fn read(segments: Vec<Vec<Bytes>>) -> (Vec<Bytes>, Option<(Offset, String)>) {
    let mut batches: Vec<Bytes> = Vec::new();
    let mut next = 0;
    for segment in segments {
        let mut pieces = segment.into_iter();
        while let Some(mut rest) = pieces.next() {
            while !rest.is_empty() {
                let batch = match Batch::first_of(&rest) {
                    Ok(batch) if !has_sane_offsets(batch) => {
                        let why = "no log has these offsets".to_owned();
                        return (batches, Some((next, why)));
                    }
                    Ok(batch) => batch,
                    // The batch may continue in the next pieces. Most pieces are whole batches.
                    Err(_) if pieces.len() > 0 => {
                        rest = join(rest, &mut pieces);
                        continue;
                    }
                    Err(why) => return (batches, Some((next, why.to_string()))),
                };
                next = batch.next_offset();
                let size = batch.size();
                batches.push(rest.split_to(size));
            }
        }
    }
    (batches, None)
}

/// The size of the largest segment file that holds more than one batch, in bytes.
pub fn largest(segments: &[Vec<Bytes>]) -> u64 {
    let crowded = segments.iter().filter_map(|segment| {
        let size: usize = segment.iter().map(Bytes::len).sum();
        let first = Batch::first_of(segment.first()?).ok()?.size();
        (size > first).then_some(size as u64)
    });
    crowded.max().unwrap_or(0)
}

/// Whether the last segment file does not begin with a batch.
pub fn is_headless(segments: &[Vec<Bytes>]) -> bool {
    let Some((first, rest)) = segments.last().and_then(|segment| segment.split_first()) else {
        return false;
    };
    let begins = |bytes: &Bytes| Batch::first_of(bytes).is_ok();
    !begins(first) && !begins(&join(first.clone(), rest.iter().cloned()))
}

fn join(first: Bytes, others: impl Iterator<Item = Bytes>) -> Bytes {
    std::iter::once(first).chain(others).collect::<Vec<_>>().concat().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::record::BatchBuilder;

    #[test]
    fn batches_are_found_however_they_were_written() {
        let batch = |base: Offset| {
            let mut batch = BatchBuilder::new().base_offset(base);
            batch.append(0, None, Some(b"value"), &[]);
            batch.build()
        };
        let batches: Vec<Bytes> = (0..3).map(batch).collect();
        let whole: Bytes = batches.concat().into();
        for cut in 1..whole.len() {
            let segment = vec![whole.slice(..cut), whole.slice(cut..)];
            assert_eq!(read(vec![segment]), (batches.clone(), None), "cut at {cut}");
        }
        assert!(!is_headless(&[vec![batches[0].slice(..9), batches[0].slice(9..)]]));
        assert!(!is_headless(&[vec![Bytes::from_static(&[0xff; 64])], batches.clone()]));
        assert!(is_headless(&[batches.clone(), vec![Bytes::from_static(&[0xff; 64])]]));
        let torn = vec![batches[0].clone(), batches[1].slice(..30)];
        let (found, broken) = read(vec![torn]);
        assert_eq!((found, broken.map(|(offset, _)| offset)), (batches[..1].to_vec(), Some(1)));
    }
}
