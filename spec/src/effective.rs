//! The effective configuration of a scenario: properties that differ from Kafka's defaults, and the
//! entries of `must_reach` that apply to it.

use super::{Properties, Scenario, Table};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// A property that does not have Kafka's default.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NotDefault {
    /// The part of the scenario that has it: `brokers`, `topic orders`, `producers`.
    pub of: String,
    /// Kafka's name.
    pub property: String,
    /// The value.
    pub value: String,
    /// Kafka's default.
    pub default: String,
}

impl Scenario {
    /// Every property that does not have Kafka's default, each once.
    pub fn not_default(&self) -> Vec<NotDefault> {
        let mut all = BTreeSet::new();
        for cluster in &self.clusters {
            gather(&mut all, "brokers", &cluster.broker);
            gather(&mut all, "controllers", &cluster.controller);
            gather(&mut all, "topics", &cluster.topic);
        }
        for topic in &self.topics {
            gather(&mut all, &format!("topic {}", topic.name), &topic.properties);
        }
        for group in &self.producers {
            gather(&mut all, "producers", &group.properties);
        }
        for group in &self.consumers {
            gather(&mut all, "consumers", &group.properties);
        }
        all.into_iter().collect()
    }

    /// The entries of `must_reach` that apply to the configuration of the scenario.
    pub fn must_reach_here(&self) -> impl Iterator<Item = &super::MustReach> {
        let applies = |must: &&super::MustReach| match &must.under {
            Some(setting) => self.has(setting),
            None => true,
        };
        self.must_reach.iter().filter(applies)
    }
}

fn gather<T: Table>(all: &mut BTreeSet<NotDefault>, of: &str, properties: &Properties<T>) {
    all.extend(properties.not_default().map(|(property, value, default)| NotDefault {
        of: of.to_owned(),
        property: property.to_owned(),
        value: value.to_owned(),
        default,
    }));
}
