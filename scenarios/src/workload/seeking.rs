//! Seeks of a reading application.

use engine::Outbox;
use engine::client::Consumer;
use engine::ids::{Offset, TopicPartition};
use machine::{Mono, Now, Span};
use spec::{Seek, SeekTo};

/// The first moment of something that begins at `first` and is repeated, at or after `now`.
pub(super) fn next_time(first: Mono, every: Option<Span>, now: Mono) -> Option<Mono> {
    if first >= now {
        return Some(first);
    }
    let every = every?.0.max(1);
    let rounds = now.since(first).0.div_ceil(every);
    Some(first + Span(rounds.saturating_mul(every)))
}

/// The first moment of a seek at or after `now`.
pub(super) fn next_seek(seek: &Seek, began: Mono, now: Mono) -> Option<Mono> {
    next_time(began + seek.at.0, seek.every.map(|every| every.0), now)
}

/// Seeks in all partitions of the topics that the consumer reads. The offset of a time comes later, for
/// [`go_to`].
pub(super) fn seek(
    consumer: &mut Consumer,
    topics: &[(String, i32)],
    to: SeekTo,
    now: Now,
    out: &mut Outbox,
) {
    for (topic, partitions) in topics {
        let Some(known) = consumer.metadata().topic(topic) else { continue };
        for partition in 0..*partitions {
            let id = TopicPartition::new(known.id, partition);
            let position = consumer.position(id);
            if let SeekTo::Ago(ago) = to {
                let ago = i64::try_from(ago.0.as_millis()).unwrap_or(i64::MAX);
                let time = now.wall.0.saturating_sub(ago);
                consumer.request_time(now, topic, partition, time, out);
                continue;
            }
            let to = match to {
                SeekTo::Beginning => Some(0),
                SeekTo::End => consumer.readable_end(id),
                SeekTo::Offset(offset) => Some(offset as Offset),
                SeekTo::Back(by) => position.map(|at| (at - by as Offset).max(0)),
                SeekTo::Ago(_) => None,
            };
            if let Some(to) = to {
                consumer.seek(now, topic, partition, to, None, out);
            }
        }
    }
}

/// Seeks to the offset of a time.
pub(super) fn go_to(
    consumer: &mut Consumer,
    topics: &[(String, i32)],
    to: (TopicPartition, Offset),
    now: Now,
    out: &mut Outbox,
) {
    let (partition, offset) = to;
    let metadata = consumer.metadata();
    let is_its = |name: &&String| metadata.topic(name).is_some_and(|it| it.id == partition.topic);
    let topic = topics.iter().map(|(name, _)| name).find(is_its);
    if let Some(topic) = topic {
        consumer.seek(now, topic, partition.partition, offset, None, out);
    }
}
