//! The fields of the file that take more than one form: a list or one text, a scalar of any type, a
//! reference to a secret.
//!
//! A secret is only ever named here. A value in its place is refused by a message that does not repeat
//! it, whatever type it was written as.

use std::fmt;
use std::marker::PhantomData;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Serialize, Serializer};

/// Reads a list, or one text whose parts are separated by commas (the form of the environment).
pub(super) fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de> + FromStr,
{
    struct ListVisitor<T>(PhantomData<T>);
    impl<'de, T: Deserialize<'de> + FromStr> Visitor<'de> for ListVisitor<T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a list, or one text with commas")
        }

        fn visit_str<E: Error>(self, text: &str) -> Result<Vec<T>, E> {
            text.split(',')
                .map(str::trim)
                .filter(|part| !part.is_empty())
                .map(|part| {
                    part.parse().map_err(|_| E::custom(format_args!("`{part}` is no value of this list")))
                })
                .collect()
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<T>, A::Error> {
            let mut list = Vec::new();
            while let Some(item) = sequence.next_element()? {
                list.push(item);
            }
            Ok(list)
        }
    }
    deserializer.deserialize_any(ListVisitor(PhantomData))
}

/// A text, number or boolean, kept as text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(transparent)]
pub(super) struct Scalar(pub(super) String);

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ScalarVisitor;
        impl Visitor<'_> for ScalarVisitor {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a text, a whole number or a boolean")
            }

            fn visit_str<E: Error>(self, value: &str) -> Result<Scalar, E> {
                Ok(Scalar(value.to_owned()))
            }

            fn visit_i64<E: Error>(self, value: i64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_u64<E: Error>(self, value: u64) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }

            fn visit_bool<E: Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar(value.to_string()))
            }
        }
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Where a secret is kept: exactly one of the three is set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct SecretSource {
    /// A name in systemd's credential directory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) credential: Option<String>,
    /// A path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) file: Option<String>,
    /// A variable of the environment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) env: Option<String>,
}

/// The forms that name a secret, as shown in messages.
pub(super) const SECRET_FORMS: &str =
    r#"{ credential = "NAME" }, { file = "/path" } or { env = "VARIABLE" }"#;

/// [`SecretSource`] as serde derives it, without the refusal of inline values.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SecretTable {
    credential: Option<String>,
    file: Option<String>,
    env: Option<String>,
}

struct SecretVisitor;

/// Refuses an inline secret of any type without repeating it.
macro_rules! refuse_inline {
    ($($method:ident: $type:ty),*) => {
        $(fn $method<E: Error>(self, _: $type) -> Result<SecretSource, E> {
            Err(E::custom("a secret is never written into the settings"))
        })*
    };
}

impl<'de> Visitor<'de> for SecretVisitor {
    type Value = SecretSource;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(SECRET_FORMS)
    }

    refuse_inline!(visit_str: &str, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
        visit_f64: f64, visit_bool: bool);

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SecretSource, A::Error> {
        let SecretTable { credential, file, env } =
            SecretTable::deserialize(MapAccessDeserializer::new(map))?;
        Ok(SecretSource { credential, file, env })
    }
}

impl<'de> Deserialize<'de> for SecretSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(SecretVisitor)
    }
}

/// An access key's id: a text, since it is no secret, or kept where secrets are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyId {
    /// The id itself.
    Plain(String),
    /// Where the id is kept.
    Kept(SecretSource),
}

impl<'de> Deserialize<'de> for KeyId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct KeyIdVisitor;
        impl<'de> Visitor<'de> for KeyIdVisitor {
            type Value = KeyId;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a text, {SECRET_FORMS}")
            }

            fn visit_str<E: Error>(self, id: &str) -> Result<KeyId, E> {
                Ok(KeyId::Plain(id.to_owned()))
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<KeyId, A::Error> {
                SecretVisitor.visit_map(map).map(KeyId::Kept)
            }
        }
        deserializer.deserialize_any(KeyIdVisitor)
    }
}

impl Serialize for KeyId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            KeyId::Plain(id) => serializer.serialize_str(id),
            KeyId::Kept(source) => source.serialize(serializer),
        }
    }
}
