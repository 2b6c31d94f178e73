//! Faults of disks and clocks in whole runs: what users would notice, as the summaries of the
//! catalogue's scenarios say. None of these tests passes when its fault does nothing.

use super::{resolved, with_faults};
use crate::plan::Fate;
use crate::result::{Outcome, Verdict};
use crate::run::{RunOutcome, run};
use serde_json::Value;
use spec::Resolved;

/// The verdict and the history of a run without lost records and broken promises.
fn traced(resolved: Resolved) -> (Verdict, Vec<Value>) {
    let RunOutcome { verdict, account, .. } = run(&Resolved { trace: true, ..resolved });
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert_eq!(verdict.counts.lost, 0, "{verdict:#?}");
    let lines = account.history.lines();
    let history = lines.map(|line| serde_json::from_str(&line).expect("lines are JSON")).collect();
    (verdict, history)
}

/// The times in seconds of the history's lines of a type, for a partition.
fn moments(history: &[Value], kind: &str, partition: &str) -> Vec<f64> {
    let is_it = |line: &&Value| line["type"] == kind && line["partition"] == partition;
    let at = |line: &Value| line["t_ns"].as_i64().expect("it has a time") as f64 / 1e9;
    history.iter().filter(is_it).map(at).collect()
}

/// The longest time in seconds between two of these moments.
fn longest_silence(moments: &[f64]) -> f64 {
    moments.windows(2).map(|pair| pair[1] - pair[0]).fold(0.0, f64::max)
}

fn count(verdict: &Verdict, name: &str) -> u64 {
    verdict.exercised.get(name).copied().unwrap_or(0)
}

fn hazards(verdict: &Verdict) -> Vec<(&str, u64)> {
    verdict.permitted.iter().map(|it| (it.hazard.as_str(), it.count)).collect()
}

/// Produce and fetch stop for as long as the disk hangs, and no heartbeat is missed.
#[test]
fn heartbeats_go_on_while_a_disk_hangs() {
    let mut hung = with_faults(
        5,
        "[[faults]]\nkind = 'hung-disk'\ntarget = 'leader(orders-0)'\nat = '300ms'\n\
         lasts = '4s'\n",
    );
    // So that every partition is written to all the time, also before the fault: the first request
    // for a producer id finds no block of ids and is repeated after 100 ms.
    for producers in &mut hung.scenario.producers {
        producers.keys = 40;
        producers.records = 1_500;
    }
    let mut calm = hung.clone();
    calm.scenario.faults.clear();
    let (verdict, history) = traced(hung);
    assert_eq!(count(&verdict, "broker_fenced"), 0, "a session lasts a second");
    assert_eq!(count(&verdict, "election_clean"), 0);
    for kind in ["confirmed", "delivered"] {
        let silence = longest_silence(&moments(&history, kind, "orders-0"));
        assert!((3.5..6.0).contains(&silence), "{kind}: {silence} s");
    }
    let silence = verdict.writes.and_then(|writes| writes.silence).expect("there is one");
    assert!(silence.lasted_ns > 3_500_000_000, "{silence:?}");
    let (verdict, history) = traced(calm);
    assert!(longest_silence(&moments(&history, "confirmed", "orders-0")) < 1.0, "{verdict:#?}");
}

#[test]
fn a_slow_follower_leaves_the_isr_and_comes_back() {
    let (verdict, _) = traced(resolved("slow-disk", 42));
    assert!(count(&verdict, "disk_operation_slowed") > 0);
    assert!(count(&verdict, "isr_shrink") > 0 && count(&verdict, "isr_expand") > 0);
    assert_eq!(count(&verdict, "broker_fenced"), 0);
}

#[test]
fn a_full_disk_costs_a_directory_and_the_last_one_the_broker() {
    let (verdict, history) = traced(resolved("full-disk", 42));
    assert_eq!(hazards(&verdict)[0], ("full-disk", 1), "one broker stops");
    assert!(verdict.errors.retried.contains_key("KAFKA_STORAGE_ERROR"), "{:?}", verdict.errors);
    // Broker 1 followed orders-2 in the directory: its leader waits for it for
    // replica.lag.time.max.ms (`Partition.maybeIncrementLeaderHW`,
    // `shouldWaitForReplicaToJoinIsr`).
    let silence = longest_silence(&moments(&history, "confirmed", "orders-2"));
    assert!((1.9..6.0).contains(&silence), "{silence} s");
}

#[test]
fn a_write_an_fsync_and_reads_that_fail_cost_a_directory_each() {
    let (verdict, _) = traced(resolved("disk-error", 42));
    assert_eq!(hazards(&verdict)[0], ("failed-disk", 1), "one broker stops");
    assert!(verdict.errors.retried.contains_key("KAFKA_STORAGE_ERROR"), "{:?}", verdict.errors);
    assert!(count(&verdict, "disk_operation_failed") >= 3);
}

/// A controller without its disk stops, as Kafka's does after an exception in the Raft IO thread,
/// and restarts as a voter without any state.
#[test]
fn a_lost_disk_stops_a_broker_and_a_controller() {
    let lost = resolved("lost-disk", 42);
    let (verdict, _) = traced(lost.clone());
    let record = crate::result::RunRecord::new(&lost, "lost-disk", &[], Vec::new(), &verdict);
    let explained = crate::result::explain(&verdict, &record);
    assert!(explained.contains("- **failed-disk**: 2 times: a process stopped"), "{explained}");
    assert_eq!(count(&verdict, "disk_lost"), 2);
    assert_eq!(hazards(&verdict)[0], ("failed-disk", 2), "{:#?}", verdict.permitted);
    let stopped = &verdict.permitted[0].because;
    assert!(stopped.contains("all log directories have failed"), "{stopped}");
    assert!(count(&verdict, "controller_failover") > 0);
}

/// A partition with N replicas survives N-1 lost disks, and a quorum of 2f+1 voters f of them. A
/// loss because of more lost disks is permitted.
#[test]
fn losses_by_more_lost_disks_than_replication_survives_are_permitted() {
    let lose = |target: &str| {
        format!("[[faults]]\nkind = 'lost-disk'\ntarget = '{target}'\nat = '1s'\nlasts = '2s'\n")
    };
    for seed in 0..3 {
        let verdict = |target: &str, alone: bool| {
            let mut resolved = with_faults(seed, &lose(target));
            if alone {
                resolved.scenario.clusters[0].topic.set("min.insync.replicas", "1").unwrap();
                resolved.scenario.topics[0].replication_factor = 1;
            }
            let verdict = run(&resolved).verdict;
            assert_eq!(verdict.outcome, Outcome::Pass, "{target}, seed {seed}: {verdict:#?}");
            verdict
        };
        let hazard = |verdict: &Verdict, name: &str| {
            hazards(verdict).iter().any(|(hazard, _)| *hazard == name)
        };
        let all = verdict("all brokers", false);
        assert!(all.counts.lost > 0 && hazard(&all, "lost-disk"), "seed {seed}: {all:#?}");
        let alone = verdict("leader(orders-0)", true);
        assert!(alone.counts.lost > 0 && hazard(&alone, "lost-disk"), "seed {seed}: {alone:#?}");
        let quorum = verdict("all controllers", false);
        assert!(hazard(&quorum, "lost-voter"), "seed {seed}: {quorum:#?}");
    }
}

/// Found by the scenario `lost-disk`: a process that had decided on records and could not write
/// them failed an assertion before it stopped.
#[test]
fn a_controller_may_stop_during_a_decision() {
    let lost = "[[faults]]\nkind = 'lost-disk'\ntarget = 'controller'\nat = '100ms'\nlasts = '2s'\n\
                [[faults]]\nkind = 'crash'\ntarget = 'broker 1'\nat = '120ms'\nlasts = '2s'\n";
    for seed in 0..8 {
        let (verdict, _) = traced(with_faults(seed, lost));
        assert!(count(&verdict, "controller_failover") > 0, "seed {seed}");
    }
}

/// A corrupted sector is named with its file.
#[test]
fn a_fault_that_corrupts_a_sector_names_its_file() {
    let plan = run(&resolved("corrupted-segment", 42)).plan;
    let Fate::Fired { injected, .. } = &plan[0].fate else { panic!("{plan:#?}") };
    let [what] = &injected[..] else { panic!("{injected:?}") };
    assert!(what.contains(" (the sector at byte "), "{what}");
    assert!(what.ends_with(" of orders-0/00000000000000000000.log)"), "{what}");
}

#[test]
fn a_late_consumer_stops_at_a_corrupt_sector() {
    let (verdict, history) = traced(resolved("corrupted-segment", 42));
    assert_eq!(count(&verdict, "sector_corrupted"), 1);
    let threw: Vec<_> = history.iter().filter(|line| line["type"] == "threw").collect();
    assert!(!threw.is_empty() && threw.iter().all(|it| it["exception"] == "KafkaException"));
    // It gets no records from the corrupt bytes up to its seek.
    let reads = verdict.reads.expect("consumers were given records");
    assert_eq!((reads.consumer.as_str(), reads.partition.as_str()), ("1004", "orders-0"));
    assert!(reads.longest_us > 3_000_000 && reads.median_us < 1_000_000, "{reads:?}");
    let late = |line: &&Value| line["type"] == "delivered" && line["client"] == "1004";
    let read: Vec<(i64, i64)> = history
        .iter()
        .filter(late)
        .map(|line| (line["t_ns"].as_i64().unwrap(), line["to"].as_i64().unwrap()))
        .collect();
    let stuck = read.windows(2).map(|pair| pair[1].0 - pair[0].0).max().unwrap();
    assert!(stuck > 3_000_000_000, "it waits for its seek: {stuck} ns");
    assert_eq!(read.last().map(|(_, to)| *to), Some(4_000), "it reads all in the end");
}

/// Seed 97931 of swarm: the reader that reads everything back stopped at the corrupt sector of a
/// leader that was replaced soon after. An application catches the exception and tries again.
#[test]
fn a_batch_that_is_corrupt_on_one_leader_is_read_back_from_the_next() {
    let faults = "[[faults]]\nkind = 'restart'\ntarget = 'leader(orders-0)'\nat = '100ms'\n\
                  [[faults]]\nkind = 'corrupt-disk'\ntarget = 'leader(orders-0)'\nfile = '.log'\n\
                  closed = true\nat = '4s'\n";
    let mut corrupted = resolved("corrupted-segment", 42);
    corrupted.scenario.faults = with_faults(42, faults).scenario.faults;
    corrupted.scenario.must_reach.clear();
    corrupted.scenario.consumers.clear();
    // The preferred leader is elected long after the reader has begun.
    let set = ["leader.imbalance.check.interval.seconds=30".to_owned()];
    corrupted.scenario.set_all(&set).unwrap_or_else(|error| panic!("{error}"));
    let (verdict, history) = traced(corrupted);
    assert_eq!(count(&verdict, "election_preferred"), 1);
    let (threw, read) = ("threw", "read_back");
    assert!(moments(&history, threw, "orders-0").len() > 1, "it tries again");
    assert_eq!(moments(&history, read, "orders-0").len(), 1, "{verdict:#?}");
}

/// The clock of a leader that is set back refuses records as too far in the future.
#[test]
fn a_clock_that_is_set_back_refuses_records() {
    let (verdict, _) = traced(resolved("clock-skew", 42));
    assert!(count(&verdict, "clock_jump_seen") > 0);
    assert!(verdict.errors.failed["INVALID_TIMESTAMP"] > 0, "{:?}", verdict.errors);
    assert_eq!(count(&verdict, "broker_fenced"), 0, "time-outs do not depend on it");
}

/// A log directory that failed stays offline until its broker is restarted, and the cluster is
/// not whole until then.
#[test]
fn the_replicas_of_a_failed_directory_are_missing_until_the_restart() {
    let failed = |restart: &str| {
        let mut resolved = with_faults(
            7,
            &format!(
                "[[faults]]\nkind = 'disk-error'\ntarget = 'broker 1'\ndirectory = 'd1'\n\
                 on = 'append'\ntimes = 1\nat = '100ms'\nlasts = '100ms'\n{restart}"
            ),
        );
        let set = ["log.dirs=d1,d2".to_owned()];
        resolved.scenario.set_all(&set).unwrap_or_else(|error| panic!("{error}"));
        run(&resolved).verdict
    };
    let verdict = failed("[[faults]]\nkind = 'restart'\ntarget = 'broker 1'\nat = '2s'\n");
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    assert!(!hazards(&verdict).iter().any(|(hazard, _)| *hazard == "failed-disk"));
    let verdict = failed("");
    assert_eq!(verdict.outcome, Outcome::Pass, "{verdict:#?}");
    let permitted = verdict.permitted.iter().find(|it| it.hazard == "failed-disk");
    let because = &permitted.expect("replicas are missing").because;
    assert!(because.contains("offline until its broker is restarted"), "{because}");
}
