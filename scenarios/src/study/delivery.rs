//! The settings that `faultline report delivery` compares.

/// The scenario of the comparison.
pub const SCENARIO: &str = "delivery-study";

/// The group whose members read the inputs.
pub const GROUP: &str = "billing";

/// How members commit, and when: one row of Kafka's choices.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode {
    /// Its name in `study.jsonl`.
    pub name: &'static str,
    /// Its settings, in the form of `--set`.
    settings: &'static [&'static str],
}

const fn mode(name: &'static str, settings: &'static [&'static str]) -> Mode {
    Mode { name, settings }
}

/// All modes.
pub const MODES: [Mode; 8] = [
    mode("auto", &["enable.auto.commit=true", "commit=never"]),
    mode("sync-before", &["commit=before"]),
    mode("sync-during", &["commit=during"]),
    mode("sync-after", &["commit=after"]),
    mode("async-before", &["commit=before", "commit.kind=async"]),
    mode("async-during", &["commit=during", "commit.kind=async"]),
    mode("async-after", &["commit=after", "commit.kind=async"]),
    mode("transaction", &["pipeline.transactions=true", "commit=never"]),
];

/// A setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Under {
    /// How members commit.
    pub mode: Mode,
    /// `isolation.level` of the members is `read_committed`.
    pub read_committed: bool,
    /// `enable.idempotence` of all producers without a `transactional.id`.
    pub idempotence: bool,
}

/// All settings: each mode with both isolation levels, with and without idempotence.
pub fn all() -> Vec<Under> {
    let each = |mode: Mode| {
        let both = [true, false];
        both.into_iter().flat_map(move |read_committed| {
            both.map(|idempotence| Under { mode, read_committed, idempotence })
        })
    };
    MODES.into_iter().flat_map(each).collect()
}

impl Under {
    /// The setting in the form of `--set`, after the settings made by hand.
    pub fn settings(self, by_hand: &[String]) -> Vec<String> {
        let level = if self.read_committed { "read_committed" } else { "read_uncommitted" };
        let own = self.mode.settings.iter().map(|it| (*it).to_owned());
        let others = [
            format!("isolation.level={level}"),
            format!("enable.idempotence={}", self.idempotence),
        ];
        by_hand.iter().cloned().chain(own).chain(others).collect()
    }
}
