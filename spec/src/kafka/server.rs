//! Cross-checks of brokers, topics and groups.

use super::refusal::{Refusal, Set};
use super::relation::Relation;

const KAFKA_CONFIG: &str = "KafkaConfig";
const COORDINATOR: &str = "GroupCoordinatorConfig";

/// `KafkaConfig.validateValues` and the classes that `KafkaConfig` is made of.
pub(super) fn broker(set: &Set<'_>) -> Option<Refusal> {
    coordinator(set)
        .or_else(|| share(set))
        .or_else(|| roles(set))
        .or_else(|| log(set))
        .or_else(|| replication(set))
        .or_else(|| connections(set))
        .or_else(|| listeners(set))
}

/// Heartbeats and sessions of the kinds of groups, in the order in which Kafka checks them.
const GROUPS: &[Relation] = &[
    Relation::at_most(
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    Relation::at_most(
        "group.consumer.min.heartbeat.interval.ms",
        "group.consumer.heartbeat.interval.ms",
    ),
    Relation::at_most(
        "group.consumer.heartbeat.interval.ms",
        "group.consumer.max.heartbeat.interval.ms",
    ),
    Relation::at_most(
        "group.consumer.min.session.timeout.ms",
        "group.consumer.max.session.timeout.ms",
    ),
    Relation::at_most("group.consumer.min.session.timeout.ms", "group.consumer.session.timeout.ms"),
    Relation::at_most("group.consumer.session.timeout.ms", "group.consumer.max.session.timeout.ms"),
    Relation::below("group.consumer.heartbeat.interval.ms", "group.consumer.session.timeout.ms"),
    Relation::at_most(
        "group.share.min.heartbeat.interval.ms",
        "group.share.max.heartbeat.interval.ms",
    ),
    Relation::at_most("group.share.min.heartbeat.interval.ms", "group.share.heartbeat.interval.ms"),
    Relation::at_most("group.share.heartbeat.interval.ms", "group.share.max.heartbeat.interval.ms"),
    Relation::at_most("group.share.min.session.timeout.ms", "group.share.max.session.timeout.ms"),
    Relation::at_most("group.share.min.session.timeout.ms", "group.share.session.timeout.ms"),
    Relation::at_most("group.share.session.timeout.ms", "group.share.max.session.timeout.ms"),
    Relation::below("group.share.heartbeat.interval.ms", "group.share.session.timeout.ms"),
    Relation::at_most(
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    Relation::at_most(
        "group.streams.min.heartbeat.interval.ms",
        "group.streams.heartbeat.interval.ms",
    ),
    Relation::at_most(
        "group.streams.heartbeat.interval.ms",
        "group.streams.max.heartbeat.interval.ms",
    ),
    Relation::at_most(
        "group.streams.min.session.timeout.ms",
        "group.streams.max.session.timeout.ms",
    ),
    Relation::at_most("group.streams.min.session.timeout.ms", "group.streams.session.timeout.ms"),
    Relation::at_most("group.streams.session.timeout.ms", "group.streams.max.session.timeout.ms"),
    Relation::at_most("group.streams.num.standby.replicas", "group.streams.max.standby.replicas"),
    Relation::below("group.streams.heartbeat.interval.ms", "group.streams.session.timeout.ms"),
];

fn coordinator(set: &Set<'_>) -> Option<Refusal> {
    const CODECS: [&str; 2] =
        ["offsets.topic.compression.codec", "share.coordinator.state.topic.compression.codec"];
    const ASSIGNORS: &str = "group.share.assignors";
    const PROTOCOLS: &str = "group.coordinator.rebalance.protocols";
    for codec in CODECS {
        if !(0..=4).contains(&set.whole(codec)?) {
            let rule = format!("`{codec}` has to be the number of a compression, from 0 to 4");
            return Some(set.refuse(&[codec], rule, "CompressionType"));
        }
    }
    if let Some(refusal) = GROUPS.iter().find_map(|relation| relation.check(set, COORDINATOR)) {
        return Some(refusal);
    }
    if set.list(ASSIGNORS).len() != 1 {
        let rule = format!("`{ASSIGNORS}` has to name exactly one assignor");
        return Some(set.refuse(&[ASSIGNORS], rule, COORDINATOR));
    }
    for name in ["group.consumer.assignors", ASSIGNORS] {
        // Built in, or the name of a class, which has a package.
        let known = |item: &String| {
            ["uniform", "range", "simple"].contains(&item.as_str()) || item.contains('.')
        };
        if !set.list(name).iter().all(known) {
            let rule = format!("`{name}` has to name assignors that Kafka finds");
            return Some(set.refuse(&[name], rule, COORDINATOR));
        }
    }
    if !set.list(PROTOCOLS).iter().any(|protocol| protocol == "classic") {
        let rule = format!("`{PROTOCOLS}` has to contain `classic`");
        return Some(set.refuse(&[PROTOCOLS], rule, KAFKA_CONFIG));
    }
    None
}

fn share(set: &Set<'_>) -> Option<Refusal> {
    const SNAPSHOT: &str = "share.coordinator.snapshot.update.records.per.snapshot";
    const RELATIONS: &[Relation] = &[
        Relation::at_most(
            "group.share.min.record.lock.duration.ms",
            "group.share.record.lock.duration.ms",
        ),
        Relation::at_most(
            "group.share.record.lock.duration.ms",
            "group.share.max.record.lock.duration.ms",
        ),
        Relation::at_most("group.share.max.size", "group.share.max.share.sessions"),
    ];
    let relations = RELATIONS.iter().find_map(|it| it.check(set, "ShareGroupConfig"));
    relations.or_else(|| {
        let snapshot = set.whole(SNAPSHOT)?;
        (!(0..=500).contains(&snapshot)).then(|| {
            let rule = format!("`{SNAPSHOT}` has to be from 0 to 500");
            set.refuse(&[SNAPSHOT], rule, "ShareCoordinatorConfig")
        })
    })
}

fn roles(set: &Set<'_>) -> Option<Refusal> {
    const ROLES: &str = "process.roles";
    let roles = set.list(ROLES);
    if roles.iter().enumerate().any(|(i, role)| roles[..i].contains(role)) {
        return Some(set.refuse(&[ROLES], format!("`{ROLES}` names a role twice"), KAFKA_CONFIG));
    }
    let (node, broker) = ("node.id", "broker.id");
    if set.is_set(node) && set.is_set(broker) && set.whole(node) != set.whole(broker) {
        let rule = format!("`{node}` and `{broker}` have to be the same");
        return Some(set.refuse(&[node, broker], rule, KAFKA_CONFIG));
    }
    None
}

/// Segments, retention and the log cleaner.
fn log(set: &Set<'_>) -> Option<Refusal> {
    for (name, least) in [("log.roll.ms", 1), ("log.roll.jitter.ms", 0)] {
        if set.whole(name).is_some_and(|millis| millis < least) {
            let rule = format!("`{name}` has to be at least {least}");
            return Some(set.refuse(&[name], rule, KAFKA_CONFIG));
        }
    }
    const RETENTION: [&str; 3] =
        ["log.retention.ms", "log.retention.minutes", "log.retention.hours"];
    // The property with the finest unit takes precedence.
    if let Some(name) = RETENTION.into_iter().find(|name| set.whole(name).is_some())
        && set.whole(name) == Some(0)
    {
        let rule = "`log.retention.ms`, or minutes or hours, has to be at least 1, or -1 for \
                    ever";
        let names = if name == RETENTION[0] { vec![name] } else { vec![name, RETENTION[0]] };
        return Some(set.refuse(&names, rule, KAFKA_CONFIG));
    }
    for name in ["log.dirs", "log.dir"] {
        if set.text(name).is_some_and(|dirs| dirs.split(',').all(|dir| dir.trim().is_empty())) {
            let rule = format!("`{name}` has to name at least one directory");
            return Some(set.refuse(&[name], rule, KAFKA_CONFIG));
        }
        if set.text(name).is_some() {
            break;
        }
    }
    const BUFFER: &str = "log.cleaner.dedupe.buffer.size";
    const THREADS: &str = "log.cleaner.threads";
    let (buffer, threads) = (set.whole(BUFFER)?, set.whole(THREADS)?);
    if threads == 0 || buffer / threads <= 1024 * 1024 {
        let rule = format!("`{BUFFER}` has to be more than 1 MiB for each of `{THREADS}`");
        return Some(set.refuse(&[BUFFER, THREADS], rule, KAFKA_CONFIG));
    }
    // Checked when the broker opens its logs (`LogConfig.validateBrokerLogConfigValues`).
    Relation::at_most("log.cleaner.min.compaction.lag.ms", "log.cleaner.max.compaction.lag.ms")
        .check(set, "LogConfig")
}

fn replication(set: &Set<'_>) -> Option<Refusal> {
    ["replica.socket.timeout.ms", "replica.lag.time.max.ms"].into_iter().find_map(|larger| {
        Relation::at_most("replica.fetch.wait.max.ms", larger).check(set, KAFKA_CONFIG)
    })
}

fn connections(set: &Set<'_>) -> Option<Refusal> {
    const QUEUED: &str = "queued.max.request.bytes";
    const LARGEST: &str = "socket.request.max.bytes";
    if set.whole(QUEUED)? > 0 && set.whole(QUEUED)? < set.whole(LARGEST)? {
        let rule = format!("`{QUEUED}`, where it is above 0, has to be at least `{LARGEST}`");
        return Some(set.refuse(&[QUEUED, LARGEST], rule, KAFKA_CONFIG));
    }
    const PER_IP: &str = "max.connections.per.ip";
    const OVERRIDES: &str = "max.connections.per.ip.overrides";
    let overrides = set.text(OVERRIDES).unwrap_or_default();
    let entries: Vec<&str> =
        overrides.split(',').map(str::trim).filter(|e| !e.is_empty()).collect();
    if set.whole(PER_IP)? == 0 && entries.is_empty() {
        let rule = format!("`{PER_IP}` can be 0 only where `{OVERRIDES}` is set");
        return Some(set.refuse(&[PER_IP, OVERRIDES], rule, KAFKA_CONFIG));
    }
    let is_host = |host: &str| {
        !host.is_empty() && host.chars().all(|c| c.is_ascii_alphanumeric() || "-%._:".contains(c))
    };
    let is_entry = |entry: &&str| {
        entry.rsplit_once(':').is_some_and(|(host, n)| is_host(host) && n.parse::<i32>().is_ok())
    };
    if !entries.iter().all(is_entry) {
        let rule = format!("`{OVERRIDES}` has to list hosts and numbers, such as `localhost:100`");
        return Some(set.refuse(&[OVERRIDES], rule, KAFKA_CONFIG));
    }
    const IDLE: &str = "connections.max.idle.ms";
    if set.whole(IDLE)? < 0 {
        return None;
    }
    Relation::below("connection.failed.authentication.delay.ms", IDLE).check(set, KAFKA_CONFIG)
}

const PROTOCOLS: [&str; 4] = ["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

fn listeners(set: &Set<'_>) -> Option<Refusal> {
    const LISTENER: &str = "inter.broker.listener.name";
    const PROTOCOL: &str = "security.inter.broker.protocol";
    if set.is_set(LISTENER) && set.is_set(PROTOCOL) {
        let rule = format!("only one of `{LISTENER}` and `{PROTOCOL}` can be set");
        return Some(set.refuse(&[LISTENER, PROTOCOL], rule, "AbstractKafkaConfig"));
    }
    const MAP: &str = "listener.security.protocol.map";
    let map = set.text(MAP).unwrap_or_default();
    let is_mapping = |entry: &str| {
        let mapped = entry.split_once(':').map(|(_, protocol)| protocol.trim().to_uppercase());
        mapped.is_some_and(|protocol| PROTOCOLS.contains(&protocol.as_str()))
    };
    if map.split(',').any(|entry| !entry.trim().is_empty() && !is_mapping(entry)) {
        let rule = format!("`{MAP}` has to map listeners to one of {}", PROTOCOLS.join(", "));
        return Some(set.refuse(&[MAP], rule, "AbstractKafkaConfig"));
    }
    const ADVERTISED: &str = "advertised.listeners";
    if set.text(ADVERTISED).is_some_and(|listeners| listeners.contains("//0.0.0.0:")) {
        let rule = format!("`{ADVERTISED}` cannot name 0.0.0.0, which nothing can connect to");
        return Some(set.refuse(&[ADVERTISED], rule, KAFKA_CONFIG));
    }
    const MECHANISM: &str = "sasl.mechanism.inter.broker.protocol";
    const ENABLED: &str = "sasl.enabled.mechanisms";
    let mechanism = set.text(MECHANISM).unwrap_or_default();
    if set.text(PROTOCOL).is_some_and(|protocol| protocol.starts_with("SASL"))
        && !set.list(ENABLED).contains(&mechanism)
    {
        let rule = format!("`{MECHANISM}` has to be one of `{ENABLED}` where brokers use SASL");
        return Some(set.refuse(&[PROTOCOL, MECHANISM, ENABLED], rule, KAFKA_CONFIG));
    }
    None
}

/// `LogConfig.validateValues`.
pub(super) fn topic(set: &Set<'_>) -> Option<Refusal> {
    Relation::at_most("min.compaction.lag.ms", "max.compaction.lag.ms").check(set, "LogConfig")
}

/// `GroupConfig.validateValues`, under the broker's default bounds.
pub(super) fn group(set: &Set<'_>) -> Option<Refusal> {
    ["consumer", "share", "streams"].into_iter().find_map(|kind| {
        let (heartbeat, session) =
            (format!("{kind}.heartbeat.interval.ms"), format!("{kind}.session.timeout.ms"));
        for (name, from, to) in [(&heartbeat, 5_000, 15_000), (&session, 45_000, 60_000)] {
            if !(from..=to).contains(&set.whole(name)?) {
                let rule = format!(
                    "`{name}` has to be from `group.{kind}.min` to `group.{kind}.max` of it, which \
                     are {from} and {to} by default"
                );
                return Some(set.refuse(&[name], rule, "GroupConfig"));
            }
        }
        None
    })
}
