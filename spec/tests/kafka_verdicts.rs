//! Sets of properties, and whether a real Kafka 4.1.1 starts with them.

use serde::Deserialize;
use spec::kafka::{Scope, refusal};
use std::collections::BTreeMap;

#[derive(Debug, Deserialize)]
struct Verdict {
    scope: String,
    set: BTreeMap<String, String>,
    accepts: bool,
    /// Properties that Kafka's message names although they are not set.
    #[serde(default)]
    names_also: Vec<String>,
}

#[test]
fn settings_are_refused_exactly_if_kafka_refused_them() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for line in include_str!("kafka-4.1-verdicts.jsonl").lines() {
        let verdict: Verdict = serde_json::from_str(line).expect("a verdict");
        let scope = Scope::named(&verdict.scope).expect("a scope");
        let set = verdict.set.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let refusal = refusal(scope, &set);
        count += 1;
        match refusal {
            None if verdict.accepts => {}
            Some(refusal) if !verdict.accepts => {
                let told = refusal.to_string();
                let mut named = verdict.set.keys().chain(&verdict.names_also);
                // The properties among the set ones to which the rule refers.
                let all = verdict.set.len() == 1 && !named.clone().all(|name| told.contains(name));
                if all || !named.any(|name| told.contains(name)) {
                    wrong.push(format!("{line}\n    does not name all: {told}"));
                }
            }
            refusal => wrong.push(format!("{line}\n    here: {refusal:?}")),
        }
    }
    assert_eq!(count, 585);
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
}
