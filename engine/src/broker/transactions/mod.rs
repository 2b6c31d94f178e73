//! Transaction coordinators (`TransactionCoordinator`; KIP-98).

mod find;
mod place;

pub(super) use find::find_coordinator;
