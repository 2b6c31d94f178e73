//! Notices about processes that ended or stopped making progress as Kafka's would: no promise is
//! broken, but users may want to know.

use super::converge;
use super::simulation::Simulation;
use crate::result::Notice;
use engine::config::ConsumerConfig;
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
    notices
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
