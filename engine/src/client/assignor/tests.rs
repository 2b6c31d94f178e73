//! What every assignment has to be, and some that Kafka has made.

use super::*;
use proptest::prelude::*;

fn counts(all: &[(&str, i32)]) -> Counts {
    all.iter().map(|(topic, count)| ((*topic).into(), *count)).collect()
}

fn member(topics: &[&str]) -> Subscription {
    let topics = topics.iter().map(|topic| (*topic).into()).collect();
    Subscription { topics, ..Subscription::default() }
}

fn owner(topics: &[&str], owned: &[(&str, i32)], generation: i32) -> Subscription {
    let owned = owned.iter().map(|(topic, index)| ((*topic).into(), *index)).collect();
    Subscription { owned, generation: Some(generation), ..member(topics) }
}

fn subscriptions(all: &[(&str, Subscription)]) -> Subscriptions {
    all.iter().map(|(id, it)| ((*id).into(), it.clone())).collect()
}

/// An assignment in a form to compare.
fn shown(assignments: &Assignments) -> Vec<String> {
    let of = |(id, all): (&MemberId, &Vec<NamedPartition>)| {
        let mut all: Vec<String> = all.iter().map(|(topic, at)| format!("{topic}-{at}")).collect();
        all.sort_unstable();
        format!("{id}: {}", all.join(" "))
    };
    assignments.iter().map(of).collect()
}

#[test]
fn range_gives_the_first_members_one_more_in_each_topic() {
    let counts = counts(&[("a", 3), ("b", 3)]);
    let all = subscriptions(&[("x", member(&["a", "b"])), ("y", member(&["a", "b"]))]);
    let range = range(&counts, &all);
    assert_eq!(shown(&range), ["x: a-0 a-1 b-0 b-1", "y: a-2 b-2"]);
    let round_robin = round_robin(&counts, &all);
    assert_eq!(shown(&round_robin), ["x: a-0 a-2 b-1", "y: a-1 b-0 b-2"]);
}

#[test]
fn static_members_come_first_in_order_of_their_instances() {
    let instance = |name: &str| Subscription { instance: Some(name.into()), ..member(&["a"]) };
    let all = subscriptions(&[("1", member(&["a"])), ("2", instance("z")), ("3", instance("y"))]);
    let range = range(&counts(&[("a", 3)]), &all);
    assert_eq!(shown(&range), ["1: a-2", "2: a-1", "3: a-0"]);
}

#[test]
fn round_robin_passes_over_members_without_the_topic() {
    let counts = counts(&[("a", 1), ("b", 2), ("c", 3)]);
    let all = subscriptions(&[
        ("x", member(&["a"])),
        ("y", member(&["a", "b"])),
        ("z", member(&["a", "b", "c"])),
    ]);
    let found = round_robin(&counts, &all);
    assert_eq!(shown(&found), ["x: a-0", "y: b-0", "z: b-1 c-0 c-1 c-2"]);
}

/// What a group of the Java client went through: a second and a third member come, and one leaves.
#[test]
fn a_partition_that_moves_has_no_owner_at_first() {
    let counts = counts(&[("work", 4)]);
    let work = |index| ("work", index);
    let one = owner(&["work"], &[work(0), work(1), work(2), work(3)], 1);
    let all = subscriptions(&[("1", one.clone()), ("2", member(&["work"]))]);
    assert_eq!(shown(&sticky(&counts, &all)), ["1: work-0 work-1", "2: work-2 work-3"]);
    assert_eq!(shown(&cooperative_sticky(&counts, &all)), ["1: work-0 work-1", "2: "]);
    let one = owner(&["work"], &[work(0), work(1)], 2);
    let two = owner(&["work"], &[], 2);
    let all = subscriptions(&[("1", one.clone()), ("2", two)]);
    assert_eq!(shown(&cooperative_sticky(&counts, &all)), ["1: work-0 work-1", "2: work-2 work-3"]);
    let two = owner(&["work"], &[work(2), work(3)], 3);
    let one = Subscription { generation: Some(3), ..one };
    let all = subscriptions(&[("1", one.clone()), ("2", two.clone()), ("3", member(&["work"]))]);
    let found = cooperative_sticky(&counts, &all);
    assert_eq!(shown(&found), ["1: work-0 work-1", "2: work-2", "3: "]);
}

#[test]
fn a_claim_of_an_older_generation_does_not_count() {
    let counts = counts(&[("a", 2)]);
    let now = owner(&["a"], &[("a", 0)], 5);
    let before = owner(&["a"], &[("a", 0), ("a", 1)], 4);
    let all = subscriptions(&[("x", before), ("y", now)]);
    assert_eq!(shown(&sticky(&counts, &all)), ["x: a-1", "y: a-0"]);
}

/// Members with some of these topics, which own parts of what there is as if from earlier assignments.
fn groups() -> impl Strategy<Value = (Counts, Subscriptions)> {
    let topics = prop::collection::vec(0..6_i32, 1..4);
    let members = prop::collection::vec((any::<[bool; 3]>(), any::<bool>()), 1..6);
    let owners = prop::collection::vec(0..8_usize, 24);
    (topics, members, owners, any::<bool>()).prop_map(|(topics, members, owners, alike)| {
        let name = |at: usize| Arc::from(["a", "b", "c"][at]);
        let counts: Counts = topics.iter().enumerate().map(|(at, it)| (name(at), *it)).collect();
        let mut all = Subscriptions::new();
        for (place, (has, is_known)) in members.iter().enumerate() {
            let has = |at: &usize| alike || has[*at];
            let topics: Vec<Arc<str>> = (0..counts.len()).filter(has).map(name).collect();
            let every =
                topics.iter().flat_map(|topic| (0..counts[topic]).map(|at| (topic.clone(), at)));
            let number = |(topic, at): &NamedPartition| {
                usize::from(topic.as_bytes()[0] - b'a') * 8 + *at as usize
            };
            let owned = every.filter(|it| owners[number(it)] == place).collect();
            let generation = is_known.then_some(3);
            let topics = topics.clone();
            let subscription = Subscription { topics, instance: None, owned, generation };
            all.insert(format!("m{place}").into(), subscription);
        }
        (counts, all)
    })
}

/// Every partition that a member is subscribed to, once, and to a subscriber.
fn check_complete(counts: &Counts, all: &Subscriptions, assignments: &Assignments) {
    let mut wanted: Vec<NamedPartition> = Vec::new();
    for (topic, count) in counts {
        if all.values().any(|it| it.has(topic)) {
            wanted.extend((0..*count).map(|at| (topic.clone(), at)));
        }
    }
    let mut found: Vec<NamedPartition> = assignments.values().flatten().cloned().collect();
    found.sort_unstable();
    assert_eq!(found, wanted);
    for (id, assigned) in assignments {
        assert!(assigned.iter().all(|(topic, _)| all[id].has(topic)), "{id}");
    }
}

/// The same members, which own what has been assigned to them.
fn after(all: &Subscriptions, assignments: &Assignments, generation: i32) -> Subscriptions {
    let own = |(id, it): (&MemberId, &Subscription)| {
        let owned = assignments[id].clone();
        let generation = Some(generation);
        (id.clone(), Subscription { owned, generation, ..it.clone() })
    };
    all.iter().map(own).collect()
}

proptest! {
    #[test]
    fn every_partition_has_one_owner((counts, all) in groups()) {
        check_complete(&counts, &all, &range(&counts, &all));
        check_complete(&counts, &all, &round_robin(&counts, &all));
        check_complete(&counts, &all, &sticky(&counts, &all));
    }

    #[test]
    fn no_member_could_get_a_partition_of_one_with_two_more((counts, all) in groups()) {
        let assignments = sticky(&counts, &all);
        for (id, assigned) in &assignments {
            for (other, others) in &assignments {
                let may_move = others.iter().any(|(topic, _)| all[id].has(topic));
                let is_even = others.len() <= assigned.len() + 1;
                prop_assert!(is_even || !may_move, "{id} and {other}: {:?}", shown(&assignments));
            }
        }
    }

    #[test]
    fn nothing_moves_in_a_group_that_stays((counts, all) in groups()) {
        let first = sticky(&counts, &all);
        let again = sticky(&counts, &after(&all, &first, 4));
        prop_assert_eq!(shown(&first), shown(&again));
    }

    #[test]
    fn who_leaves_moves_no_partition_of_others((counts, all) in groups()) {
        let first = sticky(&counts, &all);
        let mut left = after(&all, &first, 4);
        let alike = left.values().all(|it| it.topics.len() == counts.len());
        left.pop_last();
        if alike {
            let second = sticky(&counts, &left);
            for (id, assigned) in &second {
                prop_assert!(first[id].iter().all(|it| assigned.contains(it)), "{id}");
            }
        }
    }

    #[test]
    fn cooperation_never_gives_what_another_owns_and_ends((counts, all) in groups()) {
        let first = cooperative_sticky(&counts, &all);
        for (id, assigned) in &first {
            for (other, subscription) in all.iter().filter(|(other, _)| *other != id) {
                let both = assigned.iter().find(|it| subscription.owned.contains(it));
                prop_assert!(both.is_none(), "{id} gets {both:?} of {other}");
            }
        }
        let second = cooperative_sticky(&counts, &after(&all, &first, 4));
        check_complete(&counts, &all, &second);
        let third = cooperative_sticky(&counts, &after(&all, &second, 5));
        prop_assert_eq!(shown(&second), shown(&third));
    }
}
