//! Settings of swarms with groups of consumers.
//!
//! They come from a stream of their own: neither the other settings of a seed nor the seeds without
//! groups depend on them. Not drawn, with the reason:
//!
//! | key or property | |
//! |---|---|
//! | `cluster`, `resend`, `rewind` | not about groups, or one cluster only |
//! | `offsets.retention.minutes`, `offsets.retention.check.interval.ms` | the least retention is a minute, which is longer than the load; `offset-reset-latest` and `offset-reset-earliest` wait for it |
//! | `offset.metadata.max.bytes` | applications commit without metadata, which every value allows |
//! | `group.max.session.timeout.ms` | a scenario with a longer session is refused |
//!
//! [`NOT_DRAWN`] has the properties of consumers.

use super::Matrix;
use engine::config::{ConsumerConfig, ProducerConfig};
use machine::Span;
use sim::Sample;
use spec::{
    Absence, Commit, CommitKind, Consumers, OnRevoke, Pipeline, Properties, Seek, SeekTo, Share,
    Table, Time, Topic,
};

/// Properties of consumers that members never get, and the reason.
#[cfg(test)]
pub(super) const NOT_DRAWN: &[(&str, &str)] = &[
    ("group.protocol", "swarms have the classic protocol; `kip848-rebalance` has the other one"),
    ("group.remote.assignor", "not a property of the classic protocol"),
    ("check.crcs", "a consumer that does not check CRCs returns what a corrupted disk holds"),
    ("reconnect.backoff.ms", "not about groups"),
    ("reconnect.backoff.max.ms", "not about groups"),
    ("retry.backoff.max.ms", "not about groups"),
    ("socket.connection.setup.timeout.ms", "not about groups"),
];

/// The topic of the results of drawn pipelines.
const RESULTS: &str = "results";

const RANGE: &str = "org.apache.kafka.clients.consumer.RangeAssignor";
const ROUND_ROBIN: &str = "org.apache.kafka.clients.consumer.RoundRobinAssignor";
const STICKY: &str = "org.apache.kafka.clients.consumer.StickyAssignor";
const COOPERATIVE: &str = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor";

/// Classes of assignors, in order of preference.
type Preferred = &'static [&'static str];

/// The assignors of the members of one table, and those of another table of the same group: each pair
/// has one in common, without which a coordinator refuses the members that come later.
const ASSIGNORS: &[(u64, (Preferred, Preferred))] = &[
    (4, (&[RANGE], &[RANGE])),
    (3, (&[ROUND_ROBIN], &[ROUND_ROBIN])),
    (3, (&[STICKY], &[STICKY])),
    (5, (&[COOPERATIVE], &[COOPERATIVE])),
    // The two steps in which a group moves on to the cooperative protocol (KIP-429).
    (2, (&[RANGE], &[COOPERATIVE, RANGE])),
    (2, (&[COOPERATIVE, RANGE], &[COOPERATIVE])),
    (1, (&[RANGE, COOPERATIVE], &[STICKY, COOPERATIVE])),
    (1, (&[ROUND_ROBIN, STICKY, RANGE], &[RANGE, STICKY])),
];

/// With one of these set by hand, no groups are drawn: records are lost then after groups have read them,
/// and others take their offsets, for which the permission table has no row of pipelines.
const LOSES_INPUTS: [&str; 2] = ["acks", "unclean.leader.election.enable"];

/// What the rest of a scenario allows its groups.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Some producers send in transactions.
    has_transactions: bool,
    /// A write to a replicated log takes long, because followers wait for more bytes.
    is_slow: bool,
    /// The minimum session time-out that brokers allow, in milliseconds.
    least_session: u64,
}

/// What members make of the records that they read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Makes {
    Nothing,
    Results,
    Transactions,
}

impl Matrix {
    /// Groups of consumers, and pipelines in some of them.
    pub(super) fn groups(&mut self, seed: u64) {
        self.draw = sim::stream(seed, "groups", 0);
        if !self.draw.chance(340_000) || self.has_groups() || self.scenario.topics.is_empty() {
            return;
        }
        if LOSES_INPUTS.iter().any(|name| self.is_fixed(name)) {
            return;
        }
        let before = (self.scenario.clone(), self.drawn.len());
        self.coordinators();
        let count = self.one_of(1_000_000, &[(6, 1_u64), (3, 2), (1, 3)]).unwrap_or(1);
        let mut producers = self.scenario.producers.iter();
        let clusters = &self.scenario.clusters;
        let mut brokers = clusters.iter().map(|it| it.broker.config());
        let room = Room {
            has_transactions: producers.any(|it| it.config().transactional_id.0.is_some()),
            is_slow: brokers.any(|it| it.replica_fetch_min_bytes > 1),
            least_session: clusters[0].broker.config().group_min_session_timeout.as_millis(),
        };
        let read: Vec<String> = self.scenario.topics.iter().map(|it| it.name.clone()).collect();
        self.drawn.push(format!("groups: {count}"));
        for number in 1..=count {
            self.group(&format!("app-{number}"), &read, room);
        }
        if self.scenario.impossible().is_some() {
            self.scenario = before.0;
            self.drawn.truncate(before.1);
        }
    }

    fn has_groups(&self) -> bool {
        self.scenario.consumers.iter().any(|it| it.group.is_some())
    }

    /// The partitions and replicas of `__consumer_offsets`, and the time-outs of coordinators.
    fn coordinators(&mut self) {
        let partitions =
            self.one_of(1_000_000, &[(3, 1_u32), (2, 2), (3, 5), (1, 16)]).unwrap_or(1);
        let factor = self.one_of(300_000, &[(1, 1_u32), (2, 2)]);
        let segment = self.number(150_000, 2_000, 40_000);
        let load = self.number(150_000, 100, 20_000);
        let commit = self.one_of(150_000, &[(1, 500_u64), (2, 1_500)]);
        let linger = self.one_of(300_000, &[(2, 0_u64), (1, 30)]);
        let delay = self.one_of(1_000_000, &[(2, 0_u64), (4, 300), (2, 1_000), (1, 3_000)]);
        let most = self.one_of(60_000, &[(1, 1_u32), (2, 2)]);
        let cluster = &self.scenario.clusters[0];
        let (brokers, has) = (u32::from(cluster.brokers), cluster.broker.config());
        let has = has.offsets_topic_replication_factor;
        let factor = factor.unwrap_or(has).min(brokers);
        self.set("offsets.topic.num.partitions", Some(partitions));
        self.set("offsets.topic.replication.factor", Some(factor).filter(|it| *it != has));
        self.set("offsets.topic.segment.bytes", segment);
        self.set("offsets.load.buffer.size", load);
        self.set("offsets.commit.timeout.ms", commit);
        self.set("group.coordinator.append.linger.ms", linger);
        self.set("group.initial.rebalance.delay.ms", delay);
        self.set("group.min.session.timeout.ms", Some(1_000));
        self.set("group.max.size", most);
    }

    /// One group: a table of members, or two that differ.
    fn group(&mut self, name: &str, read: &[String], room: Room) {
        let assignors = self.one_of(1_000_000, ASSIGNORS).unwrap_or(ASSIGNORS[0].1);
        let has_two = self.draw.chance(300_000);
        let session = self.one_of(1_000_000, &[(2, 1_500_u64), (3, 3_000), (2, 6_000)]);
        let session = session.unwrap_or(6_000).max(room.least_session);
        let poll = self.one_of(500_000, &[(2, 2_500_u64), (2, 6_000), (1, 20_000)]);
        let reset = self.one_of(1_000_000, &[(12, "earliest"), (4, "latest"), (1, "none")]);
        let pipeline = self.pipeline(name, room);
        let makes = match &pipeline {
            None => Makes::Nothing,
            Some(it) if it.is_transactional() => Makes::Transactions,
            Some(_) => Makes::Results,
        };
        let first = self.members(name, session, room, makes);
        let mut second = self.members(name, session, room, makes);
        // They also read the results of the pipelines of groups before this one.
        let follows = self.draw.chance(400_000);
        second.count = second.count.min(2);
        let mut tables = vec![(first, assignors.0)];
        if has_two {
            tables.push((second, assignors.1));
        }
        if pipeline.is_some() {
            self.add_results();
        }
        let is_pipeline = pipeline.is_some();
        let has_results = self.scenario.topics.iter().any(|topic| topic.name == RESULTS);
        for (place, (mut table, assignors)) in tables.into_iter().enumerate() {
            let id = |it: &str| format!("{name}-{it}-{}", place + 1);
            if has_results {
                table.topics = read.to_vec();
                // Only the first of two tables, so that subscriptions differ within the group.
                if follows && !is_pipeline && place == 0 {
                    table.topics.push(RESULTS.to_owned());
                }
            }
            self.put(
                &mut table.properties,
                "partition.assignment.strategy",
                Some(assignors.join(",")),
            );
            self.put(&mut table.properties, "max.poll.interval.ms", poll.map(|it| it.max(session)));
            self.put(&mut table.properties, "auto.offset.reset", reset);
            if table.properties.get("group.instance.id").is_some() {
                self.put(&mut table.properties, "group.instance.id", Some(id("s")));
            }
            table.pipeline = pipeline.clone().map(|mut pipeline| {
                if pipeline.is_transactional() {
                    let set = pipeline.properties.set("transactional.id", &id("tx"));
                    debug_assert!(set.is_ok(), "it is an id");
                }
                pipeline
            });
            self.say(&table);
            self.scenario.consumers.push(table);
        }
    }

    /// The members of one table, without what a whole group has in common.
    fn members(&mut self, name: &str, session: u64, room: Room, makes: Makes) -> Consumers {
        let count = self.one_of(1_000_000, &[(2, 1_u16), (3, 2), (3, 3), (2, 4)]).unwrap_or(2);
        let heartbeat = self.one_of(1_000_000, &[(3, 3_u64), (1, 6), (1, 15)]).unwrap_or(3);
        let (properties, commits_itself) = self.member_properties(session, heartbeat, room, makes);
        let commit = self.one_of(
            1_000_000,
            &[(5, Commit::After), (2, Commit::Before), (2, Commit::During), (1, Commit::Never)],
        );
        let is_async = self.draw.chance(400_000);
        let commit_every = self.one_of(300_000, &[(2, 2_u32), (1, 7)]).unwrap_or(1);
        let on_revoke = self.one_of(400_000, &[(1, OnRevoke::Commit), (1, OnRevoke::Nothing)]);
        let process_time = self.one_of(500_000, &[(2, 500_u64), (2, 2_000), (1, 6_000)]);
        let stagger = self.one_of(500_000, &[(1, 50_u64), (1, 700), (1, 3_000)]);
        let start = self.one_of(250_000, &[(1, 400_u64), (1, 5_000)]);
        let stop = self.number(80_000, 8_000, 26_000);
        let stalls = self.absences(300_000, count);
        let leaves = self.absences(300_000, count);
        let seeks = self.number(80_000, 2_000, 12_000);
        let to = *self.draw.pick(&[
            SeekTo::Beginning,
            SeekTo::End,
            SeekTo::Offset(40),
            SeekTo::Back(25),
            SeekTo::Ago(Time::secs(2)),
        ]);
        let ask_end = self.one_of(100_000, &[(1, 300_u64)]);
        let combined = self.draw.chance(150_000);
        let micros = |it: u64| Time(Span(it * 1_000));
        // A consumer that commits by itself needs no other commits; some applications commit as well.
        // Transactions have the offsets in them, and each input belongs to one.
        let is_free = makes != Makes::Transactions;
        let commit = commit.filter(|_| is_free && (!commits_itself || combined));
        let on_revoke = on_revoke.filter(|it| !commits_itself || *it == OnRevoke::Nothing);
        // Once: a member that takes long for its records would never reach the end between two seeks.
        let seek = |at: u64| Seek { at: Time::millis(at), every: None, to };
        Consumers {
            group: Some(name.to_owned()),
            count,
            commit,
            commit_kind: if is_async { CommitKind::Async } else { CommitKind::Sync },
            commit_every,
            on_revoke: on_revoke.filter(|_| is_free),
            process_time: process_time.map_or(Time::default(), micros),
            stagger: stagger.map_or(Time::default(), Time::millis),
            start: start.map_or(Time::default(), Time::millis),
            stop: stop.map(Time::millis),
            stalls,
            leaves,
            seeks: seeks.filter(|_| is_free).map(seek).into_iter().collect(),
            ask_end_every: ask_end.map(Time::millis),
            properties,
            ..Consumers::default()
        }
    }

    /// The properties of the members of one table, and whether they commit by themselves.
    fn member_properties(
        &mut self,
        session: u64,
        heartbeat: u64,
        room: Room,
        makes: Makes,
    ) -> (Properties<ConsumerConfig>, bool) {
        let by_itself = self.draw.chance(350_000);
        let interval = self.one_of(1_000_000, &[(2, 100_u64), (2, 700), (1, 5_000)]);
        let is_static = self.draw.chance(250_000);
        let api = self.one_of(250_000, &[(1, 1_500_u64), (2, 5_000)]);
        let polled = self.one_of(300_000, &[(1, 1_u64), (2, 10), (2, 60)]);
        let bytes = self.number(150_000, 1, 6_000);
        let of_partition = self.number(150_000, 1, 3_000);
        let least = self.number(100_000, 2, 2_000);
        let wait = self.one_of(150_000, &[(1, 50_u64), (1, 200)]);
        let isolation = self.one_of(500_000, &[(1, "read_committed")]);
        let age = self.one_of(100_000, &[(1, 2_000_u64)]);
        let retry = self.one_of(100_000, &[(1, 20_u64), (1, 500)]);
        let is_kept = |name: &str| self.is_fixed(name) || name == "request.timeout.ms";
        let mut own: Properties<ConsumerConfig> = Properties::default();
        // What was set by hand for the consumers of the file is meant for these as well.
        let of_file = self.scenario.consumers.first().map(|it| it.properties.clone());
        for (name, value) in of_file.iter().flat_map(Properties::iter) {
            if is_kept(name) {
                let set = own.set(name, value);
                debug_assert!(set.is_ok(), "{name} has this value in the file");
            }
        }
        // A commit for every few records takes longer than the load if each waits for followers, or is
        // a transaction.
        let polled = polled.filter(|it| *it >= 60 || !room.is_slow && makes == Makes::Nothing);
        let by_itself = by_itself && makes != Makes::Transactions;
        self.put(&mut own, "session.timeout.ms", Some(session));
        self.put(&mut own, "heartbeat.interval.ms", Some(session / heartbeat));
        self.put(&mut own, "enable.auto.commit", Some(by_itself));
        self.put(&mut own, "auto.commit.interval.ms", interval.filter(|_| by_itself));
        self.put(&mut own, "group.instance.id", Some("s").filter(|_| is_static));
        self.put(&mut own, "default.api.timeout.ms", api);
        self.put(&mut own, "max.poll.records", polled);
        self.put(&mut own, "fetch.max.bytes", bytes);
        self.put(&mut own, "max.partition.fetch.bytes", of_partition);
        self.put(&mut own, "fetch.min.bytes", least);
        self.put(&mut own, "fetch.max.wait.ms", wait);
        self.put(&mut own, "isolation.level", isolation);
        self.put(&mut own, "metadata.max.age.ms", age);
        self.put(&mut own, "retry.backoff.ms", retry);
        let by_itself = own.config().enable_auto_commit;
        (own, by_itself)
    }

    /// A pipeline, mostly a transactional one, and more often beside other transactions.
    fn pipeline(&mut self, name: &str, room: Room) -> Option<Pipeline> {
        let share = if room.has_transactions { 600_000 } else { 200_000 };
        let is_drawn = self.draw.chance(share);
        // A transaction has six writes, one after another: if each waits for followers, it takes longer than
        // its time-out, and is aborted again and again.
        let is_transactional =
            !room.is_slow & self.draw.chance(if room.has_transactions { 900_000 } else { 500_000 });
        let results = self.one_of(250_000, &[(2, 2_u32), (1, 3)]).unwrap_or(1);
        let aborted = self.one_of(500_000, &[(2, 50_000_u32), (1, 300_000)]);
        let timeout = self.one_of(1_000_000, &[(1, 2_000_u64), (2, 5_000), (1, 10_000)]);
        let linger = self.one_of(300_000, &[(1, 0_u64), (1, 30)]);
        let batch = self.one_of(200_000, &[(1, 0_u64), (1, 400)]);
        // A broker refuses a batch above `segment.bytes` for good: its records would be read again and again.
        let clusters = self.scenario.clusters.iter();
        let segment = clusters.map(|it| it.topic.config().segment_bytes).min().unwrap_or(u32::MAX);
        let batch = batch.or((segment < 32_000).then_some(800));
        let in_flight = self.one_of(200_000, &[(1, 1_u16)]);
        let idempotence = self.one_of(300_000, &[(1, "false")]);
        let acks = self.one_of(150_000, &[(1, "1")]);
        if !is_drawn {
            return None;
        }
        let mut own: Properties<ProducerConfig> = Properties::default();
        let of_file = self.scenario.producers.first().map(|it| it.properties.clone());
        for (key, value) in of_file.iter().flat_map(Properties::iter) {
            if self.is_fixed(key) && key != "transactional.id" {
                let set = own.set(key, value);
                debug_assert!(set.is_ok(), "{key} has this value in the file");
            }
        }
        self.put(&mut own, "request.timeout.ms", Some(1_500));
        self.put(&mut own, "delivery.timeout.ms", Some(8_000));
        self.put(&mut own, "max.block.ms", Some(8_000));
        self.put(&mut own, "linger.ms", linger);
        self.put(&mut own, "batch.size", batch);
        self.put(&mut own, "max.in.flight.requests.per.connection", in_flight);
        if is_transactional {
            self.state_log(None, None);
            self.set(
                "transaction.state.log.num.partitions",
                Some(3).filter(|_| !room.has_transactions),
            );
            self.set("transaction.abort.timed.out.transaction.cleanup.interval.ms", Some(1_000));
            self.put(&mut own, "transaction.timeout.ms", timeout);
            self.put(&mut own, "transactional.id", Some(name));
        } else {
            let idempotence = idempotence.or(acks.map(|_| "false"));
            self.put(&mut own, "enable.idempotence", idempotence);
            self.put(&mut own, "acks", acks);
        }
        let mut pipeline =
            Pipeline { to: RESULTS.to_owned(), results, properties: own, ..Pipeline::default() };
        if pipeline.is_transactional() {
            pipeline.aborted = Share(aborted.unwrap_or(0));
        }
        Some(pipeline)
    }

    /// The topic of results, with as many replicas as the topics of the file. All other clients
    /// continue to read and write those of the file.
    fn add_results(&mut self) {
        let partitions = self.one_of(1_000_000, &[(2, 1_u32), (2, 2), (1, 4)]).unwrap_or(1);
        let topics = &self.scenario.topics;
        if topics.iter().any(|topic| topic.name == RESULTS) {
            return;
        }
        let of_file: Vec<String> = topics.iter().map(|topic| topic.name.clone()).collect();
        let replication_factor = topics.iter().map(|topic| topic.replication_factor).max();
        let writes = self.scenario.producers.iter_mut().map(|it| &mut it.topics);
        let reads = self.scenario.consumers.iter_mut().map(|it| &mut it.topics);
        for topics in writes.chain(reads).filter(|topics| topics.is_empty()) {
            topics.clone_from(&of_file);
        }
        self.scenario.topics.push(Topic {
            name: RESULTS.to_owned(),
            cluster: None,
            partitions,
            replication_factor: replication_factor.unwrap_or(1),
            assignments: Vec::new(),
            created_at: None,
            properties: Properties::default(),
        });
    }

    /// Members that are away now and then, with a probability of `ppm` parts per million.
    fn absences(&mut self, ppm: u32, count: u16) -> Vec<Absence> {
        let is_drawn = self.draw.chance(ppm);
        let at = self.draw.between(2_000, 20_000);
        let lasts = self.number(1_000_000, 200, 12_000).unwrap_or(1_000);
        let every = self.one_of(300_000, &[(1, 4_000_u64), (1, 9_000)]);
        let members = self.one_of(600_000, &[(3, 1_u16), (1, 2)]);
        let stagger = self.one_of(400_000, &[(1, 100_u64), (1, 1_500)]);
        let absence = Absence {
            at: Time::millis(at),
            lasts: Time::millis(lasts),
            every: every.map(Time::millis),
            members: members.map(|it| it.min(count)),
            stagger: stagger.map(Time::millis),
        };
        is_drawn.then_some(absence).into_iter().collect()
    }

    /// Sets a drawn property of one table, unless it was set by hand.
    fn put<T: Table>(&self, of: &mut Properties<T>, name: &str, value: Option<impl ToString>) {
        let Some(value) = value.filter(|_| !self.is_fixed(name)) else { return };
        let set = of.set(name, &value.to_string());
        debug_assert!(set.is_ok(), "{name} can have this value");
    }

    /// Records what was drawn for a table, in words.
    fn say(&mut self, table: &Consumers) {
        let mut words =
            vec![format!("group: {} of {}", table.count, table.group.as_deref().unwrap_or(""))];
        if table.config().enable_auto_commit {
            words.push("enable.auto.commit=true".to_owned());
        }
        if table.pipeline.is_none() {
            let (commit, kind, every) = (table.commit(), table.commit_kind, table.commit_every);
            words.push(format!("commit: {commit:?}, {kind:?}, every {every}").to_lowercase());
            words.push(format!("on_revoke: {:?}", table.on_revoke()).to_lowercase());
        }
        let whole = |name: &str| table.properties.get(name).map(|value| format!("{name}={value}"));
        let short = |it: String| it.replace("org.apache.kafka.clients.consumer.", "");
        words.extend(
            ConsumerConfig::NAMES
                .iter()
                .filter(|name| !matches!(**name, "enable.auto.commit" | "request.timeout.ms"))
                .filter_map(|name| whole(name).map(short)),
        );
        for (name, time) in [
            ("process_time", table.process_time),
            ("stagger", table.stagger),
            ("start", table.start),
            ("stop", table.stop.unwrap_or_default()),
        ] {
            if time > Time::default() {
                words.push(format!("{name}: {time}"));
            }
        }
        for (name, absences) in [("stalls", &table.stalls), ("leaves", &table.leaves)] {
            words
                .extend(absences.iter().map(|it| format!("{name}: at {} for {}", it.at, it.lasts)));
        }
        words.extend(table.seeks.iter().map(|seek| format!("members seek: {:?}", seek.to)));
        words.extend(table.ask_end_every.map(|every| format!("ask_end_every: {every}")));
        if let Some(pipeline) = &table.pipeline {
            let how =
                if pipeline.is_transactional() { "pipeline in transactions" } else { "pipeline" };
            words
                .push(format!("{how}: {} results, {} aborted", pipeline.results, pipeline.aborted));
        }
        self.drawn.extend(words);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog;
    use crate::plan::settings::{self, drawn, name};
    use spec::Scenario;
    use std::collections::BTreeMap;

    fn swarm() -> Scenario {
        catalog::scenario("swarm").expect("it is in the catalogue").0
    }

    fn members(scenario: &Scenario) -> Vec<&Consumers> {
        scenario.consumers.iter().filter(|it| it.group.is_some()).collect()
    }

    /// Every key and property of members and coordinators is drawn, or has a reason why not.
    #[test]
    fn all_that_a_file_says_about_groups_is_drawn() {
        let scenario = swarm();
        let (mut seen, mut with_groups): (BTreeMap<String, u32>, u32) = (BTreeMap::new(), 0);
        for seed in 0..3_000 {
            let (settled, words) = drawn(&scenario, seed);
            let tables = members(&settled);
            with_groups += u32::from(!tables.is_empty());
            words.iter().for_each(|it| *seen.entry(name(it).to_owned()).or_default() += 1);
            for table in tables {
                for (name, _) in table.properties.iter() {
                    *seen.entry(name.to_owned()).or_default() += 1;
                }
                let drawn = table.properties.get("partition.assignment.strategy").unwrap_or("");
                *seen.entry(drawn.to_owned()).or_default() += 1;
            }
        }
        assert!((900..1_150).contains(&with_groups), "{with_groups} of 3000");
        let own = [
            "groups",
            "group",
            "commit",
            "on_revoke",
            "process_time",
            "stagger",
            "start",
            "stop",
            "stalls",
            "leaves",
            "members seek",
            "ask_end_every",
            "pipeline",
            "pipeline in transactions",
            "offsets.topic.num.partitions",
            "offsets.topic.replication.factor",
            "offsets.topic.segment.bytes",
            "offsets.load.buffer.size",
            "offsets.commit.timeout.ms",
            "group.coordinator.append.linger.ms",
            "group.initial.rebalance.delay.ms",
            "group.min.session.timeout.ms",
            "group.max.size",
        ];
        let is_drawn = |name: &str| NOT_DRAWN.iter().all(|(not, _)| *not != name);
        let properties = ConsumerConfig::NAMES.iter().copied().filter(|name| is_drawn(name));
        let lists = ASSIGNORS.iter().flat_map(|(_, (one, other))| [one.join(","), other.join(",")]);
        let lists: Vec<String> = lists.collect();
        for name in own.into_iter().chain(properties).chain(lists.iter().map(String::as_str)) {
            assert!(seen.get(name).is_some_and(|count| *count >= 5), "{name}: {seen:?}");
        }
    }

    #[test]
    fn members_of_a_group_have_an_assignor_in_common() {
        for (_, (one, other)) in ASSIGNORS {
            assert!(one.iter().any(|it| other.contains(it)), "{one:?} {other:?}");
        }
    }

    /// Seeds without groups are what they would be if there were none to draw.
    #[test]
    fn groups_change_nothing_else() {
        let scenario = swarm();
        for seed in 0..300 {
            let (settled, words) = drawn(&scenario, seed);
            if members(&settled).is_empty() {
                continue;
            }
            let mut without = settled;
            without.consumers.retain(|it| it.group.is_none());
            let of_groups = words.iter().position(|it| it.starts_with("groups:"));
            let before = &words[..of_groups.expect("it has groups")];
            assert!(before.iter().all(|it| settings::name(it) != "group"), "{before:?}");
            assert_eq!(without.consumers.len(), scenario.consumers.len());
        }
    }

    /// What is set by hand is set for members as well.
    #[test]
    fn settings_made_by_hand_are_those_of_members() {
        let mut fixed = swarm();
        let set = ["isolation.level=read_committed", "session.timeout.ms=9000"];
        fixed.set_all(&set.map(str::to_owned)).expect("these can be set");
        let mut tables = 0;
        for seed in 0..100 {
            let (settled, words) = drawn(&fixed, seed);
            for table in members(&settled) {
                tables += 1;
                assert_eq!(table.properties.get("session.timeout.ms"), Some("9000"), "{words:?}");
                let isolation = table.properties.get("isolation.level");
                assert_eq!(isolation, Some("read_committed"), "{words:?}");
            }
        }
        assert!(tables > 20, "{tables}");
    }
}
