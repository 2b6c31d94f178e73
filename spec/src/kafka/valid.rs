//! The values of its type that a property can have: the validators of Kafka's `ConfigDef`.

use super::value::Value;

/// The values that a property can have.
#[derive(Clone, Debug)]
pub(super) struct Valid {
    /// The rule as Kafka's documentation writes it.
    text: &'static str,
    rule: Rule,
}

#[derive(Clone, Debug)]
enum Rule {
    Any,
    /// From the first to the second, or exactly the third.
    Range(f64, Option<f64>, Option<f64>),
    OneOf(Vec<&'static str>),
    OneOfInAnyCase(Vec<&'static str>),
    /// One of these, or `by_duration:` and an ISO duration (`AutoOffsetResetStrategy`).
    Reset(Vec<&'static str>),
    NonEmpty,
    /// `*`, or partition and broker (`ThrottledReplicaListValidator`).
    ThrottledReplicas,
    /// `1@host:9093` or `host:9093` (`QuorumConfig`).
    Addresses,
}

impl Valid {
    /// Reads a rule as Kafka's documentation writes it.
    pub(super) fn read(text: &'static str) -> Self {
        let rule = match text {
            "" | "non-null string" => Rule::Any,
            "non-empty string" => Rule::NonEmpty,
            "non-empty list" => Rule::Addresses,
            _ if text.starts_with("[partitionId]") => Rule::ThrottledReplicas,
            _ => match text.strip_prefix("(case insensitive) ") {
                Some(names) => Rule::OneOfInAnyCase(listed(names)),
                None if text.contains("by_duration") => {
                    let mut names = listed(text);
                    names.retain(|name| !name.starts_with("by_duration"));
                    Rule::Reset(names)
                }
                None => range(text).unwrap_or_else(|| Rule::OneOf(listed(text))),
            },
        };
        Self { text, rule }
    }

    pub(super) const fn is_choice(&self) -> bool {
        matches!(self.rule, Rule::OneOf(_) | Rule::OneOfInAnyCase(_) | Rule::Reset(_))
    }

    pub(super) const fn text(&self) -> &'static str {
        self.text
    }

    pub(super) fn allows(&self, value: &Value) -> bool {
        match (&self.rule, value) {
            (Rule::Range(min, max, or), Value::Whole(_) | Value::Double(_)) => {
                // Kafka compares as doubles, whatever the type.
                let n = match value {
                    Value::Whole(n) => *n as f64,
                    Value::Double(n) => *n,
                    _ => return true,
                };
                *or == Some(n) || !(n < *min || max.is_some_and(|max| n > max))
            }
            (Rule::OneOf(names), Value::Text(text)) => names.contains(&text.as_str()),
            (Rule::OneOf(names), Value::List(list)) => {
                list.iter().all(|item| names.contains(&item.as_str()))
            }
            (Rule::OneOfInAnyCase(names), Value::Text(text)) => {
                names.iter().any(|name| name.eq_ignore_ascii_case(text))
            }
            (Rule::Reset(names), Value::Text(text)) => {
                names.contains(&text.as_str())
                    || text.strip_prefix("by_duration:").is_some_and(is_duration)
            }
            (Rule::NonEmpty, Value::Text(text)) => !text.is_empty(),
            (Rule::ThrottledReplicas, Value::List(list)) => {
                list.iter().map(String::as_str).eq(["*"]) || list.iter().all(|item| is_pair(item))
            }
            (Rule::Addresses, Value::List(list)) => list.iter().all(|item| is_address(item)),
            _ => true,
        }
    }

    /// The rule as the end of a sentence that begins with the property.
    pub(super) fn in_words(&self) -> String {
        let names = |names: &[&str]| names.join(", ");
        match &self.rule {
            Rule::Range(min, Some(max), Some(or)) => {
                format!("has to be from {min} to {max}, or {or}")
            }
            Rule::Range(min, Some(max), None) => format!("has to be from {min} to {max}"),
            Rule::Range(min, None, _) => format!("has to be at least {min}"),
            Rule::OneOf(all) => format!("has to be one of {}", names(all)),
            Rule::OneOfInAnyCase(all) => format!("has to be one of {}, in any case", names(all)),
            Rule::Reset(all) => format!(
                "has to be one of {}, or `by_duration:` and a duration such as PT1H",
                names(all)
            ),
            Rule::NonEmpty => "cannot be empty".to_owned(),
            Rule::ThrottledReplicas => "has to be `*` or `partition:broker, ...`".to_owned(),
            Rule::Addresses => "has to list addresses such as `host:9093`, with an id and `@` \
            before the address of each voter"
                .to_owned(),
            Rule::Any => "can have any value".to_owned(),
        }
    }
}

/// `[a, b, c]`.
fn listed(text: &'static str) -> Vec<&'static str> {
    text.trim_matches(['[', ']']).split(',').map(str::trim).collect()
}

/// `[1,...]`, `[1,...,9]`, `[1,...,9] or -1`.
fn range(text: &'static str) -> Option<Rule> {
    let (range, or) = match text.split_once(" or ") {
        Some((range, or)) => (range, Some(or.parse().ok()?)),
        None => (text, None),
    };
    match listed(range).as_slice() {
        [min, "..."] => Some(Rule::Range(min.parse().ok()?, None, or)),
        [min, "...", max] => Some(Rule::Range(min.parse().ok()?, Some(max.parse().ok()?), or)),
        _ => None,
    }
}

/// `0:101`.
fn is_pair(text: &str) -> bool {
    let number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.split_once(':').is_some_and(|(partition, broker)| number(partition) && number(broker))
}

/// `host:9093`, `1@host:9093`.
fn is_address(text: &str) -> bool {
    let address = match text.split_once('@') {
        Some((id, address)) if id.parse::<i32>().is_ok() => address,
        Some(_) => return false,
        None => text,
    };
    address
        .rsplit_once(':')
        .is_some_and(|(host, port)| !host.is_empty() && port.parse::<u32>().is_ok())
}

/// Whether a text is a duration of ISO 8601 that is not negative: `P2DT3H4M5.5S`, as
/// `java.time.Duration` reads it.
fn is_duration(text: &str) -> bool {
    let text = text.to_ascii_uppercase();
    let Some(rest) = text.trim_start_matches('+').strip_prefix('P') else { return false };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) => (days, Some(time)),
        None => (rest, None),
    };
    if time.is_some_and(str::is_empty) || rest.is_empty() {
        return false;
    }
    in_units(days, "D") && time.is_none_or(|time| in_units(time, "HMS"))
}

/// Whether a text consists of numbers, each followed by one of `units`, in their order, each unit
/// at most once.
fn in_units(mut text: &str, mut units: &str) -> bool {
    while !text.is_empty() {
        let Some(end) = text.find(|c: char| !c.is_ascii_digit() && !".+".contains(c)) else {
            return false;
        };
        let unit = &text[end..=end];
        let (Some(at), true) = (units.find(unit), end > 0) else { return false };
        if text[..end].contains('.') && unit != "S" || text[..end].parse::<f64>().is_err() {
            return false;
        }
        (text, units) = (&text[end + 1..], &units[at + 1..]);
    }
    true
}
