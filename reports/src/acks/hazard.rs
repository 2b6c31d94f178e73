//! The reasons for losses, in words that end a sentence.

/// A reason for losses and the words for it.
struct Reason {
    hazard: &'static str,
    because: &'static str,
}

const REASONS: &[Reason] = &[
    Reason {
        hazard: "acks0-unwritten",
        because: "no leader ever appended them, and no response reports that to the producer",
    },
    Reason {
        hazard: "acks0-unreplicated",
        because: "the leader that had them died or was replaced, or had been replaced already, \
                  before its successor had fetched them",
    },
    Reason {
        hazard: "acks0-power-lost",
        because: "the leader lost its power with unsynced records, and led again \
                  without them",
    },
    Reason { hazard: "acks0-unread", because: "the appended records could not be read" },
    Reason {
        hazard: "acks1-unreplicated",
        because: "the leader died or was replaced before a follower had fetched them",
    },
    Reason {
        hazard: "isr-of-one",
        because: "the leader was the only replica in sync, confirmed alone, and then lost its \
                  power with unsynced records",
    },
    Reason {
        hazard: "min-isr-1",
        because: "a single replica in sync was enough to confirm, and one that had confirmed lost \
                  its power",
    },
    Reason {
        hazard: "correlated-power-loss",
        because: "as many replicas as had to be in sync ended uncleanly, by power losses or process \
                  crashes, and the next leader had lost them with its power",
    },
    Reason {
        hazard: "unclean-election",
        because: "a replica that was not in sync was made leader, as the topic allows",
    },
];

/// Why records were lost, as the end of a sentence that began with "because".
pub(super) fn because(hazard: &str) -> String {
    match REASONS.iter().find(|reason| reason.hazard == hazard) {
        Some(reason) => reason.because.to_owned(),
        None => format!("of the hazard {hazard}"),
    }
}
