//! Whether Kafka starts with a set of properties.

use super::fact::{Scope, fact};
use super::value::Value;
use super::{client, server};
use std::collections::BTreeMap;
use std::fmt;

/// Why Kafka does not start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The property to point at; it is set.
    pub property: String,
    /// The properties and values that contradict each other; `property` comes first.
    pub values: Vec<(String, String)>,
    /// Kafka's rule, as a sentence without a full stop.
    pub rule: String,
    /// The class of Kafka that has the rule.
    pub source: &'static str,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kafka refuses ")?;
        for (i, (name, value)) in self.values.iter().enumerate() {
            let joint = ["", " with "].get(i).copied().unwrap_or(" and ");
            write!(f, "{joint}`{name}={value}`")?;
        }
        write!(f, ": {} ({})", self.rule, self.source)
    }
}

/// Why Kafka refuses to start with the properties `set` of one scope while all others have their
/// defaults; `None` if it starts. Unknown properties are ignored, as Kafka ignores them, except for
/// topics.
pub fn refusal(scope: Scope, set: &BTreeMap<&str, &str>) -> Option<Refusal> {
    let set = Set { scope, set };
    set.alone().or_else(|| match scope {
        Scope::Broker => server::broker(&set),
        Scope::Topic => server::topic(&set),
        Scope::Group => server::group(&set),
        Scope::Producer => client::producer(&set),
        Scope::Consumer => client::consumer(&set),
        Scope::Admin => client::common(&set, "CommonClientConfigs"),
    })
}

/// Properties of one scope: the ones that are set, and Kafka's defaults for all others.
pub(super) struct Set<'a> {
    scope: Scope,
    set: &'a BTreeMap<&'a str, &'a str>,
}

impl Set<'_> {
    /// The refusal of a property whatever the others are.
    fn alone(&self) -> Option<Refusal> {
        self.set.iter().find_map(|(name, value)| match fact(self.scope, name) {
            Some(fact) => {
                let rule = format!("`{name}` {}", fact.refuses(value)?);
                Some(self.refuse(&[name], rule, "ConfigDef"))
            }
            None if self.scope == Scope::Topic => {
                let rule = "topics have no property of that name".to_owned();
                Some(self.refuse(&[name], rule, "LogConfig"))
            }
            None => None,
        })
    }

    /// Whether a property is set, even if to its default.
    pub(super) fn is_set(&self, name: &str) -> bool {
        self.set.contains_key(name)
    }

    fn value(&self, name: &str) -> Option<Value> {
        let fact = fact(self.scope, name)?;
        fact.kind.parse(self.set.get(name).copied().or(fact.default)?)
    }

    /// The value of a whole-number property, set or by default.
    pub(super) fn whole(&self, name: &str) -> Option<i64> {
        match self.value(name)? {
            Value::Whole(n) => Some(n),
            _ => None,
        }
    }

    /// Whether a boolean property is true.
    pub(super) fn is_on(&self, name: &str) -> bool {
        self.value(name) == Some(Value::Boolean(true))
    }

    /// The value of a text property, set or by default.
    pub(super) fn text(&self, name: &str) -> Option<String> {
        match self.value(name)? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// The value of a list property, set or by default; empty if it has none.
    pub(super) fn list(&self, name: &str) -> Vec<String> {
        match self.value(name) {
            Some(Value::List(list)) => list,
            _ => Vec::new(),
        }
    }

    /// A refusal of the properties `names`; it points at the first property that is set.
    pub(super) fn refuse(
        &self,
        names: &[&str],
        rule: impl Into<String>,
        source: &'static str,
    ) -> Refusal {
        let shown = |name: &str| {
            let default = || fact(self.scope, name).and_then(|fact| fact.default);
            let value = self.set.get(name).copied().or_else(default);
            (name.to_owned(), value.unwrap_or("null").trim().to_owned())
        };
        let mut values: Vec<(String, String)> = names.iter().map(|name| shown(name)).collect();
        let first = names.iter().position(|name| self.is_set(name)).unwrap_or(0);
        values[..=first].rotate_right(1);
        Refusal { property: values[0].0.clone(), values, rule: rule.into(), source }
    }
}
