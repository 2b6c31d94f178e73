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
    ("isr_ineligible", "a follower caught up that may not join the ISR (KIP-841, KIP-903)"),
    ("produce_waited", "a produce request with acks=all waited for followers"),
    ("produce_lost_leader", "a produce request waited when its leader was replaced"),
    ("request_while_answer_leaves", "a request came before the answer to the last one had left"),
    ("fetch_outdated", "a fetch was answered whose position had moved meanwhile"),
    (
        "fetch_of_earlier_life",
        "a follower's fetch was refused as that of an earlier life (KIP-903)",
    ),
    ("fetched_batch_newer", "a fetched batch was of a later epoch than the fetch (KIP-595)"),
    ("follower_fenced", "a follower stopped fetching, as its leader epoch was over"),
    ("follower_out_of_range", "a follower was outside of its leader's log"),
    ("divergence", "a leader told a follower that their logs diverge (KIP-595)"),
    ("divergence_again", "finding where two logs part took another round"),
    ("truncation_below_high_watermark", "a follower was to cut its log below its high watermark"),
    ("high_watermark_back", "a follower's high watermark went back"),
    (
        "high_watermark_trails",
        "a new leader's high watermark was below its epoch's start (KIP-207)",
    ),
    ("latest_offset_unavailable", "the latest offset was asked for and not known yet (KIP-207)"),
    (
        "leader_missed_an_epoch",
        "a leader learnt of a later epoch of its own and of the one before at once (FL-1)",
    ),
    ("metadata_outdated", "metadata came that was older than the partition (KAFKA-12686)"),
    ("stale_leader_asked", "a leader was asked by who knew of a later leader epoch"),
    ("stopped_after_heal", "a node was still stopping when everything was healed"),
    ("produce_retried", "a producer sent a batch again"),
    ("consumer_seek", "a consumer moved its position"),
    ("consumer_truncated", "a consumer found its log cut below its position (KIP-320)"),
];

/// All that `must_reach` takes: name, and what it means.
pub fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    let counted = sim::Effect::ALL.iter().map(|effect| (effect.name(), effect.summary()));
    REACHES.iter().copied().chain(counted)
}

/// All names that `must_reach` takes.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|(name, _)| name)
}
