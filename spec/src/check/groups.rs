//! Checks of consumers that are members of a group.

use super::Check;
use crate::{Absence, Commit, Consumers, OnRevoke, Pipeline, Time};
use engine::client::Pattern;
use engine::config::{BrokerConfig, GroupProtocol, Property};

/// The longest that a member is away or takes for one record.
const LONGEST: Time = Time::secs(3_600);
/// The shortest interval at which members go away again.
const OFTEN: Time = Time::millis(1);
/// Results of one record, at most.
const RESULTS: u32 = 100;
/// Characters of a group's name, at most: half of what an internal topic's key can have.
const NAME: usize = 200;

impl Check<'_> {
    pub(super) fn members(&mut self, i: usize, group: &Consumers) {
        let Some(name) = &group.group else {
            return self.without_group(i, group);
        };
        let at = |key: &str| path!["consumers", i, key];
        if name.len() > NAME {
            self.impossible(at("group"), format!("a group's name has {NAME} characters at most"));
        }
        if group.commit_every == 0 {
            self.impossible(at("commit_every"), "they commit once in 1 poll or more");
        }
        if group.process_time > LONGEST {
            self.impossible(at("process_time"), format!("a record takes {LONGEST} at most"));
        }
        let lists =
            [("stalls", &group.stalls), ("pauses", &group.pauses), ("leaves", &group.leaves)];
        for (key, absences) in lists {
            for (j, absence) in absences.iter().enumerate() {
                self.absence(path!["consumers", i, key, j], absence, group.count);
            }
        }
        if let Some(pattern) = &group.topic_pattern {
            self.topic_pattern(i, group, pattern);
        }
        self.commits(i, group);
        self.session(i, group);
        self.pace(i, group);
        if let Some(pipeline) = &group.pipeline {
            self.pipeline(i, group, pipeline);
        }
        self.store(i, group);
    }

    /// Members subscribe by a pattern, which some topic matches.
    fn topic_pattern(&mut self, i: usize, group: &Consumers, text: &str) {
        let at = |key: &str| path!["consumers", i, key];
        if !group.topics.is_empty() {
            let message = "they subscribe to `topics` or by `topic_pattern`, not both";
            self.impossible(at("topics"), message);
        }
        if group.config().group_protocol == GroupProtocol::Consumer {
            let message = "subscriptions by pattern are modelled for `group.protocol=classic` only";
            return self.impossible(at("topic_pattern"), message);
        }
        let pattern = match Pattern::new(text) {
            Ok(pattern) => pattern,
            Err(error) => return self.impossible(at("topic_pattern"), error),
        };
        let here = self.scenario.cluster_index(group.cluster.as_deref());
        let topics = self.scenario.topics.iter();
        let topics = topics.filter(|it| self.scenario.cluster_index(it.cluster.as_deref()) == here);
        let names: Vec<&str> = topics.map(|it| it.name.as_str()).collect();
        if !names.iter().any(|name| pattern.subscribes(name)) {
            let message = format!("no topic matches `{text}`; there are {}", names.join(", "));
            self.impossible(at("topic_pattern"), message);
        }
    }

    /// A group has one store, or none.
    fn store(&mut self, i: usize, group: &Consumers) {
        let at = |key: &str| path!["consumers", i, key];
        let others = self.scenario.consumers.iter();
        let mut others = others.filter(|it| it.group == group.group && it.cluster == group.cluster);
        if let Some(other) = others.find(|it| it.store != group.store) {
            let name = group.group.as_deref().unwrap_or_default();
            let message = match (&other.store, &group.store) {
                (Some(_), Some(_)) => {
                    format!("group `{name}` has one store, which fences or does not")
                }
                _ => format!("some members of group `{name}` have a store, and others have none"),
            };
            self.impossible(at(if group.store.is_some() { "store" } else { "group" }), message);
            self.hinted(Some("give all of its tables the same `store`".to_owned()));
        }
        if group.store.is_none() {
            return;
        }
        if group.pipeline.is_some() {
            let message = "their results go to a topic or to a store, not to both";
            self.impossible(at("store"), message);
        }
        let own = group.commit.is_some_and(|commit| commit != Commit::Never);
        if group.config().enable_auto_commit || own {
            let message = "their positions are in their store, and the offsets that they commit to the \
                           group have no effect";
            self.unwise(at(if own { "commit" } else { "store" }), message.to_owned());
            let hint = "set `enable.auto.commit = false` in their properties, and no `commit`";
            self.hinted(Some(hint.to_owned()));
        }
    }

    fn pipeline(&mut self, i: usize, group: &Consumers, pipeline: &Pipeline) {
        let at = |key: &str| path!["consumers", i, "pipeline", key];
        let named =
            |cluster: &str, topic: &str| format!("cluster = \"{cluster}\"` and `to = \"{topic}\"");
        self.topic_named(at("to"), group.cluster.as_deref(), &pipeline.to, &named);
        let pattern = group.topic_pattern.as_deref().and_then(|it| Pattern::new(it).ok());
        let reads_itself = match (&pattern, group.topics.is_empty()) {
            (Some(pattern), _) => pattern.subscribes(&pipeline.to),
            (None, true) => true,
            (None, false) => group.topics.contains(&pipeline.to),
        };
        if reads_itself {
            let message = format!(
                "they read `{}` themselves, so that every result has results again: name other \
                 `topics`",
                pipeline.to
            );
            self.impossible(at("to"), message);
        } else if let Some(other) = self.returns(i, group, pipeline) {
            let message = format!(
                "the results come back to `{}` through other pipelines, so that there is no end",
                other
            );
            self.impossible(at("to"), message);
        }
        if !(1..=RESULTS).contains(&pipeline.results) {
            self.impossible(at("results"), format!("a record has 1 to {RESULTS} results"));
        }
        self.properties(at("properties"), &pipeline.properties);
        if !pipeline.is_transactional() {
            if pipeline.aborted.0 > 0 {
                let message = "without `transactional.id` there are no transactions to abort";
                self.impossible(at("aborted"), message);
            }
            return;
        }
        let by_itself = group.config().enable_auto_commit;
        let own = group.commit.is_some_and(|commit| commit != Commit::Never);
        if by_itself || own {
            let key = if own { "commit" } else { "pipeline" };
            let message =
                "their offsets are committed in transactions, and once more outside of them";
            self.unwise(path!["consumers", i, key], message.to_owned());
            let hint = "set `enable.auto.commit = false` in their properties, and no `commit`";
            self.hinted(Some(hint.to_owned()));
        }
    }

    /// The topic of these consumers to which the results of their pipeline come back through others.
    fn returns(&self, i: usize, group: &Consumers, pipeline: &Pipeline) -> Option<String> {
        let here = self.scenario.cluster_index(group.cluster.as_deref());
        let mut reached = vec![pipeline.to.as_str()];
        let mut next = 0;
        while let Some(topic) = reached.get(next).copied() {
            next += 1;
            let others = self.scenario.consumers.iter().enumerate();
            for (_, other) in others.filter(|(j, _)| *j != i) {
                let is_here = self.scenario.cluster_index(other.cluster.as_deref()) == here;
                let reads = other.topics.is_empty() || other.topics.iter().any(|it| it == topic);
                let Some(to) = other.pipeline.as_ref().filter(|_| is_here && reads) else {
                    continue;
                };
                if !reached.contains(&to.to.as_str()) {
                    reached.push(&to.to);
                }
            }
        }
        group.topics.iter().find(|it| reached.contains(&it.as_str())).cloned()
    }

    /// Keys that mean nothing without a group.
    fn without_group(&mut self, i: usize, group: &Consumers) {
        let default = Consumers::default();
        let set = [
            ("topic_pattern", group.topic_pattern.is_some()),
            ("commit", group.commit.is_some()),
            ("commit_kind", group.commit_kind != default.commit_kind),
            ("commit_every", group.commit_every != default.commit_every),
            ("on_revoke", group.on_revoke.is_some()),
            ("process_time", group.process_time != default.process_time),
            ("stagger", group.stagger != default.stagger),
            ("stalls", !group.stalls.is_empty()),
            ("pauses", !group.pauses.is_empty()),
            ("leaves", !group.leaves.is_empty()),
            ("pipeline", group.pipeline.is_some()),
            ("store", group.store.is_some()),
        ];
        for (key, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
            let message =
                format!("`{key}` is for members of a group, and these consumers have none");
            self.impossible(path!["consumers", i, key], message);
            self.hinted(Some("`group = \"name\"` makes them members".to_owned()));
        }
    }

    fn absence(&mut self, path: Vec<String>, absence: &Absence, count: u16) {
        let at = |key: &str| [path.clone(), vec![key.to_owned()]].concat();
        if absence.lasts > LONGEST {
            self.impossible(at("lasts"), format!("a member is away for {LONGEST} at most"));
        }
        if absence.every.is_some_and(|every| every < OFTEN) {
            self.impossible(at("every"), format!("the shortest interval is {OFTEN}"));
        }
        if absence.members == Some(0) {
            self.impossible(at("members"), "1 member or more goes");
        }
        if absence.members.is_some_and(|members| u32::from(members) > u32::from(count)) {
            self.impossible(at("members"), format!("there are {count}"));
        }
    }

    /// A consumer that commits by itself needs no commits of its application.
    fn commits(&mut self, i: usize, group: &Consumers) {
        if !group.config().enable_auto_commit {
            return;
        }
        let own = group.commit.is_some_and(|commit| commit != Commit::Never);
        let in_listener = group.on_revoke == Some(OnRevoke::Commit);
        for (key, _) in [("commit", own), ("on_revoke", in_listener)].into_iter().filter(|it| it.1)
        {
            let message = "they commit by themselves (`enable.auto.commit` is true), and their \
                           application commits as well";
            self.unwise(path!["consumers", i, key], message.to_owned());
            self.hinted(Some("set `enable.auto.commit = false` in their properties".to_owned()));
        }
    }

    /// A member that takes longer for a poll than `max.poll.interval.ms` loses its partitions each time. If
    /// one record takes that long, the group never settles.
    fn pace(&mut self, i: usize, group: &Consumers) {
        let config = group.config();
        let (one, longest) = (group.process_time.nanos(), config.max_poll_interval.0);
        let poll = one.saturating_mul(config.max_poll_records.into());
        if poll <= longest {
            return;
        }
        let limit = config.max_poll_interval.as_millis();
        if one > longest {
            let message = format!(
                "a record takes longer than `max.poll.interval.ms={limit}`: each member leaves before \
                 it has processed one, and the group never settles"
            );
            return self.impossible(path!["consumers", i, "process_time"], message);
        }
        let records = config.max_poll_records;
        let message = format!(
            "a poll returns up to `max.poll.records={records}` records, which take longer than \
             `max.poll.interval.ms={limit}`: a member with a backlog leaves while it processes"
        );
        self.unwise(path!["consumers", i, "process_time"], message);
    }

    /// A coordinator refuses a member that names an assignor which it does not have.
    fn assignor(&mut self, i: usize, group: &Consumers, broker: &BrokerConfig) {
        let Some(name) = group.config().group_remote_assignor.0 else { return };
        if broker.consumer_assignors.has(&name) {
            return;
        }
        let all = broker.consumer_assignors.render();
        let message =
            format!("coordinators have no assignor `{name}` (`group.consumer.assignors={all}`)");
        self.impossible(path!["consumers", i, "properties", "group.remote.assignor"], message);
    }

    /// A coordinator refuses other session time-outs, so that no member ever joins.
    fn session(&mut self, i: usize, group: &Consumers) {
        let index = self.scenario.cluster_index(group.cluster.as_deref()).unwrap_or(0);
        let Some(cluster) = self.scenario.clusters.get(index) else { return };
        let broker = cluster.broker.config();
        // In the consumer protocol the coordinator has the time-outs.
        if group.config().group_protocol == GroupProtocol::Consumer {
            return self.assignor(i, group, &broker);
        }
        let (least, most) = (broker.group_min_session_timeout, broker.group_max_session_timeout);
        let session = group.config().session_timeout;
        if (least..=most).contains(&session) {
            return;
        }
        let (session, least, most) = (session.as_millis(), least.as_millis(), most.as_millis());
        let message = format!(
            "`session.timeout.ms={session}`: a coordinator allows {least} to {most} ms \
             (`group.min.session.timeout.ms`, `group.max.session.timeout.ms`)"
        );
        let own = path!["consumers", i, "properties", "session.timeout.ms"];
        let limit = path!["clusters", index, "broker", "group.min.session.timeout.ms"];
        let is_set = group.properties.get("session.timeout.ms").is_some();
        self.impossible(if is_set { own } else { limit }, message);
    }
}
