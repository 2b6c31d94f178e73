//! Everything that a run can reach, by name, for `must_reach`.

use engine::error::ErrorCode;
use engine::reach::Reach;
use engine::rules::Rules;
use sim::Effect;

/// Everything that a run can reach: name and meaning. Steps of the protocol, error codes in
/// responses, branches of rules, and effects that the simulator counts.
pub fn all() -> impl Iterator<Item = (&'static str, String)> {
    let steps = Reach::ALL.iter().map(|reach| (reach.name(), reach.summary().to_owned()));
    let errors = ErrorCode::returned()
        .map(|code| (code.name(), format!("A response had this error: {}.", code.meaning())));
    let branches = Rules::branches().map(|(_, name, rule)| {
        let said = if name.ends_with(".yes") { "yes" } else { "no" };
        let mut rule = rule.chars();
        let first = rule.next().map(|first| first.to_ascii_lowercase());
        let rule: String = first.into_iter().chain(rule).collect();
        (name, format!("A rule said {said}: {rule}"))
    });
    let counted = Effect::ALL.iter().map(|effect| (effect.name(), effect.summary().to_owned()));
    steps.chain(errors).chain(branches).chain(counted)
}

/// All names that `must_reach` accepts.
pub fn names() -> impl Iterator<Item = &'static str> {
    all().map(|(name, _)| name)
}

/// Whether of a name only that it was reached is known, and not how often: errors in responses and
/// branches of rules.
pub fn is_marked(name: &str) -> bool {
    ErrorCode::returned().any(|code| code.name() == name)
        || Rules::branches().any(|(_, branch, _)| branch == name)
}

/// Names by their kind: steps of the protocol, errors in responses, branches of rules, and effects that
/// the simulator counts.
pub fn by_kind<'a>(names: impl IntoIterator<Item = &'a str>) -> [(&'static str, Vec<&'a str>); 4] {
    let mut kinds = ["steps", "errors", "rules", "effects"].map(|kind| (kind, Vec::new()));
    for name in names {
        let kind = match name {
            name if is_step(name) => 0,
            name if !is_marked(name) => 3,
            name if name.contains('.') => 2,
            _ => 1,
        };
        kinds[kind].1.push(name);
    }
    kinds
}

/// Whether a name is that of a step of the protocol.
pub fn is_step(name: &str) -> bool {
    Reach::ALL.iter().any(|reach| reach.name() == name)
}
