//! The permission table: for each hazard the required configuration, the required fault, and the
//! required evidence.
//!
//! The table is closed: a finding that no row excuses is a violation. Evidence is bytes on disks,
//! the committed metadata log and the clients' history; no row uses the decision of a rule.

use super::{disks, groups, idempotence, retries, stopped, transactions};
use crate::check::{Finding, Ground};
use crate::evidence::story::{Happening, Scene};
use crate::evidence::{
    Change, Elected, End, Loss, Partition, Record, ReplicaSet, View, Witness, records,
};

/// Why a finding is permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excuse {
    /// The hazard: the name of the row.
    pub hazard: &'static str,
    /// The setting and the event, as a sentence that can be quoted. The part before the first comma
    /// says what the setting allows.
    pub because: String,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The hazard's name.
    pub hazard: &'static str,
    /// Its meaning, for users.
    pub meaning: &'static str,
    excuses: fn(&Case<'_>) -> Option<String>,
}

/// A finding with its evidence.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) view: &'a View,
    pub(super) end: &'a End,
    pub(super) finding: &'a Finding,
    pub(super) partition: &'a Partition,
    pub(super) record: Option<&'a Record>,
}

/// All rows, in the order in which they are tried.
pub const PERMISSIONS: &[Row] = &[
    Row {
        hazard: "unclean-election",
        meaning: "a replica out of sync was made leader, as unclean.leader.election.enable allows",
        excuses: unclean_election,
    },
    Row {
        hazard: "acks1-unreplicated",
        meaning: "with acks=1 a record was confirmed before an in-sync replica had it",
        excuses: acks1_unreplicated,
    },
    Row {
        hazard: "lost-disk",
        meaning: "as many replicas as min.insync.replicas lost a record with their disks or power",
        excuses: disks::lost_disk,
    },
    Row {
        hazard: "corrupted-disk",
        meaning: "bytes that changed on a disk are no valid batch, and may cost later batches too",
        excuses: disks::corrupted_disk,
    },
    Row {
        hazard: "lost-voter",
        meaning: "a quorum whose voters lost their disks has lost records that they had confirmed",
        excuses: disks::lost_voter,
    },
    Row {
        hazard: "isr-of-one",
        meaning: "min.insync.replicas=1 let a single in-sync replica confirm, which lost its power",
        excuses: isr_of_one,
    },
    Row {
        hazard: "min-isr-1",
        meaning: "min.insync.replicas=1 promises nothing once one replica has lost its power",
        excuses: min_isr_1,
    },
    Row {
        hazard: "correlated-power-loss",
        meaning: "as many replicas as min.insync.replicas ended uncleanly and lost unsynced data",
        excuses: correlated_power_loss,
    },
    Row {
        hazard: "last-replica-standing",
        meaning: "without eligible leader replicas the last in-sync replica may lead, whatever it lost",
        excuses: last_replica_standing,
    },
    Row {
        hazard: "stale-epoch-entry",
        meaning: "a replica killed after an unclean election may truncate records that it fetched since",
        excuses: stale_epoch_entry,
    },
    Row {
        hazard: "retry-duplicate",
        meaning: "without idempotence a batch that is sent again may be stored again",
        excuses: retries::retry_duplicate,
    },
    Row {
        hazard: "in-flight-reorder",
        meaning: "without idempotence a batch that is sent again may be overtaken by another",
        excuses: retries::in_flight_reorder,
    },
    Row {
        hazard: "callback-overtaken",
        meaning: "responses of two successive leaders may overtake each other",
        excuses: retries::callback_overtaken,
    },
    Row {
        hazard: "acks0-overtaken",
        meaning: "with acks=0 records on an old connection may arrive after later ones on a new one",
        excuses: retries::acks0_overtaken,
    },
    Row {
        hazard: "leader-again",
        meaning: "without idempotence a batch may be on its way to a broker until that leads again, \
                  after later ones were stored",
        excuses: retries::stored_by_a_leader_again,
    },
    Row {
        hazard: "sent-under-another-epoch",
        meaning: "a broker remembers five batches of a producer, or one after a restart; a batch that it \
                  refuses is sent again under another epoch",
        excuses: idempotence::sent_under_another_epoch,
    },
    Row {
        hazard: "producer-forgotten",
        meaning: "a broker forgets a producer that has been silent for producer.id.expiration.ms",
        excuses: idempotence::producer_forgotten,
    },
    Row {
        hazard: "another-session",
        meaning: "idempotence ends with the producer: records of a killed one may be stored after those \
                  of the next one",
        excuses: idempotence::another_session,
    },
    Row {
        hazard: "sent-again-by-application",
        meaning: "a message that an application sends again, after its producer gave up or after a \
                  restart, is another record to Kafka, with or without idempotence",
        excuses: idempotence::sent_again_by_application,
    },
    Row {
        hazard: "confirmed-late",
        meaning: "a batch whose request timed out at its leader is confirmed with its copy, after later \
                  batches",
        excuses: idempotence::confirmed_late,
    },
    Row {
        hazard: "refused-early",
        meaning: "a batch that is refused for good fails at once, although an earlier one is still being \
                  sent again",
        excuses: idempotence::refused_early,
    },
    Row {
        hazard: "given-up-late",
        meaning: "an idempotent producer gives up a batch after delivery.timeout.ms, and the log is in \
                  order although a later one had its outcome before",
        excuses: idempotence::given_up_late,
    },
    Row {
        hazard: "unknown-outcome-landed",
        meaning: "a record that its producer had given up was written all the same",
        excuses: retries::unknown_outcome_landed,
    },
    Row {
        hazard: "read-uncommitted",
        meaning: "with isolation.level=read_uncommitted readers receive open and aborted records",
        excuses: transactions::read_uncommitted,
    },
    Row {
        hazard: "given-up-unsent",
        meaning: "a transaction that failed gives up at once what was not sent yet, though earlier \
                  records are in flight",
        excuses: transactions::given_up_unsent,
    },
    Row {
        hazard: "transaction-timed-out",
        meaning: "a producer that takes longer than transaction.timeout.ms loses its transaction, and \
                  readers of committed data wait for as long",
        excuses: transactions::timed_out,
    },
    Row {
        hazard: "shared-transactional-id",
        meaning: "of the producers that share a transactional.id the latest fences the others",
        excuses: transactions::shared_id,
    },
    Row {
        hazard: "marker-lost",
        meaning: "a setting that permits the loss of records also permits the loss of markers",
        excuses: transactions::marker_lost,
    },
    Row {
        hazard: "decision-lost",
        meaning: "transaction.state.log.min.isr permits the loss of decisions of coordinators",
        excuses: transactions::decision_lost,
    },
    Row {
        hazard: "coordinator-gave-up",
        meaning: "a coordinator that could not replicate its record in time goes on as if it had not \
                  written it",
        excuses: transactions::coordinator_gave_up,
    },
    Row {
        hazard: "committed-before-processed",
        meaning: "a group that commits offsets before the records are processed skips what a member that \
                  ends has not finished",
        excuses: groups::committed_before_processed,
    },
    Row {
        hazard: "processed-again",
        meaning: "what a member has processed and not committed when it ends is processed again",
        excuses: groups::not_committed,
    },
    Row {
        hazard: "result-again",
        meaning: "a pipeline without transactions writes results again of what it reads again",
        excuses: groups::result_again,
    },
    Row {
        hazard: "zombie-member",
        meaning: "a member that was removed without knowing it goes on with the records that it has",
        excuses: groups::zombie,
    },
    Row {
        hazard: "store-unfenced",
        meaning: "a store that does not fence takes what a member writes after it was replaced",
        excuses: groups::store_unfenced,
    },
    Row {
        hazard: "offset-reset-latest",
        meaning: "with auto.offset.reset=latest a group without a valid offset skips what is there",
        excuses: groups::reset_to_latest,
    },
    Row {
        hazard: "offset-reset-earliest",
        meaning: "with auto.offset.reset=earliest a group without a valid offset begins again",
        excuses: groups::reset_to_earliest,
    },
    Row {
        hazard: "commit-in-flight",
        meaning: "a member may begin before a commit of the previous one that was not acknowledged",
        excuses: groups::commit_in_flight,
    },
    Row {
        hazard: "commit-overtaken",
        meaning: "a commit may be overtaken by a later one, and replace it",
        excuses: groups::commit_overtaken,
    },
    Row {
        hazard: "offset-lost",
        meaning: "a setting that permits the loss of records also permits the loss of committed offsets",
        excuses: groups::offset_lost,
    },
    Row {
        hazard: "group-truncated",
        meaning: "a group is moved when records are lost that it had read",
        excuses: groups::truncated,
    },
];

/// The row that permits a finding, if there is one.
pub fn excuse(view: &View, end: &End, finding: &Finding) -> Option<Excuse> {
    if let Some(excuse) = stopped::excuse(view, end, finding) {
        return Some(excuse);
    }
    let partition = &view.partitions[finding.partition?];
    let record = finding.record.and_then(|number| view.records.get(number));
    let case = Case { view, end, finding, partition, record };
    let excused =
        |row: &Row| (row.excuses)(&case).map(|because| Excuse { hazard: row.hazard, because });
    PERMISSIONS.iter().find_map(excused)
}

impl Case<'_> {
    pub(super) fn witness(&self) -> Option<&Witness> {
        match &self.finding.ground {
            Ground::Gone { witness, .. } => Some(witness),
            _ => None,
        }
    }

    /// When the replica that lacks the batch began to lead, and in which epoch. If it has not led
    /// yet: when it was elected or came back.
    pub(super) fn election(&self) -> String {
        let Ground::Gone { witness, loss } = &self.finding.ground else { return String::new() };
        if let Some(loss) = loss {
            return became_leader(
                self.view,
                self.partition,
                &self.partition.losses[*loss as usize],
            );
        }
        let broker = brokers(self.partition, &witness.lacking);
        match witness.elected {
            Some(Elected { at, epoch }) => {
                format!("{broker} was elected in epoch {epoch} at {}", self.view.time(at))
            }
            None => format!("{broker} came back at {}", self.view.time(self.finding.at)),
        }
    }

    /// Whether the producer of the record is not idempotent.
    pub(super) fn is_not_idempotent(&self) -> bool {
        let producer = self.finding.record.map(|number| records::parts(number).0);
        let setup = producer.and_then(|producer| self.view.setup.producer(producer));
        !setup.is_some_and(|setup| setup.idempotence)
    }

    /// When the record was appended at its offset; for a finding about a callback, when that ran.
    pub(super) fn placed(&self) -> Option<u64> {
        let Some(offset) = self.finding.offset else { return Some(self.finding.at) };
        let batches = &self.partition.batches;
        // The latest batch at an offset is the one that remains.
        let its = |batch: &u32| Some(batches.number_at(*batch, offset)) == self.finding.record;
        batches.covering(offset).filter(its).map(|batch| batches.get(batch).at).max()
    }

    /// The connections over which the record and the one that overtook it were last sent, if they
    /// differ.
    pub(super) fn two_connections(&self) -> Option<(u32, u32)> {
        let Ground::Overtaken { by, .. } = self.finding.ground else { return None };
        let (own, other) = (self.record?.over?, self.view.records.get(by)?.over?);
        (own != other).then_some((own.count(), other.count()))
    }

    pub(super) fn max_in_flight(&self) -> u32 {
        let producer = self.finding.record.map(|number| records::parts(number).0);
        let setup = producer.and_then(|producer| self.view.setup.producer(producer));
        setup.map_or(1, |setup| setup.max_in_flight)
    }
}

/// When the leader that lacks a batch began to lead, or was elected if it has not begun.
pub(super) fn became_leader(view: &View, partition: &Partition, loss: &Loss) -> String {
    let broker = brokers(partition, &ReplicaSet::of(loss.leader));
    let (how, at) = match (loss.led_at, loss.witness.elected) {
        (None, Some(elected)) => ("was elected", elected.at),
        (led_at, _) => ("began to lead", led_at.unwrap_or(loss.at)),
    };
    format!("{broker} {how} in epoch {} at {}", loss.leader_epoch, view.time(at))
}

/// Excuses a loss by an unclean election: the configuration allows it, and by the committed log the
/// new leader was in neither ISR nor ELR, and no member of either could lead. A rule bug that adds
/// a replica to ISR or ELR, or does not elect an available member, is not excused.
fn unclean_election(case: &Case<'_>) -> Option<String> {
    let witness = case.witness()?;
    let is_allowed = case.view.setup.allows_unclean_election(case.partition);
    (is_allowed && is_unclean(witness)).then(|| {
        let members = witness.members();
        let members = match members.is_empty() {
            true => "ISR and ELR were empty".to_owned(),
            false => {
                let members = case.partition.names(&members);
                format!("of ISR and ELR {{{members}}} no broker could lead")
            }
        };
        format!(
            "with unclean.leader.election.enable=true a replica out of sync may lead, {members}, \
             and {}",
            case.election()
        )
    })
}

/// Whether, by the committed log, the replica that lacks the batch was elected out of sync, when no
/// member of ISR or ELR could lead.
fn is_unclean(witness: &Witness) -> bool {
    let out_of_sync = witness.elected.is_some() && !witness.members().meets(&witness.lacking);
    out_of_sync && witness.could_lead().is_empty()
}

/// Whether the controller could rightly elect the replica that lacks the record: a member of the
/// ISR, or of the ELR if no in-sync replica is left, or the last leader if neither has a member
/// left (KIP-966).
fn may_lead(witness: &Witness) -> bool {
    let is_in = |replicas: &ReplicaSet| replicas.meets(&witness.lacking);
    // A replica that was in sync and active throughout could have been elected instead.
    let passed_over = (&witness.in_sync & &witness.active).meets(&witness.holders);
    let last_resort = witness.remaining().is_empty() && witness.last_leader == witness.lacking;
    is_in(&witness.in_sync) || (is_in(&witness.members()) && !passed_over) || last_resort
}

/// Excuses the loss of a record with acks=1 that was neither committed nor delivered. The new
/// leader never had the record, or lost it with its power, and could rightly be elected. And when
/// the old leader was replaced, some member of the committed ISR lacked the record, or that ISR was
/// smaller than `min.insync.replicas`: then nothing is committed, and members of the ELR that lack
/// the record may lead (KIP-966).
fn acks1_unreplicated(case: &Case<'_>) -> Option<String> {
    let (witness, record) = (case.witness()?, case.record?);
    let lacks = |set: &ReplicaSet| &(set - &witness.had) | &(set & &witness.power_lost);
    let lacked = lacks(&witness.isr);
    let in_sync = witness.isr.len();
    let short = case.view.setup.eligible_leader_replicas && in_sync < case.partition.min_isr;
    let by_fault = !lacks(&witness.lacking).is_empty();
    let promised = witness.committed || witness.delivered;
    let may_go = !lacked.is_empty() || short;
    (record.acks == 1 && !promised && may_lead(witness) && may_go && by_fault).then(|| {
        let why = match lacked.len() {
            0 => format!(
                "the ISR {{{}}} was below min.insync.replicas={}, so that nothing was committed",
                case.partition.names(&witness.isr),
                case.partition.min_isr
            ),
            count => {
                let plural = if count == 1 { "" } else { "s" };
                let lacked = enumerated(case.partition, &lacked);
                format!("in-sync replica{plural} {lacked} lacked the record")
            }
        };
        format!("with acks=1 the leader confirms alone, {why}, and {}", case.election())
    })
}

/// The replicas that ended uncleanly, if that excuses the loss: the new leader lost the batch with
/// its power, at least `min.insync.replicas` of the replicas that had it ended uncleanly, no
/// replica was left for which the controller should have waited, and with KIP-966 the controller
/// had removed the new leader from ISR and ELR after its unclean end.
pub(super) fn power_loss(case: &Case<'_>) -> Option<ReplicaSet> {
    let witness = case.witness()?;
    let ended = &witness.ever_had & &(&witness.power_lost | &witness.ended_uncleanly);
    let enough = ended.len() >= case.partition.min_isr.max(1);
    let lost_by_leader = witness.lacking.meets(&witness.power_lost);
    let stripped = !witness.members().meets(&witness.lacking);
    let right =
        witness.sound().is_empty() && (stripped || !case.view.setup.eligible_leader_replicas);
    (enough && lost_by_leader && right).then_some(ended)
}

fn after_power_loss(case: &Case<'_>, ended: &ReplicaSet) -> String {
    let topic = case.partition.topic.map(|topic| &case.view.setup.topics[topic]);
    let flush = topic.map_or((None, None), |topic| (topic.flush_messages, topic.flush_ms));
    format!(
        "{}, min.insync.replicas={} requires no more copies than were lost, {} ended uncleanly with \
         unsynced data, and {} without the record",
        flushing(flush),
        case.partition.min_isr,
        brokers(case.partition, ended),
        case.election()
    )
}

/// When a log is synced, in words: that decides what a power loss can cost.
fn flushing(setting: (Option<u64>, Option<u64>)) -> String {
    let set = match setting {
        (None, None) => {
            return "brokers confirm without fsync (flush.messages and flush.ms are Kafka's \
                    defaults)"
                .to_owned();
        }
        (Some(messages), None) => format!("flush.messages={messages}"),
        (None, Some(ms)) => format!("flush.ms={ms}"),
        (Some(messages), Some(ms)) => format!("flush.messages={messages} or flush.ms={ms}"),
    };
    format!("brokers fsync no earlier than {set} asks for")
}

/// Brokers in words: `broker 1`, `brokers 1 and 2`.
pub(super) fn brokers(partition: &Partition, set: &ReplicaSet) -> String {
    let plural = if set.len() == 1 { "" } else { "s" };
    format!("broker{plural} {}", enumerated(partition, set))
}

/// Broker ids in words: `1, 2 and 3`.
fn enumerated(partition: &Partition, set: &ReplicaSet) -> String {
    let names = partition.names(set);
    match names.rsplit_once(", ") {
        Some((first, last)) => format!("{first} and {last}"),
        None => names,
    }
}

fn isr_of_one(case: &Case<'_>) -> Option<String> {
    let alone = case.partition.min_isr <= 1 && case.witness()?.isr.len() == 1;
    power_loss(case).filter(|_| alone).map(|ended| after_power_loss(case, &ended))
}

fn min_isr_1(case: &Case<'_>) -> Option<String> {
    let one = case.partition.min_isr <= 1;
    power_loss(case).filter(|_| one).map(|ended| after_power_loss(case, &ended))
}

fn correlated_power_loss(case: &Case<'_>) -> Option<String> {
    let several = case.partition.min_isr > 1;
    power_loss(case).filter(|_| several).map(|ended| after_power_loss(case, &ended))
}

/// Without KIP-966 the controller keeps the last in-sync replica in the ISR when its broker goes
/// down, and elects it again although it has lost records with its power that others still hold.
pub(super) fn last_replica_standing(case: &Case<'_>) -> Option<String> {
    let witness = case.witness()?;
    let last = witness.in_sync == witness.lacking && witness.lacking.is_within(&witness.power_lost);
    (last && !case.view.setup.eligible_leader_replicas).then(|| {
        format!(
            "without eligible.leader.replicas.enable the last in-sync replica stays one, {} lost \
             unsynced data with its power, and {} without the record",
            brokers(case.partition, &witness.lacking),
            case.election()
        )
    })
}

/// Excuses a replica that truncates its log at an offset at which it had truncated before, because
/// of an unclean election, and whose process ended uncleanly afterwards. Kafka writes the
/// leader-epoch file in the background after a truncation
/// (`LeaderEpochFileCache.truncateFromEndAsyncFlush`). So the replica may return with an epoch that
/// none of its records has, and truncate where that epoch began.
fn stale_epoch_entry(case: &Case<'_>) -> Option<String> {
    let Ground::CutAgain { replica } = case.finding.ground else { return None };
    let (partition, offset) = (case.partition, case.finding.offset?);
    let own = |scene: &&Scene| scene.replica == replica && scene.at <= case.finding.at;
    let mut earlier = partition.story.0.iter().rev().filter(own).skip(1);
    earlier.find(|scene| matches!(scene.what, Happening::Loaded(_)))?;
    let mut before = earlier.skip_while(|scene| !matches!(scene.what, Happening::Node(_)));
    let unclean = |scene: &Scene| {
        matches!(
            scene.what,
            Happening::Node(
                Change::Crashed { .. } | Change::Halted { .. } | Change::PowerLost { .. }
            )
        )
    };
    let lives = before.by_ref().take_while(|scene| !matches!(scene.what, Happening::Loaded(_)));
    let mut ended = false;
    let cut = lives.fold(None, |cut, scene| {
        ended |= unclean(scene);
        let same = matches!(scene.what, Happening::Cut { to, .. } if to == offset);
        cut.or(same.then_some(scene))
    })?;
    let lost = |loss: &&Loss| {
        let it = partition.batches.get(loss.batch);
        it.base >= offset && loss.at <= cut.at && is_unclean(&loss.witness)
    };
    let loss = partition.losses.iter().find(lost)?;
    (case.view.setup.allows_unclean_election(partition) && ended).then(|| {
        format!(
            "with unclean.leader.election.enable=true a replica truncates what a new leader lacks, {} \
             truncated to {offset} at {} and ended uncleanly before its leader-epoch file was written, and {}",
            brokers(partition, &ReplicaSet::of(replica)),
            case.view.time(cut.at),
            became_leader(case.view, partition, loss)
        )
    })
}
