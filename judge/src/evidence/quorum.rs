//! Committed metadata that the quorum of a cluster has lost with the disks of its voters.

use super::loss::Loss;
use super::spoil::Spoil;
use super::view::View;
use engine::ids::TopicPartition;
use machine::{ClusterId, NodeId};

impl View {
    /// The disk whose loss or corruption cost a cluster committed metadata by this time: no
    /// majority of voters had kept the metadata, and a leader of the quorum continued without it,
    /// or no majority has it again at the end. Voters that have lost their epochs may elect a
    /// second leader in an earlier epoch.
    pub fn lost_metadata(&self, cluster: ClusterId, at: u64) -> Option<&Spoil> {
        let index = self.index_of(cluster, TopicPartition::METADATA)?;
        let log = &self.partitions[index];
        let is_it = |loss: &&Loss| loss.at <= at && loss.witness.committed;
        let mut losses = log.losses.iter().filter(is_it);
        let lost = losses.find_map(|loss| self.without_majority(index, loss.batch, loss.at));
        lost.or_else(|| {
            let last = log.last_committed()?;
            let holders = &log.batches.get(last).holders;
            let holds = |voter: &NodeId| log.find(*voter).is_some_and(|it| holders.contains(it));
            let (all, kept) = (self.voters(cluster), self.voters(cluster).filter(holds));
            let is_back = kept.count() * 2 > all.count();
            self.without_majority(index, last, at).filter(|_| !is_back)
        })
    }

    /// A lost or corrupted disk that explains the loss of a batch of the metadata log, if the
    /// voters that had the batch and kept their disks until `at` are no majority.
    pub fn without_majority(&self, index: usize, batch: u32, at: u64) -> Option<&Spoil> {
        let log = &self.partitions[index];
        let had = &log.batches.get(batch).ever_had;
        let (mut all, mut kept, mut first) = (0, 0, None);
        for voter in self.voters(log.cluster) {
            let taken = self.spoilt_voter(voter, index, at);
            let has_it = log.find(voter).is_some_and(|replica| had.contains(replica));
            all += 1;
            kept += usize::from(has_it && taken.is_none());
            first = first.or(taken);
        }
        first.filter(|_| kept * 2 <= all)
    }

    /// The first loss or corruption of a voter's metadata log by this time. A voter also loses its
    /// vote with its disk.
    pub fn first_spoilt_voter(&self, cluster: ClusterId, at: u64) -> Option<&Spoil> {
        let index = self.index_of(cluster, TopicPartition::METADATA)?;
        self.voters(cluster).find_map(|voter| self.spoilt_voter(voter, index, at))
    }

    fn voters(&self, cluster: ClusterId) -> impl Iterator<Item = NodeId> + '_ {
        self.setup.controllers.iter().copied().filter(move |node| node.cluster == cluster)
    }

    /// The first loss or corruption of one voter's metadata log by this time.
    fn spoilt_voter(&self, voter: NodeId, index: usize, at: u64) -> Option<&Spoil> {
        self.first_spoil(voter, index).filter(|spoil| spoil.at <= at)
    }
}
