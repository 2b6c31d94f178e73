//! A controller's live state is the replay of its committed log.
//!
//! Catches a controller that changes its state by anything but replay, or replays a record that was
//! never committed.

use super::{Check, Findings, Ground};
use crate::evidence::{ControllerAtEnd, End, Moment, Partition, View};
use engine::config::TopicConfig;
use engine::ids::TopicPartition;
use engine::metadata::{MetadataImage, decode_batch};

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct LiveState;

impl LiveState {
    pub(super) const NAME: &'static str = "live-state-is-replayed";
}

impl Check for LiveState {
    fn at_end(&mut self, view: &View, end: &End, out: &mut Findings) {
        for controller in &end.controllers {
            let log = view.partitions.iter().enumerate().find(|(_, partition)| {
                partition.id == TopicPartition::METADATA
                    && partition.cluster == controller.node.cluster
            });
            let Some((index, log)) = log else { continue };
            let replayed = replay(log, controller.offset);
            if replayed == Some(controller.digest) {
                continue;
            }
            let ControllerAtEnd { node, offset, .. } = *controller;
            let at = Moment { at: end.at, node, incarnation: 0, event: 0 };
            let detail = match replayed {
                Some(_) => format!("controller {node} differs from the replay up to {offset}"),
                None => format!("controller {node} is at {offset}, which cannot be replayed"),
            };
            let what = "a controller's live state differs from the replay of its log";
            // Records that the quorum lost with its disks are in no log any more.
            let ground = match view.lost_metadata(node.cluster, end.at) {
                Some(_) => Ground::Quorum,
                None => Ground::Never,
            };
            out.add(Self::NAME, what, &at, index, ground).offset(offset).detail(detail);
        }
    }
}

/// The digest of the replay of a metadata log up to an offset.
fn replay(log: &Partition, to: i64) -> Option<u128> {
    let mut image = MetadataImage::new(TopicConfig::default());
    for batch in &log.line {
        let it = log.batches.get(*batch);
        if it.base > to {
            break;
        }
        for (offset, record) in decode_batch(log.batches.bytes(*batch)?).ok()? {
            if offset <= to {
                image.replay(offset, &record).ok()?;
            }
        }
    }
    if image.offset() < to {
        image.skip_to(to).ok()?;
    }
    Some(image.digest())
}
