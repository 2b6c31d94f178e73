//! The reasons for losses, in words that end a sentence.

/// A reason and how it is told.
struct Told {
    hazard: &'static str,
    because: &'static str,
}

const TOLD: &[Told] = &[
    Told {
        hazard: "acks0-unwritten",
        because: "no leader ever appended them, and nobody tells the producer",
    },
    Told {
        hazard: "acks0-unreplicated",
        because: "the leader that had them died or was replaced, or had been replaced already, \
                  before its successor had fetched them",
    },
    Told {
        hazard: "acks0-power-lost",
        because: "the leader lost its power with what it had not yet synced, and led again \
                  without them",
    },
    Told { hazard: "acks0-unread", because: "what was appended could not be read" },
    Told {
        hazard: "acks1-unreplicated",
        because: "the leader died or was replaced before a follower had fetched them",
    },
    Told {
        hazard: "isr-of-one",
        because: "the leader was the only replica in sync, confirmed alone, and then lost its \
                  power with what it had not yet synced",
    },
    Told {
        hazard: "min-isr-1",
        because: "a single replica in sync was enough to confirm, and one that had confirmed lost \
                  its power",
    },
    Told {
        hazard: "correlated-power-loss",
        because: "as many replicas as had to be in sync ended uncleanly, by power losses or process \
                  crashes, and the next leader had lost them with its power",
    },
    Told {
        hazard: "unclean-election",
        because: "a replica that was not in sync was made leader, as the topic allows",
    },
];

/// Why records were lost, as the end of a sentence that began with "because".
pub(super) fn because(hazard: &str) -> String {
    match TOLD.iter().find(|told| told.hazard == hazard) {
        Some(told) => told.because.to_owned(),
        None => format!("of what the judge calls {hazard}"),
    }
}
