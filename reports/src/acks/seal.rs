//! The seals of the lines of `study.jsonl`, by which a file is known that was damaged or edited.
//!
//! The last key of each line is `seal`: the digest of the line without it and of all lines before.
//! So the first line that is not as it was written is known, also where a line is missing.

use machine::Digest;

const KEY: &str = ",\"seal\":\"";
const END: &str = "\"}\n";
const DIGITS: usize = 32;

/// The lines so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Chain(Digest);

impl Chain {
    /// The line of a JSON object, with its seal and a line break.
    pub(super) fn seal(&mut self, object: &str) -> String {
        self.0.fold_bytes(object.as_bytes());
        let open = object.strip_suffix('}').expect("an object ends in a brace");
        format!("{open}{KEY}{}{END}", self.0.hex())
    }

    /// Whether a line comes next, and is as it was sealed.
    pub(super) fn follows(&mut self, line: &str) -> bool {
        without_seal(line).is_some_and(|object| self.seal(&object) == line)
    }
}

/// The object of a line that ends in a seal, whether or not it is the right one.
pub(super) fn without_seal(line: &str) -> Option<String> {
    let rest = line.strip_suffix(END)?;
    let (open, seal) = rest.split_at_checked(rest.len().checked_sub(DIGITS)?)?;
    let is_hex = |digit: u8| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit);
    let open = open.strip_suffix(KEY).filter(|_| seal.bytes().all(is_hex))?;
    Some(format!("{open}}}"))
}
