//! The errors of records that were not confirmed: counts by Kafka's names.

use crate::result::Errors;
use engine::error::ErrorCode;
use engine::fact::{ClientFact, Fact};
use std::collections::BTreeMap;

/// Counts by the name of the error.
#[derive(Clone, Debug, Default)]
pub(super) struct ErrorCounts {
    failed: BTreeMap<&'static str, u64>,
    unknown: BTreeMap<&'static str, u64>,
    retried: BTreeMap<&'static str, u64>,
}

impl ErrorCounts {
    #[inline]
    pub(super) fn on_fact(&mut self, fact: &Fact) {
        match fact {
            Fact::Client(ClientFact::Failed { error, maybe_written, records, .. }) => {
                let counts = if *maybe_written { &mut self.unknown } else { &mut self.failed };
                add(counts, *error, records.len() as u64);
            }
            Fact::Client(ClientFact::Retried { error, .. }) => add(&mut self.retried, *error, 1),
            _ => {}
        }
    }

    pub(super) fn finish(&self) -> Errors {
        let named = |counts: &BTreeMap<&'static str, u64>| {
            counts.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
        };
        Errors {
            failed: named(&self.failed),
            unknown: named(&self.unknown),
            retried: named(&self.retried),
        }
    }
}

fn add(counts: &mut BTreeMap<&'static str, u64>, error: ErrorCode, count: u64) {
    *counts.entry(error.name()).or_default() += count;
}
