//! Topics by name and by id, as the broker that receives a request knows them.

use crate::broker::Broker;
use crate::ids::TopicId;
use std::collections::BTreeMap;

/// The topics that a broker knows, and names and ids of scripts that no topic has.
#[derive(Default)]
pub(super) struct Topics {
    ids: BTreeMap<String, TopicId>,
    strangers: BTreeMap<String, TopicId>,
}

impl Topics {
    pub(super) fn refresh(&mut self, broker: &Broker) {
        let names = broker.image().topic_names();
        self.ids = names.map(|(name, id)| (name.to_owned(), id)).collect();
    }

    /// The id of a topic; an id that no topic has if there is no such name.
    pub(super) fn id(&mut self, name: &str) -> TopicId {
        if let Some(id) = self.ids.get(name) {
            return *id;
        }
        let unused = TopicId(u128::MAX - self.strangers.len() as u128);
        *self.strangers.entry(name.to_owned()).or_insert(unused)
    }

    pub(super) fn name(&self, id: TopicId) -> Option<&str> {
        let mut all = self.ids.iter().chain(&self.strangers);
        all.find(|(_, it)| **it == id).map(|(name, _)| name.as_str())
    }

    /// The name of the topic with this id, if there is one.
    pub(super) fn known_name(&self, id: TopicId) -> Option<&str> {
        self.ids.iter().find(|(_, it)| **it == id).map(|(name, _)| name.as_str())
    }
}

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id as Kafka writes it: 22 digits of base 64 for 128 bits, the last with four bits to spare.
pub(super) fn written(id: TopicId) -> String {
    let digit = |at: u32| {
        let shift = 122 - 6 * i64::from(at);
        let six = if shift >= 0 { id.0 >> shift } else { id.0 << -shift };
        char::from(DIGITS[(six & 63) as usize])
    };
    (0..22).map(digit).collect()
}

/// The id that Kafka writes so.
pub(super) fn parsed(text: &str) -> TopicId {
    let mut id = 0_u128;
    for (at, byte) in (0_i64..).zip(text.bytes()) {
        let six = DIGITS.iter().position(|it| *it == byte).expect("a digit of base 64") as u128;
        let shift = 122 - 6 * at;
        id |= if shift >= 0 { six << shift } else { six >> -shift };
    }
    TopicId(id)
}

#[test]
fn ids_are_written_as_kafka_writes_them() {
    assert_eq!(written(TopicId(0)), "AAAAAAAAAAAAAAAAAAAAAA");
    assert_eq!(parsed("AAAAAAAAAAAAAAAAAAABAA"), TopicId(1 << 8));
    for id in [1, 15, 16, u128::MAX, 0x0123_4567_89ab_cdef_0123_4567_89ab_cdef] {
        assert_eq!(parsed(&written(TopicId(id))), TopicId(id));
    }
}
