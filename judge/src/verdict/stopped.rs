//! Excuses for nodes that stopped for a cause for which Kafka's do, and for partitions that cannot
//! recover because of that or of a disk.

use super::permission::Excuse;
use crate::check::{Finding, Ground};
use crate::evidence::{Cause, End, FailedDir, Halt, Spoil, View};
use engine::ids::TopicPartition;
use machine::ClusterId;

/// The hazards of nodes that stop themselves, each with its meaning for users.
pub const HAZARDS: &[(&str, &str)] = &[
    ("full-disk", "a full log directory goes offline; a broker without another one stops"),
    ("failed-disk", "a log directory that fails goes offline; a broker without another one stops"),
    ("unregistered", "a broker stops when no controller registers it in time"),
];

/// Rows of the permission table about disks.
const CORRUPTED: &str = "corrupted-disk";
const LOST_VOTER: &str = "lost-voter";

const fn hazard(cause: Cause) -> &'static str {
    match cause {
        Cause::FullDisk => HAZARDS[0].0,
        Cause::FailedDisk => HAZARDS[1].0,
        Cause::Unregistered => HAZARDS[2].0,
        Cause::Forgotten => LOST_VOTER,
    }
}

/// A broker with several log directories continues without a failed one until its next start
/// (KIP-112).
fn offline(view: &View, dir: &FailedDir) -> Option<Excuse> {
    let (node, at) = (view.setup.name(dir.moment.node), view.time(dir.moment.at));
    let (path, error) = (&dir.path, &dir.error);
    Some(Excuse {
        hazard: hazard(dir.cause?),
        because: format!(
            "a log directory that fails is offline until its broker is restarted, and {path} of {node} \
             failed at {at}: {error}"
        ),
    })
}

/// A leader returns the bytes on its disk: followers and consumers find a wrong checksum, and get
/// no further. Corrupted bytes in the metadata log hold up the whole cluster, if a node has still
/// to fetch them.
fn unreadable(view: &View, cluster: ClusterId, partition: usize) -> Option<Excuse> {
    let is_wanted = |spoil: &&Spoil| {
        view.partitions[spoil.partition].replicas.iter().any(|it| it.end < spoil.to)
    };
    let metadata = view.index_of(cluster, TopicPartition::METADATA);
    let own = view.unreadable(partition).filter(|_| metadata != Some(partition));
    let of_metadata = || view.unreadable(metadata?).filter(is_wanted);
    let spoil = own.or_else(of_metadata)?;
    let why = view.spoil_in_words(spoil);
    let because =
        format!("no reader gets past bytes that changed on the disk of a leader, and {why}");
    Some(Excuse { hazard: CORRUPTED, because })
}

/// Excuses a partition, or the metadata log, that has not recovered.
fn missing(
    view: &View,
    end: &End,
    finding: &Finding,
    (cluster, partition): (ClusterId, TopicPartition),
) -> Option<Excuse> {
    if let Some(spoil) = view.lost_metadata(cluster, finding.at) {
        let why = view.spoil_in_words(spoil);
        let because = format!("a cluster has only the metadata that its quorum keeps, and {why}");
        return Some(Excuse { hazard: LOST_VOTER, because });
    }
    let index = view.index_of(cluster, partition)?;
    let offline = end.offline_dir_of(view, index).and_then(|dir| offline(view, dir));
    let headless = || {
        let why = view.spoil_in_words(end.bad_head_of(view, index)?);
        let because = format!(
            "nothing is appended to a segment whose first batch cannot be read at a start, and {why}"
        );
        Some(Excuse { hazard: CORRUPTED, because })
    };
    offline.or_else(|| unreadable(view, cluster, index)).or_else(headless)
}

/// Excuses a node that stopped for a cause for which Kafka's does, and a cluster that has not
/// recovered while a node that stopped because of its disk is still down. An offline log directory,
/// or bytes that cannot be read, excuse only the partitions concerned.
pub(super) fn excuse(view: &View, end: &End, finding: &Finding) -> Option<Excuse> {
    let halt = match &finding.ground {
        Ground::Halted { node, .. } => {
            let own = |halt: &&Halt| halt.moment.node == *node && halt.moment.at == finding.at;
            view.halts.iter().find(own)?
        }
        Ground::NotBack { about } => match view.down_by_disk().next() {
            Some(halt) => halt,
            None => return missing(view, end, finding, *about.as_ref()?),
        },
        _ => return None,
    };
    let cause = halt.cause?;
    let (node, at) = (view.setup.name(halt.moment.node), view.time(halt.moment.at));
    let because = match cause {
        Cause::FullDisk => {
            format!("a full log directory stops a broker, and {node} stopped at {at}")
        }
        Cause::FailedDisk => {
            format!("a log directory that fails stops a broker, and {node} stopped at {at}")
        }
        Cause::Forgotten => {
            let spoil = view.lost_metadata(halt.moment.node.cluster, halt.moment.at)?;
            let why = view.spoil_in_words(spoil);
            format!(
                "a cluster has only the metadata that its quorum keeps, {why}, and {node} stopped at {at}"
            )
        }
        Cause::Unregistered => {
            format!("a broker that no controller registers stops, and {node} stopped at {at}")
        }
    };
    Some(Excuse { hazard: hazard(cause), because: format!("{because}: {}", halt.why) })
}
