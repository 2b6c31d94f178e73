//! Several mistakes in one input: all are reported, in the order of their places.

use super::*;

fn messages(error: &Diagnostic) -> Vec<&str> {
    std::iter::once(error).chain(&error.also).map(|it| it.message.as_str()).collect()
}

#[test]
fn every_misspelt_key_and_wrong_value_of_a_file_is_reported() {
    let text = GOOD
        .replace("title =", "titel =")
        .replace("rate = 100", "rte = 100")
        .replace("acks = \"all\"", "ackss = \"all\"\nlinger.ms = \"soon\"")
        .replace("lasts = \"2s\"", "last = \"2s\"");
    let error = Scenario::parse("several.toml", &text).unwrap_err();
    let all: Vec<_> = std::iter::once(&*error).chain(&error.also).collect();
    let parts = ["`titel`", "`rte`", "`ackss`", "for `linger.ms`", "`last`"];
    assert_eq!(all.len(), parts.len(), "{error}");
    for (part, it) in parts.iter().zip(&all) {
        assert!(it.message.contains(part), "{error}");
        assert!(it.line.is_some(), "{error}");
    }
    assert!(all.windows(2).all(|pair| pair[0].line < pair[1].line), "{error}");
    let printed = error.to_string();
    assert_eq!(printed.matches("error: ").count(), parts.len(), "{printed}");
}

/// `kind` is not missing: it has a wrong value.
#[test]
fn a_key_with_a_wrong_value_is_not_missing_as_well() {
    let error = Scenario::parse("kind.toml", &GOOD.replace("\"crash\"", "\"crush\"")).unwrap_err();
    assert_eq!(messages(&error).len(), 1, "{error}");
    // The next fault is read all the same.
    let text = GOOD.replace("\"crash\"", "\"crush\"");
    let text = format!("{text}\n[[faults]]\nkind = \"crash\"\nat = \"1s\"\ntarget = \"brokr 1\"\n");
    let error = Scenario::parse("kinds.toml", &text).unwrap_err();
    assert_eq!(messages(&error).len(), 2, "{error}");
}

#[test]
fn values_that_do_not_fit_together_are_reported_together() {
    let text = GOOD.replace("rate = 100", "rate = 0").replace("orders-0", "orders-7");
    let error = Scenario::parse("unfit.toml", &text).unwrap_err();
    let all = messages(&error);
    assert!(all.iter().any(|it| it.contains("rate has to be 1 or more")), "{error}");
    assert!(all.iter().any(|it| it.contains("it has 0 to 2")), "{error}");
}

#[test]
fn a_duplicate_key_is_named() {
    let text = GOOD.replace("brokers = 3", "brokers = 3\nbrokers = 5");
    let error = Scenario::parse("duplicate.toml", &text).unwrap_err();
    assert_eq!(error.message, "malformed TOML: duplicate key `brokers`");
    let text = format!("{GOOD}\n[durations]\n[durations]\n");
    let error = Scenario::parse("duplicate.toml", &text).unwrap_err();
    assert_eq!(error.message, "malformed TOML: duplicate key `durations`");
}

#[test]
fn every_wrong_setting_is_reported_with_the_setting() {
    let error = set(&["ack=1", "rate=fast", "partitions=2", "brokers"]).unwrap_err();
    let all = messages(&error);
    assert_eq!(all.len(), 3, "{error}");
    for (message, head) in all.iter().zip(["--set ack=1: ", "--set rate=fast: ", "--set brokers: "])
    {
        assert!(message.starts_with(head), "{error}");
    }
}

#[test]
fn a_setting_that_is_given_twice_is_refused() {
    let error = set(&["acks=1", "rate=5", " acks = all"]).unwrap_err();
    assert_eq!(error.message, "--set  acks = all: `acks` is set twice");
    assert_eq!((error.kind, error.also.len()), (Kind::Usage, 0));
}

#[test]
fn an_id_that_no_producers_can_share_is_reported() {
    let (id, shared) = ("transactional.id = \"orders\"", "transactions.shared.id");
    let text = |count: u16, table: &str| {
        let own = format!("{id}\n[producers.transactions]\n{table}\n");
        let text = GOOD.replace("acks = \"all\"\n", &own);
        text.replace("rate = 100", &format!("rate = 100\ncount = {count}"))
    };
    let (_, warnings) = Scenario::parse("one.toml", &text(1, "shared_id = true")).unwrap();
    assert_eq!(warnings.len(), 1);
    assert!(warnings[0].message.contains("`shared_id` has no effect"), "{}", warnings[0]);
    let (_, warnings) = Scenario::parse("two.toml", &text(2, "shared_id = true")).unwrap();
    assert_eq!(warnings, []);
    for (count, value) in [(1, "false"), (1, "true"), (2, "false"), (2, "true")] {
        let (mut scenario, _) = Scenario::parse("set.toml", &text(count, "")).unwrap();
        let set = scenario.set_all(&[format!("{shared}={value}")]);
        assert_eq!(set.is_err(), count == 1, "{count} {value}: {set:?}");
    }
    let (mut scenario, _) = Scenario::parse("set.toml", &text(1, "")).unwrap();
    let both = [format!("{shared}=true"), "producers=3".to_owned()];
    assert_eq!(scenario.set_all(&both), Ok(Vec::new()));
}
