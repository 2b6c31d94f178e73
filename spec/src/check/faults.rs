//! Faults: whom they name and when they fire.

use super::{Check, elsewhere};
use crate::diagnostic::Kind;
use crate::overrides;
use crate::reader::did_you_mean;
use crate::text::nearest;
use crate::{
    Comparison, Condition, Fault, FaultKind, Metric, MetricKind, MustReach, Role, Scope, Swarm,
    Target, reach,
};

/// Faults of a swarm, at most.
const MOST_FAULTS: u32 = 1_000;

impl Check<'_> {
    pub(super) fn fault(&mut self, i: usize, fault: &Fault) {
        let load = self.scenario.durations.load;
        if fault.at.is_some_and(|at| at >= load) {
            let message = format!("it would fire after the load has ended, which takes {load}");
            self.impossible(path!["faults", i, "at"], message);
        }
        if fault.lasts.is_some_and(|lasts| lasts.nanos() == 0) {
            self.impossible(path!["faults", i, "lasts"], "a fault has to last some time");
            let hint = "without `lasts` it lasts until everything is healed";
            self.hinted(Some(hint.to_owned()));
        }
        if let Some(condition) = &fault.when {
            self.condition(path!["faults", i, "when"], condition);
        }
        for (mut path, target) in fault.kind.targets() {
            path.splice(0..0, path!["faults", i]);
            self.target(path, target);
        }
        let at = |key: &str| path!["faults", i, key];
        match &fault.kind {
            FaultKind::Partition { groups } if groups.len() < 2 => {
                self.impossible(at("groups"), "a partition needs two groups or more");
            }
            FaultKind::Crash { at_disk_operation: Some(0), .. } => {
                self.impossible(at("at_disk_operation"), "operations are counted from 1");
            }
            FaultKind::PreferredElection { topics } => {
                for (j, topic) in topics.iter().enumerate() {
                    let path = path!["faults", i, "topics", j];
                    if self.scenario.topic(None, topic).is_none()
                        && elsewhere(self.scenario, topic).is_some()
                    {
                        let message = "a preferred election is held in the first cluster only";
                        self.impossible(path, message);
                        continue;
                    }
                    self.topic_named(path, None, topic, &|_, topic| topic.to_owned());
                }
            }
            _ => {}
        }
    }

    fn condition(&mut self, path: Vec<String>, condition: &Condition) {
        for Metric { cluster, scope, kind } in condition.metrics() {
            if self.cluster_of(path.clone(), cluster).is_none() {
                continue;
            }
            let name = kind.name();
            match scope {
                Scope::All => {}
                Scope::Topic(topic) => {
                    let written = |cluster: &str, topic: &str| format!("{name}({cluster}/{topic})");
                    self.topic_named(path.clone(), cluster.as_deref(), topic, &written);
                }
                Scope::Partition(of) => {
                    let index = of.partition;
                    let written =
                        |cluster: &str, topic: &str| format!("{name}({cluster}/{topic}-{index})");
                    self.partition(path.clone(), cluster.as_deref(), of, &written);
                }
            }
        }
        if let Some(why) = self.never_holds(condition) {
            self.impossible(path, why);
        }
    }

    /// Why a condition can never hold, if that can be seen without a run.
    fn never_holds(&self, condition: &Condition) -> Option<String> {
        match condition {
            Condition::All(parts) => parts.iter().find_map(|part| self.never_holds(part)),
            Condition::Any(parts) => {
                let all: Option<Vec<String>> =
                    parts.iter().map(|part| self.never_holds(part)).collect();
                all?.into_iter().next()
            }
            Condition::Compare { metric, comparison, value } => {
                let (most, what) = self.most(metric)?;
                let never = match comparison {
                    Comparison::AtLeast | Comparison::Equal => *value > most,
                    Comparison::Above => *value >= most,
                    Comparison::AtMost => *value < 0,
                    Comparison::Below => *value <= 0,
                    Comparison::NotEqual => false,
                };
                never.then(|| format!("`{condition}` never holds: {what}"))
            }
        }
    }

    /// The most that something can come to, and why.
    fn most(&self, metric: &Metric) -> Option<(i64, String)> {
        let scenario = self.scenario;
        let cluster = metric.cluster.as_deref();
        match (metric.kind, &metric.scope) {
            (MetricKind::Time, _) => {
                let load = scenario.durations.load;
                // The load has ended at its last moment.
                let last = i64::try_from(load.nanos()).ok()? - 1;
                Some((last, format!("the load takes {load}")))
            }
            (MetricKind::InSync, Scope::Partition(of)) => {
                let replicas = scenario.topic(cluster, &of.topic)?.replication_factor;
                Some((replicas.into(), format!("{of} has a replication factor of {replicas}")))
            }
            (MetricKind::BrokersUp, _) => {
                let brokers = scenario.clusters[scenario.cluster_index(cluster)?].brokers;
                Some((brokers.into(), format!("the cluster has {brokers} in all")))
            }
            _ => None,
        }
    }

    fn target(&mut self, path: Vec<String>, target: &Target) {
        let Some(index) = self.cluster_of(path.clone(), &target.cluster) else { return };
        let cluster = &self.scenario.clusters[index];
        if let Some(of) = target.partition() {
            let written = |cluster: &str, topic: &str| target.with(cluster, topic).to_string();
            self.partition(path.clone(), target.cluster.as_deref(), of, &written);
        }
        let clients = |index| {
            let of = |name: &Option<String>| self.scenario.cluster_index(name.as_deref());
            let producers = self.scenario.producers.iter().map(|p| (of(&p.cluster), p.count));
            let consumers = self.scenario.consumers.iter().map(|c| (of(&c.cluster), c.count));
            let here = producers.chain(consumers).filter(|(of, _)| *of == Some(index));
            here.map(|(_, count)| count).fold(0, u16::saturating_add)
        };
        let (what, id, first, count) = match target.role {
            Role::Broker(id) => ("broker", id, 1, cluster.brokers),
            Role::Controller(id) => ("controller", id, 101, cluster.controllers),
            Role::Client(id) => ("client", id, 1001, clients(index)),
            _ => return,
        };
        if id < first || id - first >= count {
            let message = match count {
                0 => format!("there is no {what} {id}: there are none"),
                1 => format!("there is no {what} {id}; there is {first}"),
                n => format!("there is no {what} {id}; there are {first} to {}", first + n - 1),
            };
            self.tell(Kind::UnknownName, path, message);
        }
    }

    pub(super) fn swarm(&mut self, swarm: &Swarm) {
        if swarm.faults > MOST_FAULTS {
            let message = format!("a swarm has {MOST_FAULTS} faults at most");
            self.impossible(path!["swarm", "faults"], message);
        }
        if swarm.until < swarm.from {
            self.impossible(
                path!["swarm", "until"],
                format!(
                    "it ends before it begins: `until` {} is below `from` {}",
                    swarm.until, swarm.from
                ),
            );
        }
        if swarm.until > self.scenario.durations.load {
            let load = self.scenario.durations.load;
            let message = format!("it goes on after the load has ended, which takes {load}");
            self.impossible(path!["swarm", "until"], message);
        }
        if swarm.lasts_at_most.nanos() == 0 {
            self.impossible(path!["swarm", "lasts_at_most"], "a fault has to last some time");
        }
        if swarm.lasts_at_most < swarm.lasts_at_least {
            self.impossible(path!["swarm", "lasts_at_most"], "it is below lasts_at_least");
        }
        if swarm.families.is_empty() {
            self.impossible(path!["swarm", "families"], "there has to be a family to choose from");
        }
        if swarm.draw_settings && !swarm.paired_with.is_empty() {
            let message = "runs that are paired have the settings that they are given";
            self.impossible(path!["swarm", "draw_settings"], message);
        }
        if let Err(error) = self.scenario.paired() {
            self.tell(error.kind, path!["swarm", "paired_with"], error.message);
            self.hinted(error.hint);
        }
    }

    pub(super) fn must_reach(&mut self, i: usize, must: &MustReach) {
        if !reach::names().any(|name| name == must.reach) {
            let names: Vec<&str> = reach::names().collect();
            let message = format!("nothing is called `{}` that a run could reach", must.reach);
            self.tell(Kind::UnknownName, path!["must_reach", i], message);
            let near = nearest(&must.reach, names.iter().copied()).map(did_you_mean);
            self.hinted(near.or(Some("`faultline list reaches` names them all".to_owned())));
        }
        if let Some(under) = &must.under
            && let Err(error) = overrides::table_of(&under.property, &under.value)
        {
            self.tell(error.kind, path!["must_reach", i, "under"], error.message);
            self.hinted(error.hint);
        }
    }
}
