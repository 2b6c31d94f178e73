//! Every check catches a wrong rule: for each there is a rule whose corruption it notices in a run
//! found by random search, while the same run under Kafka's rules keeps it quiet. The converse
//! holds as well: each rule names the check that notices its corruption, or why none can.
//!
//! Unlike the entries of the museum these are not bugs that shipped; they show that the checks keep
//! what they promise, all the way from a process to a verdict.

#[path = "corrupted_rules/consumer_groups.rs"]
mod consumer_groups;
#[path = "corrupted_rules/groups.rs"]
mod groups;
#[path = "corrupted_rules/no_rule.rs"]
mod no_rule;
#[path = "corrupted_rules/search.rs"]
mod search;
#[path = "corrupted_rules/transactional.rs"]
mod transactional;

use engine::error::ErrorCode;
use engine::rules::election::{self, Elected, Eligible, How};
use engine::rules::{Rules, read};
use judge::check::CHECKS;
use no_rule::{NO_RULE, NoRule};
use scenarios::run::{RunOutcome, run, under};
use scenarios::{catalog, museum};
use spec::{Resolved, Scenario};

/// A rule made wrong, and the check that has to notice it.
struct Corruption {
    check: &'static str,
    rule: &'static str,
    corrupt: fn(&mut Rules),
    scenario: &'static str,
    set: &'static [&'static str],
}

/// Scenarios that reach states which the swarm does not reach.
const DIRECTED: &[(&str, &str)] = &[
    ("cut-after-append", include_str!("directed/cut-after-append.toml")),
    ("fenced-follower", include_str!("directed/fenced-follower.toml")),
    ("lost-answers", include_str!("directed/lost-answers.toml")),
    ("marker-refused", include_str!("directed/marker-refused.toml")),
    ("one-transactional-id", include_str!("directed/one-transactional-id.toml")),
];

/// One request at a time: without idempotence only this promises order.
const IN_ORDER: &[&str] = &["max.in.flight.requests.per.connection=1", "enable.idempotence=false"];

/// Producers that give up before a broker is back.
const IN_A_HURRY: &[&str] = &["delivery.timeout.ms=3000", "request.timeout.ms=2000"];

const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        check: "laggards-leave",
        rule: "is_out_of_sync",
        corrupt: |rules| rules.is_out_of_sync = |_| false,
        scenario: "swarm",
        set: &[],
    },
    // S8: a reader at the log end is out of range, asks where the log ends, and is there already.
    Corruption {
        check: "no-livelock",
        rule: "read_position",
        corrupt: |rules| {
            rules.read_position = |at| match at.fetch_offset == at.log_end && at.bound > 0 {
                true => read::Answer::OutOfRange,
                false => read::position(at),
            };
        },
        scenario: "no-faults",
        set: &[],
    },
    // A follower that does not cut, or does not append, fetches what it has again without a wait.
    // That exceeds what a run may do before `converges` would report what is missing.
    Corruption {
        check: "no-livelock",
        rule: "truncate_to",
        corrupt: |rules| rules.truncate_to = |divergence| divergence.log_end,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "no-livelock",
        rule: "may_append_fetched",
        corrupt: |rules| rules.may_append_fetched = |epochs| epochs.batch < epochs.fetch,
        scenario: "swarm",
        set: &[],
    },
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
        set: IN_A_HURRY,
    },
    Corruption {
        check: "stored-once",
        rule: "duplicate_of",
        corrupt: |rules| rules.duplicate_of = |_| None,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "stored-once",
        rule: "keeps_producers",
        corrupt: |rules| rules.keeps_producers = |_| false,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "sequences-follow",
        rule: "check_sequence",
        corrupt: |rules| rules.check_sequence = |_| Ok(()),
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "stored-once",
        rule: "is_forgotten",
        corrupt: |rules| rules.is_forgotten = |_| true,
        scenario: "idempotent-retries",
        set: &["producer.id.expiration.check.interval.ms=200"],
    },
    Corruption {
        check: "producer-id-once",
        rule: "first_of_block",
        corrupt: |rules| rules.first_of_block = |next| (next - 1000).max(0),
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "enough-in-sync",
        rule: "required_high_watermark",
        corrupt: |rules| {
            rules.required_high_watermark = |it| match it.is_duplicate {
                true => 0,
                false => it.last_offset + 1,
            };
        },
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "callbacks-in-order",
        rule: "place_in_sequence",
        corrupt: |rules| rules.place_in_sequence = |_| 0,
        scenario: "lost-answers",
        set: &[],
    },
    // The new records are treated as duplicates of old ones.
    Corruption {
        check: "acknowledged-survives",
        rule: "keeps_sequences",
        corrupt: |rules| rules.keeps_sequences = |has_leader| has_leader,
        scenario: "museum-librdkafka-1-9",
        set: &[],
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
        check: "fenced-after-a-session",
        rule: "fenced_per_decision",
        corrupt: |rules| rules.fenced_per_decision = |expired| expired,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "enough-in-sync",
        rule: "check_in_sync_replicas",
        corrupt: |rules| rules.check_in_sync_replicas = |_, _| Ok(()),
        scenario: "swarm",
        set: &[],
    },
    // Since KIP-966 nothing is committed while the ISR is below its minimum, and what is parked
    // times out (`Partition.isUnderMinIsr`). Without that rule its outcome is decided here.
    Corruption {
        check: "enough-in-sync",
        rule: "outcome_when_replicated",
        corrupt: |rules| {
            rules.may_advance_high_watermark = |_| true;
            rules.outcome_when_replicated = |_| ErrorCode::None;
        },
        scenario: "cut-after-append",
        set: &[],
    },
    // The leader and the controller ask the same rule.
    Corruption {
        check: "in-sync-and-alive",
        rule: "is_eligible_for_isr",
        corrupt: |rules| rules.is_eligible_for_isr = |_| true,
        scenario: "fenced-follower",
        set: &[],
    },
    Corruption {
        check: "calm-stays-calm",
        rule: "is_out_of_sync",
        corrupt: |rules| rules.is_out_of_sync = |_| true,
        scenario: "no-faults",
        set: &[],
    },
    Corruption {
        check: "same-key-same-partition",
        rule: "partitions_for_keys",
        corrupt: |rules| rules.partitions_for_keys = |of| of.with_leader.max(1),
        scenario: "swarm",
        set: &["keys=60"],
    },
    Corruption {
        check: "members-hold-committed",
        rule: "check_isr_proposal",
        corrupt: |rules| rules.check_isr_proposal = |_| Ok(()),
        scenario: "swarm",
        set: &[],
    },
    // Records that are in the log are reported as not written.
    Corruption {
        check: "nothing-unsent",
        rule: "outcome_when_replicated",
        corrupt: |rules| rules.outcome_when_replicated = |_| ErrorCode::NotEnoughReplicas,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "members-hold-committed",
        rule: "ended_uncleanly",
        corrupt: |rules| rules.ended_uncleanly = |_| false,
        scenario: "swarm",
        set: &[],
    },
    // The second of two brokers brings the first back into leadership, while it is fenced.
    Corruption {
        check: "converges",
        rule: "fenced_per_decision",
        corrupt: |rules| rules.fenced_per_decision = |expired| expired,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "no-uncommitted-read",
        rule: "is_in_effective_isr",
        corrupt: |rules| {
            rules.is_in_effective_isr = |of| of.proposed.unwrap_or(of.committed);
        },
        scenario: "swarm",
        set: &[],
    },
    // Too strict rather than too lenient: fetches of followers never count.
    Corruption {
        check: "converges",
        rule: "is_present_life",
        corrupt: |rules| rules.is_present_life = |_| false,
        scenario: "swarm",
        set: &[],
    },
    Corruption {
        check: "converges",
        rule: "is_eligible_for_isr",
        corrupt: |rules| rules.is_eligible_for_isr = |_| false,
        scenario: "swarm",
        set: &[],
    },
];

/// How a wrong rule shows.
enum Notice {
    /// This check notices a row of [`CORRUPTIONS`].
    Check(&'static str),
    /// This check notices it in the directed scenario of this entry of the museum.
    Museum(&'static str, &'static str),
    /// No check can, because of this.
    Never(&'static str),
}
use Notice::{Check, Museum, Never};

/// The check that notices the corruption of each rule.
const CONVERSE: &[(&str, Notice)] = &[
    ("may_join_isr", Check("converges")),
    ("is_eligible_for_isr", Check("converges")),
    ("check_isr_proposal", Check("members-hold-committed")),
    ("is_out_of_sync", Check("laggards-leave")),
    (
        "keeps_pending_isr",
        Never(
            "a replica whose proposal was dropped still holds the high watermark back while it is \
             caught up (holds_back_high_watermark), and the next metadata comes before it lags",
        ),
    ),
    ("is_in_effective_isr", Check("no-uncommitted-read")),
    ("may_advance_high_watermark", Check("no-uncommitted-read")),
    ("holds_back_high_watermark", Check("delivered-stays")),
    ("follower_high_watermark", Check("truncation-below-watermark")),
    ("keeps_follower_state", Museum("FL-1", "acknowledged-survives")),
    ("start_of_following", Check("acknowledged-survives")),
    ("diverges", Check("replicas-equal")),
    ("truncate_to", Check("no-livelock")),
    ("check_leader_epoch", Museum("KIP-320", "delivered-stays")),
    ("is_present_life", Check("converges")),
    (
        "check_broker_epoch",
        Never(
            "a request of an earlier life is overtaken by the registration of the next only on a \
             second connection, and its broker has given up the first; the replicas that it would \
             speak for have left every ISR by then",
        ),
    ),
    ("fenced_per_decision", Check("converges")),
    ("may_append_fetched", Check("no-livelock")),
    ("check_in_sync_replicas", Check("enough-in-sync")),
    ("outcome_when_replicated", Check("nothing-unsent")),
    ("required_high_watermark", Check("enough-in-sync")),
    ("duplicate_of", Check("stored-once")),
    ("check_sequence", Check("sequences-follow")),
    ("keeps_producers", Check("stored-once")),
    ("is_forgotten", Check("stored-once")),
    ("first_of_block", Check("producer-id-once")),
    ("latest_offset", Check("end-never-back")),
    ("read_position", Check("polls-contiguous")),
    ("repeats_high_watermark", Museum("FL-2", "converges")),
    ("may_lead_from", Museum("FL-3", "converges")),
    ("elect_leader", Check("one-value-per-offset")),
    ("eligible_after", Check("members-hold-committed")),
    ("ended_uncleanly", Check("members-hold-committed")),
    ("grants_vote", Check("quorum-is-safe")),
    (
        "quorum_commits",
        Never(
            "a record of an earlier epoch is overwritten after a majority has it only if two \
             leaders lose their leadership within one append of each other",
        ),
    ),
    ("leaves_produce_unknown", Check("nothing-unsent")),
    ("has_to_validate", Check("polls-contiguous")),
    ("partitions_for_keys", Check("same-key-same-partition")),
    ("mutes_partition", Check("order-as-sent")),
    ("place_of_retry", Check("callbacks-in-order")),
    ("place_in_sequence", Check("callbacks-in-order")),
    (
        "sends_behind_unresolved",
        Never(
            "the leader refuses what is sent behind a gap (check_sequence), and the producer closes the \
             gap in a new epoch before it sends that again",
        ),
    ),
    ("leaves_gap", Museum("KAFKA-14034", "stored-once")),
    ("keeps_sequences", Check("acknowledged-survives")),
];

/// All corruptions, and the rows of all rules.
fn corruptions() -> impl Iterator<Item = &'static Corruption> {
    let all = CORRUPTIONS.iter().chain(transactional::CORRUPTIONS).chain(groups::CORRUPTIONS);
    all.chain(consumer_groups::CORRUPTIONS)
}

fn converse() -> impl Iterator<Item = &'static (&'static str, Notice)> {
    let all = CONVERSE.iter().chain(transactional::CONVERSE).chain(groups::CONVERSE);
    all.chain(consumer_groups::CONVERSE)
}

/// How many seeds are tried. Each corruption shows in one of fifty or more.
const SEEDS: std::ops::Range<u64> = 0..400;

fn elect_whoever_is_there(election: election::Election<'_>) -> Elected {
    let leader = election.replicas.iter().find(|id| election.acceptable.contains(id)).copied();
    Elected { leader, how: How::Unclean }
}

fn finds(outcome: &RunOutcome, check: &str) -> bool {
    outcome.verdict.violations.iter().any(|violation| violation.check == check)
}

/// A directed scenario, or one of the catalogue.
fn scenario(name: &str) -> Scenario {
    let directed = DIRECTED.iter().find(|(other, _)| *other == name);
    let (scenario, _) = match directed {
        Some((_, toml)) => Scenario::parse(name, toml).unwrap_or_else(|error| panic!("{error}")),
        None => catalog::scenario(name).expect("it is built in"),
    };
    scenario
}

/// A run with a corrupted rule; `None` if the rule made no difference or the check is quiet.
fn caught(corruption: &Corruption, seed: u64) -> Option<Resolved> {
    let mut scenario = scenario(corruption.scenario);
    let set: Vec<String> = corruption.set.iter().map(ToString::to_string).collect();
    scenario.set_all(&set).expect("these can be set");
    // A corruption shows under the settings of the file, and within few seeds where disks and
    // clocks do what they should.
    if let Some(swarm) = &mut scenario.swarm {
        swarm.draw_settings = false;
        swarm.families.retain(|family| !family.is_of_disk_or_clock());
        swarm.controllers_at_once = 1;
    }
    let resolved = Resolved { scenario, seed, bugs: Vec::new(), trace: false };
    let mut rules = Rules::kafka();
    (corruption.corrupt)(&mut rules);
    let outcome = under(&resolved, rules);
    let differed = outcome.differed.get(corruption.rule).is_some_and(|times| *times > 0);
    (differed && finds(&outcome, corruption.check)).then_some(resolved)
}

#[test]
fn every_check_notices_a_corrupted_rule() {
    let mut wrong = Vec::new();
    for corruption in corruptions() {
        let Corruption { check, rule, .. } = corruption;
        let noticed = SEEDS.clone().find_map(|seed| caught(corruption, seed));
        match noticed {
            None => wrong.push(format!("{check} does not notice a wrong {rule}")),
            Some(resolved) if finds(&run(&resolved), check) => {
                wrong
                    .push(format!("{check} reports under Kafka's rules at seed {}", resolved.seed));
            }
            Some(_) => {}
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn every_check_has_a_corrupted_rule_or_a_reason_for_having_none() {
    for check in CHECKS {
        let with = corruptions().any(|corruption| corruption.check == check.name);
        let without = NO_RULE.iter().any(|row| row.check == check.name);
        assert!(with != without, "{}: with a rule {with}, without {without}", check.name);
    }
    for NoRule { check, why, history: (file, test) } in NO_RULE {
        assert!(why.len() > 30, "{check}");
        let from = file.find(&format!("\nfn {test}(")).unwrap_or_else(|| panic!("no test {test}"));
        let body = file[from..].split("\n}\n").next().unwrap_or_default();
        assert!(body.contains(&format!("\"{check}\"")), "{test} does not name {check}");
    }
    let known = |name| CHECKS.iter().any(|check| check.name == name);
    assert!(corruptions().all(|corruption| known(corruption.check)));
    for Corruption { rule, .. } in corruptions() {
        assert!(Rules::NAMES.iter().any(|(name, _)| name == rule), "there is no rule {rule}");
    }
}

#[test]
fn every_rule_names_the_check_that_notices_its_corruption() {
    for (rule, _) in Rules::NAMES {
        let rows = converse().filter(|(name, _)| name == rule).count();
        assert_eq!(rows, 1, "rows of {rule}");
    }
    assert_eq!(converse().count(), Rules::NAMES.len());
    for (rule, notice) in converse() {
        match notice {
            Check(check) => {
                let is_row = |row: &&Corruption| row.rule == *rule && row.check == *check;
                assert_eq!(corruptions().filter(is_row).count(), 1, "{rule}: {check}");
            }
            Museum(id, check) => {
                let noticed = noticed_in_museum(id);
                let is_noticed = noticed.iter().any(|name| name == check);
                assert!(is_noticed, "{rule}: {id} shows {noticed:?}, not {check}");
            }
            Never(why) => {
                assert!(why.len() > 40, "{rule}");
                assert!(corruptions().all(|row| row.rule != *rule), "{rule} has a check");
            }
        }
    }
}

/// S7: the error after an append is one of Kafka before KIP-966. What is parked when the ISR
/// becomes too small is not committed, and times out.
#[test]
fn nothing_is_committed_while_the_isr_is_too_small() {
    let resolved = Resolved {
        scenario: scenario("cut-after-append"),
        seed: 42,
        bugs: Vec::new(),
        trace: false,
    };
    let reached = |outcome: &RunOutcome, what: &str| outcome.verdict.exercised.contains_key(what);
    let right = run(&resolved);
    assert_eq!(right.verdict.violations, vec![]);
    assert!(reached(&right, "not_enough_replicas"), "{:?}", right.verdict.exercised);
    assert!(reached(&right, "produce_waited"));
    assert!(!reached(&right, "not_enough_replicas_after_append"));
    let mut rules = Rules::kafka();
    rules.may_advance_high_watermark = |_| true;
    let before = under(&resolved, rules);
    assert!(reached(&before, "not_enough_replicas_after_append"));
    assert!(!finds(&before, "enough-in-sync"), "no record was confirmed");
}

/// The checks that notice a bug of the museum in its directed scenario.
fn noticed_in_museum(id: &str) -> Vec<String> {
    let bug = museum::find(id).expect("it is in the museum");
    let (scenario, _) = catalog::scenario(bug.scenario).expect("it is built in");
    let bugs = vec![bug.id.to_owned()];
    let violations = run(&Resolved { scenario, seed: 42, bugs, trace: false }).verdict.violations;
    violations.into_iter().map(|violation| violation.check).collect()
}
