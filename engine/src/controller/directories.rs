//! Log directories of brokers (KIP-858; `ReplicationControlManager.handleDirectoriesOffline`,
//! `handleAssignReplicasToDirs`).

use super::cluster::{Cluster, Decision};
use super::partition_change::Target;
use super::transition::Transition;
use crate::Outbox;
use crate::error::ErrorCode;
use crate::ids::{BrokerId, DirectoryId, TopicPartition};
use crate::metadata::{
    BrokerRegistration, BrokerRegistrationChange, MetadataRecord, PartitionRegistration,
};
use crate::protocol::{
    AssignReplicasToDirsRequest, AssignReplicasToDirsResponse, BrokerRegistrationRequest,
};
use crate::rules::election::NamedDirectory;
use std::collections::BTreeSet;

impl Cluster<'_> {
    /// Checks the log directories of a registration.
    ///
    /// # Errors
    ///
    /// `INVALID_REGISTRATION` if there are none, or one is reserved, named twice or registered
    /// by another broker.
    pub(super) fn check_log_dirs(
        &self,
        request: &BrokerRegistrationRequest,
    ) -> Result<(), ErrorCode> {
        let dirs = &request.log_dirs;
        let is_set = dirs.iter().collect::<BTreeSet<_>>().len() == dirs.len();
        let is_taken = |dir: &DirectoryId| {
            let mut others = self.image.brokers().filter(|other| other.id != request.broker);
            others.any(|other| other.log_dirs.contains(dir))
        };
        let any_wrong = dirs.iter().any(|dir| dir.is_reserved() || is_taken(dir));
        if dirs.is_empty() || !is_set || any_wrong {
            return Err(ErrorCode::InvalidRegistration);
        }
        Ok(())
    }

    /// Adds the records for the failed directories that a heartbeat names: the broker leaves the
    /// ISR of every partition there, and leads none of them. Directories that are offline already
    /// are skipped. If the heartbeat also unfences the broker, elections still use the directories
    /// registered before, as in Kafka.
    pub(super) fn directories_offline(
        &self,
        registration: &BrokerRegistration,
        offline: &[DirectoryId],
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let (failed, online): (Vec<DirectoryId>, Vec<DirectoryId>) =
            registration.log_dirs.iter().partition(|dir| offline.contains(dir));
        if failed.is_empty() {
            return;
        }
        for dir in failed {
            let partitions = self.index.in_directory(dir);
            self.update_partitions(Transition::Leaves(registration.id), partitions, records, out);
        }
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChange {
            log_dirs: Some(online),
            ..BrokerRegistrationChange::of(registration)
        }));
    }

    /// Decides about the directories that a broker reports for its replicas. A replica in a
    /// directory that is not online counts as offline; Kafka 4.1 does not distinguish between a
    /// failed directory and one that the broker never had.
    ///
    /// In Kafka 4.1 to 4.4 the change also clears the ELR of the partition, because the builder of
    /// the record treats ELRs as disabled. That is a defect, and not copied here.
    ///
    /// # Errors
    ///
    /// `STALE_BROKER_EPOCH` if the request does not come from the registered life.
    pub(super) fn assign_replicas_to_dirs(
        &self,
        request: &AssignReplicasToDirsRequest,
        out: &mut Outbox,
    ) -> Result<Decision<AssignReplicasToDirsResponse>, ErrorCode> {
        let registration = self.living(request.broker, request.broker_epoch, out)?;
        let mut records = Vec::new();
        let mut offline = BTreeSet::new();
        let mut directories = Vec::new();
        for (dir, partitions) in &request.directories {
            let mut outcomes = Vec::new();
            for partition in partitions {
                let error = match self.replica_to_assign(*partition, request.broker) {
                    Ok(state) => {
                        self.assign_directory(
                            *partition,
                            state,
                            request.broker,
                            *dir,
                            &mut records,
                            out,
                        );
                        if !registration.has_online_dir(*dir) {
                            offline.insert(*partition);
                        }
                        ErrorCode::None
                    }
                    Err(error) => error,
                };
                outcomes.push((*partition, error));
            }
            directories.push((*dir, outcomes));
        }
        let leaves = Transition::Leaves(request.broker);
        self.update_partitions(leaves, offline.into_iter(), &mut records, out);
        let response = AssignReplicasToDirsResponse { error: ErrorCode::None, directories };
        Ok(Decision { records, response })
    }

    fn replica_to_assign(
        &self,
        partition: TopicPartition,
        broker: BrokerId,
    ) -> Result<&PartitionRegistration, ErrorCode> {
        if self.image.topic(partition.topic).is_none() {
            return Err(ErrorCode::UnknownTopicId);
        }
        let state = self.image.partition(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        if state.is_replica(broker) { Ok(state) } else { Err(ErrorCode::NotLeaderOrFollower) }
    }

    fn assign_directory(
        &self,
        partition: TopicPartition,
        state: &PartitionRegistration,
        broker: BrokerId,
        dir: DirectoryId,
        records: &mut Vec<MetadataRecord>,
        out: &mut Outbox,
    ) {
        let is_online = |directory| {
            self.image.broker(broker).is_some_and(|broker| broker.has_online_dir(directory))
        };
        let named = NamedDirectory {
            was_online: is_online(state.directory(broker)),
            is_online: is_online(dir),
        };
        let mut acceptable = self.acceptable(state);
        acceptable.retain(|id| *id != broker);
        if self.image.is_active(broker) && self.rules.may_lead_from(out, named) {
            acceptable.push(broker);
        }
        let replicas = state.replicas.iter();
        let directory = |id: &BrokerId| if *id == broker { dir } else { state.directory(*id) };
        let target = Target {
            directories: replicas.map(directory).collect(),
            acceptable,
            ..Target::of(partition, state)
        };
        records.extend(self.change(target, out).map(MetadataRecord::PartitionChange));
    }

    /// The directory of a new replica on a broker.
    pub(super) fn default_dir(&self, broker: BrokerId) -> DirectoryId {
        let registration = self.image.broker(broker);
        registration.map_or(DirectoryId::UNASSIGNED, BrokerRegistration::default_dir)
    }
}
