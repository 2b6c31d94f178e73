//! The signature of a violation, which violations of one kind share for all seeds: the check, its
//! finding, and the causal skeleton, with roles instead of ids and without times.

use crate::check::{Finding, Ground};
use crate::evidence::story::{Happening, Scene};
use crate::evidence::{Change, Loss, Partition, View};

/// The signature of a finding.
pub(super) fn of(view: &View, finding: &Finding) -> String {
    let mut parts = vec![finding.check.to_owned(), finding.what.replace(' ', "-")];
    if let (Ground::Gone { loss: Some(loss), .. }, Some(partition)) =
        (&finding.ground, finding.partition)
    {
        let partition = &view.partitions[partition];
        parts.extend(skeleton(partition, &partition.losses[*loss as usize]));
    }
    parts.join(":")
}

/// The kinds of events of the two leaders between the append and the loss, each once.
fn skeleton(partition: &Partition, loss: &Loss) -> Vec<String> {
    let appended = partition.batches.get(loss.batch).at;
    let mut steps: Vec<String> = Vec::new();
    for scene in partition.story.between(appended, loss.at) {
        let Some(step) = step(loss, scene) else { continue };
        if !steps.contains(&step) {
            steps.push(step);
        }
    }
    let witness = &loss.witness;
    let lack =
        match (witness.lacking.meets(&witness.had), witness.lacking.meets(&witness.power_lost)) {
            (_, true) => "successor-lost-it-with-power",
            (true, false) => "successor-had-cut-it",
            (false, false) => "successor-never-had-it",
        };
    steps.push(lack.to_owned());
    steps
}

fn step(loss: &Loss, scene: &Scene) -> Option<String> {
    let role = match scene.replica {
        replica if Some(replica) == loss.previous.0 => "leader",
        replica if replica == loss.leader => "successor",
        _ => return None,
    };
    let step = match scene.what {
        Happening::Node(Change::Crashed { .. }) => "crashed",
        Happening::Node(Change::Halted { .. }) => "halted",
        Happening::Node(Change::PowerLost { .. }) => "lost-power",
        Happening::Node(Change::DiskLost { .. }) => "lost-its-disk",
        Happening::Node(Change::SectorCorrupted { .. }) => "went-bad-in-a-sector",
        Happening::Node(Change::Stopped) => "stopped",
        Happening::Cut { to, high_watermark, .. } if to < high_watermark => "cut-below-watermark",
        Happening::Cut { .. } => "cut",
        _ => return None,
    };
    Some(format!("{role}-{step}"))
}
