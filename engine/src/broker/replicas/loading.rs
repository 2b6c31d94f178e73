//! Loading logs at a start, and creating new ones (`LogManager.loadLogs`, `getOrCreateLog`).

use super::log_dirs::DirIndex;
use super::partition::log_config;
use super::{Partition, Partitions};
use crate::broker::context::{Cx, Io, StorageError, log_dir_failed};
use crate::config::{BrokerConfig, TopicConfig};
use crate::fact::Fact;
use crate::ids::{DirectoryId, TopicId, TopicPartition};
use crate::log::checkpoint::{
    self, LOG_START_OFFSETS, Offsets, RECOVERY_POINTS, REPLICATION_OFFSETS,
};
use crate::log::{Log, LogConfig, clean_shutdown, partition_metadata};
use crate::raft;
use machine::{DiskError, Halt};

/// The suffix of the directory of a log that was set aside.
pub(super) const STRAY: &str = "-stray";

impl Partitions {
    /// Loads all logs, with the first metadata of this life. A directory that fails meanwhile goes
    /// offline with all of its logs.
    pub(super) fn load(&mut self, cx: &mut Cx<'_>) -> Result<(), Halt> {
        for index in self.dirs.online().collect::<Vec<_>>() {
            match self.load_dir(index, cx) {
                Ok(()) => self.dirs.set_loaded(index),
                Err(LoadError { partition, error }) => {
                    self.dirs.failed(index, partition, &error, cx);
                }
            }
        }
        Ok(())
    }

    /// Loads the logs of a directory. The clean-shutdown file is removed before: if loading fails
    /// half way, the next start must not rely on it.
    fn load_dir(&mut self, index: DirIndex, cx: &mut Cx<'_>) -> Result<(), LoadError> {
        let (image, io) = (&cx.context.image, &mut cx.io);
        let at = |name: &str| self.dirs.join(index, name);
        let found = Found {
            clean: clean_shutdown::take(io.disk, self.dirs.path(index))?,
            recovery_points: checkpoint::read(io.disk, &at(RECOVERY_POINTS))?,
            high_watermarks: checkpoint::read(io.disk, &at(REPLICATION_OFFSETS))?,
            log_starts: checkpoint::read(io.disk, &at(LOG_START_OFFSETS))?,
        };
        for name in io.disk.list(self.dirs.path(index))? {
            let Some((topic, partition)) = topic_and_index(&name) else { continue };
            let dir = at(&name);
            let Some(id) = partition_metadata::read(io.disk, &dir)? else {
                // The log was being created, and is empty.
                io.disk.remove(&dir)?;
                continue;
            };
            let id = TopicPartition::new(TopicId(id), partition);
            let config = image.topic_config(id.topic).unwrap_or(image.default_topic_config());
            let partition = found
                .open(&dir, topic, id, config, &cx.context.config, io)
                .map_err(|error| LoadError { partition: Some(id), error })?;
            self.hosted.insert(id, partition);
        }
        Ok(())
    }
}

/// Why a directory could not be loaded.
struct LoadError {
    /// The partition whose log it was, unless it was a file beside the logs.
    partition: Option<TopicPartition>,
    error: StorageError,
}

impl From<DiskError> for LoadError {
    fn from(error: DiskError) -> Self {
        Self { partition: None, error: error.into() }
    }
}

/// The contents of the checkpoint files.
struct Found {
    clean: bool,
    recovery_points: Offsets,
    high_watermarks: Offsets,
    log_starts: Offsets,
}

impl Found {
    fn open(
        &self,
        dir: &str,
        topic: &str,
        id: TopicPartition,
        topic_config: &TopicConfig,
        broker_config: &BrokerConfig,
        io: &mut Io<'_>,
    ) -> Result<Partition, StorageError> {
        let key = (topic.to_owned(), id.partition as u32);
        let of = |offsets: &Offsets| offsets.get(&key).copied().unwrap_or(0);
        let (recovery_point, log_start) = (of(&self.recovery_points), of(&self.log_starts));
        let config = configured(topic_config, broker_config);
        let (log, recovery) = Log::open_from(
            dir,
            &config,
            io.disk,
            self.clean,
            recovery_point,
            log_start,
            io.now.wall,
        )
        .map_err(log_dir_failed)?;
        let high_watermark = of(&self.high_watermarks);
        let config = topic_config.clone();
        let partition =
            Partition::new(id, topic.to_owned(), log, high_watermark, config, io.now.mono);
        io.out.observe(Fact::Loaded {
            partition: id,
            log_start: partition.log().log_start(),
            log_end: partition.log().end_offset(),
            high_watermark: partition.high_watermark(),
            clean: self.clean,
            cut_bytes: recovery.truncated_bytes,
        });
        Ok(partition)
    }
}

/// Parses the name of a log's directory: `orders-0` is partition 0 of `orders`. `None` for other
/// names.
fn topic_and_index(dir: &str) -> Option<(&str, i32)> {
    if dir == raft::DIR || dir.ends_with(STRAY) {
        return None;
    }
    let (topic, index) = dir.rsplit_once('-')?;
    let index = index.parse().ok().filter(|index: &i32| *index >= 0)?;
    Some((topic, index))
}

impl Partitions {
    /// Creates an empty log for a partition that is new to this broker, in its assigned directory,
    /// or else in the one with the fewest logs. If the assigned directory is offline, or is unknown
    /// while some directory is offline, the log may exist there: then the replica is offline
    /// (`Partition.createLogInAssignedDirectoryId`).
    pub(super) fn create_replica(&mut self, id: TopicPartition, cx: &mut Cx<'_>) {
        let image = &cx.context.image;
        let (Some(topic), Some(state)) = (image.topic(id.topic), image.partition(id)) else {
            return;
        };
        let assigned = state.directory(cx.context.id);
        let found = self.dirs.with_id(assigned);
        if found.is_none() && self.dirs.any_offline() && assigned != DirectoryId::UNASSIGNED {
            self.offline.insert(id);
            return;
        }
        let Some(index) = found.or_else(|| self.emptiest_dir()) else { return };
        let dir = self.dirs.join(index, &format!("{}-{}", topic.name, id.partition));
        let config = configured(&topic.config, &cx.context.config);
        match create(&dir, id, &config, &mut cx.io) {
            Ok(log) => {
                let (name, config) = (topic.name.clone(), topic.config.clone());
                let partition = Partition::new(id, name, log, 0, config, cx.io.now.mono);
                self.hosted.insert(id, partition);
            }
            Err(error) => {
                self.offline.insert(id);
                self.dirs.failed(index, Some(id), &error, cx);
            }
        }
    }

    /// The directory with the fewest logs (`LogManager.nextLogDirs`).
    fn emptiest_dir(&self) -> Option<DirIndex> {
        let logs = |index: &DirIndex| {
            let of = |p: &&Partition| self.dirs.of_log(p.log().dir()) == Some(*index);
            self.hosted.values().filter(of).count()
        };
        self.dirs.online().min_by_key(logs)
    }

    /// The directory of a replica that is hosted here.
    pub(super) fn directory_of(&self, id: TopicPartition) -> Option<DirectoryId> {
        let partition = self.hosted.get(&id)?;
        Some(self.dirs.id(self.dirs.of_log(partition.log().dir())?))
    }
}

/// The configuration of a log on this broker.
fn configured(topic: &TopicConfig, broker: &BrokerConfig) -> LogConfig {
    let expiration = broker.producer_id_expiration.as_millis();
    LogConfig {
        producer_id_expiration_ms: i64::try_from(expiration).unwrap_or(i64::MAX),
        ..log_config(topic)
    }
}

fn create(
    dir: &str,
    id: TopicPartition,
    config: &LogConfig,
    io: &mut Io<'_>,
) -> Result<Log, StorageError> {
    let (log, _) = Log::open(dir, config, io.disk, true, 0, io.now.wall).map_err(log_dir_failed)?;
    partition_metadata::write(io.disk, dir, id.topic.0)?;
    Ok(log)
}
