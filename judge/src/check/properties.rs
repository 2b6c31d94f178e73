//! Property tests: no check fires on a correct history, and one defect in it fires the check that
//! is meant for it, with partition and offset.

use crate::testing::{History, ORDERS, OTHER, batch, numbers};
use bytes::BytesMut;
use engine::fact::{ClientFact, Fact};
use engine::record::Batch;
use proptest::prelude::*;

/// A step that a correct cluster can take.
#[derive(Clone, Debug)]
enum Step {
    Produce(usize),
    Unreplicated(usize),
    Deliver,
    Elect(u16),
    Shrink(u16),
    Grow,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6_usize).prop_map(Step::Produce),
        1 => (1..4_usize).prop_map(Step::Unreplicated),
        3 => Just(Step::Deliver),
        1 => (1..4_u16).prop_map(Step::Elect),
        1 => (1..4_u16).prop_map(Step::Shrink),
        1 => Just(Step::Grow),
    ]
}

/// The history of a correct cluster.
struct Perfect {
    history: History,
    leader: u16,
    epoch: i32,
    isr: Vec<u16>,
    committed: i64,
    sent: usize,
}

impl Perfect {
    fn new() -> Self {
        let history = History::new(2);
        Self { history, leader: 1, epoch: 0, isr: vec![1, 2, 3], committed: 0, sent: 0 }
    }

    fn step(&mut self, step: &Step) {
        match *step {
            Step::Produce(count) => self.produce(count, true),
            Step::Unreplicated(count) => self.produce(count, false),
            Step::Deliver => {
                let to = self.committed;
                self.history.deliver(1002, self.leader, ORDERS, to);
            }
            Step::Elect(leader) if self.isr.contains(&leader) => self.elect(leader),
            Step::Shrink(id) if id != self.leader && self.isr.len() == 3 => {
                self.isr.retain(|member| *member != id);
                self.history.change(None, &self.isr, &[]);
            }
            Step::Grow if self.isr.len() == 2 => {
                (1..=3).for_each(|id| self.catch_up(id));
                self.isr = vec![1, 2, 3];
                self.history.change(None, &self.isr, &[]);
            }
            _ => {}
        }
    }

    fn produce(&mut self, count: usize, replicated: bool) {
        let of = numbers(self.sent..self.sent + count);
        self.sent += count;
        let base = self.history.end(self.leader, ORDERS);
        self.history.send(ORDERS, &of, -1);
        self.history.write(self.leader, ORDERS, self.epoch, &of);
        if !replicated {
            // Its outcome stays unknown.
            let records = of;
            let error = engine::error::ErrorCode::RequestTimedOut;
            let partition = Some(ORDERS);
            let failed =
                ClientFact::Failed { partition, error, maybe_written: true, records, over: None };
            self.history.client(1001, failed);
            return;
        }
        let followers = self.followers();
        followers.iter().for_each(|id| self.catch_up(*id));
        self.history.watermark(self.leader, &followers, ORDERS, self.epoch);
        self.committed = self.history.end(self.leader, ORDERS);
        self.history.confirm(self.leader, ORDERS, base, &of, -1);
    }

    fn followers(&self) -> Vec<u16> {
        self.isr.iter().copied().filter(|id| *id != self.leader).collect()
    }

    /// A follower cuts its log where it diverges from the leader's, and appends the missing
    /// batches.
    fn catch_up(&mut self, id: u16) {
        if id == self.leader {
            return;
        }
        let of = |id: u16| self.history.disks.get(&(id, ORDERS)).cloned().unwrap_or_default();
        let (mine, theirs) = (of(id), of(self.leader));
        let same = mine.iter().zip(&theirs).take_while(|(a, b)| a == b).count();
        if same < mine.len() {
            let to = Batch::new(&mine[same]).unwrap().base_offset();
            self.history.cut(id, ORDERS, to, self.committed.min(to));
        }
        self.history.follow(id, self.leader, ORDERS);
    }

    fn elect(&mut self, leader: u16) {
        self.epoch += 1;
        self.leader = leader;
        self.history.elect(leader, self.epoch, &self.isr, &[]);
        self.followers().into_iter().for_each(|id| self.catch_up(id));
        let followers = self.followers();
        self.history.watermark(leader, &followers, ORDERS, self.epoch);
        self.committed = self.history.end(leader, ORDERS);
    }

    fn finish(mut self) -> History {
        self.step(&Step::Grow);
        let followers = self.followers();
        followers.iter().for_each(|id| self.catch_up(*id));
        self.history.watermark(self.leader, &followers, ORDERS, self.epoch);
        self.history.read_back(self.leader, ORDERS);
        self.history.read_back(2, OTHER);
        self.history
    }
}

fn perfect(steps: &[Step]) -> History {
    let mut perfect = Perfect::new();
    steps.iter().for_each(|step| perfect.step(step));
    perfect.finish()
}

/// Ways to damage a history whose partition has four batches of three records.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Harm {
    DropAcked,
    Swap,
    Duplicate,
    Byte,
    Skip,
    GoBack,
    NeverSent,
    TwoLeaders,
    CutByOne,
}

/// The history with batch `at` of four damaged, the check that has to find it, and the offset.
fn harmed(harm: Harm, at: usize) -> (History, &'static str, i64) {
    let mut history = History::new(2);
    let offset = 3 * at as i64;
    let mut order: Vec<usize> = (0..4).collect();
    match harm {
        Harm::Swap => order.swap(at, (at + 1) % 4),
        Harm::Duplicate => order.insert(at, at),
        Harm::DropAcked => drop(order.remove(at)),
        _ => {}
    }
    let all = numbers(0..12);
    history.send(ORDERS, &all, -1);
    for batch in &order {
        history.write(1, ORDERS, 0, &all[3 * batch..3 * batch + 3]);
    }
    if harm == Harm::NeverSent {
        history.write(1, ORDERS, 0, &numbers(90..91));
    }
    history.follow(2, 1, ORDERS);
    history.follow(3, 1, ORDERS);
    history.watermark(1, &[2, 3], ORDERS, 0);
    for batch in 0..4 {
        let place = order.iter().rposition(|other| *other == batch).unwrap_or(batch);
        history.confirm(1, ORDERS, 3 * place as i64, &all[3 * batch..3 * batch + 3], -1);
    }
    history.deliver(1002, 1, ORDERS, offset);
    let expected = match harm {
        Harm::DropAcked => ("acknowledged-survives", offset),
        Harm::Swap => ("order-as-sent", if at == 3 { 3 } else { offset + 3 }),
        Harm::Duplicate => ("stored-once", offset + 3),
        Harm::Byte => {
            let log = history.disks.get_mut(&(2, ORDERS)).unwrap();
            let mut bytes = BytesMut::from(&log[at][..]);
            bytes[40] ^= 4;
            log[at] = bytes.freeze();
            ("replicas-equal", offset)
        }
        Harm::Skip => {
            history.deliver_from(1002, 1, ORDERS, (offset + 1, 12));
            ("polls-contiguous", offset)
        }
        Harm::GoBack => {
            history.deliver_from(1002, 1, ORDERS, (offset, offset + 2));
            history.deliver_from(1002, 1, ORDERS, (offset + 1, 12));
            ("polls-contiguous", offset + 1)
        }
        Harm::NeverSent => ("nothing-unsent", 12),
        Harm::TwoLeaders => {
            let bytes = batch(12, 0, &numbers(11..12));
            let partition = ORDERS;
            let told = Fact::Appended { partition, as_leader: true, leader_epoch: 0, batch: bytes };
            history.fact(3, told);
            ("one-leader-per-epoch", -1)
        }
        Harm::CutByOne => {
            history.cut(3, ORDERS, offset, 12);
            history.follow(3, 1, ORDERS);
            history.watermark(1, &[3], ORDERS, 0);
            ("truncation-below-watermark", offset)
        }
    };
    history.read_back(1, ORDERS);
    (history, expected.0, expected.1)
}

fn harm() -> impl Strategy<Value = Harm> {
    use Harm::*;
    let all = vec![DropAcked, Swap, Duplicate, Byte, Skip, GoBack, NeverSent, TwoLeaders, CutByOne];
    prop::sample::select(all)
}

proptest! {
    #[test]
    fn no_check_fires_on_a_perfect_log(steps in prop::collection::vec(step(), 1..60)) {
        let history = perfect(&steps);
        let (_, _, findings) = history.run();
        let landed = "a record of unknown outcome is stored";
        let found: Vec<_> = findings.0.iter().filter(|it| it.what != landed).collect();
        prop_assert!(found.is_empty(), "{found:#?}");
        let judgement = history.judge();
        prop_assert!(judgement.violations.is_empty());
        prop_assert_eq!(judgement.counts.lost, 0);
        prop_assert!(judgement.unknown.is_empty());
    }

    #[test]
    fn one_harm_fires_its_check_at_its_place(harm in harm(), at in 0..4_usize) {
        let (history, check, offset) = harmed(harm, at);
        let found = history.findings();
        let mine = found.iter().find(|(found, ..)| *found == check);
        prop_assert!(mine.is_some(), "{harm:?} at {at}: {found:?}");
        let (_, partition, at_offset) = mine.unwrap();
        prop_assert_eq!(partition.as_str(), "orders-0");
        prop_assert_eq!(at_offset.unwrap_or(-1), offset);
        // Besides, only checks of consequences of the damage may fire.
        let allowed: &[&str] = match harm {
            Harm::DropAcked | Harm::Swap => {
                &["acknowledged-survives", "order-as-sent", "callbacks-in-order"]
            }
            Harm::TwoLeaders => &["one-leader-per-epoch", "stored-once"],
            _ => std::slice::from_ref(&check),
        };
        for (other, ..) in &found {
            prop_assert!(allowed.contains(other), "{harm:?} at {at}: {found:?}");
        }
    }
}
