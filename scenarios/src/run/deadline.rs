//! How long a healed cluster may take to be whole again: a sum over the time-outs of its own
//! configuration, so that scenarios which scale them down also get their verdict earlier.

use machine::Span;
use spec::{Cluster, Scenario};

/// What nothing else accounts for: boots, log recovery, message delays, fetches of what is
/// missing.
const MARGIN: Span = Span::secs(10);

/// The longest that a process takes to find out that the other end of a connection is gone: the
/// kernel's own retransmissions after a cut has healed.
const RETRANSMISSION: Span = Span::secs(4);

/// The deadline for convergence, counted from the healing.
pub fn converge_within(scenario: &Scenario) -> Span {
    if let Some(given) = scenario.durations.converge {
        return given.0;
    }
    let cluster = scenario.clusters.iter().map(of_cluster).max().unwrap_or_default();
    let producers = scenario.producers.iter().map(|producers| {
        let config = producers.config();
        // What has been sent, and one `send` that waits before it.
        config.delivery_timeout.saturating_add(config.max_block)
    });
    let consumers = scenario.consumers.iter().map(|consumers| {
        let config = consumers.config();
        sum(&[twice(config.request_timeout), config.fetch_max_wait, config.retry_backoff_max])
    });
    let clients = producers.chain(consumers).max().unwrap_or_default();
    sum(&[cluster, clients, MARGIN])
}

fn of_cluster(cluster: &Cluster) -> Span {
    let (broker, controller) = (cluster.broker.config(), cluster.controller.config());
    // A quorum elects, perhaps only in a second round.
    let election = sum(&[
        controller.fetch_timeout,
        twice(controller.election_timeout),
        controller.election_backoff_max,
        controller.request_timeout,
    ]);
    // A broker finds the active controller, learns the metadata, registers and is unfenced; a
    // session that it had before may have to end first.
    let registration = sum(&[
        twice(broker.controller_request_timeout),
        twice(broker.quorum_fetch_timeout),
        // A registration or heartbeat that got no answer, and the wait after it.
        twice(broker.heartbeat_interval),
        twice(broker.heartbeat_interval),
        controller.session_timeout,
    ]);
    // A follower gives up on a leader that is gone, follows another and catches up; the leader
    // removes whoever does not, and takes it back.
    let replication = sum(&[
        twice(broker.replica_socket_timeout),
        twice(broker.replica_fetch_backoff),
        broker.replica_fetch_wait_max,
        twice(broker.replica_lag_time_max),
        broker.controller_socket_timeout,
    ]);
    sum(&[election, registration, replication, RETRANSMISSION])
}

fn twice(span: Span) -> Span {
    span.saturating_add(span)
}

fn sum(spans: &[Span]) -> Span {
    spans.iter().fold(Span::ZERO, |sum, span| sum.saturating_add(*span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scenario(extra: &str) -> Scenario {
        let head = "name = 'x'\ntitle = 'x'\ntopics = [{ name = 'orders' }]\n";
        toml::from_str(&format!("{head}{extra}")).expect("it is a scenario")
    }

    #[test]
    fn shorter_time_outs_make_a_shorter_deadline() {
        let kafka = scenario("[[clusters]]");
        let scaled = scenario(
            "[[clusters]]\nbroker.'replica.socket.timeout.ms' = 1000\n\
             controller.'broker.session.timeout.ms' = 1000",
        );
        assert!(converge_within(&scaled) < converge_within(&kafka));
        assert!(converge_within(&kafka) > Span::secs(60), "socket time-outs of 30 s count twice");
    }

    #[test]
    fn a_given_deadline_counts() {
        let given = scenario("[durations]\nconverge = '7s'");
        assert_eq!(converge_within(&given), Span::secs(7));
    }
}
