//! Changes of partitions when a broker leaves or returns
//! (`ReplicationControlManager.generateLeaderAndIsrUpdates`).

use super::cluster::Cluster;
use super::partition_change::Target;
use crate::Outbox;
use crate::fact::Fact;
use crate::ids::{BrokerId, TopicPartition};
use crate::metadata::{BrokerRegistrationChange, MetadataRecord, PartitionRegistration};
use crate::rules::election::Reason;

/// A change of a broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transition {
    /// It is fenced, shuts down, begins a new life after a clean end, or has lost a log directory.
    /// It keeps its place in ELRs.
    Leaves(BrokerId),
    /// It begins a new life after an unclean end, and may have lost records (KIP-966).
    EndedUncleanly(BrokerId),
    /// It is unfenced.
    Returns(BrokerId),
}

impl Transition {
    /// Whether broker `id` may lead. The image does not contain the transition yet, so the broker's
    /// next state decides.
    fn may_lead(self, cluster: &Cluster<'_>, state: &PartitionRegistration, id: BrokerId) -> bool {
        let is_active = match self {
            Self::Leaves(broker) | Self::EndedUncleanly(broker) if broker == id => false,
            Self::Returns(broker) if broker == id => true,
            _ => cluster.image.is_active(id),
        };
        is_active && cluster.is_online(state, id)
    }
}

impl Cluster<'_> {
    /// Adds the changes that `transition` causes in these partitions.
    pub(super) fn update_partitions(
        &self,
        transition: Transition,
        partitions: impl Iterator<Item = TopicPartition>,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let (gone, unclean) = match transition {
            Transition::Leaves(id) => (Some(id), None),
            Transition::EndedUncleanly(id) => (Some(id), Some(id)),
            Transition::Returns(_) => (None, None),
        };
        for partition in partitions {
            let Some(state) = self.image.partition(partition) else { continue };
            let isr = state.isr.iter().copied().filter(|id| Some(*id) != gone).collect();
            let replicas = state.replicas.iter().copied();
            let target = Target {
                isr,
                ended_uncleanly: unclean.as_slice(),
                acceptable: replicas.filter(|id| transition.may_lead(self, state, *id)).collect(),
                reason: self.usual_reason(partition),
                ..Target::of(partition, state)
            };
            records.extend(self.change(target, out).map(MetadataRecord::PartitionChange));
        }
    }

    /// Whether the replica of a partition on a broker is in an online log directory.
    fn is_online(&self, state: &PartitionRegistration, id: BrokerId) -> bool {
        let directory = state.directory(id);
        self.image.broker(id).is_some_and(|broker| broker.has_online_dir(directory))
    }

    /// [`Reason::Unclean`] if the topic enables unclean leader election, otherwise ordinary.
    pub(super) fn usual_reason(&self, partition: TopicPartition) -> Reason {
        let config = self.image.topic_config(partition.topic);
        if config.is_some_and(|config| config.unclean_leader_election) {
            Reason::Unclean
        } else {
            Reason::Ordinary
        }
    }

    /// The replicas that may lead: their brokers are active, and they are in an online log
    /// directory (`LeaderAcceptor`).
    pub(super) fn acceptable(&self, state: &PartitionRegistration) -> Vec<BrokerId> {
        let replicas = state.replicas.iter().copied();
        replicas.filter(|id| self.image.is_active(*id) && self.is_online(state, *id)).collect()
    }

    /// Adds the changes that the end of a broker's last life causes, before it is registered again.
    pub(super) fn clean_up(
        &self,
        end: Transition,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        match end {
            Transition::Leaves(id) => {
                self.update_partitions(end, self.index.in_isr(id), records, out);
            }
            Transition::EndedUncleanly(id) => {
                self.update_partitions(end, self.index.in_isr(id), records, out);
                self.update_partitions(end, self.index.in_elr(id), records, out);
            }
            Transition::Returns(_) => {}
        }
    }

    /// Adds the records that fence a broker: it leaves every ISR and leads no partition. Kafka
    /// writes them for a fenced broker as well. `asked`: whether the broker itself requested it.
    pub(super) fn fence(
        &self,
        broker: BrokerId,
        asked: bool,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let partitions = self.index.in_isr(broker);
        self.update_partitions(Transition::Leaves(broker), partitions, records, out);
        self.set_fenced(broker, (true, asked), records, out);
    }

    /// Adds the records that unfence a broker: partitions without a leader may get one.
    pub(super) fn unfence(
        &self,
        broker: BrokerId,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        self.set_fenced(broker, (false, true), records, out);
        let partitions = self.index.leaderless();
        self.update_partitions(Transition::Returns(broker), partitions, records, out);
    }

    fn set_fenced(
        &self,
        broker: BrokerId,
        (fenced, asked): (bool, bool),
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let Some(registration) = self.image.broker(broker) else { return };
        if registration.fenced != fenced {
            out.observe(Fact::BrokerFenced { broker, fenced, asked });
        }
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            fenced: Some(fenced),
            ..BrokerRegistrationChange::of(registration)
        }));
    }
}
