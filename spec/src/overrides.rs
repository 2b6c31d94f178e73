//! Single settings over a scenario (`--set acks=1`): Kafka's property names, each applied to every
//! part of the scenario that has a property of that name, and a few names of Faultline's own.

use super::check::findings;
use super::diagnostic::{Diagnostic, Kind};
use super::fit::{Fit, Put, fits, unknown};
use super::properties::Table;
use super::{Commit, CommitKind, Scenario, Setting, Share, Time, WhenFenced};
use engine::config::{BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig};
use machine::Span;
use std::collections::BTreeSet;

/// Faultline's own names, and their meanings.
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
    ("transactions.records", "records of each transaction of producers with `transactional.id`"),
    ("transactions.aborted", "the share of transactions that are aborted on purpose, such as 10%"),
    ("transactions.abandoned", "the share of transactions that are left open, such as 2%"),
    ("transactions.transfer", "true makes each two records of a transaction a transfer"),
    ("transactions.shared.id", "true gives all producers of a group one transactional id"),
    ("transactions.when.fenced", "restart or stop, when another producer has taken the id"),
    ("producers", "producers of each group"),
    ("consumers", "consumers of each group"),
    ("commit", "before, during, after or never: when members of groups commit"),
    ("commit.kind", "sync or async: whether members wait for a commit"),
    ("commit.every", "of how many polls members commit one"),
    ("store.fenced", "whether stores of members refuse a member that was replaced"),
    (
        "pipeline.transactions",
        "true: members of pipelines write results and commit offsets in transactions; false: without",
    ),
    ("beyond.kafka", "true allows values that Kafka itself refuses, such as small segments"),
    ("stretch", "by how much the load, its records and the times of `swarm` are multiplied"),
];

/// The setting that has no effect on a group of one producer.
const SHARED_ID: &str = "transactions.shared.id";

impl Scenario {
    /// Applies `settings` one after another, each written `KEY=VALUE`, and checks the whole
    /// again. Returns the warnings.
    ///
    /// # Errors
    ///
    /// If there is no such name, it cannot have that value, it is set twice, or the resulting
    /// scenario is impossible.
    pub fn set_all(&mut self, settings: &[String]) -> Result<Vec<Diagnostic>, Box<Diagnostic>> {
        if settings.is_empty() {
            return Ok(Vec::new());
        }
        let before = self.clone();
        let (mut names, mut errors) = (BTreeSet::new(), Vec::new());
        for setting in settings {
            if let Err(error) = self.apply(setting, &mut names) {
                errors.push(about(setting, *error));
            }
        }
        if errors.is_empty() {
            errors.extend(self.unshared_id(&names).map(|error| about(SHARED_ID, error)));
        }
        if let Some(error) = Diagnostic::joined(errors) {
            return Err(Box::new(error));
        }
        let given = settings.join(" --set ");
        let after = findings(self);
        // In most scenarios there is nothing to find, and then nothing to compare.
        let before = if after.is_empty() { Vec::new() } else { findings(&before) };
        let new = after.into_iter().filter(|finding| !before.contains(finding));
        let (warnings, errors): (Vec<_>, Vec<_>) = new
            .map(|finding| {
                let found = Diagnostic::new(finding.kind, finding.message);
                about(&given, found.with_hint(finding.hint))
            })
            .partition(Diagnostic::is_warning);
        match Diagnostic::joined(errors) {
            Some(error) => Err(Box::new(error)),
            None => Ok(warnings),
        }
    }

    /// Applies one setting; `names` are those of the earlier ones.
    fn apply(
        &mut self,
        setting: &str,
        names: &mut BTreeSet<String>,
    ) -> Result<(), Box<Diagnostic>> {
        let usage = |message: String| Box::new(Diagnostic::new(Kind::Usage, message));
        let expected = |_| usage(format!("expected {}", Setting::EXPECTED));
        let Setting { property, value } = Setting::parse(setting).map_err(expected)?;
        if !names.insert(property.clone()) {
            return Err(usage(format!("`{property}` is set twice")));
        }
        self.set(&property, &value)?;
        self.fix(property);
        Ok(())
    }

    /// The error if `names` has [`SHARED_ID`], and no group of transactional producers has several
    /// producers, which could share an id.
    fn unshared_id(&self, names: &BTreeSet<String>) -> Option<Diagnostic> {
        let is_set = names.contains(SHARED_ID);
        let has_several = self
            .producers
            .iter()
            .any(|group| group.count > 1 && group.config().transactional_id.0.is_some());
        let message = "each group of transactional producers has only one producer, which has the \
                       id of the group in any case";
        (is_set && !has_several).then(|| Diagnostic::new(Kind::Impossible, message))
    }

    /// Records that a given setting is not drawn by the seed.
    fn fix(&mut self, name: String) {
        let swarm = self.swarm.as_mut().filter(|swarm| swarm.draw_settings);
        if let Some(swarm) = swarm.filter(|swarm| !swarm.fixed.contains(&name)) {
            swarm.fixed.push(name);
        }
    }

    /// The first error in the scenario, if any: for one that was not read from a scenario file.
    pub fn impossible(&self) -> Option<Diagnostic> {
        let all = findings(self)
            .into_iter()
            .map(|finding| Diagnostic::new(finding.kind, finding.message).with_hint(finding.hint));
        all.into_iter().find(|diagnostic| !diagnostic.is_warning())
    }

    /// Sets `name` wherever it exists.
    fn set(&mut self, name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
        if OWN.iter().any(|(own, _)| *own == name) {
            return self.set_own(name, value);
        }
        let fits = fits(name, value)?;
        let mut put = Put { name, value, fits, places: 0 };
        for cluster in &mut self.clusters {
            put.to(&mut cluster.broker)?;
            put.to(&mut cluster.controller)?;
            put.to(&mut cluster.topic)?;
        }
        for topic in &mut self.topics {
            topic.properties.unset(name);
        }
        // Producers with a `transactional.id` are idempotent, whatever others are.
        let has_plain = self.producers.iter().any(|it| it.transactional_ids().is_empty());
        let is_apart =
            |transactional: bool| name == "enable.idempotence" && transactional && has_plain;
        for group in &mut self.producers {
            if !is_apart(group.config().transactional_id.0.is_some()) {
                put.to(&mut group.properties)?;
            }
        }
        for group in &mut self.consumers {
            put.to(&mut group.properties)?;
            if let Some(pipeline) = &mut group.pipeline
                && name == "enable.idempotence"
                && !pipeline.is_transactional()
            {
                put.to(&mut pipeline.properties)?;
            }
        }
        match put.places {
            // If nothing could be set, that the property is not modelled says more.
            0 if put.fits < Fit::Same => Err(unknown(name)),
            0 => Err(nowhere(name)),
            _ => Ok(()),
        }
    }

    fn set_own(&mut self, name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
        if name == "beyond.kafka" {
            self.beyond_kafka = value.parse().map_err(|_| {
                let message = format!("`{name}` expects true or false, not `{value}`");
                Box::new(Diagnostic::new(Kind::WrongValue, message))
            })?;
            return Ok(());
        }
        if let Some(key) = name.strip_prefix("transactions.") {
            return self.set_transactions(name, key, value);
        }
        if name.starts_with("commit") || name == "store.fenced" || name == "pipeline.transactions" {
            return self.set_members(name, value);
        }
        if name == "stretch" {
            return self.stretch(from_to(name, value, (1, 1_000))?);
        }
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
            // The assignments were made for other numbers: Kafka places the replicas instead.
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

    /// Sets a key of `[producers.transactions]` for all producers with a `transactional.id`.
    fn set_transactions(
        &mut self,
        name: &str,
        key: &str,
        value: &str,
    ) -> Result<(), Box<Diagnostic>> {
        let wrong = |expected: &str| {
            let message = format!("`{name}` expects {expected}, not `{value}`");
            Box::new(Diagnostic::new(Kind::WrongValue, message))
        };
        let is_on = || value.parse::<bool>().map_err(|_| wrong("true or false"));
        let share = || Share::parse(value).map_err(|_| wrong("a share, such as 10%"));
        let mut places = 0;
        for group in &mut self.producers {
            if group.config().transactional_id.0.is_none() {
                continue;
            }
            let of = group.transactions.get_or_insert_default();
            match key {
                "records" => of.records = number(name, value, u64::MAX)?,
                "aborted" => of.aborted = share()?,
                "abandoned" => of.abandoned = share()?,
                "transfer" => of.transfer = is_on()?,
                "shared.id" => of.shared_id = is_on()?,
                _ => {
                    of.when_fenced = match value {
                        "restart" => WhenFenced::Restart,
                        "stop" => WhenFenced::Stop,
                        _ => return Err(wrong("restart or stop")),
                    }
                }
            }
            places += 1;
        }
        if places == 0 { Err(nowhere(name)) } else { Ok(()) }
    }

    /// Sets a key of members of groups.
    fn set_members(&mut self, name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
        let wrong = |expected: &str| {
            let message = format!("`{name}` expects {expected}, not `{value}`");
            Box::new(Diagnostic::new(Kind::WrongValue, message))
        };
        let is_on = || value.parse::<bool>().map_err(|_| wrong("true or false"));
        let mut places = 0;
        for group in self.consumers.iter_mut().filter(|it| it.group.is_some()) {
            match name {
                "commit" => {
                    group.commit = Some(match value {
                        "before" => Commit::Before,
                        "during" => Commit::During,
                        "after" => Commit::After,
                        "never" => Commit::Never,
                        _ => return Err(wrong("before, during, after or never")),
                    });
                }
                "commit.kind" => {
                    group.commit_kind = match value {
                        "sync" => CommitKind::Sync,
                        "async" => CommitKind::Async,
                        _ => return Err(wrong("sync or async")),
                    };
                }
                "commit.every" => {
                    group.commit_every = from_to(name, value, (1, u32::MAX.into()))? as u32;
                }
                "store.fenced" => {
                    let Some(store) = &mut group.store else { continue };
                    store.fenced = is_on()?;
                }
                _ => {
                    let id = group.group.clone().unwrap_or_default();
                    let Some(pipeline) = &mut group.pipeline else { continue };
                    match is_on()? {
                        true => {
                            let set = pipeline.properties.set("transactional.id", &id);
                            set.map_err(|_| wrong("a group whose name can be a transactional id"))?;
                        }
                        false => pipeline.properties.unset("transactional.id"),
                    }
                }
            }
            places += 1;
        }
        if places == 0 { Err(nowhere(name)) } else { Ok(()) }
    }

    /// Makes the load and the times of `swarm` `by` times as long, for time-outs that are longer by
    /// the same factor.
    fn stretch(&mut self, by: u64) -> Result<(), Box<Diagnostic>> {
        let longer = |time: &mut Time| *time = Time(Span(time.nanos().saturating_mul(by)));
        longer(&mut self.durations.load);
        for group in &mut self.producers {
            group.records = group.records.saturating_mul(by);
        }
        if let Some(swarm) = &mut self.swarm {
            longer(&mut swarm.from);
            longer(&mut swarm.until);
            longer(&mut swarm.lasts_at_least);
            longer(&mut swarm.lasts_at_most);
        }
        Ok(())
    }

    /// The ones of brokers, controllers, producers and consumers in the scenario that have a
    /// property, so that a setting applies to all of them.
    pub fn having(&self, property: &str) -> Vec<&'static str> {
        let all = [
            ("brokers", BrokerConfig::NAMES, true),
            ("controllers", ControllerConfig::NAMES, true),
            ("producers", ProducerConfig::NAMES, !self.producers.is_empty()),
            ("consumers", ConsumerConfig::NAMES, !self.consumers.is_empty()),
        ];
        let have = |(_, names, there): &(&str, &[&str], bool)| *there && names.contains(&property);
        all.iter().filter(|it| have(it)).map(|(who, ..)| *who).collect()
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

/// A diagnostic about `setting`, which is named at its beginning.
fn about(setting: &str, found: Diagnostic) -> Diagnostic {
    let message = format!("--set {setting}: {}", found.message);
    Diagnostic { message, ..found }
}

fn nowhere(name: &str) -> Box<Diagnostic> {
    let message = format!("the scenario has nothing that `{name}` would apply to");
    Box::new(Diagnostic::new(Kind::Impossible, message))
}

fn number(name: &str, value: &str, most: u64) -> Result<u64, Box<Diagnostic>> {
    from_to(name, value, (0, most))
}

/// A number of a range, its ends included.
fn from_to(name: &str, value: &str, (least, most): (u64, u64)) -> Result<u64, Box<Diagnostic>> {
    let number = value.replace('_', "").parse::<u64>().ok();
    number.filter(|n| (least..=most).contains(n)).ok_or_else(|| {
        let message =
            format!("`{name}` expects a whole number from {least} to {most}, not `{value}`");
        Box::new(Diagnostic::new(Kind::WrongValue, message))
    })
}
