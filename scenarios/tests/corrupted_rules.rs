//! Every check catches a wrong rule: for each there is a rule whose corruption it notices in a run
//! found by random search, while the same run under Kafka's rules keeps it quiet.
//!
//! Unlike the museum these are not bugs that shipped; they show that the checks hold what they
//! promise, all the way from a process to a verdict.

use engine::rules::election::{self, Elected, Eligible, How};
use engine::rules::{Rules, read};
use judge::check::CHECKS;
use scenarios::catalog;
use scenarios::run::{RunOutcome, run, under};
use spec::Resolved;

/// A rule made wrong, and the check that has to notice.
struct Corruption {
    check: &'static str,
    rule: &'static str,
    corrupt: fn(&mut Rules),
    scenario: &'static str,
    set: &'static [&'static str],
}

/// One after the other, as it takes order promised without idempotence.
const IN_ORDER: &[&str] = &["max.in.flight.requests.per.connection=1"];

const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        check: "acknowledged-survives",
        rule: "start_of_following",
        corrupt: |rules| rules.start_of_following = |start| start.high_watermark.min(start.log_end),
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "delivered-stays",
        rule: "holds_back_high_watermark",
        corrupt: |rules| rules.holds_back_high_watermark = |_| false,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "one-value-per-offset",
        rule: "elect_leader",
        corrupt: |rules| rules.elect_leader = elect_whoever_is_there,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "order-as-sent",
        rule: "mutes_partition",
        corrupt: |rules| rules.mutes_partition = |_| false,
        scenario: "swarm",
        set: IN_ORDER,
    },
    Corruption {
        check: "nothing-unsent",
        rule: "leaves_produce_unknown",
        corrupt: |rules| rules.leaves_produce_unknown = |_| false,
        scenario: "swarm",
        set: &["delivery.timeout.ms=3000", "request.timeout.ms=2000"],
    },
    Corruption {
        check: "no-uncommitted-read",
        rule: "may_advance_high_watermark",
        corrupt: |rules| rules.may_advance_high_watermark = |_| true,
        scenario: "swarm",
        set: &[],
    },
    // Between the high watermark and the log end there is nothing *yet*.
    Corruption {
        check: "polls-contiguous",
        rule: "read_position",
        corrupt: |rules| {
            rules.read_position = |at| match at.fetch_offset > at.bound {
                true => read::Answer::OutOfRange,
                false => read::position(at),
            };
        },
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "polls-contiguous",
        rule: "has_to_validate",
        corrupt: |rules| rules.has_to_validate = |_| false,
        scenario: "power-loss-all",
        set: &["acks=1", "min.insync.replicas=1"],
    },
    Corruption {
        check: "end-never-back",
        rule: "latest_offset",
        corrupt: |rules| rules.latest_offset = |latest| Ok(latest.bound),
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "replicas-equal",
        rule: "diverges",
        corrupt: |rules| rules.diverges = |_, _| false,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "members-hold-committed",
        rule: "eligible_after",
        corrupt: |rules| {
            rules.eligible_after =
                |eligible| election::eligible_after(Eligible { ended_uncleanly: &[], ..eligible });
        },
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "truncation-below-watermark",
        rule: "follower_high_watermark",
        corrupt: |rules| rules.follower_high_watermark = |follower| follower.log_end,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "live-state-is-replayed",
        rule: "grants_vote",
        corrupt: |rules| rules.grants_vote = |_| true,
        scenario: "controller-crash",
        set: &[],
    },
    Corruption {
        check: "quorum-is-safe",
        rule: "grants_vote",
        corrupt: |rules| rules.grants_vote = |_| true,
        scenario: "controller-crash",
        set: &[],
    },
    Corruption {
        check: "converges",
        rule: "may_join_isr",
        corrupt: |rules| rules.may_join_isr = |_| false,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "callbacks-in-order",
        rule: "place_of_retry",
        corrupt: |rules| rules.place_of_retry = |waiting| waiting,
        scenario: "swarm",
        set: IN_ORDER,
    },
    Corruption {
        check: "same-key-same-partition",
        rule: "partitions_for_keys",
        corrupt: |rules| rules.partitions_for_keys = |of| of.with_leader.max(1),
        scenario: "swarm",
        set: &["keys=60"],
    },
];

/// Checks of what no rule decides, and why. Their bad histories are in `src/check/tests/`.
const NO_RULE: &[(&str, &str)] = &[
    ("stored-once", "no log takes a batch twice, and what a producer sends twice counts as sent"),
    ("one-leader-per-epoch", "a change of leader takes a new epoch when it is replayed"),
];

/// How many seeds are tried. Each corruption shows in one of fifty or more.
const SEEDS: std::ops::Range<u64> = 0..400;

fn elect_whoever_is_there(election: election::Election<'_>) -> Elected {
    let leader = election.replicas.iter().find(|id| election.acceptable.contains(id)).copied();
    Elected { leader, how: How::Unclean }
}

fn finds(outcome: &RunOutcome, check: &str) -> bool {
    outcome.verdict.violations.iter().any(|violation| violation.check == check)
}

/// A run with a corrupted rule; `None` if the rule made no difference or nobody noticed.
fn caught(corruption: &Corruption, seed: u64) -> Option<Resolved> {
    let (mut scenario, _) = catalog::scenario(corruption.scenario).expect("it is built in");
    let set: Vec<String> = corruption.set.iter().map(ToString::to_string).collect();
    scenario.set_all(&set).expect("these can be set");
    let resolved = Resolved { scenario, seed, bugs: Vec::new(), trace: false };
    let mut rules = Rules::kafka();
    (corruption.corrupt)(&mut rules);
    let outcome = under(&resolved, rules);
    let differed = outcome.differed.get(corruption.rule).is_some_and(|times| *times > 0);
    (differed && finds(&outcome, corruption.check)).then_some(resolved)
}

#[test]
fn every_check_notices_a_corrupted_rule() {
    for corruption in CORRUPTIONS {
        let Corruption { check, rule, .. } = corruption;
        let found = SEEDS.clone().find_map(|seed| caught(corruption, seed));
        let Some(resolved) = found else { panic!("{check} does not notice a wrong {rule}") };
        let right = run(&resolved);
        assert!(!finds(&right, check), "{check} cries at seed {} of Kafka's rules", resolved.seed);
    }
}

#[test]
fn every_check_has_a_corrupted_rule_or_a_reason_for_having_none() {
    for check in CHECKS {
        let with = CORRUPTIONS.iter().any(|corruption| corruption.check == check.name);
        let without = NO_RULE.iter().any(|(name, _)| *name == check.name);
        assert!(with != without, "{}: with a rule {with}, without {without}", check.name);
    }
    let known = |name| CHECKS.iter().any(|check| check.name == name);
    assert!(CORRUPTIONS.iter().all(|corruption| known(corruption.check)));
    for Corruption { rule, .. } in CORRUPTIONS {
        assert!(Rules::NAMES.iter().any(|(name, _)| name == rule), "there is no rule {rule}");
    }
}
