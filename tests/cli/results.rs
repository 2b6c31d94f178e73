//! The results directory, and runs that are made again.

use super::{Folder, small};
use scenarios::result::{files, what};
use std::fs;

#[test]
fn a_run_leaves_a_directory_that_replays_after_the_file_has_changed() {
    let folder = Folder::new("results");
    folder.file("small.toml", &small(""));
    let verdict = folder.run(&["scenario", "small.toml", "--seed", "7", "--json"]).json();
    let digest = verdict["digest"].as_str().unwrap();
    let name = format!("small-7-{}", &digest[..8]);
    assert_eq!(verdict["out"], format!("results/{name}"));
    let results = folder.path().join("results");
    let mut names: Vec<_> = fs::read_dir(results.join(&name))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    assert_eq!(names, ["explain.md", "repro.txt", "run.json", "verdict.json"]);
    assert_eq!(fs::read_link(results.join("latest")).unwrap().to_str(), Some(name.as_str()));
    let repro = fs::read_to_string(results.join("latest/repro.txt")).unwrap();
    assert_eq!(repro, "faultline scenario small.toml --seed 7\n");
    assert!(
        fs::read_dir(&results)
            .unwrap()
            .all(|entry| { !entry.unwrap().file_name().to_string_lossy().starts_with('.') }),
        "no draft stays"
    );

    folder.file("small.toml", "name = \"nothing that is left of it\"");
    let again = folder.run(&["replay", "results/latest", "--json"]);
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert_eq!(again.json()["digest"], digest);
    let again = folder.run(&["replay", "results/latest/run.json", "--trace", "--until", "1s"]);
    assert_eq!(again.code, Some(0), "{again:#?}");
    assert!(again.out.contains("events up to 1s into the load:"), "{}", again.out);
    assert!(results.join("latest/trace.jsonl.gz").is_file());
    assert!(fs::read_to_string(results.join("latest/history.jsonl")).unwrap().lines().count() > 50);
}

/// Two scenarios may have the same run up to the last event, and different expectations.
#[test]
fn another_run_of_the_same_digest_keeps_its_results() {
    let folder = Folder::new("results-alike");
    folder.file("a.toml", &small(""));
    folder.file("b.toml", &small("").replace("a small one", "another"));
    let run = |file: &str| folder.run(&["scenario", file, "--seed", "7", "--json"]).json();
    let (first, other) = (run("a.toml"), run("b.toml"));
    assert_eq!(first["digest"], other["digest"]);
    assert_eq!(other["out"], format!("{}-2", first["out"].as_str().unwrap()));
    assert_eq!((&run("a.toml")["out"], &run("b.toml")["out"]), (&first["out"], &other["out"]));
    let record = |out: &serde_json::Value| {
        files::read_record(&folder.path().join(out.as_str().unwrap())).unwrap().source
    };
    assert_eq!((record(&first["out"]), record(&other["out"])), ("a.toml".into(), "b.toml".into()));
    assert_eq!(folder.run(&["replay", other["out"].as_str().unwrap()]).code, Some(0));
}

/// A setting that producers and consumers have is set for both.
#[test]
fn a_summary_names_the_processes_of_a_setting() {
    let folder = Folder::new("results-set");
    folder.file("small.toml", &small("[[consumers]]"));
    let args = ["scenario", "small.toml", "--set", "request.timeout.ms=20000", "--set", "acks=all"];
    let ended = folder.run(&args);
    let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    let expected = "set request.timeout.ms=20000 (brokers, producers and consumers), acks=all";
    assert!(words.contains(expected), "{}", ended.out);
}

#[test]
fn the_same_seed_gives_the_same_verdict_with_and_without_a_trace() {
    let folder = Folder::new("same");
    let args = ["scenario", "leader-crash", "--seed", "42", "--json"];
    let first = folder.run(&args).json();
    let second = folder.run(&[&args[..], &["--trace"]].concat()).json();
    assert_eq!(first, second);
    let other = folder.run(&["scenario", "leader-crash", "--seed", "43", "--json"]).json();
    assert_ne!(first["digest"], other["digest"]);
}

#[test]
fn seeds_that_pass_leave_nothing_and_are_summed_up() {
    let folder = Folder::new("seeds");
    let set = ["--set", "records=50"];
    let ended = folder.run(&[&["scenario", "no-faults", "--seeds", "0..6"][..], &set].concat());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.starts_with("PASS "), "{}", ended.out);
    assert!(ended.out.contains("6 run, 6 passed"), "{}", ended.out);
    assert!(ended.out.lines().count() <= 40, "{}", ended.out);
    assert!(folder.names().is_empty(), "{:?}", folder.names());
    let one = folder.run(&[&["scenario", "no-faults", "--seed", "3"][..], &set].concat());
    assert_eq!(one.code, Some(0), "{one:#?}");
}

/// U4: a run with permitted losses is no plain pass, by itself and in the sums of many.
#[test]
fn a_pass_with_losses_says_so_and_names_seeds_that_lost() {
    let folder = Folder::new("losses");
    let args = ["scenario", "leader-crash", "--set", "acks=1", "--seeds", "0..12"];
    let report = folder.run(&[&args[..], &["--json"]].concat()).json();
    let losses = report["losses"].as_array().unwrap();
    assert!(!losses.is_empty() && losses.len() <= 5, "{report:#}");
    let ended = folder.run(&args);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.out.starts_with("PASS, with permitted losses  leader-crash"), "{}", ended.out);
    // U6, A12: what clients waited for, and why records failed, is in the sums as well.
    assert!(ended.out.contains("\nwrites      longest "), "{}", ended.out);
    assert!(report["waits"]["longest_us"].as_u64() > Some(0), "{report:#}");
    assert!(report["errors"]["retried"].as_object().is_some_and(|it| !it.is_empty()), "{report:#}");
    let first = losses[0]["reproduce"].as_str().unwrap();
    let line = first.strip_prefix("faultline").unwrap();
    assert!(ended.out.contains(line), "{line}\n{}", ended.out);
    let one = folder.run(&line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(one.code, Some(0), "{one:#?}");
    let lost = losses[0]["lost"].as_u64().unwrap();
    let records = if lost == 1 { "record" } else { "records" };
    let allowed = "permitted: with acks=1 the leader confirms alone";
    let shown = format!("every promise held; {lost} acknowledged {records} lost, {allowed}");
    let words: Vec<&str> = one.out.split_whitespace().collect();
    assert!(words.join(" ").contains(&shown), "{shown}\n{}", one.out);
    assert!(one.out.contains("\nset         acks=1\n"), "{}", one.out);
    assert!(one.out.starts_with("PASS, with permitted losses  "), "{}", one.out);
    // The same account as of a violation, with the fault that caused it.
    let because = words.iter().position(|word| *word == "because").expect("an account");
    let account = words[because..].join(" ");
    assert!(account.contains("acknowledged record "), "{account}");
    assert!(account.contains("crash") || account.contains("lost its power"), "{account}");
}

/// A15: missing items have names; a screenful of them is printed, and explain.md has all.
#[test]
fn all_missing_items_are_named_in_the_explanation_only() {
    const PARTITIONS: usize = 60;
    let folder = Folder::new("converges");
    let text = "name = 'stuck'\ntitle = 'a broker that has no time to come back'\n\
                extend = 'short-timeouts'\n[durations]\nconverge = '1ns'\n\
                [[topics]]\nname = 'orders'\npartitions = 60\n\
                [[producers]]\nrecords = 200\n\
                [[faults]]\nkind = 'crash'\ntarget = 'broker 2'\nat = '100ms'\n";
    folder.file("stuck.toml", text);
    let args = ["scenario", "stuck.toml", "--seed", "1"];
    let ended = folder.run(&args);
    assert_eq!(
        ended.code,
        Some(3),
        "a shorter converge than Kafka may need decides nothing: {ended:#?}"
    );
    assert!(ended.out.lines().count() <= 40, "a screenful:\n{}", ended.out);
    let verdict = folder.run(&[&args[..], &["--json"]].concat()).json();
    let out = folder.path().join(verdict["out"].as_str().expect("a directory"));
    let explained = fs::read_to_string(out.join("explain.md")).expect("it was written");
    for partition in 0..PARTITIONS {
        let line = format!(" orders-{partition}: ISR ");
        assert!(explained.contains(&line), "{line}\n{explained}");
    }
    let top: Vec<&str> = explained.lines().take_while(|line| !line.starts_with("## ")).collect();
    let top = top.join(" ");
    assert!(top.contains("the run does not decide: `durations.converge` is shorter than"), "{top}");
}

/// U5: the explanation of a violation begins with what `fuzz` calls the run.
#[test]
fn a_violation_is_explained_under_its_signature() {
    let folder = Folder::new("signature");
    let args = ["scenario", "museum-canary", "--bug", "canary", "--seed", "42", "--json"];
    let verdict = folder.run(&args).json();
    let out = folder.path().join(verdict["out"].as_str().expect("a directory"));
    let explained = fs::read_to_string(out.join("explain.md")).expect("it was written");
    let top: Vec<&str> = explained.lines().take_while(|line| !line.starts_with("## ")).collect();
    let signature = verdict["violations"][0]["signature"].as_str().expect("a signature");
    let top = top.join(" ");
    assert!(top.contains(&format!("under the signature `{signature}`")), "{top}");
}

/// U5, U8: a fault has one name everywhere, a story is named, and the first screen has no counters
/// of the simulator.
#[test]
fn faults_and_stories_have_one_name_in_every_result() {
    let folder = Folder::new("names");
    let verdict = folder.run(&["scenario", "swarm", "--seed", "3", "--json"]).json();
    let out = folder.path().join(verdict["out"].as_str().expect("a directory"));
    let explained = fs::read_to_string(out.join("explain.md")).expect("it was written");
    let shown = folder.run(&["scenario", "swarm", "--seed", "3"]).out;
    let record = files::read_record(&out).expect("a record");
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut stories = 0;
    let struck = record.faults.iter().filter(|it| it.fate.took_effect());
    for (nth, planned) in struck.enumerate() {
        let name = what(&planned.fault);
        assert!(name.starts_with(planned.fault.kind.family().name()), "{name}");
        assert!(explained.contains(&format!("- {name}")), "{name}: {explained}");
        assert!(nth >= 5 || words(&shown).contains(&words(&name)), "{name}: {shown}");
        if let Some(story) = &planned.fault.name {
            assert!(explained.contains(&format!("of `{story}`")), "{story}: {explained}");
            stories += 1;
        }
    }
    assert!(stories > 2, "{explained}");
    for text in [&shown, &explained] {
        // Empty sets, and what reads as a translation.
        for bad in ["{}", "whom", " is told", "(and ", "taken for written"] {
            assert!(!text.contains(bad), "{bad}: {text}");
        }
    }
    assert!(!shown.contains("lane_contended") && !shown.contains("message_delivered"), "{shown}");
    assert!(explained.contains("message_delivered"), "{explained}");
}

#[test]
fn parts_left_out_of_the_summary_are_in_the_explanation() {
    let folder = Folder::new("explain");
    let verdict = folder.run(&["scenario", "leader-crash", "--seed", "42", "--json"]).json();
    let out = folder.path().join(verdict["out"].as_str().unwrap());
    let text = fs::read_to_string(out.join("explain.md")).unwrap();
    for part in ["message_delivered", "| controller.quorum.fetch.timeout.ms |", "replica.lag"] {
        assert!(text.contains(part), "{part}\n{text}");
    }
    assert!(!text.contains("enable.idempotence"), "{text}");
}

#[test]
fn nodes_of_another_cluster_have_its_name_and_a_target_without_nodes_is_reported() {
    let folder = Folder::new("results-two-clusters");
    let text = r#"
name = "two"
title = "two clusters"
must_reach = ["connection_refused"]

[[clusters]]

[[clusters]]
name = "west"

[[topics]]
name = "a"

[[topics]]
name = "b"
cluster = "west"

[[producers]]
cluster = "west"
records = 100
rate = 100

[[faults]]
kind = "partition"
groups = [["west/broker 1", "consumers"], ["west/all servers"]]
at = "500ms"
lasts = "1s"

[[faults]]
kind = "crash"
target = "west/broker 3"
at = "1s"
lasts = "1s"

[durations]
load = "3s"
"#;
    folder.file("two.toml", text);
    let ended = folder.run(&["scenario", "two.toml"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    let words = ended.out.split_whitespace().collect::<Vec<_>>().join(" ");
    for part in [
        "partition west/1 | west/2 west/3",
        "(left out: consumers: no node matches)",
        "crash west/3",
    ] {
        assert!(words.contains(part), "{part}\n{}", ended.out);
    }
    let exercised = ended.out.split("exercised ").nth(1).unwrap();
    let exercised = exercised.split("\nrun ").next().unwrap();
    assert!(exercised.contains("connection_refused "), "what had to be reached: {exercised}");
}

#[test]
fn a_link_that_cannot_be_made_costs_no_results() {
    let folder = Folder::new("results-latest");
    folder.file("small.toml", &small(""));
    // No link takes the place of a folder.
    fs::create_dir_all(folder.path().join("results/latest/in")).unwrap();
    let ended = folder.run(&["scenario", "small.toml", "--seed", "7", "--json"]);
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.err.contains("warning: cannot make the link results/latest: "), "{ended:#?}");
    let verdict = ended.json();
    assert!(folder.path().join(verdict["out"].as_str().unwrap()).join("run.json").is_file());
    assert_eq!(fs::read_dir(folder.path().join("results")).unwrap().count(), 2, "no draft stays");
}
