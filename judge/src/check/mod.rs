//! The checks. Each compares the observations of a run with one promise, while the run continues.
//! Its findings are judged afterwards ([`crate::verdict`]), since some settings permit them.
//!
//! A check uses facts, bytes and the committed metadata log, never structures of the engine. Most
//! checks catch the corruption of some rule in a run (`scenarios/tests/corrupted_rules.rs`); for
//! the others a test has a bad history. Tests also have good histories, on which the checks report
//! nothing.

pub(crate) mod acknowledged;
mod admitted;
mod atomic;
mod callbacks;
mod calm;
mod consumer_owner;
mod converges;
mod coordinator;
mod coordinator_memory;
mod delivered;
mod durable;
mod end_shown;
mod ended;
mod enough;
mod fencing;
mod finding;
mod group_back;
mod group_commits;
mod group_kept;
mod group_memory;
mod group_owner;
mod group_processing;
mod group_settles;
mod halts;
mod key;
mod laggards;
mod leaders;
mod live_state;
mod livelock;
mod markers;
mod members;
mod offset_of_time;
mod once;
mod one_owner;
mod one_value;
mod order;
mod paused;
mod polls;
mod producer_ids;
mod prompt;
mod proposals;
mod quorum;
mod read_committed;
mod real_time;
mod reflected;
mod replicas;
mod sequences;
mod snapshots;
mod stored;
mod truncation;
mod uncommitted;
mod unsent;

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;

pub(crate) use group_processing::{is_rewound, is_sought_past};

pub use finding::{Finding, Findings, Ground, GroupGround};

use crate::evidence::{Effect, End, Moment, View};
use engine::fact::Fact;

/// The check whose findings are that a transaction is not whole.
pub(crate) const ATOMIC: &str = atomic::Atomic::NAME;

/// The check whose findings are about callbacks, not about stored records.
pub(crate) const CALLBACKS: &str = callbacks::Callbacks::NAME;

/// A check of one promise.
pub trait Check {
    /// A process reported a fact.
    #[inline]
    fn on_fact(&mut self, view: &View, at: &Moment, fact: &Fact, out: &mut Findings) {
        let _ = (view, at, fact, out);
    }

    /// Whether [`Check::on_effect`] uses such an effect; if not, it is not called. Most effects
    /// concern few checks.
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        let _ = effect;
        true
    }

    /// A process reported a fact that changed `view`; never [`Effect::Nothing`].
    #[inline]
    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let _ = (view, at, fact, effect, out);
    }

    /// The run has ended.
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        let _ = (view, end, out);
    }
}

/// A row of the table of checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// The check's name.
    pub name: &'static str,
    /// The promise, in words.
    pub promise: &'static str,
}

macro_rules! checks {
    ($($field:ident: $type:path = $promise:literal,)*) => {
        /// All checks, each with its state.
        #[derive(Clone, Debug, Default)]
        pub struct Checks {
            $($field: $type,)*
        }

        /// The table of all checks, in the order of importance to users: the fate of their records,
        /// then the outcomes reported to them, then causes of later losses.
        pub const CHECKS: &[Row] = &[$(Row { name: <$type>::NAME, promise: $promise },)*];

        impl Checks {
            /// Hands a fact to every check.
            #[inline]
            pub fn on_fact(
                &mut self,
                view: &View,
                at: &Moment,
                fact: &Fact,
                effect: &Effect,
                out: &mut Findings,
            ) {
                $(self.$field.on_fact(view, at, fact, out);)*
                // Two thirds of all facts.
                if *effect == Effect::Nothing {
                    return;
                }
                $(if <$type as Check>::concerns(effect) {
                    self.$field.on_effect(view, at, fact, effect, out);
                })*
            }

            /// Hands the end of the run to every check.
            pub fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
                $(self.$field.at_end(view, end, out);)*
            }
        }
    };
}

checks! {
    acknowledged: acknowledged::Acknowledged =
        "an acknowledged record survives, at the offset that was acknowledged",
    delivered: delivered::Delivered =
        "a record that was delivered to a consumer never vanishes",
    atomic: atomic::Atomic =
        "a transaction is committed as a whole or not at all, as reported to its application",
    one_value: one_value::OneValue =
        "all readers see the same record at an offset, for ever",
    order: order::Order =
        "the records of a producer are stored in a partition in the order sent",
    once: once::Once =
        "a record is stored in a partition no more often than it was sent",
    real_time: real_time::RealTime =
        "a record follows those of its partition that were acknowledged before it was sent",
    sequences: sequences::Sequences =
        "the batches of an idempotent producer are stored in the order of their sequences",
    unsent: unsent::Unsent =
        "no record appears that was never sent, or was refused",
    uncommitted: uncommitted::Uncommitted =
        "consumers receive only records that all in-sync replicas hold",
    read_committed: read_committed::ReadCommitted =
        "read_committed readers receive committed records only, and no end beyond an open transaction",
    polls: polls::Polls =
        "the polls of a consumer neither skip nor go back, unless records that it read are lost",
    paused: paused::Paused =
        "a consumer returns no record of a partition that its application has paused",
    end_shown: end_shown::EndShown =
        "the end offset that a client was shown never goes back",
    offset_of_time: offset_of_time::OffsetOfTime =
        "the offset for a timestamp is that of the first record with as late a timestamp",
    callbacks: callbacks::Callbacks =
        "callbacks run once for each record, in the order sent within a partition",
    ended: ended::Ended =
        "in a healed cluster a transaction ends within its time-out, and is not aborted before",
    one_owner: one_owner::OneOwner =
        "a producer that was replaced under its transactional id commits nothing more",
    reflected: reflected::Reflected =
        "each input of a transactional pipeline is reflected exactly once in its committed outputs",
    stored: stored::Stored =
        "each input of a group that keeps its positions in a store is in the store exactly once",
    group_processing: group_processing::GroupProcessing =
        "a group of consumers skips no record, and processes again only what it had not committed",
    group_kept: group_kept::GroupKept =
        "an acknowledged commit of an offset is what the next request for it shows",
    group_back: group_back::GroupBack =
        "a committed offset does not go back, unless a member meant it",
    group_owner: group_owner::GroupOwner =
        "a partition has one owner in a generation of a group",
    group_commits: group_commits::GroupCommits =
        "offsets are stored of members of the present generation only",
    group_memory: group_memory::GroupMemory =
        "a coordinator's groups and offsets are the replay of its log",
    group_settles: group_settles::GroupSettles =
        "in a healed cluster every partition of a group gets an owner",
    key: key::Keys =
        "equal keys go to one partition while the number of partitions is unchanged",
    replicas: replicas::Replicas =
        "replicas are equal below the high watermark, byte for byte, and so are their disks",
    members: members::Members =
        "every in-sync and every eligible leader replica has all committed records",
    truncation: truncation::Truncations =
        "no replica truncates committed records below its own high watermark",
    durable: durable::Durable =
        "a loaded log holds all records that had to be durable",
    enough: enough::Enough =
        "acks=all is accepted and confirmed only with min.insync.replicas in sync",
    admitted: admitted::Admitted =
        "no fenced broker is let into an ISR",
    proposals: proposals::Proposals =
        "a leader proposes one ISR at a time and forgets no proposal",
    markers: markers::Markers =
        "each marker is the decision of its coordinator, and ends no other transaction",
    coordinator: coordinator::Coordinator =
        "a coordinator's decisions are final, and only a transaction with all markers is complete",
    coordinator_memory: coordinator_memory::CoordinatorMemory =
        "a coordinator's state of its transactional ids is the replay of its log",
    snapshots: snapshots::Snapshots =
        "a snapshot of producers on a disk agrees with the log before it",
    producer_ids: producer_ids::ProducerIds =
        "a producer id is given to one producer",
    leaders: leaders::Leaders =
        "a leader epoch has one leader",
    live_state: live_state::LiveState =
        "a controller's live state is the replay of its committed log",
    quorum: quorum::Quorum =
        "the quorum has one leader in an epoch, and committed metadata stays",
    halts: halts::Halts =
        "a node or log directory stops only if its disk fails or no controller registers it",
    laggards: laggards::Laggards =
        "a replica that lags leaves the ISR within 1.5 times replica.lag.time.max.ms",
    prompt: prompt::Prompt =
        "records that the whole ISR holds are committed within a fetch, then confirmed at once",
    fencing: fencing::Fencing =
        "a broker is fenced no earlier than a session after its last heartbeat, one at a time",
    calm: calm::Calm =
        "where nothing can be late, nothing is sent again and no replica falls out of sync",
    livelock: livelock::Livelock =
        "the work of processes is bounded by the number of records and by their timers",
    converges: converges::Converges =
        "the healed cluster comes back before the deadline",
}
