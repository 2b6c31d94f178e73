//! The settings matrix: a swarm with `draw_settings = true` draws its configuration and the shape
//! of its load from the seed, so that every check runs under all configurations that change the
//! promises.
//!
//! The settings come from the random stream (seed, "settings"), so that the plan of faults does not
//! depend on them. Settings of the command line are kept. Each setting is drawn even if it is not
//! used, so that a fixed setting does not change the others.

use machine::Span;
use rand_chacha::ChaCha8Rng;
use sim::{Crash, Restart, Sample};
use spec::{Fault, FaultKind, Role, Scenario, Seek, SeekTo, Target, Time};

mod groups;
mod transactions;

/// The scenario that `seed` runs, and the drawn settings in words; `scenario` itself if its
/// settings are not drawn.
pub fn drawn(scenario: &Scenario, seed: u64) -> (Scenario, Vec<String>) {
    let mut matrix = Matrix {
        scenario: scenario.clone(),
        draw: sim::stream(seed, "settings", 0),
        drawn: Vec::new(),
    };
    let Some(swarm) = &mut matrix.scenario.swarm else { return (matrix.scenario, Vec::new()) };
    // The record of a run keeps the scenario with the switch, from which a replay draws again.
    if !std::mem::take(&mut swarm.draw_settings) {
        return (matrix.scenario, Vec::new());
    }
    // A quarter of the seeds keep the settings of the file, which have the strongest promises. They
    // may have groups, which have promises of their own.
    if matrix.draw.chance(250_000) {
        matrix.groups(seed);
        if matrix.drawn.is_empty() {
            matrix.drawn.push("nothing".to_owned());
        }
        return (matrix.scenario, matrix.drawn);
    }
    matrix.scenario.beyond_kafka = true;
    matrix.cluster();
    matrix.durability();
    matrix.time_outs();
    matrix.logs();
    matrix.replication();
    matrix.producers();
    matrix.consumers();
    matrix.clients_that_end();
    // Later additions are drawn last, so that they do not change the settings above.
    let has_several_dirs = matrix.rest();
    matrix.idempotence();
    matrix.limits(has_several_dirs);
    matrix.transactions();
    matrix.groups(seed);
    (matrix.scenario, matrix.drawn)
}

/// The name of a drawn setting, without its value and times.
pub fn name(drawn: &str) -> &str {
    drawn.split(['=', ':']).next().unwrap_or_default()
}

struct Matrix {
    scenario: Scenario,
    draw: ChaCha8Rng,
    drawn: Vec<String>,
}

impl Matrix {
    /// One of `values` by their weights, with a probability of `ppm` parts per million; otherwise
    /// `None`.
    fn one_of<T: Copy>(&mut self, ppm: u32, values: &[(u64, T)]) -> Option<T> {
        let is_drawn = self.draw.chance(ppm);
        let all: u64 = values.iter().map(|(weight, _)| weight).sum();
        let mut at = self.draw.below(all);
        let value = values.iter().find(|(weight, _)| {
            let found = at < *weight;
            at = at.saturating_sub(*weight);
            found
        });
        value.filter(|_| is_drawn).map(|(_, value)| *value)
    }

    /// A number from `low` to `high`, with a probability of `ppm` parts per million; otherwise
    /// `None`.
    fn number(&mut self, ppm: u32, low: u64, high: u64) -> Option<u64> {
        let is_drawn = self.draw.chance(ppm);
        // Every power of two is equally likely, so that small numbers are as frequent as large
        // ones.
        let bits = self.draw.between(u64::from(low.max(1).ilog2()), u64::from(high.ilog2()));
        let number = self.draw.between(low.max(1 << bits), high.min((2 << bits) - 1));
        is_drawn.then_some(number)
    }

    /// Whether a property was set by hand.
    fn is_fixed(&self, name: &str) -> bool {
        self.scenario.swarm.as_ref().is_some_and(|swarm| swarm.fixed.iter().any(|it| it == name))
    }

    /// Sets a drawn value, unless the property was set by hand, or the resulting scenario is
    /// invalid.
    fn set(&mut self, name: &str, value: Option<impl ToString>) {
        let Some(value) = value.map(|value| format!("{name}={}", value.to_string())) else {
            return;
        };
        if self.is_fixed(name) {
            return;
        }
        let before = self.scenario.clone();
        match self.scenario.set_all(std::slice::from_ref(&value)) {
            Ok(_) => self.drawn.push(value),
            Err(_) => self.scenario = before,
        }
    }

    /// The numbers of brokers, controllers and replicas.
    fn cluster(&mut self) {
        let brokers = self.one_of(500_000, &[(120, 1_u16), (160, 2), (200, 4), (400, 5), (2, 100)]);
        let controllers = self.one_of(400_000, &[(3, 1_u16), (1, 2), (1, 4), (3, 5)]);
        let factor = self.one_of(300_000, &[(1, 1_u16), (2, 2)]);
        let in_sync = self.one_of(400_000, &[(3, 1_u16), (2, 2), (2, 3)]);
        let brokers = brokers.filter(|_| !self.is_fixed("brokers"));
        // A topic has no more replicas than there are brokers.
        let most = brokers.or(self.scenario.clusters.first().map(|cluster| cluster.brokers));
        let most = most.unwrap_or(3);
        let has = self.scenario.topics.iter().map(|topic| topic.replication_factor).max();
        let factor = factor.or(has.filter(|has| *has > most)).map(|factor| factor.min(most));
        self.set("replication.factor", factor);
        self.set("brokers", brokers);
        self.set("controllers", controllers);
        let has = self.scenario.topics.iter().map(|topic| topic.replication_factor).min();
        self.set("min.insync.replicas", in_sync.map(|least| least.min(has.unwrap_or(3))));
    }

    /// Settings on which durability depends.
    fn durability(&mut self) {
        let eligible = self.one_of(250_000, &[(1, "false")]);
        let unclean = self.one_of(150_000, &[(1, "true")]);
        let acks = self.one_of(150_000, &[(2, "1"), (1, "0")]);
        let flush = self.one_of(100_000, &[(1, 1_u64), (1, 10)]);
        let own = self.one_of(200_000, &[(1, 1_u16), (1, 2), (1, 3)]);
        self.set("eligible.leader.replicas.enable", eligible);
        self.set("unclean.leader.election.enable", unclean);
        self.set("acks", acks.filter(|_| !self.is_transactional()));
        self.set("flush.messages", flush);
        if !self.is_fixed("min.insync.replicas") {
            self.other_than_the_cluster(own);
        }
    }

    /// Whether producers have a `transactional.id` already: Kafka then refuses other acks than all, and
    /// `enable.idempotence=false`.
    fn is_transactional(&self) -> bool {
        let mut configs = self.scenario.producers.iter().map(|group| group.config());
        configs.any(|config| config.transactional_id.0.is_some())
    }

    /// A minimum of in-sync replicas for the topic, which takes precedence over that of the
    /// cluster.
    fn other_than_the_cluster(&mut self, of_cluster: Option<u16>) {
        const NAME: &str = "min.insync.replicas";
        let Some(of_cluster) = of_cluster else { return };
        for topic in 0..self.scenario.topics.len() {
            let own = self.scenario.topic_config(&self.scenario.topics[topic]).min_insync_replicas;
            let set = self.scenario.topics[topic].properties.set(NAME, &own.to_string());
            debug_assert!(set.is_ok(), "it is the value that it has");
        }
        for cluster in &mut self.scenario.clusters {
            let set = cluster.topic.set(NAME, &of_cluster.to_string());
            debug_assert!(set.is_ok(), "{of_cluster} is a number of replicas");
        }
        self.drawn.push(format!("{NAME} of the cluster, not of its topics={of_cluster}"));
    }

    /// Kafka's default time-outs instead of those of the file, or similar ones.
    fn time_outs(&mut self) {
        const TIMES: [&str; 13] = [
            "broker.heartbeat.interval.ms",
            "broker.session.timeout.ms",
            "replica.lag.time.max.ms",
            "replica.fetch.backoff.ms",
            "replica.socket.timeout.ms",
            "controller.quorum.request.timeout.ms",
            "controller.socket.timeout.ms",
            "controller.quorum.fetch.timeout.ms",
            "controller.quorum.election.timeout.ms",
            "controller.quorum.election.backoff.max.ms",
            "controller.quorum.retry.backoff.ms",
            "controller.quorum.append.linger.ms",
            "metadata.max.idle.interval.ms",
        ];
        let real = self.draw.chance(100_000);
        let lag = self.one_of(300_000, &[(1, 600_u64), (1, 1_500), (1, 3_000)]);
        let session = self.one_of(300_000, &[(1, 800_u64), (1, 1_500), (1, 4_000)]);
        // Above the half second for which an idle leader of the quorum parks a fetch
        // (`MAX_FETCH_WAIT_MS`). Otherwise its followers replace it again and again, and each new
        // leader gives all unfenced brokers a new session, so that a restarted broker never
        // registers.
        let quorum = self.one_of(200_000, &[(1, 700_u64), (1, 2_000)]);
        let rebalance = self.one_of(200_000, &[(1, 2_u64), (1, 7)]);
        self.set("leader.imbalance.check.interval.seconds", rebalance);
        if real {
            let fixed = |name: &&str| !self.is_fixed(name);
            let names: Vec<&str> = TIMES.into_iter().filter(fixed).collect();
            for cluster in &mut self.scenario.clusters {
                names.iter().for_each(|name| cluster.broker.unset(name));
                names.iter().for_each(|name| cluster.controller.unset(name));
            }
            self.drawn.push("Kafka's time-outs".to_owned());
            return;
        }
        self.set("replica.lag.time.max.ms", lag);
        self.set("broker.session.timeout.ms", session);
        self.set("controller.quorum.fetch.timeout.ms", quorum);
    }

    /// Segments that roll during the run, and indexes with several entries.
    fn logs(&mut self) {
        let segment = self.number(400_000, 1_500, 40_000);
        let interval = self.number(400_000, 60, 2_000);
        let index = self.number(150_000, 24, 400);
        let roll = self.number(100_000, 500, 20_000);
        let checkpoint = self.number(150_000, 300, 10_000);
        let high_watermark = self.number(150_000, 100, 4_000);
        self.set("segment.bytes", segment);
        self.set("index.interval.bytes", interval);
        self.set("segment.index.bytes", index);
        self.set("segment.ms", roll);
        self.set("log.flush.offset.checkpoint.interval.ms", checkpoint);
        self.set("replica.high.watermark.checkpoint.interval.ms", high_watermark);
    }

    /// Followers that fetch few bytes at a time, or rarely.
    fn replication(&mut self) {
        let bytes = self.number(200_000, 100, 4_000);
        let response = self.number(100_000, 200, 8_000);
        let least = self.number(100_000, 2, 2_000);
        let wait = self.one_of(200_000, &[(1, 20_u64), (1, 100), (1, 400)]);
        self.set("replica.fetch.max.bytes", bytes);
        self.set("replica.fetch.response.max.bytes", response);
        self.set("replica.fetch.min.bytes", least);
        self.set("replica.fetch.wait.max.ms", wait);
    }

    /// Batches of various sizes, one request in flight, and records that expire before a broker
    /// returns.
    fn producers(&mut self) {
        let in_flight = self.one_of(300_000, &[(1, 1_u16)]);
        let batch = self.one_of(300_000, &[(1, 0_u64), (1, 300), (1, 2_000)]);
        let linger = self.one_of(200_000, &[(1, 0_u64), (1, 40)]);
        let delivery = self.number(200_000, 700, 5_000);
        let request = self.number(1_000_000, 300, 2_000);
        let retries = self.one_of(80_000, &[(1, 0_u64), (1, 2)]);
        let size = self.number(150_000, 16, 3_000);
        let keys = self.one_of(150_000, &[(1, 1_u64), (1, 20)]);
        let burst = self.one_of(150_000, &[(1, 1_u64), (1, 40)]);
        self.set("max.in.flight.requests.per.connection", in_flight);
        self.set("batch.size", batch);
        self.set("linger.ms", linger);
        if let (Some(delivery), Some(request)) = (delivery, request) {
            // Kafka requires a delivery time-out that is long enough for one request.
            let linger = self.scenario.producers.iter().map(|group| group.config().linger).max();
            let least = request + linger.unwrap_or_default().as_millis();
            // Consumers keep their time-out: below the half second for which a fetch may be parked,
            // no fetch of an idle partition would succeed. Brokers keep theirs as well, so that a
            // producer can give up while a broker still waits for another one.
            let consumers = self.scenario.consumers.clone();
            let clusters = self.scenario.clusters.clone();
            self.set("request.timeout.ms", Some(request));
            self.scenario.consumers = consumers;
            self.scenario.clusters = clusters;
            self.set("delivery.timeout.ms", Some(delivery.max(least)));
        }
        self.set("retries", retries);
        self.set("record.size", size);
        self.set("keys", keys);
        self.set("burst", burst);
    }

    /// Producers without idempotence, and brokers that soon forget idempotent producers.
    fn idempotence(&mut self) {
        let idempotence = self.one_of(500_000, &[(1, "false")]);
        let expiration = self.number(100_000, 1_000, 20_000);
        self.set("enable.idempotence", idempotence.filter(|_| !self.is_transactional()));
        if expiration.is_some() {
            self.set("producer.id.expiration.check.interval.ms", Some(500));
        }
        self.set("producer.id.expiration.ms", expiration);
    }

    /// Consumers that start late, fetch few bytes at a time, and seek.
    fn consumers(&mut self) {
        let count = self.one_of(200_000, &[(1, 2_u64), (1, 4)]);
        let partition_bytes = self.number(250_000, 1, 3_000);
        let bytes = self.number(150_000, 1, 6_000);
        let polled = self.one_of(200_000, &[(1, 1_u64), (1, 7)]);
        let late = self.number(200_000, 1_000, 15_000);
        let seeks = self.number(250_000, 1_000, 8_000);
        let to = *self.draw.pick(&[
            SeekTo::Beginning,
            SeekTo::End,
            SeekTo::Offset(50),
            SeekTo::Back(30),
        ]);
        self.set("consumers", count);
        self.set("max.partition.fetch.bytes", partition_bytes);
        self.set("max.poll.records", polled);
        for group in &mut self.scenario.consumers {
            // A broker has a property of the same name.
            if let Some(bytes) = bytes {
                let set = group.properties.set("fetch.max.bytes", &bytes.to_string());
                debug_assert!(set.is_ok(), "{bytes} is a number of bytes");
            }
            if let Some(late) = late {
                group.start = Time::millis(late);
            }
            if let Some(every) = seeks {
                let at = Time(group.start.0.saturating_add(Span::millis(every)));
                group.seeks.push(Seek { at, every: Some(Time::millis(every)), to });
            }
        }
        if !self.scenario.consumers.is_empty() {
            self.drawn.extend(bytes.map(|bytes| format!("fetch.max.bytes of consumers={bytes}")));
            self.drawn.extend(late.map(|late| format!("consumers start late: {late} ms")));
            self.drawn
                .extend(seeks.map(|every| format!("consumers seek: every {every} ms, {to:?}")));
        }
    }
}

impl Matrix {
    /// A metadata log without periodic no-op records, so that fetches of it return empty; several
    /// log directories. Returns whether there are several.
    fn rest(&mut self) -> bool {
        let idle = self.one_of(150_000, &[(2, 0_u64), (1, 3_000)]);
        let dirs = self.one_of(150_000, &[(2, "a,b"), (1, "a,b,c")]);
        self.set("metadata.max.idle.interval.ms", idle);
        self.set("log.dirs", dirs);
        dirs.is_some()
    }

    /// Requests with few batches, and brokers that soon stop if they cannot report the failure of
    /// one of several log directories to a controller.
    fn limits(&mut self, has_several_dirs: bool) {
        let request = self.number(150_000, 4_000, 16_000);
        let unreported = self.number(400_000, 300, 4_000);
        self.set("max.request.size", request);
        self.set("log.dir.failure.timeout.ms", unreported.filter(|_| has_several_dirs));
    }

    /// A client that is killed or shut down cleanly, and started again.
    fn clients_that_end(&mut self) {
        let is_drawn = self.draw.chance(150_000);
        let is_killed = self.draw.chance(600_000);
        let (at, lasts) = (self.draw.between(500, 12_000), self.draw.between(50, 4_000));
        let producers = self.scenario.producers.iter().map(|group| group.count);
        let consumers = self.scenario.consumers.iter().map(|group| group.count);
        let clients: u16 = producers.chain(consumers).sum();
        let index = self.draw.below(u64::from(clients));
        if !is_drawn || clients == 0 {
            return;
        }
        let client = 1001 + index as u16;
        let target = Target { cluster: None, role: Role::Client(client) };
        let kind: FaultKind<Target> = match is_killed {
            true => {
                let target = target.into();
                Crash { target, at_disk_operation: None, during_stop: false }.into()
            }
            false => Restart { target: target.into(), limit: None }.into(),
        };
        let what = if is_killed { "is killed" } else { "is stopped" };
        self.drawn.push(format!("a client {what}: {client} at {at} ms for {lasts} ms"));
        let (at, lasts) = (Some(Time::millis(at)), Some(Time::millis(lasts)));
        self.scenario.faults.push(Fault { name: None, at, when: None, lasts, kind });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::plan::swarm_faults;
    use std::collections::BTreeMap;

    fn swarm() -> Scenario {
        let (mut scenario, _) = catalog::scenario("swarm").expect("it is in the catalogue");
        scenario.swarm.as_mut().expect("it is a swarm").draw_settings = true;
        scenario
    }

    /// S1: each setting is drawn by some seeds, and the resulting scenarios are valid.
    #[test]
    fn every_setting_is_drawn_and_gives_a_valid_scenario() {
        let scenario = swarm();
        let mut seen: BTreeMap<String, u32> = BTreeMap::new();
        for seed in 0..3_000 {
            let (settled, drawn) = drawn(&scenario, seed);
            assert_eq!(settled.impossible(), None, "seed {seed}: {drawn:?}");
            assert_eq!((settled.clone(), drawn.clone()), super::drawn(&scenario, seed));
            for it in drawn {
                *seen.entry(name(&it).to_owned()).or_default() += 1;
            }
        }
        for name in [
            "nothing",
            "brokers",
            "controllers",
            "replication.factor",
            "min.insync.replicas",
            "eligible.leader.replicas.enable",
            "unclean.leader.election.enable",
            "acks",
            "flush.messages",
            "Kafka's time-outs",
            "replica.lag.time.max.ms",
            "broker.session.timeout.ms",
            "segment.bytes",
            "index.interval.bytes",
            "segment.index.bytes",
            "segment.ms",
            "replica.fetch.max.bytes",
            "max.in.flight.requests.per.connection",
            "batch.size",
            "delivery.timeout.ms",
            "retries",
            "enable.idempotence",
            "producer.id.expiration.ms",
            "transactional.id",
            "transactions",
            "transaction.state.log.replication.factor",
            "transaction.state.log.min.isr",
            "request.timeout.ms of brokers",
            "isolation.level",
            "record.size",
            "max.partition.fetch.bytes",
            "fetch.max.bytes of consumers",
            "consumers",
            "consumers start late",
            "consumers seek",
            "a client is killed",
            "a client is stopped",
            "metadata.max.idle.interval.ms",
            "log.dirs",
            "max.request.size",
            "log.dir.failure.timeout.ms",
        ] {
            assert!(seen.get(name).is_some_and(|count| *count > 50), "{name}: {seen:?}");
        }
        // Settings are counted by name, without their values.
        assert!(seen.len() < 100, "{seen:?}");
    }

    #[test]
    fn an_idle_leader_of_the_quorum_responds_in_time() {
        let scenario = swarm();
        for seed in 0..1_000 {
            let (settled, drawn) = drawn(&scenario, seed);
            let cluster = &settled.clusters[0];
            let timeouts = [
                cluster.controller.config().fetch_timeout,
                cluster.broker.config().quorum_fetch_timeout,
            ];
            let is_above = |timeout: &Span| *timeout > Span::millis(500);
            assert!(timeouts.iter().all(is_above), "seed {seed}: {drawn:?}");
        }
    }

    /// Groups have more faults.
    #[test]
    fn the_plan_of_faults_does_not_depend_on_drawn_settings() {
        let scenario = swarm();
        for seed in 0..50 {
            let (settled, _) = drawn(&scenario, seed);
            let (plan, with_groups) = (swarm_faults(&scenario, seed), swarm_faults(&settled, seed));
            assert!(plan.iter().all(|fault| with_groups.contains(fault)), "seed {seed}");
            let has_groups = settled.consumers.iter().any(|it| it.group.is_some());
            assert_eq!(with_groups.len() > plan.len(), has_groups, "seed {seed}");
        }
    }

    #[test]
    fn settings_made_by_hand_are_kept_and_change_no_others() {
        let mut fixed = swarm();
        let set = ["acks=1".to_owned(), "brokers=3".to_owned()];
        fixed.set_all(&set).expect("these can be set");
        let acks = spec::Setting::parse("acks=1").expect("a setting");
        for seed in 0..500 {
            let (settled, by_hand) = drawn(&fixed, seed);
            assert_eq!(settled.clusters[0].brokers, 3);
            assert!(settled.has(&acks));
            assert!(
                by_hand.iter().all(|it| !it.starts_with("acks=") && !it.starts_with("brokers="))
            );
        }
    }

    #[test]
    fn a_scenario_without_the_switch_is_unchanged() {
        let mut scenario = swarm();
        scenario.swarm.as_mut().expect("it is a swarm").draw_settings = false;
        for seed in 0..20 {
            assert_eq!(drawn(&scenario, seed), (scenario.clone(), Vec::new()));
        }
    }
}
