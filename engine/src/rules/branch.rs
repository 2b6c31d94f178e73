//! The branches of a rule: what a run, or a night of fuzzing, has seen it decide.

use super::{read, transaction};
use crate::error::ErrorCode;
use crate::ids::{BrokerId, Offset};
use crate::log::BatchMeta;
use crate::rules::election::Elected;

/// A decision that is yes or no, or an error.
pub(super) trait Branches {
    /// Whether it is one; a number or a list has no branches.
    const HAS: bool = false;

    /// Whether it is a yes.
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

/// Found or not.
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
