//! `faultline list`: what there is.

use crate::args::{ListArgs, What};
use crate::exit::{self, Failure, print_json};
use crate::style::{Style, WIDTH, wrapped};
use scenarios::check::CHECKS;
use scenarios::result::VERSION;
use scenarios::spec::{Family, OWN, property_list, reach};
use scenarios::{catalog, museum};
use schemars::JsonSchema;
use serde::Serialize;
use std::collections::BTreeMap;

/// Everything that was asked for, by kind.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(title = "What Faultline knows")]
pub(crate) struct Listing {
    /// The version of the format.
    version: u32,
    /// The entries of each kind.
    #[serde(flatten)]
    kinds: BTreeMap<&'static str, Vec<Entry>>,
}

/// One thing there is.
#[derive(Debug, Serialize, JsonSchema)]
struct Entry {
    /// Its name.
    name: String,
    /// What it is.
    summary: String,
}

/// Prints what there is.
pub(crate) fn command(args: &ListArgs) -> Result<u8, Failure> {
    let all = [
        What::Scenarios,
        What::Faults,
        What::Checks,
        What::Rules,
        What::Bugs,
        What::Configs,
        What::Reaches,
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
        text.push_str(&table(&kinds[name(what)]));
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
    }
}

fn entries(what: What) -> Vec<Entry> {
    fn entry(name: impl Into<String>, summary: impl Into<String>) -> Entry {
        Entry { name: name.into(), summary: summary.into() }
    }
    match what {
        What::Scenarios => catalog::titles().map(|(name, title)| entry(name, title)).collect(),
        What::Faults => {
            Family::ALL.iter().map(|family| entry(family.name(), family.summary().trim())).collect()
        }
        What::Checks => CHECKS.iter().map(|row| entry(row.name, row.promise)).collect(),
        What::Rules => engine::rules::Rules::NAMES
            .iter()
            .map(|(name, path)| entry(*name, format!("engine::rules::{path}")))
            .collect(),
        What::Bugs => museum::BUGS.iter().map(|bug| entry(bug.id, bug.summary)).collect(),
        What::Configs => {
            let own = OWN.iter().map(|(name, what)| entry(*name, format!("({what})")));
            let kafka = property_list()
                .into_iter()
                .map(|(name, of, default)| entry(name, format!("{default} ({of})")));
            own.chain(kafka).collect()
        }
        What::Reaches => reach::all().map(|(name, what)| entry(name, what)).collect(),
    }
}

/// Names and what they are, in two columns.
fn table(entries: &[Entry]) -> String {
    let longest = entries.iter().map(|entry| entry.name.len()).max().unwrap_or(0);
    let column = longest.min(48) + 4;
    let mut text = String::new();
    for Entry { name, summary } in entries {
        let lines = wrapped(summary, WIDTH.saturating_sub(column).max(40));
        let mut head = format!("  {name}");
        for line in lines.iter().map(String::as_str).chain(lines.is_empty().then_some("")) {
            text.push_str(format!("{head:<column$}{line}").trim_end());
            text.push('\n');
            head.clear();
        }
    }
    text
}
