//! The settings that are compared by `faultline report acks`.

/// The scenario that they are compared in, unless another is named.
pub const SCENARIO: &str = "acks-study";

/// The setting whose promise the faults stay within.
pub const REFERENCE: Under = Under { acks: "all", min_isr: 2 };

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under {
    /// `acks` of all producers.
    pub acks: &'static str,
    /// `min.insync.replicas` of all topics.
    pub min_isr: u16,
}

/// All of them, the least careful first.
pub const ACKS: [Under; 6] = [
    Under { acks: "0", min_isr: 1 },
    Under { acks: "0", min_isr: 2 },
    Under { acks: "1", min_isr: 1 },
    Under { acks: "1", min_isr: 2 },
    Under { acks: "all", min_isr: 1 },
    REFERENCE,
];

impl Under {
    /// As for `--set`, after whatever was set by hand.
    pub fn settings(self, by_hand: &[String]) -> Vec<String> {
        let own = [format!("acks={}", self.acks), format!("min.insync.replicas={}", self.min_isr)];
        by_hand.iter().cloned().chain(own).collect()
    }
}
