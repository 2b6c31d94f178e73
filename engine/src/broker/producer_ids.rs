//! The producer ids that this broker can issue (`RPCProducerIdManager`; KIP-730).
//!
//! The controller hands out blocks of ids. The broker requests the next block when nine tenths of
//! the present one are used. A producer never waits: as long as there is no id, it gets a retriable
//! error.

use crate::error::ErrorCode;
use crate::protocol::AllocateProducerIdsResponse;
use machine::{Mono, Span};

/// The back-off before another request for a block after an error.
const RETRY_BACKOFF: Span = Span::millis(50);

/// A block of ids.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Block {
    first: i64,
    size: i64,
    used: i64,
}

impl Block {
    /// The last id; below the first if the block is empty.
    const fn last(self) -> i64 {
        self.first + self.size - 1
    }

    fn claim(&mut self) -> Option<i64> {
        let id = (self.used < self.size).then_some(self.first + self.used)?;
        self.used += 1;
        Some(id)
    }

    /// Whether the next block is requested when `id` is issued.
    const fn is_nine_tenths(self, id: i64) -> bool {
        id == self.first + self.size * 9 / 10
    }
}

/// An id or a retriable error, and whether a block has to be requested from the controller.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Generated {
    pub(super) id: Result<i64, ErrorCode>,
    pub(super) ask: bool,
}

/// The ids of this life of the broker. A restart wastes the rest of a block.
#[derive(Clone, Debug, Default)]
pub(super) struct ProducerIds {
    current: Block,
    next: Option<Block>,
    /// A block has been requested, and its first id has not been issued.
    asked: bool,
    /// No block is requested before this time.
    not_before: Mono,
}

impl ProducerIds {
    /// The next id.
    pub(super) fn generate(&mut self, now: Mono) -> Generated {
        if let Some(id) = self.current.claim() {
            let ask = self.current.is_nine_tenths(id) && self.wants_block(now);
            return Generated { id: Ok(id), ask };
        }
        if let Some(next) = self.next.take() {
            self.current = next;
            self.asked = false;
            return self.generate(now);
        }
        let ask = self.wants_block(now);
        Generated { id: Err(ErrorCode::CoordinatorLoadInProgress), ask }
    }

    fn wants_block(&mut self, now: Mono) -> bool {
        let wants = now >= self.not_before && self.next.is_none() && !self.asked;
        if wants {
            self.asked = true;
            self.not_before = Mono::default();
        }
        wants
    }

    /// Handles the response of the controller.
    pub(super) fn on_allocated(&mut self, now: Mono, response: &AllocateProducerIdsResponse) {
        let size = i64::from(response.count);
        let block = Block { first: response.first_producer_id, size, used: 0 };
        let fits = block.first >= self.current.last() && block.first >= 0 && size >= 0;
        if response.error.is_none() && fits && block.first.checked_add(size).is_some() {
            self.next = Some(block);
        } else {
            self.not_before = now + RETRY_BACKOFF;
            self.asked = false;
        }
    }

    /// Handles a request for a block that was given up.
    pub(super) fn on_given_up(&mut self) {
        self.asked = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(first: i64) -> AllocateProducerIdsResponse {
        let error = ErrorCode::None;
        AllocateProducerIdsResponse { error, first_producer_id: first, count: 1000 }
    }

    const AGAIN: Result<i64, ErrorCode> = Err(ErrorCode::CoordinatorLoadInProgress);

    #[test]
    fn a_producer_comes_again_until_there_is_a_block() {
        let mut ids = ProducerIds::default();
        assert_eq!(ids.generate(Mono(0)), Generated { id: AGAIN, ask: true });
        assert_eq!(ids.generate(Mono(0)), Generated { id: AGAIN, ask: false }, "once");
        ids.on_allocated(Mono(0), &block(3000));
        assert_eq!(ids.generate(Mono(0)), Generated { id: Ok(3000), ask: false });
        assert_eq!(ids.generate(Mono(0)), Generated { id: Ok(3001), ask: false });
    }

    #[test]
    fn the_next_block_is_requested_at_nine_tenths() {
        let mut ids = ProducerIds::default();
        ids.on_allocated(Mono(0), &block(0));
        let asked: Vec<i64> = (0..1000).filter(|_| ids.generate(Mono(0)).ask).collect();
        assert_eq!(asked, [900]);
        ids.on_allocated(Mono(0), &block(7000));
        assert_eq!(ids.generate(Mono(0)).id, Ok(7000));
        let asked: Vec<i64> = (1..1000).filter(|_| ids.generate(Mono(0)).ask).collect();
        assert_eq!(asked, [900]);
    }

    #[test]
    fn after_an_error_the_controller_is_left_alone_for_a_while() {
        let mut ids = ProducerIds::default();
        assert!(ids.generate(Mono(0)).ask);
        let error = ErrorCode::StaleBrokerEpoch;
        let refused = AllocateProducerIdsResponse { error, ..block(0) };
        ids.on_allocated(Mono(0), &refused);
        assert!(!ids.generate(Mono(0) + Span::millis(49)).ask);
        assert!(ids.generate(Mono(0) + Span::millis(50)).ask);
        ids.on_given_up();
        assert!(ids.generate(Mono(0) + Span::millis(50)).ask, "at once");
    }

    #[test]
    fn a_block_from_the_past_is_refused() {
        let mut ids = ProducerIds::default();
        ids.on_allocated(Mono(0), &block(5000));
        assert_eq!(ids.generate(Mono(0)).id, Ok(5000));
        ids.on_allocated(Mono(0), &block(4000));
        let given: Vec<i64> = (0..999).map(|_| ids.generate(Mono(0)).id.unwrap()).collect();
        assert_eq!(given.last(), Some(&5999));
        assert_eq!(ids.generate(Mono(0)).id, AGAIN);
    }
}
