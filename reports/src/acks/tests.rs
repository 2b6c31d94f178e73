//! A small study whose numbers are checked by hand, bad files, and properties of every page.

mod idempotence;

use super::made_up;
use super::*;
use crate::out::OutFile;
use crate::plot::{self, Caption, Room, Table};
use std::collections::BTreeMap;

const ACKS_1: Setting = Setting { acks: Acks::Leader, min_isr: 1, idempotence: true };
const ACKS_ALL: Setting = Setting { acks: Acks::All, min_isr: 2, idempotence: true };

fn header(seeds: Seeds) -> Header {
    Header {
        kind: Header::kind(),
        version: FORMAT,
        faultline: "1.2.3".to_owned(),
        build: "b111d".to_owned(),
        scenario: "by-hand".to_owned(),
        title: "four runs".to_owned(),
        seeds,
        cut_short: None,
        settings: vec![ACKS_1, ACKS_ALL],
        replication_factor: 3,
        partitions: 2,
        unclean_leader_election: false,
        flush_messages: None,
        linger_ms: 5,
        rate_per_s: 100,
        families: vec!["crash".to_owned(), "pause".to_owned()],
        lone_leaders: "10%".to_owned(),
        not_default: Vec::new(),
        overrides: BTreeMap::new(),
        command: format!("faultline report acks --seeds {}", seeds.text()),
    }
}

fn run(setting: Setting, seed: u64, acked: u64, lost: u64, family: &str) -> Run {
    let loss = |count| Loss {
        hazard: "acks1-unreplicated".to_owned(),
        broken: false,
        count,
        because: "with acks=1 the leader confirms alone, and replica 2 lacked it".to_owned(),
    };
    Run {
        setting,
        seed,
        outcome: "pass".to_owned(),
        digest: "00ff".to_owned(),
        records: RecordCounts { sent: acked + 1, acked, unknown: 1, lost, ..Default::default() },
        faults: BTreeMap::from([(family.to_owned(), 2)]),
        lone_leader: family == "crash",
        leader_replaced: true,
        isr_shrunk: true,
        losses: (lost > 0).then(|| loss(lost)).into_iter().collect(),
        latency: Latencies::of((1..=acked).map(|i| i * 10)),
        produce: Produce { batches: 100, retries: seed, errors: 0 },
        offered_ns: 10_000_000_000,
        written_meanwhile: acked - seed,
        unavailable_ns: 1_000_000_000 * seed,
        violations: Vec::new(),
        reproduce: format!("faultline scenario by-hand --seed {seed}"),
    }
}

/// Seeds 4 and 5; only seed 5 with acks=1 lost anything.
fn small() -> Study {
    let runs = vec![
        run(ACKS_ALL, 5, 100, 0, "crash"),
        run(ACKS_1, 5, 100, 3, "crash"),
        run(ACKS_1, 4, 100, 0, "pause"),
        run(ACKS_ALL, 4, 100, 0, "pause"),
    ];
    Study::new(header(Seeds { from: 4, to: 6 }), runs)
}

fn text(study: &Study) -> String {
    let mut bytes = Vec::new();
    write(study, &mut bytes).unwrap();
    String::from_utf8(bytes).unwrap()
}

fn file<'a>(files: &'a [OutFile], name: &str) -> &'a str {
    let file = files.iter().find(|file| file.name == name).unwrap();
    std::str::from_utf8(&file.bytes).unwrap()
}

#[test]
fn the_numbers_of_a_small_study() {
    let summary = summarise(&small());
    let [one, all] = summary.settings.as_slice() else { panic!("two settings") };
    assert_eq!((one.runs, one.sent, one.at_stake, one.lost), (2, 202, 200, 3));
    // 3 of 200, from a single seed.
    let rate = one.lost_per_million.unwrap();
    assert_eq!((rate.value, rate.seeds, rate.estimate()), (15_000.0, 1, None));
    assert_eq!(one.runs_with_loss, 1);
    // Wilson for 1 of 2.
    let share = one.share_with_loss.unwrap();
    assert!((share.low - 0.0945).abs() < 1e-4 && (share.high - 0.9055).abs() < 1e-4);
    assert_eq!((one.unknown, one.violations), (2, 0));
    // Each run has 10, 20, ... 1000 microseconds, to three digits.
    let latency = one.latency;
    assert_eq!((latency.count, latency.p50_us, latency.p99_us), (200, 500, 990));
    assert_eq!((latency.p999_us, latency.max_us), (1_000, 1_000));
    // 191 records in 20 s; 4 s + 5 s of 20 s on each of two partitions; 9 of 200 batches.
    assert!((one.throughput_per_s.unwrap().value - 9.55).abs() < 1e-9);
    assert_eq!(one.unavailable_share.unwrap().value, 0.225);
    assert_eq!(one.retries_per_thousand.unwrap().value, 45.0);
    assert_eq!(one.hazards.len(), 1);
    assert_eq!((one.hazards[0].lost, one.hazards[0].runs, one.hazards[0].example_seed), (3, 1, 5));
    let families: Vec<_> =
        one.families.iter().map(|f| (f.family.as_str(), f.runs, f.lost)).collect();
    assert_eq!(families, [("crash", 1, 3), ("pause", 1, 0)]);
    assert_eq!(one.worst.len(), 1);
    assert_eq!((one.worst[0].seed, one.worst[0].lost), (5, 3));
    assert_eq!((all.lost, all.worst.len()), (0, 0));
    assert_eq!(all.lost_per_million.unwrap().value, 0.0);
}

#[test]
fn the_sentences_agree_with_the_numbers() {
    let (_, files) = files(&small());
    let page = file(&files, "index.html");
    for sentence in [
        "acks=1, min ISR 1: in 1 of 2 runs acknowledged records were lost, 15,000 per million \
         acknowledged (from 1 seed, too few for an interval), because the leader died or was replaced before \
         a follower had fetched them.",
        "acks=all, min ISR 2: in 2 runs with the same faults none of 200 acknowledged records was \
         lost",
        "<code><span>faultline scenario by-hand</span> <span>--seed 5</span></code>",
        "acks=all",
        "Half of the records were acknowledged within",
        "written per second of load (the scenario sends 100)",
        "10% isolate a leader",
        "unclean leader election <b>off</b>",
        "promise kept",
        // The reason of the worst seed is a sentence that can be quoted by itself.
        "<p class=\"small\">With acks=1 the leader confirms alone, and replica 2 lacked it.</p>",
        "With the same build, Faultline 1.2.3 (build b111d), this command gives the same runs",
        "The runs were made by Faultline 1.2.3 (build b111d).",
    ] {
        assert!(page.contains(sentence), "{sentence}");
    }
}

#[test]
fn an_incomplete_study_and_changed_properties_are_shown() {
    let mut study = small();
    let asked = Seeds { from: 4, to: 900 };
    study.header.cut_short = Some(CutShort { asked, why: Why::Interrupted });
    study.header.unclean_leader_election = true;
    study.header.not_default = vec![NotDefault {
        of: "brokers".to_owned(),
        property: "broker.session.timeout.ms".to_owned(),
        value: "1000".to_owned(),
        default: "9000".to_owned(),
    }];
    let (summary, files) = files(&study);
    let page = file(&files, "index.html");
    assert!(!page.contains("promise kept"), "with unclean leader election nothing is promised");
    for words in [
        "<b>Interrupted: </b>seeds 4..6 of 4..900.",
        "unclean leader election <b>on</b>",
        "But unclean leader election is on: if no in-sync replica is alive, a replica out of sync may",
        "promises to survive without unclean leader election; for",
        "<code>broker.session.timeout.ms</code>",
        "with fewer than 20 the intervals mean little",
    ] {
        assert!(page.contains(words), "{words}");
    }
    study.header.cut_short = Some(CutShort { asked, why: Why::Panicked });
    // The study file and report.json say so as well.
    assert_eq!(read(&text(&study)).unwrap(), study);
    let (_, files) = super::files(&study);
    assert!(file(&files, "index.html").contains("defect of Faultline: </b>seeds 4..6 of 4..900."));
    let numbers: serde_json::Value = serde_json::from_str(file(&files, "report.json")).unwrap();
    assert_eq!(numbers["study"]["cut_short"]["why"], "panicked");
    // Only seed 5 has the event.
    let [with, without] = summary.settings[0].lone_leader;
    assert_eq!((with.runs, with.runs_with_loss, with.lost), (1, 1, 3));
    assert_eq!((without.runs, without.runs_with_loss, without.lost), (1, 0, 0));
}

#[test]
fn no_interval_where_few_seeds_lost_anything() {
    let (_, files) = files(&small());
    let lost = file(&files, "lost-per-million.csv");
    assert!(lost.contains("acks=all, min ISR 2\",all,2,200,0,0,,\r\n"), "{lost}");
    assert!(lost.contains("acks=1, min ISR 1\",1,1,200,3,15000,,\r\n"), "{lost}");
    let faults = file(&files, "lost-by-fault.csv");
    assert!(faults.contains("crash,\"acks=1, min ISR 1\",1,1,1,1,100,3,30000,,\r\n"), "{faults}");
    // Of twenty seeds nine lose something, then ten.
    for lossy in [9, 10] {
        let both = |seed| {
            let lost = if seed < lossy { 2 } else { 0 };
            [run(ACKS_1, seed, 100, lost, "crash"), run(ACKS_ALL, seed, 100, 0, "crash")]
        };
        let study = Study::new(header(Seeds { from: 0, to: 20 }), (0..20).flat_map(both).collect());
        let (summary, files) = super::files(&study);
        let rate = summary.settings[0].lost_per_million.unwrap();
        assert_eq!((rate.seeds, rate.estimate().is_some()), (lossy, lossy >= 10));
        let words = file(&files, "index.html").contains("too few for an interval");
        assert_eq!(words, lossy < 10);
    }
}

/// A bootstrap may show a difference for four seeds against none, but the sign test needs six.
#[test]
fn the_conclusion_about_a_pair_is_that_of_the_sign_test() {
    let other = Setting { acks: Acks::Leader, min_isr: 2, idempotence: true };
    for (worse, p, so) in
        [(4, "p = 0.125", "no difference shown"), (6, "p = 0.031", "worse with min ISR 2")]
    {
        let both = |seed| {
            let lost = if seed < worse { 9 } else { 0 };
            [run(ACKS_1, seed, 100, 0, "crash"), run(other, seed, 100, lost, "crash")]
        };
        let mut header = header(Seeds { from: 0, to: 30 });
        header.settings = vec![ACKS_1, other];
        let (summary, files) = files(&Study::new(header, (0..30).flat_map(both).collect()));
        let [pair] = summary.pairs.as_slice() else { panic!("{:?}", summary.pairs) };
        assert_eq!((pair.more_with_first, pair.more_with_second), (0, worse));
        assert_eq!(pair.lost_per_million.unwrap().estimate(), None);
        let page = file(&files, "index.html");
        assert!(page.contains(p) && page.contains(so), "{worse}");
        // In the head of the table, and as the label of a number that stands alone.
        for more in ["Seeds that lost more with min ISR 1", "Seeds that lost more with min ISR 2"] {
            assert_eq!(page.matches(&format!("{more}</th>")).count(), 1);
            assert_eq!(page.matches(&format!("data-label=\"{more}\"")).count(), 1);
        }
        assert!(!page.contains("the first</th>") && !page.contains("the second</th>"));
    }
}

#[test]
fn losses_that_are_due_to_lone_leaders_are_named_under_the_first_table() {
    let sentence = |lost: &dyn Fn(u64) -> u64, alone: &dyn Fn(u64) -> bool| {
        let both = |seed| {
            let family = if alone(seed) { "crash" } else { "pause" };
            [run(ACKS_1, seed, 100, lost(seed), family), run(ACKS_ALL, seed, 100, 0, family)]
        };
        let study = Study::new(header(Seeds { from: 0, to: 20 }), (0..20).flat_map(both).collect());
        let page = file(&files(&study).1, "index.html").to_owned();
        let (above, _) = page.split_once("id=\"settings\"").unwrap();
        let (_, sentence) = above.split_once("-lone-leader\"><p>")?;
        Some(sentence.split_once("</p>").unwrap().0.to_owned())
    };
    let in_five = |seed| seed < 5;
    let owed = sentence(
        &|seed| [20, 20, 0, 20, 20, 0, 1].get(seed as usize).map_or(0, |it| *it),
        &in_five,
    );
    let words = "acks=1, min ISR 1: 80 of the 81 lost records (98.8 %) were lost in the 5 runs in \
                 which a leader lost power while it was the only in-sync replica, which 10% of the fault \
                 sequences cause on purpose; of the 15 other runs, 1 lost records.";
    assert_eq!(owed.as_deref(), Some(words));
    let owed = sentence(&|seed| 2 * u64::from(seed < 3), &in_five).unwrap();
    assert!(
        owed.contains("1: all 6 lost records were")
            && owed.ends_with("other runs, none lost records.")
    );
    // No sentence if other runs lost records as well, if most runs have the event, or without a
    // loss.
    assert_eq!(sentence(&|seed| 2 * u64::from(seed < 6), &in_five), None);
    assert_eq!(sentence(&|seed| 2 * u64::from(seed < 3), &|seed| seed < 10), None);
    assert_eq!(sentence(&|_| 0, &in_five), None);
}

#[test]
fn pairs_are_compared_within_seeds() {
    let mut study = small();
    let other = Setting { acks: Acks::Leader, min_isr: 2, idempotence: true };
    let runs = vec![run(other, 4, 100, 0, "pause"), run(other, 5, 100, 5, "crash")];
    study.header.settings.insert(1, other);
    study.runs.extend(runs);
    let summary = summarise(&Study::new(study.header, study.runs));
    let [pair] = summary.pairs.as_slice() else { panic!("{:?}", summary.pairs) };
    assert_eq!((pair.acks, pair.min_isr), (Acks::Leader, [1, 2]));
    // 2 more of 200 in seed 5 alone.
    let rate = pair.lost_per_million.unwrap();
    assert!((rate.value - 10_000.0).abs() < 1e-6 && rate.seeds == 1, "{rate:?}");
    assert_eq!((pair.more_with_first, pair.more_with_second), (0, 1));
    assert_eq!(pair.sign_test_p, Some(1.0));
}

#[test]
fn a_broken_promise_comes_before_everything_else() {
    let mut study = small();
    let run = &mut study.runs[3];
    assert_eq!((run.setting, run.seed), (ACKS_ALL, 5));
    run.outcome = "violation".to_owned();
    run.records.lost = 1;
    run.losses = vec![Loss {
        hazard: "acknowledged-kept".to_owned(),
        broken: true,
        count: 1,
        because: String::new(),
    }];
    run.violations =
        vec![Violation { check: "acknowledged-kept".to_owned(), summary: "record 7".to_owned() }];
    let (summary, files) = files(&study);
    assert_eq!(summary.settings[1].runs_with_violation, 1);
    let page = file(&files, "index.html");
    assert!(page.contains("promise broken") && !page.contains("promise kept"));
    assert!(page.contains("because a promise was broken for 1 record."));
}

#[test]
fn a_report_is_recognised_by_its_files_and_their_content() {
    let (_, files) = files(&small());
    for file in &files {
        assert!((OWN.has_file)(&file.name), "{}", file.name);
    }
    for other in ["notes.md", "study.jsonl.bak", "lost-per-million.pdf", "photo.png", ""] {
        assert!(!(OWN.has_file)(other), "{other}");
    }
    assert!((OWN.is_marked)(file(&files, OWN.mark).as_bytes()));
    assert_eq!((OWN.in_words)(file(&files, OWN.mark).as_bytes()), "the report of seeds 4..6");
    assert_eq!((OWN.in_words)(b"{\"study\":{\"seeds\":7}}"), "the report");
    for other in ["", "{}", "[1]", "{\"study\":{\"kind\":\"of mice\"}}"] {
        assert!(!(OWN.is_marked)(other.as_bytes()), "{other}");
    }
}

#[test]
fn an_undecided_run_keeps_no_promise_and_is_not_counted() {
    let mut study = small();
    let of = |study: &Study, setting: Setting| {
        let (summary, files) = files(study);
        let found = summary.settings.into_iter().find(|it| it.setting == setting).unwrap();
        (found, file(&files, "index.html").to_owned())
    };
    // One run of acks=all was not judged to its end.
    study.runs[3].outcome = "unknown".to_owned();
    let (all, page) = of(&study, ACKS_ALL);
    assert_eq!((all.runs, all.runs_undecided, all.at_stake), (2, 1, 100));
    let of_one = crate::stat::share::wilson(0, 1);
    assert_eq!(all.share_with_loss, of_one, "only decided runs are in the denominator");
    for words in [
        "in 1 run with the same faults none of 100 acknowledged records was lost (the 95 % \
         interval for the share of such runs that lose any reaches up to 79.3 %). The setting was \
         tested in 1 of them. 1 more run was undecided.",
        "kept where decided",
        "0 of 1 (1 more undecided)",
    ] {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("promise kept"));
    // No run of acks=all was.
    study.runs[1].outcome = "vacuous".to_owned();
    let (all, page) = of(&study, ACKS_ALL);
    assert_eq!((all.runs_decided(), all.share_with_loss, all.lost_per_million), (0, None, None));
    assert!(page.contains("acks=all, min ISR 2: 2 runs were undecided."));
    assert!(page.contains("undecided</span>") && !page.contains("tag good"));
    // A loss in an undecided run is named but not counted: undecided runs without a loss are not
    // counted either.
    study.runs[2].outcome = "unknown".to_owned();
    let (one, page) = of(&study, ACKS_1);
    assert_eq!((one.runs_undecided, one.runs_with_loss, one.lost), (1, 0, 0));
    assert_eq!(one.lost_undecided, 3);
    assert!(page.contains("1 more run was undecided, though 3 records were found to be lost."));
    assert!(page.contains("lost, not promised"));
}

#[test]
fn the_promise_is_that_of_the_configuration() {
    let card = |change: &dyn Fn(&mut Header)| {
        let mut study = small();
        change(&mut study.header);
        file(&files(&study).1, "index.html").to_owned()
    };
    let page = card(&|_| ());
    assert!(page.contains("a power loss of one replica at a time.</dd>"));
    let page = card(&|header| header.replication_factor = 1);
    // For acks=1 and for acks=all, where min.insync.replicas counts as 1.
    assert_eq!(page.matches("The only replica has the record in its memory.").count(), 2);
    assert!(!page.contains("promise kept") && !page.contains("It survives any number"));
    let page = card(&|header| header.flush_messages = Some(1));
    assert!(page.contains("power loss does not lose its records.</dd>"));
    let page = card(&|header| header.flush_messages = Some(50));
    assert!(page.contains("A replica syncs once 50 records are unsynced.</dd>"));
}

#[test]
fn the_words_about_settings_depend_on_their_values() {
    let page = |change: &dyn Fn(&mut Header)| {
        let mut study = small();
        change(&mut study.header);
        file(&files(&study).1, "index.html").to_owned()
    };
    // The medians are half a millisecond.
    let lingers =
        "Up to 5 milliseconds of each latency are the wait for a batch to fill (linger.ms)";
    assert!(
        page(&|_| ()).contains(&format!("{lingers}, which is more than half of every median."))
    );
    let without = page(&|header| header.linger_ms = 0);
    assert!(!without.contains("0 milliseconds") && !without.contains("half of every median"));
    let (short, long) = ("1000".to_owned(), "60000".to_owned());
    let of = |property: &str, value: &String| NotDefault {
        of: "brokers".to_owned(),
        property: property.to_owned(),
        value: value.clone(),
        default: "9000".to_owned(),
    };
    let down = of("broker.session.timeout.ms", &short);
    let shown = page(&|header| header.not_default = vec![down.clone()]);
    assert!(shown.contains("Time-outs are scaled down") && shown.contains("continues to lead."));
    for other in [of("broker.session.timeout.ms", &long), of("log.segment.bytes", &short)] {
        let shown = page(&|header| header.not_default = vec![other.clone()]);
        assert!(!shown.contains("scaled down") && shown.contains("id=\"configuration\""));
    }
    assert!(!page(&|_| ()).contains("#configuration"), "no link to nowhere");
}

#[test]
fn a_study_is_unchanged_by_writing_and_reading() {
    let study = made_up::study(Seeds { from: 3, to: 9 });
    assert_eq!(read(&text(&study)).unwrap(), study);
}

#[test]
fn bad_files_are_refused_with_the_place() {
    let good = text(&small());
    let lines: Vec<&str> = good.lines().collect();
    let without = |gone: usize| {
        let kept = lines.iter().enumerate().filter(|(i, _)| *i != gone);
        kept.map(|(_, line)| format!("{line}\n")).collect::<String>()
    };
    for (bad, place, message) in [
        (String::new(), "", "the file is empty"),
        ("hello\n".to_owned(), "line 1, column 1", "expected value"),
        ("{\"version\": 1}\n".to_owned(), "line 1", "this is not a study"),
        (
            good.replacen(&format!("\"version\":{FORMAT}"), "\"version\":7", 1),
            "line 1",
            "this is 7",
        ),
        (good[..good.len() - 10].to_owned(), "line 5", "cut off"),
        (without(4), "line 4", "the file is cut off: it has 3 runs"),
        (without(2), "line 3", "seed 5 with acks=1, min ISR 1, where seed 4 with acks=all"),
        (good.replacen("\"seed\":4", "\"seed\":\"4\"", 1), "line 2, column 84", "not of the kind"),
        (good.replacen("\"sent\":", "\"send\":", 1), "line 2", "there is no key `send` here"),
        (good.replacen("\"lost\":0", "\"lost\":500", 1), "line 2", "more records lost"),
        (
            good.replacen("\"latency\":\"", "\"latency\":\"!", 1),
            "line 2",
            "not a value with its count",
        ),
        (format!("{good}{}\n", lines[4]), "line 6", "a run beyond seeds 4..6"),
    ] {
        let error = read(&bad).unwrap_err().to_string();
        assert!(error.starts_with(place) && error.contains(message), "{message}: {error}");
    }
}

#[test]
fn a_changed_study_is_refused_at_its_first_changed_line() {
    let good = text(&small());
    let lines: Vec<&str> = good.split_inclusive('\n').collect();
    let seal = |line: &str| line[line.len() - 35..].to_owned();
    let swapped = good.replacen(&seal(lines[2]), &seal(lines[3]), 1);
    let without_seals: String = lines
        .iter()
        .map(|line| format!("{}}}\n", line.split(",\"seal\"").next().unwrap()))
        .collect();
    let other = text(&Study::new(header(Seeds { from: 4, to: 6 }), {
        let mut runs = small().runs;
        runs[1].records.acked += 1;
        runs
    }));
    let other: Vec<&str> = other.split_inclusive('\n').collect();
    let spliced = [&lines[..2], &other[2..3], &lines[3..]].concat().concat();
    let mixed = [&lines[..3], &other[3..]].concat().concat();
    for (bad, line) in [
        // A plausible number; a space; a seal; all seals.
        (good.replacen("\"lost\":0", "\"lost\":1", 1), 2),
        (good.replacen("\"lost\":3", "\"lost\":0", 1), 4),
        (good.replacen("\"linger_ms\":5", "\"linger_ms\":0", 1), 1),
        (good.replacen("\"partitions\":2,", "\"partitions\": 2,", 1), 1),
        (swapped, 3),
        (without_seals, 1),
        // A line of another study with the same beginning, and the lines that follow it in that
        // study.
        (spliced, 4),
        (mixed, 4),
    ] {
        let error = read(&bad).unwrap_err();
        assert_eq!((error.line, error.column), (line, 0), "{error}");
        assert!(error.message.contains("damaged or was edited"), "{error}");
    }
}

#[test]
fn nothing_from_outside_becomes_markup() {
    let evil = "<script>alert('x')</script>\"&";
    let mut study = small();
    study.header.scenario = evil.to_owned();
    study.header.faultline = evil.to_owned();
    study.header.command = evil.to_owned();
    study.header.overrides.insert(evil.to_owned(), evil.to_owned());
    for run in &mut study.runs {
        run.faults.insert(evil.to_owned(), 1);
        run.reproduce = evil.to_owned();
        run.digest = evil.to_owned();
        for loss in &mut run.losses {
            loss.hazard = evil.to_owned();
            loss.because = evil.to_owned();
        }
        run.violations.push(Violation { check: evil.to_owned(), summary: evil.to_owned() });
    }
    let (_, files) = files(&study);
    for file in files.iter().filter(|f| f.name.ends_with(".html") || f.name.ends_with(".svg")) {
        let text = std::str::from_utf8(&file.bytes).unwrap();
        assert!(!text.contains("<script"), "{}", file.name);
        assert!(!text.contains("')</"), "{}", file.name);
        // In text `'` is harmless; an attribute is quoted with `"`, which must not end it.
        assert!(!text.contains("</script>\""), "{}", file.name);
    }
}

#[test]
fn a_page_loads_no_resource() {
    let (_, files) = files(&small());
    let page = file(&files, "index.html");
    for sign in
        ["src=", "<script", "@import", "url(", "<link rel=\"stylesheet\"", "http-equiv=\"refresh"]
    {
        assert!(!page.contains(sign), "{sign}");
    }
    // The only addresses are the names of namespaces and fragments of the page itself.
    assert_eq!(page.matches("http://").count(), page.matches("http://www.w3.org/2000/svg").count());
    assert!(!page.contains("https://"));
}

#[test]
fn the_same_study_gives_the_same_bytes() {
    let study = made_up::study(Seeds { from: 0, to: 40 });
    let (_, first) = files(&study);
    let (_, second) = files(&study);
    assert_eq!(first, second);
    // The order in which the runs were made does not matter.
    let mut runs = study.runs.clone();
    runs.reverse();
    let (_, third) = files(&Study::new(study.header.clone(), runs));
    assert!(first == third);
}

/// The numbers in a CSV file, put back into a table of the plot's columns.
fn from_csv(csv: &str, like: &Table) -> Table {
    let mut lines = csv.lines();
    let names: Vec<&str> = lines.next().unwrap().split(',').collect();
    let expected: Vec<&str> = like.columns.iter().map(|column| column.key).collect();
    assert_eq!(names, expected);
    let rows = lines.map(|line| {
        let cells = fields(line).into_iter().zip(like.columns).map(|(cell, column)| {
            match (column.kind, cell.as_str()) {
                (plot::Kind::Text, text) => plot::Cell::text(text),
                (_, "") => plot::Cell::Missing,
                (_, number) => plot::Cell::Number(number.parse().unwrap()),
            }
        });
        cells.collect()
    });
    Table { columns: like.columns, rows: rows.collect() }
}

fn fields(line: &str) -> Vec<String> {
    let (mut fields, mut quoted) = (vec![String::new()], false);
    for c in line.chars() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => fields.push(String::new()),
            c => fields.last_mut().unwrap().push(c),
        }
    }
    fields
}

#[test]
fn every_chart_can_be_drawn_again_from_its_csv() {
    let study = made_up::study(Seeds { from: 0, to: 60 });
    let (summary, files) = files(&study);
    let caption = Caption::of(&summary.study);
    for plot in plot::ACKS {
        let table = from_csv(file(&files, &format!("{}.csv", plot.id)), &(plot.table)(&summary));
        let drawn = (plot.draw)(&table, &caption, Room::Wide);
        assert!(plot::svg(&drawn) == file(&files, &format!("{}.svg", plot.id)), "{}", plot.id);
    }
}

#[test]
fn every_chart_names_its_source() {
    let study = made_up::study(Seeds { from: 7, to: 19 });
    let (_, files) = files(&study);
    for plot in plot::ACKS {
        let svg = file(&files, &format!("{}.svg", plot.id));
        for name in
            ["made-up", "7..19", "0.0.0-made-up (build none)", "acks=all", "Simulated latency"]
        {
            assert!(svg.contains(name), "{}: {name}", plot.id);
        }
    }
    assert!(file(&files, "produce-latency.svg").contains("Simulated latency, not measured"));
    let page = file(&files, "index.html");
    assert_eq!(page.matches("<figure").count(), plot::ACKS.len());
    assert_eq!(page.matches("The numbers (also in").count(), plot::ACKS.len());
}

#[test]
fn a_study_of_one_run_that_sent_nothing_has_a_page() {
    let mut empty = run(ACKS_1, 0, 0, 0, "crash");
    (empty.latency, empty.produce) = (Latencies::of([]), Produce::default());
    let mut head = header(Seeds { from: 0, to: 1 });
    head.settings = vec![ACKS_1];
    let (summary, files) = files(&Study::new(head, vec![empty]));
    assert_eq!(summary.settings[0].lost_per_million, None);
    assert!(file(&files, "index.html").contains("nothing sent"));
}

/// If no run saw the in-sync replicas shrink, acks=all is not tested, whatever else was lost.
#[test]
fn a_setting_that_no_run_put_to_the_test_is_not_tested() {
    let both = |seed| {
        let mut all = run(ACKS_ALL, seed, 100, 0, "crash");
        all.isr_shrunk = false;
        [run(ACKS_1, seed, 100, u64::from(seed == 3), "crash"), all]
    };
    let study = Study::new(header(Seeds { from: 0, to: 30 }), (0..30).flat_map(both).collect());
    let (summary, files) = files(&study);
    let labels: Vec<String> = summary.not_tested().map(|it| it.setting.label()).collect();
    assert_eq!(labels, [ACKS_ALL.label()]);
    let [tested, not] = summary.settings.as_slice() else { panic!("two settings") };
    assert_eq!((tested.runs_tested, not.runs_tested), (30, 0));
    assert!(tested.share_with_loss.is_some() && not.share_with_loss.is_none());
    let page = file(&files, "index.html");
    let sentence = "In none of 30 runs did the in-sync replicas shrink, so the absence of losses \
                    means nothing.";
    assert!(page.contains(sentence), "at the top and in its card");
    assert!(page.matches("not tested").count() >= 3 && !page.contains("promise kept"));
}
