//! The settings that `faultline report acks` compares.

use machine::Span;
use spec::Scenario;

/// The scenario of the comparison.
pub const SCENARIO: &str = "acks-study";

/// The reference setting: the faults never break its promises.
pub const REFERENCE: Under = Under { acks: "all", min_isr: 2, idempotence: true };

/// The step that is reached if a leader loses power while it is the only in-sync replica.
pub const LONE_LEADER: &str = "lone_leader_lost_power";

/// Steps; one of them is reached if a leader is replaced because it failed, was cut off or stopped.
pub const REPLACED: [&str; 4] =
    ["election_clean", "election_eligible", "election_last_known", "election_unclean"];

/// The step that is reached if the ISR of a partition shrinks.
pub const SHRUNK: &str = "isr_shrink";

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under {
    /// `acks` of all producers.
    pub acks: &'static str,
    /// `min.insync.replicas` of all topics.
    pub min_isr: u16,
    /// Whether `enable.idempotence` has Kafka's default: true, but Kafka itself turns it off for
    /// acks 0 and 1.
    pub idempotence: bool,
}

const fn as_in_kafka(acks: &'static str, min_isr: u16) -> Under {
    Under { acks, min_isr, idempotence: true }
}

/// All settings, the least durable first; the last one is the most durable one without idempotence.
pub const ACKS: [Under; 7] = [
    as_in_kafka("0", 1),
    as_in_kafka("0", 2),
    as_in_kafka("1", 1),
    as_in_kafka("1", 2),
    as_in_kafka("all", 1),
    REFERENCE,
    Under { idempotence: false, ..REFERENCE },
];

/// The factor by which the load and the faults of `base` have to be longer with the settings of
/// `set`: a fault that is shorter than the time-outs that detect it tests nothing.
pub fn stretch(base: &Scenario, set: &Scenario) -> u64 {
    let (before, after) = (longest_timeout(base), longest_timeout(set));
    after.0.div_ceil(before.0.max(1)).max(1)
}

/// The longest time-out after which a broker, the controller or a client continues without another
/// node.
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
    /// The setting in the form of `--set`, after the settings made by hand.
    pub fn settings(self, by_hand: &[String]) -> Vec<String> {
        let own = [format!("acks={}", self.acks), format!("min.insync.replicas={}", self.min_isr)];
        let off = (!self.idempotence).then(|| "enable.idempotence=false".to_owned());
        by_hand.iter().cloned().chain(own).chain(off).collect()
    }
}
