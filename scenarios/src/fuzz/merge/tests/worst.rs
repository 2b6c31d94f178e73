//! The harm of signatures.

use super::*;

/// The harm of a signature, and the smallest seed with the worst harm.
#[test]
fn a_signature_has_its_smallest_seed_and_the_smallest_of_the_worst() {
    let plan = plan();
    let mut tally = Tally::new(&plan, 1);
    for (target, seed, lost, duplicated) in
        [(0, 3, 0, 0), (1, 10, 2, 0), (0, 17, 5, 1), (0, 24, 0, 1), (1, 31, 9, 0)]
    {
        let mut record = SeedRecord { seed, ..record(0, 3) };
        record.target = target;
        record.counts = Counts { lost, duplicated, ..Counts::default() };
        tally.add(&record);
    }
    let parts = [Part { seeds: SeedRange { start: 0, end: 40 }, shard: Shard::WHOLE }];
    let report = FuzzReport::new(&plan, &parts, &tally, Stop::Complete, 1.0);
    let [group] = report.signatures.as_slice() else { panic!("one signature") };
    assert_eq!((group.count, group.affected.lost, group.affected.duplicated), (5, 3, 2));
    assert_eq!((group.smallest_seed, group.worst.seed), (3, 10));
    assert_eq!((group.worst.scenario.as_str(), group.cases.len()), ("no-faults", 2));
    let swarm = &group.by_scenario["swarm"];
    assert_eq!((swarm.smallest.seed, swarm.worst.seed, swarm.affected.lost), (3, 17, 1));
    assert_eq!((report.affected.lost, report.counts.lost), (3, 16));
    let losses: Vec<_> = report.losses.iter().map(|loss| (loss.seed, loss.lost)).collect();
    assert_eq!(losses, [(10, 2), (17, 5), (31, 9)]);
}
