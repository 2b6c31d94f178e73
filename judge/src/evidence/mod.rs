//! What checks see: everything observed of a run, put in order while it happens.
//!
//! Three kinds of witness make it up: the bytes that replicas hold (as they told when they
//! appended, and as their disks have them after every restart and at the end), the committed
//! metadata log of the controllers, and the history of the clients. What a rule decided is not
//! among them, so that a broken rule cannot excuse itself.

pub mod batch;
mod client;
pub mod disk;
mod end;
mod isr;
pub mod loss;
pub mod metadata;
pub mod observed;
pub mod partition;
pub mod reader;
pub mod records;
pub mod replica;
pub mod setup;
pub mod story;
#[cfg(test)]
pub mod testing;
pub mod view;

pub use batch::{Batch, Batches, NO_RECORD, NONE};
pub use disk::{DiskLog, Disks};
pub use end::{ControllerAtEnd, End, Final, Source};
pub use loss::{Committed, Elected, Loss, Witness};
pub use observed::{Change, Moment, Observed};
pub use partition::{Append, Lacking, Partition};
pub use reader::{Piece, Reader};
pub use records::{Outcome, Record, Records, Retry};
pub use replica::Replica;
pub use setup::{ProducerSetup, Setup, TopicSetup};
pub use view::{Effect, View};

use crate::check::{Checks, Findings};
use engine::fact::Fact;
use machine::NodeId;

/// A run as it is observed, with all checks on it. Plain data: a clone goes on by itself.
#[derive(Clone, Debug, Default)]
pub struct Evidence {
    view: View,
    checks: Checks,
    findings: Findings,
}

impl Evidence {
    /// Nothing has been observed yet.
    pub fn new(setup: Setup) -> Self {
        Self { view: View::new(setup), ..Self::default() }
    }

    /// What has been put in order so far.
    pub fn view(&self) -> &View {
        &self.view
    }

    /// What the checks have found so far.
    pub fn findings(&self) -> &Findings {
        &self.findings
    }

    /// A process told something. `at` is true time in nanoseconds; observations come in its order.
    #[inline]
    pub fn observe(&mut self, at: u64, node: NodeId, incarnation: u16, event: u64, fact: &Fact) {
        let moment = Moment { at, node, incarnation, event };
        let effect = self.view.on_fact(&moment, fact);
        self.checks.on_fact(&self.view, &moment, fact, &effect, &mut self.findings);
    }

    /// Something became of a node.
    pub fn node(&mut self, at: u64, node: NodeId, incarnation: u16, event: u64, change: Change) {
        self.view.on_node(&Moment { at, node, incarnation, event }, change);
    }

    /// A fault was applied or undone. `node` is one that it concerns.
    pub fn fault(&mut self, at: u64, node: NodeId, event: u64, what: String) {
        self.view.faults.push((Moment { at, node, incarnation: 0, event }, what));
    }

    /// Whether [`Evidence::look_at`] is to be called, since a replica came back from its disk
    /// with something else than it had told of.
    pub fn wants_disks(&self) -> bool {
        !self.view.reloads.is_empty()
    }

    /// Looks at the disks of replicas that came back. To be called before the world goes on.
    pub fn look_at(&mut self, disks: &impl Disks) {
        for (moment, partition, end) in std::mem::take(&mut self.view.reloads) {
            let it = &self.view.partitions[partition];
            let Some(segments) = disks.segments(moment.node, it.id, &it.name) else { continue };
            let (mut held, _) = disk::read(segments);
            // What was appended since will be told of.
            held.retain(|batch| {
                engine::record::Batch::new(batch).is_ok_and(|batch| batch.next_offset() <= end)
            });
            self.view.reload(&moment, partition, &held);
        }
    }

    /// One observation of a history.
    pub fn on(&mut self, observed: &Observed) {
        match observed {
            Observed::Fact(moment, fact) => {
                self.observe(moment.at, moment.node, moment.incarnation, moment.event, fact);
            }
            Observed::Node(moment, change) => self.view.on_node(moment, *change),
            Observed::Fault(moment, what) => self.view.faults.push((*moment, what.clone())),
        }
    }

    /// The run is over: looks at the disks, and runs the checks that need the whole of it.
    pub fn finish(
        mut self,
        at: u64,
        disks: &impl Disks,
        controllers: Vec<ControllerAtEnd>,
        missing: Vec<String>,
    ) -> (View, End, Findings) {
        let end = End::new(&self.view, at, disks, controllers, missing);
        self.checks.at_end(&self.view, &end, &mut self.findings);
        (self.view, end, self.findings)
    }
}
