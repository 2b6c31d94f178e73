#![allow(clippy::disallowed_types, reason = "two callbacks of one merge write to one journal")]
use super::*;
use crate::catalog;
use crate::fuzz::{Failure, Hazard, SeedRange, Shard, Target, Waited, Writer};
use crate::result::{Errors, Outcome, Writes};
use judge::outcome::{Counts, GroupCounts, Share, Transactions};
use machine::{Chain, unsealed};
use std::cell::RefCell;

mod worst;

fn plan() -> Plan {
    let target = |name: &str| {
        let (scenario, _) = catalog::scenario(name).unwrap_or_else(|error| panic!("{error}"));
        Target { source: name.to_owned(), scenario }
    };
    let targets = vec![target("swarm"), target("no-faults")];
    Plan::new(targets, Vec::new(), vec!["canary".to_owned()])
}

/// A possible result of a run; every seventh seed fails.
fn record(target: usize, seed: u64) -> SeedRecord {
    let committed = Share { transactions: 3, records: seed };
    let fails = seed % 7 == 3 && target == 0;
    let failure = Failure {
        check: "acknowledged".to_owned(),
        signature: format!("acknowledged:gone:{}", seed % 2),
        summary: format!("a record of seed {seed} is gone"),
    };
    let hazard = Some(Hazard {
        name: "retry-duplicate".to_owned(),
        records: seed,
        because: "producers are not idempotent".to_owned(),
    });
    SeedRecord {
        target,
        seed,
        outcome: if fails { Outcome::Violation } else { Outcome::Pass },
        digest: format!("{seed:016x}"),
        events: 1_000 + seed,
        simulated_ns: seed,
        counts: Counts { acked: 10, lost: u64::from(fails), ..Counts::default() },
        transactions: Transactions { committed, ..Transactions::default() },
        groups: GroupCounts { rebalances: seed, ..GroupCounts::default() },
        sum_held: Some(!fails),
        unconfirmed_lost: 0,
        errors: Errors { failed: [(format!("E_{}", seed % 3), 2)].into(), ..Errors::default() },
        waited: Waited::of(Some(Writes { longest_us: 10 * seed, ..Writes::default() }), None),
        hazards: hazard.into_iter().filter(|_| seed.is_multiple_of(5)).collect(),
        wall_us: 4_000,
        at_ms: 2 * seed,
        exercised: vec!["crash".to_owned(), format!("drop-{}", seed % 3)],
        missing: Vec::new(),
        reached: vec![fails],
        failure: fails.then_some(failure),
    }
}

fn journal(seeds: std::ops::Range<u64>, shard: &str, runs: usize, stop: Option<Stop>) -> String {
    let seeds = SeedRange { start: seeds.start, end: seeds.end };
    let part = Part { seeds, shard: Shard::parse(shard).unwrap() };
    let mut writer = Writer::default();
    let mut text = writer.header(&Header::new(plan(), vec![part]));
    let all: Vec<_> = (0..).map_while(|nth| part.run(nth, 2)).take(runs).collect();
    // Runs end in any order, as on several threads.
    for (target, seed) in all.iter().rev() {
        text.push_str(&writer.run(&record(*target, *seed)));
    }
    if let Some(stop) = stop {
        text.push_str(&writer.end(End { runs: all.len() as u64, wall_ms: 40, stops: vec![stop] }));
    }
    text
}

/// A journal that was edited and then sealed again, as is possible for anyone who knows the format.
fn resealed(text: &str) -> String {
    let mut chain = Chain::default();
    let mut sealed = |line| match unsealed(line) {
        Some(object) => chain.seal(&object),
        None => format!("{line}\n"),
    };
    text.lines().map(&mut sealed).collect()
}

fn joined(journals: &[&str]) -> Result<Merged, Refusal> {
    let named = journals.iter().enumerate();
    let named = named.map(|(i, text)| (format!("part-{i}"), text.as_bytes())).collect();
    merge(named, 1, |_| Ok(()), |_| Ok(()))
}

fn without_times(mut report: FuzzReport) -> FuzzReport {
    report.wall_s = 0.0;
    report.runs_per_s = 0.0;
    report
}

fn refusal(journals: &[&str]) -> String {
    joined(journals).expect_err("they do not fit together").to_string()
}

#[test]
fn three_parts_have_the_result_of_the_whole() {
    let whole = joined(&[&journal(0..100, "1/1", 999, Some(Stop::Complete))]).unwrap();
    let part = |shard| journal(0..100, shard, 999, Some(Stop::Complete));
    let parts = joined(&[&part("3/3"), &part("1/3"), &part("2/3")]).unwrap();
    assert_eq!(parts.report.ran.ran, 200);
    assert_eq!(parts.report.ran.violations, 14);
    assert_eq!(parts.report.bugs[0].caught, 14);
    let smallest: Vec<_> = parts.report.signatures.iter().map(|it| it.smallest_seed).collect();
    assert_eq!(smallest, [10, 3]);
    assert!(parts.notes.is_empty(), "{:?}", parts.notes);
    let text = serde_json::to_string(&parts.report).unwrap();
    assert_eq!(serde_json::from_str::<FuzzReport>(&text).unwrap(), parts.report);
    assert_eq!(without_times(parts.report), without_times(whole.report));
}

#[test]
fn touching_ranges_are_joined() {
    let range = |seeds| journal(seeds, "1/1", 999, Some(Stop::Complete));
    let joined = joined(&[&range(50..100), &range(0..50)]).unwrap();
    assert_eq!((joined.report.seeds.as_str(), joined.report.stopped), ("0..100", Stop::Complete));
}

#[test]
fn parts_that_are_missing_are_missing_however_the_ranges_were_divided() {
    let part = |seeds, shard| journal(seeds, shard, 999, Some(Stop::Complete));
    for (journals, seeds, ran, planned) in [
        // The other half of the first range.
        (vec![part(0..10, "1/2"), part(10..20, "1/1")], "0..20", 30, 40),
        // A quarter other than those that make up the other half.
        (vec![part(0..10, "1/2"), part(0..10, "2/4")], "0..10", 16, 20),
        (vec![part(0..10, "1/2"), part(0..10, "2/4"), part(0..10, "4/4")], "0..10", 20, 20),
        (vec![part(0..10, "1/2"), part(30..40, "1/1")], "0..10,30..40", 30, 40),
        // Ranges that overlap although no seed is in two parts.
        (vec![part(0..10, "1/2"), part(9..14, "1/1")], "0..14", 20, 28),
    ] {
        let named: Vec<&str> = journals.iter().map(String::as_str).collect();
        let report = joined(&named).unwrap().report;
        assert_eq!((report.seeds.as_str(), report.shard.as_deref()), (seeds, None));
        assert_eq!((report.ran.ran, report.planned), (ran, planned), "{seeds}");
        let stopped = if ran == planned { Stop::Complete } else { Stop::Incomplete };
        assert_eq!(report.stopped, stopped, "{seeds}");
    }
    let absent = joined(&[&part(0..10, "1/2"), &part(11..17, "1/1")]).unwrap();
    assert_eq!(absent.report.outcome, Outcome::Unknown, "nothing fails in what is there");
    let overlap = refusal(&[&part(0..10, "1/2"), &part(8..12, "1/1")]);
    assert!(overlap.contains("overlap"), "{overlap}");
}

#[test]
fn merged_journals_can_be_merged() {
    let part = |shard| journal(0..100, shard, 999, Some(Stop::Complete));
    let (first, second, third) = (part("1/3"), part("2/3"), part("3/3"));
    let two = joined(&[&first, &second]).unwrap();
    assert_eq!((two.report.stopped, two.report.outcome), (Stop::Incomplete, Outcome::Violation));
    let all = joined(&[&journal_of(&[&first, &second]), &third]).unwrap();
    assert_eq!(all.report.stopped, Stop::Complete);
    let whole = joined(&[&first, &second, &third]).unwrap();
    assert_eq!(without_times(all.report), without_times(whole.report));
}

#[test]
fn the_reasons_why_parts_ended_do_not_depend_on_the_order_of_merging() {
    // Parts of 34, 33 and 33 seeds of two scenarios; 66 runs are the whole second part.
    for (runs, stops, expected) in [
        ([10, 20, 30], [Stop::Time; 3], Stop::Time),
        ([10, 66, 30], [Stop::Time, Stop::Complete, Stop::FailFast], Stop::FailFast),
        ([10, 66, 30], [Stop::Time, Stop::Interrupted, Stop::Time], Stop::Time),
        ([10, 20, 30], [Stop::Time, Stop::Time, Stop::Interrupted], Stop::Incomplete),
    ] {
        let part = |i: usize| {
            let shard = format!("{}/3", i + 1);
            journal(0..100, &shard, runs[i], Some(stops[i]))
        };
        let (a, b, c) = (part(0), part(1), part(2));
        let flat = joined(&[&a, &b, &c]).unwrap().report;
        assert_eq!(flat.stopped, expected, "{stops:?}");
        for nested in [
            [&journal_of(&[&a, &b]), &c],
            [&a, &journal_of(&[&c, &b])],
            [&journal_of(&[&a, &c]), &b],
        ] {
            let nested = joined(&nested.map(String::as_str)).unwrap().report;
            assert_eq!(without_times(nested), without_times(flat.clone()), "{stops:?}");
        }
    }
}

#[test]
fn the_duration_of_a_killed_part_ends_with_its_last_run() {
    // On several threads the durations of the runs add up to more than elapsed time.
    let killed = journal(0..100, "1/1", 120, None);
    let report = joined(&[&killed]).unwrap().report;
    assert_eq!((report.wall_s, report.scenarios[0].wall_s), (0.118, 0.24));
    let ended = joined(&[&killed, &journal(100..110, "1/1", 99, Some(Stop::Complete))]).unwrap();
    assert_eq!(ended.report.wall_s, 0.158);
}

/// The journal of the merged parts.
fn journal_of(journals: &[&str]) -> String {
    let named = journals.iter().enumerate();
    let named = named.map(|(i, text)| (format!("part-{i}"), text.as_bytes())).collect();
    let written = RefCell::new((String::new(), Writer::default()));
    let header = |header: &Header| {
        let (text, writer) = &mut *written.borrow_mut();
        text.push_str(&writer.header(header));
        Ok(())
    };
    let each = |record: &SeedRecord| {
        let (text, writer) = &mut *written.borrow_mut();
        text.push_str(&writer.run(record));
        Ok(())
    };
    let end = merge(named, 1, header, each).unwrap().end;
    let (text, mut writer) = written.into_inner();
    text + &writer.end(end)
}

#[test]
fn a_run_that_differs_when_made_again_counts_once() {
    let mut report = joined(&[&journal(0..100, "1/1", 999, Some(Stop::Complete))]).unwrap().report;
    report.differs(0, 0);
    report.differs(0, 0);
    for ran in [report.ran, report.scenarios[0].ran] {
        assert_eq!((ran.violations, ran.nondeterministic), (13, 1), "of 14");
    }
    assert_eq!(report.scenarios[1].ran.nondeterministic, 0);
    let outcomes = [report.outcome, report.scenarios[0].outcome, report.signatures[0].outcome];
    assert_eq!(outcomes, [Outcome::Nondeterministic; 3]);
    assert_eq!(report.scenarios[1].outcome, Outcome::Pass);
}

#[test]
fn a_torn_last_line_costs_that_run_only() {
    let text = journal(0..100, "1/1", 120, None);
    let torn = &text[..text.len() - 9];
    let joined = joined(&[torn]).unwrap();
    assert_eq!(joined.report.ran.ran, 119);
    assert_eq!(joined.report.stopped, Stop::Incomplete);
    assert!(joined.notes[0].contains("torn"), "{:?}", joined.notes);
    assert!(joined.notes[1].contains("81 of 200 runs"), "{:?}", joined.notes);
}

#[test]
fn missing_seeds_are_not_a_pass_unless_the_time_limit_was_reached() {
    let killed = joined(&[&journal(0..3, "1/1", 5, None)]).unwrap();
    assert_eq!(killed.report.outcome, Outcome::Unknown);
    let timed = joined(&[&journal(0..3, "1/1", 5, Some(Stop::Time))]).unwrap();
    assert_eq!((timed.report.outcome, timed.report.stopped), (Outcome::Pass, Stop::Time));
    let absent = joined(&[&journal(0..3, "1/2", 9, Some(Stop::Time))]).unwrap();
    assert_eq!(absent.report.outcome, Outcome::Unknown);
}

#[test]
fn parts_that_do_not_fit_together_are_refused() {
    let good = journal(0..10, "1/2", 99, Some(Stop::Complete));
    let overlap = refusal(&[&good, &good]);
    assert!(overlap.contains("overlap: 1/2 of 0..10 in "), "{overlap}");
    assert!(overlap.contains(" and 1/2 of 0..10 in "), "{overlap}");
    let other = journal(5..20, "1/1", 99, Some(Stop::Complete));
    assert!(refusal(&[&good, &other]).contains("overlap"));
    let second = journal(0..10, "2/2", 99, Some(Stop::Complete));
    let version = format!("\"faultline\":\"{}\"", env!("CARGO_PKG_VERSION"));
    let older = resealed(&second.replace(&version, "\"faultline\":\"0.0.1\""));
    assert!(refusal(&[&good, &older]).contains("different versions"));
    assert!(refusal(&[&older]).contains("made by version 0.0.1"));
    let bugs = resealed(&second.replace("[\"canary\"]", "[]"));
    assert!(refusal(&[&good, &bugs]).contains("different bugs"));
    assert!(refusal(&[]).contains("nothing"));
}

#[test]
fn damage_is_named_with_its_line() {
    let good = journal(0..10, "1/1", 99, Some(Stop::Complete));
    let lines: Vec<String> = good.lines().map(str::to_owned).collect();
    let with = |change: &dyn Fn(&mut Vec<String>)| {
        let mut lines = lines.clone();
        change(&mut lines);
        refusal(&[&resealed(&(lines.join("\n") + "\n"))])
    };
    let at = |i: usize, text: &str| with(&|lines: &mut Vec<String>| text.clone_into(&mut lines[i]));
    assert!(at(4, "{\"run\":").contains("part-0: line 5: the journal was changed"));
    assert!(at(4, &lines[1].replace("{\"", "{\"no-")).contains("part-0: line 5: not a line"));
    let run = lines.iter().position(|line| line.contains("{\"run\"")).expect("one") + 8;
    assert!(lines[run].contains("{\"run\"") && lines[run + 1].contains("{\"run\""));
    assert!(with(&|lines| drop(lines.remove(run))).contains("it holds 19 runs, not 20"));
    assert!(with(&|lines| lines.push(lines[run].clone())).contains("something follows the end"));
    assert!(at(0, "hello").contains("line 1: not the journal"));
    assert!(refusal(&[""]).contains("no header"));
    let elsewhere = journal(0..90, "1/1", 999, None);
    let its = elsewhere.lines().find(|line| line.contains("\"seed\":89,")).expect("it has 89");
    assert!(at(run, its).contains("does not belong to this part"));
    assert!(at(run + 1, &lines[run]).contains("in two parts"));
}

#[test]
fn a_header_that_no_run_can_have_is_damage() {
    let good = journal(0..10, "1/2", 99, Some(Stop::Complete));
    let with = |from: &str, to: &str| {
        let text = good.replacen(from, to, 1);
        assert_ne!(text, good, "{from} is in it");
        refusal(&[&resealed(&text)])
    };
    let shard = r#""shard":{"index":1,"of":2}"#;
    let of =
        |index: u64, of: u64| with(shard, &format!(r#""shard":{{"index":{index},"of":{of}}}"#));
    assert!(of(1, 0).contains("part-0: line 1: there is no part 1 of 0"));
    assert!(of(0, 2).contains("part-0: line 1: there is no part 0 of 2"));
    assert!(of(3, 2).contains("part-0: line 1: there is no part 3 of 2"));
    assert!(of(11, u64::MAX).contains("part-0: line 1: there is no seed in part 11/"));
    let seeds = r#""seeds":{"start":0,"end":10}"#;
    for (start, end) in [(u64::MAX, u64::MAX), (u64::MAX, 0), (10, 3)] {
        let shown = with(seeds, &format!(r#""seeds":{{"start":{start},"end":{end}}}"#));
        assert!(shown.contains("line 1: there is no seed in part 1/2 of"), "{shown}");
    }
    let far = format!(r#""seeds":{{"start":{},"end":{}}}"#, u64::MAX - 3, u64::MAX);
    assert!(with(seeds, &far).contains("a run that does not belong to this part"));
    let part = format!("{{{seeds},{shard}}}");
    assert!(with(&part, "").contains("line 1: it has no runs"));
    assert!(with(&part, &format!("{part},{part}")).contains("line 1: parts overlap: 1/2 of 0..10"));
    assert!(with("\"canary\"", "\"canari\"").contains("line 1: there is no bug `canari`"));
}

#[test]
fn sums_over_a_journal_do_not_overflow() {
    let good = journal(0..10, "1/1", 99, None);
    let most = format!("\"simulated_ns\":{0},\"wall_us\":{0},\"at_ms\":{0}", u64::MAX);
    let mut text = good.replace("\"events\":100", &format!("\"events\":{}", u64::MAX / 100));
    for seed in 0..10 {
        let times = format!("\"simulated_ns\":{seed},\"wall_us\":4000,\"at_ms\":{}", 2 * seed);
        text = text.replace(&times, &most);
    }
    let report = joined(&[&resealed(&text)]).unwrap().report;
    assert_eq!((report.ran.events, report.ran.simulated_ns), (u64::MAX, u64::MAX));
}

/// A journal with any changed bit is refused.
#[test]
fn every_flipped_bit_is_noticed() {
    let good = journal(0..2, "1/1", 99, Some(Stop::Complete)).into_bytes();
    // A few bits of the long header, and all bits of the other lines.
    let header = good.iter().position(|byte| *byte == b'\n').unwrap_or(0);
    let bits = (0..good.len() * 8).filter(|bit| bit / 8 >= header || bit % 997 == 0);
    for bit in bits {
        let mut flipped = good.clone();
        flipped[bit / 8] ^= 1 << (bit % 8);
        let merged = merge(vec![("it".to_owned(), &flipped[..])], 1, |_| Ok(()), |_| Ok(()));
        assert!(merged.is_err(), "bit {} of byte {}", bit % 8, bit / 8);
    }
}

/// A violation edited into a pass, and a digest with another digit.
#[test]
fn an_edited_run_is_refused_at_its_line() {
    let good = journal(0..10, "1/1", 99, Some(Stop::Complete));
    for (from, to) in [("\"violation\"", "\"pass\""), ("0000000000000003", "0000000000000013")] {
        let line = good.lines().position(|line| line.contains(from)).expect("one has it") + 1;
        let shown = refusal(&[&good.replacen(from, to, 1)]);
        let refused = format!("part-0: line {line}: the journal was changed");
        assert!(shown.contains(&refused), "{shown}");
    }
    let resealed = resealed(&good.replacen("\"violation\"", "\"pass\"", 1));
    assert!(refusal(&[&resealed]).contains("contradict each other"));
}

/// Journals come from artefacts of CI: they are checked as scenario files are.
#[test]
fn the_scenarios_of_a_header_are_checked_as_files_are() {
    let good = journal(0..10, "1/1", 99, Some(Stop::Complete));
    for (from, to, expected) in [
        (r#""name":"swarm""#, r#""name":"../../evil""#, "`../../evil` is not a name"),
        (r#""brokers":3"#, r#""brokers":0"#, "is not possible: "),
    ] {
        assert!(good.contains(from), "{from}");
        let shown = refusal(&[&resealed(&good.replacen(from, to, 1))]);
        assert!(shown.contains("line 1: its scenario `") && shown.contains(expected), "{shown}");
    }
    let digest = resealed(&good.replacen("0000000000000003", "../../../../evil", 1));
    assert!(refusal(&[&digest]).contains("a value that is not a digest"));
}
