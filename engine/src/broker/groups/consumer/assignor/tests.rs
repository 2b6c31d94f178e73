//! What assignors promise, over groups of all small shapes.

use super::*;

fn topic(number: u128) -> TopicId {
    TopicId(number)
}

/// A group whose members are subscribed to topics by number. Topics have 4, 1, 3, 7 partitions.
fn spec(subscriptions: &[&[u128]], before: &BTreeMap<MemberId, Assignment>) -> Spec {
    let counts: BTreeMap<TopicId, i32> =
        [(0, 4), (1, 1), (2, 3), (3, 7)].map(|(number, count)| (topic(number), count)).into();
    let mut members = BTreeMap::new();
    for (at, topics) in subscriptions.iter().enumerate() {
        let id: MemberId = format!("m{at}").into();
        let member = MemberSpec {
            instance: None,
            topics: topics.iter().map(|number| topic(*number)).collect(),
            assigned: before.get(&id).cloned().unwrap_or_default(),
        };
        members.insert(id, member);
    }
    let all = before.values().flat_map(|of| of.iter());
    let assigned = all.flat_map(|(topic, all)| all.iter().map(|it| (*topic, *it))).collect();
    let is_homogeneous = subscriptions.windows(2).all(|pair| pair[0] == pair[1]);
    let subscribed = |it: &TopicId| members.values().any(|member| member.topics.contains(it));
    let counts = counts.into_iter().filter(|(topic, _)| subscribed(topic)).collect();
    Spec { members, is_homogeneous, counts, assigned }
}

fn size(assignment: &Assignment) -> usize {
    assignment.values().map(BTreeSet::len).sum()
}

/// All partitions of subscribed topics have one owner, who is subscribed.
fn check(spec: &Spec, assigned: &BTreeMap<MemberId, Assignment>) {
    let mut owned = BTreeSet::new();
    for (member, assignment) in assigned {
        for (topic, partitions) in assignment {
            assert!(spec.members[member].topics.contains(topic), "{member} is not subscribed");
            assert!(!partitions.is_empty(), "a topic without partitions is left out");
            for partition in partitions {
                assert!(owned.insert((*topic, *partition)), "{topic:?} {partition} has two owners");
            }
        }
    }
    let all = spec.counts.values().map(|count| *count as usize).sum::<usize>();
    assert_eq!(owned.len(), all, "every partition has an owner");
}

/// How many partitions of `before` a member has lost to another one.
fn moved(before: &BTreeMap<MemberId, Assignment>, after: &BTreeMap<MemberId, Assignment>) -> usize {
    let empty = Assignment::new();
    let lost = |(member, assignment): (&MemberId, &Assignment)| {
        let now = after.get(member).unwrap_or(&empty);
        let mut count = 0;
        for (topic, partitions) in assignment {
            let kept = now.get(topic);
            count +=
                partitions.iter().filter(|it| kept.is_none_or(|all| !all.contains(it))).count();
        }
        count
    };
    before.iter().map(lost).sum()
}

#[test]
fn members_with_one_subscription_share_evenly_and_keep_what_they_can() {
    let mut shapes = 0;
    for topics in [&[0_u128][..], &[1], &[0, 2], &[0, 1, 2, 3]] {
        let mut before = BTreeMap::new();
        // Members come one by one, and then leave one by one.
        for count in [1, 2, 3, 4, 5, 4, 2, 1, 3] {
            let all: Vec<&[u128]> = vec![topics; count];
            before.retain(|id: &MemberId, _| id[1..].parse::<usize>().is_ok_and(|at| at < count));
            let spec = spec(&all, &before);
            let after = assign("uniform", &spec);
            check(&spec, &after);
            let sizes = after.values().map(size);
            let (most, fewest) = (sizes.clone().max(), sizes.min());
            assert!(most.unwrap_or(0) - fewest.unwrap_or(0) <= 1, "{after:?}");
            // No member loses more than what it has above its share.
            let total: usize = spec.counts.values().map(|count| *count as usize).sum();
            let share = total / count;
            let above: usize = before.values().map(|it| size(it).saturating_sub(share)).sum();
            assert!(moved(&before, &after) <= above, "{before:?} {after:?}");
            before = after;
            shapes += 1;
        }
    }
    assert_eq!(shapes, 36);
}

#[test]
fn members_with_different_subscriptions_share_as_evenly_as_these_allow() {
    let subscriptions: &[&[&[u128]]] = &[
        &[&[0], &[0, 1], &[1, 2]],
        &[&[0, 1, 2, 3], &[3], &[3]],
        &[&[], &[0], &[0, 2]],
        &[&[1], &[1], &[1, 3], &[0, 1, 2, 3]],
    ];
    for all in subscriptions {
        let spec_of = spec(all, &BTreeMap::new());
        let after = assign("uniform", &spec_of);
        check(&spec_of, &after);
        // Nobody could take a partition from a subscriber that has two more.
        for (member, assignment) in &after {
            for topic in assignment.keys() {
                for (other, it) in &spec_of.members {
                    let theirs = after.get(other).map_or(0, size);
                    let is_even = size(assignment) <= theirs + 1;
                    assert!(!it.topics.contains(topic) || is_even, "{member} {other} {after:?}");
                }
            }
        }
        let again = assign("uniform", &spec(all, &after));
        assert_eq!(moved(&after, &again), 0, "what is even stays");
    }
}

#[test]
fn a_range_is_consecutive_and_static_members_come_first() {
    let mut spec = spec(&[&[0, 2], &[0, 2], &[0]], &BTreeMap::new());
    spec.members.get_mut("m2").expect("a member").instance = Some("i".into());
    let after = assign("range", &spec);
    check(&spec, &after);
    let of = |member: &str| after[member].clone();
    assert_eq!(of("m2"), [(topic(0), [0, 1].into())].into());
    assert_eq!(of("m0"), [(topic(0), [2].into()), (topic(2), [0, 1].into())].into());
    assert_eq!(of("m1"), [(topic(0), [3].into()), (topic(2), [2].into())].into());
}
