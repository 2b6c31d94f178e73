//! Whose word still counts: leader epochs (KIP-320) and broker epochs (KIP-380, KIP-903).

use crate::error::ErrorCode;
use crate::ids::{BrokerEpoch, LeaderEpoch};

/// Whether a request that knows the leader epoch `requested` may be answered by a broker that
/// knows `local`. Without it a fetch made under an earlier epoch would count as proof that the
/// follower has what this leader wrote (KAFKA-7395). Nothing of a refused request may take effect.
pub fn check_leader_epoch(
    requested: Option<LeaderEpoch>,
    local: LeaderEpoch,
) -> Result<(), ErrorCode> {
    match requested {
        Some(epoch) if epoch < local => Err(ErrorCode::FencedLeaderEpoch),
        Some(epoch) if epoch > local => Err(ErrorCode::UnknownLeaderEpoch),
        _ => Ok(()),
    }
}

/// Whether a fetch comes from the life of the broker that the metadata knows, not from an earlier
/// one. `fetched` is -1 for a sender that has no lives; `registered` is `None` if the metadata
/// does not know the broker, and then nothing can be told against it.
pub fn is_present_life(fetched: BrokerEpoch, registered: Option<BrokerEpoch>) -> bool {
    fetched == -1 || registered.is_none_or(|registered| fetched >= registered)
}

/// Whether a follower may append a batch of the epoch `batch` that it fetched under the epoch
/// `fetched`: never one newer than the leadership that it knows (KAFKA-18723).
pub fn may_append_fetched(batch: LeaderEpoch, fetched: LeaderEpoch) -> bool {
    batch <= fetched
}

/// Whether a broker's request to the controller comes from the life that is registered. A request
/// of an earlier life must not keep a later one alive, nor speak for it (KIP-380).
pub fn check_broker_epoch(
    requested: BrokerEpoch,
    registered: BrokerEpoch,
) -> Result<(), ErrorCode> {
    if requested == registered { Ok(()) } else { Err(ErrorCode::StaleBrokerEpoch) }
}

/// How many of `expired` brokers are fenced from one and the same state of the cluster: one. The
/// next is looked at when the first has left, or the changes of the second, made from a state in
/// which the first still leads, would bring it back (KAFKA-13173).
pub fn fenced_per_decision(expired: usize) -> usize {
    expired.min(1)
}
