//! Record batches, to and from the JSON of scripts.

use super::requests::{list, long};
use crate::record::{self, Batch, BatchBuilder, Codec, EndTransactionMarker};
use bytes::Bytes;
use serde_json::{Value, json};

/// The bytes of a batch that a script describes, or gives as they are.
pub(super) fn batch(body: &Value) -> Bytes {
    if let Some(hex) = body["bytes"].as_str() {
        let byte = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal");
        return (0..hex.len()).step_by(2).map(byte).collect();
    }
    let codec = body["compression"].as_str().unwrap_or("none");
    let mut batch = BatchBuilder::new()
        .base_offset(body["baseOffset"].as_i64().unwrap_or(0))
        .leader_epoch(long(&body["leaderEpoch"]) as i32)
        .codec(Codec::from_name(codec).expect("a codec"))
        .producer(
            long(&body["producerId"]),
            long(&body["producerEpoch"]) as i16,
            long(&body["baseSequence"]) as i32,
        )
        .transactional(body["transactional"].as_bool().unwrap_or(false));
    for record in list(&body["records"]) {
        let bytes = |value: &Value| value.as_str().map(|text| text.as_bytes().to_vec());
        let (key, value) = (bytes(&record[1]), bytes(&record[2]));
        batch.append(long(&record[0]), key.as_deref(), value.as_deref(), &[]);
    }
    batch.build()
}

/// A batch of a response.
pub(super) fn read(bytes: &Bytes) -> Value {
    let batch = Batch::new(bytes).expect("a batch");
    let mut values = Vec::new();
    record::for_each(bytes, |record| {
        values.push(match EndTransactionMarker::read(&record) {
            Ok(Some(marker)) if batch.is_control() => {
                json!(if marker.committed { "COMMIT" } else { "ABORT" })
            }
            _ => json!(record.value.map(|value| String::from_utf8_lossy(value).into_owned())),
        });
    })
    .expect("records");
    json!({
        "baseOffset": batch.base_offset(),
        "lastOffset": batch.last_offset(),
        "leaderEpoch": batch.leader_epoch(),
        "producerId": batch.producer_id(),
        "producerEpoch": batch.producer_epoch(),
        "baseSequence": batch.base_sequence(),
        "transactional": batch.is_transactional(),
        "control": batch.is_control(),
        "compression": batch.codec().map_or("?", Codec::name),
        "values": values,
    })
}
