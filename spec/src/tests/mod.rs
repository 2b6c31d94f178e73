//! Mistakes in scenario files: each is reported at its place, with a suggestion.

use super::*;
use proptest::prelude::*;

const GOOD: &str = r#"
name = "good"
title = "a scenario with nothing wrong in it"
must_reach = ["election_clean"]

[[clusters]]
brokers = 3

[clusters.topic]
min.insync.replicas = 2

[[topics]]
name = "orders"
partitions = 3

[[producers]]
records = 100
rate = 100

[producers.properties]
acks = "all"

[[faults]]
kind = "crash"
target = "leader(orders-0)"
when = "unacked(orders) >= 20"
lasts = "2s"
"#;

/// Replaces `from`, which occurs once, by `to`, and returns the error and the place of the first
/// `marked` from there onwards (or from an opening quote before it).
fn broken(from: &str, to: &str, marked: &str) -> (Box<Diagnostic>, (u32, u32)) {
    assert_eq!(GOOD.matches(from).count(), 1, "{from}");
    let text = GOOD.replace(from, to);
    let error = Scenario::parse("bad.toml", &text).expect_err(to);
    let start = text.find(to).unwrap().saturating_sub(1);
    let at = start + text[start..].find(marked).expect("marked occurs in it");
    let line = text[..at].matches('\n').count();
    let column = at - text[..at].rfind('\n').map_or(0, |newline| newline + 1);
    (error, (line as u32 + 1, column as u32 + 1))
}

#[test]
fn a_good_file_is_read_without_warnings() {
    let (scenario, warnings) = Scenario::parse("good.toml", GOOD).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(scenario.clusters[0].controllers, 3);
    assert_eq!(scenario.topic_config(&scenario.topics[0]).min_insync_replicas, 2);
    let when = scenario.faults[0].when.as_ref().unwrap();
    assert!(when.holds(&mut |_| 20) && !when.holds(&mut |_| 19));
}

/// The text to replace, its replacement, the text that the error marks, the kind of the error, a
/// part of its message, its hint.
type Mistake = (&'static str, &'static str, &'static str, Kind, &'static str, Option<&'static str>);

/// The hint is not a range from 1 to 1.
#[test]
fn the_replication_factor_of_one_broker_can_only_be_one() {
    let text = "name = 'a'\ntitle = 'a'\n[[clusters]]\nbrokers = 1\n[[topics]]\nname = 't'\n";
    let error = Scenario::parse("a.toml", text).unwrap_err();
    assert!(
        error.message.contains("a replication factor of 3 is impossible with 1 broker"),
        "{error}"
    );
    assert_eq!(error.hint.as_deref(), Some("expected 1"));
}

#[test]
fn every_mistake_is_reported_at_its_place_with_a_suggestion() {
    use Kind::*;
    #[rustfmt::skip]
    let table: &[Mistake] = &[
        ("name = \"good\"", "name = \"good", "\"good", Malformed, "malformed TOML", None),
        ("brokers = 3", "brokers = 3\nbrokers = 5", "brokers = 5", Malformed, "duplicate key", None),
        ("rate = 100", "rte = 100", "rte", UnknownKey, "`rte`", Some("did you mean `rate`?")),
        ("title =", "titel =", "titel", UnknownKey, "`titel`", Some("did you mean `title`?")),
        ("lasts =", "last =", "last =", UnknownKey, "`last`", Some("did you mean `lasts`?")),
        ("lasts = \"2s\"", "groups = [[\"clients\"]]", "groups", UnknownKey, "`groups`", None),
        ("acks = ", "ackss = ", "ackss", UnknownProperty, "`ackss`", Some("did you mean `acks`?")),
        ("acks = \"all\"", "min.insync.replicas = 1", "min.insync.replicas = 1", UnknownProperty, "producers have no property", Some("`min.insync.replicas` is a property of topics")),
        ("acks = \"all\"", "transaction.two.phase.commit.enable = true", "transaction.two", UnknownProperty, "`transaction.two.phase.commit.enable` is a Kafka property that is not modelled", None),
        ("acks = \"all\"", "compression.type = \"lz4\"", "compression.type", UnknownProperty, "not modelled", Some("records are not compressed here")),
        ("min.insync.replicas", "min.insync.replica", "min.insync.replica", UnknownProperty, "min.insync.replica", Some("did you mean `min.insync.replicas`?")),
        ("acks = \"all\"", "acks = 2", "2", WrongValue, "Kafka refuses `acks=2`: `acks` has to be one of all, -1, 0, 1 (ConfigDef)", None),
        ("rate = 100", "rate = \"fast\"", "\"fast\"", WrongValue, "a whole number from 0", None),
        ("rate = 100", "rate = -1", "-1", WrongValue, "a whole number from 0", None),
        ("brokers = 3", "brokers = 70000", "70000", WrongValue, "from 0 to 65535", None),
        ("\"2s\"", "\"2 parsec\"", "\"2 parsec\"", WrongValue, "`parsec` is not a unit of time", None),
        ("\"2s\"", "\"-2s\"", "\"-2s\"", WrongValue, "negative", None),
        ("lasts = \"2s\"", "lasts = 2", "2", WrongValue, "a time with its unit", None),
        ("\"crash\"", "\"crush\"", "\"crush\"", WrongValue, "there is no `crush`", Some("did you mean `crash`?")),
        ("leader(orders-0)", "leeder(orders-0)", "leeder", WrongValue, "`leeder` is no target", Some("did you mean `leader`?")),
        ("leader(orders-0)", "leader(orders)", "orders)", WrongValue, "`orders` is no partition", None),
        ("unacked(orders) >= 20", "unackd(orders) >= 20", "unackd", WrongValue, "cannot be measured", Some("did you mean `unacked`?")),
        ("unacked(orders) >= 20", "unacked(orders) => 20", "=>", WrongValue, "a comparison", None),
        ("unacked(orders) >= 20", "unacked(orders) >= many", "many", WrongValue, "no whole number", None),
        ("when = \"unacked(orders) >= 20\"\n", "", "[[faults]]", MissingKey, "`at` or `when` is missing", None),
        ("target = \"leader(orders-0)\"\n", "", "[[faults]]", MissingKey, "`target` is missing", None),
        ("leader(orders-0)", "leader(order-0)", "\"leader", UnknownName, "no topic `order`", Some("did you mean `orders`?")),
        ("leader(orders-0)", "leader(orders-3)", "\"leader", UnknownName, "it has 0 to 2", None),
        ("leader(orders-0)", "broker 4", "\"broker", UnknownName, "there are 1 to 3", None),
        ("leader(orders-0)", "west/leader(orders-0)", "\"west", UnknownName, "no cluster `west`", None),
        ("unacked(orders)", "unacked(ordres)", "\"unacked", UnknownName, "no topic `ordres`", Some("did you mean `orders`?")),
        ("election_clean", "election_cleen", "\"election", UnknownName, "`election_cleen`", Some("did you mean `election_clean`?")),
        ("records = 100", "topics = [\"payments\"]", "\"payments\"", UnknownName, "no topic `payments`", None),
        ("partitions = 3", "replication_factor = 4", "4", Impossible, "replication factor of 4 is impossible with 3 brokers", Some("expected 1 to 3")),
        ("brokers = 3", "brokers = 0", "0", Impossible, "1 to 100 brokers", None),
        ("partitions = 3", "partitions = 0", "0", Impossible, "1 to 10000 partitions", None),
        ("partitions = 3", "\n[[topics]]\nname = \"orders\" ", "\"orders\" ", Impossible, "two topics called `orders`", None),
        ("rate = 100", "rate = 0", "0", Impossible, "rate has to be 1 or more", None),
        ("when = \"unacked(orders) >= 20\"", "at = \"40s\"", "\"40s\"", Impossible, "after the load has ended", None),
        ("unacked(orders) >= 20", "time > 400s", "\"time", Impossible, "`time > 400s` never holds: the load takes ", None),
        ("lasts = \"2s\"", "lasts = \"2s\"\n[swarm]\nfrom = \"5s\"\nuntil = \"3s\"", "\"3s\"", Impossible, "`until` 3s is below `from` 5s", None),
        ("unacked(orders) >= 20", "isr(orders-0) > 3", "\"isr", Impossible, "never holds: orders-0 has a replication factor of 3", None),
        ("unacked(orders) >= 20", "isr(orders-0) < 0 or brokers_up == 4", "\"isr", Impossible, "never holds", None),
    ];
    for (from, to, marked, kind, message, hint) in table {
        let (error, (line, column)) = broken(from, to, marked);
        assert_eq!((error.kind, error.line), (*kind, Some(line)), "{to}\n{error}");
        assert!(error.message.contains(message), "{to}\n{error}");
        assert_eq!(error.file.as_deref(), Some("bad.toml"));
        if *kind != Malformed {
            assert_eq!(error.column, Some(column), "{to}\n{error}");
        }
        if let Some(hint) = hint {
            assert_eq!(error.hint.as_deref(), Some(*hint), "{to}\n{error}");
        }
    }
}

#[test]
fn min_insync_replicas_above_the_replication_factor_is_a_warning() {
    let text = GOOD.replace("min.insync.replicas = 2", "min.insync.replicas = 4");
    let (_, warnings) = Scenario::parse("odd.toml", &text).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(
        warnings[0].is_warning() && warnings[0].message.contains("stops every write with acks=all")
    );
    assert_eq!((warnings[0].line, warnings[0].column), (Some(10), Some(1)));
}

#[test]
fn a_mistake_is_printed_with_its_line_and_a_caret() {
    let (error, _) = broken("rate = 100", "rte = 100", "rte");
    let printed = error.to_string();
    assert!(
        printed.starts_with("error: there is no key `rte` here; expected one of "),
        "{printed}"
    );
    let rest: Vec<&str> = printed.lines().skip(1).collect();
    assert_eq!(
        rest,
        [
            "  --> bad.toml:18:1",
            "   |",
            "18 | rte = 100",
            "   | ^^^",
            "   = help: did you mean `rate`?",
        ]
    );
}

fn set(settings: &[&str]) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    let (mut scenario, _) = Scenario::parse("good.toml", GOOD).unwrap();
    let settings: Vec<String> = settings.iter().map(|s| (*s).to_owned()).collect();
    scenario.set_all(&settings).map(|warnings| (scenario, warnings))
}

#[test]
fn a_setting_applies_wherever_there_is_a_property_of_its_name() {
    let (scenario, warnings) = set(&[
        "acks=1",
        "min.insync.replicas=1",
        "brokers=5",
        "controller.quorum.fetch.timeout.ms=700",
    ])
    .unwrap();
    assert_eq!(warnings, []);
    let millis = machine::Span::millis(700);
    assert_eq!(scenario.producers[0].properties.config().acks, engine::config::Acks::Leader);
    assert_eq!(scenario.topic_config(&scenario.topics[0]).min_insync_replicas, 1);
    assert_eq!(scenario.clusters[0].brokers, 5);
    assert_eq!(scenario.clusters[0].broker.config().quorum_fetch_timeout, millis);
    assert_eq!(scenario.clusters[0].controller.config().fetch_timeout, millis);
    let acks = |value: &str| Setting { property: "acks".into(), value: value.into() };
    assert!(scenario.has(&acks("1")) && !scenario.has(&acks("all")));
    let (untouched, _) = set(&[]).unwrap();
    assert!(untouched.has(&acks("-1")), "all and -1 are one value");
}

#[test]
fn an_impossible_setting_is_refused() {
    let refused = |setting: &str| *set(&[setting]).unwrap_err();
    assert_eq!(refused("ack=1").hint.as_deref(), Some("did you mean `acks`?"));
    assert_eq!(refused("ack=1").kind, Kind::UnknownProperty);
    let absent = refused("transaction.two.phase.commit.enable=true");
    assert_eq!(absent.kind, Kind::UnknownProperty);
    assert!(absent.message.contains("is a Kafka property that is not modelled"), "{absent}");
    assert!(
        absent.hint.as_deref().unwrap_or("").contains("transactions are modelled without"),
        "{absent}"
    );
    assert!(
        refused("group.id=g")
            .hint
            .is_some_and(|hint| hint.contains("makes them members of a group"))
    );
    assert_eq!(refused("acks=some").kind, Kind::Impossible);
    assert_eq!(refused("linger.ms=soon").kind, Kind::WrongValue);
    assert_eq!(refused("acks").kind, Kind::Usage);
    for by in ["0", "1001", "long"] {
        let error = refused(&format!("stretch={by}"));
        assert!(error.message.contains("a whole number from 1 to 1000"), "{error}");
    }
    assert_eq!(refused("broker=5").hint.as_deref(), Some("did you mean `brokers`?"));
    assert_eq!(refused("brokers=2").kind, Kind::Impossible);
    assert_eq!(refused("max.poll.records=5").kind, Kind::Impossible, "there are no consumers");
    let (_, warnings) = set(&["min.insync.replicas=4"]).unwrap();
    assert!(warnings[0].message.starts_with("--set min.insync.replicas=4: topic `orders`"));
}

#[test]
fn conditions_and_targets_read_back_as_they_are_written() {
    for text in [
        "hw(orders-0) >= 500",
        "time > 2s and unacked >= 20",
        "(leader(west/orders-0) == 0 or isr(orders-1) < 2) and controller != 101",
        "sent(orders) > 10 or acked(a-b-0) <= 3 and brokers_up == 3",
    ] {
        let condition = Condition::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(Condition::parse(&condition.to_string()), Ok(condition), "{text}");
    }
    for text in ["leader(orders-0)", "west/broker 2", "any broker", "all servers", "controller"] {
        let target = Target::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
        assert_eq!(target.to_string(), text);
    }
    let and_first = Condition::parse("time > 1s or time > 2s and time > 3s").unwrap();
    assert!(matches!(and_first, Condition::Any(parts) if parts.len() == 2));
}

proptest! {
    /// Reading any text returns a scenario, or an error at a place inside the text.
    #[test]
    fn no_file_is_too_broken_for_a_diagnostic(at in 0..GOOD.len(), cut in 0..40usize, put in ".{0,6}") {
        let mut text = GOOD.to_owned();
        text.replace_range(at..(at + cut).min(GOOD.len()), &put);
        if let Err(error) = Scenario::parse("any.toml", &text) {
            let (line, column) = (error.line.unwrap() as usize, error.column.unwrap() as usize);
            let there = text.split('\n').nth(line - 1).unwrap();
            prop_assert!(column <= there.chars().count() + 1, "{}", error);
            prop_assert!(!error.to_string().is_empty());
        }
    }

    /// The same for conditions and targets.
    #[test]
    fn no_condition_is_too_broken_for_an_error(text in "[a-z(0-9) >=<!&|./%-]{0,30}|.{0,12}") {
        for error in [Condition::parse(&text).err(), Target::parse(&text).err()].into_iter().flatten() {
            prop_assert!(error.at <= text.len() && !error.message.is_empty());
        }
    }
}

#[test]
fn a_topic_of_another_cluster_is_suggested_with_its_cluster() {
    let two = |fault: &str| {
        let text = format!(
            "name = 'two'\ntitle = 'two'\n[[clusters]]\n[[clusters]]\nname = 'west'\n\
             [[topics]]\nname = 'a'\n[[topics]]\nname = 'b'\ncluster = 'west'\n\
             [[faults]]\nkind = 'crash'\n{fault}\n"
        );
        Scenario::parse("two.toml", &text)
    };
    for (fault, meant) in [
        ("at = '1s'\ntarget = 'leader(west/b-0)'", "west/leader(b-0)"),
        ("at = '1s'\ntarget = 'leader(b-0)'", "west/leader(b-0)"),
        ("when = 'hw(b-0) > 5'\ntarget = 'any broker'", "hw(west/b-0)"),
        ("when = 'sent(b) > 5'\ntarget = 'any broker'", "sent(west/b)"),
    ] {
        let error = two(fault).expect_err(fault);
        assert_eq!(error.hint, Some(format!("did you mean `{meant}`?")), "{error}");
        assert!(error.message.contains("cluster `west` has a topic `b`"), "{error}");
    }
    let error = two("at = '1s'\ntarget = 'leader(c-0)'").expect_err("c");
    assert_eq!(error.message, "there is no topic `c`; there is a", "of the first cluster");
    two("at = '1s'\ntarget = 'west/leader(b-0)'").expect("that is right");
    two("when = 'hw(west/b-0) > 5'\ntarget = 'west/everyone'").expect("that is right");
}

mod extend;
mod faults;
mod groups;
mod limits;
mod properties;
mod several;
mod transactions;
