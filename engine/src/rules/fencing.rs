//! Rejection of outdated requests by leader epoch (KIP-320) and by broker epoch (KIP-380, KIP-903).

use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, LeaderEpoch};

/// The leader epochs that the two sides of a request know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaderEpochs {
    /// The leader epoch in the request; `None`: the sender knows none.
    pub requested: Option<LeaderEpoch>,
    /// The leader epoch of the replica that received the request.
    pub local: LeaderEpoch,
}

/// Whether a request may be served: `FENCED_LEADER_EPOCH` if its leader epoch is older,
/// `UNKNOWN_LEADER_EPOCH` if it is newer. Otherwise a fetch made under an earlier epoch would count
/// as proof that the follower has the records of this leader (KAFKA-7395). A refused request
/// changes no state.
pub fn check_leader_epoch(epochs: LeaderEpochs) -> Result<(), ErrorCode> {
    match epochs.requested {
        Some(epoch) if epoch < epochs.local => Err(ErrorCode::FencedLeaderEpoch),
        Some(epoch) if epoch > epochs.local => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

/// The life of a broker that sent a fetch, and the one in the leader's metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchingLife {
    /// The broker epoch in the fetch; -1 from a sender that has not registered yet, or never does.
    pub fetched: BrokerEpoch,
    /// The registered broker epoch; `None`: the metadata does not know the broker.
    pub registered: Option<BrokerEpoch>,
}

/// Whether a fetch does not come from an earlier life than the registered one. Without a broker
/// epoch on either side the fetch passes (`Replica.updateFetchStateOrThrow`).
pub fn is_present_life(life: FetchingLife) -> bool {
    life.fetched == -1 || life.registered.is_none_or(|registered| life.fetched >= registered)
}

/// The leader epochs of a fetched batch and of the fetch that returned it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FetchedBatch {
    /// The leader epoch of the batch.
    pub batch: LeaderEpoch,
    /// The leader epoch under which the follower fetched.
    pub fetch: LeaderEpoch,
}

/// Whether a follower may append a fetched batch: not if its epoch is later than the leader epoch
/// of the fetch (KAFKA-18723).
pub fn may_append_fetched(epochs: FetchedBatch) -> bool {
    epochs.batch <= epochs.fetch
}

/// The life of a broker that sent a request to the controller, and the registered one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RequestingLife {
    /// The broker epoch in the request.
    pub requested: BrokerEpoch,
    /// The broker epoch of the registration.
    pub registered: BrokerEpoch,
}

/// Whether a broker's request to the controller comes from the registered life. A request of an
/// earlier life must neither keep a later one alive nor change its partitions (KIP-380).
pub fn check_broker_epoch(life: RequestingLife) -> Result<(), ErrorCode> {
    if life.requested == life.registered { Ok(()) } else { Err(ErrorCode::StaleBrokerEpoch) }
}

/// How many of `expired` brokers are fenced in one decision: at most one. The next broker is fenced
/// after the records for the first have been replayed. If both decisions were based on the same
/// state, in which the first still leads, the records for the second would put the first back into
/// the ISR (KAFKA-13173).
pub fn fenced_per_decision(expired: usize) -> usize {
    expired.min(1)
}
