use super::*;
use crate::catalog;
use crate::plan::PlannedFault;
use crate::result::Outcome;
use crate::run::run;
use spec::FaultKind;

fn study() -> (Study, Scenario) {
    let (mut scenario, _) = catalog::scenario(SCENARIO).unwrap_or_else(|e| panic!("{e}"));
    scenario.set_all(&["records=600".to_owned()]).unwrap_or_else(|e| panic!("{e}"));
    let settings = ACKS.map(|under| under.settings(&[]));
    let study = Study::new(&scenario, &settings).unwrap_or_else(|e| panic!("{e}"));
    (study, scenario)
}

#[test]
fn paired_runs_meet_the_same_faults_and_can_be_made_alone() {
    let (study, scenario) = study();
    for seed in 0..4 {
        let runs = study.runs(seed, &[]).expect("no panic");
        assert_eq!(runs.len(), ACKS.len());
        for (under, observed) in ACKS.iter().zip(&runs) {
            let mut scenario = scenario.clone();
            scenario.set_all(&under.settings(&[])).unwrap_or_else(|e| panic!("{e}"));
            let resolved = Resolved { scenario, seed, bugs: Vec::new(), trace: false };
            let alone = run(&resolved);
            assert_eq!(observed.verdict.digest, alone.verdict.digest, "{under:?}");
            assert_eq!(observed.verdict.counts, alone.verdict.counts);
            assert_ne!(alone.verdict.outcome, Outcome::Violation, "{:?}", alone.verdict);
        }
    }
}

/// Only a variant that equals the reference reuses its run, even if no variant takes its faults
/// from another scenario.
#[test]
fn variants_of_a_scenario_without_pairs_are_runs_of_their_own() {
    let (mut scenario, _) = catalog::scenario("no-faults").unwrap_or_else(|e| panic!("{e}"));
    scenario.set_all(&["records=40".to_owned()]).unwrap_or_else(|e| panic!("{e}"));
    let settings = ["acks=1", "acks=all"].map(|setting| vec![setting.to_owned()]);
    let study = Study::new(&scenario, &settings).unwrap_or_else(|e| panic!("{e}"));
    let runs = study.runs(3, &[]).unwrap_or_else(|e| panic!("{e:?}"));
    for (settings, observed) in settings.iter().zip(&runs) {
        let mut scenario = scenario.clone();
        scenario.set_all(settings).unwrap_or_else(|e| panic!("{e}"));
        let alone = run(&Resolved { scenario, seed: 3, bugs: Vec::new(), trace: false });
        assert_eq!(observed.verdict.digest, alone.verdict.digest, "{settings:?}");
    }
}

#[test]
fn injected_faults_repeat_the_run() {
    let (study, _) = study();
    for seed in 0..4 {
        let resolved =
            Resolved { scenario: study.reference.clone(), seed, bugs: Vec::new(), trace: false };
        let first = make(&resolved, Faults::Own);
        let second = make(&resolved, Faults::Of(&first.struck));
        assert_eq!(first.struck, second.struck);
        // A partition between two groups is written as several faults, so the trace differs.
        assert_eq!(first.verdict.counts, second.verdict.counts, "seed {seed}");
        assert_eq!(first.verdict.simulated_ns, second.verdict.simulated_ns, "seed {seed}");
    }
}

/// A crash at the n-th disk operation becomes a crash at the time of that operation in the paired
/// runs, because under another setting the n-th operation is another one.
#[test]
fn a_crash_at_a_disk_operation_strikes_all_settings_at_the_same_moment() {
    let (study, _) = study();
    let resolved = |scenario: &Scenario, seed| Resolved {
        scenario: scenario.clone(),
        seed,
        bugs: Vec::new(),
        trace: false,
    };
    let mut at_operations = 0;
    for seed in 0..256 {
        if at_operations > 3 {
            return;
        }
        let reference = make(&resolved(&study.reference, seed), Faults::Own);
        let crashes = |outcome: &RunOutcome, at_operation: bool| -> u64 {
            let of = |planned: &&PlannedFault| {
                let wanted = matches!(
                    &planned.fault.kind,
                    FaultKind::World(sim::Fault::Crash(sim::Crash { at_disk_operation, .. }))
                        if at_disk_operation.is_some() == at_operation
                );
                wanted && planned.fate.took_effect()
            };
            outcome.plan.iter().filter(of).count() as u64
        };
        at_operations += crashes(&reference, true);
        let all = crashes(&reference, true) + crashes(&reference, false);
        for struck in &reference.struck {
            assert!(!matches!(
                struck.kind,
                FaultKind::World(sim::Fault::Crash(sim::Crash { at_disk_operation: Some(_), .. }))
            ));
        }
        for variant in [&study.variants[0], &study.variants[2]] {
            let met = make(&resolved(variant, seed), Faults::Of(&reference.struck));
            assert_eq!(crashes(&met, true), 0, "seed {seed}");
            assert!(crashes(&met, false) >= all, "seed {seed}: {:#?}", met.plan);
        }
    }
    panic!("only {at_operations} crashes at disk operations in 256 seeds");
}

#[test]
fn losses_add_up_to_the_counts_of_the_verdict() {
    let (study, _) = study();
    for observed in (0..12).flat_map(|seed| study.runs(seed, &[]).expect("no panic")) {
        let counted: u64 = observed.lost.iter().map(|lost| lost.count).sum();
        let expected = observed.verdict.counts.lost + observed.verdict.unconfirmed_lost();
        assert_eq!(counted, expected, "{:?}", observed.verdict);
        let confirmed = observed.verdict.counts.acked + observed.verdict.counts.unconfirmed;
        assert_eq!(observed.measured.latencies_us.len() as u64, confirmed);
    }
}
