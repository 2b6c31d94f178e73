//! The rolling digest that identifies a run.

/// Folds integers and bytes into 128 bits; their order matters. The result is the same on every
/// machine and in every build. Not cryptographic: it distinguishes runs, but does not resist an
/// attacker.
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
    pub fn fold(&mut self, value: u64) {
        // Two multiply-xorshift lanes with odd constants; each lane alone is a bijection of its
        // state for a given value, so no state is ever lost.
        self.a = (self.a ^ value).wrapping_mul(0xff51_afd7_ed55_8ccd);
        self.a ^= self.a >> 32;
        self.b = (self.b.rotate_left(29) ^ value).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        self.b ^= self.b >> 29;
    }

    /// Folds a signed integer in.
    #[inline]
    pub fn fold_signed(&mut self, value: i64) {
        self.fold(value as u64);
    }

    /// Folds in bytes and their number.
    pub fn fold_bytes(&mut self, bytes: &[u8]) {
        self.fold(bytes.len() as u64);
        let mut words = bytes.chunks_exact(8);
        for word in &mut words {
            self.fold(u64::from_le_bytes(word.try_into().expect("chunks of eight")));
        }
        let mut last = [0; 8];
        last[..words.remainder().len()].copy_from_slice(words.remainder());
        self.fold(u64::from_le_bytes(last));
    }

    /// The digest of everything folded in so far.
    pub fn value(&self) -> u128 {
        (u128::from(self.a) << 64) | u128::from(self.b)
    }

    /// [`Digest::value`] as 32 hexadecimal digits.
    pub fn hex(&self) -> String {
        format!("{:032x}", self.value())
    }
}

/// Lets `#[derive(Hash)]` types fold themselves in. Integers are widened, so that the width of
/// `usize` does not matter.
impl std::hash::Hasher for Digest {
    fn finish(&self) -> u64 {
        self.a ^ self.b
    }

    fn write(&mut self, bytes: &[u8]) {
        self.fold_bytes(bytes);
    }

    fn write_u8(&mut self, value: u8) {
        self.fold(u64::from(value));
    }

    fn write_u16(&mut self, value: u16) {
        self.fold(u64::from(value));
    }

    fn write_u32(&mut self, value: u32) {
        self.fold(u64::from(value));
    }

    fn write_u64(&mut self, value: u64) {
        self.fold(value);
    }

    fn write_u128(&mut self, value: u128) {
        self.fold(value as u64);
        self.fold((value >> 64) as u64);
    }

    fn write_usize(&mut self, value: usize) {
        self.fold(value as u64);
    }

    fn write_i8(&mut self, value: i8) {
        self.fold_signed(i64::from(value));
    }

    fn write_i16(&mut self, value: i16) {
        self.fold_signed(i64::from(value));
    }

    fn write_i32(&mut self, value: i32) {
        self.fold_signed(i64::from(value));
    }

    fn write_i64(&mut self, value: i64) {
        self.fold_signed(value);
    }

    fn write_isize(&mut self, value: isize) {
        self.fold_signed(value as i64);
    }
}
