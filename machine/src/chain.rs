//! Sealed lines of JSON: a reader refuses a file that was damaged or edited after it was written.

use crate::Digest;

const KEY: &str = ",\"seal\":\"";
const END: &str = "\"}";
const DIGITS: usize = 32;

/// A chain of sealed lines. The last key of each line is `seal`: the digest of the line without its
/// seal and of all lines before. So a reader finds the first line that was changed, and a missing
/// line. The seal reveals accidents and careless edits; an attacker can seal changed lines as well.
#[derive(Clone, Debug, Default)]
pub struct Chain(Digest);

impl Chain {
    /// The line of a JSON object with at least one key, with its seal and a line break.
    ///
    /// # Panics
    ///
    /// If `object` does not end in a brace.
    pub fn seal(&mut self, object: &str) -> String {
        self.0.fold_bytes(object.as_bytes());
        let open = object.strip_suffix('}').expect("an object ends in a brace");
        format!("{open}{KEY}{}{END}\n", self.0.hex())
    }

    /// Whether `line`, line break included, is the unchanged next line. Adds it to the chain.
    pub fn follows(&mut self, line: &str) -> bool {
        unsealed(line).is_some_and(|object| self.seal(&object) == line)
    }
}

/// The object of a line that ends in a seal, whether or not the seal is correct; the line break may
/// be missing.
pub fn unsealed(line: &str) -> Option<String> {
    let rest = line.strip_suffix('\n').unwrap_or(line).strip_suffix(END)?;
    let (open, seal) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    let open = open.strip_suffix(KEY).filter(|_| seal.bytes().all(is_hex))?;
    Some(format!("{open}}}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_bit_and_a_missing_line_are_noticed() {
        let mut chain = Chain::default();
        let lines = [r#"{"a":1}"#, r#"{"b":[2,3]}"#, r#"{"c":"d"}"#].map(|it| chain.seal(it));
        let hold = |lines: &[String]| {
            let mut chain = Chain::default();
            lines.iter().all(|line| chain.follows(line))
        };
        assert!(hold(&lines));
        assert!(!hold(&lines[1..]) && !hold(&[lines[0].clone(), lines[2].clone()]));
        for (number, line) in lines.iter().enumerate() {
            for bit in 0..line.len() * 8 {
                let mut bytes = line.clone().into_bytes();
                bytes[bit / 8] ^= 1 << (bit % 8);
                let Ok(flipped) = String::from_utf8(bytes) else { continue };
                let mut lines = lines.clone();
                lines[number] = flipped;
                assert!(!hold(&lines), "bit {bit} of line {number}");
            }
        }
    }
}
