//! The table of what is permitted: for each hazard what the configuration must be, which fault
//! must have been applied, and what must bear witness.
//!
//! Closed: what no row excuses is a violation. Witnesses are bytes on disks, the committed
//! metadata log and the clients' history; no row asks what a rule decided.

use crate::check::{Finding, Ground};
use crate::evidence::{Outcome, Partition, Record, View, Witness, records};

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
struct Case<'a> {
    view: &'a View,
    finding: &'a Finding,
    partition: &'a Partition,
    record: Option<&'a Record>,
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
        hazard: "retry-duplicate",
        meaning: "without idempotence a batch that is sent again may be stored again",
        excuses: retry_duplicate,
    },
    Row {
        hazard: "in-flight-reorder",
        meaning: "without idempotence a batch that is sent again may be overtaken by another",
        excuses: in_flight_reorder,
    },
    Row {
        hazard: "callback-overtaken",
        meaning: "without idempotence the answers of two leaders in turn may pass each other",
        excuses: callback_overtaken,
    },
    Row {
        hazard: "acks0-overtaken",
        meaning: "with acks=0 what an old connection still carries may come after what a new one does",
        excuses: acks0_overtaken,
    },
    Row {
        hazard: "unknown-outcome-landed",
        meaning: "a record that the producer had given up was written all the same",
        excuses: unknown_outcome_landed,
    },
];

/// The row that permits a finding, if there is one.
pub fn excuse(view: &View, finding: &Finding) -> Option<Excuse> {
    let partition = &view.partitions[finding.partition?];
    let record = finding.record.and_then(|number| view.records.get(number));
    let case = Case { view, finding, partition, record };
    let excused =
        |row: &Row| (row.excuses)(&case).map(|because| Excuse { hazard: row.hazard, because });
    PERMISSIONS.iter().find_map(excused)
}

impl Case<'_> {
    fn witness(&self) -> Option<&Witness> {
        match &self.finding.ground {
            Ground::Gone { witness, .. } => Some(witness),
            _ => None,
        }
    }

    /// When the replica that lacks the batch came to lead, and in which epoch. Where nothing was
    /// lost by that it may not have led yet; then it is when it was elected.
    fn election(&self) -> String {
        let elected = self.witness().and_then(|witness| witness.elected);
        let (how, at, epoch) = match (self.finding.ground, elected) {
            (Ground::Gone { loss: Some(loss), .. }, _) => {
                let loss = &self.partition.losses[loss as usize];
                ("began to lead", loss.at, loss.leader_epoch)
            }
            (_, Some(elected)) => ("was elected", elected.at, elected.epoch),
            _ => ("began to lead", self.finding.at, self.partition.line_epoch),
        };
        let lacking = self.witness().map_or(0, |witness| witness.lacking);
        let leader = brokers(self.partition, lacking);
        format!("{leader} {how} in epoch {epoch} at {}", super::explain::time(at))
    }

    /// The producer of the record may send a batch twice without a trace.
    fn is_not_idempotent(&self) -> bool {
        let producer = self.finding.record.map(|number| records::parts(number).0);
        let setup = producer.and_then(|producer| self.view.setup.producers.get(producer));
        !setup.is_some_and(|setup| setup.idempotence)
    }

    /// When the record came to its place: appended where it stands, or called back.
    fn placed(&self) -> Option<u64> {
        let Some(offset) = self.finding.offset else { return Some(self.finding.at) };
        let batches = &self.partition.batches;
        // At the same offset the latest is the one that is left.
        let its = |batch: &u32| Some(batches.number_at(*batch, offset)) == self.finding.record;
        batches.covering(offset).filter(its).map(|batch| batches.get(batch).at).max()
    }

    /// The connections over which the record and the one that overtook it were last sent, by the
    /// history of the client, if they are two.
    fn two_connections(&self) -> Option<(u32, u32)> {
        let Ground::Overtaken { by, .. } = self.finding.ground else { return None };
        let (own, other) = (self.record?.over?, self.view.records.get(by)?.over?);
        (own != other).then_some((own.count(), other.count()))
    }

    fn max_in_flight(&self) -> u32 {
        let producer = self.finding.record.map(|number| records::parts(number).0);
        let setup = producer.and_then(|producer| self.view.setup.producers.get(producer));
        setup.map_or(1, |setup| setup.max_in_flight)
    }
}

/// The configuration allows it, and by the committed log the new leader was in neither ISR nor
/// ELR, and no broker of those that were could have led instead. A rule bug that lets a replica
/// into one of them, or passes a member over that is there, is not excused.
fn unclean_election(case: &Case<'_>) -> Option<String> {
    let witness = case.witness()?;
    let topic = &case.view.setup.topics[case.partition.topic?];
    let out_of_sync = witness.elected.is_some() && witness.members() & witness.lacking == 0;
    let last_resort = witness.could_lead() == 0;
    (topic.unclean_leader_election && out_of_sync && last_resort).then(|| {
        let members = match witness.members() {
            0 => "ISR and ELR were empty".to_owned(),
            members => {
                format!("of ISR and ELR {{{}}} no broker could lead", case.partition.names(members))
            }
        };
        format!(
            "with unclean.leader.election.enable=true a replica out of sync may lead, {members}, \
             and {}",
            case.election()
        )
    })
}

/// Whether the controller could rightly make the replica leader that lacks the record: a member of
/// the ISR, or of the ELR if no in-sync replica is left, or whoever led last if nobody is (KIP-966).
fn may_lead(witness: &Witness) -> bool {
    let is_in = |replicas: u64| replicas & witness.lacking != 0;
    // Who was in sync and active before and after could have been elected all the time.
    let passed_over = witness.in_sync & witness.active & witness.holders != 0;
    let last_resort = witness.remaining() == 0 && witness.last_leader == witness.lacking;
    is_in(witness.in_sync) || (is_in(witness.members()) && !passed_over) || last_resort
}

/// The record was never committed nor delivered, the new leader never had it or lost it with its
/// power and could be elected, and when its leader was replaced some member of the committed ISR
/// lacked it, or that ISR was smaller than min ISR, so that nothing was committed and members of
/// the ELR may lead that lack it (KIP-966).
fn acks1_unreplicated(case: &Case<'_>) -> Option<String> {
    let (witness, record) = (case.witness()?, case.record?);
    let lacked = witness.isr & (!witness.had | witness.power_lost);
    let in_sync = witness.isr.count_ones() as usize;
    let short = case.view.setup.eligible_leader_replicas && in_sync < case.partition.min_isr;
    let by_fault = witness.lacking & (!witness.had | witness.power_lost) != 0;
    let promised = witness.committed || witness.delivered;
    let may_go = lacked != 0 || short;
    (record.acks == 1 && !promised && may_lead(witness) && may_go && by_fault).then(|| {
        let why = match lacked {
            0 => format!(
                "the ISR {{{}}} was below min.insync.replicas={}, so that nothing was committed",
                case.partition.names(witness.isr),
                case.partition.min_isr
            ),
            _ => {
                let plural = if lacked.count_ones() == 1 { "" } else { "s" };
                let lacked = enumerated(case.partition, lacked);
                format!("in-sync replica{plural} {lacked} lacked the record")
            }
        };
        format!("with acks=1 the leader confirms alone, {why}, and {}", case.election())
    })
}

/// The members whose unclean end a power loss can be blamed on, if one can: the new leader lost
/// the batch with its power, at least `min.insync.replicas` of those that had it ended uncleanly,
/// nobody was left whom the controller should have waited for, and it did not take the word of a
/// life that had ended (KIP-966).
fn power_loss(case: &Case<'_>) -> Option<u64> {
    let witness = case.witness()?;
    let ended = witness.ever_had & (witness.power_lost | witness.ended_uncleanly);
    let enough = ended.count_ones() as usize >= case.partition.min_isr.max(1);
    let lost_by_leader = witness.lacking & witness.power_lost != 0;
    let stripped = witness.members() & witness.lacking == 0;
    let right = witness.sound() == 0 && (stripped || !case.view.setup.eligible_leader_replicas);
    (enough && lost_by_leader && right).then_some(ended)
}

fn after_power_loss(case: &Case<'_>, ended: u64) -> String {
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
pub(super) fn brokers(partition: &Partition, mask: u64) -> String {
    let plural = if mask.count_ones() == 1 { "" } else { "s" };
    format!("broker{plural} {}", enumerated(partition, mask))
}

/// Their numbers alone: `1, 2 and 3`.
fn enumerated(partition: &Partition, mask: u64) -> String {
    let names = partition.names(mask);
    match names.rsplit_once(", ") {
        Some((first, last)) => format!("{first} and {last}"),
        None => names,
    }
}

fn isr_of_one(case: &Case<'_>) -> Option<String> {
    let alone = case.partition.min_isr <= 1 && case.witness()?.isr.count_ones() == 1;
    power_loss(case).filter(|_| alone).map(|ended| after_power_loss(case, ended))
}

fn min_isr_1(case: &Case<'_>) -> Option<String> {
    let one = case.partition.min_isr <= 1;
    power_loss(case).filter(|_| one).map(|ended| after_power_loss(case, ended))
}

fn correlated_power_loss(case: &Case<'_>) -> Option<String> {
    let several = case.partition.min_isr > 1;
    power_loss(case).filter(|_| several).map(|ended| after_power_loss(case, ended))
}

/// Every further copy answers for a time that the batch was sent again.
fn retry_duplicate(case: &Case<'_>) -> Option<String> {
    let Ground::Copies(copies) = case.finding.ground else { return None };
    let retries = case.view.records.retries(case.finding.record?).iter();
    let retries: Vec<_> = retries.filter(|retry| !retry.in_parts).collect();
    let last = retries.last()?;
    (case.is_not_idempotent() && copies as usize <= 1 + retries.len()).then(|| {
        format!(
            "producers here are not idempotent, and the record's batch was sent again (event {})",
            last.event
        )
    })
}

/// It was sent again after what overtook it had been given to the producer, which could be in
/// flight then, and before it came to where it is. No other retry makes a difference: what is sent
/// after a batch that waits to be sent again stays behind it.
fn in_flight_reorder(case: &Case<'_>) -> Option<String> {
    let Ground::Overtaken { latest, .. } = case.finding.ground else { return None };
    let (number, in_flight) = (case.finding.record?, case.max_in_flight());
    let overtaker = case.view.records.get(latest)?;
    let placed = case.placed()?;
    let mut retries = case.view.records.retries(number).iter();
    let retry = retries.rfind(|retry| retry.event > overtaker.sent && retry.at < placed)?;
    (case.is_not_idempotent() && in_flight > 1).then(|| {
        format!(
            "producers here are not idempotent, \
             max.in.flight.requests.per.connection={in_flight} lets them send without waiting, and \
             the record's batch was sent again when {} could be on its way already (event {})",
            records::name(latest),
            retry.event
        )
    })
}

/// Requests were in flight over two connections, and the answer over the later one, or that there
/// will be none over the earlier one, was known first. Over one connection answers come in the
/// order of their requests.
fn callback_overtaken(case: &Case<'_>) -> Option<String> {
    let (own, other) = case.two_connections()?;
    let in_flight = case.max_in_flight();
    // What is stored has an offset, and an order of its own.
    let is_callback = case.finding.offset.is_none();
    (is_callback && case.is_not_idempotent() && in_flight > 1).then(|| {
        format!(
            "producers here are not idempotent, \
             max.in.flight.requests.per.connection={in_flight} lets them send without waiting, and \
             the record was sent over connection {own}, what overtook it over connection {other}"
        )
    })
}

/// With acks=0 nothing tells the producer that what it has put on a connection did not arrive yet
/// when it opens another. What goes over one connection stays in order.
fn acks0_overtaken(case: &Case<'_>) -> Option<String> {
    let (own, other) = case.two_connections()?;
    let unconfirmed = case.record?.outcome == Outcome::Unconfirmed;
    unconfirmed.then(|| {
        format!(
            "with acks=0 no answer is waited for, and the record was sent over connection {own}, \
             what overtook it over connection {other}"
        )
    })
}

/// The producer does not know, so the record may be there, and late.
fn unknown_outcome_landed(case: &Case<'_>) -> Option<String> {
    let record = case.record?;
    let unknown = matches!(record.outcome, Outcome::Unknown | Outcome::Open);
    let at_stake = matches!(case.finding.ground, Ground::OutcomeUnknown | Ground::Overtaken { .. });
    // A callback has its order whatever the outcome.
    let stored = case.finding.offset.is_some();
    (unknown && at_stake && stored && case.is_not_idempotent()).then(|| {
        format!(
            "the producer was never told whether the record was written (event {})",
            record.told
        )
    })
}
