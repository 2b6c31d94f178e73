//! Kafka properties that a scenario sets: those of the engine's tables, and Kafka's others. Names
//! and types are checked as they are read; ranges and contradictions afterwards, once it is known
//! whether the scenario may go beyond Kafka.

mod listed;
mod read;

pub(super) use listed::is_modelled;
pub use listed::{Listed, Origin, TABLES, property_list};

use super::kafka::{Fact, Scope, fact, refusal};
use engine::config::PropertyError;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// One of the engine's tables of properties.
pub trait Table: Default {
    /// The parts of a scenario that have these properties, in the plural.
    const OF: &'static str;
    /// Kafka's table of the same properties.
    const SCOPE: Scope;
    /// The names of all properties.
    const NAMES: &'static [&'static str];

    /// Sets one property.
    ///
    /// # Errors
    ///
    /// If there is no such property, or it cannot have that value.
    fn set(&mut self, name: &str, value: &str) -> Result<(), PropertyError>;

    /// The value of one property.
    fn get(&self, name: &str) -> Option<String>;
}

/// Why a scenario cannot set a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetError {
    /// Neither the engine nor Kafka has a property of that name there.
    Unknown,
    /// The value does not have the expected form, which is described here.
    Expected(String),
    /// Kafka refuses the value, and it could not be modelled either. The message, as a sentence.
    Refused(String),
}

/// The set properties of one table, by name; all others have Kafka's default.
pub struct Properties<T> {
    values: BTreeMap<String, String>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Properties<T> {
    /// The whole table: `base` with the properties set here.
    pub fn over(&self, mut base: T) -> T {
        for (name, value) in &self.values {
            let set = base.set(name, value);
            // An unmodelled property has a value that holds anyway.
            let read = !matches!(set, Err(PropertyError::Expected(_)));
            debug_assert!(read, "{name}={value} was checked when it was read");
        }
        base
    }

    /// The whole table: Kafka's defaults with the properties set here.
    pub fn config(&self) -> T {
        self.over(T::default())
    }

    /// Sets one property of the engine's table, or another one that Kafka has in the same scope.
    ///
    /// # Errors
    ///
    /// If there is no such property, or it cannot have that value; nothing is changed then.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), SetError> {
        let fact = fact(T::SCOPE, name);
        let value = match T::NAMES.contains(&name) {
            true => canonical::<T>(name, value, fact)?,
            // The property belongs to another table of the same scope.
            false if is_modelled(T::SCOPE, name) => return Err(SetError::Unknown),
            false => {
                let fact = fact.ok_or(SetError::Unknown)?;
                of_type(fact, value)?;
                value.trim().to_owned()
            }
        };
        self.values.insert(name.to_owned(), value);
        Ok(())
    }

    /// The value of a property that is set.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    /// Returns one property to its default.
    pub fn unset(&mut self, name: &str) {
        self.values.remove(name);
    }

    /// The set properties that the engine models: name and value.
    pub fn modelled(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(name, _)| T::NAMES.contains(name))
    }

    /// The set properties that the engine does not model: name and value.
    pub(crate) fn unmodelled(&self) -> impl Iterator<Item = (&str, &str)> {
        self.iter().filter(|(name, _)| !T::NAMES.contains(name))
    }

    /// The set properties: name and value.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.values.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The set properties that differ from Kafka's default: name, value and default.
    pub fn not_default(&self) -> impl Iterator<Item = (&str, &str, String)> {
        let defaults = T::default();
        self.iter().filter_map(move |(name, value)| {
            let default = defaults.get(name)?;
            (default != value).then_some((name, value, default))
        })
    }
}

/// A value in the form in which the table writes it, so that `-1` and `all` are one.
fn canonical<T: Table>(
    name: &str,
    value: &str,
    fact: Option<&'static Fact>,
) -> Result<String, SetError> {
    // Numbers may contain underscores, as in TOML.
    let plain = value.replace('_', "");
    let is_number = plain.parse::<i64>().is_ok();
    let value = if is_number { plain.as_str() } else { value };
    if let Some(fact) = fact {
        of_type(fact, value)?;
    }
    let mut table = T::default();
    match table.set(name, value) {
        Ok(()) => Ok(table.get(name).unwrap_or_else(|| value.to_owned())),
        Err(PropertyError::Unknown) => Err(SetError::Unknown),
        Err(PropertyError::Expected(expected)) => {
            let set = [(name, value)].into();
            match refusal(T::SCOPE, &set).filter(|it| it.values.len() == 1) {
                Some(refusal) => Err(SetError::Refused(refusal.to_string())),
                // Kafka has a list of choices, and this is one of them.
                None if fact.is_some_and(Fact::is_choice) => Err(SetError::Refused(format!(
                    "`{name}={value}` is a value of Kafka that is not modelled; expected {expected}"
                ))),
                None => Err(SetError::Expected(expected.to_owned())),
            }
        }
    }
}

/// Checks that a value has the type that Kafka expects.
fn of_type(fact: &Fact, value: &str) -> Result<(), SetError> {
    match fact.kind.reads(value) {
        true => Ok(()),
        false => Err(SetError::Expected(fact.kind.in_words().to_owned())),
    }
}

impl<T> Clone for Properties<T> {
    fn clone(&self) -> Self {
        Self { values: self.values.clone(), table: PhantomData }
    }
}

impl<T> Default for Properties<T> {
    fn default() -> Self {
        Self { values: BTreeMap::new(), table: PhantomData }
    }
}

impl<T> PartialEq for Properties<T> {
    fn eq(&self, other: &Self) -> bool {
        self.values == other.values
    }
}

impl<T> Eq for Properties<T> {}

impl<T> fmt::Debug for Properties<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.values.fmt(f)
    }
}
