//! Comparison with batches that Kafka itself and another implementation wrote (`tests/fixtures`).

use super::builder::Headers;
use super::*;
use bytes::{Bytes, BytesMut};
use machine::Wall;
use proptest::prelude::*;
use serde_json::Value;

const KAFKA: &str = include_str!("../../tests/fixtures/record-batches-kafka-4.3.json");
const KAFKA_PYTHON: &str = include_str!("../../tests/fixtures/record-batches.json");

fn fixtures(file: &str) -> Vec<Value> {
    let file: Value = serde_json::from_str(file).expect("JSON");
    file["batches"].as_array().expect("batches").clone()
}

fn unhex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).expect("hexadecimal");
    (0..text.len()).step_by(2).map(digit).collect()
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    value.as_str().map(unhex)
}

fn number(value: &Value) -> i64 {
    value.as_i64().expect("a number")
}

fn codec(fixture: &Value) -> Codec {
    Codec::from_name(fixture["codec"].as_str().expect("a codec")).expect("a known codec")
}

/// The records that reading a fixture has to return.
fn expected(fixture: &Value) -> Vec<RecordView> {
    let records = fixture["records"].as_array().expect("records");
    let base_sequence = number(&fixture["base_sequence"]) as i32;
    let base_offset = fixture.get("base_offset").map_or(0, number);
    let view = |(at, record): (usize, &Value)| {
        let headers = record["headers"].as_array().expect("headers");
        RecordView {
            offset: base_offset + at as i64,
            timestamp: number(&record["timestamp"]),
            sequence: match base_sequence {
                NO_SEQUENCE => NO_SEQUENCE,
                base => advance_sequence(base, at as i32),
            },
            key: bytes(&record["key"]).map(Bytes::from),
            value: bytes(&record["value"]).map(Bytes::from),
            headers: headers
                .iter()
                .map(|header| Header {
                    key: header_key(&header[0]),
                    value: bytes(&header[1]).map(Bytes::from),
                })
                .collect(),
        }
    };
    records.iter().enumerate().map(view).collect()
}

/// Both files have the keys of headers as text.
fn header_key(key: &Value) -> Bytes {
    Bytes::copy_from_slice(key.as_str().expect("a header key").as_bytes())
}

/// Builds a batch again from the records read.
fn rebuild(batch: Batch<'_>, records: &[RecordView], codec: Codec) -> Bytes {
    let mut builder = BatchBuilder::new()
        .base_offset(batch.base_offset())
        .leader_epoch(batch.leader_epoch())
        .producer(batch.producer_id(), batch.producer_epoch(), batch.base_sequence())
        .transactional(batch.is_transactional())
        .codec(codec);
    if batch.is_control() {
        builder = builder.control();
    }
    for record in records {
        let headers: Vec<(&[u8], Option<&[u8]>)> =
            record.headers.iter().map(|h| (&h.key[..], h.value.as_deref())).collect();
        let (key, value) = (record.key.as_deref(), record.value.as_deref());
        builder.append(record.timestamp, key, value, &headers);
    }
    if codec == Codec::None {
        let estimated = builder.estimated_size();
        let built = builder.build();
        assert_eq!(built.len(), estimated, "the size is known while it is filled");
        return built;
    }
    builder.build()
}

fn check_records(name: &str, fixture: &Value, bytes: &Bytes) {
    let view = Batch::new(bytes).expect(name);
    view.check_crc().expect(name);
    assert_eq!(view.codec(), Ok(codec(fixture)), "{name}");
    assert_eq!(view.producer_id(), number(&fixture["producer_id"]), "{name}");
    assert_eq!(i64::from(view.producer_epoch()), number(&fixture["producer_epoch"]), "{name}");
    assert_eq!(i64::from(view.base_sequence()), number(&fixture["base_sequence"]), "{name}");
    assert_eq!(view.is_transactional(), fixture["transactional"] == true, "{name}");
    assert_eq!(records(bytes).expect(name), expected(fixture), "{name}");
    let mut seen = 0;
    for_each(bytes, |record| {
        assert_eq!(record.headers().count(), expected(fixture)[seen].headers.len());
        seen += 1;
    })
    .expect(name);
    assert_eq!(seen as i32, view.record_count(), "{name}");
}

/// A batch that is built again has the same bytes without compression, the same records with it.
fn check_rewrite(name: &str, fixture: &Value, bytes: &Bytes) {
    let view = Batch::new(bytes).expect(name);
    if view.timestamp_type() == TimestampType::LogAppendTime {
        return;
    }
    let read = records(bytes).expect(name);
    let again = rebuild(view, &read, codec(fixture));
    if codec(fixture) == Codec::None {
        assert_eq!(again, bytes, "{name}");
    } else {
        assert_eq!(records(&again).expect(name), read, "{name}");
        Batch::new(&again).expect(name).check_crc().expect(name);
    }
}

#[test]
fn batches_that_kafka_wrote() {
    for fixture in fixtures(KAFKA) {
        let name = fixture["name"].as_str().expect("a name");
        let bytes = Bytes::from(bytes(&fixture["bytes"]).expect("bytes"));
        check_records(name, &fixture, &bytes);
        check_rewrite(name, &fixture, &bytes);
        let view = Batch::new(&bytes).expect(name);
        let is = |field: &str, value: i64| assert_eq!(number(&fixture[field]), value, "{name}");
        is("base_offset", view.base_offset());
        is("last_offset", view.last_offset());
        is("partition_leader_epoch", view.leader_epoch().into());
        is("crc", view.crc().into());
        is("last_sequence", view.last_sequence().into());
        is("max_timestamp", view.max_timestamp());
        is("size", view.size() as i64);
        let time = format!("{:?}", view.timestamp_type());
        assert_eq!(fixture["timestamp_type"], time.as_str(), "{name}");
        assert_eq!(fixture["control"] == true, view.is_control(), "{name}");
        let sequences = fixture["records"].as_array().expect("records").iter();
        let sequences: Vec<i64> = sequences.map(|record| number(&record["sequence"])).collect();
        let read = records(&bytes).expect(name);
        assert!(read.iter().map(|record| i64::from(record.sequence)).eq(sequences), "{name}");
    }
}

#[test]
fn batches_that_kafka_python_wrote() {
    for fixture in fixtures(KAFKA_PYTHON) {
        let name = fixture["name"].as_str().expect("a name");
        let bytes = Bytes::from(bytes(&fixture["bytes"]).expect("bytes"));
        check_records(name, &fixture, &bytes);
        check_rewrite(name, &fixture, &bytes);
    }
}

#[test]
fn markers_that_kafka_wrote() {
    let mut markers = 0;
    for fixture in fixtures(KAFKA).iter().filter(|fixture| fixture["control"] == true) {
        let bytes = Bytes::from(bytes(&fixture["bytes"]).expect("bytes"));
        let view = Batch::new(&bytes).expect("a batch");
        let mut read = None;
        for_each(&bytes, |record| read = EndTransactionMarker::read(&record).expect("a marker"))
            .expect("records");
        let marker = read.expect("a marker");
        assert_eq!(marker.committed, fixture["control_type"] == "COMMIT");
        assert_eq!(i64::from(marker.coordinator_epoch), number(&fixture["coordinator_epoch"]));
        let ours = marker.batch(view.producer_id(), view.producer_epoch(), view.max_timestamp());
        assert_eq!(stamp(ours, view.base_offset(), view.leader_epoch()), bytes);
        markers += 1;
    }
    assert_eq!(markers, 2);
}

#[test]
fn leader_changes_round_trip() {
    let change = control::LeaderChange { leader: 3, voters: vec![1, 2, 3], granting: vec![1, 3] };
    let batch = change.batch(7, 1000);
    let view = Batch::new(&batch).expect("a batch");
    assert!(view.is_control() && !view.is_transactional() && view.leader_epoch() == 7);
    let record = &records(&batch).expect("records")[0];
    assert_eq!(ControlType::from_key(record.key.as_deref()), Ok(Some(ControlType::LeaderChange)));
    let value = record.value.as_deref().expect("a value");
    assert_eq!(control::LeaderChange::read(value), Ok(change));
}

#[test]
fn stamping_changes_neither_the_checksum_nor_shared_bytes() {
    let mut builder = BatchBuilder::new();
    builder.append(1, Some(b"k"), None, &[]);
    let original = builder.build();
    let shared = original.clone();
    let stamped = stamp(original, 77, 5);
    let view = Batch::new(&stamped).expect("a batch");
    assert_eq!((view.base_offset(), view.leader_epoch()), (77, 5));
    view.check_crc().expect("outside the checksum");
    assert_eq!(Batch::new(&shared).expect("a batch").base_offset(), 0, "shared bytes stay");
    let alone = Bytes::from(shared.to_vec());
    let place = alone.as_ptr();
    assert_eq!(stamp(alone, 1, 1).as_ptr(), place, "unshared bytes are not copied");
    let resent = stamp_producer(shared, 9, 1, 0);
    Batch::new(&resent).expect("a batch").check_crc().expect("a new checksum");
}

#[test]
fn concatenated_batches_are_split() {
    let one = rebuild_simple(3);
    let two = stamp(rebuild_simple(1), 3, 0);
    let mut both = BytesMut::from(&one[..]);
    both.extend_from_slice(&two);
    let both = both.freeze();
    assert_eq!(split(both.clone()), Ok(vec![one, two]));
    assert!(split(both.slice(..both.len() - 1)).is_err());
    assert_eq!(split(Bytes::new()), Ok(vec![]));
}

fn rebuild_simple(count: i32) -> Bytes {
    let mut builder = BatchBuilder::new();
    for n in 0..count {
        builder.append(i64::from(n), Some(b"key"), Some(b"value"), &[]);
    }
    builder.build()
}

#[test]
fn the_first_record_always_has_room() {
    let mut builder = BatchBuilder::new();
    assert!(builder.room_for(0, None, Some(&[0; 100]), &[], 80));
    builder.append(0, None, Some(&[0; 100]), &[]);
    let full = builder.estimated_size() + builder::record_size(0, 1, None, Some(b"x"), &[]);
    assert!(builder.room_for(0, None, Some(b"x"), &[], full));
    assert!(!builder.room_for(0, None, Some(b"x"), &[], full - 1));
}

#[test]
fn raw_snappy_blocks_are_read_too() {
    let records = b"as clients other than Java's write them".repeat(9);
    let raw = snap::raw::Encoder::new().compress_vec(&records).expect("snappy");
    assert_eq!(Codec::Snappy.decompress(Bytes::from(raw)).expect("raw"), records);
}

#[test]
fn invalid_batches_are_refused() {
    let limits = Limits { compacted: true, ..Limits::default() };
    let now = Wall(1_700_000_000_000);
    let build = |make: &dyn Fn(BatchBuilder) -> BatchBuilder| {
        let mut builder = make(BatchBuilder::new());
        builder.append(now.0, Some(b"key"), Some(b"value"), &[]);
        builder.build()
    };
    let check = |bytes: &[u8], limits: &Limits| validate_produce(bytes, limits, now);
    let good = build(&|batch| batch);
    assert_eq!(check(&good, &limits), Ok(()));

    let mut broken = good.to_vec();
    broken[70] ^= 1;
    assert_eq!(check(&broken, &limits), Err(Invalid::CorruptMessage));
    assert_eq!(check(&good[..50], &limits), Err(Invalid::CorruptMessage));
    let small = Limits { max_message_bytes: good.len() as u32 - 1, ..limits };
    assert_eq!(check(&good, &small), Err(Invalid::MessageTooLarge));
    let exact = Limits { max_message_bytes: good.len() as u32, ..limits };
    assert_eq!(check(&good, &exact), Ok(()));

    let invalid = Err(Invalid::InvalidRecord);
    assert_eq!(check(&build(&|batch| batch.base_offset(1)), &limits), invalid);
    assert_eq!(check(&build(&|batch| batch.control()), &limits), invalid);
    assert_eq!(check(&build(&|batch| batch.producer(1, 0, NO_SEQUENCE)), &limits), invalid);
    assert_eq!(check(&build(&|batch| batch.producer(1, 0, 0)), &limits), Ok(()));
    assert_eq!(check(&BatchBuilder::new().build(), &limits), invalid, "no record");
    let mut holes = BatchBuilder::new();
    holes.append_at(1, now.0, Some(b"key"), None, &[]);
    assert_eq!(check(&holes.build(), &limits), invalid, "a hole");
    let append_time = build(&|batch| batch.append_time(now.0));
    assert_eq!(check(&append_time, &limits), Ok(()), "as in Kafka");
    let leaders = Limits { timestamp_type: TimestampType::LogAppendTime, ..limits };
    assert_eq!(check(&append_time, &leaders), Err(Invalid::InvalidTimestamp));
}

#[test]
fn a_request_has_exactly_one_batch_for_a_partition() {
    let good = rebuild_simple(1);
    let check = |bytes: &[u8]| validate_request(bytes, 12);
    assert_eq!(check(&good), Ok(good.len()));
    let and = |more: &[u8]| [&good[..], more].concat();
    assert_eq!(check(&and(&good[..40])), Ok(good.len()), "half a batch is not looked at");
    let invalid = Err(Invalid::InvalidRecord);
    for bytes in [&[][..], &good[..11], &good[..good.len() - 1], &and(&good)] {
        assert_eq!(check(bytes), invalid, "{} bytes", bytes.len());
    }
    let edited = |at: usize, byte: u8| {
        let mut bytes = good.to_vec();
        bytes[at] = byte;
        bytes
    };
    assert_eq!(check(&edited(16, 1)), invalid, "magic 1");
    assert_eq!(check(&edited(16, 3)), Err(Invalid::CorruptMessage), "magic 3");
    assert_eq!(check(&edited(11, 13)), Err(Invalid::CorruptMessage), "a length of 13");
}

#[test]
fn batches_beyond_the_topics_configuration_are_refused() {
    let now = Wall(1_700_000_000_000);
    let at = |timestamp: i64, key: Option<&[u8]>| {
        let mut builder = BatchBuilder::new();
        builder.append(timestamp, key, Some(b"value"), &[]);
        builder.build()
    };
    let limits = Limits { timestamp_before_max_ms: 50, ..Limits::default() };
    let check = |bytes: &[u8], limits: &Limits| validate_produce(bytes, limits, now);
    let late = Err(Invalid::InvalidTimestamp);
    assert_eq!(check(&at(now.0 - 50, None), &limits), Ok(()));
    assert_eq!(check(&at(now.0 - 51, None), &limits), late);
    assert_eq!(check(&at(now.0 + 3_600_000, None), &limits), Ok(()), "an hour ahead");
    assert_eq!(check(&at(now.0 + 3_600_001, None), &limits), late);
    assert_eq!(check(&at(NO_TIMESTAMP, None), &limits), Ok(()));
    let compacted = Limits { compacted: true, ..limits };
    assert_eq!(check(&at(now.0, None), &compacted), Err(Invalid::InvalidRecord), "needs a key");
    let mut zstd = BatchBuilder::new().codec(Codec::Zstd);
    zstd.append(now.0, None, Some(b"value"), &[]);
    let zstd = zstd.build();
    assert_eq!(check(&zstd, &limits), Ok(()));
    assert_eq!(validate_request(&zstd, 6), Err(Invalid::UnsupportedCompressionType));
    assert_eq!(validate_request(&zstd, 7), Ok(zstd.len()));
}

type Fields = (i64, Option<Vec<u8>>, Option<Vec<u8>>, Vec<(Vec<u8>, Option<Vec<u8>>)>);

fn fields() -> impl Strategy<Value = Fields> {
    let content = || prop::collection::vec(any::<u8>(), 0..40);
    let optional = || prop::option::of(content());
    let headers = prop::collection::vec((content(), optional()), 0..3);
    (0_i64..1 << 45, optional(), optional(), headers)
}

proptest! {
    #[test]
    fn a_built_batch_reads_back(
        records in prop::collection::vec(fields(), 1..20),
        codec in 0_u8..5,
    ) {
        let mut builder = BatchBuilder::new().codec(Codec::from_id(codec)?);
        for (timestamp, key, value, headers) in &records {
            let headers: Vec<(&[u8], Option<&[u8]>)> =
                headers.iter().map(|(key, value)| (&key[..], value.as_deref())).collect();
            let headers: Headers<'_> = &headers;
            let (key, value) = (key.as_deref(), value.as_deref());
            let (delta, at) = (timestamp - records[0].0, builder.record_count());
            let size = builder::record_size(delta, at, key, value, headers);
            let limit = builder.estimated_size() + size;
            builder.append(*timestamp, key, value, headers);
            prop_assert_eq!(builder.estimated_size(), limit);
        }
        let batch = builder.build();
        let view = Batch::new(&batch)?;
        view.check_crc()?;
        let latest = records.iter().map(|record| record.0).max();
        prop_assert_eq!(Some(view.max_timestamp()), latest);
        let read = super::records(&batch)?;
        prop_assert_eq!(read.len(), records.len());
        for (at, (read, written)) in read.iter().zip(&records).enumerate() {
            let (timestamp, key, value, headers) = written;
            prop_assert_eq!((read.offset, read.timestamp), (at as i64, *timestamp));
            prop_assert_eq!(read.key.as_deref(), key.as_deref());
            prop_assert_eq!(read.value.as_deref(), value.as_deref());
            prop_assert_eq!(read.headers.len(), headers.len());
            for (header, (key, value)) in read.headers.iter().zip(headers) {
                prop_assert_eq!(&header.key[..], &key[..]);
                prop_assert_eq!(header.value.as_deref(), value.as_deref());
            }
        }
    }

    /// A change of any byte that the checksum covers, or of the checksum itself.
    #[test]
    fn a_changed_byte_is_detected(count in 1_i32..6, at: prop::sample::Index, change in 1_u8..) {
        let mut bytes = rebuild_simple(count).to_vec();
        let at = 17 + at.index(bytes.len() - 17);
        bytes[at] ^= change;
        let found = Batch::new(&bytes).and_then(Batch::check_crc);
        prop_assert!(found.is_err());
    }

    /// Arbitrary bytes are refused or read, and never cause a panic.
    #[test]
    fn arbitrary_bytes_cause_no_panic(
        count in 1_i32..6, codec in 0_u8..8,
        edits in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
    ) {
        let mut bytes = rebuild_simple(count).to_vec();
        bytes[22] = codec;
        for (at, byte) in edits {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let bytes = Bytes::from(bytes);
        let _ = super::records(&bytes);
        let _ = split(bytes.clone());
        let _ = validate_produce(&bytes, &Limits::default(), Wall(0));
        let _ = validate_request(&bytes, 12);
    }
}
