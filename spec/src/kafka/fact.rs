//! The table of Kafka's properties.

use super::valid::Valid;
use super::value::Type;
use std::collections::BTreeMap;
use std::sync::LazyLock;

/// Which of Kafka's tables (`ConfigDef`) a property belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// `KafkaConfig`: brokers and controllers.
    Broker,
    /// `LogConfig`: topics.
    Topic,
    /// `GroupConfig`: consumer groups.
    Group,
    /// `ProducerConfig`.
    Producer,
    /// `ConsumerConfig`.
    Consumer,
    /// `AdminClientConfig`.
    Admin,
}

impl Scope {
    /// All scopes.
    pub const ALL: [Self; 6] =
        [Self::Broker, Self::Topic, Self::Group, Self::Producer, Self::Consumer, Self::Admin];

    /// Its name in `properties.tsv`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Broker => "broker",
            Self::Topic => "topic",
            Self::Group => "group",
            Self::Producer => "producer",
            Self::Consumer => "consumer",
            Self::Admin => "admin",
        }
    }

    /// The parts of Kafka that have these properties, in the plural.
    pub const fn plural(self) -> &'static str {
        match self {
            Self::Broker => "brokers",
            Self::Topic => "topics",
            Self::Group => "groups",
            Self::Producer => "producers",
            Self::Consumer => "consumers",
            Self::Admin => "admin clients",
        }
    }

    /// The scope called `name`.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|scope| scope.name() == name)
    }
}

/// One property of Kafka 4.1.
#[derive(Clone, Debug)]
pub struct Fact {
    /// The table it belongs to.
    pub scope: Scope,
    /// Its name.
    pub name: &'static str,
    /// The type of its values.
    pub kind: Type,
    /// Its default; `None` if it has none.
    pub default: Option<&'static str>,
    /// The broker's property that is a topic's default.
    pub broker_default: Option<&'static str>,
    /// Whether Kafka does not document it.
    pub internal: bool,
    pub(super) valid: Valid,
}

impl Fact {
    /// Why Kafka refuses `value` for this property whatever the others are, as the end of a
    /// sentence that begins with the property; `None` if it does not.
    pub fn refuses(&self, value: &str) -> Option<String> {
        match self.kind.parse(value) {
            Some(value) => (!self.valid.allows(&value)).then(|| self.valid.in_words()),
            None => Some(format!("has to be {}", self.kind.in_words())),
        }
    }

    /// Whether Kafka lists the values that it allows.
    pub(crate) fn is_choice(&self) -> bool {
        self.valid.is_choice()
    }

    /// The values that Kafka allows, as its documentation writes them: `[1,...]`, `[none, gzip]`.
    pub fn range(&self) -> &'static str {
        self.valid.text()
    }
}

static FACTS: LazyLock<BTreeMap<Scope, BTreeMap<&str, Fact>>> = LazyLock::new(|| {
    let mut scopes: BTreeMap<_, BTreeMap<_, _>> = BTreeMap::new();
    for line in include_str!("properties.tsv").lines().filter(|line| !line.starts_with('#')) {
        let fact = row(line);
        scopes.entry(fact.scope).or_default().insert(fact.name, fact);
    }
    scopes
});

/// One line of `properties.tsv`. A malformed line is a mistake in this crate.
fn row(line: &'static str) -> Fact {
    let columns: Vec<&'static str> = line.split('\t').collect();
    let &[scope, name, kind, default, valid, broker_default, flags] = columns.as_slice() else {
        panic!("properties.tsv: `{line}` does not have seven columns");
    };
    Fact {
        scope: Scope::named(scope).unwrap_or_else(|| panic!("properties.tsv: scope of `{line}`")),
        name,
        kind: Type::named(kind).unwrap_or_else(|| panic!("properties.tsv: type of `{line}`")),
        default: (default != "null").then_some(default),
        broker_default: (!broker_default.is_empty()).then_some(broker_default),
        internal: flags == "internal",
        valid: Valid::read(valid),
    }
}

/// The property of `scope` called `name`, if Kafka has it.
pub fn fact(scope: Scope, name: &str) -> Option<&'static Fact> {
    FACTS.get(&scope)?.get(name)
}

/// All properties, by scope and name.
pub fn facts() -> impl Iterator<Item = &'static Fact> {
    FACTS.values().flat_map(BTreeMap::values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_has_every_property_and_its_defaults_are_allowed() {
        assert_eq!(facts().count(), 697);
        for fact in facts() {
            let Some(default) = fact.default else { continue };
            // Kafka's own default of `bootstrap.servers` is refused only when a client starts.
            assert_eq!(fact.refuses(default), None, "{} {}", fact.scope.name(), fact.name);
            if let Some(broker) = fact.broker_default {
                assert!(super::fact(Scope::Broker, broker).is_some(), "{broker}");
            }
        }
    }
}
