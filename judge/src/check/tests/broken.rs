//! Evidence, checks and judge terminate for any history. Each kind of change to a good history is
//! noticed, or a table says why it cannot be.

use super::{finish, good};
use crate::evidence::{Change, Moment, Observed};
use crate::testing::{History, ORDERS, OTHER, numbers};
use bytes::{Bytes, BytesMut};
use engine::fact::{ClientFact, Fact};
use engine::ids::{Offset, TopicPartition};
use machine::NodeId;
use proptest::prelude::*;
use std::collections::BTreeMap;

/// A good history with everything that happens in a correct cluster: elections, truncation, a power
/// loss, ISR changes, acks of 0 and 1, readers.
fn rich() -> History {
    let mut history = good();
    history.unfence(&[1, 2, 3]);
    let tail = numbers(40..44);
    history.send(ORDERS, &tail, -1);
    history.write(1, ORDERS, 0, &tail);
    history.crash(1);
    history.elect(2, 1, &[2, 3], &[]);
    history.retry(ORDERS, &tail);
    history.write(2, ORDERS, 1, &tail);
    history.follow(3, 2, ORDERS);
    history.watermark(2, &[3], ORDERS, 1);
    history.confirm(2, ORDERS, 40, &tail, -1);
    history.node(1, Change::Started);
    history.load(1, ORDERS, 44);
    history.register(1, 50);
    history.cut(1, ORDERS, 40, 40);
    history.follow(1, 2, ORDERS);
    history.change(None, &[1, 2, 3], &[]);
    history.deliver(1002, 2, ORDERS, 44);
    history.lose_power(3, 40);
    history.change(None, &[1, 2], &[]);
    history.register(3, 60);
    history.follow(3, 2, ORDERS);
    history.change(None, &[1, 2, 3], &[]);
    let more = numbers(44..48);
    history.send(ORDERS, &more, -1);
    history.write(2, ORDERS, 1, &more);
    history.follow(1, 2, ORDERS);
    history.follow(3, 2, ORDERS);
    history.watermark(2, &[1, 3], ORDERS, 1);
    history.confirm(2, ORDERS, 44, &more, -1);
    finish(history, 2)
}

#[test]
fn the_rich_history_is_good() {
    let history = rich();
    assert_eq!(history.findings(), vec![]);
    assert!(history.judge().violations.is_empty());
}

/// A change to one observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Mutation {
    /// It was not observed.
    Drop,
    /// It was observed twice.
    Duplicate,
    /// It was observed after the next observation.
    Swap,
    /// Another node reported it.
    OtherNode,
    /// It was about the other partition.
    OtherPartition,
    /// Its offset was one less.
    Less,
    /// Its epoch was one more.
    Later,
}

use Mutation::{Drop, Duplicate, Later, Less, OtherNode, OtherPartition, Swap};

const MUTATIONS: [Mutation; 7] = [
    Mutation::Drop,
    Mutation::Duplicate,
    Mutation::Swap,
    Mutation::OtherNode,
    Mutation::OtherPartition,
    Mutation::Less,
    Mutation::Later,
];

/// The observation with its partition, offset and epoch open to change.
fn parts(fact: &mut Fact) -> (Option<&mut TopicPartition>, Option<&mut Offset>, Option<&mut i32>) {
    match fact {
        Fact::Loaded { partition, log_end, .. } => (Some(partition), Some(log_end), None),
        Fact::Appended { partition, leader_epoch, .. } => {
            (Some(partition), None, Some(leader_epoch))
        }
        Fact::Truncated { partition, to, leader_epoch, .. } => {
            (Some(partition), Some(to), Some(leader_epoch))
        }
        Fact::HighWatermark { partition, offset, leader_epoch, .. } => {
            (Some(partition), Some(offset), Some(leader_epoch))
        }
        Fact::BecameLeader { partition, epoch_start, leader_epoch, .. } => {
            (Some(partition), Some(epoch_start), Some(leader_epoch))
        }
        Fact::Acknowledged { partition, base_offset, leader_epoch, .. } => {
            (Some(partition), Some(base_offset), Some(leader_epoch))
        }
        Fact::QuorumLeader { epoch, epoch_start } => (None, Some(epoch_start), Some(epoch)),
        Fact::Client(fact) => match fact {
            ClientFact::Sent { partition, .. } | ClientFact::Retried { partition, .. } => {
                (Some(partition), None, None)
            }
            ClientFact::Confirmed { partition, base_offset, .. } => {
                (Some(partition), base_offset.as_mut(), None)
            }
            ClientFact::Delivered { partition, from, .. } => (Some(partition), Some(from), None),
            ClientFact::Positioned { partition, to, .. } => (Some(partition), Some(to), None),
            ClientFact::ReadBack { partition, end } => (Some(partition), Some(end), None),
            _ => (None, None, None),
        },
        _ => (None, None, None),
    }
}

/// The kind of an observation.
fn kind(observed: &Observed) -> String {
    let text = match observed {
        Observed::Fact(_, Fact::Client(fact)) => format!("{fact:?}"),
        Observed::Fact(_, Fact::Appended { as_leader, partition, .. }) => {
            let log = if *partition == TopicPartition::METADATA { "Metadata" } else { "" };
            return format!("{log}Appended{}", if *as_leader { "ByLeader" } else { "" });
        }
        Observed::Fact(_, Fact::HighWatermark { as_leader, partition, .. }) => {
            let log = if *partition == TopicPartition::METADATA { "Metadata" } else { "" };
            return format!("{log}HighWatermark{}", if *as_leader { "OfLeader" } else { "" });
        }
        Observed::Fact(_, fact) => format!("{fact:?}"),
        Observed::Node(_, change) => format!("{change:?}"),
        Observed::Fault(..) => "Fault".to_owned(),
    };
    let end = text.find(|it: char| !it.is_alphanumeric()).unwrap_or(text.len());
    text[..end].to_owned()
}

/// The history with one observation changed; `None` if this change does not apply to it.
fn mutated(history: &History, at: usize, mutation: Mutation) -> Option<History> {
    let mut history = history.clone();
    let all = &mut history.observed;
    let before = all[at].clone();
    match mutation {
        Mutation::Drop => drop(all.remove(at)),
        Mutation::Duplicate => all.insert(at, before),
        Mutation::Swap => {
            (at + 1 < all.len() && all[at] != all[at + 1]).then(|| all.swap(at, at + 1))?;
        }
        Mutation::OtherNode => {
            let (Observed::Fact(moment, _) | Observed::Node(moment, _)) = &mut all[at] else {
                return None;
            };
            let id = moment.node.node;
            let other = match id {
                1..=3 => id % 3 + 1,
                101..=103 => (id - 100) % 3 + 101,
                _ => id + 1,
            };
            moment.node = NodeId::new(0, other);
        }
        _ => {
            let Observed::Fact(_, fact) = &mut all[at] else { return None };
            let (partition, offset, epoch) = parts(fact);
            match mutation {
                Mutation::OtherPartition => {
                    let partition = partition?;
                    *partition = if *partition == ORDERS { OTHER } else { ORDERS };
                }
                // Several mutations in turn may meet the ends of what a number can be.
                Mutation::Less => {
                    let offset = offset?;
                    *offset = offset.saturating_sub(1);
                }
                _ => {
                    let epoch = epoch?;
                    *epoch = epoch.saturating_add(1);
                }
            }
        }
    }
    Some(history)
}

/// For each kind of mutants, the number of noticed ones and the number of all.
type Score = BTreeMap<(String, Mutation), (usize, usize)>;

fn score() -> Score {
    let history = rich();
    let counts = history.judge().counts;
    let mut score = Score::new();
    for at in 0..history.observed.len() {
        for mutation in MUTATIONS {
            let Some(mutant) = mutated(&history, at, mutation) else { continue };
            let (_, _, findings) = mutant.run();
            let judgement = mutant.judge();
            let noticed = !findings.0.is_empty()
                || !judgement.unknown.is_empty()
                || judgement.counts != counts;
            let row = score.entry((kind(&history.observed[at]), mutation)).or_default();
            row.0 += usize::from(noticed);
            row.1 += 1;
        }
    }
    score
}

/// Kinds of changes that make no difference anywhere in the history, and the reason why that is
/// correct.
const EQUIVALENT: &[(&str, &[Mutation], &str)] = &[
    ("Acknowledged", &MUTATIONS, "used for explanations only; the client's confirmation counts"),
    ("Appended", &[Duplicate, Later], "the replica has the batch, which contains its epoch"),
    ("BecameLeader", &[Drop, Duplicate, Swap, Less], "the first append of the epoch shows it too"),
    ("Confirmed", &[Swap, OtherNode, OtherPartition], "a record knows its producer and partition"),
    (
        "Crashed",
        &[Drop, Duplicate, Swap, OtherNode],
        "a crash loses no written bytes, and restores none that a power loss took",
    ),
    ("Delivered", &[Swap], "the next observation is about another node"),
    ("HighWatermark", &MUTATIONS, "a follower returns it to no client; it only limits comparisons"),
    ("HighWatermarkOfLeader", &MUTATIONS, "it is lower, or the ISR has these records in any case"),
    ("Loaded", &[Drop, Duplicate, Swap, OtherPartition], "it ends where it was reported to end"),
    (
        "MetadataAppended",
        &[Drop, Duplicate, Swap, OtherNode, Later],
        "two of three voters are a majority, and a batch has its own epoch",
    ),
    ("MetadataHighWatermarkOfLeader", &[Duplicate, Swap], "records are committed a little later"),
    (
        "Positioned",
        &[Drop, Duplicate, OtherNode, OtherPartition],
        "a reader that has read nothing has no position to contradict",
    ),
    ("PowerLost", &[Duplicate, Swap], "the next load shows the lost bytes"),
    ("QuorumLeader", &MUTATIONS, "the only leader is contradicted by no other"),
    ("ReadBack", &[Duplicate, Swap], "all records have been read before"),
    ("Registered", &[Drop, Duplicate, Swap, OtherNode], "ends an exemption that is not needed"),
    ("Retried", &MUTATIONS, "it permits reordering, of which there is none"),
    ("Sent", &[Duplicate, OtherNode], "a record's number names its producer"),
    ("Started", &[Drop, Duplicate, Swap, OtherNode], "the load shows the state after a start"),
    (
        "Truncated",
        &[Drop, Duplicate, OtherPartition, Later],
        "the next append shows the truncation as well",
    ),
];

#[test]
fn each_change_to_a_good_history_is_noticed_or_declared_equivalent() {
    let is_declared = |kind: &str, mutation: &Mutation| {
        EQUIVALENT.iter().any(|(other, all, _)| *other == kind && all.contains(mutation))
    };
    let silent: Vec<String> = score()
        .iter()
        .filter(|((kind, mutation), (noticed, _))| *noticed == 0 && !is_declared(kind, mutation))
        .map(|((kind, mutation), (_, of))| format!("{kind} {mutation:?}: none of {of}"))
        .collect();
    assert!(silent.is_empty(), "{silent:#?}");
}

/// A way to break a history.
#[derive(Clone, Debug)]
enum Breakage {
    Change(usize, Mutation),
    Move(usize, usize),
    Wild(usize, i64),
    Time(usize, u64),
    FlipOnDisk(usize, usize, u8),
    FlipInFact(usize, usize, u8),
    Number(usize, u64),
}

fn wild() -> impl Strategy<Value = i64> {
    prop_oneof![
        Just(i64::MIN),
        Just(i64::MAX),
        Just(-1),
        Just(0),
        Just(1 << 40),
        any::<i64>(),
        0..60_i64
    ]
}

fn breakage() -> impl Strategy<Value = Breakage> {
    let place = 0..10_000_usize;
    prop_oneof![
        (place.clone(), prop::sample::select(MUTATIONS.to_vec()))
            .prop_map(|(at, mutation)| Breakage::Change(at, mutation)),
        (place.clone(), place.clone()).prop_map(|(from, to)| Breakage::Move(from, to)),
        (place.clone(), wild()).prop_map(|(at, offset)| Breakage::Wild(at, offset)),
        (place.clone(), any::<u64>()).prop_map(|(at, time)| Breakage::Time(at, time)),
        (place.clone(), 0..200_usize, any::<u8>())
            .prop_map(|(log, at, bits)| Breakage::FlipOnDisk(log, at, bits)),
        (place.clone(), 0..200_usize, any::<u8>())
            .prop_map(|(at, byte, bits)| Breakage::FlipInFact(at, byte, bits)),
        (place, any::<u64>()).prop_map(|(at, number)| Breakage::Number(at, number)),
    ]
}

fn flip(bytes: &mut Bytes, at: usize, bits: u8) {
    let mut changed = BytesMut::from(&bytes[..]);
    let len = changed.len();
    if len > 0 {
        changed[at % len] ^= bits;
    }
    *bytes = changed.freeze();
}

fn break_it(history: &mut History, breakage: &Breakage) {
    let len = history.observed.len();
    if len == 0 {
        return;
    }
    match *breakage {
        Breakage::Change(at, mutation) => {
            if let Some(mutant) = mutated(history, at % len, mutation) {
                *history = mutant;
            }
        }
        Breakage::Move(from, to) => {
            let observed = history.observed.remove(from % len);
            history.observed.insert(to % len, observed);
        }
        Breakage::Wild(at, offset) => {
            if let Observed::Fact(_, fact) = &mut history.observed[at % len] {
                let (_, its, epoch) = parts(fact);
                let _ = its.map(|its| *its = offset);
                let _ = epoch.map(|epoch| *epoch = offset as i32);
            }
        }
        Breakage::Time(at, time) => {
            if let Observed::Fact(Moment { at, .. }, _) = &mut history.observed[at % len] {
                *at = time;
            }
        }
        Breakage::FlipOnDisk(log, at, bits) => {
            let logs = history.disks.len().max(1);
            let log = history.disks.values_mut().nth(log % logs);
            if let Some(batch) = log.and_then(|log| {
                let batches = log.len().max(1);
                log.get_mut(at % batches)
            }) {
                flip(batch, at, bits);
            }
        }
        Breakage::FlipInFact(at, byte, bits) => match &mut history.observed[at % len] {
            Observed::Fact(_, Fact::Appended { batch, .. }) => flip(batch, byte, bits),
            Observed::Fact(_, Fact::Client(ClientFact::Delivered { batches, .. })) => {
                batches.iter_mut().for_each(|batch| flip(batch, byte, bits));
            }
            _ => {}
        },
        Breakage::Number(at, number) => match &mut history.observed[at % len] {
            Observed::Fact(_, Fact::Client(ClientFact::Sent { record, .. })) => *record = number,
            Observed::Fact(
                _,
                Fact::Client(
                    ClientFact::Confirmed { records, .. } | ClientFact::Failed { records, .. },
                ),
            ) => records.iter_mut().for_each(|record| *record = number),
            _ => {}
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn the_judge_terminates_for_any_history(
        of in prop::collection::vec(breakage(), 1..25)
    ) {
        let mut history = rich();
        of.iter().for_each(|breakage| break_it(&mut history, breakage));
        let _ = history.judge();
    }
}
