//! Verdicts about processes that return with another log than they had reported.

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

/// It is killed after it has written a record and before it has reported that, and leads in the step
/// that loads the log. When it is back once more, it has to have all that it had committed.
#[test]
fn the_only_controller_leads_with_a_record_that_it_had_not_reported() {
    passes(
        1,
        "[[faults]]\nkind = 'crash'\ntarget = 'controller'\nat = '1s'\n\
         at_disk_operation = 2\nlasts = '1s'\n\
         [[faults]]\nkind = 'crash'\ntarget = 'controller'\nat = '3s'\nlasts = '500ms'\n",
    );
}

/// It loses its power, is started, and dies before it has loaded its logs: what they lack went with
/// the power, not with the process.
#[test]
fn a_broker_dies_between_a_loss_of_power_and_its_logs() {
    passes(
        3,
        "[[faults]]\nkind = 'power-loss'\ntarget = 'broker 3'\nat = '1s'\nlasts = '1s'\n\
         [[faults]]\nkind = 'crash'\ntarget = 'broker 3'\nat = '1900ms'\n\
         at_disk_operation = 3\nlasts = '1s'\n",
    );
}
