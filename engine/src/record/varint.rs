//! Zig-zag variable-length integers, as in Kafka's `ByteUtils.writeVarint` and `writeVarlong` (and
//! Protocol Buffers' `sint32` and `sint64`).

use super::RecordError;

/// The number of bytes that [`put`] writes for `value`.
#[inline]
pub const fn size(value: i64) -> usize {
    let bits = 64 - (zigzag(value) | 1).leading_zeros() as usize;
    bits.div_ceil(7)
}

/// Appends `value`. Values that fit an `i32` read the same as `varint` and as `varlong`.
#[inline]
pub fn put(buffer: &mut Vec<u8>, value: i64) {
    let mut rest = zigzag(value);
    while rest >= 0x80 {
        buffer.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    buffer.push(rest as u8);
}

/// Takes a `varlong` from the front of `bytes`.
///
/// # Errors
///
/// [`RecordError::Malformed`] if it ends early or does not fit 64 bits.
#[inline]
pub fn take_long(bytes: &mut &[u8]) -> Result<i64, RecordError> {
    match *bytes {
        // Nearly all values fit one byte.
        [byte, rest @ ..] if *byte < 0x80 => {
            *bytes = rest;
            Ok(unzigzag(u64::from(*byte)))
        }
        _ => take_longer(bytes),
    }
}

/// [`take_long`] of any number of bytes.
fn take_longer(bytes: &mut &[u8]) -> Result<i64, RecordError> {
    let mut value = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(10) {
        // The tenth byte holds one bit only.
        if at == 9 && *byte > 1 {
            return Err(RecordError::Malformed("a varlong of more than 64 bits"));
        }
        value |= u64::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *bytes = &bytes[at + 1..];
            return Ok(unzigzag(value));
        }
    }
    Err(RecordError::Malformed("a varint that does not end"))
}

/// Takes a `varint` from the front of `bytes`.
///
/// # Errors
///
/// [`RecordError::Malformed`] if it ends early or does not fit 32 bits.
#[inline]
pub fn take(bytes: &mut &[u8]) -> Result<i32, RecordError> {
    let value = take_long(bytes)?;
    i32::try_from(value).map_err(|_| RecordError::Malformed("a varint of more than 32 bits"))
}

#[inline]
const fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

#[inline]
const fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_encodings() {
        for (value, encoded) in [
            (0_i64, &[0_u8][..]),
            (-1, &[1]),
            (1, &[2]),
            (63, &[0x7e]),
            (-64, &[0x7f]),
            (64, &[0x80, 1]),
            (8191, &[0xfe, 0x7f]),
            (8192, &[0x80, 0x80, 1]),
            (i64::from(i32::MAX), &[0xfe, 0xff, 0xff, 0xff, 0x0f]),
            (i64::from(i32::MIN), &[0xff, 0xff, 0xff, 0xff, 0x0f]),
        ] {
            let mut buffer = Vec::new();
            put(&mut buffer, value);
            assert_eq!(&buffer[..], encoded, "{value}");
        }
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        assert!(take(&mut &[0x80, 0x80, 0x80, 0x80, 0x10][..]).is_err());
        assert!(take_long(&mut &[0xff; 10][..]).is_err());
        assert!(take_long(&mut &[0x80][..]).is_err());
        assert!(take_long(&mut &[][..]).is_err());
    }

    proptest! {
        #[test]
        fn round_trip(value: i64, shift in 0_u32..64) {
            let value = value >> shift;
            let mut buffer = Vec::new();
            put(&mut buffer, value);
            prop_assert_eq!(buffer.len(), size(value));
            let mut rest = &buffer[..];
            prop_assert_eq!(take_long(&mut rest)?, value);
            prop_assert!(rest.is_empty());
        }
    }
}
