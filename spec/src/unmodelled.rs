//! Kafka properties that Faultline does not model: what it does instead, and the values that a
//! scenario may still set because Faultline behaves that way anyway.

use super::kafka::{Scope, fact, facts};
use super::properties::is_modelled;

/// Properties of an unmodelled part of Kafka.
struct Absent {
    /// Names; a name with a `*` at its end stands for all names that begin with it.
    names: &'static [&'static str],
    /// What Faultline does instead, as a sentence without a full stop.
    instead: &'static str,
}

const GROUPS: &str = "groups use the classic protocol here, and nothing else of groups can be set";
const GROUP_ID: &str = "`group = \"name\"` in `[[consumers]]` makes them members of a group";
const TRANSACTIONS: &str = "transactions are modelled without this";
const DELETION: &str = "nothing is deleted or compacted here";
const COMPRESSION: &str = "records are not compressed here";
const PLAIN: &str = "connections are neither encrypted nor authenticated here";
const ADDRESSES: &str = "nodes get their ids, addresses and roles from Faultline";
const THREADS: &str = "a node has one thread of each kind here";
const METRICS: &str = "nodes report no metrics here";
const CLASSES: &str = "user-supplied classes are not run here";
const SOCKETS: &str = "`[network]` of a scenario file describes links; their buffers have no size";
const CONNECTIONS: &str = "connections are not limited, and do not close because they are idle";
const SETUP: &str =
    "every attempt to connect has the same limit, `socket.connection.setup.timeout.ms`";
const QUOTAS: &str = "there are no quotas here";
const TIERED: &str = "there is no tiered storage here";
const TOPICS: &str = "a scenario has the topics that its file names";
const SNAPSHOTS: &str = "the metadata log is kept whole here, in one segment and without snapshots";
const PURGATORY: &str = "a parked request is removed as soon as its response is sent";
const REBOOTSTRAP: &str = "clients always know the addresses of all nodes here";

#[rustfmt::skip]
const ABSENT: &[Absent] = &[
    Absent { names: &["transaction.two.phase.commit.enable", "internal.throw.on.fetch.stable.offset.unsupported"], instead: TRANSACTIONS },
    Absent { names: &["group.id"], instead: GROUP_ID },
    Absent { names: &["group.*", "offsets.*", "share.*", "streams.*", "consumer.*", "internal.leave.group.on.close"], instead: GROUPS },
    Absent { names: &["compression.*"], instead: COMPRESSION },
    Absent { names: &["cleanup.policy", "retention.*", "delete.retention.ms", "file.delete.delay.ms", "min.compaction.lag.ms", "max.compaction.lag.ms", "min.cleanable.dirty.ratio", "log.cleanup.policy", "log.retention.*", "log.cleaner.*", "log.segment.delete.delay.ms", "log.initial.task.delay.ms", "log.flush.start.offset.checkpoint.interval.ms", "delete.records.purgatory.purge.interval.requests", "delete.topic.enable"], instead: DELETION },
    Absent { names: &["remote.*", "local.retention.*", "log.local.retention.*"], instead: TIERED },
    Absent { names: &["sasl.*", "ssl.*", "security.*", "delegation.*", "connections.max.reauth.ms", "connection.failed.authentication.delay.ms", "authorizer.class.name", "principal.builder.class"], instead: PLAIN },
    Absent { names: &["client.rack", "replica.selector.class"], instead: "consumers read from leaders only" },
    Absent { names: &["broker.rack"], instead: "set `racks = [\"a\", \"b\"]` in the cluster of the scenario file" },
    Absent { names: &["default.replication.factor"], instead: "`replication.factor` sets it for all topics" },
    Absent { names: &["num.partitions"], instead: "`partitions` sets it for all topics" },
    Absent { names: &["auto.create.topics.enable", "allow.auto.create.topics", "exclude.internal.topics"], instead: TOPICS },
    Absent { names: &["bootstrap.*", "node.id", "broker.id", "process.roles", "listeners", "advertised.listeners", "early.start.listeners", "listener.*", "controller.listener.names", "controller.quorum.bootstrap.servers", "controller.quorum.voters", "inter.broker.listener.name", "client.id", "client.dns.lookup"], instead: ADDRESSES },
    Absent { names: &["server.max.startup.time.ms"], instead: "a node may take any time to start here" },
    Absent { names: &["num.*", "background.threads"], instead: THREADS },
    Absent { names: &["queued.max.*"], instead: "the queue of received requests has no limit here" },
    Absent { names: &["metric*", "kafka.metrics.*", "enable.metrics.push", "telemetry.max.bytes", "controller.performance.*"], instead: METRICS },
    Absent { names: &["interceptor.classes", "key.*", "value.*", "create.topic.policy.class.name", "alter.config.policy.class.name"], instead: CLASSES },
    Absent { names: &["receive.buffer.bytes", "send.buffer.bytes", "socket.receive.buffer.bytes", "socket.send.buffer.bytes", "socket.listen.backlog.size", "replica.socket.receive.buffer.bytes"], instead: SOCKETS },
    Absent { names: &["connections.max.idle.ms", "max.connection*"], instead: CONNECTIONS },
    Absent { names: &["socket.connection.setup.timeout.max.ms"], instead: SETUP },
    Absent { names: &["socket.request.max.bytes", "max.request.partition.size.limit"], instead: "brokers accept requests of any size here; batches are limited by `max.message.bytes`" },
    Absent { names: &["quota.*", "client.quota.callback.class", "controller.quota.*", "replication.quota.*", "alter.log.dirs.replication.quota.*", "leader.replication.throttled.replicas", "follower.replication.throttled.replicas"], instead: QUOTAS },
    Absent { names: &["metadata.log.dir"], instead: "Faultline chooses the directory of the metadata log" },
    Absent { names: &["metadata.log.*", "metadata.max.retention.*", "internal.metadata.*"], instead: SNAPSHOTS },
    Absent { names: &["fetch.purgatory.purge.interval.requests", "producer.purgatory.purge.interval.requests"], instead: PURGATORY },
    Absent { names: &["metadata.recovery.*"], instead: REBOOTSTRAP },
    Absent { names: &["metadata.max.idle.ms"], instead: "producers do not forget topics that they do not write to" },
    Absent { names: &["partitioner.availability.timeout.ms"], instead: "no partition counts as unavailable because its broker is slow (Kafka's default)" },
    Absent { names: &["internal.segment.bytes"], instead: "`segment.bytes` can be small with `beyond_kafka = true`" },
    Absent { names: &["segment.jitter.ms", "log.roll.jitter.*"], instead: "segments roll at `segment.ms` without jitter" },
    Absent { names: &["preallocate", "log.preallocate"], instead: "segment files grow as records are appended" },
    Absent { names: &["message.timestamp.type", "log.message.timestamp.type"], instead: "records keep the time that their producer gave them" },
    Absent { names: &["log.dir"], instead: "`log.dirs` names the log directories of a node" },
    Absent { names: &["controlled.shutdown.enable"], instead: "a broker that is shut down cleanly always moves its leaderships away first" },
    Absent { names: &["default.api.timeout.ms"], instead: "calls of admin clients are repeated until they succeed" },
    Absent { names: &["unstable.*"], instead: "nodes speak the released versions of every API" },
    Absent { names: &["request.timeout.ms", "retries", "retry.backoff*", "reconnect.backoff*", "metadata.max.age.ms", "socket.connection.setup.timeout.ms"], instead: "the admin client only creates topics and asks for preferred elections" },
];

/// Values of unmodelled properties under which Kafka does what Faultline does anyway.
#[rustfmt::skip]
const MODELLED: &[(Scope, &str, &[&str])] = &[
    (Scope::Producer, "compression.type", &["none"]),
    (Scope::Producer, "transaction.two.phase.commit.enable", &["false"]),
    (Scope::Producer, "security.protocol", &["PLAINTEXT"]),
    (Scope::Producer, "enable.metrics.push", &["false"]),
    (Scope::Producer, "interceptor.classes", &[""]),
    (Scope::Producer, "partitioner.availability.timeout.ms", &["0"]),
    (Scope::Consumer, "security.protocol", &["PLAINTEXT"]),
    (Scope::Consumer, "enable.metrics.push", &["false"]),
    (Scope::Consumer, "interceptor.classes", &[""]),
    (Scope::Consumer, "internal.leave.group.on.close", &["true"]),
    (Scope::Consumer, "allow.auto.create.topics", &["false"]),
    (Scope::Consumer, "client.rack", &[""]),
    (Scope::Broker, "auto.create.topics.enable", &["false"]),
    (Scope::Broker, "compression.type", &["producer", "uncompressed"]),
    (Scope::Broker, "controlled.shutdown.enable", &["true"]),
    (Scope::Broker, "group.share.enable", &["false"]),
    (Scope::Broker, "log.message.timestamp.type", &["CreateTime"]),
    (Scope::Broker, "log.preallocate", &["false"]),
    (Scope::Broker, "log.retention.bytes", &["-1"]),
    (Scope::Broker, "log.retention.ms", &["-1"]),
    (Scope::Broker, "num.replica.fetchers", &["1"]),
    (Scope::Broker, "remote.log.storage.system.enable", &["false"]),
    (Scope::Broker, "security.inter.broker.protocol", &["PLAINTEXT"]),
    (Scope::Broker, "unstable.api.versions.enable", &["false"]),
    (Scope::Broker, "unstable.feature.versions.enable", &["false"]),
    (Scope::Topic, "compression.type", &["producer", "uncompressed"]),
    (Scope::Topic, "message.timestamp.type", &["CreateTime"]),
    (Scope::Topic, "preallocate", &["false"]),
    (Scope::Topic, "remote.log.copy.disable", &["false"]),
    (Scope::Topic, "remote.log.delete.on.disable", &["false"]),
    (Scope::Topic, "remote.storage.enable", &["false"]),
    (Scope::Topic, "retention.bytes", &["-1"]),
    (Scope::Topic, "retention.ms", &["-1"]),
    (Scope::Topic, "segment.jitter.ms", &["0"]),
];

/// Other names of modelled properties: of other clients, older releases, or brokers.
#[rustfmt::skip]
const ALSO_CALLED: &[(&str, &str)] = &[
    ("message.timeout.ms", "delivery.timeout.ms"),
    ("request.required.acks", "acks"),
    ("request.timeout", "request.timeout.ms"),
    ("queue.buffering.max.ms", "linger.ms"),
    ("queue.buffering.max.kbytes", "buffer.memory"),
    ("message.send.max.retries", "retries"),
    ("max.in.flight", "max.in.flight.requests.per.connection"),
    ("message.max.bytes", "max.message.bytes"),
    ("fetch.wait.max.ms", "fetch.max.wait.ms"),
    ("fetch.message.max.bytes", "max.partition.fetch.bytes"),
    ("replica.lag.max.ms", "replica.lag.time.max.ms"),
    ("log.roll.hours", "segment.ms"),
    ("log.flush.interval.ms", "flush.ms"),
    ("min.isr", "min.insync.replicas"),
    ("zookeeper.session.timeout.ms", "broker.session.timeout.ms"),
    ("num.replicas", "replication.factor"),
];

/// Whether Faultline behaves as if the unmodelled property `name` had this value.
pub(super) fn holds_anyway(scope: Scope, name: &str, value: &str) -> bool {
    let row = MODELLED.iter().find(|(of, known, _)| (*of, *known) == (scope, name));
    row.is_some_and(|(_, _, values)| values.iter().any(|it| it.eq_ignore_ascii_case(value.trim())))
}

/// Unmodelled properties of `scope` that accept such a value.
pub(super) fn settable(scope: Scope) -> impl Iterator<Item = &'static str> {
    MODELLED.iter().filter(move |(of, ..)| *of == scope).map(|(_, name, _)| *name)
}

/// The modelled property that another client, an older Kafka or a broker calls `name`.
pub(super) fn also_called(name: &str) -> Option<&'static str> {
    let known = ALSO_CALLED.iter().find(|(other, _)| *other == name).map(|(_, name)| *name);
    known.or_else(|| {
        let of_topics = facts().find(|fact| fact.broker_default == Some(name))?;
        is_modelled(Scope::Topic, of_topics.name).then_some(of_topics.name)
    })
}

/// What Faultline does instead of modelling this property; `None` if it is modelled, or no property
/// of `scope`.
pub(super) fn instead_of(scope: Scope, name: &str) -> Option<String> {
    fact(scope, name)?;
    if let Some(modelled) = also_called(name) {
        return Some(match scope {
            Scope::Broker => format!("set `{modelled}` under `[clusters.topic]` instead"),
            _ => format!("set `{modelled}` instead"),
        });
    }
    let matches = |pattern: &&str| match pattern.strip_suffix('*') {
        Some(beginning) => name.starts_with(beginning),
        None => *pattern == name,
    };
    let row = ABSENT.iter().find(|absent| absent.names.iter().any(&matches));
    row.map(|absent| absent.instead.to_owned())
}

/// The message for an unmodelled property.
pub(super) fn message(name: &str) -> String {
    format!("`{name}` is a Kafka property that is not modelled")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_property_of_kafka_is_modelled_or_has_a_reason() {
        let missing: Vec<_> = facts()
            .filter(|fact| !is_modelled(fact.scope, fact.name))
            .filter(|fact| instead_of(fact.scope, fact.name).is_none())
            .map(|fact| format!("{} {}", fact.scope.name(), fact.name))
            .collect();
        assert_eq!(missing, [""; 0], "no row of ABSENT says what Faultline does instead");
    }

    #[test]
    fn values_of_the_model_are_allowed_by_kafka() {
        for (scope, name, values) in MODELLED {
            let fact = fact(*scope, name).unwrap_or_else(|| panic!("no {name}"));
            assert!(!is_modelled(*scope, name), "{name} is in a table of the engine");
            for value in *values {
                assert_eq!(fact.refuses(value), None, "{name}={value}");
            }
        }
    }

    #[test]
    fn other_names_lead_to_the_modelled_property() {
        for (other, meant) in [
            ("log.flush.interval.messages", "flush.messages"),
            ("message.timeout.ms", "delivery.timeout.ms"),
            ("message.max.bytes", "max.message.bytes"),
            ("log.segment.bytes", "segment.bytes"),
        ] {
            assert_eq!(also_called(other), Some(meant));
        }
    }
}
