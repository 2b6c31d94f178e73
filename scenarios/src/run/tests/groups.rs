//! Members of groups against the coordinators of a cluster.

use crate::result::Outcome;
use crate::run::{RunOutcome, run};
use engine::error::ErrorCode;
use engine::fact::{ClientFact, CommitKind, Fact, Leaving, MemberFact, Revocation};
use engine::ids::{Offset, TopicPartition};
use machine::NodeId;
use sim::SimTime;
use spec::{Resolved, Scenario};
use std::collections::BTreeMap;

/// Six partitions, 900 records, a producer that is client 1001, and members from 1002 on.
const LOAD: &str = "name = 'x'\ntitle = 'x'\n[[topics]]\nname = 't'\npartitions = 6\n\
    [[producers]]\nrecords = 900\nrate = 100\n[durations]\nload = '12s'\n\
    [[clusters]]\n[clusters.broker]\ngroup.initial.rebalance.delay.ms = 500\n";
const GROUP: &str = "[[consumers]]\ngroup = 'app'\ncount = 3\nprocess_time = '1ms'\n";
const PROPERTIES: &str = "[consumers.properties]\nauto.offset.reset = 'earliest'\n\
    session.timeout.ms = 6000\nheartbeat.interval.ms = 500\nmax.poll.interval.ms = 8000\n\
    request.timeout.ms = 5000\n";
const BY_HAND: &str = "enable.auto.commit = false\n";
const COOPERATIVE: &str = "partition.assignment.strategy = \
    'org.apache.kafka.clients.consumer.CooperativeStickyAssignor'\n";

fn ran(text: &str, seed: u64) -> RunOutcome {
    let (scenario, _) =
        Scenario::parse("x.toml", text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    run(&Resolved { scenario, seed, bugs: Vec::new(), trace: true })
}

fn passed(text: &str, seed: u64) -> RunOutcome {
    let outcome = ran(text, seed);
    let verdict = &outcome.verdict;
    let found = (&verdict.violations, &verdict.unknown);
    assert_eq!(verdict.outcome, Outcome::Pass, "{found:?}");
    outcome
}

fn members(outcome: &RunOutcome) -> impl Iterator<Item = (SimTime, NodeId, &MemberFact)> {
    outcome.account.history.facts().filter_map(|(at, node, fact)| match fact {
        Fact::Client(ClientFact::Member(fact)) => Some((at, node, fact)),
        _ => None,
    })
}

/// How often each offset was processed, by partition.
fn processed(outcome: &RunOutcome) -> BTreeMap<(TopicPartition, Offset), u32> {
    let mut times = BTreeMap::new();
    for (_, _, fact) in members(outcome) {
        if let MemberFact::Processed { partition, from, to, .. } = fact {
            (*from..*to).for_each(|offset| *times.entry((*partition, offset)).or_default() += 1);
        }
    }
    times
}

#[test]
fn a_group_shares_the_partitions_and_processes_every_record_once() {
    for assignor in ["", COOPERATIVE] {
        let stagger = GROUP.to_owned() + "stagger = '2s'\n";
        let text = [LOAD, &stagger, PROPERTIES, BY_HAND, assignor].concat();
        let outcome = passed(&text, 7);
        let times = processed(&outcome);
        assert_eq!(times.len(), 900);
        assert!(times.values().all(|times| *times == 1), "without faults nothing is repeated");
        let last: BTreeMap<NodeId, usize> = members(&outcome)
            .filter_map(|(_, node, fact)| match fact {
                MemberFact::Joined { partitions, .. } => Some((node, partitions.len())),
                _ => None,
            })
            .collect();
        assert_eq!(last.values().copied().collect::<Vec<_>>(), [2, 2, 2]);
        let again = passed(&text, 7);
        assert_eq!(outcome.verdict.digest, again.verdict.digest);
    }
}

#[test]
fn a_member_that_crashes_is_replaced_and_its_records_are_read_from_the_committed_offset() {
    let fault = "[[faults]]\nkind = 'crash'\ntarget = 'client 1003'\nat = '4s'\nlasts = '4s'\n";
    let outcome = passed(&[LOAD, GROUP, PROPERTIES, BY_HAND, fault].concat(), 3);
    let times = processed(&outcome);
    assert_eq!(times.len(), 900, "nothing is skipped");
    let generations = members(&outcome).filter_map(|(_, _, fact)| match fact {
        MemberFact::Joined { generation, .. } => Some(*generation),
        _ => None,
    });
    assert!(generations.max().unwrap_or(0) >= 2);
}

/// KIP-62: a member that stalls leaves, and cannot commit what it has processed meanwhile.
#[test]
fn a_member_that_stalls_leaves_and_loses_its_partitions() {
    let stalls = "stalls = [{ at = '1500ms', lasts = '9s', members = 1 }]\n";
    let group = GROUP.to_owned() + stalls;
    // The load lasts until the member is back.
    let load = LOAD.replace("rate = 100", "rate = 60").replace("12s", "20s");
    let outcome = passed(&[load.as_str(), &group, PROPERTIES, BY_HAND].concat(), 5);
    let all: Vec<_> = members(&outcome).map(|(_, _, fact)| fact).collect();
    let left =
        |fact: &&MemberFact| matches!(fact, MemberFact::Left { why: Leaving::PollTimeout, .. });
    assert_eq!(all.iter().filter(|fact| left(fact)).count(), 1);
    let lost = Revocation::Lost { error: None };
    assert!(
        all.iter().any(|fact| matches!(fact, MemberFact::Revoked { why, .. } if *why == lost)),
        "its partitions are lost"
    );
    let refused = |fact: &&MemberFact| match fact {
        MemberFact::CommitAnswered { results, .. } => {
            results.iter().any(|(_, error)| *error == ErrorCode::UnknownMemberId)
        }
        _ => false,
    };
    assert!(all.iter().any(refused), "its commit fails");
    let times = processed(&outcome);
    assert_eq!(times.len(), 900);
    assert!(times.values().any(|times| *times > 1), "others have processed the same records");
}

#[test]
fn members_leave_and_come_back_and_static_ones_keep_their_partitions() {
    let leaves = "leaves = [{ at = '4s', lasts = '2s', stagger = '1s' }]\n";
    let group = GROUP.to_owned() + leaves;
    let joins = |properties: &str| {
        let outcome = passed(&[LOAD, &group, PROPERTIES, BY_HAND, properties].concat(), 11);
        assert!(processed(&outcome).values().all(|times| *times == 1));
        let generations = members(&outcome).filter_map(|(_, _, fact)| match fact {
            MemberFact::Joined { generation, .. } => Some(*generation),
            _ => None,
        });
        generations.max().unwrap_or(0)
    };
    let (dynamic, with_names) = (joins(""), joins("group.instance.id = 'm'\n"));
    assert!(dynamic > 2, "{dynamic} generations");
    assert_eq!(with_names, 1, "a static member that comes back in time changes nothing (KIP-345)");
}

#[test]
fn a_consumer_that_commits_by_itself_commits_by_interval_and_before_rebalances() {
    let group = GROUP.to_owned() + "stagger = '2s'\n";
    let often = "auto.commit.interval.ms = 700\n";
    let outcome = passed(&[LOAD, &group, PROPERTIES, often].concat(), 2);
    let kinds = members(&outcome).filter_map(|(_, _, fact)| match fact {
        MemberFact::CommitAsked { kind, .. } => Some(*kind),
        _ => None,
    });
    let kinds: Vec<CommitKind> = kinds.collect();
    assert!(kinds.iter().filter(|kind| **kind == CommitKind::Auto).count() > 10);
    assert!(kinds.contains(&CommitKind::OnRevoke));
    assert!(processed(&outcome).values().all(|times| *times == 1));
}

#[test]
fn a_coordinator_that_crashes_is_followed_by_another() {
    let fault = "[[faults]]\nkind = 'crash'\ntarget = 'leader(__consumer_offsets-0)'\n\
        at = '4s'\nlasts = '3s'\n";
    let one = LOAD.to_owned() + "offsets.topic.num.partitions = 1\n";
    for seed in 0..3 {
        let outcome = passed(&[&one, GROUP, PROPERTIES, BY_HAND, fault].concat(), seed);
        assert_eq!(processed(&outcome).len(), 900, "seed {seed}");
    }
}

const RESULTS: &str = "name = 'x'\ntitle = 'x'\n[[topics]]\nname = 't'\npartitions = 4\n\
    [[topics]]\nname = 'r'\npartitions = 2\n[[producers]]\ntopics = ['t']\nrecords = 400\nrate = 60\n\
    [durations]\nload = '10s'\n[[clusters]]\n[clusters.broker]\n\
    group.initial.rebalance.delay.ms = 500\n[[consumers]]\ngroup = 'app'\ntopics = ['t']\ncount = 2\n";

/// How many results of each input were acknowledged in transactions that were committed.
fn results(outcome: &RunOutcome) -> BTreeMap<(TopicPartition, Offset), u32> {
    let mut open: BTreeMap<NodeId, Vec<(TopicPartition, Offset)>> = BTreeMap::new();
    let mut times = BTreeMap::new();
    for (_, node, fact) in outcome.account.history.facts() {
        match fact {
            Fact::Client(ClientFact::TransactionBegun { .. }) => {
                open.insert(node, Vec::new());
            }
            Fact::Client(ClientFact::Member(MemberFact::Derived { partition, offset, .. })) => {
                open.entry(node).or_default().push((*partition, *offset));
            }
            Fact::Client(ClientFact::TransactionEnded { outcome, .. }) => {
                let inputs = open.remove(&node).unwrap_or_default();
                if *outcome == engine::fact::TransactionOutcome::Committed {
                    inputs.into_iter().for_each(|it| *times.entry(it).or_default() += 1);
                }
            }
            _ => {}
        }
    }
    times
}

/// KIP-447: with aborts, a stall and a member that leaves, every input has one result.
#[test]
fn a_transactional_pipeline_reflects_every_input_once() {
    let habits = "process_time = '2ms'\nstalls = [{ at = '3s', lasts = '10s', members = 1 }]\n\
        leaves = [{ at = '6s', lasts = '1s', members = 2 }]\n";
    let pipeline = "isolation.level = 'read_committed'\n[consumers.pipeline]\nto = 'r'\n\
        aborted = '10%'\n[consumers.pipeline.properties]\ntransactional.id = 'p'\n\
        delivery.timeout.ms = 20000\nrequest.timeout.ms = 5000\n";
    let text = [RESULTS, habits, PROPERTIES, BY_HAND, pipeline].concat();
    for seed in 0..3 {
        let outcome = passed(&text, seed);
        let times = results(&outcome);
        assert_eq!(times.len(), 400, "seed {seed}");
        let repeated = times.values().filter(|times| **times > 1).count();
        assert_eq!(repeated, 0, "seed {seed}");
    }
}

#[test]
fn a_pipeline_without_transactions_writes_all_results() {
    let pipeline = "[consumers.pipeline]\nto = 'r'\nresults = 2\n";
    let outcome = passed(&[RESULTS, PROPERTIES, BY_HAND, pipeline].concat(), 4);
    let derived =
        members(&outcome).filter(|(_, _, fact)| matches!(fact, MemberFact::Derived { .. })).count();
    assert_eq!(derived, 800);
    assert_eq!(processed(&outcome).len(), 400);
}

fn notices(text: &str) -> Vec<String> {
    let outcome = ran(text, 1);
    outcome.verdict.notices.iter().map(|it| format!("{}: {}", it.node, it.what)).collect()
}

/// What a newcomer meets first: each names what to set.
#[test]
fn members_that_are_refused_say_what_to_set() {
    let small = LOAD.to_owned() + "group.max.size = 2\n";
    let full = notices(&[small.as_str(), GROUP, PROPERTIES, BY_HAND].concat());
    let refused = full.iter().find(|it| it.contains("GROUP_MAX_SIZE_REACHED"));
    let refused = refused.unwrap_or_else(|| panic!("{full:?}"));
    assert!(refused.contains("set group.max.size to 3 or more"), "{refused}");
    let other = "[[consumers]]\ngroup = 'app'\nstart = '3s'\n";
    let sticky = "partition.assignment.strategy = \
        'org.apache.kafka.clients.consumer.RoundRobinAssignor'\n";
    let own = "partition.assignment.strategy = 'org.apache.kafka.clients.consumer.RangeAssignor'\n";
    let mixed =
        [LOAD, GROUP, PROPERTIES, BY_HAND, own, other, PROPERTIES, BY_HAND, sticky].concat();
    let mixed = notices(&mixed);
    let refused = mixed.iter().find(|it| it.contains("INCONSISTENT_GROUP_PROTOCOL"));
    let refused = refused.unwrap_or_else(|| panic!("{mixed:?}"));
    assert!(refused.contains("(range; roundrobin)"), "{refused}");
    let none = PROPERTIES.replace("'earliest'", "'none'");
    let none = notices(&[LOAD, GROUP, &none, BY_HAND].concat());
    let thrown = none.iter().find(|it| it.contains("NoOffsetForPartitionException"));
    let thrown = thrown.unwrap_or_else(|| panic!("{none:?}"));
    assert!(thrown.contains("set earliest or latest"), "{thrown}");
}

#[test]
fn a_seek_of_a_member_that_owns_nothing_is_reported() {
    // Seven members share six partitions.
    let group =
        GROUP.replace("count = 3", "count = 7") + "seeks = [{ at = '5s', to = 'beginning' }]\n";
    let idle = notices(&[LOAD, &group, PROPERTIES, BY_HAND].concat());
    let moved_nothing: Vec<_> = idle.iter().filter(|it| it.contains("moved nothing")).collect();
    assert_eq!(moved_nothing.len(), 1, "{idle:?}");
}
