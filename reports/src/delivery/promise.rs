//! What Kafka promises to a group, by the way in which it commits. From the documentation of
//! `KafkaConsumer`, KIP-98, KIP-129 and KIP-447.

use super::study::{Mode, Setting};
use schemars::JsonSchema;
use serde::Serialize;

/// The promise of a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Delivery {
    /// No input is skipped; some may be repeated.
    AtLeastOnce,
    /// Each input has its results once.
    ExactlyOnce,
    /// Inputs may be skipped, and may be repeated.
    None,
}

impl Delivery {
    /// In words.
    pub const fn name(self) -> &'static str {
        match self {
            Self::AtLeastOnce => "at least once",
            Self::ExactlyOnce => "exactly once",
            Self::None => "nothing",
        }
    }

    /// Whether no input may be skipped.
    pub const fn skips_nothing(self) -> bool {
        !matches!(self, Self::None)
    }

    /// Whether no result may be there more than once.
    pub const fn repeats_nothing(self) -> bool {
        matches!(self, Self::ExactlyOnce)
    }
}

/// The promise of a way to commit.
pub(super) const fn of(mode: Mode) -> Delivery {
    match mode {
        Mode::Auto | Mode::SyncAfter | Mode::AsyncAfter => Delivery::AtLeastOnce,
        Mode::Transaction => Delivery::ExactlyOnce,
        Mode::SyncBefore | Mode::SyncDuring | Mode::AsyncBefore | Mode::AsyncDuring => {
            Delivery::None
        }
    }
}

/// The promise in a few sentences.
pub(super) fn in_words(mode: Mode) -> &'static str {
    match mode {
        Mode::Auto => {
            "Nothing is skipped, as long as the application has processed what a poll returned before \
             it polls again: the consumer commits what earlier polls returned. After a crash, what was \
             processed since the last commit (auto.commit.interval.ms) is processed again."
        }
        Mode::SyncBefore => {
            "What was committed and not processed when a member ends is skipped. It is meant as at \
             most once; but a member that was removed goes on with what it has, so that repetitions are \
             not excluded either."
        }
        Mode::AsyncBefore => {
            "As before processing with commitSync, and a commit that is lost is not sent again: what was \
             processed meanwhile is then repeated."
        }
        Mode::SyncDuring | Mode::AsyncDuring => {
            "Nothing. A member that ends after the commit skips what it had not finished, and one that \
             ends before it repeats what it had."
        }
        Mode::SyncAfter => {
            "Nothing is skipped. What was processed and not committed when a member ends, or was \
             removed, is processed again."
        }
        Mode::AsyncAfter => {
            "Nothing is skipped. What was processed and not committed is processed again, and commits \
             that are lost are not sent again, so that it may be more."
        }
        Mode::Transaction => {
            "Each input has its results exactly once, for readers of committed records: results \
             and offsets are one transaction, and the coordinator refuses a member that was removed \
             (KIP-447). What a transaction that was aborted had processed is processed again, and leaves \
             nothing."
        }
    }
}

/// What the other two settings promise.
pub(super) const fn of_inputs(setting: Setting) -> (bool, bool) {
    (setting.read_committed, setting.idempotence)
}
