//! The engine's tables, and every property as `faultline list configs` shows it.

use super::Table;
use crate::kafka::{Fact, Scope, fact, facts};
use crate::unmodelled;
use engine::config::{
    BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig, PropertyError, TopicConfig,
};

/// A property as `faultline list configs` shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its name.
    pub name: &'static str,
    /// The parts of a scenario that have it, in the plural.
    pub of: &'static str,
    /// Its meaning; for an unmodelled property, what Faultline does instead.
    pub summary: String,
    /// Its default.
    pub default: String,
    /// The values that Kafka allows, as its documentation writes them; empty for any.
    pub range: &'static str,
    /// Whether it is Kafka's and modelled, Kafka's and not modelled, or Faultline's own.
    pub origin: Origin,
}

/// Where a property comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A property of Kafka 4.1 that is modelled.
    Kafka,
    /// A property of Kafka 4.1 that is not modelled.
    Unmodelled,
    /// A name of Faultline's own.
    Own,
}

impl Listed {
    /// The default with its unit: `30000 (30 s)`, `never`.
    pub fn default_in_words(&self) -> String {
        let Ok(number) = self.default.parse::<u64>() else { return self.default.clone() };
        let unit = |units: &[(u64, &str)]| {
            let fits = units.iter().find(|(size, _)| number >= *size && number % size == 0);
            fits.map(|(size, unit)| format!("{number} ({} {unit})", number / size))
        };
        let in_units = if number >= i64::MAX.unsigned_abs() {
            Some("never".to_owned())
        } else if self.name.ends_with(".ms") {
            unit(&[(86_400_000, "d"), (3_600_000, "h"), (60_000, "min"), (1_000, "s")])
        } else if self.name.ends_with(".bytes") || self.name.ends_with(".size") {
            unit(&[(1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")])
        } else {
            None
        };
        in_units.unwrap_or_else(|| self.default.clone())
    }
}

macro_rules! tables {
    ($($config:ident $of:literal $scope:ident)*) => {
        $(
            impl Table for $config {
                const OF: &'static str = $of;
                const SCOPE: Scope = Scope::$scope;
                const NAMES: &'static [&'static str] = $config::NAMES;

                fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError> {
                    $config::set(self, name, value)
                }

                fn get(&self, name: &str) -> Option<String> {
                    $config::get(self, name)
                }
            }
        )*

        /// Every table: the parts of a scenario that have its properties, and the names of these.
        pub const TABLES: &[(&str, &[&str])] = &[$(($of, $config::NAMES),)*];

        /// The scope of each of [`TABLES`].
        const SCOPES: &[Scope] = &[$(Scope::$scope,)*];

        /// Every property that is modelled.
        fn modelled() -> Vec<Listed> {
            let mut all = Vec::new();
            $({
                let defaults = $config::default();
                all.extend($config::NAMES.iter().zip($config::SUMMARIES).map(|(name, summary)| {
                    let fact = fact(Scope::$scope, name);
                    Listed {
                        name,
                        of: $of,
                        summary: (*summary).to_owned(),
                        default: defaults.get(name).unwrap_or_default(),
                        range: fact.map_or("", Fact::range),
                        origin: if fact.is_some() { Origin::Kafka } else { Origin::Own },
                    }
                }));
            })*
            all
        }
    };
}

tables! {
    TopicConfig "topics" Topic
    BrokerConfig "brokers" Broker
    ControllerConfig "controllers" Broker
    ProducerConfig "producers" Producer
    ConsumerConfig "consumers" Consumer
}

/// Every property: the modelled ones, then the rest of Kafka's.
pub fn property_list() -> Vec<Listed> {
    let mut all = modelled();
    let rest = facts().filter(|fact| !is_modelled(fact.scope, fact.name));
    all.extend(rest.map(|fact| Listed {
        name: fact.name,
        of: fact.scope.plural(),
        summary: unmodelled::instead_of(fact.scope, fact.name).unwrap_or_default(),
        default: fact.default.unwrap_or("none").to_owned(),
        range: fact.range(),
        origin: Origin::Unmodelled,
    }));
    all
}

/// Whether some table of `scope` has a property called `name`.
pub(crate) fn is_modelled(scope: Scope, name: &str) -> bool {
    let mut tables = TABLES.iter().zip(SCOPES);
    tables.any(|((_, names), of)| *of == scope && names.contains(&name))
}
