//! Panics, caught where they are thrown: on the thread of a run.

use std::any::Any;
use std::cell::Cell;
use std::panic::{AssertUnwindSafe, PanicHookInfo, catch_unwind};

/// A panic that was caught.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Caught {
    /// Its message.
    pub message: String,
    /// Where in the source it began, as `file:line:column`; empty without [`note_place`].
    pub place: String,
}

thread_local! {
    /// Where the last panic of this thread began.
    static PLACE: Cell<String> = const { Cell::new(String::new()) };
}

/// Remembers where a panic began. For a panic hook: only there it is known.
pub fn note_place(panic: &PanicHookInfo<'_>) {
    PLACE.set(panic.location().map(ToString::to_string).unwrap_or_default());
}

/// What `work` returns, or the panic that ended it. What `work` has borrowed may be in any state
/// after that.
///
/// # Errors
///
/// The panic.
pub fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Caught> {
    PLACE.take();
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| Caught {
        message: message_of(payload.as_ref()).to_owned(),
        place: PLACE.take(),
    })
}

/// The message of a panic.
pub fn message_of(payload: &(dyn Any + Send)) -> &str {
    let text = payload.downcast_ref::<&str>().copied();
    let text = text.or_else(|| payload.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("a panic without a message")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_panic_has_a_message() {
        assert_eq!(caught(|| 7), Ok(7));
        let message = |work: fn()| caught(work).map_err(|panic| panic.message);
        assert_eq!(message(|| panic!("plain")), Err("plain".to_owned()));
        let seven = || panic!("{} of them", std::hint::black_box(7));
        assert_eq!(message(seven), Err("7 of them".to_owned()));
        let silent = || std::panic::resume_unwind(Box::new(7));
        assert_eq!(message(silent), Err("a panic without a message".to_owned()));
    }
}
