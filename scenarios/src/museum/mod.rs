//! The museum: wrong rules of released Kafka versions, which a run can switch on.
//!
//! An entry replaces rules of the rulebook by those that were released, including its *masking
//! layers*: later rules that would hide the defect. Each entry has a directed scenario that shows
//! the defect in one run; random search has to find it as well. The default rulebook implements
//! Kafka's intended promises, so a defect that no release fixes is an entry too, marked as open.

pub mod canary;
mod consumer_groups;
mod groups;
pub mod provoked;
mod rules;
mod transactional;
mod transactional_rules;

use engine::rules::Rules;
use std::fmt;

/// Whether a release of Kafka fixes a bug.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// The first release with the right rule.
    MendedIn(&'static str),
    /// The newest release that was examined and has the wrong rule.
    OpenIn(&'static str),
    /// No release of Kafka ever had the wrong rule.
    NeverReleased,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MendedIn(release) => write!(f, "fixed in Kafka {release}"),
            Self::OpenIn(release) => write!(f, "open in Kafka {release}"),
            Self::NeverReleased => f.write_str("in no release"),
        }
    }
}

/// A rule that is or was wrong in Kafka.
#[derive(Clone, Copy, Debug)]
pub struct Bug {
    /// The issue or proposal that fixes it, or Faultline's own id while there is none; the argument
    /// of `--bug`.
    pub id: &'static str,
    /// Whether a release fixes it.
    pub status: Status,
    /// The defect.
    pub summary: &'static str,
    /// Where it is described: an address, or a page of this project.
    pub source: &'static str,
    /// The names of the rules that are replaced: the first is the defect, the others would mask it.
    /// Empty for the canary.
    pub rules: &'static [&'static str],
    /// Why each of the other rules has to be replaced; empty if nothing masks the defect.
    pub masked_by: &'static str,
    /// Puts the wrong rules into a rulebook.
    pub apply: fn(&mut Rules),
    /// The name of the directed scenario.
    pub scenario: &'static str,
    /// The text of that scenario's file.
    pub toml: &'static str,
}

/// All entries.
pub const BUGS: &[Bug] = &[
    Bug {
        id: "FL-1",
        status: Status::OpenIn("4.1"),
        summary: "a leader that learns of two leader changes at once keeps its state of the \
                  followers, and acknowledges records that they have truncated in between",
        source: "docs/found.md",
        rules: &["keeps_follower_state"],
        masked_by: "",
        apply: |rules| rules.keeps_follower_state = rules::keep_followers_of_any_leader,
        scenario: "museum-fl-1",
        toml: include_str!("fl-1.toml"),
    },
    Bug {
        id: "FL-2",
        status: Status::OpenIn("4.1"),
        summary: "a fetch session sends a high watermark only once, although the follower ignores it \
                  in a response that shows a divergence; the follower stays behind until the next \
                  record, and hides committed records from its consumers",
        source: "docs/found.md",
        rules: &["repeats_high_watermark"],
        masked_by: "",
        apply: |rules| rules.repeats_high_watermark = rules::send_high_watermark_once,
        scenario: "museum-fl-2",
        toml: include_str!("fl-2.toml"),
    },
    Bug {
        id: "KAFKA-14034",
        status: Status::OpenIn("4.1"),
        summary: "an idempotent producer that gives up a batch renumbers the others in flight, which \
                  may be written already, so that they are stored again",
        source: "https://issues.apache.org/jira/browse/KAFKA-14034",
        rules: &["leaves_gap"],
        masked_by: "",
        apply: |rules| rules.leaves_gap = rules::gap_while_retries_are_left,
        scenario: "museum-kafka-14034",
        toml: include_str!("kafka-14034.toml"),
    },
    Bug {
        id: "KAFKA-5494",
        status: Status::MendedIn("1.0.0"),
        summary: "a leader remembers only the last batch of an idempotent producer, which may have five \
                  in flight: copies of the others are refused, and stored under another epoch",
        source: "https://issues.apache.org/jira/browse/KAFKA-5494",
        rules: &["duplicate_of"],
        masked_by: "",
        apply: |rules| rules.duplicate_of = rules::remember_the_last_batch_only,
        scenario: "museum-kafka-5494",
        toml: include_str!("kafka-5494.toml"),
    },
    Bug {
        id: "KAFKA-15552",
        status: Status::MendedIn("3.5.2"),
        summary: "a controller hands out the block of producer ids in use again: two producers get \
                  the same id, and records of one of them are confirmed without being written",
        source: "https://issues.apache.org/jira/browse/KAFKA-15552",
        rules: &["first_of_block"],
        masked_by: "",
        apply: |rules| rules.first_of_block = rules::hand_out_the_block_in_use,
        scenario: "museum-kafka-15552",
        toml: include_str!("kafka-15552.toml"),
    },
    Bug {
        id: "LIBRDKAFKA-1.9",
        status: Status::NeverReleased,
        summary: "as librdkafka before 1.9.0: a producer forgets the sequences of a partition while \
                  the metadata names no leader for it, and its new batches are treated as copies of \
                  old ones",
        source: "https://github.com/confluentinc/librdkafka/blob/master/CHANGELOG.md",
        rules: &["keeps_sequences"],
        masked_by: "",
        apply: |rules| rules.keeps_sequences = rules::forget_sequences_without_a_leader,
        scenario: "museum-librdkafka-1-9",
        toml: include_str!("librdkafka-1-9.toml"),
    },
    Bug {
        id: "REDPANDA-3039",
        status: Status::NeverReleased,
        summary: "as an early Redpanda: followers keep no state of producers, and a new leader \
                  stores copies again",
        source: "https://github.com/redpanda-data/redpanda/issues/3039",
        rules: &["keeps_producers"],
        masked_by: "",
        apply: |rules| rules.keeps_producers = rules::begin_without_producers,
        scenario: "museum-redpanda-3039",
        toml: include_str!("redpanda-3039.toml"),
    },
    Bug {
        id: "FL-3",
        status: Status::OpenIn("4.1"),
        summary: "a broker with a new disk, the only in-sync replica, is unfenced before it has \
                  named its log directory; its partitions stay without a leader until leaders are \
                  balanced",
        source: "docs/found.md",
        rules: &["may_lead_from"],
        masked_by: "",
        apply: |rules| rules.may_lead_from = rules::lead_from_the_directory_before,
        scenario: "museum-fl-3",
        toml: include_str!("fl-3.toml"),
    },
    Bug {
        id: "FL-4",
        status: Status::OpenIn("4.1"),
        summary: "a new leader accepts a later batch of an idempotent producer whose first batches \
                  are still on their way to the previous leader; it then refuses those, and all \
                  batches are stored again after it",
        source: "docs/found.md",
        rules: &["check_sequence"],
        masked_by: "",
        apply: |rules| rules.check_sequence = rules::begin_anywhere_if_unknown,
        scenario: "museum-fl-4",
        toml: include_str!("fl-4.toml"),
    },
    Bug {
        id: "KAFKA-7128",
        status: Status::MendedIn("2.0.1"),
        summary: "a follower joins the ISR as soon as it has reached the new leader's own high \
                  watermark, which may lie below acknowledged records",
        source: "https://issues.apache.org/jira/browse/KAFKA-7128",
        rules: &["may_join_isr"],
        masked_by: "",
        apply: |rules| rules.may_join_isr = rules::join_by_high_watermark_only,
        scenario: "museum-kafka-7128",
        toml: include_str!("kafka-7128.toml"),
    },
    Bug {
        id: "KIP-101",
        status: Status::MendedIn("0.11.0.0"),
        summary: "a follower truncates its log to its own high watermark when it begins to follow, \
                  and so may lose acknowledged records",
        source: "https://cwiki.apache.org/confluence/display/KAFKA/KIP-101",
        rules: &["start_of_following"],
        masked_by: "",
        apply: |rules| rules.start_of_following = rules::follow_from_high_watermark,
        scenario: "museum-kip-101",
        toml: include_str!("kip-101.toml"),
    },
    Bug {
        id: "KIP-320",
        status: Status::MendedIn("2.1.0"),
        summary: "a fetch under an earlier leader epoch counts as proof that the follower has the \
                  records of the present leader",
        source: "https://cwiki.apache.org/confluence/display/KAFKA/KIP-320",
        rules: &["check_leader_epoch", "diverges", "may_append_fetched"],
        masked_by: "since KIP-595 every fetch carries its last epoch, which shows a divergent tail \
                    even without fencing; before, a follower asked only when it began to follow. \
                    Since KAFKA-18723 a follower refuses batches newer than its own fetch",
        apply: |rules| {
            rules.check_leader_epoch = rules::no_epoch_fencing;
            rules.diverges = rules::divergence_under_the_same_leadership_only;
            rules.may_append_fetched = rules::append_whatever_was_fetched;
        },
        scenario: "museum-kip-320",
        toml: include_str!("kip-320.toml"),
    },
    Bug {
        id: "KIP-497",
        status: Status::MendedIn("2.7.0"),
        summary: "a leader applies its own shrink of the ISR before the controller has agreed, and \
                  acknowledges records that the next leader lacks",
        source: "https://cwiki.apache.org/confluence/display/KAFKA/KIP-497",
        rules: &["is_in_effective_isr"],
        masked_by: "",
        apply: |rules| rules.is_in_effective_isr = rules::shrink_at_once,
        scenario: "museum-kip-497",
        toml: include_str!("kip-497.toml"),
    },
    groups::KAFKA_18641,
    consumer_groups::FL_8,
    consumer_groups::KAFKA_16147,
    transactional::FL_5,
    transactional::FL_6,
    transactional::KAFKA_5131,
    transactional::KAFKA_5351,
    transactional::KAFKA_9307,
    transactional::KAFKA_13574,
    transactional::KAFKA_14402,
    transactional::KAFKA_14884,
    transactional::KAFKA_17754,
    transactional::KAFKA_19446,
    transactional::KAFKA_19999,
    transactional::LSO_UNREPLICATED,
    Bug {
        id: canary::ID,
        status: Status::NeverReleased,
        summary: "nothing is wrong, and one seed in a hundred reports a violation all the same",
        source: "no release: it shows that the findings of checks are reported",
        rules: &[],
        masked_by: "",
        apply: |_| {},
        scenario: "museum-canary",
        toml: include_str!("canary.toml"),
    },
];

/// The bug called `id`, whatever the case of its letters; also the one that is in no list.
pub fn find(id: &str) -> Option<&'static Bug> {
    BUGS.iter().chain([&provoked::BUG]).find(|bug| bug.id.eq_ignore_ascii_case(id))
}

/// Kafka's rules, with the wrong rules of `bugs`.
pub fn rules_with(bugs: &[&Bug]) -> Rules {
    let mut rules = Rules::kafka();
    for bug in bugs {
        (bug.apply)(&mut rules);
    }
    rules
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::{Outcome, Verdict};
    use crate::run::run;
    use spec::{Resolved, Scenario};

    #[test]
    fn ids_are_unique_and_found_in_any_case() {
        for (i, bug) in BUGS.iter().enumerate() {
            assert!(BUGS[..i].iter().all(|other| other.id != bug.id), "{} twice", bug.id);
            assert_eq!(find(&bug.id.to_lowercase()).map(|found| found.id), Some(bug.id));
        }
        assert!(find("KIP-1").is_none());
    }

    #[test]
    fn the_rules_that_an_entry_names_exist() {
        for bug in BUGS {
            for rule in bug.rules {
                assert!(Rules::NAMES.iter().any(|(name, _)| name == rule), "{}: {rule}", bug.id);
            }
            assert_eq!(bug.masked_by.is_empty(), bug.rules.len() <= 1, "{}", bug.id);
        }
    }

    /// The run that shows a bug, and the same without it.
    fn directed(bug: &Bug, bugs: &[&str]) -> Verdict {
        let (scenario, warnings) =
            Scenario::parse(bug.scenario, bug.toml).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!((scenario.name.as_str(), warnings.len()), (bug.scenario, 0));
        let bugs = bugs.iter().map(ToString::to_string).collect();
        run(&Resolved { scenario, seed: 42, bugs, trace: false }).verdict
    }

    #[test]
    fn the_directed_run_catches_its_bug_and_nothing_without_it() {
        for bug in BUGS {
            let caught = directed(bug, &[bug.id]);
            assert_eq!(caught.outcome, Outcome::Violation, "{}: {caught:?}", bug.id);
            assert!(caught.bugs[0].reached > 0, "{}", bug.id);
            let right = directed(bug, &[]);
            assert_eq!(right.outcome, Outcome::Pass, "{}: {:?}", bug.id, right.violations);
        }
    }
}
