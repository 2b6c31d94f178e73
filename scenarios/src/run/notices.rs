//! Notices about processes that ended or stopped making progress as Kafka's would: no promise is
//! broken, but users may want to know.

use super::converge;
use super::members;
use super::simulation::Simulation;
use crate::result::Notice;
use engine::client::ConsumerError;
use engine::config::ConsumerConfig;
use engine::error::ErrorCode;
use machine::NodeId;
use std::collections::BTreeMap;

/// Notices about clients that are not due to the cluster.
pub(super) fn of_clients(run: &Simulation) -> Vec<Notice> {
    let mut notices = Vec::new();
    for (node, app) in converge::consumers(run) {
        let consumer = format!("consumer {node}");
        let mut thrown: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (partition, error) in app.thrown() {
            let name = run.board().name(node.cluster, *partition);
            thrown.entry(error.exception()).or_default().push(name);
        }
        for (exception, partitions) in thrown {
            let then = if app.is_reading() { "it waits for a seek there" } else { "it stopped" };
            let why = match exception {
                "KafkaException" => "since the checksum of a batch was wrong",
                _ => "as auto.offset.reset=none asks for",
            };
            let what =
                format!("poll threw {exception} for {}, {why}; {then}", partitions.join(", "));
            notices.push(Notice { node: consumer.clone(), what });
        }
        let Some(why) = cannot_read(app.properties()) else { continue };
        let behind = converge::behind(run, node, app).map(|(row, position)| {
            let name = run.board().name(row.cluster, row.partition);
            format!("{name} up to {} of {}", position.unwrap_or(0), row.high_watermark)
        });
        let behind: Vec<String> = behind.collect();
        if !behind.is_empty() {
            let what = format!("read {}: {why}", behind.join(", "));
            notices.push(Notice { node: consumer, what });
        }
    }
    for (node, app) in members::members(run) {
        let mut notice = |what| notices.push(Notice { node: format!("consumer {node}"), what });
        for (error, count) in &app.remarks().failed {
            notice(format!(
                "poll threw {error} {}{}",
                times(*count),
                hint(run, node, app.group(), *error)
            ));
        }
        let mut thrown: BTreeMap<(&str, &str), Vec<String>> = BTreeMap::new();
        for (partition, error) in app.thrown() {
            let name = run.board().name(node.cluster, *partition);
            thrown.entry((error.exception(), hint_of(error))).or_default().push(name);
        }
        for ((exception, hint), partitions) in thrown {
            notice(format!("poll threw {exception} for {}{hint}", partitions.join(", ")));
        }
        let seeks = app.remarks().seeks_of_nothing;
        if seeks > 0 {
            let times = times(seeks);
            notice(format!("sought {times} while it owned no partition, which moved nothing"));
        }
    }
    notices
}

fn times(count: u32) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// What to set so that a member is not refused.
fn hint(run: &Simulation, node: NodeId, group: &str, error: ErrorCode) -> String {
    let scenario = &run.resolved.scenario;
    let cluster = scenario.clusters.get(usize::from(node.cluster.0));
    let its = scenario.consumers.iter().filter(|it| it.group.as_deref() == Some(group));
    match error {
        ErrorCode::GroupMaxSizeReached => {
            let most = cluster.map_or(0, |it| it.broker.config().group_max_size);
            let members: u32 = its.map(|it| u32::from(it.count)).sum();
            format!(
                ": group.max.size={most} admits no more members, and {members} come to {group}; set \
                 group.max.size to {members} or more, or let fewer come"
            )
        }
        ErrorCode::InconsistentGroupProtocol => {
            let all: Vec<String> = its
                .map(|it| it.config().assignors.0.iter().map(|one| one.name()).collect::<Vec<_>>())
                .map(|names| names.join(" and "))
                .collect();
            format!(
                ": the members of {group} have no assignor in common ({}); set one that all have in \
                 partition.assignment.strategy",
                all.join("; ")
            )
        }
        _ => String::new(),
    }
}

/// What to set so that a poll does not throw.
fn hint_of(error: &ConsumerError) -> &'static str {
    match error {
        ConsumerError::NoOffset => {
            ", as auto.offset.reset=none asks for where the group has no offset: set earliest or latest, or \
             let members seek"
        }
        ConsumerError::OffsetOutOfRange { .. } | ConsumerError::LogTruncation { .. } => {
            ", as auto.offset.reset=none asks for: set earliest or latest, or let members seek"
        }
        ConsumerError::Corrupt { .. } => ", since the checksum of a batch was wrong",
        ConsumerError::Unexpected(_) => "",
    }
}

/// Why a consumer with these properties may never read some records, if it may not.
pub(super) fn cannot_read(config: &ConsumerConfig) -> Option<String> {
    let (wait, patience) = (config.fetch_max_wait, config.request_timeout);
    (config.fetch_min_bytes > 1 && patience <= wait).then(|| {
        format!(
            "its requests time out after request.timeout.ms={}, and a broker may wait for \
             fetch.min.bytes={} as long as fetch.max.wait.ms={}",
            patience.as_millis(),
            config.fetch_min_bytes,
            wait.as_millis()
        )
    })
}
