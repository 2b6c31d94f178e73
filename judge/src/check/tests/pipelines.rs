//! Pipelines: which inputs are reflected, and how often.

use crate::evidence::setup::GroupSetup;
use crate::testing::{GROUP, History, OFFSETS, ORDERS, OTHER};
use crate::verdict::Judgement;
use engine::fact::{ClientFact, MemberFact, Positioning};
use engine::ids::Offset;
use machine::ClusterId;

fn finish(mut history: History) -> History {
    history.read_back(1, ORDERS);
    history.read_back(2, OTHER);
    history
}

fn hazards(judgement: &Judgement) -> Vec<&str> {
    judgement.permitted.iter().map(|it| it.hazard.as_str()).collect()
}

fn set_up(history: &mut History, setup: GroupSetup) {
    history.setup.group_setups.insert((ClusterId(0), GROUP.into()), setup);
}

/// An application writes a result of an input of `orders-0` to `orders-1`.
fn write_result(history: &mut History, client: u16, offset: Offset, record: u64) {
    let (group, partition) = (GROUP.into(), ORDERS);
    history.member(client, MemberFact::Derived { group, partition, offset, record });
    history.client(client, ClientFact::Sent { record, partition: OTHER, acks: -1 });
    history.write(2, OTHER, 0, &[record]);
    history.replicate(OTHER);
}

/// Two inputs, with results of these numbers; the group has committed `to`.
fn with_results(setup: GroupSetup, outputs: &[(Offset, u64)], to: Offset) -> History {
    let mut history = History::grouped();
    set_up(&mut history, GroupSetup { outputs: 1, ..setup });
    history.produce(&[0, 1]);
    history.generation(1, &[(1002, &[0, 1])]);
    history.take(1002, 1, None);
    history.process(1002, 2);
    for (offset, record) in outputs {
        write_result(&mut history, 1002, *offset, *record);
    }
    history.commit(1002, 1, 1, to);
    history
}

/// Without transactions nothing takes back the results of what is read again.
#[test]
fn a_pipeline_without_transactions_writes_results_again() {
    let apart = GroupSetup { outputs_apart: true, ..GroupSetup::default() };
    let judgement = finish(with_results(apart, &[(0, 100), (1, 101), (0, 102)], 2)).judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    assert_eq!(hazards(&judgement), ["result-again"]);
    assert!(judgement.permitted[0].because.contains("client 1002 read the input again"));
    let counts = &judgement.groups[GROUP];
    assert_eq!((counts.reflected, counts.reflected_again, counts.not_reflected), (1, 1, 0));
    // What lacks results is counted; whether results may be lost is what other checks say.
    let judgement = finish(with_results(apart, &[(0, 100)], 2)).judge();
    assert!(judgement.violations.is_empty(), "{:?}", judgement.violations);
    let counts = &judgement.groups[GROUP];
    assert_eq!((counts.reflected, counts.reflected_again, counts.not_reflected), (1, 0, 1));
    // With transactions it is a broken promise.
    let both = [(0, 100), (1, 101), (0, 102)];
    let judgement = finish(with_results(GroupSetup::default(), &both, 2)).judge();
    assert!(judgement.violations.iter().any(|it| it.check == "reflected-once"));
}

/// A committed offset that is lost, as its log permits, makes the pipeline begin again.
#[test]
fn a_pipeline_that_lost_its_offset_reflects_inputs_again() {
    let reflected = |is_lost: bool| {
        let mut history = with_results(GroupSetup::default(), &[(0, 100), (1, 101)], 2);
        if is_lost {
            history.lose_offsets(history.end(1, OFFSETS) - 1);
            history.watermark(1, &[], OFFSETS, 2);
        }
        history.generation(2, &[(1003, &[0, 1])]);
        history.take(1003, 2, Some(0));
        history.process(1003, 2);
        write_result(&mut history, 1003, 0, 102);
        write_result(&mut history, 1003, 1, 103);
        let judgement = history.judge();
        judgement.violations.into_iter().filter(|it| it.check == "reflected-once").count()
    };
    assert_eq!((reflected(true), reflected(false)), (0, 1));
}

/// What `auto.offset.reset=latest` moved a pipeline across has no results.
#[test]
fn a_pipeline_does_not_reflect_what_a_reset_skips() {
    let skipped = |resets_to_latest: bool| {
        let setup = GroupSetup { resets_to_latest, ..GroupSetup::default() };
        let mut history = with_results(setup, &[(0, 100), (1, 101)], 2);
        history.produce(&[2, 3]);
        history.write_offset(None, true);
        history.generation(2, &[(1003, &[0, 1])]);
        history.join(1003, 2, &[ORDERS]);
        history.ask_offset(1003, 1);
        history.show_offset(1003, 1, None);
        history.start_at(1003, 3, Positioning::Start);
        history.process(1003, 4);
        write_result(&mut history, 1003, 3, 103);
        history.commit(1003, 1, 2, 4);
        let judgement = finish(history).judge();
        assert_eq!(judgement.groups[GROUP].not_reflected, 1);
        judgement.violations.into_iter().filter(|it| it.check == "reflected-once").count()
    };
    assert_eq!((skipped(true), skipped(false)), (0, 1));
}
