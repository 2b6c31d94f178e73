//! The fields of records that coordinators write, as Kafka's message format encodes them: fixed widths
//! and `i16` lengths in versions that are not flexible, variable-length numbers and tagged fields in
//! those that are (`ByteBufferAccessor`; KIP-482).

use std::sync::Arc;

/// Why bytes are not a record of a coordinator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed(pub(crate) &'static str);

/// A string of a version that is not flexible.
///
/// # Panics
///
/// If the text has over 32,767 bytes; names and ids that came in a request have fewer.
pub(crate) fn put_string(to: &mut Vec<u8>, text: &str) {
    let length = i16::try_from(text.len()).expect("names of topics and ids fit their length field");
    to.extend(length.to_be_bytes());
    to.extend(text.as_bytes());
}

/// A string that may be null, of a version that is not flexible.
pub(crate) fn put_nullable_string(to: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_string(to, text),
        None => to.extend((-1_i16).to_be_bytes()),
    }
}

/// Bytes of a version that is not flexible.
pub(crate) fn put_bytes(to: &mut Vec<u8>, bytes: &[u8]) {
    let length = i32::try_from(bytes.len()).expect("a request is smaller than 2 GiB");
    to.extend(length.to_be_bytes());
    to.extend(bytes);
}

/// A string of a flexible version.
pub(crate) fn put_compact_string(to: &mut Vec<u8>, text: &str) {
    put_unsigned(to, text.len() as u64 + 1);
    to.extend(text.as_bytes());
}

/// A string that may be null, of a flexible version.
pub(crate) fn put_compact_nullable_string(to: &mut Vec<u8>, text: Option<&str>) {
    match text {
        Some(text) => put_compact_string(to, text),
        None => put_unsigned(to, 0),
    }
}

pub(crate) fn put_unsigned(to: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        to.push(value as u8 | 0x80);
        value >>= 7;
    }
    to.push(value as u8);
}

/// A tagged field: its number and its bytes.
pub(crate) fn take_tag<'a>(from: &mut &'a [u8]) -> Result<(u64, &'a [u8]), Malformed> {
    let tag = take_unsigned(from)?;
    let size = take_unsigned(from)?;
    let size = usize::try_from(size).map_err(|_| Malformed("a tagged field ends early"))?;
    let (bytes, rest) =
        from.split_at_checked(size).ok_or(Malformed("a tagged field ends early"))?;
    *from = rest;
    Ok((tag, bytes))
}

/// The text of a string whose length has been read.
pub(crate) fn take_text(from: &mut &[u8], length: i64) -> Result<Arc<str>, Malformed> {
    let length = usize::try_from(length).map_err(|_| Malformed("a string without a length"))?;
    let (text, rest) = from.split_at_checked(length).ok_or(Malformed("a string ends early"))?;
    *from = rest;
    std::str::from_utf8(text).map(Arc::from).map_err(|_| Malformed("a string that is not UTF-8"))
}

/// A string of a version that is not flexible.
pub(crate) fn take_string(from: &mut &[u8]) -> Result<Arc<str>, Malformed> {
    let length = take_i16(from)?;
    take_text(from, i64::from(length))
}

/// A string that may be null, of a version that is not flexible.
pub(crate) fn take_nullable_string(from: &mut &[u8]) -> Result<Option<Arc<str>>, Malformed> {
    match take_i16(from)? {
        -1 => Ok(None),
        length => take_text(from, i64::from(length)).map(Some),
    }
}

/// A string of a flexible version.
pub(crate) fn take_compact_string(from: &mut &[u8]) -> Result<Arc<str>, Malformed> {
    let length = take_unsigned(from)? as i64 - 1;
    take_text(from, length)
}

/// A string that may be null, of a flexible version.
pub(crate) fn take_compact_nullable_string(
    from: &mut &[u8],
) -> Result<Option<Arc<str>>, Malformed> {
    match take_unsigned(from)? {
        0 => Ok(None),
        length => take_text(from, length as i64 - 1).map(Some),
    }
}

/// Bytes of a version that is not flexible.
pub(crate) fn take_bytes<'a>(from: &mut &'a [u8]) -> Result<&'a [u8], Malformed> {
    let length = take_i32(from)?;
    let length = usize::try_from(length).map_err(|_| Malformed("bytes without a length"))?;
    let (bytes, rest) = from.split_at_checked(length).ok_or(Malformed("bytes end early"))?;
    *from = rest;
    Ok(bytes)
}

pub(crate) fn take_unsigned(from: &mut &[u8]) -> Result<u64, Malformed> {
    let mut value = 0;
    for shift in (0..35).step_by(7) {
        let [byte] = take(from)?;
        value |= u64::from(byte & 0x7f) << shift;
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(Malformed("a number that does not end"))
}

pub(crate) fn take<const N: usize>(from: &mut &[u8]) -> Result<[u8; N], Malformed> {
    let (bytes, rest) = from.split_first_chunk::<N>().ok_or(Malformed("ends early"))?;
    *from = rest;
    Ok(*bytes)
}

pub(crate) fn take_i16(from: &mut &[u8]) -> Result<i16, Malformed> {
    take(from).map(i16::from_be_bytes)
}

pub(crate) fn take_i32(from: &mut &[u8]) -> Result<i32, Malformed> {
    take(from).map(i32::from_be_bytes)
}

pub(crate) fn take_i64(from: &mut &[u8]) -> Result<i64, Malformed> {
    take(from).map(i64::from_be_bytes)
}
