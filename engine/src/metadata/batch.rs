//! Records of the metadata log in their batches.

use super::delta::ImageDelta;
use super::error::ReplayError;
use super::image::MetadataImage;
use super::record::MetadataRecord;
use crate::ids::Offset;
use crate::record::{Batch, for_each};
use bytes::Bytes;

/// The metadata records of one batch with their offsets; none if it is a control batch.
///
/// # Errors
///
/// If the batch, or a record in it, cannot be read.
pub fn decode_batch(bytes: &Bytes) -> Result<Vec<(Offset, MetadataRecord)>, ReplayError> {
    let batch = Batch::new(bytes).map_err(|_| ReplayError::Batch)?;
    if batch.is_control() {
        return Ok(Vec::new());
    }
    let mut records =
        Vec::with_capacity(usize::try_from(batch.record_count()).unwrap_or(0).min(64));
    let mut wrong = None;
    for_each(bytes, |record| match MetadataRecord::decode(record.value.unwrap_or_default()) {
        Ok(decoded) => records.push((record.offset, decoded)),
        Err(error) => wrong = wrong.or(Some(error)),
    })
    .map_err(|_| ReplayError::Batch)?;
    wrong.map_or(Ok(records), |error| Err(ReplayError::Decode(error)))
}

impl MetadataImage {
    /// Applies one batch of the metadata log, control batches included, and adds its changes to
    /// `delta`. The records of a batch belong together: the image is consistent between batches.
    ///
    /// # Errors
    ///
    /// If the batch cannot be read or does not follow the image. The image must not be used then.
    pub fn replay_batch(
        &mut self,
        batch: &Bytes,
        delta: &mut ImageDelta,
    ) -> Result<(), ReplayError> {
        for (offset, record) in decode_batch(batch)? {
            delta.note(self.replay(offset, &record)?);
        }
        let last = Batch::new(batch).map_err(|_| ReplayError::Batch)?.last_offset();
        if last > self.offset() { self.skip_to(last) } else { Ok(()) }
    }
}
