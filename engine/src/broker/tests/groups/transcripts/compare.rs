//! Responses beside each other, as far as they have to be alike.

use serde_json::Value;
use std::collections::BTreeMap;

/// What stands for a placeholder such as `<member 1>`.
pub(super) type Bindings = BTreeMap<String, Value>;

/// Fields that say nothing about the protocol, or that are not modelled.
const IGNORED: &[&str] = &["authorizedOperations", "clientHost", "clientId", "host", "port"];

/// Where `actual` differs from `expected`; `None` if it does not. Elements of a list may come in any
/// order, since many come in that of a hash table.
pub(super) fn difference(
    expected: &Value,
    actual: &Value,
    bindings: &mut Bindings,
) -> Option<String> {
    match (expected, actual) {
        (Value::String(placeholder), actual) if placeholder.starts_with('<') => {
            let bound = bindings.entry(placeholder.clone()).or_insert_with(|| actual.clone());
            (bound != actual).then(|| format!("{placeholder} is {bound}, not {actual}"))
        }
        (Value::Object(fields), Value::Object(others)) => fields
            .iter()
            .filter(|(key, _)| !IGNORED.contains(&key.as_str()))
            .find_map(|(key, value)| match others.get(key) {
                None => Some(format!("{key} is missing")),
                Some(other) => difference(value, other, bindings).map(|it| format!("{key}: {it}")),
            }),
        (Value::Array(all), Value::Array(others)) => {
            if all.len() != others.len() {
                return Some(format!("{} elements, not {}", others.len(), all.len()));
            }
            let mut left: Vec<&Value> = others.iter().collect();
            for wanted in all {
                let found = left.iter().enumerate().find_map(|(at, other)| {
                    let mut trial = bindings.clone();
                    let is_alike = difference(wanted, other, &mut trial).is_none();
                    is_alike.then_some((at, trial))
                });
                let Some((at, bound)) = found else {
                    let closest = left.first().and_then(|it| difference(wanted, it, bindings));
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
