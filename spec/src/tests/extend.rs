//! Scenario files that extend another.

use super::*;

const BASE: &str = "[[clusters]]\nbrokers = 5\n[clusters.broker]\nreplica.lag.time.max.ms = 2000\n\
                    [[topics]]\nname = \"from-base\"\n[durations]\nload = \"9s\"\n";

fn load(from: &str, name: &str) -> Result<(String, String), String> {
    assert!(from.ends_with(".toml"));
    match name {
        "base.toml" => Ok((format!("dir/{name}"), BASE.to_owned())),
        "broken.toml" => {
            Ok((name.to_owned(), "title = 'b'\n\n[durations]\nlod = '1s'\n".to_owned()))
        }
        "loop.toml" => Ok((name.to_owned(), "extend = 'loop.toml'".to_owned())),
        _ => Err("no such file".to_owned()),
    }
}

const NAMED: &[(&str, &str)] = &[(
    "calm",
    "extend = 'short-timeouts'\nname = 'calm'\ntitle = 'c'\n\
                                           [[topics]]\nname = 'orders'\n",
)];

/// A scenario of the catalogue can be extended by its name.
#[test]
fn a_named_scenario_is_extended() {
    let text = "extend = 'calm'\nname = 'own'\n[durations]\nload = '9s'\n";
    let (scenario, _) = Scenario::parse_with("a.toml", text, NAMED, &load).unwrap();
    assert_eq!((scenario.name.as_str(), scenario.title.as_str()), ("own", "c"));
    assert_eq!(scenario.topics[0].name, "orders");
    assert_eq!(scenario.clusters[0].controller.get("broker.session.timeout.ms"), Some("1000"));
    let error = Scenario::parse_with("a.toml", "extend = 'clam'\n", NAMED, &load).unwrap_err();
    assert_eq!(error.hint.as_deref(), Some("did you mean `calm`?"));
}

#[test]
fn tables_are_merged_and_lists_are_replaced() {
    let text = "name = 'a'\ntitle = 'a'\nextend = 'base.toml'\n[[clusters]]\nracks = ['x']\n\
                [clusters.broker]\nreplica.fetch.backoff.ms = 7\n[[topics]]\nname = 'own'\n";
    let (scenario, warnings) = Scenario::parse_with("a.toml", text, NAMED, &load).unwrap();
    assert_eq!(warnings, []);
    let cluster = &scenario.clusters[0];
    assert_eq!((cluster.brokers, cluster.racks.len()), (5, 1));
    let set: Vec<_> = cluster.broker.iter().collect();
    assert_eq!(set, [("replica.fetch.backoff.ms", "7"), ("replica.lag.time.max.ms", "2000")]);
    assert_eq!(scenario.topics.len(), 1);
    assert_eq!(scenario.topics[0].name, "own");
    assert_eq!(scenario.durations.load, Time::secs(9));
    assert_eq!(scenario.extend, None, "it is resolved");
}

#[test]
fn keys_of_the_file_itself_take_precedence() {
    let text = "name = 'a'\ntitle = 'a'\nextend = 'base.toml'\n[[clusters]]\n\
                [clusters.broker]\nreplica.lag.time.max.ms = 700\n";
    let (scenario, _) = Scenario::parse_with("a.toml", text, NAMED, &load).unwrap();
    assert_eq!(scenario.clusters[0].broker.get("replica.lag.time.max.ms"), Some("700"));
    assert_eq!(scenario.topics[0].name, "from-base");
}

#[test]
fn a_mistake_is_reported_in_the_file_that_has_it() {
    let text = |extend: &str, rest: &str| {
        format!("name = 'a'\ntitle = 'a'\nextend = '{extend}'\n{rest}\n")
    };
    let error = |extend: &str, rest: &str| {
        *Scenario::parse_with("a.toml", &text(extend, rest), NAMED, &load).expect_err(extend)
    };
    let place = |error: &Diagnostic| (error.file.clone().unwrap(), error.line, error.column);
    let in_base = error("broken.toml", "[[topics]]\nname = 't'");
    assert_eq!(place(&in_base), ("broken.toml".to_owned(), Some(4), Some(1)), "{in_base}");
    let own = error("base.toml", "[durations]\nlod = '1s'");
    assert_eq!(place(&own), ("a.toml".to_owned(), Some(5), Some(1)), "{own}");
    let looped = error("loop.toml", "");
    assert!(looped.message.contains("extends itself"), "{looped}");
    let absent = error("absent.toml", "");
    assert_eq!(place(&absent), ("a.toml".to_owned(), Some(3), Some(10)), "{absent}");
    assert!(absent.message.contains("no such file"), "{absent}");
    let near = error("short-timeout", "");
    assert_eq!(near.hint.as_deref(), Some("did you mean `short-timeouts`?"));
}

#[test]
fn the_built_in_base_needs_no_file() {
    let text = "name = 'a'\ntitle = 'a'\nextend = 'short-timeouts'\n[[topics]]\nname = 't'\n";
    let (scenario, warnings) = Scenario::parse("a.toml", text).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(scenario.clusters[0].controller.get("broker.session.timeout.ms"), Some("1000"));
    let json = serde_json::to_string(&scenario).unwrap();
    assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario);
}
