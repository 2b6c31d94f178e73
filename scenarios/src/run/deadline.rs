//! The deadlines for the recovery of a healed cluster, and for reading everything back. They are
//! the sum of the time-outs in the configuration, so that scenarios with shorter time-outs get
//! their verdict earlier, and of the time that the written data takes over the slowest link.

use engine::config::GroupProtocol;
use machine::Span;
use sim::LinkProfile;
use spec::{Cluster, Consumers, Link, Scenario};

/// The time for everything else: boots, log recovery, message delays, fetches of missing records.
const MARGIN: Span = Span::secs(10);

/// The longest time in which a process notices that the other end of a connection is gone: the
/// kernel's own retransmissions after a cut has healed.
const RETRANSMISSION: Span = Span::secs(4);

/// The longest time for reading back without the transfer of data: metadata, connections, a lost
/// request that times out.
const READ_BACK: Span = Span::secs(60);

/// How much longer than a rebalance may take a member waits for the response to its JoinGroup
/// (`AbstractCoordinator.JOIN_GROUP_TIMEOUT_LAPSE`).
const JOIN_LAPSE: Span = Span::secs(5);

/// Records get at least a `SHARE`-th of the bandwidth of a class of links: headers, losses and
/// other traffic take the rest.
const SHARE: u64 = 3;

/// The amount of data written by the end of the load.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Written {
    /// Batches, over all partitions.
    pub batches: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The deadline for convergence, counted from the healing: the time for the configuration, plus the
/// time for replicas and consumers to catch up with all written data.
pub fn converge_within(scenario: &Scenario, written: Written) -> Span {
    scenario.durations.converge.map_or_else(|| allowed(scenario, written), |given| given.0)
}

/// The deadline of the configuration, if the scenario sets a shorter one: then a lack at that
/// deadline may still be made up for in time, and breaks no promise.
pub(super) fn cut_short(scenario: &Scenario, written: Written) -> Option<Span> {
    let given = scenario.durations.converge?.0;
    Some(allowed(scenario, written)).filter(|allowed| given < *allowed)
}

/// The time that the configuration allows for convergence.
fn allowed(scenario: &Scenario, written: Written) -> Span {
    let clusters = scenario.clusters.iter();
    let replicas = clusters.map(|cluster| followed(cluster, written, &scenario.network.brokers));
    let replicas = replicas.max().unwrap_or_default();
    let consumers = scenario.consumers.iter().map(|consumers| {
        let config = consumers.properties.config();
        let most = config.max_partition_fetch_bytes.min(config.fetch_max_bytes).max(1);
        fetched(written, u64::from(most), &scenario.network.clients)
    });
    let clients = carried(written.bytes, &scenario.network.clients);
    let clients = consumers.max().unwrap_or_default().max(clients);
    sum(&[configured(scenario), replicas, clients])
}

/// The deadline for reading everything back.
pub(super) fn read_back_within(scenario: &Scenario, written: Written) -> Span {
    let most = u64::from(engine::config::ConsumerConfig::default().max_partition_fetch_bytes);
    READ_BACK.saturating_add(fetched(written, most, &scenario.network.clients))
}

/// How long the response to the largest fetch takes over a link to a client.
pub(super) fn largest_fetch(scenario: &Scenario, bytes: u64) -> Span {
    carried(bytes, &scenario.network.clients)
}

/// How long `bytes` bytes take over a link of this class.
fn carried(bytes: u64, link: &Link) -> Span {
    let per_second = link.bandwidth.unwrap_or(LinkProfile::default().bytes_per_second);
    if per_second == 0 {
        return Span::ZERO;
    }
    let nanos = u128::from(bytes) * u128::from(SHARE) * 1_000_000_000 / u128::from(per_second);
    Span(u64::try_from(nanos).unwrap_or(u64::MAX))
}

/// How long it takes to fetch everything that was written, `most` bytes or a batch at a time.
fn fetched(written: Written, most: u64, link: &Link) -> Span {
    let profile = LinkProfile::default().latency;
    let latency = link.latency.map_or(profile.least, |latency| latency.0);
    let jitter = link.jitter.map_or(profile.jitter, |jitter| jitter.0);
    // A round trip, and a second one for lost and delayed messages.
    let round = latency.saturating_add(jitter).0.saturating_mul(4);
    carried(written.bytes, link).saturating_add(Span(rounds(written, most).saturating_mul(round)))
}

/// How many fetches of `most` bytes, or of a batch, everything that was written takes.
fn rounds(written: Written, most: u64) -> u64 {
    written.batches.min(written.bytes / most + 1)
}

/// How long a follower takes to fetch everything that was written. If it requests more than the
/// limit of a partition, each fetch waits for its full time, and then returns at least one batch.
/// The broker lowers the minimum of a fetch to the limit of a response, but not to that of a
/// partition.
fn followed(cluster: &Cluster, written: Written, link: &Link) -> Span {
    let config = cluster.broker.config();
    let of_response = config.replica_fetch_response_max_bytes.min(config.fetch_max_bytes);
    let of_partition = config.replica_fetch_max_bytes;
    let most = u64::from(of_partition.min(of_response).max(1));
    let fetched = fetched(written, most, link);
    if config.replica_fetch_min_bytes.min(of_response) <= of_partition {
        return fetched;
    }
    // Batches are whole, so that a response may be only half full.
    let rounds = rounds(written, (most / 2).max(1));
    let waits = config.replica_fetch_wait_max.0.saturating_mul(rounds);
    fetched.saturating_add(Span(waits))
}

fn configured(scenario: &Scenario) -> Span {
    let cluster = scenario.clusters.iter().map(of_cluster).max().unwrap_or_default();
    let scans = scenario.clusters.iter();
    let scan = scans.map(|cluster| cluster.broker.config().transaction_abort_interval).max();
    let producers = scenario.producers.iter().map(|producers| {
        let config = producers.config();
        let transaction = match config.transactional_id.0 {
            // An abandoned transaction, and the call that ends the next one.
            Some(_) => {
                sum(&[config.transaction_timeout, scan.unwrap_or_default(), config.max_block])
            }
            None => Span::ZERO,
        };
        // The records in flight, and one `send` that waits.
        sum(&[config.delivery_timeout, config.max_block, transaction])
    });
    let consumers = scenario.consumers.iter().map(|consumers| {
        let config = consumers.config();
        let fetches =
            sum(&[twice(config.request_timeout), config.fetch_max_wait, config.retry_backoff_max]);
        match consumers.group {
            Some(_) => {
                sum(&[fetches, of_member(scenario, consumers), of_pipeline(scenario, consumers)])
            }
            None => fetches,
        }
    });
    let clients = producers.chain(consumers).max().unwrap_or_default();
    sum(&[cluster, clients, MARGIN])
}

/// The session of a member that is gone has to end, the others join again, and all records are
/// processed, perhaps by one member.
fn of_member(scenario: &Scenario, consumers: &Consumers) -> Span {
    let config = consumers.config();
    let records: u64 = scenario.producers.iter().map(|producers| producers.records).sum();
    // The results of pipelines are read as well.
    let pipelines = scenario.consumers.iter().filter_map(|it| it.pipeline.as_ref());
    let results = pipelines.map(|pipeline| u64::from(pipeline.results)).sum::<u64>();
    let records = records.saturating_mul(1 + results);
    let processing = Span(consumers.process_time.nanos().saturating_mul(records));
    // A coordinator that lost its power with a JoinGroup in its hands closes no connection: the member waits
    // for the whole time-out of that request.
    let rebalance = config.max_poll_interval.saturating_add(JOIN_LAPSE);
    // In the consumer protocol the coordinator has the time-outs. A member may wait for a partition
    // until its owner has given it up, or has been removed for not doing so.
    let index = scenario.cluster_index(consumers.cluster.as_deref()).unwrap_or(0);
    let (session, others) = match (config.group_protocol, scenario.clusters.get(index)) {
        (GroupProtocol::Consumer, Some(cluster)) => {
            let broker = cluster.broker.config();
            (broker.consumer_session_timeout, twice(broker.consumer_heartbeat_interval))
        }
        _ => (config.session_timeout, Span::ZERO),
    };
    sum(&[twice(session), twice(config.request_timeout), processing, rebalance, others])
}

/// The results in flight, a call that waits, and a transaction that is left open, as of producers.
fn of_pipeline(scenario: &Scenario, consumers: &Consumers) -> Span {
    let Some(pipeline) = &consumers.pipeline else { return Span::ZERO };
    let config = pipeline.config();
    let scans = scenario.clusters.iter();
    let scan = scans.map(|cluster| cluster.broker.config().transaction_abort_interval).max();
    let transaction = match pipeline.is_transactional() {
        true => sum(&[config.transaction_timeout, scan.unwrap_or_default(), config.max_block]),
        false => Span::ZERO,
    };
    sum(&[config.delivery_timeout, config.max_block, transaction])
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
        // A registration or heartbeat without a response, and the back-off after it.
        twice(broker.heartbeat_interval),
        twice(broker.heartbeat_interval),
        controller.session_timeout,
    ]);
    // A follower gives up on a leader that is gone, follows another and catches up; the leader
    // removes a follower that does not, and takes it back.
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
        let nothing = Written::default();
        assert!(converge_within(&scaled, nothing) < converge_within(&kafka, nothing));
        assert!(
            converge_within(&kafka, nothing) > Span::secs(60),
            "socket time-outs of 30 s count twice"
        );
    }

    #[test]
    fn a_given_deadline_counts() {
        let given = scenario("[durations]\nconverge = '7s'");
        let written = Written { batches: 9, bytes: 9 };
        assert_eq!(converge_within(&given, written), Span::secs(7));
        assert!(cut_short(&given, written) > Some(Span::secs(7)));
        let long = scenario("[durations]\nconverge = '1h'");
        assert_eq!(cut_short(&long, written), None);
        assert_eq!(cut_short(&scenario(""), written), None, "it is derived");
    }

    /// Kafka parks a follower's fetch for `replica.fetch.wait.max.ms` where `replica.fetch.min.bytes`
    /// is above `replica.fetch.max.bytes` and only one partition has records.
    #[test]
    fn deadlines_include_the_waits_of_followers_with_large_fetches() {
        let with = |least: u32, most: u32| {
            let scenario = scenario(&format!(
                "[[clusters]]\nbroker.'replica.fetch.min.bytes' = {least}\n\
                 broker.'replica.fetch.max.bytes' = {most}\n\
                 broker.'replica.fetch.wait.max.ms' = 400"
            ));
            let written = Written { batches: 1_000, bytes: 200_000 };
            converge_within(&scenario, written).0 - converge_within(&scenario, Written::default()).0
        };
        assert!(with(500, 499) >= Span::secs(320).0, "a batch in each, after 400 ms");
        assert!(with(1_000_000, 20_000) >= Span::secs(8).0);
        assert!(with(1_000_000, 20_000) < Span::secs(10).0, "20 times, perhaps half full");
        assert!(with(500, 500) < Span::secs(2).0, "a part of a batch counts");
        assert!(with(1, 100) < Span::secs(2).0);
    }

    /// A2: the deadline includes the time for data over a slow link.
    #[test]
    fn deadlines_grow_with_the_bytes_on_a_slow_link() {
        let thin = scenario("[network.clients]\nbandwidth = 200_000\n[[consumers]]");
        let written = Written { batches: 300, bytes: 30_000_000 };
        let nothing = Written::default();
        let carry = Span::secs(150);
        assert!(read_back_within(&thin, nothing) < Span::secs(61));
        assert!(read_back_within(&thin, written) > carry);
        let more = converge_within(&thin, written).0 - converge_within(&thin, nothing).0;
        assert!(more > carry.0);
        let wide = scenario("[[consumers]]");
        assert!(read_back_within(&wide, written) < Span::secs(61));
    }

    /// A member that waits for a coordinator without power joins again after `max.poll.interval.ms`.
    #[test]
    fn deadlines_of_groups_include_a_join_that_is_lost() {
        let with = |interval: u32| {
            let group = format!(
                "[[consumers]]\ngroup = 'app'\nproperties.'max.poll.interval.ms' = {interval}"
            );
            converge_within(&scenario(&group), Written::default())
        };
        assert_eq!(with(90_000).0 - with(50_000).0, Span::secs(40).0);
        assert!(with(300_000) > Span::secs(305));
    }
}
