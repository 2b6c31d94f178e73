//! `faultline list`: scenarios, faults, checks and so on.

use crate::args::{ListArgs, What};
use crate::exit::{self, Failure, print_json};
use crate::style::{Style, wrapped};
use judge::check::CHECKS;
use scenarios::result::VERSION;
use scenarios::{catalog, museum};
use schemars::JsonSchema;
use serde::Serialize;
use spec::{Family, Listed, MetricKind, OWN, Origin, TARGETS, Takes, property_list, reach};
use std::collections::BTreeMap;

/// The requested entries, by kind.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "What Faultline knows")]
pub(crate) struct Listing {
    /// The version of the format.
    version: u32,
    /// The entries of each kind.
    #[serde(flatten)]
    kinds: BTreeMap<&'static str, Vec<Entry>>,
}

/// An entry.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    /// Its name.
    name: String,
    /// Its summary.
    summary: String,
}

/// Prints the requested entries.
pub(crate) fn command(args: &ListArgs) -> Result<u8, Failure> {
    let all = [
        What::Scenarios,
        What::Faults,
        What::Targets,
        What::Measures,
        What::Reaches,
        What::Checks,
        What::Rules,
        What::Bugs,
        What::Configs,
    ];
    let wanted = args.what.map_or_else(|| all.to_vec(), |what| vec![what]);
    let kinds: BTreeMap<_, _> = wanted.iter().map(|what| (name(*what), entries(*what))).collect();
    if args.json {
        print_json(&Listing { version: VERSION, kinds });
        return Ok(0);
    }
    let style = Style::of_stdout();
    let mut text = String::new();
    for what in wanted {
        if args.what.is_none() {
            text.push_str(&format!("{}\n", style.strong(name(what))));
        }
        text.push_str(&table(&kinds[name(what)], style.width()));
        text.push('\n');
    }
    exit::print(&text);
    Ok(0)
}

const fn name(what: What) -> &'static str {
    match what {
        What::Scenarios => "scenarios",
        What::Faults => "faults",
        What::Checks => "checks",
        What::Rules => "rules",
        What::Bugs => "bugs",
        What::Configs => "configs",
        What::Reaches => "reaches",
        What::Targets => "targets",
        What::Measures => "measures",
    }
}

fn entries(what: What) -> Vec<Entry> {
    fn entry(name: impl Into<String>, summary: impl Into<String>) -> Entry {
        Entry { name: name.into(), summary: summary.into() }
    }
    match what {
        What::Scenarios => catalog::titles().map(|(name, title)| entry(name, title)).collect(),
        What::Faults => Family::all()
            .map(|family| {
                let own = family.own_fields().collect::<Vec<_>>().join(", ");
                entry(
                    family.name(),
                    format!("{}. Keys: {own}.", plain(&family.summary()).trim_end_matches('.')),
                )
            })
            .collect(),
        What::Targets => TARGETS.iter().map(|(name, what)| entry(*name, *what)).collect(),
        What::Measures => MetricKind::ALL
            .iter()
            .map(|(name, _, takes, what)| {
                let of = match takes {
                    Takes::Nothing => "",
                    Takes::Partition => " [of a partition]",
                    Takes::TopicOrPartition => " [of a topic, a partition, or all]",
                };
                entry(*name, format!("{}{of}", plain(what)))
            })
            .collect(),
        What::Checks => CHECKS.iter().map(|row| entry(row.name, row.promise)).collect(),
        What::Rules => engine::rules::Rules::NAMES
            .iter()
            .zip(engine::rules::Rules::SUMMARIES)
            .map(|((name, path), summary)| entry(*name, format!("{} [{path}]", plain(summary))))
            .collect(),
        What::Bugs => bugs()
            .iter()
            .map(|bug| {
                let museum::Bug { id, summary, status, scenario, .. } = bug;
                entry(*id, format!("{summary} [{status}; scenario {scenario}]"))
            })
            .collect(),
        What::Configs => {
            let own = |what: &str| format!("{what} (Faultline's own)");
            let own = OWN.iter().map(|(name, what)| entry(*name, own(what)));
            own.chain(property_list().iter().map(config)).collect()
        }
        What::Reaches => reach::all().map(|(name, what)| entry(name, plain(&what))).collect(),
    }
}

/// The bugs of the museum in the order of their ids, where numbers are compared as numbers.
pub(crate) fn bugs() -> Vec<&'static museum::Bug> {
    let mut bugs: Vec<&museum::Bug> = museum::BUGS.iter().collect();
    bugs.sort_by_key(|bug| {
        let number = bug.id.rsplit('-').next().and_then(|end| end.parse::<u32>().ok());
        let name = bug.id.trim_end_matches(|c: char| c.is_ascii_digit());
        (name, number, bug.id)
    });
    bugs
}

/// A property: its meaning, its default, its range, and the processes that have it.
fn config(it: &Listed) -> Entry {
    let default = match it.default_in_words().as_str() {
        // Kafka's name for its own behaviour.
        "default" => "Kafka's own".to_owned(),
        "" => "empty".to_owned(),
        // Names of classes, which are of no use here.
        default if default.len() > 40 => "Kafka's own".to_owned(),
        default => default.to_owned(),
    };
    let range = if it.range.is_empty() { String::new() } else { format!(", {}", it.range) };
    let what = match it.origin {
        Origin::Kafka => plain(&it.summary),
        Origin::Own => format!("{} (Faultline's own)", plain(&it.summary)),
        Origin::Unmodelled => format!("not modelled: {}", it.summary),
    };
    let summary = format!("{what}; {default} by default{range} ({})", it.of);
    Entry { name: it.name.to_owned(), summary }
}

/// A doc comment as a phrase: without the capital and the full stop of a sentence.
fn plain(comment: &str) -> String {
    let text = comment.trim().trim_end_matches('.');
    let mut letters = text.chars();
    let first = letters.next();
    let is_name = letters.clone().next().is_some_and(char::is_uppercase);
    match first {
        Some(first) if !is_name => first.to_lowercase().chain(letters).collect(),
        _ => text.to_owned(),
    }
}

/// Names and summaries, in two columns.
fn table(entries: &[Entry], width: usize) -> String {
    let longest = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let column = longest.min(width / 3) + 4;
    let mut text = String::new();
    for Entry { name, summary } in entries {
        let mut head = format!("  {name}");
        if head.len() + 2 > column {
            text.push_str(&format!("{head}\n"));
            head.clear();
        }
        for line in wrapped(summary, width.saturating_sub(column).max(30)) {
            text.push_str(&format!("{head:<column$}{line}\n"));
            head.clear();
        }
    }
    text
}
