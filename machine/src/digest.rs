//! The rolling digest that identifies a run.

/// Folds integers and bytes into 128 bits, in an order that counts. The same on every machine
/// and in every build. Not cryptographic: it tells runs apart, it does not resist an attacker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Digest {
    a: u64,
    b: u64,
}

impl Default for Digest {
    fn default() -> Self {
        Self { a: 0x9e37_79b9_7f4a_7c15, b: 0xd1b5_4a32_d192_ed03 }
    }
}

impl Digest {
    /// Folds one integer in.
    #[inline]
    pub fn write(&mut self, value: u64) {
        // Two multiply-xorshift lanes with odd constants; each lane alone is a bijection of its
        // state for a given value, so no state is ever lost.
        self.a = (self.a ^ value).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.a ^= self.a >> 32;
        self.b = (self.b.rotate_left(29) ^ value).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.b ^= self.b >> 29;
    }

    /// Folds a signed integer in.
    #[inline]
    pub fn write_signed(&mut self, value: i64) {
        self.write(value as u64);
    }

    /// Folds bytes in, their number included.
    pub fn write_bytes(&mut self, bytes: &[u8]) {
        self.write(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.write(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.write(u64::from_le_bytes(last));
    }

    /// What has been folded in so far.
    pub fn value(&self) -> u128 {
        (u128::from(self.a) << 64) | u128::from(self.b)
    }

    /// [`Digest::value`] as 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.value())
    }
}
