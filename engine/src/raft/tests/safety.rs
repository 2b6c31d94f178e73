//! Safety of Raft under power loss at any disk operation, cuts, pauses and simultaneous elections.
//! Corrupted rules and disks that lie about fsync are noticed.

use super::net::{Net, VOTERS};
use crate::fact::Fact;
use crate::ids::{BrokerId, LeaderEpoch, Offset};
use crate::log::{Log, LogConfig};
use crate::raft::DIR;
use crate::record::Batch;
use crate::rules::{Rulebook, Rules};
use crate::timer::QuorumTimer;
use bytes::Bytes;
use machine::{Span, Wall};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::collections::{BTreeMap, BTreeSet};

const FIVE: [BrokerId; 5] = [101, 102, 103, 104, 105];

/// The promise that a run broke.
type Broken = String;

/// State observed in a run so far.
#[derive(Default)]
struct Witness {
    /// The number of facts checked so far.
    facts: usize,
    /// The leader of each epoch.
    leaders: BTreeMap<LeaderEpoch, BrokerId>,
    /// The vote of each voter in each epoch.
    votes: BTreeMap<(BrokerId, LeaderEpoch), BrokerId>,
    /// The committed batches by base offset.
    committed: BTreeMap<Offset, Bytes>,
    /// The offset after the last committed batch.
    committed_end: Offset,
    /// The present life of each member, and the offset up to which it was compared with
    /// `committed`.
    compared: BTreeMap<BrokerId, (u64, Offset)>,
}

impl Witness {
    /// Checks the changes of the last step.
    fn look(&mut self, net: &mut Net) -> Result<(), Broken> {
        self.check_votes(net)?;
        self.check_committed(net)?;
        for (_, id, fact) in &net.facts[self.facts..] {
            if let Fact::QuorumLeader { epoch, .. } = fact {
                let first = *self.leaders.entry(*epoch).or_insert(*id);
                if first != *id {
                    return Err(format!("{first} and {id} lead epoch {epoch}"));
                }
            }
        }
        self.facts = net.facts.len();
        Ok(())
    }

    fn check_votes(&mut self, net: &Net) -> Result<(), Broken> {
        for (id, member) in &net.members {
            let key = (*id, member.epoch());
            match (self.votes.get(&key), member.vote) {
                (Some(before), now) if now != Some(*before) => {
                    return Err(format!("the vote of {key:?} was for {before}, and is {now:?}"));
                }
                (None, Some(vote)) => drop(self.votes.insert(key, vote)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Records that any member considers committed are the same on all members, do not change, and
    /// are durable on a majority of the voters.
    fn check_committed(&mut self, net: &mut Net) -> Result<(), Broken> {
        for id in net.members.keys().copied().collect::<Vec<_>>() {
            let member = &net.members[&id];
            let high_watermark = member.high_watermark();
            let life = net.life(id);
            let (known_life, mut from) = self.compared.get(&id).copied().unwrap_or((life, 0));
            from = if known_life == life { from } else { 0 };
            while from < high_watermark {
                let batches = member.read_committed(from, net.disks.get_mut(&id).unwrap());
                for bytes in batches.map_err(|halt| format!("{halt:?}"))? {
                    from = self.compare(id, bytes)?;
                }
            }
            self.compared.insert(id, (life, from));
            if from > self.committed_end {
                self.committed_end = from;
                check_durable(net, from)?;
            }
        }
        Ok(())
    }

    fn compare(&mut self, id: BrokerId, bytes: Bytes) -> Result<Offset, Broken> {
        let batch = Batch::new(&bytes).unwrap();
        let (base, next) = (batch.base_offset(), batch.next_offset());
        if let Some(known) = self.committed.get(&base).filter(|known| **known != bytes) {
            let epoch = Batch::new(known).unwrap().leader_epoch();
            let other = batch.leader_epoch();
            return Err(format!("batch {base} of epoch {epoch} was committed, {id} has {other}"));
        }
        self.committed.insert(base, bytes);
        Ok(next)
    }
}

/// Whether a majority of the voters would keep all records below `end` if every voter lost power.
fn check_durable(net: &Net, end: Offset) -> Result<(), Broken> {
    let durable_end = |disk: &crate::log::testdisk::TestDisk| {
        let mut disk = disk.clone();
        disk.writes_left = None;
        disk.lose_unsynced();
        let (log, _) = Log::open(DIR, &LogConfig::default(), &mut disk, false, 0, Wall(0)).unwrap();
        log.end_offset()
    };
    let holders = net
        .voters
        .iter()
        .filter(|id| net.disks.get(id).is_some_and(|disk| durable_end(disk) >= end));
    let holders: Vec<_> = holders.collect();
    if holders.len() > net.voters.len() / 2 {
        return Ok(());
    }
    Err(format!("committed up to {end}, and durable on {holders:?} only"))
}

/// A quorum whose members suffer fault after fault.
struct Ordeal {
    net: Net,
    rng: ChaCha8Rng,
    witness: Witness,
    /// The members that are not running.
    dead: BTreeSet<BrokerId>,
    appended: u32,
}

impl Ordeal {
    fn new(seed: u64, rules: Rulebook, lies_about: Option<&'static str>) -> Self {
        let voters = if seed.is_multiple_of(2) { &VOTERS[..] } else { &FIVE[..] };
        Self::of(voters, seed, rules, lies_about)
    }

    fn of(
        voters: &[BrokerId],
        seed: u64,
        rules: Rulebook,
        lies_about: Option<&'static str>,
    ) -> Self {
        let rng = ChaCha8Rng::seed_from_u64(seed);
        let voters = voters.to_vec();
        let mut net = Net { seed, voters: voters.clone(), rules: Some(rules), ..Net::default() };
        for id in &voters {
            net.disks.entry(*id).or_default().lies_about = lies_about;
        }
        for id in &voters {
            net.start(*id);
        }
        let (witness, dead) = (Witness::default(), BTreeSet::new());
        Self { net, rng, witness, dead, appended: 0 }
    }

    fn any_voter(&mut self) -> BrokerId {
        let voters = &self.net.voters;
        voters[self.rng.random_range(0..voters.len() as u32) as usize]
    }

    fn run_for(&mut self, span: Span) -> Result<(), Broken> {
        let end = self.net.now + span;
        while self.net.now < end && !self.net.is_idle() {
            self.net.step();
            self.bury();
            self.witness.look(&mut self.net)?;
        }
        self.net.now = self.net.now.max(end);
        Ok(())
    }

    /// Records the members that died.
    fn bury(&mut self) {
        self.dead.extend(self.net.fallen.drain(..));
    }

    fn start(&mut self, id: BrokerId) {
        if self.dead.remove(&id) {
            self.net.start(id);
        }
    }

    fn append(&mut self) {
        let leaders = self.net.members.iter().filter(|(_, member)| member.is_leader());
        let leaders: Vec<BrokerId> = leaders.map(|(id, _)| *id).collect();
        for leader in leaders {
            self.appended += 1;
            let value = Bytes::from(self.appended.to_string());
            self.net.on_member(leader, |member, now, _, out| {
                member.append(now, vec![value], out).unwrap();
            });
        }
    }

    /// One fault, or the end of earlier ones.
    fn strike(&mut self) {
        let id = self.any_voter();
        let is_alive = self.net.members.contains_key(&id);
        match self.rng.random_range(0..12) {
            // Power loss at one of the next changes of the disk.
            0..=2 if is_alive => {
                let left = self.rng.random_range(0..8);
                self.net.disks.get_mut(&id).unwrap().writes_left = Some(left);
            }
            3 if is_alive => {
                self.net.lose_power(id);
                self.net.disks.get_mut(&id).unwrap().writes_left = None;
                self.dead.insert(id);
            }
            // The process is killed; its disk has written all data back when it starts again.
            4 if is_alive => {
                self.net.crash(id);
                let disk = self.net.disks.get_mut(&id).unwrap();
                disk.writes_left = None;
                disk.write_back();
                self.dead.insert(id);
            }
            // A time-out comes early, at one voter or at two at once.
            5..=7 => {
                let other = self.any_voter();
                for id in BTreeSet::from([id, other]) {
                    self.net.try_on_member(id, |member, now, disk, out| {
                        member.on_timer(now, QuorumTimer::Election, disk, out)
                    });
                }
            }
            8 => drop(self.net.paused.insert(id)),
            9 if is_alive => self.net.cut(id),
            10 => self.net.disconnect(|(a, b)| a == id || b == id),
            _ => self.relieve(),
        }
        self.bury();
    }

    fn relieve(&mut self) {
        self.net.paused.clear();
        self.net.down.retain(|id| !self.net.members.contains_key(id));
        for id in self.dead.clone() {
            if self.rng.random_bool(0.7) {
                self.start(id);
            }
        }
    }

    fn heal(&mut self) {
        self.net.paused.clear();
        for id in self.net.voters.clone() {
            self.net.disks.get_mut(&id).unwrap().writes_left = None;
            self.start(id);
        }
        self.net.down.clear();
    }

    /// Injects the faults, heals everything, and checks that all members agree in the end.
    fn run(mut self, strikes: u32) -> Result<(), Broken> {
        for _ in 0..strikes {
            let millis = self.rng.random_range(1..800);
            self.run_for(Span::millis(millis))?;
            if self.rng.random_bool(0.5) {
                self.append();
            }
            self.strike();
            self.witness.look(&mut self.net)?;
        }
        self.heal();
        self.run_for(Span::secs(20))?;
        self.append();
        self.run_for(Span::secs(2))?;
        let ends: BTreeSet<Offset> =
            self.net.members.values().map(|member| member.high_watermark()).collect();
        if ends != BTreeSet::from([self.witness.committed_end]) || self.witness.committed_end < 2 {
            return Err(format!("committed up to {ends:?} after all was healed"));
        }
        Ok(())
    }
}

fn first_broken(
    seeds: u64,
    rules: Rules,
    lies_about: Option<&'static str>,
) -> Option<(u64, Broken)> {
    let rules = Rulebook::compared(rules);
    (0..seeds).find_map(|seed| {
        let broken = Ordeal::new(seed, rules, lies_about).run(40).err()?;
        Some((seed, broken))
    })
}

#[test]
fn a_quorum_keeps_its_promises_under_faults() {
    assert_eq!(first_broken(40, Rules::kafka(), None), None);
}

#[test]
fn votes_that_are_not_durable_are_noticed() {
    let (seed, broken) = first_broken(150, Rules::kafka(), Some("quorum-state")).unwrap();
    assert!(broken.contains("vote") || broken.contains("lead"), "seed {seed}: {broken}");
}

#[test]
fn records_acknowledged_before_they_are_durable_are_noticed() {
    let (seed, broken) = first_broken(150, Rules::kafka(), Some(".log")).unwrap();
    assert!(broken.contains("durable") || broken.contains("committed"), "seed {seed}: {broken}");
}

#[test]
fn a_second_vote_in_an_epoch_is_noticed() {
    let rules = Rules { grants_vote: |_| true, ..Rules::kafka() };
    assert!(first_broken(150, rules, None).is_some());
}

#[test]
fn votes_for_shorter_logs_are_noticed() {
    let careless = |ballot: crate::rules::quorum::Ballot| {
        !ballot.has_leader && (ballot.pre_vote || !ballot.voted_for_other)
    };
    let rules = Rules { grants_vote: careless, ..Rules::kafka() };
    assert!(first_broken(150, rules, None).is_some());
}

/// Lets the members act until one of `candidates` leads, and returns it.
fn elected(ordeal: &mut Ordeal, candidates: &[BrokerId]) -> Result<BrokerId, Broken> {
    for _ in 0..100_000 {
        let leader = |id: &&BrokerId| ordeal.net.members.get(id).is_some_and(|m| m.is_leader());
        if let Some(leader) = candidates.iter().find(leader) {
            return Ok(*leader);
        }
        ordeal.net.step();
        ordeal.witness.look(&mut ordeal.net)?;
    }
    panic!("none of {candidates:?} is elected");
}

fn crash(ordeal: &mut Ordeal, id: BrokerId) {
    ordeal.net.crash(id);
    ordeal.net.disks.get_mut(&id).unwrap().write_back();
}

/// Figure 8 of the Raft paper: a record of an old epoch is on a majority, is counted as committed,
/// and is overwritten by a leader whose log ends with a later epoch.
fn figure_eight(rules: Rules) -> Result<(), Broken> {
    let mut ordeal = Ordeal::of(&FIVE, 0, Rulebook::compared(rules), None);
    let first = elected(&mut ordeal, &FIVE)?;
    ordeal.run_for(Span::secs(1))?;
    // A record reaches one follower only, which acknowledges it.
    let others: Vec<BrokerId> = FIVE.into_iter().filter(|id| *id != first).collect();
    let [holder, a, b, c] = others[..] else { panic!() };
    ordeal.net.paused.extend([a, b, c]);
    ordeal.append();
    ordeal.run_for(Span::millis(100))?;
    // Both crash; one of the others leads for a moment, and writes the first record of its epoch.
    crash(&mut ordeal, first);
    ordeal.net.paused = BTreeSet::from([holder]);
    let second = elected(&mut ordeal, &[a, b, c])?;
    crash(&mut ordeal, second);
    // The first two return, and one of them leads. It replicates to the other and to one more
    // voter.
    ordeal.net.start(first);
    ordeal.net.paused.clear();
    let third = elected(&mut ordeal, &[first, holder])?;
    let old = if third == first { holder } else { first };
    let rest: Vec<BrokerId> = [a, b, c].into_iter().filter(|id| *id != second).collect();
    ordeal.net.paused = BTreeSet::from([rest[0]]);
    ordeal.net.sent.clear();
    while !ordeal.net.sent.contains(&(old, third, "FetchRequest")) {
        ordeal.net.step();
        ordeal.witness.look(&mut ordeal.net)?;
    }
    ordeal.net.paused.insert(old);
    ordeal.run_for(Span::millis(300))?;
    // Both voters that have the record crash, and the second leader returns.
    crash(&mut ordeal, third);
    crash(&mut ordeal, rest[1]);
    ordeal.net.start(second);
    ordeal.net.paused.clear();
    elected(&mut ordeal, &[second])?;
    ordeal.run_for(Span::secs(5))
}

#[test]
fn commits_of_records_of_earlier_epochs_by_counting_are_noticed() {
    assert_eq!(figure_eight(Rules::kafka()), Ok(()));
    let rules = Rules { quorum_commits: |_| true, ..Rules::kafka() };
    let broken = figure_eight(rules).unwrap_err();
    assert!(broken.contains("was committed"), "{broken}");
}

/// A voter that returns with an empty disk has lost its vote and its log. With static voters Kafka
/// cannot notice that (KIP-853 gives voters a directory id for this purpose).
#[test]
fn a_voter_without_its_disk_catches_up_with_a_present_leader() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    net.append("a");
    net.run_for(Span::secs(1));
    let leader = net.leader().unwrap();
    let other = VOTERS.into_iter().find(|id| *id != leader).unwrap();
    net.crash(other);
    net.disks.remove(&other);
    net.start(other);
    net.run_for(Span::secs(2));
    assert_eq!(net.leader(), Some(leader));
    assert_eq!(net.values(other), ["a"]);
}

#[test]
fn a_voter_without_its_disk_can_cause_the_loss_of_a_committed_record() {
    let mut net = Net::new(&VOTERS);
    net.run_for(Span::secs(5));
    let leader = net.leader().unwrap();
    let [one, other] = VOTERS.into_iter().filter(|id| *id != leader).collect::<Vec<_>>()[..] else {
        panic!()
    };
    net.crash(other);
    net.append("a");
    net.run_for(Span::secs(1));
    assert_eq!(net.values(one), ["a"], "committed by the leader and one follower");
    net.crash(leader);
    net.crash(one);
    net.disks.remove(&one);
    net.start(one);
    net.start(other);
    net.run_for(Span::secs(10));
    assert!(net.leader().is_some(), "a majority without the record");
    net.start(leader);
    net.run_for(Span::secs(10));
    assert_eq!(
        net.values(leader),
        Vec::<String>::new(),
        "truncated: it was committed, and is lost"
    );
}
