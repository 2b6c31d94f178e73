//! The branches of a rule, by which the coverage of a run or a fuzz campaign is counted.

use super::{read, transaction};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, Offset};
use crate::log::BatchMeta;
use crate::rules::election::Elected;

/// The type of a rule's decision.
pub(super) trait Branches {
    /// Whether the decision is yes or no, or may be an error; a number or a list has no branches.
    const HAS: bool = false;

    /// Whether the decision is yes, or no error; `None` if the type has no branches.
    #[inline]
    fn is_yes(&self) -> Option<bool> {
        None
    }
}

impl Branches for bool {
    const HAS: bool = true;

    #[inline]
    fn is_yes(&self) -> Option<bool> {
        Some(*self)
    }
}

impl<T> Branches for Result<T, ErrorCode> {
    const HAS: bool = true;

    #[inline]
    fn is_yes(&self) -> Option<bool> {
        Some(self.is_ok())
    }
}

impl Branches for ErrorCode {
    const HAS: bool = true;

    #[inline]
    fn is_yes(&self) -> Option<bool> {
        Some(self.is_none())
    }
}

/// Yes if a batch is found.
impl Branches for Option<BatchMeta> {
    const HAS: bool = true;

    #[inline]
    fn is_yes(&self) -> Option<bool> {
        Some(self.is_some())
    }
}

impl Branches for Offset {}
impl Branches for usize {}
impl Branches for Vec<BrokerId> {}
impl Branches for Elected {}
impl Branches for read::Answer {}
impl Branches for i16 {}
impl Branches for transaction::Marked {}
