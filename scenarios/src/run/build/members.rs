//! The configurations of members of groups.

use super::Builder;
use crate::workload::{ConsumerAppConfig, Habits, MemberAppConfig, PipelineConfig};
use machine::Span;

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
        Some(MemberAppConfig { reading, group, habits, pipeline })
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
