//! The names of what a run can exercise beyond what the simulator itself counts
//! (`sim::Effect`); `must_reach` takes both.

/// What a run can reach: name, and what it means.
pub const REACHES: &[(&str, &str)] = &[
    ("crash_with_requests_in_flight", "a broker crashed while it had produce requests to answer"),
    ("election_clean", "a leader was elected from the in-sync replicas"),
    ("election_preferred", "leadership moved to the preferred replica"),
    ("election_eligible", "a leader was elected from the eligible leader replicas (KIP-966)"),
    ("election_last_known", "the last known leader was elected (KIP-966)"),
    ("election_unclean", "a replica that was not in sync was elected"),
    ("leaderless", "a partition had no leader"),
    ("leader_resigned", "a leader handed over in an orderly way"),
    ("controller_election", "the controller quorum elected a leader"),
    ("controller_failover", "another controller became active during the load"),
    ("quorum_resigned", "a quorum leader resigned without a majority"),
    ("truncation", "a follower cut its log"),
    ("log_recovered", "a log was recovered after an unclean shutdown"),
    ("isr_shrink", "a leader removed a follower from the ISR"),
    ("isr_expand", "a leader took a follower into the ISR"),
    ("not_enough_replicas", "a produce request was refused for want of in-sync replicas"),
    (
        "not_enough_replicas_after_append",
        "a produce request was appended and then had too few in-sync replicas",
    ),
    ("fetch_fenced", "a fetch was refused for its leader epoch"),
    ("broker_fenced", "the controller fenced a broker"),
    ("produce_retried", "a producer sent a batch again"),
    ("consumer_seek", "a consumer moved its position"),
    ("consumer_truncated", "a consumer found its log cut below its position (KIP-320)"),
];

/// All that `must_reach` takes: name, and what it means.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let counted = sim::Effect::ALL.iter().map(|effect| (effect.name(), "counted by the simulator"));
    REACHES.iter().copied().chain(counted)
}

/// All names that `must_reach` takes.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|(name, _)| name)
}
