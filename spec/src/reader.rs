//! Deserializes a parsed TOML document through serde, and keeps the place of every mistake. (The
//! `toml` crate's own deserializer reports mistakes as text only.)

use super::condition::Condition;
use super::diagnostic::Kind;
use super::properties::TABLES;
use super::target::Target;
use super::text::nearest;
use super::unmodelled;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

/// A mistake, and the bytes of the document that contain it.
#[derive(Debug)]
pub(super) struct Mistake {
    pub(super) kind: Kind,
    pub(super) message: String,
    pub(super) hint: Option<String>,
    /// The key of the table being read that it concerns; its place is looked up there.
    key: Option<String>,
    pub(super) span: Option<Range<usize>>,
}

impl Mistake {
    fn new(kind: Kind, message: String) -> Self {
        Self { kind, message, hint: None, key: None, span: None }
    }

    fn at(mut self, span: Range<usize>) -> Self {
        self.span.get_or_insert(span);
        self
    }

    /// Gives the mistake the place of its key, if `value` is the table that has this key, or the
    /// place of `value` if the mistake concerns no key.
    fn within(self, value: &Spanned<DeValue<'_>>) -> Self {
        let span = match (&self.key, value.get_ref()) {
            (Some(key), DeValue::Table(table)) => key_span(table, key),
            (Some(_), _) => None,
            (None, _) => Some(value.span()),
        };
        match span {
            Some(span) => self.at(span),
            None => self,
        }
    }
}

/// The place of `key` in `table`; a dotted key may stand there as nested tables.
pub(super) fn key_span(table: &DeTable<'_>, key: &str) -> Option<Range<usize>> {
    let (found, value, rest) = entry(table, key)?;
    match (rest, value.get_ref()) {
        ("", _) => Some(found.span()),
        (rest, DeValue::Table(inner)) => {
            key_span(inner, rest).map(|last| found.span().start..last.end)
        }
        _ => None,
    }
}

/// The entry that `key` or its beginning names, and the rest of `key`.
pub(super) fn entry<'t, 'k>(
    table: &'t DeTable<'t>,
    key: &'k str,
) -> Option<(&'t Spanned<DeString<'t>>, &'t Spanned<DeValue<'t>>, &'k str)> {
    if let Some((found, value)) = table.get_key_value(key) {
        return Some((found, value, ""));
    }
    let (first, rest) = key.split_once('.')?;
    table.get_key_value(first).map(|(found, value)| (found, value, rest))
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Mistake {}

impl de::Error for Mistake {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self::new(Kind::WrongValue, message.to_string())
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let (found, expected) = (in_words(found), plain(expected));
        Self::new(Kind::WrongValue, format!("expected {expected}, found {found}"))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_variant(found: &str, expected: &'static [&'static str]) -> Self {
        let message = format!("there is no `{found}` here; {}", one_of(expected));
        Self {
            hint: nearest(found, expected.iter().copied()).map(did_you_mean),
            ..Self::new(Kind::WrongValue, message)
        }
    }

    fn unknown_field(key: &str, expected: &'static [&'static str]) -> Self {
        let table = TABLES.iter().find(|(_, names)| *names == expected);
        let (kind, message) = match table {
            Some((of, _)) => (Kind::UnknownProperty, format!("{of} have no property `{key}`")),
            None => {
                (Kind::UnknownKey, format!("there is no key `{key}` here; {}", one_of(expected)))
            }
        };
        Self {
            hint: unknown_key_hint(key, expected),
            key: Some(key.to_owned()),
            ..Self::new(kind, message)
        }
    }

    fn missing_field(key: &'static str) -> Self {
        Self::new(Kind::MissingKey, format!("`{key}` is missing"))
    }

    fn duplicate_field(key: &'static str) -> Self {
        Self {
            key: Some(key.to_owned()),
            ..Self::new(Kind::Malformed, format!("`{key}` is given twice"))
        }
    }
}

fn unknown_key_hint(key: &str, expected: &[&str]) -> Option<String> {
    if let Some((of, _)) = TABLES.iter().find(|(_, names)| names.contains(&key)) {
        return Some(format!("`{key}` is a property of {of}"));
    }
    if TABLES.iter().any(|(_, names)| *names == expected)
        && let Some(meant) = unmodelled::also_called(key)
    {
        return Some(did_you_mean(meant));
    }
    nearest(key, expected.iter().copied()).map(did_you_mean)
}

/// The hint that suggests the nearest valid name.
pub(super) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

fn one_of(names: &[&str]) -> String {
    match names {
        [] => "nothing was expected".to_owned(),
        names => format!("expected one of {}", names.join(", ")),
    }
}

fn plain(expected: &dyn Expected) -> String {
    in_plain_words(&expected.to_string())
}

/// Serde's names of expected values (`u16`, `struct RunRecord`) in words.
pub fn in_plain_words(expected: &str) -> String {
    let most = match expected {
        "u8" => u64::from(u8::MAX),
        "u16" => u64::from(u16::MAX),
        "u32" => u64::from(u32::MAX),
        "u64" => return "a whole number from 0".to_owned(),
        "a sequence" => return "a list".to_owned(),
        "a boolean" => return "true or false".to_owned(),
        "a string" => return "a text in quotes".to_owned(),
        _ if expected.starts_with("struct ") => return "a table".to_owned(),
        _ if expected.contains("enum ") => return "a name".to_owned(),
        _ if expected.contains("variant") => return "a name".to_owned(),
        expected => return expected.to_owned(),
    };
    format!("a whole number from 0 to {most}")
}

fn in_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Bool(flag) => format!("`{flag}`"),
        Unexpected::Unsigned(number) => format!("the number {number}"),
        Unexpected::Signed(number) => format!("the number {number}"),
        Unexpected::Float(number) => format!("the number {number}"),
        Unexpected::Str(text) => format!("\"{text}\""),
        Unexpected::Map => "a table".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        other => other.to_string(),
    }
}

/// A value of the document.
#[derive(Clone, Copy)]
pub(super) struct Node<'a>(pub(super) &'a Spanned<DeValue<'a>>);

impl<'a> Node<'a> {
    fn visit<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.0.get_ref() {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Integer(number) => {
                let (digits, radix) = (number.as_str(), number.radix());
                match (u64::from_str_radix(digits, radix), i64::from_str_radix(digits, radix)) {
                    (Ok(n), _) => visitor.visit_u64(n),
                    (_, Ok(n)) => visitor.visit_i64(n),
                    _ => Err(de::Error::custom(format!("the number {digits} is too large"))),
                }
            }
            DeValue::Float(number) => visitor.visit_f64(number.as_str().parse().unwrap_or(0.0)),
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            DeValue::Datetime(date) => Err(de::Error::invalid_type(
                Unexpected::Other(&format!("the date {date}")),
                &visitor,
            )),
            DeValue::Array(array) => visitor.visit_seq(Elements(array, 0)),
            DeValue::Table(table) => visitor.visit_map(Entries::new(table)),
        }
    }

    fn place<T>(self, result: Result<T, Mistake>) -> Result<T, Mistake> {
        result.map_err(|mistake| mistake.within(self.0))
    }
}

impl<'a> de::Deserializer<'a> for Node<'a> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.place(self.visit(visitor))
    }

    fn deserialize_option<V: Visitor<'a>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'a>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let result = visitor.visit_newtype_struct(self);
        result.map_err(|mistake| match self.0.get_ref() {
            DeValue::String(text) => in_text(name, text, self.0.span()).unwrap_or(mistake),
            _ => mistake,
        })
    }

    fn deserialize_enum<V: Visitor<'a>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let result = match self.0.get_ref() {
            DeValue::String(name) => {
                let name: StrDeserializer<'_, Mistake> = name.as_ref().into_deserializer();
                visitor.visit_enum(name)
            }
            DeValue::Table(table) if table.len() == 1 => {
                visitor.visit_enum(Variant(Entries::new(table)))
            }
            _ => self.visit(visitor),
        };
        self.place(result)
    }

    forward_to_deserialize_any! {
        <V: Visitor<'a>>
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The mistake within a condition or a target, at its column.
fn in_text(name: &str, text: &str, span: Range<usize>) -> Option<Mistake> {
    let error = match name {
        "Condition" => Condition::parse(text).err()?,
        "Target" => Target::parse(text).err()?,
        _ => return None,
    };
    let mut mistake = Mistake::new(Kind::WrongValue, error.message);
    mistake.hint = error.nearest.map(did_you_mean);
    // After the opening quote. With escapes, or in a longer literal, the whole text is marked.
    if span.len() == text.len() + 2 {
        let start = span.start + 1 + error.at;
        return Some(mistake.at(start..start + error.length));
    }
    Some(mistake.at(span))
}

/// The elements of a list, from a position onwards.
struct Elements<'a>(&'a DeArray<'a>, usize);

impl<'a> SeqAccess<'a> for Elements<'a> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'a>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let Some(value) = self.0.get(self.1) else { return Ok(None) };
        self.1 += 1;
        seed.deserialize(Node(value)).map(Some).map_err(|mistake| mistake.within(value))
    }
}

/// The entries of a table in the order of the file, so that its first mistake is reported first.
struct Entries<'a> {
    entries: std::vec::IntoIter<(&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)>,
    value: Option<(&'a Spanned<DeString<'a>>, &'a Spanned<DeValue<'a>>)>,
}

impl<'a> Entries<'a> {
    fn new(table: &'a DeTable<'a>) -> Self {
        let mut entries: Vec<_> = table.iter().collect();
        entries.sort_by_key(|(key, _)| key.span().start);
        Self { entries: entries.into_iter(), value: None }
    }
}

impl<'a> MapAccess<'a> for Entries<'a> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'a>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        self.value = self.entries.next();
        let Some((key, _)) = self.value else { return Ok(None) };
        let name: StrDeserializer<'_, Mistake> = key.get_ref().as_ref().into_deserializer();
        seed.deserialize(name).map(Some).map_err(|mistake| mistake.at(key.span()))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some((_, value)) = self.value.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(Node(value)).map_err(|mistake| mistake.within(value))
    }
}

/// An enum variant with arguments: a table with the variant as its only key.
struct Variant<'a>(Entries<'a>);

impl<'a> EnumAccess<'a> for Variant<'a> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'a>>(
        mut self,
        seed: V,
    ) -> Result<(V::Value, Self), Mistake> {
        match self.0.next_key_seed(seed)? {
            Some(variant) => Ok((variant, self)),
            None => Err(de::Error::custom("expected a name")),
        }
    }
}

impl<'a> VariantAccess<'a> for Variant<'a> {
    type Error = Mistake;

    fn unit_variant(mut self) -> Result<(), Mistake> {
        self.0.next_value::<de::IgnoredAny>().map(|_| ())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'a>>(
        mut self,
        seed: T,
    ) -> Result<T::Value, Mistake> {
        self.0.next_value_seed(seed)
    }

    fn tuple_variant<V: Visitor<'a>>(self, _: usize, visitor: V) -> Result<V::Value, Mistake> {
        Err(de::Error::invalid_type(Unexpected::Map, &visitor))
    }

    fn struct_variant<V: Visitor<'a>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        Err(de::Error::invalid_type(Unexpected::Map, &visitor))
    }
}
