//! What a client makes of what it is told (`Sender`, `SubscriptionState`).

use crate::error::ErrorCode;
use crate::ids::LeaderEpoch;

/// Whether a batch may have been written although the answer to it was this error. Only what is
/// refused before the append is known not to be; who takes the rest for that sends it a second
/// time under another identity, or finds what it reported as failed (KAFKA-13574).
pub fn leaves_produce_unknown(error: ErrorCode) -> bool {
    matches!(
        error,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::RequestTimedOut
            | ErrorCode::NetworkException
            | ErrorCode::NotEnoughReplicasAfterAppend
            | ErrorCode::KafkaStorageError
            | ErrorCode::UnknownServerError
    )
}

/// A consumer learns of another leader epoch of a partition that it has a position in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NewLeader {
    /// The leader epoch of the last record before the position; `None`: not known.
    pub position_epoch: Option<LeaderEpoch>,
    /// The leader epoch that the position is known to be good in.
    pub validated_epoch: Option<LeaderEpoch>,
    /// The leader epoch now.
    pub leader_epoch: LeaderEpoch,
}

/// Whether a consumer has to ask the new leader if the log still reaches its position in the same
/// epoch, before it reads on. If it does not, the log was cut below, and new records stand where
/// the ones already read stood (KIP-320, KAFKA-7747).
pub fn has_to_validate(new: NewLeader) -> bool {
    new.position_epoch.is_some() && new.validated_epoch != Some(new.leader_epoch)
}
