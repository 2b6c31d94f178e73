//! The part of a verdict about clients: why records were not acknowledged, how long writes took,
//! and which processes ended as Kafka's would.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Why records were not acknowledged, by Kafka's name of the error, such as `NOT_ENOUGH_REPLICAS`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Errors {
    /// Records that were certainly not written.
    pub failed: BTreeMap<String, u64>,
    /// Records that failed but may have been written. Records that were pending in a killed client
    /// are in no row: no error was reported for them.
    pub unknown: BTreeMap<String, u64>,
    /// How often a batch was resent.
    pub retried: BTreeMap<String, u64>,
}

/// How long writes took in simulated time: from `send` to the callback.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Writes {
    /// Records acknowledged, or sent with acks=0.
    pub count: u64,
    /// The median, in microseconds.
    pub median_us: u64,
    /// The 99th percentile, in microseconds.
    pub p99_us: u64,
    /// The longest, in microseconds.
    pub longest_us: u64,
    /// The longest time in which a partition accepted no record although a producer had a record
    /// for it, if longer than 250 ms.
    pub silence: Option<Silence>,
}

/// A time in which a partition accepted no record although a producer had a record for it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// The partition, such as `orders-0`.
    pub partition: String,
    /// When it began, in nanoseconds since the start of the load.
    pub since_ns: i64,
    /// Its duration in nanoseconds.
    pub lasted_ns: u64,
}

/// How long consumers waited for available records, in simulated time: from when the high watermark
/// passed a record until the consumer received it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Reads {
    /// How often a consumer waited.
    pub count: u64,
    /// The median, in microseconds.
    pub median_us: u64,
    /// The 99th percentile, in microseconds.
    pub p99_us: u64,
    /// The longest, in microseconds.
    pub longest_us: u64,
    /// The consumer that waited longest.
    pub consumer: String,
    /// The partition for which it waited, such as `orders-0`.
    pub partition: String,
    /// When that wait began, in nanoseconds since the start of the load.
    pub since_ns: i64,
}

/// A process that ended, or made no further progress, as Kafka's would. This breaks no promise.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Notice {
    /// The process, such as `consumer 1002`.
    pub node: String,
    /// The notice in words.
    pub what: String,
}

impl Errors {
    /// Adds the errors of another run.
    pub fn add(&mut self, other: &Self) {
        let rows = [
            (&mut self.failed, &other.failed),
            (&mut self.unknown, &other.unknown),
            (&mut self.retried, &other.retried),
        ];
        for (sum, counts) in rows {
            for (name, count) in counts {
                let sum = sum.entry(name.clone()).or_default();
                *sum = sum.saturating_add(*count);
            }
        }
    }
}

impl Writes {
    /// In one line: `median 5 ms, 99 % 1.2 s, longest 21 s; orders-3 accepted none for 20.0 s`.
    pub fn in_words(&self) -> String {
        let mut line = format!(
            "median {}, 99 % {}, longest {}",
            rounded(self.median_us),
            rounded(self.p99_us),
            rounded(self.longest_us)
        );
        if let Some(silence) = &self.silence {
            let lasted = rounded(silence.lasted_ns / 1_000);
            line.push_str(&format!("; {} accepted none for {lasted}", silence.partition));
        }
        line
    }
}

impl Reads {
    /// In one line: `median 0.6 ms, 99 % 1.2 s, longest 5.1 s, of consumer 1002 for orders-0`.
    pub fn in_words(&self) -> String {
        format!(
            "median {}, 99 % {}, longest {}, of consumer {} for {}",
            rounded(self.median_us),
            rounded(self.p99_us),
            rounded(self.longest_us),
            self.consumer,
            self.partition
        )
    }
}

/// A duration rounded to two or three digits.
pub(crate) fn rounded(micros: u64) -> String {
    let (unit, of) = match micros {
        0..1_000 => return format!("{micros} µs"),
        1_000..1_000_000 => ("ms", 1_000),
        _ => ("s", 1_000_000),
    };
    let tenths = micros.saturating_add(of / 20) / (of / 10);
    match tenths {
        0..1_000 => format!("{}.{} {unit}", tenths / 10, tenths % 10),
        _ => format!("{} {unit}", micros.saturating_add(of / 2) / of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// U6.
    #[test]
    fn writes_are_summarised_with_the_longest_silence() {
        let silence =
            Silence { partition: "orders-3".to_owned(), since_ns: 1, lasted_ns: 20_012_345_678 };
        let mut writes = Writes {
            count: 9,
            median_us: 4_960,
            p99_us: 1_234_567,
            longest_us: 21_040_000,
            silence: Some(silence),
        };
        let expected =
            "median 5.0 ms, 99 % 1.2 s, longest 21.0 s; orders-3 accepted none for 20.0 s";
        assert_eq!(writes.in_words(), expected);
        (writes.median_us, writes.p99_us, writes.longest_us) = (812, 123_456, 99_960);
        writes.silence = None;
        assert_eq!(writes.in_words(), "median 812 µs, 99 % 123 ms, longest 100 ms");
    }
}
