//! What a broker's coming and going does to the partitions
//! (`ReplicationControlManager.generateLeaderAndIsrUpdates`).

use super::cluster::Cluster;
use super::partition_change::Target;
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{BrokerId, TopicPartition};
use crate::metadata::{BrokerRegistrationChange, MetadataRecord, PartitionRegistration};
use crate::rules::election::Reason;

/// What happened to a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// It is fenced, or shuts down, or begins a new life after a clean end. What it has, it keeps.
    Leaves(BrokerId),
    /// It begins a new life after an unclean end, and may have lost what it had (KIP-966).
    EndedUncleanly(BrokerId),
    /// It is unfenced.
    Returns(BrokerId),
}

impl Transition {
    fn concerns(self, state: &PartitionRegistration) -> bool {
        match self {
            Self::Leaves(id) => state.isr.contains(&id) || state.leader == Some(id),
            Self::EndedUncleanly(id) => {
                state.isr.contains(&id) || state.elr.contains(&id) || state.leader == Some(id)
            }
            Self::Returns(_) => state.leader.is_none(),
        }
    }

    /// The image does not know yet what happens, so the broker is judged by that.
    fn may_lead(self, cluster: &Cluster<'_>, id: BrokerId) -> bool {
        match self {
            Self::Leaves(broker) | Self::EndedUncleanly(broker) if broker == id => false,
            Self::Returns(broker) if broker == id => true,
            _ => cluster.image.is_active(id),
        }
    }
}

impl Cluster<'_> {
    /// Adds what `transition` changes about the partitions.
    pub(super) fn update_partitions(
        &self,
        transition: Transition,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let (gone, unclean) = match transition {
            Transition::Leaves(id) => (Some(id), None),
            Transition::EndedUncleanly(id) => (Some(id), Some(id)),
            Transition::Returns(_) => (None, None),
        };
        for (partition, state) in self.image.partitions() {
            if !transition.concerns(state) {
                continue;
            }
            let isr = state.isr.iter().copied().filter(|id| Some(*id) != gone).collect();
            let replicas = state.replicas.iter().copied();
            let target = Target {
                partition,
                state,
                isr,
                ended_uncleanly: unclean.as_slice(),
                acceptable: replicas.filter(|id| transition.may_lead(self, *id)).collect(),
                reason: self.usual_reason(partition),
            };
            records.extend(self.change(target, out).map(MetadataRecord::PartitionChange));
        }
    }

    /// Ordinary, unless the topic prefers any leader to none.
    pub(super) fn usual_reason(&self, partition: TopicPartition) -> Reason {
        let config = self.image.topic_config(partition.topic);
        if config.is_some_and(|config| config.unclean_leader_election) {
            Reason::Unclean
        } else {
            Reason::Ordinary
        }
    }

    /// The replicas whose brokers may lead as things are.
    pub(super) fn acceptable(&self, state: &PartitionRegistration) -> Vec<BrokerId> {
        state.replicas.iter().copied().filter(|id| self.image.is_active(*id)).collect()
    }

    /// Adds the records that fence a broker: it leaves every ISR and leads no partition. Kafka
    /// writes them for a fenced broker as well.
    pub(super) fn fence(
        &self,
        broker: BrokerId,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        self.update_partitions(Transition::Leaves(broker), records, out);
        self.set_fenced(broker, true, records, out);
    }

    /// Adds the records that unfence a broker: partitions without leader may get one.
    pub(super) fn unfence(
        &self,
        broker: BrokerId,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        self.set_fenced(broker, false, records, out);
        self.update_partitions(Transition::Returns(broker), records, out);
    }

    fn set_fenced(
        &self,
        broker: BrokerId,
        fenced: bool,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let Some(registration) = self.image.broker(broker) else { return };
        if registration.fenced != fenced {
            out.observe(Fact::BrokerFenced { broker, fenced });
        }
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            broker,
            broker_epoch: registration.epoch,
            fenced: Some(fenced),
            in_controlled_shutdown: None,
        }));
    }
}
