//! The random choices of a client, and its back-off.

use machine::Span;
use rand::{Rng, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A client's own stream of random integers.
#[derive(Clone, Debug)]
pub(crate) struct Random(ChaCha8Rng);

impl Random {
    /// Stream number `stream` of a process with this `entropy`. Each kind of client has a number of
    /// its own, so that its choices do not change those of the others.
    pub(crate) fn new(entropy: u64, stream: u64) -> Self {
        let mut random = ChaCha8Rng::seed_from_u64(entropy);
        random.set_stream(stream);
        Self(random)
    }

    /// A random UUID (RFC 9562, version 4) as the Java client writes it: 22 characters of base64, the first of which is not `-`
    /// (`Uuid.randomUuid`).
    pub(crate) fn base64_uuid(&mut self) -> String {
        const DIGITS: &[u8; 64] =
            b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
        loop {
            let bits = (u128::from(self.0.next_u64()) << 64) | u128::from(self.0.next_u64());
            let bits = bits & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
            let digit = |place: u32| match place {
                21 => (bits << 4) as usize & 0x3f,
                _ => (bits >> (122 - 6 * place)) as usize & 0x3f,
            };
            let text: String = (0..22).map(|place| DIGITS[digit(place)] as char).collect();
            if !text.starts_with('-') {
                return text;
            }
        }
    }

    /// A random UUID, as text (RFC 9562, version 4).
    pub(crate) fn uuid(&mut self) -> String {
        let bits = (u128::from(self.0.next_u64()) << 64) | u128::from(self.0.next_u64());
        let bits = bits & !(0xf << 76) & !(0b11 << 62) | (4 << 76) | (0b10 << 62);
        let hex = format!("{bits:032x}");
        [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-")
    }

    /// One of the integers from 0 to `n` - 1.
    pub(crate) fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is something to choose from");
        ((u128::from(self.0.next_u64()) * u128::from(n)) >> 64) as u64
    }
}

/// Waits that double from `retry.backoff.ms` to `retry.backoff.max.ms`, with jitter, so that
/// clients that failed together do not retry together (KIP-580).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    /// The first wait.
    pub(crate) initial: Span,
    /// The longest.
    pub(crate) max: Span,
}

impl Backoff {
    /// The wait after `failures` failures in a row: doubled each time up to the maximum, then up to
    /// 20 % more or less, but never more than the maximum (`ExponentialBackoff`). If the
    /// first wait is not below the maximum, every wait is the maximum.
    pub(crate) fn after(self, failures: u32, random: &mut Random) -> Span {
        if failures == 0 {
            return Span::ZERO;
        }
        if self.initial >= self.max {
            return self.max;
        }
        let doubled = self.initial.0.saturating_mul(1 << (failures - 1).min(32));
        let term = doubled.min(self.max.0);
        let fifth = term / 5;
        let jittered = term - fifth + random.below(2 * fifth + 1);
        Span(jittered.min(self.max.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_names_its_version_and_variant() {
        let mut random = Random::new(7, 1);
        let (one, other) = (random.uuid(), random.uuid());
        assert_ne!(one, other);
        let parts: Vec<&str> = one.split('-').collect();
        assert_eq!(parts.iter().map(|part| part.len()).collect::<Vec<_>>(), [8, 4, 4, 4, 12]);
        assert!(parts[2].starts_with('4') && parts[3].starts_with(['8', '9', 'a', 'b']), "{one}");
    }

    #[test]
    fn waits_double_within_a_fifth_up_to_the_maximum() {
        let mut random = Random::new(7, 1);
        let backoff = Backoff { initial: Span::millis(100), max: Span::secs(1) };
        assert_eq!(backoff.after(0, &mut random), Span::ZERO);
        for (failures, low, high) in [(1, 80, 120), (2, 160, 240), (4, 640, 960), (40, 800, 1000)] {
            for _ in 0..100 {
                let wait = backoff.after(failures, &mut random);
                assert!(Span::millis(low) <= wait && wait <= Span::millis(high), "{wait}");
            }
        }
        // A17: Kafka warns of it, and waits for the maximum.
        let fixed = Backoff { initial: Span::millis(1_100), max: Span::secs(1) };
        assert_eq!([1, 2, 40].map(|n| fixed.after(n, &mut random)), [Span::secs(1); 3]);
    }
}
