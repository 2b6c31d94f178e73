//! The scenarios that are built in: every file in `scenarios/catalog/`.

use crate::museum::BUGS;
use spec::{Diagnostic, Kind, Load, Scenario, nearest};

/// Name and text of each, by name.
pub const FILES: &[(&str, &str)] = include!(concat!(env!("OUT_DIR"), "/catalog.rs"));

/// Every scenario with a name: those of the catalogue, and the directed ones of the museum.
fn all() -> impl Iterator<Item = (&'static str, &'static str)> {
    FILES.iter().copied().chain(BUGS.iter().map(|bug| (bug.scenario, bug.toml)))
}

/// Name and title of every scenario with a name.
pub fn titles() -> impl Iterator<Item = (&'static str, String)> {
    all().map(|(name, _)| {
        (name, scenario(name).map(|(scenario, _)| scenario.title).unwrap_or_default())
    })
}

/// The scenario called `name`, with warnings about it.
///
/// # Errors
///
/// If there is none, with the nearest name there is.
pub fn scenario(name: &str) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    let none = |_: &str, _: &str| Err("files are not read here".to_owned());
    parse(&format!("{name}.toml"), text(name)?, &none)
}

/// The text of the scenario called `name`.
///
/// # Errors
///
/// As [`scenario`].
pub fn text(name: &str) -> Result<&'static str, Box<Diagnostic>> {
    let found = all().find(|(known, _)| *known == name);
    found.map(|(_, text)| text).ok_or_else(|| Box::new(unknown(name)))
}

/// Reads a scenario file, which may extend scenarios by name.
///
/// # Errors
///
/// As [`Scenario::parse_with`].
pub fn parse(
    file: &str,
    text: &str,
    load: Load<'_>,
) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    parse_beyond((file, text), load, false)
}

/// Reads a scenario file, with `beyond_kafka = true` if `beyond_kafka` is true.
///
/// # Errors
///
/// As [`Scenario::parse_with`].
pub fn parse_beyond(
    text: (&str, &str),
    load: Load<'_>,
    beyond_kafka: bool,
) -> Result<(Scenario, Vec<Diagnostic>), Box<Diagnostic>> {
    let named: Vec<(&str, &str)> = all().collect();
    Scenario::parse_beyond(text, &named, load, beyond_kafka)
}

fn unknown(name: &str) -> Diagnostic {
    let names: Vec<&str> = FILES.iter().map(|(known, _)| *known).collect();
    let near = nearest(name, all().map(|(known, _)| known));
    let hint = near.map_or_else(
        || "`faultline list scenarios` shows them all".to_owned(),
        |near| format!("did you mean `{near}`?"),
    );
    let message = format!(
        "there is no scenario `{name}`; there are {}, and museum-* for each bug",
        names.join(", ")
    );
    Diagnostic::new(Kind::UnknownScenario, message).with_hint(Some(hint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_file_of_the_catalogue_is_a_scenario_of_its_own_name_without_warnings() {
        assert!(FILES.len() >= 7);
        for (name, _) in all() {
            let (scenario, warnings) = scenario(name).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(scenario.name, name);
            assert_eq!(warnings, [], "{name}");
        }
    }

    #[test]
    fn a_scenario_written_as_json_reads_back_the_same() {
        for (name, _) in FILES {
            let (scenario, _) = scenario(name).unwrap();
            let json = serde_json::to_string(&scenario).unwrap();
            assert_eq!(serde_json::from_str::<Scenario>(&json).unwrap(), scenario, "{name}");
        }
    }

    #[test]
    fn a_name_that_is_nearly_right_is_found() {
        let error = scenario("leadercrash").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `leader-crash`?"));
        let error = scenario("museum-kip101").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `museum-kip-101`?"));
        let error = scenario("kip-497").unwrap_err();
        assert_eq!(error.hint.as_deref(), Some("did you mean `museum-kip-497`?"));
    }

    #[test]
    fn every_scenario_reads_back_from_the_text_that_is_written_of_it() {
        for (name, _) in all() {
            let (original, _) = scenario(name).unwrap_or_else(|error| panic!("{error}"));
            let text = original.to_toml();
            let read = Scenario::parse(name, &text);
            let (read, _) = read.unwrap_or_else(|error| panic!("{error}\n{text}"));
            assert_eq!(read, original, "{text}");
        }
    }
}
