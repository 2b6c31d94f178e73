//! How a fault is declared: once, as a struct whose fields are the keys of its entry in a file.
//!
//! From [`fault!`](super) come the struct, its name, its documentation, how its entry is read,
//! written and put in words, and how nodes take the place of roles in it.

use crate::text;
use machine::Span;
use serde::de::{DeserializeOwned, Error, MapAccess, SeqAccess, Visitor};
use serde::ser::SerializeMap;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use std::any::Any;
use std::fmt;
use std::marker::PhantomData;

/// What every entry of a plan may have beside the keys of its fault.
pub const ENTRY_KEYS: &[&str] = &["kind", "name", "at", "when", "lasts"];

/// A key of a fault's entry.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// Its name.
    pub name: &'static str,
    /// What it says.
    pub doc: &'static str,
    /// What its value looks like.
    pub form: Form,
    /// Whether every entry has to have it.
    pub required: bool,
}

/// What a value looks like in a file.
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

/// Nodes, or what stands for nodes. In a file one, or a list.
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

/// Groups of nodes, or of what stands for nodes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Groups<W>(pub Vec<Vec<W>>);

/// A share in parts per million, written in per cent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ppm(pub u32);

/// What can stand in a file in place of nodes.
pub trait Written: Serialize + DeserializeOwned + Clone + 'static {}

impl<W: Serialize + DeserializeOwned + Clone + 'static> Written for W {}

/// A way to put a node, or what stands for one, in words.
pub type Naming<'a, W> = &'a dyn Fn(&W) -> String;

/// The type of a key. `W` is a node, or what stands for nodes in a file.
pub trait Value<W>: Clone + 'static {
    /// The same with `V` in place of `W`.
    type With<V: Clone + 'static>;

    /// What stands in a file where the key is given.
    type Given: Value<W>;

    /// What it looks like in a file.
    const FORM: Form;

    /// The value where the key is given.
    fn given(given: Self::Given) -> Self;

    /// Whether an entry has to have it.
    const REQUIRED: bool = true;

    /// What an entry without the key means; `None` if it has to have it.
    fn absent() -> Option<Self> {
        None
    }

    /// Whether an entry without the key means the same.
    fn is_absent(&self) -> bool {
        false
    }

    /// The same with what `of` returns in place of each `W`.
    fn map<V: Clone + 'static>(&self, of: &mut dyn FnMut(&W) -> Vec<V>) -> Self::With<V>;

    /// Each `W` in it, with the steps that lead to it.
    fn targets(&self) -> Vec<(Vec<String>, &W)> {
        Vec::new()
    }

    /// It in words.
    fn words(&self, name: Naming<'_, W>) -> String;

    /// Reads it from a file.
    ///
    /// # Errors
    ///
    /// What the file has in its place.
    fn read<'de, D: Deserializer<'de>>(from: D) -> Result<Self, D::Error>
    where
        W: Written;

    /// Writes it to a file.
    ///
    /// # Errors
    ///
    /// Those of the file.
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
        // The name lets a reader of files find the column of a mistake in a target.
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

/// A value that has nothing to do with nodes: its form, whether an entry has to have it, what an
/// entry without it means, and how it is put in words, read and written.
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

/// A key that an entry need not have.
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

/// The values of an entry by their keys, while it is read: its kind may stand at its end.
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

    /// Takes out the value of a key; the key's name if it is missing and must not be.
    pub(super) fn take<W, T: Value<W>>(&mut self, key: &'static str) -> Result<T, &'static str> {
        let place = self.0.iter().position(|(known, _)| *known == key);
        match place.map(|place| self.0.swap_remove(place).1.downcast::<T::Given>()) {
            Some(Ok(value)) => Ok(T::given(*value)),
            Some(Err(_)) => panic!("`{key}` is of one type in all faults"),
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

/// Writes the value of a key unless an entry without it means the same.
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

/// Declares a fault: its doc comment, its name in files, and its keys with what they say.
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
            /// Reads the value of a key if the fault has one of that name.
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
