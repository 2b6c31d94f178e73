//! Single settings over a scenario (`--set acks=1`): Kafka's property names, each going to
//! whatever has a property of that name, and a few names of our own.

use super::check::findings;
use super::diagnostic::{Diagnostic, Kind};
use super::properties::{Properties, TABLES, Table};
use super::reader::did_you_mean;
use super::text::nearest;
use super::unmodelled;
use super::{Scenario, Setting};
use engine::config::{
    BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig, PropertyError, TopicConfig,
};

/// Our own names, and what they set.
pub const OWN: &[(&str, &str)] = &[
    ("brokers", "brokers of each cluster"),
    ("controllers", "controllers of each cluster"),
    ("partitions", "partitions of each topic"),
    ("replication.factor", "replicas of each partition"),
    ("records", "records that each group of producers sends"),
    ("rate", "records a second that each group of producers sends"),
    ("burst", "records that are sent at the same moment"),
    ("record.size", "bytes of a record's value"),
    ("keys", "how many keys records have; 0: none"),
    ("producers", "producers of each group"),
    ("consumers", "consumers of each group"),
];

impl Scenario {
    /// Applies `settings` one after the other, each written `KEY=VALUE`, and checks the whole
    /// again. What comes back are warnings.
    ///
    /// # Errors
    ///
    /// If there is no such name, it cannot have that value, or what comes of it cannot be.
    pub fn set_all(&mut self, settings: &[String]) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
        if settings.is_empty() {
            return Ok(Vec::new());
        }
        let before = findings(self);
        for setting in settings {
            let Setting { property, value } = Setting::parse(setting)
                .map_err(|message| Diagnostic::new(Kind::Usage, format!("--set: {message}")))?;
            self.set(&property, &value)?;
        }
        let given = settings.join(" --set ");
        let told = findings(self).into_iter().filter(|finding| !before.contains(finding));
        let (warnings, errors): (Vec<_>, Vec<_>) = told
            .map(|finding| {
                let message = format!("with --set {given}: {}", finding.message);
                Diagnostic::new(finding.kind, message).with_hint(finding.hint)
            })
            .partition(Diagnostic::is_warning);
        match errors.into_iter().next() {
            Some(error) => Err(Box::new(error)),
            None => Ok(warnings),
        }
    }

    /// What is impossible in it, if anything: for a scenario that was not read from its file.
    pub fn impossible(&self) -> Option<Diagnostic> {
        let told = findings(self)
            .into_iter()
            .map(|finding| Diagnostic::new(finding.kind, finding.message).with_hint(finding.hint));
        told.into_iter().find(|diagnostic| !diagnostic.is_warning())
    }

    /// Sets `name` wherever it exists.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
        if OWN.iter().any(|(own, _)| *own == name) {
            return self.set_own(name, value);
        }
        table_of(name, value)?;
        let mut places = 0;
        for cluster in &mut self.clusters {
            places += put(&mut cluster.broker, name, value);
            places += put(&mut cluster.controller, name, value);
            places += put(&mut cluster.topic, name, value);
        }
        for topic in &mut self.topics {
            topic.properties.unset(name);
        }
        for group in &mut self.producers {
            places += put(&mut group.properties, name, value);
        }
        for group in &mut self.consumers {
            places += put(&mut group.properties, name, value);
        }
        if places == 0 {
            return Err(nowhere(name));
        }
        Ok(())
    }

    fn set_own(&mut self, name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
        let number = number(name, value, u64::MAX)?;
        let small = |most: u16| self::number(name, value, u64::from(most)).map(|n| n as u16);
        let wide = || self::number(name, value, u64::from(u32::MAX)).map(|n| n as u32);
        let mut places = 0;
        for cluster in &mut self.clusters {
            match name {
                "brokers" => cluster.brokers = small(u16::MAX)?,
                "controllers" => cluster.controllers = small(u16::MAX)?,
                _ => continue,
            }
            places += 1;
        }
        for topic in &mut self.topics {
            match name {
                "partitions" => topic.partitions = wide()?,
                "replication.factor" => topic.replication_factor = small(u16::MAX)?,
                _ => continue,
            }
            // They were made for other numbers: Kafka places the replicas instead.
            topic.assignments.clear();
            places += 1;
        }
        for group in &mut self.producers {
            match name {
                "records" => group.records = number,
                "rate" => group.rate = number,
                "burst" => group.burst = wide()?,
                "record.size" => group.record_size = wide()?,
                "keys" => group.keys = wide()?,
                "producers" => group.count = small(u16::MAX)?,
                _ => continue,
            }
            places += 1;
        }
        for group in self.consumers.iter_mut().filter(|_| name == "consumers") {
            group.count = small(u16::MAX)?;
            places += 1;
        }
        if places == 0 { Err(nowhere(name)) } else { Ok(()) }
    }

    /// Whether a property has a value anywhere in the scenario, defaults included.
    pub fn has(&self, Setting { property, value }: &Setting) -> bool {
        fn is<T: Table>(mut table: T, property: &str, value: &str) -> bool {
            let found = table.get(property);
            found.is_some() && table.set(property, value).is_ok() && found == table.get(property)
        }
        let (name, value) = (property.as_str(), value.as_str());
        self.clusters.iter().any(|cluster| {
            is(cluster.broker.config(), name, value) || is(cluster.controller.config(), name, value)
        }) || self.topics.iter().any(|topic| is(self.topic_config(topic), name, value))
            || self.producers.iter().any(|group| is(group.properties.config(), name, value))
            || self.consumers.iter().any(|group| is(group.properties.config(), name, value))
    }
}

fn put<T: Table>(properties: &mut Properties<T>, name: &str, value: &str) -> usize {
    usize::from(properties.set(name, value).is_ok())
}

fn nowhere(name: &str) -> Box<Diagnostic> {
    let message = format!("--set: the scenario has nothing that `{name}` would apply to");
    Box::new(Diagnostic::new(Kind::Impossible, message))
}

fn number(name: &str, value: &str, most: u64) -> Result<u64, Box<Diagnostic>> {
    let number = value.replace('_', "").parse::<u64>().ok().filter(|n| *n <= most);
    number.ok_or_else(|| {
        let message =
            format!("--set: `{name}` expects a whole number from 0 to {most}, not `{value}`");
        Box::new(Diagnostic::new(Kind::WrongValue, message))
    })
}

/// Checks that some table has a property `name` that can be `value`.
pub(super) fn table_of(name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
    let tried = [
        TopicConfig::default().set(name, value),
        BrokerConfig::default().set(name, value),
        ControllerConfig::default().set(name, value),
        ProducerConfig::default().set(name, value),
        ConsumerConfig::default().set(name, value),
    ];
    if tried.contains(&Ok(())) {
        return Ok(());
    }
    let expected = tried.iter().find_map(|result| match result {
        Err(PropertyError::Expected(expected)) => Some(*expected),
        _ => None,
    });
    Err(Box::new(match expected {
        Some(expected) => {
            Diagnostic::new(Kind::WrongValue, format!("`{name}` expects {expected}, not `{value}`"))
        }
        None if unmodelled::instead_of(name).is_some() => {
            Diagnostic::new(Kind::UnknownProperty, unmodelled::message(name))
                .with_hint(unmodelled::instead_of(name).map(str::to_owned))
        }
        None => {
            let kafka = TABLES.iter().flat_map(|(_, names)| names.iter().copied());
            let near = nearest(name, kafka.chain(OWN.iter().map(|(own, _)| *own)));
            let hint = near.map_or_else(
                || "`faultline list configs` names all that are known".to_owned(),
                did_you_mean,
            );
            Diagnostic::new(Kind::UnknownProperty, format!("there is no property `{name}`"))
                .with_hint(Some(hint))
        }
    }))
}
