//! The offset that ListOffsets returns for a time is that of the first record with this timestamp
//! or a later one (`UnifiedLog.fetchOffsetByTimestamp`).
//!
//! Catches a time index that is read one entry too far, a segment that is skipped, and a record
//! that is older than the requested time. No rule decides the offset. A response without an offset
//! is not checked: a record may be appended while the response is on its way.

use super::{Check, Findings, Ground};
use crate::evidence::{Effect, Moment, View};
use engine::fact::{ClientFact, Fact};
use machine::NodeId;

/// See the module.
#[derive(Clone, Debug, Default)]
pub(super) struct OffsetOfTime;

impl OffsetOfTime {
    pub(super) const NAME: &'static str = "offset-of-time";
}

impl Check for OffsetOfTime {
    #[inline]
    fn concerns(effect: &Effect) -> bool {
        matches!(effect, Effect::Time(..))
    }

    fn on_effect(
        &mut self,
        view: &View,
        at: &Moment,
        fact: &Fact,
        effect: &Effect,
        out: &mut Findings,
    ) {
        let Effect::Time(index) = *effect else { return };
        let Fact::Client(ClientFact::TimeShown { timestamp, offset: Some(offset), broker, .. }) =
            fact
        else {
            return;
        };
        let partition = &view.partitions[index];
        let node = NodeId { cluster: partition.cluster, node: *broker };
        let Some(replica) = partition.find(node) else { return };
        // The batches in the line of leaders that the responding broker has as well.
        let line = partition.line.iter().map(|batch| partition.batches.get(*batch));
        let held = line.filter(|it| !it.is_control && it.holders.contains(replica));
        for it in held.take_while(|it| it.base <= *offset) {
            let is_late = it.max_timestamp >= *timestamp;
            let what = match it.next <= *offset {
                true if is_late => "a record before the offset of a time is as late",
                false if !is_late => "the record at the offset of a time is earlier",
                _ => continue,
            };
            let (base, latest) = (it.base, it.max_timestamp);
            out.add(Self::NAME, what, at, index, Ground::Never).offset(*offset).detail(format!(
                "broker {broker} returned {offset} for the time {timestamp} ms; the batch at {base} \
                 has timestamps up to {latest} ms"
            ));
            return;
        }
    }
}
