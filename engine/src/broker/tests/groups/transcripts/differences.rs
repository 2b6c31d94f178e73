//! The requests whose responses differ from Kafka's, or that cannot be sent here.

/// Requests of a script that differ for one reason.
pub(super) struct Difference {
    pub(super) script: &'static str,
    #[allow(dead_code, reason = "it is for readers")]
    pub(super) reason: &'static str,
    /// The requests, by their notes.
    pub(super) notes: &'static [&'static str],
}

const CONSUMER: &str = "groups of the consumer protocol (KIP-848) are not modelled";
const TYPES: &str = "types of coordinators are those that exist";
const VERSION: &str = "the request has no version that would be unstable";

pub(super) const DIFFERENCES: &[Difference] = &[
    Difference {
        script: "delete-groups",
        reason: CONSUMER,
        notes: &[
            "a consumer group",
            "consumer group with a member",
            "leaves",
            "empty",
            "empty consumer group",
            "gone",
            "the same id again: epochs begin anew",
        ],
    },
    Difference { script: "describe-groups", reason: CONSUMER, notes: &["a consumer group"] },
    Difference {
        script: "find-coordinator",
        reason: TYPES,
        notes: &[
            "unknown key type, version 3",
            "unknown key type, version 6",
            "share key type, version 5: too old for it",
            "share key type, version 6, a key that is none",
            "share key type, version 6, a key whose topic id is none",
            "negative key type",
        ],
    },
    Difference {
        script: "list-groups",
        reason: CONSUMER,
        notes: &[
            "a consumer group, assignor uniform, which is not configured",
            "a consumer group, assignor of the configuration",
            "the assignor",
            "a consumer group, version 4",
            "a consumer group, version 5",
            "Stable and consumer",
            "a second member: Reconciling",
            "Reconciling, in small letters",
            "the second one leaves: the target has to be computed again",
            "Assigning",
            "the first one leaves",
            "Empty",
        ],
    },
    Difference {
        script: "offset-commit-errors",
        reason: VERSION,
        notes: &["version 10 is unstable in 4.1: the broker closes the connection"],
    },
    Difference {
        script: "offset-delete",
        reason: CONSUMER,
        notes: &[
            "a member of a consumer group",
            "it commits",
            "it commits for another topic",
            "subscribed and not subscribed",
            "leaves",
            "empty consumer group",
        ],
    },
    Difference {
        script: "offset-fetch",
        reason: CONSUMER,
        notes: &[
            "a member of a consumer group",
            "it commits",
            "its id and epoch",
            "no id, no epoch",
            "epoch too large",
            "epoch 0",
            "epoch -1",
            "unknown member",
            "no id, but an epoch",
            "empty id, epoch -1",
            "all topics, wrong epoch",
            "version 8 knows no member",
            "good and bad group in one request",
        ],
    },
];
