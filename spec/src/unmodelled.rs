//! Properties that Kafka has, people know, and nothing here reads: each with what holds instead,
//! so that nobody takes a run for the answer about them.

/// What is not modelled: the properties of one part of Kafka, and what holds instead.
struct Absent {
    properties: &'static [&'static str],
    instead: &'static str,
}

const ABSENT: &[Absent] = &[
    Absent {
        properties: &["enable.idempotence"],
        instead: "producers here are not idempotent: what they send again may be stored twice or \
                  out of order, and is listed as permitted",
    },
    Absent {
        properties: &[
            "transactional.id",
            "transaction.timeout.ms",
            "transaction.max.timeout.ms",
            "transaction.state.log.min.isr",
            "transaction.state.log.replication.factor",
            "transaction.two.phase.commit.enable",
            "isolation.level",
        ],
        instead: "there are no transactions here",
    },
    Absent {
        properties: &[
            "group.id",
            "group.instance.id",
            "group.protocol",
            "group.remote.assignor",
            "group.initial.rebalance.delay.ms",
            "partition.assignment.strategy",
            "session.timeout.ms",
            "heartbeat.interval.ms",
            "max.poll.interval.ms",
            "enable.auto.commit",
            "auto.commit.interval.ms",
            "offsets.retention.minutes",
            "offsets.topic.replication.factor",
        ],
        instead: "there are no consumer groups here: each consumer reads all partitions of its \
                  topics",
    },
    Absent {
        properties: &["compression.type", "compression.gzip.level", "compression.zstd.level"],
        instead: "producers here do not compress",
    },
    Absent {
        properties: &[
            "cleanup.policy",
            "retention.ms",
            "retention.bytes",
            "log.retention.ms",
            "log.retention.hours",
            "log.retention.bytes",
            "log.cleaner.enable",
            "delete.retention.ms",
            "min.compaction.lag.ms",
            "max.compaction.lag.ms",
            "min.cleanable.dirty.ratio",
            "remote.storage.enable",
        ],
        instead: "nothing is deleted or compacted here",
    },
    Absent {
        properties: &["client.rack", "replica.selector.class"],
        instead: "consumers here read from leaders only",
    },
    Absent {
        properties: &["broker.rack"],
        instead: "a cluster of a scenario file has `racks = [\"a\", \"b\"]`",
    },
    Absent {
        properties: &["default.replication.factor"],
        instead: "`replication.factor` sets it for all topics",
    },
    Absent { properties: &["num.partitions"], instead: "`partitions` sets it for all topics" },
    Absent {
        properties: &["auto.create.topics.enable", "allow.auto.create.topics"],
        instead: "a scenario has the topics that its file names",
    },
    Absent {
        properties: &["bootstrap.servers", "node.id", "broker.id", "process.roles", "listeners"],
        instead: "Faultline gives nodes their ids and addresses",
    },
    Absent {
        properties: &["security.protocol", "sasl.mechanism", "sasl.jaas.config"],
        instead: "connections here are plain",
    },
    Absent {
        properties: &[
            "num.io.threads",
            "num.network.threads",
            "num.replica.fetchers",
            "queued.max.requests",
        ],
        instead: "a node here has one thread of each kind",
    },
    Absent {
        properties: &[
            "log.flush.interval.messages",
            "log.flush.interval.ms",
            "log.segment.bytes",
            "log.roll.ms",
            "message.timestamp.type",
            "preallocate",
        ],
        instead: "`faultline list configs` has what topics can be given",
    },
    Absent {
        properties: &["metadata.recovery.strategy", "client.id"],
        instead: "`faultline list configs` names what is",
    },
];

/// What holds instead of the property called `name`, if Kafka has it and nothing here does.
pub(super) fn instead_of(name: &str) -> Option<&'static str> {
    ABSENT.iter().find(|absent| absent.properties.contains(&name)).map(|absent| absent.instead)
}

/// What is told about it.
pub(super) fn message(name: &str) -> String {
    format!("`{name}` is a Kafka property that is not modelled")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{OWN, TABLES};

    #[test]
    fn what_is_absent_is_absent_and_told_once() {
        let modelled = |name: &str| TABLES.iter().any(|(_, names)| names.contains(&name));
        let own = |name: &str| OWN.iter().any(|(own, _)| *own == name);
        let mut all: Vec<_> = ABSENT.iter().flat_map(|absent| absent.properties).collect();
        for name in &all {
            assert!(!modelled(name) && !own(name), "{name} is modelled");
        }
        let count = all.len();
        all.sort();
        all.dedup();
        assert_eq!(all.len(), count, "one is named twice");
    }
}
