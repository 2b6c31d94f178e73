//! Many seeds, by `scenario --seeds` and by `fuzz`: one format, one way of counting.

use super::fuzz::timeless;
use super::{Ended, Folder};
use std::collections::BTreeSet;
use std::fs;

#[test]
fn scenario_and_fuzz_have_equal_results_for_equal_seeds() {
    let folder = Folder::new("series-same");
    let args = "museum-kip-497 --bug KIP-497 --seeds 0..12 --json";
    let args: Vec<&str> = args.split(' ').collect();
    let series = folder.run(&[&["scenario"], &args[..]].concat());
    let fuzzed = folder.run(&[&["fuzz"], &args[..]].concat());
    assert_eq!((series.code, fuzzed.code), (Some(1), Some(1)), "{series:#?}");
    assert_eq!(timeless(&series.json()), timeless(&fuzzed.json()));
    let results: Vec<String> = fs::read_dir(folder.path().join("results"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let own = |name: &&String| name.starts_with("museum-kip-497-") || *name == "latest";
    assert!(results.iter().filter(own).count() > 1, "failures have results: {results:?}");
}

/// A14: losses with acks=0 are counted for many seeds as for each of them.
#[test]
fn losses_of_acks_0_are_counted_once_and_in_the_same_words() {
    let folder = Folder::new("series-acks-0");
    let run = |seeds: &[&str]| {
        let args = ["scenario", "leader-crash", "--set", "acks=0"];
        folder.run(&[&args[..], seeds].concat())
    };
    let mut expected = 0;
    for seed in 0..4 {
        let verdict = run(&["--seed", &seed.to_string(), "--json"]).json();
        let of_acks_0 = |it: &&serde_json::Value| {
            let hazard = it["hazard"].as_str().unwrap_or_default();
            hazard.starts_with("acks0-un") || hazard == "acks0-power-lost"
        };
        let permitted = verdict["permitted"].as_array().unwrap().iter().filter(of_acks_0);
        expected += permitted.filter_map(|it| it["count"].as_u64()).sum::<u64>();
    }
    let report = run(&["--seeds", "0..4", "--json"]).json();
    assert_eq!(report["unconfirmed_lost"], expected);
    assert!(
        expected > 0 && report["affected"]["unconfirmed_lost"].as_u64() > Some(0),
        "{report:#}"
    );
    let text = run(&["--seeds", "0..4"]).out;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains(&format!("{expected} lost of the unconfirmed")), "{text}");
}

/// U3: every output has the harm of a signature's runs.
#[test]
fn a_signature_has_its_harm_and_its_worst_seed() {
    let folder = Folder::new("series-worst");
    let mut command = folder.program();
    command.env("GITHUB_ACTIONS", "true").env("GITHUB_STEP_SUMMARY", "step.md");
    let args = "fuzz museum-kip-101 --bug KIP-101 --seeds 0..8 --json --junit junit.xml";
    let ended = Ended::of(command.args(args.split(' ')));
    assert_eq!(ended.code, Some(1), "{ended:#?}");
    let report = ended.json();
    let groups = report["signatures"].as_array().unwrap();
    let lost = |group: &serde_json::Value| group["affected"]["lost"].as_u64().unwrap();
    let group = groups.iter().find(|group| lost(group) > 0).expect("some lose records");
    let worst = folder.path().join(group["worst"]["out"].as_str().unwrap());
    let text = fs::read_to_string(worst.join("verdict.json")).unwrap();
    let verdict: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(verdict["counts"]["lost"].as_u64() > Some(0), "the worst lost records");
    let words = format!(
        "{} run{} lost acknowledged records",
        lost(group),
        if lost(group) == 1 { "" } else { "s" }
    );
    let xml = fs::read_to_string(folder.path().join("junit.xml")).unwrap();
    assert!(xml.contains(&words), "{words}: {xml}");
    assert!(ended.err.contains(&words), "{words}: {}", ended.err);
    let step = fs::read_to_string(folder.path().join("step.md")).unwrap();
    let row = format!("| {} | {} |", group["count"], lost(group));
    assert!(step.contains(&row), "{row}: {step}");
}

/// S7: steps that no run has reached are listed.
#[test]
fn every_step_was_reached_or_is_listed() {
    let folder = Folder::new("series-reached");
    let report = folder.run(&["fuzz", "swarm", "--seeds", "0..20", "--json"]).json();
    let listed = folder.run(&["list", "reaches", "--json"]).json();
    let names = |value: &serde_json::Value, key: &str| -> BTreeSet<String> {
        let of = |it: &serde_json::Value| match key {
            "" => it.as_str().unwrap().to_owned(),
            key => it[key].as_str().unwrap().to_owned(),
        };
        value.as_array().unwrap().iter().map(of).collect()
    };
    let (all, never) = (names(&listed["reaches"], "name"), names(&report["not_reached"], ""));
    let reached: BTreeSet<String> =
        report["exercised"].as_object().unwrap().keys().cloned().collect();
    assert!(never.is_disjoint(&reached) && never.is_subset(&all), "{never:?}");
    assert!(all.iter().all(|name| never.contains(name) || reached.contains(name)));
    let text = folder.run(&["fuzz", "swarm", "--seeds", "0..20"]).out;
    let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // They are listed by kind. Errors and rules may be too many to be named.
    let list: Vec<&str> =
        report["not_reached"].as_array().unwrap().iter().filter_map(|it| it.as_str()).collect();
    let [(_, steps), (_, errors), _, (_, effects)] = spec::reach::by_kind(list);
    assert!(words.contains(&format!("never steps: {}", steps.join(", "))), "{text}");
    assert!(words.contains(&format!("effects: {}", effects.join(", "))), "{text}");
    assert!(words.contains(&format!("{} errors, such as {}, ", errors.len(), errors[0])), "{text}");
}
