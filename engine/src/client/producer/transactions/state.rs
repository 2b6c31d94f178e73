//! The states of a transactional producer and their transitions (`TransactionManager.State`).
//!
//! | to | from |
//! |---|---|
//! | uninitialized | ready, abortable error |
//! | initializing | uninitialized, committing, aborting |
//! | ready | initializing, committing, aborting |
//! | in transaction | ready |
//! | committing | in transaction |
//! | aborting | in transaction, abortable error |
//! | abortable error | initializing, in transaction, committing, abortable error |
//! | fatal error | all |
//!
//! The state of a prepared transaction is left out: no call of Kafka 4.1 leads to it (KIP-939).

/// The state of a transactional producer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TransactionState {
    /// The producer has no producer id.
    Uninitialized,
    /// The producer waits for a producer id or for the next epoch.
    Initializing,
    /// No transaction is open.
    Ready,
    /// A transaction is open, perhaps only at the client.
    InTransaction,
    /// A transaction is being committed.
    Committing,
    /// A transaction is being aborted.
    Aborting,
    /// The transaction cannot be committed any more; the application has to abort it.
    AbortableError,
    /// The producer cannot be used any more; the application has to close it.
    FatalError,
}

use TransactionState as State;

impl State {
    /// Whether the producer may go from this state to `to`.
    pub(super) fn may_become(self, to: Self) -> bool {
        match to {
            Self::Uninitialized => matches!(self, Self::Ready | Self::AbortableError),
            Self::Initializing => {
                matches!(self, Self::Uninitialized | Self::Committing | Self::Aborting)
            }
            Self::Ready => matches!(self, Self::Initializing | Self::Committing | Self::Aborting),
            Self::InTransaction => self == Self::Ready,
            Self::Committing => self == Self::InTransaction,
            Self::Aborting => matches!(self, Self::InTransaction | Self::AbortableError),
            Self::AbortableError => matches!(
                self,
                Self::Initializing | Self::InTransaction | Self::Committing | Self::AbortableError
            ),
            Self::FatalError => true,
        }
    }

    /// Whether the producer refuses all calls, or all calls except an abort.
    pub(super) fn is_error(self) -> bool {
        matches!(self, Self::AbortableError | Self::FatalError)
    }
}

#[cfg(test)]
mod tests {
    use super::State::{self, *};

    const ALL: [State; 8] = [
        Uninitialized,
        Initializing,
        Ready,
        InTransaction,
        Committing,
        Aborting,
        AbortableError,
        FatalError,
    ];

    fn sources(to: State) -> Vec<State> {
        ALL.into_iter().filter(|from| from.may_become(to)).collect()
    }

    #[test]
    fn each_state_is_entered_only_from_the_states_in_the_table() {
        assert_eq!(sources(Uninitialized), [Ready, AbortableError]);
        assert_eq!(sources(Initializing), [Uninitialized, Committing, Aborting]);
        assert_eq!(sources(Ready), [Initializing, Committing, Aborting]);
        assert_eq!(sources(InTransaction), [Ready]);
        assert_eq!(sources(Committing), [InTransaction]);
        assert_eq!(sources(Aborting), [InTransaction, AbortableError]);
        let abortable = [Initializing, InTransaction, Committing, AbortableError];
        assert_eq!(sources(AbortableError), abortable);
        assert_eq!(sources(FatalError), ALL);
    }

    #[test]
    fn no_other_state_follows_a_fatal_error() {
        let left = ALL.into_iter().filter(|to| FatalError.may_become(*to));
        assert_eq!(left.collect::<Vec<_>>(), [FatalError]);
    }
}
