//! The connections of the world, found by id in constant time.

use super::connection::Connection;
use machine::{ConnId, NodeId, Vocabulary};

const NONE: u32 = u32::MAX;
/// The numbers of clusters and nodes that fit into a [`ConnId`].
const CLUSTERS: usize = 1 << 4;
const NODES: usize = 1 << 12;

#[derive(Clone, Debug)]
pub(crate) struct Connections<V: Vocabulary> {
    slots: Vec<Option<Connection<V>>>,
    free: Vec<u32>,
    /// Slots by opener, its incarnation, and the number of the connection.
    by_opener: Vec<Vec<Vec<u32>>>,
    /// The indices of nodes, by cluster and number.
    nodes: [Vec<u16>; CLUSTERS],
}

impl<V: Vocabulary> Connections<V> {
    pub(crate) fn new() -> Self {
        Self {
            slots: Vec::new(),
            free: Vec::new(),
            by_opener: Vec::new(),
            nodes: Default::default(),
        }
    }

    /// Adds a node with the next index.
    pub(crate) fn add_node(&mut self, node: NodeId) {
        let (cluster, number) = (usize::from(node.cluster.0), usize::from(node.node));
        assert!(number < NODES && cluster < CLUSTERS, "{node} does not fit a ConnId");
        let nodes = &mut self.nodes[cluster];
        nodes.resize(nodes.len().max(number + 1), u16::MAX);
        nodes[number] = self.by_opener.len() as u16;
        self.by_opener.push(Vec::new());
    }

    /// The indices of a connection in `by_opener`.
    #[inline]
    fn place(&self, id: ConnId) -> Option<(usize, usize, usize)> {
        let (cluster, number) = ((id.0 >> 60) as usize, (id.0 >> 48) as usize % NODES);
        let index = *self.nodes[cluster].get(number)?;
        let (incarnation, count) = ((id.0 >> 32) as u16, id.0 as u32);
        Some((index.into(), incarnation.into(), count as usize))
    }

    /// The slot of a connection that still exists.
    #[inline]
    pub(crate) fn find(&self, id: ConnId) -> Option<usize> {
        let (node, incarnation, count) = self.place(id)?;
        let slot = *self.by_opener.get(node)?.get(incarnation)?.get(count)?;
        (slot != NONE).then_some(slot as usize)
    }

    pub(crate) fn insert(&mut self, connection: Connection<V>) -> usize {
        let (node, incarnation, count) =
            self.place(connection.id).expect("a connection is named by its opener");
        let slot = match self.free.pop() {
            Some(slot) => {
                self.slots[slot as usize] = Some(connection);
                slot
            }
            None => {
                self.slots.push(Some(connection));
                (self.slots.len() - 1) as u32
            }
        };
        let lives = &mut self.by_opener[node];
        lives.resize_with(lives.len().max(incarnation + 1), Vec::new);
        let life = &mut lives[incarnation];
        // A handler with disk operations connects when they complete, perhaps after a later
        // handler.
        life.resize(life.len().max(count + 1), NONE);
        assert!(life[count] == NONE, "connections are opened once");
        life[count] = slot;
        slot as usize
    }

    #[inline]
    pub(crate) fn get(&self, slot: usize) -> &Connection<V> {
        self.slots[slot].as_ref().expect("a connection in use is in its slot")
    }

    #[inline]
    pub(crate) fn get_mut(&mut self, slot: usize) -> &mut Connection<V> {
        self.slots[slot].as_mut().expect("a connection in use is in its slot")
    }

    /// Drops a connection that has ended.
    #[inline]
    pub(crate) fn tidy(&mut self, slot: usize) {
        let over = self.slots[slot].as_ref().is_some_and(Connection::is_over);
        if over && let Some(connection) = self.slots[slot].take() {
            if let Some((node, incarnation, count)) = self.place(connection.id) {
                self.by_opener[node][incarnation][count] = NONE;
            }
            self.free.push(slot as u32);
        }
    }

    /// The slots in use.
    pub(crate) fn slots(&self) -> Vec<usize> {
        let used = self.slots.iter().enumerate().filter(|(_, slot)| slot.is_some());
        used.map(|(slot, _)| slot).collect()
    }
}
