//! Behaviour and reports of clients, each with a run.

use crate::result::{Outcome, Verdict};
use crate::run::{RunOutcome, run, under};
use engine::fact::{ClientFact, Fact};
use engine::rules::{Rules, read};
use spec::{Diagnostic, Resolved, Scenario};

/// A scenario with the topic `t` of one partition, and its warnings.
fn parse(text: &str) -> (Scenario, Vec<Diagnostic>) {
    let text = format!("name = \"x\"\ntitle = \"x\"\n{text}");
    Scenario::parse("x.toml", &text).unwrap_or_else(|error| panic!("{error}"))
}

fn ran(text: &str, seed: u64) -> RunOutcome {
    run(&Resolved { scenario: parse(text).0, seed, bugs: Vec::new(), trace: true })
}

fn verdict(text: &str, seed: u64) -> Verdict {
    ran(text, seed).verdict
}

fn warning(text: &str) -> String {
    let (_, warnings) = parse(text);
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    warnings[0].message.clone()
}

/// 30 MB need 150 s on a link of 200 kB/s, which breaks no promise.
#[test]
fn a2_reading_back_takes_as_long_as_the_link_needs() {
    let verdict = verdict(
        "[[topics]]\nname = 't'\n[[producers]]\nrecords = 300\nrate = 20\nrecord_size = 100000\n\
         [network.clients]\nbandwidth = 200_000\n[durations]\nload = '300s'",
        1,
    );
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?} {:?}", verdict.violations, verdict.unknown);
    // The producer's link is as slow: some records fail before they are sent.
    let counts = &verdict.counts;
    assert!(counts.acked > 200 && counts.read >= counts.acked && counts.lost == 0, "{counts:?}");
}

/// Records in one of two partitions of a broker are delivered without a wait of
/// `fetch.max.wait.ms`.
#[test]
fn a3_a_busy_partition_does_not_wait_for_an_idle_one() {
    const STARVED: &str = "[[clusters]]\nbrokers = 1\ncontrollers = 1\n\
        [[topics]]\nname = 't'\npartitions = 2\nreplication_factor = 1\n\
        [[producers]]\nrecords = 1000\nrate = 500\npartition = 0\n\
        [producers.properties]\nbatch.size = 0\nlinger.ms = 0\n\
        [[consumers]]\n[consumers.properties]\nauto.offset.reset = 'earliest'\n";
    let small = format!("{STARVED}max.partition.fetch.bytes = 1\n");
    for text in [STARVED, &small] {
        let outcome = ran(text, 1);
        assert_eq!(outcome.verdict.outcome, Outcome::Pass, "{:?}", outcome.verdict.violations);
        let facts = outcome.account.history.facts();
        let mut appended = Vec::new();
        let mut late = Vec::new();
        for (at, node, fact) in facts {
            match fact {
                Fact::Appended { as_leader: true, partition, .. }
                    if *partition != engine::ids::TopicPartition::METADATA =>
                {
                    appended.push(at);
                }
                Fact::Client(ClientFact::Delivered { from, to, .. }) if node.node == 1002 => {
                    late.extend((*from..*to).map(|offset| at.since(appended[offset as usize]).0));
                }
                _ => {}
            }
        }
        late.sort_unstable();
        assert_eq!(late.len(), 1000);
        assert!(late[500] < 5_000_000, "median of {} ns", late[500]);
    }
}

#[test]
fn a4_a_consumer_that_stops_as_promised_is_reported() {
    const NONE: &str = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 500\n[[consumers]]\n\
        [consumers.properties]\nauto.offset.reset = 'none'\n";
    let verdict = verdict(NONE, 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let [notice] = &verdict.notices[..] else { panic!("{:?}", verdict.notices) };
    assert_eq!(notice.node, "consumer 1002");
    assert!(notice.what.contains("NoOffsetForPartitionException for t-0"), "{}", notice.what);
    assert!(notice.what.ends_with("it stopped"), "{}", notice.what);
    assert!(warning(NONE).contains("auto.offset.reset=none"));
}

#[test]
fn a4_an_application_that_seeks_later_continues() {
    let text = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 500\n[[consumers]]\n\
        seeks = [{ at = '1s', to = { offset = 3 } }]\n\
        [consumers.properties]\nauto.offset.reset = 'none'\n";
    let outcome = ran(text, 1);
    assert_eq!(outcome.verdict.outcome, Outcome::Pass, "{:?}", outcome.verdict.violations);
    assert!(outcome.verdict.notices.is_empty(), "{:?}", outcome.verdict.notices);
    let delivered = |(_, node, fact): (_, machine::NodeId, &Fact)| match fact {
        Fact::Client(ClientFact::Delivered { from, to, .. }) if node.node == 1002 => to - from,
        _ => 0,
    };
    assert_eq!(outcome.account.history.facts().map(delivered).sum::<i64>(), 497);
}

/// Records without an outcome in a killed client may be written; all others are judged.
#[test]
fn a5_a_killed_producer_leaves_its_open_records_undecided_and_nothing_else() {
    const DIES: &str = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 2000\nrate = 200\n\
        [producers.properties]\nlinger.ms = 100\n[[faults]]\ntarget = 'client 1001'\nat = '3s'\n";
    let killed = format!("{DIES}kind = 'crash'\nlasts = '2s'\n");
    let mut open = 0;
    for seed in 0..5 {
        let verdict = verdict(&killed, seed);
        assert_eq!(
            verdict.outcome,
            Outcome::Pass,
            "{:?} {:?}",
            verdict.violations,
            verdict.unknown
        );
        let counts = &verdict.counts;
        assert_eq!(counts.sent, counts.acked + counts.unknown, "{counts:?}");
        open += counts.unknown;
    }
    assert!(open > 0, "some had no outcome when it was killed");
    // Before a clean stop, the application flushes and closes its producer.
    let stopped = format!("{DIES}kind = 'restart'\nlasts = '2s'\n");
    let verdict = verdict(&stopped, 0);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?} {:?}", verdict.violations, verdict.unknown);
    assert_eq!(verdict.counts.sent, verdict.counts.acked, "{:?}", verdict.counts);
    assert!(verdict.counts.sent < 2000, "records due while it was down are not sent");
}

#[test]
fn a9_a_run_that_acknowledged_nothing_shows_nothing() {
    const FAILS: &str = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 500\n\
        record_size = 2000\n[producers.properties]\nbuffer.memory = 1000\n";
    let verdict = verdict(FAILS, 1);
    assert_eq!(verdict.outcome, Outcome::Vacuous);
    assert_eq!(verdict.not_exercised, ["a record acknowledged"]);
    assert!(warning(FAILS).contains("buffer.memory=1000"));
    // A12: the reason.
    assert_eq!(
        verdict.errors.failed.iter().collect::<Vec<_>>(),
        [(&"MESSAGE_TOO_LARGE".to_owned(), &500)]
    );
}

#[test]
fn a11_a_fetch_too_large_for_its_time_out_is_due_to_the_client() {
    const WAITS: &str = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 100\n[[consumers]]\n\
        [consumers.properties]\nauto.offset.reset = 'earliest'\nrequest.timeout.ms = 300\n\
        fetch.min.bytes = 100000\n";
    let verdict = verdict(WAITS, 1);
    assert_eq!(verdict.outcome, Outcome::Pass, "{:?}", verdict.violations);
    let [notice] = &verdict.notices[..] else { panic!("{:?}", verdict.notices) };
    assert!(notice.what.starts_with("read t-0 up to "), "{}", notice.what);
    assert!(notice.what.contains("request.timeout.ms=300"), "{}", notice.what);
    assert!(warning(WAITS).contains("fetch.max.wait.ms=500"));
}

#[test]
fn c1_records_after_stop_are_not_due_and_too_many_are_undecided() {
    let stopped =
        "[[topics]]\nname = 't'\n[[producers]]\nrecords = 5000\nrate = 100\nstop = '2s'\n";
    let stopped = verdict(stopped, 1);
    assert_eq!(stopped.outcome, Outcome::Pass, "{:?} {:?}", stopped.violations, stopped.unknown);
    assert!((190..210).contains(&stopped.counts.sent), "{:?}", stopped.counts);
    for (producers, left) in
        [("records = 40000\nrate = 100", "left to send"), ("burst = 100_000", "2000 records left")]
    {
        let text = format!(
            "[[topics]]\nname = 't'\n[[producers]]\n{producers}\n[durations]\nload = '2s'\n\
             converge = '3s'\n"
        );
        assert!(warning(&text).contains("s into the load, which lasts 2s"));
        let verdict = verdict(&text, 1);
        assert_eq!(verdict.outcome, Outcome::Unknown, "{:?}", verdict.violations);
        assert!(verdict.unknown[0].contains(left), "{:?}", verdict.unknown);
    }
}

/// S8: a reader at the log end is out of range, requests the end offset, and is already there. The
/// check for livelocks reports this before the deadline for convergence.
#[test]
fn s8_a_livelock_is_not_waited_out() {
    let (scenario, _) = crate::catalog::scenario("no-faults").expect("it is built in");
    let resolved = Resolved { scenario, seed: 1, bugs: Vec::new(), trace: false };
    let rules = Rules {
        read_position: |at| match at.fetch_offset == at.log_end && at.bound > 0 {
            true => read::Answer::OutOfRange,
            false => read::position(at),
        },
        ..Rules::kafka()
    };
    let outcome = under(&resolved, rules);
    // Fetches of followers are refused again and again as well.
    let found = |violation: &judge::outcome::Violation| {
        violation.check == "no-livelock" && violation.summary.contains("request")
    };
    assert!(outcome.verdict.violations.iter().any(found), "{:#?}", outcome.verdict);
    assert!(outcome.stats.since_load() < 30_000_000_000, "{:?}", outcome.stats);
    assert!(run(&resolved).verdict.violations.is_empty());
}

/// S7: ListOffsets by time is reached, and the consumer reads on from there.
#[test]
fn s7_a_consumer_seeks_to_the_offset_of_a_time() {
    let text = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 1000\nrate = 200\n\
        [[consumers]]\nseeks = [{ at = '2s', every = '1s', to = { ago = '500ms' } }]\n\
        [consumers.properties]\nauto.offset.reset = 'earliest'\n[clocks]\nskew = '0s'\n";
    let outcome = ran(text, 1);
    assert_eq!(outcome.verdict.outcome, Outcome::Pass, "{:?}", outcome.verdict.violations);
    assert!(outcome.verdict.exercised["offset_by_time"] >= 3, "{:?}", outcome.verdict.exercised);
    let back = outcome.account.history.facts().filter(|(.., fact)| match fact {
        // Half a second of 200 records a second.
        Fact::Client(ClientFact::Positioned { from: Some(from), to, .. }) => {
            (50..150).contains(&(from - to))
        }
        _ => false,
    });
    assert!(back.count() >= 3, "it goes back by half a second each time");
}

/// The time in which a partition accepts no writes, until its leader is replaced, is reported.
#[test]
fn u6_a_summary_of_writes_has_the_longest_silence() {
    let text = "[[topics]]\nname = 't'\n[[producers]]\nrecords = 3000\nrate = 200\n\
        [[faults]]\nkind = 'crash'\ntarget = 'leader(t-0)'\nat = '3s'\nlasts = '20s'\n";
    let verdict = verdict(text, 1);
    let writes = verdict.writes.expect("records were written");
    let silence = writes.silence.as_ref().expect("it accepted none until another broker led");
    assert_eq!(silence.partition, "t-0");
    assert!((2_900_000_000..3_100_000_000).contains(&silence.since_ns), "{silence:?}");
    assert!(silence.lasted_ns > 1_000_000_000 && writes.longest_us >= silence.lasted_ns / 1_000);
    assert!(writes.median_us < writes.p99_us && writes.p99_us <= writes.longest_us, "{writes:?}");
}
