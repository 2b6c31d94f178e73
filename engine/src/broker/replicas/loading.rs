//! The logs at a start, and new ones (`LogManager.loadLogs`, `getOrCreateLog`).

use super::partition::log_config;
use super::{Partition, Partitions, Replicas};
use crate::broker::context::{Cx, Io, disk_failed, log_dir_failed};
use crate::config::TopicConfig;
use crate::fact::Fact;
use crate::ids::{TopicId, TopicPartition};
use crate::log::checkpoint::{
    self, LOG_START_OFFSETS, Offsets, RECOVERY_POINTS, REPLICATION_OFFSETS,
};
use crate::log::{Log, clean_shutdown, partition_metadata};
use crate::raft;
use machine::Halt;

/// The log directory: the top of the disk.
pub(in crate::broker) const LOG_DIR: &str = "";
/// What the directory of a log ends with that was set aside.
pub(super) const STRAY: &str = "-stray";

impl Replicas {
    /// Loads all logs, with the first metadata of this life. The mark of a clean shutdown is taken
    /// away before: if loading fails half way, the next start must not believe it.
    pub(super) fn load(&mut self, cx: &mut Cx<'_>) -> Result<(), Halt> {
        let (image, io) = (&cx.context.image, &mut cx.io);
        let found = Found {
            clean: clean_shutdown::take(io.disk, LOG_DIR).map_err(disk_failed)?,
            recovery_points: checkpoint::read(io.disk, RECOVERY_POINTS).map_err(disk_failed)?,
            high_watermarks: checkpoint::read(io.disk, REPLICATION_OFFSETS).map_err(disk_failed)?,
            log_starts: checkpoint::read(io.disk, LOG_START_OFFSETS).map_err(disk_failed)?,
        };
        for dir in io.disk.list(LOG_DIR).map_err(disk_failed)? {
            let Some((topic, index)) = topic_and_index(&dir) else { continue };
            let Some(id) = partition_metadata::read(io.disk, &dir).map_err(disk_failed)? else {
                // It was being created, and is empty.
                io.disk.remove(&dir).map_err(disk_failed)?;
                continue;
            };
            let id = TopicPartition::new(TopicId(id), index);
            let config = image.topic_config(id.topic).unwrap_or(image.default_topic_config());
            let partition = found.open(&dir, topic, id, config, io)?;
            self.partitions.hosted.insert(id, partition);
        }
        Ok(())
    }
}

/// What the files beside the logs say.
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
        io: &mut Io<'_>,
    ) -> Result<Partition, Halt> {
        let key = (topic.to_owned(), id.partition as u32);
        let of = |offsets: &Offsets| offsets.get(&key).copied().unwrap_or(0);
        let (recovery_point, log_start) = (of(&self.recovery_points), of(&self.log_starts));
        let config = log_config(topic_config);
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

/// `orders-0` is partition 0 of `orders`; files and other directories are none.
fn topic_and_index(dir: &str) -> Option<(&str, i32)> {
    if dir == raft::DIR || dir.ends_with(STRAY) {
        return None;
    }
    let (topic, index) = dir.rsplit_once('-')?;
    let index = index.parse().ok().filter(|index: &i32| *index >= 0)?;
    Some((topic, index))
}

impl Partitions {
    /// Makes an empty log for a partition that is new to this broker.
    pub(super) fn create_replica(
        &mut self,
        id: TopicPartition,
        cx: &mut Cx<'_>,
    ) -> Result<(), Halt> {
        let Some(topic) = cx.context.image.topic(id.topic) else { return Ok(()) };
        let dir = format!("{}-{}", topic.name, id.partition);
        let config = log_config(&topic.config);
        let (log, _) = Log::open(&dir, &config, cx.io.disk, true, 0, cx.io.now.wall)
            .map_err(log_dir_failed)?;
        partition_metadata::write(cx.io.disk, &dir, id.topic.0).map_err(disk_failed)?;
        let (name, config) = (topic.name.clone(), topic.config.clone());
        let partition = Partition::new(id, name, log, 0, config, cx.io.now.mono);
        self.hosted.insert(id, partition);
        Ok(())
    }
}
