//! The rulebook: protocol decisions that an implementation can get wrong. Each is a small pure
//! function over plain arguments, with its KIP.
//!
//! The engine calls a [`Rulebook`] and has no switches of its own. To try another rule, swap a
//! field of [`Rules`]: Kafka's rule is then evaluated beside it, and every difference is reported
//! as [`Fact::RuleDiffered`]. So a run shows whether the other rule made a difference, whether or
//! not a check noticed.
//!
//! A rule is one row of `rules!` below. The row declares the field of [`Rules`] and the method of
//! [`Rulebook`] that the engine calls. Arguments of one type travel in a struct with named fields,
//! so that no call can swap them.

mod branch;
pub mod client;
pub mod election;
pub mod fencing;
pub mod group;
pub mod high_watermark;
pub mod isolation;
pub mod isr;
pub mod leadership;
pub mod member;
pub mod produce;
pub mod producer;
pub mod quorum;
pub mod read;
pub mod sequence;
pub mod session;
pub mod transaction;
pub mod truncation;
pub mod verification;

use crate::Outbox;
use crate::error::ErrorCode;
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset};
use crate::log::BatchMeta;
use crate::protocol::{EpochEndOffset, TransactionState};

macro_rules! rules {
    ($(
        #[doc = $summary:literal]
        $name:ident($($arg:ident: $type:ty),+) -> $decision:ty = $kafka:path;
    )*) => {
        /// A rulebook's functions, one for each decision.
        #[derive(Clone, Copy, Debug)]
        pub struct Rules {
            $(
                #[doc = $summary]
                #[doc = concat!("\n\nSee [`", stringify!($kafka), "`].")]
                pub $name: fn($($type),+) -> $decision,
            )*
        }

        impl Rules {
            /// The rules of Kafka 4.1, with defects of the release corrected.
            pub const fn kafka() -> Self {
                Self { $($name: $kafka,)* }
            }

            /// The names of all rules, each with the path of Kafka's function.
            pub const NAMES: &'static [(&'static str, &'static str)] =
                &[$((stringify!($name), stringify!($kafka)),)*];

            /// The branches of each rule that decides yes or no, or returns an error: the number of
            /// the branch's mark ([`Outbox::mark`]), its name, and the summary of the rule.
            pub fn branches() -> impl Iterator<Item = (u16, &'static str, &'static str)> {
                let all = [$(
                    (
                        2 * (Row::$name as u16),
                        <$decision as branch::Branches>::HAS,
                        [concat!(stringify!($name), ".no"), concat!(stringify!($name), ".yes")],
                        $summary.trim_ascii(),
                    ),
                )*];
                all.into_iter().filter(|(_, has, ..)| *has).flat_map(|(mark, _, [no, yes], what)| {
                    [(mark, no, what), (mark + 1, yes, what)]
                })
            }

            /// The summary of each rule in one line, in the order of [`Self::NAMES`].
            pub const SUMMARIES: &'static [&'static str] = &[$($summary.trim_ascii(),)*];
        }

        /// The rules by number, for the marks of their branches.
        #[allow(non_camel_case_types, reason = "the variants are the names of the rules")]
        #[repr(u16)]
        enum Row {
            $($name,)*
        }

        impl Rulebook {
            $(
                #[doc = $summary]
                #[doc = concat!("\n\nSee [`", stringify!($kafka), "`].")]
                #[inline]
                pub fn $name(&self, out: &mut Outbox, $($arg: $type),+) -> $decision {
                    let decision = (self.rules.$name)($($arg),+);
                    if let Some(yes) = branch::Branches::is_yes(&decision) {
                        out.mark(2 * (Row::$name as u16) + u16::from(yes));
                    }
                    if let Some(reference) = &self.reference
                        && (reference.$name)($($arg),+) != decision
                    {
                        out.observe(Fact::RuleDiffered { rule: stringify!($name) });
                    }
                    decision
                }
            )*
        }
    };
}

rules! {
    /// Whether a follower has enough to join the ISR (KAFKA-7128).
    may_join_isr(join: isr::Join) -> bool = isr::may_join;
    /// Whether a follower may be proposed for the ISR at all (KIP-841, KIP-903).
    is_eligible_for_isr(candidate: isr::Candidate) -> bool = isr::is_eligible;
    /// Whether the controller may consider a proposed ISR (KIP-497, KAFKA-14154).
    check_isr_proposal(proposal: isr::Proposal) -> Result<(), ErrorCode> = isr::check_proposal;
    /// Whether a member has to leave the ISR (KIP-16, KIP-537).
    is_out_of_sync(lag: isr::Lag) -> bool = isr::is_out_of_sync;
    /// Whether a replica counts as in sync while a proposal is in flight (KIP-497).
    is_in_effective_isr(membership: isr::Membership) -> bool = isr::is_in_effective_isr;
    /// Whether a proposed ISR stays in flight when metadata with the same partition epoch arrives.
    keeps_pending_isr(published: isr::Published) -> bool = isr::keeps_pending_isr;
    /// Whether the high watermark may move with an ISR of this size (KIP-966).
    may_advance_high_watermark(size: isr::Size) -> bool = high_watermark::may_advance;
    /// Whether a replica holds the high watermark back (KAFKA-15021).
    holds_back_high_watermark(replica: high_watermark::Replica) -> bool =
        high_watermark::is_held_back_by;
    /// The high watermark of a follower.
    follower_high_watermark(follower: high_watermark::Follower) -> Offset =
        high_watermark::of_follower;
    /// Whether a leader keeps its state of the followers at a new epoch (FL-1).
    keeps_follower_state(new: leadership::NewEpoch) -> bool = leadership::keeps_follower_state;
    /// The offset from which a replica fetches when it begins to follow (KIP-101).
    start_of_following(start: truncation::Start) -> Offset = truncation::start_of_following;
    /// Whether a follower's log diverges from its leader's (KIP-595).
    diverges(fetched: truncation::Fetched, end: EpochEndOffset) -> bool = truncation::diverges;
    /// The offset to which a follower cuts a log that diverges from its leader's (KIP-279).
    truncate_to(divergence: truncation::Divergence) -> Offset = truncation::truncate_to;
    /// Whether a request with this leader epoch may be served (KAFKA-7395).
    check_leader_epoch(epochs: fencing::LeaderEpochs) -> Result<(), ErrorCode> =
        fencing::check_leader_epoch;
    /// Whether a fetch comes from the present life of a broker (KIP-903).
    is_present_life(life: fencing::FetchingLife) -> bool = fencing::is_present_life;
    /// Whether a broker's request comes from the life that is registered (KIP-380).
    check_broker_epoch(life: fencing::RequestingLife) -> Result<(), ErrorCode> =
        fencing::check_broker_epoch;
    /// How many expired brokers are fenced in one decision (KAFKA-13173).
    fenced_per_decision(expired: usize) -> usize = fencing::fenced_per_decision;
    /// Whether a follower may append a batch of this epoch (KAFKA-18723).
    may_append_fetched(epochs: fencing::FetchedBatch) -> bool = fencing::may_append_fetched;
    /// Whether there are enough in-sync replicas to append with acks=all.
    check_in_sync_replicas(acks: i16, size: isr::Size) -> Result<(), ErrorCode> =
        produce::check_in_sync_replicas;
    /// The outcome of an acks=all produce request once its records are replicated.
    outcome_when_replicated(size: isr::Size) -> ErrorCode = produce::outcome_when_replicated;
    /// The high watermark that an acks=all produce request waits for.
    required_high_watermark(appended: produce::Appended) -> Offset =
        produce::required_high_watermark;
    /// The batch in the log of which a producer's batch is a copy (KAFKA-5494).
    duplicate_of(sent: sequence::Sent<'_>) -> Option<BatchMeta> = sequence::duplicate_of;
    /// Whether the epoch of a batch is not older than that of its producer (KIP-360).
    check_producer_epoch(epochs: sequence::ProducerEpochs) -> Result<(), ErrorCode> =
        sequence::check_producer_epoch;
    /// Whether a batch is the next one of its producer (KIP-98, KAFKA-7692).
    check_sequence(sequence: sequence::Sequence) -> Result<(), ErrorCode> =
        sequence::check_sequence;
    /// Whether the coordinator is asked before a batch of a transaction is appended (KIP-890).
    needs_verification(starting: verification::Starting) -> bool =
        verification::needs_verification;
    /// Whether a transactional batch is part of a transaction that is open (KIP-890).
    check_guard(guards: verification::Guards) -> Result<(), ErrorCode> =
        verification::check_guard;
    /// Whether a batch may be the first of its transaction here (KIP-890).
    check_first_sequence(sequence: verification::FirstSequence) -> Result<(), ErrorCode> =
        verification::check_first_sequence;
    /// Whether a producer with an open transaction writes within it (KIP-98).
    check_transactional(written: verification::Written) -> Result<(), ErrorCode> =
        verification::check_transactional;
    /// Whether a verification ends with a batch or marker of its producer (KIP-890).
    ends_verification(ending: verification::Ending) -> bool = verification::ends_verification;
    /// Whether a leader writes the marker of a coordinator (KIP-98).
    check_marker(marker: verification::Marker) -> Result<(), ErrorCode> =
        verification::check_marker;
    /// Whether a new leader keeps the producer state that it had as a follower.
    keeps_producers(was_following: bool) -> bool = sequence::keeps_producers;
    /// Whether a silent producer is forgotten (KAFKA-9144).
    is_forgotten(silence: sequence::Silence) -> bool = sequence::is_forgotten;
    /// The first id of the block that the controller hands out (KAFKA-13357).
    first_of_block(next_producer_id: i64) -> i64 = sequence::first_of_block;
    /// The last stable offset: the end of what readers of committed records see (KIP-98).
    last_stable_offset(stable: isolation::Stable) -> Offset = isolation::last_stable_offset;
    /// The epoch for a producer of a transactional id (KIP-98, KIP-360).
    epoch_of_instance(instance: transaction::Instance) -> Result<transaction::Epochs, ErrorCode> =
        transaction::epoch_of_instance;
    /// Whether a producer may act for a transactional id.
    check_claim(claim: transaction::Claim) -> Result<(), ErrorCode> = transaction::check_claim;
    /// Whether a transactional id may change: its transaction is not about to end.
    check_stage(stage: transaction::Stage) -> Result<(), ErrorCode> = transaction::check_stage;
    /// How a transaction ends (KAFKA-17754).
    end_transaction(ending: transaction::Ending) -> Result<transaction::Ended, ErrorCode> =
        transaction::end_transaction;
    /// Whether every transaction has a producer epoch of its own (KIP-890).
    bumps_epoch_at_end(transaction_version: u16) -> bool = transaction::bumps_epoch_at_end;
    /// The epoch under which a coordinator aborts a transaction of its own accord.
    epoch_of_fence(fence: transaction::Fence) -> i16 = transaction::epoch_of_fence;
    /// Whether a transaction has been open for too long.
    is_timed_out(open: transaction::Open) -> bool = transaction::is_timed_out;
    /// Whether an unused transactional id is forgotten.
    is_id_expired(unused: transaction::Unused) -> bool = transaction::is_id_expired;
    /// Whether the outcome of a record applies to the present coordinator epoch (KAFKA-9777).
    is_of_present_coordinator(written: transaction::Written) -> bool =
        transaction::is_of_this_coordinator;
    /// Whether a transactional id continues to wait for a record that was not written.
    stays_pending(unwritten: transaction::Unwritten) -> bool = transaction::stays_pending;
    /// Whether a new coordinator may read its log (FL-6).
    may_load(open: bool) -> bool = transaction::may_load;
    /// How far a new coordinator reads its log.
    load_to(ends: transaction::LogEnds) -> Offset = transaction::load_to;
    /// Whether a coordinator that gives a partition up forgets its transactional ids (KAFKA-9307).
    forgets_ids(epoch: LeaderEpoch) -> bool = transaction::forgets_ids;
    /// Whether a new coordinator completes a transaction in this state (KAFKA-5131).
    finishes_when_loaded(state: TransactionState) -> bool = transaction::finishes_when_loaded;
    /// The reaction of a coordinator to a leader's response to a marker.
    after_marker(error: ErrorCode) -> transaction::Marked = transaction::after_marker;
    /// Whether a record names the next producer id (KAFKA-20310).
    records_next_producer_id(rotates: bool) -> bool = transaction::records_next_producer_id;
    /// What ListOffsets returns as the latest offset (KIP-207).
    latest_offset(latest: read::Latest) -> Result<Offset, ErrorCode> = read::latest_offset;
    /// The result of a read at this position (KAFKA-2334).
    read_position(position: read::Position) -> read::Answer = read::position;
    /// Whether a fetch session repeats an unchanged high watermark (FL-2).
    repeats_high_watermark(request: session::Renamed) -> bool = session::repeats_high_watermark;
    /// Whether a replica whose broker has named its log directory may lead (FL-3).
    may_lead_from(directory: election::NamedDirectory) -> bool = election::may_lead_from;
    /// Which replica leads a partition.
    elect_leader(election: election::Election<'_>) -> election::Elected = election::elect;
    /// The eligible leader replicas after a change of the ISR (KIP-966).
    eligible_after(eligible: election::Eligible<'_>) -> Vec<BrokerId> = election::eligible_after;
    /// Whether a broker's last life ended uncleanly (KIP-966).
    ended_uncleanly(last: election::LastLife) -> bool = election::ended_uncleanly;
    /// Whether a member of the quorum grants its vote.
    grants_vote(ballot: quorum::Ballot) -> bool = quorum::grants_vote;
    /// Whether a majority of the quorum commits what it has (Raft section 5.4.2, KAFKA-12619).
    quorum_commits(majority: quorum::Majority) -> bool = quorum::commits;
    /// Whether a reader of committed records skips a batch (KIP-98).
    passes_over(batch: client::FetchedBatch) -> bool = client::passes_over;
    /// Whether a producer may end its transaction now (KIP-98).
    may_end_transaction(has_open: bool) -> bool = client::may_end_transaction;
    /// Whether a transaction in which a batch has failed ends with another epoch (KIP-360).
    bumps_after_failure(failed: client::FailedBatch) -> bool = client::bumps_after_failure;
    /// Whether a batch may have been written in spite of this error (KAFKA-13574).
    leaves_produce_unknown(error: ErrorCode) -> bool = client::leaves_produce_unknown;
    /// Whether a consumer has to validate its position with a new leader (KIP-320).
    has_to_validate(new: client::NewLeader) -> bool = client::has_to_validate;
    /// The number of partitions over which records with a key are spread (KIP-480).
    partitions_for_keys(partitions: producer::Partitions) -> usize =
        producer::partitions_for_keys;
    /// Whether a partition sends nothing while one of its batches is in flight (KAFKA-3197).
    mutes_partition(max_in_flight: usize) -> bool = producer::mutes_partition;
    /// The position of a batch to be retried in its partition's queue.
    place_of_retry(waiting: usize) -> usize = producer::place_of_retry;
    /// The position of a batch with a sequence in its partition's queue (KIP-98).
    place_in_sequence(retry: producer::Retry<'_>) -> usize = producer::place_in_sequence;
    /// Whether new batches are sent after one that may or may not have been written (KIP-360).
    sends_behind_unresolved(attempts: u32) -> bool = producer::sends_behind_unresolved;
    /// Whether a batch that is given up has certainly left a gap (KAFKA-14034).
    leaves_gap(failure: producer::Failure) -> bool = producer::leaves_gap;
    /// Whether a partition keeps its sequences while it has no leader.
    keeps_sequences(has_leader: bool) -> bool = producer::keeps_sequences;
    /// Whether a request comes from a member of the group (KIP-345).
    check_group_member(named: group::Named) -> Result<(), ErrorCode> = group::check_member;
    /// Whether a group accepts a commit of offsets (KIP-62, KIP-447).
    check_commit(commit: group::Commit) -> Result<(), ErrorCode> = group::check_commit;
    /// Whether an offset of a transaction becomes the committed one (KIP-447).
    takes_over_offset(finished: group::Finished) -> bool = group::takes_over_offset;
    /// Whether a committed offset is shown (KIP-447).
    shows_offset(fetched: group::Fetched) -> bool = group::shows_offset;
    /// How far a group coordinator reads the log when it begins.
    load_groups_to(ends: transaction::LogEnds) -> Offset = group::load_to;
    /// The offset that a consumer commits by itself (KAFKA-18641).
    position_to_commit(progress: member::Progress) -> Offset = member::position_to_commit;
    /// Whether a poll returns records while a member gives up its partitions (KAFKA-14196).
    hands_out(hand_out: member::HandOut) -> bool = member::hands_out;
    /// Whether a member gives up all its partitions before it joins again (KIP-429).
    gives_up_before_join(rejoin: member::Rejoin) -> bool = member::gives_up_before_join;
    /// Whether a refused commit ends the membership of its member (KAFKA-9823).
    ends_membership(denied: member::Denied) -> bool = member::ends_membership;
    /// Whether a member joins again with the same id after an error (KAFKA-13214).
    keeps_member_id(error: ErrorCode) -> bool = member::keeps_member_id;
    /// Whether a producer names the member whose offsets it commits (KIP-447).
    names_member(committer: member::Committer) -> bool = member::names_member;
    /// Whether a heartbeat is of the present epoch of a member (KIP-848).
    check_member_epoch(beat: group::Beat) -> Result<(), ErrorCode> = group::check_member_epoch;
    /// Whether a group of the consumer protocol accepts a commit of offsets (KIP-848).
    check_member_commit(commit: group::MemberCommit) -> Result<(), ErrorCode> =
        group::check_member_commit;
    /// Whether a partition goes on to count as owned when its owner's assignment changes (KAFKA-16147).
    keeps_owner(kept: group::Kept) -> bool = group::keeps_owner;
    /// Whether a member gets a partition of its target assignment (KIP-848).
    may_assign_partition(release: group::Release) -> bool = group::may_assign_partition;
}

/// The rules that a process follows, and the rules with which they are compared.
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

    /// Follows `rules`, and reports where they differ from Kafka's.
    pub const fn compared(rules: Rules) -> Self {
        Self { rules, reference: Some(Rules::kafka()) }
    }
}

#[cfg(test)]
mod tests;
