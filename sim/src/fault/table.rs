//! The declaration of a fault: a struct whose fields are the keys of its entry in a file.
//!
//! [`fault!`](super) generates the struct, its name and documentation, reading, writing and wording
//! of its entry, and the replacement of targets by nodes.

use crate::text;
use machine::Span;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

/// The keys of every entry of a plan, in addition to those of its fault.
pub const ENTRY_KEYS: &[&str] = &["kind", "name", "at", "when", "lasts"];

/// A key of a fault's entry.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// Its meaning, in Markdown.
    pub doc: &'static str,
    /// The form of its value.
    pub form: Form,
    /// Whether the key is required.
    pub required: bool,
}

/// The form of a value in a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A target, or a list of targets.
    Targets,
    /// A list of lists of targets.
    Groups,
    /// A length of time.
    Time,
    /// A share of a whole.
    Share,
    /// A whole number.
    Number,
    /// True or false.
    Flag,
    /// A text.
    Text,
    /// One of these words.
    Word(&'static [&'static str]),
}

/// Nodes, or targets of a file. In a file one target, or a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Targets<W>(pub Vec<W>);

impl<W> From<W> for Targets<W> {
    fn from(one: W) -> Self {
        Self(vec![one])
    }
}

impl<W> From<Vec<W>> for Targets<W> {
    fn from(all: Vec<W>) -> Self {
        Self(all)
    }
}

/// Groups of nodes, or of targets of a file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups<W>(pub Vec<Vec<W>>);

/// A share in parts per million, written as a percentage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ppm(pub u32);

/// A target of a file, in place of nodes.
pub trait Written: Serialize + DeserializeOwned + Clone + 'static {}

impl<W: Serialize + DeserializeOwned + Clone + 'static> Written for W {}

/// Writes a node or a target in words.
pub type Naming<'a, W> = &'a dyn Fn(&W) -> String;

/// The type of a key. `W` is a node, or a target of a file.
pub trait Value<W>: Clone + 'static {
    /// The same type with `V` in place of `W`.
    type With<V: Clone + 'static>;

    /// The type of the value in a file, if the key is given.
    type Given: Value<W>;

    /// Its form in a file.
    const FORM: Form;

    /// The value of a given key.
    fn given(given: Self::Given) -> Self;

    /// Whether the key is required.
    const REQUIRED: bool = true;

    /// The meaning of an entry without the key; `None` if the key is required.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether an entry without the key has this value.
    fn is_absent(&self) -> bool {
        false
    }

    /// The same value with the results of `of` in place of each `W`.
    fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> Self::With<V>;

    /// Each `W` of the value, with the path to it.
    fn targets(&self) -> Vec<(Vec<String>, &W)> {
        Vec::new()
    }

    /// The value in words.
    fn words(&self, name: Naming<'_, W>) -> String;

    /// Reads the value from a file.
    ///
    /// # Errors
    ///
    /// A value of another form.
    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>
    where
        W: Written;

    /// Writes the value to a file.
    ///
    /// # Errors
    ///
    /// The errors of the file.
    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>
    where
        W: Written;
}

struct OneOrMany<W>(PhantomData<W>);

impl<'de, W: Written> Visitor<'de> for OneOrMany<W> {
    type Value = Vec<W>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a target in quotes, or a list of targets")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Vec<W>, E> {
        use serde::de::IntoDeserializer;
        let text: serde::de::value::StrDeserializer<'_, E> = text.into_deserializer();
        W::deserialize(text).map(|one| vec![one])
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<W>, A::Error> {
        let mut all = Vec::new();
        while let Some(one) = seq.next_element()? {
            all.push(one);
        }
        Ok(all)
    }

    fn visit_newtype_struct<D: Deserializer<'de>>(self, from: D) -> Result<Vec<W>, D::Error> {
        from.deserialize_any(self)
    }
}

impl<W: Clone + 'static> Value<W> for Targets<W> {
    type With<V: Clone + 'static> = Targets<V>;
    type Given = Self;
    const FORM: Form = Form::Targets;

    fn given(given: Self) -> Self {
        given
    }

    fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> Targets<V> {
        Targets(self.0.iter().flat_map(of).collect())
    }

    fn targets(&self) -> Vec<(Vec<String>, &W)> {
        match &self.0[..] {
            [one] => vec![(Vec::new(), one)],
            all => all.iter().enumerate().map(|(i, one)| (vec![i.to_string()], one)).collect(),
        }
    }

    fn words(&self, name: Naming<'_, W>) -> String {
        self.0.iter().map(name).collect::<Vec<_>>().join(" ")
    }

    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>
    where
        W: Written,
    {
        // The name `Target` lets a reader of files find the column of a mistake in a target.
        from.deserialize_newtype_struct("Target", OneOrMany(PhantomData)).map(Targets)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>
    where
        W: Written,
    {
        match &self.0[..] {
            [one] => one.serialize(to),
            all => all.serialize(to),
        }
    }
}

impl<W: Clone + 'static> Value<W> for Groups<W> {
    type With<V: Clone + 'static> = Groups<V>;
    type Given = Self;
    const FORM: Form = Form::Groups;

    fn given(given: Self) -> Self {
        given
    }

    fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> Groups<V> {
        Groups(self.0.iter().map(|group| group.iter().flat_map(&mut *of).collect()).collect())
    }

    fn targets(&self) -> Vec<(Vec<String>, &W)> {
        let group = |(i, group): (usize, &'_ Vec<W>)| (i, group.len());
        let places = self.0.iter().enumerate().map(group);
        let places = places.flat_map(|(i, len)| (0..len).map(move |j| (i, j)));
        places.map(|(i, j)| (vec![i.to_string(), j.to_string()], &self.0[i][j])).collect()
    }

    fn words(&self, name: Naming<'_, W>) -> String {
        let group = |group: &Vec<W>| group.iter().map(name).collect::<Vec<_>>().join(" ");
        self.0.iter().map(group).collect::<Vec<_>>().join(" | ")
    }

    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>
    where
        W: Written,
    {
        Vec::deserialize(from).map(Groups)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>
    where
        W: Written,
    {
        self.0.serialize(to)
    }
}

/// A value without nodes: its form, whether it is required, its value in an entry without the key,
/// and how it is put in words, read and written.
macro_rules! plain {
    ($type:ty, $form:expr, $required:literal, $absent:expr, |$value:ident| $words:expr, $read:expr, $write:expr) => {
        impl<W> $crate::fault::Value<W> for $type {
            type With<V: Clone + 'static> = Self;
            type Given = Self;
            const FORM: $crate::fault::Form = $form;
            const REQUIRED: bool = $required;

            fn given(given: Self) -> Self {
                given
            }

            fn absent() -> Option<Self> {
                $absent
            }

            fn is_absent(&self) -> bool {
                let absent: Option<Self> = $absent;
                absent.as_ref() == Some(self)
            }

            fn map<V: Clone + 'static>(&self, _: &mut dyn FnMut(&W) -> Vec<V>) -> Self {
                self.clone()
            }

            fn words(&self, _: $crate::fault::Naming<'_, W>) -> String {
                let $value = self;
                $words
            }

            fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                $read(from)
            }

            fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                $write(self, to)
            }
        }
    };
}

pub(super) use plain;

plain!(u32, Form::Number, true, None, |it| it.to_string(), u32::deserialize, u32::serialize);
plain!(u64, Form::Number, true, None, |it| it.to_string(), u64::deserialize, u64::serialize);
plain!(
    bool,
    Form::Flag,
    false,
    Some(false),
    |_flag| String::new(),
    bool::deserialize,
    bool::serialize
);
plain!(String, Form::Text, true, None, |it| it.clone(), String::deserialize, String::serialize);
plain!(
    Span,
    Form::Time,
    true,
    None,
    |it| text::span_in_words(*it),
    text::span::deserialize,
    text::span::serialize
);
plain!(
    Ppm,
    Form::Share,
    true,
    None,
    |it| text::share_to_text(it.0),
    text::share::deserialize,
    text::share::serialize
);

/// An optional key.
impl<W, T: Value<W>> Value<W> for Option<T> {
    type With<V: Clone + 'static> = Option<T::With<V>>;
    type Given = T::Given;
    const FORM: Form = T::FORM;
    const REQUIRED: bool = false;

    fn given(given: T::Given) -> Self {
        Some(T::given(given))
    }

    fn absent() -> Option<Self> {
        Some(None)
    }

    fn is_absent(&self) -> bool {
        self.is_none()
    }

    fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> Option<T::With<V>> {
        self.as_ref().map(|value| value.map(of))
    }

    fn targets(&self) -> Vec<(Vec<String>, &W)> {
        self.as_ref().map(T::targets).unwrap_or_default()
    }

    fn words(&self, name: Naming<'_, W>) -> String {
        self.as_ref().map(|value| value.words(name)).unwrap_or_default()
    }

    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>
    where
        W: Written,
    {
        T::read(from).map(Some)
    }

    fn write<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error>
    where
        W: Written,
    {
        match self {
            Some(value) => value.write(to),
            None => to.serialize_none(),
        }
    }
}

/// The values of an entry by key, while the entry is read: `kind` may come last.
#[derive(Debug, Default)]
pub struct Values(Vec<(&'static str, Box<dyn Any>)>);

impl Values {
    /// The keys that were read.
    pub fn keys(&self) -> impl Iterator<Item = &'static str> {
        self.0.iter().map(|(key, _)| *key)
    }

    /// Reads the value of a key.
    pub(super) fn read<'de, W: Written, T: Value<W>, A: MapAccess<'de>>(
        &mut self,
        key: &'static str,
        map: &mut A,
    ) -> Result<(), A::Error> {
        if self.keys().any(|known| known == key) {
            return Err(A::Error::duplicate_field(key));
        }
        let value: T::Given = map.next_value_seed(Seed::<W, T::Given>(PhantomData))?;
        self.0.push((key, Box::new(value)));
        Ok(())
    }

    /// Takes out the value of a key; the name of the key if it is required and missing.
    pub(super) fn take<W, T: Value<W>>(&mut self, key: &'static str) -> Result<T, &'static str> {
        let place = self.0.iter().position(|(known, _)| *known == key);
        match place.map(|place| self.0.swap_remove(place).1.downcast::<T::Given>()) {
            Some(Ok(value)) => Ok(T::given(*value)),
            Some(Err(_)) => panic!("`{key}` has one type in all faults"),
            None => T::absent().ok_or(key),
        }
    }
}

struct Seed<W, T>(PhantomData<(W, T)>);

impl<'de, W: Written, T: Value<W>> serde::de::DeserializeSeed<'de> for Seed<W, T> {
    type Value = T;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<T, D::Error> {
        T::read(from)
    }
}

/// Writes the value of a key, unless an entry without the key has the same value.
pub(super) fn write<W: Written, T: Value<W>, M: SerializeMap>(
    key: &'static str,
    value: &T,
    map: &mut M,
) -> Result<(), M::Error> {
    struct Shown<'a, W, T>(&'a T, PhantomData<W>);
    impl<W: Written, T: Value<W>> Serialize for Shown<'_, W, T> {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            self.0.write(to)
        }
    }
    match value.is_absent() {
        true => Ok(()),
        false => map.serialize_entry(key, &Shown(value, PhantomData)),
    }
}

/// Declares a fault: its documentation, its name in files, and its keys with their documentation.
macro_rules! fault {
    (
        $(#[doc = $doc:literal])+
        $fault:ident = $name:literal {
            $($(#[doc = $key_doc:literal])+ $key:ident: $type:ty,)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub struct $fault<W> {
            $($(#[doc = $key_doc])+ pub $key: $type,)*
        }

        impl<W: Clone + 'static> $fault<W> {
            pub(super) const NAME: &'static str = $name;
            pub(super) const DOC: &'static str = concat!($($doc, "\n"),+);
            pub(super) const KEYS: &'static [$crate::fault::Key] = &[$($crate::fault::Key {
                name: stringify!($key),
                doc: concat!($($key_doc, "\n"),+),
                form: <$type as $crate::fault::Value<W>>::FORM,
                required: <$type as $crate::fault::Value<W>>::REQUIRED,
            },)*];

            pub(super) fn map<V: Clone + 'static>(
                &self,
                of: &mut dyn FnMut(&W) -> Vec<V>,
            ) -> $fault<V> {
                $fault { $($key: $crate::fault::Value::map(&self.$key, of),)* }
            }

            /// Each target with the path to it in the entry.
            pub(super) fn targets(&self) -> Vec<(Vec<String>, &W)> {
                let mut all = Vec::new();
                $(for (mut path, targets) in $crate::fault::Value::<W>::targets(&self.$key) {
                    path.insert(0, stringify!($key).to_owned());
                    all.push((path, targets));
                })*
                all
            }

            /// The keys that it has, with their values in words.
            pub(super) fn words(
                &self,
                name: $crate::fault::Naming<'_, W>,
            ) -> Vec<(&'static str, String)> {
                let mut all = Vec::new();
                $(if !$crate::fault::Value::<W>::is_absent(&self.$key) {
                    all.push((stringify!($key), $crate::fault::Value::<W>::words(&self.$key, name)));
                })*
                all
            }
        }

        impl<W: $crate::fault::Written> $fault<W> {
            /// Reads the value of a key if the fault has this key.
            pub(super) fn read_key<'de, A: serde::de::MapAccess<'de>>(
                key: &str,
                map: &mut A,
                values: &mut $crate::fault::Values,
            ) -> Result<bool, A::Error> {
                $(if key == stringify!($key) {
                    values.read::<W, $type, A>(stringify!($key), map)?;
                    return Ok(true);
                })*
                Ok(false)
            }

            pub(super) fn build(values: &mut $crate::fault::Values) -> Result<Self, &'static str> {
                Ok(Self { $($key: values.take::<W, $type>(stringify!($key))?,)* })
            }

            pub(super) fn write<M: serde::ser::SerializeMap>(
                &self,
                map: &mut M,
            ) -> Result<(), M::Error> {
                $($crate::fault::table::write::<W, $type, M>(
                    stringify!($key), &self.$key, map,
                )?;)*
                Ok(())
            }
        }
    };
}

pub(super) use fault;
