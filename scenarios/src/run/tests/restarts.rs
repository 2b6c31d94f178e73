//! Verdicts about processes that restart with another log than they had reported.

use super::{run, with_faults};
use crate::plan::Fate;
use crate::result::Outcome;

fn passes(controllers: u16, faults: &str) {
    let mut resolved = with_faults(1, faults);
    resolved.scenario.clusters[0].controllers = controllers;
    let outcome = run(&resolved);
    assert!(outcome.plan.iter().all(|it| matches!(it.fate, Fate::Fired { .. })));
    assert_eq!(outcome.verdict.outcome, Outcome::Pass, "{:#?}", outcome.verdict.violations);
}

/// It is killed after it has written a record and before it has reported the append, and becomes
/// the leader in the step that loads the log. After another restart it has to have all records that
/// it had committed.
#[test]
fn the_only_controller_leads_with_a_record_that_it_had_not_reported() {
    passes(
        1,
        "[[faults]]\nkind = 'crash'\ntarget = 'controller'\nat = '1s'\n\
         at_disk_operation = 2\nlasts = '1s'\n\
         [[faults]]\nkind = 'crash'\ntarget = 'controller'\nat = '3s'\nlasts = '500ms'\n",
    );
}

/// A broker loses power, is started, and is killed before it has loaded its logs: the power loss,
/// not the kill, explains the missing records.
#[test]
fn a_broker_is_killed_between_a_power_loss_and_loading_its_logs() {
    passes(
        3,
        "[[faults]]\nkind = 'power-loss'\ntarget = 'broker 3'\nat = '1s'\nlasts = '1s'\n\
         [[faults]]\nkind = 'crash'\ntarget = 'broker 3'\nat = '1900ms'\n\
         at_disk_operation = 3\nlasts = '1s'\n",
    );
}
