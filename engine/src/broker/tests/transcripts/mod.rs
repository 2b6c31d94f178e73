//! Requests that were sent to Apache Kafka 4.1.1 one by one, and its responses: the same requests to a
//! cluster here get the same responses. `engine/tests/fixtures/transcripts/README.md` says what the
//! scripts are and how they are recorded.
//!
//! | file | idea |
//! |---|---|
//! | `script.rs` | the steps of a script |
//! | `topics.rs` | names and ids of topics, as Kafka writes them |
//! | `requests.rs`, `transactional.rs`, `group_requests.rs`, `records.rs` | from JSON to requests and batches |
//! | `responses.rs`, `group_responses.rs` | from responses to JSON, with Kafka's names |
//! | `compare.rs` | what has to be alike |
//! | `replay.rs` | a script in virtual time |
//! | `moves.rs` | what replaces a reassignment |
//! | `differences.rs` | the requests whose responses differ, each with its reason |

mod compare;
mod differences;
mod group_requests;
mod group_responses;
mod moves;
mod records;
mod replay;
mod requests;
mod responses;
mod script;
mod topics;
mod transactional;

use differences::DIFFERENCES;
use replay::replay;
use std::collections::BTreeMap;

macro_rules! scripts {
    ($name:ident $folder:literal: $($file:literal)*) => {
        const $name: &[(&str, &str)] = &[$((
            $file,
            include_str!(concat!(
                "../../../../tests/fixtures/transcripts/", $folder, "/", $file, ".jsonl"
            )),
        ),)*];
    };
}

scripts! { PRODUCE_AND_FETCH "produce-and-fetch":
    "delete-records" "fetch-addressing" "fetch-as-follower" "fetch-limits" "fetch-range"
    "fetch-waits" "leader-epochs" "list-offsets" "list-offsets-errors" "metadata-create"
    "metadata-no-create" "metadata-topics" "not-leader" "produce-acks-zero" "produce-addressing"
    "produce-compacted" "produce-compression" "produce-malformed" "produce-size" "produce-time"
    "produce-versions" "sequence-after-delete" "sequence-duplicates" "sequence-epochs"
    "sequence-expired" "sequence-wrap" "session-basics" "session-errors" "under-min-isr"
}

scripts! { TRANSACTIONS "transactions":
    "txn-add-partitions-broker" "txn-add-partitions-client" "txn-describe-producers" "txn-end-v4"
    "txn-end-v5" "txn-failover" "txn-fencing" "txn-find-coordinator" "txn-id-expiry" "txn-init"
    "txn-list-describe" "txn-marker-rolls" "txn-prepare-commit" "txn-produce" "txn-read-committed"
    "txn-timeout" "txn-write-markers" "txn0-unverified" "txn1-end-v4" "txn1-fencing"
    "txn1-init-open" "txn1-prepare-commit" "txn1-produce"
}

scripts! { CLUSTER_AND_ADMIN "cluster-and-admin":
    "create-topics" "metadata" "wrong-door"
}

scripts! { GROUPS "groups":
    "choice-of-protocol" "classic-timeouts" "consumer-checks" "consumer-describe"
    "consumer-epochs" "consumer-reconcile" "consumer-timeouts" "delete-groups" "describe-groups"
    "find-coordinator" "heartbeat-states" "join-checks" "join-versions" "list-groups"
    "mixed-classic-joins" "mixed-empty" "offset-commit-errors" "offset-commit-versions"
    "offset-delete" "offset-fetch" "offset-metadata" "policy-downgrade" "policy-upgrade"
    "rebalance" "static-members" "sync-states"
}

/// Replays scripts: every difference is named, and every name is a difference. Prints how many differ
/// for each reason. Returns how many requests were compared, and how many of them differ.
#[expect(clippy::print_stdout, reason = "docs/fidelity.md has these figures")]
fn replay_all(scripts: &[(&str, &str)]) -> (usize, usize) {
    let (mut compared, mut differing, mut unexpected) = (0, 0, Vec::new());
    let mut reasons: BTreeMap<&str, usize> = BTreeMap::new();
    for (name, text) in scripts {
        let outcome = replay(text);
        compared += outcome.compared;
        differing += outcome.differences.len();
        let named = || DIFFERENCES.iter().filter(|it| it.script == *name);
        for (note, what) in &outcome.differences {
            match named().find(|it| it.notes.contains(&&**note)) {
                Some(known) => *reasons.entry(known.reason).or_default() += 1,
                None => unexpected.push(format!("{name}: {note}: {what}")),
            }
        }
        for note in named().flat_map(|it| it.notes) {
            if !outcome.differences.iter().any(|(differing, _)| differing == note) {
                unexpected.push(format!("{name}: {note}: no longer differs"));
            }
        }
    }
    println!("{compared} requests compared, {differing} differ: {reasons:#?}");
    assert!(unexpected.is_empty(), "{}:\n{}", unexpected.len(), unexpected.join("\n"));
    (compared, differing)
}

#[test]
fn produce_and_fetch() {
    assert_eq!(replay_all(PRODUCE_AND_FETCH), (613, 126));
}

#[test]
fn transactions() {
    assert_eq!(replay_all(TRANSACTIONS), (664, 9));
}

#[test]
fn cluster_and_admin() {
    assert_eq!(replay_all(CLUSTER_AND_ADMIN), (68, 19));
}

#[test]
fn groups() {
    assert_eq!(replay_all(GROUPS), (735, 8));
}
