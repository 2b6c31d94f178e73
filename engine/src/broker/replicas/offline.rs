//! Replicas in a log directory that has failed (`ReplicaManager.handleLogDirFailure`, KIP-112).

use super::log_dirs::DirIndex;
use super::{Partitions, Replicas};
use crate::broker::context::{Cx, StorageError, log_dir_failed};
use crate::error::ErrorCode;
use crate::ids::{DirectoryId, TopicPartition};
use crate::log::LogError;
use machine::Halt;

impl Partitions {
    /// Begins to take a replica's directory offline, because a call to the disk has failed. Returns
    /// the error for requests about the replica.
    pub(super) fn storage_failed(
        &mut self,
        id: TopicPartition,
        error: StorageError,
        cx: &mut Cx<'_>,
    ) -> ErrorCode {
        let partition = self.hosted.get(&id);
        if let Some(index) = partition.and_then(|p| self.dirs.of_log(p.log().dir())) {
            self.dirs.failed(index, Some(id), &error, cx);
        }
        ErrorCode::KafkaStorageError
    }

    /// Calls [`Partitions::storage_failed`] if a coordinator could not read the log of a replica
    /// because of the disk.
    pub(in crate::broker) fn reading_failed(
        &mut self,
        id: TopicPartition,
        error: LogError,
        cx: &mut Cx<'_>,
    ) {
        if matches!(error, LogError::Disk(_)) {
            self.storage_failed(id, log_dir_failed(error), cx);
        }
    }

    /// The replicas in a directory.
    pub(in crate::broker) fn in_dir(
        &self,
        index: DirIndex,
    ) -> impl Iterator<Item = TopicPartition> {
        let of = move |dir: &str| self.dirs.of_log(dir) == Some(index);
        self.hosted.iter().filter(move |(_, p)| of(p.log().dir())).map(|(id, _)| *id)
    }

    /// Why a request for a partition that is not online here is refused.
    pub(super) fn error_of(&self, id: TopicPartition, cx: &Cx<'_>) -> ErrorCode {
        if self.offline.contains(&id) {
            ErrorCode::KafkaStorageError
        } else {
            cx.context.error_of_unhosted(id)
        }
    }
}

impl Replicas {
    /// Stops the replicas in a directory that has failed. They neither lead nor follow any more,
    /// and their parked requests fail. Returns the directory's id, unless it was offline before.
    ///
    /// # Errors
    ///
    /// If no directory is left.
    pub(in crate::broker) fn take_offline(
        &mut self,
        index: DirIndex,
        cx: &mut Cx<'_>,
    ) -> Result<Option<DirectoryId>, Halt> {
        let id = self.partitions.dirs.take_offline(index)?;
        for partition in self.partitions.in_dir(index).collect::<Vec<_>>() {
            self.fetchers.remove(partition);
            self.partitions.offline.insert(partition);
            self.partitions.remove(partition, cx)?;
        }
        self.fetchers.end_idle(cx);
        Ok(id)
    }
}
