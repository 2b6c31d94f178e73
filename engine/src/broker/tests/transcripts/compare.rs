//! Responses beside each other, as far as they have to be alike.

use serde_json::Value;
use std::collections::BTreeMap;

/// The value of a placeholder such as `<producer 1>`.
pub(super) type Bindings = BTreeMap<String, Value>;

/// Fields that say nothing about the protocol, or that are not modelled.
const IGNORED: &[&str] = &[
    "host",
    "port",
    "clusterId",
    "controllerId",
    "errorMessage",
    "numPartitions",
    "replicationFactor",
    "offlineReplicas",
    "preferredReadReplica",
    "recordErrors",
    "unknownStateFilters",
    "clusterAuthorizedOperations",
    "topicAuthorizedOperations",
    "authorizedOperations",
    "clientId",
    "clientHost",
];

/// Where `actual` differs from `expected`; `None` if it does not. Elements of a list may come in
/// any order, since many come in that of a hash table. `now` is the time, in milliseconds.
pub(super) fn difference(
    expected: &Value,
    actual: &Value,
    now: i64,
    bindings: &mut Bindings,
) -> Option<String> {
    match (expected, actual) {
        (Value::String(placeholder), actual) if placeholder == "<now>" => {
            let near = actual.as_i64().is_some_and(|time| (time - now).abs() < 3_600_000);
            (!near).then(|| format!("{actual} is not near {now}"))
        }
        (Value::String(placeholder), actual) if placeholder.starts_with('<') => {
            let bound = bindings.entry(placeholder.clone()).or_insert_with(|| actual.clone());
            (bound != actual).then(|| format!("{placeholder} is {bound}, not {actual}"))
        }
        (Value::Object(fields), Value::Object(others)) => fields
            .iter()
            .filter(|(key, _)| !IGNORED.contains(&key.as_str()))
            .find_map(|(key, value)| match others.get(key) {
                None => Some(format!("{key} is missing")),
                Some(other) if key == "recordsSizeInBytes" => size_difference(value, other),
                Some(other) => {
                    difference(value, other, now, bindings).map(|it| format!("{key}: {it}"))
                }
            }),
        (Value::Array(all), Value::Array(others)) => {
            if all.len() != others.len() {
                return Some(format!("{} elements, not {}", others.len(), all.len()));
            }
            let mut left: Vec<&Value> = others.iter().collect();
            for wanted in all {
                let alike = |other: &&Value| {
                    let mut trial = bindings.clone();
                    let same = difference(wanted, other, now, &mut trial).is_none();
                    same.then_some(trial)
                };
                let found = left.iter().enumerate().find_map(|(at, it)| Some((at, alike(it)?)));
                let Some((at, bound)) = found else {
                    let closest = left.first().and_then(|it| difference(wanted, it, now, bindings));
                    return Some(format!("no {wanted}: {}", closest.unwrap_or_default()));
                };
                left.remove(at);
                *bindings = bound;
            }
            None
        }
        _ => (expected != actual).then(|| format!("{actual}, not {expected}")),
    }
}

/// Kafka's limits cut at the byte, so that a response may end inside a batch, which its reader
/// skips. Here it ends with a whole batch.
fn size_difference(expected: &Value, actual: &Value) -> Option<String> {
    (actual.as_i64() > expected.as_i64()).then(|| format!("{actual} bytes, not {expected}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn differs(expected: &Value, actual: &Value) -> bool {
        difference(expected, actual, 1_000_000_000, &mut Bindings::new()).is_some()
    }

    #[test]
    fn differences_are_noticed() {
        let expected = json!({"a": [{"id": "<topic 1>", "e": 0}, {"id": "<topic 2>", "e": 3}]});
        assert!(!differs(&expected, &json!({"a": [{"id": "y", "e": 3}, {"id": "x", "e": 0}]})));
        assert!(differs(&expected, &json!({"a": [{"id": "y", "e": 3}, {"id": "x", "e": 1}]})));
        assert!(differs(&expected, &json!({"a": [{"id": "y", "e": 3}]})), "one is missing");
        assert!(differs(&expected, &json!({})), "a field is missing");
        assert!(differs(&json!(["<p 1>", "<p 1>"]), &json!([1, 2])), "one name, two values");
        assert!(!differs(&json!({"t": "<now>", "host": "b1"}), &json!({"t": 1_000_000_500})));
        assert!(differs(&json!("<now>"), &json!(-1)));
        let bytes = |n: i64| json!({"recordsSizeInBytes": n});
        assert!(differs(&bytes(70), &bytes(71)) && !differs(&bytes(74), &bytes(73)));
    }
}
