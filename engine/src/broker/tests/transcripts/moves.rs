//! Reassignments are not modelled, and scripts use them to move the leader of a partition. Here the partition
//! has all of its replicas from the start, and its leader is restarted: the next one leads, in the next
//! epoch.

use super::super::cluster::Cluster;
use super::requests::{list, long, text};
use super::script::{Script, Send, Step};
use crate::ids::{BrokerId, TopicPartition};
use machine::Span;
use serde_json::{Value, json};

pub(super) const API: &str = "AlterPartitionReassignments";

/// The partitions of a reassignment, with their topics and new replicas.
fn partitions(body: &Value) -> Vec<(&str, i32, &Value)> {
    let mut found = Vec::new();
    for topic in list(&body["topics"]) {
        for it in list(&topic["partitions"]) {
            let index = long(&it["partitionIndex"]) as i32;
            found.push((text(&topic["name"]), index, &it["replicas"]));
        }
    }
    found
}

/// Gives partitions the replicas to which they will move. Returns whether there are any.
pub(super) fn place(script: &mut Script) -> bool {
    let mut wanted: Vec<(String, i32, Vec<Value>)> = Vec::new();
    for step in &script.steps {
        let Step::Send(send) = step else { continue };
        if send.api == API {
            for (topic, index, replicas) in partitions(&send.body) {
                wanted.push((topic.to_owned(), index, list(replicas).cloned().collect()));
            }
        }
    }
    for step in &mut script.steps {
        let Step::Send(send) = step else { continue };
        if send.api != "CreateTopics" {
            continue;
        }
        for (topic, index, replicas) in &wanted {
            let topics = send.body["topics"].as_array_mut().expect("topics");
            let Some(created) = topics.iter_mut().find(|it| it["name"] == **topic) else {
                continue;
            };
            let placed = created["assignments"].as_array_mut().expect("assignments");
            let Some(placed) = placed.iter_mut().find(|it| it["partitionIndex"] == *index) else {
                continue;
            };
            let mut all: Vec<Value> = list(&placed["brokerIds"]).cloned().collect();
            // A partition that gets more replicas is not moved.
            if replicas.len() == 1 || replicas.len() == all.len() {
                let new = replicas.iter().filter(|it| !all.contains(it)).cloned();
                let new: Vec<Value> = new.collect();
                all.extend(new);
                placed["brokerIds"] = json!(all);
            }
        }
    }
    !wanted.is_empty()
}

/// Restarts leaders until the first of the new replicas leads.
pub(super) fn carry_out(send: &Send, cluster: &mut Cluster) {
    for (topic, index, replicas) in partitions(&send.body) {
        let Some(id) = cluster.broker(1).image().topic_by_name(topic).map(|topic| topic.id) else {
            continue;
        };
        let id = TopicPartition::new(id, index);
        let first = long(&replicas[0]) as BrokerId;
        let leader = cluster.broker(1).image().partition(id).and_then(|it| it.leader);
        let hosts = cluster.broker(first).partition(id).is_some();
        if let Some(leader) = leader.filter(|leader| *leader != first && hosts) {
            cluster.halts.remove(&leader);
            cluster.stop(leader);
            cluster.run_for(Span::millis(500));
            cluster.boot(leader);
            cluster.until(|cluster| !cluster.broker(leader).is_fenced());
            cluster.until(|cluster| cluster.leads(first, id));
            cluster.run_for(Span::secs(1));
        }
    }
}
