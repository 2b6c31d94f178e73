//! `explain.md`: a run in words, at the length that it needs.

use super::clients::Errors;
use super::panic::Panic;
use super::record::RunRecord;
use super::verdict::{Outcome, Verdict};
use crate::plan::{Fate, PlannedFault};
use engine::reach::Reach;
use sim::text::span_in_words;
use spec::{Fault, reach};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// The run in words, as Markdown.
pub fn explain(verdict: &Verdict, record: &RunRecord) -> String {
    let mut text = String::new();
    // Writing into a string cannot fail.
    let _ = write_all(&mut text, verdict, record);
    text
}

fn write_all(out: &mut String, verdict: &Verdict, record: &RunRecord) -> std::fmt::Result {
    let scenario = &record.scenario;
    writeln!(out, "# {}, seed {}: {}\n", scenario.name, verdict.seed, verdict.outcome.name())?;
    writeln!(out, "{}\n", verdict.headline())?;
    if !scenario.description.is_empty() {
        writeln!(out, "> {}\n", scenario.description.trim().replace('\n', "\n> "))?;
    }
    if let Some(it) = &verdict.panic {
        panic(out, it)?;
    }
    if let Some(cause) = verdict.cause() {
        writeln!(
            out,
            "First noticed by `{}` at {}. `fuzz` counts the run under the signature `{}`.\n",
            cause.check,
            moment(cause.at_ns),
            cause.signature
        )?;
    }
    clients(out, verdict)?;
    violations(out, verdict)?;
    permitted(out, verdict)?;
    // The first entry is the panic itself.
    let shown = usize::from(verdict.panic.is_some());
    if verdict.unknown.len() > shown {
        writeln!(out, "## What the run does not decide\n")?;
        for line in &verdict.unknown[shown..] {
            writeln!(out, "- {line}")?;
        }
        writeln!(out)?;
    }
    if verdict.outcome != Outcome::Panic {
        records(out, verdict)?;
    }
    faults(out, &record.faults)?;
    exercised(out, verdict)?;
    configuration(out, record)?;
    reproduction(out, verdict, record)
}

/// The waits of clients, and the clients that ended as Kafka's would.
fn clients(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if let Some(writes) = &verdict.writes {
        writeln!(out, "Writes: {}.\n", writes.in_words())?;
        if let Some(times) = verdict.exercised.get(Reach::VerificationRetried.name()) {
            writeln!(
                out,
                "{times} times a leader could not take the first records of a transaction yet, since \
                 the markers of the one before were not written, and asked the coordinator again after \
                 `add.partitions.to.txn.retry.backoff.ms` (20 ms unless set): docs/transactions.md.\n"
            )?;
        }
    }
    if let Some(reads) = &verdict.reads {
        writeln!(out, "Waits of consumers for available records: {}.\n", reads.in_words())?;
    }
    if verdict.notices.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Clients that made no further progress\n")?;
    for notice in &verdict.notices {
        writeln!(out, "- {}: {}", notice.node, notice.what)?;
    }
    writeln!(out)
}

fn panic(out: &mut String, panic: &Panic) -> std::fmt::Result {
    writeln!(out, "## Where the program failed\n")?;
    writeln!(out, "- What: {}", panic.message)?;
    if !panic.place.is_empty() {
        writeln!(out, "- Place in the source: {}", panic.place)?;
    }
    writeln!(out, "- When: {}\n", where_in_run(panic))?;
    if !panic.input.is_empty() {
        writeln!(out, "The input in full:\n\n    {}\n", panic.input)?;
    }
    for (what, events) in [
        ("The causes, each event caused by the one before", &panic.causes),
        ("The last events of the node", &panic.of_node),
        ("The last events of the connection", &panic.of_connection),
    ] {
        if !events.is_empty() {
            writeln!(out, "{what}:\n")?;
            for event in events {
                writeln!(out, "    {event}")?;
            }
            writeln!(out)?;
        }
    }
    Ok(())
}

/// The time, the node and the input of a panic, in one line.
pub fn where_in_run(panic: &Panic) -> String {
    let mut line = format!("at {}, in {}", moment(panic.at_ns), panic.during);
    if !panic.node.is_empty() {
        line.push_str(&format!(", at node {}", panic.node));
    }
    match (panic.handling.as_str(), panic.event) {
        ("", 0) => line.push_str(", before the first event"),
        ("", event) => line.push_str(&format!(", after event {event}")),
        (handling, event) => line.push_str(&format!(" handling event {event}: {handling}")),
    }
    line
}

fn violations(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if verdict.violations.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Promises that were broken\n")?;
    writeln!(out, "Times count from the start of the load.\n")?;
    for violation in &verdict.violations {
        writeln!(out, "### {}\n", violation.summary)?;
        let at = moment(violation.at_ns);
        write!(out, "Found by `{}` at {at}", violation.check)?;
        if !violation.partition.is_empty() {
            write!(out, " in {}", violation.partition)?;
        }
        if let Some(offset) = violation.offset {
            write!(out, " at offset {offset}")?;
        }
        writeln!(out, ". Signature: `{}`.\n", violation.signature)?;
        for (i, line) in violation.explanation.iter().enumerate() {
            writeln!(out, "{}. {line}", i + 1)?;
        }
        if !violation.explanation.is_empty() {
            writeln!(out)?;
        }
        events(out, &violation.events)?;
    }
    Ok(())
}

fn permitted(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if verdict.permitted.is_empty() {
        return Ok(());
    }
    writeln!(out, "## Anomalies that the configuration permits\n")?;
    writeln!(out, "Times count from the start of the load.\n")?;
    for permitted in &verdict.permitted {
        let plural = if permitted.count == 1 { "" } else { "s" };
        let count = match permitted.partition.as_str() {
            "" => format!("{} time{plural}", permitted.count),
            partition => format!("{} record{plural} of {partition}", permitted.count),
        };
        writeln!(
            out,
            "- **{}**: {count}: {}. Permitted because {}.",
            permitted.hazard,
            permitted.summary.trim_end_matches('.'),
            permitted.because.trim_end_matches('.')
        )?;
        for (place, line) in permitted.explanation.iter().enumerate() {
            writeln!(out, "  {}. {line}", place + 1)?;
        }
    }
    writeln!(out)
}

fn events(out: &mut String, events: &[u64]) -> std::fmt::Result {
    if events.is_empty() {
        return Ok(());
    }
    let list: Vec<String> = events.iter().map(u64::to_string).collect();
    writeln!(out, "Events of the trace: {}.\n", list.join(", "))
}

fn records(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    let counts = &verdict.counts;
    writeln!(out, "## Records\n")?;
    writeln!(out, "| | records |\n|---|---:|")?;
    for (name, count) in counts.rows() {
        writeln!(out, "| {name} | {count} |")?;
    }
    writeln!(out)?;
    transactions(out, verdict)?;
    groups(out, verdict)?;
    let errors = &verdict.errors;
    if *errors == Errors::default() {
        return Ok(());
    }
    writeln!(out, "Errors, by Kafka's names:\n")?;
    writeln!(out, "| error | records failed | records unknown | batches resent |")?;
    writeln!(out, "|---|---:|---:|---:|")?;
    let names = errors.failed.keys().chain(errors.unknown.keys()).chain(errors.retried.keys());
    for name in names.collect::<BTreeSet<_>>() {
        let of = |counts: &BTreeMap<String, u64>| counts.get(name).copied().unwrap_or(0);
        let (failed, unknown) = (of(&errors.failed), of(&errors.unknown));
        writeln!(out, "| {name} | {failed} | {unknown} | {} |", of(&errors.retried))?;
    }
    writeln!(out)
}

/// What the members of each group of consumers did.
fn groups(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if verdict.groups.is_empty() {
        return Ok(());
    }
    for (group, counts) in &verdict.groups {
        writeln!(out, "Group {group}: {}.\n", counts.in_words())?;
    }
    writeln!(
        out,
        "Skipped: records that no member processed, though the group has gone beyond them. Processed \
         again: records that were processed more than once.\n"
    )
}

/// The outcomes of transactions, and the sum over accounts.
fn transactions(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    if let Some(transactions) = &verdict.transactions {
        writeln!(out, "| | transactions | records in them |\n|---|---:|---:|")?;
        for (name, share) in transactions.rows() {
            writeln!(out, "| {name} | {} | {} |", share.transactions, share.records)?;
        }
        writeln!(out)?;
        if transactions.maybe > 0 {
            writeln!(
                out,
                "Fenced or unanswered after `commitTransaction` was called, so that the application does \
                 not know the result (maybe): {}; of these the logs hold {} committed.\n",
                transactions.maybe, transactions.maybe_committed
            )?;
        }
        if !transactions.errors.is_empty() {
            let row = |(name, count): (&String, &u64)| format!("{name} {count}");
            let errors: Vec<String> = transactions.errors.iter().map(row).collect();
            writeln!(out, "Errors that ended transactions: {}.\n", errors.join(", "))?;
        }
    }
    if let Some(sum) = &verdict.sum {
        writeln!(out, "The sum over accounts: {}.\n", sum.in_words())?;
    }
    Ok(())
}

fn faults(out: &mut String, faults: &[PlannedFault]) -> std::fmt::Result {
    writeln!(out, "## Faults\n")?;
    if faults.is_empty() {
        return writeln!(out, "None.\n");
    }
    for planned in faults {
        let origin = match (&planned.fault.name, planned.generated) {
            (Some(name), true) => format!(" (chosen by the seed, of `{name}`)"),
            (None, true) => " (chosen by the seed)".to_owned(),
            (Some(name), false) => format!(" (`{name}`)"),
            (None, false) => String::new(),
        };
        writeln!(out, "- {}{origin}: {}", describe(&planned.fault), fate(&planned.fate))?;
    }
    writeln!(out)
}

/// The fault and its targets: `crash leader(orders-0)`.
pub fn what(fault: &Fault) -> String {
    fault.kind.in_words(&|target| target.to_string())
}

/// A fault in one line, its trigger included:
pub fn describe(fault: &Fault) -> String {
    let mut line = what(fault);
    if let Some(lasts) = fault.lasts {
        line.push_str(&format!(" for {}", span_in_words(lasts.0)));
    }
    match (&fault.at, &fault.when) {
        (Some(at), Some(when)) => {
            line.push_str(&format!(", from {} on when {when}", moment(at.nanos())));
        }
        (Some(at), None) => line.push_str(&format!(" at {}", moment(at.nanos()))),
        (None, Some(when)) => line.push_str(&format!(" when {when}")),
        (None, None) => {}
    }
    line
}

/// The fate of a fault, in words.
pub fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Fired { at_ns, injected, suppressed, without_effect } => {
            let mut line = format!("at {} it struck: {}", moment(*at_ns), injected.join("; "));
            if !suppressed.is_empty() {
                line.push_str(&format!(" (left out: {})", suppressed.join("; ")));
            }
            if !without_effect.is_empty() {
                line.push_str(&format!(" (without effect: {})", without_effect.join("; ")));
            }
            line
        }
        Fate::Suppressed { at_ns, because } => {
            format!("left out at {}: {}", moment(*at_ns), because.join("; "))
        }
        Fate::NoTarget { at_ns, because } => {
            let because = match because.as_slice() {
                [] => "no matching node was running".to_owned(),
                because => because.join("; "),
            };
            format!("not injected at {}: {because}", moment(*at_ns))
        }
        Fate::NeverFired { because } => because.clone(),
    }
}

/// A time since the start of the load, or a simulated duration, to the millisecond: `17.312 s`;
/// negative before the load.
pub fn moment(nanos: impl Into<i128>) -> String {
    let nanos: i128 = nanos.into();
    let (sign, nanos) = (if nanos < 0 { "-" } else { "" }, nanos.unsigned_abs());
    format!("{sign}{}.{:03} s", nanos / 1_000_000_000, nanos / 1_000_000 % 1_000)
}

fn exercised(out: &mut String, verdict: &Verdict) -> std::fmt::Result {
    writeln!(out, "## What was exercised\n")?;
    let (marked, counted): (Vec<_>, Vec<_>) =
        verdict.exercised.iter().partition(|(name, _)| reach::is_marked(name));
    for (name, count) in counted {
        writeln!(out, "- {name}: {count}")?;
    }
    let (branches, errors): (Vec<&str>, Vec<&str>) =
        marked.into_iter().map(|(name, _)| name.as_str()).partition(|name| name.contains('.'));
    for (what, names) in [("errors returned", errors), ("decisions of rules", branches)] {
        if !names.is_empty() {
            writeln!(out, "- {what}, not counted: {}", names.join(", "))?;
        }
    }
    for name in &verdict.not_exercised {
        writeln!(out, "- **not exercised: {name}**")?;
    }
    for bug in &verdict.bugs {
        let s = if bug.reached == 1 { "" } else { "s" };
        writeln!(out, "- bug {}: its rule made a difference {} time{s}", bug.id, bug.reached)?;
    }
    writeln!(out)
}

fn configuration(out: &mut String, record: &RunRecord) -> std::fmt::Result {
    if !record.drawn.is_empty() {
        writeln!(out, "## What the seed drew\n\n{}\n", record.drawn.join(", "))?;
    }
    writeln!(out, "## Properties that differ from Kafka's defaults\n")?;
    writeln!(out, "| of | property | value | default |\n|---|---|---|---|")?;
    for it in &record.not_default {
        writeln!(out, "| {} | {} | {} | {} |", it.of, it.property, it.value, it.default)?;
    }
    writeln!(out)
}

fn reproduction(out: &mut String, verdict: &Verdict, record: &RunRecord) -> std::fmt::Result {
    writeln!(out, "## Reproduction\n")?;
    writeln!(out, "    {}", record.command())?;
    if !verdict.replay.is_empty() {
        writeln!(out, "    {}", verdict.replay)?;
    }
    writeln!(out)?;
    writeln!(
        out,
        "Digest {} after {} events in {} of simulated time.",
        verdict.digest,
        verdict.events,
        moment(verdict.simulated_ns)
    )?;
    if verdict.outcome == Outcome::Panic {
        writeln!(out, "\nA panic is a defect of Faultline, not of the cluster.")?;
    }
    Ok(())
}
