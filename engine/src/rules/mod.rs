//! The rulebook: every protocol decision that history got wrong at least once, as a small pure
//! function over plain arguments, with its KIP.
//!
//! The engine asks a [`Rulebook`] and has no switches of its own. To try another rule, swap an
//! entry: the right one is then evaluated beside it, and every difference is told as
//! [`Fact::RuleDiffered`], so that "the wrong rule made a difference" is known apart from "a
//! check noticed".

pub mod client;
pub mod election;
pub mod fencing;
pub mod high_watermark;
pub mod isr;
pub mod produce;
pub mod producer;
pub mod quorum;
pub mod read;
pub mod truncation;

use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use crate::protocol::EpochEndOffset;

macro_rules! rules {
    ($(#[doc = $summary:literal] $(#[$doc:meta])* $name:ident: $type:ty = $kafka:path,)*) => {
        /// One function for each decision.
        #[derive(Clone, Copy, Debug)]
        pub struct Rules {
            $(#[doc = $summary] $(#[$doc])* pub $name: $type,)*
        }

        impl Rules {
            /// The rules as Kafka 4.1 has them.
            pub const fn kafka() -> Self {
                Self { $($name: $kafka,)* }
            }

            /// The names of all rules with the path of the function that is right.
            pub const NAMES: &'static [(&'static str, &'static str)] =
                &[$((stringify!($name), stringify!($kafka)),)*];

            /// What each decides, in one line, in the order of [`Self::NAMES`].
            pub const SUMMARIES: &'static [&'static str] = &[$($summary.trim_ascii(),)*];
        }
    };
}

rules! {
    /// Whether a follower has enough to join the ISR (KAFKA-7128).
    ///
    /// See [`isr::may_join`].
    may_join_isr: fn(isr::Join) -> bool = isr::may_join,
    /// Whether a follower may be proposed for the ISR at all (KIP-841, KIP-903).
    ///
    /// See [`isr::is_eligible`].
    is_eligible_for_isr: fn(isr::Candidate) -> bool = isr::is_eligible,
    /// Whether the controller may look at a proposed ISR (KIP-497, KAFKA-14154).
    ///
    /// See [`isr::check_proposal`].
    check_isr_proposal: fn(isr::Proposal) -> Result<(), ErrorCode> = isr::check_proposal,
    /// Whether a member has to leave the ISR (KIP-16, KIP-537).
    ///
    /// See [`isr::is_out_of_sync`].
    is_out_of_sync: fn(isr::Lag) -> bool = isr::is_out_of_sync,
    /// Whether a replica counts as in sync while a proposal is in flight (KIP-497).
    ///
    /// See [`isr::is_in_effective_isr`].
    is_in_effective_isr: fn(isr::Membership) -> bool = isr::is_in_effective_isr,
    /// Whether the high watermark may move with an ISR of this size (KIP-966).
    ///
    /// See [`high_watermark::may_advance`].
    may_advance_high_watermark: fn(usize, usize) -> bool = high_watermark::may_advance,
    /// Whether a replica holds the high watermark back (KAFKA-15021).
    ///
    /// See [`high_watermark::is_held_back_by`].
    holds_back_high_watermark: fn(high_watermark::Replica) -> bool = high_watermark::is_held_back_by,
    /// What a follower takes for the high watermark.
    ///
    /// See [`high_watermark::of_follower`].
    follower_high_watermark: fn(Offset, Offset) -> Offset = high_watermark::of_follower,
    /// From where a replica fetches when it begins to follow (KIP-101).
    ///
    /// See [`truncation::start_of_following`].
    start_of_following: fn(truncation::Start) -> Offset = truncation::start_of_following,
    /// Whether a follower's log parts from its leader's (KIP-595).
    ///
    /// See [`truncation::diverges`].
    diverges: fn(truncation::Fetched, EpochEndOffset) -> bool = truncation::diverges,
    /// Where a follower cuts a log that has parted from its leader's (KIP-279).
    ///
    /// See [`truncation::truncate_to`].
    truncate_to: fn(truncation::Divergence) -> Offset = truncation::truncate_to,
    /// Whether a request of this leader epoch may be answered (KAFKA-7395).
    ///
    /// See [`fencing::check_leader_epoch`].
    check_leader_epoch: fn(Option<LeaderEpoch>, LeaderEpoch) -> Result<(), ErrorCode> =
        fencing::check_leader_epoch,
    /// Whether a fetch comes from the present life of a broker (KIP-903).
    ///
    /// See [`fencing::is_present_life`].
    is_present_life: fn(BrokerEpoch, Option<BrokerEpoch>) -> bool = fencing::is_present_life,
    /// Whether a broker's request comes from the life that is registered (KIP-380).
    ///
    /// See [`fencing::check_broker_epoch`].
    check_broker_epoch: fn(BrokerEpoch, BrokerEpoch) -> Result<(), ErrorCode> =
        fencing::check_broker_epoch,
    /// How many expired brokers are fenced in one decision (KAFKA-13173).
    ///
    /// See [`fencing::fenced_per_decision`].
    fenced_per_decision: fn(usize) -> usize = fencing::fenced_per_decision,
    /// Whether a follower may append a batch of this epoch (KAFKA-18723).
    ///
    /// See [`fencing::may_append_fetched`].
    may_append_fetched: fn(LeaderEpoch, LeaderEpoch) -> bool = fencing::may_append_fetched,
    /// Whether there are enough in-sync replicas to append with acks=all.
    ///
    /// See [`produce::check_in_sync_replicas`].
    check_in_sync_replicas: fn(i16, usize, usize) -> Result<(), ErrorCode> =
        produce::check_in_sync_replicas,
    /// What a producer is told when its record is replicated.
    ///
    /// See [`produce::outcome_when_replicated`].
    outcome_when_replicated: fn(usize, usize) -> ErrorCode = produce::outcome_when_replicated,
    /// What ListOffsets answers for the latest offset (KIP-207).
    ///
    /// See [`read::latest_offset`].
    latest_offset: fn(Offset, Offset) -> Result<Offset, ErrorCode> = read::latest_offset,
    /// What to answer to a reader at a position.
    ///
    /// See [`read::position`].
    read_position: fn(read::Position) -> read::Answer = read::position,
    /// Who leads a partition.
    ///
    /// See [`election::elect`].
    elect_leader: for<'a> fn(election::Election<'a>) -> election::Elected = election::elect,
    /// Who is an eligible leader replica after a change of the ISR (KIP-966).
    ///
    /// See [`election::eligible_after`].
    eligible_after: for<'a> fn(election::Eligible<'a>) -> Vec<BrokerId> = election::eligible_after,
    /// Whether a broker's last life ended uncleanly (KIP-966).
    ///
    /// See [`election::ended_uncleanly`].
    ended_uncleanly: fn(Option<BrokerEpoch>, BrokerEpoch) -> bool = election::ended_uncleanly,
    /// Whether a member of the quorum grants its vote.
    ///
    /// See [`quorum::grants_vote`].
    grants_vote: fn(quorum::Ballot) -> bool = quorum::grants_vote,
    /// Whether a majority commits what it has (Raft section 5.4.2, KAFKA-12619).
    ///
    /// See [`quorum::commits`].
    quorum_commits: fn(Offset, Offset) -> bool = quorum::commits,
    /// Whether a batch may have been written in spite of this error (KAFKA-13574).
    ///
    /// See [`client::leaves_produce_unknown`].
    leaves_produce_unknown: fn(ErrorCode) -> bool = client::leaves_produce_unknown,
    /// Whether a consumer has to ask a new leader about its position (KIP-320).
    ///
    /// See [`client::has_to_validate`].
    has_to_validate: fn(client::NewLeader) -> bool = client::has_to_validate,
    /// Over how many partitions the records with a key are spread (KIP-480).
    ///
    /// See [`producer::partitions_for_keys`].
    partitions_for_keys: fn(usize, usize) -> usize = producer::partitions_for_keys,
    /// Whether a partition waits until the batch that is in flight is answered (KAFKA-3197).
    ///
    /// See [`producer::mutes_partition`].
    mutes_partition: fn(usize) -> bool = producer::mutes_partition,
    /// Where a batch that is sent again stands among those of its partition that wait.
    ///
    /// See [`producer::place_of_retry`].
    place_of_retry: fn(usize) -> usize = producer::place_of_retry,
}

/// The rules that a process follows, and those it is compared with.
#[derive(Clone, Copy, Debug)]
pub struct Rulebook {
    rules: Rules,
    reference: Option<Rules>,
}

impl Rulebook {
    /// Follows the rules of Kafka 4.1.
    pub const fn kafka() -> Self {
        Self { rules: Rules::kafka(), reference: None }
    }

    /// Follows `rules`, and tells where they differ from Kafka's.
    pub const fn compared(rules: Rules) -> Self {
        Self { rules, reference: Some(Rules::kafka()) }
    }

    /// Answers what the rule called `name` decides. `ask` calls that one rule.
    #[inline]
    pub fn ask<R: PartialEq>(
        &self,
        out: &mut Outbox,
        name: &'static str,
        ask: impl Fn(&Rules) -> R,
    ) -> R {
        let answer = ask(&self.rules);
        if let Some(reference) = &self.reference
            && ask(reference) != answer
        {
            out.observe(Fact::RuleDiffered { rule: name });
        }
        answer
    }
}

#[cfg(test)]
mod tests;
