//! A made-up delivery table: what its rows, its page and its files say.

use super::study::{Counts, Header, Mode, Reason, Run, Setting, Study, read, write};
use super::{files, summarise};
use crate::acks::Seeds;
use std::collections::BTreeMap;

fn settings() -> Vec<Setting> {
    let each = |commit| {
        [(true, true), (true, false), (false, true), (false, false)].map(
            move |(read_committed, idempotence)| Setting { commit, read_committed, idempotence },
        )
    };
    Mode::ALL.into_iter().flat_map(each).collect()
}

/// Each run has 100 inputs; `of` says what became of them.
fn study(of: impl Fn(Setting) -> Counts) -> Study {
    let seeds = Seeds { from: 0, to: 30 };
    let header = Header {
        kind: Header::kind(),
        version: super::FORMAT,
        faultline: "0.1.0".to_owned(),
        build: "0000000000000000".to_owned(),
        scenario: "delivery-study".to_owned(),
        seeds,
        cut_short: None,
        settings: settings(),
        protocol: "classic".to_owned(),
        replication_factor: 3,
        members: 3,
        member_faults: vec!["client 1003 is killed at 4 s".to_owned()],
        families: vec!["crash".to_owned()],
        not_default: Vec::new(),
        overrides: BTreeMap::new(),
        command: "faultline report delivery --seeds 0..30".to_owned(),
    };
    let run = |seed, setting| Run {
        setting,
        seed,
        outcome: "pass".to_owned(),
        digest: format!("{seed:032x}"),
        counts: Counts { inputs: 100, expelled: 1, ..of(setting) },
        reasons: vec![Reason {
            name: "processed-again".to_owned(),
            broken: false,
            count: 2,
            because: "client 1003 crashed".to_owned(),
        }],
        reproduce: format!("faultline scenario delivery-study --seed {seed}"),
    };
    let runs =
        (seeds.from..seeds.to).flat_map(|seed| settings().into_iter().map(move |it| (seed, it)));
    let runs = runs.map(|(seed, setting)| run(seed, setting)).collect();
    Study::new(header, runs)
}

fn as_promised(setting: Setting) -> Counts {
    let repeats = u64::from(setting.commit != Mode::Transaction);
    let early = matches!(setting.commit, Mode::SyncBefore | Mode::AsyncBefore);
    let skipped = if early { 3 } else { 0 };
    let uncommitted = if setting.read_committed { 0 } else { 5 };
    Counts {
        skipped,
        results_lacking: skipped,
        reprocessed: 4,
        results_again: 2 * repeats,
        uncommitted,
        duplicated: u64::from(!setting.idempotence),
        ..Counts::default()
    }
}

#[test]
fn a_table_that_keeps_its_promises_has_rates_intervals_and_bounds() {
    let summary = summarise(&study(as_promised));
    assert_eq!(summary.rows.len(), 32);
    assert!(summary.rows.iter().all(super::Row::is_kept));
    let before = &summary.rows[4];
    assert_eq!(before.setting.commit, Mode::SyncBefore);
    let rate = before.skipped.per_million.expect("there are inputs");
    assert_eq!(rate.value, 30_000.0);
    assert!(rate.estimate().is_some());
    let exact =
        summary.rows.iter().rfind(|row| row.setting.read_committed && row.setting.idempotence);
    let exact = exact.expect("the last mode has such a row");
    assert_eq!((exact.setting.commit, exact.results_again.count), (Mode::Transaction, 0));
    let bound = exact.results_again.share.expect("runs were decided").high;
    assert!((0.1..0.2).contains(&bound), "30 runs bound the share: {bound}");
}

/// The numbers alone show a broken promise, also where the judge has found none.
#[test]
fn a_promise_that_numbers_contradict_is_broken() {
    let broken = |more: fn(Setting) -> Counts| {
        let summary = summarise(&study(more));
        let broken = summary.rows.iter().filter(|row| !row.is_kept());
        broken.map(|row| row.setting).collect::<Vec<_>>()
    };
    let skips = broken(|setting| Counts { skipped: 1, ..as_promised(setting) });
    assert!(skips.iter().all(|it| it.commit != Mode::SyncBefore));
    assert!(skips.iter().any(|it| it.commit == Mode::SyncAfter));
    let repeats = broken(|setting| Counts { results_again: 1, ..as_promised(setting) });
    assert!(repeats.iter().all(|it| it.commit == Mode::Transaction) && repeats.len() == 4);
    let dirty = broken(|setting| Counts { uncommitted: 1, ..as_promised(setting) });
    assert!(dirty.iter().all(|it| it.read_committed) && dirty.len() == 16);
}

#[test]
fn a_study_is_read_as_it_was_written_and_a_changed_one_is_refused() {
    let study = study(as_promised);
    let mut text = Vec::new();
    write(&study, &mut text).expect("a Vec takes everything");
    let text = String::from_utf8(text).expect("it is JSON");
    assert_eq!(read(&text).as_ref(), Ok(&study));
    let changed = text.replacen("\"skipped\":3", "\"skipped\":0", 1);
    assert!(read(&changed).is_err());
    let cut: String = text.split_inclusive('\n').take(9).collect();
    assert!(read(&cut).is_err_and(|error| error.message.contains("runs were written")));
}

#[test]
fn the_page_names_each_promise_and_the_files_are_complete() {
    let (_, files) = files(&study(as_promised));
    let names: Vec<&str> = files.iter().map(|file| file.name.as_str()).collect();
    assert_eq!(
        names,
        [
            "index.html",
            "report.json",
            "delivery.csv",
            "study.jsonl",
            "skipped.csv",
            "skipped.svg",
            "skipped.png",
            "repeated.csv",
            "repeated.svg",
            "repeated.png"
        ]
    );
    assert!(names.iter().all(|name| (super::OWN.has_file)(name)));
    let page = String::from_utf8(files[0].bytes.clone()).expect("it is HTML");
    for words in
        ["at least once", "exactly once", "nothing to keep", "enable.auto.commit", "KIP-447"]
    {
        assert!(page.contains(words), "{words}");
    }
    assert!(!page.contains("broken</span>"));
    let csv = String::from_utf8(files[2].bytes.clone()).expect("it is text");
    assert_eq!(csv.lines().count(), 33);
}
