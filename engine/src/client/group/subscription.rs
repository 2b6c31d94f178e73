//! What a member subscribes to: topics by name, or all that match a pattern; and whether its listener is
//! called when partitions are assigned.

use super::GroupConsumer;
use crate::Outbox;
use crate::client::pattern::Pattern;
use std::sync::Arc;

/// Whether the metadata is refreshed for the next join of a member that subscribes by pattern.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refreshed {
    /// It is not.
    No,
    /// A refresh is requested; this many responses had come before.
    Requested(u64),
    /// It is.
    Yes,
}

impl GroupConsumer {
    /// Subscribes to all topics whose names match (`KafkaConsumer.subscribe(Pattern)`), before the first
    /// poll.
    pub fn subscribe_to(&mut self, pattern: Pattern) {
        self.pattern = Some(pattern);
        self.topics.clear();
        self.consumer.add_all_topics();
    }

    /// The listener of the application is called at each assignment, too (`onPartitionsAssigned`): the
    /// poll goes on when it returns ([`Self::listener_returned`] after `GroupEvent::Assigned`).
    pub fn listen_to_assignments(&mut self) {
        self.listens_to_assignments = true;
    }

    /// The subscription becomes the topics that match the pattern, if there is one
    /// (`ConsumerCoordinator.updatePatternSubscription`).
    pub(super) fn match_topics(&mut self) {
        let Some(pattern) = &self.pattern else { return };
        let known = self.consumer.metadata().topics();
        let matching = known.filter(|(name, _)| pattern.subscribes(name));
        self.topics = matching.map(|(name, _)| Arc::from(name)).collect();
    }

    /// Whether the metadata is as new as a join by pattern needs it (`ensureFreshMetadata`); if not, it
    /// is being refreshed.
    pub(super) fn is_refreshed(&mut self, out: &mut Outbox) -> bool {
        if self.pattern.is_none() || self.refreshed == Refreshed::Yes {
            return true;
        }
        let answered = self.consumer.metadata().answered();
        match self.refreshed {
            Refreshed::Requested(before) if answered > before => {
                self.notice_metadata(out);
                self.refreshed = Refreshed::Yes;
                true
            }
            Refreshed::Requested(_) => false,
            _ => {
                self.refreshed = Refreshed::Requested(answered);
                self.consumer.request_metadata();
                false
            }
        }
    }

    /// An assignment may have topics that the member does not know yet, if they match its pattern
    /// (`maybeUpdateJoinedSubscription`).
    pub(super) fn takes_topic(&mut self, topic: &Arc<str>) -> bool {
        if self.topics.contains(topic) {
            return true;
        }
        let matches = self.pattern.as_ref().is_some_and(|pattern| pattern.subscribes(topic));
        if matches {
            self.topics.push(Arc::clone(topic));
            self.topics.sort();
            self.joined_topics = Some(self.topics.clone());
        }
        matches
    }
}
