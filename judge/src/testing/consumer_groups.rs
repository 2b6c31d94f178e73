//! Records of a group of the consumer protocol (KIP-848), as its coordinator writes them.

use super::groups::{GROUP, id, put_text};
use super::{History, ORDERS};
use bytes::{BufMut, Bytes, BytesMut};

impl History {
    /// The group has this epoch, and its target assignment as well.
    pub(crate) fn epoch(&mut self, epoch: i32) {
        for kind in [3, 6] {
            let mut value = BytesMut::new();
            value.put_i16(0);
            value.put_i32(epoch);
            value.put_u8(0);
            self.write_group(&key(kind, None), Some(&value), true);
        }
    }

    /// A member has this epoch, is assigned partitions of `orders`, and has to give up others.
    pub(crate) fn current(&mut self, client: u16, epoch: i32, assigned: &[i32], to_revoke: &[i32]) {
        let mut value = BytesMut::new();
        value.put_i16(0);
        value.put_i32(epoch);
        value.put_i32(epoch - 1);
        value.put_u8(u8::from(!to_revoke.is_empty()));
        put_partitions(&mut value, assigned);
        put_partitions(&mut value, to_revoke);
        value.put_u8(0);
        self.write_group(&key(8, Some(client)), Some(&value), true);
    }

    /// A member is removed from the group.
    pub(crate) fn forget_member(&mut self, client: u16) {
        for kind in [8, 7, 5] {
            self.write_group(&key(kind, Some(client)), None, true);
        }
    }
}

fn key(kind: i16, member: Option<u16>) -> Bytes {
    let mut key = BytesMut::new();
    key.put_i16(kind);
    put_text(&mut key, GROUP);
    if let Some(member) = member {
        put_text(&mut key, &id(member));
    }
    key.freeze()
}

fn put_partitions(to: &mut BytesMut, partitions: &[i32]) {
    if partitions.is_empty() {
        return to.put_u8(1);
    }
    to.put_u8(2);
    to.put_u128(ORDERS.topic.0);
    to.put_u8(partitions.len() as u8 + 1);
    partitions.iter().for_each(|it| to.put_i32(*it));
    to.put_u8(0);
}
