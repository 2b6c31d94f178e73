//! States are read from bytes as Kafka writes them.

use super::State;
use super::state_log::read;
use bytes::{BufMut, Bytes, BytesMut};
use engine::record::BatchBuilder;

fn batch(key: &[u8], value: Option<&[u8]>) -> Bytes {
    let mut batch = BatchBuilder::new().base_offset(3);
    batch.append(1_000, Some(key), value, &[]);
    batch.build()
}

fn value(version: i16, state: u8) -> BytesMut {
    let mut value = BytesMut::new();
    value.put_i16(version);
    value.put_i64(7);
    value.put_i16(2);
    value.put_i32(60_000);
    value.put_u8(state);
    value
}

const KEY: &[u8] = &[0, 0, 0, 2, b't', b'1'];

#[test]
fn both_versions_are_read() {
    let mut old = value(0, 2);
    old.put_i32(1);
    old.put_i16(6);
    old.put_slice(b"orders");
    old.put_i32(2);
    old.put_i32(0);
    old.put_i32(3);
    old.put_i64(11);
    old.put_i64(10);
    let mut new = value(1, 2);
    new.put_slice(&[2, 7]);
    new.put_slice(b"orders");
    new.put_slice(&[3, 0, 0, 0, 0, 0, 0, 0, 3, 0]);
    new.put_i64(11);
    new.put_i64(10);
    new.put_slice(&[1, 2, 2, 0, 2]);
    for bytes in [old, new] {
        let read = read(&batch(KEY, Some(&bytes))).unwrap();
        let it = read[0].value.as_ref().unwrap();
        assert_eq!((read[0].offset, read[0].id.as_str()), (3, "t1"));
        assert_eq!((it.producer_id, it.epoch, it.timeout_ms), (7, 2, 60_000));
        assert_eq!((it.state, it.start_ms), (State::PrepareCommit, 10));
        assert_eq!(it.partitions, ["orders-0", "orders-3"]);
    }
}

#[test]
fn a_tombstone_has_no_state_and_an_empty_id_has_no_partitions() {
    let read_one = |value: Option<&[u8]>| read(&batch(KEY, value)).map(|mut it| it.remove(0).value);
    assert_eq!(read_one(None), Ok(None));
    let mut empty = value(0, 0);
    empty.put_i32(-1);
    empty.put_i64(11);
    empty.put_i64(-1);
    let it = read_one(Some(&empty)).unwrap().unwrap();
    assert_eq!((it.state, it.partitions.len(), it.start_ms), (State::Empty, 0, -1));
}

#[test]
fn malformed_records_are_errors() {
    assert!(read(&batch(&[0, 1, 0, 0], None)).is_err(), "another version of the key");
    assert!(read(&batch(KEY, Some(&value(2, 0)))).is_err(), "another version of the value");
    assert!(read(&batch(KEY, Some(&value(1, 9)))).is_err(), "an unknown state");
    assert!(read(&batch(KEY, Some(&value(1, 0)))).is_err(), "the value ends early");
}
