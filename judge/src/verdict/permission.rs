//! The table of what is permitted: for each hazard what the configuration must be, which fault
//! must have been applied, and what must bear witness.
//!
//! Closed: what no row excuses is a violation. Witnesses are bytes on disks, the committed
//! metadata log and the clients' history; no row asks what a rule decided.

use super::{disks, idempotence, retries, stopped, transactions};
use crate::check::{Finding, Ground};
use crate::evidence::story::{Happening, Scene};
use crate::evidence::{
    Change, Elected, End, Loss, Partition, Record, ReplicaSet, View, Witness, records,
};

/// Why a finding is permitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Excuse {
    /// The row.
    pub hazard: &'static str,
    /// The setting and the event, as a sentence that can be quoted: before its first comma stands
    /// what the setting allows.
    pub because: String,
}

/// A row of the table.
#[derive(Clone, Copy, Debug)]
pub struct Row {
    /// The hazard's name.
    pub hazard: &'static str,
    /// What it is, for users.
    pub meaning: &'static str,
    excuses: fn(&Case<'_>) -> Option<String>,
}

/// One finding with what bears witness.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case<'a> {
    pub(super) view: &'a View,
    pub(super) end: &'a End,
    pub(super) finding: &'a Finding,
    pub(super) partition: &'a Partition,
    pub(super) record: Option<&'a Record>,
}

/// All rows, in the order in which they are asked.
pub const PERMISSIONS: &[Row] = &[
    Row {
        hazard: "unclean-election",
        meaning: "a replica out of sync was made leader, as unclean.leader.election.enable allows",
        excuses: unclean_election,
    },
    Row {
        hazard: "acks1-unreplicated",
        meaning: "with acks=1 a record was confirmed that an in-sync replica had not got yet",
        excuses: acks1_unreplicated,
    },
    Row {
        hazard: "lost-disk",
        meaning: "as many replicas as min.insync.replicas lost a record with their disks or power",
        excuses: disks::lost_disk,
    },
    Row {
        hazard: "corrupted-disk",
        meaning: "bytes that changed on a disk are no batch any more, or cost what follows them",
        excuses: disks::corrupted_disk,
    },
    Row {
        hazard: "lost-voter",
        meaning: "a quorum whose voters lost their disks forgets what they had confirmed",
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
        meaning: "as many replicas ended uncleanly as min.insync.replicas, unsynced data with them",
        excuses: correlated_power_loss,
    },
    Row {
        hazard: "last-replica-standing",
        meaning: "without eligible leader replicas the last in-sync replica may lead, whatever it lost",
        excuses: last_replica_standing,
    },
    Row {
        hazard: "stale-epoch-entry",
        meaning: "a replica killed after an unclean election may cut once more what it fetched since",
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
        meaning: "the responses of two leaders in turn may pass each other",
        excuses: retries::callback_overtaken,
    },
    Row {
        hazard: "acks0-overtaken",
        meaning: "with acks=0 what an old connection still carries may come after what a new one does",
        excuses: retries::acks0_overtaken,
    },
    Row {
        hazard: "leader-again",
        meaning: "without idempotence a batch may be on its way to a leader until that leads again, \
                  and later ones are stored meanwhile",
        excuses: retries::stored_by_a_leader_again,
    },
    Row {
        hazard: "sent-under-another-epoch",
        meaning: "a broker knows the last five batches of a producer, one that comes back the last; \
                  what it refuses is sent under another epoch",
        excuses: idempotence::sent_under_another_epoch,
    },
    Row {
        hazard: "producer-forgotten",
        meaning: "a producer that has been silent for producer.id.expiration.ms is not known any more",
        excuses: idempotence::producer_forgotten,
    },
    Row {
        hazard: "another-session",
        meaning: "idempotence ends with the producer: what a killed one had sent may come after what \
                  the next one sends",
        excuses: idempotence::another_session,
    },
    Row {
        hazard: "sent-again-by-application",
        meaning: "what an application sends again, because it was given up or after a restart, is \
                  another record to Kafka, with or without idempotence",
        excuses: idempotence::sent_again_by_application,
    },
    Row {
        hazard: "confirmed-late",
        meaning: "a batch whose request timed out at its leader is confirmed when its copy is, though \
                  later ones, which stand behind it, were confirmed before",
        excuses: idempotence::confirmed_late,
    },
    Row {
        hazard: "refused-early",
        meaning: "a batch that is refused for good is given up at once, though an earlier one is still \
                  being sent again",
        excuses: idempotence::refused_early,
    },
    Row {
        hazard: "given-up-late",
        meaning: "an idempotent producer gives a batch up when its time is over, though later ones \
                  were confirmed",
        excuses: idempotence::given_up_late,
    },
    Row {
        hazard: "unknown-outcome-landed",
        meaning: "a record that the producer had given up was written all the same",
        excuses: retries::unknown_outcome_landed,
    },
    Row {
        hazard: "read-uncommitted",
        meaning: "isolation.level=read_uncommitted gives readers open and aborted data",
        excuses: transactions::read_uncommitted,
    },
    Row {
        hazard: "marker-lost",
        meaning: "what allows the loss of records allows that of the markers of transactions",
        excuses: transactions::marker_lost,
    },
    Row {
        hazard: "decision-lost",
        meaning: "what transaction.state.log.min.isr allows to lose are decisions of coordinators",
        excuses: transactions::decision_lost,
    },
    Row {
        hazard: "coordinator-gave-up",
        meaning: "a coordinator that could not replicate its record in time acts as if it had not \
                  written it",
        excuses: transactions::coordinator_gave_up,
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

    /// When the replica that lacks the batch came to lead, and in which epoch. Where nothing was
    /// lost by that it may not have led yet; then it is when it was elected.
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

    /// The producer of the record may send a batch twice without a trace.
    pub(super) fn is_not_idempotent(&self) -> bool {
        let producer = self.finding.record.map(|number| records::parts(number).0);
        let setup = producer.and_then(|producer| self.view.setup.producers.get(producer));
        !setup.is_some_and(|setup| setup.idempotence)
    }

    /// When the record came to its place: appended where it stands, or called back.
    pub(super) fn placed(&self) -> Option<u64> {
        let Some(offset) = self.finding.offset else { return Some(self.finding.at) };
        let batches = &self.partition.batches;
        // At the same offset the latest is the one that is left.
        let its = |batch: &u32| Some(batches.number_at(*batch, offset)) == self.finding.record;
        batches.covering(offset).filter(its).map(|batch| batches.get(batch).at).max()
    }

    /// The connections over which the record and the one that overtook it were last sent, by the
    /// history of the client, if they are two.
    pub(super) fn two_connections(&self) -> Option<(u32, u32)> {
        let Ground::Overtaken { by, .. } = self.finding.ground else { return None };
        let (own, other) = (self.record?.over?, self.view.records.get(by)?.over?);
        (own != other).then_some((own.count(), other.count()))
    }

    pub(super) fn max_in_flight(&self) -> u32 {
        let producer = self.finding.record.map(|number| records::parts(number).0);
        let setup = producer.and_then(|producer| self.view.setup.producers.get(producer));
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

/// The configuration allows it, and by the committed log the new leader was in neither ISR nor
/// ELR, and no broker of those that were could have led instead. A rule bug that lets a replica
/// into one of them, or passes a member over that is there, is not excused.
fn unclean_election(case: &Case<'_>) -> Option<String> {
    let witness = case.witness()?;
    let topic = &case.view.setup.topics[case.partition.topic?];
    (topic.unclean_leader_election && is_unclean(witness)).then(|| {
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

/// By the committed log the replica that lacks the batch was elected out of sync, when no member of
/// ISR or ELR could lead.
fn is_unclean(witness: &Witness) -> bool {
    let out_of_sync = witness.elected.is_some() && !witness.members().meets(&witness.lacking);
    out_of_sync && witness.could_lead().is_empty()
}

/// Whether the controller could rightly make the replica leader that lacks the record: a member of
/// the ISR, or of the ELR if no in-sync replica is left, or the last leader if neither has a member left (KIP-966).
fn may_lead(witness: &Witness) -> bool {
    let is_in = |replicas: &ReplicaSet| replicas.meets(&witness.lacking);
    // Who was in sync and active before and after could have been elected all the time.
    let passed_over = (&witness.in_sync & &witness.active).meets(&witness.holders);
    let last_resort = witness.remaining().is_empty() && witness.last_leader == witness.lacking;
    is_in(&witness.in_sync) || (is_in(&witness.members()) && !passed_over) || last_resort
}

/// The record was never committed nor delivered, the new leader never had it or lost it with its
/// power and could be elected, and when its leader was replaced some member of the committed ISR
/// lacked it, or that ISR was smaller than min ISR, so that nothing was committed and members of
/// the ELR may lead that lack it (KIP-966).
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

/// The members whose unclean end a power loss can be blamed on, if one can: the new leader lost
/// the batch with its power, at least `min.insync.replicas` of those that had it ended uncleanly,
/// no replica was left that the controller should have waited for, and it did not believe a life that
/// had ended (KIP-966).
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
        "{}, min.insync.replicas={} asks for no more than that, {} ended uncleanly with unsynced \
         data, and {} without the record",
        flushing(flush),
        case.partition.min_isr,
        brokers(case.partition, ended),
        case.election()
    )
}

/// When a log is synced, which decides what a loss of power can cost.
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

/// Nodes as a sentence has them: `broker 1`, `brokers 1 and 2`.
pub(super) fn brokers(partition: &Partition, set: &ReplicaSet) -> String {
    let plural = if set.len() == 1 { "" } else { "s" };
    format!("broker{plural} {}", enumerated(partition, set))
}

/// Their numbers alone: `1, 2 and 3`.
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
/// down, and makes it leader again although it has lost with its power what others still hold.
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

/// The replica cuts where it had cut before, when an unclean election had made it lose what stood
/// there; its process ended uncleanly after that. Kafka writes what a truncation takes out of the
/// leader-epoch file in the background (`LeaderEpochFileCache.truncateFromEndAsyncFlush`), so that
/// it may come back with an epoch that none of its records has, and cut where that epoch began.
fn stale_epoch_entry(case: &Case<'_>) -> Option<String> {
    let Ground::CutAgain { replica } = case.finding.ground else { return None };
    let (partition, offset) = (case.partition, case.finding.offset?);
    let topic = &case.view.setup.topics[partition.topic?];
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
    (topic.unclean_leader_election && ended).then(|| {
        format!(
            "with unclean.leader.election.enable=true a replica cuts what a new leader lacks, {} cut \
             to {offset} at {} and ended uncleanly before its leader-epoch file was written, and {}",
            brokers(partition, &ReplicaSet::of(replica)),
            case.view.time(cut.at),
            became_leader(case.view, partition, loss)
        )
    })
}
