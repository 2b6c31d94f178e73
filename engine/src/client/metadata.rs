//! The metadata of a client, and its refresh (`Metadata`, `NetworkClient`).
//!
//! Leaders are known with their epochs: a response from a broker with older metadata does not
//! replace a newer leader (KIP-320), and errors of brokers that are not the leader name the leader
//! (KIP-951).

use super::random::{Backoff, Random};
use crate::Outbox;
use crate::ids::{BrokerId, LeaderEpoch, TopicId, TopicPartition, peer};
use crate::net::Channels;
use crate::protocol::{LeaderIdAndEpoch, MetadataRequest, MetadataResponse, MetadataTopic};
use machine::{Mono, NodeId, Span};
use std::collections::BTreeMap;

/// A topic of the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Topic {
    /// Its id.
    pub id: TopicId,
    /// The number of its partitions.
    pub partitions: i32,
}

/// The cluster as a client knows it.
#[derive(Clone, Debug)]
pub struct Metadata {
    node: NodeId,
    max_age: Span,
    backoff: Backoff,
    bootstrap: Vec<NodeId>,
    brokers: Vec<NodeId>,
    /// All topics of the cluster are of interest.
    is_of_all: bool,
    /// The topics of interest; `None` for a topic that the cluster is not known to have.
    topics: BTreeMap<String, Option<Topic>>,
    leaders: BTreeMap<TopicPartition, LeaderIdAndEpoch>,
    version: u64,
    /// How many responses have come.
    answered: u64,
    refresh: Refresh,
}

#[derive(Clone, Debug, Default)]
struct Refresh {
    wanted: bool,
    /// No response has had all topics of interest yet.
    lacks_topics: bool,
    in_flight: bool,
    /// The number of consecutive requests that failed or returned nothing new.
    fruitless: u32,
    not_before: Mono,
    last_success: Option<Mono>,
}

impl Metadata {
    /// Metadata that contains only the brokers of `bootstrap` (`bootstrap.servers`).
    pub(super) fn new(
        node: NodeId,
        bootstrap: &[BrokerId],
        max_age: Span,
        backoff: Backoff,
    ) -> Self {
        Self {
            node,
            max_age,
            backoff,
            bootstrap: bootstrap.iter().map(|id| peer(node, *id)).collect(),
            brokers: Vec::new(),
            is_of_all: false,
            topics: BTreeMap::new(),
            leaders: BTreeMap::new(),
            version: 0,
            answered: 0,
            refresh: Refresh::default(),
        }
    }

    /// A number that increases whenever the metadata changes.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// How many responses to requests for metadata have come.
    pub(super) fn answered(&self) -> u64 {
        self.answered
    }

    /// Whether the last response lacks topics that have become of interest since its request left.
    pub(super) fn lacks_topics(&self) -> bool {
        self.refresh.lacks_topics
    }

    /// The topic called `name`, if it is of interest and known.
    pub fn topic(&self, name: &str) -> Option<Topic> {
        self.topics.get(name).copied().flatten()
    }

    /// The topics of interest that are known.
    pub fn topics(&self) -> impl Iterator<Item = (&str, Topic)> {
        self.topics.iter().filter_map(|(name, topic)| Some((name.as_str(), (*topic)?)))
    }

    /// The leader of a partition, with the epoch; `None` while none is known.
    pub fn leader(&self, partition: TopicPartition) -> Option<(NodeId, LeaderEpoch)> {
        let known = self.leaders.get(&partition)?;
        Some((peer(self.node, known.leader?), known.epoch))
    }

    /// The newest known leader epoch of a partition.
    pub fn leader_epoch(&self, partition: TopicPartition) -> Option<LeaderEpoch> {
        self.leaders.get(&partition).map(|known| known.epoch)
    }

    /// Adds a topic of interest.
    pub(super) fn add_topic(&mut self, name: &str) {
        if !self.topics.contains_key(name) {
            self.topics.insert(name.to_owned(), None);
            self.refresh.lacks_topics = true;
            // The last response does not contain the new topic.
            self.refresh.fruitless = 0;
            self.refresh.not_before = Mono::default();
            self.request_update();
        }
    }

    /// Makes all topics of interest, for a subscription by pattern.
    pub(super) fn add_all_topics(&mut self) {
        self.is_of_all = true;
        self.request_update();
    }

    /// Requests a refresh as soon as the back-off allows it.
    pub(super) fn request_update(&mut self) {
        self.refresh.wanted = true;
    }

    /// Stores a leader that a broker named in an error. Returns whether it was new.
    pub(super) fn learn_leader(
        &mut self,
        partition: TopicPartition,
        hint: LeaderIdAndEpoch,
    ) -> bool {
        let news = hint.leader.is_some()
            && self.leaders.get(&partition).is_none_or(|known| known.epoch < hint.epoch);
        if news {
            self.leaders.insert(partition, hint);
            self.version += 1;
        }
        news
    }

    /// A partition has this leader epoch, as a committed offset says (`updateLastSeenEpochIfNewer`). If it is
    /// newer than the known one, the leader that is known is not the leader any more: none is known
    /// until the metadata has that epoch.
    pub(super) fn see_epoch(&mut self, partition: TopicPartition, epoch: LeaderEpoch) {
        if let Some(known) = self.leaders.get_mut(&partition)
            && known.epoch < epoch
        {
            *known = LeaderIdAndEpoch { leader: None, epoch };
            self.version += 1;
            self.request_update();
        }
    }

    /// Handles the response to the request in flight.
    pub(super) fn on_response(
        &mut self,
        now: Mono,
        response: &MetadataResponse,
        random: &mut Random,
    ) {
        let brokers: Vec<NodeId> =
            response.brokers.iter().map(|broker| peer(self.node, broker.id)).collect();
        let mut changed = brokers != self.brokers;
        let was_wanted = self.refresh.wanted;
        self.brokers = brokers;
        // A topic that has become of interest since the request left is not in the response.
        self.refresh.lacks_topics = !self.is_of_all && response.topics.len() < self.topics.len();
        self.refresh.wanted = self.refresh.lacks_topics;
        for topic in &response.topics {
            if self.is_of_all && topic.error.is_none() {
                self.topics.entry(topic.name.clone()).or_default();
            }
            changed |= self.take_topic(topic);
        }
        if changed {
            self.version += 1;
        }
        self.answered += 1;
        self.refresh.in_flight = false;
        self.refresh.last_success = Some(now);
        let fruitful = changed || !was_wanted;
        self.refresh.fruitless = if fruitful { 0 } else { self.refresh.fruitless + 1 };
        self.back_off(now, random);
    }

    fn take_topic(&mut self, described: &MetadataTopic) -> bool {
        let Some(known) = self.topics.get_mut(&described.name) else { return false };
        if !described.error.is_none() {
            self.refresh.wanted |= described.error.is_invalid_metadata();
            return false;
        }
        let topic = Topic { id: described.topic, partitions: described.partitions.len() as i32 };
        let mut changed = *known != Some(topic);
        *known = Some(topic);
        for partition in &described.partitions {
            self.refresh.wanted |= partition.error.is_invalid_metadata();
            let key = TopicPartition::new(described.topic, partition.partition);
            let latest =
                LeaderIdAndEpoch { leader: partition.leader, epoch: partition.leader_epoch };
            match self.leaders.get(&key) {
                Some(known) if known.epoch > latest.epoch || *known == latest => {}
                _ => {
                    self.leaders.insert(key, latest);
                    changed = true;
                }
            }
        }
        changed
    }

    /// Handles the failure of the request in flight.
    pub(super) fn on_failure(&mut self, now: Mono, random: &mut Random) {
        self.refresh.in_flight = false;
        self.refresh.fruitless += 1;
        self.request_update();
        self.back_off(now, random);
    }

    fn back_off(&mut self, now: Mono, random: &mut Random) {
        self.refresh.not_before = now + self.backoff.after(self.refresh.fruitless, random);
    }

    /// Whether a refresh is due.
    pub(super) fn is_due(&self, now: Mono) -> bool {
        now >= self.due()
    }

    /// The time at which the next refresh is due.
    fn due(&self) -> Mono {
        match self.refresh.last_success {
            _ if self.refresh.in_flight => Mono::MAX,
            _ if self.topics.is_empty() && !self.is_of_all => Mono::MAX,
            Some(last) if !self.refresh.wanted => {
                (last + self.max_age).max(self.refresh.not_before)
            }
            _ => self.refresh.not_before,
        }
    }

    /// Chooses a broker for a request that any of them can serve.
    pub(super) fn choose<C>(
        &self,
        now: Mono,
        channels: &mut Channels<C>,
        random: &mut Random,
        out: &mut Outbox,
    ) -> Choice {
        choose_node(now, [&self.brokers, &self.bootstrap], channels, random, out)
    }

    /// Sends a request if one is due. Returns the latest time for the next call; events of
    /// connections and requests call this as well.
    pub(super) fn maintain<C>(
        &mut self,
        now: Mono,
        channels: &mut Channels<C>,
        context: C,
        timeout: Span,
        random: &mut Random,
        out: &mut Outbox,
    ) -> Mono {
        let due = self.due();
        if now < due {
            return due;
        }
        match self.choose(now, channels, random, out) {
            Choice::Send(node) => {
                let named = !self.is_of_all;
                let topics = named.then(|| self.topics.keys().cloned().collect());
                channels.send(now, node, MetadataRequest { topics }, timeout, context, out);
                self.refresh.in_flight = true;
                Mono::MAX
            }
            Choice::Connecting => Mono::MAX,
            Choice::NotBefore(at) => at,
        }
    }
}

/// The destination of a request that any broker can serve.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    /// To this node, now.
    Send(NodeId),
    /// To a broker whose connection is being opened.
    Connecting,
    /// No broker can be tried before this time.
    NotBefore(Mono),
}

/// Chooses a node (`NetworkClient.leastLoadedNode`): an open connection with the fewest requests
/// in flight; else one that is being opened; else a new one. `lists` are tried in order.
pub(super) fn choose_node<C>(
    now: Mono,
    lists: [&[NodeId]; 2],
    channels: &mut Channels<C>,
    random: &mut Random,
    out: &mut Outbox,
) -> Choice {
    let mut not_before = Mono::MAX;
    for nodes in lists {
        if nodes.is_empty() {
            continue;
        }
        let first = random.below(nodes.len() as u64) as usize;
        let nodes = || nodes[first..].iter().chain(&nodes[..first]).copied();
        let open = nodes().filter(|node| channels.is_open(*node) && channels.is_ready(now, *node));
        if let Some(node) = open.min_by_key(|node| channels.in_flight(*node)) {
            return Choice::Send(node);
        }
        if nodes().any(|node| channels.has_connection(node)) {
            return Choice::Connecting;
        }
        if let Some(node) = nodes().find(|node| channels.is_ready(now, *node)) {
            channels.connect(now, node, out);
            return Choice::Connecting;
        }
        let soonest = nodes().map(|node| channels.not_before(node)).min();
        not_before = not_before.min(soonest.unwrap_or(Mono::MAX));
    }
    Choice::NotBefore(not_before)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::protocol::{MetadataBroker, MetadataPartition};

    const ORDERS: TopicPartition = TopicPartition::new(TopicId(7), 0);

    fn answer(leader: BrokerId, leader_epoch: LeaderEpoch) -> MetadataResponse {
        let partition = MetadataPartition {
            error: ErrorCode::None,
            partition: 0,
            leader: Some(leader),
            leader_epoch,
            replicas: vec![1, 2],
            isr: vec![1, 2],
        };
        MetadataResponse {
            brokers: vec![MetadataBroker { id: 1, rack: None }],
            topics: vec![MetadataTopic {
                error: ErrorCode::None,
                name: "orders".to_owned(),
                topic: ORDERS.topic,
                partitions: vec![partition],
            }],
        }
    }

    #[test]
    fn a_leader_with_an_older_epoch_is_ignored() {
        let mut random = Random::new(1, 1);
        let backoff = Backoff { initial: Span::millis(100), max: Span::secs(1) };
        let mut metadata = Metadata::new(NodeId::new(0, 1001), &[1], Span::secs(300), backoff);
        metadata.add_topic("orders");
        metadata.on_response(Mono(0), &answer(1, 4), &mut random);
        assert_eq!(metadata.due(), Mono(0) + Span::secs(300));
        let hint = |leader, epoch| LeaderIdAndEpoch { leader: Some(leader), epoch };
        assert!(!metadata.learn_leader(ORDERS, hint(2, 4)), "the same epoch has one leader");
        assert!(metadata.learn_leader(ORDERS, hint(2, 5)));
        let version = metadata.version();
        metadata.request_update();
        assert_eq!(metadata.due(), Mono(0), "the first refresh does not wait");
        metadata.on_response(Mono(0), &answer(1, 4), &mut random);
        assert_eq!(metadata.leader(ORDERS), Some((NodeId::new(0, 2), 5)));
        assert_eq!(metadata.version(), version);
        metadata.request_update();
        let wait = metadata.due().since(Mono(0));
        assert!(Span::millis(80) <= wait && wait <= Span::millis(120), "the next one does");
        metadata.on_response(Mono(0), &answer(1, 6), &mut random);
        assert_eq!(metadata.leader(ORDERS), Some((NodeId::new(0, 1), 6)));
        metadata.request_update();
        assert_eq!(metadata.due(), Mono(0), "unless the last response contained something new");
    }

    /// KIP-320: a committed offset of a later epoch shows that the known leader is not the leader any more.
    #[test]
    fn an_epoch_that_was_seen_elsewhere_hides_the_leader_of_an_older_one() {
        let mut random = Random::new(1, 1);
        let backoff = Backoff { initial: Span::millis(100), max: Span::secs(1) };
        let mut metadata = Metadata::new(NodeId::new(0, 1001), &[1], Span::secs(300), backoff);
        metadata.add_topic("orders");
        metadata.see_epoch(ORDERS, 5);
        assert_eq!(metadata.leader_epoch(ORDERS), None, "nothing is known yet");
        metadata.on_response(Mono(0), &answer(1, 4), &mut random);
        let version = metadata.version();
        metadata.see_epoch(ORDERS, 4);
        assert_eq!((metadata.leader(ORDERS).is_some(), metadata.version()), (true, version));
        metadata.see_epoch(ORDERS, 5);
        assert_eq!((metadata.leader(ORDERS), metadata.leader_epoch(ORDERS)), (None, Some(5)));
        assert!(metadata.version() > version && metadata.is_due(Mono(0)));
        metadata.on_response(Mono(0), &answer(1, 4), &mut random);
        assert_eq!(metadata.leader(ORDERS), None, "the response is older");
        metadata.on_response(Mono(0), &answer(2, 5), &mut random);
        assert_eq!(metadata.leader(ORDERS), Some((NodeId::new(0, 2), 5)));
    }
}
