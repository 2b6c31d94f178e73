//! Deserializes a parsed TOML document through serde, and keeps the place of every mistake. (The
//! `toml` crate's own deserializer reports mistakes as text only.)

use super::condition::Condition;
use super::diagnostic::Kind;
use super::mistake::{Mistake, did_you_mean};
use super::target::Target;
use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue};

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
        let read = seed.deserialize(Node(value)).map(Some);
        read.map_err(|mistake| mistake.within(value).inside(value))
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
        let Some((key, value)) = self.value else { return Ok(None) };
        let name: StrDeserializer<'_, Mistake> = key.get_ref().as_ref().into_deserializer();
        let read = seed.deserialize(name).map(Some);
        read.map_err(|mistake| mistake.at(key.span()).inside(value))
    }

    fn next_value_seed<V: DeserializeSeed<'a>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some((_, value)) = self.value.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        let read = seed.deserialize(Node(value));
        read.map_err(|mistake| mistake.within(value).inside(value))
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
