//! Fault plans drawn by a seed: several faults of all families, correlated in time, aimed at roles.
//!
//! Faults spread evenly over a run mostly heal before the next one, while protocols break when a
//! second failure occurs during the recovery from the first. So a plan consists of *stories*: short
//! sequences in which one fault is the reason for the next ("the leader crashes, and so does the
//! one elected in its place"), with times and durations chosen by the seed, and of single faults
//! that happen meanwhile. Stories follow the patterns of known failures of such systems, without
//! any knowledge of the run.
//!
//! Everything is drawn from the stream (seed, "plan"): they depend neither on properties nor on the
//! state of a cluster, so runs of one seed under different settings have the same plan. Roles are
//! resolved to nodes when a fault fires.
//!
//! A scenario with groups of consumers has more faults, from a stream of their own: they concern
//! members, coordinators, and the internal topics of those. So the rest of a plan is the same with
//! and without groups.

use super::story::{self, Builder, Group};
use crate::roles::FIRST_CLIENT;
use engine::broker::transaction_partition_of;
use machine::Span;
use rand_chacha::ChaCha8Rng;
use sim::{Kind, Sample};
use spec::{Consumers, Family, Fault, FaultKind, PartitionName, Scenario, Swarm, Target, Time};

/// The faults that the seed draws for a scenario, in order of time.
pub fn swarm_faults(scenario: &Scenario, seed: u64) -> Vec<Fault> {
    let Some(swarm) = &scenario.swarm else { return Vec::new() };
    let partitions = partitions(scenario);
    if partitions.is_empty() {
        return Vec::new();
    }
    let mut draw = sim::stream(seed, "plan", 0);
    let families = families(swarm, &mut draw);
    // Most of a plan concerns one partition: faults elsewhere do not interact with it.
    let focus = draw.pick(&partitions).clone();
    let extended = swarm.families.iter().any(|family| family.is_of_disk_or_clock());
    let mut faults = Vec::new();
    let mut before = None;
    // The families that are left out may be needed by every story that is drawn.
    let mut attempts = u64::from(swarm.faults).saturating_mul(200);
    while faults.len() < swarm.faults as usize && attempts > 0 {
        attempts -= 1;
        let at = moment(swarm, before, &mut draw);
        let partition = if draw.chance(750_000) { &focus } else { draw.pick(&partitions) };
        let wanted = swarm.faults as usize - faults.len();
        let lone_leader = swarm.lone_leaders.0 > 0 && draw.chance(swarm.lone_leaders.0);
        let mut story = Builder::new(&mut draw, partition.clone(), at, lasts(swarm), extended);
        // Without any, nothing is drawn, so that other plans do not change.
        match lone_leader {
            true => story::lone_leader(&mut story),
            false => story::any(&mut story, wanted),
        }
        before = Some(at);
        let drawn = story.finish().into_iter();
        faults.extend(drawn.filter(|fault| {
            families.contains(&fault.kind.family()) && is_upon_some_link(&fault.kind)
        }));
    }
    faults.extend(faults_of_groups(scenario, swarm, &families, extended, seed));
    faults.sort_by_key(|fault| fault.at);
    faults
}

/// Faults of members and coordinators, half as many as there are others; none without groups.
fn faults_of_groups(
    scenario: &Scenario,
    swarm: &Swarm,
    families: &[Family],
    extended: bool,
    seed: u64,
) -> Vec<Fault> {
    let groups = groups(scenario);
    if groups.is_empty() {
        return Vec::new();
    }
    let mut draw = sim::stream(seed, "plan", 1);
    let partitions = partitions_of_groups(scenario);
    let most = (swarm.faults as usize).div_ceil(2);
    let (mut faults, mut before, mut attempts) = (Vec::new(), None, most * 200);
    while faults.len() < most && attempts > 0 {
        attempts -= 1;
        let at = moment(swarm, before, &mut draw);
        let (partition, group) = (draw.pick(&partitions).clone(), draw.pick(&groups).clone());
        let is_of_members = draw.chance(650_000);
        let mut story = Builder::new(&mut draw, partition, at, lasts(swarm), extended);
        match is_of_members {
            true => story::of_group(&mut story, &group),
            false => story::any(&mut story, most - faults.len()),
        }
        before = Some(at);
        let drawn = story.finish().into_iter();
        faults.extend(drawn.filter(|fault| {
            families.contains(&fault.kind.family()) && is_upon_some_link(&fault.kind)
        }));
    }
    faults
}

/// The groups of the first cluster.
fn groups(scenario: &Scenario) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    let mut next = FIRST_CLIENT;
    let is_first = |cluster: &Option<String>| scenario.cluster_index(cluster.as_deref()) == Some(0);
    let producers = scenario.producers.iter().filter(|it| is_first(&it.cluster));
    next += producers.map(|it| it.count).sum::<u16>();
    for consumers in scenario.consumers.iter().filter(|it| is_first(&it.cluster)) {
        let members = next..next + consumers.count;
        next += consumers.count;
        let Some(name) = consumers.group.as_ref().filter(|_| !members.is_empty()) else { continue };
        let session = consumers.config().session_timeout;
        match groups.iter_mut().find(|group| group.name == *name) {
            Some(group) => group.members.extend(members),
            None => groups.push(Group { name: name.clone(), members: members.collect(), session }),
        }
    }
    groups
}

/// The partitions of internal topics that groups depend on, and those of the results of pipelines.
fn partitions_of_groups(scenario: &Scenario) -> Vec<PartitionName> {
    let config = scenario.clusters[0].broker.config();
    let of = |topic: &str, key: &str, count: u32| PartitionName {
        topic: topic.to_owned(),
        partition: transaction_partition_of(key, i32::try_from(count).unwrap_or(i32::MAX)),
    };
    let members = || scenario.consumers.iter().filter(|it| it.group.is_some());
    let offsets = members().filter_map(|it| it.group.as_ref());
    let offsets =
        offsets.map(|group| of("__consumer_offsets", group, config.offsets_topic_partitions));
    let ids = members().flat_map(Consumers::transactional_ids);
    let states = ids.map(|id| of("__transaction_state", &id, config.transaction_log_partitions));
    let results = members().filter_map(|it| it.pipeline.as_ref());
    let results = results.flat_map(|pipeline| {
        let topic = scenario.topics.iter().find(|topic| topic.name == pipeline.to);
        (0..topic.map_or(0, |topic| topic.partitions as i32))
            .map(|partition| PartitionName { topic: pipeline.to.clone(), partition })
    });
    let mut all: Vec<PartitionName> = offsets.chain(states).chain(results).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Whether there can be a link for a fault of links, whatever the numbers of nodes: a plan does not
/// depend on them.
fn is_upon_some_link(kind: &FaultKind<Target>) -> bool {
    match kind {
        FaultKind::World(fault) => spec::upon_no_link(fault, None).is_none(),
        FaultKind::PreferredElection(_) => true,
    }
}

/// Every partition at which a fault may be aimed, apart from those of groups.
fn partitions(scenario: &Scenario) -> Vec<PartitionName> {
    let pipelines = scenario.consumers.iter().filter_map(|it| it.pipeline.as_ref());
    let results: Vec<&str> = pipelines.map(|it| it.to.as_str()).collect();
    let first_cluster = scenario.topics.iter().filter(|topic| {
        scenario.cluster_index(topic.cluster.as_deref()) == Some(0)
            && !results.contains(&topic.name.as_str())
    });
    first_cluster
        .flat_map(|topic| {
            (0..topic.partitions as i32)
                .map(|partition| PartitionName { topic: topic.name.clone(), partition })
        })
        .collect()
}

/// Leaves out some families, chosen by the seed, so that no family always hides the effects of
/// another; crashes and partitions, which most stories need, are left out less often.
fn families(swarm: &Swarm, draw: &mut ChaCha8Rng) -> Vec<Family> {
    let kept: Vec<Family> = swarm
        .families
        .iter()
        .copied()
        .filter(|family| {
            let left_out = match family {
                Family::World(Kind::Crash | Kind::Partition | Kind::OneWayPartition) => 60_000,
                Family::PreferredElection | Family::World(Kind::Restart) => 120_000,
                _ => 250_000,
            };
            !draw.chance(left_out)
        })
        .collect();
    if kept.is_empty() { swarm.families.clone() } else { kept }
}

/// The shortest and the longest duration of a fault.
fn lasts(swarm: &Swarm) -> (Span, Span) {
    let least = swarm.lasts_at_least.0;
    (least, Span(swarm.lasts_at_most.0.0.max(least.0)))
}

/// When a story begins: shortly after the previous one, or at an independent time.
fn moment(swarm: &Swarm, before: Option<Time>, draw: &mut ChaCha8Rng) -> Time {
    let (from, until) = (swarm.from.nanos(), swarm.until.nanos().max(swarm.from.nanos()));
    let own = draw.between(from, until);
    let gap = draw.exponential(Span::millis(1_500)).0;
    let close = draw.chance(swarm.correlated.0);
    match before {
        Some(before) if close => Time(Span(before.nanos().saturating_add(gap).min(until))),
        _ => Time(Span(own)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use spec::Topic;

    fn scenario() -> Scenario {
        let toml = "name = 'x'\ntitle = 'x'\n[[topics]]\nname = 'orders'\npartitions = 3\n[swarm]";
        toml::from_str(toml).expect("it is a scenario")
    }

    #[test]
    fn a_seed_has_one_plan_under_all_settings() {
        let scenario = scenario();
        let mut other = scenario.clone();
        other.clusters[0].topic.set("min.insync.replicas", "1").unwrap();
        other.topics[0] = Topic { replication_factor: 2, ..other.topics[0].clone() };
        for seed in 0..50 {
            assert_eq!(swarm_faults(&scenario, seed), swarm_faults(&other, seed));
        }
        assert_ne!(swarm_faults(&scenario, 1), swarm_faults(&scenario, 2));
    }

    #[test]
    fn plans_have_the_requested_number_of_faults_within_their_time() {
        let scenario = scenario();
        let swarm = scenario.swarm.clone().unwrap();
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200 {
            let faults = swarm_faults(&scenario, seed);
            assert!(faults.len() >= swarm.faults as usize);
            assert!(faults.iter().all(|fault| fault.at >= Some(swarm.from)));
            let is_possible = |fault: &Fault| is_upon_some_link(&fault.kind);
            assert!(faults.iter().all(is_possible), "seed {seed}: {faults:?}");
            seen.extend(faults.iter().map(|fault| fault.kind.family()));
        }
        let all: std::collections::BTreeSet<_> = swarm.families.iter().copied().collect();
        assert_eq!(seen, all, "every family comes up");
    }
}
