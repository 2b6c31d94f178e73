//! Batches and metadata records for histories.

use crate::evidence::records;
use bytes::Bytes;
use engine::ids::{BrokerId, LeaderEpoch, Offset};
use engine::metadata::{BrokerRegistrationChange, MetadataRecord, RegisterBroker};
use engine::record::BatchBuilder;

/// The numbers of a producer's records.
pub(crate) fn numbers(counts: std::ops::Range<usize>) -> Vec<u64> {
    counts.map(|count| records::number(0, count)).collect()
}

/// A batch of records without keys, as a leader stamps it.
pub(crate) fn batch(base: Offset, epoch: LeaderEpoch, numbers: &[u64]) -> Bytes {
    keyed(base, epoch, &numbers.iter().map(|number| (*number, None)).collect::<Vec<_>>())
}

/// A batch of records with keys.
pub(super) fn keyed(base: Offset, epoch: LeaderEpoch, of: &[(u64, Option<&[u8]>)]) -> Bytes {
    let mut builder = BatchBuilder::new().base_offset(base).leader_epoch(epoch);
    for (number, key) in of {
        builder.append(1_000, *key, Some(&number.to_be_bytes()), &[]);
    }
    builder.build()
}

/// The registration of a fenced broker.
pub(crate) fn registration(broker: BrokerId, broker_epoch: i64) -> MetadataRecord {
    MetadataRecord::RegisterBroker(RegisterBroker {
        broker,
        incarnation: broker_epoch as u128,
        broker_epoch,
        rack: None,
        fenced: true,
        in_controlled_shutdown: false,
        log_dirs: Vec::new(),
    })
}

/// A broker is fenced, or unfenced.
pub(crate) fn fencing(broker: BrokerId, fenced: bool) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
        broker,
        broker_epoch: 10,
        fenced: Some(fenced),
        in_controlled_shutdown: None,
        log_dirs: None,
    })
}

/// The registration of an unfenced broker.
pub(crate) fn unfenced(broker: BrokerId, broker_epoch: i64) -> MetadataRecord {
    let MetadataRecord::RegisterBroker(it) = registration(broker, broker_epoch) else {
        unreachable!("it is one")
    };
    MetadataRecord::RegisterBroker(RegisterBroker { fenced: false, ..it })
}
