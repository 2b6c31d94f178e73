//! The settings that are compared by `faultline report acks`.

use machine::Span;
use spec::Scenario;

/// The scenario that they are compared in, unless another is named.
pub const SCENARIO: &str = "acks-study";

/// The setting whose promise the faults stay within.
pub const REFERENCE: Under = Under { acks: "all", min_isr: 2, idempotence: true };

/// What a run has reached in which a leader lost its power while it was alone in sync.
pub const LONE_LEADER: &str = "lone_leader_lost_power";

/// What a run has reached, one of these, in which a leader was replaced because it failed, was cut
/// off or stopped.
pub const REPLACED: [&str; 4] =
    ["election_clean", "election_eligible", "election_last_known", "election_unclean"];

/// What a run has reached in which the in-sync replicas of a partition shrank.
pub const SHRUNK: &str = "isr_shrink";

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under {
    /// `acks` of all producers.
    pub acks: &'static str,
    /// `min.insync.replicas` of all topics.
    pub min_isr: u16,
    /// Whether `enable.idempotence` is left as it is in Kafka: true, which Kafka itself turns off for
    /// acks 0 and 1.
    pub idempotence: bool,
}

const fn as_in_kafka(acks: &'static str, min_isr: u16) -> Under {
    Under { acks, min_isr, idempotence: true }
}

/// All of them, the least careful first; at the end the durable one without idempotence.
pub const ACKS: [Under; 7] = [
    as_in_kafka("0", 1),
    as_in_kafka("0", 2),
    as_in_kafka("1", 1),
    as_in_kafka("1", 2),
    as_in_kafka("all", 1),
    REFERENCE,
    Under { idempotence: false, ..REFERENCE },
];

/// By how much the load and the faults of `base` have to be longer once settings have made it `set`:
/// a fault that is shorter than the time-outs which wait for it tests nothing.
pub fn stretch(base: &Scenario, set: &Scenario) -> u64 {
    let (before, after) = (longest_timeout(base), longest_timeout(set));
    after.0.div_ceil(before.0.max(1)).max(1)
}

/// The longest time-out that a broker, the controller or a client waits for before it goes on
/// without another.
fn longest_timeout(scenario: &Scenario) -> Span {
    let servers = scenario.clusters.iter().flat_map(|cluster| {
        let (broker, controller) = (cluster.broker.config(), cluster.controller.config());
        [
            broker.replica_lag_time_max,
            broker.replica_socket_timeout,
            broker.quorum_fetch_timeout,
            controller.session_timeout,
            controller.fetch_timeout,
        ]
    });
    let producers = scenario.producers.iter().map(|it| it.properties.config().request_timeout);
    servers.chain(producers).max().unwrap_or_default()
}

impl Under {
    /// As for `--set`, after whatever was set by hand.
    pub fn settings(self, by_hand: &[String]) -> Vec<String> {
        let own = [format!("acks={}", self.acks), format!("min.insync.replicas={}", self.min_isr)];
        let off = (!self.idempotence).then(|| "enable.idempotence=false".to_owned());
        by_hand.iter().cloned().chain(own).chain(off).collect()
    }
}
