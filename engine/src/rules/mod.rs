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
pub mod quorum;
pub mod read;
pub mod truncation;

use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerEpoch, BrokerId, LeaderEpoch, Offset};
use crate::protocol::EpochEndOffset;

macro_rules! rules {
    ($($(#[$doc:meta])* $name:ident: $type:ty = $kafka:path,)*) => {
        /// One function for each decision.
        #[derive(Clone, Copy, Debug)]
        pub struct Rules {
            $($(#[$doc])* pub $name: $type,)*
        }

        impl Rules {
            /// The rules as Kafka 4.1 has them.
            pub const fn kafka() -> Self {
                Self { $($name: $kafka,)* }
            }

            /// The names of all rules with the path of the function that is right.
            pub const NAMES: &'static [(&'static str, &'static str)] =
                &[$((stringify!($name), stringify!($kafka)),)*];
        }
    };
}

rules! {
    /// See [`isr::may_join`].
    may_join_isr: fn(isr::Join) -> bool = isr::may_join,
    /// See [`isr::is_eligible`].
    is_eligible_for_isr: fn(isr::Candidate) -> bool = isr::is_eligible,
    /// See [`isr::check_proposal`].
    check_isr_proposal: fn(isr::Proposal) -> Result<(), ErrorCode> = isr::check_proposal,
    /// See [`isr::is_out_of_sync`].
    is_out_of_sync: fn(isr::Lag) -> bool = isr::is_out_of_sync,
    /// See [`isr::is_in_effective_isr`].
    is_in_effective_isr: fn(isr::Membership) -> bool = isr::is_in_effective_isr,
    /// See [`high_watermark::may_advance`].
    may_advance_high_watermark: fn(usize, usize) -> bool = high_watermark::may_advance,
    /// See [`high_watermark::is_held_back_by`].
    holds_back_high_watermark: fn(high_watermark::Replica) -> bool = high_watermark::is_held_back_by,
    /// See [`high_watermark::of_follower`].
    follower_high_watermark: fn(Offset, Offset) -> Offset = high_watermark::of_follower,
    /// See [`truncation::start_of_following`].
    start_of_following: fn(truncation::Start) -> Offset = truncation::start_of_following,
    /// See [`truncation::diverges`].
    diverges: fn(truncation::Fetched, EpochEndOffset) -> bool = truncation::diverges,
    /// See [`truncation::truncate_to`].
    truncate_to: fn(truncation::Divergence) -> Offset = truncation::truncate_to,
    /// See [`fencing::check_leader_epoch`].
    check_leader_epoch: fn(Option<LeaderEpoch>, LeaderEpoch) -> Result<(), ErrorCode> =
        fencing::check_leader_epoch,
    /// See [`fencing::is_present_life`].
    is_present_life: fn(BrokerEpoch, Option<BrokerEpoch>) -> bool = fencing::is_present_life,
    /// See [`fencing::check_broker_epoch`].
    check_broker_epoch: fn(BrokerEpoch, BrokerEpoch) -> Result<(), ErrorCode> =
        fencing::check_broker_epoch,
    /// See [`fencing::fenced_per_decision`].
    fenced_per_decision: fn(usize) -> usize = fencing::fenced_per_decision,
    /// See [`fencing::may_append_fetched`].
    may_append_fetched: fn(LeaderEpoch, LeaderEpoch) -> bool = fencing::may_append_fetched,
    /// See [`produce::check_in_sync_replicas`].
    check_in_sync_replicas: fn(i16, usize, usize) -> Result<(), ErrorCode> =
        produce::check_in_sync_replicas,
    /// See [`produce::outcome_when_replicated`].
    outcome_when_replicated: fn(usize, usize) -> ErrorCode = produce::outcome_when_replicated,
    /// See [`read::latest_offset`].
    latest_offset: fn(Offset, Offset) -> Result<Offset, ErrorCode> = read::latest_offset,
    /// See [`read::position`].
    read_position: fn(read::Position) -> read::Answer = read::position,
    /// See [`election::elect`].
    elect_leader: for<'a> fn(election::Election<'a>) -> election::Elected = election::elect,
    /// See [`election::eligible_after`].
    eligible_after: for<'a> fn(election::Eligible<'a>) -> Vec<BrokerId> = election::eligible_after,
    /// See [`election::ended_uncleanly`].
    ended_uncleanly: fn(Option<BrokerEpoch>, BrokerEpoch) -> bool = election::ended_uncleanly,
    /// See [`quorum::grants_vote`].
    grants_vote: fn(quorum::Ballot) -> bool = quorum::grants_vote,
    /// See [`quorum::commits`].
    quorum_commits: fn(Offset, Offset) -> bool = quorum::commits,
    /// See [`client::leaves_produce_unknown`].
    leaves_produce_unknown: fn(ErrorCode) -> bool = client::leaves_produce_unknown,
    /// See [`client::has_to_validate`].
    has_to_validate: fn(client::NewLeader) -> bool = client::has_to_validate,
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
