//! The `quorum-state` file, which makes epoch and vote durable (`FileQuorumStateStore`).

use super::DIR;
use crate::ids::{BrokerId, LeaderEpoch};
use crate::log::files;
use bytes::Bytes;
use machine::{Disk, DiskError, Halt};

/// The content of the file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct QuorumState {
    pub(super) epoch: LeaderEpoch,
    pub(super) vote: Option<BrokerId>,
    pub(super) leader: Option<BrokerId>,
}

fn path() -> String {
    format!("{DIR}/quorum-state")
}

/// Reads the file. Without one, returns the state of a member that has never run.
pub(super) fn read(disk: &mut dyn Disk) -> Result<QuorumState, Halt> {
    let Some(bytes) = files::read_all(disk, &path()).map_err(failed)? else {
        return Ok(QuorumState::default());
    };
    let text = String::from_utf8_lossy(&bytes);
    parse(&text).ok_or_else(|| Halt::Failed(format!("cannot understand quorum-state: {text}")))
}

/// Replaces the file durably.
pub(super) fn write(state: &QuorumState, disk: &mut dyn Disk) -> Result<(), Halt> {
    files::replace(disk, &path(), Bytes::from(render(state))).map_err(failed)
}

fn failed(error: DiskError) -> Halt {
    Halt::Failed(format!("quorum-state failed: {error}"))
}

/// The JSON that Kafka writes, with `-1` for no member.
fn render(state: &QuorumState) -> String {
    let id = |id: Option<BrokerId>| id.map_or(-1, i32::from);
    format!(
        r#"{{"leaderId":{},"leaderEpoch":{},"votedId":{},"data_version":0}}"#,
        id(state.leader),
        state.epoch,
        id(state.vote)
    )
}

fn parse(text: &str) -> Option<QuorumState> {
    let field = |name: &str| -> Option<i32> {
        let (_, rest) = text.split_once(&format!("\"{name}\":"))?;
        let end = rest.find([',', '}'])?;
        rest[..end].trim().parse().ok()
    };
    let id = |name: &str| field(name).map(|id| BrokerId::try_from(id).ok());
    Some(QuorumState {
        epoch: field("leaderEpoch")?,
        vote: id("votedId")?,
        leader: id("leaderId")?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_written_state_reads_back() {
        for (vote, leader) in [(None, None), (Some(101), None), (Some(101), Some(103))] {
            let state = QuorumState { epoch: 7, vote, leader };
            assert_eq!(parse(&render(&state)), Some(state));
        }
        assert_eq!(parse("{\"leaderId\":1"), None);
    }
}
