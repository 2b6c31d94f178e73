//! Which tables of properties a setting applies to, and whether it fits any of them.

use super::diagnostic::{Diagnostic, Kind};
use super::kafka::{Scope, fact};
use super::mistake::did_you_mean;
use super::overrides::OWN;
use super::properties::{Properties, SetError, TABLES, Table};
use super::text::nearest;
use super::unmodelled;
use engine::config::{BrokerConfig, ConsumerConfig, ControllerConfig, ProducerConfig, TopicConfig};

/// How well a setting fits a table of properties, from worst to best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Fit {
    /// Neither the table nor Kafka's table of the same scope has the property.
    Absent,
    /// The property is not modelled, and Kafka refuses the value.
    Refused,
    /// The property is not modelled.
    Unmodelled,
    /// The property is not modelled, and Faultline behaves as if it had this value.
    Same,
    /// The table has the property.
    Modelled,
}

impl Fit {
    fn of<T: Table>(name: &str, value: &str) -> Self {
        if T::NAMES.contains(&name) {
            return Self::Modelled;
        }
        match fact(T::SCOPE, name) {
            None => Self::Absent,
            Some(fact) if fact.refuses(value).is_some() => Self::Refused,
            Some(_) if unmodelled::holds_anyway(T::SCOPE, name, value) => Self::Same,
            Some(_) => Self::Unmodelled,
        }
    }
}

/// How well the setting fits at best. It applies to the tables that it fits that well.
pub(super) fn fits(name: &str, value: &str) -> Result<Fit, Box<Diagnostic>> {
    let best = Fit::of::<TopicConfig>(name, value)
        .max(Fit::of::<BrokerConfig>(name, value))
        .max(Fit::of::<ControllerConfig>(name, value))
        .max(Fit::of::<ProducerConfig>(name, value))
        .max(Fit::of::<ConsumerConfig>(name, value));
    if best == Fit::Absent { Err(unknown(name)) } else { Ok(best) }
}

/// A setting that is being applied to the tables that it fits best.
pub(super) struct Put<'a> {
    pub(super) name: &'a str,
    pub(super) value: &'a str,
    pub(super) fits: Fit,
    /// The number of tables that have it now.
    pub(super) places: usize,
}

impl Put<'_> {
    /// Applies the setting to a table, if it fits that table best.
    pub(super) fn to<T: Table>(
        &mut self,
        properties: &mut Properties<T>,
    ) -> Result<(), Box<Diagnostic>> {
        let Self { name, value, .. } = *self;
        if Fit::of::<T>(name, value) != self.fits {
            return Ok(());
        }
        match properties.set(name, value) {
            Ok(()) => self.places += 1,
            // Controllers and brokers have one scope in Kafka; only one of the two models the
            // property.
            Err(SetError::Unknown) => {}
            Err(SetError::Expected(expected)) => {
                let message = format!("`{name}` expects {expected}, not `{value}`");
                return Err(Box::new(Diagnostic::new(Kind::WrongValue, message)));
            }
            Err(SetError::Refused(message)) => {
                return Err(Box::new(Diagnostic::new(Kind::Impossible, message)));
            }
        }
        Ok(())
    }
}

/// Checks that some table models a property `name` and accepts `value`.
pub(super) fn table_of(name: &str, value: &str) -> Result<(), Box<Diagnostic>> {
    fn tried<T: Table>(name: &str, value: &str) -> Option<Result<(), SetError>> {
        T::NAMES.contains(&name).then(|| Properties::<T>::default().set(name, value))
    }
    let all = [
        tried::<TopicConfig>(name, value),
        tried::<BrokerConfig>(name, value),
        tried::<ControllerConfig>(name, value),
        tried::<ProducerConfig>(name, value),
        tried::<ConsumerConfig>(name, value),
    ];
    let mut results = all.into_iter().flatten();
    let Some(first) = results.next() else { return Err(unknown(name)) };
    let message = match first {
        Err(SetError::Expected(expected)) if results.all(|result| result.is_err()) => {
            format!("`{name}` expects {expected}, not `{value}`")
        }
        Err(SetError::Refused(message)) if results.all(|result| result.is_err()) => message,
        _ => return Ok(()),
    };
    Err(Box::new(Diagnostic::new(Kind::WrongValue, message)))
}

/// The error that no table has a property called `name`, with a suggestion.
pub(super) fn unknown(name: &str) -> Box<Diagnostic> {
    let (message, hint) = match Scope::ALL.iter().find_map(|it| unmodelled::instead_of(*it, name)) {
        Some(instead) => (unmodelled::message(name), instead),
        None => (format!("there is no property `{name}`"), meant_by(name)),
    };
    Box::new(Diagnostic::new(Kind::UnknownProperty, message).with_hint(Some(hint)))
}

/// The hint for a name that neither Kafka nor Faultline has.
fn meant_by(name: &str) -> String {
    let all = TABLES.iter().flat_map(|(_, names)| names.iter().copied());
    let own = OWN.iter().map(|(own, _)| *own);
    let near = unmodelled::also_called(name).or_else(|| nearest(name, all.chain(own)));
    near.map_or_else(|| "`faultline list configs` has all properties".to_owned(), did_you_mean)
}
