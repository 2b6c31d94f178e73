//! Types of properties, as `ConfigDef.parseType` reads them.

/// The type of a property's values.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// `true` or `false`, in any case.
    Boolean,
    /// A whole number of 16 bits.
    Short,
    /// A whole number of 32 bits.
    Int,
    /// A whole number of 64 bits.
    Long,
    /// A number with a fraction.
    Double,
    /// A text.
    String,
    /// A text that is not shown.
    Password,
    /// Texts, separated by commas.
    List,
    /// The name of a Java class.
    Class,
}

/// A value that was read.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    Boolean(bool),
    Whole(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

impl Type {
    const NAMES: [(&'static str, Self); 9] = [
        ("boolean", Self::Boolean),
        ("short", Self::Short),
        ("int", Self::Int),
        ("long", Self::Long),
        ("double", Self::Double),
        ("string", Self::String),
        ("password", Self::Password),
        ("list", Self::List),
        ("class", Self::Class),
    ];

    /// The type called `name` in `properties.tsv`.
    pub fn named(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(known, _)| *known == name).map(|(_, kind)| *kind)
    }

    /// Its name in `properties.tsv`.
    pub fn name(self) -> &'static str {
        Self::NAMES.iter().find(|(_, kind)| *kind == self).map_or("", |(name, _)| name)
    }

    /// The expected form of a value of this type.
    pub const fn in_words(self) -> &'static str {
        match self {
            Self::Boolean => "true or false",
            Self::Short => "a whole number from -32768 to 32767",
            Self::Int => "a whole number from -2147483648 to 2147483647",
            Self::Long => "a whole number from -9223372036854775808 to 9223372036854775807",
            Self::Double => "a number",
            Self::String | Self::Password => "a text",
            Self::List => "a list, separated by commas",
            Self::Class => "the name of a class that Kafka finds",
        }
    }

    /// Whether Kafka can read `text` as a value of this type.
    pub fn reads(self, text: &str) -> bool {
        self.parse(text).is_some()
    }

    /// Reads a value; `None` where Kafka cannot.
    pub(super) fn parse(self, text: &str) -> Option<Value> {
        let text = text.trim();
        Some(match self {
            Self::Boolean if text.eq_ignore_ascii_case("true") => Value::Boolean(true),
            Self::Boolean if text.eq_ignore_ascii_case("false") => Value::Boolean(false),
            Self::Boolean => return None,
            Self::Short => Value::Whole(text.parse::<i16>().ok()?.into()),
            Self::Int => Value::Whole(text.parse::<i32>().ok()?.into()),
            Self::Long => Value::Whole(text.parse().ok()?),
            Self::Double => Value::Double(double(text)?),
            Self::String | Self::Password => Value::Text(text.to_owned()),
            Self::List if text.is_empty() => Value::List(Vec::new()),
            Self::List => Value::List(text.split(',').map(|item| item.trim().to_owned()).collect()),
            // The class path is not known, but every class on it has a package.
            Self::Class if text.contains('.') => Value::Text(text.to_owned()),
            Self::Class => return None,
        })
    }
}

/// Java's `Double.parseDouble`, without hexadecimal numbers.
fn double(text: &str) -> Option<f64> {
    match text.trim_start_matches(['+', '-']) {
        "NaN" => return Some(f64::NAN),
        "Infinity" => return text.replace("Infinity", "inf").parse().ok(),
        _ => {}
    }
    let number = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    if !number.contains(|c: char| c.is_ascii_digit()) {
        return None;
    }
    number.parse().ok()
}
