//! The records of `__transaction_state`, read from their bytes (`TransactionLogKey`,
//! `TransactionLogValue`, versions 0 and 1).

use crate::evidence::fields::Reader;
use bytes::Bytes;
use engine::record;

/// The state of a transactional id in a record, with the numbers of
/// `org.apache.kafka.coordinator.transaction.TransactionState`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// No transaction since the producer got its epoch.
    Empty,
    /// A transaction is open.
    Ongoing,
    /// The decision is to commit; markers are being written.
    PrepareCommit,
    /// The decision is to abort; markers are being written.
    PrepareAbort,
    /// All markers of the commit are written.
    CompleteCommit,
    /// All markers of the abort are written.
    CompleteAbort,
}

impl State {
    const ALL: [Self; 6] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
    ];

    /// The decision, while markers are being written; `Some(true)`: commit.
    pub fn decision(self) -> Option<bool> {
        match self {
            Self::PrepareCommit => Some(true),
            Self::PrepareAbort => Some(false),
            _ => None,
        }
    }

    /// The decision, once all markers are written; `Some(true)`: commit.
    pub fn completed(self) -> Option<bool> {
        match self {
            Self::CompleteCommit => Some(true),
            Self::CompleteAbort => Some(false),
            _ => None,
        }
    }
}

/// The state in a record about a transactional id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateValue {
    /// The producer id.
    pub producer_id: i64,
    /// The epoch.
    pub epoch: i16,
    /// `transaction.timeout.ms` of the producer.
    pub timeout_ms: i32,
    /// The state.
    pub state: State,
    /// The partitions in the transaction, as `orders-0`.
    pub partitions: Vec<String>,
    /// When the last transaction began, in milliseconds of the coordinator's clock; -1: none since
    /// the producer was initialized.
    pub start_ms: i64,
    /// When the record was made, in milliseconds of the coordinator's clock.
    pub last_update_ms: i64,
}

/// One record.
pub(super) struct Read {
    pub(super) offset: i64,
    pub(super) id: String,
    /// `None`: the id is forgotten.
    pub(super) value: Option<StateValue>,
    /// The bytes of the value.
    pub(super) raw: Option<Bytes>,
}

/// The records of a batch, in order.
///
/// # Errors
/// The defect of the first record that cannot be read.
pub(super) fn read(bytes: &Bytes) -> Result<Vec<Read>, &'static str> {
    let mut records = Vec::new();
    let mut wrong = None;
    let read = record::for_each(bytes, |record| match one(record.key, record.value) {
        Ok((id, value)) => {
            let raw = record.value.map(Bytes::copy_from_slice);
            records.push(Read { offset: record.offset, id, value, raw });
        }
        Err(what) => wrong = wrong.or(Some(what)),
    });
    match (read, wrong) {
        (Ok(()), None) => Ok(records),
        (_, Some(what)) => Err(what),
        (Err(_), None) => Err("the batch cannot be read"),
    }
}

fn one(
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<(String, Option<StateValue>), &'static str> {
    let mut key = Reader::new(key.ok_or("a record without key")?);
    if key.short()? != 0 {
        return Err("the key has an unknown version");
    }
    let size = key.short()?;
    let id = key.text(size.into())?;
    let Some(value) = value else { return Ok((id, None)) };
    let mut value = Reader::new(value);
    let is_flexible = match value.short()? {
        0 => false,
        1 => true,
        _ => return Err("the value has an unknown version"),
    };
    let (producer_id, epoch, timeout_ms) = (value.long()?, value.short()?, value.int()?);
    let state = usize::from(value.byte()?);
    let state = *State::ALL.get(state).ok_or("no record has this state")?;
    let mut partitions = Vec::new();
    for _ in 0..value.count(is_flexible)? {
        let size = if is_flexible { value.compact()? } else { value.short()?.into() };
        let topic = value.text(size)?;
        for _ in 0..value.count(is_flexible)? {
            partitions.push(format!("{topic}-{}", value.int()?));
        }
        if is_flexible {
            value.tags()?;
        }
    }
    let (last_update_ms, start_ms) = (value.long()?, value.long()?);
    let it =
        StateValue { producer_id, epoch, timeout_ms, state, partitions, start_ms, last_update_ms };
    Ok((id, Some(it)))
}
