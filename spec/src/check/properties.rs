//! Checks of properties: values that Kafka refuses, unmodelled properties, and values that
//! Faultline cannot simulate.

use super::Check;
use crate::diagnostic::Kind;
use crate::kafka::refusal;
use crate::properties::{Properties, TABLES, Table};
use crate::unmodelled;
use std::collections::BTreeMap;

/// The least values that Faultline simulates. Kafka accepts smaller ones, but here a timer would
/// fire again and again at the same moment, or a client would never do anything.
const LEAST: &[(&str, u64)] = &[
    ("broker.heartbeat.interval.ms", 1),
    ("auto.commit.interval.ms", 1),
    ("broker.session.timeout.ms", 1),
    ("controller.quorum.election.timeout.ms", 1),
    ("controller.quorum.fetch.timeout.ms", 1),
    ("controller.quorum.request.timeout.ms", 1),
    ("heartbeat.interval.ms", 1),
    ("leader.imbalance.check.interval.seconds", 1),
    ("log.flush.offset.checkpoint.interval.ms", 1),
    ("log.flush.scheduler.interval.ms", 1),
    ("max.in.flight.requests.per.connection", 1),
    ("max.poll.records", 1),
    ("min.insync.replicas", 1),
    ("replica.high.watermark.checkpoint.interval.ms", 1),
    ("segment.bytes", 1),
    ("unclean.leader.election.interval.ms", 1),
];

impl Check<'_> {
    /// Checks the properties at `path` against Kafka's rules and Faultline's limits.
    pub(super) fn properties<T: Table>(&mut self, path: Vec<String>, properties: &Properties<T>) {
        self.properties_with(path, properties, None);
    }

    /// The same, with a property that has a key of its own in the file.
    pub(super) fn properties_with<T: Table>(
        &mut self,
        path: Vec<String>,
        properties: &Properties<T>,
        key: Option<(&str, &str)>,
    ) {
        let at = |name: &str| [path.clone(), vec![name.to_owned()]].concat();
        // With the switch, only rules among unmodelled properties count.
        let set: BTreeMap<&str, &str> = match self.scenario.beyond_kafka {
            true => properties.unmodelled().collect(),
            false => properties.iter().collect(),
        };
        let set = set.into_iter().chain(key).collect();
        if let Some(refusal) = refusal(T::SCOPE, &set) {
            self.impossible(at(&refusal.property), refusal.to_string());
            let modelled = |(name, _): &(String, String)| T::NAMES.contains(&name.as_str());
            if refusal.values.iter().all(modelled) {
                let hint =
                    "`beyond_kafka = true` in the file, or `--set beyond.kafka=true`, allows it";
                self.hinted(Some(hint.to_owned()));
            }
        }
        for (name, value) in properties.unmodelled() {
            if !unmodelled::holds_anyway(T::SCOPE, name, value) {
                self.unmodelled::<T>(at(name), name);
            }
        }
        for (name, least) in LEAST {
            let value = properties.get(name).and_then(|value| value.parse::<u64>().ok());
            if value.is_some_and(|value| value < *least) {
                let message = format!("Faultline simulates `{name}` from {least} upwards");
                self.impossible(at(name), message);
            }
        }
    }

    fn unmodelled<T: Table>(&mut self, path: Vec<String>, name: &str) {
        if let Some((of, _)) = TABLES.iter().find(|(_, names)| names.contains(&name)) {
            let message = format!("{} have no property `{name}`", T::OF);
            self.tell(Kind::UnknownProperty, path, message);
            self.hinted(Some(format!("`{name}` is a property of {of}")));
        } else {
            self.tell(Kind::UnknownProperty, path, unmodelled::message(name));
            self.hinted(unmodelled::instead_of(T::SCOPE, name));
        }
    }
}
