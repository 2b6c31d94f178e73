//! Converts the observations of `scenarios` into the format of `reports`.

use super::args::AcksArgs;
use machine::Digest;
use reports::acks::{
    Acks, FORMAT, Header, Latencies, Loss, NotDefault, Produce, RecordCounts, Run, Seeds, Setting,
    Study, Violation,
};
use scenarios::escape::shell;
use scenarios::result::{Outcome, command, where_in_run};
use scenarios::study::{self, ACKS, Observed, Panicked, SCENARIO, Under};
use spec::Scenario;

/// The compared properties, which cannot be set.
pub(super) const COMPARED: [&str; 3] = ["acks", "min.insync.replicas", "enable.idempotence"];

/// The common header of all runs.
pub(super) fn header(scenario: &Scenario, args: &AcksArgs) -> Header {
    let seeds = Seeds { from: args.seeds.start, to: args.seeds.end };
    let swarm = scenario.swarm.as_ref();
    let pair = |set: &String| {
        let (key, value) = set.split_once('=').unwrap_or((set, ""));
        (key.trim().to_owned(), value.trim().to_owned())
    };
    Header {
        kind: Header::kind(),
        version: FORMAT,
        faultline: env!("CARGO_PKG_VERSION").to_owned(),
        build: scenarios::BUILD.to_owned(),
        scenario: scenario.name.clone(),
        title: scenario.title.clone(),
        seeds,
        cut_short: None,
        settings: ACKS.iter().map(|under| setting(*under)).collect(),
        replication_factor: scenario.topics.iter().map(|t| t.replication_factor).max().unwrap_or(0),
        partitions: scenario.topics.iter().map(|topic| topic.partitions).sum(),
        unclean_leader_election: unclean(scenario),
        flush_messages: flush_messages(scenario),
        linger_ms: linger_ms(scenario),
        rate_per_s: scenario.producers.iter().map(|producers| producers.rate).sum(),
        families: swarm
            .map_or(&[][..], |swarm| &swarm.families)
            .iter()
            .map(|family| family.name().to_owned())
            .collect(),
        lone_leaders: swarm.map_or_else(|| "0%".to_owned(), |it| it.lone_leaders.to_string()),
        not_default: not_default(scenario),
        overrides: args.set.iter().map(pair).collect(),
        command: line(seeds, &args.set),
    }
}

/// A run that a panic ended, in words, and the command that repeats it alone and explains it.
pub(super) fn panicked(by_hand: &[String], panicked: &Panicked) -> String {
    let Panicked { variant, verdict } = panicked;
    let settings = ACKS[*variant].settings(by_hand);
    let alone = command(SCENARIO, &format!("--seed {}", verdict.seed), &settings, &[]);
    let at = verdict.panic.as_ref().map(where_in_run).unwrap_or_default();
    format!("{}, {at}\nto see what led there: {alone}", verdict.headline())
}

/// The command that makes the runs of these seeds.
pub(super) fn line(seeds: Seeds, by_hand: &[String]) -> String {
    let mut line = format!("faultline report acks --seeds {}", seeds.text());
    for set in by_hand {
        line.push_str(&format!(" --set {}", shell(set)));
    }
    line
}

/// The properties that differ from Kafka's defaults, except the compared ones.
fn not_default(scenario: &Scenario) -> Vec<NotDefault> {
    let others =
        scenario.not_default().into_iter().filter(|it| !COMPARED.contains(&it.property.as_str()));
    let listed = others.map(|it| NotDefault {
        of: it.of,
        property: it.property,
        value: it.value,
        default: it.default,
    });
    listed.collect()
}

/// Whether any topic may elect a leader that was not in sync.
fn unclean(scenario: &Scenario) -> bool {
    scenario.topics.iter().any(|topic| scenario.topic_config(topic).unclean_leader_election)
}

/// The maximum number of records that a replica of any topic leaves unsynced, if every topic has a
/// limit.
fn flush_messages(scenario: &Scenario) -> Option<u64> {
    let of = |topic| u64::try_from(scenario.topic_config(topic).flush_messages).ok();
    let limit = scenario.topics.iter().filter_map(of).max();
    limit.filter(|limit| *limit < i64::MAX as u64)
}

/// The longest time that any producer waits for a batch to fill.
fn linger_ms(scenario: &Scenario) -> u64 {
    let lingers = scenario.producers.iter().map(|producers| producers.config().linger);
    lingers.max().map_or(0, |linger| linger.0 / 1_000_000)
}

fn setting(under: Under) -> Setting {
    let acks = Acks::EACH.into_iter().find(|acks| acks.name() == under.acks);
    Setting {
        acks: acks.unwrap_or(Acks::All),
        min_isr: under.min_isr,
        idempotence: under.idempotence,
    }
}

/// A run under a setting; `by_hand` are the settings of all runs.
pub(super) fn run(under: Under, by_hand: &[String], observed: Observed) -> Run {
    let Observed { verdict, lost, faults, measured } = observed;
    let reached = |name: &str| verdict.exercised.contains_key(name);
    let lone_leader = reached(study::LONE_LEADER);
    let leader_replaced = study::REPLACED.iter().any(|name| reached(name));
    let isr_shrunk = reached(study::SHRUNK);
    let counts = verdict.counts;
    let arguments = under.settings(by_hand);
    Run {
        setting: setting(under),
        seed: verdict.seed,
        outcome: verdict.outcome.name().to_owned(),
        digest: verdict.digest,
        records: RecordCounts {
            sent: counts.sent,
            acked: counts.acked,
            unconfirmed: counts.unconfirmed,
            failed: counts.failed,
            unknown: counts.unknown,
            lost: lost.iter().map(|lost| lost.count).sum(),
            duplicated: counts.duplicated,
            reordered: counts.reordered,
        },
        faults: faults.into_iter().map(|(family, count)| (family.to_owned(), count)).collect(),
        lone_leader,
        leader_replaced,
        isr_shrunk,
        losses: lost
            .into_iter()
            .map(|lost| Loss {
                hazard: lost.reason,
                broken: lost.broken,
                count: lost.count,
                because: lost.because,
            })
            .collect(),
        latency: Latencies::of(measured.latencies_us),
        produce: Produce {
            batches: measured.batches,
            retries: measured.retries,
            errors: measured.errors,
        },
        offered_ns: measured.offered_ns,
        written_meanwhile: measured.written_meanwhile,
        unavailable_ns: measured.unavailable_ns,
        violations: verdict
            .violations
            .into_iter()
            .map(|violation| Violation { check: violation.check, summary: violation.summary })
            .collect(),
        reproduce: command(SCENARIO, &format!("--seed {}", verdict.seed), &arguments, &[]),
    }
}

/// The outcome of the runs of a study, whether or not they tested each setting.
pub(super) fn outcome(study: &Study) -> Outcome {
    let all = [Outcome::Violation, Outcome::Unknown, Outcome::Vacuous, Outcome::Pass];
    let of = |run: &Run| all.into_iter().find(|outcome| outcome.name() == run.outcome);
    Outcome::worst(study.runs.iter().map(|run| of(run).unwrap_or(Outcome::Unknown)))
}

/// The name of a report's directory: the same for the same runs.
pub(super) fn directory_name(study: &Study) -> String {
    let mut digest = Digest::default();
    digest.fold_bytes(study.header.faultline.as_bytes());
    study.runs.iter().for_each(|run| digest.fold_bytes(run.digest.as_bytes()));
    let Seeds { from, to } = study.header.seeds;
    format!("acks-{from}-{to}-{}", &digest.hex()[..8])
}
