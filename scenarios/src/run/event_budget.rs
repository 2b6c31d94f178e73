//! The number of events that a run may have: a number for each simulated second, and one for each
//! record. A run that exceeds it is in a livelock, which is found before the deadline and described
//! by its most frequent events.

use super::simulation::Simulation;
use engine::Input;
use engine::reach::Reach;
use machine::{NodeId, Span};
use sim::SimTime;
use spec::Scenario;
use std::collections::BTreeMap;

/// The events that a run may have at once: boots, elections, the creation of topics.
const AT_ONCE: u64 = 50_000;
/// For each replica of a partition, in addition.
const OF_REPLICA: u64 = 200;
/// For each record that is given to a producer or delivered to a consumer: about five times the
/// events of a record that is alone in its batch, with three replicas.
const OF_RECORD: u64 = 100;
/// A request and its response: sent, received, handled, on disk, reported.
const OF_REQUEST: u64 = 12;
/// No process repeats a request more often than this without a wait, by the latency of links alone.
const ROUND_TRIP: Span = Span::micros(200);
/// The number of events that are counted to find what keeps a run busy.
const LOOKED_AT: u64 = 5_000;
/// The number of kinds that are named.
const NAMED: usize = 3;

/// The budget of events of a run, and the events beyond it.
#[derive(Clone, Debug)]
pub(super) struct EventBudget {
    at_once: u64,
    per_second: u64,
    /// How many requests that Kafka repeats without a back-off there may be in a second.
    repeated_per_second: Repeated,
    /// The number of events below which the budget need not be computed.
    pub(super) limit: u64,
    /// The events after the budget was exceeded, by process and input.
    beyond: BTreeMap<(NodeId, String), u64>,
    looked_at: u64,
}

/// Requests that Kafka repeats without a back-off.
#[derive(Clone, Copy, Debug, Default)]
struct Repeated {
    /// Refused markers that coordinators sent again: at most one with each round trip, from each broker
    /// to each.
    markers: u64,
    /// Requests of producers for a coordinator to which they cannot connect: at most one with each round
    /// trip, from each producer.
    lookups: u64,
}

impl EventBudget {
    pub(super) fn new(scenario: &Scenario) -> Self {
        let replicas = scenario.topics.iter().map(|topic| match topic.assignments.as_slice() {
            [] => u64::from(topic.partitions) * u64::from(topic.replication_factor),
            assignments => assignments.iter().map(|replicas| replicas.len() as u64).sum(),
        });
        let replicas: u64 = replicas.sum();
        let at_once = AT_ONCE + OF_REPLICA * replicas;
        let per_second = per_second(scenario) + 2 * replicas;
        let round_trips = 1_000_000_000_u64.div_ceil(ROUND_TRIP.0);
        let pairs = scenario.clusters.iter().map(|it| u64::from(it.brokers).pow(2));
        let producers = scenario.producers.iter().map(|group| u64::from(group.count));
        let repeated_per_second = Repeated {
            markers: pairs.sum::<u64>() * round_trips,
            lookups: producers.sum::<u64>() * round_trips,
        };
        Self {
            at_once,
            per_second,
            repeated_per_second,
            limit: at_once,
            beyond: BTreeMap::new(),
            looked_at: 0,
        }
    }

    /// The number of events that a run may have had by `now`, after `records` records and the requests
    /// that were repeated.
    fn by(&self, now: SimTime, records: u64, repeated: Repeated) -> u64 {
        let seconds = now.0.div_ceil(1_000_000_000);
        let timed = self.per_second.saturating_mul(seconds);
        let most = self.repeated_per_second;
        let markers = repeated.markers.min(most.markers.saturating_mul(seconds));
        let lookups = repeated.lookups.min(most.lookups.saturating_mul(seconds));
        self.at_once
            .saturating_add(timed)
            .saturating_add(OF_RECORD.saturating_mul(records))
            .saturating_add(OF_REQUEST.saturating_mul(markers.saturating_add(lookups)))
    }

    /// The most frequent events beyond the budget.
    fn in_words(&self, events: u64, now: SimTime) -> String {
        let mut kinds: Vec<_> = self.beyond.iter().collect();
        kinds.sort_by_key(|(kind, count)| (std::cmp::Reverse(**count), *kind));
        let kinds = kinds.into_iter().take(NAMED).map(|((node, what), count)| {
            format!("{what} at {} {count} times", crate::roles::name(*node))
        });
        let kinds: Vec<String> = kinds.collect();
        let seconds = now.0.div_ceil(1_000_000_000);
        format!(
            "{events} events in {seconds} s of simulated time, of the last {LOOKED_AT}: {}",
            kinds.join(", ")
        )
    }
}

/// The events that timers and back-offs permit in a simulated second when everything fails.
fn per_second(scenario: &Scenario) -> u64 {
    let often = |spans: &[Span]| {
        let shortest = spans.iter().copied().min().unwrap_or_default().max(ROUND_TRIP);
        OF_REQUEST * (1_000_000_000_u64.div_ceil(shortest.0))
    };
    let servers = scenario.clusters.iter().map(|cluster| {
        let (broker, controller) = (cluster.broker.config(), cluster.controller.config());
        let (brokers, voters) = (u64::from(cluster.brokers), u64::from(cluster.controllers));
        let fetches = often(&[broker.replica_fetch_wait_max, broker.replica_fetch_backoff]);
        let quorum = often(&[
            controller.fetch_timeout,
            controller.request_timeout,
            controller.election_timeout,
            broker.controller_request_timeout,
            Span::millis(100),
        ]);
        brokers * brokers * fetches
            + brokers * often(&[broker.heartbeat_interval])
            + (brokers + voters) * voters * quorum
    });
    let brokers = |name: Option<&str>| {
        let index = scenario.cluster_index(name).unwrap_or(0);
        u64::from(scenario.clusters[index].brokers)
    };
    let producers = scenario.producers.iter().map(|group| {
        let config = group.properties.config();
        let waits = [config.retry_backoff, config.reconnect_backoff, config.request_timeout];
        u64::from(group.count) * brokers(group.cluster.as_deref()) * often(&waits)
    });
    let consumers = scenario.consumers.iter().map(|group| {
        let config = group.properties.config();
        let waits = [
            config.fetch_max_wait,
            config.retry_backoff,
            config.reconnect_backoff,
            config.request_timeout,
        ];
        u64::from(group.count) * brokers(group.cluster.as_deref()) * often(&waits)
    });
    servers.sum::<u64>() + producers.sum::<u64>() + consumers.sum::<u64>()
}

impl Simulation {
    /// Whether the run has exceeded its budget, and enough later events were counted. Has to be
    /// called before each event from [`EventBudget::limit`] onwards.
    #[cold]
    pub(super) fn is_livelocked(&mut self) -> bool {
        let (now, events) = (self.world.now(), self.world.events());
        let repeated = Repeated {
            markers: self.reached.count(Reach::MarkerRepeated),
            lookups: self.reached.count(Reach::CoordinatorUnreachable),
        };
        let limit = self.event_budget.by(now, self.measure.handled(), repeated);
        if events < limit {
            self.event_budget.limit = limit;
            return false;
        }
        if let Some((node, input)) = self.world.next_input() {
            let what = match input {
                Input::Message { message, .. } => message_name(&message),
                Input::Timer(timer) => format!("timer {timer:?}"),
                Input::Opened { .. } => "an open connection".to_owned(),
                Input::Closed { .. } => "a closed connection".to_owned(),
                Input::Stop => "a request to stop".to_owned(),
            };
            *self.event_budget.beyond.entry((node, what)).or_default() += 1;
        }
        self.event_budget.looked_at += 1;
        if self.event_budget.looked_at < LOOKED_AT {
            return false;
        }
        let busy = self.event_budget.in_words(events, now);
        self.evidence.livelocked(busy);
        true
    }
}

fn message_name(message: &engine::protocol::Message) -> String {
    use engine::protocol::Message;
    match message {
        Message::Request { body, .. } => format!("{} request", body.name()),
        Message::Response { body, .. } => format!("{} response", body.name()),
        Message::Application { name, .. } => (*name).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_budget_grows_with_time_records_and_shorter_waits() {
        let scenario = |extra: &str| -> Scenario {
            let head = "name = 'x'\ntitle = 'x'\ntopics = [{ name = 'orders' }]\n";
            toml::from_str(&format!("{head}{extra}")).expect("it is a scenario")
        };
        let at = |seconds| SimTime::ZERO + Span::secs(seconds);
        let none = Repeated::default();
        let plain = EventBudget::new(&scenario("[[producers]]\ncount = 2\n[[consumers]]"));
        assert_eq!(plain.by(at(3), 9, none) - plain.by(at(3), 0, none), 9 * OF_RECORD);
        assert_eq!(plain.by(at(4), 0, none) - plain.by(at(3), 0, none), plain.per_second);
        // Repeated requests: no more often than links let them pass.
        for (repeated, all, most) in [
            (Repeated { markers: 9, ..none }, Repeated { markers: u64::MAX, ..none }, 9),
            (Repeated { lookups: 9, ..none }, Repeated { lookups: u64::MAX, ..none }, 2),
        ] {
            let of = |repeated| plain.by(at(1), 0, repeated) - plain.by(at(1), 0, none);
            assert_eq!(of(repeated), 9 * OF_REQUEST);
            assert_eq!(of(all), most * 5_000 * OF_REQUEST);
        }
        let eager =
            scenario("[[producers]]\ncount = 2\n[[consumers]]\nproperties.'fetch.max.wait.ms' = 0");
        assert!(EventBudget::new(&eager).per_second > plain.per_second + 100_000);
    }
}
