//! Checks of faults: their targets, their keys, and when they fire.

use super::{Check, elsewhere, links};
use crate::diagnostic::Kind;
use crate::fit;
use crate::mistake::did_you_mean;
use crate::text::nearest;
use crate::{
    Comparison, Condition, Consumers, Family, Fault, FaultKind, Metric, MetricKind, MustReach,
    PreferredElection, Producers, Role, Scope, Swarm, Target, reach,
};
use machine::Span;
use sim::Ppm;

/// Faults of a swarm, at most.
const MOST_FAULTS: u32 = 1_000;

/// The keys whose values make a fault impossible or without effect, and why.
fn unusable(fault: &sim::Fault<Target>) -> Vec<(&'static str, &'static str)> {
    let mut wrong = Vec::new();
    let mut refuse = |is_wrong: bool, key, why| {
        if is_wrong {
            wrong.push((key, why));
        }
    };
    match fault {
        sim::Fault::Partition(sim::Partition { groups }) => {
            refuse(groups.0.len() < 2, "groups", "a partition needs two groups or more");
            refuse(groups.0.iter().any(Vec::is_empty), "groups", "a group is empty");
        }
        sim::Fault::Crash(sim::Crash { at_disk_operation, during_stop, .. })
        | sim::Fault::PowerLoss(sim::PowerLoss { at_disk_operation, during_stop, .. }) => {
            let none = *at_disk_operation == Some(0);
            refuse(none, "at_disk_operation", "operations are counted from 1");
            refuse(
                *during_stop && at_disk_operation.is_none(),
                "during_stop",
                "it qualifies `at_disk_operation`, which is not given",
            );
        }
        sim::Fault::SlowLink(link) => {
            let nothing = link.by.is_none() && link.jitter.is_none() && link.bandwidth.is_none();
            refuse(nothing, "kind", "nothing is slow: give `by`, `jitter` or `bandwidth`");
            refuse(link.bandwidth == Some(0), "bandwidth", "with 0 nothing would ever arrive");
            let none = |span: Option<Span>| span == Some(Span::ZERO);
            refuse(none(link.by), "by", "a delay of 0 delays nothing");
            refuse(none(link.jitter), "jitter", "a delay of 0 delays nothing");
        }
        sim::Fault::LossyLink(link) => {
            let nothing =
                link.loss.is_none() && link.duplication.is_none() && link.reordering.is_none();
            let why = "nothing is lost: give `loss`, `duplication` or `reordering`";
            refuse(nothing, "kind", why);
            let why = "no packet is met with a probability of 0";
            refuse(link.loss == Some(Ppm(0)), "loss", why);
            refuse(link.duplication == Some(Ppm(0)), "duplication", why);
            refuse(link.reordering == Some(Ppm(0)), "reordering", why);
        }
        sim::Fault::DelayMetadata(metadata) => {
            refuse(metadata.by == Span::ZERO, "by", "a delay of 0 delays nothing");
        }
        sim::Fault::SlowDisk(disk) => {
            refuse(disk.factor < 2, "factor", "a slow disk takes twice as long at the least");
        }
        sim::Fault::DiskError(disk) => {
            refuse(disk.times == Some(0), "times", "with 0 no operation fails");
        }
        sim::Fault::FullDisk(disk) => {
            let none = disk.neighbour.is_some_and(|every| every.as_millis() == 0);
            refuse(none, "neighbour", "a turn takes a millisecond at the least");
        }
        sim::Fault::ClockJump(clock) => {
            refuse(clock.by.as_millis() == 0, "by", "a clock jumps a millisecond at the least");
        }
        sim::Fault::CorruptDisk(disk) => {
            refuse(disk.file.is_empty(), "file", "give the end of the names of the files");
        }
        _ => {}
    }
    for key in ["target", "from", "to"] {
        let given = fault.words(&|target| target.to_string()).iter().any(|(name, _)| *name == key);
        let names = fault.targets().iter().any(|(path, _)| path[0] == key);
        refuse(given && !names, key, "the list names no node");
    }
    wrong.extend(named_twice(fault));
    wrong
}

/// The keys whose list of targets, or one of whose groups, names a target twice.
fn named_twice(fault: &sim::Fault<Target>) -> Vec<(&'static str, &'static str)> {
    let mut seen: Vec<(Vec<String>, &Target)> = Vec::new();
    let mut twice = Vec::new();
    for (mut path, target) in fault.targets() {
        // The last part is the place in its list.
        if path.len() > 1 {
            path.pop();
        }
        let key = ["target", "from", "to", "groups"].into_iter().find(|key| path[0] == *key);
        if seen.iter().any(|(list, other)| *list == path && *other == target) {
            twice.extend(key.map(|key| (key, "the list names a target twice")));
        }
        seen.push((path, target));
    }
    twice.dedup();
    twice
}

/// The log directory that a fault names, if any.
fn directory(kind: &FaultKind<Target>) -> Option<&str> {
    let FaultKind::World(fault) = kind else { return None };
    match fault {
        sim::Fault::FullDisk(it) => it.directory.as_deref(),
        sim::Fault::HungDisk(it) => it.directory.as_deref(),
        sim::Fault::SlowDisk(it) => it.directory.as_deref(),
        sim::Fault::DiskError(it) => it.directory.as_deref(),
        sim::Fault::LostDisk(it) => it.directory.as_deref(),
        sim::Fault::CorruptDisk(it) => it.directory.as_deref(),
        _ => None,
    }
}

fn is_client(role: &Role) -> bool {
    matches!(role, Role::Client(_) | Role::Clients | Role::Producers | Role::Consumers)
}

/// The kinds of faults that cause an effect: the scenario needs one of them. Empty if the effect
/// can occur without a fault.
fn causes(effect: sim::Effect) -> &'static [sim::Kind] {
    use sim::{Effect, Kind};
    match effect {
        Effect::PowerLost | Effect::ByteLost | Effect::NameLost | Effect::TruncationLost => {
            &[Kind::PowerLoss]
        }
        Effect::ProcessPaused | Effect::InputHeldByPause | Effect::OutputHeldByPause => {
            &[Kind::Pause]
        }
        Effect::ProcessKilled => &[Kind::Crash, Kind::Restart],
        Effect::StopTimedOut => &[Kind::Restart],
        Effect::ClockJumpSeen => &[Kind::ClockJump],
        Effect::DiskOperationHung => &[Kind::HungDisk],
        Effect::DiskOperationSlowed => &[Kind::SlowDisk],
        Effect::DiskOperationFailed => &[Kind::DiskError, Kind::LostDisk],
        Effect::DiskLost => &[Kind::LostDisk],
        Effect::SectorCorrupted => &[Kind::CorruptDisk],
        _ => &[],
    }
}

impl Check<'_> {
    /// Why no run of the scenario can reach `name`: none of its faults causes that effect. `None`
    /// if a run may reach it.
    fn unreachable(&self, name: &str) -> Option<String> {
        let effect = sim::Effect::ALL.iter().find(|effect| effect.name() == name)?;
        let causes = causes(*effect);
        let of = |family: Family| matches!(family, Family::World(kind) if causes.contains(&kind));
        let listed = self.scenario.faults.iter().map(|fault| fault.kind.family());
        let drawn = self.scenario.swarm.iter().flat_map(|swarm| swarm.families.iter().copied());
        if causes.is_empty() || listed.chain(drawn).any(of) {
            return None;
        }
        let names: Vec<_> = causes.iter().map(|kind| kind.name()).collect();
        Some(format!(
            "no fault of this scenario can cause `{name}`: it takes {}",
            names.join(" or ")
        ))
    }

    /// A fault may only name a log directory that the brokers of its targets' clusters have.
    fn log_directory(&mut self, path: Vec<String>, directory: &str, fault: &Fault) {
        for (_, target) in fault.kind.targets() {
            let Some(index) = self.scenario.cluster_index(target.cluster.as_deref()) else {
                continue;
            };
            let config = self.scenario.clusters[index].broker.config();
            let names = config.log_dirs.named();
            if names.iter().any(|name| name == directory) {
                continue;
            }
            let message = match names {
                [] => "the brokers have one log directory, which has no name: set `log.dirs`"
                    .to_owned(),
                names => format!(
                    "there is no log directory `{directory}`; there is {}",
                    names.join(", ")
                ),
            };
            self.tell(Kind::UnknownName, path, message);
            return;
        }
    }

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
        let family = fault.kind.family();
        if family.is_moment() && fault.lasts.is_some() {
            let message = format!("{} happens at one moment and takes no `lasts`", family.name());
            self.impossible(at("lasts"), message);
        }
        if let FaultKind::World(sim::Fault::PowerLoss(sim::PowerLoss { stagger: Some(_), .. })) =
            &fault.kind
            && fault.lasts.is_none()
        {
            let message =
                "without `lasts` all hosts are switched on at once, when everything heals";
            self.impossible(at("stagger"), message);
        }
        if let Some(directory) = directory(&fault.kind) {
            self.log_directory(at("directory"), directory, fault);
        }
        if family.is_of_disk() {
            for (path, target) in fault.kind.targets() {
                if is_client(&target.role) {
                    let path = [path!["faults", i], path].concat();
                    self.impossible(path, format!("`{target}`: clients have no disk"));
                }
            }
        }
        match &fault.kind {
            FaultKind::World(fault) => {
                for (key, message) in unusable(fault) {
                    self.impossible(at(key), message);
                }
                if let Some((key, message)) = links::upon_no_link(fault, Some(self.scenario)) {
                    self.impossible(at(key), message);
                }
            }
            FaultKind::PreferredElection(PreferredElection { topics }) => {
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

    /// The largest value that a metric can have, and why.
    fn most(&self, metric: &Metric) -> Option<(i64, String)> {
        let scenario = self.scenario;
        let cluster = metric.cluster.as_deref();
        match (metric.kind, &metric.scope) {
            (MetricKind::Time, _) => {
                let load = scenario.durations.load;
                // A fault has to fire before the load has ended.
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
        if let Role::Coordinator(id) = &target.role {
            self.transactional_id(path, index, id);
            return;
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

    /// A fault may only name a transactional id that a producer of the cluster has, or a group.
    fn transactional_id(&mut self, path: Vec<String>, cluster: usize, id: &str) {
        let of = |name: &Option<String>| self.scenario.cluster_index(name.as_deref());
        let here = self.scenario.producers.iter().filter(|it| of(&it.cluster) == Some(cluster));
        let pipelines = self.scenario.consumers.iter();
        let pipelines = pipelines.filter(|it| of(&it.cluster) == Some(cluster));
        let ids = here.flat_map(Producers::transactional_ids);
        let ids = ids.chain(pipelines.clone().flat_map(Consumers::transactional_ids));
        let groups = pipelines.filter_map(|it| it.group.clone());
        let mut ids: Vec<String> = ids.chain(groups).collect();
        ids.dedup();
        let Some(first) = ids.first().filter(|_| !ids.iter().any(|known| known == id)) else {
            if ids.is_empty() {
                let message = format!("there is no transactional id `{id}`: there are none");
                self.tell(Kind::UnknownName, path, message);
            }
            return;
        };
        let message = match ids.as_slice() {
            [only] => format!("there is no transactional id `{id}`; there is {only}"),
            [.., last] => {
                let count = ids.len();
                format!("there is no transactional id `{id}`; there are {count}: {first} to {last}")
            }
            [] => return,
        };
        self.tell(Kind::UnknownName, path, message);
        self.hinted(nearest(id, ids.iter().map(String::as_str)).map(did_you_mean));
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
            let message = format!("it goes on after the end of the load, which takes {load}");
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
            let message = "paired runs have given settings, so that none can be drawn";
            self.impossible(path!["swarm", "draw_settings"], message);
        }
        if let Err(error) = self.scenario.paired() {
            self.tell(error.kind, path!["swarm", "paired_with"], error.message);
            self.hinted(error.hint);
        }
    }

    pub(super) fn must_reach(&mut self, i: usize, must: &MustReach) {
        for name in must.names().filter(|name| !reach::names().any(|known| known == *name)) {
            let message = format!("`{name}` is not the name of anything that a run can reach");
            self.tell(Kind::UnknownName, path!["must_reach", i], message);
            let near = nearest(name, reach::names()).map(did_you_mean);
            self.hinted(near.or(Some("`faultline list reaches` names them all".to_owned())));
        }
        let why: Option<Vec<String>> = must.names().map(|name| self.unreachable(name)).collect();
        if let Some(why) = why.and_then(|why| why.into_iter().next()) {
            self.impossible(path!["must_reach", i], why);
        }
        if let Some(under) = &must.under
            && let Err(error) = fit::table_of(&under.property, &under.value)
        {
            self.tell(error.kind, path!["must_reach", i, "under"], error.message);
            self.hinted(error.hint);
        }
    }
}
