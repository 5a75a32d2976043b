//! Ids: short, printable, free of the characters that our keys are built with.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Longest id in bytes. Two ids and a prefix must leave room in a commit of 1,024 bytes.
pub const ID_BYTES_MAX: usize = 64;

/// The pattern every id satisfies, as it stands in the JSON Schemas.
pub const ID_PATTERN: &str = "^[A-Za-z0-9][A-Za-z0-9._~:@-]{0,63}$";

/// Namespace of every id that Callboard derives (UUIDv5, RFC 9562 section 5.5).
pub const NAMESPACE: Uuid = Uuid::from_u128(0x6ba5_8ee4_30f5_4d0b_9c11_d27a_4f1e_c0ab);

/// Why a text is not an id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdError {
    /// Nothing there.
    #[error("an id must not be empty")]
    Empty,
    /// More than [`ID_BYTES_MAX`] bytes.
    #[error("an id has at most {ID_BYTES_MAX} characters, this one has {0}")]
    TooLong(usize),
    /// A character outside [`ID_PATTERN`]; its position counts from 0.
    #[error(
        "an id starts with a letter or digit and holds letters, digits and . _ ~ : @ - only (position {0})"
    )]
    Character(usize),
}

fn check(text: &str) -> Result<(), IdError> {
    if text.is_empty() {
        return Err(IdError::Empty);
    }
    if text.len() > ID_BYTES_MAX {
        return Err(IdError::TooLong(text.len()));
    }
    let bad = text.bytes().enumerate().find(|(at, byte)| {
        !(byte.is_ascii_alphanumeric() || (*at > 0 && b"._~:@-".contains(byte)))
    });
    bad.map_or(Ok(()), |(at, _)| Err(IdError::Character(at)))
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks a text against [`ID_PATTERN`].
            ///
            /// # Errors
            /// [`IdError`] says what is wrong and where.
            pub fn parse(text: &str) -> Result<Self, IdError> {
                check(text)?;
                Ok(Self(text.to_owned()))
            }

            /// A new random, time-ordered id (UUIDv7 without hyphens).
            #[must_use]
            pub fn generate() -> Self {
                Self(Uuid::now_v7().simple().to_string())
            }

            /// The id that follows from `parts`: the same parts give the same id.
            #[must_use]
            pub fn derived(parts: &[&str]) -> Self {
                Self(derived_uuid(parts).simple().to_string())
            }

            /// The id as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl FromStr for $name {
            type Err = IdError;
            fn from_str(text: &str) -> Result<Self, IdError> {
                Self::parse(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = IdError;
            fn try_from(text: String) -> Result<Self, IdError> {
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl From<$name> for String {
            fn from(id: $name) -> String {
                id.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> Cow<'static, str> {
                stringify!($name).into()
            }
            fn json_schema(_: &mut SchemaGenerator) -> Schema {
                json_schema!({ "type": "string", "pattern": ID_PATTERN })
            }
        }
    };
}

text_id!(
    /// A waitlist, for instance that of one practice.
    WaitlistId
);
text_id!(
    /// One person's place on one waitlist.
    EntryId
);
text_id!(
    /// An appointment that can be taken.
    SlotId
);
text_id!(
    /// One offer of one slot version to one entry.
    OfferId
);
text_id!(
    /// A person who may be told something; whose addresses stand in `contacts` alone.
    RecipientId
);

/// The UUIDv5 of `parts` in [`NAMESPACE`]. Each part's length is hashed with it, so that
/// `["ab", "c"]` and `["a", "bc"]` differ.
#[must_use]
pub fn derived_uuid(parts: &[&str]) -> Uuid {
    let mut name = Vec::new();
    for part in parts {
        name.extend_from_slice(&(part.len() as u64).to_be_bytes());
        name.extend_from_slice(part.as_bytes());
    }
    Uuid::new_v5(&NAMESPACE, &name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_with_a_key_separator_is_refused_with_its_position() {
        assert_eq!(SlotId::parse("ab#c"), Err(IdError::Character(2)));
        assert_eq!(SlotId::parse("-ab"), Err(IdError::Character(0)));
        assert_eq!(SlotId::parse(""), Err(IdError::Empty));
        assert_eq!(SlotId::parse(&"a".repeat(65)), Err(IdError::TooLong(65)));
        assert!(SlotId::parse("usr-456").is_ok());
    }

    #[test]
    fn derived_ids_depend_on_where_the_parts_are_cut() {
        assert_ne!(derived_uuid(&["ab", "c"]), derived_uuid(&["a", "bc"]));
        assert_eq!(derived_uuid(&["ab", "c"]), derived_uuid(&["ab", "c"]));
    }

    #[test]
    fn generated_ids_satisfy_their_own_rule() {
        let id = EntryId::generate();
        assert_eq!(EntryId::parse(id.as_str()), Ok(id));
    }
}
