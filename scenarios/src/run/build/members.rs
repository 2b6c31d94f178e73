//! The configurations of members of groups.

use super::{Builder, client, pattern};
use crate::roles::FIRST_STORE;
use crate::workload::{
    ApplicationConfig, ConsumerAppConfig, Habits, MemberAppConfig, PipelineConfig, StoreAppConfig,
};
use machine::{NodeId, Span};
use std::collections::BTreeSet;

impl Builder<'_> {
    /// The configuration of one of several members of a group; `None`: they are in no group.
    pub(super) fn member(
        &self,
        consumers: &spec::Consumers,
        index: u16,
        reading: &ConsumerAppConfig,
    ) -> Option<MemberAppConfig> {
        let group = consumers.group.as_deref()?.into();
        let mut reading = reading.clone();
        let late = Span(consumers.stagger.nanos().saturating_mul(u64::from(index)));
        reading.start = reading.start.saturating_add(late);
        if let Some(id) = consumers.instance_ids().get(usize::from(index)) {
            reading.consumer.group_instance_id.0 = Some(id.as_str().into());
        }
        let habits = Habits::new(consumers, index, self.scenario.durations.load.0);
        let pipeline = self.pipeline(consumers, index);
        let store = self.store(consumers);
        let pattern = pattern(consumers);
        Some(MemberAppConfig { reading, pattern, group, habits, pipeline, store })
    }

    /// The store of a group: the first table with one decides how it fences.
    fn store(&self, consumers: &spec::Consumers) -> Option<NodeId> {
        consumers.store.as_ref()?;
        let cluster = self.scenario.cluster_index(consumers.cluster.as_deref()).unwrap_or(0);
        let place = self.stores(cluster).position(|it| it.group == consumers.group)?;
        Some(NodeId::new(cluster as u8, FIRST_STORE + place as u16))
    }

    /// The tables whose groups have a store in a cluster, one for each group.
    fn stores(&self, cluster: usize) -> impl Iterator<Item = &spec::Consumers> {
        let scenario = self.scenario;
        let is_its = move |it: &&spec::Consumers| {
            it.store.is_some() && scenario.cluster_index(it.cluster.as_deref()) == Some(cluster)
        };
        let mut seen = BTreeSet::new();
        scenario.consumers.iter().filter(is_its).filter(move |it| seen.insert(it.group.as_deref()))
    }

    /// Adds the stores of groups.
    pub(super) fn add_stores(&mut self) {
        let mut stores = Vec::new();
        for cluster in 0..self.scenario.clusters.len() {
            for (place, consumers) in self.stores(cluster).enumerate() {
                let group = consumers.group.as_deref().unwrap_or_default().into();
                let fenced = consumers.store.as_ref().is_some_and(|it| it.fenced);
                let node = NodeId::new(cluster as u8, FIRST_STORE + place as u16);
                stores.push((node, StoreAppConfig { group, fenced }));
            }
        }
        for (node, config) in stores {
            self.roster.stores.push(node);
            self.add(node, client(ApplicationConfig::Store(config), self.rules));
        }
    }

    /// The producing half of a member. Its results have numbers of their own: as those of a producer
    /// after all others, and of another one in each life.
    fn pipeline(&self, consumers: &spec::Consumers, index: u16) -> Option<PipelineConfig> {
        let pipeline = consumers.pipeline.as_ref()?;
        let mut producer = pipeline.config();
        if let Some(id) = consumers.transactional_ids().get(usize::from(index)) {
            producer.transactional_id.0 = Some(id.as_str().into());
        }
        let with = self.scenario.consumers.iter().filter(|it| it.pipeline.is_some());
        let counted = with.clone().take_while(|it| !std::ptr::eq(*it, consumers));
        let before: u16 = counted.map(|it| it.count).sum();
        let first = self.roster.producers.len() as u16 + before + index;
        Some(PipelineConfig {
            to: pipeline.to.clone(),
            results: pipeline.results,
            aborted_ppm: pipeline.aborted.0,
            seed: self.seed,
            producer_number: (first, with.map(|it| it.count).sum()),
            producer,
        })
    }
}
